"""When the next arrival of a flow is due, and of which stream it is.

Each of the six streams has a base rate, times what the hour, the regime and the queues at the touch
make of it (Huang, Lehalle and Rosenbaum, "Simulating and analyzing order book data: the
queue-reactive model", 2015), and the heat that earlier arrivals left: every arrival adds to the
rates of all streams, and what it added decays exponentially on several time scales (Hawkes
processes; Bacry, Mastromatteo and Muzy, "Hawkes processes in finance", 2015).

A regime multiplies heat as well, and so does the book where heat reacts. So that this makes no more
arrivals out of arrivals, one that has become r times as likely adds 1 / r of its heat. In a regime
that holds for every r: heat is what it would be without it, and rates are on average r times those
of the plain market. Of the book's r only those above 1 count, lest an arrival in a book where none
is likely be an avalanche. Heat is therefore never more than that of a flow without multiples, and
a branching ratio below 1 is all that a stable flow needs, whatever regime and book make of it.

The next arrival is drawn exactly, by thinning (Ogata, "On Lewis' simulation method for point
processes", 1981): heat only falls between arrivals, so the rate of now bounds the rate of later.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine.dice import exponential, uniform
from paceline.engine.laws import (
    CANCEL,
    LOOKS,
    QUEUES,
    SPREADS,
    STREAMS,
    Laws,
    backing_ticks,
    look_bucket,
    queue_bucket,
    spread_bucket,
)
from paceline.jit import inlined, inner
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
        ("line", np.float64),  # level from which a drift goes out; below 0: not known
        ("line_ts", np.int64),  # when it went out
        ("owed", np.int64),  # times that a gap may still be tried
        ("halted", np.int64),  # see HALTED and OWING
        ("bin", np.int64),  # of the day
        ("bin_ends", np.int64),  # ns
        ("regime_ends", np.int64),
        ("halt_ends", np.int64),
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
"""Who is next, besides the streams: a jump, a halt, or nobody, because the hour, the regime or a
halt changes."""

SURPRISED, FOLLOWED, PULLED, DRAWN = 1, 2, 3, 4
"""Of a jump: orders flee from news, the other side follows; or a drift or gap pulls the orders that
are in its way, and draws the other side along."""

HALTED = 1
OWING = 2
"""Nothing happens until `halt_ends`; or nothing but the jump with which a regime begins."""

LONGEST_WAIT = 1e18
"""ns; 30 years, so that adding it to a time does not overflow."""

NEVER: int = np.iinfo(np.int64).max
_FAINT = 1e-100


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
    clock["regime_ends"] = clock["halt_ends"] = NEVER
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


@inlined
def is_ours(state: FlowState, slot: int) -> bool:
    """Whether an order in `slot` is ours, and no part of the flow."""
    return slot < len(state.place) - len(state.slots)


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
def narrowed(laws: Laws, state: FlowState, ticks: int) -> int:
    """What a distance of `ticks` would be, did the regime not stretch it; at least 1."""
    spread = laws.regimes[state.clock[0]["regime"]]["spread"]
    return ticks if spread == 1.0 else max(int(ticks / spread), 1)


@inlined
def _bucket(laws: Laws, state: FlowState, book: Book, row: int) -> int:
    """How long the queue at the touch of a side is; of usual length if the side is empty."""
    if not is_shown(book, row):
        return QUEUES // 2
    usual = laws.rates[0]["usual_lots"] * laws.regimes[state.clock[0]["regime"]]["size"]
    return queue_bucket(book.levels[row, book.best[row]]["lots"] / usual)


@inlined
def gap_behind(laws: Laws, state: FlowState, book: Book, row: int) -> int:
    """Bucket of the gap behind the touch of a shown side; the widest if there is nothing."""
    ticks = backing_ticks(book, row)
    return spread_bucket(narrowed(laws, state, ticks)) if ticks > 0 else SPREADS - 1


@inner
def _get_used(laws: Laws, state: FlowState, book: Book) -> None:
    """Each touch has been where it was until now, and is where it is."""
    clock = state.clock[0]
    speed = laws.regimes[clock["regime"]]["speed"]
    for k in range(2):
        kept = math.exp(-speed * laws.rates[0]["used"][k] * (clock["now"] - clock["looked"]))
        for row in range(2):
            was = clock["was"][row]
            if was >= 0:
                clock["usual"][k, row] = was + (clock["usual"][k, row] - was) * kept
            elif is_shown(book, row):
                clock["usual"][k, row] = book.best[row]
    for row in range(2):
        if is_shown(book, row):
            clock["was"][row] = book.best[row]
    clock["looked"] = clock["now"]


@inlined
def _look(laws: Laws, state: FlowState, book: Book, row: int, k: int) -> int:
    """Where a touch stands to where it has been; the same, if it is not there."""
    if not is_shown(book, row):
        return LOOKS // 2
    better = (2 * row - 1) * (state.clock[0]["usual"][k, row] - book.best[row])
    return look_bucket(better / laws.regimes[state.clock[0]["regime"]]["spread"])


@inlined
def _reacting(laws: Laws, state: FlowState, book: Book) -> float:
    """What the queues at the touch, the gaps behind it and the spread add to the base rates, per
    ns. A spread without end counts as the widest."""
    total = 0.0
    width = SPREADS - 1
    backed = laws.rates[0]["backed"]
    if is_shown(book, 0) and is_shown(book, 1):
        spread = book.level_ticks[book.best[1]] - book.level_ticks[book.best[0]]
        width = spread_bucket(narrowed(laws, state, spread))
    for row in range(2):
        bucket = _bucket(laws, state, book, row)
        for what in range(3):
            state.reaction[what, row] = laws.reaction[what, bucket] * laws.tension[what, width]
        if backed and is_shown(book, row):
            gap = gap_behind(laws, state, book, row)
            for what in range(2):
                state.reaction[what, row] *= laws.backing[what, gap]
        if laws.rates[0]["anchored"]:
            soon, late = _look(laws, state, book, row, 0), _look(laws, state, book, row, 1)
            for what in range(3):
                looks = laws.anchoring[0, what, soon] * laws.anchoring[1, what, late]
                state.reaction[what, row] *= looks
        for what in range(2):
            total += state.base[2 * what + row] * (state.reaction[what, row] - 1.0)
    return total


@inlined
def _base_rate(laws: Laws, state: FlowState, book: Book) -> float:
    """Sum of all base rates on the book as it is, per ns."""
    clock = state.clock[0]
    total = clock["steady"]
    bids, asks = state.base[4] * clock["n_bids"], state.base[5] * clock["n_asks"]
    if laws.rates[0]["reacts"]:
        if laws.rates[0]["anchored"]:
            _get_used(laws, state, book)
        total += _reacting(laws, state, book)
        bids *= state.reaction[CANCEL, 0]
        asks *= state.reaction[CANCEL, 1]
    return total + bids + asks


@inlined
def _heat(laws: Laws, state: FlowState) -> float:
    """What earlier arrivals add to all rates, per ns."""
    total = 0.0
    plain = state.clock[0]["plain"]
    for m in range(len(state.scale)):
        warmth = state.warmth[m]
        if not plain:
            warmth = 0.0
            for stream in range(STREAMS):
                warmth += state.heat[m, stream] * state.felt[stream]
        total += warmth * state.scale[m]
    return total


@inlined
def _feel(laws: Laws, state: FlowState) -> None:
    """What the regime and, where heat reacts, the book make of heat."""
    mood = laws.regimes[state.clock[0]["regime"]]
    for stream in range(STREAMS):
        state.felt[stream] = mood["heat"][stream] * state.reaction[stream >> 1, stream & 1]


@inlined
def wait(laws: Laws, state: FlowState, book: Book) -> None:
    """Draw when the next event is due, and of which stream it is. What was drawn before is
    forgotten: given all that happened until now, it says nothing."""
    clock = state.clock[0]
    clock["then"] = clock["now"]
    for m in range(len(state.scale)):
        state.scale_then[m] = state.scale[m]
    if clock["halted"]:
        if clock["halted"] == OWING:
            clock["stream"], clock["due"] = JUMP, clock["now"]
        else:
            clock["stream"], clock["due"] = CHANGE, clock["halt_ends"]
        return
    base = _base_rate(laws, state, book)
    if laws.rates[0]["heat_reacts"]:
        _feel(laws, state)
    now = clock["now"]
    turns = max(min(clock["bin_ends"], clock["regime_ends"]), now)  # a halt may outlast an hour
    heat = _heat(laws, state)
    while True:
        most = base + heat
        ns = exponential(state.dice) / most if most > 0.0 else LONGEST_WAIT
        due = now + np.int64(min(ns, LONGEST_WAIT))
        if due >= turns:
            cool(laws, state, turns)
            clock["due"], clock["stream"] = turns, CHANGE
            return
        if heat == 0.0:
            at = uniform(state.dice) * base
            break
        cool(laws, state, due)
        now, heat = due, _heat(laws, state)
        at = uniform(state.dice) * most
        if at <= base + heat:
            break
    clock["now"] = clock["due"] = due
    clock["brought"] = at > base
    clock["stream"] = _of_base(laws, state, at) if at <= base else _of_heat(laws, state, at - base)


@inlined
def _of_base(laws: Laws, state: FlowState, at: float) -> int:
    """The stream in which `at` falls, of base rates one after the other."""
    clock = state.clock[0]
    reacts = laws.rates[0]["reacts"]
    for stream in range(CANCEL << 1):
        part = state.base[stream]
        if reacts:
            part *= state.reaction[stream >> 1, stream & 1]
        at -= part
        if at <= 0.0 and part > 0.0:
            return stream
    at -= state.base[JUMP]
    if at <= 0.0 and state.base[JUMP] > 0.0:
        return JUMP
    at -= state.base[HALTS]
    if at <= 0.0 and state.base[HALTS] > 0.0:
        return HALTS
    bids = state.base[4] * clock["n_bids"]
    if reacts:
        bids *= state.reaction[CANCEL, 0]
    return 4 + (at > bids or clock["n_bids"] == 0)


@inlined
def _of_heat(laws: Laws, state: FlowState, at: float) -> int:
    """The same for heat."""
    last = 0
    for m in range(len(state.scale)):
        for stream in range(STREAMS):
            part = state.heat[m, stream] * state.scale[m] * state.felt[stream]
            if part > 0.0:
                last = stream
                at -= part
                if at <= 0.0:
                    return stream
    return last


@inlined
def cool(laws: Laws, state: FlowState, ts: int) -> None:
    """Let heat decay until `ts`."""
    clock = state.clock[0]
    ns = laws.regimes[clock["regime"]]["speed"] * (ts - clock["now"])
    for m in range(len(state.scale)):
        state.scale[m] *= math.exp(-laws.decay[m] * ns)
    clock["now"] = ts


@inlined
def step_in(laws: Laws, state: FlowState, ts: int) -> None:
    """Somebody else acts at `ts`, after the last event and before the next one is due: heat is of
    that time. Has to be followed by `wait`."""
    clock = state.clock[0]
    for m in range(len(state.scale)):
        state.scale[m] = state.scale_then[m]
    clock["now"] = clock["then"]
    cool(laws, state, ts)


@inner
def _rescale(state: FlowState, m: int) -> None:
    """Heat counts anew from what is left of it."""
    state.warmth[m] = 0.0
    for stream in range(STREAMS):
        state.heat[m, stream] *= state.scale[m]
        state.warmth[m] += state.heat[m, stream]
    state.scale[m] = 1.0


@inlined
def brought_by_one(laws: Laws, state: FlowState, stream: int) -> float:
    """How much heat an arrival of `stream` adds, as a share of what it does where nothing has made
    it more or less likely."""
    share = laws.regimes[state.clock[0]["regime"]]["brings"][stream]
    if laws.rates[0]["heat_reacts"]:
        share /= max(state.reaction[stream >> 1, stream & 1], 1.0)
    return share


@inlined
def excite(laws: Laws, state: FlowState, stream: int, share: float) -> None:
    """An arrival of `stream` adds a `share` of what it brings to the rates of all."""
    for m in range(len(state.scale)):
        if state.scale[m] < _FAINT:
            _rescale(state, m)
        inverse = share / state.scale[m]
        for other in range(STREAMS):
            state.heat[m, other] += laws.excites[m, stream, other] * inverse
        state.warmth[m] += laws.brings[m, stream] * inverse
