"""Checks of what a user says about raw files, in options and in mappings.

Each refuses with one line that names the field, the value and the remedy (`ConfigError`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from paceline.errors import ConfigError

_LARGEST_STEP = Decimal(10) ** 6
_YEARS = (1970, 2261)  # what nanoseconds since the epoch can hold, and venues have lived in


def refuse_unknown(given: Iterable[object], known: Sequence[str], at: str = "") -> None:
    """Refuse names that are not among `known`; `at` goes before a name, as in "mapping."."""
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise ConfigError(f"{at}{name}: unknown field; {remedy}")


def fitting(value: object, kind: Any, field: str) -> Any:
    """`value` as a `kind`: text, or one of the words of a `Literal`, or None where that may be."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        words = get_args(kind) if get_origin(kind) is Literal else ()
        remedy = f"use one of {', '.join(words)}" if words else "give one word or name, as text"
        raise ConfigError(f"{field}: {value!r} does not fit; {remedy}") from None


def positive(value: object, field: str, example: str) -> Decimal:
    """`value` as an exact decimal above zero."""
    remedy = f"give a step such as {example}"
    try:
        step = Decimal(str(value).strip())
    except InvalidOperation:
        raise ConfigError(f"{field}: {value!r} is not a number; {remedy}") from None
    if not (step.is_finite() and step > 0):
        raise ConfigError(f"{field}: {value} is not positive; {remedy}")
    if step > _LARGEST_STEP:
        raise ConfigError(f"{field}: {value} is out of range; {remedy}")
    return step


def existing_zone(name: str, field: str) -> str:
    """The name of a time zone that there is."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"{field}: {name!r} is not an IANA time zone; write one such as America/New_York or UTC"
        ) from None
    return name


def existing_day(text: str, field: str) -> str:
    """A date as YYYY-MM-DD."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{field}: {text!r} is not a date; write YYYY-MM-DD") from None
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise ConfigError(
            f"{field}: {text!r} is not between {_YEARS[0]} and {_YEARS[1]}; write another"
        )
    return day.isoformat()
