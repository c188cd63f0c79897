"""Executions of auctions: lots that nobody in the continuous market could have joined.

A feed announces an auction as one CROSS row, and then what it did to orders: as plain executions,
inside a halt or at the instant of the cross. Read as trades of the continuous market, these would
count its volume a second time and fill orders that rest. Here they are what they were: an EXECUTE
takes its order away (REDUCE or DELETE), a HIDDEN or TRADE row becomes a CROSS.

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
    RESUME,
    Rows,
)
from paceline.market.executions import are_trades, leaving


class SetAside(NamedTuple):
    """Rows in which some executions are no trades of the continuous market any more."""

    rows: Rows
    at: NDArray[np.int64]  # those rows, in order


def auctions_aside(rows: Rows) -> SetAside:
    """`rows` with the executions of auctions set aside."""
    if not np.isin(rows.kind, (CROSS, HALT)).any():
        return SetAside(rows, np.empty(0, np.int64))
    return executions_aside(rows, _of_auctions(rows))


def executions_aside(rows: Rows, which: NDArray[np.bool_]) -> SetAside:
    """Set aside the executions among `which` `[n]`."""
    traded = are_trades(rows.kind) & which
    gone = leaving(rows.kind, rows.lots, rows.slot)
    kind = np.where(traded, np.where(rows.kind == EXECUTE, gone, np.uint8(CROSS)), rows.kind)
    return SetAside(rows._replace(kind=kind.astype(np.uint8)), np.flatnonzero(traded))


def _of_auctions(rows: Rows) -> NDArray[np.bool_]:
    """Rows whose executions are of an auction `[n]`."""
    found = halted(rows.kind)
    for ts in np.unique(rows.ts[(rows.kind == CROSS) & ~found]).tolist():
        first, after = np.searchsorted(rows.ts, (ts, ts + 1))
        found[first:after] |= _of_instant(rows, slice(first, after))
    return found


def halted(kind: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Rows of kinds `[n]` while trading is stopped, that which stops it among them."""
    stop: NDArray[np.bool_] = kind == HALT
    if not stop.any():
        return stop
    change = stop | (kind == RESUME)
    last = np.maximum.accumulate(np.where(change, np.arange(len(kind)), -1))
    found: NDArray[np.bool_] = (last >= 0) & stop[last]
    return found


def _of_instant(rows: Rows, instant: slice) -> NDArray[np.bool_]:
    """Executions of an instant that are of its crosses: up to their lots on each side."""
    kind, lots, side = rows.kind[instant], rows.lots[instant], rows.side[instant]
    whole = int(lots[kind == CROSS].sum())
    found = np.zeros(len(kind), bool)
    for one in (BID, -BID):
        at = np.flatnonzero((kind == EXECUTE) & (side == one))
        found[at[np.cumsum(lots[at]) <= whole]] = True
    return found
