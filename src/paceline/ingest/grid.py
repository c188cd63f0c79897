"""The grids that prices and sizes lie on, found from the numbers themselves."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

_FRACTIONS = ("1", "0.5", "0.25", "0.1", "0.05", "0.025")
_DYADIC = tuple(Decimal(1) / 2**k for k in range(3, 9))  # bonds: 1/8 … 1/256


def decimal_grid(values: NDArray[np.int64], decimals: int) -> Decimal:
    """The coarsest usual step, at most 1, that all `values` (units of 10^-decimals) lie on.

    Usual steps are 1, ½ and ¼ of a power of ten, and binary fractions. One when `values` is empty.
    """
    common = int(np.gcd.reduce(values)) if len(values) else 0
    unit = Decimal(1).scaleb(-decimals)
    steps = {Decimal(f).scaleb(-2 * k) for f in _FRACTIONS for k in range(6)}
    for step in sorted(steps.union(_DYADIC), reverse=True):
        multiple = step / unit
        if multiple == multiple.to_integral_value() and common % int(multiple) == 0:
            return step.normalize()
    return unit
