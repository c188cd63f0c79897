"""Paired differences between policies on the same parent orders, with intervals.

Orders of one day and name share its market, so they are no independent draws: the interval comes
from a bootstrap of whole (day x name) clusters when there are enough of them, and of single orders,
said so, when there are not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 4_000
FEWEST_CLUSTERS = 5
"""With fewer clusters a bootstrap of them says nothing."""

_DRAWS = 1 << 18
"""Draws held in memory at once."""


class PairedDifference(NamedTuple):
    """Mean of `cost - baseline` over the orders that both have, in bps: below 0 is a saving."""

    mean_bps: float
    low_bps: float
    high_bps: float
    """Bounds of the 95 % percentile interval; NaN with fewer than two orders."""
    n: int
    clusters: int
    by_cluster: bool
    """Whether clusters were resampled, or single orders for want of clusters."""


def paired_difference(
    cost_bps: NDArray[np.float64],
    baseline_bps: NDArray[np.float64],
    cluster: NDArray[Any],
    seed: int = 0,
) -> PairedDifference:
    """Compare two policies on the same orders `[n]`; rows where either is NaN are left out.

    Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), percentile interval.
    """
    difference = cost_bps - baseline_bps
    known = ~np.isnan(difference)
    difference, cluster = difference[known], cluster[known]
    n = len(difference)
    if n < 2:
        mean = float(difference.mean()) if n else float("nan")
        return PairedDifference(mean, float("nan"), float("nan"), n, n, False)
    names, member = np.unique(cluster, return_inverse=True)
    by_cluster = len(names) >= FEWEST_CLUSTERS
    if not by_cluster:
        member = np.arange(n)
    groups = int(member.max()) + 1
    total = np.bincount(member, difference, minlength=groups)
    size = np.bincount(member, minlength=groups)
    rng = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    at_once = max(_DRAWS // groups, 1)
    for i in range(0, RESAMPLES, at_once):
        drawn = rng.integers(0, groups, (min(at_once, RESAMPLES - i), groups))
        means[i : i + at_once] = total[drawn].sum(axis=1) / size[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return PairedDifference(
        float(difference.mean()), float(low), float(high), n, len(names), by_cluster
    )
