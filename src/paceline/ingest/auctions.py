"""Executions of auctions: lots that nobody in the continuous market could have joined.

A feed announces an auction as one CROSS row, and then what it did to orders: as plain executions,
inside a halt or at the instant of the cross. Read as trades of the continuous market, these would
count its volume a second time and fill orders that rest. Here they leave the book as what they are:

* an EXECUTE takes its order away (REDUCE or DELETE), a HIDDEN or TRADE row becomes a CROSS;
* what the orders gave beyond the lots of the CROSS rows with them is one more CROSS row.

In a halt (a break included) all executions are of an auction; elsewhere those at the instant of a
CROSS are, up to its lots on each side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.market.events import (
    BID,
    CROSS,
    EXECUTE,
    HALT,
    HIDDEN,
    NO_SLOT,
    RESUME,
    TRADE,
    Rows,
)
from paceline.market.executions import leaving


class SetAside(NamedTuple):
    """Rows in which some executions are no trades of the continuous market any more."""

    rows: Rows
    origin: NDArray[np.int64]  # [n_rows] raw row of each
    raw: NDArray[np.int64]  # raw rows whose executions were set aside, in order


def auctions_aside(rows: Rows, origin: NDArray[np.int64]) -> SetAside:
    """`rows`, with the raw row of each (`origin` `[n]`): executions of auctions are set aside."""
    if not np.isin(rows.kind, (CROSS, HALT)).any():
        return SetAside(rows, origin, np.empty(0, np.int64))
    return executions_aside(rows, origin, _groups(rows))


def executions_aside(rows: Rows, origin: NDArray[np.int64], group: NDArray[np.int64]) -> SetAside:
    """Set aside the executions with a `group` `[n]` (-1: none). A group's CROSS rows, which have
    its number too, tell what it traded; what its orders gave beyond is told by one more."""
    traded = np.isin(rows.kind, (EXECUTE, HIDDEN, TRADE)) & (group >= 0)
    if not traded.any():
        return SetAside(rows, origin, np.empty(0, np.int64))
    of_orders = traded & (rows.kind == EXECUTE)
    gone = leaving(rows.kind, rows.lots, rows.slot)
    kind = np.where(of_orders, gone, np.where(traded, np.uint8(CROSS), rows.kind))
    n = int(group.max()) + 1
    told = (rows.kind == CROSS) & (group >= 0)
    crossed = np.bincount(group[told], rows.lots[told], minlength=n)
    given = [
        np.bincount(group[side], rows.lots[side], minlength=n)
        for side in (of_orders & (rows.side == BID), of_orders & (rows.side != BID))
    ]
    missing = np.maximum(*given) - crossed
    last = np.zeros(n, np.int64)
    np.maximum.at(last, group[of_orders], np.flatnonzero(of_orders))
    of = np.flatnonzero(missing > 0)
    of = of[np.argsort(last[of])]
    at = last[of]
    made = Rows(rows.ts, kind.astype(np.uint8), rows.side, rows.ticks, rows.lots, rows.slot)
    raw = np.unique(origin[traded])
    if len(at):
        crosses = Rows(
            rows.ts[at], np.full(len(at), CROSS, np.uint8), np.zeros(len(at), np.int8),
            rows.ticks[at], missing[of].astype(np.int64),
            np.full(len(at), NO_SLOT, np.int32),
        )  # fmt: skip
        made = Rows._make(
            np.insert(getattr(made, name), at + 1, getattr(crosses, name)) for name in Rows._fields
        )
        origin = np.insert(origin, at + 1, origin[at])
    return SetAside(made, origin, raw)


def _groups(rows: Rows) -> NDArray[np.int64]:
    """Which auction each row is of `[n]`, -1 for those of none; all executions among them count."""
    stop = rows.kind == HALT
    change = stop | (rows.kind == RESUME)
    last = np.maximum.accumulate(np.where(change, np.arange(len(stop)), -1))
    halted = (last >= 0) & stop[last]
    group = np.where(halted, np.cumsum(stop & ~np.append(False, halted[:-1])) - 1, -1)
    crosses = np.flatnonzero((rows.kind == CROSS) & ~halted)
    n = int(group.max()) + 1 if len(group) else 0
    for ts in np.unique(rows.ts[crosses]).tolist():
        first, after = np.searchsorted(rows.ts, (ts, ts + 1))
        _of_instant(rows, group, first, after, n)
        n += 1
    return group


def _of_instant(rows: Rows, group: NDArray[np.int64], first: int, after: int, number: int) -> None:
    """Executions of the instant `first:after` are of its crosses, up to their lots on each side."""
    kind, lots = rows.kind[first:after], rows.lots[first:after]
    free = group[first:after] < 0
    cross = free & (kind == CROSS)
    whole = int(lots[cross].sum())
    group[first:after][cross] = number
    for side in (BID, -BID):
        at = free & (kind == EXECUTE) & (rows.side[first:after] == side)
        at[at] = np.cumsum(lots[at]) <= whole
        group[first:after][at] = number
