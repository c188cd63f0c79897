"""A tape from which orders are missing, or in which market orders turn to the other side.

Both leave the book's story whole by keeping count of what every order really has left: an event may
take no more than that, and one that finds nothing is left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.jit import inlined, inner, kernel
from paceline.market.book import NOBODY, Book, apply, is_shown, row_of
from paceline.market.events import (
    ADD,
    DELETE,
    EXECUTE,
    LEVEL,
    REDUCE,
    SEED,
    TRADE,
    UNSEEN,
    Events,
    Rows,
)
from paceline.market.tape import Tape
from paceline.stress.carrying import rows_for, write


def thin(tape: Tape, share: float, begin: int, until: int, seed: int) -> Rows:
    """Of orders that are in the book between `begin` and `until` (ns), `share` stay.

    The others are never entered, or leave at `begin`; all that happened to them is left out, their
    trades too. In books without orders every level shows that share of its lots, rounded up.
    """
    events = tape.events
    dice = np.random.default_rng([seed, 1])
    stays = dice.random(len(events.ts)) < share
    entered = np.flatnonzero(events.kind == ADD)
    if len(entered) and not stays[entered].any():
        stays[entered[0]] = True  # a market without any order is none
    slots_stay = np.ones(tape.manifest.n_slots, bool)
    rows = rows_for(len(events.ts) + tape.manifest.n_slots)
    n = _thin(events, tape.new_book(), rows, stays, slots_stay, share, begin, until)
    return Rows._make(column[:n] for column in rows)


@inlined
def _copy(events: Events, level_ticks: NDArray[np.int64], rows: Rows, at: int, i: int) -> None:
    level = events.level[i]
    ticks = level_ticks[level] if level >= 0 else 0
    write(
        rows, at, events.ts[i], events.kind[i], events.side[i], ticks, events.qty[i], events.slot[i]
    )


@kernel
def _thin(
    events: Events, book: Book, rows: Rows, stays: NDArray[np.bool_],
    slots_stay: NDArray[np.bool_], share: float, begin: int, until: int,
) -> int:  # fmt: skip
    """Write all rows; returns how many."""
    at, begun = 0, False
    for i in range(len(events.ts)):
        ts, kind, side, slot = events.ts[i], events.kind[i], events.side[i], events.slot[i]
        if not begun and ts >= begin:
            begun = True
            for k in range(len(book.slots)):
                order = book.slots[k]
                if order["lots"] > 0 and not stays[order["seq"]]:
                    slots_stay[k] = False
                    ticks = book.level_ticks[order["level"]]
                    write(rows, at, ts, DELETE, 1 - 2 * order["row"], ticks, order["lots"], k)
                    at += 1
        inside = begun and ts < until
        if slot >= 0 and (kind == ADD or kind == SEED):
            slots_stay[slot] = not inside or stays[i]
        if slot < 0 or slots_stay[slot]:
            _copy(events, book.level_ticks, rows, at, i)
            if inside and kind == LEVEL:
                rows.lots[at] = np.int64(np.ceil(share * events.qty[i]))
            at += 1
        apply(book, kind, side, events.level[i], events.qty[i], slot, i)
    return at


def turn(tape: Tape, side: int, share: float, begin: int, until: int, seed: int) -> Rows:
    """Between `begin` and `until` (ns), `share` of market orders are of `side` (+1 buy, -1 sell):
    as many as it takes of the other side's are turned.

    A market order that turns takes as many lots from the other side of the book, as far as there
    are; the orders that it met are cancelled instead. One that would have met an order that is gone
    by then meets whoever is first. Hidden trades stay as they were.
    """
    events = tape.events
    at, starts = takers(tape)
    row = np.where(events.side[at] > 0, 0, 1)
    inside = (events.ts[at] >= begin) & (events.ts[at] < until)
    hit = 0 if side < 0 else 1  # the row that they take from
    first = inside & starts
    own = float(np.mean(row[first] == hit)) if first.any() else 1.0
    chance = 0.0 if own >= share else (share - own) / (1 - own)
    dice = np.random.default_rng([seed, 2])
    order_turns = dice.random(len(at)) < chance
    leader = np.maximum.accumulate(np.where(starts, np.arange(len(at)), 0))
    turns = np.zeros(len(events.ts), bool)
    turns[at] = inside & (row != hit) & order_turns[leader] & inside[leader]
    room = Turned(rows_for(2 * len(events.ts) + 1024), np.zeros(2, np.int64))
    while not _turn(events, tape.new_book(), room, turns):
        room = Turned(rows_for(2 * len(room.rows.ts)), np.zeros(2, np.int64))
    return Rows._make(column[: room.used[0]] for column in room.rows)


def takers(tape: Tape) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rows that market orders made in the shown book, and which of them begin one: rows of one
    instant and side belong together."""
    events = tape.events
    at = np.flatnonzero((events.kind == EXECUTE) | (events.kind == TRADE))
    ts, side = events.ts[at], events.side[at]
    starts = np.ones(len(at), bool)
    starts[1:] = (np.diff(ts) > 0) | (side[1:] != side[:-1]) | (np.diff(at) > 1)
    return at, starts


class Turned(NamedTuple):
    """What has been written."""

    rows: Rows
    used: NDArray[np.int64]  # [2] rows, and whether there was room


@inlined
def _put(room: Turned, ts: int, kind: int, side: int, ticks: int, lots: int, slot: int) -> None:
    at = room.used[0]
    if at < len(room.rows.ts):
        write(room.rows, at, ts, kind, side, ticks, lots, slot)
    room.used[0] = at + 1


@inner
def _take(book: Book, room: Turned, row: int, lots: int, ts: int, seq: int) -> None:
    """A market order takes `lots` from a side, as far as there are."""
    while lots > 0 and is_shown(book, row):
        best = book.best[row]
        head = book.levels[row, best]["head"]
        if head == NOBODY:
            return
        part = min(lots, book.slots[head]["lots"])
        _put(room, ts, EXECUTE, 1 - 2 * row, book.level_ticks[best], part, head)
        apply(book, EXECUTE, 1 - 2 * row, best, part, head, seq)
        lots -= part


@kernel
def _turn(events: Events, book: Book, room: Turned, turns: NDArray[np.bool_]) -> bool:
    """Write all rows; False if there was no room."""
    for i in range(len(events.ts)):
        ts, kind, side, level = events.ts[i], events.kind[i], events.side[i], events.level[i]
        qty, slot = events.qty[i], events.slot[i]
        ticks = book.level_ticks[level] if level >= 0 else 0
        row = row_of(side)
        if turns[i] and slot < 0:  # a print in a book without orders: it is of the other side
            if is_shown(book, 1 - row):
                other = book.level_ticks[book.best[1 - row]]
                _put(room, ts, kind, -side, other, qty, slot)
            continue
        left, rest = qty, 0
        takes = kind == REDUCE or kind == DELETE or kind == EXECUTE or kind == UNSEEN
        if slot >= 0 and takes:
            has = book.slots[slot]["lots"]
            left = min(qty, has)
            if kind == EXECUTE:
                rest = qty - left  # who took it meets somebody else
                if turns[i]:
                    kind, rest = REDUCE, 0
            if kind == REDUCE and left == has:
                kind = DELETE
            elif kind == DELETE and left < has:
                kind = REDUCE
        if left > 0 or not takes:
            _put(room, ts, kind, side, ticks, left, slot)
            apply(book, kind, side, level, left, slot, i)
        if turns[i]:
            _take(book, room, 1 - row, qty, ts, i)
        else:
            _take(book, room, row, rest, ts, i)
    return bool(room.used[0] <= len(room.rows.ts))
