"""Waves: how much busier or calmer the market is than its hour, and for how long.

Counts of five minutes are compared with what is usual at that hour and on that day. Excitation
makes them uneven, too, but not for long; what is left of their covariance after some minutes is the
market's clock (`engine.flow_settings.Tempo`). If its speed is exp(x) with a normal x whose variance
is `sd ** 2` and whose correlation halves in a half-life, the covariance of two counts, by their
means, is exp(sd ** 2 * correlation) - 1, as of any log-normal, averaged over both stretches.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paceline.engine.flow_settings import Tempo
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

Floats = NDArray[np.float64]

WIDTH_S = 300
LAGS = 12

FEWEST_DAYS = 8
"""Fewer do not tell a wave from the hour."""

_HALF_LIVES_S = (150, 210, 300, 420, 600, 850, 1200, 1700, 2400, 3400)
_SDS = np.round(np.arange(0.0, 1.01, 0.01), 2)
_PARTS = 4
"""Of five minutes, over whose speeds a count is averaged."""

_LEAST = 0.1
"""Standard deviation below which there is nothing to speak of."""


def busy(tape: Tape) -> Floats:
    """Rows in each five minutes of a session `[bins]`, what stands there as it opens left out."""
    ns = tape.session.close_ns - tape.session.open_ns
    edges = np.arange(ns // (WIDTH_S * NS_PER_S) + 1) * float(WIDTH_S * NS_PER_S)
    edges[0] = 1.0
    return np.histogram(tape.events.ts - tape.session.open_ns, edges)[0].astype(np.float64)


def waves(days: Sequence[Floats]) -> Floats:
    """Covariance of the counts of `days` `[bins]` each, by what is usual, at lags 0 to `LAGS`; NaN
    where there are too few days, or none is long enough."""
    bins = min((len(day) for day in days), default=0)  # some days end early
    if len(days) < FEWEST_DAYS or bins <= 2 * LAGS:
        return np.full(LAGS + 1, np.nan)
    counts = np.stack([day[:bins] for day in days])
    counts /= np.maximum(counts.mean(axis=1, keepdims=True), 1e-9)
    counts -= counts.mean(axis=0)
    return _along(counts.T @ counts / (len(days) - 1))


def expected(tempo: Tempo, bins: int) -> Floats:
    """What `waves` shows of a tempo alone on days of so many `bins`."""
    within = (np.arange(_PARTS) + 0.5) / _PARTS
    times = (np.arange(bins)[:, None] + within).ravel() * WIDTH_S
    apart = np.abs(np.subtract.outer(times, times))
    speed = np.expm1(tempo.sd**2 * 0.5 ** (apart / tempo.half_life_s))
    covariance = speed.reshape(bins, _PARTS, bins, _PARTS).mean(axis=(1, 3))
    means = covariance.mean(axis=0)  # a day's own mean is taken out
    return _along(covariance - means - means[:, None] + means.mean())


def fit_tempo(recorded: Floats, steady: Floats, bins: int) -> Tempo:
    """The tempo that adds to the waves of a `steady` market what it lacks of those that were
    `recorded` on days of so many `bins`."""
    lacking = (recorded - steady)[1:]  # neighbours at least: within five minutes arrivals excite
    if np.isnan(lacking).any():
        return Tempo()
    tempos = [
        Tempo(sd=float(sd), half_life_s=float(half_life))
        for half_life in _HALF_LIVES_S
        for sd in _SDS
    ]
    misses = [float(np.sum((expected(tempo, bins)[1:] - lacking) ** 2)) for tempo in tempos]
    best = tempos[int(np.argmin(misses))]
    return best if best.sd >= _LEAST else Tempo()


def _along(covariance: Floats) -> Floats:
    """Its mean at each lag."""
    return np.array([np.diagonal(covariance, lag).mean() for lag in range(LAGS + 1)])
