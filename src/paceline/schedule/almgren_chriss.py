"""Almgren-Chriss: trade early what would be risky to hold, late what would be dear to hurry.

The trajectory that minimises E + lambda V of `paceline.cost.impact`. Almgren & Chriss, "Optimal
Execution of Portfolio Transactions", J. Risk 3 (2001); equation numbers are those of the version of
December 2000.

Differences from the paper: hyperbolic sines are written with decaying exponentials, so that no
urgency overflows; kappa comes from asinh instead of acosh, which keeps its digits when it is small;
lambda = 0 is TWAP to the last bit; risk seeking (lambda < 0) is refused.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paceline.cost.impact import Impact, cost_variance, expected_cost
from paceline.errors import InputError
from paceline.schedule import twap
from paceline.schedule.trajectory import Floats, Ints, round_to_lots


def target(
    qty_lots: npt.ArrayLike,
    horizon_s: npt.ArrayLike,
    n_slices: int,
    impact: Impact,
    risk_aversion: npt.ArrayLike,
) -> Ints:
    """Trajectory `[n, n_slices + 1]` in lots for `qty_lots` `[n]`.

    `horizon_s`, `risk_aversion` and the fields of `impact`: a number, or `[n]`. `risk_aversion` is
    the paper's lambda, in 1 / (tick lots). Raises `InputError` for what the model cannot hold.
    """
    return round_to_lots(qty_lots, left(horizon_s, n_slices, impact, risk_aversion))


def left(
    horizon_s: npt.ArrayLike, n_slices: int, impact: Impact, risk_aversion: npt.ArrayLike
) -> Floats:
    """(17): share still to trade, x_j / X = sinh(kappa (T - t_j)) / sinh(kappa T).

    `[m, n_slices + 1]`, m = 1 when every argument is a number. It does not depend on X.
    """
    even = twap.left(n_slices)
    horizon = np.asarray(horizon_s, dtype=np.float64)
    urgency = np.atleast_1d(kappa(horizon / n_slices, impact, risk_aversion) * horizon)[:, None]
    # Never above TWAP; where the two are nearly one, the last digit must not say otherwise.
    return np.where(urgency > 0.0, np.minimum(_sinh_ratio(urgency * even, urgency), even), even)


def trade_list(
    horizon_s: npt.ArrayLike, n_slices: int, impact: Impact, risk_aversion: npt.ArrayLike
) -> Floats:
    """(18): share of the order in each slice, n_j / X, `[m, n_slices]`.

    n_j = 2 sinh(kappa tau / 2) / sinh(kappa T) * cosh(kappa (T - t_{j - 1/2})) X, here as the
    difference of (17).
    """
    return -np.diff(left(horizon_s, n_slices, impact, risk_aversion), axis=1)


def kappa(slice_s: npt.ArrayLike, impact: Impact, risk_aversion: npt.ArrayLike) -> Floats:
    """Urgency in 1 / s: the solution of 2 / tau^2 (cosh(kappa tau) - 1) = lambda sigma^2 / eta~.

    With cosh x - 1 = 2 sinh(x / 2)^2 it is 2 / tau asinh(tau / 2 sqrt(lambda sigma^2 / eta~)).
    Raises `InputError` for a slice that is not positive, a negative lambda or sigma, or eta~ <= 0.
    """
    tau = np.asarray(slice_s, dtype=np.float64)
    if not np.all((tau > 0.0) & np.isfinite(tau)):
        raise InputError(f"horizon_s: slices of {tau} s; give a positive horizon")
    aversion = np.asarray(risk_aversion, dtype=np.float64)
    sigma = np.asarray(impact.sigma, dtype=np.float64)
    for name, value in (("risk_aversion", aversion), ("sigma", sigma)):
        if not np.all((value >= 0.0) & np.isfinite(value)):
            raise InputError(f"{name}: {value} is negative or not finite; give 0 or more")
    kappa_tilde = sigma * np.sqrt(aversion / impact.eta_tilde(tau))
    solution: Floats = 2.0 / tau * np.arcsinh(0.5 * tau * kappa_tilde)
    return solution


def half_life_s(slice_s: npt.ArrayLike, impact: Impact, risk_aversion: npt.ArrayLike) -> Floats:
    """Section 2.3: theta = 1 / kappa, the seconds in which inventory falls by a factor e when the
    horizon does not matter; inf for lambda = 0."""
    with np.errstate(divide="ignore"):
        life: Floats = 1.0 / kappa(slice_s, impact, risk_aversion)
    return life


class Frontier(NamedTuple):
    """Section 2.4: the efficient frontier of one order. All arrays `[m]`, one entry a lambda."""

    risk_aversion: Floats
    """1 / (tick lots)."""
    half_life_s: Floats
    """Seconds; inf where the trajectory is TWAP."""
    expected: Floats
    """E of (20), tick lots."""
    std: Floats
    """sqrt(V) of (20), tick lots."""
    left: Floats
    """`[m, n_slices + 1]` share still to trade."""


def frontier(
    qty_lots: int, horizon_s: float, n_slices: int, impact: Impact, risk_aversion: npt.ArrayLike
) -> Frontier:
    """Expected cost against risk of one order for each of `risk_aversion` `[m]`, before rounding.

    `impact` holds numbers. No trajectory with the same risk costs less (in the model).
    """
    aversion = np.atleast_1d(np.asarray(risk_aversion, dtype=np.float64))
    share = left(horizon_s, n_slices, impact, aversion)
    slice_s = horizon_s / n_slices
    return Frontier(
        risk_aversion=aversion,
        half_life_s=half_life_s(slice_s, impact, aversion),
        expected=expected_cost(qty_lots * share, slice_s, impact),
        std=np.sqrt(cost_variance(qty_lots * share, slice_s, impact)),
        left=share,
    )


def _sinh_ratio(a: Floats, b: Floats) -> Floats:
    """sinh(a) / sinh(b) for 0 <= a <= b, without overflow; NaN where b = 0."""
    with np.errstate(invalid="ignore"):
        ratio: Floats = np.exp(a - b) * np.expm1(-2.0 * a) / np.expm1(-2.0 * b)
    return ratio
