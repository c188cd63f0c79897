"""Checks of what a user says about raw files, in options and in mappings.

Each refuses with one line that names the field, the value and the remedy (`ConfigError`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from paceline.documents import remedy_for, shown
from paceline.errors import ConfigError

_LARGEST_STEP = Decimal(10) ** 6
_SMALLEST_STEP = Decimal(10) ** -18
_STEP_DIGITS = 18
_CURRENCY = re.compile(r"[A-Z][A-Z0-9]{1,11}")
_YEARS = (1970, 2261)  # what nanoseconds since the epoch can hold, and venues have lived in


_SAME = (
    ("time", "ts", "timestamp", "datetime"), ("price", "px"), ("size", "qty", "quantity", "volume"),
    ("symbol", "ticker", "instrument"), ("order", "order_id", "id"), ("kind", "action", "type"),
    ("book_tick", "tick", "tick_size"), ("lot", "lot_size", "size_increment"),
    ("zone", "timezone", "tz"), ("currency", "ccy"), ("delimiter", "sep", "separator"),
)  # fmt: skip
"""Words that mean the same."""


def remedy(name: str, known: Sequence[str], otherwise: str) -> str:
    """What to do about an unknown name: the one of `known` that is spelt alike, or means the same;
    `otherwise` where there is none."""
    plain = {one.lower() for one in known}
    same = {}
    for group in _SAME:
        there = next((word for word in group if word in plain), None)
        same.update({word: there for word in group if there and word not in plain})
    return remedy_for(name.strip(), known, otherwise, same)


def refuse_unknown(given: Iterable[object], known: Sequence[str], at: str = "") -> None:
    """Refuse names that are not among `known`; `at` goes before a name, as in "mapping."."""
    for name in given:
        if name not in known:
            what = remedy(str(name), known, f"known are {', '.join(known)}")
            raise ConfigError(f"{at}{shown(str(name), quote=False)}: unknown field; {what}")


def fitting(value: object, kind: Any, field: str) -> Any:
    """`value` as a `kind`: text, or one of the words of a `Literal`, or None where that may be."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        words = get_args(kind) if get_origin(kind) is Literal else ()
        what = f"use one of {', '.join(words)}" if words else "give one word or name, as text"
        raise ConfigError(f"{field}: {shown(value)} does not fit; {what}") from None


def positive(value: object, field: str, example: str) -> Decimal:
    """`value` as an exact decimal above zero."""
    give = f"give a step such as {example}"
    try:
        step = Decimal(str(value).strip())
    except (InvalidOperation, ValueError):  # text, or an integer of thousands of digits
        raise ConfigError(f"{field}: {shown(value)} is not a number; {give}") from None
    if not (step.is_finite() and step > 0):
        raise ConfigError(f"{field}: {str(value)[:40]} is not positive; {give}")
    if not _SMALLEST_STEP <= step <= _LARGEST_STEP or len(step.as_tuple().digits) > _STEP_DIGITS:
        raise ConfigError(f"{field}: {str(value)[:40]} is out of range; {give}")
    return step


def switch(value: object, field: str) -> bool:
    """True or false, as a bool or as the word."""
    words = {"true": True, "yes": True, "false": False, "no": False}
    word = str(value).strip().lower()[:10]
    if word not in words:
        raise ConfigError(f"{field}: {shown(value)} is no switch; write true or false")
    return words[word]


def existing_currency(value: object, field: str) -> str:
    """The code of a currency or coin."""
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise ConfigError(
            f"{field}: {shown(value)} is not the code of a currency or coin; write one such as "
            "USD, EUR or USDT"
        )
    return value


def existing_zone(name: str, field: str) -> str:
    """The name of a time zone that there is."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"{field}: {shown(name)} is not an IANA time zone; write one such as "
            "America/New_York or UTC"
        ) from None
    return name


def existing_day(text: str, field: str) -> str:
    """A date as YYYY-MM-DD."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{field}: {shown(text)} is not a date; write YYYY-MM-DD") from None
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise ConfigError(
            f"{field}: {text!r} is not between {_YEARS[0]} and {_YEARS[1]}; write another"
        )
    return day.isoformat()
