"""How far a band reaches, in whole ticks, around a reference that may lie on half a tick."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from guard.states import limits
from paceline.guard.bounds import band_up_to, costliest_in_band, costliest_within
from paceline.jit import kernel

SIDES = st.sampled_from((1, -1))
HALF_TICKS = st.integers(1, 400) | st.integers(1, 2 * (2**31 - 1))


@kernel
def in_band(limits: np.void, side: int, half_ticks: int) -> int:
    return costliest_in_band(limits, side, half_ticks)


@kernel
def within(side: int, half_ticks: int, ppm: int) -> int:
    return costliest_within(side, half_ticks, ppm)


@kernel
def up_to(side: int, half_ticks: int, ticks: int) -> int:
    return band_up_to(side, half_ticks, ticks)


@given(side=SIDES, half_ticks=HALF_TICKS, ticks=st.integers(0, 500), ppm=st.integers(0, 10**6))
def test_the_costliest_price_is_within_and_the_next_is_not(
    side: int, half_ticks: int, ticks: int, ppm: int
) -> None:
    (row,) = limits(band_ticks=ticks, band_bps="unlimited")
    for cost, most in (
        (in_band(row, side, half_ticks), Fraction(ticks)),
        (within(side, half_ticks, ppm), Fraction(half_ticks * ppm, 2 * 10**6)),
    ):
        beyond = side * (side * cost - Fraction(half_ticks, 2))
        assert beyond <= most < beyond + 1


@given(side=SIDES, half_ticks=HALF_TICKS, beyond=st.integers(-500, 500))
def test_a_band_up_to_a_price_ends_there(side: int, half_ticks: int, beyond: int) -> None:
    """And at the reference where that price is better."""
    ticks = half_ticks // 2 + side * beyond
    (row,) = limits(band_ticks=up_to(side, half_ticks, ticks), band_bps="unlimited")
    cost = in_band(row, side, half_ticks)
    if side * (2 * ticks - half_ticks) > 0:
        assert cost == side * ticks
    else:
        assert -1 < side * (side * cost - Fraction(half_ticks, 2)) <= 0
