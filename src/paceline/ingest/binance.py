"""Binance captures: one JSON message a line, behind the local receive time.

    1721347201291825027 {"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":498…,…}}

Used are `depthUpdate`, `trade`, `bookTicker` and REST depth snapshots, of spot and of futures, in
the combined-stream envelope or without it. Other streams are counted and stepped over.

**Order.** Depth updates, tickers and snapshots carry ids of one sequence (`u`, `lastUpdateId`) and
act in its order, whatever the order in which the sockets delivered them. Trades are merged by time;
at the same millisecond a trade comes first, the level change it caused after it.

**Trades** of the futures feed with an `X` other than MARKET (INSURANCE_FUND, ADL, NA) are no trades
of the market: nobody could have joined them. They are left out (finding `no_market_trade`).

**Time** is the exchange's: the transaction time `T`, else the event time `E`, in ms, µs or ns. Spot
tickers carry neither; they get their receive time less the capture's median delay. A message that
would be earlier than the one before it in the sequence is given the time of that one.

**Gaps.** A futures update must name its predecessor (`pu`), a spot update must begin where the last
one ended (`U`). After a gap nothing known is sure any more: the book is cleared and warms up again.
A snapshot clears it and fills it at once. Without a snapshot the book warms up by itself: a level
is known once it was updated, and exact from then on; what lay untouched since before the capture
stays unknown.

**Tickers** say what is best between two depth updates. They set their two levels, take better ones
away, and hold the depth updates to account (finding `ticker_contradicted`).

**Days.** A capture that runs over midnight (UTC, or that of the zone given) makes a tape a day. The
levels that stand at midnight seed the book of the next one. A day that is touched for less than a
minute makes no tape: its rows stay with their neighbours (finding `over_midnight`). A day that is
given holds the whole of the capture. Of two recordings of a day the one with more lines is taken.
There is no announced session: unless one is given, it is the captured span, and its part of it for
each of several days.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.errors import IngestError
from paceline.ingest.capture import DECIMALS, Capture, parse
from paceline.ingest.day import UNKNOWN_TS, RawDay, Recording, each_alone, unreadable
from paceline.ingest.days import Day, day_named, days_of
from paceline.ingest.excerpts import excerpt
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
    Part,
    Start,
    follow_levels,
)
from paceline.ingest.options import Options
from paceline.ingest.quality import (
    BAD_PRICE,
    BAD_SIZE,
    NO_MARKET_TRADE,
    OFF_TICK,
    OK,
    SEQUENCE_GAP,
    SIZE_TOO_LARGE,
    STALE,
    TIME_MOVED,
    UNPARSABLE,
)
from paceline.ingest.sources import RawFile, peek
from paceline.ingest.steps import order_tick_of
from paceline.market.events import Rows
from paceline.market.session import Session
from paceline.market.tape import Finding, Inferred
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_S

VERSION = 3
"""Raised whenever the same files would give another tape."""

_UNIT = Decimal(1).scaleb(-DECIMALS)
_MAX_LOTS = np.iinfo(np.int32).max
_RANK = np.array([0, 0, 1, 0, 2])  # by what a message is
_TOUCH_NS = 60 * NS_PER_S
_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "BTC", "ETH", "EUR", "USD")
_CHECKED = (
    UNPARSABLE, TIME_MOVED, BAD_SIZE, SIZE_TOO_LARGE, BAD_PRICE, OFF_TICK, STALE, SEQUENCE_GAP,
    NO_MARKET_TRADE,
)  # fmt: skip


def claims(file: RawFile) -> bool:
    """Whether a file is a capture: a long integer, a blank, and JSON."""
    head, _, tail = peek(file, 64).partition(b" ")
    return head.isdigit() and 12 < len(head) < 20 and tail.startswith(b"{")


def recordings(files: list[RawFile], options: Options) -> list[Recording]:
    """One recording per file, symbol and day; of each day the one with most lines comes first."""
    found = each_alone(files, lambda file: _of_file(file, options))
    most: dict[tuple[str, str], int] = {}
    for one in found:
        most[one.symbol, one.day] = max(one.lines, most.get((one.symbol, one.day), 0))
    return sorted(found, key=lambda one: one.lines < most[one.symbol, one.day])


def _of_file(file: RawFile, options: Options) -> Iterator[Recording]:
    capture = parse(file)
    symbols = sorted({s for s in capture.symbol if s})
    if not symbols:
        raise IngestError(f"file: {file.name} holds no depth update, trade or ticker")
    if len(symbols) > 1 and (capture.what == SNAPSHOT).any():
        raise IngestError(
            f"file: {file.name} holds several symbols and snapshots, which name none; "
            "capture each symbol to a file of its own"
        )
    if options.symbol is not None:
        if options.symbol not in symbols:
            there = ", ".join(symbols[:8])
            raise IngestError(f"symbol: {options.symbol} is not in {file.name}; it holds {there}")
        symbols = [options.symbol]
    for symbol in symbols:
        try:
            stream = _stream(file, symbol, options)
        except IngestError as error:
            yield unreadable(file, error)
            continue
        lines = np.bincount(stream.part[stream.mine], minlength=len(stream.days))
        for k, day in enumerate(stream.days):
            yield Recording(
                symbol=symbol,
                day=day.name,
                files=(file,),
                made_by=f"paceline binance {VERSION}",
                read=partial(_read_day, file, symbol, k, options),
                lines=int(lines[k]),
            )


class Stream(NamedTuple):
    """The messages of one symbol. `n` lines in the capture, `k` of them act."""

    mine: NDArray[np.bool_]  # [n] of the symbol, or of none
    fault: NDArray[np.uint8]  # [n]
    ts: NDArray[np.int64]  # [n]
    part: NDArray[np.int64]  # [n] which of the days each line belongs to
    order: NDArray[np.int64]  # [k] the lines that act, in the order in which they do
    what: NDArray[np.uint8]  # [k]
    tick: Decimal
    lot: Decimal
    lot_why: Inferred
    days: list[Day]


def _capture(file: RawFile, options: Options) -> Capture:
    """What was captured, its sizes rounded to whole lots if that was asked for."""
    capture = parse(file)
    if not options.round_sizes:
        return capture
    if options.lot is None:
        raise IngestError("round_sizes: needs the lot to round to; give --lot, such as 0.001")
    lot = max(round(options.lot / _UNIT), 1)
    whole = (capture.size + lot // 2) // lot
    return capture._replace(size=lot * np.where(capture.size > 0, np.maximum(whole, 1), whole))


@lru_cache(maxsize=1)
def _stream(file: RawFile, symbol: str, options: Options) -> Stream:
    """Bring a symbol's messages into order, and say on which days they act."""
    capture = _capture(file, options)
    fault, what = capture.fault.copy(), capture.what.copy()
    mine = np.array([s in (symbol, "") for s in capture.symbol])
    used = mine & (what > 0) & (fault == OK)
    owner = np.repeat(np.arange(len(mine)), np.diff(capture.first))
    tick = _grid(options.book_tick, capture.price[used[owner]], "book_tick")
    lot = _grid(options.lot, capture.size[used[owner]], "lot")
    lot_why = _lot_why(capture.size[used[owner]], parse(file).size[used[owner]], options)
    _judge(capture, owner, fault, round(tick / _UNIT), round(lot / _UNIT))
    used &= fault == OK
    order, ts = _in_order(capture, used, fault)
    order = order[_check_sequence(capture, order, what, fault)]
    if len(order) == 0:
        raise IngestError(f"file: {file.name} holds no usable message of {symbol}")
    zone = options.zone or "UTC"
    begins_s = options.begins_s
    if options.day:
        days = [day_named(options.day, zone, begins_s)]
    else:
        days = _days_of(ts[order], zone, begins_s)
    part = _part_of(np.where(ts == UNKNOWN_TS, capture.received, ts), days)
    return Stream(mine, fault, ts, part, order, what[order], tick, lot, lot_why, days)


def _lot_why(sizes: NDArray[np.int64], recorded: NDArray[np.int64], options: Options) -> Inferred:
    """Why the lot is what it is, from the sizes of all messages that are used."""
    if options.lot is None:
        return Inferred(why=f"found, all {len(sizes):,} sizes lie on it")
    if not options.round_sizes:
        return Inferred(why="as given")
    rounded = int(np.count_nonzero(sizes != recorded))
    return Inferred(why=f"as given; {rounded:,} of {len(sizes):,} sizes rounded to it")


def _days_of(ts: NDArray[np.int64], zone: str, begins_s: float) -> list[Day]:
    """The days that rising times `ts` touch, without a first or last one they hardly do."""
    days = days_of(ts, zone, begins_s)
    if len(days) > 1 and ts[-1] - days[-1].start_ns < _TOUCH_NS:
        days = days[:-1]
    if len(days) > 1 and days[0].end_ns - ts[0] < _TOUCH_NS:
        days = days[1:]
    return days


def _part_of(when: NDArray[np.int64], days: list[Day]) -> NDArray[np.int64]:
    """Which of `days` each line belongs to; one without a time goes with the line before it."""
    known = np.where(when == UNKNOWN_TS, -1, np.arange(len(when)))
    when = when[np.maximum(np.maximum.accumulate(known), 0)]
    return np.searchsorted([day.end_ns for day in days[:-1]], when, side="right")


def _grid(given: Decimal | None, values: NDArray[np.int64], name: str) -> Decimal:
    """The step that prices or sizes lie on: as given, else the coarsest that fits."""
    if given is None:
        return decimal_grid(np.unique(values), DECIMALS)
    if given % _UNIT:
        raise IngestError(f"{name}: {given} is not a multiple of {_UNIT}, the feed's own step")
    return given


@lru_cache(maxsize=1)
def _parts(file: RawFile, symbol: str, options: Options) -> list[Part]:
    """The rows of every day; each goes on with the book of the one before."""
    capture, stream = _capture(file, options), _stream(file, symbol, options)
    feed = Feed(
        what=stream.what,
        origin=stream.order,
        first=capture.first[stream.order],
        stop=capture.first[stream.order + 1],
        side=capture.side,
        ticks=capture.price // round(stream.tick / _UNIT),
        lots=capture.size // round(stream.lot / _UNIT),
    )
    later = [day.start_ns for day in stream.days[1:]]
    begins = np.searchsorted(stream.ts[stream.order], later)
    cuts = [Start(int(message), ts) for message, ts in zip(begins, later, strict=True)]
    return follow_levels(feed, stream.ts, [Start(0, stream.days[0].start_ns), *cuts])


def _read_day(file: RawFile, symbol: str, k: int, options: Options) -> RawDay:
    """Read the `k`-th day of a symbol."""
    capture, stream = parse(file), _stream(file, symbol, options)
    part = _parts(file, symbol, options)[k]
    if len(part.rows.ts) == 0:
        raise IngestError(f"file: {file.name} changes no level of {symbol} and holds no trade")
    lines = np.flatnonzero(stream.part == k)
    order_tick, inferred = order_tick_of(part.rows, stream.tick, options)
    return RawDay(
        rows=part.rows,
        origin=np.searchsorted(lines, part.origin),
        ts=stream.ts[lines],
        fault=stream.fault[lines],
        checked=_CHECKED,
        text=lambda row: excerpt(capture.lines[lines[row]]),
        instrument=Instrument(
            symbol=symbol,
            book_tick=stream.tick,
            order_tick=order_tick,
            lot=stream.lot,
            venue=options.venue or ("BINANCE" if capture.follows.max() < 0 else "BINANCE-FUTURES"),
            currency=next((q for q in _QUOTES if symbol.endswith(q)), "USD"),
        ),
        session=_session(part.rows, k, stream.days, options),
        findings=_findings(capture, stream, part, lines) | _over_midnight(part, stream.days[k]),
        number=lines,
        inferred=inferred | {"lot": stream.lot_why},
        lot_given=options.lot is not None and not options.round_sizes,
    )


def _session(rows: Rows, k: int, days: list[Day], options: Options) -> Session:
    """As given, else the captured span: up to midnight, where the capture runs over it."""
    if options.session is not None:
        return options.session_on(days[k].name, "UTC", (0, 0))
    return Session(
        day=days[k].name,
        zone=options.zone or "UTC",
        open_ns=days[k].start_ns if k > 0 else int(rows.ts[0]),
        close_ns=days[k].end_ns if k < len(days) - 1 else int(rows.ts[-1]) + 1,
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
    capture: Capture, stream: Stream, part: Part, lines: NDArray[np.int64]
) -> dict[str, Finding]:
    tally = part.tally
    first = int(tally[FIRST_CONTRADICTED])
    back = lines[1:][np.diff(capture.received[lines]) < 0]
    idle = stream.mine & (capture.what == 0) & (capture.fault == OK)
    findings = {
        "ticker_contradicted": Finding(
            count=int(tally[CONTRADICTED]),
            first_row=first if first >= 0 else None,
            first_ts=int(stream.ts[first]) if first >= 0 else None,
            note=f"depth updates, of {tally[COMPARED]:,} held against the ticker before them",
        ),
        "trimmed_by_ticker": Finding(
            count=int(tally[TRIMMED]), note="levels gone before their depth update came"
        ),
        "snapshot": Finding(count=int(np.count_nonzero(capture.what[lines] == SNAPSHOT))),
        "other_stream": Finding(
            count=int(np.count_nonzero(idle[lines])), note="lines of streams that make no book"
        ),
        "received_backwards": Finding(
            count=len(back), first_row=int(back[0]) if len(back) else None
        ),
    }
    if len(stream.days) > 1:
        findings["carried_over"] = Finding(
            count=part.seeds, note="levels that stood at midnight, from the day before"
        )
    return findings


def _over_midnight(part: Part, day: Day) -> dict[str, Finding]:
    ts = part.rows.ts
    outside = np.flatnonzero((ts < day.start_ns) | (ts >= day.end_ns))
    if len(outside) == 0:
        return {"over_midnight": Finding(count=0)}
    first = outside[0]
    return {
        "over_midnight": Finding(
            count=len(outside),
            first_row=int(part.origin[first]),
            first_ts=int(ts[first]),
            note="events of another date, kept with this day",
        )
    }
