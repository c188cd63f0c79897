"""LOBSTER: message files, alone or with their orderbook files.

A message is `seconds, type, order id, size, price * 10 000, direction`. Types: 1 new order, 2
cancel of a part (2003 files: also of the whole), 3 deletion, 4 execution of a visible order, 5 of a
hidden one, 6 auction trade, 7 trading halt (price -1), quoting (0) or trading (1) resumes. The
direction is that of the resting order. (LOBSTER sample files readme, September 2013.)

Two ways to a book:

* **Messages alone.** The book starts empty. Orders from before the first message are unknown: a
  cancel of one is left out, an execution of one is kept as a HIDDEN row, so that the traded volume
  is right. Both are listed in the quarantine table.
* **With the orderbook file** (`ingest.visible`). It shows what was there at the start and what
  comes into view later; every row of it is compared with the book that the messages make.

Rows that are out of order in time are left out, the fewest possible (`ordering.longest_rising`):
LOBSTER numbers neither rows nor changes, so nobody can say where such a row belongs.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.errors import IngestError
from paceline.ingest.day import UNKNOWN_TS, RawDay, Recording, unreadable
from paceline.ingest.excerpts import excerpt
from paceline.ingest.numbers import Table, line_at, read_table
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
    TIME_OUTSIDE_DAY,
    UNKNOWN_EXECUTED,
    UNKNOWN_KIND,
    UNKNOWN_ORDER,
    UNPARSABLE,
)
from paceline.ingest.resolve import NOTHING, Ops, resolve
from paceline.ingest.sources import RawFile, read
from paceline.ingest.visible import follow
from paceline.market.events import (
    ADD,
    CROSS,
    DELETE,
    EXECUTE,
    HALT,
    HIDDEN,
    QUOTE,
    REDUCE,
    RESUME,
)
from paceline.market.session import at_wall_clocks
from paceline.market.tape import Finding
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_S

VERSION = 2
"""Raised whenever the same files would give another tape."""

ZONE = "America/New_York"
ORDER_TICK = Decimal("0.01")

_TITLE = re.compile(
    r"(?P<symbol>[A-Z][A-Z0-9.\-]*)_(?P<day>\d{4}-\d\d-\d\d)_(?P<open>\d+)_(?P<close>\d+)"
    r"_(?P<part>message|orderbook)_(?P<levels>\d+)\.csv(\.gz|\.zst)?$"
)
_DECIMALS = (9, 0, 0, 0, 0, 0)
_TIME, _TYPE, _ID, _SIZE, _PRICE, _DIRECTION = range(6)
_PRICE_UNIT = Decimal("0.0001")
_GRIDS = (100, 10, 1)  # 0.01, 0.001 and 0.0001 in LOBSTER's price unit
_NO_PRICE = 9_999_999_999
_MAX_SIZE = np.iinfo(np.int32).max
_NS_PER_DAY = 86_400 * NS_PER_S
_KIND_OF_TYPE = np.array([0, ADD, REDUCE, DELETE, EXECUTE, HIDDEN, CROSS, HALT], np.uint8)
_HALT_TYPE = 7
_KIND_OF_HALT = {-1: HALT, 0: QUOTE, 1: RESUME}
_CHECKED = (
    UNPARSABLE, UNKNOWN_KIND, TIME_BACKWARDS, TIME_OUTSIDE_DAY, BAD_SIZE, SIZE_TOO_LARGE,
    BAD_PRICE, BAD_SIDE, OFF_TICK, UNKNOWN_ORDER, DUPLICATE_ORDER, OTHER_PRICE, OTHER_SIDE,
    UNKNOWN_EXECUTED, OVER_EXECUTION, OVER_CANCEL, SIZE_DIFFERS,
)  # fmt: skip


class Title(NamedTuple):
    """What a LOBSTER file name says."""

    symbol: str
    day: str
    open_s: float
    close_s: float
    part: str
    levels: int


def title_of(name: str) -> Title | None:
    """Read a LOBSTER file name; None if it is not one."""
    match = _TITLE.search(name)
    if match is None:
        return None
    return Title(
        symbol=match["symbol"],
        day=match["day"],
        open_s=int(match["open"]) / 1000,
        close_s=int(match["close"]) / 1000,
        part=match["part"],
        levels=int(match["levels"]),
    )


def recordings(files: list[RawFile], options: Options) -> list[Recording]:
    """One recording per message file, with the orderbook file of the same name if it is there."""
    options.refuse_lot("LOBSTER")
    books = {
        _key(file, title): file
        for file in files
        if (title := title_of(file.title)) and title.part == "orderbook"
    }
    found = []
    for file in files:
        title = title_of(file.title)
        if title and title.part == "orderbook":
            continue
        symbol = options.symbol or (title.symbol if title else None)
        day = options.day or (title.day if title else None)
        if not symbol or not day:
            error = IngestError(
                f"file: {file.name} has no LOBSTER name (SYMBOL_DAY_START_END_message_N.csv); "
                "give symbol and day"
            )
            found.append(unreadable(file, error))
            continue
        book = books.get(_key(file, title)) if title else None
        found.append(
            Recording(
                symbol=symbol,
                day=day,
                files=(file, book) if book else (file,),
                made_by=f"paceline lobster {VERSION}",
                read=partial(_read_day, file, book, symbol, day, options),
            )
        )
    return found


def _key(file: RawFile, title: Title) -> tuple[Path, Title]:
    return file.path.parent, title._replace(part="")


def _read_day(
    message: RawFile, orderbook: RawFile | None, symbol: str, day: str, options: Options
) -> RawDay:
    """Read one day. Raises `IngestError` for files that cannot be read at all."""
    title = title_of(message.title)
    hours = (title.open_s, title.close_s) if title else (34_200.0, 57_600.0)
    session = options.session_on(day, ZONE, hours)
    data = read(message)
    table = read_table(data, _DECIMALS, spare=1)
    if len(table.ok) == 0:
        raise IngestError(f"file: {message.name} is empty; give a file with messages")
    shown = None if orderbook is None else _read_shown(orderbook, len(table.ok))
    fault, ts = _judge(table, day, session.zone)
    step = _steps(options.book_tick) if options.book_tick else _grid(table, fault, shown)
    off_grid = (fault == OK) & _priced(table) & (table.columns[_PRICE] % step != 0)
    fault[off_grid] = OFF_TICK
    ops = _ops(table, fault, step)
    findings = {"repeated_row": _repeated(table, ts, fault)}
    if shown is None:
        rows, origin = resolve(ops, ts, fault)
    else:
        rows, origin, seen = follow(ops, ts, fault, shown, step)
        findings |= seen
    book_tick = step * _PRICE_UNIT
    return RawDay(
        rows=rows,
        origin=origin,
        ts=ts,
        fault=fault,
        checked=_CHECKED,
        text=lambda row: line_at(data, table, row),
        instrument=Instrument(
            symbol=symbol,
            book_tick=book_tick,
            order_tick=options.order_tick or max(ORDER_TICK, book_tick),
            venue=options.venue or "NASDAQ",
        ),
        session=session,
        findings=findings,
        masks_hidden=True,
    )


def _steps(book_tick: Decimal) -> int:
    steps = book_tick / _PRICE_UNIT
    if steps < 1 or steps != steps.to_integral_value():
        raise IngestError(f"book_tick: {book_tick} is not a multiple of {_PRICE_UNIT}")
    return int(steps)


def _read_shown(file: RawFile, n: int) -> Table:
    """The orderbook file as numbers `[4 * levels, n]`: ask price, ask size, bid price, bid size."""
    data = read(file)
    n_columns = data.split(b"\n", 1)[0].count(b",") + 1
    if n_columns % 4:
        raise IngestError(
            f"file: {file.name} has {n_columns} columns; an orderbook file has 4 a level"
        )
    table = read_table(data, (0,) * n_columns)
    if len(table.ok) != n:
        raise IngestError(
            f"file: {file.name} has {len(table.ok):,} rows but the message file {n:,}; "
            "give the two files of one download, or the message file alone"
        )
    if not table.ok.all():
        row = int(np.argmin(table.ok))
        raise IngestError(
            f"file: {file.name} row {row} is not readable: "
            f"{excerpt(line_at(data, table, row), 60)!r}; fetch it again, or give the message "
            "file alone"
        )
    return table


def _judge(table: Table, day: str, zone: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """What is wrong with each row on its own, and its time (ns since the epoch)."""
    time, type_, size = table.columns[_TIME], table.columns[_TYPE], table.columns[_SIZE]
    price, direction = table.columns[_PRICE], table.columns[_DIRECTION]
    fault = np.where(table.ok, np.uint8(OK), np.uint8(UNPARSABLE))
    in_day = (time >= 0) & (time <= _NS_PER_DAY)
    ts = np.full(len(time), UNKNOWN_TS)
    timed = table.ok & in_day
    ts[timed] = at_wall_clocks(time[timed], day, zone)

    def mark(bad: NDArray[np.bool_], code: int) -> None:
        fault[(fault == OK) & bad] = code

    halt = type_ == _HALT_TYPE
    mark((type_ < 1) | (type_ > _HALT_TYPE) | (halt & (np.abs(price) > 1)), UNKNOWN_KIND)
    mark(~in_day, TIME_OUTSIDE_DAY)
    mark(~halt & (size <= 0), BAD_SIZE)
    mark(~halt & (size > _MAX_SIZE), SIZE_TOO_LARGE)
    mark(~halt & ((price <= 0) | (price >= _NO_PRICE)), BAD_PRICE)
    mark(~halt & (np.abs(direction) != 1), BAD_SIDE)
    good = np.flatnonzero(fault == OK)
    fault[good[~longest_rising(ts[good])]] = TIME_BACKWARDS
    return fault, ts


def _priced(table: Table) -> NDArray[np.bool_]:
    priced: NDArray[np.bool_] = table.columns[_TYPE] != _HALT_TYPE
    return priced


def _grid(table: Table, fault: NDArray[np.uint8], shown: Table | None) -> int:
    """The coarsest of the known grids that every price lies on, in LOBSTER's price unit."""
    prices = table.columns[_PRICE][(fault == OK) & _priced(table)]
    for grid in _GRIDS:
        if (prices % grid).any():
            continue
        if shown is not None:
            at = shown.columns[::2]
            if (at[np.abs(at) < _NO_PRICE] % grid).any():
                continue
        return grid
    return _GRIDS[-1]


def _ops(table: Table, fault: NDArray[np.uint8], step: int) -> Ops:
    """The messages in the resolver's vocabulary; those with a fault do nothing."""
    type_, price = table.columns[_TYPE], table.columns[_PRICE]
    good = fault == OK
    op = np.full(len(type_), NOTHING, np.uint8)
    op[good] = _KIND_OF_TYPE[type_[good]]
    halts = np.flatnonzero(good & (type_ == _HALT_TYPE))
    lots = np.where(good, table.columns[_SIZE], 0)
    side = np.where(good, table.columns[_DIRECTION], 0).astype(np.int8)
    for row in halts.tolist():
        op[row] = _KIND_OF_HALT[int(price[row])]
        lots[row] = side[row] = 0
    return Ops(op, table.columns[_ID], side, price // step, lots)


def _repeated(table: Table, ts: NDArray[np.int64], fault: NDArray[np.uint8]) -> Finding:
    """Rows equal to the one before: they can be genuine, so they stay and are counted."""
    same = np.all(table.columns[:, 1:] == table.columns[:, :-1], axis=0) & (fault[1:] == OK)
    at = np.flatnonzero(same) + 1
    if len(at) == 0:
        return Finding(count=0)
    return Finding(
        count=len(at),
        first_row=int(at[0]),
        first_ts=int(ts[at[0]]),
        note="kept: equal neighbours can be genuine",
    )
