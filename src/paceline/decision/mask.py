"""Which actions are legal: the guard's rules on every child order of the grid, as reason bits.

Rules look at a price, at a size, or at neither, so a grid of prices and sizes costs little more
than its edges. 0 is legal; hold always is. To the guard's reasons come those that an action has of
its own, in bits that the guard does not use.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.decision.actions import MOST_CHOICES as MOST_CHOICES
from paceline.decision.actions import child_lots, child_ticks, child_type
from paceline.decision.state import NOWHERE, State
from paceline.guard.bounds import bounds
from paceline.guard.reasons import REASONS, Reason
from paceline.guard.rules import (
    REPLACE,
    SUBMIT,
    lots_reasons,
    pair_reasons,
    price_reasons,
    sending_reasons,
)
from paceline.jit import kernel

NO_PRICE = 1 << 48
NO_SIZE = 1 << 49
IN_A_ROW = 1 << 50
NO_ROOM = 1 << 51

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
    rests = order["work_ticks"] != NOWHERE
    kind = REPLACE if rests else SUBMIT
    age = order["now_ts"] - order["work_since_ts"] if rests else 0
    always = sending_reasons(bound, kind, order["side"], age)
    if not may_send:
        always |= NO_ROOM
    replaced = order["working"] if rests else 0
    prices, sizes = edges[0], edges[1]
    for_price, for_size = edges[2], edges[3]
    bits[0] = 0
    found = 0
    for a in range(1, len(table)):
        action = table[a]
        p, s = action["price"], action["size"]
        # The first action of a price, of a size, and of both, works it out for the others.
        same_price = a > 1 and table[a - 1]["price"] == p
        same_size = a > 1 and table[a - 1]["size"] == s
        if not same_price:
            prices[p] = child_ticks(state, action)
            for_price[p] = always | (
                price_reasons(bound, child_type(action), prices[p]) if prices[p] > 0 else NO_PRICE
            )
        if p == 0 and not same_size:
            sizes[s] = child_lots(state, action)
            for_size[s] = lots_reasons(bound, sizes[s], replaced) if sizes[s] > 0 else NO_SIZE
        if not (same_price and same_size):
            found = for_price[p] | for_size[s]
            found |= pair_reasons(bound, snapshot, kind, prices[p], sizes[s])
        bits[a] = found | (IN_A_ROW if in_a_row > 0 and action["wait_ns"] == 0 else 0)


def reasons_of(bits: int) -> list[Reason]:
    """The reasons in `bits`, the guard's and the action's own."""
    found = [reason for bit, reason in enumerate(REASONS) if bits >> bit & 1]
    return found + [reason for bit, reason in OWN_REASONS.items() if bits & bit]
