"""The book: price levels, and in each a first-in-first-out queue of orders.

Prices are rows of a sorted price table (`level_ticks`), made when the tape was compiled, so a
far-away price costs one row and not a million. Orders are slots, resolved at ingest, so nothing
here looks an id up. Everything is an array; a book can be copied, saved and compared.

Sides are rows: 0 for bids, 1 for asks (`row_of`).

In the hot paths indices are made unsigned where they are used: with signed ones, every access would
first ask whether it counts from the end. Nor do they branch on what a feed decides at random (is it
the first of its queue, or the last?): a processor guesses half of those wrong, and a wrong guess
costs as much as the rest of the event. They write the old value back instead.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.jit import inlined, inner, kernel
from paceline.market.events import (
    ADD,
    CLEAR,
    DELETE,
    EXECUTE,
    LEVEL,
    REDUCE,
    SEED,
    UNSEEN,
)
from paceline.processor import highest_bit, lowest_bit

NOBODY = -1
"""End of a queue."""

_WORD = 64
"""Levels that one word of `marks` is about."""
_SHIFT, _BIT = 6, 63
"""The same, to divide by it: signed division asks about signs first."""

BEFORE_ALL = -1
"""Sequence number of lots that were there before anything we saw."""


LEVEL_RECORD = np.dtype(
    [
        ("lots", np.int64),  # lots shown
        ("head", np.int32),  # first slot in the queue
        ("tail", np.int32),  # last slot in the queue
    ]
)
SLOT_RECORD = np.dtype(
    [
        ("lots", np.int32),  # lots left of the order; 0: the slot is free
        ("level", np.int32),
        ("next", np.int32),  # the order behind
        ("prev", np.int32),  # the order in front
        ("row", np.int64),  # 0 bid, 1 ask
        ("seq", np.int64),  # event index at which the order joined its queue
    ]
)


class Book(NamedTuple):
    """State of one book. `n` levels, `m` slots."""

    level_ticks: NDArray[np.int64]  # [n] price of each level in book ticks, rising
    levels: NDArray[np.void]  # [2, n or more] of LEVEL_RECORD
    slots: NDArray[np.void]  # [m] of SLOT_RECORD
    best: NDArray[np.int64]  # [2] best bid level (-1: none), best ask level (n: none)
    marks: NDArray[np.int64]  # [2, of levels / 64] a bit for each that shows lots


def new_book(level_ticks: NDArray[np.int64], n_slots: int) -> Book:
    """An empty book on the given price table."""
    n = len(level_ticks)
    book = Book(
        level_ticks=level_ticks,
        levels=np.zeros((2, n), LEVEL_RECORD),
        slots=np.zeros(n_slots, SLOT_RECORD),
        best=np.array([-1, n], np.int64),
        marks=np.zeros((2, (n + _WORD - 1) // _WORD), np.int64),
    )
    book.levels["head"] = book.levels["tail"] = NOBODY
    return book


@inlined
def row_of(side: int) -> int:
    """Row of a side: +1 (bids) is 0, -1 (asks) is 1."""
    return (1 - side) >> 1


@inner
def rank(values: NDArray[np.int64], key: int) -> int:
    """How many of the rising `values` lie below `key`.

    `np.searchsorted` for one key; Numba takes a second and a half to compile that.
    """
    low, left = 0, len(values)
    while left > 0:
        half = (left + 1) >> 1
        low += half * (values[low + half - 1] < key)  # no branch: it could not be foreseen
        left -= half
    return low


@kernel
def clear(book: Book) -> None:
    """Empty the book."""
    for row in range(2):
        clear_side(book, row)
    for i in range(len(book.slots)):
        book.slots[i]["lots"] = 0


@inner
def clear_side(book: Book, row: int) -> None:
    """Nothing is shown on a side. Whose orders stood there is forgotten."""
    for at in range(book.marks.shape[1]):
        word = book.marks[row, at]
        while word != 0:
            queue = book.levels[row, at * _WORD + lowest_bit(word)]
            queue["lots"] = 0
            queue["head"] = queue["tail"] = NOBODY
            word &= word - 1
        book.marks[row, at] = 0
    book.best[row] = -1 if row == 0 else len(book.level_ticks)


@inlined
def is_shown(book: Book, row: int) -> bool:
    """Whether a side has an order."""
    return 0 <= book.best[row] < len(book.level_ticks)


@inlined
def mark(book: Book, row: int, level: int) -> None:
    """`level` shows lots."""
    book.marks[np.uint32(row), np.uint32(level >> _SHIFT)] |= np.int64(1) << (level & _BIT)


@inlined
def unmark(book: Book, row: int, level: int) -> None:
    """`level` shows nothing."""
    book.marks[np.uint32(row), np.uint32(level >> _SHIFT)] &= ~(np.int64(1) << (level & _BIT))


@inner
def next_marked(marks: NDArray[np.int64], row: int, level: int, n: int) -> int:
    """`next_level` by the marks of a book of `n` levels."""
    at, bit = level >> _SHIFT, level & _BIT
    if row == 0:
        word = marks[0, np.uint32(at)] & ((np.int64(2) << bit) - 1)
        while word == 0 and at > 0:
            at -= 1
            word = marks[0, np.uint32(at)]
        return at * _WORD + highest_bit(word) if word != 0 else -1
    word = marks[1, np.uint32(at)] & (np.int64(-1) << bit)
    while word == 0 and at + 1 < marks.shape[1]:
        at += 1
        word = marks[1, np.uint32(at)]
    return at * _WORD + lowest_bit(word) if word != 0 else n


@inlined
def next_level(book: Book, row: int, level: int) -> int:
    """The best level of a side that shows lots, of `level`, which there is, and those that are
    worse; -1 or n if there is none. Prices are many and few of them show anything: those between
    are not looked at."""
    return next_marked(book.marks, row, level, len(book.level_ticks))


@inlined
def worse_level(book: Book, row: int, level: int) -> int:
    """The best level of a side that shows lots and is worse than `level`; -1 or n if there is
    none."""
    level += 2 * row - 1
    return next_level(book, row, level) if 0 <= level < len(book.level_ticks) else level


@inlined
def improve_best(book: Book, row: int, level: int) -> None:
    """`level` has lots now: it may be the best of its side."""
    if (1 - 2 * row) * (level - book.best[np.uint32(row)]) > 0:
        book.best[np.uint32(row)] = level


@inlined
def retreat_best(book: Book, row: int, level: int) -> None:
    """`level` has run empty: if it was the best, the next level that shows lots is."""
    if level == book.best[np.uint32(row)]:
        book.best[np.uint32(row)] = next_level(book, row, level)


@inlined
def join(book: Book, row: int, level: int, slot: int, lots: int, seq: int) -> None:
    """An order joins the tail of its level's queue."""
    queue = book.levels[np.uint32(row), np.uint32(level)]
    order = book.slots[np.uint32(slot)]
    last, first = queue["tail"], queue["head"]
    alone = last == NOBODY
    queue["head"] = slot if alone else first
    queue["tail"] = slot
    queue["lots"] += lots
    book.slots[np.uint32(slot if alone else last)]["next"] = slot  # its own is set below
    order["lots"] = lots
    order["level"] = level
    order["next"] = NOBODY
    order["prev"] = last
    order["row"] = row
    order["seq"] = seq
    if alone:
        mark(book, row, level)
        improve_best(book, row, level)


@inlined
def leave(book: Book, slot: int, lots: int) -> None:
    """`lots` of the order in `slot` go away; with the last of them the order leaves its queue."""
    order = book.slots[np.uint32(slot)]
    leave_level(book, order["row"], order["level"], slot, lots)


@inlined
def leave_level(book: Book, row: int, level: int, slot: int, lots: int) -> None:
    """The same for an order that is known to stand on a level."""
    order = book.slots[np.uint32(slot)]
    queue = book.levels[np.uint32(row), np.uint32(level)]
    left = order["lots"] - lots
    shown = queue["lots"] - lots
    order["lots"] = left
    queue["lots"] = shown
    if left > 0:
        return
    before, behind = order["prev"], order["next"]
    first, last = queue["head"], queue["tail"]
    queue["head"] = behind if before == NOBODY else first
    queue["tail"] = before if behind == NOBODY else last
    # Where there is nobody, the order's own links are written again.
    book.slots[np.uint32(slot if before == NOBODY else before)]["next"] = behind
    book.slots[np.uint32(slot if behind == NOBODY else behind)]["prev"] = before
    if shown == 0:
        unmark(book, row, level)
        retreat_best(book, row, level)


@inlined
def show(book: Book, row: int, level: int, lots: int) -> None:
    """A level of a book without orders now shows `lots`."""
    queue = book.levels[np.uint32(row), np.uint32(level)]
    before = queue["lots"]
    queue["lots"] = lots
    if before == 0 and lots > 0:
        mark(book, row, level)
        improve_best(book, row, level)
    elif before > 0 and lots == 0:
        unmark(book, row, level)
        retreat_best(book, row, level)


@inlined
def apply(book: Book, kind: int, side: int, level: int, qty: int, slot: int, seq: int) -> None:
    """Let one event change the book. `seq` is the event's index in the tape.

    The event must have passed the compiler: slots, levels and sizes are trusted here.
    """
    if kind == ADD:
        join(book, row_of(side), level, slot, qty, seq)
    elif kind == REDUCE or kind == DELETE or kind == EXECUTE or kind == UNSEEN:
        leave_level(book, row_of(side), level, slot, qty)
    elif kind == LEVEL:
        show(book, row_of(side), level, qty)
    elif kind == SEED:
        if slot >= 0:
            join(book, row_of(side), level, slot, qty, BEFORE_ALL)
        else:
            show(book, row_of(side), level, qty)
    elif kind == CLEAR:
        clear(book)


@kernel
def top_levels(book: Book, row: int, ticks: NDArray[np.int64], lots: NDArray[np.int64]) -> int:
    """Write the best `len(ticks)` levels of a side, best first; returns how many there are."""
    k = 0
    n = len(book.level_ticks)
    level = book.best[row]
    while k < len(ticks) and 0 <= level < n:
        ticks[k] = book.level_ticks[level]
        lots[k] = book.levels[row, level]["lots"]
        k += 1
        level = worse_level(book, row, level)
    return k
