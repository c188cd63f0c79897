"""What a tape says about its orders: where they are placed, how large they are, what they meet.

One kernel rolls the book over a tape that names its orders (L3). Both sides are pooled, mirrored.
When they come is told in `watching`.

What is counted as what:

* Market orders are those of `market.executions`, hidden executions included.
* Distances and improvements are in steps of the grid that orders really sit on (`grid_step`).
* Orders further from the touch than the ruler reaches are left out, alive or dead: they are stub
  quotes, and nothing that happens within a day depends on them.
* Lots that come into view or fall out of it (SEED, UNSEEN) are no arrivals; while they are in view
  they count as resting.
* The first limit order on a side within a second of a cancel there, as large and at the same price,
  is the same order, which gave up its place in the queue: it says nothing of placement.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.calibrate.ruler import Ruler, needs_orders
from paceline.calibrate.watching import begun_at, spread_steps, steps_behind
from paceline.engine.laws import CANCEL, LIMIT, MARKET, SPREADS, STREAMS, spread_bucket
from paceline.jit import inlined, inner, kernel
from paceline.market.book import Book, apply, is_shown, row_of
from paceline.market.events import ADD, DELETE, EXECUTE, HIDDEN, REDUCE, Events
from paceline.market.tape import Tape

PARTS = 20
"""Parts of the gap, from the own touch to the other side's, that are told apart."""

SOON_NS = 1_000_000_000
"""So soon after a cancel, an order as large at its price is thought the same."""


class Counts(NamedTuple):
    """What was counted. Bins are those of `distance_edges`, hours 0 to `HOURS` - 1."""

    placed: NDArray[np.int64]  # [reach] limit orders at or behind the touch, by distance in steps
    limits: NDArray[np.int64]  # [SPREADS] limit orders by the spread they met
    improving: NDArray[np.int64]  # [SPREADS] those that came to stand inside it
    single: NDArray[np.int64]  # [SPREADS] of them, those that improved their side by one step
    parts: NDArray[np.float64]  # [PARTS] the others, by where in the gap they came to stand
    whole: NDArray[np.int64]  # [2, 2] orders inside by more than a step and behind: all, on `whole`
    again: NDArray[np.int64]
    """`[2]` limit orders that came on a side soon after a cancel, and first: all, and the same."""
    streams: NDArray[np.int64]  # [STREAMS] arrivals
    divisible: NDArray[np.int64]  # [2] cancels of two round lots and more: all, and in part


class Takers(NamedTuple):
    """Market orders, in order of time; as many as the kernel says."""

    ts: NDArray[np.int64]
    row: NDArray[np.int64]  # side of the book that they took: 0 bids, 1 asks
    lots: NDArray[np.int64]
    hidden_lots: NDArray[np.int64]  # of them, those that met orders that were not shown
    spread: NDArray[np.int64]  # steps; before they came
    touch: NDArray[np.int64]  # lots at the touch that they met; 0: there was none
    walked: NDArray[np.int64]  # 1: they took from the next level too


# --- the kernel ----------------------------------------------------------------------------------


@inlined
def steps_off_whole(book: Book, ruler: Ruler, row: int) -> int:
    """How far behind the touch of a side the next whole price lies."""
    ticks = (2 * row - 1) * book.level_ticks[book.best[row]]
    return -ticks % (ruler.step * ruler.whole) // ruler.step


@inner
def _count_limit(
    book: Book,
    ruler: Ruler,
    counts: Counts,
    row: int,
    level: int,
    again: bool,
) -> None:
    """A limit order is about to join; `again` if it was there before."""
    if not is_shown(book, row):
        counts.streams[2 * LIMIT + row] += 1  # nobody to be placed by
        return
    behind = steps_behind(book, row, level, ruler.step)
    if behind >= len(ruler.bin_of):
        return
    counts.streams[2 * LIMIT + row] += 1
    if again:
        return  # it looks at where it stood
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
    spread = max(spread_steps(book, ruler.step), 1)
    bucket = spread_bucket(spread)
    counts.limits[bucket] += 1
    if behind < 0:
        counts.improving[bucket] += 1
        counts.single[bucket] += behind == -1
        if 1 < -behind < spread:  # off the grid, an order may seem to stand on the other side
            _count_part(counts, -behind - 2, spread - 2)


@inlined
def _count_part(counts: Counts, first: int, of: int) -> None:
    """A price is the one behind `first` others of a gap of `of` prices: it covers some parts."""
    for k in range(PARTS):
        low, high = max(k / PARTS, first / of), min((k + 1) / PARTS, (first + 1) / of)
        counts.parts[k] += max(high - low, 0.0) * of


@inner
def _count_again(
    counts: Counts, gone: NDArray[np.int64], row: int, events: Events, at: int
) -> bool:
    """Whether a limit order seems to be the one that was cancelled last, `gone`, which is then
    forgotten."""
    lots = gone[row, 1]
    gone[row, 1] = 0
    if lots == 0 or events.ts[at] - gone[row, 2] > SOON_NS:
        return False
    counts.again[0] += 1
    if events.qty[at] != lots or events.level[at] != gone[row, 0]:
        return False
    counts.again[1] += 1
    return True


@inner
def _count_cancel(book: Book, ruler: Ruler, counts: Counts, kind: int, slot: int) -> None:
    """An order is about to be cancelled."""
    order = book.slots[slot]
    row = order["row"]
    behind = steps_behind(book, row, order["level"], ruler.step)
    if behind >= len(ruler.bin_of):
        return
    counts.streams[2 * CANCEL + row] += 1
    if order["lots"] >= 2 * ruler.round_lot:
        counts.divisible[0] += 1
        counts.divisible[1] += kind == REDUCE


@kernel
def count_tape(
    book: Book,
    events: Events,
    begins: NDArray[np.bool_],
    ruler: Ruler,
    counts: Counts,
    takers: Takers,
    gone: NDArray[np.int64],
) -> int:
    """Add what `events` say to `counts`; returns how many market orders were written to `takers`.

    `book` starts empty and is rolled over the whole day; what lies outside the ruler's times moves
    the book and is not counted. `begins` `[n_events]` is as from `watching.begun_at`; `takers`
    needs room for as many as there are executions. `gone` `[2, 3]` starts at 0: level, lots and
    time of the last cancel of each side.
    """
    n, first = 0, -1
    for i in range(len(events.ts)):
        ts, kind = events.ts[i], events.kind[i]
        if ts >= ruler.end_ns:
            break
        if ts >= ruler.begin_ns:
            row = row_of(events.side[i])
            if kind == ADD:
                again = _count_again(counts, gone, row, events, i)
                _count_limit(book, ruler, counts, row, events.level[i], again)
            elif kind == DELETE or kind == REDUCE:
                _count_cancel(book, ruler, counts, kind, events.slot[i])
                if kind == DELETE:
                    gone[row, 0], gone[row, 1], gone[row, 2] = events.level[i], events.qty[i], ts
            elif (kind == EXECUTE or kind == HIDDEN) and events.side[i] != 0:
                if begins[i]:
                    counts.streams[2 * MARKET + row] += 1
                    takers.ts[n], takers.row[n] = ts, row
                    takers.lots[n] = takers.hidden_lots[n] = 0
                    two_sided = is_shown(book, 0) and is_shown(book, 1)
                    takers.spread[n] = spread_steps(book, ruler.step) if two_sided else 1
                    first, takers.touch[n], takers.walked[n] = -1, 0, 0
                    if is_shown(book, row):
                        first = book.best[row]
                        takers.touch[n] = book.levels[row, first]["lots"]
                    n += 1
                if kind == EXECUTE and events.level[i] != first:
                    takers.walked[n - 1] = 1
                takers.lots[n - 1] += events.qty[i]
                takers.hidden_lots[n - 1] += events.qty[i] if kind == HIDDEN else 0
        apply(book, kind, events.side[i], events.level[i], events.qty[i], events.slot[i], i)
    return n


# --- from Python ---------------------------------------------------------------------------------


def new_counts(reach: int) -> Counts:
    """Nothing counted yet."""
    return Counts(
        placed=np.zeros(reach, np.int64),
        limits=np.zeros(SPREADS, np.int64),
        improving=np.zeros(SPREADS, np.int64),
        single=np.zeros(SPREADS, np.int64),
        parts=np.zeros(PARTS),
        whole=np.zeros((2, 2), np.int64),
        again=np.zeros(2, np.int64),
        streams=np.zeros(STREAMS, np.int64),
        divisible=np.zeros(2, np.int64),
    )


def count(tape: Tape, ruler: Ruler, counts: Counts) -> Takers:
    """Add one tape to `counts`; returns its market orders. Raises `InputError` for an L2 tape."""
    needs_orders(tape)
    n = int(np.isin(tape.events.kind, (EXECUTE, HIDDEN)).sum())
    takers = Takers(*(np.empty(n, np.int64) for _ in Takers._fields))
    gone = np.zeros((2, 3), np.int64)
    begins = begun_at(tape, ruler)
    n = count_tape(tape.new_book(), tape.events, begins, ruler, counts, takers, gone)
    return Takers(*(column[:n] for column in takers))
