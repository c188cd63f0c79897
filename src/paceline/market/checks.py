"""What must hold of a tape before a kernel may read it: kernels index without asking.

`paceline.files` finds files that changed since they were written. This finds files that were
written wrong: every level, slot, side and kind is in range, each row does to the book what a book
can do (the compiler's own rules), and each image is the book that the rows before it make. One
pass, some 40 ns a row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.jit import inlined, kernel
from paceline.market.book import BEFORE_ALL, NOBODY, Book, new_book, row_of
from paceline.market.compiler import FAULTS, IMAGE_EVERY, PRICELESS, Images, fault
from paceline.market.events import (
    ADD,
    CLEAR,
    DELETE,
    EXECUTE,
    HALT,
    HIDDEN,
    LEVEL,
    QUOTE,
    REDUCE,
    RESUME,
    SEED,
    TRADE,
    UNSEEN,
    Events,
)

_MOST_CLEARED = 1 << 32
"""Most slots and levels that all CLEAR rows of a tape may empty: each empties all there are."""

_IN_RANGE = {
    20: "has a kind that there is not",
    21: "has a side that is none",
    22: "has a level that is not in the price table",
    23: "has a slot that is none",
    24: "has a negative size",
    25: "is earlier than the row before",
    26: "has a best price that is not in the price table",
    27: "has another volume than was traded",
}
_IN_IMAGE = {
    40: "does not say which rows it has",
    41: "has a side, level or slot that is none",
    42: "is not the book of its time",
    43: "says wrongly whether trading was stopped",
}


def check_content(
    events: Events, level_ticks: NDArray[np.int64], images: Images, n_slots: int
) -> None:
    """Raises `ValueError`, saying what is wrong, for columns that no kernel may be given."""
    n, n_levels = len(events.ts), len(level_ticks)
    if n == 0 or (n_levels == 0 and not np.isin(events.kind, PRICELESS).all()):
        raise ValueError("there are no events, or no prices")
    if not (level_ticks[1:] > level_ticks[:-1]).all():
        raise ValueError("its prices do not rise")
    if n_slots != int(events.slot.max()) + 1:
        raise ValueError(f"n_slots is {n_slots}, its events have {int(events.slot.max()) + 1}")
    clears = int((events.kind == CLEAR).sum())
    if clears * (n_slots + 2 * n_levels) > _MOST_CLEARED:
        raise ValueError(f"its book is emptied {clears:,} times")
    offset = images.offset
    if len(images.halted) != -(-n // IMAGE_EVERY) or len(offset) != len(images.halted) + 1:
        raise ValueError(f"has {len(images.halted)} images for {n:,} events")
    if offset[0] != 0 or offset[-1] != len(images.slot) or (offset[1:] < offset[:-1]).any():
        raise ValueError("its images overlap or leave rows out")
    work = new_book(level_ticks, n_slots)
    seen = np.full(n_slots + 2 * n_levels, -1, np.int64)
    why, at = _first_wrong(events, images, work, seen)
    if why >= 40:
        raise ValueError(f"image {at} {_IN_IMAGE[why]}")
    if why:
        raise ValueError(f"row {at} {_IN_RANGE.get(why) or FAULTS[why]}")


@kernel
def _first_wrong(
    events: Events, images: Images, work: Book, seen: NDArray[np.int64]
) -> tuple[int, int]:
    """What is wrong first (0: nothing), and at which row or image.

    Of `work` the slots are kept as a book has them; a level's `head` is any order of it, and `tail`
    how many there are. `rows` counts what an image of it has."""
    n_levels, n_slots = len(work.level_ticks), len(work.slots)
    for row in range(2):
        for level in range(n_levels):
            work.levels[row, level]["tail"] = 0
    volume = halted = rows = 0
    last = events.ts[0]
    for i in range(len(events.ts)):
        if i % IMAGE_EVERY == 0:
            why = _wrong_image(images, i // IMAGE_EVERY, work, seen, rows, halted)
            if why:
                return why, i // IMAGE_EVERY
        kind, side, level = events.kind[i], events.side[i], events.level[i]
        qty, slot = events.qty[i], events.slot[i]
        if kind < ADD or kind > UNSEEN:
            return 20, i
        if side < -1 or side > 1:
            return 21, i
        priceless = kind == HALT or kind == QUOTE or kind == RESUME or kind == CLEAR
        if level >= n_levels or level < (-1 if priceless else 0):
            return 22, i
        if slot < -1 or slot >= n_slots:
            return 23, i
        if qty < 0:
            return 24, i
        if events.ts[i] < last:
            return 25, i
        last = events.ts[i]
        why = fault(work, kind, side, level, qty, slot)
        if why:
            return why, i
        rows += _change(work, kind, side, level, qty, slot, i)
        if kind == EXECUTE or kind == HIDDEN or kind == TRADE:
            volume += qty
        elif kind == HALT:
            halted = 1
        elif kind == RESUME:
            halted = 0
        bid, ask = events.bid[i], events.ask[i]
        if bid < -1 or bid >= n_levels or ask < 0 or ask > n_levels:
            return 26, i
        if events.volume[i] != volume:
            return 27, i
    return 0, 0


@inlined
def _change(book: Book, kind: int, side: int, level: int, qty: int, slot: int, seq: int) -> int:
    """Let a row that has passed change `book`; by how many rows its image grows."""
    if kind == ADD or (kind == SEED and slot >= 0):
        row = row_of(side)
        order, queue = book.slots[np.uint32(slot)], book.levels[np.uint32(row), np.uint32(level)]
        order["lots"] = qty
        order["level"] = level
        order["row"] = row
        order["seq"] = seq if kind == ADD else BEFORE_ALL
        queue["lots"] += qty
        queue["head"] = slot
        queue["tail"] += 1
        return 1
    if kind == REDUCE or kind == DELETE or kind == EXECUTE or kind == UNSEEN:
        order = book.slots[np.uint32(slot)]
        queue = book.levels[np.uint32(order["row"]), np.uint32(order["level"])]
        order["lots"] -= qty
        queue["lots"] -= qty
        if order["lots"] > 0:
            return 0
        queue["tail"] -= 1
        if queue["tail"] == 0:
            queue["head"] = NOBODY
        return -1
    if kind == LEVEL or kind == SEED:
        queue = book.levels[row_of(side), level]
        grown = int(qty > 0) - int(queue["lots"] > 0)
        queue["lots"] = qty
        return grown
    if kind != CLEAR:
        return 0
    gone = 0
    for k in range(len(book.slots)):
        book.slots[k]["lots"] = 0
    for row in range(2):
        for k in range(len(book.level_ticks)):
            queue = book.levels[row, k]
            gone += queue["tail"] + int(queue["head"] == NOBODY and queue["lots"] > 0)
            queue["lots"] = 0
            queue["tail"] = 0
            queue["head"] = NOBODY
    return -gone


@kernel
def _wrong_image(
    images: Images, k: int, book: Book, seen: NDArray[np.int64], rows: int, halted: int
) -> int:
    """What is wrong with image `k` of `book`, which has so many rows; 0 for nothing.

    `seen` is the image in which a slot, or after the slots a level, was met last."""
    n_levels, n_slots = len(book.level_ticks), len(book.slots)
    if images.offset[k + 1] - images.offset[k] != rows:
        return 40
    if images.halted[k] != halted:
        return 43
    for i in range(images.offset[k], images.offset[k + 1]):
        slot, level, row = images.slot[i], images.level[i], int(images.row[i])
        if slot < -1 or slot >= n_slots or level < 0 or level >= n_levels or row < 0 or row > 1:
            return 41
        key = slot if slot >= 0 else n_slots + row * n_levels + level
        if seen[key] == k:
            return 42
        seen[key] = k
        if slot < 0:
            queue = book.levels[row, level]
            if queue["head"] != NOBODY or queue["lots"] != images.lots[i] or queue["lots"] <= 0:
                return 42
            continue
        order = book.slots[slot]
        if order["lots"] != images.lots[i] or order["lots"] <= 0 or order["seq"] != images.seq[i]:
            return 42
        if order["level"] != level or order["row"] != row:
            return 42
    return 0
