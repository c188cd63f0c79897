"""A book that is only shown in part, rebuilt from messages and proved row by row.

A LOBSTER file cut at n levels announces what happens inside the n best levels of each side and
nothing outside. Its orderbook file shows those levels after every message. Here the messages make
the book; the orderbook file may do three things, each counted:

* **start**: what was there before the first message becomes SEED rows;
* **come into view**: a level that was beyond the worst shown price, and is shown now, becomes a
  SEED row: one anonymous lot, in front of everything that joins later. Messages that name an order
  nobody announced, at a price with such a lot, take from it;
* **leave view**: orders beyond the worst shown price leave with UNSEEN rows, since nobody will
  announce what becomes of them.

Everything else must follow from the messages. After every message all shown levels are compared;
where a level that was in view before differs, the row counts as a mismatch and the book is put
right with SEED and UNSEEN rows, so that one damaged row costs one row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.ingest.numbers import Table
from paceline.ingest.quality import KEPT_FROM, OVER_CANCEL, OVER_EXECUTION
from paceline.ingest.resolve import (
    NOTHING,
    Emitted,
    Ops,
    as_rows,
    emitted,
    message,
    put,
    take_lots,
    widened,
)
from paceline.ingest.slots import (
    LIVE,
    Slots,
    enter_unnamed,
    find,
    grown,
    new_slots,
    release,
)
from paceline.jit import inlined, inner, kernel
from paceline.market.book import Book, apply, new_book, row_of
from paceline.market.compiler import price_table
from paceline.market.events import ADD, DELETE, EXECUTE, REDUCE, SEED, UNSEEN, Rows
from paceline.market.tape import Finding

_NO_PRICE = 9_999_999_999
_NO_LEVEL = -1

# Rows of `View.tally`.
COMPARED = 0
MISMATCHED = 1
SEEDED_AT_START = 2
SEEDED_LATER = 3
LEFT_VIEW = 4
FIRST_MISMATCH = 5
REPAIRED = 6
FROM_SEED = 7


class View(NamedTuple):
    """What the orderbook file shows, and how the rebuilt book compares. `n` levels a side."""

    level: NDArray[np.int32]  # [n_rows, 2, n] book level, best first; _NO_LEVEL: none
    lots: NDArray[np.int64]  # [n_rows, 2, n]
    message_level: NDArray[np.int32]  # [n_rows] book level of the message's price
    edge: NDArray[np.int64]  # [2] worst level in view after the row before; off the book: all
    occupied: NDArray[np.int64]  # [2] levels that our book shows
    seed: NDArray[np.int32]  # [2, n_levels] slot of the anonymous lot at a level, or -1
    tally: NDArray[np.int64]  # [8]


def follow(
    ops: Ops, ts: NDArray[np.int64], fault: NDArray[np.uint8], shown: Table, step: int
) -> tuple[Rows, NDArray[np.int64], dict[str, Finding]]:
    """Rows of a tape, the message each came from, and what the comparison found.

    `shown` are the orderbook file's columns, `step` the book tick in its price unit.
    """
    view, level_ticks = _view(ops, shown, step)
    slots = new_slots()
    book = new_book(level_ticks, len(slots.free))
    out = emitted(2 * len(ops.op) + 1024)
    at = 0
    while at < len(ops.op):
        at, full = _follow(ops, fault, view, book, slots, out, at)
        if full == _SLOTS_FULL:
            slots = grown(slots)
            book = _wider(book, len(slots.free))
        elif full == _ROWS_FULL:
            out = widened(out)
    known = _known(ts, fault)
    rows, origin = as_rows(out, known)
    return rows, origin, _findings(view, known)


def _view(ops: Ops, shown: Table, step: int) -> tuple[View, NDArray[np.int64]]:
    """Resolve all prices of both files to levels of one price table."""
    n_rows = len(ops.op)
    n = len(shown.columns) // 4
    price = np.empty((n_rows, 2, n), np.int64)
    lots = np.empty((n_rows, 2, n), np.int64)
    for k in range(n):
        for row, first in ((1, 4 * k), (0, 4 * k + 2)):
            price[:, row, k] = shown.columns[first]
            lots[:, row, k] = shown.columns[first + 1]
    real = (np.abs(price) < _NO_PRICE) & (lots > 0)
    named = ops.op != NOTHING
    level_ticks, level = price_table(np.concatenate([price[real] // step, ops.ticks[named]]))
    n_real = int(np.count_nonzero(real))
    levels = np.full(price.shape, _NO_LEVEL, np.int32)
    levels[real] = level[:n_real]
    message_level = np.full(n_rows, _NO_LEVEL, np.int32)
    message_level[named] = level[n_real:]
    view = View(
        level=levels,
        lots=lots,
        message_level=message_level,
        edge=np.zeros(2, np.int64),
        occupied=np.zeros(2, np.int64),
        seed=np.full((2, len(level_ticks)), -1, np.int32),
        tally=np.zeros(8, np.int64),
    )
    view.tally[FIRST_MISMATCH] = -1
    return view, level_ticks


def _known(ts: NDArray[np.int64], fault: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Times in which a row that was left out has the time of the row before it."""
    timed = (fault == 0) | (fault >= KEPT_FROM)
    at = np.where(timed, np.arange(len(ts)), -1)
    at = np.maximum.accumulate(at)
    first = int(np.argmax(at >= 0))
    return ts[np.where(at >= 0, at, first)]


def _wider(book: Book, n_slots: int) -> Book:
    """The same book with more slots."""
    more = new_book(book.level_ticks, n_slots)
    more.slots[: len(book.slots)] = book.slots
    return book._replace(slots=more.slots)


def _findings(view: View, ts: NDArray[np.int64]) -> dict[str, Finding]:
    tally = view.tally.tolist()
    first = tally[FIRST_MISMATCH]
    n = view.level.shape[2]
    return {
        "orderbook_mismatch": Finding(
            count=tally[MISMATCHED],
            first_row=first if first >= 0 else None,
            first_ts=int(ts[first]) if first >= 0 else None,
            note=f"{tally[COMPARED]:,} rows compared at {n} levels a side; put right with "
            f"{tally[REPAIRED]:,} rows",
        ),
        "seeded_at_start": Finding(count=tally[SEEDED_AT_START], note="levels"),
        "seeded_into_view": Finding(count=tally[SEEDED_LATER], note="levels"),
        "left_view": Finding(count=tally[LEFT_VIEW], note="orders"),
        "taken_from_seed": Finding(
            count=tally[FROM_SEED], note="messages on orders inside a seeded lot"
        ),
    }


_SLOTS_FULL = 1
_ROWS_FULL = 2


@kernel
def _follow(
    ops: Ops,
    fault: NDArray[np.uint8],
    view: View,
    book: Book,
    slots: Slots,
    out: Emitted,
    start: int,
) -> tuple[int, int]:
    """Follow messages from `start` on. Returns where it stopped, and which room ran out (or 0)."""
    spare = 4 * view.level.shape[2] + 8
    for i in range(start, len(ops.op)):
        if slots.tally[LIVE] + spare > len(slots.free):
            return i, _SLOTS_FULL
        if out.rows[0] + slots.tally[LIVE] + spare > len(out.kind):
            return i, _ROWS_FULL
        if i == 0:
            for row in range(2):
                _start(ops, view, book, slots, out, row)
                view.edge[row] = _edge(view, book, 0, row)
        if ops.op[i] != NOTHING:
            verdict = _act(ops, i, view, book, slots, out)
            if verdict != 0:
                fault[i] = verdict
        differs = False
        for row in range(2):
            if not _agrees(view, book, i, row):
                differs = _adjust(view, book, slots, out, i, row) or differs
            view.edge[row] = _edge(view, book, i, row)
        view.tally[COMPARED] += 1
        if differs:
            view.tally[MISMATCHED] += 1
            if view.tally[FIRST_MISMATCH] < 0:
                view.tally[FIRST_MISMATCH] = i
    return len(ops.op), 0


@inlined
def _lots_at(book: Book, row: int, level: int) -> int:
    """Lots our book shows at a level."""
    lots: int = book.levels[row, level]["lots"]
    return lots


@inner
def _enter_book(view: View, book: Book, out: Emitted, row: int, level: int, first: int) -> None:
    """Let the rows emitted from `first` on, all at one level, change the book."""
    was = _lots_at(book, row, level)
    for k in range(first, out.rows[0]):
        apply(book, out.kind[k], out.side[k], level, out.lots[k], out.slot[k], k)
    now = _lots_at(book, row, level)
    if was == 0 and now > 0:
        view.occupied[row] += 1
    elif was > 0 and now == 0:
        view.occupied[row] -= 1


@inner
def _act(ops: Ops, i: int, view: View, book: Book, slots: Slots, out: Emitted) -> int:
    """Message `i` acts on the book, through an anonymous lot if it names a stranger."""
    op, row, level = ops.op[i], row_of(ops.side[i]), view.message_level[i]
    first = out.rows[0]
    slot = find(slots, ops.order_id[i])
    seed = view.seed[row, level]
    verdict = 0
    if slot < 0 and seed >= 0 and (op == REDUCE or op == DELETE or op == EXECUTE):
        had = slots.lots[seed]
        taken = min(ops.lots[i], had)
        if taken < ops.lots[i]:
            verdict = OVER_EXECUTION if op == EXECUTE else OVER_CANCEL
        take_lots(slots, out, i, seed, taken, taken if op == EXECUTE else 0)
        if taken == had:
            view.seed[row, level] = -1
        view.tally[FROM_SEED] += 1
    else:
        verdict = message(ops, i, slots, out, slot)
    _enter_book(view, book, out, row, level, first)
    return verdict


@inlined
def _edge(view: View, book: Book, i: int, row: int) -> int:
    """Worst level in view on a side; beyond the last price if fewer than n are shown."""
    n = view.level.shape[2]
    worst: int = view.level[i, row, n - 1]
    if worst != _NO_LEVEL:
        return worst
    return -1 if row == 0 else len(book.level_ticks)


@inlined
def _beyond(row: int, level: int, edge: int) -> bool:
    """Whether a level is farther from the touch than `edge`."""
    return level < edge if row == 0 else level > edge


@inner
def _seed(
    view: View, book: Book, slots: Slots, out: Emitted, i: int, row: int, level: int, lots: int
) -> None:
    """An anonymous lot comes into view."""
    side = 1 - 2 * row
    ticks = book.level_ticks[level]
    slot = enter_unnamed(slots, side, ticks, lots)
    first = out.rows[0]
    put(out, i, SEED, side, ticks, lots, slot)
    view.seed[row, level] = slot
    _enter_book(view, book, out, row, level, first)


@inner
def _start(ops: Ops, view: View, book: Book, slots: Slots, out: Emitted, row: int) -> None:
    """Seed what was there before message 0: what row 0 shows, with that message undone."""
    touched = view.message_level[0] if row_of(ops.side[0]) == row else _NO_LEVEL
    undo = 0
    if ops.op[0] == ADD:
        undo = -ops.lots[0]
    elif ops.op[0] == REDUCE or ops.op[0] == DELETE or ops.op[0] == EXECUTE:
        undo = ops.lots[0]
    for k in range(view.level.shape[2]):
        level = view.level[0, row, k]
        if level == _NO_LEVEL:
            break
        lots = view.lots[0, row, k]
        if level == touched:
            lots += undo
            undo = 0
        if lots > 0:
            _seed(view, book, slots, out, 0, row, level, lots)
            view.tally[SEEDED_AT_START] += 1
    if undo > 0 and touched != _NO_LEVEL:
        _seed(view, book, slots, out, 0, row, touched, undo)
        view.tally[SEEDED_AT_START] += 1


@inner
def _agrees(view: View, book: Book, i: int, row: int) -> bool:
    """Whether our side of the book is exactly what row `i` shows."""
    shown = 0
    for k in range(view.level.shape[2]):
        level = view.level[i, row, k]
        if level == _NO_LEVEL:
            break
        if _lots_at(book, row, level) != view.lots[i, row, k]:
            return False
        shown += 1
    occupied: int = view.occupied[row]
    return shown == occupied


@inner
def _adjust(view: View, book: Book, slots: Slots, out: Emitted, i: int, row: int) -> bool:
    """Make our side what row `i` shows. Returns whether the messages alone had got it wrong."""
    wrong = _withdraw(view, book, slots, out, i, row)
    old_edge = view.edge[row]
    for k in range(view.level.shape[2]):
        level = view.level[i, row, k]
        if level == _NO_LEVEL:
            break
        missing = view.lots[i, row, k] - _lots_at(book, row, level)
        if missing == 0:
            continue
        expected = _beyond(row, level, old_edge)
        if missing > 0:
            _seed(view, book, slots, out, i, row, level, missing)
        else:
            expected = False
            _shed(view, book, slots, out, i, row, level, -missing)
        if expected:
            view.tally[SEEDED_LATER] += 1
        else:
            view.tally[REPAIRED] += 1
            wrong = True
    return wrong


@inner
def _withdraw(view: View, book: Book, slots: Slots, out: Emitted, i: int, row: int) -> bool:
    """Levels that row `i` does not show leave. Returns whether one of them should be in view."""
    wrong = False
    edge = _edge(view, book, i, row)
    step = -1 if row == 0 else 1
    level = book.best[row]
    k = 0
    while 0 <= level < len(book.level_ticks) and view.occupied[row] > k:
        if _lots_at(book, row, level) > 0:
            if _is_shown(view, i, row, level):
                k += 1
            else:
                if not _beyond(row, level, edge):
                    wrong = True
                    view.tally[REPAIRED] += 1
                _shed(view, book, slots, out, i, row, level, _lots_at(book, row, level))
        level += step
    return wrong


@inlined
def _is_shown(view: View, i: int, row: int, level: int) -> bool:
    for k in range(view.level.shape[2]):  # noqa: SIM110  (a kernel has no generators)
        if view.level[i, row, k] == level:
            return True
    return False


@inner
def _shed(
    view: View, book: Book, slots: Slots, out: Emitted, i: int, row: int, level: int, lots: int
) -> None:
    """The last `lots` of a level's queue leave the view."""
    first = out.rows[0]
    side = 1 - 2 * row
    ticks = book.level_ticks[level]
    slot = book.levels[row, level]["tail"]
    while lots > 0:
        ahead = book.slots[slot]["prev"]
        leaving = min(lots, slots.lots[slot])
        put(out, i, UNSEEN, side, ticks, leaving, slot)
        view.tally[LEFT_VIEW] += 1
        slots.lots[slot] -= leaving
        if slots.lots[slot] == 0:
            if view.seed[row, level] == slot:
                view.seed[row, level] = -1
            release(slots, slot)
        lots -= leaving
        slot = ahead
    _enter_book(view, book, out, row, level, first)
