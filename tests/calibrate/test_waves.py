"""Waves: the covariance of counts, and the tempo behind it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from paceline.calibrate.waves import FEWEST_DAYS, LAGS, busy, expected, fit_tempo, waves
from paceline.engine.flow_settings import Tempo
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day

BINS = 78


def counts(tempo: Tempo, n_days: int, seed: int) -> list[NDArray[np.float64]]:
    """Poisson counts around a U-shaped day whose clock runs so."""
    dice = np.random.default_rng(seed)
    hour = 600.0 * (1.0 + np.linspace(-1, 1, BINS) ** 2)
    kept = 0.5 ** (300.0 / tempo.half_life_s)
    days = []
    for _ in range(n_days):
        x = np.empty(BINS)
        x[0] = dice.normal()
        for k in range(1, BINS):
            x[k] = kept * x[k - 1] + np.sqrt(1 - kept**2) * dice.normal()
        speed = np.exp(tempo.sd * x - tempo.sd**2 / 2)
        days.append(dice.poisson(hour * speed).astype(np.float64))
    return days


def test_the_formula_is_what_many_days_show() -> None:
    tempo = Tempo(sd=0.4, half_life_s=1200.0)
    found = waves(counts(tempo, 4000, 1))
    np.testing.assert_allclose(found[1:], expected(tempo, BINS)[1:], atol=0.006)


@pytest.mark.parametrize(
    "tempo", [Tempo(sd=0.4, half_life_s=1200.0), Tempo(sd=0.25, half_life_s=600.0)]
)
def test_a_tempo_is_found_again(tempo: Tempo) -> None:
    steady = waves(counts(Tempo(), 40, 2))
    found = [fit_tempo(waves(counts(tempo, 40, seed)), steady, BINS) for seed in range(3, 9)]
    assert np.mean([one.sd for one in found]) == pytest.approx(tempo.sd, abs=0.05)
    half_lives = np.log([one.half_life_s for one in found])
    assert np.mean(half_lives) == pytest.approx(np.log(tempo.half_life_s), abs=0.4)


def test_where_there_are_no_waves_none_are_found() -> None:
    steady = waves(counts(Tempo(), 12, 4))
    assert fit_tempo(waves(counts(Tempo(), 12, 5)), steady, BINS) == Tempo()


def test_few_or_short_days_say_nothing() -> None:
    days = counts(Tempo(), FEWEST_DAYS, 6)
    assert np.isnan(waves(days[1:])).all()
    assert np.isnan(waves([day[: 2 * LAGS] for day in days])).all()
    assert fit_tempo(waves(days[1:]), waves(days), BINS) == Tempo()


def test_the_book_that_stands_at_the_open_is_not_busy() -> None:
    market = MarketSettings(close_s=34_200.0 + 3_600.0)
    tape = simulate_day(market, "2024-01-02", 1)
    found = busy(tape)
    assert len(found) == 12
    opening = int(np.sum(tape.events.ts == tape.session.open_ns))
    assert opening > 0
    assert found.sum() == len(tape.events.ts) - opening
