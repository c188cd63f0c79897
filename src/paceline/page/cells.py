"""Numbers as a reader wants them: with a unit, with few digits, and never `nan`.

What does not exist is a dash, and the dash says why when the pointer rests on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


class Cell(NamedTuple):
    """One entry of a table."""

    text: str
    why: str = ""
    """Shown when the pointer rests on it."""
    kind: str = ""
    """CSS class."""


class Column(NamedTuple):
    """One column of a table."""

    name: str
    unit: str = ""
    why: str = ""
    is_text: bool = False


class Table(NamedTuple):
    """A table of a report."""

    id: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


def number(value: float, digits: int = 2, missing: str = "no value", kind: str = "") -> Cell:
    """`value` with `digits` decimals, or a dash that says what is `missing`."""
    if math.isnan(value):
        return Cell(DASH, missing, kind)
    return Cell(plain(value, digits), kind=kind)


def plain(value: float, digits: int = 2) -> str:
    """`value` with `digits` decimals, thousands apart, and a real minus; never a minus zero."""
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{abs(value):,.{digits}f}"
    negative = value < 0 and any(digit in text for digit in "123456789")
    return (MINUS if negative else "") + text


def quantity(value: float, lot: Decimal) -> str:
    """A size with no more decimals than its `lot` has."""
    text = plain(value, max(-int(lot.normalize().as_tuple().exponent), 0))
    return text.rstrip("0").rstrip(".") if "." in text else text


def signed(value: float, digits: int = 2) -> str:
    """As `plain`, with a plus where it is above 0."""
    text = plain(value, digits)
    positive = value > 0 and any(digit in text for digit in "123456789∞")
    return f"+{text}" if positive else text


def percent(value: float, digits: int = 1, missing: str = "no value", kind: str = "") -> Cell:
    """A share as a percentage."""
    return number(100.0 * value, digits, missing, kind)


def interval(low: float, high: float, digits: int = 2, missing: str = "no interval") -> Cell:
    """Two bounds, as `−1.20 to +0.35`."""
    if math.isnan(low) or math.isnan(high):
        return Cell(DASH, missing)
    return Cell(f"{signed(low, digits)} to {signed(high, digits)}")


def probability(value: float, missing: str = "no value") -> Cell:
    """A p-value; of what is too small to matter only that it is."""
    if math.isnan(value):
        return Cell(DASH, missing)
    return Cell("< 0.0001" if value < 1e-4 else f"{value:.4f}")


def significant(value: float, digits: int = 3) -> str:
    """`value` with so many digits that count, without an exponent where it can be read."""
    if math.isnan(value):
        return DASH
    if value == 0.0 or math.isinf(value):
        return plain(value, 0)
    exponent = math.floor(math.log10(abs(value)))
    if -5 <= exponent < 7:
        return plain(value, max(digits - 1 - exponent, 0))
    mantissa = plain(value / 10.0**exponent, digits - 1)
    return f"{mantissa}·10{str(exponent).translate(_SUPERSCRIPT)}"


def duration(seconds: float) -> str:
    """Seconds in the unit one would say them in: 20 µs, 350 ms, 45 s, 30 min, 2 h."""
    if math.isnan(seconds):
        return DASH
    if math.isinf(seconds):
        return "∞"
    seconds = float(f"{seconds:.9g}")
    for unit, length in (("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= length:
            return f"{_short(seconds / length)} {unit}"
    if 0.0 < seconds < 1e-4:
        return f"{_short(1e6 * seconds)} µs"
    return f"{_short(1000.0 * seconds)} ms" if seconds else "0 s"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 order`, `2 orders`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 100 else f"{value:,.0f}"


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
