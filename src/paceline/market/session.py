"""The trading day: which instants belong to it.

A session may have breaks (a lunch, a maintenance hour) and may open on an evening before its date.
Times of day are those of a clock on the wall in the venue's zone: 09:30 is 09:30 also on a day on
which the clock is put forward or back, though such a day has 23 or 25 hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.errors import InputError
from paceline.units import NS_PER_S

_DAY_S = 86_400


class Session(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One session of one venue. Instants are ns since the epoch (UTC)."""

    day: str
    """Trading date in the venue's zone, as YYYY-MM-DD."""
    zone: str
    """The venue's time zone (IANA name)."""
    open_ns: int
    """Announced start of continuous trading."""
    close_ns: int
    """Announced end of continuous trading."""
    breaks: tuple[tuple[int, int], ...] = ()
    """Announced breaks inside the session, in order of time: (start, end) of each. Both instants
    still belong to trading, what lies between them does not."""

    def __post_init__(self) -> None:
        if self.close_ns <= self.open_ns:
            raise InputError(
                f"session.close_ns: {self.close_ns} is not after open_ns {self.open_ns}"
            )
        edges = [self.open_ns, *(ns for pause in self.breaks for ns in pause), self.close_ns]
        if any(later <= earlier for earlier, later in pairwise(edges)):
            raise InputError(
                f"session.breaks: {self.breaks} do not lie apart, in order and inside the session"
            )

    @property
    def length_s(self) -> float:
        """Announced length in seconds, breaks included."""
        return (self.close_ns - self.open_ns) / NS_PER_S

    @property
    def midnight_ns(self) -> int:
        """The instant from which times of day in this session are counted, ns since the epoch: so
        long before the open as the wall clock shows at it. Midnight of `day`, except where the
        clock was changed in between."""
        return self.open_ns - wall_clock(self.open_ns, self.day, self.zone)

    @property
    def trading_s(self) -> float:
        """Announced seconds of continuous trading: the length without the breaks."""
        return self.length_s - sum(end - start for start, end in self.breaks) / NS_PER_S

    @property
    def phases(self) -> tuple[tuple[int, int], ...]:
        """The phases of continuous trading, (start, end) of each; one if there is no break."""
        edges = [self.open_ns, *(ns for pause in self.breaks for ns in pause), self.close_ns]
        return tuple(zip(edges[::2], edges[1::2], strict=True))

    def trades_at(self, ts: int | NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether continuous trading is announced at `ts` `[...]`: inside the session, and in no
        break. First and last instants of a phase belong to it."""
        when = np.asarray(ts)
        trades: NDArray[np.bool_] = (when >= self.open_ns) & (when <= self.close_ns)
        for start, end in self.breaks:
            trades &= (when <= start) | (when >= end)
        return trades

    def cut(self, open_ns: int, close_ns: int) -> Session:
        """The part of this session from one instant to another, with the breaks inside it."""
        inside = tuple(pause for pause in self.breaks if open_ns < pause[0] and pause[1] < close_ns)
        return msgspec.structs.replace(self, open_ns=open_ns, close_ns=close_ns, breaks=inside)

    @classmethod
    def of(
        cls,
        day: str,
        zone: str,
        open_s: float,
        close_s: float,
        breaks_s: Sequence[tuple[float, float]] = (),
    ) -> Session:
        """A session given as seconds on the wall clock after midnight of `day` in the venue's zone;
        negative ones are of the evening before. `breaks_s` are (start, end) of each break."""

        def ns(seconds: float) -> int:
            return at_wall_clock(round(seconds * NS_PER_S), day, zone)

        return cls(
            day=day,
            zone=zone,
            open_ns=ns(open_s),
            close_ns=ns(close_s),
            breaks=tuple((ns(start), ns(end)) for start, end in breaks_s),
        )


def midnight_ns(day: str, zone: str) -> int:
    """Midnight of `day` in `zone`, as ns since the epoch. A time of day is not to be added to it:
    see `at_wall_clock`."""
    where = _zone(zone)
    start = datetime.combine(_date(day), datetime.min.time(), where)
    return int(start.timestamp()) * NS_PER_S


def at_wall_clock(wall_ns: int, day: str, zone: str) -> int:
    """When a clock in `zone` shows `wall_ns` after midnight of `day`, as ns since the epoch.

    Negative values are of the days before, larger ones than a day of those after. A time that the
    clock shows twice is the first of the two; one that it skips is the instant of the change.
    """
    return int(at_wall_clocks(np.array([wall_ns], np.int64), day, zone)[0])


def at_wall_clocks(wall_ns: NDArray[np.int64], day: str, zone: str) -> NDArray[np.int64]:
    """`at_wall_clock` for many times of one day `[n]`."""
    ns_per_day = _DAY_S * NS_PER_S
    away = wall_ns // ns_per_day
    if len(away) and away.min() == away.max():  # nearly always
        days = int(away[0])
        return _on_one_day(wall_ns - days * ns_per_day, _shifted(day, days), zone)
    out = np.empty(wall_ns.shape, np.int64)
    for days in np.unique(away).tolist():
        on = away == days
        out[on] = _on_one_day(wall_ns[on] - days * ns_per_day, _shifted(day, days), zone)
    return out


def wall_clock(ts: int, day: str, zone: str) -> int:
    """What a clock in `zone` shows at `ts`, in ns after midnight of `day`: the inverse of
    `at_wall_clock`. The two passes of an hour that comes twice show the same."""
    seconds, rest = divmod(ts, NS_PER_S)
    shown = datetime.fromtimestamp(seconds, _zone(zone)).replace(tzinfo=None)
    since = shown - datetime.combine(_date(day), datetime.min.time())
    return (since.days * _DAY_S + since.seconds) * NS_PER_S + rest


def _on_one_day(wall_ns: NDArray[np.int64], day: str, zone: str) -> NDArray[np.int64]:
    """`at_wall_clocks` for times from midnight to midnight."""
    start, end = midnight_ns(day, zone), midnight_ns(_shifted(day, 1), zone)
    changed = end - start - _DAY_S * NS_PER_S
    before = start + wall_ns
    if changed == 0:
        return before
    change = _change_between(start, end, zone)
    after = before + changed  # a day of 23 hours: the clock shows every later time an hour sooner
    return np.where(before < change, before, np.maximum(after, change))


def _change_between(start: int, end: int, zone: str) -> int:
    """The instant from `start` to `end` (ns) at which the clocks of `zone` are changed."""
    where = _zone(zone)

    def offset(at_s: int) -> timedelta | None:
        return datetime.fromtimestamp(at_s, UTC).astimezone(where).utcoffset()

    low, high = start // NS_PER_S - 1, end // NS_PER_S  # some change at midnight
    first = offset(low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(middle) == first else (low, middle)
    return high * NS_PER_S


def day_of(ts: int, zone: str, begins_s: float = 0.0) -> str:
    """The trading date of `ts` (ns since the epoch) in `zone`, as YYYY-MM-DD. Trading days begin
    `begins_s` after midnight of their date, on the wall clock; negative: on the evening before."""
    day = datetime.fromtimestamp(ts // NS_PER_S, _zone(zone)).date().isoformat()
    if wall_clock(ts, day, zone) >= round(begins_s * NS_PER_S) + _DAY_S * NS_PER_S:
        return _shifted(day, 1)
    return day


def clock(ts: int, zone: str) -> str:
    """`ts` (ns since the epoch) as HH:MM:SS in `zone`."""
    return datetime.fromtimestamp(ts // NS_PER_S, _zone(zone)).strftime("%H:%M:%S")


def _date(day: str) -> date:
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise InputError(f"session.day: {day!r} is not a date; write YYYY-MM-DD") from None


def _shifted(day: str, days: int) -> str:
    return (_date(day) + timedelta(days=days)).isoformat() if days else day


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"session.zone: {name!r} is not an IANA time zone") from None
