"""Almgren-Chriss against the paper's own example, closed forms and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.cost.impact import Impact, cost_variance, expected_cost
from paceline.errors import InputError
from paceline.schedule import almgren_chriss as ac
from paceline.schedule import twap

PAPER = Impact(sigma=0.95, gamma=2.5e-7, eta=2.5e-6, epsilon=1 / 16)
"""Table 1, with days for seconds, shares for lots and dollars for ticks."""
X, T, N, TAU, LAMBDA = 1_000_000, 5.0, 5, 1.0, 1e-6


def closed_form(kappa: float, impact: Impact) -> tuple[float, float]:
    """(20), written out."""
    tilde = float(impact.eta) - 0.5 * float(impact.gamma) * TAU
    sinh, cosh, tanh = math.sinh, math.cosh, math.tanh
    expected = (
        0.5 * float(impact.gamma) * X**2
        + float(impact.epsilon) * X
        + tilde
        * X**2
        * tanh(kappa * TAU / 2)
        * (TAU * sinh(2 * kappa * T) + 2 * T * sinh(kappa * TAU))
        / (2 * TAU**2 * sinh(kappa * T) ** 2)
    )
    variance = (
        0.5
        * (float(impact.sigma) * X) ** 2
        * (TAU * sinh(kappa * T) * cosh(kappa * (T - TAU)) - T * sinh(kappa * TAU))
        / (sinh(kappa * T) ** 2 * sinh(kappa * TAU))
    )
    return expected, variance


def test_the_papers_example() -> None:
    kappa = float(ac.kappa(TAU, PAPER, LAMBDA))
    assert round(kappa, 2) == 0.61
    assert round(kappa * T) == 3
    assert float(ac.half_life_s(TAU, PAPER, LAMBDA)) == pytest.approx(1 / kappa)
    assert 2 * (math.cosh(kappa) - 1) == pytest.approx(1e-6 * 0.95**2 / 2.375e-6, rel=1e-12)
    # lambda sigma^2 / eta~ is 0.38 exactly, so (16) reads x_{j-1} = 2.38 x_j - x_{j+1}: from the
    # end 0, 1, 2.38, 4.6644, 8.721272, 16.09222736, and divided by the last one
    expected = np.array([16.09222736, 8.721272, 4.6644, 2.38, 1.0, 0.0]) / 16.09222736
    np.testing.assert_allclose(ac.left(T, N, PAPER, LAMBDA)[0], expected, rtol=1e-12)
    assert ac.target(X, T, N, PAPER, LAMBDA).tolist() == [[X, 541956, 289854, 147897, 62142, 0]]


def test_closed_form_of_cost_and_variance() -> None:
    for aversion in (1e-8, 1e-7, 1e-6, 2e-6, 1e-5):
        one = ac.frontier(X, T, N, PAPER, aversion)
        expected, variance = closed_form(float(ac.kappa(TAU, PAPER, aversion)), PAPER)
        assert one.expected[0] == pytest.approx(expected, rel=1e-12)
        assert one.std[0] ** 2 == pytest.approx(variance, rel=1e-9)


def test_trade_list_is_equation_18() -> None:
    kappa = float(ac.kappa(TAU, PAPER, LAMBDA))
    j = np.arange(1, N + 1)
    expected = 2 * np.sinh(kappa / 2) / np.sinh(kappa * T) * np.cosh(kappa * (T - (j - 0.5)))
    np.testing.assert_allclose(ac.trade_list(T, N, PAPER, LAMBDA)[0], expected, rtol=1e-12)


def test_naive_strategy_is_equations_10_and_11() -> None:
    naive = ac.frontier(X, T, N, PAPER, 0.0)
    tilde = 2.5e-6 - 1.25e-7
    assert naive.expected[0] == pytest.approx(0.5 * 2.5e-7 * X**2 + X / 16 + tilde * X**2 / T)
    assert naive.std[0] ** 2 == pytest.approx(
        0.95**2 * X**2 * T / 3 * (1 - 1 / N) * (1 - 1 / (2 * N))
    )
    assert naive.half_life_s[0] == math.inf
    assert (naive.left == twap.left(N)).all()


def test_brute_force_finds_the_same_minimum() -> None:
    """The objective is a quadratic form in the inner inventories; build it from values alone."""
    n = 12
    tau = T / n

    def objective(inner: np.ndarray) -> float:
        path = np.concatenate([[1.0], inner, [0.0]]) * X
        cost = expected_cost(path, tau, PAPER) + 1e-5 * cost_variance(path, tau, PAPER)
        return float(cost[0])

    eye, zero = np.eye(n - 1), np.zeros(n - 1)
    at_zero = objective(zero)
    ones = np.array([objective(row) for row in eye]) - at_zero
    hessian = (
        np.array([[objective(a + b) - at_zero for b in eye] for a in eye])
        - ones[:, None]
        - ones[None, :]
    )
    gradient = ones - 0.5 * np.diag(hessian)
    best = np.linalg.solve(hessian, -gradient)
    found = ac.left(T, n, PAPER, 1e-5)[0, 1:-1]
    np.testing.assert_allclose(found, best, atol=1e-9)
    rng = np.random.default_rng(1)
    for step in rng.normal(scale=0.01, size=(200, n - 1)):
        assert objective(found + step) > objective(found)


def test_frontier_trades_cost_for_risk() -> None:
    frontier = ac.frontier(X, T, 50, PAPER, np.logspace(-9, -4, 30))
    assert (np.diff(frontier.expected) > 0).all()
    assert (np.diff(frontier.std) < 0).all()
    assert (np.diff(frontier.half_life_s) < 0).all()
    slope = np.diff(frontier.expected) / np.diff(frontier.std**2)
    assert (np.diff(slope) < 0).all(), "convex in the plane of E and V"
    # along the frontier dE/dV = -lambda
    inner = np.sqrt(frontier.risk_aversion[1:] * frontier.risk_aversion[:-1])
    np.testing.assert_allclose(-slope, inner, rtol=0.1)


@given(st.floats(0, 1e15, allow_subnormal=False), st.integers(1, 200))
def test_no_urgency_overflows(aversion: float, n: int) -> None:
    path = ac.left(T, n, PAPER._replace(gamma=0.0), aversion)[0]
    assert np.isfinite(path).all()
    assert (np.diff(path) <= 0).all()
    assert (path[0], path[-1]) == (1.0, 0.0)


def test_endless_urgency_trades_at_once() -> None:
    assert ac.target(1000, T, 4, PAPER._replace(gamma=0.0), 1e12).tolist() == [[1000, 0, 0, 0, 0]]


def test_vanishing_urgency_is_continuous() -> None:
    path = ac.left(T, 8, PAPER, np.logspace(-40, -12, 10))
    np.testing.assert_allclose(path, np.broadcast_to(twap.left(8), path.shape), atol=1e-5)


def test_orders_side_by_side_are_the_orders_alone() -> None:
    rng = np.random.default_rng(7)
    n = 50
    qty = rng.integers(1, 100_000, n)
    horizon = rng.uniform(60, 7200, n)
    impact = Impact(
        sigma=rng.uniform(0.1, 2, n), gamma=rng.uniform(0, 1e-5, n), eta=rng.uniform(0.1, 3, n)
    )
    aversion = rng.uniform(0, 1e-4, n) * (rng.random(n) > 0.2)
    together = ac.target(qty, horizon, 30, impact, aversion)
    for i in range(n):
        one = Impact(*(float(np.broadcast_to(field, n)[i]) for field in impact))
        alone = ac.target(qty[i], horizon[i], 30, one, aversion[i])
        assert alone.tolist() == [together[i].tolist()]


@pytest.mark.parametrize(
    ("change", "aversion", "horizon", "says"),
    [
        ({}, -1e-6, T, "risk_aversion: "),
        ({}, float("nan"), T, "risk_aversion: "),
        ({"sigma": -1.0}, LAMBDA, T, "sigma: "),
        ({"gamma": 1e-3}, LAMBDA, T, "eta: "),
        ({"eta": float("nan")}, LAMBDA, T, "eta: "),
        ({}, LAMBDA, 0.0, "horizon_s: "),
    ],
)
def test_refused(change: dict[str, float], aversion: float, horizon: float, says: str) -> None:
    with pytest.raises(InputError, match=f"^{says}"):
        ac.target([100], horizon, N, PAPER._replace(**change), aversion)
