"""The sum tree against a running sum."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paceline.learn.sum_tree import draw, leaves_for, put

PRIORITY = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))


@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(st.tuples(st.integers(0, n - 1), PRIORITY), min_size=1, max_size=60),
        )
    ),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20),
)
def test_it_draws_what_a_running_sum_draws(
    given_: tuple[int, list[tuple[int, float]]], numbers: list[float]
) -> None:
    n, changes = given_
    tree, plain = np.zeros(2 * leaves_for(n)), np.zeros(n)
    for row, priority in changes:
        put(tree, np.array([row]), np.array([priority]))
        plain[row] = priority
    rows, priorities = map(np.array, zip(*changes, strict=True))
    again = np.zeros_like(tree)
    put(again, rows.astype(np.int64), priorities.astype(float))
    np.testing.assert_array_equal(tree, again)
    half = len(tree) // 2
    np.testing.assert_array_equal(tree[half : half + n], plain)
    np.testing.assert_allclose(tree[1], plain.sum(), rtol=1e-12)
    if not plain.any():
        return
    found = np.empty(len(numbers), np.int64)
    draw(tree, np.array(numbers), found)
    assert (plain[found] > 0).all()  # what has no priority is never drawn
    edges = np.cumsum(plain)
    at = np.array(numbers) * edges[-1]
    low = np.concatenate([[0.0], edges])[found]
    assert (at >= low - 1e-9 * edges[-1]).all()
    assert (at <= edges[found] + 1e-9 * edges[-1]).all()


def test_leaves() -> None:
    assert [leaves_for(n) for n in (1, 2, 3, 4, 5, 1000)] == [1, 2, 4, 4, 8, 1024]


def test_even_numbers_draw_in_proportion() -> None:
    tree = np.zeros(2 * leaves_for(5))
    put(tree, np.arange(5), np.array([1.0, 0.0, 2.0, 4.0, 1.0]))
    rows = np.empty(800, np.int64)
    draw(tree, (np.arange(800) + 0.5) / 800, rows)
    assert np.bincount(rows, minlength=5).tolist() == [100, 0, 200, 400, 100]
