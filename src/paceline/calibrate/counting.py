"""What a tape says about its order flow: arrivals, where and how large, and how long each state of
the book was there for them to happen in.

One kernel rolls the book over a tape that names its orders (L3). Rates are counts over exposure,
and exposure is time: of a queue at the touch of some size and a spread of some width, or of an
order at some distance from the touch ("order-seconds"). Both sides are pooled, mirrored; streams are those of `engine.laws`.

What is counted as what:

* Executions at one instant on one side of the book are one market order, hidden ones included.
* Distances and improvements are in steps of the grid that orders really sit on (`grid_step`).
* Orders further from the touch than the ruler reaches are left out, alive or dead: they are stub
  quotes, and nothing that happens within a day depends on them.
* Lots that come into view or fall out of it (SEED, UNSEEN) are no arrivals; while they are in view
  they count as resting.
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
    STREAMS,
    queue_bucket,
    spread_bucket,
)
from paceline.jit import inlined, inner, kernel
from paceline.market.book import Book, apply, is_shown, row_of
from paceline.market.events import (
    ADD,
    DELETE,
    EXECUTE,
    HALT,
    HIDDEN,
    QUOTE,
    REDUCE,
    RESUME,
    Events,
)
from paceline.market.tape import Tape

EMPTY = QUEUES
"""The bucket of a side that shows nothing, after those of `engine.laws`."""

ENDLESS = SPREADS
"""The bucket of the spread while a side shows nothing."""


class Counts(NamedTuple):
    """What was counted. Bins are those of `distance_edges`, hours 0 to `HOURS` - 1."""

    arrivals: NDArray[np.int64]  # [3, HOURS, QUEUES + 1, SPREADS + 1] by what, hour, queue, spread
    touch_s: NDArray[np.float64]  # [HOURS, QUEUES + 1, SPREADS + 1] side-seconds of such a touch
    cancels: NDArray[np.int64]  # [bins] by distance from the touch
    order_s: NDArray[np.float64]  # [HOURS, QUEUES + 1, SPREADS + 1, bins] order-seconds there
    placed: NDArray[np.int64]  # [reach] limit orders at or behind the touch, by distance in steps
    limits: NDArray[np.int64]  # [SPREADS] limit orders by the spread they met
    improving: NDArray[np.int64]  # [SPREADS] those that came to stand inside it
    inside: NDArray[np.int64]  # [reach] by how many steps they improved their side
    whole: NDArray[np.int64]  # [2, 2] orders inside by more than a step and behind: all, on `whole`
    room: NDArray[np.int64]  # [reach] orders inside that were no better, and had room to be as good
    streams: NDArray[np.int64]  # [STREAMS] arrivals
    divisible: NDArray[np.int64]  # [2] cancels of two round lots and more: all, and in part


class Journal(NamedTuple):
    """Every arrival, in order of time; as many as `n` says."""

    n: NDArray[np.int64]  # [1]
    ts: NDArray[np.int64]
    stream: NDArray[np.int64]
    hour: NDArray[np.int64]
    bucket: NDArray[np.int64]  # of the queue at the touch
    width: NDArray[np.int64]  # bucket of the spread
    pace: NDArray[np.float64]  # of a cancel: all orders of its side together; else 0


class Takers(NamedTuple):
    """Market orders, in order of time; as many as the kernel says."""

    ts: NDArray[np.int64]
    row: NDArray[np.int64]  # side of the book that they took: 0 bids, 1 asks
    lots: NDArray[np.int64]
    hidden_lots: NDArray[np.int64]  # of them, those that met orders that were not shown
    spread: NDArray[np.int64]  # steps; before they came


# --- the kernel ----------------------------------------------------------------------------------


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
def steps_off_whole(book: Book, ruler: Ruler, row: int) -> int:
    """How far behind the touch of a side the next whole price lies."""
    ticks = (2 * row - 1) * book.level_ticks[book.best[row]]
    return -ticks % (ruler.step * ruler.whole) // ruler.step


@inlined
def _spread(book: Book, step: int) -> int:
    return (book.level_ticks[book.best[1]] - book.level_ticks[book.best[0]]) // step


@inlined
def width_of(book: Book, ruler: Ruler) -> int:
    """Bucket of the spread."""
    if not is_shown(book, 0) or not is_shown(book, 1):
        return ENDLESS
    return spread_bucket(max(_spread(book, ruler.step), 1))


@inlined
def hour_of(ruler: Ruler, ts: int) -> int:
    """Part of the session that `ts` lies in."""
    return min(max((ts - ruler.open_ns) // ruler.hour_ns, 0), HOURS - 1)


@inner
def _watch(book: Book, ruler: Ruler, counts: Counts, ts: int, until: int) -> None:
    """The book stands as it is from `ts` until `until`."""
    seconds = (until - ts) * 1e-9
    hour, width = hour_of(ruler, ts), width_of(book, ruler)
    for row in range(2):
        bucket = bucket_of_queue(book, row, ruler.usual_lots)
        counts.touch_s[hour, bucket, width] += seconds
    for slot in range(len(book.slots)):
        order = book.slots[slot]
        if order["lots"] > 0:
            behind = steps_behind(book, order["row"], order["level"], ruler.step)
            if behind < len(ruler.bin_of):
                bucket = bucket_of_queue(book, order["row"], ruler.usual_lots)
                counts.order_s[hour, bucket, width, ruler.bin_of[behind]] += seconds


@inner
def _pace(book: Book, ruler: Ruler, row: int) -> float:
    """Cancels per second that a side is good for."""
    pace = 0.0
    for slot in range(len(book.slots)):
        order = book.slots[slot]
        if order["lots"] > 0 and order["row"] == row:
            behind = steps_behind(book, row, order["level"], ruler.step)
            if behind < len(ruler.bin_of):
                pace += ruler.pace[ruler.bin_of[behind]]
    return pace


@inner
def _arrive(
    book: Book, ruler: Ruler, counts: Counts, journal: Journal, what: int, row: int, ts: int
) -> None:
    bucket = bucket_of_queue(book, row, ruler.usual_lots)
    hour, width = hour_of(ruler, ts), width_of(book, ruler)
    counts.arrivals[what, hour, bucket, width] += 1
    counts.streams[2 * what + row] += 1
    at = journal.n[0]
    journal.ts[at], journal.stream[at] = ts, 2 * what + row
    journal.hour[at], journal.bucket[at], journal.width[at] = hour, bucket, width
    journal.pace[at] = _pace(book, ruler, row) if what == CANCEL else 0.0
    journal.n[0] = at + 1


@inner
def _count_limit(
    book: Book, ruler: Ruler, counts: Counts, journal: Journal, row: int, level: int, ts: int
) -> None:
    """A limit order is about to join."""
    if not is_shown(book, row):
        _arrive(book, ruler, counts, journal, LIMIT, row, ts)  # nobody to be placed by
        return
    behind = steps_behind(book, row, level, ruler.step)
    if behind >= len(ruler.bin_of):
        return
    _arrive(book, ruler, counts, journal, LIMIT, row, ts)
    on_whole = book.level_ticks[level] % (ruler.step * ruler.whole) == 0
    if behind >= 0:
        # Orders on whole prices look at the touch from the whole price at or behind it.
        off = steps_off_whole(book, ruler, row) if on_whole else 0
        counts.placed[max(behind - off, 0)] += 1
    if behind != -1:
        counts.whole[int(behind >= 0), 0] += 1
        counts.whole[int(behind >= 0), 1] += on_whole
    if not is_shown(book, 1 - row):
        return
    spread = max(_spread(book, ruler.step), 1)
    bucket = spread_bucket(spread)
    counts.limits[bucket] += 1
    if behind < 0:
        counts.improving[bucket] += 1
        reach = len(counts.inside)
        if -behind < reach:
            counts.inside[-behind] += 1
        for better in range(-behind, min(spread, reach)):
            counts.room[better] += 1


@inner
def _count_cancel(
    book: Book, ruler: Ruler, counts: Counts, journal: Journal, kind: int, slot: int, ts: int
) -> None:
    """An order is about to be cancelled."""
    order = book.slots[slot]
    row = order["row"]
    behind = steps_behind(book, row, order["level"], ruler.step)
    if behind >= len(ruler.bin_of):
        return
    _arrive(book, ruler, counts, journal, CANCEL, row, ts)
    counts.cancels[ruler.bin_of[behind]] += 1
    if order["lots"] >= 2 * ruler.round_lot:
        counts.divisible[0] += 1
        counts.divisible[1] += kind == REDUCE


@kernel
def count_tape(
    book: Book, events: Events, ruler: Ruler, counts: Counts, takers: Takers, journal: Journal
) -> int:
    """Add what `events` say to `counts`; returns how many market orders were written to `takers`.

    `book` starts empty and is rolled over the whole day; what lies outside the ruler's times moves
    the book and is not counted. `takers` needs room for as many as there are executions, `journal`,
    which must be empty, for as many as there are events.
    """
    now, halted, n, last_row = ruler.begin_ns, False, 0, -1
    for i in range(len(events.ts)):
        ts, kind = events.ts[i], events.kind[i]
        if ts >= ruler.end_ns:
            break
        if ts > now:
            if not halted:
                _watch(book, ruler, counts, now, ts)
            now = ts
        if ts >= ruler.begin_ns:
            row = row_of(events.side[i])
            if kind == ADD:
                _count_limit(book, ruler, counts, journal, row, events.level[i], ts)
            elif kind == DELETE or kind == REDUCE:
                _count_cancel(book, ruler, counts, journal, kind, events.slot[i], ts)
            elif kind == EXECUTE or kind == HIDDEN:
                if n == 0 or takers.ts[n - 1] != ts or last_row != row:
                    _arrive(book, ruler, counts, journal, MARKET, row, ts)
                    takers.ts[n], takers.row[n] = ts, row
                    takers.lots[n] = takers.hidden_lots[n] = 0
                    two_sided = is_shown(book, 0) and is_shown(book, 1)
                    takers.spread[n] = _spread(book, ruler.step) if two_sided else 1
                    n, last_row = n + 1, row
                takers.lots[n - 1] += events.qty[i]
                takers.hidden_lots[n - 1] += events.qty[i] if kind == HIDDEN else 0
        if kind == HALT or kind == QUOTE:
            halted = True
        elif kind == RESUME:
            halted = False
        apply(book, kind, events.side[i], events.level[i], events.qty[i], events.slot[i], i)
    if not halted and ruler.end_ns > now:
        _watch(book, ruler, counts, now, ruler.end_ns)
    return n


# --- from Python ---------------------------------------------------------------------------------


def new_counts(bins: int, reach: int) -> Counts:
    """Nothing counted yet."""
    return Counts(
        arrivals=np.zeros((3, HOURS, QUEUES + 1, SPREADS + 1), np.int64),
        touch_s=np.zeros((HOURS, QUEUES + 1, SPREADS + 1)),
        cancels=np.zeros(bins, np.int64),
        order_s=np.zeros((HOURS, QUEUES + 1, SPREADS + 1, bins)),
        placed=np.zeros(reach, np.int64),
        limits=np.zeros(SPREADS, np.int64),
        improving=np.zeros(SPREADS, np.int64),
        inside=np.zeros(reach, np.int64),
        room=np.zeros(reach, np.int64),
        whole=np.zeros((2, 2), np.int64),
        streams=np.zeros(STREAMS, np.int64),
        divisible=np.zeros(2, np.int64),
    )


def count(tape: Tape, ruler: Ruler, counts: Counts) -> tuple[Takers, Journal]:
    """Add one tape to `counts`; returns its market orders and all arrivals.

    Raises `InputError` for an L2 tape.
    """
    needs_orders(tape)
    n = int(np.isin(tape.events.kind, (EXECUTE, HIDDEN)).sum())
    takers = Takers(*(np.empty(n, np.int64) for _ in Takers._fields))
    journal = new_journal(len(tape))
    n = count_tape(tape.new_book(), tape.events, ruler, counts, takers, journal)
    return Takers(*(column[:n] for column in takers)), cut(journal)


def new_journal(room: int) -> Journal:
    """An empty journal."""
    n, *columns = (np.zeros(size, np.int64) for size in (1, *[room] * 5))
    return Journal(n, *columns, pace=np.zeros(room))


def cut(journal: Journal) -> Journal:
    """The journal without the room that was not used."""
    used = slice(int(journal.n[0]))
    return Journal(journal.n, *(column[used] for column in journal[1:]))
