"""Our own large orders: the fit of a power, and markets in which it is known what they must do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.engine.market_settings import MarketSettings
from paceline.errors import InputError
from paceline.realism.metaorders import END, LOOKS, Impact, fit_power, measure_impact

HOUR = MarketSettings(open_s=34_200.0, close_s=37_800.0)
DAY = "2026-01-05"


@given(st.floats(0.2, 1.5), st.floats(0.1, 10.0))
def test_a_power_without_noise_is_found(exponent: float, scale: float):
    x = np.array([0.02, 0.05, 0.1, 0.2, 0.4])
    y = scale * x**exponent
    fit = fit_power(x, y, 0.05 * y)
    assert fit.exponent == pytest.approx(exponent, abs=1e-6)
    assert fit.scale == pytest.approx(scale, rel=1e-5)


def test_the_error_of_a_power_is_that_of_repeating_it():
    x, dice = np.array([0.02, 0.05, 0.1, 0.2, 0.4]), np.random.default_rng(2)
    truth, error = x**0.5, np.full(5, 0.03)
    fits = [fit_power(x, truth + error * dice.normal(size=5), error) for _ in range(400)]
    found = np.array([fit.exponent for fit in fits])
    assert found.mean() == pytest.approx(0.5, abs=0.02)
    assert np.median([fit.exponent_error for fit in fits]) == pytest.approx(found.std(), rel=0.15)


def test_no_power_through_noise():
    x = np.array([0.1, 0.2, 0.4])
    assert np.isnan(fit_power(x, np.array([0.1, -0.1, 0.05]), np.full(3, 0.2)).exponent)
    assert np.isnan(fit_power(x, np.zeros(3), np.zeros(3)).exponent)


@pytest.fixture(scope="module")
def impact() -> Impact:
    return measure_impact(HOUR, DAY, markets=40, seed=4, shares=(0.1, 0.4), jobs=1)


def test_large_orders_push_the_price_their_way(impact: Impact):
    assert impact.impact[1] > impact.impact[0] > 0.0
    assert impact.impact[1] > 5.0 * impact.impact_error[1]
    assert impact.filled[1] > 0.95
    for path in impact.path:
        assert len(path) == len(LOOKS)
        assert path[0] == 0.0, "before the order nothing has moved"
    assert impact.path[1][END] == impact.impact[1]
    assert np.all(np.diff(impact.path[1][: END + 1]) > 0.0)


def test_sizes_are_shares_of_what_is_traded_without_us(impact: Impact):
    assert impact.shares == pytest.approx([0.1, 0.4], rel=0.01)
    per_s = HOUR.market_buy_per_s + HOUR.market_sell_per_s
    lots = impact.volume_lots / impact.work_s / per_s
    mean_lots = 100 * float(HOUR.market_size.weights() @ np.arange(1, 101))
    assert lots == pytest.approx(mean_lots, rel=0.1), "market orders rarely want more than there is"


def test_same_seed_same_impact(impact: Impact):
    again = measure_impact(HOUR, DAY, markets=40, seed=4, shares=(0.1, 0.4), jobs=2)
    assert again.path == impact.path
    assert (again.reverted, again.reverted_error) == (impact.reverted, impact.reverted_error)
    other = measure_impact(HOUR, DAY, markets=40, seed=5, shares=(0.1, 0.4))
    assert other.path != impact.path


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(InputError, match="markets: 3 are too few"):
        measure_impact(HOUR, DAY, markets=3)
    still = MarketSettings(
        open_s=34_200.0, close_s=37_800.0, market_buy_per_s=0.0, market_sell_per_s=0.0
    )
    with pytest.raises(InputError, match="market: nothing trades in it"):
        measure_impact(still, DAY, markets=10)
