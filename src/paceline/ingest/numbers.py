"""Tables of decimal numbers in text, read exactly and row by row.

A general CSV reader refuses the whole file for one bad row, or turns numbers into floats on the
way. This one reads lines of plain decimals (`34200.18960767,1,11885113,21,2238100,1`) into int64,
scaled by a power of ten per column, and tells for each line whether it was one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.ingest.excerpts import excerpt
from paceline.jit import inner, kernel

_NEWLINE = 10
_RETURN = 13
_SPACE = 32
_PLUS = 43
_COMMA = 44
_MINUS = 45
_POINT = 46
_ZERO = 48
_MAX_DIGITS = 19  # more never fit an int64; 19 may
_MAX_INT = np.iinfo(np.int64).max


class Table(NamedTuple):
    """Lines of a text as numbers. Lines that are not `ok` hold zeros."""

    columns: NDArray[np.int64]  # [n_columns, n_rows]
    ok: NDArray[np.bool_]  # [n_rows]
    start: NDArray[np.int64]  # [n_rows + 1] byte at which each line begins; last: the end


def read_table(data: bytes, decimals: tuple[int, ...], spare: int = 0) -> Table:
    """Read comma-separated lines of `len(decimals)` numbers.

    Column `j` is given in units of `10 ** -decimals[j]`, rounded if it has more decimals (recorded
    files hold times like 43002.632812672004); but a fraction in a column of whole numbers makes
    its line not ok, as does anything that is not a plain decimal. Up to `spare` further fields of
    any text are stepped over. Empty lines at the end are no rows.
    """
    text = np.frombuffer(data.rstrip(b"\r\n\0 ") + b"\n", np.uint8)
    n = int(np.count_nonzero(text == _NEWLINE)) if len(text) > 1 else 0
    table = Table(
        np.zeros((len(decimals), n), np.int64), np.zeros(n, np.bool_), np.zeros(n + 1, np.int64)
    )
    _parse(text, np.array(decimals, np.int64), spare, table)
    return table


def line_at(data: bytes, table: Table, row: int) -> str:
    """The text of one line, cut if it is long."""
    return excerpt(data[table.start[row] : table.start[row + 1]].rstrip(b"\r\n"))


@inner
def _number(text: NDArray[np.uint8], at: int, decimals: int) -> tuple[int, int, bool]:
    """Read one number. Returns (its value, the byte behind it, whether it was one)."""
    while text[at] == _SPACE:
        at += 1
    negative = text[at] == _MINUS
    if negative or text[at] == _PLUS:
        at += 1
    value = 0
    first = at
    digit = int(text[at]) - _ZERO
    while 0 <= digit <= 9 and at - first < _MAX_DIGITS:
        value = value * 10 + digit
        at += 1
        digit = int(text[at]) - _ZERO
    if at == first or at - first + decimals > _MAX_DIGITS:
        return 0, at, False
    if text[at] == _POINT:
        at += 1
        digit = int(text[at]) - _ZERO
        whole = decimals == 0
        while 0 <= digit <= 9 and decimals > 0:
            value = value * 10 + digit
            decimals -= 1
            at += 1
            digit = int(text[at]) - _ZERO
        if 5 <= digit <= 9 and not whole:
            value += 1
        while 0 <= digit <= 9:
            if whole and digit > 0:
                return 0, at, False
            at += 1
            digit = int(text[at]) - _ZERO
    while decimals > 0:
        value *= 10
        decimals -= 1
    if value < 0 or value > _MAX_INT:  # wrapped around, or (without the JIT) grew beyond it
        return 0, at, False
    return -value if negative else value, at, True


@inner
def _ends_well(text: NDArray[np.uint8], at: int, spare: int) -> bool:
    """Whether nothing but blanks and up to `spare` further fields follow on this line."""
    fields = 0
    while text[at] != _NEWLINE:
        if text[at] == _COMMA:
            fields += 1
        elif fields == 0 and text[at] != _SPACE and text[at] != _RETURN:
            return False
        at += 1
    return fields <= spare


@kernel
def _parse(text: NDArray[np.uint8], decimals: NDArray[np.int64], spare: int, table: Table) -> None:
    """One pass over the bytes; `at` always stands on the next unread one.

    The text ends with a newline, and nothing reads past one, so no index needs a check.
    """
    last = len(decimals) - 1
    at = 0
    for row in range(len(table.ok)):
        table.start[row] = at
        ok = True
        for column in range(last + 1):
            value, at, ok = _number(text, at, decimals[column])
            if column < last:
                ok = ok and text[at] == _COMMA
                at += 1
            if not ok:
                break
            table.columns[column, row] = value
        at = max(at - 1, table.start[row]) if not ok else at
        table.ok[row] = ok and _ends_well(text, at, spare)
        if not table.ok[row]:
            table.columns[:, row] = 0
        while text[at] != _NEWLINE:
            at += 1
        at += 1
    table.start[len(table.ok)] = len(text) - 1
