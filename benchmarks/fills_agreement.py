"""The same orders on the same feed, in our exchange and in hftbacktest 2.4.4: the same fills?

    python -m benchmarks.fills_agreement

One lot at the best recorded bid, posted anew every 100 ms, no latency. What each should report is
worked out a third time in plain Python (`peers/expected_fills.py`), and a difference counts as
explained only if that third account predicts both sides of it, to the nanosecond and the tick.

**Order by order, exact first in, first out.** Ours equals price-time priority fill for fill. The
peer differs in one rule, `through`: every recorded order at our price has left, we stand alone
above the best recorded bid, and a recorded seller trades at a worse price than ours. He would have
met us first, so we are filled. The peer looks only at prices between the execution and the best
*recorded* bid, where we are not, and passes us by. Some of those orders it fills later, when an ask
comes in at or below our price (`crossed`) or an order that joined behind us trades (`queue`); the
others never.

**Levels only.** Both let trades at our price advance us. The peer's risk-averse model adds that
never more is ahead of us than the level shows, so a level that shrinks to nothing puts us in front.
Our pessimistic model gives no credit for a cancel whatever the level shows: what stood ahead stays
ahead until it trades, also against an ask that comes in at our very price. So ours is never filled
before the peer's, and sometimes not at all. The bar is for orders alone; this half is reported.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

from benchmarks.feed import Feed, compile_tape, l2_rows, make_feed
from benchmarks.figure import announce, digits
from benchmarks.peers.convert import decisions, l2_events, l3_events
from benchmarks.peers.expected_fills import (
    EXACT,
    HFTBACKTEST_L2,
    HFTBACKTEST_L3,
    ExpectedFill,
    l2_fills,
    l3_fills,
)
from benchmarks.peers.run import run_hftbacktest
from benchmarks.repost import Reposting
from paceline.engine.queue import FillModel

BAR = 1.0

Fills = dict[int, tuple[int, int]]  # number of the order -> (ns, ticks)


def main() -> bool:
    feed = make_feed()
    by_order = _order_by_order(feed)
    by_level = _levels(feed)
    return announce(
        "fills_agreement",
        by_order["share"],
        "share of L3 orders filled by either that agree or differ as explained",
        BAR,
        provided=by_order["unexplained"] == 0 and by_level["unexplained"] == 0,
        messages=len(feed.order_id),
        l3=by_order,
        l2=by_level,
    )


def _order_by_order(feed: Feed) -> dict[str, Any]:
    when = decisions(feed.rows)
    ours = Reposting(compile_tape(feed.rows), when, FillModel.CALIBRATED).run().fills
    events = l3_events(feed.rows, feed.order_id)
    theirs = run_hftbacktest(events, len(feed.order_id), when, "l3", runs=1).fills
    expected = l3_fills(feed.rows, feed.order_id, when, EXACT)
    expected_there = l3_fills(feed.rows, feed.order_id, when, HFTBACKTEST_L3)
    return compare(ours, theirs, expected, expected_there)


def _levels(feed: Feed) -> dict[str, Any]:
    rows = l2_rows(feed.rows)
    when = decisions(rows)
    ours = Reposting(compile_tape(rows), when, FillModel.PESSIMISTIC).run().fills
    theirs = run_hftbacktest(l2_events(rows), len(rows.ts), when, "l2", runs=1).fills
    expected = l2_fills(rows, when, EXACT, no_credit=True)
    expected_there = l2_fills(rows, when, HFTBACKTEST_L2)
    found = compare(ours, theirs, expected, expected_there)
    late = (1 for order in ours.keys() & theirs.keys() if ours[order][0] < theirs[order][0])
    return found | {"ours_before_theirs": sum(late)}


def compare(
    ours: Fills,
    theirs: Fills,
    expected: list[ExpectedFill],
    expected_there: list[ExpectedFill],
) -> dict[str, Any]:
    """Counts of orders filled by either, by what became of them.

    A difference has a class, our reason and theirs; it is explained if both are as expected.
    """
    here = {fill.order: fill for fill in expected}
    there = {fill.order: fill for fill in expected_there}
    either = ours.keys() | theirs.keys() | here.keys() | there.keys()
    agree = unexplained = 0
    classes: Counter[str] = Counter()
    for order in either:
        explained = _told(here.get(order)) == ours.get(order) and (
            _told(there.get(order)) == theirs.get(order)
        )
        if not explained:
            unexplained += 1
        elif ours.get(order) == theirs.get(order):
            agree += 1
        else:
            classes[f"ours {_why(here.get(order))}, theirs {_why(there.get(order))}"] += 1
    return {
        "ours": len(ours),
        "theirs": len(theirs),
        "either": len(either),
        "agree": agree,
        "explained": dict(classes.most_common()),
        "unexplained": unexplained,
        "agreeing_share": digits(agree / len(either)),
        "share": 1.0 - unexplained / len(either),
    }


def _told(fill: ExpectedFill | None) -> tuple[int, int] | None:
    return None if fill is None else (fill.ts, fill.ticks)


def _why(fill: ExpectedFill | None) -> str:
    return "not filled" if fill is None else fill.why


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
