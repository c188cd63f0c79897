"""What a user may say about raw files; all of it can be left out."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import msgspec

from paceline.errors import ConfigError
from paceline.ingest.answers import (
    existing_currency,
    existing_day,
    existing_zone,
    fitting,
    positive,
    refuse_unknown,
    switch,
)
from paceline.market.session import Session
from paceline.orders.identity import canonical


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
    round_sizes: bool = False
    """Round sizes to whole lots (one at least); needs `lot`. For coins, whose sizes have eight
    decimals: in lots of 10^-8, 22 coins are the most that a row can say."""
    venue: str | None = None
    """Venue code to write on the tape."""
    currency: str | None = None
    """Currency of prices; as the format knows it, else USD, if left out."""

    def session_on(self, day: str, zone: str, hours: tuple[float, float]) -> Session:
        """The session of `day`: as given, else `hours` (seconds after midnight) in `zone`."""
        if self.session is not None:
            hours = _hours(self.session)
        return Session.of(day, self.zone or zone, *hours)

    def refuse_lot(self, format: str) -> None:
        """Refuse a lot for a format that counts single shares or contracts."""
        self.refuse_rounding(format)
        if self.lot is not None and self.lot != 1:
            raise ConfigError(
                f"lot: {self.lot} does not fit {format} files, whose sizes are whole shares or "
                "contracts; leave it out"
            )

    def refuse_rounding(self, format: str) -> None:
        """Refuse rounding for a format whose sizes are read as they stand."""
        if self.round_sizes:
            raise ConfigError(
                f"round_sizes: {format} files are read as they stand; leave it out, or give their "
                "columns with a mapping"
            )

    @property
    def digest(self) -> str:
        """Short fingerprint of everything that was given; empty if nothing was."""
        if self == Options():
            return ""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]


_STEPS = {"book_tick": "0.01", "order_tick": "0.01", "lot": "1 or 0.001"}


def options_from(given: dict[str, Any]) -> Options:
    """Options from keyword arguments. Raises `ConfigError` that names what is wrong."""
    refuse_unknown(given, Options.__struct_fields__)
    options: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in _STEPS:
            options[name] = positive(value, name, _STEPS[name])
        elif name == "round_sizes":
            options[name] = switch(value, name)
        elif name == "symbol":
            options[name] = canonical(value, name, ConfigError)
        else:
            options[name] = fitting(value, str, name)
    if "zone" in options:
        existing_zone(options["zone"], "zone")
    if "currency" in options:
        options["currency"] = existing_currency(options["currency"], "currency")
    if "day" in options:
        options["day"] = existing_day(options["day"], "day")
    if "session" in options:
        _hours(options["session"])
    return Options(**options)


def _hours(text: str) -> tuple[float, float]:
    """Seconds after midnight at which a session HH:MM-HH:MM opens and closes."""
    parts = text.split("-")
    try:
        if len(parts) != 2:
            raise ValueError
        opens, closes = (_seconds(part) for part in parts)
    except ValueError:
        raise ConfigError(
            f"session: {text!r} is not HH:MM-HH:MM; write it as in 09:30-16:00"
        ) from None
    if opens >= closes:
        raise ConfigError(
            f"session: {text!r} does not close after it opens; write it as in 09:30-16:00"
        )
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
    after_midnight = hours * 3600 + minutes * 60 + seconds
    if after_midnight > 86_400:
        raise ValueError
    return after_midnight
