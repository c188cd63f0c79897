"""Benchmarks, spread, markouts and child orders against slow twins and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.cost.measures import (
    ChildOrders,
    Trades,
    child_measures,
    interval_vwap,
    markouts,
    mid_at,
    participation_weighted_price,
    per_parent,
    slippage_bps,
    spread_paid,
    trajectory_px,
    without,
)
from paceline.errors import InputError
from paceline.schedule import twap

NAN = math.nan
ROWS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(90, 110), st.integers(1, 20)), max_size=30
).map(sorted)


def trades(rows: list[tuple[int, int, int]]) -> Trades:
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Trades(table[:, 0], table[:, 1], table[:, 2])


def same(a: float, b: float) -> bool:
    return (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b)


@given(ROWS, st.integers(-5, 55), st.integers(-5, 55))
def test_interval_vwap(rows: list[tuple[int, int, int]], start: int, end: int) -> None:
    inside = [(px, q) for ts, px, q in rows if start <= ts < end]
    volume = sum(q for _, q in inside)
    expected = sum(px * q for px, q in inside) / volume if volume else NAN
    assert same(float(interval_vwap(trades(rows), [start], [end])[0]), expected)


def test_trades_of_ours_are_taken_out_at_their_time_and_price() -> None:
    tape = trades([(1, 100, 4), (1, 101, 3), (1, 100, 2), (2, 100, 5)])
    ours = np.array([[1, 100, 5], [2, 100, 1]]).T
    left = without(tape, *ours)
    assert list(zip(*map(np.ndarray.tolist, left), strict=True)) == [
        (1, 101, 3), (1, 100, 1), (2, 100, 4)
    ]  # fmt: skip
    with pytest.raises(InputError, match="lots: 1 at 101 ticks are not among the trades"):
        without(tape, np.array([1]), np.array([101]), np.array([4]))


@given(
    ROWS,
    st.integers(-5, 55),
    st.integers(-5, 55),
    st.integers(1, 40),
    st.sampled_from([0.1, 0.5, 1]),
)
def test_participation_weighted_price(
    rows: list[tuple[int, int, int]], start: int, end: int, qty: int, rate: float
) -> None:
    needed = qty / rate
    still, value = needed, 0.0
    for ts, px, q in rows:
        if start <= ts < end:
            taken = min(still, q)
            still, value = still - taken, value + taken * px
    expected = NAN if still > 0 else value / needed
    found = participation_weighted_price(trades(rows), [start], [end], [qty], rate)
    assert same(float(found[0]), expected)


def test_many_orders_at_once() -> None:
    tape = trades([(0, 100, 10), (1, 102, 10), (2, 104, 20)])
    assert interval_vwap(tape, [0, 1, 5], [2, 3, 9])[:2].tolist() == [101, pytest.approx(310 / 3)]
    pwp = participation_weighted_price(tape, [0, 0, 1], [3, 3, 3], [5, 2, 20], [0.5, 0.1, 0.5])
    assert pwp[:2].tolist() == [100, 101]
    assert np.isnan(pwp[2])
    with pytest.raises(InputError, match=r"^rate: "):
        participation_weighted_price(tape, [0], [3], [5], 0.0)


def test_slippage() -> None:
    found = slippage_bps([1, -1, 1, 1], [101, 101, NAN, 101], [100, 100, 100, NAN], [100] * 4)
    np.testing.assert_array_equal(found, [100, -100, NAN, NAN])


def test_trajectory_px() -> None:
    left = [[4, 2, 0, 0], [4, 4, 4, 0]]
    mid = [[100.0, 102.0, NAN], [NAN, NAN, 99.5]]
    assert trajectory_px(left, mid).tolist() == [101, 99.5]
    assert np.isnan(trajectory_px([[1, 0]], [[NAN]])).all()


@given(st.lists(st.integers(180, 220), min_size=1, max_size=20), st.integers(1, 500))
def test_twap_at_flat_slices_is_the_mean_mid(mids: list[int], per_slice: int) -> None:
    left = twap.target(per_slice * len(mids), len(mids))
    assert float(trajectory_px(left, [mids])[0]) == pytest.approx(sum(mids) / len(mids))


def test_spread() -> None:
    assert spread_paid([1, -1, 1], [101, 101, 99.5], [100, 100, 100]).tolist() == [1, -1, -0.5]


MID_TS = np.array([10, 20, 20, 40])
MID_PX = [100.0, 101.0, 102.0, 98.0]


@pytest.mark.parametrize(
    ("ts", "expected"), [(9, NAN), (10, 100), (19, 100), (20, 102), (39, 102), (45, 98), (51, NAN)]
)
def test_mid_at(ts: int, expected: float) -> None:
    assert same(float(mid_at(ts, MID_TS, MID_PX, 50)), expected)
    assert np.isnan(mid_at(ts, MID_TS[:0], [], 50))


def test_markouts() -> None:
    found = markouts([1, -1, 1], [10, 10, 45], MID_TS, MID_PX, 50, (10, 30, 100))
    expected = [[-2, 2, NAN], [2, -2, NAN], [NAN, NAN, NAN]]
    np.testing.assert_array_equal(found, expected)


def test_per_parent() -> None:
    found = per_parent([1.0, 4.0, NAN, NAN], [0, 0, 0, 1], [2, 1, 5, 7], 3)
    np.testing.assert_array_equal(found.mean, [2, NAN, NAN])
    assert found.lots.tolist() == [3, 0, 0]
    assert found.missing_lots.tolist() == [5, 7, 0]


def test_child_measures() -> None:
    second = 10**9
    orders = ChildOrders(
        parent=np.array([0, 0, 0, 2]),
        lots=np.array([10, 10, 10, 5]),
        filled_lots=np.array([10, 4, 0, 0]),
        submit_ts=np.array([0, 10, 20, 30]) * second,
        first_fill_ts=np.array([3, 11, -99, -99]) * second,
        cancelled=np.array([False, True, True, True]),
    )
    found = child_measures(orders, 3)
    assert found.children.tolist() == [3, 0, 1]
    np.testing.assert_allclose(found.fill_rate, [14 / 30, NAN, 0])
    np.testing.assert_allclose(found.time_to_fill_s, [2, NAN, NAN])
    assert found.filled_children.tolist() == [2, 0, 0]
    np.testing.assert_allclose(found.partial, [1 / 3, NAN, 0])
    np.testing.assert_allclose(found.cancels_per_child, [2 / 3, NAN, 1])
    with pytest.raises(InputError, match=r"^filled_lots: "):
        child_measures(orders._replace(filled_lots=np.array([11, 0, 0, 0])), 3)
