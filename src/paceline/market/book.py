"""The book: price levels, and in each a first-in-first-out queue of orders.

Prices are rows of a sorted price table (`level_ticks`), made when the tape was compiled, so a
far-away price costs one row and not a million. Orders are slots, resolved at ingest, so nothing
here looks an id up. Everything is an array; a book can be copied, saved and compared.

Sides are rows: 0 for bids, 1 for asks (`row_of`).
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

NOBODY = -1
"""End of a queue."""

BEFORE_ALL = -1
"""Sequence number of lots that were there before anything we saw."""


class Book(NamedTuple):
    """State of one book. `n` levels, `m` slots."""

    level_ticks: NDArray[np.int64]  # [n] price of each level in book ticks, rising
    lots: NDArray[np.int64]  # [2, n] lots shown at each level
    head: NDArray[np.int32]  # [2, n] first slot in the queue
    tail: NDArray[np.int32]  # [2, n] last slot in the queue
    best: NDArray[np.int64]  # [2] best bid level (-1: none), best ask level (n: none)
    slot_lots: NDArray[np.int32]  # [m] lots left of the order; 0: the slot is free
    slot_level: NDArray[np.int32]  # [m]
    slot_row: NDArray[np.int8]  # [m] 0 bid, 1 ask
    slot_next: NDArray[np.int32]  # [m] the order behind
    slot_prev: NDArray[np.int32]  # [m] the order in front
    slot_seq: NDArray[np.int64]  # [m] event index at which the order joined its queue


def new_book(level_ticks: NDArray[np.int64], n_slots: int) -> Book:
    """An empty book on the given price table."""
    n = len(level_ticks)
    return Book(
        level_ticks=level_ticks,
        lots=np.zeros((2, n), np.int64),
        head=np.full((2, n), NOBODY, np.int32),
        tail=np.full((2, n), NOBODY, np.int32),
        best=np.array([-1, n], np.int64),
        slot_lots=np.zeros(n_slots, np.int32),
        slot_level=np.zeros(n_slots, np.int32),
        slot_row=np.zeros(n_slots, np.int8),
        slot_next=np.full(n_slots, NOBODY, np.int32),
        slot_prev=np.full(n_slots, NOBODY, np.int32),
        slot_seq=np.zeros(n_slots, np.int64),
    )


@inlined
def row_of(side: int) -> int:
    """Row of a side: +1 (bids) is 0, -1 (asks) is 1."""
    return 0 if side > 0 else 1


@inner
def rank(values: NDArray[np.int64], key: int) -> int:
    """How many of the rising `values` lie below `key`.

    `np.searchsorted` for one key; Numba takes a second and a half to compile that.
    """
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def clear(book: Book) -> None:
    """Empty the book."""
    book.lots[:, :] = 0
    book.head[:, :] = NOBODY
    book.tail[:, :] = NOBODY
    book.slot_lots[:] = 0
    book.best[0] = -1
    book.best[1] = len(book.level_ticks)


@inlined
def improve_best(book: Book, row: int, level: int) -> None:
    """`level` has lots now: it may be the best of its side."""
    if row == 0:
        if level > book.best[0]:
            book.best[0] = level
    elif level < book.best[1]:
        book.best[1] = level


@inlined
def retreat_best(book: Book, row: int, level: int) -> None:
    """`level` has run empty: if it was the best, the next level that shows lots is."""
    if level != book.best[row]:
        return
    if row == 0:
        while level >= 0 and book.lots[0, level] == 0:
            level -= 1
    else:
        n = len(book.level_ticks)
        while level < n and book.lots[1, level] == 0:
            level += 1
    book.best[row] = level


@inlined
def join(book: Book, row: int, level: int, slot: int, lots: int, seq: int) -> None:
    """An order joins the tail of its level's queue."""
    last = book.tail[row, level]
    book.slot_lots[slot] = lots
    book.slot_level[slot] = level
    book.slot_row[slot] = row
    book.slot_seq[slot] = seq
    book.slot_prev[slot] = last
    book.slot_next[slot] = NOBODY
    if last == NOBODY:
        book.head[row, level] = slot
    else:
        book.slot_next[last] = slot
    book.tail[row, level] = slot
    book.lots[row, level] += lots
    improve_best(book, row, level)


@inlined
def leave(book: Book, slot: int, lots: int) -> None:
    """`lots` of the order in `slot` go away; with the last of them the order leaves its queue."""
    row = book.slot_row[slot]
    level = book.slot_level[slot]
    book.slot_lots[slot] -= lots
    book.lots[row, level] -= lots
    if book.slot_lots[slot] > 0:
        return
    before = book.slot_prev[slot]
    behind = book.slot_next[slot]
    if before == NOBODY:
        book.head[row, level] = behind
    else:
        book.slot_next[before] = behind
    if behind == NOBODY:
        book.tail[row, level] = before
    else:
        book.slot_prev[behind] = before
    if book.lots[row, level] == 0:
        retreat_best(book, row, level)


@inlined
def show(book: Book, row: int, level: int, lots: int) -> None:
    """A level of a book without orders now shows `lots`."""
    book.lots[row, level] = lots
    if lots > 0:
        improve_best(book, row, level)
    else:
        retreat_best(book, row, level)


@inlined
def apply(book: Book, kind: int, side: int, level: int, qty: int, slot: int, seq: int) -> None:
    """Let one event change the book. `seq` is the event's index in the tape.

    The event must have passed the compiler: slots, levels and sizes are trusted here.
    """
    if kind == ADD:
        join(book, row_of(side), level, slot, qty, seq)
    elif kind == REDUCE or kind == DELETE or kind == EXECUTE or kind == UNSEEN:
        leave(book, slot, qty)
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
    step = -1 if row == 0 else 1
    while k < len(ticks) and 0 <= level < n:
        if book.lots[row, level] > 0:
            ticks[k] = book.level_ticks[level]
            lots[k] = book.lots[row, level]
            k += 1
        level += step
    return k
