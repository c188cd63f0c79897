"""What a user may say about raw files; all of it can be left out."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import msgspec

from paceline.errors import ConfigError
from paceline.market.session import Session


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers that go before what the files say."""

    symbol: str | None = None
    """Ticker: names the tape, or chooses one instrument of a file that holds several."""
    day: str | None = None
    """Trading date, YYYY-MM-DD."""
    zone: str | None = None
    """Time zone of the venue (IANA name)."""
    session: str | None = None
    """Announced continuous trading in the venue's zone, HH:MM-HH:MM (seconds if you like)."""
    book_tick: Decimal | None = None
    """Smallest price step of the book, in currency; found from the prices if left out."""
    order_tick: Decimal | None = None
    """Smallest price step of our own orders, in currency."""
    lot: Decimal | None = None
    """Smallest size step, in shares, contracts or coins; found from the sizes if left out."""
    venue: str | None = None
    """Venue code to write on the tape."""

    def session_on(self, day: str, zone: str, hours: tuple[float, float]) -> Session:
        """The session of `day`: as given, else `hours` (seconds after midnight) in `zone`."""
        if self.session is not None:
            hours = _hours(self.session)
        return Session.of(day, self.zone or zone, *hours)

    @property
    def digest(self) -> str:
        """Short fingerprint of everything that was given; empty if nothing was."""
        if self == Options():
            return ""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]


def options_from(given: dict[str, Any]) -> Options:
    """Options from keyword arguments. Raises `ConfigError` that names what is wrong."""
    given = {name: value for name, value in given.items() if value is not None}
    for name in ("book_tick", "order_tick", "lot"):
        if isinstance(given.get(name), float):
            given[name] = str(given[name])
    try:
        options = msgspec.convert(given, Options, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"ingest options: {error}") from None
    for name in ("book_tick", "order_tick", "lot"):
        step = getattr(options, name)
        if step is not None and not (step.is_finite() and step > 0):
            raise ConfigError(f"{name}: {step} is not positive")
    if options.session is not None:
        _hours(options.session)
    return options


def _hours(text: str) -> tuple[float, float]:
    """Seconds after midnight at which a session HH:MM-HH:MM opens and closes."""
    parts = text.split("-")
    try:
        if len(parts) != 2:
            raise ValueError
        opens, closes = (_seconds(part) for part in parts)
    except ValueError:
        raise ConfigError(f"session: {text!r} is not HH:MM-HH:MM, as in 09:30-16:00") from None
    return opens, closes


def _seconds(text: str) -> float:
    fields = [float(field) for field in text.strip().split(":")]
    if (
        not 2 <= len(fields) <= 3
        or not 0 <= fields[0] <= 24
        or not all(0 <= field < 60 for field in fields[1:])
    ):
        raise ValueError
    hours, minutes, seconds = (*fields, 0.0)[:3]
    return hours * 3600 + minutes * 60 + seconds
