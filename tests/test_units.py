"""Floats become integers in one place, and exactly."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import InputError
from paceline.units import INT64_MAX, as_decimal, bps, from_steps, to_steps

STEPS = st.sampled_from(["1", "0.01", "0.001", "0.0001", "0.25", "0.03125", "100", "1E-8"]).map(
    Decimal
)


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [
        (20.85, "0.001", 20850),  # 20850.000000000004 in binary
        (0.1 + 0.2, "0.1", None),  # 0.30000000000000004 is off the grid
        ("20.85", "0.01", 2085),
        (-1.25, "0.25", -5),
        (Decimal("0.00000001"), "1E-8", 1),
        (7, "2", None),
        (0, "0.01", 0),
        ("1e400", "1", None),
        (INT64_MAX, "1", INT64_MAX),
        (INT64_MAX + 1, "1", None),
        ("1." + "0" * 40 + "1", "1", None),  # a quotient of 28 digits would hide the last one
    ],
)
def test_to_steps(value: object, step: str, expected: int | None) -> None:
    if expected is None:
        with pytest.raises(InputError, match="qty: "):
            to_steps(value, Decimal(step), "qty")  # type: ignore[arg-type]
    else:
        assert to_steps(value, Decimal(step), "qty") == expected  # type: ignore[arg-type]


@given(st.integers(-(2**62), 2**62), STEPS)
def test_steps_there_and_back(steps: int, step: Decimal) -> None:
    assert to_steps(from_steps(steps, step), step, "px") == steps


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**10), max_value=10**10), STEPS
)
def test_accepts_exactly_the_multiples(value: Decimal, step: Decimal) -> None:
    on_grid = (Fraction(value) / Fraction(step)).denominator == 1
    if on_grid:
        assert to_steps(value, step, "px") == Fraction(value) / Fraction(step)
    else:
        with pytest.raises(InputError, match="is not a multiple of"):
            to_steps(value, step, "px")


@pytest.mark.parametrize(
    "value", [True, False, float("nan"), float("inf"), "abc", "", None, "sNaN", []]
)
def test_not_a_number(value: object) -> None:
    with pytest.raises(InputError, match=r"^qty: "):
        as_decimal(value, "qty")  # type: ignore[arg-type]


def test_bps() -> None:
    assert bps(1, 100) == 100.0
    assert bps(-0.5, 10_000) == -0.5
