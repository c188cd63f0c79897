"""A tape as the flow sees it: what the book was like, for how long, and what came then.

One kernel rolls the book over a tape that names its orders (L3) and writes a row for every event:
how long the book had been as it was, what it was like to either side, and which arrival ended that.
Rates are arrivals over that time (`rates`).

Buckets are those of `engine.laws`, as the simulated flow would find them; streams too. What counts
as an arrival is said in `counting`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.calibrate.ruler import HOURS, Ruler, needs_orders
from paceline.engine.laws import (
    CANCEL,
    LIMIT,
    MARKET,
    QUEUES,
    SPREADS,
    backing_ticks,
    look_bucket,
    queue_bucket,
    spread_bucket,
)
from paceline.jit import inlined, inner, kernel
from paceline.market.book import Book, apply, is_shown, row_of
from paceline.market.events import (
    ADD,
    DELETE,
    HALT,
    QUOTE,
    REDUCE,
    RESUME,
    Events,
)
from paceline.market.executions import executions
from paceline.market.tape import Tape

EMPTY = QUEUES
"""The bucket of a side that shows nothing, after those of `engine.laws`."""

ENDLESS = SPREADS
"""The bucket of the spread while a side shows nothing."""

NOBODY_CAME = -1
"""The stream of an event that is no arrival."""


class Log(NamedTuple):
    """One row for every event, and one for the close; as many as `n` says."""

    n: NDArray[np.int64]  # [1]
    ts: NDArray[np.int64]
    seconds: NDArray[np.float64]  # that the book had been so; halts do not count
    hour: NDArray[np.int64]  # part of the session
    stream: NDArray[np.int64]  # of the arrival that ended it, or `NOBODY_CAME`
    place: NDArray[np.int64]  # of the order that was cancelled, or -1
    width: NDArray[np.int64]  # bucket of the spread
    queue: NDArray[np.int64]  # [m, 2] bucket of the queue at each side's touch
    gap: NDArray[np.int64]  # [m, 2] bucket of the gap behind it
    look: NDArray[np.int64]  # [m, 2, 2] bucket of where it stands to where it was, soon and late
    orders: NDArray[np.uint16]  # [m, 2, places] how many stand where, see `place_of`


@inlined
def bucket_of_queue(book: Book, row: int, usual_lots: float) -> int:
    """Bucket of the queue at the touch, as the flow's reaction tells them apart."""
    if not is_shown(book, row):
        return EMPTY
    return queue_bucket(book.levels[row, book.best[row]]["lots"] / usual_lots)


@inlined
def steps_behind(book: Book, row: int, level: int, step: int) -> int:
    """How far `level` lies behind the best of its side; negative: inside the spread."""
    ticks = book.level_ticks[book.best[row]] - book.level_ticks[level]
    return (1 - 2 * row) * ticks // step


@inlined
def spread_steps(book: Book, step: int) -> int:
    """The spread of a book that shows both sides."""
    return (book.level_ticks[book.best[1]] - book.level_ticks[book.best[0]]) // step


@inlined
def width_of(book: Book, step: int) -> int:
    """Bucket of the spread."""
    if not is_shown(book, 0) or not is_shown(book, 1):
        return ENDLESS
    return spread_bucket(max(spread_steps(book, step), 1))


@inlined
def gap_of(book: Book, row: int, step: int) -> int:
    """Bucket of the gap behind the touch; that of none if the side is empty."""
    ticks = backing_ticks(book, row) if is_shown(book, row) else 0
    return spread_bucket(max(ticks // step, 1)) if ticks > 0 else SPREADS - 1


@inlined
def place_of(ruler: Ruler, behind: int, gap: int) -> int:
    """Where an order stands: at the touch, by the gap behind it, or in which bin of distances."""
    return gap if behind == 0 else SPREADS - 1 + ruler.bin_of[behind]


@inlined
def hour_of(ruler: Ruler, ts: int) -> int:
    """Part of the session that `ts` lies in."""
    return min(max((ts - ruler.open_ns) // ruler.hour_ns, 0), HOURS - 1)


@inner
def _describe(book: Book, ruler: Ruler, log: Log, usual: NDArray[np.float64], at: int) -> None:
    """Write down what the book is like. `usual` is where each touch has been, in steps."""
    log.width[at] = width_of(book, ruler.step)
    for row in range(2):
        log.queue[at, row] = bucket_of_queue(book, row, ruler.usual_lots)
        log.gap[at, row] = gap_of(book, row, ruler.step)
        for k in range(2):
            steps = 0.0
            if is_shown(book, row):
                best = book.level_ticks[book.best[row]] / ruler.step
                steps = (2 * row - 1) * (usual[k, row] - best)
            log.look[at, row, k] = look_bucket(steps)
    for slot in range(len(book.slots)):
        order = book.slots[slot]
        if order["lots"] > 0:
            row = order["row"]
            behind = steps_behind(book, row, order["level"], ruler.step)
            if behind < len(ruler.bin_of):
                log.orders[at, row, place_of(ruler, max(behind, 0), log.gap[at, row])] += 1


@inner
def _grow_used(book: Book, ruler: Ruler, usual: NDArray[np.float64], seconds: float) -> None:
    """The touch has been where it is for `seconds` more."""
    for row in range(2):
        if is_shown(book, row):
            steps = book.level_ticks[book.best[row]] / ruler.step
            for k in range(2):
                if usual[k, row] < 0.0:
                    usual[k, row] = steps
                kept = 0.5 ** (seconds / ruler.used_s[k])
                usual[k, row] = steps + (usual[k, row] - steps) * kept


@inner
def _came(book: Book, ruler: Ruler, log: Log, events: Events, i: int, at: int) -> None:
    """Write down what event `i`, which is about to happen, is to the flow."""
    kind, row = events.kind[i], row_of(events.side[i])
    reach = len(ruler.bin_of)
    if kind == ADD:
        if not is_shown(book, row):
            log.stream[at] = 2 * LIMIT + row  # nobody to be placed by
        elif steps_behind(book, row, events.level[i], ruler.step) < reach:
            log.stream[at] = 2 * LIMIT + row
    elif kind == DELETE or kind == REDUCE:
        order = book.slots[events.slot[i]]
        behind = steps_behind(book, order["row"], order["level"], ruler.step)
        if behind < reach:
            log.stream[at] = 2 * CANCEL + order["row"]
            log.place[at] = place_of(ruler, max(behind, 0), log.gap[at, order["row"]])


@kernel
def watch_tape(
    book: Book,
    events: Events,
    begins: NDArray[np.bool_],
    ruler: Ruler,
    log: Log,
    usual: NDArray[np.float64],
) -> None:
    """Write `events` from the ruler's begin to its end to `log`, which must be empty and have room
    for one row more. `begins` `[n_events]` is as from `begun_at`. `book` starts empty; `usual`
    `[2, 2]` starts below 0."""
    now, halted = ruler.begin_ns, False
    for i in range(len(events.ts)):
        ts, kind = events.ts[i], events.kind[i]
        if ts >= ruler.end_ns:
            break
        if ts >= ruler.begin_ns:
            at = log.n[0]
            seconds = 0.0 if halted else (ts - now) * 1e-9
            log.ts[at], log.hour[at], log.seconds[at] = ts, hour_of(ruler, now), seconds
            log.stream[at], log.place[at] = NOBODY_CAME, -1
            _describe(book, ruler, log, usual, at)
            _grow_used(book, ruler, usual, (ts - now) * 1e-9)
            _came(book, ruler, log, events, i, at)
            if begins[i]:
                log.stream[at] = 2 * MARKET + row_of(events.side[i])
            log.n[0], now = at + 1, ts
        if kind == HALT or kind == QUOTE:
            halted = True
        elif kind == RESUME:
            halted = False
        apply(book, kind, events.side[i], events.level[i], events.qty[i], events.slot[i], i)
    if ruler.end_ns > now:
        at = log.n[0]
        seconds = 0.0 if halted else (ruler.end_ns - now) * 1e-9
        log.ts[at], log.hour[at], log.seconds[at] = ruler.end_ns, hour_of(ruler, now), seconds
        log.stream[at], log.place[at] = NOBODY_CAME, -1
        _describe(book, ruler, log, usual, at)
        log.n[0] = at + 1


def watch(tape: Tape, ruler: Ruler) -> Log:
    """The log of one tape. Raises `InputError` for an L2 tape."""
    needs_orders(tape)
    log = new_log(len(tape) + 1, int(ruler.bin_of[-1]) + 1)
    begins = begun_at(tape, ruler)
    watch_tape(tape.new_book(), tape.events, begins, ruler, log, np.full((2, 2), -1.0))
    used = slice(int(log.n[0]))
    columns = {name: column[used].copy() for name, column in log._asdict().items() if name != "n"}
    return log._replace(**columns)


def begun_at(tape: Tape, ruler: Ruler) -> NDArray[np.bool_]:
    """`[n_events]` whether each is the first execution of a market order, from the ruler's begin
    on."""
    first = int(np.searchsorted(tape.events.ts, ruler.begin_ns))
    at, begins = executions(tape.events, first)
    found = np.zeros(len(tape), np.bool_)
    found[at] = begins
    return found


def stood_in(log: Log) -> NDArray[np.float64]:
    """`[2, places]` cancels by where their orders stood, and the seconds that all stood there."""
    places = log.orders.shape[2]
    cancels = np.bincount(log.place[log.place >= 0], minlength=places)
    return np.stack([cancels, log.seconds @ log.orders.sum(axis=1, dtype=np.float64)])


def new_log(room: int, bins: int) -> Log:
    """An empty log."""
    ts, hour, stream, place, width = (np.zeros(room, np.int64) for _ in range(5))
    queue, gap = (np.zeros((room, 2), np.int64) for _ in range(2))
    return Log(
        n=np.zeros(1, np.int64), ts=ts, seconds=np.zeros(room), hour=hour, stream=stream,
        place=place, width=width, queue=queue, gap=gap, look=np.zeros((room, 2, 2), np.int64),
        orders=np.zeros((room, 2, places_of(bins)), np.uint16),
    )  # fmt: skip


def places_of(bins: int) -> int:
    """Places that are told apart where distances are in so many bins."""
    return SPREADS - 1 + bins
