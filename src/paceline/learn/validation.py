"""Validation: the same parent orders each time, and one number that says which policy is better.

The score is what the reward counts, so that noise which no action changes is taken out of it where
the reward takes it out; what it cost a person is told beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.cost.clustered import clustered
from paceline.cost.tail import cvar
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.sharing import shared_by
from paceline.errors import CheckpointError
from paceline.files.sealing import Kind, read_sealed

TEACHERS = Kind("teachers' validation", 1, "remove it, and train again", CheckpointError)

Choose = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.int64]]
"""Actions `[n]` for raw features `[n, N_FEATURES]` among those of a mask `[n, n_actions]`."""


class Score(NamedTuple):
    """How a policy did on the orders of validation."""

    score: float
    """Mean of what episodes earned, less the tail's share; the higher the better."""
    earned: NDArray[np.float64]  # [n]
    shortfall_bps: NDArray[np.float64]  # [n]
    left: NDArray[np.float64]  # [n] share of the order that nobody traded
    violations: int
    std_error: float
    """Of the mean of what episodes earned, over days or markets; NaN with too few of them."""

    def told(self) -> dict[str, float]:
        """What a person wants to know; the standard error where there is one."""
        error = {} if np.isnan(self.std_error) else {"std_error": self.std_error}
        return {
            "score": self.score,
            **error,
            "mean_bps": float(self.shortfall_bps.mean()),
            "cvar95_bps": cvar(self.shortfall_bps, 20),
            "fill_rate": float(1.0 - self.left.mean()),
            "violations": float(self.violations),
        }


def that_begin(env: BatchExecutionEnv, episodes: NDArray[np.void]) -> NDArray[np.void]:
    """Those of `episodes` that can begin: in some simulated market there may be no mid then."""
    good = [env.can_begin(some)[:n] for some, n in _parts(env, episodes)]
    return episodes[np.concatenate(good)]


def validate(
    env: BatchExecutionEnv, episodes: NDArray[np.void], choose: Choose, tail_weight: float = 0.0
) -> Score:
    """Work `episodes` `[n]` in `env` by `choose`, as many at a time as it has room for."""
    parts = [_worked(env, some, n, choose) for some, n in _parts(env, episodes)]
    earned, bps, left = (np.concatenate([part[k] for part in parts]) for k in range(3))
    tail = -cvar(-earned, 20) if tail_weight > 0 else 0.0
    score = (1.0 - tail_weight) * float(earned.mean()) + tail_weight * tail
    error = clustered(earned, shared_by(env.pool, episodes)).std_error
    return Score(score, earned, bps, left, sum(part.violations for part in parts), error)


class _Part(NamedTuple):
    earned: NDArray[np.float64]  # [n]
    shortfall_bps: NDArray[np.float64]  # [n]
    left: NDArray[np.float64]  # [n]
    violations: int


def _parts(
    env: BatchExecutionEnv, episodes: NDArray[np.void]
) -> Iterator[tuple[NDArray[np.void], int]]:
    """`episodes`, as many as `env` works at once, and how many of them count: the last part is
    filled up with the first ones."""
    for at in range(0, len(episodes), env.num_envs):
        some = np.arange(at, at + env.num_envs)
        yield episodes[some % len(episodes)], int((some < len(episodes)).sum())


def _worked(env: BatchExecutionEnv, episodes: NDArray[np.void], n: int, choose: Choose) -> _Part:
    """Work `episodes` `[num_envs]`, each to its end; what the first `n` came to."""
    seen, info = env.reset(options={"episodes": episodes.copy()})
    going = np.arange(len(episodes)) < n
    earned, bps, left = np.zeros(n), np.zeros(n), np.zeros(n)
    violations = 0
    while going.any():
        action = choose(seen, info["action_mask"])
        seen, reward, _, _, info = env.step(action)
        earned[going[:n]] += reward[going]
        done = info.get("done", ())
        for at, i in enumerate(done):
            if going[i]:
                order = info["final_order"][at]
                bps[i], left[i] = info["final_bps"][at], order["left"] / order["lots"]
                violations += int(info["final_illegal"][at])
                going[i] = False
    return _Part(earned, bps, left, violations)


def read_teachers(path: Path) -> dict[str, dict[str, float]]:
    """How teachers did in validation, by name; none where there is no file yet.

    Raises `CheckpointError` for a file that was damaged or edited."""
    return read_sealed(path, TEACHERS, dict[str, dict[str, float]]) if path.exists() else {}
