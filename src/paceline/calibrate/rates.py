"""Rates from counts and exposure: what the hour, the queue, the spread and the distance make of
them.

A count is Poisson with mean base x hour x queue x spread x exposure, and each margin of the counts equals
its expectation at the likelihood's maximum. So each factor in turn is scaled until its margin fits
(Deming and Stephan, "On a least squares adjustment of a sampled frequency table", 1940; for rates,
this is the fit of a log-linear model). The queue's part alone would be counts over time (Huang,
Lehalle and Rosenbaum, "Simulating and analyzing order book data: the queue-reactive model", 2015,
equation 2); fitted together, a busy hour with short queues is not taken for a reaction to them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paceline.calibrate.counting import Counts
from paceline.calibrate.ruler import HOURS
from paceline.engine.laws import CANCEL, LIMIT, MARKET, QUEUES, SPREADS

_ROUNDS = 100
_FEWEST_CANCELS = 100
"""In a bin of distances; bins with fewer are joined with the next ones."""

_DOUBT = 20.0
"""Arrivals that a bucket must have before it is believed half: it is shrunk towards no reaction, as
if so many had come at the usual rate (the mean of a gamma posterior)."""


class Rates(NamedTuple):
    """Arrivals per second as product of factors."""

    limit_per_s: float
    """On each side, as `market_per_s`; at hour, queue and spread 1."""
    market_per_s: float
    cancel_per_s: NDArray[np.float64]  # [bins] of one order, by distance from the touch
    hour: NDArray[np.float64]  # [HOURS] multiples of all rates; mean 1 over the session
    reaction: NDArray[np.float64]  # [3, QUEUES] by what; mean 1 over the time they were seen in
    tension: NDArray[np.float64]  # [3, SPREADS] the same by spread


def fit_rates(counts: Counts) -> Rates:
    """The likeliest rates. Hours that were not seen are like the mean one."""
    arrivals, touch_s, order_s = seen(counts)
    hour, reaction, tension = np.ones(HOURS), np.ones((3, QUEUES)), np.ones((3, SPREADS))
    groups = joined_bins(counts.cancels, _FEWEST_CANCELS)
    cancel_per_s = np.zeros(len(groups))
    per_s = np.zeros(2)
    for _ in range(_ROUNDS):
        factor = hour[:, None, None] * reaction[:, None, :, None] * tension[:, None, None]
        for what in (LIMIT, MARKET):
            per_s[what] = arrivals[what].sum() / max((factor[what] * touch_s).sum(), 1e-9)
        exposure = np.bincount(groups, weights=np.einsum("hqs,hqsd->d", factor[CANCEL], order_s))
        cancel_per_s = _ratio(np.bincount(groups, counts.cancels), exposure)[groups]
        plain = np.stack([per_s[0] * touch_s, per_s[1] * touch_s, order_s @ cancel_per_s])
        expected = np.einsum("whqs,wq,ws->h", plain, reaction, tension)
        hour = np.where(expected > 0, _ratio(arrivals.sum(axis=(0, 2, 3)), expected), 1.0)
        hour /= hour.mean()
        expected = np.einsum("whqs,h,ws->wq", plain, hour, tension)
        reaction = shrunk(arrivals.sum(axis=(1, 3)), expected)
        expected = np.einsum("whqs,h,wq->ws", plain, hour, reaction)
        tension = shrunk(arrivals.sum(axis=(1, 2)), expected)
    return Rates(
        float(per_s[LIMIT]), float(per_s[MARKET]), cancel_per_s, hour, reaction, tension
    )


def seen(counts: Counts) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Arrivals and exposure, of sides and of orders, while both sides showed something."""
    both = (Ellipsis, slice(QUEUES), slice(SPREADS))
    return (
        counts.arrivals[both].astype(np.float64),
        counts.touch_s[both],
        counts.order_s[(*both, slice(None))],
    )


def by_queue(counts: Counts, rates: Rates) -> NDArray[np.float64]:
    """Arrivals `[3, QUEUES]` that hour, spread and distance explain while the queue at the touch
    was of each size."""
    _, touch_s, order_s = seen(counts)
    per_s = (rates.limit_per_s * touch_s, rates.market_per_s * touch_s)
    plain = np.stack([*per_s, order_s @ rates.cancel_per_s])
    return np.asarray(np.einsum("whqs,h,ws->wq", plain, rates.hour, rates.tension))


def shrunk(arrivals: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reaction `[..., buckets]` whose mean over what was expected is 1."""
    reaction = (arrivals + _DOUBT) / (expected + _DOUBT)
    return np.asarray(reaction / np.average(reaction, axis=-1, weights=expected + 1e-9)[..., None])


def joined_bins(counts: NDArray[np.int64], fewest: int) -> NDArray[np.int64]:
    """Group `[bins]` of each bin: from the first one on, as many as `fewest` counts need; what is
    left at the end joins the last."""
    groups = np.zeros(len(counts), np.int64)
    group, seen = 0, 0
    for i, n in enumerate(counts):
        groups[i] = group
        seen += n
        if seen >= fewest and counts[i + 1 :].sum() >= fewest:
            group, seen = group + 1, 0
    return groups


def _ratio(count: ArrayLike, exposure: ArrayLike) -> NDArray[np.float64]:
    """Counts over exposure; 0 where there was none."""
    time = np.asarray(exposure, dtype=np.float64)
    return np.divide(count, time, out=np.zeros(time.shape), where=time > 0)
