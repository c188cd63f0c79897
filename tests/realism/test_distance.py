"""Weighted samples and the distances between them: laws of a distance, and numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import InputError
from paceline.realism.distance import l1_distance, relative_wasserstein, wasserstein
from paceline.realism.distribution import Distribution, distribution, pooled

NOTHING = distribution([])


@st.composite
def samples(draw: st.DrawFn) -> Distribution:
    values = draw(st.lists(st.integers(-20, 20), min_size=1, max_size=12))
    weight = st.floats(0.01, 10.0)
    return distribution(values, draw(st.lists(weight, min_size=len(values), max_size=len(values))))


# --- the sample ----------------------------------------------------------------------------------


def test_equal_values_are_one_value_and_what_is_unknown_is_none():
    found = distribution([3.0, 1.0, np.nan, 3.0, 2.0], [1.0, 2.0, 9.0, 4.0, 0.0])
    assert found.values.tolist() == [1.0, 3.0]
    assert found.weights.tolist() == [2.0, 5.0]
    assert found.mean == pytest.approx(17.0 / 7.0)


@pytest.mark.parametrize(
    ("level", "value"), [(0.0, 1.0), (0.1, 1.0), (0.11, 2.0), (0.4, 2.0), (0.41, 7.0), (1.0, 7.0)]
)
def test_quantiles_by_hand(level: float, value: float):
    assert distribution([1.0, 2.0, 7.0], [1.0, 3.0, 6.0]).quantiles(level) == value


def test_an_empty_sample_has_no_quantile_and_no_distance():
    assert np.isnan(NOTHING.quantiles(0.5))
    assert np.isnan(NOTHING.mean)
    one = distribution([1.0])
    for distance in (l1_distance, wasserstein, relative_wasserstein):
        assert np.isnan(distance(NOTHING, one))
        assert np.isnan(distance(one, NOTHING))


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, np.nan], [1.0, np.inf]])
def test_weights_that_are_none_are_refused(weights: list[float]):
    with pytest.raises(InputError, match="weights"):
        distribution([1.0, 2.0], weights)


def test_a_level_that_is_no_share_is_refused():
    with pytest.raises(InputError, match="levels"):
        distribution([1.0]).quantiles(1.5)


def test_pooling_adds_weights():
    both = pooled([distribution([1.0, 2.0]), distribution([2.0], [5.0]), NOTHING])
    assert both.values.tolist() == [1.0, 2.0]
    assert both.weights.tolist() == [1.0, 6.0]


# --- the distances -------------------------------------------------------------------------------


@given(samples(), samples())
def test_distances_are_symmetric_and_bounded(a: Distribution, b: Distribution):
    for distance in (l1_distance, wasserstein, relative_wasserstein):
        assert distance(a, b) == pytest.approx(distance(b, a), abs=1e-9)
        assert distance(a, b) >= 0.0
    assert l1_distance(a, b) <= 1.0
    assert relative_wasserstein(a, b) <= 1.0


@given(samples(), st.floats(0.1, 9.0))
def test_a_sample_is_at_no_distance_from_itself_whatever_it_weighs(a: Distribution, times: float):
    again = Distribution(a.values, a.weights * times)
    for distance in (l1_distance, wasserstein, relative_wasserstein):
        assert distance(a, again) == pytest.approx(0.0, abs=1e-9)


@given(samples(), samples(), samples())
def test_wasserstein_obeys_the_triangle(a: Distribution, b: Distribution, c: Distribution):
    assert wasserstein(a, c) <= wasserstein(a, b) + wasserstein(b, c) + 1e-9


@given(samples(), st.integers(-9, 9), st.floats(0.1, 9.0))
def test_wasserstein_of_a_shift_is_the_shift_and_scales_with_the_unit(
    a: Distribution, by: int, unit: float
):
    moved = Distribution(a.values + by, a.weights)
    assert wasserstein(a, moved) == pytest.approx(abs(by), abs=1e-9)
    a_unit, moved_unit = (Distribution(d.values * unit, d.weights) for d in (a, moved))
    assert wasserstein(a_unit, moved_unit) == pytest.approx(unit * abs(by), abs=1e-9)
    assert relative_wasserstein(a_unit, moved_unit) == pytest.approx(
        relative_wasserstein(a, moved), abs=1e-9
    )


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9), st.data())
def test_wasserstein_of_equally_many_is_that_of_the_sorted(values: list[int], data: st.DataObject):
    """The slow twin: on the line the best transport keeps the order."""
    n = len(values)
    others = data.draw(st.lists(st.integers(-9, 9), min_size=n, max_size=n))
    twin = np.abs(np.sort(values) - np.sort(others)).mean()
    assert wasserstein(distribution(values), distribution(others)) == pytest.approx(twin, abs=1e-9)


def test_wasserstein_by_hand():
    """A quarter of the weight goes from 0 to 2, a half of it from 1 to 2: 0.25 * 2 + 0.5."""
    a = distribution([0.0, 1.0, 2.0], [1.0, 2.0, 1.0])
    b = distribution([2.0])
    assert wasserstein(a, b) == pytest.approx(1.0)


def test_two_points_are_as_far_apart_as_can_be():
    a, b = distribution([1.0]), distribution([5.0])
    assert wasserstein(a, b) == 4.0
    assert relative_wasserstein(a, b) == 1.0
    assert l1_distance(a, b) == 1.0


def test_l1_by_hand():
    """Of 1 and 2, one has half each, the other a quarter and three quarters."""
    a, b = distribution([1.0, 2.0]), distribution([1.0, 2.0], [1.0, 3.0])
    assert l1_distance(a, b) == pytest.approx(0.25)


def test_l1_sees_what_most_of_the_weight_does_and_not_how_far_the_rest_is():
    """A tenth of the weight is elsewhere: 0.1, be it at 10 or at 10,000."""
    usual = distribution([1.0])
    for far in (10.0, 10_000.0):
        assert l1_distance(usual, distribution([1.0, far], [9.0, 1.0])) == pytest.approx(0.1)


def test_draws_of_one_law_are_close_and_of_two_laws_are_not():
    dice = np.random.default_rng(7)
    a, b = (distribution(dice.normal(size=4000)) for _ in range(2))
    wide = distribution(3.0 * dice.normal(size=4000))
    assert l1_distance(a, b) < 0.06
    assert relative_wasserstein(a, b) < 0.05
    assert l1_distance(a, wide) > 0.3
    assert relative_wasserstein(a, wide) > 0.3
