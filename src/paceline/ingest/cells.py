"""The columns of a CSV or Parquet file as numbers, exactly, and marked where there is none."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from paceline.errors import IngestError
from paceline.ingest.day import UNKNOWN_TS
from paceline.ingest.numbers import read_table
from paceline.ingest.sources import RawFile, read
from paceline.market.session import at_wall_clocks, day_of
from paceline.units import NS_PER_S

DECIMALS = 9
"""Prices and sizes are read in units of 10^-9 of their column's unit."""

_SHOWN = 12
"""Columns that an error message shows."""

_DIGITS = {"ns": 0, "us": 3, "ms": 6, "s": 9}
_YEAR_NS = 365 * 86_400 * NS_PER_S
_OUR_DAYS_NS = (20 * _YEAR_NS, 130 * _YEAR_NS)  # 1990 to 2099


class Layout(Protocol):
    """Which columns of a table are read, and what separates them."""

    @property
    def columns(self) -> dict[str, str]:
        """Field of the mapping -> column."""

    @property
    def delimiter(self) -> str:
        """Of a CSV."""


class Clock(Protocol):
    """How a table writes times; see `ingest.mapping.ColumnMapping`."""

    @property
    def time_unit(self) -> str:
        """ns, us, ms, s or iso."""

    @property
    def time_since(self) -> str:
        """epoch or midnight."""

    @property
    def zone(self) -> str:
        """Of times that name none."""


def read_columns(file: RawFile, mapping: Layout) -> Any:
    """The mapped columns as a pyarrow table; a CSV's as text, so that nothing is rounded."""
    import pyarrow as pa

    columns = list(dict.fromkeys(mapping.columns.values()))
    data = read(file)
    try:
        if data[:4] == b"PAR1":
            import pyarrow.parquet as pq

            table = pq.read_table(pa.BufferReader(data))
        else:
            import pyarrow.csv as pc

            header = data.split(b"\n", 1)[0].decode("utf-8", "replace")
            names = [
                name.strip().strip('"') for name in header.rstrip("\r").split(mapping.delimiter)
            ]
            table = pc.read_csv(
                pa.BufferReader(data),
                parse_options=pc.ParseOptions(
                    delimiter=mapping.delimiter,
                    invalid_row_handler=lambda row: "error",
                ),
                convert_options=pc.ConvertOptions(
                    column_types={name: pa.string() for name in {*names, *columns}},
                    strings_can_be_null=False,
                ),
            )
    except (pa.ArrowException, ValueError, OSError) as error:
        line = " ".join(str(error).split())[:200]
        raise IngestError(f"file: {file.name} is no readable CSV or Parquet ({line})") from None
    for field, column in mapping.columns.items():
        if column not in table.column_names:
            raise IngestError(
                f"mapping.{field}: {file.name} has no column {column!r}; "
                f"{_there_is(table.column_names)}"
            )
    return table.select(columns)


def _there_is(names: list[str]) -> str:
    """The columns of a table, for a message."""
    more = ", …" if len(names) > _SHOWN else ""
    told = f"it has {', '.join(names[:_SHOWN])}{more}"
    if len(names) == 1 and (marks := [mark for mark in ",;\t|" if mark in names[0]]):
        told += f"; is mapping.delimiter {marks[0]!r}?"
    return told


class Numbers(NamedTuple):
    """A column in units of 10^-9; `bad` where there was no number."""

    value: NDArray[np.int64]
    bad: NDArray[np.bool_]


def texts(column: Any) -> list[str]:
    """A column as text; nulls are empty."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return [str(value) for value in pc.fill_null(column.cast(pa.string()), "").to_pylist()]
    except pa.ArrowException:
        return ["" if value is None else str(value) for value in column.to_pylist()]


def _scaled(numbers: list[str], decimals: int) -> Numbers:
    """Decimal texts in units of 10^-decimals. A comma or newline inside one makes it bad."""
    lines = [
        t if t and "," not in t and "\n" not in t else "x" for t in (s.strip() for s in numbers)
    ]
    table = read_table("\n".join(lines).encode(), (decimals,))
    return Numbers(table.columns[0], ~table.ok)


def decimals_of(column: Any) -> Numbers:
    """Numbers of any column type, exact to nine decimals."""
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        plain = ["" if v is None or v != v else f"{v:.9f}" for v in column.to_pylist()]
        return _scaled(plain, DECIMALS)
    return _scaled(texts(column), DECIMALS)


def whole_numbers(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Order ids, and whether each is a whole number of 64 bits."""
    numbers = _scaled(texts(column), 0)
    return numbers.value, ~numbers.bad


def times_of(column: Any, day: str | None, mapping: Clock, name: str) -> NDArray[np.int64]:
    """Times in ns since the epoch; UNKNOWN_TS where there is none.

    Raises `IngestError` if none of them, in file `name`, is a time in the mapping's unit.
    """
    import pyarrow as pa

    if mapping.time_unit == "iso" or pa.types.is_timestamp(column.type):
        ts = _iso_times(column, mapping.zone)
    elif mapping.time_since == "midnight":
        if day is None:
            raise IngestError("day: times count from midnight; give the day, YYYY-MM-DD")
        since = _scaled(texts(column), _DIGITS[mapping.time_unit])
        ts = np.where(since.bad, UNKNOWN_TS, at_wall_clocks(since.value, day, mapping.zone))
    else:
        since = _scaled(texts(column), _DIGITS[mapping.time_unit])
        _refuse_coarser(since.value[~since.bad], mapping.time_unit, name)
        ts = np.where(since.bad, UNKNOWN_TS, since.value)
    if (ts == UNKNOWN_TS).all():
        raise IngestError(
            f"mapping.time_unit: no row of {name} has a time in {mapping.time_unit} "
            f"(the first is {texts(column[:1])[0]!r}); use one of {', '.join((*_DIGITS, 'iso'))}"
        )
    return ts


def _refuse_coarser(ts: NDArray[np.int64], unit: str, name: str) -> None:
    """Refuse times of 1970 that would be of our days in a coarser unit."""
    first = int(ts[0]) if len(ts) else 0
    for coarser in list(_DIGITS)[list(_DIGITS).index(unit) + 1 :]:
        meant = first * 10 ** (_DIGITS[coarser] - _DIGITS[unit])
        if first < _YEAR_NS and _OUR_DAYS_NS[0] < meant < _OUR_DAYS_NS[1]:
            raise IngestError(
                f"mapping.time_unit: in {unit}, the times of {name} begin on "
                f"{day_of(first, 'UTC')}; write {coarser}, for {day_of(meant, 'UTC')}"
            )


def _iso_times(column: Any, zone: str) -> NDArray[np.int64]:
    """Timestamps, or texts of them; those that name no zone are in `zone`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(column.type):
        written = texts(column)
        zoned = any(text.endswith("Z") or text[19:].count("+") for text in written[:1])
        kind = pa.timestamp("ns", "UTC" if zoned else None)
        column = pa.chunked_array([[_one_time(text, kind) for text in written]], kind)
    elif column.type.unit != "ns":
        column = column.cast(pa.timestamp("ns", column.type.tz))
    if column.type.tz is None:
        column = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="earliest")
    missing = column.is_null().to_numpy()
    values = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
    return np.where(missing, UNKNOWN_TS, values)


def _one_time(text: str, kind: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.scalar(text).cast(kind)
    except pa.ArrowException:
        return None
