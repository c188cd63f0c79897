"""The grids that prices and sizes lie on: found from the numbers themselves, or as given.

A book's grid has to hold every price, so one price off the usual step makes it finer. Our own
orders need not: their tick is the step that nearly all prices lie on, and the few others are named.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from paceline.units import INT64_MAX

NEARLY_ALL = 0.999
"""Share of the prices of orders that lie on the order tick."""

_ENOUGH = 20
"""Distinct numbers that it takes to believe in an unusual step, or in one above 1."""

_FINEST, _COARSEST = -18, 4  # powers of ten
_DYADIC = tuple(Decimal(1) / 2**k for k in range(3, 11))  # bonds: 1/8 … 1/1024
_ONE = Decimal(1)


@cache
def _usual(few: bool) -> tuple[Decimal, ...]:
    """Usual steps, coarsest first: 1, 2½ and 5 times a power of ten up to 1, and binary fractions;
    unless the numbers are `few` also twice a power of ten, and steps above 1."""
    leads = ("1", "2.5", "5") if few else ("1", "2", "2.5", "5")
    steps = {Decimal(lead).scaleb(k) for lead in leads for k in range(_FINEST, _COARSEST)}
    steps.update(_DYADIC)
    return tuple(sorted((s for s in steps if s <= 1 or not few), reverse=True))


def common_step(values: NDArray[np.int64] | list[int], unit: Decimal) -> Decimal:
    """The coarsest usual step, at most 1, that all `values`, counts of `unit`, lie on.

    `unit` itself where no usual step fits; 1 when `values` is empty.
    """
    common = (
        math.gcd(*values) if isinstance(values, list) else int(np.gcd.reduce(values, initial=0))
    )
    for step in _usual(few=True):
        multiple = step / unit
        if multiple == multiple.to_integral_value() and common % int(multiple) == 0:
            return step.normalize()
    return unit.normalize()


def decimal_grid(values: NDArray[np.int64], decimals: int) -> Decimal:
    """The coarsest usual step, at most 1, that all `values` (units of 10^-decimals) lie on."""
    return common_step(values, _ONE.scaleb(-decimals))


def order_grid(ticks: NDArray[np.int64], book_tick: Decimal) -> tuple[Decimal, NDArray[np.bool_]]:
    """The tick of our own orders, from the prices of orders `[n]` in book ticks.

    The coarsest usual step that `NEARLY_ALL` of them lie on, a multiple of the book tick; and which
    of them lie off it `[n]`.
    """
    price, at, count = np.unique(ticks, return_inverse=True, return_counts=True)
    may_be_off = int((1 - NEARLY_ALL) * len(ticks))
    for step in _usual(len(price) < _ENOUGH):
        multiple = step / book_tick
        if multiple < 1:
            break
        if multiple == multiple.to_integral_value() and int(multiple) <= INT64_MAX:
            off = price % int(multiple) != 0
            if int(count[off].sum()) <= may_be_off:
                return step.normalize(), off[at]
    return book_tick, np.zeros(len(ticks), bool)


def in_steps(
    values: NDArray[np.int64], unit: Decimal, step: Decimal
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """`values` `[n]`, counts of `unit`, in whole steps; and which are off the grid `[n]`.

    Those are rounded to the nearest step; what does not fit 64 bits is off the grid and 0. Raises
    `OverflowError` where a step is so small that no value fits.
    """
    ratio = Fraction(unit) / Fraction(step)
    up, down = ratio.numerator, ratio.denominator
    if up > INT64_MAX or down > INT64_MAX:
        raise OverflowError
    too_large = np.abs(values) > INT64_MAX // up
    scaled = np.where(too_large, 0, values) * np.int64(up)
    whole, rest = np.divmod(scaled, np.int64(down))
    whole += rest >= (down + 1) // 2
    return whole, too_large | (rest != 0)
