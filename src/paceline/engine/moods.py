"""What changes while arrivals go on: the hour, the regime, the speed of the clock, and whether
there is trading at all.

Regimes follow one another by chance or in a sequence. One may pull the price along a line: whenever
the price lags behind, the side that is in the way flees, as in a jump. The price may run ahead by
itself, and it is not brought back. A regime may begin with a gap, a jump of known size.
"""

from __future__ import annotations

import math

import numpy as np

from paceline.engine.arrivals import get_used
from paceline.engine.dice import exponential, normal, uniform
from paceline.engine.flow_state import (
    HALTS,
    JUMP,
    LONGEST_WAIT,
    NEVER,
    NOTHING,
    FlowState,
    anchor,
)
from paceline.engine.laws import STREAMS, TEMPO_STEPS, Laws
from paceline.jit import inlined, inner
from paceline.market.book import Book
from paceline.market.events import HALT, RESUME

_GAP_TRIES = 8
"""Jumps of which a gap is made at most: at the end of the price table none gets there."""


@inner
def _settle(laws: Laws, state: FlowState) -> None:
    """The speed of the clock, and the rates by it, as the hour and the regime make them."""
    clock, rates = state.clock[0], laws.rates[0]
    sd = rates["tempo_sd"]
    regime = laws.regimes[clock["regime"]]
    clock["speed"] = regime["speed"] * math.exp(sd * (clock["tempo"] - 0.5 * sd))
    clock["plain"] = not rates["heat_reacts"]
    for stream in range(STREAMS):
        hour = laws.day[stream >> 1, clock["bin"]]
        state.base[stream] = rates["base"][stream] * hour * regime["rate"][stream]
        state.felt[stream] = regime["heat"][stream]
        clock["plain"] &= regime["heat"][stream] == 1.0
    besides = regime["own_jumps"] + regime["pulls"]  # whatever the clock says
    state.base[JUMP] = rates["reprice"] * regime["reprice"] + besides / clock["speed"]
    state.base[HALTS] = rates["halt"] / clock["speed"]
    clock["steady"] = (
        state.base[0] + state.base[1] + state.base[2] + state.base[3] + state.base[JUMP]
        + state.base[HALTS]
    )  # fmt: skip


@inlined
def middle(state: FlowState, book: Book) -> float:
    """The level half-way between the sides, or where they last were."""
    return 0.5 * (anchor(state, book, 0) + anchor(state, book, 1))


@inlined
def line_now(laws: Laws, state: FlowState) -> float:
    """Where the drift of the regime wants the price to be."""
    clock = state.clock[0]
    drift = laws.regimes[clock["regime"]]["drift"]
    return clock["line"] + drift * (clock["now"] - clock["line_ts"])


@inner
def first_regime(laws: Laws, state: FlowState) -> int:
    """The regime in which a market begins: the first one, or where the sequence has got to."""
    clock = state.clock[0]
    if len(laws.sequence) == 0:
        return 0
    step, left = 0, clock["now"] - clock["bin_ends"]  # since the open; the market may begin later
    while step < len(laws.sequence) - 1 and left >= laws.sequence[step]["stays"]:
        left -= laws.sequence[step]["stays"]
        step += 1
    return laws.sequence[step]["regime"]


@inner
def warm_up(laws: Laws, state: FlowState) -> None:
    """A new market is as excited as it is at this hour on average."""
    clock = state.clock[0]
    hour = min((clock["now"] - clock["bin_ends"]) // laws.rates[0]["bin_ns"], len(laws.warm) - 1)
    for m in range(len(state.scale)):
        for stream in range(STREAMS):
            state.heat[m, stream] = laws.warm[hour, m, stream]
            state.warmth[m] += laws.warm[hour, m, stream]


@inner
def _begin(laws: Laws, state: FlowState, book: Book) -> int:
    """The next regime, by sequence or by chance; returns HALT if it halts trading."""
    clock = state.clock[0]
    line = line_now(laws, state)
    drifts = laws.regimes[clock["regime"]]["drift"] != 0.0
    if clock["bin"] < 0 or not (drifts or clock["owed"] > 0):
        line = middle(state, book)  # else it goes on from where the last drift or gap should lead
    gap = 0
    if len(laws.sequence) > 0:
        if clock["bin"] < 0:
            clock["step"] = -1
            clock["regime_ends"] = clock["bin_ends"]  # the open; the market may begin later
        while clock["regime_ends"] <= clock["now"]:
            clock["step"] += 1
            moment = laws.sequence[clock["step"]]
            clock["regime"] = moment["regime"]
            if clock["bin"] >= 0 or clock["regime_ends"] == clock["now"]:
                gap += laws.regimes[clock["regime"]]["gap"]  # those before it began are history
            clock["regime_ends"] += moment["stays"]
    else:
        if clock["bin"] >= 0:
            at, to = uniform(state.dice), 0
            while to < len(laws.regimes) - 1 and laws.leads[clock["regime"], to] < at:
                to += 1
            clock["regime"] = to
        leave = laws.regimes[clock["regime"]]["leave"]
        stay = exponential(state.dice) / leave if leave > 0.0 else LONGEST_WAIT
        clock["regime_ends"] = clock["now"] + np.int64(min(stay, LONGEST_WAIT))
        gap = laws.regimes[clock["regime"]]["gap"]
    clock["line"], clock["line_ts"] = line, clock["now"]
    if laws.regimes[clock["regime"]]["halted"]:
        clock["halted"], clock["halt_ends"] = 1, clock["regime_ends"]
        return HALT
    if gap != 0:
        clock["line"] = line + gap
        clock["owed"] = _GAP_TRIES
    return NOTHING


@inner
def _drift(laws: Laws, state: FlowState) -> None:
    """How fast the clock runs from now on, if it does not always run alike."""
    clock, rates = state.clock[0], laws.rates[0]
    if clock["bin"] < 0 and rates["tempo_sd"] > 0.0:
        clock["tempo"], clock["tempo_ends"] = normal(state.dice), clock["now"] + rates["tempo_ns"]
    kept = 0.5 ** (1.0 / TEMPO_STEPS)
    while clock["tempo_ends"] <= clock["now"]:
        clock["tempo"] = kept * clock["tempo"] + math.sqrt(1.0 - kept**2) * normal(state.dice)
        clock["tempo_ends"] += rates["tempo_ns"]


@inner
def change(laws: Laws, state: FlowState, book: Book) -> int:
    """A new hour, regime or speed, or trading resumes; returns the kind of row, if it is one."""
    clock = state.clock[0]
    if clock["halted"]:
        clock["halted"] = 0
        return RESUME
    kind = NOTHING
    if laws.rates[0]["anchored"]:
        get_used(laws, state, book)  # until now by the speed that there was
    _drift(laws, state)
    if clock["bin"] < 0 or clock["regime_ends"] <= clock["now"]:
        kind = _begin(laws, state, book)
    while clock["bin_ends"] <= clock["now"]:
        clock["bin"] += 1
        if clock["bin"] >= laws.day.shape[1] - 1:
            clock["bin"], clock["bin_ends"] = laws.day.shape[1] - 1, NEVER
        else:
            clock["bin_ends"] += laws.rates[0]["bin_ns"]
    _settle(laws, state)
    return kind
