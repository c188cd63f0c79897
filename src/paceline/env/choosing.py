"""What is chosen in an environment: actions of a grid by number, or of a box by two numbers. They
are checked as they come in, and turned into what may be carried out."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from paceline.decision.actions import HOLD, ActionGrid
from paceline.decision.box import HIGHEST, LOWEST, ActionBox
from paceline.env.lives import Lives, aim_some
from paceline.errors import InputError
from paceline.jit import kernel

Choices = ActionGrid | ActionBox


def space_of(choices: Choices) -> gym.spaces.Space[Any]:
    """The space of one action."""
    if isinstance(choices, ActionBox):
        return gym.spaces.Box(np.array(LOWEST, np.float32), np.array(HIGHEST, np.float32))
    return gym.spaces.Discrete(len(choices))


def checked(choices: Choices, actions: NDArray[Any], n: int) -> NDArray[Any]:
    """`n` actions as kernels read them, `[n]` or `[n, 2]`. Raises `InputError` if they are none."""
    if isinstance(choices, ActionBox):
        found: NDArray[Any] = np.ascontiguousarray(actions, np.float64)
        # NaN is in no range.
        if found.shape == (n, 2) and np.all((found >= LOWEST) & (found <= HIGHEST)):
            return found
        raise InputError(f"actions: give [{n}, 2] numbers from 0 to 1 and from -1 to 1")
    found, most = np.ascontiguousarray(actions, np.int64), len(choices) - 1
    if found.shape == (n,) and np.all((found >= 0) & (found <= most)):
        return found
    raise InputError(f"actions: give [{n}] numbers from 0 to {most}")


def choose(
    choices: Choices,
    table: NDArray[np.void],
    lives: Lives,
    which: NDArray[np.int64],
    actions: NDArray[Any],
    chosen: NDArray[np.void],
    broken: NDArray[np.int64],
) -> None:
    """Write into `chosen` `[n]` of ACTION_RECORD what `which` of the lives carry out, and into
    `broken` `[n]` the reasons against what they asked for: what is masked in a grid is a hold, and
    in a box the nearest that is legal."""
    if isinstance(choices, ActionBox):
        aim_some(lives, which, choices.scale(), actions, chosen, broken)
        return
    take_some(lives.bits, which, table, actions, chosen, broken)


@kernel
def take_some(
    bits: NDArray[np.int64],
    which: NDArray[np.int64],
    table: NDArray[np.void],
    actions: NDArray[np.int64],
    chosen: NDArray[np.void],
    broken: NDArray[np.int64],
) -> None:
    """`choose` from a grid, where `bits` `[n, n_actions]` say what is masked."""
    for at in range(len(which)):
        i = which[at]
        broken[i] = bits[i, actions[i]]
        chosen[i] = table[actions[i] if broken[i] == 0 else HOLD]
