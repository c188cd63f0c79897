"""Columns of a table as numbers, exactly, and marked where there is none.

Numbers written as text are read as they stand, up to 18 decimals, prices and sizes also with an
exponent (7.98374e-06). Floats hold no decimals: 101.37 in single precision is 101.37000274658203.
They are read as the decimals that were meant, and what was done is told (`Numbers.note`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.errors import OrderError
from paceline.ingest.grid import common_step
from paceline.ingest.numbers import read_table
from paceline.orders.identity import canonical
from paceline.units import DOUBLE_NOISE

_DIGITS = 18
"""Digits of an int64 that may be anything."""

_SURE_DIGITS = 15
"""Significant digits that a double keeps of any decimal."""

_CLEARLY = 1000
"""How many times coarser than a float's last digit a grid has to be, not to be chance."""

_EXPONENT = re.compile(r"[+-]?[0-9]+\.?[0-9]*[eE][+-]?[0-9]+")
_LARGEST_EXPONENT = 30
"""Exponents beyond it, of either sign, are of no number that 64 bits hold."""

_SINGLE = "single-precision floats, read as the shortest decimals that give them"
_DOUBLE = "floats with rounding noise, read to 15 digits"


class Numbers(NamedTuple):
    """A column of numbers. `n` rows."""

    value: NDArray[np.int64]  # [n] in units of 10^-decimals; 0 where bad
    bad: NDArray[np.bool_]  # [n] there is no number, or none that can be held
    too_fine: NDArray[np.bool_]  # [n] of those: it has more decimals than can be held
    decimals: int
    note: str = ""
    """How floats were read; empty if the numbers were taken as they stand."""

    @property
    def unit(self) -> Decimal:
        """What 1 of `value` is worth, in the column's unit."""
        return Decimal(1).scaleb(-self.decimals)


def texts(column: Any) -> list[str]:
    """A column as text; nulls are empty."""
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        return [_positional(value) for value in column.to_pylist()]
    told: list[str] = _as_text(column).to_pylist()
    return told


def _as_text(column: Any) -> Any:
    """A column that holds no floats as a chunked array of text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if pa.types.is_decimal(column.type):
            raise pa.ArrowInvalid  # it would write small numbers with an exponent
        return pc.fill_null(column.cast(pa.string()), "")
    except pa.ArrowException:
        told = ["" if value is None else _told(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(told, pa.string())])


def _told(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def scaled(column: Any, decimals: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Numbers in units of 10^-decimals, rounded, and which rows hold none `[n]`."""
    table = read_table("\n".join(_plain(texts(column))).encode(), (decimals,))
    return table.columns[0], ~table.ok


def symbols_of(column: Any) -> list[str]:
    """Symbols in the form in which names are told apart; what can be none stays as it is."""
    words = texts(column)
    plain = {}
    for word in set(words):
        try:
            plain[word] = canonical(word, "symbol")
        except OrderError:
            plain[word] = word
    return [plain[word] for word in words]


def whole_numbers(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Order ids, and whether each is a whole number of 64 bits.

    Doubles hold only those up to 2^53: beyond it several numbers are one.
    """
    import pyarrow as pa

    value, bad = scaled(column, 0)
    if pa.types.is_floating(column.type):
        bad |= np.abs(value) > 2**53
    return value, ~bad


def numbers_of(column: Any) -> Numbers:
    """Numbers of any column type with all decimals; floats as the decimals that were meant."""
    words, at = _distinct(column)
    lines, note = _without_exponents(_plain(words)), ""
    if floats := _floats(lines, column):
        lines, note = floats
    sizes = [_size(line) for line in lines]
    decimals = _decimals(np.array(sizes, np.int64).reshape(-1, 2), np.bincount(at))
    table = read_table("\n".join(lines).encode(), (decimals,))
    fine = np.array([size[1] > decimals for size in sizes], bool)
    bad = ~table.ok | fine
    return Numbers(np.where(bad, 0, table.columns[0])[at], bad[at], fine[at], decimals, note)


def _distinct(column: Any) -> tuple[list[str], NDArray[np.int64]]:
    """The different texts of a column, and which of them each row has `[n]`."""
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        held = column.to_numpy().astype(np.float64)
        value, at = np.unique(held, return_inverse=True)
        return [_positional(v) for v in value.tolist()], at
    coded = _as_text(column).combine_chunks().dictionary_encode()
    return coded.dictionary.to_pylist(), coded.indices.to_numpy().astype(np.int64)


def _plain(words: Iterable[str]) -> list[str]:
    """Texts of one line each; a comma or newline inside one makes it no number."""
    return [w if w and "," not in w and "\n" not in w else "x" for w in (s.strip() for s in words)]


def _without_exponents(lines: list[str]) -> list[str]:
    """The same numbers as plain decimals, exactly; what is no number stays as it is.

    Only prices and sizes may have exponents: a time or an order id that is written with one has
    often lost its last digits.
    """
    text = "\n".join(lines)
    if "e" not in text and "E" not in text:
        return lines
    return [_spelled_out(line) if _EXPONENT.fullmatch(line) else line for line in lines]


def _spelled_out(word: str) -> str:
    _, _, exponent = word.lower().partition("e")
    digits = exponent.lstrip("+-0")
    small = len(digits) < 3 and int(digits or "0") <= _LARGEST_EXPONENT
    return _unscientific(word) if small else word


def _positional(value: float | None) -> str:
    """The shortest decimal that gives a double; empty for none."""
    if value is None or value != value or abs(value) >= 2**63:
        return ""
    return np.format_float_positional(value, trim="-")


def _size(word: str) -> tuple[int, int]:
    """Digits of a number before and behind its point; zeros at the ends do not count."""
    whole, _, part = word.strip(" \r").lstrip("+-").partition(".")
    if not (whole.isascii() and whole.isdigit()) or (part and not part.isdigit()):
        return 0, 0
    return len(whole.lstrip("0")), len(part.rstrip("0"))


def _decimals(sizes: NDArray[np.int64], rows: NDArray[np.int64]) -> int:
    """The decimals at which the fewest rows are lost; of those the fewest decimals.

    `sizes` `[k, 2]` are digits before and behind the point of the distinct numbers, `rows` `[k]`
    how often each occurs.
    """
    whole, part = sizes[:, 0], np.minimum(sizes[:, 1], _DIGITS + 1)
    held = int(part.max(initial=0))
    if held + int(whole.max(initial=0)) <= _DIGITS:
        return held
    lost = [int(rows[(part > d) | (whole + d > _DIGITS)].sum()) for d in range(_DIGITS + 1)]
    return int(np.argmin(lost))


def _floats(words: list[str], column: Any) -> tuple[list[str], str] | None:
    """Decimals that were meant, and a note, where numbers are floats or were printed from them.

    None: they are taken as they stand. A column is of single precision when every number of it is
    one; noise of doubles is believed when, without it, all numbers lie on a grid far coarser than
    the last digit.
    """
    import pyarrow as pa

    numbers = [
        k for k, word in enumerate(words) if sum(_size(word.strip())) and abs(float(word)) < 2**63
    ]
    printed = any(map(_is_long, long := [words[k].strip() for k in numbers])) and all(
        _is_printed(word) for word in long if _is_long(word)
    )
    typed = pa.types.is_floating(column.type) and column.type != pa.float64()
    if not numbers or not (typed or printed):
        return None
    value = np.array([float(words[k]) for k in numbers])
    rounded = [_unscientific(f"{v:.{_SURE_DIGITS}g}") for v in value]
    with np.errstate(over="ignore"):
        single = value.astype(np.float32)
    grid, chosen, note = _grid(rounded), rounded, _DOUBLE
    sure = Decimal(10) ** (int(np.ceil(np.log10(max(np.abs(value).max(), 1e-18)))) - _SURE_DIGITS)
    believed = grid >= _CLEARLY * sure and all(
        abs(v - float(word)) <= DOUBLE_NOISE * np.spacing(abs(v))
        for v, word in zip(value, rounded, strict=True)
    )
    if typed or np.array_equal(single.astype(np.float64), value):
        shortest = [np.format_float_positional(v, trim="-") for v in single]
        if _grid(shortest) > (grid if typed or not believed else _CLEARLY * grid):
            grid, chosen, note, believed = _grid(shortest), shortest, _SINGLE, True
        elif typed:
            note, believed = _SINGLE, True
    if not believed:
        return None
    meant = list(words)
    for k, word in zip(numbers, chosen, strict=True):
        meant[k] = word
    return meant, note


def _is_long(word: str) -> bool:
    """Whether a fraction has more digits than a double keeps of any."""
    whole, part = _size(word)
    return part > 0 and whole + part > _SURE_DIGITS


def _is_printed(word: str) -> bool:
    """Whether a decimal is how a double is printed, in its shortest form or to 16 or 17 digits."""
    exact, value = Decimal(word), float(word)
    return exact in (Decimal(repr(value)), Decimal(f"{value:.16g}"), Decimal(f"{value:.17g}"))


def _unscientific(word: str) -> str:
    return f"{Decimal(word):f}"


def _grid(words: list[str]) -> Decimal:
    """The coarsest usual step that decimals lie on."""
    numbers = [Decimal(word) for word in words]
    decimals = max(max(0, -int(number.normalize().as_tuple().exponent)) for number in numbers)
    return common_step(
        [int(number.scaleb(decimals)) for number in numbers], Decimal(1).scaleb(-decimals)
    )
