"""How sure a comparison is: paired tests, and intervals of the mean, the tail and the saving.

    tests = paired_tests(cost, baseline, cluster)       # Student's t, Wilcoxon's signed ranks
    sure = bootstrap(cost, baseline, cluster)           # mean, CVaR95 and saving, with intervals

Everything is paired: the same parent orders, in the same order, once under a policy and once under
the baseline. Tests over single orders take them for independent, which orders of one day and name
are not; `cluster_t` is the same test over the means of whole clusters, and intervals resample
clusters (`evaluate.paired`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.cost.tail import cvar
from paceline.errors import InputError
from paceline.evaluate.paired import PairedDifference, draws, paired_difference, to_draw

FEW_CLUSTERS = 15
"""With so many, a 95 % percentile interval of the mean holds in nine cases of ten, that of the tail
in 85 to 90 of 100 (measured by simulation); with fewer, less often."""

_TAIL = 20
"""The worst 1 of so many: CVaR95."""


class PairedTests(NamedTuple):
    """Whether costs differ at all, both ways to ask. p-values are two-sided; NaN: too few."""

    n: int
    t: float
    """Student's t of the mean difference, over orders."""
    t_p: float
    wilcoxon: float
    """The smaller of the sums of positive and negative ranks; orders that cost the same are left
    out."""
    wilcoxon_p: float
    clusters: int
    cluster_t: float
    """Student's t over the mean differences of clusters, each counted once."""
    cluster_p: float


class Bounds(NamedTuple):
    """An estimate and its 95 % percentile interval; NaN where there is none."""

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


def paired_tests(
    cost_bps: NDArray[np.float64], baseline_bps: NDArray[np.float64], cluster: NDArray[Any]
) -> PairedTests:
    """Tests of `cost - baseline` `[n]` being 0; rows where either is NaN are left out.

    Student, "The probable error of a mean" (1908); Wilcoxon, "Individual comparisons by ranking
    methods" (1945), with the normal approximation and its corrections for ties.
    """
    difference, cluster = _known(cost_bps - baseline_bps, cluster)
    names, member = np.unique(cluster, return_inverse=True)
    of_cluster = np.bincount(member, difference) / np.bincount(member) if len(names) else difference
    t, t_p = _student(difference)
    cluster_t, cluster_p = _student(of_cluster)
    wilcoxon, wilcoxon_p = _signed_ranks(difference)
    return PairedTests(
        len(difference), t, t_p, wilcoxon, wilcoxon_p, len(names), cluster_t, cluster_p
    )


def bootstrap(
    cost_bps: NDArray[np.float64],
    baseline_bps: NDArray[np.float64],
    cluster: NDArray[Any],
    seed: int = 0,
) -> Sureness:
    """Mean, tail and saving of `cost` against `baseline` `[n]`, with intervals; rows where either
    is NaN are left out.

    Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), percentile interval; clusters are
    drawn whole (Field & Welsh, "Bootstrapping clustered data", 2007). A policy and the baseline are
    drawn together, so what both share cancels.
    """
    mean = paired_difference(cost_bps, baseline_bps, cluster, seed)
    there = ~np.isnan(cost_bps - baseline_bps)
    cost, base, cluster = cost_bps[there], baseline_bps[there], cluster[there]
    if not len(cost):
        nothing = Bounds(*(float("nan"),) * 3)
        return Sureness(mean, nothing, nothing)
    tail = cvar(cost, _TAIL) - cvar(base, _TAIL)
    saving = _saving(float(cost.mean()), float(base.mean()))
    if len(cost) < 2:
        return Sureness(
            mean, Bounds(tail, *(float("nan"),) * 2), Bounds(saving, *(float("nan"),) * 2)
        )
    drawing, n = to_draw(cluster), len(cost)
    worst_first = [(np.argsort(-values, kind="stable"), values) for values in (cost, base)]
    size = np.bincount(drawing.member, minlength=drawing.groups)
    totals = [np.bincount(drawing.member, v, minlength=drawing.groups) for v in (cost, base)]
    tails, savings = [], []
    for drawn in draws(drawing.groups, seed, n):
        times = _times(drawn, drawing.groups)
        count = times @ size
        ours, theirs = (times @ total / count for total in totals)
        savings.append(np.where(theirs > 0.0, 1.0 - ours / np.where(theirs > 0, theirs, 1), np.nan))
        weight = times[:, drawing.member]
        ours, theirs = (
            weighted_cvar(values[order], weight[:, order]) for order, values in worst_first
        )
        tails.append(ours - theirs)
    return Sureness(
        mean, _bounds(tail, np.concatenate(tails)), _bounds(saving, np.concatenate(savings))
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


def weighted_cvar(
    worst_first: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`[b]` mean of the worst 5 % of values `[n]` that fall, each of which counts `weight` `[b, n]`
    times: `cost.tail.cvar` of the sample so repeated."""
    before = np.cumsum(weight, axis=1) - weight
    tail = (before[:, -1:] + weight[:, -1:]) / _TAIL
    counts = np.clip(tail - before, 0.0, weight)
    return np.asarray((counts @ worst_first) / tail[:, 0])


def _times(drawn: NDArray[np.int64], groups: int) -> NDArray[np.float64]:
    """`[b, groups]` how often each group was drawn, from draws `[b, groups]`."""
    b = len(drawn)
    at = drawn + groups * np.arange(b)[:, None]
    return np.bincount(at.ravel(), minlength=b * groups).reshape(b, groups).astype(np.float64)


def _bounds(value: float, drawn: NDArray[np.float64]) -> Bounds:
    if np.isnan(value) or np.isnan(drawn).any():
        return Bounds(value, float("nan"), float("nan"))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Bounds(value, float(low), float(high))


def _saving(cost: float, base: float) -> float:
    return 1.0 - cost / base if base > 0.0 else float("nan")


def _known(
    difference: NDArray[np.float64], cluster: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    there = ~np.isnan(difference)
    return difference[there], cluster[there]


def _student(difference: NDArray[np.float64]) -> tuple[float, float]:
    """t and its p-value; NaN for fewer than two, or where all are the same."""
    from scipy.stats import t as student

    n = len(difference)
    error = float(difference.std(ddof=1)) / n**0.5 if n > 1 else 0.0
    if error == 0.0:
        return float("nan"), float("nan")
    found = float(difference.mean()) / error
    return found, float(2.0 * student.sf(abs(found), n - 1))


def _signed_ranks(difference: NDArray[np.float64]) -> tuple[float, float]:
    """W and its p-value; NaN where every order costs the same."""
    from scipy.stats import wilcoxon

    differs = difference[difference != 0.0]
    if not len(differs):
        return float("nan"), float("nan")
    found = wilcoxon(differs, method="approx" if len(differs) > 50 else "auto")
    return float(found.statistic), float(found.pvalue)
