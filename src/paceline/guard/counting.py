"""What we sent and got, counted where it happens: a message when it is sent, a fill when we hear.

Counts over a rolling window are kept in buckets, and the oldest bucket counts whole: never too
few, and at most a thirty-first of the window too many. Orders that work lie in a table of their
symbol, over all parents, so that what holds for the sum is summed over what there is.

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
from paceline.guard.rules import HOLD, REPLACE, SUBMIT, reasons
from paceline.guard.snapshot import MISSING, NO_OFFER, RECENT
from paceline.jit import inlined, inner, kernel

BUCKETS = 32
FREE = 0
"""No child order has this number."""

ROLLING_RECORD = np.dtype(
    [
        ("bucket_ns", np.int64),  # 0: no window is set, and no count known
        ("last", np.int64),  # bucket, counted from the epoch
        ("counts", np.int64, BUCKETS),
    ]
)
PARENT_RECORD = np.dtype(
    [
        ("symbol", np.int64),
        ("policy", np.int64),  # that works it; a policy has another number on another symbol
        ("side", np.int64),
        ("lots", np.int64),
        ("start_ts", np.int64),
        ("end_ts", np.int64),
        ("filled_lots", np.int64),
        ("messages", np.int64),
        ("cancels", np.int64),
    ]
)
SYMBOL_RECORD = np.dtype(
    [
        ("position_lots", np.int64),  # MISSING: not known
        ("counted_ts", np.int64),
        ("submits", np.int64),
        ("recent_ts", np.int64, RECENT),  # a ring
        ("recent_ticks", np.int64, RECENT),  # times side
        ("recent_lots", np.int64, RECENT),
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
        ("ticks", np.int64),  # costliest price it may have
        ("lots", np.int64),  # most that may still trade
        ("asked_ticks", np.int64),  # once all replaces are confirmed
        ("asked_lots", np.int64),
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
    fills: NDArray[np.void]  # [m] of ROLLING_RECORD, lots
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
    for field in ("position_lots", "counted_ts", "recent_ts"):
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


@kernel
def bucket_ns(window_ns: int) -> int:
    """A bucket so long that all but one cover the window; 0 without one."""
    return max(-(-window_ns // (BUCKETS - 1)), 0)


def _bucket_ns(windows_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([bucket_ns(window) for window in windows_ns], np.int64)


@inlined
def begin_counting(rolling: np.void, window_ns: int) -> None:
    """Nothing has happened in a window of this length."""
    rolling["bucket_ns"] = bucket_ns(window_ns)
    rolling["last"] = 0
    rolling["counts"][:] = 0


@inner
def count(rolling: np.void, ts: int, n: int) -> None:
    """`n` more at `ts`; what comes late counts with the last."""
    if rolling["bucket_ns"] == 0:
        return
    bucket = max(ts // rolling["bucket_ns"], rolling["last"])
    for later in range(max(rolling["last"] + 1, bucket - BUCKETS + 1), bucket + 1):
        rolling["counts"][later % BUCKETS] = 0
    rolling["last"] = bucket
    rolling["counts"][bucket % BUCKETS] += n


@inner
def counted(rolling: np.void, ts: int) -> int:
    """At least as many as in the window that ends at `ts`; MISSING without a window."""
    if rolling["bucket_ns"] == 0:
        return MISSING
    total, last = 0, rolling["last"]
    oldest = max(ts // rolling["bucket_ns"], last) - BUCKETS + 1
    for bucket in range(oldest, last + 1):
        total += rolling["counts"][bucket % BUCKETS]
    return total


@inner
def find(counters: Counters, symbol: int, child: int) -> int:
    """Row of a child order among those that work, or of the first empty one for FREE; else -1."""
    for row in range(counters.working.shape[1]):
        if counters.working[symbol, row]["child"] == child:
            return row
    return -1


@inner
def observe(counters: Counters, parent: int, snapshot: np.void) -> None:
    """Write what we sent and got into a snapshot whose `now_ts` is set."""
    own, now = counters.parents[parent], snapshot["now_ts"]
    symbol = own["symbol"]
    ours = counters.symbols[symbol]
    snapshot["side"] = own["side"]
    snapshot["start_ts"], snapshot["end_ts"] = own["start_ts"], own["end_ts"]
    snapshot["parent_lots"] = own["lots"]
    snapshot["inventory_lots"] = max(own["lots"] - own["filled_lots"], 0)
    snapshot["filled_lots"] = counted(counters.parent_fills[parent], now)
    snapshot["messages"], snapshot["cancels"] = own["messages"], own["cancels"]
    snapshot["symbol_filled_lots"] = counted(counters.fills[symbol], now)
    snapshot["symbol_messages"] = counted(counters.messages[symbol], now)
    snapshot["symbol_cancels"] = counted(counters.cancels[symbol], now)
    snapshot["position_lots"] = ours["position_lots"]
    snapshot["counted_ts"] = ours["counted_ts"]
    for i in range(RECENT):
        snapshot["recent_ts"][i] = ours["recent_ts"][i]
        snapshot["recent_ticks"][i] = ours["recent_ticks"][i]
        snapshot["recent_lots"][i] = ours["recent_lots"][i]
    policy = own["policy"]
    snapshot["executions"] = counted(counters.executions[policy], now)
    snapshot["may_repeat"] = 1 if counters.policies[policy]["stopped"] == 0 else 0
    _observe_working(counters.working[symbol], parent, policy, snapshot)


@inner
def _observe_working(
    working: NDArray[np.void], parent: int, policy: int, snapshot: np.void
) -> None:
    """Sum what works on a symbol."""
    mine, all_of_it, on_side, orders, may_execute = 0, 0, 0, 0, 0
    own_bid, own_ask = 0, NO_OFFER
    for row in range(len(working)):
        order = working[row]
        if order["child"] == FREE:
            continue
        orders += 1
        all_of_it += order["lots"]
        if order["parent"] == parent:
            mine += order["lots"]
        if order["policy"] == policy:
            may_execute += order["may_execute"]
        if order["side"] == snapshot["side"]:
            on_side += order["lots"]
        if order["side"] > 0:
            own_bid = max(own_bid, order["ticks"])
        else:
            own_ask = min(own_ask, order["ticks"])
    snapshot["working_lots"], snapshot["symbol_working_lots"] = mine, all_of_it
    snapshot["symbol_side_lots"], snapshot["symbol_orders"] = on_side, orders
    snapshot["own_bid_ticks"], snapshot["own_ask_ticks"] = own_bid, own_ask
    if snapshot["executions"] != MISSING:
        snapshot["executions"] += may_execute


@kernel
def admit(
    limits: NDArray[np.void],
    counters: Counters,
    snapshots: NDArray[np.void],
    orders: NDArray[np.void],
    parent: int,
    child: int,
) -> int:
    """The last door: the bits of the rules that `orders[parent]` breaks, and if there are none,
    count it as sent.

    `limits`, `snapshots` and `orders` are `[n]`, a row for each parent order. `child` is the
    number of the order to submit, cancel or replace. What works of it, and for how long, is read
    from the counters, whatever the order says.
    """
    snapshot, order = snapshots[parent], orders[parent]
    symbol, kind = counters.parents[parent]["symbol"], order["kind"]
    observe(counters, parent, snapshot)
    row = find(counters, symbol, child) if child != FREE else -1
    order["replaced_lots"], order["replaced_age_ns"] = 0, 0
    if kind != SUBMIT and row >= 0 and counters.working[symbol, row]["parent"] == parent:
        order["replaced_lots"] = counters.working[symbol, row]["lots"]
        order["replaced_age_ns"] = snapshot["now_ts"] - counters.working[symbol, row]["sent_ts"]
    bits = reasons(limits[parent], snapshot, order)
    if kind == SUBMIT and child == FREE:
        bits |= bit.MALFORMED
    if kind == SUBMIT and row >= 0:
        bits |= bit.DUPLICATE
    if kind == SUBMIT and find(counters, symbol, FREE) < 0:
        bits |= bit.WORKING_ORDERS
    if bits == 0 and kind != HOLD:
        _sent(counters, parent, child, order, snapshot["now_ts"])
    return bits


@inner
def _sent(counters: Counters, parent: int, child: int, order: np.void, ts: int) -> None:
    """Count what leaves now."""
    own, kind = counters.parents[parent], order["kind"]
    symbol = own["symbol"]
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
        working["ticks"], working["lots"] = order["ticks"], order["lots"]
        working["asked_ticks"], working["asked_lots"] = order["ticks"], order["lots"]
        working["replaces"], working["sent_ts"] = 0, ts
        latest = ours["submits"] % RECENT
        ours["recent_ts"][latest] = ts
        ours["recent_ticks"][latest] = order["side"] * order["ticks"]
        ours["recent_lots"][latest] = order["lots"]
        ours["submits"] += 1
    elif kind == REPLACE:
        working, side = counters.working[symbol, find(counters, symbol, child)], order["side"]
        working["ticks"] = side * max(side * working["ticks"], side * order["ticks"])
        working["lots"] = max(working["lots"], order["lots"])
        working["asked_ticks"], working["asked_lots"] = order["ticks"], order["lots"]
        working["replaces"] += 1
        working["may_execute"] += 1
        working["sent_ts"] = ts


@kernel
def filled(counters: Counters, parent: int, child: int, lots: int, ts: int) -> bool:
    """`lots` of a child order traded, as we hear at `ts`. They count in any case; False when the
    order was thought to be over, or never sent."""
    own = counters.parents[parent]
    symbol = own["symbol"]
    ours = counters.symbols[symbol]
    ours["counted_ts"] = max(ours["counted_ts"], ts)
    own["filled_lots"] += lots
    count(counters.parent_fills[parent], ts, lots)
    count(counters.fills[symbol], ts, lots)
    if ours["position_lots"] != MISSING:
        ours["position_lots"] += own["side"] * lots
    row = find(counters, symbol, child)
    if child == FREE or row < 0:
        _executed(counters, own["policy"], ts)
        return False
    working = counters.working[symbol, row]
    if working["may_execute"] > 0:
        working["may_execute"] -= 1
        _executed(counters, own["policy"], ts)
    working["lots"] -= lots
    working["asked_lots"] -= lots
    if working["lots"] <= 0:
        working["child"] = FREE
    return True


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
        working["ticks"], working["lots"] = working["asked_ticks"], working["asked_lots"]
        working["may_execute"] = min(working["may_execute"], 1)
        if working["lots"] <= 0:
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
