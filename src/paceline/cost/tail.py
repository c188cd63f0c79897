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
