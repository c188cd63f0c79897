"""News, regimes and extreme volatility in an environment: of the past only, and heeded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from env.test_batch_env import _with_another_future
from env.untaught import Pool
from paceline.decision.actions import ActionGrid
from paceline.decision.box import ActionBox
from paceline.decision.feeds import Feed
from paceline.decision.moods import Moods, MoodSettings, usual_volatility_ppm
from paceline.decision.regimes import LiquidityRegimes
from paceline.decision.schema import NAMES
from paceline.engine.account import LIMIT
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.engine.venue import Latency, Venue
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import EpisodeSettings
from paceline.errors import ConfigError, InputError
from paceline.guard.reasons import PASSIVE_ONLY
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

SHORT = EpisodeSettings(horizon_s=(120.0, 300.0), participation=None)
MOOD = [k for k, name in enumerate(NAMES) if name.split()[-1].startswith("regime_")]
MOOD += [NAMES.index(f"{no}{name}") for no in ("", "no ") for name in (
    "news", "sentiment", "is_volatile")]  # fmt: skip
EXTREME = MoodSettings(volatile_times=1.2, loud_news=0.8)


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    market = load_market("yhoo-2003")
    return [simulate_day(market, f"2024-01-{day:02d}", 4) for day in (8, 9)]


@pytest.fixture(scope="module")
def regimes(tapes: list[Tape]) -> LiquidityRegimes:
    env, rows = BatchExecutionEnv(Pool(tapes[:1], SHORT, seed=1), 64), []
    env.reset()
    for _ in range(15):
        env.step(env.random_actions())
        rows.append(env.seen.copy())
    told = np.concatenate(rows)
    day = tapes[0].session.day
    return LiquidityRegimes(day, 3).fit(told, [day] * len(told))


def feed_of(tape: Tape, seed: int = 1, since: int = 0, symbol: str = "YHOO") -> Feed:
    """News every half minute; from `since` on it is other news."""
    feed, dice, other = Feed(stale_s=20.0), np.random.default_rng(1), np.random.default_rng(seed)
    for ts in range(tape.session.open_ns, tape.session.close_ns, 30 * NS_PER_S):
        usual, changed = dice.random(2), other.random(2)
        score, sentiment = changed if ts >= since else usual
        feed.push(ts, symbol, float(score), float(2 * sentiment - 1))
    return feed


def moods_of(tape: Tape, regimes: LiquidityRegimes, **news: Any) -> Moods:
    return Moods(EXTREME, feed=feed_of(tape, **news), regimes=regimes)


def played(
    tapes: list[Tape], moods: Moods | None, n: int = 12, **options: Any
) -> tuple[NDArray[np.float64], NDArray[np.float32], BatchExecutionEnv]:
    """Rewards and features of every step of random actions."""
    pool = Pool(tapes[1:], SHORT, seed=3, taught_by=tapes[:1])
    env = BatchExecutionEnv(pool, n, moods=moods, **options)
    env.reset(seed=2)
    dice, rewards, seen = np.random.default_rng(5), [], []
    for _ in range(60):
        _, reward, _, _, _ = env.step(dice.integers(len(env.grid), size=n))
        rewards.append(reward.copy())
        seen.append(env.seen.copy())
    return np.array(rewards), np.array(seen), env


def test_where_nothing_is_held_back_only_the_moods_are_seen(
    tapes: list[Tape], regimes: LiquidityRegimes
) -> None:
    """Bit for bit, all else is what it is without them; and without them they are missing."""
    rewards, seen, env = played(tapes, None)
    empty, unseen, _ = played(tapes, Moods())
    np.testing.assert_array_equal(rewards, empty)
    np.testing.assert_array_equal(seen, unseen)
    assert np.all(env.lives.snapshot["quiet"] == 1)
    told = Moods(
        MoodSettings(volatile_times=1.2, loud_news=0.8, passive=False),
        feed=feed_of(tapes[1]), regimes=regimes,
    )  # fmt: skip
    others, moody, env = played(tapes, told)
    np.testing.assert_array_equal(rewards, others)
    rest = np.setdiff1d(np.arange(len(NAMES)), MOOD)
    np.testing.assert_array_equal(seen[..., rest], moody[..., rest])
    assert np.all(env.lives.snapshot["quiet"] == 1)
    named = dict(zip(NAMES, np.moveaxis(moody, -1, 0), strict=True))
    assert np.all(dict(zip(NAMES, np.moveaxis(seen, -1, 0), strict=True))["no news"] == 1.0)
    assert 0.2 < np.mean(named["no news"]) < 0.5, "twenty seconds of thirty"
    assert np.mean(named["no regime_0"]) < 0.1
    known = named["no regime_0"] == 0.0
    total = sum(named[f"regime_{k}"][known] for k in range(6))
    np.testing.assert_allclose(total, 1.0, atol=1e-5)
    assert 0.05 < np.mean(named["is_volatile"]) < 0.95


def test_features_are_those_of_the_feed_and_of_the_model(
    tapes: list[Tape], regimes: LiquidityRegimes
) -> None:
    """Looked up in Python, decision by decision, with side and all."""
    moods = moods_of(tapes[1], regimes)
    _, _, env = played(tapes, moods, n=32)
    named = dict(zip(NAMES, env.seen.T, strict=True))
    assert moods.feed is not None
    usual = usual_volatility_ppm(tapes[:1])
    for i in range(32):
        order, snapshot = env.lives.order[i, 0], env.lives.snapshot[i]
        score, sentiment = moods.feed.at("YHOO", int(order["now_ts"]))
        assert named["no news"][i] == np.isnan(score)
        assert named["news"][i] == np.float32(np.nan_to_num(score))
        assert named["sentiment"][i] == np.float32(np.nan_to_num(sentiment) * order["side"])
        weights = regimes.weights(env.seen[i])
        found = [named[f"regime_{k}"][i] for k in range(6)]
        np.testing.assert_array_equal(np.nan_to_num(weights).astype(np.float32), found)
        volatile = snapshot["volatility_ppm"] > round(1.2 * usual)
        assert named["is_volatile"][i] == volatile
        assert snapshot["quiet"] == (not (volatile or score >= 0.8))


def test_usual_volatility_is_the_median_of_what_the_guard_is_told(tapes: list[Tape]) -> None:
    """In episodes that begin all over the day."""
    pool = Pool(tapes[:1], EpisodeSettings(horizon_s=(10.0,)), seed=1)
    env = BatchExecutionEnv(pool, 2000)
    env.reset()
    full = env.episodes["start_ts"] > tapes[0].session.open_ns + 300 * NS_PER_S
    told = np.median(env.lives.snapshot["volatility_ppm"][full])
    assert usual_volatility_ppm(tapes[:1]) == pytest.approx(told, rel=0.1)
    assert np.isnan(usual_volatility_ppm([]))


@pytest.mark.parametrize("grid", [ActionGrid(), ActionBox()])
def test_nothing_takes_while_it_is_extreme(
    tapes: list[Tape], regimes: LiquidityRegimes, grid: ActionGrid | ActionBox
) -> None:
    """But the end of the horizon."""
    pool = Pool(tapes[1:], EpisodeSettings(horizon_s=(300.0,)), seed=3, taught_by=tapes[:1])
    env = BatchExecutionEnv(pool, 32, grid=grid, moods=moods_of(tapes[1], regimes))
    env.reset(seed=4)
    taken = np.zeros(2, np.int64)
    for _ in range(40):
        quiet = env.lives.snapshot["quiet"] == 1
        before = env.lives.account.clock["n_orders"][:, 0].copy()
        if isinstance(grid, ActionGrid):
            takes = np.flatnonzero(grid.table()["does"] > 1)
            taking = env.lives.bits[:, takes]
            assert np.all((taking[~quiet] & PASSIVE_ONLY) != 0)
            assert np.all((taking[quiet] & PASSIVE_ONLY) == 0)
        env.advance(env.random_actions())
        account = env.lives.account
        for i in np.flatnonzero(env.lives.progress["over"] == 0):
            sent = account.orders[i, before[i] : account.clock[i, 0]["n_orders"]]
            taken[int(quiet[i])] += int(np.sum(sent["first_type"] != LIMIT))
    assert taken[0] == 0
    assert taken[1] > 20


def test_nothing_is_known_of_the_future(tapes: list[Tape], regimes: LiquidityRegimes) -> None:
    """Where news, and the market, are others from some time on, all that was seen, allowed and paid
    before stays the same to the last bit, moods and all."""
    tape = tapes[1]
    pool = Pool([tape], SHORT, seed=2, taught_by=tapes[:1])
    episodes = pool.draw(48)
    cut = int(np.median(episodes["start_ts"])) + 60 * NS_PER_S
    other = Pool([_with_another_future(tape, cut)], SHORT, seed=2, taught_by=tapes[:1])
    venue = Venue(market_data=Latency.constant(2.0), submit=Latency.constant(5.0))
    env = BatchExecutionEnv(pool, 48, venue=venue, moods=moods_of(tape, regimes))
    # The times of the news are the same; what it says from the cut on is not.
    changed = BatchExecutionEnv(
        other, 48, venue=venue, moods=moods_of(tape, regimes, seed=9, since=cut)
    )
    for one in (env, changed):
        one.reset(options={"episodes": episodes})
    dice, compared, moved = np.random.default_rng(1), 0, 0
    going = np.ones(48, bool)
    for _ in range(40):
        past = going & (env.lives.progress["ts"] < cut)
        np.testing.assert_array_equal(env.seen[past], changed.seen[past])
        np.testing.assert_array_equal(env.lives.bits[past], changed.lives.bits[past])
        compared += int(past.sum())
        later = going & ~past
        moved += int(np.any(env.seen[later][:, MOOD] != changed.seen[later][:, MOOD]))
        actions = dice.integers(len(env.grid), size=48)
        _, over = env.advance(actions)
        _, also_over = changed.advance(actions)
        going &= (over == 0) & (also_over == 0)
    assert compared > 150
    assert moved > 0, "the future did change"


def test_news_of_another_symbol_is_none(tapes: list[Tape]) -> None:
    moods = Moods(MoodSettings(loud_news=0.1), feed=feed_of(tapes[1], symbol="IBM"))
    _, seen, env = played(tapes, moods)
    assert np.all(seen[..., NAMES.index("no news")] == 1.0)
    assert np.all(env.lives.snapshot["quiet"] == 1)


def test_bad_moods_are_one_line(tapes: list[Tape]) -> None:
    with pytest.raises(ConfigError, match=r"loud_news: 0\.8 is given without news"):
        Moods(MoodSettings(loud_news=0.8))
    with pytest.raises(ConfigError, match="volatile_times"):
        MoodSettings(volatile_times=0.0)
    with pytest.raises(InputError, match="fitted on nothing"):
        Moods(regimes=LiquidityRegimes("2024-01-08"))
    with pytest.raises(ConfigError, match="nothing is usual on YHOO without earlier days"):
        BatchExecutionEnv(Pool(tapes[:1]), 1, moods=Moods(MoodSettings(volatile_times=2.0)))
