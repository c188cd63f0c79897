"""Replay of levels: rows a second, against hftbacktest 2.4.4 with its risk-averse queue model.

    python -m benchmarks.replay_l2

One order of one lot, posted anew at the best recorded bid every 100 ms; no latency; ours with the
pessimistic queue, which like the peer's lets only trades at our price advance us. Both read a feed
in memory in its native form, and only the replay is timed.
"""

from __future__ import annotations

import sys

from benchmarks.feed import compile_tape, l2_rows, make_feed
from benchmarks.peers.convert import decisions, l2_events
from benchmarks.repost import Reposting
from benchmarks.side_by_side import arguments, race
from paceline.engine.queue import FillModel

BAR = 5.0


def main() -> bool:
    given = arguments(__doc__)
    rows = l2_rows(make_feed().rows)
    when = decisions(rows)
    ours = Reposting(compile_tape(rows), when, FillModel.PESSIMISTIC)
    return race("replay_l2", ours, l2_events(rows), when, "l2", BAR, given.rounds, given.runs)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
