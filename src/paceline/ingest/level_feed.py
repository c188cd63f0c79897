"""Depth updates, tickers, snapshots and trades to level changes (books without orders).

A depth update lists levels and what they show now; a ticker says that nothing is better than its
two levels. Both are absolute, so a level that is right stays right, and only changes become rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.ingest.resolve import Emitted, as_rows, emitted, put, widened
from paceline.jit import inner, kernel
from paceline.market.book import Book, clear_side, new_book, row_of, show
from paceline.market.compiler import price_table
from paceline.market.events import CLEAR, LEVEL, NO_SLOT, SEED, TRADE, Rows

PRINT = 1
DEPTH = 2
TICKER = 3
SNAPSHOT = 4
FRESH_DEPTH = 5
"""A depth update after a gap: the book starts again from nothing."""

# Rows of `Feed.tally`.
COMPARED = 0
CONTRADICTED = 1
FIRST_CONTRADICTED = 2
TRIMMED = 3


class Feed(NamedTuple):
    """Messages in the order in which they shall act, and the levels they name."""

    what: NDArray[np.uint8]  # [n] PRINT, DEPTH, TICKER, SNAPSHOT or FRESH_DEPTH
    origin: NDArray[np.int64]  # [n] raw row of the message
    first: NDArray[np.int64]  # [n] its levels are first:stop; a PRINT has one, a TICKER bid and ask
    stop: NDArray[np.int64]  # [n]
    side: NDArray[np.int8]  # [m]
    ticks: NDArray[np.int64]  # [m]
    lots: NDArray[np.int64]  # [m]


class Start(NamedTuple):
    """Where a part of a feed begins: with the book that the parts before it left."""

    message: int
    ts: int
    """When that book is seeded, ns since the epoch; no later than the message."""


class Part(NamedTuple):
    """What became of a part of a feed."""

    rows: Rows
    origin: NDArray[np.int64]  # [n_rows] raw row that made each; of seeds the part's first
    seeds: int  # rows at the start that show the levels left standing
    tally: NDArray[np.int64]  # [4] the ticker's checks


def follow_levels(feed: Feed, ts: NDArray[np.int64], starts: Sequence[Start]) -> list[Part]:
    """Rows of a tape for each part of `feed`; the first begins at message 0.

    `ts` `[n_raw]` is the time of every raw row.
    """
    level_ticks, level = price_table(feed.ticks)
    book = new_book(level_ticks, 0)
    shown = np.full((2, 2), -1, np.int64)  # last ticker: level and lots of bid and ask
    parts = []
    bounds = [*(start.message for start in starts), len(feed.what)]
    for start, (at, stop) in zip(starts, pairwise(bounds), strict=True):
        tally = np.array([0, 0, -1, 0], np.int64)
        seeds = _standing(book, start.ts)
        out = emitted(2 * int((feed.stop - feed.first)[at:stop].sum()) + stop - at + 1024)
        first = feed.origin[at]
        while at < stop:
            at = _follow(feed, level, book, shown, tally, out, at, stop)
            if at < stop:
                out = widened(out)
        rows, origin = as_rows(out, ts)
        rows = Rows._make(
            np.concatenate([getattr(seeds, name), getattr(rows, name)]) for name in Rows._fields
        )
        origin = np.concatenate([np.full(len(seeds.ts), first), origin])
        parts.append(Part(rows, origin, len(seeds.ts), tally))
    return parts


def _standing(book: Book, ts: int) -> Rows:
    """The levels of a book, as rows that seed it at `ts`."""
    lots = book.levels["lots"]
    row, level = np.nonzero(lots)
    n = len(level)
    return Rows(
        ts=np.full(n, ts, np.int64),
        kind=np.full(n, SEED, np.uint8),
        side=(1 - 2 * row).astype(np.int8),
        ticks=book.level_ticks[level],
        lots=lots[row, level].astype(np.int64),
        slot=np.full(n, NO_SLOT, np.int32),
    )


@kernel
def _follow(
    feed: Feed,
    level: NDArray[np.int64],
    book: Book,
    shown: NDArray[np.int64],
    tally: NDArray[np.int64],
    out: Emitted,
    start: int,
    stop: int,
) -> int:
    """Follow messages `start:stop`; stops early, at the returned one, to be given more room."""
    for i in range(start, stop):
        what, first, last, origin = feed.what[i], feed.first[i], feed.stop[i], feed.origin[i]
        if out.rows[0] + (last - first) + len(book.level_ticks) + 1 > len(out.kind):
            return i
        if what == PRINT:
            put(out, origin, TRADE, feed.side[first], feed.ticks[first], feed.lots[first], NO_SLOT)
            continue
        if what == SNAPSHOT or what == FRESH_DEPTH:
            put(out, origin, CLEAR, 0, 0, 0, NO_SLOT)
            for k in range(2):
                _empty_side(book, k)
                shown[k, 0] = -1
        if what == TICKER:
            for k in range(first, last):
                tally[TRIMMED] += _trim(book, out, origin, row_of(feed.side[k]), level[k])
        kind = SEED if what == SNAPSHOT else LEVEL
        for gone in (True, False):  # what leaves goes first, so that the book does not cross
            for k in range(first, last):
                if (feed.lots[k] == 0) == gone:
                    _set(book, out, origin, kind, feed.side[k], level[k], feed.lots[k])
        if what == TICKER:
            for k in range(first, last):
                row = row_of(feed.side[k])
                shown[row, 0] = level[k]
                shown[row, 1] = feed.lots[k]
        elif what == DEPTH:
            _compare(feed, level, shown, tally, i)
    return stop


@inner
def _set(
    book: Book, out: Emitted, origin: int, kind: int, side: int, level: int, lots: int
) -> None:
    """A level shows `lots` now; a row if that is news."""
    row = row_of(side)
    if book.levels[row, level]["lots"] != lots:
        put(out, origin, kind, side, book.level_ticks[level], lots, NO_SLOT)
        show(book, row, level, lots)


@inner
def _trim(book: Book, out: Emitted, origin: int, row: int, level: int) -> int:
    """Take away levels that are better than the best one. Returns how many."""
    trimmed = 0
    while (book.best[0] > level) if row == 0 else (book.best[1] < level):
        _set(book, out, origin, LEVEL, 1 - 2 * row, book.best[row], 0)
        trimmed += 1
    return trimmed


@inner
def _empty_side(book: Book, row: int) -> None:
    """Nothing is known of a side any more."""
    clear_side(book, row)


@inner
def _compare(
    feed: Feed, level: NDArray[np.int64], shown: NDArray[np.int64], tally: NDArray[np.int64], i: int
) -> None:
    """Hold a depth update against the last ticker before it.

    Every change of the best levels makes a ticker, so at the update's end the last ticker still
    holds: the update may name nothing better, and the same lots at the same level.
    """
    if shown[0, 0] < 0 or shown[1, 0] < 0:
        return
    tally[COMPARED] += 1
    for k in range(feed.first[i], feed.stop[i]):
        row = row_of(feed.side[k])
        best, side = shown[row, 0], feed.side[k]
        better = side * level[k] > side * best and feed.lots[k] > 0
        if better or (level[k] == best and feed.lots[k] != shown[row, 1]):
            tally[CONTRADICTED] += 1
            if tally[FIRST_CONTRADICTED] < 0:
                tally[FIRST_CONTRADICTED] = feed.origin[i]
            return
