"""The calendar days that a recording touches: each becomes a tape of its own."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.market.session import day_of, midnight_ns


class Day(NamedTuple):
    """A date and its instants: `start_ns` belongs to it, `end_ns` to the next. Some last 23 hours,
    some 25."""

    name: str
    start_ns: int
    end_ns: int


def day_named(name: str, zone: str) -> Day:
    """The day `name` (YYYY-MM-DD) in `zone`."""
    after = (date.fromisoformat(name) + timedelta(days=1)).isoformat()
    return Day(name, midnight_ns(name, zone), midnight_ns(after, zone))


def days_of(ts: NDArray[np.int64], zone: str) -> list[Day]:
    """The days in `zone` that `ts` `[n]` (ns since the epoch, in any order) touch, in order."""
    days: list[Day] = []
    rising = np.unique(ts)
    at = 0
    while at < len(rising):
        days.append(day_named(day_of(int(rising[at]), zone), zone))
        at = int(np.searchsorted(rising, days[-1].end_ns))
    return days
