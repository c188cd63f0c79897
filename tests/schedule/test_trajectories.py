"""Every schedule: whole lots, from all to nothing, never up, within a lot of its exact share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paceline.cost.impact import Impact
from paceline.errors import InputError
from paceline.schedule import almgren_chriss, twap, vwap
from paceline.schedule.trajectory import Ints, round_to_lots, slice_bounds

IMPACT = Impact(sigma=0.5, gamma=1e-4, eta=0.5)
QTY = st.lists(st.integers(1, 10**7), min_size=1, max_size=6)


def check(trajectory: Ints, qty: list[int], share: np.ndarray) -> None:
    assert trajectory.dtype == np.int64
    assert trajectory[:, 0].tolist() == qty
    assert not trajectory[:, -1].any()
    traded = -np.diff(trajectory, axis=1)
    assert (traded >= 0).all()
    exact = np.asarray(qty)[:, None] * share
    assert (np.abs(traded - exact) <= 1 + 1e-9 * exact).all()


@pytest.mark.parametrize(
    ("qty", "n_slices", "expected"),
    [
        (10, 5, [10, 8, 6, 4, 2, 0]),
        (1, 4, [1, 1, 0, 0, 0]),
        (3, 8, [3, 3, 2, 2, 2, 1, 1, 0, 0]),
        (7, 3, [7, 5, 2, 0]),
        (5, 1, [5, 0]),
    ],
)
def test_twap_by_hand(qty: int, n_slices: int, expected: list[int]) -> None:
    assert twap.target(qty, n_slices).tolist() == [expected]


@given(QTY, st.integers(1, 300))
def test_twap(qty: list[int], n_slices: int) -> None:
    check(twap.target(qty, n_slices), qty, np.full((1, n_slices), 1 / n_slices))


@given(QTY, st.data())
def test_vwap(qty: list[int], data: st.DataObject) -> None:
    n_slices = data.draw(st.integers(1, 40))
    weight = st.floats(0, 1e9, allow_subnormal=False)
    row = st.lists(weight, min_size=n_slices, max_size=n_slices).filter(lambda w: sum(w) > 1e-100)
    weights = np.array([data.draw(row) for _ in qty])
    check(vwap.target(qty, weights), qty, weights / weights.sum(axis=1, keepdims=True))


@example([825], 50, 1.0, 8.263167354794193e-120)  # TWAP but for the last digit
@given(
    QTY,
    st.integers(1, 100),
    st.floats(1, 1e5),
    st.floats(0, 1e6, allow_subnormal=False),
)
def test_almgren_chriss(qty: list[int], n_slices: int, horizon: float, aversion: float) -> None:
    impact = IMPACT._replace(gamma=0.0)
    trajectory = almgren_chriss.target(qty, horizon, n_slices, impact, aversion)
    share = almgren_chriss.trade_list(horizon, n_slices, impact, aversion)
    check(trajectory, qty, share)
    even = twap.target(qty, n_slices)
    assert (trajectory <= even).all(), "risk aversion never trades later than TWAP"


@given(QTY, st.integers(1, 50))
def test_equal_volume_is_twap(qty: list[int], n_slices: int) -> None:
    difference = vwap.target(qty, np.full(n_slices, 0.1)) - twap.target(qty, n_slices)
    assert np.abs(difference).max() <= 1  # a half lot may round either way
    assert (
        almgren_chriss.target(qty, 60.0, n_slices, IMPACT, 0.0) == twap.target(qty, n_slices)
    ).all()


@pytest.mark.parametrize("qty", [[0], [-1], [2**53 + 1], [1.5], [[1]], [True]])
def test_quantities_that_are_refused(qty: object) -> None:
    with pytest.raises(InputError, match=r"^qty_lots: "):
        twap.target(qty, 4)  # type: ignore[arg-type]


@pytest.mark.parametrize("left", [[1, 0.5], [0.9, 0], [1, 0.2, 0.3, 0], [1, float("nan"), 0]])
def test_shares_that_are_refused(left: list[float]) -> None:
    with pytest.raises(InputError, match=r"^left: "):
        round_to_lots([10], left)


@pytest.mark.parametrize("n_slices", [0, -1, 2.5, True])
def test_slices_that_are_refused(n_slices: int) -> None:
    with pytest.raises(InputError, match=r"^n_slices: "):
        twap.target([10], n_slices)


@given(
    st.lists(st.tuples(st.integers(0, 2**62), st.integers(1, 2**61)), min_size=1, max_size=5),
    st.integers(1, 1000),
)
def test_slice_bounds(spans: list[tuple[int, int]], n_slices: int) -> None:
    start = [s for s, _ in spans]
    end = [s + length for s, length in spans]
    bounds = slice_bounds(start, end, n_slices)
    for row, s, e in zip(bounds.tolist(), start, end, strict=True):
        assert row == [s + (e - s) * j // n_slices for j in range(n_slices + 1)]


def test_slice_bounds_refuse_no_time() -> None:
    with pytest.raises(InputError, match="order 1 does not end after its start"):
        slice_bounds([0, 5], [10, 5], 3)
