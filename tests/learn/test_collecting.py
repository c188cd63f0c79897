"""Collecting: rows say what was seen, done and earned, and exploration stays where it may."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from paceline.decision.actions import ActionGrid
from paceline.decision.schema import N_FEATURES, NAMES
from paceline.errors import ConfigError, InputError
from paceline.learn.collecting import Collector
from paceline.learn.replay_buffer import ReplayBuffer
from paceline.learn.settings import Collecting, Exploring, PPOSettings, SACSettings
from tests.learn.worlds import (
    ACTIONS,
    END,
    LEGAL,
    NEXT,
    REWARD,
    STATES,
    Chain,
    best_values,
    seen,
)


class Always:
    """Chooses the first legal one of an order of preference."""

    def __init__(self, *order: int) -> None:
        self.order = np.array(order)

    def choose(self, features: Any, mask: NDArray[np.bool_]) -> Any:
        return self.order[mask[:, self.order].argmax(axis=1)], None


def collecting(share: float, **changes: Any) -> Collecting:
    return Collecting(gamma=0.9, exploring=Exploring(start=share, end=share), **changes)


def collected(collector: Collector, steps: int, chooses: Any) -> ReplayBuffer:
    buffer = ReplayBuffer(
        4096, collector.env.single_observation_space.shape[0], collector.n_actions
    )
    collector.begin(3)
    dice = np.random.default_rng(1)
    for _ in range(steps):
        collector.collect(chooses, buffer, dice)
    return buffer


def test_rows_say_what_happened() -> None:
    collector = Collector(Chain(4), collecting(0.3))
    rows = collected(collector, 200, Always(1, 2, 0)).transitions()
    state = rows.features.argmax(axis=1)
    np.testing.assert_array_equal(rows.mask, LEGAL[state])
    after = NEXT[state, rows.action]
    np.testing.assert_allclose(rows.reward, REWARD[state, rows.action])
    np.testing.assert_array_equal(rows.done, after == END)
    # Of an episode that is over, what was seen last; not what the next one begins with.
    np.testing.assert_array_equal(rows.next_features, seen(after))
    np.testing.assert_array_equal(rows.next_mask[~rows.done], LEGAL[after[~rows.done]])
    assert rows.done.sum() == len(collector.returns) > 50
    assert (rows.discount == np.float32(0.9)).all()
    assert collector.decisions == 800


def test_propensities_are_how_often_it_chose_so() -> None:
    share = 0.4
    rows = collected(Collector(Chain(4), collecting(share)), 500, Always(1, 2, 0)).transitions()
    state = rows.features.argmax(axis=1)
    best = Always(1, 2, 0).choose(None, LEGAL[state])[0]
    wanted = share / LEGAL[state].sum(axis=1) + (1 - share) * (rows.action == best)
    np.testing.assert_allclose(rows.propensity, wanted, rtol=1e-6)
    for where in range(STATES):
        here = state == where
        for action in np.flatnonzero(LEGAL[where]):
            often = (rows.action[here] == action).mean()
            chance = rows.propensity[here & (rows.action == action)][0]
            assert often == pytest.approx(chance, abs=0.12)


class Cut(Chain):
    """Ends every episode after two decisions, wherever it stands: truncated, but for the end."""

    def reset(self, **options: Any) -> Any:
        self.age = np.zeros(self.num_envs, int)
        return super().reset(**options)

    def step(self, actions: NDArray[np.int64]) -> Any:
        before = self.state
        now, reward, ended, _, info = super().step(actions)
        self.age = np.where(ended, 0, self.age + 1)
        cut = self.age == 2
        if cut.any():
            after = NEXT[before, actions]
            legal = np.zeros((self.num_envs, ACTIONS), bool)
            legal[cut] = LEGAL[after[cut]]
            last = info.get("final_obs", np.full(self.num_envs, None, object))
            for i in np.flatnonzero(cut):
                last[i] = seen(after[i : i + 1])[0]
            info |= {"final_obs": last, "final_info": {"action_mask": legal}}
            self.state = np.where(cut, self.np_random.integers(0, STATES, len(cut)), self.state)
            self.age[cut] = 0
            info["action_mask"] = LEGAL[self.state]
            now = seen(self.state)
        return now, reward, ended, cut, info


def test_what_was_cut_off_is_worth_the_best_that_was_legal_there() -> None:
    """Values iterated on collected rows are those of the world, whose best actions are not hold."""
    rows = collected(Collector(Cut(8), collecting(1.0)), 500, Always(1, 2, 0)).transitions()
    state, after = rows.features.argmax(axis=1), rows.next_features.argmax(axis=1)
    np.testing.assert_array_equal(rows.next_mask[~rows.done], LEGAL[after[~rows.done]])
    best = best_values()
    value = np.zeros((STATES, ACTIONS))
    for _ in range(200):
        aim = np.where(rows.next_mask, value[after], -np.inf).max(axis=1)
        aim = rows.reward + rows.discount * np.where(rows.done, 0.0, aim)
        for at in np.argwhere(LEGAL):
            value[tuple(at)] = aim[(state == at[0]) & (rows.action == at[1])].mean()
    np.testing.assert_allclose(value[LEGAL], best[LEGAL], rtol=1e-6)


def test_a_mask_that_is_missing_at_a_cut_is_named() -> None:
    class Silent(Cut):
        def step(self, actions: NDArray[np.int64]) -> Any:
            *rest, info = super().step(actions)
            info.pop("final_info", None)
            return *rest, info

    with pytest.raises(
        InputError, match='env: truncated an episode, and final_info has no "action'
    ):
        collected(Collector(Silent(4), collecting(1.0)), 50, Always(1, 2, 0))


def test_the_charge_at_the_end_counts_at_the_first_decision() -> None:
    """Hundreds of decisions before: unless it is asked for, nothing is discounted."""
    assert Collecting().gamma ** 900 == 1.0
    assert SACSettings().gamma ** 900 == PPOSettings().gamma ** 900 == 1.0


class Counting(Chain):
    """Writes down what was done."""

    def step(self, actions: NDArray[np.int64]) -> Any:
        self.done_here = [*getattr(self, "done_here", []), actions.copy()]
        return super().step(actions)


@pytest.mark.parametrize("commit", [1, 3])
def test_an_action_is_kept_to_while_it_is_legal(commit: int) -> None:
    env = Counting(1)
    collector = Collector(env, collecting(1.0, commit=commit))
    rows = collected(collector, 400, Always(1, 2, 0)).transitions()
    state = rows.features.argmax(axis=1)
    assert LEGAL[state, rows.action].all()
    # A row for each choice, and fewer choices than decisions only where they are kept to.
    assert (len(rows.action) < 400) == (commit > 1)
    free = LEGAL.all(axis=0)
    done = np.array(env.done_here)[:, 0]
    kept = done[1:][free[done[:-1]]] == done[:-1][free[done[:-1]]]
    assert kept.mean() > 0.5 if commit > 1 else kept.mean() < 0.6


class Waiting(Chain):
    """As many actions as a grid has, all of them legal."""

    def __init__(self, grid: ActionGrid) -> None:
        super().__init__(4)
        self.n = len(grid)
        self.single_action_space = gym.spaces.Discrete(self.n)

    def reset(self, **options: Any) -> Any:
        first, _ = super().reset(**options)
        return first, {"action_mask": np.ones((4, self.n), np.bool_)}

    def step(self, actions: NDArray[np.int64]) -> Any:
        none = np.zeros(4, np.bool_)
        return seen(self.state), np.zeros(4), none, none, {
            "action_mask": np.ones((4, self.n), np.bool_)
        }  # fmt: skip


@pytest.mark.parametrize("best", [0, 17, 96])
def test_near_production_only_the_wait_is_explored(best: int) -> None:
    grid = ActionGrid()
    settings = Collecting(exploring=Exploring(start=1.0, end=1.0, what="wait"))
    table = grid.table()
    collector = Collector(Waiting(grid), settings, table=table)
    rows = collected(collector, 100, Always(best)).transitions()
    for name in ("price", "size"):
        assert (table[rows.action][name] == table[best][name]).all()
    waits = set(table[rows.action]["wait_ns"] // 10**9)
    assert waits == ({2} if best == 0 else {0, 2, 5, 10})
    np.testing.assert_allclose(rows.propensity, 1.0 if best == 0 else 0.25)


class Ticking(gym.vector.VectorEnv):  # type: ignore[type-arg]
    """Paceline's features, of which only the seconds that are left say anything."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012
    num_envs = 1
    single_observation_space = gym.spaces.Box(-400, 400, (N_FEATURES,), np.float32)
    single_action_space = gym.spaces.Discrete(2)
    left = (1800.0, 1798.0, 1788.0, 1788.0, 0.0)

    def _see(self) -> Any:
        row = np.zeros((1, N_FEATURES), np.float32)
        row[0, NAMES.index("seconds_left")] = np.log2(1.0 + self.left[self.at])
        return row

    def reset(self, **_: Any) -> Any:
        self.at = 0
        return self._see(), {"action_mask": np.ones((1, 2), np.bool_)}

    def step(self, actions: Any) -> Any:
        self.at += 1
        over = np.array([self.at == len(self.left) - 1])
        info: dict[str, Any] = {"action_mask": np.ones((1, 2), np.bool_)}
        last = self._see()
        if over[0]:
            info |= {"final_obs": np.array([last[0], None], object)[:1], "_final_obs": over}
            self.at = 0
        return self._see(), np.zeros(1), over, np.zeros_like(over), info


def test_by_the_second_a_long_wait_is_worth_less() -> None:
    settings = Collecting(gamma=0.999, gamma_of="second")
    rows = collected(Collector(Ticking(), settings), 4, Always(0)).transitions()
    np.testing.assert_allclose(rows.discount, 0.999 ** np.array([2, 10, 0, 1788]), rtol=1e-3)
    assert rows.next_features[3].max() == 0.0


def test_what_does_not_fit_is_said_first() -> None:
    class Late(Chain):
        metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    with pytest.raises(
        ConfigError, match=r"env: begins episodes anew by .*; make it with Autoreset"
    ):
        Collector(Late(2), Collecting())
    with pytest.raises(ConfigError, match=r"exploring\.what: wait needs the table of the grid"):
        Collector(Chain(2), Collecting(exploring=Exploring(what="wait")))
    with pytest.raises(ConfigError, match="gamma_of: second needs paceline's features"):
        Collector(Chain(2), Collecting(gamma_of="second"))


def test_exploration_fades() -> None:
    exploring = Exploring(start=0.1, end=0.01, over=1000)
    assert [round(exploring.at(k), 4) for k in (0, 500, 1000, 5000)] == [0.1, 0.055, 0.01, 0.01]
    assert ACTIONS > 1
