"""A CSV or Parquet file as a table of its mapped columns, each row with its place in the file."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from paceline.errors import IngestError
from paceline.ingest.answers import remedy
from paceline.ingest.excerpts import excerpt
from paceline.ingest.sources import RawFile, memory, read

_SHOWN = 12
"""Columns that an error message shows."""

_LONGEST_LINE = 1 << 20
_MOST_RAGGED = 0.05
_ROWS_IN_A_BYTE = 64
_BYTES_IN_A_CELL = 64

_PACKED = {b"PK\x03\x04": "a zip inside a file of another name", b"\xfd7zXZ": "xz", b"BZh": "bzip2"}


class Layout(Protocol):
    """Which columns of a table are read, and what separates them."""

    @property
    def columns(self) -> dict[str, str]:
        """Field of the mapping -> column."""

    @property
    def delimiter(self) -> str:
        """Of a CSV."""


class Sheet(NamedTuple):
    """The mapped columns of a file. `n` rows."""

    columns: Any  # pyarrow.Table; a CSV's are text, so that nothing is rounded
    place: str
    """What `number` counts: "line" of a CSV, heading and empty lines included, as an editor shows
    it; "row" of a Parquet file."""
    number: NDArray[np.int64]  # [n] from 1
    text: Callable[[int], str]  # a row as it stands in the file, cut if it is long
    ragged: NDArray[np.bool_]  # [n] rows with more or fewer fields than the heading, kept as empty
    name: str

    def where(self, row: int) -> str:
        """A row for a message: its number and its text."""
        return f"{self.place} {self.number[row]}: {self.text(row)!r}"


def read_sheet(file: RawFile, layout: Layout) -> Sheet:
    """The mapped columns of a file. Raises `IngestError` for what is no such table."""
    data = read(file)
    sheet = _parquet(file, data, layout) if data[:4] == b"PAR1" else _csv(file, data, layout)
    if len(sheet.number) == 0:
        raise IngestError(f"file: {file.name} has no rows below its heading; give one with data")
    return sheet


def _parquet(file: RawFile, data: bytes, layout: Layout) -> Sheet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = pq.ParquetFile(pa.BufferReader(data))
        names = list(about.schema_arrow.names)
        wanted = _wanted(file, names, layout)
        _check_size(file, about.metadata.num_rows, len(wanted), len(data))
        table = about.read(columns=wanted)
        table.validate(full=True)  # text may be none
    except (pa.ArrowException, ValueError, OSError, KeyError, MemoryError, OverflowError) as error:
        raise _unreadable(file, error) from None

    def text(row: int) -> str:
        return excerpt(",".join(str(column[row].as_py()) for column in table.columns))

    n = len(table)
    return Sheet(table, "row", np.arange(1, n + 1), text, np.zeros(n, bool), file.name)


def _check_size(file: RawFile, rows: int, columns: int, packed: int) -> None:
    """Refuse a Parquet that holds far more rows than its bytes can say, or than memory holds."""
    if rows > max(1 << 24, _ROWS_IN_A_BYTE * packed) or (
        rows * columns * _BYTES_IN_A_CELL > memory()
    ):
        raise IngestError(
            f"file: {file.name} holds {rows:,} rows in {packed:,} bytes, too many to read at once; "
            "give it in smaller files"
        )


def _csv(file: RawFile, data: bytes, layout: Layout) -> Sheet:
    data = _utf8(file, data)
    lines = _lines(data)
    if len(lines.start) == 0:
        raise IngestError(f"file: {file.name} is empty; give a CSV with a heading and rows")
    _refuse_long(file, lines)
    heading = data[lines.start[0] : lines.end[0]].decode()
    names = [name.strip() for name in _cells(heading, layout.delimiter)]
    wanted = _wanted(file, names, layout)
    if len(lines.start) == 1:
        raise IngestError(f"file: {file.name} has no rows below its heading; give one with data")
    table, ragged = _parsed(file, data, lines, names, wanted, layout.delimiter)

    def text(row: int) -> str:
        return excerpt(data[lines.start[row + 1] : lines.end[row + 1]])

    return Sheet(table, "line", lines.number[1:], text, ragged, file.name)


def _cells(line: str, delimiter: str) -> list[str]:
    rows = csv.reader([line], delimiter=delimiter, skipinitialspace=delimiter != " ")
    return next(rows, [])


class _Lines(NamedTuple):
    """Lines of a text that are not empty. `n` lines."""

    start: NDArray[np.int64]  # [n] first byte
    end: NDArray[np.int64]  # [n] byte behind the last, line ends left out
    number: NDArray[np.int64]  # [n] from 1, empty lines counted


def _lines(data: bytes) -> _Lines:
    raw = np.frombuffer(data, np.uint8)
    end = np.append(np.flatnonzero(raw == ord("\n")), len(raw))
    start = np.append(0, end[:-1] + 1)
    has_return = (
        (end > start) & (raw[np.maximum(end - 1, 0)] == ord("\r")) if len(raw) else start < 0
    )
    number = np.arange(1, len(start) + 1)
    end = end - has_return
    full = end > start
    return _Lines(start[full], end[full], number[full])


def _refuse_long(file: RawFile, lines: _Lines) -> None:
    length = lines.end - lines.start
    at = int(np.argmax(length))
    if length[at] > _LONGEST_LINE:
        raise IngestError(
            f"file: line {lines.number[at]} of {file.name} has {length[at]:,} characters, more "
            "than a row can have; is it a table of one event a line?"
        )


def _parsed(
    file: RawFile, data: bytes, lines: _Lines, names: list[str], wanted: list[str], delimiter: str
) -> tuple[Any, NDArray[np.bool_]]:
    """The wanted columns as text; rows of another number of fields are empty, and marked."""
    import pyarrow as pa
    import pyarrow.csv as pc

    body = pa.py_buffer(data).slice(int(lines.start[1]))
    n = len(lines.start) - 1
    ragged: list[int] = []

    def step_over(row: Any) -> str:
        ragged.append(row.number - 1)
        return "skip"

    def parsed(handler: Callable[[Any], str] | None) -> Any:
        return pc.read_csv(
            pa.BufferReader(body),
            # One thread numbers the rows that it steps over; a line may fill a block and no more.
            read_options=pc.ReadOptions(
                column_names=names, use_threads=handler is None, block_size=_LONGEST_LINE + 2
            ),
            parse_options=pc.ParseOptions(delimiter=delimiter, invalid_row_handler=handler),
            convert_options=pc.ConvertOptions(
                include_columns=wanted,
                column_types={name: pa.string() for name in wanted},
                strings_can_be_null=False,
            ),
        )

    try:
        try:
            table = parsed(None)
        except pa.ArrowInvalid:
            table = parsed(step_over)
    except (pa.ArrowException, ValueError, OSError, MemoryError) as error:
        raise _unreadable(file, error) from None
    if len(table) + len(ragged) != n:
        raise IngestError(
            f"file: {file.name} has a quoted field that goes over several lines; write each row on "
            "one line"
        )
    is_ragged = np.zeros(n, bool)
    is_ragged[ragged] = True
    if not ragged:
        return table, is_ragged
    first = ragged[0] + 1
    if len(ragged) > max(1, _MOST_RAGGED * n) or len(table) == 0:
        shown = excerpt(data[lines.start[first] : lines.end[first]])
        raise IngestError(
            f"file: {len(ragged):,} of {n:,} rows of {file.name} have not the {len(names)} "
            f"fields of its heading, first line {lines.number[first]}: {shown!r}; mend them"
        )
    at = np.cumsum(~is_ragged) - 1
    empty = pa.table({name: [""] for name in wanted}, schema=table.schema)
    at[is_ragged] = len(table)
    return pa.concat_tables([table, empty]).take(pa.array(at)), is_ragged


def _utf8(file: RawFile, data: bytes) -> bytes:
    """The text in UTF-8 with line feeds. Raises `IngestError` for what is no text."""
    for head, kind in _PACKED.items():
        if data.startswith(head):
            raise IngestError(f"file: {file.name} is packed ({kind}); unpack it first")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError:
            raise IngestError(
                f"file: {file.name} begins as UTF-16 and is not; save it as UTF-8"
            ) from None
    data = data.removeprefix(b"\xef\xbb\xbf")
    if (at := data.find(b"\0")) >= 0:
        raise IngestError(
            f"file: line {_line_at(data, at)} of {file.name} holds a NUL byte, which no text does "
            "(another encoding, such as UTF-16, or no CSV); save it as UTF-8"
        )
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise IngestError(
                f"file: line {_line_at(data, error.start)} of {file.name} is not UTF-8 (byte "
                f"0x{data[error.start]:02x}; another encoding, such as Latin-1); save it as UTF-8"
            ) from None
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    return data


def _line_at(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1


def _wanted(file: RawFile, names: list[str], layout: Layout) -> list[str]:
    """The mapped columns. Raises `IngestError` if the file has not one, or has it twice."""
    for field, column in layout.columns.items():
        if column not in names:
            raise IngestError(
                f"mapping.{field}: {file.name} has no column {column!r}; {_there_is(column, names)}"
            )
        if names.count(column) > 1:
            raise IngestError(
                f"mapping.{field}: {file.name} has column {column!r} twice; rename one of them"
            )
    return list(dict.fromkeys(layout.columns.values()))


def _there_is(column: str, names: list[str]) -> str:
    """The columns of a table, for a message."""
    more = ", …" if len(names) > _SHOWN else ""
    told = f"it has {', '.join(excerpt(name) for name in names[:_SHOWN])}{more}"
    if len(names) == 1 and (marks := [mark for mark in ",;\t|" if mark in names[0]]):
        told += f"; is mapping.delimiter {marks[0]!r}?"
        return told
    return f"{near} {told}" if (near := remedy(column, names, "")) else told


def _unreadable(file: RawFile, error: Exception) -> IngestError:
    line = excerpt(" ".join(str(error).split()))
    return IngestError(f"file: {file.name} is no readable CSV or Parquet ({line})")
