"""Paired differences between policies on the same parent orders, with intervals.

Orders of one day and name share its market, so they are no independent draws: the interval comes
from a bootstrap of whole (day x name) clusters when there are enough of them, and of single orders,
said so, when there are not.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    """Bounds of the percentile interval, of 95 % unless another was asked for; NaN with fewer than
    two orders."""
    n: int
    clusters: int
    by_cluster: bool
    """Whether clusters were resampled, or single orders for want of clusters."""


def paired_difference(
    cost_bps: NDArray[np.float64],
    baseline_bps: NDArray[np.float64],
    cluster: NDArray[Any],
    seed: int = 0,
    level: float = 0.95,
) -> PairedDifference:
    """Compare two policies on the same orders `[n]`, with an interval of `level`; rows where either
    is NaN are left out.

    Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), percentile interval.
    """
    difference = cost_bps - baseline_bps
    known = ~np.isnan(difference)
    difference, cluster = difference[known], cluster[known]
    n = len(difference)
    if n < 2:
        mean = float(difference.mean()) if n else float("nan")
        return PairedDifference(mean, float("nan"), float("nan"), n, n, False)
    drawing = to_draw(cluster)
    groups = drawing.groups
    total = np.bincount(drawing.member, difference, minlength=groups)
    size = np.bincount(drawing.member, minlength=groups)
    means = np.concatenate(
        [total[drawn].sum(axis=1) / size[drawn].sum(axis=1) for drawn in draws(groups, seed)]
    )
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return PairedDifference(
        float(difference.mean()), float(low), float(high), n, drawing.clusters, drawing.by_cluster
    )


class Drawing(NamedTuple):
    """What a bootstrap of `n` orders draws: clusters, or orders where clusters are too few."""

    member: NDArray[np.int64]
    """`[n]` which group each order is drawn with."""
    groups: int
    clusters: int
    by_cluster: bool


def to_draw(cluster: NDArray[Any]) -> Drawing:
    """What to resample of orders that share clusters `[n]`; n is 1 or more."""
    names, member = np.unique(cluster, return_inverse=True)
    by_cluster = len(names) >= FEWEST_CLUSTERS
    if not by_cluster:
        member = np.arange(len(cluster))
    return Drawing(np.asarray(member), int(member.max()) + 1, len(names), by_cluster)


def draws(groups: int, seed: int, width: int = 0) -> Iterator[NDArray[np.int64]]:
    """`RESAMPLES` draws of `groups` with replacement, as blocks `[some, groups]`; a block times
    `width` (columns that are made of it, if more than groups) does not exceed what memory likes."""
    rng = np.random.default_rng(seed)
    at_once = max(_DRAWS // max(groups, width), 1)
    for i in range(0, RESAMPLES, at_once):
        yield rng.integers(0, groups, (min(at_once, RESAMPLES - i), groups))
