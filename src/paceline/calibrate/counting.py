"""What a tape says about its order flow: arrivals, where and how large, and how long each state of
the book was there for them to happen in.

One kernel rolls the book over a tape that names its orders (L3). Rates are counts over exposure,
and exposure is time: of a queue at the touch of some size, or of an order at some distance from the
touch ("order-seconds"). Both sides are pooled, mirrored; streams are those of `engine.laws`.

What is counted as what:

* Executions at one instant on one side of the book are one market order, hidden ones included.
* Distances and improvements are in steps of the grid that orders really sit on (`grid_step`).
* Orders further from the touch than the ruler reaches are left out, alive or dead: they are stub
  quotes, and nothing that happens within a day depends on them.
* Lots that come into view or fall out of it (SEED, UNSEEN) are no arrivals; while they are in view
  they count as resting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine.laws import CANCEL, LIMIT, MARKET, QUEUES, SPREADS, STREAMS
from paceline.errors import InputError
from paceline.jit import inlined, inner, kernel
from paceline.market.book import Book, apply, row_of
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

HOURS = 13
"""Parts of the session that are told apart; half hours of an American day."""

EMPTY = QUEUES
"""The bucket of a side that shows nothing, after those of `engine.laws`."""

_USUAL = 4.0
"""A market has settled when its spread is at most so many times the day's median."""


class Ruler(NamedTuple):
    """What a tape is measured with."""

    begin_ns: int  # from here on things count
    end_ns: int
    open_ns: int
    hour_ns: int
    """Length of a part of the session."""
    step: int  # book ticks between the prices that orders sit on
    round_lot: int
    usual_lots: float  # at the touch
    bin_of: NDArray[np.int64]  # [reach] bin of each distance in steps


class Counts(NamedTuple):
    """What was counted. Bins are those of `distance_edges`, hours 0 to `HOURS` - 1."""

    arrivals: NDArray[np.int64]  # [3, HOURS, QUEUES + 1] by what, hour and queue at the touch
    queue_s: NDArray[np.float64]  # [HOURS, QUEUES + 1] side-seconds that a touch was of that size
    cancels: NDArray[np.int64]  # [bins] by distance from the touch
    order_s: NDArray[np.float64]  # [HOURS, QUEUES + 1, bins] order-seconds at that distance
    placed: NDArray[np.int64]  # [reach] limit orders at or behind the touch, by distance in steps
    limits: NDArray[np.int64]  # [SPREADS] limit orders by the spread they met
    improving: NDArray[np.int64]  # [SPREADS] those that came to stand inside it
    inside: NDArray[np.int64]  # [reach] by how many steps they improved their side
    room: NDArray[np.int64]  # [reach] orders inside that were no better, and had room to be as good
    streams: NDArray[np.int64]  # [STREAMS] arrivals
    divisible: NDArray[np.int64]  # [2] cancels of two round lots and more: all, and in part


class Takers(NamedTuple):
    """Market orders, in order of time; as many as the kernel says."""

    ts: NDArray[np.int64]
    row: NDArray[np.int64]  # side of the book that they took: 0 bids, 1 asks
    lots: NDArray[np.int64]
    hidden_lots: NDArray[np.int64]  # of them, those that met orders that were not shown
    spread: NDArray[np.int64]  # steps; before they came


# --- the kernel ----------------------------------------------------------------------------------


@inlined
def is_shown(book: Book, row: int) -> bool:
    """Whether a side has an order."""
    return 0 <= book.best[row] < len(book.level_ticks)


@inlined
def bucket_of_queue(book: Book, row: int, usual_lots: float) -> int:
    """Bucket of the queue at the touch, as the flow's reaction tells them apart."""
    if not is_shown(book, row):
        return EMPTY
    relative = book.levels[row, book.best[row]]["lots"] / usual_lots
    return min(max(int(2.0 * np.log2(relative) + QUEUES / 2), 0), QUEUES - 1)


@inlined
def steps_behind(book: Book, row: int, level: int, step: int) -> int:
    """How far `level` lies behind the best of its side; negative: inside the spread."""
    ticks = book.level_ticks[book.best[row]] - book.level_ticks[level]
    return (1 - 2 * row) * ticks // step


@inlined
def _spread(book: Book, step: int) -> int:
    return (book.level_ticks[book.best[1]] - book.level_ticks[book.best[0]]) // step


@inlined
def hour_of(ruler: Ruler, ts: int) -> int:
    """Part of the session that `ts` lies in."""
    return min(max((ts - ruler.open_ns) // ruler.hour_ns, 0), HOURS - 1)


@inner
def _watch(book: Book, ruler: Ruler, counts: Counts, ts: int, until: int) -> None:
    """The book stands as it is from `ts` until `until`."""
    seconds = (until - ts) * 1e-9
    hour = hour_of(ruler, ts)
    for row in range(2):
        bucket = bucket_of_queue(book, row, ruler.usual_lots)
        counts.queue_s[hour, bucket] += seconds
    for slot in range(len(book.slots)):
        order = book.slots[slot]
        if order["lots"] > 0:
            behind = steps_behind(book, order["row"], order["level"], ruler.step)
            if behind < len(ruler.bin_of):
                bucket = bucket_of_queue(book, order["row"], ruler.usual_lots)
                counts.order_s[hour, bucket, ruler.bin_of[behind]] += seconds


@inlined
def _arrive(book: Book, ruler: Ruler, counts: Counts, what: int, row: int, ts: int) -> None:
    bucket = bucket_of_queue(book, row, ruler.usual_lots)
    counts.arrivals[what, hour_of(ruler, ts), bucket] += 1
    counts.streams[2 * what + row] += 1


@inner
def _count_limit(book: Book, ruler: Ruler, counts: Counts, row: int, level: int, ts: int) -> None:
    """A limit order is about to join."""
    if not is_shown(book, row):
        _arrive(book, ruler, counts, LIMIT, row, ts)  # nobody to be placed by
        return
    behind = steps_behind(book, row, level, ruler.step)
    if behind >= len(ruler.bin_of):
        return
    _arrive(book, ruler, counts, LIMIT, row, ts)
    if behind >= 0:
        counts.placed[behind] += 1
    if not is_shown(book, 1 - row):
        return
    spread = max(_spread(book, ruler.step), 1)
    bucket = min(int(2.0 * np.log2(float(spread))), SPREADS - 1)
    counts.limits[bucket] += 1
    if behind < 0:
        counts.improving[bucket] += 1
        reach = len(counts.inside)
        if -behind < reach:
            counts.inside[-behind] += 1
        for better in range(-behind, min(spread, reach)):
            counts.room[better] += 1


@inner
def _count_cancel(book: Book, ruler: Ruler, counts: Counts, kind: int, slot: int, ts: int) -> None:
    """An order is about to be cancelled."""
    order = book.slots[slot]
    row = order["row"]
    behind = steps_behind(book, row, order["level"], ruler.step)
    if behind >= len(ruler.bin_of):
        return
    _arrive(book, ruler, counts, CANCEL, row, ts)
    counts.cancels[ruler.bin_of[behind]] += 1
    if order["lots"] >= 2 * ruler.round_lot:
        counts.divisible[0] += 1
        counts.divisible[1] += kind == REDUCE


@kernel
def count_tape(book: Book, events: Events, ruler: Ruler, counts: Counts, takers: Takers) -> int:
    """Add what `events` say to `counts`; returns how many market orders were written to `takers`.

    `book` starts empty and is rolled over the whole day; what lies outside the ruler's times moves
    the book and is not counted. `takers` needs room for as many as there are executions.
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
                _count_limit(book, ruler, counts, row, events.level[i], ts)
            elif kind == DELETE or kind == REDUCE:
                _count_cancel(book, ruler, counts, kind, events.slot[i], ts)
            elif kind == EXECUTE or kind == HIDDEN:
                if n == 0 or takers.ts[n - 1] != ts or last_row != row:
                    _arrive(book, ruler, counts, MARKET, row, ts)
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


@kernel
def touch_lots(book: Book, events: Events, out: NDArray[np.int64]) -> None:
    """Lots at the best bid and ask after every event, `[n_events, 2]`; 0 where a side is empty."""
    for i in range(len(events.ts)):
        apply(
            book, events.kind[i], events.side[i], events.level[i], events.qty[i], events.slot[i], i
        )
        for row in range(2):
            out[i, row] = 0
            if is_shown(book, row):
                out[i, row] = book.levels[row, book.best[row]]["lots"]


# --- from Python ---------------------------------------------------------------------------------


def distance_edges(reach: int) -> NDArray[np.int64]:
    """First distance of each bin, and the one after the last: 0, 1, 2, 3, 4, 6, 8, 11, 16, ...

    Half powers of two, so that a law over four decades has thirty bins.
    """
    powers = np.round(2.0 ** np.arange(0, 2 * np.log2(max(reach, 2)), 0.5)).astype(np.int64)
    edges = np.unique(np.concatenate([[0], powers]))
    return np.append(edges[edges < reach], reach)


def grid_step(tapes: Sequence[Tape]) -> int:
    """Book ticks between the prices that limit orders sit on, all but one in a hundred of them:
    the order tick or, where members quoted finer, the book's."""
    step = max(tape.instrument.order_step for tape in tapes)
    ticks = np.concatenate(
        [tape.level_ticks[tape.events.level[tape.events.kind == ADD]] for tape in tapes]
    )
    return largest_unit(ticks, (step, 1), 0.99)


def largest_unit(values: NDArray[np.int64], units: Sequence[int], share: float) -> int:
    """The first of `units` that divides at least `share` of `values`; the last if none does."""
    for unit in units:
        if len(values) and np.mean(values % unit == 0) >= share:
            return unit
    return units[-1]


def limit_lots(tape: Tape, begin_ns: int) -> NDArray[np.int64]:
    """Sizes of the limit orders that came from `begin_ns` to the close, lots."""
    during = (tape.events.ts >= begin_ns) & (tape.events.ts < tape.session.close_ns)
    return tape.events.qty[during & (tape.events.kind == ADD)].astype(np.int64)


def settled_ns(tape: Tape) -> int:
    """When a market had come to itself: after the warm-up, with a spread like the rest of the
    day's. A recording that starts with an empty book is two-sided long before its touch means
    anything."""
    start = tape.manifest.quality.warmup_end_ts or tape.session.open_ns
    # The book that a simulated day opens with is no arrivals; a real one's has a warm-up.
    start = max(start, tape.session.open_ns + 1)
    spread = tape.ask_ticks() - tape.bid_ticks()
    usual = float(np.nanmedian(spread)) if not np.all(np.isnan(spread)) else 0.0
    like = np.flatnonzero((tape.events.ts >= start) & (spread > 0) & (spread <= _USUAL * usual))
    return int(tape.events.ts[like[0]]) if len(like) else start


def usual_touch_lots(tapes: Sequence[Tape]) -> float:
    """Median size of the queues at the touch over time and both sides, lots."""
    sizes, weights = [], []
    for tape in tapes:
        _needs_orders(tape)
        out = np.empty((len(tape), 2), np.int64)
        touch_lots(tape.new_book(), tape.events, out)
        ends = np.append(tape.events.ts[1:], tape.events.ts[-1])
        ends = np.clip(ends, None, tape.session.close_ns)
        seconds = np.maximum(ends - np.maximum(tape.events.ts, settled_ns(tape)), 0) * 1e-9
        sizes.append(out.ravel())
        weights.append(np.where(out > 0, seconds[:, None], 0.0).ravel())
    lots, weight = np.concatenate(sizes), np.concatenate(weights)
    order = np.argsort(lots, kind="stable")
    total = np.cumsum(weight[order])
    if not total[-1] > 0:
        raise InputError("tapes: no side shows an order once the market has settled; give others")
    return float(lots[order][np.searchsorted(total, total[-1] / 2)])


def _needs_orders(tape: Tape) -> None:
    if not tape.has_orders:
        raise InputError(f"tapes: {tape.name} names no orders; calibration needs L3 tapes")


def new_ruler(
    tape: Tape, step: int, round_lot: int, usual_lots: float, edges: NDArray[np.int64]
) -> Ruler:
    """The ruler for the settled part of one tape; `edges` as from `distance_edges`."""
    session = tape.session
    return Ruler(
        begin_ns=settled_ns(tape),
        end_ns=session.close_ns,
        open_ns=session.open_ns,
        hour_ns=-(-(session.close_ns - session.open_ns) // HOURS),
        step=step,
        round_lot=round_lot,
        usual_lots=usual_lots,
        bin_of=np.repeat(np.arange(len(edges) - 1), np.diff(edges)),
    )


def new_counts(bins: int, reach: int) -> Counts:
    """Nothing counted yet."""
    return Counts(
        arrivals=np.zeros((3, HOURS, QUEUES + 1), np.int64),
        queue_s=np.zeros((HOURS, QUEUES + 1)),
        cancels=np.zeros(bins, np.int64),
        order_s=np.zeros((HOURS, QUEUES + 1, bins)),
        placed=np.zeros(reach, np.int64),
        limits=np.zeros(SPREADS, np.int64),
        improving=np.zeros(SPREADS, np.int64),
        inside=np.zeros(reach, np.int64),
        room=np.zeros(reach, np.int64),
        streams=np.zeros(STREAMS, np.int64),
        divisible=np.zeros(2, np.int64),
    )


def count(tape: Tape, ruler: Ruler, counts: Counts) -> Takers:
    """Add one tape to `counts`; returns its market orders. Raises `InputError` for an L2 tape."""
    _needs_orders(tape)
    n = int(np.isin(tape.events.kind, (EXECUTE, HIDDEN)).sum())
    takers = Takers(*(np.empty(n, np.int64) for _ in Takers._fields))
    found = count_tape(tape.new_book(), tape.events, ruler, counts, takers)
    return Takers(*(column[:found] for column in takers))
