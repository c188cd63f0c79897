"""Reasons in words: what was wrong, the value, the limit, and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paceline.guard.limits import MID, REFERENCES, UNLIMITED, UNSET
from paceline.guard.participation import allowed_lots
from paceline.guard.reasons import REASONS
from paceline.guard.snapshot import MISSING

SHOWN: Mapping[str, str] = {
    "malformed": "kind {kind}, side {side}, type {type}, ticks {ticks}, lots {lots}, "
    "replaced_lots {replaced_lots}",
    "off_tick": "ticks {ticks}, order_step {order_step}",
    "wrong_side": "side {side}, parent's {parent_side}",
    "outside_horizon": "now_ts {now_ts}, horizon {start_ts} to {end_ts}",
    "killed": "kill_mode {kill_mode}",
    "reducing_only": "position_lots {position_lots} could become {next_position_lots}",
    "restricted": "unrestricted {unrestricted}",
    "uncovered": "position_lots could become {next_position_lots}, located_lots {located_lots}, "
    "short_sales {short_sales}",
    "market_halted": "trading {trading}",
    "venue_down": "venue_up {venue_up}",
    "latency": "latency_ns {latency_ns}, limit {max_latency_ns}",
    "no_market_data": "bid_ticks {bid_ticks}, ask_ticks {ask_ticks}",
    "crossed": "bid_ticks {bid_ticks}, ask_ticks {ask_ticks}",
    "stale": "data_ts {data_ts}, now_ts {now_ts}, limit {max_data_age_ns} ns",
    "clock_back": "now_ts {now_ts}, counted_ts {counted_ts}",
    "passive_only": "type {type}, ticks {ticks}, quiet {quiet}, volatility_ppm {volatility_ppm}, "
    "limit {max_volatility_ppm}",
    "price_band": "ticks {ticks}, {reference} at {reference_half_ticks} half ticks, "
    "limit {band_ppm} ppm and {band_ticks} ticks",
    "price_move": "ticks {ticks}, mid at the start at {period_half_ticks} half ticks, "
    "limit {move_ppm} ppm in {move_window_ns} ns",
    "child_max": "lots {lots}, limit {child_max_lots}",
    "order_quantity": "lots {lots}, limit {max_order_lots}",
    "order_value": "ticks {ticks} times lots {lots}, limit {max_order_value}",
    "inventory": "working_lots could become {next_working_lots}, inventory_lots {inventory_lots}",
    "participation": "filled_lots {filled_lots} and working_lots {next_working_lots}, "
    "limit {allowed_lots}",
    "symbol_participation": "symbol_filled_lots {symbol_filled_lots} and symbol_working_lots "
    "{next_symbol_working_lots}, limit {symbol_allowed_lots}",
    "position": "position_lots could become {next_position_lots}, limit {max_position_lots}",
    "working_lots": "symbol_working_lots could become {next_symbol_working_lots}, "
    "limit {max_working_lots}",
    "working_orders": "symbol_orders {symbol_orders}, limit {max_working_orders}",
    "schedule_drift": "inventory_lots {inventory_lots}, working_lots {next_working_lots}, "
    "target_lots {target_lots}, limit {max_ahead_ppm} ppm of {parent_lots}",
    "message_rate": "symbol_messages {symbol_messages} before it, limit {message_rate}",
    "max_messages": "messages {messages} before it, limit {max_messages}",
    "cancel_rate": "symbol_cancels {symbol_cancels} before it, limit {cancel_rate}",
    "max_cancels": "cancels {cancels} before it, limit {max_cancels}",
    "min_resting": "replaced_age_ns {replaced_age_ns}, limit {min_resting_ns}",
    "duplicate": "ticks {ticks}, lots {lots}, limit {duplicate_ns} ns",
    "self_match": "ticks {ticks}, own_bid_ticks {own_bid_ticks}, own_ask_ticks {own_ask_ticks}",
    "repeated": "executions {executions} before it, may_repeat {may_repeat}, "
    "limit {max_executions} in {execution_window_ns} ns",
    "unrecorded": "kind {kind}",
}
"""What is shown with each reason, in the names of the records; `next_` is with the order sent."""


def explain(bits: int, limits: np.void, snapshot: np.void, order: np.void) -> tuple[str, ...]:
    """A line for each rule in `bits`, from the rows that it was judged by."""
    if bits == 0:
        return ()
    values = _values(limits, snapshot, order)
    return tuple(
        f"{reason.name}: {reason.sentence[:-1]} ({SHOWN[reason.name].format_map(values)}); "
        f"{reason.remedy}"
        for bit, reason in enumerate(REASONS)
        if bits >> bit & 1
    )


def _values(limits: np.void, snapshot: np.void, order: np.void) -> dict[str, str]:
    """All that may be shown, as text."""
    lim, state, asked = (
        dict(zip(row.dtype.names or (), row.item(), strict=True))
        for row in (limits, snapshot, order)
    )
    more = asked["lots"] - asked["replaced_lots"]
    for field in ("working_lots", "symbol_working_lots"):
        state[f"next_{field}"] = _sum(state[field], more)
    at_work = _sum(state["symbol_side_lots"], more)
    state["next_position_lots"] = (
        MISSING if at_work == MISSING else _sum(state["position_lots"], state["side"] * at_work)
    )
    for rule in ("", "symbol_"):
        ppm, others = lim[f"{rule}participation_ppm"], state["others_lots"]
        known = ppm >= 0 and lim["window_ns"] > 0
        lim[f"{rule}allowed_lots"] = (
            UNSET if not known else MISSING if others < 0 else allowed_lots(ppm, others)
        )
    of = lim["band_reference"]
    lim["reference"] = REFERENCES[of]
    state["reference_half_ticks"] = (
        state["bid_ticks"] + state["ask_ticks"]
        if of == MID
        else int(state["reference_half_ticks"][of])
    )
    state["parent_side"] = state.pop("side")
    return _Texts(lim, {**state, **asked})


class _Texts(dict[str, str]):
    """Values as text, made when they are shown: few of them are."""

    def __init__(self, limits: Mapping[str, Any], others: Mapping[str, Any]) -> None:
        self._limits, self._others = limits, others

    def __missing__(self, name: str) -> str:
        if name in self._limits:
            value = self._limits[name]
            return "not set" if value == UNSET else _text(value)
        return _text(self._others[name])


def _sum(one: int, other: int) -> int:
    return MISSING if one == MISSING else one + other


def _text(value: object) -> str:
    if value == MISSING:
        return "not known"
    return "unlimited" if value == UNLIMITED else str(value)
