"""Sizes and distances as the regime makes them."""

from __future__ import annotations

import numpy as np

from paceline.engine.dice import pick, uniform
from paceline.engine.flow_state import FlowState
from paceline.engine.laws import Laws
from paceline.jit import inlined


@inlined
def narrowed(laws: Laws, state: FlowState, ticks: int) -> int:
    """What a distance of `ticks` would be, did the regime not stretch it; at least 1."""
    spread = laws.regimes[state.clock[0]["regime"]]["spread"]
    return ticks if spread == 1.0 else max(int(ticks / spread), 1)


@inlined
def sized(laws: Laws, state: FlowState, lots: int) -> int:
    """`lots` as the regime makes them, in round lots."""
    size = laws.regimes[state.clock[0]["regime"]]["size"]
    if size == 1.0:
        return lots
    round_lot = laws.rates[0]["round_lot"]
    if size < 1.0:
        round_lot = 1  # what is left of a round lot is none
    return max(np.int64(lots * size / round_lot + uniform(state.dice)), 1) * round_lot


@inlined
def limit_lots(laws: Laws, state: FlowState) -> int:
    """Lots of a limit order."""
    return sized(laws, state, pick(state.dice, laws.limit_size))


@inlined
def stretched(laws: Laws, state: FlowState, ticks: int, least: int) -> int:
    """A distance as the regime makes it."""
    spread = laws.regimes[state.clock[0]["regime"]]["spread"]
    if spread == 1.0:
        return ticks
    return max(int(ticks * spread + uniform(state.dice)), least)
