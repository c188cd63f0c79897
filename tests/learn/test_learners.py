"""Learners in worlds whose best decisions are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paceline.learn.bcq import BCQ
from paceline.learn.behavior_cloning import BehaviorCloning
from paceline.learn.checkpoint import Origin
from paceline.learn.collecting import Collector
from paceline.learn.cql import ConservativeDoubleDQN, ConservativeQuantileDQN
from paceline.learn.double_dqn import DoubleDQN
from paceline.learn.iql import IQL
from paceline.learn.learner import Learner
from paceline.learn.policy import load_policy
from paceline.learn.quantile_dqn import QuantileDQN
from paceline.learn.replay_buffer import ReplayBuffer
from paceline.learn.settings import Collecting, Exploring, Network, Risk
from paceline.learn.training import Training, checkpoints
from tests.learn.runs import filled, run_of, small
from tests.learn.worlds import (
    ACTIONS,
    LEGAL,
    LINE,
    ODD,
    STATES,
    Chain,
    bandit,
    best_values,
    every_step,
    log_of_a_desk,
    seen,
)

EVERYWHERE = seen(np.arange(STATES))


@pytest.mark.parametrize("kind", [DoubleDQN, QuantileDQN])
def test_of_logged_rows_it_finds_the_best_values(kind: type[Learner], tmp_path: Path) -> None:
    learner = small(kind, STATES, ACTIONS, run_of(1200))
    Training(learner, filled(every_step()), tmp_path, origin=Origin(schema="chain")).go()
    action, values = learner.choose(EVERYWHERE, LEGAL)
    np.testing.assert_allclose(values[LEGAL], best_values()[LEGAL], atol=0.35)
    assert (action == np.nanargmax(best_values(), axis=1)).all()


@pytest.mark.parametrize("kind", [DoubleDQN, QuantileDQN])
def test_in_an_environment_it_finds_the_best_actions(kind: type[Learner], tmp_path: Path) -> None:
    exploring = Exploring(start=0.5, end=0.1, over=2000)
    collecting = Collecting(gamma=0.9, first=64, updates=0.5, exploring=exploring)
    run = run_of(1500, collecting=collecting)
    learner = small(kind, STATES, ACTIONS, run)
    buffer = ReplayBuffer(512, STATES, ACTIONS, priority=0.6)
    collector = Collector(Chain(4), collecting)
    found = Training(learner, buffer, tmp_path, origin=Origin(schema="chain"), collector=collector)
    metrics = found.go()
    action, _ = learner.choose(EVERYWHERE, LEGAL)
    assert (action == np.nanargmax(best_values(), axis=1)).all()
    assert metrics["decisions"] == collector.decisions == buffer.added
    # A replay ratio of a half, once there are rows enough.
    assert abs(buffer.added - 64 - 2 * 1500) <= 8


def test_by_the_mean_it_gambles_and_by_cvar_it_does_not(tmp_path: Path) -> None:
    for name, risk, wanted in (
        ("mean", Risk(), 2),
        ("cvar", Risk(cvar_weight=1.0), 1),
        ("mix", Risk(cvar_weight=0.5), 1),
        ("little", Risk(cvar_weight=0.02), 2),
    ):
        learner = small(QuantileDQN, 1, 3, run_of(500), risk=risk)
        Training(learner, filled(bandit(), 0.0), tmp_path / name, origin=Origin(schema="b")).go()
        state, legal = np.ones((1, 1), np.float32), np.ones((1, 3), np.bool_)
        assert learner.choose(state, legal)[0] == wanted, name
        policy = load_policy(checkpoints(tmp_path / name)[-1], schema="b")
        assert policy(state[0], legal[0])[0] == wanted, name
        # What it learnt says the same of any risk.
        for other, chosen in ((Risk(), 2), (Risk(cvar_weight=1.0), 1)):
            again = load_policy(checkpoints(tmp_path / name)[-1], schema="b", risk=other)
            assert again(state[0], legal[0])[0] == chosen, name


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (DoubleDQN, ODD), (QuantileDQN, ODD), (BehaviorCloning, 0), (IQL, 1), (BCQ, 1),
        (ConservativeDoubleDQN, 1), (ConservativeQuantileDQN, 1),
    ],
)  # fmt: skip
def test_what_was_never_logged_looks_good_unless_it_is_held_down(
    kind: type[Learner], wanted: int, tmp_path: Path
) -> None:
    shape = Network(hidden=(32,), quantiles=8, dueling=False)
    changes = {"expectile": 0.95, "inverse_temperature": 20.0} if kind is IQL else {}
    learner = small(kind, LINE, 3, run_of(800), network=shape, **changes)
    Training(learner, filled(log_of_a_desk(), 0.0), tmp_path, origin=Origin(schema="line")).go()
    states, legal = np.eye(LINE, dtype=np.float32), np.ones((LINE, 3), np.bool_)
    action, _ = learner.choose(states, legal)
    assert (action == wanted).all()
    policy = load_policy(checkpoints(tmp_path)[-1], schema="line")
    assert (policy.many(states, legal)[0] == wanted).all()
    assert [policy(row, legal[0])[0] for row in states] == [wanted] * LINE
