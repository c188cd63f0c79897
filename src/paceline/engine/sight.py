"""What we see of the market's book, our own orders and our footprint left out, under one name for
a recorded day and for a simulated market."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine import pit, replay
from paceline.engine.clockwork import Floor
from paceline.engine.footprint import available
from paceline.engine.others import own_lots
from paceline.jit import chosen, inlined, inner, kernel
from paceline.market.book import NOBODY, worse_level


class Ladder(NamedTuple):
    """The best levels of both sides, best first."""

    ticks: NDArray[np.int64]  # [2, k]
    sizes: NDArray[np.int64]  # [2, k] lots; 0: there is no such level


@inlined
def _look_at_tape(floor: replay.Floor, ladder: Ladder) -> bool:
    return True


@inlined
def _look_at_pit(floor: pit.Pit, ladder: Ladder) -> bool:
    if pit.goes_on(floor):
        return False  # what may be seen is older: nothing newer is shown
    if floor.account.clock[0]["n_live"] > 0:
        _count_ahead(floor)
    return True


_looks = chosen(_look_at_tape, pit.Pit, _look_at_pit, small=True)
"""Whether the book stands where it may be seen."""


@inlined
def _left_on_tape(floor: replay.Floor, where: tuple[int, int]) -> int:
    row, level = where
    seen = floor.account.clock[0]["last_seen"]
    return available(floor.book, floor.account, floor.rules, row, level, seen)


@inlined
def _left_in_pit(floor: pit.Pit, where: tuple[int, int]) -> int:
    row, level = where
    lots = floor.book.levels[row, level]["lots"]
    return lots - own_lots(floor, row, level) if lots > 0 else 0


_lots_at = chosen(_left_on_tape, pit.Pit, _left_in_pit, small=True)
"""Lots at a level, our own orders and our footprint left out: (row, level)."""


@inner
def see_levels(floor: Floor, ladder: Ladder) -> None:
    """Write the best levels that the book shows, as of the last look."""
    if not _looks(floor, ladder):
        return
    book = floor.book
    n, depth = len(book.level_ticks), ladder.ticks.shape[1]
    for row in range(2):
        level, k = book.best[row], 0
        while k < depth and 0 <= level < n:
            lots = _lots_at(floor, (row, level))
            if lots > 0:
                ladder.ticks[row, k], ladder.sizes[row, k] = book.level_ticks[level], lots
                k += 1
            level = worse_level(book, row, level)
        ladder.sizes[row, k:] = 0


@inlined
def _count_ahead(floor: pit.Pit) -> None:
    """Note with each order of ours that rests how many lots are in front of it."""
    for slot in range(len(floor.holds)):
        k = floor.holds[slot]
        if k != NOBODY:
            floor.account.orders[k]["ahead"] = _lots_before_slot(floor, slot)


@inlined
def _lots_before_slot(floor: pit.Pit, slot: int) -> int:
    ahead = 0
    before = floor.book.slots[slot]["prev"]
    while before != NOBODY:
        ahead += floor.book.slots[before]["lots"]
        before = floor.book.slots[before]["prev"]
    return ahead


@kernel
def lots_ahead(floor: pit.Pit, k: int) -> int:
    """Lots in front of our resting order `k` as the market stands; 0 if it does not rest."""
    slot = pit.slot_of(floor, k)
    return _lots_before_slot(floor, slot) if slot >= 0 else 0


@inlined
def lots_before(floor: Floor, k: int) -> float:
    """Lots in front of our resting order, as of the last look."""
    return float(floor.account.orders[k]["ahead"])
