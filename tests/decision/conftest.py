"""Decisions to test on: parent orders on a simulated day, some way into their lives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from env.untaught import Pool
from paceline.decision.state import State
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import EpisodeSettings
from paceline.guard.limits import Limits
from paceline.market.tape import Tape
from paceline.market.watch import Watch

N = 48


@pytest.fixture(scope="package")
def tape() -> Tape:
    return simulate_day(load_market("yhoo-2003"), "2024-01-08", 4)


@pytest.fixture(scope="package")
def walked(tape: Tape) -> Callable[..., BatchExecutionEnv]:
    """An environment of N orders after `steps` random legal actions."""

    def walk(steps: int, seed: int = 1, limits: Limits | None = None) -> BatchExecutionEnv:
        settings = EpisodeSettings(horizon_s=(120.0, 600.0), qty_volume=(0.05, 0.5))
        env = BatchExecutionEnv(Pool([tape], settings, seed=seed), N, limits=limits)
        _, info = env.reset()
        dice = np.random.default_rng(seed)
        for _ in range(steps):
            legal = info["action_mask"]
            actions = np.where(legal, dice.random(legal.shape), -1.0).argmax(axis=1)
            info = env.step(actions)[-1]
        return env

    return walk


def state_of(env: BatchExecutionEnv, i: int) -> State:
    """A copy of the state of order `i`."""
    lives = env.lives
    watch = Watch._make(column[i].copy() for column in lives.watch)
    return State(
        lives.ticks[i].copy(), lives.sizes[i].copy(), watch, lives.order[i].copy(),
        lives.context[i].copy(),
    )  # fmt: skip
