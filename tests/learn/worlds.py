"""Small worlds whose best values are known."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from paceline.learn.replay_buffer import Transitions

STATES, ACTIONS, GAMMA = 5, 4, 0.9
END = STATES

NEXT = np.array([
    # hold, on, jump, trap
    [0, 1, 2, 0],
    [1, 2, 3, 1],
    [2, 3, 4, 2],
    [3, 4, END, 3],
    [4, END, END, 4],
])  # fmt: skip
REWARD = np.array([
    [-1.0, -1.0, -3.0, 9.0],
    [-1.0, -1.0, -3.0, 9.0],
    [-1.0, -1.0, -3.0, 9.0],
    [-1.0, -1.0, -3.0, 9.0],
    [-1.0, 10.0, 0.0, 9.0],
])  # fmt: skip
LEGAL = np.array([
    [1, 1, 1, 0],
    [1, 1, 0, 0],
    [1, 0, 1, 0],
    [1, 1, 1, 0],
    [1, 1, 1, 0],
], dtype=bool)  # fmt: skip
"""The trap pays forever and is never legal; a step on or a jump is missing here and there."""


def best_values() -> NDArray[np.float64]:
    """`[STATES, ACTIONS]` by value iteration, NaN where an action is not legal."""
    value = np.zeros(STATES + 1)
    for _ in range(500):
        every = REWARD + GAMMA * value[NEXT]
        value[:STATES] = np.where(LEGAL, every, -np.inf).max(axis=1)
    return np.where(LEGAL, REWARD + GAMMA * value[NEXT], np.nan)


def seen(states: NDArray[np.int64]) -> NDArray[np.float32]:
    """`[n, STATES]`, a 1 for the state; nothing at the end."""
    return np.eye(STATES + 1, STATES, dtype=np.float32)[states]


def every_step() -> Transitions:
    """Each legal action of each state, once."""
    state, action = np.nonzero(LEGAL)
    return steps(state, action)


def steps(state: NDArray[np.int64], action: NDArray[np.int64]) -> Transitions:
    """Rows of what was done."""
    after = NEXT[state, action]
    return Transitions(
        features=seen(state), mask=LEGAL[state], action=action,
        reward=REWARD[state, action].astype(np.float32), next_features=seen(after),
        next_mask=np.vstack([LEGAL, np.zeros((1, ACTIONS), bool)])[after], done=after == END,
        discount=np.full(len(state), GAMMA, np.float32),
        propensity=np.full(len(state), np.nan, np.float32),
    )  # fmt: skip


class Chain(VectorEnv[Any, Any, Any]):
    """The chain, several at once, each from a random state."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.single_observation_space = gym.spaces.Box(0.0, 1.0, (STATES,), np.float32)
        self.single_action_space = gym.spaces.Discrete(ACTIONS)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.state = self.np_random.integers(0, STATES, self.num_envs)
        return seen(self.state), {"action_mask": LEGAL[self.state]}

    def step(self, actions: NDArray[np.int64]) -> Any:
        assert LEGAL[self.state, actions].all()
        reward, self.state = REWARD[self.state, actions], NEXT[self.state, actions]
        over = self.state == END
        info: dict[str, Any] = {}
        if over.any():
            last = np.full(self.num_envs, None, object)
            for i in np.flatnonzero(over):
                last[i] = seen(self.state[i : i + 1])[0]
            info = {"final_obs": last, "_final_obs": over}
            self.state = np.where(
                over, self.np_random.integers(0, STATES, self.num_envs), self.state
            )
        info["action_mask"] = LEGAL[self.state]
        return seen(self.state), reward, over, np.zeros_like(over), info


def bandit(n: int = 64) -> Transitions:
    """One state and one decision: hold earns 0, the safe action 1; the risky one 4 three times in
    four, and else -6: 1.5 in the mean, and -6 in the worst quarter."""
    action = np.repeat([0, 1, 2], n)
    reward = np.concatenate([np.zeros(n), np.ones(n), np.where(np.arange(n) % 4, 4.0, -6.0)])
    return _line(np.zeros(3 * n, np.int64), action, reward, 1)


LINE, ODD = 3, 2
"""States in a row, and the action that was never logged."""


def log_of_a_desk() -> Transitions:
    """Three states in a row. Action 0 costs 2 and is what the desk mostly did, 1 costs 1; the odd
    one is legal, and was never done, so that nobody knows that it costs 50."""
    state = np.repeat(np.arange(LINE), 10)
    action = np.tile([0, 0, 0, 0, 0, 0, 1, 1, 1, 1], LINE)
    return _line(state, action, np.where(action == 0, -2.0, -1.0), LINE)


def _line(
    state: NDArray[np.int64], action: NDArray[np.int64], reward: NDArray[np.float64], states: int
) -> Transitions:
    """Rows of states in a row, three legal actions each."""
    n = len(state)
    shown = np.eye(states + 1, states, dtype=np.float32)
    legal = np.ones((n, 3), np.bool_)
    return Transitions(
        features=shown[state], mask=legal, action=action, reward=reward.astype(np.float32),
        next_features=shown[state + 1], next_mask=legal, done=state + 1 == states,
        discount=np.full(n, GAMMA, np.float32), propensity=np.full(n, np.nan, np.float32),
    )  # fmt: skip
