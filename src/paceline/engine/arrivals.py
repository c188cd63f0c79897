"""When the next arrival of a flow is due, and of which stream it is.

Each of the six streams has a base rate, times what the hour, the regime and the queues at the touch
make of it (Huang, Lehalle and Rosenbaum, "Simulating and analyzing order book data: the
queue-reactive model", 2015), and the heat that earlier arrivals left: every arrival adds to the
rates of all streams, and what it added decays exponentially on several time scales (Hawkes
processes; Bacry, Mastromatteo and Muzy, "Hawkes processes in finance", 2015).

A regime multiplies heat as well. So that this makes no more arrivals out of arrivals, one of a
stream that comes r times as often adds 1 / r of its heat: heat is what it would be without the
regime, no regime makes a stable flow unstable, and rates are on average r times those of the plain
market. Where heat reacts, the book multiplies it too, and there an arrival adds all of its heat (on
recorded days that is likelier than 1 / r). While the book is in such a state the flow can be
unstable; so heat that stands for many times as many arrivals as it does on average takes no more.

The next arrival is drawn exactly, by thinning (Ogata, "On Lewis' simulation method for point
processes", 1981): heat only falls between arrivals, so the rate of now bounds the rate of later.
"""

from __future__ import annotations

import math

import numpy as np

from paceline.engine.dice import exponential, uniform
from paceline.engine.flow_state import CHANGE, HALTS, JUMP, LONGEST_WAIT, FlowState, owes
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
from paceline.engine.proportions import narrowed
from paceline.jit import inlined, inner
from paceline.market.book import Book, is_shown

_FAINT = 1e-100


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
def get_used(laws: Laws, state: FlowState, book: Book) -> None:
    """Each touch has been where it was until now, and is where it is."""
    clock = state.clock[0]
    for k in range(2):
        kept = math.exp(
            -clock["speed"] * laws.rates[0]["used"][k] * (clock["now"] - clock["looked"])
        )
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
            get_used(laws, state, book)
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
        clock["stream"], clock["due"] = CHANGE, clock["halt_ends"]
        return
    if owes(state, book):
        clock["stream"], clock["due"] = JUMP, clock["now"]
        return
    base = _base_rate(laws, state, book)
    if laws.rates[0]["heat_reacts"]:
        _feel(laws, state)
    now = clock["now"]
    turns = min(clock["bin_ends"], clock["regime_ends"], clock["tempo_ends"])
    turns = max(turns, now)  # a halt may outlast an hour
    heat = _heat(laws, state)
    while True:
        most = base + heat
        ns = exponential(state.dice) / (most * clock["speed"]) if most > 0.0 else LONGEST_WAIT
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
    ns = clock["speed"] * (ts - clock["now"])
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
    """How much heat an arrival of `stream` adds, as a share of what it does in the plain market."""
    if laws.rates[0]["heat_reacts"]:
        to_come = 0.0
        for m in range(len(state.scale)):
            to_come += state.warmth[m] * state.scale[m] / laws.decay[m]
        if to_come >= laws.rates[0]["most_to_come"]:
            return 0.0
    return laws.regimes[state.clock[0]["regime"]]["brings"][stream]


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
