"""Samples with weights: what a tape says about one quantity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paceline.errors import InputError

Floats = npt.NDArray[np.float64]


class Distribution(NamedTuple):
    """A weighted sample. Made by `distribution`, which sorts it and merges equal values."""

    values: Floats
    """`[n]` rising, no value twice."""
    weights: Floats
    """`[n]` above 0: seconds for a state, a count for things that happen."""

    @property
    def shares(self) -> Floats:
        """`[n]` weights that sum to 1."""
        return np.asarray(self.weights / self.weights.sum(), dtype=np.float64)

    @property
    def mean(self) -> float:
        """Weighted mean; NaN without values."""
        return float(self.values @ self.shares) if len(self.values) else float("nan")

    def quantiles(self, levels: npt.ArrayLike) -> Floats:
        """The least value that at least a share `levels` (any shape, 0 to 1) of the weight does
        not exceed; NaN without values."""
        level = np.asarray(levels, dtype=np.float64)
        if not np.all((level >= 0.0) & (level <= 1.0)):
            raise InputError(f"levels: {level} are not shares; give numbers from 0 to 1")
        if not len(self.values):
            return np.full(level.shape, np.nan)
        below = np.cumsum(self.shares)
        # A sum of shares may miss the level it is meant to reach by a rounding error.
        at = np.searchsorted(below, level - 1e-12)
        return np.asarray(self.values[np.minimum(at, len(below) - 1)], dtype=np.float64)


def distribution(values: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Distribution:
    """The distribution of `values` `[n]`, each with weight 1 unless `weights` `[n]` says more.

    NaN values and weights of 0 are left out: what is not known has no distribution. Raises
    `InputError` for weights that are negative, infinite or of another length.
    """
    value = np.asarray(values, dtype=np.float64).ravel()
    if weights is None:
        weight = np.ones(len(value))
    else:
        weight = np.asarray(weights, dtype=np.float64).ravel()
    if weight.shape != value.shape or not np.all(np.isfinite(weight) & (weight >= 0.0)):
        raise InputError("weights: negative, infinite or not one a value; give one for each")
    known = ~np.isnan(value) & (weight > 0.0)
    merged, of = np.unique(value[known], return_inverse=True)
    total = np.bincount(of, weight[known], minlength=len(merged))
    return Distribution(merged, np.asarray(total, dtype=np.float64))


def pooled(parts: Sequence[Distribution]) -> Distribution:
    """All parts together, each with the weight it has."""
    if not parts:
        return distribution([])
    return distribution(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )


def halves(a: Distribution, b: Distribution) -> Distribution:
    """Half of `a` and half of `b`, however much weight each has."""
    return pooled([Distribution(a.values, a.shares), Distribution(b.values, b.shares)])
