"""Learners on paceline's own features, actions and environment."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from env.market_days import looked_at
from env.untaught import Pool
from paceline.decision.actions import ActionGrid, child_lots, child_ticks
from paceline.decision.decide import Decider
from paceline.decision.normalizer import Normalizer
from paceline.decision.rows import Decisions
from paceline.decision.schema import N_FEATURES
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import EpisodeSettings
from paceline.learn.behavior_cloning import BehaviorCloning, logged
from paceline.learn.checkpoint import Origin
from paceline.learn.collecting import Collector
from paceline.learn.desk_log import nearest
from paceline.learn.policy import load_policy
from paceline.learn.quantile_dqn import QuantileDQN
from paceline.learn.replay_buffer import ReplayBuffer
from paceline.learn.settings import Collecting, Exploring
from paceline.learn.training import Training, checkpoints
from paceline.market.tape import Tape
from tests.learn.runs import filled, run_of, small

N = 8


@pytest.fixture(scope="module")
def tape() -> Tape:
    return simulate_day(load_market("yhoo-2003"), "2024-01-08", 4)


def market(tape: Tape) -> BatchExecutionEnv:
    settings = EpisodeSettings(horizon_s=(60.0,), qty_volume=(0.05, 0.5))
    return BatchExecutionEnv(Pool([tape], settings, seed=3), N)


def fitted(env: BatchExecutionEnv) -> Normalizer:
    env.reset(seed=1)
    for _ in range(20):
        env.step(env.random_actions())
    return Normalizer("2024-01-08", least_rows=4.0).partial_fit(env.seen, "2024-01-08")


def test_trained_on_the_market_resumed_and_asked_for_decisions(tape: Tape, tmp_path: Path) -> None:
    normalizer = fitted(market(tape))
    collecting = Collecting(
        gamma=0.999, gamma_of="second", first=64, updates=0.5,
        exploring=Exploring(start=0.3, end=0.1, over=100, what="wait"),
    )  # fmt: skip
    run = msgspec.structs.replace(run_of(60, checkpoint_every=20), collecting=collecting)

    def made(folder: Path) -> Training:
        env = market(tape)
        learner = small(QuantileDQN, N_FEATURES, len(env.grid), run)
        collector = Collector(
            env, collecting, locked=normalizer.locked(), table=env.grid.table()
        )  # fmt: skip
        buffer = ReplayBuffer(512, N_FEATURES, len(env.grid), priority=0.6)
        origin = Origin(env.grid, normalizer, {tape.instrument.symbol: "2024-01-08"})
        return Training(learner, buffer, folder, origin=origin, collector=collector)

    whole, again = made(tmp_path / "whole"), made(tmp_path / "again")
    whole.go()
    assert again.resume(tmp_path / "whole" / "step-000000040") == 40
    again.go()
    for name, value in whole.learner.state().items():
        np.testing.assert_array_equal(value, again.learner.state()[name], name)
    rows = whole.buffer.transitions()
    # A wait of 0 s goes on at the next event, a hold after 2 s: both are decisions.
    assert ((rows.discount > 0) & (rows.discount <= 1)).all()
    assert (rows.discount < 1).any()

    env = market(tape)
    env.reset(seed=5)
    policy = load_policy(checkpoints(tmp_path / "whole")[-1], grid=env.grid)
    decide = Decider(env.grid, policy, policy=policy.name)
    together, values = policy.many(env.seen, env.action_masks())
    for i in range(N):
        decision = decide(looked_at(env, i), env.lives.limits[i], env.lives.snapshot[i])
        assert decision.action == together[i]
        assert decision.policy == policy.name
        np.testing.assert_allclose(np.frombuffer(decision.values, "f4"), values[i], atol=1e-4)


def test_a_logged_child_order_is_the_action_that_means_it(tape: Tape) -> None:
    env = market(tape)
    env.reset(seed=2)
    table = env.grid.table()
    checked = 0
    for _ in range(6):
        env.step(env.random_actions())
        for i, legal in enumerate(env.action_masks()):
            state = looked_at(env, i)
            for action in np.flatnonzero(legal)[1::7]:
                row = table[action]
                ticks, lots = child_ticks(state, row), child_lots(state, row)
                wait_ns = int(row["wait_ns"])
                kind = {1: 0, 2: 2, 3: 1}[int(row["does"])]  # post, take, take and rest
                found = nearest(state, table, legal, kind, ticks, lots, wait_ns)
                assert table[found]["does"] == row["does"]
                assert child_ticks(state, table[found]) == ticks
                assert child_lots(state, table[found]) == lots
                assert table[found]["wait_ns"] == wait_ns
                # A little off, it is still that one's price; a lot off, another's.
                off = nearest(state, table, legal, kind, ticks, 3 * lots, wait_ns)
                assert child_ticks(state, table[off]) == ticks
                assert child_lots(state, table[off]) >= lots
                checked += 1
            only_hold = np.zeros(len(table), np.bool_)
            only_hold[0] = True
            assert nearest(state, table, only_hold, 0, 1, 1, 0) == -1
    assert checked > 50


def test_a_log_of_decisions_is_cloned(tape: Tape, tmp_path: Path) -> None:
    env = market(tape)
    normalizer = fitted(env)
    env.reset(seed=4)
    kept = []
    for _ in range(30):
        mask = env.action_masks()
        action = np.where(mask[:, 33], 33, 0)  # what this desk does
        kept.append((env.seen.copy(), mask, action))
        env.step(action)
    features, mask, action = (np.concatenate(column) for column in zip(*kept, strict=True))
    n = len(action)
    assert 0 < (action == 0).sum() < n
    rows = logged(
        Decisions(np.arange(n), np.zeros(n, np.int64), features, mask, action), normalizer.locked()
    )
    learner = small(BehaviorCloning, N_FEATURES, len(ActionGrid()), run_of(150))
    Training(learner, filled(rows, 0.0), tmp_path, origin=Origin(env.grid, normalizer)).go()
    policy = load_policy(checkpoints(tmp_path)[-1], grid=env.grid)
    assert (policy.many(features, mask)[0] == action).mean() > 0.95
