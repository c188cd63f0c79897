"""How sure a comparison is: intervals of the mean, of the tail and of the saving.

    sure = sureness(cost, baseline, clusters)

Everything is paired: the same parent orders, in the same order, once under a policy and once under
the baseline. All three rest on the same days, and on the same Student's t (`cost.clustered`), so
they do not contradict each other: the interval of the saving leaves 0 out exactly where that of the
mean difference does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.cost.clustered import Clustered, Clusters, clustered, critical
from paceline.cost.tail import cvar, cvar_without
from paceline.errors import InputError
from paceline.evaluate.paired import PairedDifference, difference_of

_TAIL = 20
"""The worst 1 of so many: CVaR95."""


class Bounds(NamedTuple):
    """An estimate and its 95 % interval; NaN where there is none."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0.0 or self.high < 0.0


class Sureness(NamedTuple):
    """One policy against the baseline on the orders that both have."""

    mean: PairedDifference
    """Of the cost less the baseline's, bps."""
    cvar95: Bounds
    """CVaR95 of the cost less that of the baseline's, bps: each its own worst 5 %."""
    saving: Bounds
    """Share of the baseline's mean cost that is saved, above 0 is cheaper; NaN where the baseline
    costs nothing, or earns."""


class Seeds(NamedTuple):
    """The same comparison with several seeds."""

    n: int
    cheaper: int
    """Seeds whose interval lies below 0."""
    dearer: int
    """Seeds whose interval lies above 0."""
    mean_bps: float
    """Mean of their mean differences."""
    least_bps: float
    most_bps: float


def sureness(
    cost_bps: NDArray[np.float64], baseline_bps: NDArray[np.float64], clusters: Clusters
) -> Sureness:
    """Mean, tail and saving of `cost` against `baseline` `[n]`, with intervals; rows where either
    is NaN are left out."""
    there = ~np.isnan(cost_bps - baseline_bps)
    cost, base, clusters = cost_bps[there], baseline_bps[there], clusters.of(there)
    found = clustered(np.column_stack([cost - base, base]), clusters)
    return Sureness(
        difference_of(found, clusters.unit), _tail(cost, base, clusters), _saving(found)
    )


def seeds_summary(differences: Sequence[PairedDifference]) -> Seeds:
    """How many seeds agree. Raises `InputError` without any."""
    if not differences:
        raise InputError("differences: none; give one of each seed")
    means = [one.mean_bps for one in differences]
    return Seeds(
        n=len(differences),
        cheaper=sum(one.high_bps < 0.0 for one in differences),
        dearer=sum(one.low_bps > 0.0 for one in differences),
        mean_bps=float(np.mean(means)),
        least_bps=min(means),
        most_bps=max(means),
    )


def _saving(found: Clustered) -> Bounds:
    """The share that is saved, from the mean difference and the mean of the baseline: -1 times
    their ratio.

    Fieller, "Some problems in interval estimation" (1954): all shares s for which the mean of the
    difference plus s times the baseline may be 0. NaN where the baseline's own mean may be 0, as
    then every share may be.
    """
    d, b = (float(x) for x in found.mean)
    if not b > 0.0:
        return Bounds(*(float("nan"),) * 3)
    square = critical(found.df) ** 2 * found.covariance
    first, middle, last = b**2 - square[1, 1], d * b - square[0, 1], d**2 - square[0, 0]
    if not first > 0.0:
        return Bounds(-d / b, float("nan"), float("nan"))
    reach = max(middle**2 - first * last, 0.0) ** 0.5
    return Bounds(-d / b, float((-middle - reach) / first), float((-middle + reach) / first))


def _tail(cost: NDArray[np.float64], base: NDArray[np.float64], clusters: Clusters) -> Bounds:
    """CVaR95 less that of the baseline, by leaving out one day at a time. What names add to its
    variance is that of the mean of `_beyond`."""
    value = cvar(cost, _TAIL) - cvar(base, _TAIL)
    if not len(cost):
        return Bounds(*(float("nan"),) * 3)
    linear = _beyond(cost) - _beyond(base)
    found = clustered(linear, clusters)
    if np.isnan(found.df):
        return Bounds(value, float("nan"), float("nan"))
    member = np.unique(clusters.group, return_inverse=True)[1]
    without = cvar_without(cost, member, _TAIL) - cvar_without(base, member, _TAIL)
    variance = (found.groups - 1) / found.groups * float(np.sum((without - value) ** 2))
    if found.names:
        of_days = clustered(linear, clusters._replace(name=None))
        variance += found.std_error**2 - of_days.std_error**2
    reach = critical(found.df) * variance**0.5
    return Bounds(value, value - reach, value + reach)


def _beyond(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """`[n]` numbers whose mean is CVaR95: where the tail begins, and 20 times what is beyond.

    Rockafellar & Uryasev, "Optimization of conditional value-at-risk" (2000), theorem 1."""
    at = len(values) - 1 - len(values) // _TAIL
    begins = np.partition(values, at)[at]
    return np.asarray(begins + _TAIL * np.maximum(values - begins, 0.0))
