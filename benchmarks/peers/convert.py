"""Our rows in hftbacktest's event format, so that both replay the same feed.

An order-by-order message becomes one event, an execution two: `FILL` announces it and changes
nothing, the `CANCEL` (nothing left) or `MODIFY` (something left) behind it takes the lots away. The
`MODIFY` of a smaller size at the same price keeps the order's place. Nothing is handed over that it
would only skip: a `FILL` goes to its exchange and not to the trader's side, which ignores it, and
its order-by-order exchange reads no trade prints, so there are none.

A `LEVEL` row becomes one depth event, a `TRADE` row one trade event. `SELL` on a trade names who
started it, `BUY` on everything else names the side of the book.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.market.events import ADD, DELETE, EXECUTE, LEVEL, REDUCE, TRADE, Rows

TICK_SIZE = 0.01
LOT_SIZE = 1.0

EVENT = np.dtype(
    [
        ("ev", "u8"),
        ("exch_ts", "i8"),
        ("local_ts", "i8"),
        ("px", "f8"),
        ("qty", "f8"),
        ("order_id", "u8"),
        ("ival", "i8"),
        ("fval", "f8"),
    ],
    align=True,
)
"""Its `event_dtype`."""

_DEPTH, _TRADE, _ADD, _CANCEL, _MODIFY, _FILL = 1, 2, 10, 11, 12, 13
_EXCHANGE, _LOCAL, _BUY, _SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28


class Decisions(NamedTuple):
    """When the strategy decides."""

    first_ns: int
    """ns since the epoch; odd, so never at the time of a message."""
    every_ns: int


def decisions(rows: Rows, every_ns: int = 100_000_000) -> Decisions:
    """Every 100 ms from 100 ms after the first message on, one ns off the feed's even grid."""
    return Decisions(int(rows.ts[0]) + 100_000_001, every_ns)


def l3_events(rows: Rows, order_id: NDArray[np.int64]) -> NDArray[Any]:
    """Events `[n_events + executions]` of an order-by-order feed."""
    left = _lots_left(rows, order_id)
    executed = rows.kind == EXECUTE
    where = np.arange(len(rows.ts)) + np.cumsum(executed)
    events = np.zeros(len(rows.ts) + int(executed.sum()), EVENT)
    code = np.select([rows.kind == ADD, left > 0], [_ADD, _MODIFY], _CANCEL)
    _write(events, where, rows, code, np.where(left > 0, left, rows.lots), rows.side > 0)
    events["order_id"][where] = order_id
    fills = Rows(*(column[executed] for column in rows))
    announced = where[executed] - 1
    _write(events, announced, fills, _FILL, fills.lots, fills.side > 0)
    events["ev"][announced] &= ~np.uint64(_LOCAL)
    events["order_id"][announced] = order_id[executed]
    return events


def l2_events(rows: Rows) -> NDArray[Any]:
    """Events `[n_events]` of a feed of levels."""
    if not np.isin(rows.kind, (LEVEL, TRADE)).all():
        raise ValueError("rows: only LEVEL and TRADE rows make a feed of levels")
    events = np.zeros(len(rows.ts), EVENT)
    trade = rows.kind == TRADE
    buy = (rows.side > 0) ^ trade  # who sold into a bid is a seller
    _write(events, slice(None), rows, np.where(trade, _TRADE, _DEPTH), rows.lots, buy)
    return events


def save(path: Path, events: NDArray[Any], messages: int, when: Decisions) -> None:
    """Write what `hftbacktest_replay.py` reads; `messages` is what its speed is counted in."""
    np.savez(
        path,
        data=events,
        messages=messages,
        first_ns=when.first_ns,
        every_ns=when.every_ns,
        tick_size=TICK_SIZE,
        lot_size=LOT_SIZE,
    )


def _write(
    events: NDArray[Any], where: Any, rows: Rows, code: Any, lots: Any, buy: NDArray[np.bool_]
) -> None:
    events["ev"][where] = code | np.where(buy, _BUY, _SELL) | _EXCHANGE | _LOCAL
    events["exch_ts"][where] = rows.ts
    events["local_ts"][where] = rows.ts
    events["px"][where] = rows.ticks * TICK_SIZE
    events["qty"][where] = lots * LOT_SIZE


def _lots_left(rows: Rows, order_id: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lots of the order a row speaks of, after the row `[n_events]`."""
    if not np.isin(rows.kind, (ADD, REDUCE, DELETE, EXECUTE)).all():
        raise ValueError("rows: only ADD, REDUCE, DELETE and EXECUTE rows make this feed")
    change = np.where(rows.kind == ADD, rows.lots, -rows.lots)
    by_order = np.argsort(order_id, kind="stable")
    total = np.cumsum(change[by_order])
    # Orders start at zero: take off what the orders before this one have summed to.
    starts = np.r_[True, np.diff(order_id[by_order]) != 0]
    before = np.where(starts, total - change[by_order], 0)
    offset = before[np.flatnonzero(starts)][np.cumsum(starts) - 1]
    left = np.empty(len(change), np.int64)
    left[by_order] = total - offset
    return left
