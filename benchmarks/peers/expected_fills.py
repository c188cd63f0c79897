"""The fills of the benchmarks' strategy, worked out slowly with dicts and nothing else.

One open order at most: a bid for one lot at the best recorded bid, cancelled and sent anew at every
decision; no latency. A decision at `t` and the messages it sends come after every event of time `t`
and before every later one. The recorded book goes its own way: our lot never changes it.

A resting order of ours is filled

* "queue": when an order behind it at its price is executed (order by order), or when more lots
  have traded at its price than stood ahead of it (levels);
* "through": when a recorded execution happens at a worse price than ours. We were the best price,
  so that seller would have met us first;
* "crossed": when an ask shows up at our price or below. It would have traded with us.

`EXACT` is price-time priority. The peer leaves some of it out; give its rules as `filled_by` to
expect what it reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.convert import Decisions
from paceline.market.events import ADD, BID, EXECUTE, LEVEL, TRADE, Rows

EXACT = frozenset({"queue", "through", "crossed"})

HFTBACKTEST_L3 = frozenset({"queue", "crossed"})
"""It fills by an execution at a worse price only above the *recorded* best bid, never when we stand
alone above it."""

HFTBACKTEST_L2 = EXACT


class ExpectedFill(NamedTuple):
    """One fill of one lot."""

    order: int
    """Number of the order: decisions count from 1."""
    ts: int
    ticks: int
    why: str


def l3_fills(
    rows: Rows,
    order_id: NDArray[np.int64],
    when: Decisions,
    filled_by: frozenset[str] = EXACT,
) -> list[ExpectedFill]:
    """Fills by first in, first out on an order-by-order feed."""
    queues: dict[
        tuple[int, int], dict[int, int]
    ] = {}  # (side, ticks) -> order -> lots, oldest first
    fills: list[ExpectedFill] = []
    ours = 0  # ticks of our open order
    number = 0
    ahead: set[int] = set()  # orders in front of it
    is_open = False
    for step in _steps(rows.ts, when):
        if step < 0:
            number += 1
            bids = [ticks for side, ticks in queues if side == BID]
            is_open = bool(bids)
            if is_open:
                ours = max(bids)
                ahead = set(queues[BID, ours])
            continue
        ts, kind, side, ticks, lots = _row(rows, step)
        order = int(order_id[step])
        why = ""
        if kind == ADD:
            queues.setdefault((side, ticks), {})[order] = lots
            if side != BID and ticks <= ours:
                why = "crossed"
        else:
            if kind == EXECUTE and side == BID:
                if ticks < ours:
                    why = "through"
                elif ticks == ours and order not in ahead:
                    why = "queue"
            queue = queues[side, ticks]
            queue[order] -= lots
            if queue[order] == 0:
                del queue[order]
                ahead.discard(order)
            if not queue:
                del queues[side, ticks]
        if is_open and why in filled_by:
            fills.append(ExpectedFill(number, ts, ours, why))
            is_open = False
    return fills


def l2_fills(
    rows: Rows,
    when: Decisions,
    filled_by: frozenset[str] = EXACT,
    *,
    no_credit: bool = False,
) -> list[ExpectedFill]:
    """Fills on a feed of levels when only trades at our price advance us.

    Never more is ahead of us than the level shows. With `no_credit` that is not believed either:
    what stood ahead stays until it trades, and an ask at our very price meets it first.
    """
    shown: dict[tuple[int, int], int] = {}
    fills: list[ExpectedFill] = []
    ours = number = ahead = 0
    is_open = False
    for step in _steps(rows.ts, when):
        if step < 0:
            number += 1
            bids = [ticks for side, ticks in shown if side == BID]
            is_open = bool(bids)
            if is_open:
                ours = max(bids)
                ahead = shown[BID, ours]
            continue
        ts, kind, side, ticks, lots = _row(rows, step)
        why = ""
        if kind == TRADE and side == BID:
            if ticks < ours:
                why = "through"
            elif ticks == ours:
                ahead -= lots
                why = "queue" if ahead < 0 else ""
        elif kind == LEVEL:
            before = shown.get((side, ticks), 0)
            shown[side, ticks] = lots
            if lots == 0:
                del shown[side, ticks]
            if side == BID and ticks == ours:
                ahead = ahead if no_credit else min(ahead, lots)
            elif side != BID and lots > 0 and ticks <= ours:
                why = "crossed"
                if no_credit and ticks == ours:
                    came = lots - before
                    why = "crossed" if came > ahead else ""
                    ahead -= min(ahead, max(came, 0))
        if is_open and why in filled_by:
            fills.append(ExpectedFill(number, ts, ours, why))
            is_open = False
    return fills


def _steps(ts: NDArray[np.int64], when: Decisions) -> Iterator[int]:
    """Row numbers in order, and -1 for each decision while a later row remains."""
    decision = when.first_ns
    for step, now in enumerate(ts.tolist()):
        while decision < now:
            yield -1
            decision += when.every_ns
        yield step


def _row(rows: Rows, step: int) -> tuple[int, int, int, int, int]:
    return (
        int(rows.ts[step]),
        int(rows.kind[step]),
        int(rows.side[step]),
        int(rows.ticks[step]),
        int(rows.lots[step]),
    )
