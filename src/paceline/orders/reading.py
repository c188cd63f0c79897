"""Parent orders from a file, as users write them: JSON, CSV or Parquet, through one reader.

    given = read_parents("orders.csv", {"YHOO": instrument}, {"participation": 0.1})
    given.orders                            # list of ParentOrder
    given.notes                             # which limits were filled in, and from where

A table has a column for each field of `ParentOrder` and of its constraints, under the same names.
Limits may be left out of any file; what is missing is filled in, and said.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from paceline.documents import (
    SYNONYMS,
    Written,
    parse_json,
    read_bytes,
    read_text,
    remedy_for,
    shown,
)
from paceline.errors import InputError, OrderError
from paceline.orders.instrument import Instrument
from paceline.orders.order import Constraints, ParentOrder
from paceline.units import meant

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ORDERS = 100_000
"""Orders that a file may hold."""
MOST_PARQUET_BYTES = 64 << 20
"""Of a Parquet file, unpacked."""

_LONGEST = 128
"""Characters of a name, or a time."""

_NO_BAND_BPS = 1e9
"""A price band that no price reaches."""
_LIMITS = ("participation", "price_band_bps", "child_max")
_OF_ORDERS = (
    *(f for f in ParentOrder.__struct_fields__ if f != "constraints"),
    "start_ns",
    "end_ns",
)
_OF_LIMITS = Constraints.__struct_fields__
_TIMES = ("start_ts", "end_ts", "start_ns", "end_ns")

Where = Callable[[str], str]
"""Where a field of an order stands in its file, in words; "" is the order itself."""


class Given(NamedTuple):
    """What a file holds."""

    orders: list[ParentOrder]
    notes: list[str]
    """Which limits were missing, and what holds in their place."""
    filled_in: frozenset[str]
    """Those of `limits` that were used."""


def read_parents(
    path: str | Path,
    instruments: Mapping[str, Instrument] | None = None,
    limits: Mapping[str, float | None] | None = None,
) -> Given:
    """The parent orders of a file: JSON (an order, or a list of them), CSV or Parquet.

    `instruments`: by symbol; an order of one of these must lie on its grids. `limits`: what holds
    for an order that says no `participation`, `price_band_bps` or `child_max` of its own (shares);
    None, or left out, is no limit.

    Raises `OrderError` for a file that cannot be read and for the first field that is wrong, with
    the line and the column where it stands.
    """
    path, limits = Path(path), limits or {}
    read = {".csv": _csv, ".parquet": _parquet}.get(path.suffix.lower(), _json)
    try:
        rows = read(path)
    except InputError as error:
        raise OrderError(f"order: {error}") from None
    if len(rows) > MOST_ORDERS:
        raise OrderError(f"order: {path} holds {len(rows):,} orders; give at most {MOST_ORDERS:,}")
    missing = dict.fromkeys(_LIMITS, 0)
    orders = []
    for raw, where in rows:
        try:
            orders.append(_order(raw, instruments or {}, limits, missing))
        except OrderError as error:
            named = re.match(r"(?:parent|constraints)\.(\w+): ", str(error))
            at = (named and where(named[1])) or where("")
            raise OrderError(f"{path}: {at}: {error}") from None
    gone = {name: n for name, n in missing.items() if n}
    notes = [_note(name, n, len(orders), limits.get(name)) for name, n in gone.items()]
    return Given(orders, notes, frozenset(n for n in gone if limits.get(n) is not None))


def _order(
    raw: Any,
    instruments: Mapping[str, Instrument],
    limits: Mapping[str, float | None],
    missing: dict[str, int],
) -> ParentOrder:
    """One order, with what `limits` say for what it does not; those are counted in `missing`."""
    symbol = raw.get("symbol") if isinstance(raw, dict) else None
    instrument = instruments.get(symbol) if isinstance(symbol, str) else None
    if isinstance(raw, dict) and isinstance(raw.get("constraints", {}), dict):
        own = raw.get("constraints", {})
        none = {"participation": 1.0, "price_band_bps": _NO_BAND_BPS, "child_max": raw.get("qty")}
        filled = dict(own)
        for name in _LIMITS:
            if name not in own:
                missing[name] += 1
                limit = limits.get(name)
                filled[name] = none[name] if limit is None else limit
        if not own.keys() >= {*_LIMITS}:
            raw = {**raw, "constraints": filled}
    return ParentOrder.from_dict(raw, instrument)


def _note(name: str, n: int, of: int, limit: float | None) -> str:
    whose = f"{n:,} of {of:,} orders say" if of > 1 else "The order says"
    flag = f"--{name.replace('_', '-')}"
    if limit is None:
        return f"{whose} no {name}, and neither does {flag}: there is no such limit."
    return f"{whose} no {name}: {flag} {limit:g} holds."


# --- JSON ---------------------------------------------------------------------------------------


def _json(path: Path) -> list[tuple[Any, Where]]:
    text = read_text(path)
    try:
        found = parse_json(text.encode())
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    is_list = isinstance(found, list)
    return [
        (raw, lambda field, k=k: _in_json(text, k, is_list, field))  # type: ignore[misc]
        for k, raw in enumerate(found if is_list else [found])
    ]


def _in_json(text: str, k: int, is_list: bool, field: str) -> str:
    """Line and column of a field of order `k`; of the order itself where it has none."""
    decoder, at, end = json.JSONDecoder(), _after(text, 0, "["), len(text)
    if is_list:
        for _ in range(k):
            at = _after(text, decoder.raw_decode(text, at)[1], ",")
        end = decoder.raw_decode(text, at)[1]
    else:
        at = _after(text, 0, "")
    if field:
        found = re.compile(rf'"{re.escape(field)}"\s*:').search(text, at, end)
        if not found:
            return ""
        at = found.start()
    before = text[:at]
    return f"line {before.count(chr(10)) + 1}, column {at - before.rfind(chr(10))}"


def _after(text: str, at: int, mark: str) -> int:
    """The next character that is neither space nor, once, `mark`."""
    while text[at].isspace():
        at += 1
    if mark and text[at] == mark:
        return _after(text, at + 1, "")
    return at


# --- tables -------------------------------------------------------------------------------------


def _csv(path: Path) -> list[tuple[Any, Where]]:
    text = read_text(path)
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[Any, Where]] = []
    at = 1
    try:
        names = [name.strip() for name in next(lines, [])]
        _check_columns(path, names)
        for cells in lines:
            line, at = at + 1, lines.line_num
            line = max(line, at - sum(cell.count("\n") for cell in cells))
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                raise InputError(
                    f"{path}: line {line}: has {len(cells)} cells, and there are {len(names)} "
                    "columns; quote cells that hold a comma"
                )
            values = {
                name: _of_cell(name, cell.strip())
                for name, cell in zip(names, cells, strict=True)
                if cell.strip()
            }
            rows.append((_nested(values), _in_row(names, f"line {line}")))
            if len(rows) > MOST_ORDERS:
                break
    except csv.Error as error:
        raise InputError(f"{path}: line {lines.line_num}: {error}; give a CSV") from None
    return rows


def _of_cell(name: str, text: str) -> object:
    """A number, if the text of a cell is one; names stay text, whatever they look like."""
    if name in ("order_id", "symbol", "side"):
        return text
    if re.fullmatch(r"[+-]?[0-9]{1,40}", text):
        return int(text)
    if re.fullmatch(r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?", text):
        return Written(text)
    return text


def _parquet(path: Path) -> list[tuple[Any, Where]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = read_bytes(path)
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        text = [f.name for f in file.schema_arrow if pa.types.is_string(f.type)]
        # Not spelt out: a long word that is named a million times takes its room once.
        file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=text)
        groups = range(file.metadata.num_row_groups)
        size = sum(file.metadata.row_group(k).total_byte_size for k in groups)
        if file.metadata.num_rows > MOST_ORDERS or size > MOST_PARQUET_BYTES:
            raise InputError(
                f"{path}: has {file.metadata.num_rows:,} rows of {size >> 20} MiB; give at most "
                f"{MOST_ORDERS:,} rows of {MOST_PARQUET_BYTES >> 20} MiB"
            )
        names = file.schema_arrow.names
        _check_columns(path, names)
        table = file.read()
        table.validate(full=True)  # text may be none
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        said = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: cannot be read as Parquet ({said}); write it anew") from None
    columns = {name: _values(path, name, table.column(name)) for name in names}
    return [
        (
            _nested({name: v[k] for name, v in columns.items() if v[k] is not None}),
            _in_row(names, f"row {k + 1}"),
        )
        for k in range(table.num_rows)
    ]


def _values(path: Path, name: str, column: pa.ChunkedArray) -> list[Any]:
    """The values of a column; times of a timestamp column in nanoseconds, and prices and sizes of
    a column of floats as the decimals that were meant."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        if column.type.tz is None:
            raise InputError(
                f"{path}: column {name}: its times have no time zone; write them with one"
            )
        try:
            return list(column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_pylist())
        except pa.ArrowInvalid:
            raise InputError(
                f"{path}: column {name}: holds times that nanoseconds cannot say; give times in "
                "1990 to 2100"
            ) from None
    if pa.types.is_dictionary(column.type):
        words = (word for part in column.chunks for word in part.dictionary.to_pylist())
        if any(len(word) > _LONGEST for word in words if isinstance(word, str)):
            raise InputError(
                f"{path}: column {name}: holds texts of more than {_LONGEST} characters; "
                "shorten them"
            )
        column = column.cast(column.type.value_type)
    values = list(column.to_pylist())
    if not pa.types.is_floating(column.type) or name in _TIMES:
        return values
    single = not pa.types.is_float64(column.type)
    return [None if value is None else meant(float(value), single) for value in values]


def _check_columns(path: Path, names: list[str]) -> None:
    known = (*_OF_ORDERS, *_OF_LIMITS)
    for k, name in enumerate(names, 1):
        at = f"{path}: column {k}"
        if name not in known:
            remedy = remedy_for(name, known, "remove it", SYNONYMS)
            raise InputError(f"{at}: {shown(name)} is no field of an order; {remedy}")
        if names.index(name) < k - 1:
            raise InputError(f"{at}: {name} is given twice; give each column once")
    if not names:
        raise InputError(f"{path}: is empty; give a line of names, and a line for each order")


def _nested(values: dict[str, Any]) -> dict[str, Any]:
    """A row as the JSON payload has it: limits in a group of their own."""
    order = {name: value for name, value in values.items() if name not in _OF_LIMITS}
    return {**order, "constraints": {k: v for k, v in values.items() if k in _OF_LIMITS}}


def _in_row(names: list[str], row: str) -> Where:
    def where(field: str) -> str:
        for name in (field, field.replace("_ts", "_ns")):
            if name in names:
                return f"{row}, column {names.index(name) + 1} ({name})"
        return row

    return where
