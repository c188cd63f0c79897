"""One decision, as a live agent takes it: from a feed, row by row, and the same as in the batch."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from decision.live import LiveDesk, Morning
from env.untaught import Pool
from paceline.decision.actions import HOLD, POST, ActionGrid
from paceline.decision.box import HIGHEST, LOWEST, ActionBox
from paceline.decision.decide import Child, Decider, mean
from paceline.decision.feeds import Feed
from paceline.decision.moods import NO_MOOD, Moods, MoodSettings
from paceline.decision.regimes import LiquidityRegimes
from paceline.decision.schema import N_FEATURES, NAMES, schema_hash
from paceline.decision.state import State
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.engine.venue import Fees, Latency, Venue
from paceline.env.batch_env import OPEN_LIMITS, BatchExecutionEnv
from paceline.env.episode import RUNNING
from paceline.env.episodes import EpisodeSettings
from paceline.errors import DecisionError
from paceline.market.tape import Tape
from paceline.market.watch import Watch
from paceline.orders.order import Constraints, ParentOrder, Side
from paceline.units import NS_PER_S

VENUE = Venue(
    market_data=Latency.constant(3.0), submit=Latency.constant(5.0), ack=Latency.constant(3.0),
    fees=Fees(maker_per_share=-0.002, taker_per_share=0.003, maker_bps=0.1),
)  # fmt: skip
DESK = msgspec.structs.replace(OPEN_LIMITS, max_cancels=80, max_messages=200, max_ahead=0.2)


@pytest.fixture(scope="module")
def tape() -> Tape:
    return simulate_day(load_market("yhoo-2003"), "2024-01-08", 4)


def moody(tape: Tape, before: Tape) -> tuple[dict[str, Any], list[tuple[int, float, float]]]:
    """Regimes that were fitted on the day before, extreme volatility, and news every minute."""
    lively = EpisodeSettings(horizon_s=(300.0,))
    env, rows = BatchExecutionEnv(Pool([before], lively, seed=1), 64), []
    env.reset()
    for _ in range(20):
        env.advance(env.random_actions())
        rows.append(env.seen.copy())
    told = np.concatenate(rows)
    regimes = LiquidityRegimes(before.session.day, 3).fit(told, [before.session.day] * len(told))
    dice = np.random.default_rng(7)
    begin_ns, end_ns = tape.session.open_ns, tape.session.close_ns
    news = [
        (ts + int(dice.integers(NS_PER_S)), float(dice.random()), float(dice.uniform(-1, 1)))
        for ts in range(begin_ns, end_ns, 60 * NS_PER_S)
    ]
    return {"settings": MoodSettings(volatile_times=1.1, loud_news=0.8), "regimes": regimes}, news


@pytest.mark.parametrize("in_moods", [False, True])
def test_a_day_heard_row_by_row_gives_the_same_features_masks_and_actions(
    tape: Tape, in_moods: bool
) -> None:
    """Bit for bit, and in moods that come row by row, too. A live agent has the parent order, what
    was known in the morning, the feed, and what the venue tells of its own orders; it makes state,
    limits and snapshot of these, and sends its own messages. Orders only rest, and are
    followed until a quote meets them, so that what we took is not missing from the feed; actions
    that take are only looked at."""
    grid = ActionGrid(
        sizes=(0.02, 0.1, 0.3), prices=("behind_1", "touch", "take"), waits_s=(1.0, 4.0)
    )
    before = simulate_day(load_market("yhoo-2003"), "2024-01-05", 4)
    symbol, moods, feed, news = tape.instrument.symbol, None, Feed(stale_s=50.0), []
    given: dict[str, Any] = {}
    if in_moods:
        given, news = moody(tape, before)
        for ts, score, sentiment in news:
            feed.push(ts, symbol, score, sentiment)
        moods = Moods(**given, feed=feed)
    settings = EpisodeSettings(
        horizon_s=(300.0,), qty_volume=(0.2, 0.4), participation=0.2, price_band_bps=8.0
    )
    pool = Pool([tape], settings, seed=3, taught_by=[before])
    env = BatchExecutionEnv(pool, 6, grid=grid, venue=VENUE, moods=moods, limits=DESK)
    posts = np.append(True, grid.table()["does"][1:] == POST)
    episodes = pool.draw(6)
    episodes["child_max"] = [600, 300, 400, 900, 500, 3000]
    env.reset(options={"episodes": episodes})
    dice, kept = np.random.default_rng(2), Kept([], [], [], [], [])
    for _ in range(90):
        going = env.lives.progress["over"] == RUNNING
        legal = (env.lives.bits == 0) & posts
        actions = np.array([dice.choice(np.flatnonzero(row)) for row in legal])
        actions[dice.random(6) < 0.7] = 0  # so that something rests long enough
        for column, value in zip(
            kept, (env.lives.progress["ts"], env.seen, env.lives.bits, going, actions), strict=True
        ):
            column.append(value.copy())
        env.advance(np.where(going, actions, 0))

    lesson, compared, quiet, filled, took, masks = pool.lessons[0], 0, 0, 0, 0, set()
    morning = Morning(
        lesson.adv_lots, lesson.session_lots, pool.touch_lots[0], tuple(lesson.curve.edges_ns),
        tuple(lesson.curve.traded),
    )  # fmt: skip
    for i, episode in enumerate(episodes):
        desk = LiveDesk(
            tape, _parent(tape, episode, settings), DESK, morning, VENUE,
            float(episode["steepness"]), int(episode["seed"]),
        )  # fmt: skip
        feed, mood, heard = Feed(stale_s=50.0), NO_MOOD, 0
        if in_moods:
            mood = Moods(**given, feed=feed).of(symbol, [before])
        for now, seen, bits, going, actions in zip(*kept, strict=True):
            if not going[i]:
                break
            # News is not late as market data is.
            while heard < len(news) and news[heard][0] <= now[i]:
                ts, score, sentiment = news[heard]
                feed.push(ts, symbol, score, sentiment)
                mood, heard = mood._replace(told=feed.told(symbol)), heard + 1
            decider = Decider(grid, lambda _, legal, a=int(actions[i]): (a, None), policy="same")
            state, limits, snapshot = desk.look(int(now[i]))
            if desk.exchange.floor.account.clock[0]["took"].any():
                took += 1  # a quote met our order: of what it was, a recording's feed shows all
                break
            decision = decider(state, limits, snapshot, mood=mood)
            theirs = np.frombuffer(decision.features, np.float32)
            different = [NAMES[k] for k in np.flatnonzero(theirs != seen[i])]
            assert not different, f"order {i}, decision {desk.decisions}"
            assert decision.reasons == tuple(bits[i].tolist())
            assert decision.action == actions[i]
            desk.decisions += 1
            if decision.child is not None:
                desk.carry_out(decision.child.ticks, decision.child.lots, int(now[i]))
            compared += 1
            quiet += int(snapshot["quiet"])
            masks |= set(decision.reasons)
        else:
            ours = env.lives.order[i, 0]
            assert (desk.cancels, desk.messages) == (ours["cancels"], ours["messages"])
        filled += desk.lots - desk.left
    assert compared > 200
    assert took < 6, "some were compared to the end, and all they sent"
    assert filled > 20, "and we were told of it"
    assert len(masks) > 3, "several rules were against something"
    rows = np.array([row for step in kept.seen for row in step])
    named = dict(zip(NAMES, rows.T, strict=True))
    assert named["cancels_used"].max() > 0.1
    if not in_moods:
        assert quiet == compared
    else:
        assert 0.1 < quiet / compared < 0.9
        assert 0.1 < np.mean(named["is_volatile"]) < 0.9
        assert len(np.unique(named["news"])) > 10
        assert 0.1 < np.mean(named["no news"]) < 0.9
        assert np.mean(named["no regime_0"]) < 0.1
        assert named["regime_0"].std() > 0.01


class Kept(NamedTuple):
    """Of each step, of all orders: when, what was seen, what was against it, which went on, and
    what was chosen."""

    ts: list[NDArray[np.int64]]
    seen: list[NDArray[np.float32]]
    bits: list[NDArray[np.int64]]
    going: list[NDArray[np.bool_]]
    actions: list[NDArray[np.int64]]


def _parent(tape: Tape, episode: np.void, settings: EpisodeSettings) -> ParentOrder:
    """The payload that a desk would send for an episode."""
    instrument = tape.instrument
    at = np.searchsorted(tape.events.ts, episode["start_ts"], side="right") - 1
    return ParentOrder(
        order_id=f"desk-{episode['seed']}", symbol=instrument.symbol,
        side=Side.from_sign(int(episode["side"])), qty=int(episode["lots"]) * instrument.lot,
        arrival_px=Decimal(str(tape.mid_ticks()[at])) * instrument.book_tick,
        start_ts=int(episode["start_ts"]), end_ts=int(episode["end_ts"]),
        constraints=Constraints(
            participation=settings.participation, price_band_bps=settings.price_band_bps,
            child_max=int(episode["child_max"]) * instrument.lot,
        ),
    )  # type: ignore[arg-type]  # fmt: skip


def state_of(env: BatchExecutionEnv) -> State:
    lives = env.lives
    return State(
        lives.ticks[0], lives.sizes[0], Watch._make(column[0] for column in lives.watch),
        lives.order[0], lives.context[0],
    )  # fmt: skip


def test_a_decision_says_all_that_it_was_taken_on(tape: Tape) -> None:
    env = BatchExecutionEnv(Pool([tape], EpisodeSettings(participation=0.001), seed=1), 1)
    env.reset()
    values = np.arange(len(env.grid), dtype=np.float32)

    def best(seen: NDArray[np.float32], legal: NDArray[np.bool_]) -> tuple[int, Any]:
        return int(np.argmax(np.where(legal, values, -1e9))), values

    decide = Decider(env.grid, best, policy="abc", seed=5)
    decision = decide(state_of(env), env.lives.limits[0], env.lives.snapshot[0])
    assert np.frombuffer(decision.features, np.float32).shape == (N_FEATURES,)
    assert decision.ts == env.lives.progress[0]["ts"]
    assert (decision.policy, decision.schema, decision.seed) == ("abc", schema_hash(), 5)
    assert decision.reasons[decision.action] == 0
    assert decision.says == env.grid.describe(decision.action)
    assert (decision.child is None) == (decision.action == 0)
    masked = [a for a, bits in enumerate(decision.reasons) if bits]
    assert masked
    assert all(decision.why_not(action) for action in masked)
    assert decision.why_not(0) == []
    with pytest.raises(AttributeError):
        decision.action = 3  # type: ignore[misc]


def test_what_is_masked_is_never_carried_out(tape: Tape) -> None:
    env = BatchExecutionEnv(Pool([tape], EpisodeSettings(participation=1e-6), seed=1), 1)
    env.reset()
    rows = env.lives.limits[0], env.lives.snapshot[0]
    for wrong in (96, 97, -1):
        decide = Decider(env.grid, lambda seen, legal, a=wrong: (a, None), policy="bad")
        with pytest.raises(DecisionError, match=f"action: {wrong} is none, or masked"):
            decide(state_of(env), *rows)


def test_a_box_decides_as_the_batch_does(tape: Tape) -> None:
    """What was asked for, what became of it under limits, and why; and a hold sends nothing."""
    box = ActionBox(behind=2, through=1, wait_s=2.0)
    tight = EpisodeSettings(horizon_s=(300.0,), participation=0.1, price_band_bps=4.0)
    env = BatchExecutionEnv(Pool([tape], tight, seed=1), 1, grid=box, venue=VENUE)
    env.reset(seed=1)
    dice, asked = np.random.default_rng(6), [0.0, 0.0]
    decide = Decider(box, lambda seen, legal: (tuple(asked), None), policy="abc")
    met = set()
    for step in range(60):
        asked[:] = dice.uniform(LOWEST, HIGHEST) if step % 10 else (0.0, 0.5)
        if env.lives.progress[0]["over"] != RUNNING:
            env.reset()
        state = state_of(env)
        decision = decide(state, env.lives.limits[0], env.lives.snapshot[0].copy())
        expected, child = env.seen[0].tobytes(), np.zeros(3, np.int64)
        before = State._make(np.array(c) if isinstance(c, np.ndarray) else c for c in state)
        env.advance(np.array([asked]))
        assert decision.features == expected
        assert decision.reasons == (int(env.broken[0]),)
        assert decision.action == tuple(asked)
        assert (decision.child is None) == (env.chosen["does"][0] == HOLD)
        if decision.child is not None:
            mean(before, env.chosen, 0, child)
            assert decision.child == Child(*child.tolist())
        assert bool(decision.why_not(0)) == bool(env.broken[0])
        assert decision.says == box.describe(*asked)
        met.add((decision.child is None, env.broken[0] != 0))
    assert met == {(False, False), (False, True), (True, False)} or len(met) == 4
    for wrong in (3, (0.5,), (1.1, 0.0), (0.5, -1.1), (np.nan, 0.0)):
        decide = Decider(box, lambda seen, legal, a=wrong: (a, None), policy="bad")
        with pytest.raises(DecisionError, match=r"action: .* is none; choose 0 to 1, and -1 to 1"):
            decide(state_of(env), env.lives.limits[0], env.lives.snapshot[0])
