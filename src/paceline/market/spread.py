"""When a mid is a price: not across an absurd spread.

When a thin book loses its touch, stub quotes dollars away are its best prices for a while. Both
sides are there, but nobody could trade at their mid. Such a mid is unknown, for whatever asks for
one: features, rewards, arrival prices, fits, bars.

The rule looks at the two prices and at nothing else. So it is the same for a whole tape, for a
kernel in the middle of a day and for a live feed, and it knows nothing of what comes. 5 % is far
beyond what a quoted market shows and far below what stubs do; spreads of a few ticks are never
absurd, however small the price.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.jit import inlined

ABSURD_SHARE = 0.05
"""Share of the mid above which a spread is absurd."""

FEW_TICKS = 20
"""Book ticks up to which no spread is."""

_PER_SHARE = round(2 / ABSURD_SHARE)


@inlined
def is_absurd(bid_ticks: int, ask_ticks: int) -> bool:
    """Whether the spread between these prices is absurd (integers, so it is exact)."""
    spread = ask_ticks - bid_ticks
    return spread > FEW_TICKS and spread * _PER_SHARE > bid_ticks + ask_ticks


def absurd(bid_ticks: NDArray[np.float64], ask_ticks: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`is_absurd` for many prices `[n]`; False where a side is NaN."""
    spread = ask_ticks - bid_ticks
    found: NDArray[np.bool_] = (spread > FEW_TICKS) & (spread * _PER_SHARE > bid_ticks + ask_ticks)
    return found
