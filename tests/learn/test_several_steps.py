"""Rows of several decisions: literal tables, a slow twin, and the log agreeing with the live."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from paceline.learn.replay_buffer import Transitions
from paceline.learn.several_steps import SeveralSteps, of_episodes


def rows_of(
    names: NDArray[np.int64], reward: NDArray[np.float32], done: NDArray[np.bool_], gamma: float
) -> Transitions:
    """Decisions whose features are their names, and what follows has the name plus a half."""
    n = len(names)
    seen = names.astype(np.float32)[:, None]
    return Transitions(
        features=seen, mask=np.ones((n, 2), bool), action=names % 2, reward=reward,
        next_features=seen + 0.5, next_mask=np.ones((n, 2), bool), done=done,
        discount=np.full(n, gamma, np.float32), propensity=np.full(n, 0.5, np.float32),
    )  # fmt: skip


def test_three_decisions_of_one_episode() -> None:
    rewards = np.array([1.0, 2.0, 4.0, 8.0], np.float32)
    rows = rows_of(np.arange(4), rewards, np.array([False, False, False, True]), 0.5)
    found = of_episodes(rows, np.array([True, True, True, False]), 3)
    assert found.reward.tolist() == [1 + 1 + 1, 2 + 2 + 2, 4 + 4, 8]
    assert found.discount.tolist() == [0.125, 0.125, 0.25, 0.5]
    assert found.next_features[:, 0].tolist() == [2.5, 3.5, 3.5, 3.5]
    assert found.done.tolist() == [False, True, True, True]


def test_what_a_gap_cut_off_is_left_out() -> None:
    rows = rows_of(np.arange(4), np.ones(4, np.float32), np.zeros(4, bool), 1.0)
    follows = np.array([True, True, True, False])
    assert of_episodes(rows, follows, 1).features[:, 0].tolist() == [0, 1, 2]
    assert of_episodes(rows, follows, 2).features[:, 0].tolist() == [0, 1]
    assert len(of_episodes(rows, follows, 9).action) == 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([1.0, 0.9]))
def test_live_rows_are_those_of_the_log(seed: int, steps: int, gamma: float) -> None:
    dice = np.random.default_rng(seed)
    n, moments = 3, 20
    over = dice.random((moments, n)) < 0.2
    over[-1] = True
    reward = dice.normal(size=(moments, n)).astype(np.float32)
    strays = dice.random((moments, n)) < 0.1
    live = SeveralSteps(steps)
    names = np.arange(moments * n).reshape(n, moments).T
    made = [
        live.add(rows_of(names[t], reward[t], over[t], gamma), over[t], strays=strays[t])
        for t in range(moments)
    ]
    found = Transitions._make(np.concatenate(column) for column in zip(*made, strict=True))
    order = np.argsort(found.features[:, 0])
    logged = rows_of(names.T.ravel(), reward.T.ravel(), over.T.ravel(), gamma)
    wanted = of_episodes(logged, ~over.T.ravel(), steps, strays.T.ravel())
    # What follows a return that was cut is known by what was seen there, and not by what led there.
    found, wanted = (
        rows._replace(next_features=np.ceil(rows.next_features - 0.25)) for rows in (found, wanted)
    )
    for name, one, other in zip(Transitions._fields, found, wanted, strict=True):
        np.testing.assert_allclose(one[order], other, rtol=1e-5, atol=1e-6, err_msg=name)


def test_what_was_not_whole_is_lost_when_episodes_begin_anew() -> None:
    live, nothing = SeveralSteps(3), np.zeros(1, bool)
    one = rows_of(np.array([7]), np.ones(1, np.float32), nothing, 1.0)
    assert len(live.add(one, nothing).action) == 0
    live.clear()
    assert len(live.add(one, nothing).action) == 0
    assert len(live.add(one, nothing).action) == 0
    assert live.add(one, nothing).reward.tolist() == [3.0]


@pytest.mark.parametrize("steps", [1, 4])
def test_an_episode_that_ends_gives_back_all_it_began(steps: int) -> None:
    live = SeveralSteps(steps)
    count = 0
    for t in range(10):
        over = np.array([t == 9, False])
        count += len(
            live.add(rows_of(np.array([t, t]), np.ones(2, np.float32), over, 1.0), over)[2]
        )
    assert count == 10 + 10 - (steps - 1)


def test_only_what_begins_becomes_a_row_and_earns_what_comes_after() -> None:
    live, going = SeveralSteps(3), np.zeros(1, bool)
    found = []
    for t in range(6):
        rows = rows_of(np.array([t]), np.array([2.0**t], np.float32), going, 1.0)
        found.append(live.add(rows, going, begins=np.array([t % 2 == 0])))
    rows = Transitions._make(np.concatenate(column) for column in zip(*found, strict=True))
    assert rows.features[:, 0].tolist() == [0, 2]
    assert rows.reward.tolist() == [1 + 2 + 4, 4 + 8 + 16]


def test_what_is_chosen_by_chance_ends_the_returns_before_it() -> None:
    """Decision 2 of the first environment strays: 0 and 1 earn up to it and look on from where it
    was taken, and it earns what came after it, like any other."""
    live, found = SeveralSteps(4), []
    for t in range(6):
        over, strays = np.array([t == 5, t == 5]), np.array([t == 2, False])
        reward = np.full(2, 2.0**t, np.float32)
        rows = rows_of(np.array([t, 10 + t]), reward, over, 0.5)
        found.append(live.add(rows, over, strays=strays))
    rows = Transitions._make(np.concatenate(column) for column in zip(*found, strict=True))
    rows = Transitions._make(column[np.argsort(rows.features[:, 0])] for column in rows)
    assert rows.features[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15]
    assert rows.reward[:3].tolist() == [1 + 1, 2, 4 + 4 + 4 + 4]
    assert rows.discount[:3].tolist() == [0.25, 0.5, 0.0625]
    assert rows.next_features[:3, 0].tolist() == [2, 2, 5.5]
    assert rows.done.tolist() == [False, False, True, True, True, True] + [False] * 2 + [True] * 4
    assert rows.reward[6:8].tolist() == [1 + 1 + 1 + 1, 2 + 2 + 2 + 2]
