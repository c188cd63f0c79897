"""Checks of what a user says about raw files, in options and in mappings.

Each refuses with one line that names the field, the value and the remedy (`ConfigError`).
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

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


def meant(name: str, known: Sequence[str]) -> str | None:
    """The one of `known` that was probably meant by `name`: spelt alike, or meaning the same."""
    plain = {one.strip().lower().replace("-", "_"): one for one in reversed(known)}
    word = name.strip().lower().replace("-", "_")[:100]
    if word in plain:
        return plain[word]
    for group in _SAME:
        there = [plain[one] for one in group if one in plain]
        if word in group and there:
            return there[0]
    near = get_close_matches(word, plain, n=1)
    return plain[near[0]] if near else None


def shown(value: object) -> str:
    """A value as a message shows it: short, and on one line."""
    text = reprlib.repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def refuse_unknown(given: Iterable[object], known: Sequence[str], at: str = "") -> None:
    """Refuse names that are not among `known`; `at` goes before a name, as in "mapping."."""
    for name in given:
        if name not in known:
            near = meant(str(name), known)
            remedy = f"did you mean {near}?" if near else f"known are {', '.join(known)}"
            raise ConfigError(f"{at}{str(name)[:60]}: unknown field; {remedy}")


def fitting(value: object, kind: Any, field: str) -> Any:
    """`value` as a `kind`: text, or one of the words of a `Literal`, or None where that may be."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        words = get_args(kind) if get_origin(kind) is Literal else ()
        remedy = f"use one of {', '.join(words)}" if words else "give one word or name, as text"
        raise ConfigError(f"{field}: {shown(value)} does not fit; {remedy}") from None


def positive(value: object, field: str, example: str) -> Decimal:
    """`value` as an exact decimal above zero."""
    remedy = f"give a step such as {example}"
    try:
        step = Decimal(str(value).strip())
    except (InvalidOperation, ValueError):  # text, or an integer of thousands of digits
        raise ConfigError(f"{field}: {shown(value)} is not a number; {remedy}") from None
    if not (step.is_finite() and step > 0):
        raise ConfigError(f"{field}: {str(value)[:40]} is not positive; {remedy}")
    if not _SMALLEST_STEP <= step <= _LARGEST_STEP or len(step.as_tuple().digits) > _STEP_DIGITS:
        raise ConfigError(f"{field}: {str(value)[:40]} is out of range; {remedy}")
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
