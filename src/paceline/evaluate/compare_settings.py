"""What a comparison assumes, in one place; its report repeats it and `paceline compare` offers it.

Kept apart from the comparison itself, so that the command line can explain it without loading a
compiler.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from paceline.config import Field, Settings
from paceline.errors import ConfigError
from paceline.evaluate.settings import FeeBps, FillModels, Milliseconds, Seconds, Share


class CompareSettings(Settings, frozen=True):
    """Everything a comparison assumes."""

    orders: Annotated[
        int,
        Meta(ge=2, le=1_000_000),
        Field("Parent orders, of each seed, half on each side.", "orders"),
    ] = 2000
    seed: Annotated[int, Meta(ge=0), Field("Draws orders, markets and latencies.", "")] = 0
    seeds: Annotated[
        int, Meta(ge=1, le=100), Field("How many seeds, from the first on.", "seeds")
    ] = 1
    horizon_s: Annotated[
        float, Meta(ge=10, le=86_400), Field("Time each parent order has.", "s")
    ] = 1800.0
    qty_least: Annotated[
        Share, Field("Least size, of the volume that the horizon usually trades.", "share")
    ] = 0.02
    qty_most: Annotated[Share, Field("Most size; sizes lie evenly between.", "share")] = 0.10
    participation: Annotated[
        Annotated[float, Meta(gt=0, le=1)],
        Field("Most of all volume over the window that may be ours; 1 is no limit.", "share"),
    ] = 0.25
    participation_window_s: Annotated[
        float,
        Meta(ge=1, le=86_400),
        Field("Window over which participation is measured.", "s"),
    ] = 300.0
    price_band_bps: Annotated[
        Annotated[float, Meta(ge=0, le=5000)],
        Field("Child orders stay this close to the arrival price; 0 is no limit.", "bps"),
    ] = 200.0
    price_band_ticks: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Field("The same in book ticks; the tighter one holds. Left out, no limit.", "ticks"),
    ] = None
    child_max: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Field("Largest child order; left out, no limit.", "shares"),
    ] = None
    slices: Annotated[
        int, Meta(ge=1, le=10_000), Field("Slices of a schedule that names none.", "slices")
    ] = 30
    half_life_s: Annotated[
        Seconds | None,
        Field("Almgren-Chriss that is not tuned: 1 / kappa; left out, half of the horizon.", "s"),
    ] = None
    fill_model: Annotated[
        FillModels, Field("Queue model for resting orders; band runs all three.", "")
    ] = "band"
    submit_ms: Annotated[Milliseconds, Field("Delay of our messages to the exchange.", "ms")] = 1.0
    ack_ms: Annotated[Milliseconds, Field("Delay of its answers.", "ms")] = 1.0
    market_data_ms: Annotated[Milliseconds, Field("Delay of market data.", "ms")] = 1.0
    maker_fee_bps: Annotated[
        FeeBps, Field("Fee on what traded while it rested; below 0, a rebate.", "bps")
    ] = 0.0
    taker_fee_bps: Annotated[FeeBps, Field("Fee on what took.", "bps")] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.qty_least > self.qty_most:
            raise ConfigError(
                f"qty_least: {self.qty_least:g} is above qty_most {self.qty_most:g}; give least "
                "and most"
            )
