"""Each rule once: may this order go, and if not, why not.

`reasons` is 0 for an order that may go, otherwise the bits of all rules it breaks. A rule that
lacks its limit or an input it needs blocks.

What depends on the state alone is worked out once (`bounds`), as the room that each rule leaves.
An order is then held against it in four parts, which a caller with a grid of prices and sizes may
tabulate: `sending_reasons`, `price_reasons`, `lots_reasons` and `pair_reasons`, joined by OR.

    hold      always legal
    protect   a cancel by the guard, the kill switch or a person: legal while something works
    cancel    as long as rates, counts, the resting time and the order of time allow; always once
              the kill switch has been thrown; never a matter of prices, sizes, or market data
    replace   a cancel and an order in one message: all rules of both

What works counts as filled, and counts when it is sent: no sequence of fills carries us beyond a
limit. A replace counts by what is left of it (`lots - replaced_lots` more than now).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.guard import reasons as bit
from paceline.guard.bounds import Bounds, bounds
from paceline.guard.limits import MOST_LOTS, MOST_TICKS
from paceline.guard.snapshot import RECENT
from paceline.jit import inlined, kernel

SUBMIT, CANCEL, REPLACE, HOLD, PROTECT = range(5)
"""What is to be done. Types of orders: 0 limit, 1 marketable limit, 2 IOC."""
LIMIT, MARKETABLE, IOC = range(3)

ORDER_RECORD = np.dtype(
    [
        ("kind", np.int64),
        ("side", np.int64),  # +1 buy, -1 sell
        ("type", np.int64),
        ("ticks", np.int64),
        ("lots", np.int64),  # that may trade from now on
        ("replaced_lots", np.int64),  # that still work of the order to replace or cancel; 0: none
        ("replaced_age_ns", np.int64),  # since it was sent or last replaced
    ]
)


@inlined
def sending_reasons(bound: Bounds, kind: int, side: int, replaced_age_ns: int) -> int:
    """Bits of an order (a submit or a replace) whatever its price and size."""
    bits = bound.state
    if side != bound.side:
        bits |= bit.WRONG_SIDE
    if kind == SUBMIT:
        return bits | bound.submit
    return bits | bound.replace | (bit.MIN_RESTING if replaced_age_ns < bound.replace_age_ns else 0)


@inlined
def price_reasons(bound: Bounds, type_: int, ticks: int) -> int:
    """Bits of an order for its price, whatever its size."""
    cost = bound.side * ticks
    bits = 0
    if cost > bound.band:
        bits |= bit.PRICE_BAND
    if cost > bound.move:
        bits |= bit.PRICE_MOVE
    if cost >= bound.own:
        bits |= bit.SELF_MATCH
    if type_ != LIMIT or cost >= bound.touch:
        bits |= bound.taking
    if ticks % bound.order_step != 0:
        bits |= bit.OFF_TICK
    return bits


@inlined
def lots_reasons(bound: Bounds, lots: int, replaced_lots: int) -> int:
    """Bits of an order for its size, whatever its price."""
    more = lots - replaced_lots
    bits = 0
    if lots > bound.child:
        bits |= bit.CHILD_MAX
    if lots > bound.quantity:
        bits |= bit.ORDER_QUANTITY
    if more > bound.inventory:
        bits |= bit.INVENTORY
    if more > bound.participation:
        bits |= bit.PARTICIPATION
    if more > bound.symbol_participation:
        bits |= bit.SYMBOL_PARTICIPATION
    if more > bound.position:
        bits |= bit.POSITION
    if more > bound.working:
        bits |= bit.WORKING_LOTS
    if more > bound.ahead:
        bits |= bit.SCHEDULE_DRIFT
    if more > bound.covered:
        bits |= bit.UNCOVERED
    if more > bound.reducing:
        bits |= bit.REDUCING_ONLY
    return bits


@inlined
def pair_reasons(bound: Bounds, snapshot: np.void, kind: int, ticks: int, lots: int) -> int:
    """Bits of an order for its price and size together."""
    bits = bit.ORDER_VALUE if ticks * lots > bound.value else 0
    if bound.fresh > 0 and kind == SUBMIT:
        for i in range(RECENT):
            alike = (
                snapshot["recent_ticks"][i] == bound.side * ticks
                and snapshot["recent_lots"][i] == lots
            )
            if alike and snapshot["recent_ts"][i] > bound.fresh_ts:
                bits |= bit.DUPLICATE
    return bits


@inlined
def judged(bound: Bounds, snapshot: np.void, order: np.void) -> int:
    """`reasons` of an order in a state whose bounds are known."""
    kind, lots, ticks = order["kind"], order["lots"], order["ticks"]
    replaced_lots = order["replaced_lots"]
    if kind == HOLD:
        return 0
    if kind == CANCEL or kind == PROTECT:
        if replaced_lots <= 0:
            return bit.MALFORMED
        if kind == PROTECT:
            return 0
        young = order["replaced_age_ns"] < bound.cancel_age_ns
        return bound.cancel | (bit.MIN_RESTING if young else 0)
    if not _is_order(order):
        return bit.MALFORMED
    return (
        sending_reasons(bound, kind, order["side"], order["replaced_age_ns"])
        | price_reasons(bound, order["type"], ticks)
        | lots_reasons(bound, lots, replaced_lots)
        | pair_reasons(bound, snapshot, kind, ticks, lots)
    )


@inlined
def reasons(limits: np.void, snapshot: np.void, order: np.void) -> int:
    """Bits of all rules that `order` breaks; 0 if it may go.

    Rows of LIMITS_RECORD, SNAPSHOT_RECORD and ORDER_RECORD.
    """
    return judged(bounds(limits, snapshot), snapshot, order)


@kernel
def mask(
    limits: NDArray[np.void],
    snapshots: NDArray[np.void],
    orders: NDArray[np.void],
    bits: NDArray[np.int64],
) -> None:
    """`reasons` of `orders` `[n, a]` in states `[n]` with limits `[n]`, into `bits` `[n, a]`."""
    for i in range(len(snapshots)):
        bound = bounds(limits[i], snapshots[i])
        for j in range(orders.shape[1]):
            bits[i, j] = judged(bound, snapshots[i], orders[i, j])


@inlined
def _is_order(order: np.void) -> bool:
    """Whether a submit or replace has a side, type, price and size that an order can have."""
    kind, replaced = order["kind"], order["replaced_lots"]
    takes_place = (kind == SUBMIT and replaced == 0) or (
        kind == REPLACE and 0 < replaced <= MOST_LOTS
    )
    return bool(
        takes_place
        and (order["side"] == 1 or order["side"] == -1)
        and LIMIT <= order["type"] <= IOC
        and 0 < order["ticks"] <= MOST_TICKS
        and 0 < order["lots"] <= MOST_LOTS
    )
