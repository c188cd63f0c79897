"""Which parent orders are drawn: sizes, days, stages."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.env.episodes import CURRICULUM, EpisodeSettings, Pool, Stage
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
    pool = Pool(tapes, settings, seed=1)
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
        usual = lesson.adv_lots * (done[1] - done[0])
        share = some["lots"] / usual
        rounding = 1.0 / usual
        assert np.all(share <= 0.10 + rounding)
        assert np.all(share >= 0.05 - rounding)
        mid = tape.mid_ticks()[np.searchsorted(tape.events.ts, some["start_ts"], side="right") - 1]
        np.testing.assert_allclose(some["band_high"] / mid, 1.005, atol=0.0005)
        np.testing.assert_allclose(some["band_low"] / mid, 0.995, atol=0.0005)


def test_the_same_seed_draws_the_same(tapes: list[Tape]) -> None:
    first, second = Pool(tapes, seed=4), Pool(tapes, seed=4)
    np.testing.assert_array_equal(first.draw(50), second.draw(50))
    after = first.draw(50)
    first.reseed(4)
    first.draw(50)
    np.testing.assert_array_equal(first.draw(50), after)
    assert not np.array_equal(Pool(tapes, seed=5).draw(50), Pool(tapes, seed=4).draw(50))


def test_a_curriculum_goes_from_small_and_liquid_to_hard(tapes: list[Tape]) -> None:
    pool, sizes = Pool(tapes, seed=2), []
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
    """And changes nothing of who is taught: the first day of a name is taught by itself."""
    pool = Pool(tapes[1:2], seed=1, taught_by=tapes[:1])
    assert pool.lessons[0].days == ("2024-01-02",)
    assert Pool(tapes[:1], seed=1, taught_by=tapes[1:2]).lessons[0].days == ()
