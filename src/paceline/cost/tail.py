"""A sample of costs in five numbers, the last of which is what hurts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paceline.errors import InputError

Floats = npt.NDArray[np.float64]


class Summary(NamedTuple):
    """Of the values that are there; all NaN when there is none."""

    n: int
    """Values that are there."""
    missing: int
    """Values that are NaN, left out of everything else."""
    mean: float
    p50: float
    p95: float
    p99: float
    cvar95: float
    """Mean of the worst 5 %, see `cvar`."""


def summarize(values: npt.ArrayLike) -> Summary:
    """Mean, quantiles (linear between order statistics) and CVaR95 of `values`, in their unit.

    Large is bad. NaN is a value that does not exist (no fill, no price): it is counted, and never
    taken for 0. Raises `InputError` for an infinite value.
    """
    sample = np.asarray(values, dtype=np.float64).ravel()
    if np.any(np.isinf(sample)):
        raise InputError("values: infinite; a cost is finite or missing (NaN)")
    there = sample[~np.isnan(sample)]
    missing = len(sample) - len(there)
    if not len(there):
        return Summary(0, missing, *(float("nan"),) * 5)
    p50, p95, p99 = (float(q) for q in np.quantile(there, [0.5, 0.95, 0.99]))
    return Summary(len(there), missing, float(there.mean()), p50, p95, p99, cvar(there, 20))


def cvar(values: npt.ArrayLike, one_in: int) -> float:
    """Mean of the worst 1 / `one_in` of the sample: 20 gives CVaR95, 100 CVaR99.

    The tail holds exactly n / one_in values: the whole ones count 1, the one at the boundary its
    fraction. This is the sample form of Rockafellar & Uryasev, "Conditional value-at-risk for
    general loss distributions" (2002), and it does not jump when a value is added. NaN if empty.
    """
    worst_first = np.sort(np.asarray(values, dtype=np.float64))[::-1]
    n = len(worst_first)
    if not n:
        return float("nan")
    whole, rest = divmod(n, one_in)
    tail = float(worst_first[:whole].sum())
    if rest:
        tail += float(worst_first[whole]) * (rest / one_in)
    return tail * one_in / n


def cvar_without(values: npt.ArrayLike, member: npt.NDArray[np.int64], one_in: int) -> Floats:
    """`[g]` the `cvar` of `values` `[n]` without each of the groups 0 to g - 1 of `member` `[n]` in
    turn; NaN without the only one. One sort for all of them.
    """
    sample = np.asarray(values, dtype=np.float64)
    n, order = len(sample), np.argsort(-sample, kind="stable")
    worst_first, group = sample[order], member[order]
    size = np.bincount(group)
    whole, rest = np.divmod(n - size, one_in)
    # The ranks of each group's members, group by group, and how many of others are worse than each.
    rank = np.argsort(group, kind="stable")
    of = group[rank]
    others = rank - (np.arange(n) - (np.cumsum(size) - size)[of])
    among = others < whole[of]
    inside = np.bincount(of, among, len(size)).astype(np.int64)
    total = np.append(0.0, np.cumsum(worst_first))[whole + inside]
    total -= np.bincount(of, np.where(among, worst_first[rank], 0.0), len(size))
    at = whole + np.bincount(of, others <= whole[of], len(size)).astype(np.int64)
    total += worst_first[np.minimum(at, n - 1)] * (rest / one_in)
    return np.divide(total * one_in, n - size, out=np.full(len(size), np.nan), where=n > size)
