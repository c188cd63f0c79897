"""What others show in a simulated market: best levels, prices and mid, our own orders left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paceline.jit import inlined
from paceline.market.book import row_of, worse_level
from paceline.market.spread import is_absurd
from paceline.market.watch import UNKNOWN

if TYPE_CHECKING:  # the pit reads these
    from paceline.engine.pit import Pit


@inlined
def own_lots(pit: Pit, row: int, level: int) -> int:
    """Lots of our own orders at a level."""
    account, lots = pit.account, 0
    for i in range(account.clock[0]["n_live"]):
        order = account.orders[account.live[i]]
        if row_of(order["side"]) == row and order["level"] == level:
            lots += order["left"]
    return lots


@inlined
def best_level(pit: Pit, row: int) -> int:
    """Best level of a side with orders that are not ours; -1 or n_levels if there is none."""
    book = pit.book
    level, n = book.best[row], len(book.level_ticks)
    while 0 <= level < n:
        if book.levels[row, level]["lots"] > own_lots(pit, row, level):
            break
        level = worse_level(book, row, level)
    return int(level)


@inlined
def ticks_of(pit: Pit, row: int) -> int:
    """Best price of a side, our own orders left out."""
    level = best_level(pit, row)
    return pit.book.level_ticks[level] if 0 <= level < len(pit.book.level_ticks) else UNKNOWN


@inlined
def twice_mid(pit: Pit) -> int:
    """Sum of the best prices as the market stands, our own orders left out; UNKNOWN if a side has
    none, or the spread is absurd (`market.spread`)."""
    bid, ask = ticks_of(pit, 0), ticks_of(pit, 1)
    if bid == UNKNOWN or ask == UNKNOWN or is_absurd(bid, ask):
        return UNKNOWN
    return bid + ask
