"""Order by order messages to the rows of a tape: ids to slots, and a verdict on every message.

All formats that name orders (LOBSTER, Databento MBO, mapped columns) come through here, as `Ops`:
their own columns in one vocabulary. An op is an event kind of `market.events`, except for three
that only raw feeds have:

| op | meaning |
|---|---|
| REDUCE | cancels lots; if they were the last, the order leaves (a DELETE row) |
| DELETE | the order leaves, whatever it has left; `lots` 0 or what the feed says |
| MODIFY | new price and size: smaller at the same price keeps the place (REDUCE), anything |
|        | else loses it (DELETE and ADD) |
| FILL | lots of the order traded; a REDUCE, DELETE or MODIFY that takes them away follows |
| NOTHING | the message is skipped (it failed an earlier check, or means nothing to a book) |
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.ingest.quality import (
    DUPLICATE_ORDER,
    OTHER_PRICE,
    OTHER_SIDE,
    OVER_CANCEL,
    OVER_EXECUTION,
    SIZE_DIFFERS,
    UNKNOWN_EXECUTED,
    UNKNOWN_MODIFIED,
    UNKNOWN_ORDER,
)
from paceline.ingest.slots import (
    Slots,
    enter,
    find,
    grown,
    has_room,
    new_slots,
    release,
    release_all,
)
from paceline.jit import inlined, inner, kernel
from paceline.market.events import (
    ADD,
    CLEAR,
    DELETE,
    EXECUTE,
    HIDDEN,
    NO_SLOT,
    REDUCE,
    SEED,
    Rows,
)

NOTHING = 0
MODIFY = 21
FILL = 22

ANY_PRICE = np.iinfo(np.int64).min
"""Price of a message that names an order and leaves out its price."""

_FILLABLE = 3
"""Rows one message can make at most: a filled part, what else left, and the order come back."""


class Ops(NamedTuple):
    """Messages of a feed that names orders, in feed order. All `[n]`."""

    op: NDArray[np.uint8]
    order_id: NDArray[np.int64]
    side: NDArray[np.int8]  # of the book: +1 bids, -1 asks; 0 where the feed does not say
    ticks: NDArray[np.int64]  # ANY_PRICE: the order's, whatever it is
    lots: NDArray[np.int64]


class Emitted(NamedTuple):
    """Rows of a tape as they come out of a kernel. All `[capacity]`, but `rows`."""

    kind: NDArray[np.uint8]
    side: NDArray[np.int8]
    ticks: NDArray[np.int64]
    lots: NDArray[np.int64]
    slot: NDArray[np.int32]
    origin: NDArray[np.int64]  # message that made the row
    rows: NDArray[np.int64]  # [1] how many there are


def emitted(capacity: int) -> Emitted:
    """Room for `capacity` rows."""
    return Emitted(
        kind=np.empty(capacity, np.uint8),
        side=np.empty(capacity, np.int8),
        ticks=np.empty(capacity, np.int64),
        lots=np.empty(capacity, np.int64),
        slot=np.empty(capacity, np.int32),
        origin=np.empty(capacity, np.int64),
        rows=np.zeros(1, np.int64),
    )


def widened(out: Emitted) -> Emitted:
    """The same rows with twice the room."""
    larger = emitted(2 * len(out.kind))
    n = int(out.rows[0])
    for name in Emitted._fields[:-1]:
        getattr(larger, name)[:n] = getattr(out, name)[:n]
    larger.rows[0] = n
    return larger


def as_rows(out: Emitted, ts: NDArray[np.int64]) -> tuple[Rows, NDArray[np.int64]]:
    """The emitted rows with the time of their message (`ts` `[n_messages]`), and their origins."""
    n = int(out.rows[0])
    origin = out.origin[:n]
    rows = Rows(ts[origin], out.kind[:n], out.side[:n], out.ticks[:n], out.lots[:n], out.slot[:n])
    return rows, origin


@inlined
def put(out: Emitted, origin: int, kind: int, side: int, ticks: int, lots: int, slot: int) -> None:
    """Append one row."""
    k = out.rows[0]
    out.kind[k] = kind
    out.side[k] = side
    out.ticks[k] = ticks
    out.lots[k] = lots
    out.slot[k] = slot
    out.origin[k] = origin
    out.rows[0] = k + 1


@inner
def take_lots(slots: Slots, out: Emitted, i: int, slot: int, lots: int, executed: int) -> None:
    """`lots` of a live order leave, the first `executed` of them by trading."""
    side, ticks = slots.side[slot], slots.ticks[slot]
    if executed > 0:
        put(out, i, EXECUTE, side, ticks, executed, slot)
        slots.lots[slot] -= executed
    cancelled = lots - executed
    if cancelled > 0:
        kind = DELETE if cancelled == slots.lots[slot] else REDUCE
        put(out, i, kind, side, ticks, cancelled, slot)
        slots.lots[slot] -= cancelled
    if slots.lots[slot] == 0:
        release(slots, slot)


@inlined
def _settle(slots: Slots, out: Emitted, i: int, slot: int, leaving: int) -> int:
    """How many of the lots that leave now were reported as filled before.

    More may have been filled than the order showed: an iceberg's reserve. That part is HIDDEN.
    """
    executed: int = min(slots.filled[slot], leaving)
    reserve = slots.filled[slot] - executed
    if reserve > 0:
        put(out, i, HIDDEN, slots.side[slot], slots.ticks[slot], reserve, NO_SLOT)
    slots.filled[slot] = 0
    return executed


@inner
def _modify(slots: Slots, out: Emitted, i: int, slot: int, ticks: int, lots: int) -> None:
    """The order has another price or size now; `lots` is what it has left.

    Lots that were filled before go first. What then is larger than before, an iceberg that shows
    its next part among them, has lost its place.
    """
    side, key = slots.side[slot], slots.order_id[slot]
    same_price = ticks == slots.ticks[slot]
    had = slots.lots[slot]
    if slots.filled[slot] > 0:
        executed = _settle(slots, out, i, slot, had)
        take_lots(slots, out, i, slot, executed, executed)
        had -= executed
    if same_price and 0 < lots <= had:
        if lots < had:
            take_lots(slots, out, i, slot, had - lots, 0)
        return
    if had > 0:
        take_lots(slots, out, i, slot, had, 0)
    put(out, i, ADD, side, ticks, lots, enter(slots, key, side, ticks, lots))


@inner
def message(ops: Ops, i: int, slots: Slots, out: Emitted, slot: int) -> int:
    """Let message `i`, which names the live order in `slot` (-1: none), act. Returns its fault."""
    op, side, ticks, lots = ops.op[i], ops.side[i], ops.ticks[i], ops.lots[i]
    if op == NOTHING:
        return 0
    if op == ADD or op == SEED:
        if slot >= 0:
            return DUPLICATE_ORDER
        put(out, i, op, side, ticks, lots, enter(slots, ops.order_id[i], side, ticks, lots))
        return 0
    if op == CLEAR:
        release_all(slots)
    if not (op == REDUCE or op == DELETE or op == EXECUTE or op == MODIFY or op == FILL):
        put(out, i, op, side, ticks, lots, NO_SLOT)
        return 0
    if slot < 0:
        return _stranger(ops, i, slots, out)
    if side != 0 and side != slots.side[slot]:
        return OTHER_SIDE
    if op == MODIFY:
        _modify(slots, out, i, slot, ticks, lots)
        return 0
    if op == FILL:
        slots.filled[slot] += lots
        return 0
    if ticks != ANY_PRICE and ticks != slots.ticks[slot]:
        return OTHER_PRICE
    return _leave(slots, out, i, slot, op, lots)


@inner
def _leave(slots: Slots, out: Emitted, i: int, slot: int, op: int, lots: int) -> int:
    """A REDUCE, DELETE or EXECUTE takes lots of a live order. Returns the fault."""
    had = slots.lots[slot]
    taken = min(lots, had)
    fault = 0
    if op == EXECUTE:
        take_lots(slots, out, i, slot, taken, taken)
        return OVER_EXECUTION if lots > had else 0
    if lots > had:
        fault = OVER_CANCEL
    if op == DELETE:
        if 0 < lots < had:
            fault = SIZE_DIFFERS
        taken = had
    take_lots(slots, out, i, slot, taken, _settle(slots, out, i, slot, taken))
    return fault


@inner
def _stranger(ops: Ops, i: int, slots: Slots, out: Emitted) -> int:
    """A message names an order that is not live. Returns the fault."""
    op, side, ticks, lots = ops.op[i], ops.side[i], ops.ticks[i], ops.lots[i]
    if ticks == ANY_PRICE:
        return UNKNOWN_ORDER
    if op == EXECUTE or op == FILL:
        put(out, i, HIDDEN, side, ticks, lots, NO_SLOT)
        return UNKNOWN_EXECUTED
    if op == MODIFY:
        put(out, i, ADD, side, ticks, lots, enter(slots, ops.order_id[i], side, ticks, lots))
        return UNKNOWN_MODIFIED
    return UNKNOWN_ORDER


@kernel
def _resolve(ops: Ops, slots: Slots, out: Emitted, fault: NDArray[np.uint8], start: int) -> int:
    """Resolve messages from `start` on; stops early, at the returned one, to be given more room."""
    for i in range(start, len(ops.op)):
        if not has_room(slots, 1):
            return i
        verdict = message(ops, i, slots, out, find(slots, ops.order_id[i]))
        if verdict != 0:
            fault[i] = verdict
    return len(ops.op)


def resolve(
    ops: Ops, ts: NDArray[np.int64], fault: NDArray[np.uint8]
) -> tuple[Rows, NDArray[np.int64]]:
    """Rows of a tape, and the message each came from, for the messages `ops` at times `ts`.

    What is wrong with a message is written into `fault` (codes of `ingest.quality`).
    """
    several = int(np.count_nonzero(ops.op >= MODIFY)) + int(np.count_nonzero(ops.op == DELETE))
    out = emitted(len(ops.op) + _FILLABLE * several + 1)
    slots = new_slots()
    at = 0
    while at < len(ops.op):
        at = _resolve(ops, slots, out, fault, at)
        if at < len(ops.op):
            slots = grown(slots)
    return as_rows(out, ts)
