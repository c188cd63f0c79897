"""A clock that runs unevenly: the same market, now faster and now slower."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from engine.test_flow import EXCITED, arrivals, many_events
from paceline.engine.flow_settings import Halts, Jumps, Tempo
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import Simulator
from paceline.market.events import HALT
from paceline.units import NS_PER_S

DAY = "2024-01-02"
BUSY = MarketSettings(limit_bid_per_s=4.0, limit_ask_per_s=4.0, cancel_per_s=0.1)
TEMPO = Tempo(sd=0.5, half_life_s=600.0)


def per_minute(market: MarketSettings, seed: int) -> NDArray[np.float64]:
    simulator = Simulator(market, DAY, seed)
    ts, _ = arrivals(simulator.advance(simulator.session.close_ns), simulator.session.open_ns)
    minutes = (ts - simulator.session.open_ns) // (60 * NS_PER_S)
    return np.bincount(minutes, minlength=390).astype(np.float64)


@many_events
def test_arrivals_come_in_waves_of_log_normal_height() -> None:
    """On average as many as without; counts k minutes apart have the covariance
    exp(sd ** 2 * 0.5 ** (k / half-life)) - 1, by their mean squared."""
    usual = per_minute(BUSY, 0)[30:].mean()
    days = np.stack([per_minute(replace(BUSY, tempo=TEMPO), seed) for seed in range(60)])[:, 30:]
    assert days.mean() / usual == pytest.approx(1.0, abs=0.06)
    by_usual = days / usual - 1.0
    for lag in (3, 10, 20, 40):
        found = np.mean(by_usual[:, lag:] * by_usual[:, :-lag])
        expected = np.expm1(TEMPO.sd**2 * 0.5 ** (lag / 10.0))
        assert found == pytest.approx(expected, abs=0.06)
    assert np.corrcoef(days[:-1].ravel(), days[1:].ravel())[0, 1] == pytest.approx(0.0, abs=0.1)


@many_events
def test_halts_and_own_jumps_do_not_hear_the_clock() -> None:
    """They come by the clock on the wall, however slow the market's own is."""
    slow = MarketSettings(
        halts=Halts(per_h=120.0, mean_s=0.01), jumps=Jumps(per_h=120.0),
        tempo=Tempo(sd=2.0, half_life_s=1.0), close_s=34_200.0 + 7_200.0,
    )  # fmt: skip
    simulator = Simulator(slow, DAY, 5)
    rows = simulator.advance(simulator.session.close_ns)
    assert np.sum(rows.kind == HALT) == pytest.approx(240, rel=0.2)


@many_events
def test_what_is_excited_and_recent_hears_it() -> None:
    """All of the market runs by it: its branching ratio is the same, so means are."""
    market = replace(BUSY, excitation=EXCITED)
    calm = np.mean([per_minute(market, seed)[30:].sum() for seed in range(4)])
    waves = [per_minute(replace(market, tempo=TEMPO), seed)[30:].sum() for seed in range(30)]
    assert np.mean(waves) / calm == pytest.approx(1.0, abs=0.1)


def test_a_steady_clock_draws_nothing() -> None:
    plain, steady = (
        Simulator(market, DAY, 3).advance(Simulator(market, DAY, 3).session.open_ns + 60 * NS_PER_S)
        for market in (BUSY, replace(BUSY, tempo=Tempo(sd=0.0, half_life_s=1.0)))
    )
    assert all(np.array_equal(a, b) for a, b in zip(plain, steady, strict=True))
