"""The trading day: which instants belong to it."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from paceline.errors import InputError
from paceline.units import NS_PER_S


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

    def __post_init__(self) -> None:
        if self.close_ns <= self.open_ns:
            raise InputError(
                f"session.close_ns: {self.close_ns} is not after open_ns {self.open_ns}"
            )

    @property
    def length_s(self) -> float:
        """Announced length in seconds."""
        return (self.close_ns - self.open_ns) / NS_PER_S

    @classmethod
    def of(cls, day: str, zone: str, open_s: float, close_s: float) -> Session:
        """A session given as seconds after midnight in the venue's zone."""
        midnight = midnight_ns(day, zone)
        return cls(
            day=day,
            zone=zone,
            open_ns=midnight + round(open_s * NS_PER_S),
            close_ns=midnight + round(close_s * NS_PER_S),
        )


def midnight_ns(day: str, zone: str) -> int:
    """Midnight of `day` in `zone`, as ns since the epoch."""
    where = _zone(zone)
    try:
        start = datetime.combine(date.fromisoformat(day), datetime.min.time(), where)
    except ValueError:
        raise InputError(f"session.day: {day!r} is not a date; write YYYY-MM-DD") from None
    return int(start.timestamp()) * NS_PER_S


def day_of(ts: int, zone: str) -> str:
    """The date of `ts` (ns since the epoch) in `zone`, as YYYY-MM-DD."""
    return datetime.fromtimestamp(ts // NS_PER_S, _zone(zone)).date().isoformat()


def clock(ts: int, zone: str) -> str:
    """`ts` (ns since the epoch) as HH:MM:SS in `zone`."""
    return datetime.fromtimestamp(ts // NS_PER_S, _zone(zone)).strftime("%H:%M:%S")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"session.zone: {name!r} is not an IANA time zone") from None
