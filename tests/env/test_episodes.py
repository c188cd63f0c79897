"""Which parent orders are drawn: sizes, days, stages."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from env.untaught import Pool as UntaughtPool
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.env.episodes import CURRICULUM, EpisodeSettings, Pool, Stage
from paceline.errors import ConfigError
from paceline.market.events import Rows
from paceline.market.tape import Tape
from paceline.units import NS_PER_S


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    """Two names, the second ten times as busy, two days of each."""
    quiet = MarketSettings(symbol="QUIET", close_s=34_200.0 + 7_200.0)
    busy = replace(
        quiet, symbol="BUSY", market_buy_per_s=1.2, market_sell_per_s=1.2, limit_bid_per_s=4.0,
        limit_ask_per_s=4.0,
    )  # fmt: skip
    return [simulate_day(one, f"2024-01-{day:02d}", 1) for one in (quiet, busy) for day in (2, 3)]


def test_orders_are_as_the_settings_say(tapes: list[Tape]) -> None:
    settings = EpisodeSettings(
        horizon_s=(300.0, 900.0), qty_volume=(0.05, 0.10), urgency=(1.0, 1.5), price_band_bps=50.0
    )
    pool = UntaughtPool(tapes, settings, seed=1)
    found = pool.draw(400)
    assert set(found["tape"]) == {0, 1, 2, 3}
    assert set((found["end_ts"] - found["start_ts"]) // NS_PER_S) == {300, 900}
    assert 0.4 < np.mean(found["side"] > 0) < 0.6
    assert np.all((found["steepness"] >= 1.0) & (found["steepness"] <= 1.5))
    for day in range(4):
        tape, lesson = tapes[day], pool.lessons[day]
        some = found[found["tape"] == day]
        open_ns, close_ns = tape.session.open_ns, tape.session.close_ns
        assert np.all((some["start_ts"] > open_ns) & (some["end_ts"] <= close_ns))
        # Volume of the horizon by the curve, which knows earlier days only.
        midnight = lesson.curve.edges_ns[0] - open_ns
        done = [
            np.interp(some[name] + midnight, lesson.curve.edges_ns, lesson.curve.traded)
            for name in ("start_ts", "end_ts")
        ]
        usual = lesson.session_lots * (done[1] - done[0])
        share = some["lots"] / usual
        rounding = 1.0 / usual
        assert np.all(share <= 0.10 + rounding)
        assert np.all(share >= 0.05 - rounding)
    assert np.all(found["band_ppm"] == 5000)
    assert np.all(EpisodeSettings(price_band_bps=0.29).band_ppm() == 29), "and not 28.999"
    assert EpisodeSettings(price_band_bps=None).band_ppm() == 0


def test_the_same_seed_draws_the_same(tapes: list[Tape]) -> None:
    first, second = UntaughtPool(tapes, seed=4), UntaughtPool(tapes, seed=4)
    np.testing.assert_array_equal(first.draw(50), second.draw(50))
    after = first.draw(50)
    first.reseed(4)
    first.draw(50)
    np.testing.assert_array_equal(first.draw(50), after)
    assert not np.array_equal(UntaughtPool(tapes, seed=5).draw(50), after)


def test_a_curriculum_goes_from_small_and_liquid_to_hard(tapes: list[Tape]) -> None:
    pool, sizes = UntaughtPool(tapes, seed=2), []
    for stage in CURRICULUM[:2]:
        pool.enter(stage)
        found = pool.draw(200)
        sizes.append(
            np.median(found["lots"] / np.array([x.adv_lots for x in pool.lessons])[found["tape"]])
        )
        if stage.liquid_share < 1.0:
            names = {tapes[day].instrument.symbol for day in found["tape"]}
            assert names == {"BUSY"}
    assert sizes[0] < sizes[1] / 2
    pool.enter(Stage(name="any", liquid_share=0.01))
    assert len(set(pool.draw(20)["tape"])) == 1, "one day at least"


def test_what_teaches_lies_before(tapes: list[Tape]) -> None:
    """A day without one before it would be taught by itself: it has to be asked for."""
    pool = Pool(tapes[1:2], seed=1, taught_by=tapes[:1])
    assert pool.lessons[0].days == ("2024-01-02",)
    refused = "tapes: QUIET-2024-01-02 has no whole day before it to learn from; give earlier days"
    for given, teachers in (
        (tapes[:1], tapes[1:2]), (tapes[:1], tapes[:1]), (tapes[:1], tapes[2:]), (tapes, tapes),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=refused):
            Pool(given, taught_by=teachers)
    own = Pool(tapes[:1], taught_by=tapes[1:2], untaught="own")
    assert own.lessons[0].days == ()
    with pytest.raises(ConfigError, match="untaught: 'any' is neither"):
        Pool(tapes, untaught="any")  # type: ignore[arg-type]


def test_nothing_that_is_taught_is_of_the_day_itself(tapes: list[Tape]) -> None:
    """Be it ever so different, from its first event on: busier, and all sizes three times those."""
    day, other = tapes[1], tapes[3]
    busier = Tape.compile(rows_of(other, 3), day.instrument, day.session)
    assert busier.events.volume[-1] > 2 * day.events.volume[-1]
    taught = [Pool([one], taught_by=tapes[:1]) for one in (day, busier)]
    first, second = (pool.lessons[0] for pool in taught)
    assert (first.days, first.adv_lots) == (second.days, second.adv_lots)
    assert taught[0].touch_lots == taught[1].touch_lots
    np.testing.assert_array_equal(first.curve.traded, second.curve.traded)
    assert (first.impact, first.decay, first.recovery, first.cancels) == (
        second.impact, second.decay, second.recovery, second.cancels,
    )  # fmt: skip
    own = [Pool([one], untaught="own") for one in (day, busier)]
    assert own[0].lessons[0].adv_lots != own[1].lessons[0].adv_lots, "what this could see"
    assert own[0].touch_lots != own[1].touch_lots


def test_each_episode_has_a_horizon_of_its_own(tapes: list[Tape]) -> None:
    """Also among those that are drawn of one day in one go."""
    settings = EpisodeSettings(horizon_s=(300.0, 600.0, 900.0))
    for seed in range(3):
        found = Pool(tapes[1:2], settings, seed=seed, taught_by=tapes).draw(300)
        horizon, times = np.unique((found["end_ts"] - found["start_ts"]), return_counts=True)
        assert list(horizon // NS_PER_S) == [300, 600, 900]
        assert np.all((times > 60) & (times < 140))
        assert len(set(found["end_ts"][:20] - found["start_ts"][:20])) == 3, "not one by one"


def rows_of(tape: Tape, times: int) -> Rows:
    """What it was compiled from, with so many times the lots."""
    events = tape.events
    ticks = np.where(events.level < 0, 0, tape.level_ticks[np.maximum(events.level, 0)])
    return Rows(
        np.array(events.ts), events.kind, events.side, ticks, events.qty.astype(np.int64) * times,
        events.slot,
    )  # fmt: skip
