"""Ticks, lots, nanoseconds and basis points: the only place where floats become integers.

The core counts prices in ticks, sizes in lots and time in nanoseconds since the epoch (UTC), all
integers. Conversions go through exact decimals, because 20.85 / 0.001 is 20850.000000000004 in
binary and a price that is off the grid must be refused, not rounded.
"""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation

from paceline.errors import InputError

BPS = 10_000.0
"""Basis points in one."""

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

INT64_MAX = 2**63 - 1
"""The largest count a column can hold."""

DOUBLE_NOISE = 8
"""How many units of a double's last place its rounding noise reaches."""

_MEANT_DIGITS = 12
"""Significant digits of a price or size, at most."""


def as_decimal(value: Decimal | int | float | str, field: str) -> Decimal:
    """`value` as an exact, finite decimal.

    A float is read as the shortest decimal that prints like it (20.85 is 20.85). Raises
    `InputError`, naming `field`, for booleans, NaN, infinities and text that is no number.
    """
    if isinstance(value, bool):
        raise InputError(f"{field}: {value!r} is a boolean; give a number")
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise InputError(f"{field}: {value!r} is not a number") from None
    if not number.is_finite():
        raise InputError(f"{field}: {value!r} is not finite; give a finite number")
    return number


def meant(value: float, single: bool = False) -> float:
    """The double nearest to the decimals that a float of a binary column was meant to be.

    `single`: it was held in single precision, and the shortest decimals that give it there are
    meant (101.37000274658203 is 101.37). A double means decimals of up to 12 digits when it differs
    from them by rounding noise only (19.830000000000002 is 19.83). Whole numbers and what is not
    finite stay as they are.
    """
    if not math.isfinite(value) or value == int(value):
        return value
    if single:
        import numpy as np  # not for every command: the rest of this module needs none

        return float(str(np.float32(value)))
    rounded = float(f"{value:.{_MEANT_DIGITS}g}")
    return rounded if abs(value - rounded) <= DOUBLE_NOISE * math.ulp(value) else value


def to_steps(value: Decimal | int | float | str, step: Decimal, field: str) -> int:
    """How many whole `step`s make `value`; `InputError` when it lies off the grid.

    Quotient and remainder, because a division would round: 1 + 1e-40 is off a grid of 1, and
    28 digits of quotient do not show it.
    """
    number = as_decimal(value, field)
    try:
        whole, rest = divmod(number, step)
    except InvalidOperation:
        raise InputError(
            f"{field}: {value!r} is out of range; give fewer steps of {step:f}"
        ) from None
    if rest:
        nearest = " and ".join(
            f"{step * (whole + more):f}" for more in ((0, 1), (-1, 0))[number < 0]
        )
        raise InputError(f"{field}: {value} is not a multiple of {step:f} (nearest: {nearest})")
    if abs(whole) > INT64_MAX:
        raise InputError(
            f"{field}: {value} is out of range; give at most {INT64_MAX} steps of {step:f}"
        )
    return int(whole)


def from_steps(steps: int, step: Decimal) -> Decimal:
    """The exact decimal value of `steps` steps."""
    return step * steps


def bps(part: float, whole: float) -> float:
    """`part / whole` in basis points. `whole` must not be zero."""
    return BPS * part / whole
