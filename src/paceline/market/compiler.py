"""Rows to a tape: resolve prices to levels, derive what everyone would compute again, take images.

The compiler trusts nobody: a row that would take the book where a book cannot go (a slot that is
not there, more lots than an order has) stops it with the row's number. Ingest quarantines such rows
before; the simulator never makes them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.errors import TapeError
from paceline.jit import inner, kernel
from paceline.market.book import (
    BEFORE_ALL,
    NOBODY,
    Book,
    apply,
    clear,
    join,
    new_book,
    row_of,
    show,
)
from paceline.market.events import (
    ADD,
    CLEAR,
    CROSS,
    DELETE,
    EXECUTE,
    HALT,
    HIDDEN,
    KIND_NAMES,
    LEVEL,
    QUOTE,
    REDUCE,
    RESUME,
    SEED,
    TRADE,
    UNSEEN,
    Events,
    Rows,
)

IMAGE_EVERY = 2048
"""Events between two book images: rolling that far forward costs about as much as loading one."""

_BOARD = 1 << 22
"""Largest span of ticks that is put on a board and not sorted."""

_MAX_LOTS = np.iinfo(np.int32).max
PRICELESS = (HALT, QUOTE, RESUME, CLEAR)


class Images(NamedTuple):
    """Full books at every `IMAGE_EVERY`-th event, so that any time is a short roll away.

    Image `k` is the book *before* event `k * IMAGE_EVERY`; its rows are
    `offset[k]:offset[k + 1]`, each side from its lowest level up, each queue from its head.
    """

    offset: NDArray[np.int64]  # [n_images + 1]
    halted: NDArray[np.uint8]  # [n_images] 1 while trading was stopped
    slot: NDArray[np.int32]  # [n_rows] -1 in books without orders
    level: NDArray[np.int32]  # [n_rows]
    row: NDArray[np.int8]  # [n_rows] 0 bid, 1 ask
    lots: NDArray[np.int32]  # [n_rows]
    seq: NDArray[np.int64]  # [n_rows]


@inner
def fault(book: Book, kind: int, side: int, level: int, qty: int, slot: int) -> int:
    """0 if the event may touch the book, else which check it fails (see `FAULTS`)."""
    if kind == ADD or (kind == SEED and slot >= 0):
        if side == 0:
            return 1
        if slot < 0 or book.slots[slot]["lots"] > 0:
            return 2
        if qty <= 0:
            return 3
        queue = book.levels[row_of(side), level]
        if queue["head"] == NOBODY and queue["lots"] > 0:
            return 8
    elif kind == REDUCE or kind == DELETE or kind == EXECUTE or (kind == UNSEEN and slot >= 0):
        if slot < 0 or book.slots[slot]["lots"] == 0:
            return 4
        if qty <= 0:
            return 3
        if qty > book.slots[slot]["lots"]:
            return 5
        if book.slots[slot]["level"] != level or book.slots[slot]["row"] != row_of(side):
            return 6
        if kind == DELETE and qty < book.slots[slot]["lots"]:
            return 7
    elif kind == UNSEEN:
        return 4
    elif kind == LEVEL or kind == SEED:
        if side == 0:
            return 1
        if qty < 0:
            return 3
        if book.levels[row_of(side), level]["head"] != NOBODY:
            return 8
    elif (kind == TRADE or kind == HIDDEN or kind == CROSS) and qty <= 0:
        return 3
    return 0


FAULTS = {
    1: "has no side",
    2: "adds an order to a slot that is taken or not given",
    3: "has a size that is not positive",
    4: "names an order that is not in the book",
    5: "takes more lots than the order has",
    6: "names another price or side than its order's",
    7: "deletes a part of an order only (that is a reduce)",
    8: "mixes orders and a level without orders at one price",
}


@kernel
def _roll(
    book: Book, events: Events, start: int, stop: int, volume: int, halted: int
) -> tuple[int, int, int, int]:
    """Roll events `start:stop` and fill their derived columns.

    Returns (volume, halted, first bad row or -1, why it is bad).
    """
    for i in range(start, stop):
        kind, side, level = events.kind[i], events.side[i], events.level[i]
        qty, slot = events.qty[i], events.slot[i]
        why = fault(book, kind, side, level, qty, slot)
        if why:
            return volume, halted, i, why
        apply(book, kind, side, level, qty, slot, i)
        if kind == EXECUTE or kind == HIDDEN or kind == TRADE:
            volume += qty
        elif kind == HALT:
            halted = 1
        elif kind == RESUME:
            halted = 0
        events.bid[i] = book.best[0]
        events.ask[i] = book.best[1]
        events.volume[i] = volume
    return volume, halted, -1, 0


@kernel
def _count(book: Book) -> int:
    """Rows an image of `book` takes."""
    count = 0
    for row in range(2):
        for level in range(len(book.level_ticks)):
            queue = book.levels[row, level]
            slot = queue["head"]
            if slot == NOBODY and queue["lots"] > 0:
                count += 1
            while slot != NOBODY:
                count += 1
                slot = book.slots[slot]["next"]
    return count


@kernel
def _take(book: Book, images: Images, at: int) -> None:
    """Write an image of `book` from row `at` on."""
    for row in range(2):
        for level in range(len(book.level_ticks)):
            queue = book.levels[row, level]
            slot = queue["head"]
            if slot == NOBODY and queue["lots"] > 0:
                images.slot[at] = NOBODY
                images.level[at] = level
                images.row[at] = row
                images.lots[at] = queue["lots"]
                images.seq[at] = BEFORE_ALL
                at += 1
            while slot != NOBODY:
                order = book.slots[slot]
                images.slot[at] = slot
                images.level[at] = level
                images.row[at] = row
                images.lots[at] = order["lots"]
                images.seq[at] = order["seq"]
                at += 1
                slot = order["next"]


@kernel
def load_image(book: Book, images: Images, k: int) -> None:
    """Make `book` the book of image `k`."""
    clear(book)
    for i in range(images.offset[k], images.offset[k + 1]):
        slot, level, row = images.slot[i], images.level[i], images.row[i]
        if slot >= 0:
            join(book, row, level, slot, images.lots[i], images.seq[i])
        else:
            show(book, row, level, images.lots[i])


def _stack(taken: list[Images], halted: list[int]) -> Images:
    """One set of images from many single ones."""
    rows = [len(image.slot) for image in taken]
    columns = (
        np.concatenate([getattr(image, name) for image in taken]) for name in Images._fields[2:]
    )
    return Images(np.concatenate([[0], np.cumsum(rows)]), np.array(halted, np.uint8), *columns)


def price_table(ticks: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct `ticks` `[n]` in rising order `[n_levels]`, and the level of each `[n]`.

    A day's prices lie close together, so marking them on a board beats sorting millions of rows.
    """
    if len(ticks) == 0 or int(ticks.max()) - int(ticks.min()) > _BOARD:
        level_ticks, level = np.unique(ticks, return_inverse=True)
        return level_ticks, level
    lowest = ticks.min()
    away = ticks - lowest
    board = np.zeros(int(away.max()) + 1, np.int64)
    board[away] = 1
    seen = np.flatnonzero(board)
    board[seen] = np.arange(len(seen))
    return seen + lowest, board[away]


def compile_rows(rows: Rows) -> tuple[Events, NDArray[np.int64], Images]:
    """Compile `rows` into events, their price table `[n_levels]` and book images.

    Raises `TapeError`, naming the row, if they cannot be a book's history.
    """
    n = len(rows.ts)
    if n == 0:
        raise TapeError("rows: there are none; a tape needs at least one event")
    if np.any(np.diff(rows.ts) < 0):
        i = int(np.argmax(np.diff(rows.ts) < 0)) + 1
        raise TapeError(f"rows.ts: row {i} is earlier than the row before; sort the rows")
    if rows.lots.max() > _MAX_LOTS:
        i = int(np.argmax(rows.lots))
        raise TapeError(
            f"rows.lots: {rows.lots[i]} in row {i} does not fit 32 bits; use a larger lot"
        )
    priced = ~np.isin(rows.kind, PRICELESS)
    level_ticks, level = price_table(rows.ticks[priced])
    column = np.full(n, -1, np.int32)
    column[priced] = level
    n_slots = int(rows.slot.max()) + 1
    events = Events(
        ts=np.ascontiguousarray(rows.ts, np.int64),
        kind=np.ascontiguousarray(rows.kind, np.uint8),
        side=np.ascontiguousarray(rows.side, np.int8),
        level=column,
        qty=rows.lots.astype(np.int32),
        slot=np.ascontiguousarray(rows.slot, np.int32),
        bid=np.empty(n, np.int32),
        ask=np.empty(n, np.int32),
        volume=np.empty(n, np.int64),
    )
    return events, level_ticks, _derive(events, level_ticks, n_slots)


def _derive(events: Events, level_ticks: NDArray[np.int64], n_slots: int) -> Images:
    """Fill the derived columns of `events` and return the images taken on the way."""
    book = new_book(level_ticks, n_slots)
    taken: list[Images] = []
    stopped: list[int] = []
    volume = halted = 0
    n = len(events.ts)
    for start in range(0, n, IMAGE_EVERY):
        size = _count(book)
        image = Images(
            np.empty(0, np.int64),
            np.empty(0, np.uint8),
            np.empty(size, np.int32),
            np.empty(size, np.int32),
            np.empty(size, np.int8),
            np.empty(size, np.int32),
            np.empty(size, np.int64),
        )
        _take(book, image, 0)
        taken.append(image)
        stopped.append(halted)
        stop = min(start + IMAGE_EVERY, n)
        volume, halted, bad, why = _roll(book, events, start, stop, volume, halted)
        if bad >= 0:
            raise TapeError(
                f"rows: row {bad} ({KIND_NAMES.get(int(events.kind[bad]), 'unknown kind')}) "
                f"{FAULTS[why]}; quarantine it before compiling"
            )
    return _stack(taken, stopped)
