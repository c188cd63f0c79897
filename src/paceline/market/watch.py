"""What a market has been doing lately: counts, volume and moves of the last seconds, and prints.

A watch hears of every row of a market in order (`note`) and is then asked what the last ten
seconds, minute and five minutes held (`look_back`); the second that is running counts as the last
one. It counts whole numbers in cells of one second of the
clock on the wall, so it says the same whether it has listened for five minutes or since the open,
one row at a time or thousands in a kernel: a live feed and a tape that is jumped into agree bit for
bit.

The mid moves when an instant is over: a market order that takes three levels moves it once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.jit import inlined, kernel
from paceline.market.events import (
    ADD,
    BID,
    DELETE,
    EXECUTE,
    HIDDEN,
    KIND_NAMES,
    REDUCE,
    TRADE,
    Events,
)
from paceline.market.spread import is_absurd
from paceline.units import NS_PER_S

WINDOWS_S = (10, 60, 300)
"""Lengths of the windows, seconds; a cell lives as long as the longest."""

ADDED_BID, ADDED_ASK, CANCELLED_BID, CANCELLED_ASK, BOUGHT, SOLD, TRADES, MOVES, SQUARES = range(9)
"""What is counted: limit orders and cancels of a side, lots taken by buyers and by sellers, prints,
moves of the mid, and the sum of their squares in half ticks."""

COUNTED = 9
_NOW = WINDOWS_S[-1]
"""Row of what has been counted by now."""

_NOTHING = COUNTED
_COLUMN = np.full((max(KIND_NAMES) + 1, 2), _NOTHING, np.int64)
"""What a row of a kind counts as, on bids and else: kinds come in no order that a processor could
foresee."""
_COLUMN[ADD] = ADDED_BID, ADDED_ASK
_COLUMN[[REDUCE, DELETE]] = CANCELLED_BID, CANCELLED_ASK
_COLUMN[[EXECUTE, HIDDEN, TRADE]] = TRADES

PRINTS = 8
"""Prints that are remembered."""

UNKNOWN = -1
"""A price of a side that shows nothing."""

WATCH_RECORD = np.dtype(
    [
        ("second", np.int64),  # of the cell that is counted in, since the epoch
        ("began", np.int64),  # the first second that was listened to
        ("heard_ts", np.int64),  # of the last row
        ("bid", np.int64),  # ticks after it
        ("ask", np.int64),
        ("twice_mid", np.int64),  # when the instant before it was over; UNKNOWN without one
        ("n_prints", np.int64),
    ]
)
PRINT_RECORD = np.dtype(
    [
        ("ts", np.int64),
        ("ticks", np.int64),
        ("lots", np.int64),
        ("sign", np.int64),  # +1 a buyer took, -1 a seller, 0 not known
    ]
)


class Watch(NamedTuple):
    """What one market has been doing."""

    clock: NDArray[np.void]  # [1] of WATCH_RECORD
    cells: NDArray[np.int64]  # [seconds + 1, COUNTED + 1] what had been counted as each of the last
    # seconds ended, a ring; the last row is what has been counted by now
    sums: NDArray[np.int64]  # [windows, COUNTED] as of `look_back`
    prints: NDArray[np.void]  # [PRINTS] of PRINT_RECORD, a ring


def new_watch() -> Watch:
    """A watch that has heard nothing."""
    watch = Watch(
        clock=np.zeros(1, WATCH_RECORD),
        cells=np.zeros((WINDOWS_S[-1] + 1, COUNTED + 1), np.int64),
        sums=np.zeros((len(WINDOWS_S), COUNTED), np.int64),
        prints=np.zeros(PRINTS, PRINT_RECORD),
    )
    begin(watch, 0, UNKNOWN, UNKNOWN)
    return watch


@inlined
def watch_of(watches: Watch, i: int) -> Watch:
    """Watch `i` of many side by side."""
    return Watch(watches.clock[i], watches.cells[i], watches.sums[i], watches.prints[i])


@kernel
def begin(watch: Watch, ts: int, bid: int = UNKNOWN, ask: int = UNKNOWN) -> None:
    """Forget everything, and listen from `ts` on, when the best prices are these (ticks)."""
    clock = watch.clock[0]
    clock["second"] = clock["began"] = ts // NS_PER_S
    clock["heard_ts"] = ts
    clock["bid"], clock["ask"], clock["twice_mid"] = bid, ask, UNKNOWN
    clock["n_prints"] = 0
    watch.cells[:] = 0
    watch.sums[:] = 0


@inlined
def note(
    watch: Watch, ts: int, kind: int, side: int, ticks: int, lots: int, bid: int, ask: int
) -> None:
    """Hear of a row, and of the best prices after it (ticks, UNKNOWN where there is none)."""
    clock = watch.clock[0]
    if ts > clock["heard_ts"]:
        _settle(watch)
        _turn(watch, ts // NS_PER_S)
        clock["heard_ts"] = ts
    clock["bid"], clock["ask"] = bid, ask
    _count(watch, _COLUMN[kind, int(side != BID)], 1)
    if kind == EXECUTE or kind == HIDDEN or kind == TRADE:
        if side != 0:
            _count(watch, SOLD if side == BID else BOUGHT, lots)
        row = watch.prints[clock["n_prints"] % PRINTS]
        row["ts"], row["ticks"], row["lots"], row["sign"] = ts, ticks, lots, -side
        clock["n_prints"] += 1


@kernel
def look_back(watch: Watch, ts: int) -> None:
    """All rows up to and including `ts` have been heard: windows end there."""
    _settle(watch)
    _turn(watch, ts // NS_PER_S)
    second = watch.clock[0]["second"]
    for window in range(len(WINDOWS_S)):
        before = (second - WINDOWS_S[window]) % WINDOWS_S[-1]
        for what in range(COUNTED):
            watch.sums[window, what] = watch.cells[_NOW, what] - watch.cells[before, what]


@kernel
def note_rows(
    watch: Watch, events: Events, level_ticks: NDArray[np.int64], first: int, stop: int
) -> None:
    """Hear of rows `first:stop` of a tape."""
    n = len(level_ticks)
    for i in range(first, stop):
        level, bid, ask = events.level[i], events.bid[i], events.ask[i]
        note(
            watch,
            events.ts[i],
            events.kind[i],
            events.side[i],
            level_ticks[level] if level >= 0 else UNKNOWN,
            events.qty[i],
            level_ticks[bid] if bid >= 0 else UNKNOWN,
            level_ticks[ask] if ask < n else UNKNOWN,
        )


@kernel
def begin_at(
    watch: Watch, events: Events, level_ticks: NDArray[np.int64], row: int, ts: int
) -> None:
    """Listen from `ts` on to a tape of which `row` rows have happened by then."""
    bid, ask = UNKNOWN, UNKNOWN
    if row > 0 and events.bid[row - 1] >= 0:
        bid = level_ticks[events.bid[row - 1]]
    if row > 0 and events.ask[row - 1] < len(level_ticks):
        ask = level_ticks[events.ask[row - 1]]
    begin(watch, ts, bid, ask)


@inlined
def heard_s(watch: Watch, window: int) -> int:
    """Whole seconds of a window that were listened to."""
    clock = watch.clock[0]
    return min(clock["second"] - clock["began"] + 1, WINDOWS_S[window])


@inlined
def _count(watch: Watch, what: int, much: int) -> None:
    watch.cells[_NOW, what] += much


@inlined
def _settle(watch: Watch) -> None:
    """The instant of the last row is over: the mid has moved, or it has not."""
    clock = watch.clock[0]
    bid, ask = clock["bid"], clock["ask"]
    known = bid != UNKNOWN and ask != UNKNOWN and not is_absurd(bid, ask)
    now = bid + ask if known else UNKNOWN
    if now != UNKNOWN and clock["twice_mid"] != UNKNOWN and now != clock["twice_mid"]:
        _count(watch, MOVES, 1)
        _count(watch, SQUARES, (now - clock["twice_mid"]) ** 2)
    if now != UNKNOWN:
        clock["twice_mid"] = now


@inlined
def _turn(watch: Watch, second: int) -> None:
    """Seconds before `second` are over."""
    clock = watch.clock[0]
    clock["second"] = max(clock["second"], second - WINDOWS_S[-1])  # older ones say the same
    while clock["second"] < second:
        cell = watch.cells[clock["second"] % WINDOWS_S[-1]]
        for what in range(COUNTED):
            cell[what] = watch.cells[_NOW, what]
        clock["second"] += 1
