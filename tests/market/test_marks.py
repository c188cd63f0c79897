"""The marks of a book say which levels show lots, whatever changes them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from paceline.jit import kernel
from paceline.market.book import (
    Book,
    apply,
    clear,
    clear_side,
    join,
    leave,
    new_book,
    next_level,
    show,
    worse_level,
)
from paceline.market.events import CLEAR


@kernel
def _change(book: Book, what: int, row: int, level: int, slot: int, lots: int) -> None:
    if what == 0:
        join(book, row, level, slot, lots, 0)
    elif what == 1:
        leave(book, slot, lots)
    elif what == 2:
        show(book, row, level, lots)
    elif what == 3:
        apply(book, CLEAR, 0, -1, 0, -1, 0)
    else:
        clear_side(book, row)


@kernel
def _found(book: Book, out: NDArray[np.int64]) -> None:
    for row in range(2):
        for level in range(len(book.level_ticks)):
            out[0, row, level] = next_level(book, row, level)
            out[1, row, level] = worse_level(book, row, level)


def check(book: Book, n: int) -> None:
    shown = book.levels["lots"][:, :n] > 0
    bits = np.array(
        [[book.marks[row, k // 64] >> (k % 64) & 1 for k in range(n)] for row in (0, 1)]
    )
    assert np.array_equal(bits == 1, shown)
    out = np.zeros((2, 2, n), np.int64)
    _found(book, out)
    for level in range(n):
        bids, asks = np.flatnonzero(shown[0]), np.flatnonzero(shown[1])
        assert out[0, 0, level] == max(bids[bids <= level], default=-1)
        assert out[1, 0, level] == max(bids[bids < level], default=-1)
        assert out[0, 1, level] == min(asks[asks >= level], default=n)
        assert out[1, 1, level] == min(asks[asks > level], default=n)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 200])
def test_marks_are_the_levels_that_show_lots(n: int) -> None:
    rng = np.random.default_rng(n)
    book, free = new_book(np.arange(n), 40), list(range(40))
    for step in range(120):
        row, level = int(rng.integers(2)), int(rng.integers(n))
        if free and rng.random() < 0.6:
            _change(book, 0, row, level, free.pop(), int(rng.integers(1, 9)))
        elif len(free) < 40:
            slot = int(rng.choice([k for k in range(40) if k not in free]))
            all_of_it = int(book.slots[slot]["lots"])
            lots = int(rng.integers(1, all_of_it + 1))
            _change(book, 1, 0, 0, slot, lots)
            if lots == all_of_it:
                free.append(slot)
        if step % 10 == 0:
            check(book, n)
    check(book, n)
    clear(book)
    assert not book.marks.any()


@pytest.mark.parametrize("n", [3, 130])
def test_marks_of_a_book_without_orders(n: int) -> None:
    rng = np.random.default_rng(n)
    book = new_book(np.arange(n), 0)
    for step in range(200):
        row, level = int(rng.integers(2)), int(rng.integers(n))
        _change(book, 2, row, level, -1, int(rng.integers(0, 3)))
        if step % 50 == 49:
            check(book, n)
            _change(book, int(rng.integers(3, 5)), row, 0, -1, 0)
            check(book, n)


def test_a_narrower_day_leaves_nothing_of_a_wider_one() -> None:
    wide = new_book(np.arange(200), 4)
    _change(wide, 0, 1, 190, 0, 5)
    narrow = wide._replace(level_ticks=np.arange(70))
    clear(narrow)
    assert narrow.best.tolist() == [-1, 70]
    assert not wide.marks.any()
    assert not wide.levels["lots"].any()
