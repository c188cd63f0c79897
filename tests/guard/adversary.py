"""A sender that tries every limit: just below it, at it, just beyond, and nonsense.

Several parent orders work one symbol. Their orders go through `admit`, and what it lets pass is
written down, with what came of it. `test_sending` audits the paper.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.engine.dice import below
from paceline.guard.counting import Counters, admit, filled, let_go_on, over, replaced
from paceline.guard.participation import allowed_lots
from paceline.guard.rules import CANCEL, HOLD, PROTECT, REPLACE, SUBMIT
from paceline.guard.snapshot import MISSING, REDUCE_ONLY, RUNNING, SNAPSHOT_RECORD
from paceline.jit import inner, kernel
from paceline.units import NS_PER_MS

FILL, CONFIRM, OVER, LET_GO = 10, 11, 12, 13
ENTRY = np.dtype(
    [
        ("ts", np.int64),
        ("kind", np.int64),  # of a message, or FILL, CONFIRM, OVER, LET_GO
        ("parent", np.int64),
        ("child", np.int64),
        ("side", np.int64),
        ("type", np.int64),
        ("ticks", np.int64),
        ("lots", np.int64),
        ("seen", SNAPSHOT_RECORD),
    ]
)
START = 10**18


@inner
def often(dice: NDArray[np.void], one_in: int) -> bool:
    return below(dice, one_in) == 0


@inner
def about(dice: NDArray[np.void], value: int) -> int:
    """`value`, or next to it."""
    return value + below(dice, 3) - 1


@inner
def look(dice: NDArray[np.void], limits: np.void, snapshot: np.void, tick_units: int) -> None:
    """The market and the desk, most of the time fine."""
    bid = (2080 + below(dice, 12)) // tick_units
    snapshot["bid_ticks"], snapshot["ask_ticks"] = bid, bid + 1 + below(dice, 3)
    snapshot["data_ts"] = snapshot["now_ts"] - below(dice, 1000)
    snapshot["reference_half_ticks"][0] = 4170 // tick_units + below(dice, 2)
    snapshot["period_half_ticks"] = 4160 // tick_units + below(dice, 20)
    snapshot["others_lots"] = below(dice, 6000)
    snapshot["volatility_ppm"] = below(dice, limits["max_volatility_ppm"])
    for flag in range(6):
        on = 0 if often(dice, 100) else 1
        if flag == 0:
            snapshot["unrestricted"] = on
        elif flag == 1:
            snapshot["trading"] = on
        elif flag == 2:
            snapshot["venue_up"] = on
        elif flag == 3:
            snapshot["quiet"] = on
        elif flag == 4:
            snapshot["short_sales"] = on
    snapshot["located_lots"] = below(dice, 600)
    snapshot["latency_ns"] = below(dice, limits["max_latency_ns"])
    snapshot["target_lots"] = max(snapshot["inventory_lots"] - below(dice, 500), 0)
    snapshot["kill_mode"] = RUNNING
    if not often(dice, 4):
        return
    trouble = below(dice, 10)
    if trouble == 0:
        snapshot["ask_ticks"] = about(dice, bid)
    elif trouble == 1:
        snapshot["bid_ticks"] = MISSING
    elif trouble == 2:
        snapshot["data_ts"] = about(dice, snapshot["now_ts"] - limits["max_data_age_ns"])
    elif trouble == 3:
        snapshot["data_ts"] = about(dice, snapshot["now_ts"])
    elif trouble == 4:
        snapshot["latency_ns"] = about(dice, limits["max_latency_ns"])
    elif trouble == 5:
        snapshot["volatility_ppm"] = about(dice, limits["max_volatility_ppm"])
    elif trouble == 6:
        snapshot["others_lots"] = MISSING
    elif trouble == 7:
        snapshot["target_lots"] = MISSING
    elif trouble == 8:
        snapshot["kill_mode"] = below(dice, 6)
    else:
        snapshot["kill_mode"] = REDUCE_ONLY


@inner
def a_price(dice: NDArray[np.void], limits: np.void, snapshot: np.void, side: int) -> int:
    """Near the touch, a bound of the band, or a price of our own."""
    bid, ask = snapshot["bid_ticks"], snapshot["ask_ticks"]
    where = below(dice, 16)
    if where < 9:
        return (bid if side > 0 else ask) - side * below(dice, 12)
    if where < 12:
        return about(dice, bid if side > 0 else ask)
    if where == 12:
        return about(dice, ask if side > 0 else bid)
    half = snapshot["reference_half_ticks"][0] if where == 13 else snapshot["period_half_ticks"]
    ppm = limits["band_ppm"] if where == 13 else limits["move_ppm"]
    if where < 15:
        return about(dice, (half + side * half * ppm // 1_000_000) // 2)
    return about(dice, snapshot["own_ask_ticks"] if side > 0 else snapshot["own_bid_ticks"])


@inner
def a_size(
    dice: NDArray[np.void], limits: np.void, snapshot: np.void, side: int, ticks: int
) -> int:
    """Small, or about what one of the limits leaves."""
    which = below(dice, 48)
    working, all_working = snapshot["working_lots"], snapshot["symbol_working_lots"]
    others, held = snapshot["others_lots"], snapshot["position_lots"]
    value = 1 + below(dice, 40)
    if which == 0:
        value = limits["child_max_lots"]
    elif which == 1:
        value = limits["max_order_lots"]
    elif which == 2 and ticks > 0:
        value = limits["max_order_value"] // ticks
    elif which == 3:
        value = snapshot["inventory_lots"] - working
    elif which == 4 or which == 5:
        value = allowed_lots(limits["participation_ppm"], others)
        value -= snapshot["filled_lots"] + working
    elif which == 6 or which == 7:
        value = allowed_lots(limits["symbol_participation_ppm"], others)
        value -= snapshot["symbol_filled_lots"] + all_working
    elif which == 8:
        value = limits["max_position_lots"] - side * held - snapshot["symbol_side_lots"]
    elif which == 9:
        value = limits["max_working_lots"] - all_working
    elif which == 10:
        value = snapshot["inventory_lots"] - working - snapshot["target_lots"]
        value += limits["max_ahead_ppm"] * snapshot["parent_lots"] // 1_000_000
    elif which == 11 and side < 0:
        value = held + snapshot["located_lots"] - snapshot["symbol_side_lots"]
    elif which == 12:
        value = -side * held - snapshot["symbol_side_lots"]
    elif which > 14:
        return value
    return about(dice, value)


@inner
def ask_for(
    dice: NDArray[np.void], limits: np.void, counters: Counters, parent: int, snapshot: np.void,
    order: np.void,
) -> None:  # fmt: skip
    """Write an order."""
    what = below(dice, 20)
    order["kind"] = SUBMIT
    if what > 9:
        order["kind"] = REPLACE if what < 14 else CANCEL if what < 18 else HOLD
    if often(dice, 50):
        order["kind"] = PROTECT
    side = snapshot["side"]
    order["side"] = -side if often(dice, 60) else side
    order["type"] = below(dice, 3)
    if often(dice, 2):
        order["type"] = 0
    order["ticks"] = a_price(dice, limits, snapshot, side)
    order["lots"] = a_size(dice, limits, snapshot, side, order["ticks"])
    again = counters.symbols[0]
    if again["submits"] > 0 and often(dice, 10):
        last = (again["submits"] - 1) % 8
        own = counters.parents[parent]
        order["ticks"] = abs(again["recent_price"][last]) // own["tick_units"]
        order["lots"] = again["recent_size"][last] // own["lot_units"]
    if often(dice, 80):
        nonsense = below(dice, 5)
        if nonsense == 0:
            order["lots"] = -order["lots"]
        elif nonsense == 1:
            order["lots"] = 2**62 + below(dice, 9)
        elif nonsense == 2:
            order["ticks"] = 2**31 + below(dice, 9) - 4
        elif nonsense == 3:
            order["type"] = 3
        else:
            order["kind"] = 5 + below(dice, 3)


@inner
def write(log: NDArray[np.void], at: int, ts: int, kind: int, parent: int, child: int) -> None:
    entry = log[at]
    entry["ts"], entry["kind"], entry["parent"], entry["child"] = ts, kind, parent, child


@inner
def happen(
    dice: NDArray[np.void], counters: Counters, log: NDArray[np.void], at: int, ts: int
) -> int:
    """Something becomes of an order that works; returns how much is in the log then."""
    row = below(dice, counters.working.shape[1])
    working = counters.working[0, row]
    child, parent = working["child"], working["parent"]
    if child == 0:
        return at
    what = below(dice, 10)
    if what < 4:
        lots = 1 + below(dice, working["size"] // counters.parents[parent]["lot_units"])
        write(log, at, ts, FILL, parent, child)
        log[at]["lots"] = lots
        filled(counters, parent, child, lots, ts)
        return at + 1
    if what < 9 and working["replaces"] > 0:
        write(log, at, ts, CONFIRM, parent, child)
        replaced(counters, parent, child)
        return at + 1
    if what == 9:
        write(log, at, ts, OVER, parent, child)
        over(counters, parent, child)
        return at + 1
    return at


@kernel
def play(
    limits: NDArray[np.void],
    counters: Counters,
    snapshots: NDArray[np.void],
    orders: NDArray[np.void],
    dice: NDArray[np.void],
    n_steps: int,
    log: NDArray[np.void],
    refused: NDArray[np.int64],
) -> int:
    """`n_steps` states, an order in each; returns how much is in the log. `refused[b]` counts
    orders refused for bit `b`, `refused[63]` those that were not allowed."""
    now, used = START, 0
    for step in range(n_steps):
        pace = below(dice, 8)
        now += below(dice, 4 * NS_PER_MS) if pace < 6 else below(dice, 60 * NS_PER_MS)
        if pace == 7:
            now += below(dice, 600 * NS_PER_MS)
        parent = below(dice, len(limits))
        limit, snapshot, order = limits[parent], snapshots[parent], orders[parent]
        snapshot["now_ts"] = now - 1 - below(dice, 10**8) if often(dice, 200) else now
        look(dice, limit, snapshot, counters.parents[parent]["tick_units"])
        ask_for(dice, limit, counters, parent, snapshot, order)
        child = step + 1
        if order["kind"] != SUBMIT or often(dice, 100):
            row = below(dice, counters.working.shape[1])
            for _ in range(counters.working.shape[1]):
                if counters.working[0, row]["parent"] == parent:
                    break
                row = (row + 1) % counters.working.shape[1]
            child = counters.working[0, row]["child"]
        bits = admit(limits, counters, snapshots, orders, parent, child)
        if bits == 0 and order["kind"] != HOLD:
            write(log, used, snapshot["now_ts"], order["kind"], parent, child)
            log[used]["side"], log[used]["type"] = order["side"], order["type"]
            log[used]["ticks"], log[used]["lots"] = order["ticks"], order["lots"]
            log[used]["seen"] = snapshot
            used += 1
        refused[63] += bits != 0
        for b in range(63):
            refused[b] += bits >> b & 1
        if often(dice, 20):
            policy = below(dice, len(counters.policies))
            if let_go_on(counters, policy):
                write(log, used, now, LET_GO, policy, 0)
                used += 1
        if often(dice, 2):
            used = happen(dice, counters, log, used, now)
    return used
