"""What arrivals bring about: a slow sum, a likelihood by hand, and a market that is known."""

from __future__ import annotations

import numpy as np
import pytest

from paceline.calibrate.excitation import ExcitationFit, fit_excitation, heats, likeliest, unexcited
from paceline.calibrate.fit import fit, fit_market
from paceline.calibrate.rates import Rates, fit_rates, seen_in
from paceline.calibrate.ruler import distance_edges, new_ruler, usual_touch_lots
from paceline.calibrate.watching import watch
from paceline.engine.flow_settings import Excitation
from paceline.engine.laws import CANCEL, LIMIT, MARKET
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
    stream[3] = -1
    out, total = np.empty((2, 2, 60, 2, 2, 3))
    heats(ts, stream, decay, np.zeros((2, 6)), out, total)
    slow, area = np.zeros_like(out), np.zeros_like(total)
    for i in range(60):
        for j in range(i):
            if stream[j] < 0:
                continue
            for side in range(2):
                at = (side, i, slice(None), int(side != stream[j] % 2), stream[j] // 2)
                begin, end = (np.exp(-decay * (ts[k] - ts[j]) / 1e9) for k in (i - 1, i))
                slow[at] += decay * end
                area[at] += begin - end
    np.testing.assert_allclose(out, slow)
    np.testing.assert_allclose(total, area, atol=1e-12)


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
    logs = [watch(tape, new_ruler(tape, 1, 100, usual, edges)) for tape in tapes]
    seen = seen_in(logs)
    rates = fit_rates(seen)
    found = fit_excitation(logs, seen, rates, (0, 1, 2), TRUTH.half_lives_s)
    return found, unexcited(rates, found)


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
    calm, lively = fit([tape], ()), fit([tape], (MARKET,))
    assert calm.excitation is None
    assert calm.settings.excitation == Excitation()
    assert lively.settings.excitation.branching() > 0.2
    base = lively.excitation.base
    assert base[MARKET] < 0.8
    assert base[LIMIT] == base[CANCEL] == 1.0
