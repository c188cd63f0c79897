"""A trained policy as a teacher: its choices with known exploration, logged to be learnt from or to
judge other policies by.

    teachers = teachers_of(["out/run", "ac/mid"], grid, explore=0.1)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paceline.decision.actions import ActionGrid
from paceline.learn.checkpoint import read_checkpoint
from paceline.learn.policy import grid_of, load_policy
from paceline.learn.teachers import Teacher, Teaches, Told, check_share, explored

_POLICY = "policy"


class TrainedTeacher:
    """The policy of a checkpoint, or the best one of a run."""

    def __init__(self, folder: str, grid: ActionGrid, *, explore: float = 0.0) -> None:
        """Raises `CheckpointError` for a folder that holds none, or one of another grid, and
        `ConfigError` for a share that is none."""
        check_share(explore)
        self.name, self.grid, self.explore = folder, grid, explore
        self._policy = load_policy(best_in(folder), grid=grid)
        self.identity, self.limits = self._policy.name, self._policy.limits

    def act(
        self, seen: NDArray[np.float32], mask: NDArray[np.bool_], dice: np.random.Generator
    ) -> Told:
        """See `Teacher.act`."""
        return explored(self.choose(seen, mask), mask, self.explore, dice)

    def choose(self, seen: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """`[n]` what it does without exploration."""
        return self._policy.many(seen, mask)[0]


def teachers_of(names: Sequence[str], grid: ActionGrid, explore: float = 0.0) -> list[Teaches]:
    """Who `names` are: folders of trained policies, and teachers as `Teacher` reads them."""
    return [
        TrainedTeacher(name, grid, explore=explore)
        if is_trained(name)
        else Teacher(name, grid, explore=explore)
        for name in names
    ]


def is_trained(name: str) -> bool:
    """Whether `name` is a folder, and so of a trained policy."""
    return Path(name).is_dir()


def best_in(folder: str | Path) -> Path:
    """The checkpoint to use of `folder`: itself, or the best of a run."""
    path = Path(folder)
    return path / _POLICY if (path / _POLICY).is_dir() else path


def grid_they_need(names: Sequence[str]) -> ActionGrid | None:
    """The grid of the first trained policy among `names`; None if there is none."""
    for name in names:
        if is_trained(name):
            return grid_of(read_checkpoint(best_in(name)))
    return None
