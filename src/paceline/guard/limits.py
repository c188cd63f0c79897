"""Limits as a person writes them, and the record of integers that kernels read.

    participation: 0.1
    window_s: 300
    child_max: 20000
    max_order_value: unlimited

A limit that is left out is not set, and what it would bound is refused. `unlimited` has to be
written. Shares, currency, basis points and seconds become lots, tick·lots, parts per million and
ns; whatever does not come out whole is rounded to the strict side.

The rules are those of MiFID II RTS 6 Art. 15-17, SEC rule 15c3-5 and the FIA's best practices for
automated trading risk controls. The throttle of repeated executions is that of RTS 6 Art. 15(3).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from paceline.config import Field, Settings
from paceline.errors import ConfigError
from paceline.orders.instrument import Instrument
from paceline.orders.order import Constraints
from paceline.units import NS_PER_MS, NS_PER_S, as_decimal

UNSET = -1
"""A limit that nobody set. It blocks."""
UNLIMITED = 2**62
"""What a person wrote as `unlimited`. Sums with it do not overflow."""
MOST_TICKS = 2**31 - 1
MOST_LOTS = 2**31 - 1
"""Largest price and size of an order. Their product is below UNLIMITED."""

ARRIVAL, LAST, CLOSE, MID = range(4)
"""What a price band is measured from: `reference_half_ticks` holds the first three, the book the
last."""
REFERENCES = ("arrival", "last", "close", "mid")

Unlimited = Literal["unlimited"]
Count = Annotated[int, Meta(ge=0)] | Unlimited | None
Amount = Annotated[float, Meta(gt=0)] | Unlimited | None
Share = Annotated[float, Meta(gt=0, le=1)] | Unlimited | None
Bps = Annotated[float, Meta(gt=0, le=1e6)] | Unlimited | None
Span = Annotated[float, Meta(gt=0, le=1e6)] | None
Memory = Annotated[float, Meta(gt=0, le=1e6)] | Unlimited | None
Wait = Annotated[float, Meta(ge=0, le=1e6)] | None


class Limits(Settings, frozen=True, kw_only=True):
    """Hard limits of one parent order. Those of the symbol count all parents that work it."""

    participation: Annotated[
        Share, Field("Most of all volume in the window that may be the parent's.", "share")
    ] = None
    symbol_participation: Annotated[
        Share, Field("Most of it that may be ours, over all parents of the symbol.", "share")
    ] = None
    window_s: Annotated[Span, Field("Rolling window of participation.", "s")] = None
    band_reference: Annotated[
        Literal["arrival", "last", "close", "mid"],
        Field("Price the band is measured from: one of arrival, last, close, mid.", ""),
    ] = "arrival"
    band_bps: Annotated[
        Bps, Field("Farthest a price may lie beyond the reference, on the costly side.", "bps")
    ] = None
    band_ticks: Annotated[
        Count, Field("The same in book ticks; the tighter one holds.", "ticks")
    ] = None
    move_bps: Annotated[
        Bps, Field("Farthest a price may lie beyond the mid at the start of the period.", "bps")
    ] = None
    move_window_s: Annotated[Span, Field("That period: it ends now.", "s")] = None
    child_max: Annotated[Amount, Field("Largest child order of the parent.", "shares")] = None
    max_order_quantity: Annotated[
        Amount, Field("Largest order in this instrument, whoever sends it.", "shares")
    ] = None
    max_order_value: Annotated[
        Amount, Field("Largest quantity times limit price of one order.", "currency")
    ] = None
    max_position: Annotated[
        Amount, Field("Largest position, long or short, with all that works filled.", "shares")
    ] = None
    max_working: Annotated[
        Amount, Field("Most that may work at once, over all parents of the symbol.", "shares")
    ] = None
    max_working_orders: Annotated[
        Count, Field("Most orders that may work at once, over the symbol.", "orders")
    ] = None
    max_ahead: Annotated[
        Share, Field("How far we may be ahead of schedule, of the parent order.", "share")
    ] = None
    message_rate: Annotated[
        Count, Field("Most submits, replaces and cancels per window, over the symbol.", "messages")
    ] = None
    cancel_rate: Annotated[
        Count, Field("Most cancels and replaces per window, over the symbol.", "messages")
    ] = None
    rate_window_s: Annotated[Span, Field("Rolling window of both rates.", "s")] = None
    max_messages: Annotated[
        Count, Field("Most submits, replaces and cancels in the life of the parent.", "messages")
    ] = None
    max_cancels: Annotated[
        Count, Field("Most cancels and replaces in the life of the parent.", "messages")
    ] = None
    max_executions: Annotated[
        Count,
        Field(
            "Most orders of a policy on the symbol that may execute in the window; then it stops "
            "until a person lets it go on.",
            "orders",
        ),
    ] = None
    execution_window_s: Annotated[
        Memory,
        Field("Rolling window of executions; unlimited: since a person let it go on.", "s"),
    ] = None
    min_resting_s: Annotated[
        Wait, Field("Shortest time an order stays before it is cancelled or replaced.", "s")
    ] = None
    duplicate_s: Annotated[
        Wait, Field("For how long an order like one just sent is a duplicate; 0: never.", "s")
    ] = None
    max_data_age_s: Annotated[Amount, Field("Oldest market data that we trade on.", "s")] = None
    max_latency_s: Annotated[
        Amount, Field("Longest measured delay to the venue and back that we trade through.", "s")
    ] = None
    max_volatility_bps: Annotated[
        Amount, Field("Realised volatility above which nothing may take.", "bps per minute^0.5")
    ] = None


LIMITS_RECORD = np.dtype(
    [
        ("participation_ppm", np.int64),
        ("symbol_participation_ppm", np.int64),
        ("window_ns", np.int64),
        ("band_reference", np.int64),
        ("band_ppm", np.int64),
        ("band_ticks", np.int64),
        ("move_ppm", np.int64),
        ("move_window_ns", np.int64),
        ("child_max_lots", np.int64),
        ("max_order_lots", np.int64),
        ("max_order_value", np.int64),  # tick·lots
        ("max_position_lots", np.int64),
        ("max_working_lots", np.int64),
        ("max_working_orders", np.int64),
        ("max_ahead_ppm", np.int64),
        ("message_rate", np.int64),
        ("cancel_rate", np.int64),
        ("rate_window_ns", np.int64),
        ("max_messages", np.int64),
        ("max_cancels", np.int64),
        ("max_executions", np.int64),
        ("execution_window_ns", np.int64),
        ("min_resting_ns", np.int64),
        ("duplicate_ns", np.int64),
        ("max_data_age_ns", np.int64),
        ("max_latency_ns", np.int64),
        ("max_volatility_ppm", np.int64),
        ("order_step", np.int64),  # book ticks in one order tick
    ]
)
"""Every limit is UNSET, UNLIMITED, or the most that is allowed. All zeros allow nothing."""


_PPM_IN_BPS = Decimal("0.01")


def in_ppm(bps: float) -> int:
    """Whole parts in a million of so many bps."""
    return _steps(bps, _PPM_IN_BPS)


def limits_record(limits: Limits, instrument: Instrument) -> NDArray[np.void]:
    """`limits` on the grids of `instrument`: `[1]` of LIMITS_RECORD."""
    part, bps, ns = Decimal("0.000001"), _PPM_IN_BPS, 1 / Decimal(NS_PER_S)
    lot, one = instrument.lot, Decimal(1)
    record = np.zeros(1, LIMITS_RECORD)
    row = record[0]
    row["participation_ppm"] = _steps(limits.participation, part)
    row["symbol_participation_ppm"] = _steps(limits.symbol_participation, part)
    row["window_ns"] = _steps(limits.window_s, ns, up=True)
    row["band_reference"] = REFERENCES.index(limits.band_reference)
    row["band_ppm"] = _steps(limits.band_bps, bps)
    row["band_ticks"] = _steps(limits.band_ticks, one)
    row["move_ppm"] = _steps(limits.move_bps, bps)
    row["move_window_ns"] = _steps(limits.move_window_s, ns, up=True)
    row["child_max_lots"] = _steps(limits.child_max, lot)
    row["max_order_lots"] = _steps(limits.max_order_quantity, lot)
    row["max_order_value"] = _steps(limits.max_order_value, instrument.book_tick * lot)
    row["max_position_lots"] = _steps(limits.max_position, lot)
    row["max_working_lots"] = _steps(limits.max_working, lot)
    row["max_working_orders"] = _steps(limits.max_working_orders, one)
    row["max_ahead_ppm"] = _steps(limits.max_ahead, part)
    row["message_rate"] = _steps(limits.message_rate, one)
    row["cancel_rate"] = _steps(limits.cancel_rate, one)
    row["rate_window_ns"] = _steps(limits.rate_window_s, ns, up=True)
    row["max_messages"] = _steps(limits.max_messages, one)
    row["max_cancels"] = _steps(limits.max_cancels, one)
    row["max_executions"] = _steps(limits.max_executions, one)
    row["execution_window_ns"] = _steps(limits.execution_window_s, ns, up=True)
    row["min_resting_ns"] = _steps(limits.min_resting_s, ns, up=True)
    row["duplicate_ns"] = _steps(limits.duplicate_s, ns, up=True)
    row["max_data_age_ns"] = _steps(limits.max_data_age_s, ns)
    row["max_latency_ns"] = _steps(limits.max_latency_s, ns)
    row["max_volatility_ppm"] = _steps(limits.max_volatility_bps, bps)
    row["order_step"] = instrument.order_step
    return record


def _steps(value: float | str | None, step: Decimal, up: bool = False) -> int:
    """Whole steps in `value`, at most one short of UNLIMITED."""
    if value is None:
        return UNSET
    if value == "unlimited":
        return UNLIMITED
    number = as_decimal(value, "limit")
    if number >= UNLIMITED * step:
        return UNLIMITED - 1
    whole, rest = divmod(number, step)
    return int(whole) + int(up and rest > 0)


_OF_THE_PARENT = {
    "participation": "participation",
    "price_band_bps": "band_bps",
    "child_max": "child_max",
    "max_order_value": "max_order_value",
    "max_messages": "max_messages",
    "max_cancels": "max_cancels",
}
"""Field of `Constraints` -> the limit it tightens."""


def tightened(limits: Limits, constraints: Constraints) -> Limits:
    """`limits` of a desk with those of a parent order: of two that are set, the stricter holds.

    Raises `ConfigError` when the desk measures its band from another price than the arrival
    price, which is what a parent order's band means.
    """
    if limits.band_reference != "arrival":
        raise ConfigError(
            f"limits.band_reference: {limits.band_reference!r} cannot be joined with the parent "
            "order's price_band_bps; measure the band from arrival"
        )
    given = {of: getattr(constraints, field) for field, of in _OF_THE_PARENT.items()}
    tight = {of: _stricter(getattr(limits, of), value) for of, value in given.items()}
    resting = [limits.min_resting_s]
    if constraints.min_resting_ms is not None:
        resting.append(constraints.min_resting_ms * NS_PER_MS / NS_PER_S)
    rest = [seconds for seconds in resting if seconds is not None]
    return msgspec.structs.replace(limits, **tight, min_resting_s=max(rest, default=None))


def _stricter(desk: float | str | None, parent: float | None) -> float | str | None:
    numbers = [value for value in (desk, parent) if isinstance(value, int | float)]
    return min(numbers, default=desk)
