"""Simulated moments: settings that were changed are found again from what their days show."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from engine.test_flow import EXCITED, SELF, many_events
from paceline.calibrate import tuning
from paceline.calibrate.tuning import moments_of, tuned
from paceline.engine.flow_settings import Anchoring, Excitation, Placement, SpreadReaction
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.errors import ExchangeError, InputError

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
    assert power_of(found.recoil, weak) == pytest.approx(2.0, abs=0.51)
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


def never_ending(settings: MarketSettings, recorded: tuning.Moments) -> tuning.Moments:
    raise ExchangeError("excitation.same: more and more")


@many_events
def test_excitation_that_does_not_end_is_lowered() -> None:
    wild = replace(
        TRUTH, close_s=34_200.0 + 600.0, recoil=Anchoring(),
        tension=SpreadReaction(limit=(1.0, 4.0), cancel=(1.0, 4.0)),
        excitation=Excitation(
            half_lives_s=(1.0,), same=(SELF,), other=(((0.0,) * 3,) * 3,), reacts=True
        ),
    )  # fmt: skip
    short = replace(TRUTH, close_s=wild.close_s)
    found = tuned(wild, moments_of([simulate_day(short, day, 5) for day in DAYS]))
    assert 0.0 < found.excitation.branching() < 0.7 < wild.excitation.branching()
    assert len(simulate_day(found, DAYS[0], 1).events.ts) > 100


def test_what_cannot_be_lowered_enough_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "simulated", never_ending)
    lots = np.ones(1, np.int64)
    nothing = tuning.Moments(np.ones(3), np.ones((3, 13)), np.ones(4), np.ones(3), lots, lots)
    with pytest.raises(InputError, match=r"^tapes: what arrivals seem to bring about never ends"):
        tuned(TRUTH, nothing)
