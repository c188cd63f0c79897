"""Which slot an order lives in: an open-addressing hash of the ids that are live right now.

Ingest looks every id up once, so that replay never has to. A slot is handed back when its order is
gone and given to the next one, most recently freed first: a tape's slot count is the greatest
number of orders that were ever live together, and the columns stay small enough for the cache.

The table is linear probing with backward-shift deletion: no tombstones, so a day of a million short
lives does not slow down. Arrays grow in Python, between two calls of a kernel; kernels stop before
they would run out (`has_room`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.jit import inlined, inner, kernel

LIVE = 0
USED = 1

_EMPTY = -1
_MULTIPLIER = 2_654_435_769  # 2^32 / golden ratio; times 31 bits it still fits an int64


class Slots(NamedTuple):
    """The live orders. `c` hash cells (a power of two), `m` slots."""

    cell_id: NDArray[np.int64]  # [c]
    cell_slot: NDArray[np.int32]  # [c] -1: the cell is empty
    tally: NDArray[np.int64]  # [2] LIVE: orders now, USED: slots ever handed out
    free: NDArray[np.int32]  # [m] stack of slots that were handed back
    named: NDArray[np.uint8]  # [m] 1: the order has an id, 0: it is a lot nobody announced
    order_id: NDArray[np.int64]  # [m]
    lots: NDArray[np.int64]  # [m] lots left
    ticks: NDArray[np.int64]  # [m]
    side: NDArray[np.int8]  # [m]
    filled: NDArray[np.int64]  # [m] lots reported as filled whose removal is still to come


def new_slots(capacity: int = 1 << 12) -> Slots:
    """No orders, room for `capacity` of them (rounded up to a power of two)."""
    m = 1 << max(capacity - 1, 1).bit_length()
    return Slots(
        cell_id=np.zeros(2 * m, np.int64),
        cell_slot=np.full(2 * m, _EMPTY, np.int32),
        tally=np.zeros(2, np.int64),
        free=np.zeros(m, np.int32),
        named=np.zeros(m, np.uint8),
        order_id=np.zeros(m, np.int64),
        lots=np.zeros(m, np.int64),
        ticks=np.zeros(m, np.int64),
        side=np.zeros(m, np.int8),
        filled=np.zeros(m, np.int64),
    )


def grown(slots: Slots) -> Slots:
    """The same orders with twice the room."""
    larger = new_slots(2 * len(slots.free))
    used = int(slots.tally[USED])
    for name in ("free", "named", "order_id", "lots", "ticks", "side", "filled"):
        getattr(larger, name)[:used] = getattr(slots, name)[:used]
    larger.tally[:] = slots.tally
    _rehash(slots, larger)
    return larger


@inlined
def has_room(slots: Slots, orders: int) -> bool:
    """Whether `orders` more can be entered."""
    live: int = slots.tally[LIVE]
    return live + orders <= len(slots.free)


@inlined
def _home(slots: Slots, order_id: int) -> int:
    """The cell where the search for an id begins."""
    folded = order_id ^ (order_id >> 31)
    mixed = (folded & 0x7FFFFFFF) * _MULTIPLIER
    cell: int = (mixed >> 28) & (len(slots.cell_slot) - 1)
    return cell


@inlined
def _cell_of(slots: Slots, order_id: int) -> int:
    """The cell that holds an id, or the empty one where it would go."""
    mask = len(slots.cell_slot) - 1
    cell = _home(slots, order_id)
    while slots.cell_slot[cell] >= 0 and slots.cell_id[cell] != order_id:
        cell = (cell + 1) & mask
    return cell


@inlined
def find(slots: Slots, order_id: int) -> int:
    """Slot of a live order, or -1."""
    slot: int = slots.cell_slot[_cell_of(slots, order_id)]
    return slot


@inner
def enter(slots: Slots, order_id: int, side: int, ticks: int, lots: int) -> int:
    """Give a new order a slot. The id must not be live, and there must be room."""
    slot = enter_unnamed(slots, side, ticks, lots)
    cell = _cell_of(slots, order_id)
    slots.cell_id[cell] = order_id
    slots.cell_slot[cell] = slot
    slots.order_id[slot] = order_id
    slots.named[slot] = 1
    return slot


@inner
def enter_unnamed(slots: Slots, side: int, ticks: int, lots: int) -> int:
    """Give lots that nobody announced a slot."""
    n_free = slots.tally[USED] - slots.tally[LIVE]
    if n_free > 0:
        slot: int = slots.free[n_free - 1]
    else:
        slot = slots.tally[USED]
        slots.tally[USED] += 1
    slots.tally[LIVE] += 1
    slots.named[slot] = 0
    slots.lots[slot] = lots
    slots.ticks[slot] = ticks
    slots.side[slot] = side
    slots.filled[slot] = 0
    return slot


@inner
def release(slots: Slots, slot: int) -> None:
    """The order is gone: forget its id and hand the slot back."""
    if slots.named[slot] == 1:
        _remove(slots, _cell_of(slots, slots.order_id[slot]))
    slots.lots[slot] = 0
    slots.tally[LIVE] -= 1
    slots.free[slots.tally[USED] - slots.tally[LIVE] - 1] = slot


@inner
def _remove(slots: Slots, hole: int) -> None:
    """Empty a cell, and move those that had to step over it back towards their home."""
    mask = len(slots.cell_slot) - 1
    cell = hole
    while True:
        cell = (cell + 1) & mask
        if slots.cell_slot[cell] < 0:
            break
        home = _home(slots, slots.cell_id[cell])
        if ((cell - home) & mask) >= ((cell - hole) & mask):
            slots.cell_id[hole] = slots.cell_id[cell]
            slots.cell_slot[hole] = slots.cell_slot[cell]
            hole = cell
    slots.cell_slot[hole] = _EMPTY


@kernel
def release_all(slots: Slots) -> None:
    """The book was cleared: every order is gone."""
    for slot in range(slots.tally[USED]):
        slots.lots[slot] = 0
        slots.free[slot] = slot
    slots.cell_slot[:] = _EMPTY
    slots.tally[LIVE] = 0


@kernel
def _rehash(slots: Slots, larger: Slots) -> None:
    for cell in range(len(slots.cell_slot)):
        slot = slots.cell_slot[cell]
        if slot >= 0:
            to = _cell_of(larger, slots.cell_id[cell])
            larger.cell_id[to] = slots.cell_id[cell]
            larger.cell_slot[to] = slot
