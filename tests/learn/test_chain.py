"""A chain with masks, whose best values are known: learners find them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from paceline.learn.checkpoint import Origin
from paceline.learn.double_dqn import DoubleDQN
from paceline.learn.learner import Learner
from paceline.learn.policy import load_policy
from paceline.learn.quantile_dqn import QuantileDQN
from paceline.learn.replay_buffer import ReplayBuffer
from paceline.learn.settings import (
    DoubleDQNSettings,
    Network,
    QuantileDQNSettings,
    Replay,
    Run,
)
from paceline.learn.training import Training, checkpoints
from tests.learn.worlds import ACTIONS, LEGAL, STATES, best_values, every_step, seen

SMALL = Network(hidden=(32,), quantiles=8)
BUILT = [
    (DoubleDQN, DoubleDQNSettings(network=SMALL, lr=1e-2, sync_every=20)),
    (QuantileDQN, QuantileDQNSettings(network=SMALL, lr=1e-2, sync_every=20)),
]


def run_of(updates: int, **changes: object) -> Run:
    return msgspec.structs.replace(
        Run(updates=updates, replay=Replay(capacity=512, batch=32), checkpoint_every=updates),
        **changes,
    )


@pytest.mark.parametrize(("kind", "settings"), BUILT)
def test_offline_it_finds_the_best_values(
    kind: type[Learner], settings: object, tmp_path: Path
) -> None:
    buffer = ReplayBuffer(64, STATES, ACTIONS, priority=0.6)
    buffer.add(every_step())
    learner = kind(settings, STATES, ACTIONS, run_of(1200))
    Training(learner, buffer, tmp_path, origin=Origin(schema="chain")).go()
    everywhere = seen(np.arange(STATES))
    action, values = learner.choose(everywhere, LEGAL)
    best = best_values()
    np.testing.assert_allclose(values[LEGAL], best[LEGAL], atol=0.35)
    assert (action == np.nanargmax(best, axis=1)).all()

    policy = load_policy(checkpoints(tmp_path)[-1], schema="chain")
    for state in range(STATES):
        chosen, numbers = policy(everywhere[state], LEGAL[state])
        assert chosen == action[state]
        np.testing.assert_allclose(numbers, values[state], atol=1e-4)
