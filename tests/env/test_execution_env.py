"""One order at a time: Gymnasium's own checks, ours, and the batch it is one of."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from matplotlib.figure import Figure

from env.untaught import Pool
from paceline.decision.actions import ActionGrid
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.checks import check_conservation, check_deterministic
from paceline.env.episodes import EpisodeSettings
from paceline.env.execution_env import ID, ExecutionEnv
from paceline.errors import InputError
from paceline.market.tape import Tape

SHORT = EpisodeSettings(horizon_s=(120.0,))


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    return [simulate_day(load_market("yhoo-2003"), "2024-01-08", 4)]


def test_gymnasium_finds_nothing(tapes: list[Tape]) -> None:
    env = gym.make(ID, pool=Pool(tapes, SHORT), render_mode="rgb_array")
    check_env(env.unwrapped)


def test_it_is_deterministic_and_loses_nothing(tapes: list[Tape]) -> None:
    env = ExecutionEnv(Pool(tapes, SHORT))
    check_deterministic(env, seed=5)
    check_conservation(env, seed=5, episodes=3)


def test_checks_find_what_they_are_for(tapes: list[Tape]) -> None:
    class Drifting(ExecutionEnv):
        """Each reset sees something else."""

        resets = 0

        def reset(self, **options):  # type: ignore[no-untyped-def]
            seen, info = super().reset(**options)
            self.resets += 1
            return seen + 1e-3 * self.resets, info

    with pytest.raises(AssertionError, match="the same seed"):
        check_deterministic(Drifting(Pool(tapes, SHORT)), seed=5)

    class Leaking(ExecutionEnv):
        """A lot too many is left."""

        def step(self, action):  # type: ignore[no-untyped-def]
            found = super().step(action)
            self.batch.lives.order[0, 0]["left"] += 1
            return found

    with pytest.raises(AssertionError, match="filled and left"):
        check_conservation(Leaking(Pool(tapes, SHORT)), seed=5, episodes=1)


def test_masks_come_with_reasons(tapes: list[Tape]) -> None:
    env = ExecutionEnv(Pool(tapes, EpisodeSettings(horizon_s=(120.0,), participation=0.01)))
    _, info = env.reset(seed=2)
    masked = 0
    for _ in range(20):
        mask = info["action_mask"]
        assert mask[0], "hold is always legal"
        for action in np.flatnonzero(~mask):
            assert env.batch.reasons(0, action)
            masked += 1
        _, _, over, _, info = env.step(np.int64(np.flatnonzero(mask)[-1]))
        if over:
            break
    assert masked > 0


def test_what_is_masked_is_a_hold_that_is_counted(tapes: list[Tape]) -> None:
    """And costs what a violation costs: nothing is sent."""
    tight = EpisodeSettings(horizon_s=(120.0,), participation=1e-6)
    env = ExecutionEnv(Pool(tapes, tight))
    _, info = env.reset(seed=2)
    action = np.int64(env.batch.grid.index(3, 3, 1))
    assert not info["action_mask"][action]
    _, _, _, _, info = env.step(action)
    assert info["reward_terms"]["violation"] == -1.0
    assert env.batch.lives.account.clock[0, 0]["n_orders"] == 0
    assert env.batch.lives.progress[0]["illegal"] == 1


def test_a_picture_shows_the_order(tapes: list[Tape]) -> None:
    env = ExecutionEnv(Pool(tapes, SHORT), render_mode="rgb_array")
    env.reset(seed=3)
    before = env.render()
    for _ in range(8):
        env.step(np.int64(env.batch.grid.index(3, 3, 3)))
    after = env.render()
    assert before is not None
    assert after is not None
    assert before.shape == after.shape == (450, 800, 3)
    assert np.any(before != after)
    assert ExecutionEnv(Pool(tapes, SHORT)).render() is None


def test_a_picture_shows_what_rests(tapes: list[Tape]) -> None:
    """Posted, or what a marketable order could not take; what only takes rests nowhere."""
    grid = ActionGrid(sizes=(1.0,), prices=("touch", "take", "marketable"), waits_s=(1.0,))
    large = EpisodeSettings(horizon_s=(120.0,), qty_volume=(2.0, 2.0), participation=None)
    env = ExecutionEnv(Pool(tapes, large), grid=grid)
    for price, expected in ((0, 1), (1, 0), (2, 1)):
        env.reset(seed=3)
        env.step(np.int64(grid.index(0, price, 0)))
        figure = Figure()
        env._draw(figure)
        dotted = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
        assert len(dotted) == expected, grid.prices[price]
        order = env.batch.lives.order[0, 0]
        if expected:
            tick = float(tapes[0].instrument.book_tick)
            assert dotted[0].get_ydata()[0] == pytest.approx(order["work_ticks"] * tick)
            assert order["left"] > 0


def test_it_is_the_batch_of_one(tapes: list[Tape]) -> None:
    env, batch = ExecutionEnv(Pool(tapes, SHORT)), BatchExecutionEnv(Pool(tapes, SHORT), 1)
    seen, _ = env.reset(seed=7)
    many, _ = batch.reset(seed=7)
    for action in (5, 40, 0, 96, 13):
        np.testing.assert_array_equal(seen, many[0])
        seen, reward, over, _, _ = env.step(np.int64(action))
        many, rewards, _, _, _ = batch.step(np.array([action]))
        assert rewards[0] == reward
        if over:
            break


def test_bad_input_is_one_line(tapes: list[Tape]) -> None:
    with pytest.raises(InputError, match="render_mode: 'human' is not rgb_array"):
        ExecutionEnv(Pool(tapes, SHORT), render_mode="human")
    env = ExecutionEnv(Pool(tapes, SHORT))
    with pytest.raises(InputError, match="the episode is over; reset"):
        env.step(np.int64(0))
