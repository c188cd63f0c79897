"""CVaR95 is the mean of exactly the worst twentieth."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.cost.tail import cvar, cvar_without, summarize
from paceline.errors import InputError

VALUES = st.lists(st.integers(-1000, 1000), min_size=1, max_size=120)


def slowly(values: list[int], one_in: int) -> Fraction:
    """Every value `n` times over makes the tail a whole number of values."""
    copies = sorted((v for v in values for _ in range(one_in)), reverse=True)
    tail = copies[: len(values)]
    return Fraction(sum(tail), len(tail))


@given(VALUES, st.sampled_from([1, 2, 10, 20, 100]))
def test_against_whole_copies(values: list[int], one_in: int) -> None:
    assert cvar(values, one_in) == pytest.approx(float(slowly(values, one_in)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (range(1, 101), 98.0),  # mean of 96..100
        (range(1, 31), (30 + 29 * 0.5) / 1.5),
        ([7], 7.0),
        ([1, 2], 2.0),
    ],
)
def test_by_hand(values: list[int], expected: float) -> None:
    assert summarize(values).cvar95 == pytest.approx(expected)


@given(VALUES, st.integers(0, 5))
def test_missing_is_counted_and_nothing_else(values: list[int], missing: int) -> None:
    one, other = summarize(values), summarize([*values, *[float("nan")] * missing])
    assert one._replace(missing=missing) == other
    assert one.p50 <= one.p95 <= one.p99 <= max(values)
    slack = 1e-9 * (1 + abs(one.mean))
    assert one.mean - slack <= one.cvar95 <= max(values) + slack


def test_nothing_there() -> None:
    for values in ([], [float("nan")] * 3):
        summary = summarize(values)
        assert summary[:2] == (0, len(values))
        assert np.isnan(summary[2:]).all()


def test_infinite_is_refused() -> None:
    with pytest.raises(InputError, match=r"^values: infinite"):
        summarize([1.0, float("inf")])


@given(st.integers(0, 10_000), st.integers(1, 80), st.integers(1, 9), st.sampled_from([2, 3, 20]))
def test_without_each_group_it_is_the_cvar_of_the_others(
    seed: int, n: int, groups: int, one_in: int
) -> None:
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=n), int(rng.integers(0, 4)))  # with ties
    member = np.unique(rng.integers(0, groups, n), return_inverse=True)[1]
    found = cvar_without(values, member, one_in)
    slow = [cvar(values[member != g], one_in) for g in range(member.max() + 1)]
    assert found == pytest.approx(np.array(slow), nan_ok=True)


def test_without_a_group_by_hand() -> None:
    values, member = np.arange(1.0, 41.0), np.repeat([0, 1], 20)
    assert cvar_without(values, member, 20).tolist() == [40.0, 20.0]
