"""Shortfall: exact sums, both sides alike, and none of the classic faults."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.cost.shortfall import shortfall
from paceline.errors import InputError

MID = st.integers(200, 200_000).map(lambda halves: halves / 2)


class Case(NamedTuple):
    side: int
    qty: int
    decision: float
    arrival: float
    end: float
    fills: list[tuple[float, int, float]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    lots = draw(st.lists(st.integers(1, 1000), max_size=5))
    fills = [(draw(MID), q, draw(st.integers(-2000, 2000)) / 8) for q in lots]
    qty = sum(lots) + draw(st.integers(0, 500)) or 1
    return Case(draw(st.sampled_from([1, -1])), qty, draw(MID), draw(MID), draw(MID), fills)


def columns(many: list[Case]) -> dict[str, Any]:
    fills = [(i, *fill) for i, case in enumerate(many) for fill in case.fills]
    parent, px, lots, fee = zip(*fills, strict=True) if fills else ((), (), (), ())
    return {
        "side": [c.side for c in many],
        "qty_lots": [c.qty for c in many],
        "decision_px": [c.decision for c in many],
        "arrival_px": [c.arrival for c in many],
        "end_px": [c.end for c in many],
        "fill_parent": parent,
        "fill_px": px,
        "fill_lots": lots,
        "fill_fee": fee,
    }


def on_paper(case: Case) -> Fraction:
    """Perold's own words: what the paper portfolio earned, less what the real one did, in bps."""
    side, qty = case.side, case.qty
    paper = side * qty * (Fraction(case.end) - Fraction(case.decision))
    real = sum(
        (side * q * (Fraction(case.end) - Fraction(p)) - Fraction(fee) for p, q, fee in case.fills),
        Fraction(0),
    )
    return 10_000 * (paper - real) / (Fraction(case.arrival) * qty)


@given(st.lists(cases(), min_size=1, max_size=8), st.randoms())
def test_parts_sum_and_the_sum_is_perolds(many: list[Case], random: Any) -> None:
    given_columns = columns(many)
    order = list(range(len(given_columns["fill_px"])))
    random.shuffle(order)
    for name in ("fill_parent", "fill_px", "fill_lots", "fill_fee"):
        given_columns[name] = [given_columns[name][i] for i in order]
    cost = shortfall(**given_columns)
    total = ((cost.delay_bps + cost.trading_bps) + cost.opportunity_bps) + cost.fees_bps
    assert (total == cost.shortfall_bps).all()
    for i, case in enumerate(many):
        size = sum(abs(float(part[i])) for part in cost[1:5])
        assert float(cost.shortfall_bps[i]) == pytest.approx(
            float(on_paper(case)), abs=1e-12 * (1 + size)
        )
        assert cost.filled_lots[i] == sum(q for _, q, _ in case.fills)


@given(cases())
def test_a_sale_is_a_purchase_in_the_mirror(case: Case) -> None:
    """Mirrored about the arrival price, what is bad for a buy is as bad for a sell."""
    mirror = Case(
        -case.side,
        case.qty,
        2 * case.arrival - case.decision,
        case.arrival,
        2 * case.arrival - case.end,
        [(2 * case.arrival - px, lots, fee) for px, lots, fee in case.fills],
    )
    one, other = shortfall(**columns([case])), shortfall(**columns([mirror]))
    for part, mirrored in zip(one[:6], other[:6], strict=True):
        assert (part == mirrored).all()


NOTHING: dict[str, Any] = {"fill_parent": [], "fill_px": [], "fill_lots": [], "fill_fee": []}
ONE: dict[str, Any] = {
    "side": [1],
    "qty_lots": [100],
    "decision_px": [9_990.0],
    "arrival_px": [10_000.0],
    "end_px": [10_020.0],
}


@pytest.mark.parametrize(
    ("fills", "expected"),
    [
        # (parent, px, lots, fee) -> IS, delay, trading, opportunity, fees
        ([], (30, 10, 0, 20, 0)),
        ([(0, 10_005.0, 100, 0.0)], (15, 10, 5, 0, 0)),
        ([(0, 10_005.0, 60, 0.0), (0, 10_010.0, 20, 0.0)], (19, 10, 5, 4, 0)),
        ([(0, 9_999.5, 100, -200.0)], (7.5, 10, -0.5, 0, -2)),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_by_hand(side: int, fills: list[tuple[Any, ...]], expected: tuple[float, ...]) -> None:
    names = ("fill_parent", "fill_px", "fill_lots", "fill_fee")
    table = {name: [fill[i] for fill in fills] for i, name in enumerate(names)}
    cost = shortfall(**{**ONE, "side": [side]}, **table)
    # A sale meets the same prices from the other side; fees do not care.
    *prices, fees = expected[1:]
    parts = [side * price for price in prices] + [fees]
    assert [float(part[0]) for part in cost[1:5]] == pytest.approx(parts)
    assert float(cost.shortfall_bps[0]) == pytest.approx(sum(parts))
    assert side == -1 or sum(parts) == expected[0]


def test_no_fill_is_not_a_fill_at_zero() -> None:
    cost = shortfall(**ONE, **NOTHING)
    assert float(cost.trading_bps[0]) == 0.0
    assert float(cost.shortfall_bps[0]) == pytest.approx(30.0)
    assert np.isnan(cost.avg_px[0])
    assert cost.filled_lots.tolist() == [0]


def test_average_price() -> None:
    fills = {"fill_parent": [0, 0], "fill_px": [10_000.5, 10_003.5], "fill_lots": [10, 20]}
    cost = shortfall(**ONE, **fills, fill_fee=[0.0, 0.0])
    assert cost.avg_px.tolist() == [10_002.5]


def test_the_end_price_matters_only_when_something_is_left() -> None:
    full = {"fill_parent": [0], "fill_px": [10_000.0], "fill_lots": [100], "fill_fee": [0.0]}
    cost = shortfall(**{**ONE, "end_px": [float("nan")]}, **full)
    assert cost.shortfall_bps.tolist() == [10.0]
    with pytest.raises(InputError, match=r"^end_px: nan for order 0"):
        shortfall(**{**ONE, "end_px": [float("nan")]}, **{**full, "fill_lots": [99]})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"arrival_px": [float("nan")]}, "arrival_px: nan for order 0"),
        ({"arrival_px": [0.0]}, "arrival_px: 0.0 is not positive"),
        ({"decision_px": [float("inf")]}, "decision_px: inf for order 0"),
        ({"decision_px": [1.0, 2.0]}, "decision_px: shape"),
        ({"side": [0]}, "side: 0 is not a side"),
        ({"side": [1, 1]}, "side: shape"),
        ({"qty_lots": [0]}, "qty_lots: 0 is not positive"),
        ({"qty_lots": [1.5]}, "qty_lots: float64 values"),
        ({"fill_parent": [1]}, "fill_parent: 1 is no parent"),
        ({"fill_parent": [-1]}, "fill_parent: -1 is no parent"),
        ({"fill_px": [float("nan")]}, "fill_px: nan is not finite"),
        ({"fill_fee": [float("nan")]}, "fill_fee: nan is not finite"),
        ({"fill_lots": [0]}, "fill_lots: 0 is not positive"),
        ({"fill_lots": [101]}, "fill_lots: parent 0 was filled 101 of 100 lots"),
        ({"fill_lots": [1, 2]}, "fill_parent: fills of different lengths"),
    ],
)
def test_refused(change: dict[str, Any], says: str) -> None:
    fill = {"fill_parent": [0], "fill_px": [10_001.0], "fill_lots": [50], "fill_fee": [0.0]}
    with pytest.raises(InputError) as error:
        shortfall(**{**ONE, **fill, **change})
    assert str(error.value).startswith(says)


def test_no_orders_at_all() -> None:
    empty: dict[str, Any] = {name: [] for name in ONE}
    assert len(shortfall(**empty, **NOTHING).shortfall_bps) == 0
