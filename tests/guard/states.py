"""A state in which everything is allowed, and hands to change it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paceline.guard.limits import Limits, limits_record
from paceline.guard.rules import LIMIT, ORDER_RECORD, SUBMIT, mask
from paceline.guard.snapshot import NO_OFFER, RUNNING, blank_snapshots
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_S

ACME = Instrument(symbol="ACME", book_tick="0.01", order_tick="0.01", lot=100)  # type: ignore[arg-type]
NOW = 1_700_000_000 * NS_PER_S

LIMITS: dict[str, Any] = {
    "participation": 0.1,
    "symbol_participation": 0.2,
    "window_s": 300,
    "band_bps": 100,
    "band_ticks": 50,
    "move_bps": 50,
    "move_window_s": 60,
    "child_max": 20_000,
    "max_order_quantity": 30_000,
    "max_order_value": 1_000_000,
    "max_position": 500_000,
    "max_working": 60_000,
    "max_working_orders": 5,
    "max_ahead": 0.1,
    "message_rate": 10,
    "cancel_rate": 4,
    "rate_window_s": 1,
    "max_messages": 1000,
    "max_cancels": 500,
    "max_executions": 8,
    "execution_window_s": 30,
    "min_resting_s": 0.5,
    "duplicate_s": 0.1,
    "max_data_age_s": 2,
    "max_latency_s": 0.2,
    "max_volatility_bps": 30,
}

STATE: dict[str, Any] = {
    "now_ts": NOW,
    "bid_ticks": 2084,
    "ask_ticks": 2086,
    "data_ts": NOW,
    "reference_half_ticks": (4170, 4170, 4160),
    "period_half_ticks": 4170,
    "others_lots": 9000,
    "volatility_ppm": 1000,
    "target_lots": 2400,
    "unrestricted": 1,
    "trading": 1,
    "venue_up": 1,
    "quiet": 1,
    "short_sales": 1,
    "located_lots": 10_000,
    "latency_ns": NS_PER_S // 100,
    "kill_mode": RUNNING,
    "side": 1,
    "start_ts": NOW - 60 * NS_PER_S,
    "end_ts": NOW + 60 * NS_PER_S,
    "parent_lots": 2500,
    "inventory_lots": 2500,
    "working_lots": 0,
    "filled_lots": 0,
    "messages": 0,
    "cancels": 0,
    "symbol_working_lots": 0,
    "symbol_side_lots": 0,
    "symbol_orders": 0,
    "symbol_filled_lots": 0,
    "symbol_messages": 0,
    "symbol_cancels": 0,
    "position_lots": 0,
    "own_bid_ticks": 0,
    "own_ask_ticks": NO_OFFER,
    "executions": 0,
    "may_repeat": 1,
    "counted_ts": 0,
}
ORDER: dict[str, Any] = {
    "kind": SUBMIT, "side": 1, "type": LIMIT, "ticks": 2084, "lots": 100,
    "replaced_lots": 0, "replaced_age_ns": 0,
}  # fmt: skip


def limits(**changed: Any) -> NDArray[np.void]:
    """`[1]` of LIMITS_RECORD; what is changed in words of a person."""
    return limits_record(Limits(**{**LIMITS, **changed}), ACME)


def state(**changed: Any) -> NDArray[np.void]:
    """`[1]` of SNAPSHOT_RECORD."""
    snapshots = blank_snapshots(1)
    for field, value in {**STATE, **changed}.items():
        snapshots[0][field] = value
    return snapshots


def order(**changed: Any) -> NDArray[np.void]:
    """`[1]` of ORDER_RECORD."""
    orders = np.zeros(1, ORDER_RECORD)
    for field, value in {**ORDER, **changed}.items():
        orders[0][field] = value
    return orders


def bits(
    limit: NDArray[np.void], snapshot: NDArray[np.void], orders: NDArray[np.void]
) -> NDArray[np.int64]:
    """`reasons` of `[n]` or `[n, a]` orders."""
    found = np.zeros((len(snapshot), orders.size // len(snapshot)), np.int64)
    mask(limit, snapshot, orders.reshape(found.shape), found)
    return found.reshape(orders.shape)
