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

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.errors import IngestError
from paceline.ingest.cells import (
    DECIMALS,
    decimals_of,
    read_columns,
    texts,
    times_of,
    whole_numbers,
)
from paceline.ingest.day import UNKNOWN_TS, RawDay, Recording, each_alone, unreadable
from paceline.ingest.days import Day, day_named, days_of
from paceline.ingest.grid import decimal_grid
from paceline.ingest.mapping import OF_ORDERS, ColumnMapping
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
from paceline.ingest.sources import RawFile
from paceline.market import events
from paceline.market.events import NO_SLOT, Rows
from paceline.market.session import Session
from paceline.orders.instrument import Instrument

VERSION = 2
"""Raised whenever the same files would give another tape."""

_TITLE = re.compile(r"\.(csv|tsv|txt|parquet|pq)(\.gz|\.zst)?$")
_CODES = {name: code for code, name in events.KIND_NAMES.items()} | {
    "modify": MODIFY,
    "ignore": NOTHING,
}
_SIDES = {"bid": 1, "ask": -1, "none": 0}
_UNIT = Decimal(1).scaleb(-DECIMALS)
_MAX_LOTS = np.iinfo(np.int32).max
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


def claims(file: RawFile) -> bool:
    """Whether a file is a table, by its name."""
    return _TITLE.search(file.title.lower()) is not None


def recordings(files: list[RawFile], options: Options, mapping: ColumnMapping) -> list[Recording]:
    """One recording per file, symbol and day."""
    return each_alone(files, lambda file: _of_file(file, options, mapping))


def _of_file(file: RawFile, options: Options, mapping: ColumnMapping) -> Iterator[Recording]:
    sheet = _read_sheet(file, options.day, mapping)
    zone, begins_s = options.zone or mapping.zone, options.begins_s
    symbols = sorted(set(sheet.symbol.tolist()))
    if options.symbol is not None and mapping.symbol_column is not None:
        if options.symbol not in symbols:
            there = ", ".join(symbols[:8])
            raise IngestError(f"symbol: {options.symbol} is not in {file.name}; it holds {there}")
        symbols = [options.symbol]
    for symbol in symbols:
        ts = sheet.ts[(sheet.symbol == symbol) & (sheet.ts != UNKNOWN_TS)]
        if options.day:
            days = [day_named(options.day, zone, begins_s)]
        else:
            days = days_of(ts, zone, begins_s)
        if not days:
            error = IngestError(f"file: {file.name} has no row of {symbol!r} with a time")
            yield unreadable(file, error)
        for day in days:
            yield Recording(
                symbol=options.symbol or symbol,
                day=day.name,
                files=(file,),
                made_by=f"paceline columns {VERSION}",
                read=partial(_read_day, file, symbol, day, day == days[0], options, mapping),
            )


def _read_sheet(file: RawFile, day: str | None, mapping: ColumnMapping) -> Sheet:
    """Read a file once for all its symbols and days."""
    return _sheet(file, day, msgspec.json.encode(mapping))


@lru_cache(maxsize=1)
def _sheet(file: RawFile, day: str | None, mapping_text: bytes) -> Sheet:
    mapping = msgspec.json.decode(mapping_text, type=ColumnMapping)
    table = read_columns(file, mapping)
    n = len(table)
    if n == 0:
        raise IngestError(f"file: {file.name} has no rows")
    ts = times_of(table[mapping.time], day, mapping, file.name)
    price, size = decimals_of(table[mapping.price]), decimals_of(table[mapping.size])
    fault = np.zeros(n, np.uint8)
    kind = texts(table[mapping.kind]) if mapping.kind else [""] * n
    side = texts(table[mapping.side]) if mapping.side else [""] * n
    known = {value: _CODES[name] for value, name in mapping.kinds.items()}
    default = -1 if mapping.default_kind is None else _CODES[mapping.default_kind]
    code = np.array([known.get(value, default) for value in kind], np.int64)
    sides = {value: _SIDES[name] for value, name in mapping.sides.items()}
    signs = np.array([sides.get(value, 2 if mapping.side else 0) for value in side], np.int64)
    op = np.where(code < 0, NOTHING, code).astype(np.uint8)
    ids, id_ok = np.zeros(n, np.int64), np.ones(n, bool)
    if mapping.order is not None:
        ids, id_ok = whole_numbers(table[mapping.order])
    fault[code < 0] = UNKNOWN_KIND
    fault[(signs == 2) & np.isin(op, _SIDED)] = BAD_SIDE
    unpriced = np.isin(op, _PRICELESS)
    if mapping.order is not None:  # the order knows its price
        unpriced |= np.isin(op, _OF_LIVE_ORDERS)
    unread = (ts == UNKNOWN_TS) | (price.bad & ~unpriced)
    unread |= size.bad & ~np.isin(op, _UNSIZED)
    unread |= ~id_ok & np.isin(op, [_CODES[k] for k in OF_ORDERS if k != "hidden"])
    fault[unread] = UNPARSABLE
    signs[signs == 2] = 0
    if mapping.trade_side == "aggressor":
        signs[np.isin(op, (events.TRADE, events.HIDDEN, events.EXECUTE))] *= -1
    name = mapping.symbol or Path(file.title).name.split(".")[0]
    symbol = np.array(
        texts(table[mapping.symbol_column]) if mapping.symbol_column else [name] * n, object
    )
    columns = [texts(table[c]) for c in table.column_names]
    text = [",".join(row) for row in zip(*columns, strict=True)]
    told = np.where(price.bad, ANY_PRICE, price.value)
    return Sheet(ts, op, signs.astype(np.int8), told, size.value, ids, symbol, fault, text)


def _read_day(
    file: RawFile, symbol: str, day: Day, first: bool, options: Options, mapping: ColumnMapping
) -> RawDay:
    """Read one day; rows without a time are told of on the first."""
    sheet = _read_sheet(file, options.day, mapping)
    of_day = (sheet.ts >= day.start_ns) & (sheet.ts < day.end_ns)
    of_day |= first & (sheet.ts == UNKNOWN_TS)
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
        session=_session(made, day.name, options.zone or mapping.zone, options),
        findings={},
        number=rows,
    )


def _session(rows: Rows, day: str, zone: str, options: Options) -> Session:
    """As given, else the recorded span: a mapping announces none."""
    if options.session is not None or len(rows.ts) == 0:
        return options.session_on(day, zone, (0.0, 86_400.0))
    return Session(day=day, zone=zone, open_ns=int(rows.ts[0]), close_ns=int(rows.ts[-1]) + 1)


def _step(values: NDArray[np.int64], given: Decimal | None, unit: Decimal, name: str) -> int:
    """A grid in units of 10^-9 of a column: as given in real units, else the coarsest that fits."""
    if given is None:
        return int(decimal_grid(np.unique(values), DECIMALS) / _UNIT)
    step = given / unit / _UNIT
    if step < 1 or step != step.to_integral_value():
        raise IngestError(
            f"{name}: {given} is no whole number of the steps that are read, {unit * _UNIT}; "
            "give a coarser one, or leave it out"
        )
    return int(step)
