"""Worlds in which the best policy is known: nobody may be better, and nobody may look better.

In a martingale every share costs half the spread, whoever trades it and when: who takes pays it,
and who rests is filled when the price has moved against him by as much. Where nothing moves but
what we push, the trajectory of Almgren and Chriss is the best for its aversion to risk.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from numpy.typing import NDArray

from env.untaught import Pool
from paceline.decision.actions import ActionGrid
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.engine.venue import Footprint, Venue
from paceline.engine.worlds import walk as walking_market
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episode import RUNNING
from paceline.env.episodes import EpisodeSettings
from paceline.env.own_impact import OwnImpact
from paceline.env.policies import Urgency, parse_policy
from paceline.env.simulated_pool import SimulatedPool
from paceline.market.events import ADD, ASK, BID, DELETE, HIDDEN, NO_SLOT, Rows
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument
from paceline.units import BPS, NS_PER_S

DEEP, LEVELS = 10_000, 6
INSTRUMENT = Instrument(symbol="WALK", book_tick="0.01", order_tick="0.01")
ORDERS = EpisodeSettings(
    horizon_s=(300.0,), qty_volume=(0.05, 0.10), participation=None, price_band_bps=None
)


def walk(seed: int, seconds: int = 12_000, moves: bool = True) -> Tape:
    """A book of one tick and much depth whose price steps up or down by a tick with every second,
    and a print in each."""
    session = Session.of("2024-01-02", "UTC", 0.0, float(seconds))
    dice, rows = np.random.default_rng(seed), []
    slots, free = {}, list(range(4 * LEVELS))

    def add(ts: int, side: int, ticks: int) -> None:
        slots[ticks] = free.pop()
        rows.append((ts, ADD, side, ticks, DEEP, slots[ticks]))

    def remove(ts: int, side: int, ticks: int) -> None:
        rows.append((ts, DELETE, side, ticks, DEEP, slots[ticks]))
        free.append(slots.pop(ticks))

    bid, ts = 5_000, session.open_ns
    for k in range(LEVELS):
        add(ts, BID, bid - k)
        add(ts, ASK, bid + 1 + k)
    for second in range(1, seconds):
        ts = session.open_ns + second * NS_PER_S - 500_000_000
        if moves and dice.random() < 0.5:
            remove(ts, ASK, bid + 1)
            add(ts, BID, bid + 1)
            remove(ts, BID, bid - LEVELS + 1)
            add(ts, ASK, bid + 1 + LEVELS)
            bid += 1
        elif moves:
            remove(ts, BID, bid)
            add(ts, ASK, bid)
            remove(ts, ASK, bid + LEVELS)
            add(ts, BID, bid - LEVELS)
            bid -= 1
        rows.append((ts + 1, HIDDEN, BID if second % 2 else ASK, bid, 50, NO_SLOT))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    kinds = (np.int64, np.uint8, np.int8, np.int64, np.int64, np.int32)
    rows_ = Rows._make(c.astype(kind) for c, kind in zip(columns, kinds, strict=True))
    return Tape.compile(rows_, INSTRUMENT, session)


def excess(env: BatchExecutionEnv) -> NDArray[np.float64]:
    """Cost of each order beyond half the spread, ticks a share."""
    arrival = 0.5 * env.lives.order["arrival_twice_mid"][:, 0]
    return np.asarray(env.lives.progress["marked_bps"] * arrival / BPS - 0.5)


def z(values: NDArray[np.float64]) -> float:
    return float(values.mean() / (values.std(ddof=1) / np.sqrt(len(values))))


N = 2_000


def played(pool: Pool, episodes: NDArray[np.void], how: str) -> NDArray[np.float64]:
    """Excess costs of the same orders, worked by one policy."""
    take_all = ActionGrid(sizes=(0.1,), prices=("take",), waits_s=(1.0, 7.0), hold_s=3.0)
    rest_all = ActionGrid(sizes=(0.3,), prices=("touch", "behind_1"), waits_s=(2.0, 5.0))
    grids = {"take": take_all, "rest": rest_all}
    env = BatchExecutionEnv(pool, N, grid=grids.get(how))
    env.reset(options={"episodes": episodes})
    if how in ("take", "rest", "random"):
        while np.any(env.lives.progress["over"] == RUNNING):
            done = env.lives.progress["over"] != RUNNING
            over_bps = env.lives.progress["marked_bps"].copy()
            env.advance(env.random_actions())
            if done.any():  # what is over is carried on by nobody
                env.lives.progress["over"][done] = 1
                env.lives.progress["marked_bps"][done] = over_bps[done]
    else:
        for _ in env.follow(parse_policy(how, 10, 100.0), Urgency(60.0, None)):
            pass
    return excess(env)


def test_in_a_martingale_nobody_beats_anybody() -> None:
    tape = walk(1)
    pool = Pool([tape], ORDERS, seed=1)
    episodes = pool.draw(N)
    costs = {
        how: played(pool, episodes, how)
        for how in ("twap/cross/10", "twap/touch/10", "ac/cross/10", "take", "rest", "random")
    }
    # Orders share one path of 12,000 steps, and overlap: 40 stretches of 300 s tell as much.
    stretch = (episodes["start_ts"] - tape.session.open_ns) // (300 * NS_PER_S)
    for how, cost in costs.items():
        signed = np.array([cost[stretch == k].mean() for k in np.unique(stretch)])
        assert abs(z(signed)) < 3.5, how
        paired = cost - costs["twap/cross/10"]
        by_stretch = np.array([paired[stretch == k].mean() for k in np.unique(stretch)])
        assert how == "twap/cross/10" or abs(z(by_stretch)) < 3.5, how


def test_who_sees_the_future_beats_everybody() -> None:
    """So that the test above could have failed."""
    tape = walk(2)
    pool = Pool([tape], ORDERS, seed=2)
    episodes = pool.draw(N)
    grid = ActionGrid(sizes=(1.0,), prices=("take",), waits_s=(5.0,), hold_s=5.0)
    env = BatchExecutionEnv(pool, N, grid=grid)
    env.reset(options={"episodes": episodes})
    mid, ts = tape.mid_ticks(), tape.events.ts
    best = np.empty(N)
    for i, episode in enumerate(episodes):
        at = episode["start_ts"] + 5 * NS_PER_S * np.arange(60)
        seen = mid[np.searchsorted(ts, at, side="right") - 1]
        best[i] = at[np.argmin(episode["side"] * seen)]
    running = np.ones(N, bool)
    costs = np.full(N, np.nan)
    while running.any():
        now = env.lives.progress["ts"]
        env.advance(np.where(now == best, 1, 0))
        ended = running & (env.lives.progress["over"] != RUNNING)
        costs[ended] = excess(env)[ended]
        running &= ~ended
    assert np.mean(costs) < -5.0, "ticks a share"
    assert np.mean(costs) < np.mean(played(pool, episodes, "twap/cross/10")) - 5.0


def test_almgren_and_chriss_are_the_best_of_their_kind() -> None:
    """Cost as measured where nothing moves but what we push, plus aversion times variance: least
    for the half-life that their equation gives, among others."""
    slices, horizon_s, half_life_s = 10, 300.0, 80.0
    tau = horizon_s / slices
    tape = walk(3, 6_000, moves=False)
    # What we push fades long before the next slice: a slice of n lots pays n * push / 2 a lot.
    push = 0.004
    venue = Venue(footprint=Footprint(transient_ticks_per_lot=push, transient_half_life_s=0.5))
    pool = Pool([tape], ORDERS, seed=3)
    episodes = pool.draw(50)
    aversion = 2.0 * (np.cosh(tau / half_life_s) - 1.0) * (push / 2.0) / tau

    def utility(text: str, half_life: float | None) -> NDArray[np.float64]:
        env = BatchExecutionEnv(pool, 50, venue=venue)
        env.reset(options={"episodes": episodes})
        policy = parse_policy(text, slices, 100.0)
        slice_by_slice = env.follow(policy, Urgency(half_life, None))
        held = env._followed.targets[:, 1:]
        for _ in slice_by_slice:
            pass
        cost = excess(env) * episodes["lots"]
        return np.asarray(cost + aversion * tau * np.sum(held.astype(float) ** 2, axis=1))

    best = utility("ac/cross", half_life_s)
    assert np.all(best > 0.0)
    for other in (20.0, 40.0, 60.0, 110.0, 200.0, 600.0):
        assert np.all(utility("ac/cross", other) > best * (1.0 - 1e-4)), other
    for other in (20.0, 40.0, 200.0, 600.0):
        assert np.mean(utility("ac/cross", other) / best) > 1.005, other
    assert np.mean(utility("twap/cross", None) / best) > 1.01


def costs_in_own_walks(prices: tuple[str, ...], impact: OwnImpact) -> NDArray[np.float64]:
    """Excess costs of orders, each in a walk of its own, worked by random actions of 10 s."""
    pool = SimulatedPool(walking_market(), ORDERS, seed=4)
    grid = ActionGrid(sizes=(0.05, 0.3), prices=prices, waits_s=(10.0,), hold_s=10.0)
    env = BatchExecutionEnv(pool, 512, grid=grid, venue=impact.venue())
    env.reset(seed=4)
    while np.any(env.lives.progress["over"] == RUNNING):
        env.advance(env.random_actions())
    if impact == OwnImpact():
        return excess(env)
    fills = [env.fills(i) for i in range(env.num_envs)]
    shift = impact.transient_ticks_per_lot / 2, impact.permanent_ticks_per_lot / 2
    owed = [
        (shift[0] * (f["lots"] ** 2.0).sum() + shift[1] * f["lots"].sum() ** 2) / f["lots"].sum()
        for f in fills
    ]
    return excess(env) - np.array(owed)


@pytest.mark.skipif(
    not os.environ.get("PACELINE_SLOW"), reason="minutes of compiling; set PACELINE_SLOW=1"
)
def test_nobody_beats_anybody_in_a_walk_of_his_own() -> None:
    """Resting or taking, and with impact a slice pays for its square whatever came before."""
    none = OwnImpact()
    for prices in (("take",), ("touch", "behind_1")):
        assert abs(z(costs_in_own_walks(prices, none))) < 3.5, prices
    strong = OwnImpact(
        transient_ticks_per_lot=0.01, transient_half_life_s=0.3, permanent_ticks_per_lot=0.002
    )
    assert abs(z(costs_in_own_walks(("take",), strong))) < 3.5


def mirrored(tape: Tape) -> Tape:
    """Bids for offers, and prices from the other end."""
    events, last = tape.events, int(tape.level_ticks[0] + tape.level_ticks[-1])
    step = tape.instrument.order_step
    last = last // step * step + (step if last % step else 0)
    rows = Rows(
        np.array(events.ts), np.array(events.kind), (-events.side).astype(np.int8),
        last - tape.level_ticks[np.maximum(events.level, 0)], events.qty.astype(np.int64),
        np.array(events.slot),
    )  # fmt: skip
    return Tape.compile(rows, tape.instrument, tape.session)


def test_a_sale_costs_what_the_mirrored_purchase_does() -> None:
    """Lot by lot and tick by tick, whatever is chosen."""
    tape = simulate_day(load_market("yhoo-2003"), "2024-01-08", 4)
    other = mirrored(tape)
    settings = EpisodeSettings(horizon_s=(300.0,), participation=0.3, price_band_bps=None)
    pool, twin = Pool([tape], settings, seed=5), Pool([other], settings, seed=5)
    twin.lessons, twin.touch_lots = pool.lessons, pool.touch_lots
    episodes = pool.draw(24)
    flipped = episodes.copy()
    flipped["side"] *= -1
    env, mirror = BatchExecutionEnv(pool, 24), BatchExecutionEnv(twin, 24)
    env.reset(options={"episodes": episodes})
    mirror.reset(options={"episodes": flipped})
    compared = 0
    for _ in range(40):
        going = (env.lives.progress["over"] == RUNNING) & (mirror.lives.progress["over"] == RUNNING)
        np.testing.assert_array_equal(env.lives.bits[going], mirror.lives.bits[going])
        for name in ("left", "working", "maker_lots", "messages", "paid"):
            mine, theirs = (one.lives.order[name][going, 0] for one in (env, mirror))
            np.testing.assert_array_equal(mine, theirs)
        actions = env.random_actions()
        env.advance(actions)
        mirror.advance(actions)
        compared += int(going.sum())
    assert compared > 300
    assert np.any(env.lives.order["maker_lots"] > 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_walk_is_one(seed: int) -> None:
    tape = walk(seed)
    mid = tape.mid_ticks()
    last = np.flatnonzero(np.diff(tape.events.ts) > 0)[1:]
    assert np.all((tape.ask_ticks() - tape.bid_ticks())[last] == 1)
    assert abs(z(np.diff(mid[last]))) < 3.0
