"""What we see of the market's book, our own orders and our footprint left out, under one name for
a recorded day and for a simulated market."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine import pit, replay
from paceline.engine.clockwork import Floor
from paceline.engine.footprint import available
from paceline.jit import chosen, inlined, inner, kernel
from paceline.market.book import NOBODY, row_of
from paceline.market.watch import UNKNOWN


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
    if pit.goes_on(floor):
        return  # what may be seen is older: nothing newer is shown
    book = floor.book
    if floor.account.clock[0]["n_live"] > 0:
        _count_ahead(floor)
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
def _count_ahead(floor: pit.Pit) -> None:
    """Note with each order of ours that rests how many lots are in front of it."""
    for slot in range(len(floor.holds)):
        k = floor.holds[slot]
        if k != NOBODY:
            floor.account.orders[k]["ahead"] = _lots_before_slot(floor, slot)


@inlined
def _ours(floor: pit.Pit, row: int, level: int) -> int:
    """Lots of our own orders at a level."""
    account, lots = floor.account, 0
    for i in range(account.clock[0]["n_live"]):
        order = account.orders[account.live[i]]
        if row_of(order["side"]) == row and order["level"] == level:
            lots += order["left"]
    return lots


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
def twice_mid(floor: pit.Pit) -> int:
    """Sum of the best prices as the market stands, our own orders left out; UNKNOWN if a side has
    none."""
    bid, ask = pit.ticks_of(floor, 0), pit.ticks_of(floor, 1)
    return bid + ask if bid != UNKNOWN and ask != UNKNOWN else UNKNOWN


see_levels = chosen(_recorded, pit.Pit, _simulated)
"""Write the best levels that the book shows, as of the last look, into a `Ladder`."""


@inlined
def lots_before(floor: Floor, k: int) -> float:
    """Lots in front of our resting order, as of the last look."""
    return float(floor.account.orders[k]["ahead"])
