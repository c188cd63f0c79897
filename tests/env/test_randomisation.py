"""Venues drawn at random: inside their ranges, all over them, and one for each episode."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from env.untaught import Pool
from paceline.cost.shortfall import shortfall
from paceline.engine.queue import FillModel
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.engine.venue import Fees, Footprint, Latency, Venue
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import EpisodeSettings
from paceline.env.randomisation import VenueRanges
from paceline.errors import ConfigError, InputError
from paceline.market.tape import Tape
from paceline.units import NS_PER_MS

SHORT = EpisodeSettings(horizon_s=(120.0,), participation=None)
WIDE = VenueRanges(
    latency_ms=(2.0, 200.0), latency_tail=(1.5, 4.0), maker_bps=(-0.3, 0.1), taker_bps=(0.2, 0.9),
    maker_per_share=(-0.004, -0.001), taker_per_share=(0.001, 0.004),
    recovery_half_life_s=(0.5, 50.0), transient=(0.5, 2.0), permanent=(0.1, 10.0),
)  # fmt: skip
BASE = Venue(
    fees=Fees(maker_bps=9.0),
    footprint=Footprint(transient_ticks_per_lot=0.01, permanent_ticks_per_lot=0.002),
    band_high=1000.0,
)


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    market = load_market("yhoo-2003")
    return [simulate_day(market, f"2024-01-{day:02d}", 4) for day in (8, 9)]


def numbers(venue: Venue) -> dict[str, float]:
    """What is drawn of a venue, by the name of its range."""
    lines = {line: getattr(venue, line).table() / NS_PER_MS for line in ("submit", "ack")}
    lines["market_data"] = venue.market_data.table() / NS_PER_MS
    medians, tails = (
        {
            line: math.exp(np.interp(NORMAL.inv_cdf(at), LEVELS, np.log(table)))
            for line, table in lines.items()
        }
        for at in (0.5, 0.99)
    )
    return {
        **{f"latency_ms {line}": value for line, value in medians.items()},
        **{f"latency_tail {line}": tails[line] / medians[line] for line in lines},
        **msgspec.structs.asdict(venue.fees),
        "recovery_half_life_s": venue.footprint.recovery_half_life_s,
        "transient": venue.footprint.transient_ticks_per_lot / 0.01,
        "permanent": venue.footprint.permanent_ticks_per_lot / 0.002,
    }


NORMAL = NormalDist()
LEVELS = [NORMAL.inv_cdf((k + 0.5) / 1024) for k in range(1024)]
BY_LOG = ("latency_ms", "latency_tail", "recovery_half_life_s", "transient", "permanent")


@pytest.mark.parametrize("seed", [0, 1])
def test_every_part_of_every_range_has_one_and_none_is_outside(seed: int) -> None:
    n = 24
    venues = WIDE.draw(n, seed=seed, base=BASE)
    drawn = [numbers(venue) for venue in venues]
    for name in drawn[0]:
        key = name.partition(" ")[0]
        low, high = getattr(WIDE, key)
        values = np.array([one[name] for one in drawn])
        near = 1e-4 * max(abs(low), abs(high))
        assert np.all((values > low - near) & (values < high + near)), name
        scale = np.log if key in BY_LOG else lambda x: x
        along = (scale(values) - scale(low)) / (scale(high) - scale(low)) * n
        # Read off a table of whole ns, a number may slip over the edge of its part.
        assert np.all(np.abs(np.sort(along) - np.arange(n) - 0.5) < 0.51), name
    of_models = np.bincount([venue.fill_model for venue in venues])
    assert of_models.tolist() == [8, 8, 8]
    assert all(venue.band_high == 1000.0 for venue in venues), "what is no range is the base's"
    columns = np.array([[one["taker_bps"], one["latency_ms submit"]] for one in drawn]).T
    assert abs(np.corrcoef(columns)[0, 1]) < 0.6, "ranges are drawn apart"


def test_the_same_seed_draws_the_same_and_what_is_left_out_changes_no_other() -> None:
    assert WIDE.draw(5, seed=3, base=BASE) == WIDE.draw(5, seed=3, base=BASE)
    assert WIDE.draw(5, seed=4, base=BASE) != WIDE.draw(5, seed=3, base=BASE)
    less = msgspec.structs.replace(WIDE, latency_ms=None, maker_bps=None, fill_models=None)
    for one, other in zip(WIDE.draw(5, base=BASE), less.draw(5, base=BASE), strict=True):
        assert (other.submit, other.fill_model) == (BASE.submit, FillModel.CALIBRATED)
        assert other.footprint == one.footprint
        assert other.fees == msgspec.structs.replace(one.fees, maker_bps=9.0)


def test_bad_ranges_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r"latency_ms: 5 is above 2"):
        VenueRanges(latency_ms=(5.0, 2.0))
    with pytest.raises(ConfigError, match=r"fill_models: none is given"):
        VenueRanges(fill_models=())
    with pytest.raises(ConfigError, match=r"transient: is a multiple of 0; give a base venue"):
        VenueRanges(transient=(0.5, 2.0)).draw(2)
    with pytest.raises(InputError, match=r"n: 0 is no count of venues"):
        VenueRanges().draw(0)


def played(
    tapes: list[Tape], venue: Any, n: int = 12, steps: int = 120, **options: Any
) -> tuple[BatchExecutionEnv, NDArray[np.float64], list[dict[str, Any]]]:
    """An environment after random actions, all rewards, and how episodes ended."""
    env = BatchExecutionEnv(Pool(tapes, SHORT, seed=3), n, venue=venue, **options)
    env.reset()
    dice, rewards, infos = np.random.default_rng(5), [], []
    for _ in range(steps):
        _, reward, _, _, info = env.step(dice.integers(len(env.grid), size=n))
        rewards.append(reward.copy())
        infos += [info] if "done" in info else []
    return env, np.array(rewards), infos


def test_copies_of_a_venue_are_that_venue(tapes: list[Tape]) -> None:
    """Bit for bit: the orders are the same at however many, and so is all that comes of them."""
    venue = Venue(submit=Latency.lognormal(5.0, 20.0), fees=Fees(taker_bps=0.3))
    alone, rewards, _ = played(tapes, venue)
    for copies in (1, 3):
        env, others, _ = played(tapes, [venue] * copies, threads=copies)
        np.testing.assert_array_equal(others, rewards)
        np.testing.assert_array_equal(env.seen, alone.seen)
        assert len(np.unique(env.episodes["venue"])) == copies


def test_cost_is_shortfall_with_the_fees_of_the_venue_of_the_episode(tapes: list[Tape]) -> None:
    venues = WIDE.draw(6, seed=1, base=BASE)
    env, _, infos = played(tapes, venues, n=24, keep_fills=True)
    met, elsewhere = [], 0
    for info in infos:
        columns = (info[f"final_{name}"] for name in ("episode", "bps", "fills"))
        for episode, bps, fills in zip(*columns, strict=True):
            tape = env.pool.tapes[episode["tape"]]
            at = [episode["start_ts"], episode["end_ts"]]
            mid = tape.mid_ticks()[np.searchsorted(tape.events.ts, at, side="right") - 1]
            paid = fills["ticks"] + episode["side"] * fills["shift"]

            def cost(venue: Venue, of: Any = (tape, episode, fills, mid, paid)) -> float:
                tape, episode, fills, mid, paid = of
                fee = venue.fees.charge(paid, fills["lots"], fills["maker"] == 1, tape.instrument)
                found = shortfall(
                    [episode["side"]], [episode["lots"]], mid[:1], mid[:1], mid[1:],
                    np.zeros(len(fills), np.int64), paid, fills["lots"], fee,
                )  # fmt: skip
                return float(found.shortfall_bps[0])

            assert bps == pytest.approx(cost(venues[episode["venue"]]), abs=1e-9)
            elsewhere += bps != pytest.approx(cost(venues[episode["venue"] - 1]), abs=1e-6)
            met.append(episode["venue"])
    assert set(met) == set(range(6))
    assert elsewhere > 0.9 * len(met) > 20


def test_episodes_at_many_venues_are_each_as_alone(tapes: list[Tape]) -> None:
    venues = WIDE.draw(4, seed=2, base=BASE)
    pool = Pool(tapes, SHORT, seed=9)
    episodes = pool.draw(8, len(venues))
    actions = np.random.default_rng(9).integers(97, size=(25, 8))
    together = BatchExecutionEnv(pool, 8, venue=venues)
    together.reset(options={"episodes": episodes})
    rows = [together.advance(row)[0].copy() for row in actions]
    assert len(np.unique(episodes["venue"])) > 2
    for i in range(8):
        plain = episodes[i : i + 1].copy()
        plain["venue"] = 0
        alone = BatchExecutionEnv(pool, 1, venue=venues[episodes["venue"][i]])
        alone.reset(options={"episodes": plain})
        for row, reward in zip(actions, rows, strict=True):
            mine, over = alone.advance(row[i : i + 1])
            assert mine[0] == reward[i]
            if over[0]:
                break


def test_a_venue_that_is_none_is_refused(tapes: list[Tape]) -> None:
    pool = Pool(tapes, SHORT)
    env = BatchExecutionEnv(pool, 2, venue=WIDE.draw(2, base=BASE))
    with pytest.raises(InputError, match=r"episodes\.venue: number 1 has 2; give 0 to 1"):
        env.reset(options={"episodes": _at(pool, 2)})
    with pytest.raises(InputError, match="venue: none is given"):
        BatchExecutionEnv(pool, 2, venue=[])


def _at(pool: Pool, venue: int) -> NDArray[np.void]:
    episodes = pool.draw(2)
    episodes["venue"][1] = venue
    return episodes
