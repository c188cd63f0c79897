"""Episodes in markets that answer back: each in one of its own, the same for whoever runs it."""

from __future__ import annotations

import os
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from paceline.cost.shortfall import shortfall
from paceline.decision.actions import ActionGrid
from paceline.decision.box import ActionBox
from paceline.decision.schema import N_VALUES, NAMES, ranges
from paceline.engine.account import new_account
from paceline.engine.dice import new_dice
from paceline.engine.market_settings import MarketSettings
from paceline.engine.shipped import load_market
from paceline.engine.simulated_exchange import SimulatedExchange
from paceline.engine.venue import Fees, Latency, Spell, Venue
from paceline.env import own_markets, simulated_pool
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.checks import check_conservation, check_deterministic
from paceline.env.episode import RUNNING, TERMINATED
from paceline.env.episodes import CURRICULUM, EpisodeSettings
from paceline.env.execution_env import ID, ExecutionEnv
from paceline.env.grounds import LISTEN_NS
from paceline.env.policies import Urgency, make_plan, parse_policy
from paceline.env.randomisation import VenueRanges
from paceline.env.simulated_pool import DAY, SimulatedPool
from paceline.env.working import PARENT_RECORD, new_log, work_one
from paceline.errors import ConfigError, InputError
from paceline.market.watch import begin, look_back, new_watch, note_rows
from paceline.units import BPS, NS_PER_S

SHORT = EpisodeSettings(horizon_s=(120.0, 300.0), participation=None, price_band_bps=None)
VENUE = Venue(
    submit=Latency.constant(5.0), ack=Latency.constant(3.0), market_data=Latency.constant(2.0),
    fees=Fees(maker_per_share=-0.002, taker_per_share=0.003, taker_bps=0.1),
)  # fmt: skip


pytestmark = pytest.mark.skipif(
    not os.environ.get("PACELINE_SLOW"), reason="minutes of compiling; set PACELINE_SLOW=1"
)


def pool_of(seed: int = 3, settings: EpisodeSettings = SHORT) -> SimulatedPool:
    return SimulatedPool(_TAUGHT["yhoo-2003"], settings, seed=seed)


_TAUGHT: dict[str, MarketSettings] = {"yhoo-2003": load_market("yhoo-2003")}


@pytest.fixture(scope="module", autouse=True)
def taught_once() -> Any:
    """Pools of one market learn the same: they learn it once."""
    measured: dict[tuple[int, str], Any] = {}
    measure = simulated_pool._measure

    def once(market: MarketSettings, day: str) -> Any:
        key = (id(market), day)
        if key not in measured:
            measured[key] = measure(market, day)
        return measured[key]

    simulated_pool._measure = once
    yield
    simulated_pool._measure = measure


def played(
    n: int, steps: int, seed: int = 3, venue: Venue = VENUE, **options: Any
) -> tuple[BatchExecutionEnv, list[dict[str, Any]], NDArray[np.float64]]:
    """An environment after random actions, what ended, and all rewards `[steps, n]`."""
    env = BatchExecutionEnv(pool_of(seed), n, venue=venue, **options)
    env.reset()
    dice = np.random.default_rng(seed)
    infos, rewards = [], []
    for _ in range(steps):
        _, reward, _, _, info = env.step(dice.integers(len(env.grid), size=n))
        infos.append(info)
        rewards.append(reward.copy())
    return env, [info for info in infos if "done" in info], np.array(rewards)


def test_the_same_seed_plays_the_same_game() -> None:
    first, second = played(8, 120), played(8, 120)
    np.testing.assert_array_equal(first[2], second[2])
    np.testing.assert_array_equal(first[0].seen, second[0].seen)
    assert not np.array_equal(first[2], played(8, 120, seed=4)[2])


def test_threads_change_nothing() -> None:
    first, second = played(16, 60), played(16, 60, threads=2)
    np.testing.assert_array_equal(first[2], second[2])
    np.testing.assert_array_equal(first[0].seen, second[0].seen)


def test_many_are_as_many_alone() -> None:
    """Bit for bit, and after other episodes have used their memory."""
    episodes = pool_of(9).draw(8)
    actions = np.random.default_rng(9).integers(97, size=(25, 8))
    together = BatchExecutionEnv(pool_of(9), 8, venue=VENUE)
    together.reset(options={"episodes": episodes})
    alone, _, _ = played(1, 40)
    compared = 0
    for i in range(8):
        seen, _ = together.reset(options={"episodes": episodes})
        mine, _ = alone.reset(options={"episodes": episodes[i : i + 1]})
        for row in actions:
            np.testing.assert_array_equal(mine[0], seen[i])
            seen, reward, over, _, _ = together.step(row)
            mine, my_reward, my_over, _, _ = alone.step(row[i : i + 1])
            assert my_reward[0] == reward[i]
            assert my_over[0] == over[i]
            if over[i]:
                break
            compared += 1
    assert compared > 60


def test_gymnasium_and_our_checks_find_nothing() -> None:
    check_env(gym.make(ID, pool=pool_of(), render_mode="rgb_array").unwrapped)
    env = ExecutionEnv(pool_of(), venue=VENUE, render_mode="rgb_array")
    check_deterministic(env, seed=5)
    check_conservation(env, seed=5, episodes=3)
    assert env.render() is not None


def test_cost_is_shortfall() -> None:
    """The figure of the kernels and that of `cost.shortfall`, from fills, to the last digits."""
    env, infos, _ = played(16, 300, keep_fills=True)
    seen = made = 0
    for info in infos:
        columns = (info[f"final_{name}"] for name in ("episode", "order", "bps", "fills"))
        for episode, order, bps, fills in zip(*columns, strict=True):
            instrument = env.pool.tapes[episode["tape"]].instrument
            paid = fills["ticks"] + episode["side"] * fills["shift"]
            fee = VENUE.fees.charge(paid, fills["lots"], fills["maker"] == 1, instrument)
            arrival = np.array([0.5 * order["arrival_twice_mid"]])
            assert order["left"] == 0, "what is left at the end takes the book"
            cost = shortfall(
                [episode["side"]], [episode["lots"]], arrival, arrival, arrival,
                np.zeros(len(fills), np.int64), paid, fills["lots"], fee,
            )  # fmt: skip
            assert bps == pytest.approx(cost.shortfall_bps[0], abs=1e-9)
            assert fills["lots"].sum() == episode["lots"]
            made += int(fills["maker"].sum())
            seen += 1
    assert seen > 20
    assert made > 20, "orders rest in a book that answers, and are taken there"


def test_features_are_within_their_ranges_and_flagged() -> None:
    env, _, _ = played(64, 60)
    low, high = ranges().T
    assert np.isfinite(env.seen).all()
    assert np.all(env.seen[:, :N_VALUES] >= low.astype(np.float32))
    assert np.all(env.seen[:, :N_VALUES] <= high.astype(np.float32))
    named = dict(zip(NAMES, env.seen.T, strict=True))
    opened = env.pool.tapes[0].session.open_ns
    late = env.episodes["start_ts"] - opened > 306 * NS_PER_S
    assert late.any()
    for name in ("volatility_300s", "volume_300s", "near_adds_60s"):
        assert np.all(named[f"no {name}"][late] == 0.0), "five minutes were listened to"


LATE_ANSWERS = Venue(
    submit=Latency.lognormal(5.0, 40.0), ack=Latency.lognormal(300.0, 900.0),
    market_data=Latency.lognormal(2.0, 60.0),
)  # fmt: skip
LATE_DATA = Venue(
    submit=Latency.lognormal(5.0, 20.0), ack=Latency.lognormal(3.0, 9.0),
    market_data=Latency.lognormal(400.0, 900.0),
)  # fmt: skip


@pytest.mark.parametrize("venue", [VENUE, LATE_ANSWERS, LATE_DATA])
def test_a_schedule_costs_what_it_does_in_a_backtest(venue: Venue) -> None:
    """In the same market, down to the random numbers, those of delays as well: the worker of a
    backtest is given it by a `SimulatedExchange` that begins as early."""
    settings = EpisodeSettings(horizon_s=(600.0,), participation=0.2)
    pool = pool_of(6, settings)
    env = BatchExecutionEnv(pool, 6, venue=venue)
    for text in ("twap/cross/12", "ac/touch/10", "pov/touch/8", "vwap/mid+7s/6"):
        env.reset(seed=6)
        policy, urgency = parse_policy(text, 10, 100.0), Urgency(200.0, None)
        steps = list(env.follow(policy, urgency))
        assert len(steps) == policy.n_slices
        assert np.all(env.lives.progress["over"] == TERMINATED)
        rewards = np.sum([reward for reward, _ in steps], axis=0)
        np.testing.assert_allclose(-rewards, env.lives.progress["marked_bps"], atol=1e-9)
        for i, episode in enumerate(env.episodes):
            parents = np.zeros(1, PARENT_RECORD)
            for name in PARENT_RECORD.names or ():
                parents[name] = episode[name]
            plan = make_plan(policy, pool.tapes[0], pool.lessons[0], parents, urgency, 0.1, True)
            exchange = market_of(episode, pool.seed, venue)
            floor = exchange.floor._replace(account=new_account(1, 512, 1024))
            log = new_log(1, 512, 1024)
            assert work_one(floor, parents, plan, log)
            fills = log.fills[: log.used[1]]
            for name in ("ts", "ticks", "lots", "maker"):
                np.testing.assert_array_equal(fills[name], env.fills(i)[name])
            assert len(fills) > 0


def market_of(
    episode: np.void, seed: int, venue: Venue = VENUE, **options: Any
) -> SimulatedExchange:
    """The market of an episode, for people."""
    session = _TAUGHT["yhoo-2003"].session(DAY)
    return SimulatedExchange(
        _TAUGHT["yhoo-2003"], DAY, seed, venue, episode=int(episode["number"]),
        begin_ns=max(int(episode["start_ts"]) - LISTEN_NS, session.open_ns), **options,
    )  # fmt: skip


@pytest.mark.parametrize("delay_ms", [0.0, 2.0, 700.0])
def test_a_watch_in_an_episode_heard_every_row_by_what_is_seen(delay_ms: float) -> None:
    """Where we only hold, the market is one without us, and its rows are known."""
    venue = Venue(market_data=Latency.constant(delay_ms))
    env = BatchExecutionEnv(pool_of(2), 4, venue=venue)
    env.reset()
    for _ in range(6):
        env.advance(np.zeros(4, np.int64))
    for i in range(4):
        exchange = market_of(env.episodes[i], 2, records=True)
        seen = int(env.lives.account.clock[i, 0]["last_seen"])
        assert env.lives.progress["ts"][i] - seen == round(delay_ms * 1e6)
        exchange.advance(seen)
        tape = exchange.tape()
        first = np.searchsorted(tape.events.ts, tape.events.ts[0], side="right")
        bid, ask = tape.bid_ticks()[first - 1], tape.ask_ticks()[first - 1]
        watch = new_watch()
        begin(watch, int(tape.events.ts[0]), int(bid), int(ask))
        note_rows(watch, tape.events, tape.level_ticks, int(first), len(tape))
        look_back(watch, seen)
        np.testing.assert_array_equal(watch.sums, env.lives.watch.sums[i])
        assert env.lives.ticks[i, 0, 0] == tape.bid_ticks()[-1]
        assert env.lives.sizes[i, 0, 0] > 0


def test_taking_moves_the_market() -> None:
    """Against the same market without us, 200 times."""
    grid = ActionGrid(sizes=(1.0,), prices=("touch", "take_2"), waits_s=(10.0,), hold_s=10.0)
    settings = EpisodeSettings(
        horizon_s=(300.0,), qty_volume=(0.3, 0.5), participation=None, price_band_bps=None
    )
    env = BatchExecutionEnv(pool_of(8, settings), 200, grid=grid)
    env.reset()
    episodes, mids = env.episodes.copy(), []
    for first in (0, grid.index(0, 1, 0)):
        env.reset(options={"episodes": episodes})
        for action in (first, 0, 0):
            env.advance(np.full(200, action))
        mids.append(env.lives.progress["twice_mid"].astype(np.float64))
        assert np.all(env.lives.progress["illegal"] == 0)
    impact = episodes["side"] * (mids[1] - mids[0]) / mids[0] * BPS
    error = impact.std() / np.sqrt(200)
    assert impact.mean() > 5 * error > 0
    assert np.mean(impact > 0) > 0.5


def test_our_own_orders_are_not_in_the_mid_nor_in_the_levels() -> None:
    """A bid of ours inside the spread is the best of the book, and nothing that we look at says
    so."""
    grid = ActionGrid(sizes=(1.0,), prices=("inside",), waits_s=(0.001,), hold_s=0.001)
    settings = EpisodeSettings(horizon_s=(120.0,), participation=None)
    env = BatchExecutionEnv(pool_of(5, settings), 32, grid=grid)
    env.reset()
    before = env.lives.ticks[:, :, 0].copy(), env.lives.progress["twice_mid"].copy()
    env.advance(np.full(32, grid.index(0, 0, 0)))
    env.advance(np.zeros(32, np.int64))
    rests = env.lives.account.clock["n_live"][:, 0] > 0
    assert rests.sum() > 16
    levels = env.days[0].level_ticks
    improved = [
        levels[env.lives.best[i, 0 if env.episodes["side"][i] > 0 else 1]]
        != before[0][i, 0 if env.episodes["side"][i] > 0 else 1]
        for i in np.flatnonzero(rests)
    ]
    assert np.mean(improved) > 0.8
    same = env.lives.ticks[rests][:, :, 0] == before[0][rests]
    assert same.mean() > 0.9, "within two milliseconds hardly anybody else moves"
    assert np.mean(env.lives.progress["twice_mid"][rests] == before[1][rests]) > 0.9


def test_room_that_runs_out_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of orders, of prints, and of rows that may not be heard yet; by actions and by slices."""
    roomy, _, rewards = played(16, 120)
    episodes = pool_of().draw(64)
    assert roomy.episodes["number"].max() < 64
    openings = (market_of(episode, 3).floor.market.flow.clock for episode in episodes)
    stood = max(int(clock["n_bids"][0] + clock["n_asks"][0]) for clock in openings)
    monkeypatch.setattr(own_markets, "_slots_for", lambda settings, laws: stood)
    monkeypatch.setattr(own_markets, "_PRINTS", 4)
    monkeypatch.setattr(own_markets, "_LATE", 1)
    narrow, _, others = played(16, 120)
    assert narrow._own is not None
    assert narrow._own.prints.ts.shape[1] > 4
    assert narrow._own.flow.slots.shape[1] > stood
    assert narrow._own.late.shape[1] > 1
    np.testing.assert_array_equal(rewards, others)
    np.testing.assert_array_equal(roomy.seen, narrow.seen)
    policy = parse_policy("twap/touch/12", 10, 100.0)
    small = BatchExecutionEnv(pool_of(), 4, venue=VENUE)
    for env in (roomy, small):
        env.reset(options={"episodes": pool_of().draw(env.num_envs)})
        list(env.follow(policy))
    for i in range(4):
        np.testing.assert_array_equal(roomy.fills(i), small.fills(i))


def test_two_numbers_are_lived_again_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Continuous actions in markets that run out of room."""
    box = ActionBox()
    env = ExecutionEnv(pool_of(), venue=VENUE, grid=box)
    check_deterministic(env, seed=5)
    check_conservation(env, seed=5, episodes=2)
    dice = np.random.default_rng(3)
    actions = dice.uniform((0.0, -1.0), (0.3, 1.0), (60, 8, 2))

    def rewards() -> tuple[NDArray[np.float64], BatchExecutionEnv]:
        env = BatchExecutionEnv(pool_of(), 8, venue=VENUE, grid=box)
        env.reset()
        return np.array([env.step(row)[1].copy() for row in actions]), env

    roomy, _ = rewards()
    monkeypatch.setattr(own_markets, "_PRINTS", 4)
    monkeypatch.setattr(own_markets, "_LATE", 1)
    narrow, env_narrow = rewards()
    assert env_narrow._own is not None
    assert env_narrow._own.prints.ts.shape[1] > 4
    np.testing.assert_array_equal(roomy, narrow)


def test_venues_are_drawn_by_seed_and_number() -> None:
    """The rest of an episode is the same at however many, and each is charged by its own."""
    pool = pool_of(7)
    several = pool.episodes(np.arange(40), 3)
    assert set(several["venue"]) == {0, 1, 2}
    alone = pool.episodes(np.arange(40))
    for name in several.dtype.names or ():
        assert name == "venue" or np.array_equal(several[name], alone[name])
    venues = VenueRanges(latency_ms=(1.0, 50.0), taker_bps=(0.0, 5.0)).draw(3, seed=2)
    env = BatchExecutionEnv(pool_of(7), 12, venue=venues, keep_fills=True)
    env.reset()
    dice, met = np.random.default_rng(3), set()
    for _ in range(150):
        _, _, _, _, info = env.step(dice.integers(len(env.grid), size=12))
        columns = (info.get(f"final_{name}", ()) for name in ("episode", "bps", "fills", "order"))
        for episode, bps, fills, order in zip(*columns, strict=True):
            price = fills["ticks"] + episode["side"] * fills["shift"]
            arrival = 0.5 * order["arrival_twice_mid"]
            instrument = env.pool.tapes[0].instrument
            fee = venues[episode["venue"]].fees.charge(
                price, fills["lots"], fills["maker"] == 1, instrument
            )
            paid = np.sum(episode["side"] * fills["lots"] * (price - arrival) + fee)
            assert order["paid"] == pytest.approx(paid, abs=1e-6)
            assert order["left"] > 0 or bps == pytest.approx(
                paid / (arrival * episode["lots"]) * BPS, abs=1e-9
            )
            met.add(int(episode["venue"]))
    assert met == {0, 1, 2}


def test_where_data_stands_still_nothing_newer_is_seen() -> None:
    """A spell of stale market data: the market goes on, and nothing that we look at does."""
    session = _TAUGHT["yhoo-2003"].session(DAY)
    spell = Spell(start_s=0.0, length_s=session.length_s, stale=True)
    env = BatchExecutionEnv(pool_of(5), 4, venue=Venue(slow=(spell,)))
    env.reset()
    before = env.lives.ticks.copy(), env.lives.watch.sums.copy(), env.lives.sizes.copy()
    for _ in range(4):
        env.advance(np.zeros(4, np.int64))
    np.testing.assert_array_equal(env.lives.ticks, before[0])
    np.testing.assert_array_equal(env.lives.sizes, before[2])
    np.testing.assert_array_equal(env.lives.watch.sums, before[1])


def test_an_episode_depends_on_seed_and_number_only() -> None:
    pool = pool_of(4)
    first, second = pool.draw(5), pool.draw(3)
    np.testing.assert_array_equal(pool_of(4).draw(8), np.concatenate([first, second]))
    np.testing.assert_array_equal(pool.episodes(np.array([6, 2])), [second[1], first[2]])
    pool.reseed(5)
    assert not np.any(pool.draw(5)["dice_state"] == first["dice_state"])
    ordinal = 738_897  # of DAY
    for episode in first:
        dice = new_dice(4, ordinal, int(episode["number"]))[0]
        assert (episode["dice_state"], episode["dice_gamma"]) == (dice["state"], dice["gamma"])


def test_orders_are_drawn_as_asked() -> None:
    settings = EpisodeSettings(horizon_s=(120.0, 600.0), qty_volume=(0.05, 0.1))
    pool = pool_of(1, settings)
    drawn = pool.draw(4000)
    session = pool.tapes[0].session
    assert np.all(drawn["start_ts"] >= session.open_ns + 60 * NS_PER_S)
    assert np.all(drawn["end_ts"] <= session.close_ns)
    horizon = (drawn["end_ts"] - drawn["start_ts"]) / NS_PER_S
    assert set(np.unique(horizon)) == {120.0, 600.0}
    assert abs(np.mean(drawn["side"])) < 0.1
    hour = drawn[horizon == 600.0]["lots"] / pool.lessons[0].adv_lots * session.length_s / 600.0
    assert 0.05 < hour.mean() < 0.1
    pool.enter(CURRICULUM[0])
    assert pool.draw(100)["lots"].mean() < drawn["lots"].mean()


def test_a_band_is_counted_from_arrival() -> None:
    env = BatchExecutionEnv(pool_of(1, EpisodeSettings(price_band_bps=100.0)), 4)
    env.reset()
    mid = 0.5 * env.lives.order["arrival_twice_mid"][:, 0]
    low, high = env.episodes["band_low"], env.episodes["band_high"]
    step = env.pool.tapes[0].instrument.order_step
    assert np.all((0.99 * mid <= low) & (low < 0.99 * mid + step) & (low % step == 0))
    assert np.all((1.01 * mid >= high) & (high > 1.01 * mid - step) & (high % step == 0))


def test_markets_and_regimes_are_drawn_by_weight() -> None:
    plain = MarketSettings(symbol="PLAIN")
    pool = SimulatedPool([plain, "yhoo-2003"], SHORT, weights=[3, 1])
    assert np.mean(pool.draw(4000)["tape"] == 0) == pytest.approx(0.75, abs=0.03)
    env = BatchExecutionEnv(pool, 16)
    env.reset()
    for _ in range(40):
        env.step(env.random_actions())
    assert np.all(env.lives.progress["over"] == RUNNING)
    moods = SimulatedPool(plain, SHORT, regimes={"normal": 1, "volatile": 1})
    assert [market.moods[0].name for market in moods.markets] == ["normal", "volatile"]


def test_bad_input_is_one_line() -> None:
    with pytest.raises(ConfigError, match="markets: none is given"):
        SimulatedPool([])
    with pytest.raises(ConfigError, match="weights: are 1, of 2 markets"):
        SimulatedPool(["yhoo-2003", "default"], weights=[1.0])
    with pytest.raises(ConfigError, match=r"weights: .* are no weights"):
        SimulatedPool("default", weights=[-1.0])
    with pytest.raises(InputError, match="seed: -1"):
        pool_of(-1)
    with pytest.raises(ConfigError, match="does not fit into a session"):
        pool_of(1, EpisodeSettings(horizon_s=(86_400.0,))).draw(1)
