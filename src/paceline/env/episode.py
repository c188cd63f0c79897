"""One episode: a parent order worked decision by decision, in kernels that all environments call.

    begin_episode    jump to the start, let the watch listen, look
    follow_episode   the same for a slice of a schedule
    step_episode     carry the chosen child order out, run to the next decision, look; at the end of
                     the horizon what is left takes the visible book, and the sum is drawn

A decision is taken at `progress.ts` on what was seen then. After an action with a wait of 0 the
next one comes when the market has moved and our message has arrived, but no later than
`_LATEST_NS`, and no more than a few times in a row.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from paceline.cost.marking import marked_bps
from paceline.decision.actions import HOLD, child_lots, child_ticks, child_type
from paceline.decision.features import left_by_plan
from paceline.decision.state import NOWHERE, State
from paceline.engine.account import LIMIT, NEVER
from paceline.engine.clockwork import Floor, advance, volume_by
from paceline.engine.messages import next_arrival
from paceline.env.acting import carry_out
from paceline.env.grounds import Ground, hear, mid_later, mid_now, next_row, stand
from paceline.env.seeing import see
from paceline.env.working import PARENT_RECORD, Plan, end_parent, work_slice
from paceline.guard.bounds import costliest_within
from paceline.jit import inlined, inner
from paceline.market.watch import SQUARES, UNKNOWN, heard_s
from paceline.units import BPS, NS_PER_MS, NS_PER_S

_LATEST_NS = 10 * NS_PER_S
_CALM = 4.0
"""Most that the variance of the long window counts, by that of a shorter one."""

_WILDEST_BPS = 10.0
"""Most volatility that risk counts, bps / sqrt s: 15 % a day. More is a book that flickers."""

_PLAN_NS = 10 * NS_PER_S
"""How often the plan is looked at once its order is done."""
_SOONEST_NS = NS_PER_MS
MOST_AT_ONCE = 5
"""Decisions in a row that may wait for the next event."""

FAR = 10**12
"""Lots or ticks that no order reaches: no limit. As a price it is on every order grid."""

EPISODE_RECORD = np.dtype(
    [
        ("tape", np.int64),  # of the pool's; or which of its markets
        ("venue", np.int64),  # of the environment's
        *PARENT_RECORD.descr,
        ("steepness", np.float64),  # kappa T of the trajectory it is compared with
        ("band_ppm", np.int64),  # the band, counted from arrival; 0: it is given
        ("number", np.int64),  # of the simulated market, one of a kind
        ("dice_state", np.uint64),  # its random numbers, see `dice`
        ("dice_gamma", np.uint64),
    ]
)

IS_STEP, RISK, TEMPORARY, PERMANENT, VIOLATION, IS_TOTAL, VARIANCE, PLAN, LEFT = range(9)
"""Terms of the reward, see `reward`."""

TERMS = 9

PROGRESS_RECORD = np.dtype(
    [
        ("episode", np.int64),
        ("ts", np.int64),  # of the decision that is due
        ("last_ts", np.int64),  # of its market, or before a gap: what comes after is not known
        ("start_lots", np.int64),  # traded in the market when it began
        ("in_a_row", np.int64),  # decisions that waited for the next event
        ("twice_mid", np.int64),  # last known
        ("marked_bps", np.float64),  # shortfall marked at the mid, as of the last decision
        ("over", np.int64),  # 1: terminated, 2: truncated
        ("illegal", np.int64),  # actions that were masked
    ]
)

RUNNING, TERMINATED, TRUNCATED = 0, 1, 2


@inner
def begin_episode(
    floor: Floor,
    ground: Ground,
    episode: np.void,
    progress: np.void,
    state: State,
    heard: np.void,
    fees: np.void,
) -> None:
    """Stand at the start of `episode`, and look. Where no mid is known then, or the market has
    ended or is in a gap, it is truncated."""
    start = episode["start_ts"]
    heard["fills"] = heard["first"] = 0
    heard["taken_shift"] = heard["slip"] = heard["slip_square"] = 0.0
    stand(floor, (ground, episode, heard, state.watch))
    order = state.order[0]
    order["side"], order["lots"] = episode["side"], episode["lots"]
    order["start_ts"], order["end_ts"] = start, episode["end_ts"]
    order["steepness"] = episode["steepness"]
    order["paid"] = 0.0
    order["maker_lots"] = order["posted_lots"] = order["decisions"] = 0
    order["cancels"] = order["messages"] = 0
    order["arrival_twice_mid"] = 0
    progress["ts"], progress["in_a_row"] = start, 0
    progress["over"], progress["illegal"] = RUNNING, 0
    see(floor, state, heard, fees, 0, start)
    progress["start_lots"] = volume_by(floor, start)
    order["market_lots"] -= progress["start_lots"]
    hear(floor, (state, heard))
    progress["twice_mid"] = 0
    _mark(floor, progress, start)
    order["arrival_twice_mid"] = progress["twice_mid"]
    if episode["band_ppm"] > 0:
        # An order at the end of its band must be on the order grid, or the venue refuses it.
        mid2, ppm, step = progress["twice_mid"], episode["band_ppm"], floor.rules.order_step
        episode["band_low"] = -(costliest_within(-1, mid2, ppm) // step * step)
        episode["band_high"] = costliest_within(1, mid2, ppm) // step * step
    progress["marked_bps"] = 0.0
    if progress["twice_mid"] == 0 or start >= progress["last_ts"]:
        progress["over"] = TRUNCATED


@inner
def step_episode(
    floor: Floor,
    episode: np.void,
    progress: np.void,
    state: State,
    heard: np.void,
    fees: np.void,
    plan: Plan,
    action: np.void,
    rewards: NDArray[np.float64],
) -> None:
    """Carry out `action`, run to the next decision or the end, and write the terms of the reward
    `[TERMS]`. Where the recording ends or has a gap before the horizon ends, the episode is
    truncated there: what is left is left."""
    order, ts = state.order[0], progress["ts"]
    rewards[:] = 0.0
    if action["does"] != HOLD:
        _send(floor, state, heard, action, ts)
    order["decisions"] += 1
    until = _next_decision(floor, episode["end_ts"], progress, action, ts)
    held, shifted, told = order["left"], heard["taken_shift"], heard["fills"]
    mid2, planned = progress["twice_mid"], left_by_plan(order, order["now_ts"])[1]
    if until >= episode["end_ts"] and episode["end_ts"] <= progress["last_ts"]:
        _end(floor, episode, progress, state, heard, fees, plan)
    else:
        until = min(until, progress["last_ts"])
        _look_again(floor, progress, state, heard, fees, until)
        if order["left"] == 0:
            progress["over"] = TERMINATED
        elif until == progress["last_ts"]:
            progress["over"] = TRUNCATED
    square_ns = _square_ns(floor, heard, held, told, ts, until)
    _reward(floor, progress, state, heard, held, shifted, square_ns, rewards)
    rewards[PLAN] = _drift(order, planned, progress["twice_mid"] - mid2)


@inner
def follow_episode(
    floor: Floor,
    episode: np.void,
    progress: np.void,
    state: State,
    heard: np.void,
    fees: np.void,
    plan: Plan,
    i: int,
    rewards: NDArray[np.float64],
) -> None:
    """The same for a schedule: work the slice that begins now, which is that of row `i` of `plan`,
    to its end. A slice that the market does not outlast is not begun: there the episode is
    truncated."""
    order, ts = state.order[0], progress["ts"]
    rewards[:] = 0.0
    j = order["decisions"]
    order["decisions"] += 1
    held, shifted, told = order["left"], heard["taken_shift"], heard["fills"]
    mid2, planned = progress["twice_mid"], left_by_plan(order, order["now_ts"])[1]
    sent = floor.account.clock[0]["inbox_tail"]
    until = min(plan.bounds[i, j + 1], progress["last_ts"])
    if until == plan.bounds[i, j + 1]:
        order["cancels"] += work_slice(floor, episode, plan, i, j)
        _note_sent(order, floor.account.clock[0]["inbox_tail"] - sent, ts)
    if until < plan.bounds[i, j + 1]:
        _look_again(floor, progress, state, heard, fees, until)
        progress["over"] = TRUNCATED
    elif j == plan.bounds.shape[1] - 2:
        _end(floor, episode, progress, state, heard, fees, plan)
    else:
        _look_again(floor, progress, state, heard, fees, until)
    square_ns = _square_ns(floor, heard, held, told, ts, until)
    _reward(floor, progress, state, heard, held, shifted, square_ns, rewards)
    rewards[PLAN] = _drift(order, planned, progress["twice_mid"] - mid2)


@inlined
def _look_again(
    floor: Floor, progress: np.void, state: State, heard: np.void, fees: np.void, ts: int
) -> None:
    """The next decision is due at `ts`."""
    see(floor, state, heard, fees, progress["start_lots"], ts)
    hear(floor, (state, heard))
    _mark(floor, progress, ts)
    progress["ts"] = ts


@inlined
def _note_sent(order: np.void, messages: int, ts: int) -> None:
    """So many messages left at `ts`."""
    order["messages"] += messages
    if messages > 0:
        order["work_since_ts"] = ts


@inlined
def _send(floor: Floor, state: State, heard: np.void, action: np.void, ts: int) -> None:
    order, clock = state.order[0], floor.account.clock[0]
    ticks, lots = child_ticks(state, action), child_lots(state, action)
    if ticks == NOWHERE or lots == 0:
        return
    sent, orders = clock["inbox_tail"], clock["n_orders"]
    order["cancels"] += carry_out(
        floor, heard["first"], order["side"], order["left"], child_type(action), ticks, lots, ts
    )
    _note_sent(order, clock["inbox_tail"] - sent, ts)
    for k in range(orders, clock["n_orders"]):
        if floor.account.orders[k]["type"] == LIMIT:
            order["posted_lots"] += floor.account.orders[k]["lots"]


@inlined
def _next_decision(floor: Floor, end_ts: int, progress: np.void, action: np.void, ts: int) -> int:
    """When the next decision is due; the market stands no further on than it, nor than the end."""
    if action["wait_ns"] > 0:
        progress["in_a_row"] = 0
        return ts + action["wait_ns"]
    progress["in_a_row"] += 1
    late = floor.rules.market_ns[-1]
    arrived, latest = ts + floor.rules.submit_ns[-1], ts + _LATEST_NS - late
    happens = next_row(floor, (min(arrived, end_ts), min(latest, end_ts)))
    return max(ts + _SOONEST_NS, min(happens + late, ts + _LATEST_NS))


@inlined
def _end(
    floor: Floor,
    episode: np.void,
    progress: np.void,
    state: State,
    heard: np.void,
    fees: np.void,
    plan: Plan,
) -> None:
    """The horizon is over: what is left takes the visible book, as the plan says."""
    end = episode["end_ts"]
    see(floor, state, heard, fees, progress["start_lots"], end)
    _mark(floor, progress, end)
    end_parent(floor, episode, plan, 0)
    late = end
    while next_arrival(floor.account) != NEVER and floor.account.clock[0]["full"] == 0:
        late = max(late, next_arrival(floor.account))
        advance(floor, next_arrival(floor.account))
    # Once all answers have come, what we know is what there is.
    see(floor, state, heard, fees, progress["start_lots"], late + floor.rules.ack_ns[-1])
    progress["ts"] = end
    progress["over"] = TERMINATED


@inlined
def _mark(floor: Floor, progress: np.void, ts: int) -> None:
    """The mid at `ts`, where it is known; cost is measured against it, whatever we see of it."""
    mid2 = mid_now(floor, ts)
    if mid2 != UNKNOWN:
        progress["twice_mid"] = mid2


@inner
def rest_of_plan(floor: Floor, episode: np.void, progress: np.void, state: State) -> float:
    """What the way of the mid costs the plan after an order was done before its end, bps.

    Without it an order would choose, by being done, which moves of the mid count: a resting fill
    comes just before the mid goes on against it, and the plan would be spared that move."""
    order = state.order[0]
    ts, last = progress["ts"], min(episode["end_ts"], progress["last_ts"])
    cost, mid2 = 0.0, progress["twice_mid"]
    while ts < last:
        planned, ts = left_by_plan(order, ts)[1], min(ts + _PLAN_NS, last)
        later = mid_later(floor, ts)
        if later != UNKNOWN:
            cost += _drift(order, planned, later - mid2)
            mid2 = later
    return cost


@inlined
def _drift(order: np.void, planned: float, moved2: int) -> float:
    """What a move of the mid (half ticks) cost who holds the share `planned` of the order, bps."""
    return float(order["side"] * planned * moved2 / order["arrival_twice_mid"] * BPS)


@inlined
def _square_ns(floor: Floor, heard: np.void, held: int, told: int, ts: int, until: int) -> float:
    """Squared lots times ns from `ts`, when `held` were left and `told` fills known of, to `until`:
    what a fill took off was held until then, and what came after `until` was held all along."""
    total, left, since = 0.0, float(held), ts
    for k in range(told, heard["fills"]):
        fill = floor.account.fills[k]
        at = min(max(fill["ts"], since), until)
        total += left * left * (at - since)
        left -= fill["lots"]
        since = at
    return total + left * left * (until - since)


@inlined
def _reward(
    floor: Floor,
    progress: np.void,
    state: State,
    heard: np.void,
    held: int,
    shifted: float,
    square_ns: float,
    rewards: NDArray[np.float64],
) -> None:
    """Terms of the reward; see `reward` for what they mean."""
    order = state.order[0]
    arrival2 = order["arrival_twice_mid"]
    per_bps = BPS / (0.5 * arrival2 * order["lots"])
    marked = marked_bps(
        order["side"], order["lots"], arrival2, order["paid"], order["left"], progress["twice_mid"]
    )
    rewards[IS_STEP] = progress["marked_bps"] - marked
    progress["marked_bps"] = marked
    share_s = square_ns / NS_PER_S / float(order["lots"]) ** 2
    watch = state.watch
    # One flicker of the mid stands in the long window for minutes: what is lately calm is calm.
    lately = watch.sums[1, SQUARES] / heard_s(watch, 1)
    long = watch.sums[2, SQUARES] / heard_s(watch, 2)
    volatility = math.sqrt(min(long, _CALM * lately)) / progress["twice_mid"] * BPS
    rewards[RISK] = -share_s * min(volatility, _WILDEST_BPS)
    rewards[TEMPORARY] = -(heard["taken_shift"] - shifted) * per_bps
    lasting = floor.rules.permanent_ticks * (held - order["left"])
    rewards[PERMANENT] = -lasting * order["left"] * per_bps
    if progress["over"] == TERMINATED:
        rewards[IS_TOTAL] = -marked
        rewards[LEFT] = -order["left"] / order["lots"]
        filled = order["lots"] - order["left"]
        if filled > 0:
            mean = heard["slip"] / filled
            square = heard["slip_square"] / filled
            scale = BPS / (0.5 * arrival2)
            rewards[VARIANCE] = -max(square - mean * mean, 0.0) * scale * scale
