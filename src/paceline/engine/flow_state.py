"""Where a simulated flow stands: its clock, who is in its book, and the heat that is left."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine.laws import STREAMS, Laws
from paceline.jit import inlined
from paceline.market.book import Book, is_shown

NOTHING = 0
"""Kind of an arrival that changes nothing: a market order that finds nobody."""

FLOW_RECORD = np.dtype(
    [
        ("due", np.int64),  # ns since the epoch: when the next event happens
        ("now", np.int64),  # heat is of this time
        ("then", np.int64),  # when the last event happened, and `due` was drawn
        ("stream", np.int64),  # of the next arrival; see CHANGE
        ("brought", np.int64),  # 1: an earlier arrival brought it about
        ("n_events", np.int64),  # rows made so far
        ("n_bids", np.int64),  # orders in the book, ours not counted
        ("n_asks", np.int64),
        ("taking", np.int64),  # lots that the market order at work still wants
        ("taking_row", np.int64),  # which side of the book it takes
        ("fleeing_row", np.int64),  # side that a jump at work empties
        ("fleeing_to", np.int64),  # up to this level
        ("fled", np.int64),  # orders that nobody has followed yet; of a pull, levels to go
        ("by", np.int64),  # levels that a jump goes
        ("carried", np.int64),  # slot of the order that a pull has moved and that has still to go
        ("following", np.int64),  # level of the other side that a pull has come to
        ("jump", np.int64),  # what there is of one, see SURPRISED
        ("regime", np.int64),
        ("step", np.int64),  # of the sequence of regimes
        ("line", np.float64),  # level from which a drift goes out
        ("line_ts", np.int64),  # when it went out
        ("owed", np.int64),  # times that a gap may still be tried; 0: none is owed
        ("halted", np.int64),  # 1: nothing happens until `halt_ends`
        ("bin", np.int64),  # of the day
        ("bin_ends", np.int64),  # ns
        ("regime_ends", np.int64),
        ("halt_ends", np.int64),
        ("tempo", np.float64),  # logarithm of the speed without the regime, in standard deviations
        ("tempo_ends", np.int64),
        ("speed", np.float64),  # of the clock by which all rates are told
        ("gone_level", np.int64, 2),  # of the order of each side that was cancelled last
        ("gone_lots", np.int64, 2),  # 0: another came on its side since
        ("gone_ts", np.int64, 2),
        ("was", np.int64, 2),  # best level of each side since `looked`; -1: none yet
        ("usual", np.float64, (2, 2)),  # where it has been, soon and late, levels
        ("looked", np.int64),
        ("plain", np.int64),  # 1: neither regime nor book make anything of heat
        ("steady", np.float64),  # sum of the base rates that do not depend on the book, per ns
    ]
)
METAORDER_RECORD = np.dtype([("row", np.int64), ("left", np.int64)])

JUMP = STREAMS
HALTS = STREAMS + 1
CHANGE = STREAMS + 2
"""Who is next, besides the streams: a jump, a halt, or nobody, because the hour, the regime, the
speed or a halt changes."""

SURPRISED, FOLLOWED, PULLED, DRAWN = 1, 2, 3, 4
"""Of a jump: orders flee from news, the other side follows; or a drift or gap pulls the orders that
are in its way, and draws the other side along."""

LONGEST_WAIT = 1e18
"""ns; 30 years, so that adding it to a time does not overflow."""

NEVER: int = np.iinfo(np.int64).max


class FlowState(NamedTuple):
    """Where the flow stands. With the book it is all there is to save and restore."""

    clock: NDArray[np.void]  # [1] of FLOW_RECORD
    dice: NDArray[np.void]  # [1] of DICE_RECORD
    reference: NDArray[np.int64]  # [2] last best level of each side when it ran empty
    slots: NDArray[np.int32]  # [m] slots: bids from the front, asks from the back, free between
    place: NDArray[np.int64]  # [k + m] where in `slots` each slot stands; the first k are ours
    base: NDArray[np.float64]  # [STREAMS + 2] rates of streams, jumps and halts, per ns (and order)
    reaction: NDArray[np.float64]  # [3, 2] what the queues at the touch make of them, by side
    felt: NDArray[np.float64]  # [STREAMS] what regime and book make of heat
    heat: NDArray[np.float64]  # [m, STREAMS] what arrivals added to them, over `scale`
    warmth: NDArray[np.float64]  # [m] sum of heat over the streams
    scale: NDArray[np.float64]  # [m] to which all heat of a time scale has decayed
    scale_then: NDArray[np.float64]  # [m] what it was when the last event had happened
    metaorders: NDArray[np.void]  # [n] of METAORDER_RECORD that are at work


def new_flow(
    dice: NDArray[np.void],
    start_ns: int,
    n_slots: int,
    laws: Laws,
    n_metaorders: int,
    n_own: int = 0,
) -> FlowState:
    """A flow over an empty book with `n_slots` slots behind `n_own` that are none of its own, about
    to start at `start_ns`."""
    clock = np.zeros(1, FLOW_RECORD)
    clock["due"] = clock["now"] = start_ns
    clock["stream"] = CHANGE
    clock["bin"] = -1
    clock["bin_ends"] = start_ns
    clock["regime_ends"] = clock["halt_ends"] = clock["tempo_ends"] = NEVER
    clock["speed"] = 1.0
    clock["was"] = -1
    return FlowState(
        clock=clock,
        dice=dice.copy(),
        reference=np.zeros(2, np.int64),
        slots=np.arange(n_own, n_own + n_slots, dtype=np.int32),
        place=np.arange(-n_own, n_slots, dtype=np.int64),
        base=np.zeros(STREAMS + 2),
        reaction=np.ones((3, 2)),
        felt=np.ones(STREAMS),
        heat=np.zeros((len(laws.decay), STREAMS)),
        warmth=np.zeros(len(laws.decay)),
        scale=np.ones(len(laws.decay)),
        scale_then=np.ones(len(laws.decay)),
        metaorders=np.zeros(n_metaorders, METAORDER_RECORD),
    )


def with_more_slots(flow: FlowState) -> FlowState:
    """The same flow with twice the room for orders."""
    old, all_slots, n_bids = len(flow.slots), len(flow.place), int(flow.clock[0]["n_bids"])
    more = np.arange(all_slots, all_slots + old, dtype=np.int32)
    slots = np.concatenate([flow.slots[:n_bids], more, flow.slots[n_bids:]])
    place = np.append(flow.place, np.empty(old, np.int64))
    place[slots] = np.arange(2 * old)
    return flow._replace(slots=slots, place=place)


def each_with_more_slots(flows: FlowState) -> FlowState:
    """The same of many flows `[n]` side by side."""
    grown = [with_more_slots(FlowState._make(c[i] for c in flows)) for i in range(len(flows.clock))]
    return flows._replace(
        slots=np.stack([one.slots for one in grown]), place=np.stack([one.place for one in grown])
    )


def side_by_side(array: NDArray[Any], n: int) -> NDArray[Any]:
    """`n` copies of an array, `[n, ...]`."""
    return np.repeat(array[None], n, axis=0)


@inlined
def is_ours(state: FlowState, slot: int) -> bool:
    """Whether an order in `slot` is ours, and no part of the flow."""
    return slot < len(state.place) - len(state.slots)


@inlined
def anchor(state: FlowState, book: Book, row: int) -> int:
    """Best level of a side, or where it last was."""
    return book.best[row] if is_shown(book, row) else state.reference[row]


@inlined
def owes(state: FlowState, book: Book) -> bool:
    """Whether the jump with which a regime begins is due: as soon as both sides are shown."""
    return state.clock[0]["owed"] > 0 and is_shown(book, 0) and is_shown(book, 1)


@inlined
def orders_on(state: FlowState, row: int) -> int:
    """Orders of a side."""
    return state.clock[0]["n_asks"] if row else state.clock[0]["n_bids"]


@inlined
def next_slot(state: FlowState, row: int) -> int:
    """The slot that the next order of a side gets."""
    n = orders_on(state, row)
    return state.slots[len(state.slots) - 1 - n if row else n]


@inlined
def enter(state: FlowState, row: int) -> None:
    """The slot that was next on a side holds an order."""
    if row:
        state.clock[0]["n_asks"] += 1
    else:
        state.clock[0]["n_bids"] += 1


@inlined
def free(state: FlowState, slot: int, row: int) -> None:
    """`slot` is empty: it changes places with the order of its side that borders on the free."""
    clock = state.clock[0]
    if row:
        clock["n_asks"] -= 1
        last = len(state.slots) - 1 - clock["n_asks"]
    else:
        clock["n_bids"] -= 1
        last = clock["n_bids"]
    hole = state.place[slot]
    moved = state.slots[last]
    state.slots[hole] = moved
    state.place[moved] = hole
    state.slots[last] = slot
    state.place[slot] = last


@inlined
def is_full(state: FlowState) -> bool:
    """Whether there is no slot for one more order."""
    clock = state.clock[0]
    return clock["n_bids"] + clock["n_asks"] >= len(state.slots)
