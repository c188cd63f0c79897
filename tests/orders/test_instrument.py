"""Grids of an instrument."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import InputError, OrderError
from paceline.orders.instrument import Instrument

GRID: dict[str, Any] = {"symbol": "X", "book_tick": Decimal("0.001"), "order_tick": Decimal("0.01")}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"symbol": ""}, "instrument.symbol: '' is empty"),
        ({"book_tick": Decimal(0)}, "instrument.book_tick: 0 is not positive"),
        ({"order_tick": Decimal("-0.01")}, "instrument.order_tick: -0.01 is not positive"),
        (
            {"order_tick": Decimal(2**63 - 1)},
            "instrument.order_tick: 9223372036854775807 is not wit",
        ),
        (
            {"order_tick": Decimal(10**12)},
            "instrument.order_tick: 1E+12 is more than 1,000,000,000",
        ),
        (
            {"book_tick": Decimal("1e-18"), "order_tick": Decimal(10**12)},
            "instrument.order_tick: 1E+12 is more than 1,000,000,000",
        ),
        ({"lot": Decimal("1e-19")}, "instrument.lot: 1E-19 is not within 1E-18 and 1E+12; give"),
        ({"order_tick": Decimal("0.0015")}, "instrument.order_tick: 0.0015 is not a multiple"),
        ({"lot": Decimal("NaN")}, "instrument.lot: "),
        ({"lot": True}, "instrument.lot: True is a boolean"),
    ],
)
def test_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as error:
        Instrument(**{**GRID, **change})
    assert str(error.value).startswith(says)


def test_order_step() -> None:
    assert Instrument(**GRID).order_step == 10
    assert Instrument(**{**GRID, "order_tick": Decimal("0.001")}).order_step == 1
    with pytest.raises(OrderError):
        Instrument(**{**GRID, "order_tick": Decimal("0.0001")})


@given(st.integers(-(10**12), 10**12))
def test_there_and_back(count: int) -> None:
    instrument = Instrument(**{**GRID, "lot": Decimal("0.00001")})
    assert instrument.ticks(instrument.price(count)) == count
    assert instrument.lots(instrument.quantity(count)) == count
    assert instrument.ticks(float(instrument.price(count))) == count
