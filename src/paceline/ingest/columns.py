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
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.errors import IngestError
from paceline.ingest.cells import Numbers, numbers_of, symbols_of, texts, whole_numbers
from paceline.ingest.day import UNKNOWN_TS, RawDay, Recording, each_alone, unreadable
from paceline.ingest.days import Day, day_named, days_of
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
    TOO_FINE,
    UNKNOWN_EXECUTED,
    UNKNOWN_KIND,
    UNKNOWN_MODIFIED,
    UNKNOWN_ORDER,
    UNPARSABLE,
)
from paceline.ingest.resolve import ANY_PRICE, MODIFY, NOTHING, Ops, resolve
from paceline.ingest.sources import RawFile
from paceline.ingest.steps import Column, Given, prices_of, sizes_of
from paceline.ingest.tables import Sheet, read_sheet
from paceline.ingest.times import times_of
from paceline.market import events
from paceline.market.events import NO_SLOT, Rows
from paceline.market.session import Session
from paceline.orders.identity import checked
from paceline.orders.instrument import Instrument

VERSION = 4
"""Raised whenever the same files would give another tape."""

_TITLE = re.compile(r"\.(csv|tsv|txt|parquet|pq)(\.gz|\.zst)?$")
_CODES = {name: code for code, name in events.KIND_NAMES.items()} | {
    "modify": MODIFY,
    "ignore": NOTHING,
}
_SIDES = {"bid": 1, "ask": -1, "none": 0}
_MOST_NEGATIVE = 0.001
"""Largest share of a book's rows with a negative price that are taken for errors of the file."""
_UNSIZED = (
    events.DELETE, events.HALT, events.QUOTE, events.RESUME, events.CLEAR, NOTHING
)  # fmt: skip
_PRICELESS = (events.HALT, events.QUOTE, events.RESUME, events.CLEAR, NOTHING)
_OF_LIVE_ORDERS = (events.REDUCE, events.DELETE, events.EXECUTE)
_SIDED = (events.ADD, events.SEED, events.LEVEL, MODIFY)
_CHECKED = (
    UNPARSABLE, UNKNOWN_KIND, TIME_BACKWARDS, BAD_SIZE, SIZE_TOO_LARGE, BAD_PRICE, BAD_SIDE,
    OFF_TICK, TOO_FINE,
)  # fmt: skip
_CHECKED_ORDERS = (
    UNKNOWN_ORDER, UNKNOWN_EXECUTED, UNKNOWN_MODIFIED, DUPLICATE_ORDER, OTHER_PRICE, OTHER_SIDE,
    OVER_EXECUTION, OVER_CANCEL, SIZE_DIFFERS,
)  # fmt: skip


class Messages(NamedTuple):
    """The rows of a file, as far as one can tell without knowing its symbols. `n` rows."""

    sheet: Sheet
    ts: NDArray[np.int64]  # [n] UNKNOWN_TS where unreadable
    op: NDArray[np.uint8]  # [n]
    side: NDArray[np.int8]  # [n]
    price: Numbers  # [n]
    size: Numbers  # [n]
    order_id: NDArray[np.int64]  # [n]
    symbol: NDArray[np.object_]  # [n]
    fault: NDArray[np.uint8]  # [n]


def claims(file: RawFile) -> bool:
    """Whether a file is a table, by its name."""
    return _TITLE.search(file.title.lower()) is not None


def recordings(files: list[RawFile], options: Options, mapping: ColumnMapping) -> list[Recording]:
    """One recording per file, symbol and day."""
    return each_alone(files, lambda file: _of_file(file, options, mapping))


def _of_file(file: RawFile, options: Options, mapping: ColumnMapping) -> Iterator[Recording]:
    found = _read_file(file, options.day, mapping)
    zone, begins_s = options.zone or mapping.zone, options.begins_s
    symbols = sorted(set(found.symbol.tolist()))
    if options.symbol is not None and mapping.symbol_column is not None:
        if options.symbol not in symbols:
            there = ", ".join(symbols[:8])
            raise IngestError(f"symbol: {options.symbol} is not in {file.name}; it holds {there}")
        symbols = [options.symbol]
    for symbol in symbols:
        try:
            checked(options.symbol or symbol, f"symbol of {file.name}", IngestError)
        except IngestError as wrong:
            yield unreadable(file, wrong)
            continue
        ts = found.ts[(found.symbol == symbol) & (found.ts != UNKNOWN_TS)]
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


def _read_file(file: RawFile, day: str | None, mapping: ColumnMapping) -> Messages:
    """Read a file once for all its symbols and days."""
    return _messages(file, day, msgspec.json.encode(mapping))


@lru_cache(maxsize=1)
def _messages(file: RawFile, day: str | None, mapping_text: bytes) -> Messages:
    mapping = msgspec.json.decode(mapping_text, type=ColumnMapping)
    sheet = read_sheet(file, mapping)
    table, n = sheet.columns, len(sheet.number)
    ts = times_of(sheet, mapping.time, day, mapping)
    price, size = numbers_of(table[mapping.price]), numbers_of(table[mapping.size])
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
    unsized = np.isin(op, _UNSIZED)
    unread = (ts == UNKNOWN_TS) | (price.bad & ~unpriced) | (size.bad & ~unsized) | sheet.ragged
    unread |= ~id_ok & np.isin(op, [_CODES[k] for k in OF_ORDERS if k != "hidden"])
    fault[unread] = UNPARSABLE
    fault[(price.too_fine & ~np.isin(op, _PRICELESS)) | (size.too_fine & ~unsized)] = TOO_FINE
    # An order that is known knows its price: rows on it may give a filler such as 0.
    nothing = ~price.bad & (price.value <= 0) & ~unpriced
    fault[nothing & (fault == OK)] = BAD_PRICE
    signs[signs == 2] = 0
    if mapping.trade_side == "aggressor":
        signs[np.isin(op, (events.TRADE, events.HIDDEN, events.EXECUTE))] *= -1
    name = mapping.symbol or Path(file.title).name.split(".")[0]
    symbol = np.array([name] * n, object)
    if mapping.symbol_column:
        symbol = np.array(symbols_of(table[mapping.symbol_column]), object)
        symbol = symbol[_row_before(sheet.ragged)]
    return Messages(sheet, ts, op, signs.astype(np.int8), price, size, ids, symbol, fault)


def _row_before(lost: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each row itself, or if it is lost the last one before it (the first one) that is not."""
    kept = np.flatnonzero(~lost)
    at = np.searchsorted(kept, np.arange(len(lost)), side="right") - 1
    return kept[np.maximum(at, 0)]


def _read_day(
    file: RawFile, symbol: str, day: Day, first: bool, options: Options, mapping: ColumnMapping
) -> RawDay:
    """Read one day; rows without a time are told of on the first."""
    found = _read_file(file, options.day, mapping)
    of_day = (found.ts >= day.start_ns) & (found.ts < day.end_ns)
    of_day |= first & (found.ts == UNKNOWN_TS)
    rows = np.flatnonzero((found.symbol == symbol) & (of_day | (options.day is not None)))
    ts, op, side = found.ts[rows], found.op[rows].copy(), found.side[rows]
    fault = found.fault[rows].copy()
    given = _given(options, mapping)
    price = Column(found.price, rows, found.price.unit * mapping.price_unit)
    size = Column(found.size, rows, found.size.unit * mapping.size_unit)
    priced, of_orders = ~np.isin(op, _PRICELESS), np.isin(op, _SIDED)
    sized = ~np.isin(op, _UNSIZED)
    if mapping.order is not None:
        filler = np.isin(op, _OF_LIVE_ORDERS) & (price.value <= 0)
        priced &= ~filler
    _refuse_negative(
        found.sheet, price, of_orders & (size.value > 0), f"{symbol} {day.name}", given
    )
    prices = prices_of(price, fault, priced, of_orders, given, found.sheet)
    sizes = sizes_of(size, fault, sized, op == events.LEVEL, given)
    ticks = np.where(priced, prices.ticks, ANY_PRICE)
    lots = np.where((fault == OK) & (sized | (op == events.DELETE)), sizes.lots, 0)
    usable = np.flatnonzero(fault == OK)
    fault[usable[~longest_rising(ts[usable])]] = TIME_BACKWARDS
    op[fault != OK] = NOTHING
    if mapping.order is not None:
        made, origin = resolve(Ops(op, found.order_id[rows], side, ticks, lots), ts, fault)
    else:
        origin = np.flatnonzero(op != NOTHING)
        none = np.full(len(origin), NO_SLOT, np.int32)
        made = Rows(ts[origin], op[origin], side[origin], ticks[origin], lots[origin], none)
    return RawDay(
        rows=made,
        origin=origin,
        ts=ts,
        fault=fault,
        checked=_CHECKED + (_CHECKED_ORDERS if mapping.order is not None else ()),
        text=lambda row: found.sheet.text(rows[row]),
        instrument=Instrument(
            symbol=options.symbol or symbol,
            book_tick=prices.book_tick,
            order_tick=prices.order_tick,
            lot=sizes.lot,
            venue=options.venue or "",
            currency=given.currency,
        ),
        session=_session(made, day.name, options.zone or mapping.zone, options),
        findings=prices.findings,
        number=found.sheet.number[rows] - 1,
        place=found.sheet.place,
        inferred=prices.inferred | sizes.inferred,
        mapped=True,
        lot_given=given.lot is not None and not given.round_sizes,
        rounded=sizes.rounded,
        masks_hidden=mapping.order is not None,
    )


def _given(options: Options, mapping: ColumnMapping) -> Given:
    """What the command gives, else what the mapping does."""
    return Given(
        book_tick=options.book_tick or mapping.book_tick,
        order_tick=options.order_tick or mapping.order_tick,
        lot=options.lot or mapping.lot,
        round_sizes=options.round_sizes or mapping.round_sizes,
        currency=options.currency or mapping.currency or "USD",
    )


def _refuse_negative(
    sheet: Sheet, price: Column, of_book: NDArray[np.bool_], name: str, given: Given
) -> None:
    """Refuse a day whose book has negative prices; a single such row is set aside, by its name."""
    of_book = of_book & ~price.bad
    below = np.flatnonzero(of_book & (price.value < 0))
    if len(below) <= _MOST_NEGATIVE * np.count_nonzero(of_book):
        return
    first = int(below[0])
    worth = int(price.value[first]) * price.unit
    raise IngestError(
        f"price: {name} has negative prices, which are not supported yet: {len(below):,} of "
        f"{np.count_nonzero(of_book):,} rows of its book, first {worth:f} {given.currency} in "
        f"{sheet.where(int(price.rows[first]))}"
    )


def _session(rows: Rows, day: str, zone: str, options: Options) -> Session:
    """As given, else the recorded span: a mapping announces none."""
    if options.session is not None or len(rows.ts) == 0:
        return options.session_on(day, zone, (0.0, 86_400.0))
    return Session(day=day, zone=zone, open_ns=int(rows.ts[0]), close_ns=int(rows.ts[-1]) + 1)
