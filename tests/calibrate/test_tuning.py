"""Simulated moments: settings that were changed are found again from what their days show."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from engine.test_flow import EXCITED, many_events
from paceline.calibrate import tuning
from paceline.calibrate.tuning import moments_of, tuned
from paceline.engine.flow_settings import Anchoring, Placement, Tempo
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day

LOOKS = np.arange(-11, 12)
U_SHAPE = tuple(float(1.0 + 0.6 * abs(k - 6) / 6) for k in range(13))
RECOIL = Anchoring(
    half_life_s=5.0,
    limit=tuple(float(x) for x in np.exp(-0.4 * np.clip(LOOKS, -3, 3))),
    cancel=tuple(float(x) for x in np.exp(0.4 * np.clip(LOOKS, -3, 3))),
)
TRUTH = MarketSettings(
    close_s=34_200.0 + 7_200.0,
    limit_bid_per_s=1.0, limit_ask_per_s=1.0, market_buy_per_s=0.1, market_sell_per_s=0.1,
    cancel_per_s=0.04, excitation=replace(EXCITED, reacts=True), recoil=RECOIL,
    placement=Placement(anchor="own", law="exponential", scale_ticks=6.0, reach_ticks=30,
                        improve=(0.0, 0.2, 0.5)),
    day=tuple(x / float(np.mean(U_SHAPE)) for x in U_SHAPE),
)  # fmt: skip
DAYS = [f"2024-02-{day:02d}" for day in (5, 6, 7, 8, 9, 12, 13, 14)]


def power_of(found: Anchoring, of: Anchoring) -> float:
    known, raised = np.log(np.array(of.limit)), np.log(np.array(found.limit))
    return float(known @ raised / (known @ known))


@pytest.fixture(scope="module")
def recorded() -> tuning.Moments:
    return moments_of([simulate_day(TRUTH, day, 5) for day in DAYS])


@many_events
def test_rates_hours_and_recoil_are_found_again(recorded: tuning.Moments) -> None:
    weak = replace(
        RECOIL,
        limit=tuple(x**0.5 for x in RECOIL.limit),
        cancel=tuple(x**0.5 for x in RECOIL.cancel),
    )
    start = replace(
        TRUTH, recoil=weak, day=(1.0,) * 13, limit_bid_per_s=0.8, limit_ask_per_s=0.8,
        market_buy_per_s=0.12, market_sell_per_s=0.12,
    )  # fmt: skip
    found = tuned(start, recorded)
    # 2 is true; a few short days know moves of five minutes to a tenth.
    assert 1.4 < power_of(found.recoil, weak) < 3.1
    assert found.recoil.market == weak.market
    ends, middle = (np.array(found.day)[part].mean() for part in ([0, 1, 11, 12], [5, 6, 7]))
    true = np.array(TRUTH.day)
    assert ends / middle == pytest.approx(
        true[[0, 1, 11, 12]].mean() / true[[5, 6, 7]].mean(), rel=0.12
    )
    assert np.mean(found.day) == pytest.approx(1.0, abs=0.001)
    days = [simulate_day(found, day, 6) for day in DAYS]
    again = moments_of(days)
    np.testing.assert_allclose(again.per_s, recorded.per_s, rtol=0.08)
    np.testing.assert_allclose(again.moves, recorded.moves, rtol=0.15)


@many_events
def test_waves_are_found_again() -> None:
    """Beside those that excitation makes, and whatever tempo the fit began with."""
    market = MarketSettings(excitation=EXCITED, tempo=Tempo(sd=0.4, half_life_s=1200.0))
    recorded = moments_of([simulate_day(market, f"2024-02-{day:02d}", 5) for day in range(5, 29)])
    found = tuning._in_waves(replace(market, tempo=Tempo()), recorded)
    assert found.tempo.sd == pytest.approx(0.4, abs=0.08)
    assert 600.0 <= found.tempo.half_life_s <= 2400.0
    assert tuning._in_waves(replace(market, tempo=Tempo(sd=1.0)), recorded) == found


@many_events
def test_where_too_many_are_brought_about_fewer_are(recorded: tuning.Moments) -> None:
    """Market orders of which nearly twice as many are brought about, and none come by
    themselves: no base rate helps."""
    wild = TRUTH.excitation.scaled((0.9, 1.8, 0.9))
    start = replace(TRUTH, excitation=wild, market_buy_per_s=1e-6, market_sell_per_s=1e-6)
    before = tuning.simulated(start, recorded).per_s / recorded.per_s
    assert before[1] > 1.3
    found = tuning._less_brought(start, recorded)
    after = tuning.simulated(found, recorded).per_s / recorded.per_s
    assert abs(np.log(after[1])) < 0.5 * np.log(before[1])
    assert found.excitation.branching() < wild.branching()
    same = tuning._less_brought(TRUTH, recorded)
    assert same.excitation == TRUTH.excitation


def test_scaled_excitation_is_what_times_make_of_it() -> None:
    times = (1.0, 0.5, 2.0)
    assert EXCITED.scaled(times).branching() == pytest.approx(EXCITED.branching(times), rel=1e-5)
