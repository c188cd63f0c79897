"""What a backtest assumes, in one place; the report repeats it and `paceline backtest` offers it.

Kept apart from the backtest itself, so that the command line can explain it without loading a
compiler.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from paceline.config import Field, Settings
from paceline.errors import ConfigError

Positive = Annotated[float, Meta(gt=0, le=1e12)]
NotNegative = Annotated[float, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=1e-6, le=1e9)]  # whose ns an int64 holds
Fee = Annotated[float, Meta(ge=-1e6, le=1e6)]
FeeBps = Annotated[float, Meta(ge=-1e4, le=1e4)]
LONGEST_MS = 3.6e6
Milliseconds = Annotated[float, Meta(ge=0, le=LONGEST_MS)]
Share = Annotated[float, Meta(gt=0, le=1)]
FillModels = Literal["pessimistic", "calibrated", "optimistic", "band"]


LIMITS = ("price_band_bps", "child_max", "participation")
"""Limits of parent orders that are drawn, and of those in a file that have none of their own."""
DRAWN_ONLY = ("orders", "qty", "qty_adv", "qty_volume", "horizon_s", *LIMITS)
"""Settings of parent orders that are drawn; one that is given brings its own."""


MOST_TARGETS = 100_000_000
"""Targets of a policy, one for each slice of each order: 0.8 GB."""


class BacktestSettings(Settings, frozen=True):
    """Everything a backtest assumes; the report repeats it."""

    orders: Annotated[
        int,
        Meta(ge=1, le=1_000_000),
        Field("Parent orders drawn, over all tapes together.", "orders"),
    ] = 500
    qty: Annotated[
        Positive | None, Field("Size of each parent order; excludes the two below.", "shares")
    ] = None
    qty_adv: Annotated[Share | None, Field("Size as a share of average daily volume.", "share")] = (
        None
    )
    qty_volume: Annotated[
        Share | None, Field("Size as a share of the volume expected over the horizon.", "share")
    ] = None
    horizon_s: Annotated[Seconds, Field("Time each parent order has.", "s")] = 1800.0
    slices: Annotated[
        int, Meta(ge=1, le=10_000), Field("Slices of a policy that names none.", "slices")
    ] = 30
    seed: Annotated[int, Meta(ge=0), Field("Draws orders and latencies.", "")] = 0
    fill_model: Annotated[
        FillModels, Field("Queue model for resting orders; band runs all three.", "")
    ] = "calibrated"
    half_life_s: Annotated[
        Seconds | None,
        Field(
            "Almgren-Chriss: 1 / kappa, the time in which the rest shrinks by a factor e; left "
            "out, half of the horizon.",
            "s",
        ),
    ] = None
    risk_aversion: Annotated[
        NotNegative | None,
        Field("Almgren-Chriss: lambda, instead of a half-life; needs an impact fit.", "1/tick lot"),
    ] = None
    pov_rate: Annotated[
        Annotated[float, Meta(gt=0, lt=1)],
        Field("POV: share of all volume; also the rate of the PWP benchmark.", "share"),
    ] = 0.1
    collar_bps: Annotated[
        Annotated[float, Meta(ge=0, le=10_000)],
        Field("Furthest a crossing child order goes through the touch.", "bps"),
    ] = 100.0
    finish: Annotated[
        Literal["sweep", "leave"],
        Field("At the horizon end: sweep the visible book, or leave the rest unfilled.", ""),
    ] = "sweep"
    decision_delay_s: Annotated[
        Annotated[float, Meta(ge=0, le=1e9)],
        Field("How long before its start the order was decided; sets the decision price.", "s"),
    ] = 0.0
    price_band_bps: Annotated[
        Positive | None, Field("Children stay this close to the arrival price.", "bps")
    ] = None
    child_max: Annotated[Positive | None, Field("Largest child order.", "shares")] = None
    participation: Annotated[
        Share | None, Field("Most of all volume over the window that may be ours.", "share")
    ] = None
    participation_window_s: Annotated[
        Seconds, Field("Window over which participation is measured.", "s")
    ] = 300.0
    submit_ms: Annotated[Milliseconds, Field("Delay of our messages to the exchange.", "ms")] = 1.0
    ack_ms: Annotated[Milliseconds, Field("Delay of its answers.", "ms")] = 1.0
    market_data_ms: Annotated[Milliseconds, Field("Delay of market data.", "ms")] = 1.0
    latency_p99_ms: Annotated[
        Milliseconds | None,
        Field("Makes the three delays log-normal, with this 99th percentile.", "ms"),
    ] = None
    latency_sample: Annotated[
        str | None,
        Field("File of recorded delays in ms, one a line; replaces the first two delays.", ""),
    ] = None
    maker_fee: Annotated[
        Fee, Field("Fee per share of resting orders that traded; below 0, a rebate.", "currency")
    ] = 0.0
    taker_fee: Annotated[Fee, Field("Fee per share of orders that took.", "currency")] = 0.0
    maker_fee_bps: Annotated[
        FeeBps,
        Field("Fee on the notional of resting orders that traded; below 0, a rebate.", "bps"),
    ] = 0.0
    taker_fee_bps: Annotated[FeeBps, Field("Fee on the notional of orders that took.", "bps")] = 0.0
    venue_band_bps: Annotated[
        Positive | None,
        Field(
            "The venue refuses prices further than this from the day's first settled mid.", "bps"
        ),
    ] = None
    recovery_half_life_s: Annotated[
        Seconds | None,
        Field("Until half of the liquidity we took is back; left out, fitted on the tapes.", "s"),
    ] = None
    impact: Annotated[
        Literal["footprint", "fitted"],
        Field("fitted adds price shifts from the fitted impact to what the market does.", ""),
    ] = "footprint"
    cancel_exponent: Annotated[
        Positive | None,
        Field("Queue on a book without orders; left out, fitted on earlier days or 1.", ""),
    ] = None
    transient_half_life_s: Annotated[
        Seconds | None,
        Field(
            "With fitted impact: until half of its transient part is gone; left out, fitted, or "
            "where no decay shows, that of the liquidity.",
            "s",
        ),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.orders * self.slices > MOST_TARGETS:
            raise ConfigError(
                f"slices: {self.slices} for each of {self.orders:,} orders need "
                f"{8e-9 * self.orders * self.slices:.0f} GB for each policy; give fewer of either"
            )
        if self.half_life_s is not None and self.risk_aversion is not None:
            raise ConfigError(
                f"half_life: {self.half_life_s:g} s and risk_aversion: {self.risk_aversion:g} both "
                "set the urgency; give one"
            )
