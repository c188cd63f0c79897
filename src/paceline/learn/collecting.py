"""Collecting: decisions in an environment become rows of the replay buffer.

The environment is known by Gymnasium's vector interface only: `info["action_mask"]` says what is
legal, episodes begin anew in the step in which they end, `final_obs` is what was seen last, and
`final_info["action_mask"]` what was legal then.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from paceline.decision.chance import any_legal
from paceline.decision.normalizer import Locked, normalized
from paceline.decision.schema import NAMES
from paceline.errors import ConfigError, InputError
from paceline.learn.replay_buffer import AnyReplay, Transitions
from paceline.learn.settings import Collecting
from paceline.learn.several_steps import SeveralSteps

_SECONDS_LEFT = NAMES.index("seconds_left")


class Chooses(Protocol):
    """What a collector needs of a learner."""

    def choose(
        self, features: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Actions `[n]`, and values `[n, n_actions]`."""


class Collector:
    """Steps an environment by a learner's choices, with some exploration."""

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        settings: Collecting,
        *,
        locked: Locked | None = None,
        table: NDArray[np.void] | None = None,
    ) -> None:
        """`locked` normalises features; `table` (of the grid) says which actions differ in their
        wait only. Raises `ConfigError` for an environment or exploration that does not fit."""
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ConfigError(
                f"env: begins episodes anew by {mode}; make it with AutoresetMode.SAME_STEP"
            )
        if settings.exploring.what == "wait" and table is None:
            raise ConfigError("exploring.what: wait needs the table of the grid; give it")
        if settings.gamma_of == "second" and env.single_observation_space.shape != (len(NAMES),):
            raise ConfigError("gamma_of: second needs paceline's features; give decision")
        self.env, self.settings, self.locked = env, settings, locked
        space: Any = env.single_action_space
        self.n_actions = int(space.n)
        self._kin = np.ones((self.n_actions, self.n_actions), np.bool_)
        if table is not None and settings.exploring.what == "wait":
            price, size = table["price"], table["size"]
            self._kin = (price[:, None] == price) & (size[:, None] == size)
        self._steps = SeveralSteps(settings.steps)
        self._kept = np.zeros(env.num_envs, np.int64)
        self._age = np.zeros(env.num_envs, np.int64)
        self.decisions = 0
        self.returns: list[float] = []
        """Sums of rewards of the episodes that ended, since they were last taken."""

    def begin(self, seed: int) -> None:
        """Begin episodes anew in all environments."""
        self._raw, info = self.env.reset(seed=seed)
        self._raw = np.array(self._raw, np.float32)
        self._mask = _masks(info)
        self._seen = self._normalized(self._raw)
        self._sums = np.zeros(self.env.num_envs)
        self._steps.clear()
        # Side by side, environments choose anew in turns.
        self._age = np.arange(self.env.num_envs) % self.settings.commit
        self._kept[:] = 0

    def collect(self, learner: Chooses, buffer: AnyReplay, dice: np.random.Generator) -> int:
        """One decision in each environment; returns how many that are."""
        n = self.env.num_envs
        mask, share = self._mask, self.settings.exploring.at(self.decisions)
        begins = (self._age % self.settings.commit == 0) | ~mask[np.arange(n), self._kept]
        action, strays = self._kept.copy(), np.zeros(n, np.bool_)
        propensity = np.ones(n, np.float32)
        # What is kept to needs no values.
        at = np.flatnonzero(begins)
        if len(at):
            best, _ = learner.choose(self._seen[at], mask[at])
            among = mask[at] & self._kin[best]
            explores = dice.random(len(at)) < share
            action[at] = np.where(explores, any_legal(among, dice), best)
            strays[at] = action[at] != best
            propensity[at] = share / among.sum(axis=1) + (1.0 - share) * ~strays[at]
        self._age = np.where(begins, 1, self._age + 1)
        raw, reward, terminated, truncated, info = self.env.step(action)
        over = terminated | truncated
        last, next_mask = np.array(raw, np.float32), _masks(info)
        now_raw, now_mask = last.copy(), next_mask.copy()
        if over.any():
            last[over] = np.stack(list(info["final_obs"][over]))
            next_mask[over] = False
            next_mask[over, 0] = True  # nothing follows a terminated episode: any mask will do
            # A truncated one would have gone on, by the best of all that was legal.
            if truncated.any():
                next_mask[truncated] = _last_masks(info, truncated)
        now = self._normalized(now_raw)
        came = now.copy()
        if over.any():
            came[over] = self._normalized(last[over])
        reward = np.asarray(reward, np.float32)
        rows = Transitions(
            features=self._seen, mask=mask, action=action, reward=reward,
            next_features=came, next_mask=next_mask, done=np.asarray(terminated),
            discount=self._discounts(self._raw, last), propensity=propensity,
        )  # fmt: skip
        buffer.add(self._steps.add(rows, np.asarray(over), begins, strays))
        self._kept = action
        self._age[over] = 0
        self._sums += reward
        self.returns += self._sums[over].tolist()
        self._sums[over] = 0.0
        self._raw, self._seen, self._mask = now_raw, now, now_mask
        self.decisions += n
        return n

    def _normalized(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        return raw if self.locked is None else normalized(self.locked, raw)

    def _discounts(
        self, raw: NDArray[np.float32], after: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """`[n]` what the next return is worth at `raw`."""
        gamma = self.settings.gamma
        if self.settings.gamma_of == "decision":
            return np.full(len(raw), gamma, np.float32)
        left = np.exp2(raw[:, _SECONDS_LEFT].astype(np.float64))  # 1 + seconds
        then = np.exp2(after[:, _SECONDS_LEFT].astype(np.float64))
        return np.asarray(gamma ** np.maximum(left - then, 0.0), np.float32)


def _last_masks(info: dict[str, Any], which: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What was legal where the episodes in `which` `[n]` ended, `[which.sum(), n_actions]`."""
    last = info.get("final_info", {})
    if "action_mask" not in last:
        raise InputError(
            'env: truncated an episode, and final_info has no "action_mask"; give what was legal '
            "when it ended there, [num_envs, n_actions]"
        )
    return np.stack([last["action_mask"][i] for i in np.flatnonzero(which)]).astype(np.bool_)


def _masks(info: dict[str, Any]) -> NDArray[np.bool_]:
    if "action_mask" not in info:
        raise InputError('env: info has no "action_mask"; give [num_envs, n_actions] there')
    return np.stack(list(info["action_mask"])).astype(np.bool_)
