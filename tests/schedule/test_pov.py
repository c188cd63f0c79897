"""POV never exceeds its rate, and never lags it by a whole lot more than it must."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import InputError
from paceline.guard.participation import PPM, allowed_lots
from paceline.schedule import pov

PPMS = st.integers(1, PPM - 1)
LOTS = st.integers(0, 10**12)


@given(PPMS, LOTS)
def test_allowed_is_the_largest_that_keeps_the_rate(ppm: int, others: int) -> None:
    own = allowed_lots(ppm, others)
    rate = Fraction(ppm, PPM)
    assert own <= rate * (own + others)
    assert own + 1 > rate * (own + 1 + others)


@given(PPMS, st.integers(1, 10**9), LOTS, LOTS, LOTS)
def test_due(ppm: int, qty: int, others: int, filled: int, working: int) -> None:
    due = pov.lots_due(ppm, qty, others, filled, working)
    assert due >= 0
    if due:
        own = filled + working + due
        assert own == min(qty, allowed_lots(ppm, others))


@given(PPMS, st.integers(1, 500), st.lists(st.integers(0, 300), min_size=1, max_size=50))
def test_worked_step_by_step_it_follows_the_target(ppm: int, qty: int, volume: list[int]) -> None:
    others = np.concatenate([[0], np.cumsum(volume)])
    filled = 0
    for total, left in zip(others, pov.target(qty, others, ppm)[0], strict=True):
        filled += pov.lots_due(ppm, qty, int(total), filled, 0)
        assert filled == qty - left
        assert filled * PPM <= ppm * (filled + total)


@pytest.mark.parametrize(
    ("rate", "others", "own"), [(0.1, 90, 10), (0.2, 4, 1), (0.3, 7, 3), (0.5, 1, 1)]
)
def test_exactly_at_the_rate(rate: float, others: int, own: int) -> None:
    ppm = pov.rate_ppm(rate)
    assert allowed_lots(ppm, others) == own
    assert allowed_lots(ppm, others - 1) == own - 1


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan"), True, 0.00000001])
def test_rates_that_are_refused(rate: float) -> None:
    with pytest.raises(InputError, match=r"^rate: "):
        pov.rate_ppm(rate)


def test_paths_that_are_refused() -> None:
    with pytest.raises(InputError, match=r"^others_lots: "):
        pov.target([5], [1, 2], 100_000)
