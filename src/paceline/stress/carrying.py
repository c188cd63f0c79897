"""A tape whose prices are carried up or down: the whole book moves, bids and asks each by a shift
that may change with every event.

What a shift means for orders that rest: they are *re-priced*, cancelled and entered again at
one instant, level by level and each level from the head of its queue to its tail, so that
price-time priority between them is kept. Which way the levels are taken (asks first when prices
rise, the far ones first) keeps the book uncrossed at every row.

Re-pricing a thousand orders for every tick that the price moves would drown the day in rows, so
only levels within `reach` of the touch follow at once. Deeper ones keep the shift they have until
the touch comes near, an event is about them, or they would stand better than what is nearer.
Between two shifts that differ, two levels can meet at one price; they queue by when they came.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.jit import inlined, inner, kernel
from paceline.market.book import NOBODY, Book, apply, is_shown, row_of
from paceline.market.events import (
    ADD,
    CLEAR,
    DELETE,
    EXECUTE,
    LEVEL,
    NO_SLOT,
    SEED,
    Events,
    Rows,
)
from paceline.market.tape import Tape

_EVERYWHERE = 1 << 40


class Shifts(NamedTuple):
    """Where the book is carried."""

    wanted: NDArray[np.float64]  # [n_events, 2] ticks, bids and asks, before each event
    step: int  # they are whole multiples of this
    band: float  # and stay where they are until they are so far behind, ticks
    reach: int  # ticks


class Carried(NamedTuple):
    """How far each level has been carried, and what has been written."""

    shift: NDArray[np.int64]  # [2] of both sides as a whole
    level: NDArray[np.int64]  # [2, n_levels] of each level that shows lots
    ahead: NDArray[np.int64]  # [2] most ticks by which a level is better off than its side
    rows: Rows
    used: NDArray[np.int64]  # [1]


def carry(tape: Tape, wanted: NDArray[np.float64], *, idle: float = 0.0) -> Rows:
    """The rows of `tape` with prices shifted by `wanted` `[n_events, 2]` ticks (bids, asks).

    Shifts are rounded to the instrument's order tick; no price falls below one or, of
    offers, two book ticks.
    `idle`: spreads that a shift may lag behind before the book follows; where the mid itself is
    what is followed, it need not follow every twitch.
    """
    events, step = tape.events, tape.instrument.order_step
    spread = tape.ask_ticks() - tape.bid_ticks()
    usual = float(np.nanmedian(spread)) if not np.all(np.isnan(spread)) else float(step)
    # Where levels have no orders, two of them must never meet.
    bare = bool(np.any((events.slot < 0) & np.isin(events.kind, (LEVEL, SEED))))
    reach = _EVERYWHERE if bare else round(10 * step + 5 * max(usual, 0.0))
    band = max(step, idle * usual)
    shifts = Shifts(np.ascontiguousarray(wanted), step, band, reach)
    room = 3 * len(events.ts) + 4096
    while True:
        carried = Carried(
            shift=np.zeros(2, np.int64),
            level=np.zeros((2, len(tape.level_ticks)), np.int64),
            ahead=np.zeros(2, np.int64),
            rows=rows_for(room),
            used=np.zeros(1, np.int64),
        )
        if _carry(events, tape.new_book(), shifts, carried):
            return Rows._make(column[: carried.used[0]] for column in carried.rows)
        room *= 2


def rows_for(n: int) -> Rows:
    """Room for `n` rows."""
    return Rows(
        ts=np.empty(n, np.int64),
        kind=np.empty(n, np.uint8),
        side=np.empty(n, np.int8),
        ticks=np.empty(n, np.int64),
        lots=np.empty(n, np.int64),
        slot=np.empty(n, np.int32),
    )


@inlined
def write(
    rows: Rows, at: int, ts: int, kind: int, side: int, ticks: int, lots: int, slot: int
) -> None:
    """Write row `at`."""
    rows.ts[at] = ts
    rows.kind[at] = kind
    rows.side[at] = side
    rows.ticks[at] = ticks
    rows.lots[at] = lots
    rows.slot[at] = slot


@inlined
def lowest(side: int) -> int:
    """Least price of a side, book ticks: above the bids there is always room for an offer."""
    return 2 if side < 0 else 1


@inner
def _put(carried: Carried, ts: int, kind: int, side: int, ticks: int, lots: int, slot: int) -> None:
    at = carried.used[0]
    if at < len(carried.rows.ts):
        write(carried.rows, at, ts, kind, side, max(ticks, lowest(side)), lots, slot)
    carried.used[0] = at + 1


@inner
def _reprice(book: Book, carried: Carried, row: int, level: int, ts: int) -> None:
    """Bring a level to the shift of its side."""
    side, ticks, old = 1 - 2 * row, book.level_ticks[level], carried.level[row, level]
    new = carried.shift[row]
    carried.level[row, level] = new
    queue = book.levels[row, level]
    if max(ticks + old, lowest(side)) == max(ticks + new, lowest(side)):
        return
    slot = queue["head"]
    if slot == NOBODY:
        _put(carried, ts, LEVEL, side, ticks + old, 0, NO_SLOT)
        _put(carried, ts, LEVEL, side, ticks + new, queue["lots"], NO_SLOT)
        return
    while slot != NOBODY:
        _put(carried, ts, DELETE, side, ticks + old, book.slots[slot]["lots"], slot)
        slot = book.slots[slot]["next"]
    slot = queue["head"]
    while slot != NOBODY:
        _put(carried, ts, ADD, side, ticks + new, book.slots[slot]["lots"], slot)
        slot = book.slots[slot]["next"]


@inner
def _follow(book: Book, carried: Carried, row: int, level: int, reach: int, ts: int) -> None:
    """Re-price a level if it is near, or would stand better than what is near."""
    behind = abs(book.level_ticks[level] - book.level_ticks[book.best[row]])
    better = (1 - 2 * row) * (carried.level[row, level] - carried.shift[row])
    if behind <= reach or better > behind - reach:
        _reprice(book, carried, row, level, ts)
    elif better > carried.ahead[row]:
        carried.ahead[row] = better


@inner
def _move(book: Book, carried: Carried, row: int, to: int, reach: int, ts: int) -> None:
    """Carry a side to a new shift; in the direction of the move, those in front go first."""
    rises = to > carried.shift[row]
    carried.shift[row] = to
    carried.ahead[row] = 0
    if not is_shown(book, row):
        return
    n = len(book.level_ticks)
    low, high = (0, book.best[0]) if row == 0 else (book.best[1], n - 1)
    for k in range(high - low + 1):
        level = high - k if rises else low + k
        if book.levels[row, level]["lots"] > 0 and carried.level[row, level] != to:
            _follow(book, carried, row, level, reach, ts)


@inner
def _near(book: Book, carried: Carried, row: int, reach: int, ts: int) -> None:
    """The touch has moved: levels that it has come near to follow."""
    if not is_shown(book, row):
        return
    level, best, step = book.best[row], book.level_ticks[book.best[row]], 2 * row - 1
    far = reach + carried.ahead[row]
    while 0 <= level < len(book.level_ticks) and abs(book.level_ticks[level] - best) <= far:
        stale = carried.level[row, level] != carried.shift[row]
        if stale and book.levels[row, level]["lots"] > 0:
            _follow(book, carried, row, level, reach, ts)
        level += step


@inlined
def _rounded(shifts: Shifts, wanted: float, now: int) -> int:
    """The shift in whole steps; it stays where it is until it is too far behind."""
    if abs(wanted - now) < shifts.band:
        return now
    return int(np.rint(wanted / shifts.step)) * shifts.step


@kernel
def _carry(events: Events, book: Book, shifts: Shifts, carried: Carried) -> bool:
    """Write all rows; False if there was no room for them."""
    reach = shifts.reach
    for i in range(len(events.ts)):
        ts, kind, side, level = events.ts[i], events.kind[i], events.side[i], events.level[i]
        qty, slot = events.qty[i], events.slot[i]
        bid = _rounded(shifts, shifts.wanted[i, 0], carried.shift[0])
        ask = _rounded(shifts, shifts.wanted[i, 1], carried.shift[1])
        first = 1 if ask > carried.shift[1] else 0  # asks make way before bids come
        for k in range(2):
            row = first ^ k
            to = ask if row else bid
            if to != carried.shift[row]:
                _move(book, carried, row, to, reach, ts)
        if kind == CLEAR or level < 0:
            _put(carried, ts, kind, side, 1, qty, slot)
            apply(book, kind, side, level, qty, slot, i)
            continue
        row = row_of(side) if side != 0 else 0
        ticks = book.level_ticks[level]
        resting = slot >= 0 or kind == LEVEL or kind == SEED
        if not resting:
            _put(carried, ts, kind, side, ticks + carried.shift[row], qty, slot)
            continue
        joins = kind == ADD or kind == SEED or kind == LEVEL
        if book.levels[row, level]["lots"] == 0:
            carried.level[row, level] = carried.shift[row]
        elif carried.level[row, level] != carried.shift[row] and (joins or kind == EXECUTE):
            _reprice(book, carried, row, level, ts)
        _put(carried, ts, kind, side, ticks + carried.level[row, level], qty, slot)
        before = book.best[row]
        apply(book, kind, side, level, qty, slot, i)
        if book.best[row] != before:
            _near(book, carried, row, reach, ts)
    return bool(carried.used[0] <= len(carried.rows.ts))
