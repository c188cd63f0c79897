"""Successive pictures of the best levels to level changes (books without orders)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.ingest.resolve import Emitted, as_rows, emitted, put, widened
from paceline.jit import inlined, inner, kernel
from paceline.market.events import CLEAR, LEVEL, NO_SLOT, SEED, TRADE, Rows


class Pictures(NamedTuple):
    """What a feed shows after each message. `n` messages, `k` levels a side."""

    kind: NDArray[np.uint8]  # [n] TRADE or CLEAR if the message is one, else 0
    side: NDArray[np.int8]  # [n] of the resting order of a trade
    ticks: NDArray[np.int64]  # [n] price of the trade
    lots: NDArray[np.int64]  # [n] size of the trade
    shown_ticks: NDArray[np.int64]  # [n, 2, k] bids then asks, best first
    shown_lots: NDArray[np.int64]  # [n, 2, k] 0: no such level


def level_rows(
    pictures: Pictures, ts: NDArray[np.int64], usable: NDArray[np.bool_]
) -> tuple[Rows, NDArray[np.int64]]:
    """Rows of a tape, and the picture each came from; pictures that are not `usable` do nothing.

    A level that comes into view from beyond the worst one is a SEED row. One that leaves over that
    edge shows 0 lots from then on: nobody will announce what becomes of it.
    """
    k = pictures.shown_ticks.shape[2]
    held_ticks, held_lots = np.zeros((2, k), np.int64), np.zeros((2, k), np.int64)
    out = emitted(2 * len(ts) + 4 * k + 1)
    at = 0
    while at < len(ts):
        at = _follow(pictures, usable, held_ticks, held_lots, out, at)
        if at < len(ts):
            out = widened(out)
    return as_rows(out, ts)


@kernel
def _follow(
    pictures: Pictures,
    usable: NDArray[np.bool_],
    held_ticks: NDArray[np.int64],
    held_lots: NDArray[np.int64],
    out: Emitted,
    start: int,
) -> int:
    """Follow pictures from `start` on; stops early, at the returned one, to be given more room."""
    k = pictures.shown_ticks.shape[2]
    for i in range(start, len(usable)):
        if out.rows[0] + 4 * k + 1 > len(out.kind):
            return i
        if not usable[i]:
            continue
        if pictures.kind[i] == TRADE:
            put(out, i, TRADE, pictures.side[i], pictures.ticks[i], pictures.lots[i], NO_SLOT)
        elif pictures.kind[i] == CLEAR:
            put(out, i, CLEAR, 0, 0, 0, NO_SLOT)
            held_lots[:, :] = 0
        ticks, lots = pictures.shown_ticks[i], pictures.shown_lots[i]
        for row in range(2):  # what leaves goes first, so that the book never crosses on the way
            for j in range(k):
                if held_lots[row, j] > 0 and _lots_of(ticks, lots, row, held_ticks[row, j]) == 0:
                    put(out, i, LEVEL, 1 - 2 * row, held_ticks[row, j], 0, NO_SLOT)
        for row in range(2):
            _show(ticks, lots, held_ticks, held_lots, out, i, row)
            for j in range(k):
                held_ticks[row, j] = ticks[row, j]
                held_lots[row, j] = lots[row, j]
    return len(usable)


@inlined
def _lots_of(ticks: NDArray[np.int64], lots: NDArray[np.int64], row: int, price: int) -> int:
    """Lots shown at a price, 0 if it is not shown."""
    for j in range(ticks.shape[1]):
        if lots[row, j] > 0 and ticks[row, j] == price:
            found: int = lots[row, j]
            return found
    return 0


@inner
def _show(
    ticks: NDArray[np.int64],
    lots: NDArray[np.int64],
    held_ticks: NDArray[np.int64],
    held_lots: NDArray[np.int64],
    out: Emitted,
    i: int,
    row: int,
) -> None:
    """Rows for the levels of one side that are new or have another size."""
    side = 1 - 2 * row
    last = ticks.shape[1] - 1
    full = held_lots[row, last] > 0
    for j in range(last + 1):
        had = _lots_of(held_ticks, held_lots, row, ticks[row, j])
        if lots[row, j] == 0 or lots[row, j] == had:
            continue
        beyond = full and side * ticks[row, j] < side * held_ticks[row, last]
        kind = SEED if had == 0 and beyond else LEVEL
        put(out, i, kind, side, ticks[row, j], lots[row, j], NO_SLOT)
