"""Jumps of a simulated price: news, drifts and gaps, order by order.

News makes one side flee, and the other follows into the gap. Where a regime wants the price to be
somewhere (a drift, a gap), it is pulled there: orders near both touches are carried along, each
there again before it has gone. All rows of a jump happen at one instant.
"""

from __future__ import annotations

from paceline.engine.dice import below, pick, uniform
from paceline.engine.flow_state import (
    DRAWN,
    FOLLOWED,
    JUMP,
    NOTHING,
    PULLED,
    SURPRISED,
    FlowState,
    anchor,
    is_ours,
    next_slot,
    orders_on,
    owes,
)
from paceline.engine.laws import Laws
from paceline.engine.moods import line_now, middle
from paceline.engine.proportions import limit_lots, stretched
from paceline.jit import inlined, inner
from paceline.market.book import Book, is_shown
from paceline.market.events import ADD, DELETE, EXECUTE, NO_SLOT


@inlined
def go_on(laws: Laws, state: FlowState, book: Book) -> tuple[int, int, int, int, int]:
    """The next row of the jump at work."""
    pulled = state.clock[0]["jump"] == PULLED or state.clock[0]["jump"] == DRAWN
    return _carry(laws, state, book) if pulled else _flee(laws, state, book)


@inlined
def _surprise(laws: Laws, state: FlowState) -> tuple[int, int]:
    """Which side flees from news, and how far."""
    row = below(state.dice, 2)
    return row, stretched(laws, state, pick(state.dice, laws.reprice), 1)


@inner
def _lag(laws: Laws, state: FlowState, book: Book) -> tuple[int, int]:
    """The same if the price is pulled: by how many ticks it is behind its line, or has run ahead of
    it by more than the spread."""
    clock = state.clock[0]
    owing = owes(state, book)
    drift = laws.regimes[clock["regime"]]["drift"]
    behind = line_now(laws, state) - middle(state, book)
    spread = anchor(state, book, 1) - anchor(state, book, 0)
    late = owing or drift * behind > 0.0 or abs(behind) > spread
    ticks = behind if late else 0.0
    if owing:
        clock["owed"] = clock["owed"] - 1 if abs(ticks) >= 1.0 else 0
    return int(ticks > 0.0), int(abs(ticks))


@inlined
def jump(laws: Laws, state: FlowState, book: Book) -> tuple[int, int, int, int, int]:
    """The price is worth more or less at once: one side flees, then the other follows."""
    clock = state.clock[0]
    pulls = laws.regimes[clock["regime"]]["pulls"] / clock["speed"]
    pulled = owes(state, book)
    if not pulled and pulls > 0.0:
        pulled = uniform(state.dice) * state.base[JUMP] <= pulls
    row, ticks = _lag(laws, state, book) if pulled else _surprise(laws, state)
    if ticks == 0 or not is_shown(book, row):
        return NOTHING, 0, 0, 0, NO_SLOT
    best = book.best[row]
    to = min(max(best + (2 * row - 1) * ticks, 0), len(book.level_ticks) - 1)
    if to == best:  # the end of the price table
        return NOTHING, 0, 0, 0, NO_SLOT
    clock["fleeing_row"], clock["fleeing_to"] = row, to
    clock["by"], clock["fled"], clock["carried"] = to - best, 0, NO_SLOT
    clock["jump"] = PULLED if pulled else SURPRISED
    return _carry(laws, state, book) if pulled else _flee(laws, state, book)


@inner
def _flee(laws: Laws, state: FlowState, book: Book) -> tuple[int, int, int, int, int]:
    """The next row of a surprise: an order of the fleeing side goes, until those left stand far
    enough; then as many come on the other side, into the gap."""
    clock = state.clock[0]
    row = clock["fleeing_row"]
    away = 2 * row - 1
    if clock["jump"] == SURPRISED:
        best = book.best[row]
        short = is_shown(book, row) and away * (clock["fleeing_to"] - best) > 0
        if short and orders_on(state, row) > 1:
            slot = book.levels[row, best]["head"]
            lots = book.slots[slot]["lots"]
            if is_ours(state, slot):  # it does not flee: somebody takes it
                return EXECUTE, -away, best, lots, slot
            clock["fled"] += 1
            return DELETE, -away, best, lots, slot
        clock["jump"] = FOLLOWED
    if clock["fled"] <= 0 or not is_shown(book, row) or not is_shown(book, 1 - row):
        return _landed(state)
    clock["fled"] -= 1
    gap = away * (book.best[row] - book.best[1 - row])
    level = book.best[row] - away * (1 + below(state.dice, max(gap - 1, 1)))
    lots = limit_lots(laws, state)
    return ADD, away, min(max(level, 0), len(book.level_ticks) - 1), lots, next_slot(state, 1 - row)


@inner
def _carry(laws: Laws, state: FlowState, book: Book) -> tuple[int, int, int, int, int]:
    """The next row of a pull: orders of the side that is in the way, and then those of the other
    side that stood as near to the touch, move as far as the price is pulled. Each is there again
    before it has gone, so no side is ever empty."""
    clock = state.clock[0]
    by = clock["by"]
    if clock["carried"] != NO_SLOT:
        order, slot = book.slots[clock["carried"]], clock["carried"]
        clock["carried"] = NO_SLOT
        return DELETE, 1 - 2 * order["row"], order["level"], order["lots"], slot
    row = clock["fleeing_row"]
    if clock["jump"] == PULLED:
        best = book.best[row]
        if is_shown(book, row) and by * (clock["fleeing_to"] - best) > 0:
            slot = book.levels[row, best]["head"]
            if is_ours(state, slot):  # it does not flee: somebody takes it
                return EXECUTE, 1 - 2 * row, best, book.slots[slot]["lots"], slot
            return _carried(state, book, slot)
        clock["jump"], clock["following"] = DRAWN, book.best[1 - row]
        clock["fled"] = abs(by)  # levels to go
    while clock["fled"] >= 0 and 0 <= clock["following"] < len(book.level_ticks):
        slot = book.levels[1 - row, clock["following"]]["head"]
        while slot != NO_SLOT and is_ours(state, slot):
            slot = book.slots[slot]["next"]
        if slot != NO_SLOT:
            return _carried(state, book, slot)
        clock["fled"] -= 1
        clock["following"] += 1 - 2 * row
    return _landed(state)


@inlined
def _carried(state: FlowState, book: Book, slot: int) -> tuple[int, int, int, int, int]:
    """The order in `slot` comes where a pull takes it; it has still to leave."""
    order = book.slots[slot]
    state.clock[0]["carried"] = slot
    level = min(max(order["level"] + state.clock[0]["by"], 0), len(book.level_ticks) - 1)
    return ADD, 1 - 2 * order["row"], level, order["lots"], next_slot(state, order["row"])


@inlined
def _landed(state: FlowState) -> tuple[int, int, int, int, int]:
    """A jump is over. Nobody looks back at the price before the news."""
    clock = state.clock[0]
    clock["jump"] = 0
    clock["was"][0] = clock["was"][1] = -1
    return NOTHING, 0, 0, 0, NO_SLOT
