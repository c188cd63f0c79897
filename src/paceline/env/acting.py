"""Carry out a child order: what works already is moved, so that afterwards it is what was chosen.

An order that rests at the price keeps its place in the queue: it shrinks where it is, and what is
to be added stands behind it as a new one. At another price it is replaced in one step, so that
nothing can fill twice. An order never grows: until the exchange has heard of it nobody knows how
much of it works, so what is more is a new one. Of what may still trade, told or not, there is never
more than is left.
"""

from __future__ import annotations

from paceline.engine.account import LIMIT, open_lots
from paceline.engine.clockwork import Floor
from paceline.engine.messages import cancel, replace, submit
from paceline.jit import inner


@inner
def carry_out(
    floor: Floor, first: int, side: int, left: int, type_: int, ticks: int, lots: int, ts: int
) -> int:
    """Make `lots` work at `ticks` as `type_`, of `left` to trade; returns how many cancels and
    replaces it took.

    Child orders before `first` are over. Sends as few messages as it can.
    """
    cancels, keeper = 0, -1
    for k in range(first, floor.account.clock[0]["n_orders"]):
        order = floor.account.orders[k]
        if open_lots(floor.account, k, ts) == 0:
            continue
        left -= open_lots(floor.account, k, ts)
        if order["asked_type"] != LIMIT:
            continue  # it takes, and is over before anything could reach it
        better = keeper < 0 or (
            order["asked_ticks"] == ticks and floor.account.orders[keeper]["asked_ticks"] != ticks
        )
        if better:
            keeper = k
    for k in range(first, floor.account.clock[0]["n_orders"]):
        order = floor.account.orders[k]
        rests = order["asked_type"] == LIMIT and open_lots(floor.account, k, ts) > 0
        if rests and k != keeper and (type_ != LIMIT or order["asked_ticks"] != ticks):
            cancel(floor, k, ts)
            cancels += 1
    if keeper < 0:
        if min(lots, left) > 0:
            submit(floor, side, type_, ticks, min(lots, left), 0, 0, ts)
        return cancels
    order = floor.account.orders[keeper]
    if type_ == LIMIT and order["asked_ticks"] == ticks:
        return cancels + _resize(floor, first, side, left, ticks, lots, ts)
    moved = min(lots, open_lots(floor.account, keeper, ts))
    replace(floor, keeper, type_, ticks, order["told_filled"] + moved, ts)
    cancels += 1
    if min(lots - moved, left) > 0:
        submit(floor, side, type_, ticks, min(lots - moved, left), 0, 0, ts)
    return cancels


@inner
def _resize(floor: Floor, first: int, side: int, left: int, ticks: int, lots: int, ts: int) -> int:
    """Let `lots` rest at `ticks`, where some do: the last ones shrink or go, or more join."""
    cancels, resting = 0, 0
    n = floor.account.clock[0]["n_orders"]
    for k in range(first, n):
        order = floor.account.orders[k]
        if order["asked_type"] == LIMIT and order["asked_ticks"] == ticks:
            resting += open_lots(floor.account, k, ts)
    for back in range(n - first):
        k = n - 1 - back
        order = floor.account.orders[k]
        open_ = open_lots(floor.account, k, ts)
        if order["asked_type"] != LIMIT or order["asked_ticks"] != ticks or open_ == 0:
            continue
        if resting - open_ >= lots:
            cancel(floor, k, ts)
            cancels += 1
            resting -= open_
        elif resting > lots:
            replace(floor, k, LIMIT, ticks, order["told_filled"] + open_ - (resting - lots), ts)
            cancels += 1
            resting = lots
    more = min(lots - resting, left)
    if more > 0:
        submit(floor, side, LIMIT, ticks, more, 0, 0, ts)
    return cancels
