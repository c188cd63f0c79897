"""The Almgren-Chriss model of impact: what a trajectory is expected to cost, and how surely.

Almgren & Chriss, "Optimal Execution of Portfolio Transactions", J. Risk 3 (2001); equation numbers
are those of the version of December 2000. Trading n_k lots in slice k of tau seconds at the rate
v = n_k / tau moves the mid for good by gamma n_k, and makes our own price worse, for this slice
only, by epsilon + eta v.

Differences from the paper: prices are in ticks and quantities in lots, costs come out positive for
a buy and a sell alike, and epsilon, eta, gamma and sigma may differ from order to order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paceline.errors import InputError

Floats = npt.NDArray[np.float64]


class Impact(NamedTuple):
    """Parameters of the model; each a number, or an array `[n]` with one for each order."""

    sigma: float | Floats
    """Volatility of the mid, ticks / sqrt(s)."""
    gamma: float | Floats
    """Permanent impact, ticks / lot."""
    eta: float | Floats
    """Temporary impact, ticks / (lot / s)."""
    epsilon: float | Floats = 0.0
    """Fixed cost of a lot, ticks: half the spread and the fee."""

    def eta_tilde(self, slice_s: npt.ArrayLike) -> Floats:
        """eta - gamma tau / 2, of (8): in a slice the permanent impact is only half paid.

        Raises `InputError` where it is not positive: the cost would fall with the speed.
        """
        tilde = np.asarray(self.eta - 0.5 * np.asarray(self.gamma) * np.asarray(slice_s))
        if not np.all(tilde > 0.0):
            raise InputError(
                f"eta: {self.eta} is not above gamma * slice / 2; use more slices or a larger eta"
            )
        return tilde


def expected_cost(left: npt.ArrayLike, slice_s: npt.ArrayLike, impact: Impact) -> Floats:
    """(8): E = gamma X^2 / 2 + epsilon X + eta~ / tau * sum n_k^2, in tick lots, `[n]`.

    `left`: `[n, n_slices + 1]` lots still to trade at the boundaries, never rising, down to 0;
    need not be whole. `slice_s`: length of a slice in seconds, a number or `[n]`.
    """
    inventory = np.atleast_2d(np.asarray(left, dtype=np.float64))
    traded = -np.diff(inventory, axis=1)
    total = inventory[:, 0]
    tau = np.asarray(slice_s, dtype=np.float64)
    temporary = impact.eta_tilde(tau) / tau * np.sum(traded**2, axis=1)
    cost: Floats = 0.5 * impact.gamma * total**2 + impact.epsilon * total + temporary
    return cost


def cost_variance(left: npt.ArrayLike, slice_s: npt.ArrayLike, impact: Impact) -> Floats:
    """(5): V = sigma^2 tau sum x_k^2 over the inventory after each slice, in (tick lots)^2, `[n]`.

    Arguments as in `expected_cost`.
    """
    inventory = np.atleast_2d(np.asarray(left, dtype=np.float64))
    tau = np.asarray(slice_s, dtype=np.float64)
    variance: Floats = np.asarray(impact.sigma) ** 2 * tau * np.sum(inventory[:, 1:] ** 2, axis=1)
    return variance
