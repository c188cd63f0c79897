"""The volume curve knows earlier days only, and integrates to the volume of any interval."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import InputError
from paceline.schedule.vwap import VolumeCurve, target, volume_curve

EDGES = [0, 10, 20, 40]
DAYS = [date(2003, 1, 13) + timedelta(days=i) for i in range(4)]
CUMULATIVE = np.array([[0, 50, 50, 100], [0, 10, 20, 40], [0, 0, 0, 7], [0, 1, 2, 3]], float)


def test_mean_of_the_shares_of_earlier_days() -> None:
    curve = volume_curve(DAYS, EDGES, CUMULATIVE, DAYS[2])
    assert curve.days == (DAYS[0], DAYS[1])
    np.testing.assert_allclose(curve.traded, [0, 0.375, 0.5, 1])


@given(st.integers(1, 3), st.permutations(range(4)), st.floats(0, 1e6))
def test_later_days_are_not_looked_at(known: int, order: list[int], noise: float) -> None:
    today = DAYS[known]
    changed = CUMULATIVE.copy()
    changed[known:, :] = [-1, noise, np.nan, 0]
    one = volume_curve(DAYS[:known], EDGES, CUMULATIVE[:known], today)
    other = volume_curve([DAYS[i] for i in order], EDGES, changed[order], today)
    assert one.days == other.days
    assert (one.traded == other.traded).all()


def test_without_earlier_days() -> None:
    with pytest.raises(InputError, match=r"^days: none before 2003-01-13; give earlier days"):
        volume_curve(DAYS, EDGES, CUMULATIVE, DAYS[0])
    curve = volume_curve(DAYS, EDGES, CUMULATIVE, DAYS[0], uniform_without_days=True)
    assert curve.days == ()
    np.testing.assert_allclose(curve.traded, [0, 0.25, 0.5, 1])
    assert volume_curve([], EDGES, [], DAYS[0], uniform_without_days=True).days == ()


@pytest.mark.parametrize(
    ("days", "edges", "cumulative", "says"),
    [
        (DAYS[:1], [0, 10, 10, 20], [[0, 1, 2, 3]], "edges_ns"),
        (DAYS[:1], EDGES, [[0, 1, 2]], "cumulative: shape .1, 3.; give 1 days by 4 edges"),
        (DAYS[:1], EDGES, [[0, 2, 1, 3]], "cumulative: 2003-01-13 does not rise"),
        (DAYS[:1], EDGES, [[0, 0, 0, 0]], "cumulative: 2003-01-13 does not rise"),
        (DAYS[:1], EDGES, [[1, 1, 2, 3]], "cumulative: 2003-01-13 does not rise"),
        (DAYS[:1], EDGES, [[0, 1, float("nan"), 3]], "cumulative: 2003-01-13 does not rise"),
        (DAYS[:1] * 2, EDGES, [[0, 1, 2, 3]] * 2, "days: a date appears twice"),
    ],
)
def test_refused(
    days: list[date], edges: list[int], cumulative: list[list[float]], says: str
) -> None:
    with pytest.raises(InputError, match=f"^{says}"):
        volume_curve(days, edges, cumulative, DAYS[3])


CURVE = VolumeCurve(np.array(EDGES, dtype=np.int64), np.array([0, 0.5, 0.5, 1.0]), ())


def test_weights_by_hand() -> None:
    np.testing.assert_allclose(CURVE.weights(0, 40, 4), [[0.5, 0, 0.25, 0.25]])
    np.testing.assert_allclose(CURVE.weights([5, 5], [15, 25], 2), [[0.25, 0], [0.25, 0.125]])


def test_weights_refused() -> None:
    with pytest.raises(InputError, match="order 1 leaves the volume curve"):
        CURVE.weights([0, 30], [10, 41], 2)
    with pytest.raises(InputError, match="nothing ever traded in the interval of order 0"):
        CURVE.weights([12], [18], 2)


@given(st.integers(0, 39), st.integers(1, 40), st.integers(1, 20))
def test_slices_add_up_to_the_interval(start: int, length: int, n_slices: int) -> None:
    end = min(start + length, 40)
    mass = np.interp(end, EDGES, CURVE.traded) - np.interp(start, EDGES, CURVE.traded)
    if mass > 0:
        assert CURVE.weights(start, end, n_slices).sum() == pytest.approx(mass)


@pytest.mark.parametrize("weights", [[0, 0], [-1, 2], [float("nan"), 1], [], 3, [float("inf"), 1]])
def test_target_refuses(weights: object) -> None:
    with pytest.raises(InputError, match=r"^(weights|n_slices): "):
        target([10], weights)  # type: ignore[arg-type]


def test_target_by_hand() -> None:
    assert target([10, 3], [[2, 1, 1], [0, 0, 5]]).tolist() == [[10, 5, 2, 0], [3, 3, 3, 0]]
