"""Our places in the queues: what the market's announcements tell about the lots ahead of us.

Trades move us on in matching.py. Here is everything else: cancels, levels shown anew, lots that
come into view or fall out of it, a book that starts again.
"""

from __future__ import annotations

from paceline.engine.account import Account
from paceline.engine.queue import after_level_drop, after_order_cancel
from paceline.engine.venue import Rules
from paceline.jit import inlined, inner
from paceline.market.book import NOBODY, Book, row_of


@inlined
def is_listed(book: Book, level: int, ticks: int) -> bool:
    """Whether the price table has `ticks`, given the first level at or above."""
    return level < len(book.level_ticks) and book.level_ticks[level] == ticks


@inlined
def cancelled(
    book: Book, account: Account, rules: Rules, side: int, ticks: int, qty: int, slot: int
) -> None:
    """A recorded cancel at our price may move us on."""
    for i in range(account.clock[0]["n_live"]):
        k = account.live[i]
        order = account.orders[k]
        if order["side"] == side and order["ticks"] == ticks:
            was_ahead = book.slots[slot]["seq"] < order["seq"]
            order["ahead"] = after_order_cancel(rules.fill_model, order["ahead"], qty, was_ahead)


@inlined
def shown_anew(
    account: Account, rules: Rules, side: int, ticks: int, shown: int, dropped: int
) -> None:
    """A level of ours is shown anew: what went without a print was cancelled."""
    for i in range(account.clock[0]["n_live"]):
        k = account.live[i]
        order = account.orders[k]
        if order["side"] == side and order["ticks"] == ticks:
            printed = order["printed"]
            order["printed"] = 0
            order["ahead"] = after_level_drop(
                rules.fill_model,
                rules.cancel_exponent,
                order["ahead"],
                shown - printed,  # as the prints left it
                dropped - printed,
            )


@inlined
def came_into_view(account: Account, side: int, ticks: int, qty: int, slot: int) -> None:
    """Lots came into view at our price that had been there before: they are ahead of us.

    An order is ahead with all the others; a level is seeded whole, so no more than it is ahead.
    """
    for i in range(account.clock[0]["n_live"]):
        k = account.live[i]
        order = account.orders[k]
        if order["side"] == side and order["ticks"] == ticks:
            if slot >= 0:
                order["ahead"] += qty
            else:
                order["ahead"] = max(order["ahead"], float(qty))


@inlined
def fell_out_of_view(
    book: Book, account: Account, side: int, ticks: int, qty: int, slot: int
) -> None:
    """Lots at our price fell out of view: no cancel, so in every fill model they come back ahead
    of us with a SEED row, and until then nothing can trade there unseen."""
    seq = book.slots[slot]["seq"]
    for i in range(account.clock[0]["n_live"]):
        k = account.live[i]
        order = account.orders[k]
        if order["side"] == side and order["ticks"] == ticks and seq < order["seq"]:
            order["ahead"] = max(order["ahead"] - qty, 0.0)


@inner
def book_starts_again(book: Book, account: Account) -> None:
    """The book is about to be cleared: the orders in it fall out of view, ours stay."""
    for i in range(account.clock[0]["n_live"]):
        order = account.orders[account.live[i]]
        level = order["level"]
        if is_listed(book, level, order["ticks"]):
            slot = book.levels[row_of(order["side"]), level]["head"]
            while slot != NOBODY:
                if book.slots[slot]["seq"] < order["seq"]:
                    order["ahead"] = max(order["ahead"] - book.slots[slot]["lots"], 0.0)
                slot = book.slots[slot]["next"]
