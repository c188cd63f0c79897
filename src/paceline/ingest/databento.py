"""Databento DBN: market by order (MBO) and the ten best levels (MBP-10).

Files are decoded by Databento's own library, an extra of this package. What its actions mean for a
book (Databento standards and conventions, "actions"; one event ends with the F_LAST flag):

| action | here |
|---|---|
| Add | ADD; in a snapshot SEED: the order was there before the recording |
| Cancel | REDUCE, or DELETE with the last lots |
| Modify | size down at the same price keeps the place (REDUCE), else DELETE and ADD |
| Clear | CLEAR |
| Trade | nothing by itself: its Fills say which orders traded. What no Fill explains is HIDDEN |
| Fill | the Cancel or Modify that follows for that order is an EXECUTE |
| None | nothing |

A Modify that leaves an order larger than its Fills did is an iceberg showing its next part: an
EXECUTE, then an ADD at the end of the queue. Fills beyond what it showed are HIDDEN.

An order that was moved across the spread aggresses, though it rested before: the Fill on the
Trade's own side is its own. It leaves with a DELETE or REDUCE at the price where it had rested.

So a trade of 5 that fills one resting order makes one EXECUTE row of 5, and volume counts it once.
A Trade without a side that comes with Fills is an auction: one CROSS row; the orders it took leave
with DELETE or REDUCE, because nobody could have joined it and its Fills name both sides.

Time is the venue's (`ts_event`), except for snapshot rows, which are worth what they were when the
snapshot was taken (`ts_recv`). The feed is in sequence, so a row that is earlier than the one
before it is right in its place and wrong in its time: it is kept, at the time of the row before.

The session is the span that was requested (the file's metadata), unless one is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.errors import IngestError
from paceline.ingest.day import UNKNOWN_TS, RawDay, Recording, each_alone
from paceline.ingest.grid import decimal_grid
from paceline.ingest.options import Options
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
    TIME_MOVED,
    TIME_OUTSIDE_DAY,
    UNKNOWN_EXECUTED,
    UNKNOWN_KIND,
    UNKNOWN_MODIFIED,
    UNKNOWN_ORDER,
)
from paceline.ingest.resolve import ANY_PRICE, FILL, MODIFY, NOTHING, Ops, resolve
from paceline.ingest.shown_levels import Pictures, level_rows
from paceline.ingest.sources import RawFile, peek, read
from paceline.ingest.steps import order_tick_of
from paceline.market.events import ADD, CLEAR, CROSS, HIDDEN, REDUCE, SEED, TRADE, Rows
from paceline.market.session import Session, day_of
from paceline.market.tape import Finding
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_S

VERSION = 3
"""Raised whenever the same files would give another tape."""

_HEADER = [
    ("length", "u1"), ("rtype", "u1"), ("publisher_id", "u2"), ("instrument_id", "u4"),
    ("ts_event", "u8"),
]  # fmt: skip
MBO = np.dtype([
    *_HEADER, ("order_id", "u8"), ("price", "i8"), ("size", "u4"), ("flags", "u1"),
    ("channel_id", "u1"), ("action", "S1"), ("side", "S1"), ("ts_recv", "u8"),
    ("ts_in_delta", "i4"), ("sequence", "u4"),
])  # fmt: skip
LEVEL_PAIR = np.dtype([
    ("bid_px", "i8"), ("ask_px", "i8"), ("bid_sz", "u4"), ("ask_sz", "u4"), ("bid_ct", "u4"),
    ("ask_ct", "u4"),
])  # fmt: skip
MBP10 = np.dtype([
    *_HEADER, ("price", "i8"), ("size", "u4"), ("action", "S1"), ("side", "S1"), ("flags", "u1"),
    ("depth", "u1"), ("ts_recv", "u8"), ("ts_in_delta", "i4"), ("sequence", "u4"),
    ("levels", LEVEL_PAIR, 10),
])  # fmt: skip
_TYPES = {160: MBO, 10: MBP10}
_LAST = 128
_SNAPSHOT = 32
_MAYBE_BAD = 4
_PRICE_UNIT = Decimal("1e-9")
_NO_PRICE = np.iinfo(np.int64).max
_NO_TS = np.uint64(2**63)
_NO_SIZE = np.iinfo(np.uint32).max
_MAX_LAG_NS = 86_400 * NS_PER_S
_CHUNK = 1 << 24
_MAGIC = b"DBN"


class Decoded(NamedTuple):
    """A DBN file as arrays."""

    records: NDArray[np.void]  # of MBO or MBP10
    start_ns: int
    end_ns: int
    dataset: str
    mappings: dict[str, list[Any]]


def claims(file: RawFile) -> bool:
    """Whether a file is DBN, by its first bytes."""
    return peek(file, 4)[:3] == _MAGIC


def recordings(files: list[RawFile], options: Options) -> list[Recording]:
    """One recording per file and instrument; `options.symbol` chooses by symbol or number."""
    options.refuse_lot("Databento")
    return each_alone(files, lambda file: _of_file(file, options))


def _of_file(file: RawFile, options: Options) -> Iterator[Recording]:
    decoded = _decode(file)
    day = options.day or day_of(decoded.start_ns, options.zone or "UTC", options.begins_s)
    numbers = np.unique(decoded.records["instrument_id"]).tolist()
    names = {number: _symbol(decoded, number, day) for number in numbers}
    if options.symbol is not None:
        chosen = [n for n in numbers if options.symbol in (names[n], str(n))]
        if not chosen and len(numbers) == 1:
            chosen, names = numbers, {numbers[0]: options.symbol}
        if not chosen:
            there = ", ".join(f"{names[n]} ({n})" for n in numbers[:8])
            raise IngestError(f"symbol: {options.symbol} is not in {file.name}; it holds {there}")
        numbers = chosen
    for number in numbers:
        yield Recording(
            symbol=names[number],
            day=day,
            files=(file,),
            made_by=f"paceline databento {VERSION}",
            read=partial(_read_day, file, number, names[number], day, options),
        )


def _library() -> Any:
    try:
        import databento_dbn
    except ImportError:
        raise IngestError(
            "format: DBN files need Databento's decoder; pip install 'paceline[databento]'"
        ) from None
    return databento_dbn


@lru_cache(maxsize=1)
def _decode(file: RawFile) -> Decoded:
    """Decode a whole file. Raises `IngestError` if it is damaged or of another schema."""
    dbn = _library()
    data = read(file)
    decoder = dbn.DBNDecoder()
    metadata = None
    parts: dict[int, list[bytes]] = {rtype: [] for rtype in _TYPES}
    try:
        for start in range(0, len(data), _CHUNK):
            decoder.write(data[start : start + _CHUNK])
            for record in decoder.decode():
                if isinstance(record, dbn.Metadata):
                    metadata = record
                elif (rtype := int(record.rtype)) in parts:
                    parts[rtype].append(bytes(record)[: _TYPES[rtype].itemsize])
        left = len(decoder.buffer())
    except dbn.DBNError as error:
        raise IngestError(f"file: {file.name} is damaged DBN ({error}); fetch it again") from None
    if metadata is None or left:
        raise IngestError(f"file: {file.name} ends inside a record; fetch it again")
    held = [rtype for rtype, found in parts.items() if found]
    if len(held) != 1:
        raise IngestError(
            f"file: {file.name} holds {metadata.schema or 'mixed'} records; give a file of schema "
            "mbo or mbp-10 with at least one record"
        )
    records = np.frombuffer(b"".join(parts[held[0]]), _TYPES[held[0]])
    last = int(records["ts_recv"].max()) + 1
    return Decoded(
        records, int(metadata.start), int(metadata.end or last), metadata.dataset, metadata.mappings
    )


def _symbol(decoded: Decoded, number: int, day: str) -> str:
    """What the metadata call an instrument on a day; its number if they do not say."""
    on = date.fromisoformat(day)
    nearest: tuple[timedelta, str] | None = None
    for symbol, intervals in decoded.mappings.items():
        for interval in intervals:
            if interval["symbol"] == str(number):
                away = abs(interval["start_date"] - on)
                if nearest is None or away < nearest[0]:
                    nearest = (away, symbol)
    return nearest[1] if nearest else str(number)


def _read_day(file: RawFile, number: int, symbol: str, day: str, options: Options) -> RawDay:
    decoded = _decode(file)
    mine = np.flatnonzero(decoded.records["instrument_id"] == number)
    records = decoded.records[mine]
    fault = np.zeros(len(records), np.uint8)
    ts = _times(records, fault)
    by_order = records.dtype == MBO
    unit = _unit(records, by_order, options.book_tick)
    findings = {"maybe_bad_book": _flagged(records, ts, mine)}
    if by_order:
        rows, origin = resolve(_ops(records, fault, unit), ts, fault)
    else:
        rows, origin = _level_rows(records, ts, fault, unit)
    book_tick = unit * _PRICE_UNIT
    order_tick, inferred = order_tick_of(rows, book_tick, options)
    return RawDay(
        rows=rows,
        origin=origin,
        ts=ts,
        fault=fault,
        checked=_CHECKED_MBO if by_order else _CHECKED_MBP,
        text=lambda row: _line(records[row]),
        instrument=Instrument(
            symbol=symbol,
            book_tick=book_tick,
            order_tick=order_tick,
            venue=options.venue or decoded.dataset,
        ),
        session=_session(decoded, day, options),
        findings=findings,
        number=mine,
        place="record",
        inferred=inferred,
    )


_CHECKED_MBO = (
    UNKNOWN_KIND, TIME_MOVED, TIME_OUTSIDE_DAY, BAD_SIZE, BAD_PRICE, BAD_SIDE, OFF_TICK,
    UNKNOWN_ORDER, UNKNOWN_EXECUTED, UNKNOWN_MODIFIED, DUPLICATE_ORDER, OTHER_PRICE, OTHER_SIDE,
    OVER_CANCEL,
)  # fmt: skip
_CHECKED_MBP = (UNKNOWN_KIND, TIME_MOVED, TIME_OUTSIDE_DAY, BAD_SIZE, BAD_PRICE, OFF_TICK)


def _line(record: np.void) -> str:
    """A record's fields as text, without the levels."""
    names = [name for name in record.dtype.names or () if name != "levels"]
    return " ".join(f"{name}={record[name]}" for name in names)


def _session(decoded: Decoded, day: str, options: Options) -> Session:
    if options.session is not None:
        return options.session_on(day, "UTC", (0.0, 86_400.0))
    return Session(
        day=day,
        zone=options.zone or "UTC",
        open_ns=decoded.start_ns,
        close_ns=max(decoded.end_ns, decoded.start_ns + 1),
    )


def _times(records: NDArray[np.void], fault: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Time of each record; marks those without one and moves those that run backwards."""
    snapshot = (records["flags"] & _SNAPSHOT) > 0
    raw = np.where(snapshot, records["ts_recv"], records["ts_event"])
    known = (raw < _NO_TS) & (records["ts_recv"] < _NO_TS)
    ts = np.where(known, raw, 0).astype(np.int64)
    lag = np.abs(ts - np.where(known, records["ts_recv"], 0).astype(np.int64))
    fault[~known | (lag > _MAX_LAG_NS)] = TIME_OUTSIDE_DAY
    good = fault == OK
    so_far = np.maximum.accumulate(np.where(good, ts, UNKNOWN_TS))
    fault[good & (ts < so_far)] = TIME_MOVED
    return so_far


def _unit(records: NDArray[np.void], by_order: bool, book_tick: Decimal | None) -> int:
    """The book tick in DBN's price unit: as given, else the coarsest grid of all prices."""
    if book_tick is not None:
        unit = book_tick / _PRICE_UNIT
        if unit != unit.to_integral_value():
            raise IngestError(f"book_tick: {book_tick} is not a multiple of {_PRICE_UNIT}")
        return int(unit)
    prices = [records["price"]]
    if not by_order:
        prices += [records["levels"]["bid_px"].ravel(), records["levels"]["ask_px"].ravel()]
    known = np.concatenate(prices)
    return int(decimal_grid(np.unique(known[known != _NO_PRICE]), 9) / _PRICE_UNIT)


def _flagged(
    records: NDArray[np.void], ts: NDArray[np.int64], number: NDArray[np.int64]
) -> Finding:
    at = np.flatnonzero(records["flags"] & _MAYBE_BAD)
    if len(at) == 0:
        return Finding(count=0)
    note = "rows that the recorder marked F_MAYBE_BAD_BOOK"
    return Finding(count=len(at), first_row=int(number[at[0]]), first_ts=int(ts[at[0]]), note=note)


def _usable(fault: NDArray[np.uint8]) -> NDArray[np.bool_]:
    usable: NDArray[np.bool_] = (fault == OK) | (fault == TIME_MOVED)
    return usable


def _side_of(records: NDArray[np.void]) -> NDArray[np.int8]:
    """+1 for B, -1 for A, 0 for N."""
    bid: NDArray[np.int8] = (records["side"] == b"B").astype(np.int8)
    ask: NDArray[np.int8] = (records["side"] == b"A").astype(np.int8)
    return np.subtract(bid, ask)


def _mark(fault: NDArray[np.uint8], bad: NDArray[np.bool_], code: int) -> None:
    fault[_usable(fault) & bad] = code


def _ops(records: NDArray[np.void], fault: NDArray[np.uint8], unit: int) -> Ops:
    """MBO records in the resolver's vocabulary."""
    action, size, price = records["action"], records["size"].astype(np.int64), records["price"]
    side = _side_of(records)
    named = np.isin(action, (b"A", b"C", b"M", b"F"))
    sized = named | (action == b"T")
    joins = np.isin(action, (b"A", b"M"))
    _mark(fault, ~np.isin(action, (b"A", b"C", b"M", b"F", b"T", b"R", b"N")), UNKNOWN_KIND)
    _mark(fault, sized & ((size == 0) | (size == _NO_SIZE)), BAD_SIZE)
    told = sized & ((action != b"C") | (price != _NO_PRICE))
    _mark(fault, told & (price == _NO_PRICE), BAD_PRICE)
    _mark(fault, joins & (side == 0), BAD_SIDE)
    _mark(fault, told & (price % unit != 0), OFF_TICK)
    op = np.zeros(len(records), np.uint8)
    snapshot = (records["flags"] & _SNAPSHOT) > 0
    op[action == b"A"] = ADD
    op[(action == b"A") & snapshot] = SEED
    op[action == b"C"] = REDUCE
    op[action == b"M"] = MODIFY
    op[action == b"R"] = CLEAR
    op[(action == b"F") & (side != 0)] = FILL
    lots = size.copy()
    op[~_usable(fault)] = NOTHING
    unexplained, auction, aggressors = _explain_trades(records, side)
    op[unexplained > 0] = HIDDEN
    op[auction] = CROSS
    op[aggressors] = NOTHING
    traded = op == HIDDEN
    lots[traded] = unexplained[traded]
    side = np.where(action == b"T", -side, side).astype(np.int8)
    lots[op == CLEAR] = 0
    op[~_usable(fault)] = NOTHING
    ticks = np.where(price == _NO_PRICE, ANY_PRICE, price // unit)
    return Ops(op, records["order_id"].astype(np.int64), side, ticks, lots)


def _explain_trades(
    records: NDArray[np.void], side: NDArray[np.int8]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """For each Trade the lots that its Fills do not explain, and whether it was an auction.

    The Fills of a Trade are those between it and the next Trade, or the end of the event. Third
    come the Fills on the aggressor's own side: `[n]` records that no resting order has.
    """
    trade, fill = records["action"] == b"T", records["action"] == b"F"
    ends = (records["flags"] & _LAST) > 0
    event = np.concatenate([[0], np.cumsum(ends)[:-1]]).astype(np.int64)
    at = np.flatnonzero(trade)
    owner = np.searchsorted(at, np.flatnonzero(fill), side="right") - 1
    fills = np.flatnonzero(fill)
    fills, owner = fills[owner >= 0], owner[owner >= 0]
    mine = event[fills] == event[at[owner]]
    fills, owner = fills[mine], owner[mine]
    resting = (side[fills] != side[at[owner]]) | (side[fills] == 0)
    filled = np.bincount(
        owner[resting], weights=records["size"][fills[resting]], minlength=len(at)
    ).astype(np.int64)
    size = records["size"][at].astype(np.int64)
    crossed = (side[at] == 0) & (filled > 0)
    unexplained = np.zeros(len(records), np.int64)
    unexplained[at] = np.where(crossed, 0, np.maximum(size - filled, 0))
    auction = np.zeros(len(records), bool)
    auction[at] = crossed
    return unexplained, auction, fills[~resting]


def _level_rows(
    records: NDArray[np.void], ts: NDArray[np.int64], fault: NDArray[np.uint8], unit: int
) -> tuple[Rows, NDArray[np.int64]]:
    """MBP-10 records as level changes and trades."""
    action = records["action"]
    trade = action == b"T"
    size = records["size"].astype(np.int64)
    _mark(fault, ~np.isin(action, (b"A", b"C", b"M", b"F", b"T", b"R", b"N")), UNKNOWN_KIND)
    _mark(fault, trade & ((size == 0) | (size == _NO_SIZE)), BAD_SIZE)
    _mark(fault, trade & (records["price"] == _NO_PRICE), BAD_PRICE)
    levels = records["levels"]
    price = np.stack([levels["bid_px"], levels["ask_px"]], axis=1)
    lots = np.stack([levels["bid_sz"], levels["ask_sz"]], axis=1).astype(np.int64)
    lots[price == _NO_PRICE] = 0
    off = ((price % unit != 0) & (lots > 0)).any(axis=(1, 2))
    _mark(fault, off | (trade & (records["price"] % unit != 0)), OFF_TICK)
    kind = np.zeros(len(records), np.uint8)
    kind[trade] = TRADE
    kind[action == b"R"] = CLEAR
    pictures = Pictures(
        kind, -_side_of(records), records["price"] // unit, size, price // unit, lots
    )
    return level_rows(pictures, ts, _usable(fault))
