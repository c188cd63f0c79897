"""How fast liquidity comes back after a trade has emptied the touch, measured on tapes.

The half-life of our footprint is the time by which half of the emptied touches were shown again at
their old price or a better one. Touches that were not back within `HORIZON_S` count as later than
that, so the median is right where a mean would depend on the horizon.

What is unrealistic: a touch that came back may show fewer lots than before, and the market's own
trades empty the touch when that is cheap, ours when the schedule says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.errors import InputError
from paceline.jit import kernel
from paceline.market.events import EXECUTE, TRADE, Events
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

HORIZON_S = 600.0
"""How long a touch is waited for."""

FEWEST = 30
"""Emptied touches below which nothing is said."""


class Recovery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Measured half-life of an emptied touch."""

    half_life_s: float
    """Median time until the touch was back, seconds."""
    low_s: float
    high_s: float
    """Bounds of its 95 % interval."""
    n: int
    """Touches that were emptied by a trade."""


@kernel
def return_times(events: Events, horizon_ns: int, out: NDArray[np.int64]) -> int:
    """ns from each trade that emptied a touch until a price as good was shown, `horizon_ns` where
    it was not by then. Writes at most `len(out)`, returns how many."""
    count = 0
    n = len(events.ts)
    for i in range(1, n):
        if count == len(out):
            break
        kind, side = events.kind[i], events.side[i]
        if kind != EXECUTE and kind != TRADE:
            continue
        touch = events.bid if side > 0 else events.ask
        # A TRADE row is followed by the LEVEL row that takes its lots off the book.
        after = i + 1 if kind == TRADE and i + 1 < n else i
        old = touch[i - 1]
        if side * (old - touch[after]) <= 0:
            continue
        j = after + 1
        until = events.ts[i] + horizon_ns
        while j < n and events.ts[j] < until and side * (old - touch[j]) > 0:
            j += 1
        if j == n:
            continue  # the recording ended first: nobody knows
        out[count] = min(events.ts[j], until) - events.ts[i]
        count += 1
    return count


def fit_recovery(tapes: Sequence[Tape]) -> Recovery:
    """The half-life over all `tapes`, with the order-statistic interval of a median.

    Raises `InputError` with fewer than `FEWEST` emptied touches, or when less than half of them
    came back within the horizon.
    """
    horizon = round(HORIZON_S * NS_PER_S)
    found = []
    for tape in tapes:
        out = np.empty(len(tape), np.int64)
        found.append(out[: return_times(tape.events, horizon, out)])
    times = np.sort(np.concatenate(found))
    n = len(times)
    if n < FEWEST:
        raise InputError(f"recovery: {n} emptied touches; need {FEWEST}, so give more days")
    reach = 1.96 * np.sqrt(n) / 2
    low, middle, high = (
        times[int(np.clip(at, 0, n - 1))] for at in (n / 2 - reach, n / 2, n / 2 + reach)
    )
    if middle >= horizon:
        raise InputError(f"recovery: half of the touches were not back within {HORIZON_S:g} s")
    # A touch that is back in the same instant still took some time; zero has no half-life.
    seconds = [max(float(t), 1.0) / NS_PER_S for t in (low, middle, high)]
    return Recovery(half_life_s=seconds[1], low_s=seconds[0], high_s=seconds[2], n=n)
