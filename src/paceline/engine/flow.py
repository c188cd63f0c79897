"""Order flow: who does what next in a simulated market.

Limit orders, market orders and cancels arrive on both sides, six streams in all; `arrivals` says
when. With nothing but base rates it is the Poisson market of Cont, Stoikov and Talreja, "A
stochastic model for order book dynamics" (2010), except that sizes vary and a market order walks
the book until it is filled.

`next_event` decides, the caller lets the book take it, `follow` takes note and draws when the next
one is due. One event is one row of a tape: a market order that meets three orders is three events
at the same instant.

A side that runs empty keeps its last best price as the reference from which the other side is
placed, so it refills.
"""

from __future__ import annotations

import numpy as np

from paceline.engine.arrivals import brought_by_one, cool, excite, gap_behind, wait
from paceline.engine.dice import below, exponential, pick, uniform
from paceline.engine.flow_state import (
    CHANGE,
    HALTS,
    JUMP,
    LONGEST_WAIT,
    NOTHING,
    FlowState,
    anchor,
    enter,
    free,
    is_ours,
    next_slot,
    orders_on,
)
from paceline.engine.jumps import go_on, jump
from paceline.engine.laws import LIMIT, MARKET, Laws, spread_bucket
from paceline.engine.moods import change
from paceline.engine.proportions import limit_lots, narrowed, sized, stretched
from paceline.jit import inlined
from paceline.market.book import Book, is_shown
from paceline.market.events import ADD, DELETE, EXECUTE, HALT, HIDDEN, NO_SLOT, REDUCE

_TRIES = 8
_MOST_PASSED = 1 << 14
"""Orders that a cancel passes over. Were they few, the side with more patient orders would lose
fewer, grow, and carry the price away."""


@inlined
def _place(laws: Laws, state: FlowState, book: Book, row: int) -> tuple[int, int, int, int, int]:
    """A limit order joins side `row`, at least one tick away from the other."""
    away = 2 * row - 1  # from the other side
    other = anchor(state, book, 1 - row)
    lots = _again(laws, state, row)
    if lots > 0:
        level = state.clock[0]["gone_level"][row]
        level = other + away * max(away * (level - other), 1)
        level = min(max(level, 0), len(book.level_ticks) - 1)
        return ADD, -away, level, lots, next_slot(state, row)
    if laws.rates[0]["from_own"] and is_shown(book, row):
        level = _from_own(laws, state, book, row, other)
    else:
        level = other + away * stretched(laws, state, pick(state.dice, laws.distance), 1)
    # At the end of the price table there is still room: the other side's best is never the last.
    level = min(max(level, 0), len(book.level_ticks) - 1)
    lots = limit_lots(laws, state)
    return ADD, -away, level, lots, next_slot(state, row)


@inlined
def _again(laws: Laws, state: FlowState, row: int) -> int:
    """Lots of the order that was cancelled just now, if it is it that comes; else 0."""
    clock, share = state.clock[0], laws.rates[0]["again_share"]
    lots = clock["gone_lots"][row]
    if share == 0.0 or lots == 0:
        return 0
    clock["gone_lots"][row] = 0
    soon = clock["speed"] * (clock["now"] - clock["gone_ts"][row]) <= laws.rates[0]["again_ns"]
    return lots if soon and uniform(state.dice) <= share else 0


@inlined
def _from_own(laws: Laws, state: FlowState, book: Book, row: int, other: int) -> int:
    """Level of an order that looks at its own side first: inside the spread, at the touch, or
    behind it."""
    best, away = book.best[row], 2 * row - 1
    spread = away * (best - other)
    narrow = narrowed(laws, state, spread)
    if spread > 1 and narrow > 1:
        share = (
            laws.improve[spread_bucket(narrow)] * laws.regimes[state.clock[0]["regime"]]["improve"]
        )
        if share > 0.0 and uniform(state.dice) <= share:
            ticks = _improvement(laws, state, spread)
            return _inside(laws, state, book, best, away, ticks, spread)
    behind = stretched(laws, state, pick(state.dice, laws.distance) - 1, 0)
    return _behind(laws, state, book, best, away, behind)


@inlined
def _improvement(laws: Laws, state: FlowState, spread: int) -> int:
    """Ticks by which an order improves its side; fewer than the spread."""
    parted = laws.parted[spread_bucket(narrowed(laws, state, spread))]
    if parted > 0.0 and spread > 2 and uniform(state.dice) <= parted:
        part = (pick(state.dice, laws.part) - uniform(state.dice)) / len(laws.part)
        return 2 + int(part * (spread - 2))
    for _ in range(_TRIES):
        ticks = stretched(laws, state, pick(state.dice, laws.inside), 1)
        if ticks < spread:
            return ticks
    return 1


@inlined
def _inside(
    laws: Laws, state: FlowState, book: Book, best: int, away: int, ticks: int, spread: int
) -> int:
    """Level `ticks` ahead of `best`, or the whole price that is nearest to it in the spread."""
    level, whole = best - away * ticks, laws.rates[0]["whole_ticks"]
    if whole > 1 and ticks > 1 and uniform(state.dice) <= laws.rates[0]["whole_inside"]:
        off = book.level_ticks[level] % whole
        nearest = level + (whole - off if 2 * off >= whole else -off)
        if 0 < away * (best - nearest) < spread:
            return nearest
    return level


@inlined
def _behind(laws: Laws, state: FlowState, book: Book, best: int, away: int, ticks: int) -> int:
    """Level `ticks` behind `best` or, on whole prices, behind the first of them."""
    whole = laws.rates[0]["whole_ticks"]
    if whole > 1 and uniform(state.dice) <= laws.rates[0]["whole_behind"]:
        best += away * (-away * book.level_ticks[best] % whole)
        ticks = (ticks + whole // 2) // whole * whole
    return best + away * ticks


@inlined
def _side_of_metaorder(laws: Laws, state: FlowState, row: int) -> int:
    """The side that a market order takes: that of a large order being worked, or its own."""
    share = laws.rates[0]["metaorder_share"]
    if state.clock[0]["brought"] and not laws.rates[0]["brought_pieces"]:
        return row
    if share == 0.0 or uniform(state.dice) > share:
        return row
    bids = laws.regimes[state.clock[0]["regime"]]["on_bids"]
    for _ in range(_TRIES):
        order = state.metaorders[below(state.dice, len(state.metaorders))]
        if order["left"] == 0:
            order["row"] = int(uniform(state.dice) > bids)
            order["left"] = pick(state.dice, laws.length)
            break
        # In a regime that leans to one side, large orders of the other are worked less often.
        likely = 1.0 - bids if order["row"] else bids
        if likely >= 0.5 or uniform(state.dice) <= likely / (1.0 - likely):
            break
    order["left"] -= 1
    return order["row"]


@inlined
def _walks(laws: Laws, state: FlowState) -> bool:
    """Whether a market order would take more than the touch shows."""
    share = laws.rates[0]["walk_share"]
    return share == 1.0 or uniform(state.dice) <= share


@inlined
def _take(laws: Laws, state: FlowState, book: Book, row: int) -> tuple[int, int, int, int, int]:
    """A market order arrives and takes from side `row`."""
    clock = state.clock[0]
    lots = sized(laws, state, pick(state.dice, laws.market_size))
    if is_shown(book, row) and not _walks(laws, state):
        lots = min(lots, book.levels[row, book.best[row]]["lots"])
    side = 1 - 2 * row
    inside = book.best[1] - book.best[0] - 1
    hidden_share = laws.rates[0]["hidden_share"]
    two_sided = is_shown(book, 0) and is_shown(book, 1)
    if two_sided and inside > 0 and hidden_share > 0 and uniform(state.dice) <= hidden_share:
        return HIDDEN, side, book.best[0] + 1 + below(state.dice, inside), lots, NO_SLOT
    clock["taking"] = lots
    clock["taking_row"] = row
    return _meet(state, book)


@inlined
def _meet(state: FlowState, book: Book) -> tuple[int, int, int, int, int]:
    """The market order at work meets the order that is first in the best queue."""
    clock = state.clock[0]
    row = clock["taking_row"]
    if not is_shown(book, row):
        clock["taking"] = 0  # the side is empty: what is left is cancelled
        return NOTHING, 0, 0, 0, NO_SLOT
    level = book.best[row]
    slot = book.levels[row, level]["head"]
    lots = min(clock["taking"], book.slots[slot]["lots"])
    clock["taking"] -= lots
    return EXECUTE, 1 - 2 * row, level, lots, slot


@inlined
def _cancel(laws: Laws, state: FlowState, book: Book, row: int) -> tuple[int, int, int, int, int]:
    """An order of side `row` is cancelled in full or by half. Where cancels are picky, orders far
    from the touch are often passed over; a cancel that was brought about then takes another. As
    many of those come for few orders as for many, so the last order of a side is none of theirs."""
    clock, rates = state.clock[0], laws.rates[0]
    n = orders_on(state, row)
    if n == 0 or (clock["brought"] and n == 1):
        return NOTHING, 0, 0, 0, NO_SLOT
    tries = _MOST_PASSED if clock["brought"] else 1
    slot = NO_SLOT
    while slot < 0 and tries > 0:
        tries -= 1
        at = below(state.dice, n)
        slot = state.slots[len(state.slots) - 1 - at if row else at]
        if rates["picky"]:
            behind = (2 * row - 1) * (book.slots[slot]["level"] - book.best[row])
            if behind > 0:
                behind = narrowed(laws, state, behind)
            patience = laws.patience[min(max(behind, 0), len(laws.patience) - 1)]
            if rates["backed"] and behind == 0:
                patience *= laws.lonely[gap_behind(laws, state, book, row)]
            if uniform(state.dice) > patience:
                slot = NO_SLOT
    if slot < 0:
        return NOTHING, 0, 0, 0, NO_SLOT
    order = book.slots[slot]
    lots = order["lots"]
    half = lots // (2 * rates["round_lot"]) * rates["round_lot"]
    if half > 0 and rates["reduce_share"] > 0 and uniform(state.dice) <= rates["reduce_share"]:
        return REDUCE, 1 - 2 * row, order["level"], half, slot
    clock["gone_level"][row], clock["gone_lots"][row] = order["level"], lots
    clock["gone_ts"][row] = clock["now"]
    return DELETE, 1 - 2 * row, order["level"], lots, slot


@inlined
def next_event(laws: Laws, state: FlowState, book: Book) -> tuple[int, int, int, int, int]:
    """What happens at `due`: (kind, side, level, lots, slot), as columns of a tape.

    Needs a free slot; `kind` NOTHING is no row.
    """
    clock = state.clock[0]
    if clock["taking"] > 0:
        return _meet(state, book)
    if clock["jump"] > 0:
        return go_on(laws, state, book)
    cool(laws, state, clock["due"])
    stream = clock["stream"]
    if stream == CHANGE:
        return change(laws, state, book), 0, -1, 0, NO_SLOT
    if stream == JUMP:
        return jump(laws, state, book)
    if stream == HALTS:
        clock["halted"] = 1
        ns = exponential(state.dice) * laws.rates[0]["halt_ns"]
        clock["halt_ends"] = clock["now"] + np.int64(min(ns, LONGEST_WAIT))
        return HALT, 0, -1, 0, NO_SLOT
    row = stream & 1
    if stream >> 1 == LIMIT:
        event = _place(laws, state, book, row)
    elif stream >> 1 == MARKET:
        row = _side_of_metaorder(laws, state, row)
        event = _take(laws, state, book, row)
    else:
        event = _cancel(laws, state, book, row)
    if event[0] != NOTHING:
        stream = (stream & 6) | row
        excite(laws, state, stream, brought_by_one(laws, state, stream))
    return event


# --- what follows -----------------------------------------------------------------------------


@inlined
def follow(laws: Laws, state: FlowState, book: Book, kind: int, level: int, slot: int) -> None:
    """Take note of what the book has just taken, and draw when the next event is due."""
    clock = state.clock[0]
    if kind == ADD:
        enter(state, book.slots[slot]["row"])
    elif slot >= 0 and book.slots[slot]["lots"] == 0:
        row = book.slots[slot]["row"]
        if not is_ours(state, slot):
            free(state, slot, row)
        if not is_shown(book, row):
            state.reference[row] = level
    if clock["taking"] == 0 and clock["jump"] == 0:
        wait(laws, state, book)


@inlined
def standing_orders(laws: Laws, state: FlowState, row: int, distance: int, touch: bool) -> int:
    """How many orders stand at `distance` when the session opens; at the touch at least one."""
    mean = 0.0
    if distance <= laws.standing.shape[1]:
        rate = laws.regimes[state.clock[0]["regime"]]["rate"]
        times = rate[row] / max(rate[4 + row], 1e-9)
        mean = laws.standing[row, distance - 1] * times
    return max(int(mean + uniform(state.dice)), int(touch))
