"""Learners small enough to train in a second, and runs of them."""

from __future__ import annotations

from typing import Any

import msgspec

from paceline.learn.bcq import BCQ
from paceline.learn.behavior_cloning import BehaviorCloning
from paceline.learn.cql import ConservativeDoubleDQN, ConservativeQuantileDQN
from paceline.learn.double_dqn import DoubleDQN
from paceline.learn.iql import IQL
from paceline.learn.learner import Learner
from paceline.learn.quantile_dqn import QuantileDQN
from paceline.learn.replay_buffer import ReplayBuffer, Transitions
from paceline.learn.settings import Network, Replay, Run

ALL: list[type[Learner]] = [
    BehaviorCloning, DoubleDQN, QuantileDQN, ConservativeDoubleDQN, ConservativeQuantileDQN, IQL,
    BCQ,
]  # fmt: skip

SMALL = Network(hidden=(32,), quantiles=8)


def small(
    kind: type[Learner], n_features: int, n_actions: int, run: Run, **changes: Any
) -> Learner:
    """A learner with a small network and a large step."""
    sync = {} if kind is IQL else {"sync_every": 20}
    settings = kind.kind(**{"network": SMALL, "lr": 1e-2, **sync, **changes})
    return kind(settings, n_features, n_actions, run)


def run_of(updates: int, **changes: Any) -> Run:
    """A run with one checkpoint, at its end, unless told otherwise."""
    plain = Run(updates=updates, replay=Replay(capacity=512, batch=32), checkpoint_every=updates)
    return msgspec.structs.replace(plain, **changes)


def filled(rows: Transitions, priority: float = 0.6) -> ReplayBuffer:
    """A buffer of just these rows."""
    buffer = ReplayBuffer(
        len(rows.action), rows.features.shape[1], rows.mask.shape[1], priority=priority
    )
    buffer.add(rows)
    return buffer
