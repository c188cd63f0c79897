"""Order flow: who does what next in a simulated market.

Limit orders, market orders and cancels arrive as independent Poisson streams (Cont, Stoikov and
Talreja, "A stochastic model for order book dynamics", 2010, section 2): limit orders at distance
i = 1, 2, ... ticks from the *other* side's best price, so that no limit order ever crosses it;
every resting order is cancelled at the same rate, so that a queue is cancelled in proportion to the
orders in it. Unlike there, sizes vary, and a market order walks the book until it is filled.

`next_event` decides, the caller lets the book `apply` it, `follow` takes note and draws when the
next one is due. One event is one row of a tape: a market order that meets three orders is three
events at the same instant.

A side that runs empty keeps its last best price as the reference from which the other side is
placed, so it refills.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine.dice import below, exponential, pick, uniform
from paceline.engine.market_settings import Laws
from paceline.jit import inlined
from paceline.market.book import Book
from paceline.market.events import ADD, DELETE, EXECUTE, HIDDEN, NO_SLOT, REDUCE

NOTHING = 0
"""Kind of an arrival that changes nothing: a market order that finds nobody."""

FLOW_RECORD = np.dtype(
    [
        ("due", np.int64),  # ns since the epoch: when the next event happens
        ("n_events", np.int64),  # rows made so far
        ("n_live", np.int64),  # orders in the book
        ("taking", np.int64),  # lots that the market order at work still wants
        ("taking_row", np.int64),  # which side of the book it takes: 0 bids, 1 asks
    ]
)

_LONGEST_WAIT = 1e18
"""ns; 30 years, so that adding it to a time does not overflow."""


class FlowState(NamedTuple):
    """Where the flow stands. With the book it is all there is to save and restore."""

    clock: NDArray[np.void]  # [1] of FLOW_RECORD
    dice: NDArray[np.void]  # [1] of DICE_RECORD
    reference: NDArray[np.int64]  # [2] last best level of each side when it ran empty
    slots: NDArray[np.int32]  # [m] all slots; the first `n_live` are in the book, the rest are free
    place: NDArray[np.int64]  # [m] where in `slots` each slot stands


def new_flow(dice: NDArray[np.void], start_ns: int, n_slots: int) -> FlowState:
    """A flow over an empty book with `n_slots` slots, about to start at `start_ns`."""
    clock = np.zeros(1, FLOW_RECORD)
    clock["due"] = start_ns
    return FlowState(
        clock=clock,
        dice=dice.copy(),
        reference=np.zeros(2, np.int64),
        slots=np.arange(n_slots, dtype=np.int32),
        place=np.arange(n_slots, dtype=np.int64),
    )


@inlined
def _anchor(state: FlowState, book: Book, row: int) -> int:
    """Best level of a side, or where it last was."""
    best = book.best[row]
    if 0 <= best < len(book.level_ticks):
        return best
    return state.reference[row]


@inlined
def _place(laws: Laws, state: FlowState, book: Book, row: int) -> tuple[int, int, int, int, int]:
    """A limit order joins its side, at least one tick away from the other."""
    step = 2 * row - 1
    level = _anchor(state, book, 1 - row) + step * pick(state.dice, laws.distance)
    # At the end of the price table there is still room: the other side's best is never the last.
    level = min(max(level, 0), len(book.level_ticks) - 1)
    lots = pick(state.dice, laws.limit_size)
    return ADD, -step, level, lots, state.slots[state.clock[0]["n_live"]]


@inlined
def _take(laws: Laws, state: FlowState, book: Book, row: int) -> tuple[int, int, int, int, int]:
    """A market order arrives and takes from side `row`."""
    clock = state.clock[0]
    lots = pick(state.dice, laws.market_size)
    side = 1 - 2 * row
    bid, ask = book.best[0], book.best[1]
    inside = ask - bid - 1
    two_sided = bid >= 0 and ask < len(book.level_ticks)
    hidden_share = laws.rates[0]["hidden_share"]
    if two_sided and inside > 0 and hidden_share > 0 and uniform(state.dice) <= hidden_share:
        return HIDDEN, side, bid + 1 + below(state.dice, inside), lots, NO_SLOT
    clock["taking"] = lots
    clock["taking_row"] = row
    return _meet(state, book)


@inlined
def _meet(state: FlowState, book: Book) -> tuple[int, int, int, int, int]:
    """The market order at work meets the order that is first in the best queue."""
    clock = state.clock[0]
    row = clock["taking_row"]
    level = book.best[row]
    if not 0 <= level < len(book.level_ticks):
        clock["taking"] = 0  # the side is empty: what is left is cancelled
        return NOTHING, 0, 0, 0, NO_SLOT
    slot = book.levels[row, level]["head"]
    lots = min(clock["taking"], book.slots[slot]["lots"])
    clock["taking"] -= lots
    return EXECUTE, 1 - 2 * row, level, lots, slot


@inlined
def _cancel(laws: Laws, state: FlowState, book: Book) -> tuple[int, int, int, int, int]:
    """An order, each as likely as any other, is cancelled in full or by half."""
    rates = laws.rates[0]
    slot = state.slots[below(state.dice, state.clock[0]["n_live"])]
    order = book.slots[slot]
    lots = order["lots"]
    half = lots // (2 * rates["round_lot"]) * rates["round_lot"]
    side = 1 - 2 * order["row"]
    if half > 0 and rates["reduce_share"] > 0 and uniform(state.dice) <= rates["reduce_share"]:
        return REDUCE, side, order["level"], half, slot
    return DELETE, side, order["level"], lots, slot


@inlined
def total_rate(laws: Laws, state: FlowState) -> float:
    """Arrivals of all streams together, per ns."""
    rates = laws.rates[0]
    return (
        rates["limit_bid"]
        + rates["limit_ask"]
        + rates["market_buy"]
        + rates["market_sell"]
        + rates["cancel"] * state.clock[0]["n_live"]
    )


@inlined
def next_event(laws: Laws, state: FlowState, book: Book) -> tuple[int, int, int, int, int]:
    """What happens at `due`: (kind, side, level, lots, slot), as columns of a tape.

    The stream is chosen in proportion to its rate (Gillespie's direct method, 1977).
    Needs a free slot; `kind` NOTHING is no row.
    """
    if state.clock[0]["taking"] > 0:
        return _meet(state, book)
    rates = laws.rates[0]
    limits = rates["limit_bid"] + rates["limit_ask"]
    markets = limits + rates["market_buy"] + rates["market_sell"]
    at = uniform(state.dice) * total_rate(laws, state)
    if at <= limits:
        return _place(laws, state, book, int(at > rates["limit_bid"]))
    if at <= markets:
        return _take(laws, state, book, int(at <= limits + rates["market_buy"]))
    return _cancel(laws, state, book)


@inlined
def follow(laws: Laws, state: FlowState, book: Book, kind: int, level: int, slot: int) -> None:
    """Take note of what the book has just applied, and draw when the next event is due."""
    clock = state.clock[0]
    if kind == ADD:
        clock["n_live"] += 1
    elif slot >= 0 and book.slots[slot]["lots"] == 0:
        _free(state, slot)
        row = book.slots[slot]["row"]
        if not 0 <= book.best[row] < len(book.level_ticks):
            state.reference[row] = level
    if clock["taking"] == 0:
        wait(laws, state)


@inlined
def wait(laws: Laws, state: FlowState) -> None:
    """Draw when the next event is due."""
    ns = exponential(state.dice) / total_rate(laws, state)
    state.clock[0]["due"] += np.int64(min(ns, _LONGEST_WAIT))


@inlined
def _free(state: FlowState, slot: int) -> None:
    """`slot` is empty: it changes places with the last order in the book."""
    clock = state.clock[0]
    last = clock["n_live"] - 1
    hole = state.place[slot]
    moved = state.slots[last]
    state.slots[hole] = moved
    state.place[moved] = hole
    state.slots[last] = slot
    state.place[slot] = last
    clock["n_live"] = last


@inlined
def standing_orders(laws: Laws, state: FlowState, row: int, distance: int, touch: bool) -> int:
    """How many orders stand at `distance` when the session opens; at the touch at least one."""
    mean = 0.0
    if distance <= laws.standing.shape[1]:
        mean = laws.standing[row, distance - 1]
    return max(int(mean + uniform(state.dice)), int(touch))
