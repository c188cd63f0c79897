"""How far apart two distributions are. Both distances are exact on weighted samples."""

from __future__ import annotations

import numpy as np

from paceline.realism.distribution import Distribution, halves

BINS = 20
"""Bins of the L1 distance."""


def l1_distance(a: Distribution, b: Distribution, bins: int = BINS) -> float:
    """Half the sum of |share of a - share of b| over common bins, from 0 to 1; NaN if one is empty.

    The bins hold equal shares of the two halves pooled, so that each of them is used and none is
    chosen by hand; values that repeat may leave fewer than `bins`. A bin ends at its quantile,
    that value included. 1 means that no bin holds both. The bins depend on the pair, so this is
    symmetric but no metric: distances over three distributions need not obey the triangle.
    """
    if not len(a.values) or not len(b.values):
        return float("nan")
    ends = np.unique(halves(a, b).quantiles(np.arange(1, bins) / bins))

    def shares(of: Distribution) -> np.ndarray:
        return np.bincount(np.searchsorted(ends, of.values), of.shares, minlength=len(ends) + 1)

    return float(min(np.abs(shares(a) - shares(b)).sum() / 2, 1.0))


def wasserstein(a: Distribution, b: Distribution) -> float:
    """Wasserstein-1 distance in units of the values; NaN if one is empty.

    The area between the two cumulative distributions (Vallender, "Calculation of the Wasserstein
    distance between probability distributions on the line", Theory Probab. Appl. 18, 1974).
    """
    if not len(a.values) or not len(b.values):
        return float("nan")
    at = np.union1d(a.values, b.values)
    return float(np.abs(_below(a, at) - _below(b, at))[:-1] @ np.diff(at))


def relative_wasserstein(a: Distribution, b: Distribution) -> float:
    """Wasserstein-1 by twice the mean distance of the pooled halves from their median: 0 to 1.

    That scale is the most the distance can be (move all of both to the pooled median), and unlike
    the inter-quartile range it is not 0 where one value holds most of the weight, as a spread of
    one tick does. 0 where both are one and the same value; NaN if one is empty.
    """
    apart = wasserstein(a, b)
    if np.isnan(apart) or apart == 0.0:
        return apart
    both = halves(a, b)
    scale = 2.0 * float(np.abs(both.values - both.quantiles(0.5)) @ both.shares)
    return min(apart / scale, 1.0)


def _below(of: Distribution, at: np.ndarray) -> np.ndarray:
    """Share of the weight at or below each of `at`."""
    cumulative = np.concatenate([[0.0], np.cumsum(of.shares)])
    return np.asarray(cumulative[np.searchsorted(of.values, at, side="right")])
