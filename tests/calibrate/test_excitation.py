"""What arrivals bring about: a slow sum, a likelihood by hand, and a market that is known."""

from __future__ import annotations

import numpy as np
import pytest

from paceline.calibrate.counting import Journal, count, new_counts
from paceline.calibrate.excitation import ExcitationFit, fit_excitation, heats, likeliest, unexcited
from paceline.calibrate.fit import fit_market
from paceline.calibrate.rates import Rates, fit_rates
from paceline.calibrate.ruler import distance_edges, new_ruler, usual_touch_lots
from paceline.engine.flow_settings import Excitation
from paceline.engine.laws import LIMIT, MARKET
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day

NOTHING = ((0.0, 0.0, 0.0),) * 3
TRUTH = Excitation(
    half_lives_s=(0.05, 1.0),
    same=(
        ((0.2, 0.0, 0.1), (0.1, 0.3, 0.0), (0.1, 0.0, 0.0)),
        ((0.1, 0.05, 0.0), (0.0, 0.1, 0.0), (0.0, 0.0, 0.2)),
    ),
    other=(NOTHING, ((0.1, 0.0, 0.0), (0.2, 0.1, 0.0), (0.0, 0.0, 0.0))),
)
EXCITED = MarketSettings(
    limit_bid_per_s=1.0, limit_ask_per_s=1.0, market_buy_per_s=0.2, market_sell_per_s=0.2,
    cancel_per_s=0.02, excitation=TRUTH,
)  # fmt: skip
DAYS = ("2024-01-02", "2024-01-03")


def test_heat_is_what_a_slow_sum_finds():
    dice = np.random.default_rng(2)
    ts = np.sort(dice.integers(0, 5_000_000_000, 60))
    ts[7] = ts[8]
    stream = dice.integers(0, 6, 60)
    decay = np.array([0.3, 4.0])
    out = np.empty((60, 2, 2, 3))
    heats(ts, stream, decay, np.zeros((2, 6)), out)
    slow = np.zeros_like(out)
    for i in range(60):
        for j in range(i):
            other = int(stream[i] % 2 != stream[j] % 2)
            left = decay * np.exp(-decay * (ts[i] - ts[j]) / 1e9)
            slow[i, :, other, stream[j] // 2] += left
    np.testing.assert_allclose(out, slow)


def test_a_rate_of_one_term_is_counts_over_time():
    weights, errors = likeliest(np.full((400, 1), 2.0), np.array([1000.0]), 1)
    assert weights[0] == pytest.approx(0.4)
    assert errors[0] == pytest.approx(0.4 / 20)


def test_the_likeliest_weights_are_where_no_step_leads_higher():
    dice = np.random.default_rng(8)
    terms = dice.exponential(1.0, (3000, 4)) * (1.0, 1.0, 0.1, 3.0)
    exposure = np.array([900.0, 1200.0, 300.0, 40_000.0])
    weights, errors = likeliest(terms, exposure, 1)
    assert (weights >= 0).all()
    slope = (terms / (terms @ weights)[:, None]).sum(axis=0) - exposure
    assert np.abs(slope * weights).max() < 0.5, "level where a weight is free"
    assert (slope[weights == 0] <= 0).all(), "and falling where it is not"
    assert np.array_equal(np.isnan(errors), weights == 0)
    assert (weights == 0).any()


@pytest.fixture(scope="module")
def fitted() -> tuple[ExcitationFit, Rates]:
    tapes = [simulate_day(EXCITED, day, seed=5) for day in DAYS]
    usual, edges = usual_touch_lots(tapes), distance_edges(200)
    counts = new_counts(len(edges) - 1, 200)
    rulers = [new_ruler(tape, 1, 100, usual, edges) for tape in tapes]
    for tape, ruler in zip(tapes, rulers, strict=True):
        count(tape, ruler, counts)
    rates = fit_rates(counts)
    journals: list[Journal] = []
    for tape, ruler in zip(tapes, rulers, strict=True):
        known = ruler._replace(pace=rates.cancel_per_s)
        journals.append(count(tape, known, new_counts(len(edges) - 1, 200))[1])
    fit = fit_excitation(journals, counts, rates, (0, 1, 2), TRUTH.half_lives_s)
    return fit, unexcited(counts, rates, fit)


def test_excitation_is_found(fitted):
    norms = fitted[0].norms
    np.testing.assert_allclose(norms[:, 0], TRUTH.same, atol=0.03)
    np.testing.assert_allclose(norms[:, 1], TRUTH.other, atol=0.03)


def test_errors_are_of_the_size_of_what_they_tell(fitted):
    """Where the truth is above 0, misses are a few standard errors; root mean square near one."""
    truth = np.stack([np.array(TRUTH.same), np.array(TRUTH.other)], axis=1)
    there = truth > 0
    score = (fitted[0].norms - truth)[there] / fitted[0].errors[there]
    assert 0.3 < np.sqrt(np.mean(score**2)) < 2.0


def test_what_is_left_is_the_base(fitted):
    rates = fitted[1]
    assert rates.limit_per_s == pytest.approx(1.0, rel=0.05)
    assert rates.market_per_s == pytest.approx(0.2, rel=0.06)
    assert rates.cancel_per_s.max() == pytest.approx(0.02, rel=0.2)


def test_the_settings_are_those_of_the_fit(fitted):
    settings = fitted[0].settings()
    norms = settings.norms()
    np.testing.assert_allclose(norms[:, ::2, ::2], fitted[0].norms[:, 0], rtol=1e-3)
    np.testing.assert_allclose(norms[:, ::2, 1::2], fitted[0].norms[:, 1], rtol=1e-3)
    assert settings.branching() == pytest.approx(TRUTH.branching(), abs=0.05)


def test_a_poisson_market_excites_nothing():
    market = MarketSettings(market_buy_per_s=0.4, market_sell_per_s=0.4)
    found = fit_market([simulate_day(market, day, seed=6) for day in DAYS], (LIMIT, MARKET))
    assert found.excitation.branching() < 0.1
    assert found.limit_bid_per_s == pytest.approx(1.0, rel=0.08)


def test_excitation_is_fitted_where_asked_for():
    tape = simulate_day(EXCITED, DAYS[0], seed=5)
    calm, lively = fit_market([tape]), fit_market([tape], (MARKET,))
    assert calm.excitation == Excitation()
    assert lively.excitation.branching() > 0.2
    assert lively.market_buy_per_s < 0.8 * calm.market_buy_per_s
    assert lively.limit_bid_per_s == calm.limit_bid_per_s
