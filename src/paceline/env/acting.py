"""Carry out a child order: what works already is moved, so that afterwards it is what was chosen.

An order that rests at the price keeps its place in the queue: it shrinks where it is, and what is
to be added stands behind it as a new one. At another price the oldest is replaced in one step, so
that nothing can fill twice, the others are cancelled, and what is more is a new one. What rests,
rests at one price. An order never grows: until the exchange has heard of it nobody knows how much
of it works. Of what may still trade, told or not, there is never more than is left.

So an action is one replace of `move_lots`, or one new order of what is more, or both; `mask` and
`box` hold each against the guard's rules.
"""

from __future__ import annotations

from paceline.engine.account import LIMIT, MARKETABLE, REPLACE, Account, open_lots
from paceline.engine.clockwork import Floor
from paceline.engine.messages import cancel, replace, submit
from paceline.jit import inlined, inner

_GOING = -1
"""What we last asked a child order to be: nothing. It may trade until we are told that it is over,
but nothing more is asked of it."""


@inner
def resting_lots(account: Account, k: int, ts: int) -> int:
    """Lots of child order `k` that rest once all we asked for has happened, for all we know at
    `ts`: none of one that takes, or that is to be cancelled."""
    order = account.orders[k]
    open_ = open_lots(account, k, ts)
    if open_ == 0 or (order["asked_type"] != LIMIT and order["asked_type"] != MARKETABLE):
        return 0
    total, clock = order["lots"], account.clock[0]
    for at in range(clock["inbox_head"], clock["inbox_tail"]):
        message = account.inbox[at & (len(account.inbox) - 1)]
        if message["order"] == k and message["kind"] == REPLACE:
            total = message["lots"]
    return max(total - order["told_filled"], 0)


@inner
def carry_out(
    floor: Floor, first: int, side: int, left: int, type_: int, ticks: int, lots: int, ts: int
) -> int:
    """Make `lots` work at `ticks` as `type_`, of `left` to trade; returns how many cancels and
    replaces it took.

    Child orders before `first` are over. Sends as few messages as it can.
    """
    rests = type_ == LIMIT or type_ == MARKETABLE
    cancels, keeper = 0, -1
    for k in range(first, floor.account.clock[0]["n_orders"]):
        left -= open_lots(floor.account, k, ts)
        if resting_lots(floor.account, k, ts) == 0:
            continue
        there = rests and floor.account.orders[k]["asked_ticks"] == ticks
        if keeper < 0 or (there and floor.account.orders[keeper]["asked_ticks"] != ticks):
            keeper = k
    for k in range(first, floor.account.clock[0]["n_orders"]):
        there = rests and floor.account.orders[k]["asked_ticks"] == ticks
        if k != keeper and not there and resting_lots(floor.account, k, ts) > 0:
            cancels += _withdraw(floor, k, ts)
    if keeper < 0:
        _add(floor, side, type_, ticks, min(lots, left), ts)
        return cancels
    order = floor.account.orders[keeper]
    if rests and order["asked_ticks"] == ticks:
        return cancels + _resize(floor, first, side, left, type_, ticks, lots, ts)
    moved = min(lots, resting_lots(floor.account, keeper, ts))
    replace(floor, keeper, type_, ticks, order["told_filled"] + moved, ts)
    _add(floor, side, type_, ticks, min(lots - moved, left), ts)
    return cancels + 1


@inner
def _resize(
    floor: Floor, first: int, side: int, left: int, type_: int, ticks: int, lots: int, ts: int
) -> int:
    """Let `lots` rest at `ticks`, where some do: the last ones shrink or go, or more join."""
    cancels, resting = 0, 0
    n = floor.account.clock[0]["n_orders"]
    for k in range(first, n):
        if floor.account.orders[k]["asked_ticks"] == ticks:
            resting += resting_lots(floor.account, k, ts)
    _add(floor, side, type_, ticks, min(lots - resting, left), ts)
    for back in range(n - first):
        k = n - 1 - back
        order = floor.account.orders[k]
        mine = resting_lots(floor.account, k, ts)
        if order["asked_ticks"] != ticks or mine == 0:
            continue
        if resting - mine >= lots:
            cancels += _withdraw(floor, k, ts)
            resting -= mine
        elif resting > lots:
            kept = order["told_filled"] + mine - (resting - lots)
            replace(floor, k, order["asked_type"], ticks, kept, ts)
            cancels += 1
            resting = lots
    return cancels


@inlined
def _withdraw(floor: Floor, k: int, ts: int) -> int:
    """Cancel; returns the one message that it takes."""
    cancel(floor, k, ts)
    floor.account.orders[k]["asked_type"] = _GOING
    return 1


@inlined
def _add(floor: Floor, side: int, type_: int, ticks: int, lots: int, ts: int) -> None:
    """A new order, if there is something to send."""
    if lots > 0:
        submit(floor, side, type_, ticks, lots, 0, 0, ts)
