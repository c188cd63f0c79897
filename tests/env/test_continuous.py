"""Two numbers for an action: the same environment, and never beyond a limit."""

from __future__ import annotations

import warnings

import gymnasium as gym
import msgspec
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from decision.judging import against
from env.untaught import Pool
from paceline.decision.actions import HOLD, ActionGrid
from paceline.decision.box import ActionBox
from paceline.decision.decide import mean
from paceline.decision.mask import reasons_of
from paceline.decision.state import NOWHERE, State
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.engine.venue import Latency, Venue
from paceline.env.batch_env import OPEN_LIMITS, BatchExecutionEnv, RewardSettings
from paceline.env.checks import check_conservation, check_deterministic
from paceline.env.episodes import EpisodeSettings
from paceline.env.execution_env import CONTINUOUS_ID, ExecutionEnv
from paceline.errors import InputError
from paceline.guard.rules import IOC
from paceline.market.tape import Tape
from paceline.market.watch import new_watch

SHORT = EpisodeSettings(horizon_s=(120.0,))
BOX = ActionBox()


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    return [simulate_day(load_market("yhoo-2003"), "2024-01-08", 4)]


def test_gymnasium_and_our_checks_find_nothing(tapes: list[Tape]) -> None:
    env = gym.make(CONTINUOUS_ID, pool=Pool(tapes, SHORT), render_mode="rgb_array")
    assert env.action_space.shape == (2,)
    with warnings.catch_warnings():
        # It would rather have both numbers from -1 to 1; a fraction is none below 0.
        warnings.filterwarnings("ignore", ".*symmetric and normalized.*")
        check_env(env.unwrapped)
    check_deterministic(env.unwrapped, seed=5)
    check_conservation(env.unwrapped, seed=5, episodes=3)


def test_it_is_the_grid_where_they_mean_the_same(tapes: list[Tape]) -> None:
    """Bit for bit: half of what is left at the touch or three behind, all of it two through the
    other touch, or nothing."""
    grid = ActionGrid(sizes=(0.25, 1.0), prices=("behind_2", "touch", "take_2"), waits_s=(2.0,))
    wide = EpisodeSettings(horizon_s=(300.0,), participation=None, price_band_bps=None)
    pool = Pool(tapes, wide, seed=4)
    listed, box = BatchExecutionEnv(pool, 16, grid=grid), BatchExecutionEnv(pool, 16, grid=BOX)
    episodes = pool.draw(16)
    # A quarter of what is left may end on half a lot, which the two round differently.
    episodes["lots"] = 4 ** np.ceil(np.log2(episodes["lots"]) / 2).astype(np.int64)
    for env in (listed, box):
        env.reset(options={"episodes": episodes})
    dice, compared = np.random.default_rng(1), 0
    means = {0: (0.0, 0.3)} | {
        grid.index(size, price, 0): (grid.sizes[size], offset)
        for size in (0, 1)
        for price, offset in enumerate((-1.0, 0.0, 1.0))
    }
    going = np.ones(16, bool)
    for _ in range(30):
        left = listed.lives.order["left"][:, 0]
        going &= listed.lives.progress["over"] == 0
        actions = np.where(left % 4 == 2, 0, dice.integers(len(grid), size=16))
        rewards, _ = listed.advance(actions)
        others, _ = box.advance(np.array([means[action] for action in actions.tolist()]))
        np.testing.assert_array_equal(rewards[going], others[going])
        np.testing.assert_array_equal(listed.seen[going], box.seen[going])
        np.testing.assert_array_equal(listed.chosen["does"][going], box.chosen["does"][going])
        compared += int((going & (listed.chosen["does"] != HOLD)).sum())
    assert compared > 60


def nasty(dice: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Corners, edges and whatever lies between."""
    actions = dice.uniform((0.0, -1.0), (1.0, 1.0), (n, 2))
    corners = dice.choice([0.0, 1.0], (n, 1)), dice.choice([-1.0, 0.0, 1.0], (n, 1))
    return np.where(dice.random((n, 2)) < 0.6, np.concatenate(corners, axis=1), actions)


TIGHT = msgspec.structs.replace(
    OPEN_LIMITS, child_max=300, participation=0.2, max_messages=25, max_cancels=12,
    min_resting_s=3.0, max_ahead=0.2, max_volatility_bps=12.0,
)  # fmt: skip


def test_no_action_goes_beyond_a_limit(tapes: list[Tape]) -> None:
    """Random and adversarial, held against the guard's slow twin before each is carried out, and
    against what was sent afterwards."""
    settings = EpisodeSettings(
        horizon_s=(300.0,), qty_volume=(0.1, 0.5), participation=0.3, price_band_bps=6.0
    )
    env = BatchExecutionEnv(
        Pool(tapes, settings, seed=8), 32, grid=BOX, limits=TIGHT,
        venue=Venue(submit=Latency.constant(1.0)), reward=RewardSettings(violation=1.0),
    )  # fmt: skip
    env.reset(seed=8)
    dice, sent, why = np.random.default_rng(8), 0, set()
    for _ in range(70):
        lives = env.lives
        going = lives.progress["over"] == 0
        before = lives.account.clock["n_orders"][:, 0].copy()
        states = [
            State(
                lives.ticks[i].copy(), lives.sizes[i].copy(), new_watch(), lives.order[i].copy(),
                lives.context[i].copy(),
            )
            for i in range(32)
        ]  # fmt: skip
        limits, snapshots = lives.limits.copy(), lives.snapshot.copy()
        illegal = lives.progress["illegal"].copy()
        env.advance(nasty(dice, 32))
        np.testing.assert_array_equal(lives.progress["illegal"] - illegal, env.broken != 0)
        np.testing.assert_array_equal(env.terms[:, 4], np.where(env.broken != 0, -1.0, 0.0))
        for i in np.flatnonzero(going):
            why |= {reason.name for reason in reasons_of(int(env.broken[i]))}
            if env.chosen[i]["does"] == HOLD:
                over = lives.progress["over"][i] != 0
                assert over or lives.account.clock["n_orders"][i, 0] == before[i]
                continue
            child = np.zeros(3, np.int64)
            mean(states[i], env.chosen, i, child)
            assert against(states[i], limits[i], snapshots[i], *child.tolist()) == set()
            sent += 1
            if lives.progress["over"][i] == 0:
                assert_kept(env, i, int(before[i]))
    assert sent > 300
    assert {"price_band", "child_max", "participation", "max_messages", "min_resting",
            "schedule_drift", "passive_only"} <= why  # fmt: skip


def assert_kept(env: BatchExecutionEnv, i: int, first: int) -> None:
    episode, account = env.episodes[i], env.lives.account
    bound = episode["band_high"] if episode["side"] > 0 else episode["band_low"]
    for order in account.orders[i, first : account.clock[i, 0]["n_orders"]]:
        assert order["lots"] <= 300
        assert episode["side"] * (order["first_ticks"] - bound) <= 0
    assert env.lives.order[i, 0]["messages"] <= 25
    assert env.lives.order[i, 0]["cancels"] <= 12


def test_many_are_as_many_alone(tapes: list[Tape]) -> None:
    pool = Pool(tapes, SHORT, seed=9)
    episodes, dice = pool.draw(6), np.random.default_rng(9)
    actions = np.array([nasty(dice, 6) for _ in range(40)])
    together = BatchExecutionEnv(pool, 6, grid=BOX, threads=2)
    together.reset(options={"episodes": episodes})
    rows = [(together.advance(row)[0].copy(), together.seen.copy()) for row in actions]
    for i in range(6):
        alone = BatchExecutionEnv(pool, 1, grid=BOX)
        alone.reset(options={"episodes": episodes[i : i + 1]})
        for row, (reward, seen) in zip(actions, rows, strict=True):
            mine, over = alone.advance(row[i : i + 1])
            assert mine[0] == reward[i]
            np.testing.assert_array_equal(alone.seen[0], seen[i])
            if over[0]:
                break


def test_reasons_come_with_the_step(tapes: list[Tape]) -> None:
    tight = EpisodeSettings(horizon_s=(120.0,), participation=1e-6)
    env = ExecutionEnv(Pool(tapes, tight), grid=BOX)
    _, info = env.reset(seed=2)
    assert (info["reasons"], info["held"]) == ([], False)
    _, _, _, _, info = env.step(np.array([0.5, 0.0]))
    assert (info["reasons"], info["held"]) == (["participation"], True)
    assert env.batch.lives.account.clock[0, 0]["n_orders"] == 0
    _, _, _, _, info = env.step(np.array([0.0, 0.0]))
    assert (info["reasons"], info["held"]) == ([], False)
    batch = BatchExecutionEnv(Pool(tapes, tight), 3, grid=BOX)
    batch.reset(seed=2)
    _, _, _, _, found = batch.step(np.array([[0.5, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    assert found["held"].tolist() == [True, False, True]
    assert (found["reasons"] != 0).tolist() == [True, False, True]


def test_what_takes_takes_and_what_rests_rests(tapes: list[Tape]) -> None:
    free = EpisodeSettings(horizon_s=(120.0,), participation=None, price_band_bps=None)
    env = BatchExecutionEnv(Pool(tapes, free, seed=3), 8, grid=BOX)
    env.reset()
    env.advance(np.tile([0.1, 1.0], (8, 1)))
    orders = env.lives.account.orders[:, 0]
    assert np.all(orders["first_type"] == IOC)
    assert np.mean(env.lives.account.clock["n_fills"][:, 0] > 0) == 1.0
    env.advance(np.tile([0.1, -1.0], (8, 1)))
    assert np.all(env.lives.order["work_ticks"][:, 0] != NOWHERE)


@pytest.mark.parametrize(
    "actions", [[[0.5, 0.0]], [[1.1, 0.0]] * 2, [[0.5, np.nan]] * 2, [[0.5, -1.01]] * 2, [0.5, 0.0]]
)
def test_bad_input_is_one_line(tapes: list[Tape], actions: list[list[float]]) -> None:
    env = BatchExecutionEnv(Pool(tapes, SHORT), 2, grid=BOX)
    env.reset()
    with pytest.raises(InputError, match=r"actions: give \[2, 2\] numbers from 0 to 1 and from"):
        env.step(np.array(actions))


def test_random_actions_begin_anew_with_a_seed(tapes: list[Tape]) -> None:
    env = BatchExecutionEnv(Pool(tapes, SHORT), 4, grid=BOX)
    env.reset(seed=5)
    first = env.random_actions()
    assert env.action_space.contains(first.astype(np.float32))
    env.reset(seed=5)
    np.testing.assert_array_equal(env.random_actions(), first)
