"""Replay order by order: messages a second, against hftbacktest 2.4.4 with its L3FIFO model.

    python -m benchmarks.replay_l3

One order of one lot, posted anew at the best recorded bid every 100 ms; no latency; exact queues on
both sides. Both read a feed in memory in its native form, and only the replay is timed.
"""

from __future__ import annotations

import sys

from benchmarks.feed import compile_tape, make_feed
from benchmarks.peers.convert import decisions, l3_events
from benchmarks.repost import Reposting
from benchmarks.side_by_side import arguments, race
from paceline.engine.queue import FillModel

BAR = 8.0


def main() -> bool:
    given = arguments(__doc__)
    feed = make_feed()
    when = decisions(feed.rows)
    ours = Reposting(compile_tape(feed.rows), when, FillModel.CALIBRATED)
    events = l3_events(feed.rows, feed.order_id)
    return race("replay_l3", ours, events, when, "l3", BAR, given.rounds, given.runs)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
