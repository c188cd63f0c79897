"""Work parent orders on a tape: schedule and tactic against the exchange, in one kernel call.

For each order: jump to its start, and at every slice boundary look at the market, hear of fills,
let what the last slice left cross, and place what the schedule has due. At the end of the horizon
what is left is executed against the visible book, or stays unfilled, as the plan says. The worker
knows only what it could know: the book as delayed, the fills it was told of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine import pit, replay
from paceline.engine.account import (
    FILL_RECORD,
    IOC,
    LIMIT,
    MARKET_LINE,
    NEVER,
    ORDER_RECORD,
    learn,
    open_lots,
    slowed,
)
from paceline.engine.clockwork import Floor, advance, best_seen, come_to, look, volume_by
from paceline.engine.messages import cancel, next_arrival, replace, submit
from paceline.guard.participation import room_lots
from paceline.jit import inner, kernel, spliced
from paceline.market.compiler import Images
from paceline.schedule.pov import lots_due
from paceline.schedule.tactic import CROSS, crossing_ticks, no_worse, resting_ticks

PARENT_RECORD = np.dtype(
    [
        ("side", np.int64),
        ("lots", np.int64),
        ("start_ts", np.int64),
        ("end_ts", np.int64),
        ("band_low", np.int64),  # a sell asks no less, ticks on the order grid
        ("band_high", np.int64),  # a buy pays no more
        ("child_max", np.int64),  # lots
        ("share_ppm", np.int64),  # most participation over the window; 0: no limit
        ("window_ns", np.int64),
        ("seed", np.int64),  # of its latencies
    ]
)

RESULT_RECORD = np.dtype(
    [
        ("filled_lots", np.int64),
        ("maker_lots", np.int64),
        ("children", np.int64),
        ("replaces", np.int64),
        ("fills", np.int64),
        ("market_lots", np.int64),  # traded by everybody from start to end, as recorded
        ("displaced_lots", np.int64),  # of them, what became ours
    ]
)


class Plan(NamedTuple):
    """How orders are worked: schedule, tactic, and what happens at the end."""

    targets: NDArray[np.int64]  # [n_orders, n_slices + 1] lots to be left at each boundary
    bounds: NDArray[np.int64]  # [n_orders, n_slices + 1] ns
    pov_ppm: int  # above 0: `targets` is not read, the market's volume is
    placement: int
    repeg_ns: int  # 0: never
    collar_bps: float
    finish: int  # 1: what is left at the end takes the visible book


class Log(NamedTuple):
    """Room for what happened, filled from the front."""

    result: NDArray[np.void]  # [n_orders] of RESULT_RECORD
    order_parent: NDArray[np.int64]  # [max_orders]
    orders: NDArray[np.void]  # [max_orders] of ORDER_RECORD
    fill_parent: NDArray[np.int64]  # [max_fills]
    fills: NDArray[np.void]  # [max_fills] of FILL_RECORD; `order` counts from the log's start
    used: NDArray[np.int64]  # [2] orders, fills


def new_log(n_orders: int, max_children: int, max_fills: int) -> Log:
    """Room for `n_orders` parent orders and, over all of them, so many children and fills."""
    return Log(
        result=np.zeros(n_orders, RESULT_RECORD),
        order_parent=np.zeros(max_children, np.int64),
        orders=np.zeros(max_children, ORDER_RECORD),
        fill_parent=np.zeros(max_fills, np.int64),
        fills=np.zeros(max_fills, FILL_RECORD),
        used=np.zeros(2, np.int64),
    )


def used_part(log: Log, first: int, last: int) -> Log:
    """The part of a log that was filled for parents `first:last`."""
    orders, fills = log.used
    return Log(
        result=log.result[first:last],
        order_parent=log.order_parent[:orders],
        orders=log.orders[:orders],
        fill_parent=log.fill_parent[:fills],
        fills=log.fills[:fills],
        used=log.used,
    )


def joined(logs: Sequence[Log]) -> Log:
    """One log of many: children count on from one to the next."""
    base = 0
    for log in logs:
        log.fills["order"] += base
        base += int(log.used[0])
    together = Log(*(np.concatenate(column) for column in zip(*logs, strict=True)))
    return together._replace(used=np.array([len(together.orders), len(together.fills)], np.int64))


@kernel
def work(
    floor: replay.Floor,
    images: Images,
    parents: NDArray[np.void],
    plan: Plan,
    log: Log,
    first: int,
) -> int:
    """Work the parent orders from `first` on; returns how many are done when the log is full."""
    for i in range(first, len(parents)):
        replay.seek(floor, images, first_sight(floor, parents[i]["start_ts"]), parents[i]["seed"])
        _work_one(floor, parents, plan, i, log.result)
        if not _fits(floor, log):
            return i
        _write(floor, log, i)
    return len(parents)


@kernel
def work_one(market: pit.Pit, parents: NDArray[np.void], plan: Plan, log: Log) -> bool:
    """Work the only parent order in a simulated market that is not past its start; whether there
    was room for it."""
    pit.enter(market, first_sight(market, parents[0]["start_ts"]), parents[0]["seed"])
    _work_one(market, parents, plan, 0, log.result)
    if not _fits(market, log):
        return False
    _write(market, log, 0)
    return True


@spliced
def first_sight(floor: Floor, start_ts: int) -> int:
    """The first look, at `start_ts`, must not see more than its delay allows: the time to stand at
    before it."""
    delay = floor.rules.market_ns[-1] + slowed(floor.rules.slow, MARKET_LINE, start_ts)
    return int(start_ts - delay)


@spliced
def _fits(floor: Floor, log: Log) -> bool:
    """Whether there was room for all that an order did, and there is in the log."""
    clock = floor.account.clock[0]
    n_orders, n_fills = log.used[0] + clock["n_orders"], log.used[1] + clock["n_fills"]
    return bool(clock["full"] == 0 and n_orders <= len(log.orders) and n_fills <= len(log.fills))


@spliced
def _work_one(
    floor: Floor, parents: NDArray[np.void], plan: Plan, i: int, results: NDArray[np.void]
) -> None:
    parent, result = parents[i], results[i]
    account = floor.account
    result["replaces"] = 0
    n_slices = plan.bounds.shape[1] - 1
    for j in range(n_slices):
        look(floor, plan.bounds[i, j])
        come_to(floor, plan.bounds[i, j])
        learn(account, plan.bounds[i, j])
        result["replaces"] += work_slice(floor, parent, plan, i, j)
    look(floor, parent["end_ts"])
    come_to(floor, parent["end_ts"])
    learn(account, parent["end_ts"])
    result["replaces"] += end_parent(floor, parent, plan, n_slices)
    start, end = parent["start_ts"], parent["end_ts"]
    result["market_lots"] = volume_by(floor, end) - volume_by(floor, start)
    while next_arrival(account) != NEVER and account.clock[0]["full"] == 0:
        advance(floor, next_arrival(account))


@inner
def work_slice(floor: Floor, parent: np.void, plan: Plan, i: int, j: int) -> int:
    """Work slice `j` of order `i`, whose start we have looked at, up to the next one; returns how
    many child orders were moved."""
    ts = plan.bounds[i, j]
    bid, ask = best_seen(floor)
    moved: int = _cross_rest(floor, parent, plan, bid, ask, ts)
    _place(floor, parent, plan, _due(floor, parent, plan, i, j, ts), bid, ask, j, ts)
    if plan.repeg_ns > 0:
        again = ts + plan.repeg_ns
        while again < plan.bounds[i, j + 1]:
            bid, ask = look(floor, again)
            learn(floor.account, again)
            moved += _repeg(floor, parent, plan, bid, ask, again)
            again += plan.repeg_ns
    return moved


@inner
def _working(floor: Floor, ts: int) -> int:
    """Lots of ours that, for all we know at `ts`, may still trade."""
    lots = 0
    for k in range(floor.account.clock[0]["n_orders"]):
        lots += open_lots(floor.account, k, ts)
    return lots


@inner
def _due(floor: Floor, parent: np.void, plan: Plan, i: int, j: int, ts: int) -> int:
    """Lots to place at the start of slice `j`."""
    clock = floor.account.clock[0]
    filled, working = clock["told_lots"], _working(floor, ts)
    if plan.pov_ppm > 0:
        market = volume_by(floor, clock["last_seen"]) - volume_by(floor, parent["start_ts"])
        others = max(market - clock["displaced_lots"], 0)
        due = lots_due(plan.pov_ppm, parent["lots"], others, filled, working)
    else:
        due = parent["lots"] - plan.targets[i, j + 1] - filled - working
    return _allowed(floor, parent, due, working)


@inner
def _allowed(floor: Floor, parent: np.void, due: int, working: int) -> int:
    """`due`, cut to what the participation limit of the parent order allows now."""
    if parent["share_ppm"] == 0 or due <= 0:
        return due
    seen = floor.account.clock[0]["last_seen"]
    market = volume_by(floor, seen) - volume_by(floor, seen - parent["window_ns"])
    others, own = shares_of_window(floor, parent, market)
    return min(due, room_lots(parent["share_ppm"], parent["window_ns"], others, own + working))


@inner
def shares_of_window(floor: Floor, parent: np.void, market: int) -> tuple[int, int]:
    """Of `market` lots that traded in the participation window: others', and ours that we were
    told of."""
    clock = floor.account.clock[0]
    since = clock["last_seen"] - parent["window_ns"]
    # The window only moves on, as fills do: each leaves it once. One that we were not told of still
    # counts as working.
    while clock["aged"] < clock["n_told"] and floor.account.fills[clock["aged"]]["ts"] <= since:
        fill = floor.account.fills[clock["aged"]]
        clock["aged_lots"] += fill["lots"]
        clock["aged_displaced"] += fill["lots"] * fill["displaced"]
        clock["aged"] += 1
    displaced = clock["told_displaced"] - clock["aged_displaced"]
    return max(market - displaced, 0), int(clock["told_lots"] - clock["aged_lots"])


@inner
def _place(
    floor: Floor,
    parent: np.void,
    plan: Plan,
    lots: int,
    bid: int,
    ask: int,
    slice_: int,
    ts: int,
) -> None:
    """Send what a slice has due, in children of the size allowed, if there is a market for it."""
    levels = floor.book.level_ticks
    side, step = parent["side"], floor.rules.order_step
    if lots <= 0 or bid < 0 or ask >= len(levels):
        return
    if plan.placement == CROSS:
        other = levels[ask] if side > 0 else levels[bid]
        ticks = crossing_ticks(side, other, plan.collar_bps, step)
        type_ = IOC
    else:
        ticks = resting_ticks(plan.placement, side, levels[bid], levels[ask], step)
        type_ = LIMIT
    ticks = no_worse(side, ticks, _bound(parent))
    while lots > 0 and floor.account.clock[0]["full"] == 0:
        child = min(lots, parent["child_max"])
        submit(floor, side, type_, ticks, child, 0, slice_, ts)
        lots -= child


@inner
def _cross_rest(floor: Floor, parent: np.void, plan: Plan, bid: int, ask: int, ts: int) -> int:
    """At the end of a slice, let what still rests take, up to the collar; returns how many did."""
    levels = floor.book.level_ticks
    side = parent["side"]
    other = ask if side > 0 else bid
    if not 0 <= other < len(levels):
        return 0
    ticks = crossing_ticks(side, levels[other], plan.collar_bps, floor.rules.order_step)
    return _turn(floor, parent, no_worse(side, ticks, _bound(parent)), ts)


@inner
def _turn(floor: Floor, parent: np.void, ticks: int, ts: int) -> int:
    """Turn what still rests into orders that take up to `ticks`, as far as participation allows
    now; the rest of them is called back. Returns how many were turned."""
    turned = 0
    taking: int = 0  # what was turned before, and we have not heard the end of
    for k in range(floor.account.clock[0]["n_orders"]):
        if floor.account.orders[k]["asked_type"] != LIMIT:
            taking += open_lots(floor.account, k, ts)
    room = _allowed(floor, parent, parent["lots"], taking)
    for k in range(floor.account.clock[0]["n_orders"]):
        order = floor.account.orders[k]
        working = open_lots(floor.account, k, ts)
        if order["asked_type"] != LIMIT or working == 0:
            continue
        lots = min(working, max(room, 0))
        room -= lots
        if lots > 0:
            replace(floor, k, IOC, ticks, order["told_filled"] + lots, ts)
            turned += 1
        else:
            cancel(floor, k, ts)
    return turned


@inner
def _bound(parent: np.void) -> int:
    """The worst price that the parent order's band allows, ticks."""
    return int(parent["band_high"] if parent["side"] > 0 else parent["band_low"])


@inner
def _repeg(floor: Floor, parent: np.void, plan: Plan, bid: int, ask: int, ts: int) -> int:
    """Move what rests to where its placement would put it now; returns how many were moved."""
    levels = floor.book.level_ticks
    if bid < 0 or ask >= len(levels):
        return 0
    ticks = resting_ticks(
        plan.placement, parent["side"], levels[bid], levels[ask], floor.rules.order_step
    )
    ticks = no_worse(parent["side"], ticks, _bound(parent))
    moved = 0
    for k in range(floor.account.clock[0]["n_orders"]):
        order = floor.account.orders[k]
        rests = order["asked_type"] == LIMIT and open_lots(floor.account, k, ts) > 0
        if rests and order["asked_ticks"] != ticks:
            replace(floor, k, LIMIT, ticks, order["lots"], ts)
            moved += 1
    return moved


@spliced
def end_parent(floor: Floor, parent: np.void, plan: Plan, tag: int) -> int:
    """The horizon of `parent` is over, and we have looked: what rests and what is left takes the
    visible book, level by level inside the band and past any collar; or everything is called back.
    Returns how many child orders were turned."""
    ts, side = parent["end_ts"], parent["side"]
    clock = floor.account.clock[0]
    if plan.finish == 0:
        for k in range(clock["n_orders"]):
            if open_lots(floor.account, k, ts) > 0:
                cancel(floor, k, ts)
        return 0
    bound = _bound(parent)
    turned: int = _turn(floor, parent, bound, ts)
    working = _working(floor, ts)
    left = parent["lots"] - clock["told_lots"] - working
    due: int = _allowed(floor, parent, left, working)
    while min(due, parent["child_max"]) > 0 and clock["full"] == 0:
        if clock["inbox_tail"] - clock["inbox_head"] == len(floor.account.inbox):
            advance(floor, next_arrival(floor.account))  # the first ones make room for the last
        child = min(due, parent["child_max"])
        submit(floor, side, IOC, bound, child, 0, tag, ts)
        due -= child
    return turned


@spliced
def _write(floor: Floor, log: Log, i: int) -> None:
    """Copy what the account knows into the log."""
    clock, account = floor.account.clock[0], floor.account
    orders, fills = log.used[0], log.used[1]
    for k in range(clock["n_orders"]):
        log.orders[orders + k] = account.orders[k]
        log.order_parent[orders + k] = i
    for k in range(clock["n_fills"]):
        log.fills[fills + k] = account.fills[k]
        log.fills[fills + k]["order"] += orders
        log.fill_parent[fills + k] = i
    result = log.result[i]
    result["children"] = clock["n_orders"]
    result["fills"] = clock["n_fills"]
    result["maker_lots"] = clock["maker_lots"]
    result["displaced_lots"] = clock["displaced_lots"]
    filled = 0
    for k in range(clock["n_fills"]):
        filled += account.fills[k]["lots"]
    result["filled_lots"] = filled
    log.used[0] += clock["n_orders"]
    log.used[1] += clock["n_fills"]
