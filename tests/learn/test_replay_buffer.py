"""The replay buffer: what goes in comes out, as often as it should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paceline.errors import InputError
from paceline.learn.replay_buffer import (
    AnyReplay,
    MixedReplay,
    ReplayBuffer,
    Transitions,
    new_replay,
    weights,
)
from paceline.learn.settings import Replay

F, A = 3, 11  # 11 actions: a mask is more than a byte


def rows(n: int, first: int = 0, **changes: Any) -> Transitions:
    """Rows whose reward is their number."""
    at = np.arange(first, first + n)
    mask = (at[:, None] + np.arange(A)) % 3 > 0
    mask[:, 0] = True
    made = Transitions(
        features=np.stack([at, at + 0.25, at + 0.5], axis=1).astype(np.float32), mask=mask,
        action=np.zeros(n, np.int64), reward=at.astype(np.float32),
        next_features=np.stack([at, at, at], axis=1).astype(np.float32) + 1, next_mask=~mask,
        done=at % 4 == 0, discount=np.full(n, 0.5, np.float32),
        propensity=np.full(n, 0.25, np.float32),
    )  # fmt: skip
    made.next_mask[:, 1] = True
    return made._replace(**changes)


def test_rows_come_out_as_they_went_in_and_the_oldest_go() -> None:
    buffer = ReplayBuffer(5, F, A)
    for first in (0, 3, 6):
        buffer.add(rows(3, first))
    assert (len(buffer), buffer.added) == (5, 9)
    for name, found, wanted in zip(
        Transitions._fields, buffer.transitions(), rows(5, 4), strict=True
    ):
        np.testing.assert_array_equal(found, wanted, name)
    buffer.add(rows(12, 100))
    np.testing.assert_array_equal(buffer.transitions().reward, np.arange(107, 112))
    drawn = buffer.sample(64, np.random.default_rng(1))
    wanted = rows(12, 100)
    at = drawn.batch.reward.astype(int) - 100
    np.testing.assert_array_equal(drawn.batch.mask, wanted.mask[at])
    np.testing.assert_array_equal(drawn.batch.next_mask, wanted.next_mask[at])
    np.testing.assert_array_equal(drawn.batch.discount, np.where(wanted.done, 0, 0.5)[at])
    assert set(at) == {7, 8, 9, 10, 11}
    assert (drawn.batch.weight == 1).all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"mask": np.zeros((4, A), bool)}, "rows.mask: 4 of 4 rows, the first is 0: no action is"),
        ({"action": np.array([0, 0, 1, 0])}, "rows.action: 1 of 4 rows, the first is 2: was mask"),
        ({"action": np.array([0, A, 0, -1])}, "rows.action: 2 of 4 rows, the first is 1: is none"),
        ({"reward": np.array([0, np.inf, 0, 0])}, "rows.reward: 1 of 4 rows, the first is 1: is "),
        ({"reward": np.array([0, np.nan, 0, 0])}, "rows.reward: 1 of 4 rows, the first is 1: is "),
        ({"discount": np.array([0, 1, 1.5, 0])}, "rows.discount: 1 of 4 rows, the first is 2: is"),
        ({"features": np.full((4, F), np.nan)}, "rows.features: 4 of 4 rows, the first is 0: hold"),
        ({"next_mask": np.zeros((4, A), bool)}, "rows.next_mask: 3 of 4 rows, the first is 1: no "),
        ({"features": np.zeros((4, 2))}, r"rows.features: is \[4, 2\], not \[4, 3\]; give what"),
        ({"done": np.zeros(3, bool)}, r"rows.done: is \[3\], not \[4\]; give what"),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_from_is_refused_whole(changes: dict[str, Any], says: str) -> None:
    for buffer in (ReplayBuffer(8, F, A), mixed(8, 8)):
        buffer.add(rows(2))
        with pytest.raises(InputError, match=says) as error:
            buffer.add(rows(4, **changes))
        assert "\n" not in str(error.value)
        assert len(buffer) == 2


def test_an_empty_buffer_says_so() -> None:
    for buffer in (ReplayBuffer(8, F, A), ReplayBuffer(8, F, A, priority=1.0), mixed(8, 8)):
        with pytest.raises(InputError, match="replay: is empty, and a batch is 4 rows; add rows"):
            buffer.sample(4, np.random.default_rng(1))


def mixed(usual: int, rare: int, priority: float = 0.0, share: float = 0.25) -> MixedReplay:
    """A buffer for which every fifth row is rare."""
    return MixedReplay(
        ReplayBuffer(usual, F, A, priority=priority), ReplayBuffer(rare, F, A, priority=priority),
        share, lambda rows: rows.reward % 5 == 0,
    )  # fmt: skip


@pytest.mark.parametrize(
    "buffer",
    [
        ReplayBuffer(64, F, A),
        ReplayBuffer(64, F, A, priority=0.7),
        mixed(64, 64),
        mixed(64, 64, 0.7),
    ],
)
def test_drawn_unevenly_and_weighed_rows_count_alike(buffer: AnyReplay) -> None:
    buffer.add(rows(40))
    dice = np.random.default_rng(5)
    for _ in range(3):  # errors that grow with the row
        drawn = buffer.sample(512, dice)
        buffer.learnt(drawn.where, drawn.batch.reward + 5)
    found, total = 0.0, 0.0
    for _ in range(60):
        drawn = buffer.sample(512, dice)
        weight = 1.0 / (len(buffer) * drawn.chance)
        found += float(weight @ drawn.batch.reward) / 512
        total += float(weight.mean())
        np.testing.assert_allclose(drawn.batch.weight, weight / weight.max(), rtol=1e-5)
    assert found / 60 == pytest.approx(np.arange(40).mean(), rel=0.03)
    assert total / 60 == pytest.approx(1.0, rel=0.03)


def test_rare_rows_have_their_share_and_are_not_pushed_out() -> None:
    buffer = mixed(8, 64)
    buffer.add(rows(200))
    assert (len(buffer.usual), len(buffer.rare), buffer.added) == (8, 40, 200)
    drawn = buffer.sample(64, np.random.default_rng(1))
    rare = drawn.batch.reward % 5 == 0
    assert rare.sum() == 16
    np.testing.assert_array_equal(drawn.where >= 8, rare)
    chance = np.where(rare, 0.25 / 40, 0.75 / 8)
    np.testing.assert_allclose(drawn.chance, chance)


def test_errors_of_rare_rows_reach_them() -> None:
    buffer = mixed(8, 8, priority=1.0)
    buffer.add(rows(10))
    buffer.learnt(np.array([2, 8 + 1]), np.array([100.0, 300.0], np.float32))
    assert buffer.usual.tree[8 + 2] == pytest.approx(100.001)
    assert buffer.rare.tree[8 + 1] == pytest.approx(300.001)


def test_before_there_are_rare_rows_the_usual_ones_are_drawn() -> None:
    buffer = mixed(8, 8)
    buffer.add(rows(2, first=1))
    assert (buffer.sample(6, np.random.default_rng(1)).where < 8).all()
    only_rare = mixed(8, 8)
    only_rare.add(rows(1))
    assert (only_rare.sample(6, np.random.default_rng(1)).where == 8).all()


def test_new_rows_are_drawn_soon() -> None:
    buffer = ReplayBuffer(64, F, A, priority=1.0)
    buffer.add(rows(10))
    buffer.learnt(np.arange(10), np.full(10, 7.0, np.float32))
    buffer.add(rows(1, first=50))
    assert buffer.tree[64 + 10] == buffer.tree[64] == pytest.approx(7.001)


@pytest.mark.parametrize(
    "make", [lambda: ReplayBuffer(16, F, A, priority=0.5), lambda: mixed(16, 8, 0.5)]
)
@pytest.mark.parametrize("with_rows", [True, False])
def test_a_restored_buffer_goes_on_as_the_first(make: Any, with_rows: bool) -> None:
    one, other = make(), make()
    one.add(rows(30))
    one.learnt(np.arange(6), np.arange(6).astype(np.float32))
    if not with_rows:
        other.add(rows(30))
    kept = {name: column.copy() for name, column in one.state(with_rows).items()}
    assert with_rows == any(name.endswith("features") for name in kept)
    other.restore(kept)
    for buffer in (one, other):
        buffer.add(rows(5, first=40))
    found = [buffer.sample(8, np.random.default_rng(2)) for buffer in (one, other)]
    np.testing.assert_array_equal(found[0].where, found[1].where)
    np.testing.assert_array_equal(found[0].batch.features, found[1].batch.features)
    assert one.digest() == other.digest()
    other.add(rows(1))
    assert one.digest() != other.digest()


def test_a_buffer_of_another_size_is_not_restored() -> None:
    one = ReplayBuffer(16, F, A)
    one.add(rows(20))
    with pytest.raises(
        InputError, match="replay: 16 rows were kept, which do not fit a buffer of 0"
    ):
        ReplayBuffer(8, F, A).restore(one.state())
    with pytest.raises(InputError, match="which do not fit"):
        ReplayBuffer(16, F, A).restore(one.state(rows=False))


def test_rewards_may_be_unknown_in_all_rows() -> None:
    buffer = ReplayBuffer(8, F, A)
    buffer.add(rows(4, reward=np.full(4, np.nan, np.float32)))
    assert not buffer.rewarded


def test_new_replay() -> None:
    assert isinstance(new_replay(Replay(capacity=8), F, A), ReplayBuffer)
    both = new_replay(Replay(capacity=8, rare_capacity=4), F, A, lambda rows: rows.done)
    assert isinstance(both, MixedReplay)
    with pytest.raises(InputError, match=r"replay\.rare_capacity: is_rare is not given"):
        new_replay(Replay(capacity=8, rare_capacity=4), F, A)


def test_weights_by_hand() -> None:
    found = weights(np.array([0.5, 0.25, 0.125]), 4, 1.0)
    np.testing.assert_allclose(found, [0.25, 0.5, 1.0])
    np.testing.assert_allclose(weights(np.array([0.5, 0.125]), 4, 0.5), [0.5, 1.0])
    np.testing.assert_allclose(weights(np.array([0.5, 0.125]), 4, 0.0), [1.0, 1.0])
