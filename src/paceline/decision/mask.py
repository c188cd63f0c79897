"""Which actions are legal: the guard's rules on every child order of the grid, as reason bits.

Rules look at a price, at a size, or at neither, so a grid of prices and sizes costs little more
than its edges. 0 is legal; hold always is. To the guard's reasons come those that an action has of
its own, in bits that the guard does not use.

An action is carried out by one replace of a child order that rests, by one new order, or by both
(`env.acting`). It is legal where the guard lets each of them go, and it counts as the guard does
when they are sent: what is to be cancelled, or takes and has not been heard of, may still trade.
Only what is replaced is not counted twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.decision.actions import MOST_CHOICES as MOST_CHOICES
from paceline.decision.actions import child_lots, child_ticks, child_type
from paceline.decision.state import State
from paceline.guard.bounds import Bounds, bounds
from paceline.guard.reasons import REASONS, Reason
from paceline.guard.rules import (
    IOC,
    REPLACE,
    SUBMIT,
    lots_reasons,
    pair_reasons,
    price_reasons,
    sending_reasons,
)
from paceline.jit import inlined, kernel

NO_PRICE = 1 << 48
NO_SIZE = 1 << 49
IN_A_ROW = 1 << 50
NO_ROOM = 1 << 51

NO_MESSAGE, NOT_YET = -1, -2
"""Lots of a message that is not sent, and of one that was not looked at."""

OWN_REASONS: dict[int, Reason] = {
    NO_PRICE: Reason("no_price", "A side that the price is told from shows nothing.", "wait"),
    NO_SIZE: Reason("no_size", "Nothing is left, or daily volume is not known.", "hold"),
    IN_A_ROW: Reason("in_a_row", "Too many decisions in a row waited for an event.", "wait longer"),
    NO_ROOM: Reason("no_room", "The account has no room for more child orders.", "hold"),
}


@kernel
def mask(
    state: State,
    limits: np.void,
    snapshot: np.void,
    table: NDArray[np.void],
    in_a_row: int,
    may_send: bool,
    bits: NDArray[np.int64],
    edges: NDArray[np.int64],
) -> None:
    """Write the reasons `[n_actions]` against each action of `table`; 0 where there is none.

    `limits` and `snapshot` are rows of the guard's records; `in_a_row` says that no more decisions
    may wait for the next event, `may_send` that the account has room. `edges` `[4, MOST_CHOICES]`
    is room to work in.
    """
    order = state.order[0]
    bound = bounds(limits, snapshot)
    may = sending(bound, order, may_send)
    sizes, against, moved, more = edges[0], edges[1], edges[2], edges[3]
    bits[0] = 0
    found, at_price, at_size = 0, NOT_YET, NOT_YET
    ticks, for_price, joins = 0, 0, False
    for a in range(1, len(table)):
        action = table[a]
        # Waits are told apart by nothing else: the first of a price and a size works it out.
        if action["price"] != at_price or action["size"] != at_size:
            s = action["size"]
            if action["price"] != at_price:
                ticks = child_ticks(state, action)
                for_price = (
                    price_reasons(bound, child_type(action), ticks) if ticks > 0 else NO_PRICE
                )
                joins = there(order, child_type(action), ticks)
            if action["price"] == 0:
                sizes[s], moved[s] = child_lots(state, action), NOT_YET
            found, moves, adds = against[s], moved[s], more[s]
            if joins or moves == NOT_YET:
                found, moves, adds = size_reasons(bound, order, may, joins, sizes[s])
                if not joins:  # all prices at which nothing rests are alike
                    against[s], moved[s], more[s] = found, moves, adds
            found |= for_price | (0 if sizes[s] > 0 else NO_SIZE)
            found |= worth_reasons(bound, snapshot, ticks, moves, adds)
            at_price, at_size = action["price"], s
        bits[a] = found
    if in_a_row > 0:
        for a in range(1, len(table)):
            if table[a]["wait_ns"] == 0:
                bits[a] |= IN_A_ROW


@inlined
def sending(bound: Bounds, order: np.void, may_send: bool) -> tuple[int, int]:
    """Reasons against a replace of what rests, and against a new order, whatever its price and
    size."""
    room = 0 if may_send else NO_ROOM
    move = sending_reasons(bound, REPLACE, order["side"], order["now_ts"] - order["work_since_ts"])
    return room | move, room | sending_reasons(bound, SUBMIT, order["side"], 0)


@inlined
def there(order: np.void, type_: int, ticks: int) -> bool:
    """Whether something rests at `ticks` that a child order of `type_` joins."""
    return bool(type_ != IOC and order["work_lots"] > 0 and order["work_ticks"] == ticks)


@inlined
def size_reasons(
    bound: Bounds, order: np.void, sending: tuple[int, int], there: bool, lots: int
) -> tuple[int, int, int]:
    """Reasons against the messages that make `lots` work, but for those that look at the price; and
    what these are: the lots that are left of what is replaced, and those of a new order, NO_MESSAGE
    without one. `sending` are reasons whatever the size, and `there` says that some rest at that
    price."""
    kept = order["work_lots"] if there else order["move_lots"]
    bits, moved, more = 0, NO_MESSAGE, lots - kept
    if kept > 0 and (more <= 0 or not there):
        moved, of = min(lots, kept), kept
        if there and kept != order["move_lots"]:
            # Several rest: one of them shrinks, by a lot at least, once others are cancelled.
            moved, of = 1, 2
        bits |= sending[0] | lots_reasons(bound, moved, of)
    if more > 0:
        # No more is sent than nothing else may trade.
        more = min(more, order["left"] - order["working"])
        if more > 0 or kept == 0 or there:
            more = max(more, 1)
            bits |= sending[1] | lots_reasons(bound, more, 0)
    return bits, moved, more if more > 0 else NO_MESSAGE


@inlined
def worth_reasons(bound: Bounds, snapshot: np.void, ticks: int, moved: int, more: int) -> int:
    """Reasons against a replace of `moved` and a new order of `more` lots, see `size_reasons`, that
    look at price and size together."""
    bits = 0
    if moved != NO_MESSAGE:
        bits |= pair_reasons(bound, snapshot, REPLACE, ticks, moved)
    if more != NO_MESSAGE:
        bits |= pair_reasons(bound, snapshot, SUBMIT, ticks, more)
    return bits


def reasons_of(bits: int) -> list[Reason]:
    """The reasons in `bits`, the guard's and the action's own."""
    found = [reason for bit, reason in enumerate(REASONS) if bits >> bit & 1]
    return found + [reason for bit, reason in OWN_REASONS.items() if bits & bit]
