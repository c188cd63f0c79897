"""One decision, as a live agent takes it: from a feed, row by row, and the same as in the batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from env.untaught import Pool
from paceline.decision.actions import POST, ActionGrid
from paceline.decision.decide import Decider
from paceline.decision.feeds import Feed
from paceline.decision.moods import NO_MOOD, Moods, MoodSettings
from paceline.decision.regimes import LiquidityRegimes
from paceline.decision.schema import N_FEATURES, NAMES, schema_hash
from paceline.decision.state import State, new_state
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.engine.venue import Latency, Venue
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import EpisodeSettings
from paceline.errors import DecisionError
from paceline.jit import kernel
from paceline.market.book import Book, apply, top_levels
from paceline.market.tape import Tape
from paceline.market.watch import Watch, begin, look_back, note_rows
from paceline.units import NS_PER_S

VENUE = Venue(market_data=Latency.constant(3.0), submit=Latency.constant(5.0))


@pytest.fixture(scope="module")
def tape() -> Tape:
    return simulate_day(load_market("yhoo-2003"), "2024-01-08", 4)


@kernel
def hear_one(book: Book, watch: Watch, tape: Any, level_ticks: NDArray[np.int64], i: int) -> None:
    """One row of a feed changes the book and is noted."""
    apply(book, tape.kind[i], tape.side[i], tape.level[i], tape.qty[i], tape.slot[i], i)
    note_rows(watch, tape, level_ticks, i, i + 1)


def first_legal(seen: NDArray[np.float32], legal: NDArray[np.bool_]) -> tuple[int, None]:
    return int(np.flatnonzero(legal)[-1]), None


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
    """Bit for bit, and in moods that come row by row, too. Orders only rest, so that what we took
    is not missing from the feed; actions that take are only looked at."""
    grid = ActionGrid(prices=("behind_1", "touch"), waits_s=(1.0, 4.0))
    before = simulate_day(load_market("yhoo-2003"), "2024-01-05", 4)
    symbol, moods, feed = tape.instrument.symbol, None, Feed(stale_s=50.0)
    if in_moods:
        given, news = moody(tape, before)
        for ts, score, sentiment in news:
            feed.push(ts, symbol, score, sentiment)
        moods = Moods(**given, feed=feed)
    settings = EpisodeSettings(horizon_s=(300.0,), participation=0.2)
    pool = Pool([tape], settings, seed=3, taught_by=[before])
    if in_moods:
        grid = ActionGrid(prices=("behind_1", "touch", "take"), waits_s=(1.0, 4.0))
    env = BatchExecutionEnv(pool, 6, grid=grid, venue=VENUE, moods=moods)
    dice, decider = np.random.default_rng(2), Decider(grid, first_legal, policy="last")
    posts = np.append(True, grid.table()["does"][1:] == POST)
    env.reset()
    kept: list[tuple[int, Any]] = []
    for _ in range(45):
        lives = env.lives
        for i in range(6):
            kept.append(
                (
                    int(lives.account.clock[i, 0]["last_seen"]),
                    (
                        env.seen[i].copy(), lives.bits[i].copy(), lives.order[i].copy(),
                        lives.context[i].copy(), lives.limits[i].copy(),
                        lives.snapshot[i].copy(),
                    ),
                )
            )  # fmt: skip
        legal = (lives.bits == 0) & posts
        env.step(np.array([dice.choice(np.flatnonzero(row)) for row in legal]))
    kept.sort(key=lambda one: one[0])

    live, book, row = new_state(), tape.new_book(), 0
    begin(live.watch, tape.session.open_ns)
    events, mood, quiet, volatile, heard = tape.events, NO_MOOD, 0, 0, 0
    if in_moods:
        feed = Feed(stale_s=50.0)
        mood = Moods(**given, feed=feed).of(symbol, [before])
    for seen_ts, (seen, bits, order, context, limits, snapshot) in kept:
        while row < len(events.ts) and events.ts[row] <= seen_ts:
            hear_one(book, live.watch, events, tape.level_ticks, row)
            row += 1
        look_back(live.watch, seen_ts)
        for side in (0, 1):
            found = top_levels(book, side, live.ticks[side], live.sizes[side])
            live.sizes[side, found:] = 0
        live.order[0], live.context[0] = order[0], context[0]
        for name in ("regimes", "news", "sentiment", "is_volatile"):
            live.context[name] = np.nan  # nobody but the live side's own moods tells it
        told_quiet, snapshot["quiet"] = snapshot["quiet"], 1
        # News is not late as market data is.
        while in_moods and heard < len(news) and news[heard][0] <= order[0]["now_ts"]:
            ts, score, sentiment = news[heard]
            feed.push(ts, symbol, score, sentiment)
            mood, heard = mood._replace(told=feed.told(symbol)), heard + 1
        decision = decider(live, limits, snapshot, mood=mood)
        assert snapshot["quiet"] == told_quiet
        quiet += int(told_quiet)
        volatile += int(context[0]["is_volatile"] == 1.0)
        assert decision.features == seen.tobytes()
        assert decision.reasons == tuple(bits.tolist())
        assert decision.action == np.flatnonzero(bits == 0)[-1]
    assert len(kept) == 270
    if not in_moods:
        assert quiet == 270
    else:
        named = dict(zip(NAMES, np.array([one[1][0] for one in kept]).T, strict=True))
        assert 27 < quiet < 243
        assert 27 < volatile < 243
        assert len(np.unique(named["news"])) > 10
        assert 0.1 < np.mean(named["no news"]) < 0.9
        assert np.mean(named["no regime_0"]) < 0.1
        assert named["regime_0"].std() > 0.01


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
