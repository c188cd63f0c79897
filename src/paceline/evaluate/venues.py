"""The venue that the settings of a backtest describe, on one tape: delays, fees, band, footprint.

What settings leave out is what earlier days say of it (`Lesson`), and if they say nothing, the
default.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.documents import read_text
from paceline.engine.queue import FillModel
from paceline.engine.venue import Fees, Footprint, Latency, Venue
from paceline.env.history import Lesson, cancel_exponent
from paceline.errors import ConfigError
from paceline.evaluate.settings import LONGEST_MS, BacktestSettings
from paceline.market.settled import settled_ts
from paceline.market.tape import Tape
from paceline.units import BPS, NS_PER_MS


def fill_models(settings: BacktestSettings) -> list[FillModel]:
    """The fill models that `settings` ask for."""
    if settings.fill_model == "band":
        return list(FillModel)
    return [FillModel[settings.fill_model.upper()]]


def venue_of(settings: BacktestSettings, tape: Tape, lesson: Lesson, model: FillModel) -> Venue:
    """The venue of `tape` under one fill model. Raises `ConfigError` where there can be none."""
    low, high = _band(settings, tape)
    return Venue(
        fill_model=model,
        cancel_exponent=cancel_exponent(settings.cancel_exponent, lesson),
        submit=_latency(settings, settings.submit_ms, settings.latency_sample),
        ack=_latency(settings, settings.ack_ms, settings.latency_sample),
        market_data=_latency(settings, settings.market_data_ms, None),
        fees=fees_of(settings),
        footprint=footprint_of(settings, lesson, tape.name),
        band_low=low,
        band_high=high,
    )


def fees_of(settings: BacktestSettings) -> Fees:
    """What the venue charges."""
    return Fees(
        maker_per_share=settings.maker_fee,
        taker_per_share=settings.taker_fee,
        maker_bps=settings.maker_fee_bps,
        taker_bps=settings.taker_fee_bps,
    )


def footprint_of(settings: BacktestSettings, lesson: Lesson, name: str) -> Footprint:
    """What our orders change: as set, else as fitted on the tapes that teach, else the default."""
    recovery = settings.recovery_half_life_s
    if recovery is None and lesson.recovery is not None:
        recovery = lesson.recovery.half_life_s
    plain = Footprint() if recovery is None else Footprint(recovery_half_life_s=recovery)
    if settings.impact == "footprint":
        return plain
    fit = lesson.impact
    if fit is None:
        raise ConfigError(
            f"impact: fitted, but the tapes that teach {name} allow no fit; give more days, or use "
            "footprint"
        )
    # What a lot pushes for good is gamma. What eta charges a lot for its own bar is taken as a
    # push that fades; a negative estimate is no push.
    return msgspec.structs.replace(
        plain,
        permanent_ticks_per_lot=max(fit.gamma.value, 0.0),
        transient_ticks_per_lot=max(fit.eta.value / fit.bar_s, 0.0),
        transient_half_life_s=_fading(settings, lesson, plain),
    )


def _fading(settings: BacktestSettings, lesson: Lesson, footprint: Footprint) -> float:
    """Half-life of transient impact, seconds. On many days no decay can be told from the noise;
    then prices are taken to come back as fast as the liquidity does."""
    if settings.transient_half_life_s is not None:
        return settings.transient_half_life_s
    return footprint.recovery_half_life_s if lesson.decay is None else lesson.decay.value


def _band(settings: BacktestSettings, tape: Tape) -> tuple[float | None, float | None]:
    """Lowest and highest price the venue takes, in currency: a static collar around the first mid
    of the settled market, both ends on the book's grid inside it."""
    if settings.venue_band_bps is None:
        return None, None
    mid = float(tape.mid_ticks()[tape.index_at(settled_ts(tape)) - 1])
    if math.isnan(mid):
        raise ConfigError(
            f"venue_band_bps: {tape.name} has no price to count it from; leave it out"
        )
    width = mid * settings.venue_band_bps / BPS
    low, high = math.ceil(mid - width), math.floor(mid + width)
    if low > high:
        raise ConfigError(f"venue_band_bps: {settings.venue_band_bps:g} holds no price; widen it")
    tick = tape.instrument.book_tick
    return float(low * tick), float(high * tick)


def _latency(settings: BacktestSettings, median_ms: float, sample: str | None) -> Latency:
    if sample is not None:
        return Latency.sample(np.rint(_recorded_ms(sample) * NS_PER_MS).astype(np.int64))
    if settings.latency_p99_ms is None or median_ms == 0:
        return Latency.constant(median_ms)
    return Latency.lognormal(median_ms, settings.latency_p99_ms)


def _recorded_ms(path: str) -> NDArray[np.float64]:
    """The delays in a file, one a line."""
    try:
        delays = np.array([float(word) for word in read_text(path).split()])
    except ValueError as error:
        raise ConfigError(
            f"latency_sample: {path} cannot be read ({error}); give one delay in ms a line"
        ) from None
    if not len(delays) or not np.all((delays >= 0) & (delays <= LONGEST_MS)):
        raise ConfigError(
            f"latency_sample: {path} holds no delays of 0 to {LONGEST_MS:g} ms; give one a line"
        )
    return delays
