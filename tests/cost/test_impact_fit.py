"""Fits find the parameters of simulated markets, and their standard errors tell the truth."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from paceline.cost.decay import DecayFit, fit_decay
from paceline.cost.impact import Impact, cost_variance, expected_cost
from paceline.cost.impact_fit import Bars, Estimate, ImpactFit, fit_impact, lagged_flow
from paceline.cost.regression import least_squares
from paceline.errors import InputError

BAR_S = 60.0
SIGMA, GAMMA, ETA, EPSILON = 0.8, 2e-3, 0.2, 6.0


def flow(rng: np.random.Generator, t: int) -> tuple[Any, Any]:
    """Net and total lots: heavy-tailed, some bars without any trade."""
    bought, sold = (rng.poisson(rng.lognormal(5.0, 0.8, t)) * (rng.random(t) > 0.1) for _ in "ab")
    return (bought - sold).astype(float), (bought + sold).astype(float)


def market(seed: int, t: int = 900, days: int = 3) -> Bars:
    """(1) and (2) of Almgren & Chriss, with noise that grows with the flow."""
    rng = np.random.default_rng(seed)
    net, lots = flow(rng, t)
    uneven = 2.0 + np.abs(net) / np.abs(net).mean()
    uneven /= np.sqrt(np.mean(uneven**2))
    # sigma is the whole volatility of the mid, so others' flow has its share in it
    own = np.sqrt(SIGMA**2 * BAR_S - GAMMA**2 * np.mean(net**2))
    move = GAMMA * net + own * uneven * rng.normal(size=t)
    close = 20_000 + np.cumsum(move)
    day = np.arange(t) * days // t
    open_mid = np.r_[20_000, close[:-1]] + 50.0 * day  # a gap overnight is nobody's impact
    pressure = np.divide(net, lots, out=np.zeros(t), where=lots > 0)
    premium = EPSILON * pressure + ETA * net / BAR_S + uneven * rng.normal(size=t)
    return Bars(
        day=day,
        open_mid=open_mid,
        close_mid=close + 50.0 * day,
        net_lots=net,
        lots=lots,
        premium=np.where(lots > 0, premium, np.nan),
    )


def coverage(estimates: list[Estimate], truth: float) -> float:
    low, high = np.array([estimate.interval() for estimate in estimates]).T
    return float(np.mean((low <= truth) & (truth <= high)))


def bias(estimates: list[Estimate], truth: float) -> float:
    """Of the mean, in its own standard errors."""
    values = np.array([estimate.value for estimate in estimates])
    return float((values.mean() - truth) / (values.std(ddof=1) / np.sqrt(len(values))))


@pytest.mark.parametrize("lags", [0, 3])
def test_the_truth_lies_in_95_of_100_intervals(lags: int) -> None:
    fits = [fit_impact(market(seed), BAR_S, lags) for seed in range(600)]
    for name, truth in (("gamma", GAMMA), ("eta", ETA), ("epsilon", EPSILON)):
        estimates = [getattr(fit, name) for fit in fits]
        assert 0.92 <= coverage(estimates, truth) <= 0.97, name
        assert abs(bias(estimates, truth)) < 4.0, name


def test_sigma() -> None:
    """Scaling the noise by the sample keeps sigma exact on average; here flow is normal as well."""
    estimates = []
    for seed in range(250):
        rng = np.random.default_rng(seed)
        move = SIGMA * np.sqrt(BAR_S) * rng.normal(size=500)
        net, lots = flow(rng, 500)
        close = 20_000 + np.cumsum(move)
        bars = Bars(np.zeros(500, int), close - move, close, net, lots, close)
        estimates.append(fit_impact(bars, BAR_S).sigma)
    assert 0.91 <= coverage(estimates, SIGMA) <= 0.985
    assert estimates[0].std_error == pytest.approx(SIGMA / np.sqrt(2 * 500), rel=0.3)


def test_what_is_reported() -> None:
    fit = fit_impact(market(1), BAR_S, lags=2)
    assert (fit.bar_s, fit.lags, fit.days) == (60.0, 2, 3)
    assert fit.gamma.n == 900 - 3 * 2
    assert fit.eta.n == int(np.isfinite(market(1).premium).sum())
    assert 0 < (fit.gamma.r2 or 0) < 1
    assert fit.sigma.r2 is None
    assert msgspec.json.decode(msgspec.json.encode(fit), type=ImpactFit) == fit


def test_cost_of_a_rate_does_not_depend_on_the_slices() -> None:
    fit = fit_impact(market(1), BAR_S)
    costs = []
    for n_slices in (4, 40, 400):
        left = 3000 * np.arange(n_slices, -1, -1) / n_slices
        slice_s = 1800 / n_slices
        costs.append(float(expected_cost(left, slice_s, fit.impact(slice_s))[0]))
    np.testing.assert_allclose(costs, costs[0], rtol=1e-9)
    assert float(fit.impact(30.0).eta_tilde(30.0)) == pytest.approx(fit.eta.value)


def test_a_gap_in_the_data_is_left_out() -> None:
    whole = market(5)
    hole = np.zeros(len(whole.day), bool)
    hole[100:120] = True
    holed = whole._replace(open_mid=np.where(hole, np.nan, whole.open_mid))
    assert fit_impact(holed, BAR_S, 0).gamma.n == fit_impact(whole, BAR_S, 0).gamma.n - 20


def test_no_temporary_impact_is_said() -> None:
    bars = market(3)
    fit = fit_impact(bars._replace(premium=-bars.premium), BAR_S)
    with pytest.raises(InputError, match=r"^eta: .*no temporary impact"):
        fit.impact(BAR_S)


def test_lags_stay_inside_their_day() -> None:
    bars = market(2, t=12, days=3)
    columns, same_day = lagged_flow(bars, 2)
    assert same_day.tolist() == [False, False, True, True] * 3
    assert columns[6].tolist() == [1.0, *bars.net_lots[[6, 5, 4]]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b: Bars(*(column[:20] for column in b)), "gamma: cannot be fitted, rows: 20 are"),
        (lambda b: b._replace(net_lots=0 * b.net_lots), "gamma: cannot be fitted, columns: "),
        (lambda b: b._replace(net_lots=0 * b.lots + 1, lots=0 * b.lots + 1), "gamma: cannot be"),
        (lambda b: b._replace(close_mid=b.open_mid), "gamma: cannot be fitted, prices never move"),
        (lambda b: b._replace(premium=b.premium * np.nan), "eta: cannot be fitted, rows: 0 are"),
        (lambda b: b._replace(premium=b.premium[1:]), "bars: columns of different lengths"),
        (lambda b: b._replace(net_lots=b.net_lots * np.nan), "net_lots: missing"),
        (lambda b: b._replace(net_lots=b.lots + 1), "net_lots: missing or beyond lots"),
        (lambda b: b._replace(day=np.arange(900) % 2), "day: bars of one day do not stand"),
    ],
)
def test_refused(change: Any, says: str) -> None:
    with pytest.raises(InputError) as error:
        fit_impact(change(market(4)), BAR_S, 0)
    assert str(error.value).startswith(says)


@pytest.mark.parametrize("bar_s", [0.0, -1.0, float("nan"), float("inf")])
def test_bar_length_refused(bar_s: float) -> None:
    with pytest.raises(InputError, match=r"^bar_s: "):
        fit_impact(market(1), bar_s)


def test_newey_west_against_the_double_sum() -> None:
    rng = np.random.default_rng(3)
    n, lags = 200, 4
    x = np.column_stack([np.ones(n), rng.normal(size=n)])
    y = x @ [1.0, 2.0] + np.convolve(rng.normal(size=n + 2), [1, 0.6, 0.3], "valid")
    day = np.repeat([0, 1], n // 2)
    fit = least_squares(y, x, day, lags)
    np.testing.assert_allclose(fit.coefficient, np.linalg.lstsq(x, y, rcond=None)[0])
    bread = np.linalg.inv(x.T @ x)
    leverage = np.diag(x @ bread @ x.T)
    score = x * ((y - x @ fit.coefficient) / (1 - leverage))[:, None]
    meat = np.zeros((2, 2))
    for i in range(n):
        for j in range(n):
            if day[i] == day[j] and abs(i - j) <= lags:
                meat += (1 - abs(i - j) / (lags + 1)) * np.outer(score[i], score[j])
    np.testing.assert_allclose(fit.covariance, bread @ meat @ bread)
    assert fit.r2 == pytest.approx(1 - np.var(y - x @ fit.coefficient) / np.var(y))


HALF_LIFE, TRANSIENT = 180.0, 3e-3


def resilient(seed: int, noise: float = 2.0, t: int = 1500) -> Bars:
    """A push of which GAMMA stays and TRANSIENT decays, under flow that repeats itself."""
    rng = np.random.default_rng(seed)
    fresh = rng.normal(scale=300.0, size=t)
    net = np.empty(t)
    state, mid = 0.0, np.empty(t + 1)
    mid[0] = base = 20_000.0
    last = 0.0
    for k in range(t):
        last = net[k] = 0.3 * last + fresh[k]
        state = state * 0.5 ** (BAR_S / HALF_LIFE) + TRANSIENT * last
        base += GAMMA * last + noise * rng.normal()
        mid[k + 1] = base + state
    return Bars(np.arange(t) // 300, mid[:-1], mid[1:], net, np.abs(net) + 1, mid[1:])


def test_half_life_lies_in_its_interval() -> None:
    fits = [fit_decay(resilient(seed), BAR_S, 15) for seed in range(120)]
    assert 0.89 <= coverage([fit.half_life_s for fit in fits], HALF_LIFE) <= 0.99
    assert 0.89 <= coverage([fit.transient for fit in fits], TRANSIENT) <= 0.99
    assert 0.89 <= coverage([fit.permanent for fit in fits], GAMMA) <= 0.99
    median = np.median([fit.half_life_s.value for fit in fits])
    assert median == pytest.approx(HALF_LIFE, rel=0.05)
    one = fits[0]
    assert len(one.response) == 16
    assert msgspec.json.decode(msgspec.json.encode(one), type=DecayFit) == one


def test_without_noise_it_is_exact() -> None:
    fit = fit_decay(resilient(1, noise=1e-6, t=3000), BAR_S, 40)
    assert fit.half_life_s.value == pytest.approx(HALF_LIFE, rel=0.01)
    assert fit.permanent.value == pytest.approx(GAMMA, rel=0.01)


def test_no_decay_is_said() -> None:
    rng = np.random.default_rng(2)
    net = rng.normal(scale=300.0, size=3000)
    growing = np.convolve(net, np.linspace(0, 1e-2, 12))[:3000]
    mid = 20_000 + np.cumsum(np.r_[0.0, growing + rng.normal(size=3000)])
    bars = Bars(np.zeros(3000, int), mid[:-1], mid[1:], net, np.abs(net) + 1, mid[1:])
    with pytest.raises(InputError, match=r"^half_life_s: "):
        fit_decay(bars, BAR_S, 10)
    still = bars._replace(open_mid=np.full(3000, 2e4), close_mid=np.full(3000, 2e4))
    with pytest.raises(InputError, match=r"^half_life_s: .* the mid does not answer to trades"):
        fit_decay(still, BAR_S, 10)
    with pytest.raises(InputError, match=r"^lags: 3 are too few"):
        fit_decay(bars, BAR_S, 3)


def test_expected_cost_and_variance_by_hand() -> None:
    impact = Impact(sigma=2.0, gamma=0.5, eta=3.0, epsilon=0.25)
    left = [[4, 1, 0], [2, 2, 0]]
    # gamma X^2 / 2 + epsilon X + (eta - gamma tau / 2) / tau * sum n^2, with tau = 2
    assert expected_cost(left, 2.0, impact).tolist() == [4 + 1 + 1.25 * 10, 1 + 0.5 + 1.25 * 4]
    assert cost_variance(left, 2.0, impact).tolist() == [8.0, 32.0]
