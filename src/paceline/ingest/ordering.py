"""The longest run of rows whose times never decrease."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.jit import kernel


def longest_rising(ts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows stay if the fewest possible leave so that `ts` `[n]` never decreases `[n]`.

    A longest non-decreasing subsequence by patience sorting (Schensted 1961), O(n log n). One row
    with a wild time costs that row, and not all the rows after it.
    """
    stays = np.ones(len(ts), np.bool_)
    if np.any(ts[1:] < ts[:-1]):
        _mark(ts, np.empty(len(ts), np.int64), np.empty(len(ts), np.int64), stays)
    return stays


@kernel
def _mark(
    ts: NDArray[np.int64],
    pile_top: NDArray[np.int64],
    below: NDArray[np.int64],
    stays: NDArray[np.bool_],
) -> None:
    """Fill `stays`. `pile_top[k]` is the row with the earliest time that ends a run of k + 1 rows,
    `below[i]` the row before `i` in its best run."""
    n = len(ts)
    piles = 0
    for i in range(n):
        low, high = 0, piles
        while low < high:
            middle = (low + high) // 2
            if ts[pile_top[middle]] <= ts[i]:
                low = middle + 1
            else:
                high = middle
        pile_top[low] = i
        below[i] = pile_top[low - 1] if low > 0 else -1
        piles = max(piles, low + 1)
    stays[:] = False
    at = pile_top[piles - 1] if piles > 0 else -1
    while at >= 0:
        stays[at] = True
        at = below[at]
