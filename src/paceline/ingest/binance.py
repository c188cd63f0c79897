"""Binance captures: one JSON message a line, behind the local receive time.

    1721347201291825027 {"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":498…,…}}

Used are `depthUpdate`, `trade`, `bookTicker` and REST depth snapshots, of spot and of futures, in
the combined-stream envelope or without it. Other streams are counted and stepped over.

**Order.** Depth updates, tickers and snapshots carry ids of one sequence (`u`, `lastUpdateId`) and
act in its order, whatever the order in which the sockets delivered them. Trades are merged by time;
at the same millisecond a trade comes first, the level change it caused after it.

**Time** is the exchange's: the transaction time `T`, else the event time `E`. Spot tickers carry
neither; they get their receive time less the capture's median delay. A message that would be
earlier than the one before it in the sequence is given the time of that one.

**Gaps.** A futures update must name its predecessor (`pu`), a spot update must begin where the last
one ended (`U`). After a gap nothing known is sure any more: the book is cleared and warms up again.
A snapshot clears it and fills it at once. Without a snapshot the book warms up by itself: a level
is known once it was updated, and exact from then on; what lay untouched since before the capture
stays unknown.

**Tickers** say what is best between two depth updates. They set their two levels, take better ones
away, and hold the depth updates to account (finding `ticker_contradicted`).

There is no announced session: it is the captured span, unless one is given.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache, partial
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.errors import IngestError
from paceline.ingest.day import UNKNOWN_TS, RawDay, Recording
from paceline.ingest.grid import decimal_grid
from paceline.ingest.level_feed import (
    COMPARED,
    CONTRADICTED,
    DEPTH,
    FIRST_CONTRADICTED,
    FRESH_DEPTH,
    PRINT,
    SNAPSHOT,
    TICKER,
    TRIMMED,
    Feed,
    follow_levels,
)
from paceline.ingest.numbers import read_table
from paceline.ingest.options import Options
from paceline.ingest.quality import (
    BAD_PRICE,
    BAD_SIZE,
    OFF_TICK,
    OK,
    SEQUENCE_GAP,
    SIZE_TOO_LARGE,
    STALE,
    TIME_MOVED,
    UNPARSABLE,
)
from paceline.ingest.sources import RawFile, peek, read
from paceline.market.session import Session, day_of
from paceline.market.tape import Finding
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_MS

VERSION = 1
"""Raised whenever the same files would give another tape."""

_DECIMALS = 8
_UNIT = Decimal(1).scaleb(-_DECIMALS)
_MAX_LOTS = np.iinfo(np.int32).max
_RANK = np.array([0, 0, 1, 0, 2])  # by what a message is
_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "BTC", "ETH", "EUR", "USD")
_KINDS = {"trade": PRINT, "depthUpdate": DEPTH, "bookTicker": TICKER}
_CHECKED = (
    UNPARSABLE, TIME_MOVED, BAD_SIZE, SIZE_TOO_LARGE, BAD_PRICE, OFF_TICK, STALE, SEQUENCE_GAP
)  # fmt: skip

Pairs = list[tuple[str, str]]


class Message(msgspec.Struct):
    """The fields of all messages that are used, whichever a message has."""

    e: str = ""
    E: int | None = None
    T: int | None = None
    s: str = ""
    U: int | None = None
    u: int | None = None
    pu: int | None = None
    b: Pairs | str | None = None
    a: Pairs | str | int | None = None
    B: str | None = None
    A: str | None = None
    p: str | None = None
    q: str | None = None
    m: bool | None = None
    last_update_id: int | None = msgspec.field(default=None, name="lastUpdateId")
    bids: Pairs | None = None
    asks: Pairs | None = None


class Line(Message):
    """A message, or the envelope of one."""

    stream: str = ""
    data: Message | None = None


class Capture(NamedTuple):
    """A capture file as columns. `n` lines, `m` levels named in them."""

    received: NDArray[np.int64]  # [n] local time, ns; UNKNOWN_TS where unreadable
    what: NDArray[np.uint8]  # [n] PRINT, DEPTH, TICKER, SNAPSHOT; 0: nothing that is used
    symbol: list[str]  # [n]
    time: NDArray[np.int64]  # [n] exchange time, ns; UNKNOWN_TS if the message has none
    begins: NDArray[np.int64]  # [n] U, or -1
    ends: NDArray[np.int64]  # [n] u or lastUpdateId, or -1
    follows: NDArray[np.int64]  # [n] pu, or -1
    fault: NDArray[np.uint8]  # [n]
    first: NDArray[np.int64]  # [n + 1] levels of line i are first[i]:first[i + 1]
    side: NDArray[np.int8]  # [m]
    price: NDArray[np.int64]  # [m] in 1e-8
    size: NDArray[np.int64]  # [m] in 1e-8
    lines: list[bytes]


def claims(file: RawFile) -> bool:
    """Whether a file is a capture: a long integer, a blank, and JSON."""
    head, _, tail = peek(file, 64).partition(b" ")
    return head.isdigit() and 12 < len(head) < 20 and tail.startswith(b"{")


def recordings(files: list[RawFile], options: Options) -> list[Recording]:
    """One recording per file and symbol."""
    found = []
    for file in files:
        capture = _parse(file)
        symbols = sorted({s for s in capture.symbol if s})
        if not symbols:
            raise IngestError(f"file: {file.name} holds no depth update, trade or ticker")
        if options.symbol is not None:
            if options.symbol not in symbols:
                there = ", ".join(symbols[:8])
                raise IngestError(
                    f"symbol: {options.symbol} is not in {file.name}; it holds {there}"
                )
            symbols = [options.symbol]
        start = capture.received[capture.received != UNKNOWN_TS].min()
        for symbol in symbols:
            found.append(
                Recording(
                    symbol=symbol,
                    day=options.day or day_of(int(start), options.zone or "UTC"),
                    files=(file,),
                    made_by=f"paceline binance {VERSION}",
                    read=partial(_read_day, file, symbol, options),
                )
            )
    return found


@lru_cache(maxsize=1)
def _parse(file: RawFile) -> Capture:
    """Read all lines of a capture; lines that cannot be read are marked."""
    lines = read(file).rstrip(b"\r\n\0 ").split(b"\n")
    n = len(lines)
    decode = msgspec.json.Decoder(Line).decode
    received = np.full(n, UNKNOWN_TS, np.int64)
    time = np.full(n, UNKNOWN_TS, np.int64)
    ids = np.full((3, n), -1, np.int64)
    what, fault = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
    first = np.zeros(n + 1, np.int64)
    symbol = [""] * n
    sides: list[int] = []
    numbers: list[str] = []
    for i, line in enumerate(lines):
        head, _, text = line.partition(b" ")
        try:
            received[i] = _as_ns(int(head))
            outer = decode(text)
            message = outer.data or outer
            what[i], levels = _levels(message)
        except (ValueError, OverflowError, msgspec.DecodeError):
            fault[i] = UNPARSABLE
            levels = []
        if what[i]:
            symbol[i] = message.s
            at = message.T or message.E
            if at is not None:
                time[i] = at * NS_PER_MS
            ends = message.last_update_id if what[i] == SNAPSHOT else message.u
            for k, number in enumerate((message.U, ends, message.pu)):
                ids[k, i] = -1 if number is None else number
        for side, price, size in levels:
            sides.append(side)
            numbers.append(f"{price},{size}")
        first[i + 1] = len(sides)
    table = read_table("\n".join(numbers).encode(), (_DECIMALS, _DECIMALS))
    owner = np.repeat(np.arange(n), np.diff(first))
    fault[owner[~table.ok]] = UNPARSABLE
    return Capture(
        received, what, symbol, time, ids[0], ids[1], ids[2], fault, first,
        np.array(sides, np.int8), table.columns[0], table.columns[1], lines,
    )  # fmt: skip


def _as_ns(stamp: int) -> int:
    """A receive time in ms, µs or ns since the epoch, told apart by its length."""
    if stamp < 10**14:
        return stamp * 1_000_000
    return stamp * 1000 if stamp < 10**17 else stamp


def _levels(message: Message) -> tuple[int, list[tuple[int, str, str]]]:
    """What a message is, and the levels it names as (side, price, size)."""
    if message.last_update_id is not None and message.bids is not None:
        asks = message.asks or []
        return SNAPSHOT, [(1, *pair) for pair in message.bids] + [(-1, *pair) for pair in asks]
    what = _KINDS.get(message.e, 0)
    bid, ask = message.b, message.a
    if what == 0 and not message.e and isinstance(bid, str):
        what = TICKER  # spot tickers do not say what they are
    if what == PRINT:
        if message.p is None or message.q is None or message.m is None or message.T is None:
            raise ValueError
        return PRINT, [(1 if message.m else -1, message.p, message.q)]
    if what == DEPTH:
        if not isinstance(bid, list) or not isinstance(ask, list) or message.u is None:
            raise ValueError
        return DEPTH, [(1, *pair) for pair in bid] + [(-1, *pair) for pair in ask]
    if what == TICKER:
        if not isinstance(bid, str) or not isinstance(ask, str) or message.u is None:
            raise ValueError
        return TICKER, [(1, bid, message.B or ""), (-1, ask, message.A or "")]
    return 0, []


def _read_day(file: RawFile, symbol: str, options: Options) -> RawDay:
    capture = _parse(file)
    several = len({s for s in capture.symbol if s}) > 1
    if several and (capture.what == SNAPSHOT).any():
        raise IngestError(
            f"file: {file.name} holds several symbols and snapshots, which name none; "
            "capture each symbol to a file of its own"
        )
    fault = capture.fault.copy()
    mine = np.array([s in (symbol, "") for s in capture.symbol])
    used = mine & (capture.what > 0) & (fault == OK)
    owner = np.repeat(np.arange(len(mine)), np.diff(capture.first))
    tick = options.book_tick or decimal_grid(np.unique(capture.price[used[owner]]), _DECIMALS)
    lot = options.lot or decimal_grid(np.unique(capture.size[used[owner]]), _DECIMALS)
    _judge(capture, owner, fault, round(tick / _UNIT), round(lot / _UNIT))
    used &= fault == OK
    order, ts = _in_order(capture, used, fault)
    what = capture.what.copy()
    keep = _check_sequence(capture, order, what, fault)
    order = order[keep]
    if len(order) == 0:
        raise IngestError(f"file: {file.name} holds no usable message of {symbol}")
    feed = Feed(
        what=what[order],
        origin=order,
        first=capture.first[order],
        stop=capture.first[order + 1],
        side=capture.side,
        ticks=capture.price // round(tick / _UNIT),
        lots=capture.size // round(lot / _UNIT),
    )
    rows, origin, tally = follow_levels(feed, ts)
    if len(rows.ts) == 0:
        raise IngestError(f"file: {file.name} changes no level of {symbol} and holds no trade")
    day = options.day or day_of(int(rows.ts[0]), options.zone or "UTC")
    span = Session(
        day=day,
        zone=options.zone or "UTC",
        open_ns=int(rows.ts[0]),
        close_ns=int(rows.ts[-1]) + 1,
    )
    return RawDay(
        rows=rows,
        origin=origin,
        ts=ts,
        fault=fault,
        checked=_CHECKED,
        text=lambda row: capture.lines[row][:200].decode("utf-8", "replace"),
        instrument=Instrument(
            symbol=symbol,
            book_tick=tick,
            order_tick=options.order_tick or tick,
            lot=lot,
            venue=options.venue or ("BINANCE" if capture.follows.max() < 0 else "BINANCE-FUTURES"),
            currency=next((q for q in _QUOTES if symbol.endswith(q)), "USD"),
        ),
        session=options.session_on(day, "UTC", (0, 0)) if options.session else span,
        findings=_findings(capture, mine, tally, ts),
    )


def _judge(
    capture: Capture, owner: NDArray[np.int64], fault: NDArray[np.uint8], tick: int, lot: int
) -> None:
    """Mark messages that name an impossible level."""
    printed = capture.what[owner] == PRINT
    for bad, code in (
        (capture.price <= 0, BAD_PRICE),
        (capture.price % tick != 0, OFF_TICK),
        ((capture.size < 0) | (printed & (capture.size == 0)), BAD_SIZE),
        (capture.size % lot != 0, BAD_SIZE),
        (capture.size // lot > _MAX_LOTS, SIZE_TOO_LARGE),
    ):
        rows = np.unique(owner[bad])
        fault[rows[fault[rows] == OK]] = code


def _in_order(
    capture: Capture, used: NDArray[np.bool_], fault: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The used lines in the order in which they act, and every line's time.

    Marks messages whose own stream runs backwards in time.
    """
    ts = capture.time.copy()
    known = ts != UNKNOWN_TS
    delay = (capture.received - ts)[known & (capture.received != UNKNOWN_TS)]
    ticker = (capture.what == TICKER) & ~known
    ts[ticker] = capture.received[ticker] - (round(np.median(delay)) if len(delay) else 0)
    prints = np.flatnonzero(used & (capture.what == PRINT))
    booked = np.flatnonzero(used & (capture.what != PRINT))
    # At one id: the ticker, then the update that ends there, then the snapshot of the result.
    rank = _RANK[capture.what[booked]]
    booked = booked[np.lexsort((booked, rank, capture.ends[booked]))]
    for what in (PRINT, DEPTH, TICKER):
        stream = prints if what == PRINT else booked[capture.what[booked] == what]
        back = ts[stream] < np.maximum.accumulate(ts[stream])
        if what != TICKER or known[stream].all():
            fault[stream[back]] = TIME_MOVED
    for stream in (prints, booked):
        if len(stream):
            ts[stream] = np.maximum.accumulate(ts[stream])
            unknown = ts[stream] == UNKNOWN_TS  # a snapshot before everything else
            ts[stream[unknown]] = ts[stream[~unknown]].min() if (~unknown).any() else 0
    order = np.concatenate([prints, booked])
    return order[np.argsort(ts[order], kind="stable")], ts


def _check_sequence(
    capture: Capture, order: NDArray[np.int64], what: NDArray[np.uint8], fault: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Which of the ordered lines act. Marks gaps (`what` becomes FRESH_DEPTH) and repetitions."""
    keep = np.ones(len(order), bool)
    reached = -1  # the book holds everything up to this id
    for k, row in enumerate(order.tolist()):
        if what[row] == SNAPSHOT:
            reached = max(reached, int(capture.ends[row]))
        if what[row] != DEPTH:
            continue
        begins, ends, follows = (
            int(ids[row]) for ids in (capture.begins, capture.ends, capture.follows)
        )
        if ends <= reached:
            fault[row] = STALE
            keep[k] = False
            continue
        joined = follows <= reached if follows >= 0 else begins <= reached + 1
        if reached >= 0 and not joined:
            what[row] = FRESH_DEPTH
            fault[row] = SEQUENCE_GAP
        reached = ends
    return keep


def _findings(
    capture: Capture, mine: NDArray[np.bool_], tally: NDArray[np.int64], ts: NDArray[np.int64]
) -> dict[str, Finding]:
    first = int(tally[FIRST_CONTRADICTED])
    back = np.flatnonzero(np.diff(capture.received) < 0) + 1
    other = int(np.count_nonzero(mine & (capture.what == 0) & (capture.fault == OK)))
    return {
        "ticker_contradicted": Finding(
            count=int(tally[CONTRADICTED]),
            first_row=first if first >= 0 else None,
            first_ts=int(ts[first]) if first >= 0 else None,
            note=f"depth updates, of {tally[COMPARED]:,} held against the ticker before them",
        ),
        "trimmed_by_ticker": Finding(
            count=int(tally[TRIMMED]), note="levels gone before their depth update came"
        ),
        "snapshot": Finding(count=int(np.count_nonzero(capture.what == SNAPSHOT))),
        "other_stream": Finding(count=other, note="lines of streams that make no book"),
        "received_backwards": Finding(
            count=len(back), first_row=int(back[0]) if len(back) else None
        ),
    }
