"""What we see of the market's book, our own orders and our footprint left out, under one name for
a recorded day and for a simulated market."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine import pit, replay
from paceline.engine.footprint import available
from paceline.jit import chosen, inlined, inner
from paceline.market.book import row_of


class Ladder(NamedTuple):
    """The best levels of both sides, best first."""

    ticks: NDArray[np.int64]  # [2, k]
    sizes: NDArray[np.int64]  # [2, k] lots; 0: there is no such level


@inner
def _recorded(floor: replay.Floor, ladder: Ladder) -> None:
    book, seen = floor.book, floor.account.clock[0]["last_seen"]
    n, depth = len(book.level_ticks), ladder.ticks.shape[1]
    for row in range(2):
        level, k = book.best[row], 0
        while k < depth and 0 <= level < n:
            lots = available(book, floor.account, floor.rules, row, level, seen)
            if lots > 0:
                ladder.ticks[row, k], ladder.sizes[row, k] = book.level_ticks[level], lots
                k += 1
            level += 2 * row - 1
        ladder.sizes[row, k:] = 0


@inner
def _simulated(floor: pit.Pit, ladder: Ladder) -> None:
    book = floor.book
    n, depth = len(book.level_ticks), ladder.ticks.shape[1]
    for row in range(2):
        level, k = book.best[row], 0
        while k < depth and 0 <= level < n:
            lots = book.levels[row, level]["lots"]
            if lots > 0:
                lots -= _ours(floor, row, level)
            if lots > 0:
                ladder.ticks[row, k], ladder.sizes[row, k] = book.level_ticks[level], lots
                k += 1
            level += 2 * row - 1
        ladder.sizes[row, k:] = 0


@inlined
def _ours(floor: pit.Pit, row: int, level: int) -> int:
    """Lots of our own orders at a level."""
    account, lots = floor.account, 0
    for i in range(account.clock[0]["n_live"]):
        order = account.orders[account.live[i]]
        if row_of(order["side"]) == row and order["level"] == level:
            lots += order["left"]
    return lots


see_levels = chosen(_recorded, pit.Pit, _simulated)
"""Write the best levels that the book shows, as of the last look, into a `Ladder`."""


@inlined
def _modelled_ahead(floor: replay.Floor, k: int) -> float:
    return float(floor.account.orders[k]["ahead"])


@inlined
def _counted_ahead(floor: pit.Pit, k: int) -> float:
    return float(pit.lots_ahead(floor, k))


lots_before = chosen(_modelled_ahead, pit.Pit, _counted_ahead)
"""Lots in front of our resting order."""
