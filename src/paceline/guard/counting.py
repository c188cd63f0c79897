"""What we sent and got, counted where it happens: a message when it is sent, a fill when we hear.

Orders that work lie in a table of their symbol, over all parents, so that what holds for the sum is
summed over what there is.

Parent orders of one symbol may have different lots and ticks: days of one symbol do, and so do
venues. What is counted for the symbol is therefore in *units*, whole numbers of the largest size
(and price) of which every lot (and tick) there is a multiple; `lot_units` and `tick_units` of a
parent order are one lot and one tick of its own. A snapshot speaks in the parent's own lots and
ticks: a count that is not whole in them is rounded to the strict side.

Executions are counted for a policy on a symbol, as RTS 6 Art. 15(3) asks: every submit and every
replace may execute once. Until it has, or is over, it counts as if it had. When as many have as
may, the policy is stopped, and only `let_go_on` starts it again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.guard import reasons as bit
from paceline.guard.limits import UNLIMITED
from paceline.guard.rolling import BUCKETS, ROLLING_RECORD, bucket_ns, count, counted
from paceline.guard.rules import HOLD, REPLACE, SUBMIT, reasons
from paceline.guard.snapshot import MISSING, NO_OFFER, RECENT
from paceline.jit import inlined, inner, kernel

FREE = 0
"""No child order has this number."""
MOST_UNITS_IN_ONE = 2**30
"""Largest `lot_units` and `tick_units`. A fill (at most MOST_LOTS) in units is below 2**61."""
MOST_UNITS = 2**54
"""Largest order in units; MOST_ROOM of them sum up to 2**62."""
MOST_ROOM = 256
"""Most orders that a table holds for a symbol."""
MOST_HELD = 2**61
"""Largest position in units, and most that a bucket of fills holds. What goes beyond is not
known."""

PARENT_RECORD = np.dtype(
    [
        ("symbol", np.int64),
        ("policy", np.int64),  # that works it; a policy has another number on another symbol
        ("side", np.int64),
        ("lots", np.int64),
        ("lot_units", np.int64),  # of its symbol, in one of its lots; at least 1
        ("tick_units", np.int64),
        ("start_ts", np.int64),
        ("end_ts", np.int64),
        ("filled_lots", np.int64),
        ("messages", np.int64),
        ("cancels", np.int64),
    ]
)
SYMBOL_RECORD = np.dtype(
    [
        ("position_units", np.int64),  # MISSING: not known
        ("counted_ts", np.int64),
        ("submits", np.int64),
        ("recent_ts", np.int64, RECENT),  # a ring
        ("recent_price", np.int64, RECENT),  # units, times side
        ("recent_size", np.int64, RECENT),  # units
    ]
)
POLICY_RECORD = np.dtype(
    [
        ("max_executions", np.int64),  # the strictest limit of its parents
        ("stopped", np.int64),  # 1: by its executions, until a person lets it go on
    ]
)
WORKING_RECORD = np.dtype(
    [
        ("child", np.int64),  # its number, from 1; FREE: an empty row
        ("parent", np.int64),
        ("policy", np.int64),
        ("side", np.int64),
        ("price", np.int64),  # costliest that it may have, units
        ("size", np.int64),  # most that may still trade, units
        ("asked_price", np.int64),  # once all replaces are confirmed
        ("asked_size", np.int64),
        ("replaces", np.int64),  # on their way
        ("may_execute", np.int64),  # of its submit and replaces, those that may and have not yet
        ("sent_ts", np.int64),  # or last replaced
    ]
)


class Counters(NamedTuple):
    """Counts of parent orders `[n]` on symbols `[m]`, worked by policies `[k]`."""

    parents: NDArray[np.void]  # [n] of PARENT_RECORD
    parent_fills: NDArray[np.void]  # [n] of ROLLING_RECORD, lots
    symbols: NDArray[np.void]  # [m] of SYMBOL_RECORD
    fills: NDArray[np.void]  # [m] of ROLLING_RECORD, units
    messages: NDArray[np.void]  # [m]
    cancels: NDArray[np.void]  # [m]
    working: NDArray[np.void]  # [m, room] of WORKING_RECORD
    policies: NDArray[np.void]  # [k] of POLICY_RECORD
    executions: NDArray[np.void]  # [k] of ROLLING_RECORD, orders


def new_counters(parents: NDArray[np.void], limits: NDArray[np.void], room: int = 64) -> Counters:
    """Nothing sent yet: `parents` `[n]` of PARENT_RECORD with `limits` `[n]` of LIMITS_RECORD.

    `room` orders may work on a symbol at once. Where parents of a symbol have windows of different
    lengths, the longest is counted for all, and of a policy's limits the strictest.
    """
    n_symbols = int(parents["symbol"].max(initial=-1)) + 1
    n_policies = int(parents["policy"].max(initial=-1)) + 1
    symbols = np.zeros(n_symbols, SYMBOL_RECORD)
    for field in ("position_units", "counted_ts", "recent_ts"):
        symbols[field] = MISSING
    counters = Counters(
        parents=parents.copy(),
        parent_fills=np.zeros(len(parents), ROLLING_RECORD),
        symbols=symbols,
        fills=np.zeros(n_symbols, ROLLING_RECORD),
        messages=np.zeros(n_symbols, ROLLING_RECORD),
        cancels=np.zeros(n_symbols, ROLLING_RECORD),
        working=np.zeros((n_symbols, room), WORKING_RECORD),
        policies=np.zeros(n_policies, POLICY_RECORD),
        executions=np.zeros(n_policies, ROLLING_RECORD),
    )
    most = counters.policies["max_executions"]
    most[:] = UNLIMITED
    np.minimum.at(most, parents["policy"], limits["max_executions"])
    counters.parent_fills["bucket_ns"] = _bucket_ns(limits["window_ns"])
    for rolling, of, window in (
        (counters.fills, "symbol", "window_ns"),
        (counters.messages, "symbol", "rate_window_ns"),
        (counters.cancels, "symbol", "rate_window_ns"),
        (counters.executions, "policy", "execution_window_ns"),
    ):
        np.maximum.at(rolling["bucket_ns"], parents[of], _bucket_ns(limits[window]))
    return counters


def _bucket_ns(windows_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([bucket_ns(window) for window in windows_ns], np.int64)


@inner
def find(counters: Counters, symbol: int, child: int) -> int:
    """Row of a child order among those that work, or of the first empty one for FREE; else -1."""
    for row in range(counters.working.shape[1]):
        if counters.working[symbol, row]["child"] == child:
            return row
    return -1


@inlined
def _up(units: int, per_step: int) -> int:
    """Steps that cover `units`."""
    return -(-units // per_step)


@inner
def observe(counters: Counters, parent: int, snapshot: np.void) -> None:
    """Write what we sent and got into a snapshot whose `now_ts` is set, in the parent's lots and
    ticks."""
    own, now = counters.parents[parent], snapshot["now_ts"]
    symbol, lot_units = own["symbol"], own["lot_units"]
    ours = counters.symbols[symbol]
    snapshot["side"] = own["side"]
    snapshot["start_ts"], snapshot["end_ts"] = own["start_ts"], own["end_ts"]
    snapshot["parent_lots"] = own["lots"]
    snapshot["inventory_lots"] = max(own["lots"] - own["filled_lots"], 0)
    snapshot["filled_lots"] = counted(counters.parent_fills[parent], now)
    snapshot["messages"], snapshot["cancels"] = own["messages"], own["cancels"]
    fills = counted(counters.fills[symbol], now)
    snapshot["symbol_filled_lots"] = MISSING if fills < 0 else _up(fills, lot_units)
    snapshot["symbol_messages"] = counted(counters.messages[symbol], now)
    snapshot["symbol_cancels"] = counted(counters.cancels[symbol], now)
    held = ours["position_units"]
    if held != MISSING:  # more than there is for a buy, less for a sell
        held = _up(held, lot_units) if own["side"] > 0 else held // lot_units
    snapshot["position_lots"] = held
    snapshot["counted_ts"] = ours["counted_ts"]
    for i in range(RECENT):
        price, size = ours["recent_price"][i], ours["recent_size"][i]
        alike = price % own["tick_units"] == 0 and size % lot_units == 0
        snapshot["recent_ts"][i] = ours["recent_ts"][i]
        snapshot["recent_ticks"][i] = price // own["tick_units"]
        snapshot["recent_lots"][i] = size // lot_units if alike else 0  # no order is like it
    policy = own["policy"]
    snapshot["executions"] = counted(counters.executions[policy], now)
    snapshot["may_repeat"] = 1 if counters.policies[policy]["stopped"] == 0 else 0
    _observe_working(counters.working[symbol], own, parent, snapshot)


@inner
def _observe_working(
    working: NDArray[np.void], own: np.void, parent: int, snapshot: np.void
) -> None:
    """Sum what works on a symbol."""
    mine, all_of_it, on_side, orders, may_execute = 0, 0, 0, 0, 0
    own_bid, own_ask = 0, NO_OFFER
    for row in range(len(working)):
        order = working[row]
        if order["child"] == FREE:
            continue
        orders += 1
        all_of_it += order["size"]
        if order["parent"] == parent:
            mine += order["size"]
        if order["policy"] == own["policy"]:
            may_execute += order["may_execute"]
        if order["side"] == own["side"]:
            on_side += order["size"]
        if order["side"] > 0:
            own_bid = max(own_bid, order["price"])
        else:
            own_ask = min(own_ask, order["price"])
    lot_units, tick_units = own["lot_units"], own["tick_units"]
    snapshot["working_lots"] = _up(mine, lot_units)
    snapshot["symbol_working_lots"] = _up(all_of_it, lot_units)
    snapshot["symbol_side_lots"], snapshot["symbol_orders"] = _up(on_side, lot_units), orders
    # The highest price on this grid that meets our bid, and the lowest that meets our offer.
    snapshot["own_bid_ticks"] = own_bid // tick_units
    snapshot["own_ask_ticks"] = NO_OFFER if own_ask == NO_OFFER else _up(own_ask, tick_units)
    if snapshot["executions"] != MISSING:
        snapshot["executions"] += may_execute


@kernel
def judge(
    limits: NDArray[np.void],
    counters: Counters,
    snapshots: NDArray[np.void],
    orders: NDArray[np.void],
    parent: int,
    child: int,
) -> int:
    """The bits of the rules that `orders[parent]` breaks; nothing is counted.

    `limits`, `snapshots` and `orders` are `[n]`, a row for each parent order. `child` is the
    number of the order to submit, cancel or replace. What works of it, and for how long, is read
    from the counters, whatever the order says.
    """
    snapshot, order, own = snapshots[parent], orders[parent], counters.parents[parent]
    symbol, kind = own["symbol"], order["kind"]
    observe(counters, parent, snapshot)
    row = find(counters, symbol, child) if child != FREE else -1
    order["replaced_lots"], order["replaced_age_ns"] = 0, 0
    if kind != SUBMIT and row >= 0 and counters.working[symbol, row]["parent"] == parent:
        order["replaced_lots"] = counters.working[symbol, row]["size"] // own["lot_units"]
        order["replaced_age_ns"] = snapshot["now_ts"] - counters.working[symbol, row]["sent_ts"]
    bits = reasons(limits[parent], snapshot, order)
    if (kind == SUBMIT or kind == REPLACE) and order["lots"] > MOST_UNITS // own["lot_units"]:
        bits |= bit.ORDER_QUANTITY
    if kind == SUBMIT and child == FREE:
        bits |= bit.MALFORMED
    if kind == SUBMIT and row >= 0:
        bits |= bit.DUPLICATE
    if kind == SUBMIT and find(counters, symbol, FREE) < 0:
        bits |= bit.WORKING_ORDERS
    return bits


@kernel
def admit(
    limits: NDArray[np.void],
    counters: Counters,
    snapshots: NDArray[np.void],
    orders: NDArray[np.void],
    parent: int,
    child: int,
) -> int:
    """`judge`, and count the order as sent if it breaks no rule."""
    bits = judge(limits, counters, snapshots, orders, parent, child)
    if bits == 0 and orders[parent]["kind"] != HOLD:
        sent(counters, parent, child, orders[parent], snapshots[parent]["now_ts"])
    return bits


@kernel
def sent(counters: Counters, parent: int, child: int, order: np.void, ts: int) -> None:
    """Count a message that leaves now, and that `judge` let pass."""
    own, kind = counters.parents[parent], order["kind"]
    symbol = own["symbol"]
    price, size = order["ticks"] * own["tick_units"], order["lots"] * own["lot_units"]
    ours = counters.symbols[symbol]
    ours["counted_ts"] = max(ours["counted_ts"], ts)
    own["messages"] += 1
    count(counters.messages[symbol], ts, 1)
    if kind != SUBMIT:
        own["cancels"] += 1
        count(counters.cancels[symbol], ts, 1)
    if kind == SUBMIT:
        working = counters.working[symbol, find(counters, symbol, FREE)]
        working["child"], working["parent"], working["side"] = child, parent, order["side"]
        working["policy"], working["may_execute"] = own["policy"], 1
        working["price"], working["size"] = price, size
        working["asked_price"], working["asked_size"] = price, size
        working["replaces"], working["sent_ts"] = 0, ts
        latest = ours["submits"] % RECENT
        ours["recent_ts"][latest] = ts
        ours["recent_price"][latest] = order["side"] * price
        ours["recent_size"][latest] = size
        ours["submits"] += 1
    elif kind == REPLACE:
        working, side = counters.working[symbol, find(counters, symbol, child)], order["side"]
        working["price"] = side * max(side * working["price"], side * price)
        working["size"] = max(working["size"], size)
        working["asked_price"], working["asked_size"] = price, size
        working["replaces"] += 1
        working["may_execute"] += 1
        working["sent_ts"] = ts


@kernel
def filled(counters: Counters, parent: int, child: int, lots: int, ts: int) -> bool:
    """`lots` of a child order traded, as we hear at `ts`. They count in any case; False when the
    order was thought to be over, or never sent."""
    own = counters.parents[parent]
    symbol, size = own["symbol"], lots * own["lot_units"]
    ours = counters.symbols[symbol]
    ours["counted_ts"] = max(ours["counted_ts"], ts)
    own["filled_lots"] += lots
    count(counters.parent_fills[parent], ts, lots)
    _count_size(counters.fills[symbol], ts, size)
    if ours["position_units"] != MISSING:
        ours["position_units"] += own["side"] * size
        if abs(ours["position_units"]) > MOST_HELD:
            ours["position_units"] = MISSING
    row = find(counters, symbol, child)
    if child == FREE or row < 0:
        _executed(counters, own["policy"], ts)
        return False
    working = counters.working[symbol, row]
    if working["may_execute"] > 0:
        working["may_execute"] -= 1
        _executed(counters, own["policy"], ts)
    working["size"] -= size
    working["asked_size"] -= size
    if working["size"] <= 0:
        working["child"] = FREE
    return True


@inner
def _count_size(rolling: np.void, ts: int, size: int) -> None:
    """`count`, until a sum of all buckets could be too large a number: then no count is known."""
    count(rolling, ts, size)
    if rolling["counts"][rolling["last"] % BUCKETS] > MOST_HELD // BUCKETS:
        rolling["bucket_ns"] = 0


@inner
def _executed(counters: Counters, policy: int, ts: int) -> None:
    """One more order of a policy has executed; it is stopped when these are all that may."""
    count(counters.executions[policy], ts, 1)
    ours = counters.policies[policy]
    if counted(counters.executions[policy], ts) >= ours["max_executions"]:
        ours["stopped"] = 1


@kernel
def let_go_on(counters: Counters, policy: int) -> bool:
    """A person has looked: what has executed is forgotten; what works may still execute, and
    counts. False when the policy was not stopped."""
    if counters.policies[policy]["stopped"] == 0:
        return False
    counters.policies[policy]["stopped"] = 0
    counters.executions[policy]["counts"][:] = 0
    return True


@kernel
def replaced(counters: Counters, parent: int, child: int) -> bool:
    """The exchange confirmed a replace; False when none was on its way."""
    symbol = counters.parents[parent]["symbol"]
    row = find(counters, symbol, child)
    if child == FREE or row < 0 or counters.working[symbol, row]["replaces"] == 0:
        return False
    working = counters.working[symbol, row]
    working["replaces"] -= 1
    if working["replaces"] == 0:
        working["price"], working["size"] = working["asked_price"], working["asked_size"]
        working["may_execute"] = min(working["may_execute"], 1)
        if working["size"] <= 0:
            working["child"] = FREE
    return True


@kernel
def over(counters: Counters, parent: int, child: int) -> bool:
    """Nothing of a child order works any more: cancelled, expired or rejected."""
    symbol = counters.parents[parent]["symbol"]
    row = find(counters, symbol, child)
    if child == FREE or row < 0:
        return False
    counters.working[symbol, row]["child"] = FREE
    return True
