"""Times as orders say them, to nanoseconds since the epoch (UTC).

    instant(1693564800, "parent.start_ts")                      # seconds; 1693564800.25, too
    instant("2023-09-01T06:40:00-04:00", "parent.start_ts")     # ISO 8601 with an offset
    instant(1693564800000000000, "parent.start_ts")             # nanoseconds, by their magnitude
    nanoseconds(1693564800000000000, "parent.start_ns")         # by the name of the field

A number says its unit by its magnitude: below 10^11 it is seconds, from 10^17 on nanoseconds. What
lies between could be milliseconds or microseconds and is refused, and so is a time that is not in
1990 to 2100: it is a mistake more often than a time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from paceline.documents import shown
from paceline.errors import InputError, OrderError
from paceline.units import NS_PER_S, as_decimal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_NS = 631_152_000 * NS_PER_S
"""1990-01-01T00:00:00Z."""
LAST_NS = 4_102_444_800 * NS_PER_S
"""2100-01-01T00:00:00Z; times lie before it."""
SECONDS_BELOW = 10**11
"""A plain number below it is seconds."""
NS_FROM = 10**17
"""A plain number from here on is nanoseconds."""

_REMEDY = (
    "give seconds since the epoch (1693564800.25) or ISO 8601 text with an offset "
    "('2023-09-01T10:40:00.25Z')"
)
_ISO = re.compile(
    r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})[Tt ]"
    r"([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?"
    r" ?(?:([Zz])|([+-])([0-9]{2}):?([0-9]{2})?)?",
)


def instant(value: object, field: str) -> int:
    """Nanoseconds since the epoch of a time as an order says it.

    A float holds seconds to about a quarter of a microsecond; a `Decimal`, an integer, text and a
    number read by `documents.parse_json` are exact. Raises `OrderError`, naming `field`, for a time
    whose unit is not clear, and for one outside 1990 to 2100.
    """
    if isinstance(value, datetime):
        value = value.isoformat()
    if isinstance(value, str):
        return _within(_of_text(value, field), value, field)
    exact = _number(value, field)
    if abs(exact) < SECONDS_BELOW:
        ns = exact.scaleb(9)
        if ns != ns.to_integral_value():
            raise OrderError(f"{field}: {exact} has more than nine decimals; shorten it")
        return _within(int(ns), value, field)
    if abs(exact) < NS_FROM:
        unit = "milliseconds" if abs(exact) < 10**14 else "microseconds"
        raise OrderError(
            f"{field}: {shown(value)} could be {unit}, and does not say so; {_REMEDY}, or "
            f"nanoseconds under the name of {_named_ns(field)}"
        )
    return _whole(value, exact, field)


def nanoseconds(value: object, field: str) -> int:
    """Nanoseconds since the epoch, said to be that. Raises `OrderError` as `instant` does."""
    remedy = f"give nanoseconds since the epoch, or seconds as {_plain(field)}"
    if isinstance(value, str):
        raise OrderError(f"{field}: {shown(value)} is text; {remedy}")
    return _whole(value, _number(value, field), field, remedy)


def _number(value: object, field: str) -> Decimal:
    if type(value).__name__ in ("bool", "bool_"):
        raise OrderError(f"{field}: {value!r} is a boolean; {_REMEDY}")
    text = getattr(value, "text", None)  # of a `documents.Written`
    if text is None and hasattr(value, "__index__"):
        value = int(value)
    if not isinstance(value, int | float | Decimal):
        raise OrderError(f"{field}: {shown(value)} is not a time; {_REMEDY}")
    if isinstance(value, int) and abs(value) >= 10**30:  # too long to print, perhaps
        raise OrderError(f"{field}: {shown(value)} is out of range; {_REMEDY}")
    try:
        exact = as_decimal(value if text is None else text, field)
    except InputError as error:
        raise OrderError(str(error)) from None
    if len(exact.as_tuple().digits) > 28 or not -40 < exact.adjusted() < 40:
        raise OrderError(f"{field}: {shown(text or value)} has too many digits; {_REMEDY}")
    return exact


def _whole(value: object, exact: Decimal, field: str, remedy: str = _REMEDY) -> int:
    """Of nanoseconds. A float does not hold them to the last digit."""
    if isinstance(value, float) or exact != exact.to_integral_value():
        raise OrderError(f"{field}: {shown(value)} is not a whole number of nanoseconds; {remedy}")
    return _within(int(exact), value, field, remedy)


def _of_text(text: str, field: str) -> int:
    found = _ISO.fullmatch(text.strip())
    if not found:
        quotes = "; leave out the quotes, or " if re.fullmatch(r"-?[0-9.]+", text) else "; "
        raise OrderError(f"{field}: {shown(text)} is not a time in ISO 8601{quotes}{_REMEDY}")
    year, month, day, hour, minute, second, fraction, zulu, sign, hours, minutes = found.groups()
    if zulu is None and sign is None:
        raise OrderError(
            f"{field}: {shown(text)} has no offset from UTC; add it, as in {text[:19]}Z or "
            f"{text[:19]}-05:00"
        )
    if fraction and len(fraction.rstrip("0")) > 9:
        raise OrderError(f"{field}: {shown(text)} has more than nine decimals; shorten it")
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        if int(minutes or 0) > 59:
            raise ValueError("minutes of an offset are below 60")
        zone = timezone(-offset if sign == "-" else offset)
        at = datetime(*map(int, (year, month, day, hour, minute, second or 0)), tzinfo=zone)  # type: ignore[arg-type, misc]
        since = at - _EPOCH
    except (ValueError, OverflowError) as error:
        raise OrderError(f"{field}: {shown(text)} is no time ({error}); {_REMEDY}") from None
    seconds = since.days * 86_400 + since.seconds
    return seconds * NS_PER_S + int((fraction or "")[:9].ljust(9, "0"))


def _within(ns: int, value: object, field: str, remedy: str = _REMEDY) -> int:
    if FIRST_NS <= ns < LAST_NS:
        return ns
    raise OrderError(f"{field}: {shown(value)} is {_when(ns)}, not in 1990 to 2100; {remedy}")


def _when(ns: int) -> str:
    """The instant, for a person."""
    try:
        return (_EPOCH + timedelta(seconds=ns // NS_PER_S)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError):
        return "far off"


def _named_ns(field: str) -> str:
    """The name of the field under which nanoseconds are given."""
    return field.rpartition(".")[2].removesuffix("_ts") + "_ns"


def _plain(field: str) -> str:
    """The name of the field under which a time says its unit by itself."""
    name = field.rpartition(".")[2].removesuffix("_ns")
    return name if name == "ts" else f"{name}_ts"


def said(ns: int) -> str:
    """An instant in ISO 8601, as `instant` reads it, to the nanosecond."""
    rest = f".{ns % NS_PER_S:09d}".rstrip("0").rstrip(".")
    return (_EPOCH + timedelta(seconds=ns // NS_PER_S)).strftime("%Y-%m-%dT%H:%M:%S") + rest + "Z"
