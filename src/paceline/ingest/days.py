"""The calendar days that a recording touches: each becomes a tape of its own."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.market.session import at_wall_clock, day_of
from paceline.units import NS_PER_S


class Day(NamedTuple):
    """A trading date and its instants: `start_ns` belongs to it, `end_ns` to the next. Some last 23
    hours, some 25."""

    name: str
    start_ns: int
    end_ns: int


def day_named(name: str, zone: str, begins_s: float = 0.0) -> Day:
    """The day `name` (YYYY-MM-DD) in `zone`, from `begins_s` after its midnight to the same of the
    next day; negative: it begins on the evening before."""
    after = (date.fromisoformat(name) + timedelta(days=1)).isoformat()
    begins = round(begins_s * NS_PER_S)
    return Day(name, at_wall_clock(begins, name, zone), at_wall_clock(begins, after, zone))


def days_of(ts: NDArray[np.int64], zone: str, begins_s: float = 0.0) -> list[Day]:
    """The days in `zone` that `ts` `[n]` (ns since the epoch, in any order) touch, in order; they
    begin as in `day_named`."""
    days: list[Day] = []
    rising = np.unique(ts)
    at = 0
    while at < len(rising):
        days.append(day_named(day_of(int(rising[at]), zone, begins_s), zone, begins_s))
        at = int(np.searchsorted(rising, days[-1].end_ns))
    return days
