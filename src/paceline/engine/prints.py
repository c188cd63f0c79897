"""The last trades of a market: what had traded by when."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.jit import inlined, inner


class Prints(NamedTuple):
    """The last trades of a market, a ring of `n`, a power of two."""

    ts: NDArray[np.int64]  # [n]
    volume: NDArray[np.int64]  # [n] lots traded up to and with this one, since the market began
    clock: NDArray[np.int64]  # [2] trades, lots


def new_prints(room: int) -> Prints:
    """Room for the last `room` trades, made a power of two."""
    size = 1 << max(room - 1, 1).bit_length()
    return Prints(np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(2, np.int64))


@inlined
def take_down(prints: Prints, lots: int, ts: int) -> None:
    """Note a trade of `lots` at `ts`."""
    at = prints.clock[0] & (len(prints.ts) - 1)
    prints.clock[0] += 1
    prints.clock[1] += lots
    prints.ts[at] = ts
    prints.volume[at] = prints.clock[1]


@inner
def traded_by(prints: Prints, ts: int) -> int:
    """Lots that everybody had traded by `ts`, ours among them.

    Of times before the ring's first trade it gives what had been traded when that came.
    """
    n, size = prints.clock[0], len(prints.ts)
    first = max(n - size, 0)
    low, left = first, n - first
    while left > 0:
        half = (left + 1) >> 1
        low += half * (prints.ts[(low + half - 1) & (size - 1)] <= ts)
        left -= half
    if low == first:
        return prints.volume[first & (size - 1)] if first > 0 else 0
    return prints.volume[(low - 1) & (size - 1)]


@inlined
def traded_lately(prints: Prints, ts: int) -> int:
    """The same where few trades have come after `ts`: it looks from the last one back."""
    n, size = prints.clock[0], len(prints.ts)
    first = max(n - size, 0)
    while n > first and prints.ts[(n - 1) & (size - 1)] > ts:
        n -= 1
    return prints.volume[(n - 1) & (size - 1)] if n > first else 0
