"""What a user may say about raw files; all of it can be left out."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from itertools import pairwise
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
    """Announced continuous trading in the venue's zone, HH:MM-HH:MM (seconds if you like), with a
    comma between phases; a session that closes before it opens begins on the evening before."""
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
        phases = [hours] if self.session is None else _phases(self.session)
        breaks = [(earlier[1], later[0]) for earlier, later in pairwise(phases)]
        opens, closes = phases[0][0], phases[-1][1]
        return Session.of(day, self.zone or zone, opens, closes, breaks)

    @property
    def begins_s(self) -> float:
        """When a trading day begins, in seconds after midnight of its date: at the open of a
        session that opens on the evening before (a negative number), else at midnight."""
        return 0.0 if self.session is None else min(_phases(self.session)[0][0], 0.0)

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


_DAY_S = 86_400
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
        _phases(options["session"])
    return Options(**options)


def _phases(text: str) -> list[tuple[float, float]]:
    """The phases of a session, as seconds after midnight of its date.

    Times run forward: one that is earlier on the clock than the time before it is of the next day,
    and the last close is on the session's date. So 18:00-17:00 opens on the evening before.
    """
    times: list[float] = []
    try:
        for phase in text.split(","):
            opens, closes = phase.split("-")
            times += [_seconds(opens), _seconds(closes)]
    except ValueError:
        raise ConfigError(
            f"session: {text!r} is not HH:MM-HH:MM; write it as in 09:30-16:00, or "
            "09:30-11:30,13:00-15:00 with a break"
        ) from None
    days = 0
    running = times[:1]
    for earlier, later in pairwise(times):
        days += later < earlier
        running.append(later + days * _DAY_S)
    if running[-1] - running[0] > _DAY_S:
        raise ConfigError(
            f"session: {text!r} takes longer than a day; write its phases in order, without overlap"
        )
    if any(later <= earlier for earlier, later in pairwise(running)):
        raise ConfigError(
            f"session: {text!r} holds a phase or a break without length; leave it out"
        )
    running = [time - days * _DAY_S for time in running]
    return list(zip(running[::2], running[1::2], strict=True))


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
