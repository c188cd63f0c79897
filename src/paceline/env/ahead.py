"""What the next episodes will touch, on its way from memory while this one is at work.

A thousand episodes have a third of a gigabyte between them, and each is come back to after all the
others: by then hardly anything of it is in a cache, and a step would wait for memory half of its
time. What a step needs is known, some of it only once other parts are there:

    bring_records   three episodes ahead: the records that every step reads and writes
    bring_places    two ahead: where those point to, in account, watch and tape, or in its market
    bring_rows      one ahead: what is seen of the book, and what the rows that come change in it

Nothing is read that could change, and nothing is written: what comes out is the same without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from paceline.decision.state import DEPTH
from paceline.engine.footprint import may_lack
from paceline.engine.laws import STREAMS
from paceline.env.own_markets import SimulatedDay
from paceline.jit import chosen, inlined, inner
from paceline.market.book import Book, row_of, worse_level
from paceline.market.watch import COUNTED, PRINTS, WINDOWS_S
from paceline.processor import fetch

if TYPE_CHECKING:
    from paceline.env.lives import AnyDay, Day, Lives

# What `fetch` is told, in items.
_LADDER, _SUMS, _HEAT = 2 * DEPTH, len(WINDOWS_S) * COUNTED, 4 * STREAMS
_TURNED = 6 * (COUNTED + 1)
"""Of the watch: as many seconds as a step may turn over."""
_MOST_ROWS = 128
"""Rows of a tape that are looked at: no step is slower for more."""


@inlined
def bring_records(lives: Lives, i: int) -> None:
    """The records of episode `i`."""
    fetch(lives.account.clock, (i,))
    fetch(lives.best, (i,), 2)
    fetch(lives.watch.clock, (i,))
    fetch(lives.watch.sums, (i,), _SUMS)
    fetch(lives.watch.prints, (i,), PRINTS)
    fetch(lives.heard, (i,))
    fetch(lives.progress, (i,))
    fetch(lives.order, (i,))
    fetch(lives.context, (i,))
    fetch(lives.limits, (i,))
    fetch(lives.snapshot, (i,))
    fetch(lives.sent, (i,))
    fetch(lives.moved, (i,))
    fetch(lives.ticks, (i,), _LADDER)
    fetch(lives.sizes, (i,), _LADDER)


@inlined
def _places(lives: Lives, i: int, n_levels: int) -> None:
    """Where the records of episode `i` point to in book, account and watch."""
    account, clock, watch = lives.account, lives.account.clock[i, 0], lives.watch
    for row in range(2):
        level = min(max(lives.best[i, row], 0), n_levels - 1)
        fetch(lives.marks, (i, row, level // 64))
    fetch(account.live, (i,), 8)
    # Orders that may still trade, and the next one.
    for k in range(lives.heard[i, 0]["first"], min(clock["n_orders"] + 1, account.orders.shape[1])):
        fetch(account.orders, (i, k))
    at = clock["inbox_head"] & (account.inbox.shape[1] - 1)
    fetch(account.inbox, (i, at))
    # The next fill, and the one that leaves the participation window next.
    fetch(account.fills, (i, min(clock["n_fills"], account.fills.shape[1] - 1)))
    fetch(account.fills, (i, min(clock["aged"], account.fills.shape[1] - 1)))
    second, n_cells = watch.clock[i, 0]["second"], WINDOWS_S[-1]
    fetch(watch.cells, (i, n_cells), COUNTED)
    for k in range(len(WINDOWS_S)):
        fetch(watch.cells, (i, (second - WINDOWS_S[k]) % n_cells), _TURNED)


@inlined
def _levels(lives: Lives, i: int, level_ticks: NDArray[np.int64]) -> None:
    """What is seen of the book of episode `i`."""
    book = Book(level_ticks, lives.levels[i], lives.slots[i], lives.best[i], lives.marks[i])
    for row in range(2):
        level, k = book.best[row], 0
        while k < DEPTH and 0 <= level < len(level_ticks):
            _level(lives, i, row, level)
            level = worse_level(book, row, level)
            k += 1


@inlined
def _level(lives: Lives, i: int, row: int, level: int) -> None:
    fetch(lives.levels, (i, row, level))
    if may_lack(lives.account.clock[i, 0], row, level):
        fetch(lives.account.taken, (i, row, level))


@inlined
def _places_of_tape(day: Day, whose: tuple[Lives, int]) -> None:
    lives, i = whose
    _places(lives, i, len(day.level_ticks))
    events = day.events
    at = min(lives.account.clock[i, 0]["cursor"], len(events.ts) - 1)
    fetch(events.ts, (at,), 16)
    fetch(events.kind, (at,), 16)
    fetch(events.side, (at,), 16)
    fetch(events.level, (at,), 16)
    fetch(events.qty, (at,), 16)
    fetch(events.slot, (at,), 16)
    fetch(events.bid, (at,), 16)
    fetch(events.ask, (at,), 16)
    fetch(events.volume, (at,), 8)
    at = min(lives.heard[i, 0]["window_rows"], len(events.ts) - 1)
    fetch(events.ts, (at,), 8)
    fetch(events.volume, (at,), 8)


@inlined
def _places_of_market(day: SimulatedDay, whose: tuple[Lives, int]) -> None:
    lives, i = whose
    _places(lives, i, len(day.level_ticks))
    own, flow = day.own, day.own.flow
    fetch(flow.clock, (i,))
    fetch(flow.dice, (i,))
    fetch(flow.reference, (i,), 2)
    fetch(flow.base, (i,), 8)
    fetch(flow.reaction, (i,), STREAMS)
    fetch(flow.felt, (i,), STREAMS)
    fetch(flow.heat, (i,), _HEAT)
    fetch(flow.warmth, (i,), 4)
    fetch(flow.scale, (i,), 4)
    fetch(flow.scale_then, (i,), 4)
    fetch(flow.metaorders, (i,), 4)
    fetch(own.prints.clock, (i,), 2)
    fetch(own.waits, (i,), 2)
    fetch(own.shown, (i,), 2)


bring_places = chosen(_places_of_tape, SimulatedDay, _places_of_market)
"""Where the records of an episode point to: (lives, i)."""


@inlined
def _rows_of_tape(day: Day, whose: tuple[Lives, int, int]) -> None:
    lives, i, until = whose
    _levels(lives, i, day.level_ticks)
    events = day.events
    at = lives.account.clock[i, 0]["cursor"]
    stop = min(at + _MOST_ROWS, len(events.ts))
    while at < stop and events.ts[at] <= until:
        if events.level[at] >= 0:
            _level(lives, i, row_of(events.side[at]), events.level[at])
        if events.slot[at] >= 0:
            fetch(lives.slots, (i, events.slot[at]))
        at += 1


@inlined
def _rows_of_market(day: SimulatedDay, whose: tuple[Lives, int, int]) -> None:
    lives, i, _ = whose  # what comes is not known yet
    _levels(lives, i, day.level_ticks)


bring_rows = chosen(_rows_of_tape, SimulatedDay, _rows_of_market)
"""What is seen of the book of an episode, and what up to a time changes in it: (lives, i, time)."""


@inner
def bring_next(
    day: AnyDay,
    lives: Lives,
    which: NDArray[np.int64],
    at: int,
    actions: NDArray[np.void],
) -> None:
    """Ask for what the steps of `which` after number `at` will need; -3 is before the first."""
    n = len(which)
    if at + 3 < n:
        bring_records(lives, which[at + 3])
    if 0 <= at + 2 < n:
        bring_places(day, (lives, which[at + 2]))
    if 0 <= at + 1 < n:
        i = which[at + 1]
        bring_rows(day, (lives, i, lives.progress[i]["ts"] + actions[i]["wait_ns"]))
