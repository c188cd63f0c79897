"""Least squares with standard errors that survive unequal and correlated residuals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paceline.errors import InputError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Regression(NamedTuple):
    """y = x b + residual, fitted on n rows."""

    coefficient: Floats
    """`[k]` b, in units of y per unit of x."""
    covariance: Floats
    """`[k, k]` of b."""
    r2: float
    """Share of the variance of y about its mean that x explains."""
    n: int
    """Rows used."""


def least_squares(y: Floats, x: Floats, group: Ints, lags: int | None = None) -> Regression:
    """Ordinary least squares of y `[n]` on the columns of x `[n, k]`, with Newey-West errors.

    Newey & West, "A Simple, Positive Semi-definite, Heteroskedasticity and Autocorrelation
    Consistent Covariance Matrix", Econometrica 55 (1987), eq. (5), Bartlett weights. Rows of one
    `group` (a day) stand in order of time and one after the other; across groups residuals are
    taken as independent. `lags = None` takes floor(4 (n / 100)^(2/9)); 0 leaves White's errors.

    Difference from the paper: residuals are divided by 1 - leverage first (HC3 of MacKinnon &
    White, 1985). Net flow has heavy tails, a few bars carry the fit and have small residuals for
    that very reason, and without the division 95 % intervals covered 88 % in simulations.

    Raises `InputError` when there are fewer than 30 rows a column, or a column is a mix of others.
    """
    n, k = x.shape
    if n < 30 * k:
        raise InputError(f"rows: {n} are too few to fit {k} numbers; give at least {30 * k}")
    scale = np.sqrt(np.mean(x**2, axis=0))
    unit = x / np.where(scale > 0.0, scale, 1.0)
    gram = unit.T @ unit / n
    if np.linalg.eigvalsh(gram)[0] < 1e-10:
        raise InputError("columns: constant or a mix of one another; give data that vary")
    bread = np.linalg.inv(gram) / np.outer(scale, scale) / n
    b = bread @ (x.T @ y)
    residual = y - x @ b
    leverage = np.sum(x @ bread * x, axis=1)
    score = x * (residual / np.maximum(1.0 - leverage, 1e-9))[:, None]
    if lags is None:
        lags = int(4.0 * (n / 100.0) ** (2.0 / 9.0))
    meat = score.T @ score
    for lag in range(1, min(lags, n - 1) + 1):
        together = (group[lag:] == group[:-lag])[:, None]
        product = (score[lag:] * together).T @ score[:-lag]
        meat += (1.0 - lag / (lags + 1.0)) * (product + product.T)
    spread = np.sum((y - y.mean()) ** 2)
    return Regression(
        coefficient=b,
        covariance=bread @ meat @ bread,
        r2=float(1.0 - np.sum(residual**2) / spread) if spread > 0.0 else float("nan"),
        n=n,
    )
