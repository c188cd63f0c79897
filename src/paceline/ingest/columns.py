"""Any CSV or Parquet file, through a mapping of its columns.

    time: ts                     # column with the time
    time_unit: us                # ns, us, ms, s or iso
    kind: action                 # column that says what a row is …
    kinds: {A: add, D: delete, X: reduce, E: execute, U: modify}    # … and what its values mean
    side: side
    sides: {B: bid, S: ask}
    price: px
    size: qty
    order: order_id              # leave out for level updates and trades

With `order` the tape keeps orders (L3): kinds add, reduce, delete, execute, modify, hidden, seed.
Without, it keeps levels (L2): kinds level (the size a price shows now) and trade. Both know cross,
halt, quote, resume, clear and ignore.

A file may hold several symbols (`symbol_column`) and days: each becomes a tape of its own.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.errors import ConfigError, IngestError
from paceline.ingest.day import UNKNOWN_TS, RawDay, Recording
from paceline.ingest.grid import decimal_grid
from paceline.ingest.numbers import read_table
from paceline.ingest.options import Options
from paceline.ingest.ordering import longest_rising
from paceline.ingest.quality import (
    BAD_PRICE,
    BAD_SIDE,
    BAD_SIZE,
    DUPLICATE_ORDER,
    OFF_TICK,
    OK,
    OTHER_PRICE,
    OTHER_SIDE,
    OVER_CANCEL,
    OVER_EXECUTION,
    SIZE_DIFFERS,
    SIZE_TOO_LARGE,
    TIME_BACKWARDS,
    UNKNOWN_EXECUTED,
    UNKNOWN_KIND,
    UNKNOWN_MODIFIED,
    UNKNOWN_ORDER,
    UNPARSABLE,
)
from paceline.ingest.resolve import ANY_PRICE, MODIFY, NOTHING, Ops, resolve
from paceline.ingest.sources import RawFile, read
from paceline.market import events
from paceline.market.events import NO_SLOT, Rows
from paceline.market.session import Session, day_of, midnight_ns
from paceline.orders.instrument import Instrument

VERSION = 1
"""Raised whenever the same files would give another tape."""

_OF_ORDERS = ("add", "reduce", "delete", "execute", "modify", "hidden", "seed")
_OF_LEVELS = ("level", "trade")
_OF_BOTH = ("cross", "halt", "quote", "resume", "clear", "ignore")
_CODES = {name: code for code, name in events.KIND_NAMES.items()} | {
    "modify": MODIFY,
    "ignore": NOTHING,
}
_SIDES = {"bid": 1, "ask": -1, "none": 0}
_SIDE_WORDS: dict[str, Literal["bid", "ask", "none"]] = {
    "1": "bid", "-1": "ask", "B": "bid", "A": "ask", "S": "ask", "bid": "bid", "ask": "ask",
    "buy": "bid", "sell": "ask",
}  # fmt: skip
_DIGITS = {"ns": 0, "us": 3, "ms": 6, "s": 9}
_DECIMALS = 9
_UNIT = Decimal(1).scaleb(-_DECIMALS)
_MAX_LOTS = np.iinfo(np.int32).max
_NS_PER_DAY = 86_400 * 10**9
_UNSIZED = (
    events.DELETE, events.HALT, events.QUOTE, events.RESUME, events.CLEAR, NOTHING
)  # fmt: skip
_PRICELESS = (events.HALT, events.QUOTE, events.RESUME, events.CLEAR, NOTHING)
_OF_LIVE_ORDERS = (events.REDUCE, events.DELETE, events.EXECUTE)
_SIDED = (events.ADD, events.SEED, events.LEVEL, MODIFY)
_CHECKED = (
    UNPARSABLE, UNKNOWN_KIND, TIME_BACKWARDS, BAD_SIZE, SIZE_TOO_LARGE, BAD_PRICE, BAD_SIDE,
    OFF_TICK,
)  # fmt: skip
_CHECKED_ORDERS = (
    UNKNOWN_ORDER, UNKNOWN_EXECUTED, UNKNOWN_MODIFIED, DUPLICATE_ORDER, OTHER_PRICE, OTHER_SIDE,
    OVER_EXECUTION, OVER_CANCEL, SIZE_DIFFERS,
)  # fmt: skip


class ColumnMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which column says what."""

    time: str
    """Column with the time of a row."""
    time_unit: Literal["ns", "us", "ms", "s", "iso"] = "ns"
    """Unit of the time; iso: text such as 2024-05-08T13:30:00.25, or a timestamp column."""
    time_since: Literal["epoch", "midnight"] = "epoch"
    """What numbers count from; midnight is that of the day in `zone`."""
    zone: str = "UTC"
    """Time zone of the venue (IANA name), and of times that name none."""
    kind: str | None = None
    """Column that says what a row is; None: every row is `default_kind`."""
    kinds: dict[str, str] = {}
    """Value in the kind column to kind (see the module)."""
    default_kind: str | None = None
    """Kind of rows whose value is not in `kinds`; None: such rows are quarantined."""
    side: str | None = None
    """Column with the side; None: no row has one."""
    sides: dict[str, Literal["bid", "ask", "none"]] = msgspec.field(
        default_factory=lambda: dict(_SIDE_WORDS)
    )
    """Value in the side column to side of the book."""
    trade_side: Literal["resting", "aggressor"] = "resting"
    """Whose side a trade, hidden or execute row names."""
    price: str
    """Column with the price."""
    price_unit: Decimal = Decimal(1)
    """What one unit of the price column is worth, in currency."""
    size: str
    """Column with the size."""
    size_unit: Decimal = Decimal(1)
    """What one unit of the size column is, in shares, contracts or coins."""
    order: str | None = None
    """Column with the order id (whole numbers); None: the file has levels, not orders."""
    symbol: str | None = None
    """Ticker of all rows; None: from `symbol_column`, else the file's name."""
    symbol_column: str | None = None
    """Column with the ticker."""
    delimiter: str = ","
    """What separates the columns of a CSV."""

    def __post_init__(self) -> None:
        allowed = _OF_BOTH + (_OF_ORDERS if self.order is not None else _OF_LEVELS)
        for value, kind in {**self.kinds, "default_kind": self.default_kind or "ignore"}.items():
            if kind not in allowed:
                raise ConfigError(
                    f"mapping.kinds: {value!r} is {kind!r}; use one of {', '.join(allowed)}"
                )
        if self.kind is None and self.default_kind is None:
            raise ConfigError("mapping.kind: name a column, or give a default_kind for all rows")
        for name in ("price_unit", "size_unit"):
            unit = getattr(self, name)
            if not (unit.is_finite() and unit > 0):
                raise ConfigError(f"mapping.{name}: {unit} is not positive")

    @property
    def digest(self) -> str:
        """Short fingerprint of the mapping."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]


def mapping_from(given: ColumnMapping | dict[str, Any] | str | Path) -> ColumnMapping:
    """A mapping from a struct, a dict, or a YAML or JSON file. Raises `ConfigError`."""
    if isinstance(given, ColumnMapping):
        return given
    if not isinstance(given, dict):
        import yaml

        try:
            given = yaml.safe_load(Path(given).read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            line = " ".join(str(error).split())
            raise ConfigError(f"mapping: {given} cannot be read ({line})") from None
    fields: Any = given
    for name in ("kinds", "sides"):
        values = fields.get(name) if isinstance(fields, dict) else None
        if isinstance(values, dict):  # YAML reads 1 and -1 as numbers
            fields = {**fields, name: {str(key): value for key, value in values.items()}}
    try:
        return msgspec.convert(fields, ColumnMapping, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"mapping: {error}") from None


class Sheet(NamedTuple):
    """A file's columns as numbers. `n` rows."""

    ts: NDArray[np.int64]  # [n] UNKNOWN_TS where unreadable
    op: NDArray[np.uint8]  # [n]
    side: NDArray[np.int8]  # [n]
    price: NDArray[np.int64]  # [n] in 1e-9 of the column's unit; ANY_PRICE where there is none
    size: NDArray[np.int64]  # [n] in 1e-9 of the column's unit
    order_id: NDArray[np.int64]  # [n]
    symbol: NDArray[np.object_]  # [n]
    fault: NDArray[np.uint8]  # [n]
    text: list[str]


def recordings(files: list[RawFile], options: Options, mapping: ColumnMapping) -> list[Recording]:
    """One recording per file, symbol and day."""
    found = []
    for file in files:
        if not file.title.lower().endswith((".csv", ".csv.gz", ".parquet", ".pq", ".txt")):
            continue
        sheet = _read_sheet(file, options.day, mapping)
        zone = options.zone or mapping.zone
        for symbol in sorted(set(sheet.symbol.tolist())):
            if options.symbol and mapping.symbol_column and symbol != options.symbol:
                continue
            ts = sheet.ts[(sheet.symbol == symbol) & (sheet.ts != UNKNOWN_TS)]
            days = [options.day] if options.day else _days(ts, zone)
            for day in days:
                found.append(
                    Recording(
                        symbol=options.symbol or symbol,
                        day=day,
                        files=(file,),
                        made_by=f"paceline columns {VERSION}",
                        read=partial(_read_day, file, symbol, day, days[0], options, mapping),
                    )
                )
    return found


def _days(ts: NDArray[np.int64], zone: str) -> list[str]:
    """The dates that `ts` touch."""
    days: list[str] = []
    rising = np.unique(ts)
    at = 0
    while at < len(rising):
        days.append(day_of(int(rising[at]), zone))
        end = midnight_ns(days[-1], zone) + _NS_PER_DAY
        at = max(at + 1, int(np.searchsorted(rising, end)))
    return list(dict.fromkeys(days))


def _read_sheet(file: RawFile, day: str | None, mapping: ColumnMapping) -> Sheet:
    """Read a file once for all its symbols and days."""
    return _sheet(file, day, msgspec.json.encode(mapping))


@lru_cache(maxsize=1)
def _sheet(file: RawFile, day: str | None, mapping_text: bytes) -> Sheet:
    mapping = msgspec.json.decode(mapping_text, type=ColumnMapping)
    table = _read_table(file, mapping)
    n = len(table)
    if n == 0:
        raise IngestError(f"file: {file.name} has no rows")
    ts = _times(table[mapping.time], day, mapping)
    price, size = _decimals(table[mapping.price]), _decimals(table[mapping.size])
    fault = np.zeros(n, np.uint8)
    kind = _texts(table[mapping.kind]) if mapping.kind else [""] * n
    side = _texts(table[mapping.side]) if mapping.side else [""] * n
    known = {value: _CODES[name] for value, name in mapping.kinds.items()}
    default = -1 if mapping.default_kind is None else _CODES[mapping.default_kind]
    code = np.array([known.get(value, default) for value in kind], np.int64)
    sides = {value: _SIDES[name] for value, name in mapping.sides.items()}
    signs = np.array([sides.get(value, 2 if mapping.side else 0) for value in side], np.int64)
    op = np.where(code < 0, NOTHING, code).astype(np.uint8)
    ids, id_ok = _whole(table[mapping.order]) if mapping.order else (np.zeros(n, np.int64), True)
    fault[code < 0] = UNKNOWN_KIND
    fault[(signs == 2) & np.isin(op, _SIDED)] = BAD_SIDE
    unpriced = np.isin(op, _PRICELESS)
    if mapping.order is not None:  # the order knows its price
        unpriced |= np.isin(op, _OF_LIVE_ORDERS)
    unread = (ts == UNKNOWN_TS) | (price.bad & ~unpriced)
    unread |= size.bad & ~np.isin(op, _UNSIZED)
    unread |= ~np.asarray(id_ok) & np.isin(op, [_CODES[k] for k in _OF_ORDERS if k != "hidden"])
    fault[unread] = UNPARSABLE
    signs[signs == 2] = 0
    if mapping.trade_side == "aggressor":
        signs[np.isin(op, (events.TRADE, events.HIDDEN, events.EXECUTE))] *= -1
    name = mapping.symbol or Path(file.title).name.split(".")[0]
    symbol = np.array(
        _texts(table[mapping.symbol_column]) if mapping.symbol_column else [name] * n, object
    )
    columns = [_texts(table[c]) for c in table.column_names]
    text = [",".join(row) for row in zip(*columns, strict=True)]
    told = np.where(price.bad, ANY_PRICE, price.value)
    return Sheet(ts, op, signs.astype(np.int8), told, size.value, ids, symbol, fault, text)


def _read_table(file: RawFile, mapping: ColumnMapping) -> Any:
    """The mapped columns as a pyarrow table; a CSV's as text, so that nothing is rounded."""
    import pyarrow as pa

    wanted = [mapping.time, mapping.kind, mapping.side, mapping.price, mapping.size]
    wanted += [mapping.order, mapping.symbol_column]
    columns = list(dict.fromkeys(c for c in wanted if c is not None))
    data = read(file)
    try:
        if data[:4] == b"PAR1":
            import pyarrow.parquet as pq

            table = pq.read_table(pa.BufferReader(data))
        else:
            import pyarrow.csv as pc

            header = data.split(b"\n", 1)[0].decode("utf-8", "replace")
            names = [name.strip().strip('"') for name in header.rstrip("\r").split(",")]
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
    missing = [column for column in columns if column not in table.column_names]
    if missing:
        raise IngestError(
            f"mapping: {file.name} has no column {missing[0]!r}; "
            f"it has {', '.join(table.column_names[:12])}"
        )
    return table.select(columns)


class Numbers(NamedTuple):
    """A column in units of 10^-9; `bad` where there was no number."""

    value: NDArray[np.int64]
    bad: NDArray[np.bool_]


def _texts(column: Any) -> list[str]:
    """A column as text; nulls are empty."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return [str(value) for value in pc.fill_null(column.cast(pa.string()), "").to_pylist()]
    except pa.ArrowException:
        return ["" if value is None else str(value) for value in column.to_pylist()]


def _scaled(texts: list[str], decimals: int) -> Numbers:
    """Decimal texts in units of 10^-decimals. A comma or newline inside one makes it bad."""
    lines = [t if t and "," not in t and "\n" not in t else "x" for t in (s.strip() for s in texts)]
    table = read_table("\n".join(lines).encode(), (decimals,))
    return Numbers(table.columns[0], ~table.ok)


def _decimals(column: Any) -> Numbers:
    """Numbers of any column type, exact to nine decimals."""
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        texts = ["" if v is None or v != v else f"{v:.9f}" for v in column.to_pylist()]
        return _scaled(texts, _DECIMALS)
    return _scaled(_texts(column), _DECIMALS)


def _whole(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Order ids, and whether each is a whole number of 64 bits."""
    numbers = _scaled(_texts(column), 0)
    return numbers.value, ~numbers.bad


def _times(column: Any, day: str | None, mapping: ColumnMapping) -> NDArray[np.int64]:
    """Times in ns since the epoch; UNKNOWN_TS where there is none."""
    import pyarrow as pa

    if mapping.time_unit == "iso" or pa.types.is_timestamp(column.type):
        return _iso_times(column, mapping.zone)
    start = 0
    if mapping.time_since == "midnight":
        if day is None:
            raise IngestError("day: times count from midnight; give the day, YYYY-MM-DD")
        start = midnight_ns(day, mapping.zone)
    numbers = _scaled(_texts(column), _DIGITS[mapping.time_unit])
    return np.where(numbers.bad, UNKNOWN_TS, start + numbers.value)


def _iso_times(column: Any, zone: str) -> NDArray[np.int64]:
    """Timestamps, or texts of them; those that name no zone are in `zone`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(column.type):
        texts = _texts(column)
        zoned = any(text.endswith("Z") or text[19:].count("+") for text in texts[:1])
        kind = pa.timestamp("ns", "UTC" if zoned else None)
        column = pa.chunked_array([[_one_time(text, kind) for text in texts]], kind)
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


def _read_day(
    file: RawFile, symbol: str, day: str, first_day: str, options: Options, mapping: ColumnMapping
) -> RawDay:
    sheet = _read_sheet(file, options.day, mapping)
    zone = options.zone or mapping.zone
    midnight = midnight_ns(day, zone)
    untimed = sheet.ts == UNKNOWN_TS
    of_day = (sheet.ts >= midnight) & (sheet.ts < midnight + _NS_PER_DAY)
    of_day |= untimed & (day == first_day)
    rows = np.flatnonzero((sheet.symbol == symbol) & (of_day | (options.day is not None)))
    ts, op, side = sheet.ts[rows], sheet.op[rows].copy(), sheet.side[rows]
    price, size, fault = sheet.price[rows], sheet.size[rows], sheet.fault[rows].copy()
    good = fault == OK
    told = price != ANY_PRICE
    priced, sized = good & told & ~np.isin(op, _PRICELESS), good & ~np.isin(op, _UNSIZED)
    tick = _step(price[priced], options.book_tick, mapping.price_unit, "book_tick")
    lot = _step(size[sized], options.lot, mapping.size_unit, "lot")
    lots = np.where(good & (sized | (op == events.DELETE)), size // lot, 0)
    for bad, code in (
        (priced & (price % tick != 0), OFF_TICK),
        (sized & ((size < 0) | (size % lot != 0)), BAD_SIZE),
        (sized & (size == 0) & (op != events.LEVEL), BAD_SIZE),
        (lots > _MAX_LOTS, SIZE_TOO_LARGE),
    ):
        fault[bad & (fault == OK)] = code
    usable = np.flatnonzero(fault == OK)
    fault[usable[~longest_rising(ts[usable])]] = TIME_BACKWARDS
    op[fault != OK] = NOTHING
    ticks = np.where(told, price // tick, ANY_PRICE)
    if mapping.order is not None:
        made, origin = resolve(Ops(op, sheet.order_id[rows], side, ticks, lots), ts, fault)
    else:
        origin = np.flatnonzero(op != NOTHING)
        none = np.full(len(origin), NO_SLOT, np.int32)
        made = Rows(ts[origin], op[origin], side[origin], ticks[origin], lots[origin], none)
    book_tick = tick * _UNIT * mapping.price_unit
    return RawDay(
        rows=made,
        origin=origin,
        ts=ts,
        fault=fault,
        checked=_CHECKED + (_CHECKED_ORDERS if mapping.order is not None else ()),
        text=lambda row: sheet.text[rows[row]],
        instrument=Instrument(
            symbol=options.symbol or symbol,
            book_tick=book_tick,
            order_tick=options.order_tick or book_tick,
            lot=lot * _UNIT * mapping.size_unit,
            venue=options.venue or "",
        ),
        session=_session(made, day, zone, options),
        findings={},
    )


def _session(rows: Rows, day: str, zone: str, options: Options) -> Session:
    """As given, else the recorded span: a mapping announces none."""
    if options.session is not None or len(rows.ts) == 0:
        return options.session_on(day, zone, (0.0, 86_400.0))
    return Session(day=day, zone=zone, open_ns=int(rows.ts[0]), close_ns=int(rows.ts[-1]) + 1)


def _step(values: NDArray[np.int64], given: Decimal | None, unit: Decimal, name: str) -> int:
    """A grid in units of 10^-9 of a column: as given in real units, else the coarsest that fits."""
    if given is None:
        return int(decimal_grid(np.unique(values), _DECIMALS) / _UNIT)
    step = given / unit / _UNIT
    if step < 1 or step != step.to_integral_value():
        raise IngestError(f"{name}: {given} cannot be told apart in a column of unit {unit}")
    return int(step)
