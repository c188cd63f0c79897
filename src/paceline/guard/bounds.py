"""What a state leaves to orders: every rule that looks at the state, worked out once.

A limit or an input that is missing leaves no room. What works counts as filled, and counts when
it is sent, so that no sequence of fills carries us beyond a limit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from paceline.guard import reasons as bit
from paceline.guard.limits import MID, MOST_TICKS, UNLIMITED
from paceline.guard.participation import MOST_VOLUME, PPM, room_lots
from paceline.guard.snapshot import MISSING, RECENT, REDUCE_ONLY, RUNNING
from paceline.jit import inlined

NOTHING = -UNLIMITED
"""Room of a rule that blocks."""


class Bounds(NamedTuple):
    """What a state leaves to orders. Prices are times side, so that larger is costlier; rooms
    are lots more than now."""

    side: int
    state: int  # bits that nothing in an order can mend
    submit: int  # more bits for new orders
    replace: int  # more bits for replaces
    cancel: int  # bits for cancels
    replace_age_ns: int  # from which an order may be replaced
    cancel_age_ns: int
    taking: int  # bits for orders that take
    touch: int  # price from which an order takes
    own: int  # price from which it could trade with an order of ours
    band: int  # costliest price
    move: int
    order_step: int
    child: int  # most lots of one order
    quantity: int
    value: int  # most tick·lots of one order
    inventory: int  # rooms
    participation: int
    symbol_participation: int
    position: int
    working: int
    ahead: int
    covered: int
    reducing: int
    fresh_ts: int  # an order like one sent after it is a duplicate
    fresh: int  # how many there are


@inlined
def bounds(limits: np.void, snapshot: np.void) -> Bounds:
    """The room that each rule leaves in a state; rows of LIMITS_RECORD and SNAPSHOT_RECORD."""
    side = 1 if snapshot["side"] == 1 else -1
    running = snapshot["kill_mode"] == RUNNING
    bid, ask = snapshot["bid_ticks"], snapshot["ask_ticks"]
    submit, replace = _sending(limits, snapshot)
    position, covered, reducing = _position_rooms(limits, snapshot, side)
    band, move = _costliest(limits, snapshot, side)
    calm = snapshot["quiet"] == 1 and (
        _room(limits["max_volatility_ppm"], snapshot["volatility_ppm"]) >= 0
    )
    own = NOTHING
    if side > 0 and snapshot["own_ask_ticks"] > 0:
        own = snapshot["own_ask_ticks"]
    elif side < 0 and snapshot["own_bid_ticks"] >= 0:
        own = -snapshot["own_bid_ticks"]
    resting_ns = limits["min_resting_ns"] if limits["min_resting_ns"] >= 0 else UNLIMITED
    working, symbol_working = snapshot["working_lots"], snapshot["symbol_working_lots"]
    others, window_ns = snapshot["others_lots"], limits["window_ns"]
    fresh_ts, fresh = snapshot["now_ts"] - limits["duplicate_ns"], 0
    for i in range(RECENT):
        fresh += snapshot["recent_ts"][i] > fresh_ts
    if fresh == RECENT:  # there may be more that we have forgotten
        submit |= bit.DUPLICATE
    cancel, cancel_age_ns = (replace, resting_ns) if running else (0, NOTHING)
    taking = 0 if calm else bit.PASSIVE_ONLY
    touch = ask if side > 0 else -bid
    return Bounds(
        side=side,
        state=_state(limits, snapshot),
        submit=submit,
        replace=replace,
        cancel=cancel,
        replace_age_ns=resting_ns,
        cancel_age_ns=cancel_age_ns,
        taking=taking,
        touch=touch,
        own=own,
        band=band,
        move=move,
        order_step=max(limits["order_step"], 1),
        child=limits["child_max_lots"],
        quantity=limits["max_order_lots"],
        value=limits["max_order_value"],
        inventory=_room(snapshot["inventory_lots"], working),
        participation=room_lots(
            limits["participation_ppm"], window_ns, others, _sum(snapshot["filled_lots"], working)
        ),
        symbol_participation=room_lots(
            limits["symbol_participation_ppm"],
            window_ns,
            others,
            _sum(snapshot["symbol_filled_lots"], symbol_working),
        ),
        position=position,
        working=_room(limits["max_working_lots"], symbol_working),
        ahead=_ahead(limits, snapshot),
        covered=covered,
        reducing=reducing,
        fresh_ts=fresh_ts,
        fresh=fresh,
    )


@inlined
def _room(limit: int, used: int) -> int:
    """What a limit leaves; `used` below 0 is not known."""
    if limit == UNLIMITED:
        return UNLIMITED
    return NOTHING if limit < 0 or used < 0 else limit - used


@inlined
def _sum(one: int, other: int) -> int:
    """Their sum, MISSING when one of them is."""
    return one + other if one >= 0 and other >= 0 else MISSING


@inlined
def _state(limits: np.void, snapshot: np.void) -> int:
    """Bits that nothing in an order can mend."""
    bits = 0
    now, bid, ask = snapshot["now_ts"], snapshot["bid_ticks"], snapshot["ask_ticks"]
    if snapshot["side"] != 1 and snapshot["side"] != -1:
        bits |= bit.WRONG_SIDE
    if snapshot["start_ts"] < 0 or not snapshot["start_ts"] <= now <= snapshot["end_ts"]:
        bits |= bit.OUTSIDE_HORIZON
    if snapshot["kill_mode"] != RUNNING and snapshot["kill_mode"] != REDUCE_ONLY:
        bits |= bit.KILLED
    if snapshot["unrestricted"] != 1:
        bits |= bit.RESTRICTED
    if snapshot["trading"] != 1:
        bits |= bit.MARKET_HALTED
    if snapshot["venue_up"] != 1:
        bits |= bit.VENUE_DOWN
    if _room(limits["max_latency_ns"], snapshot["latency_ns"]) < 0:
        bits |= bit.LATENCY
    if not (0 < bid <= MOST_TICKS and 0 < ask <= MOST_TICKS):
        bits |= bit.NO_MARKET_DATA
    elif bid >= ask:
        bits |= bit.CROSSED
    age_ns = now - snapshot["data_ts"] if snapshot["data_ts"] >= 0 else MISSING
    if _room(limits["max_data_age_ns"], age_ns) < 0:
        bits |= bit.STALE
    if limits["order_step"] < 1:
        bits |= bit.OFF_TICK
    executions = snapshot["executions"] if limits["execution_window_ns"] > 0 else MISSING
    if snapshot["may_repeat"] != 1 or _room(limits["max_executions"], executions) < 1:
        bits |= bit.REPEATED
    return bits


@inlined
def _sending(limits: np.void, snapshot: np.void) -> tuple[int, int]:
    """Bits of counts and rates: for new orders, and for replaces."""
    submit, replace = 0, 0
    # Messages and fills are counted up to the last one; before it nothing is known of them.
    if snapshot["now_ts"] < snapshot["counted_ts"]:
        submit |= bit.CLOCK_BACK
    rated = limits["rate_window_ns"] > 0
    if _room(limits["message_rate"], snapshot["symbol_messages"] if rated else MISSING) < 1:
        submit |= bit.MESSAGE_RATE
    if _room(limits["max_messages"], snapshot["messages"]) < 1:
        submit |= bit.MAX_MESSAGES
    replace |= submit
    if _room(limits["cancel_rate"], snapshot["symbol_cancels"] if rated else MISSING) < 1:
        replace |= bit.CANCEL_RATE
    if _room(limits["max_cancels"], snapshot["cancels"]) < 1:
        replace |= bit.MAX_CANCELS
    if _room(limits["max_working_orders"], snapshot["symbol_orders"]) < 1:
        submit |= bit.WORKING_ORDERS
    if limits["duplicate_ns"] < 0:
        submit |= bit.DUPLICATE
    return submit, replace


@inlined
def _position_rooms(limits: np.void, snapshot: np.void, side: int) -> tuple[int, int, int]:
    """Rooms of the largest position, of what is held and located, and of reduce-only."""
    held, side_lots = snapshot["position_lots"], snapshot["symbol_side_lots"]
    known = -MOST_VOLUME <= held <= MOST_VOLUME and side_lots >= 0
    short_lots = snapshot["located_lots"] if snapshot["short_sales"] == 1 else 0
    position, covered, reducing = NOTHING, NOTHING, NOTHING
    if limits["max_position_lots"] == UNLIMITED:
        position = UNLIMITED
    elif known and limits["max_position_lots"] >= 0:
        position = limits["max_position_lots"] - side * held - side_lots
    if side > 0 or short_lots == UNLIMITED:
        covered = UNLIMITED
    elif known:
        covered = held + min(max(short_lots, 0), MOST_VOLUME) - side_lots
    if snapshot["kill_mode"] != REDUCE_ONLY:
        reducing = UNLIMITED
    elif known:
        reducing = -side * held - side_lots
    return position, covered, reducing


@inlined
def _costliest(limits: np.void, snapshot: np.void, side: int) -> tuple[int, int]:
    """Costliest prices, times side, by the band and by how far we may move in the period."""
    of, reference = limits["band_reference"], MISSING
    if of == MID:
        if snapshot["bid_ticks"] > 0 and snapshot["ask_ticks"] > 0:
            reference = snapshot["bid_ticks"] + snapshot["ask_ticks"]
    elif 0 <= of < MID:
        reference = snapshot["reference_half_ticks"][of]
    period = snapshot["period_half_ticks"] if limits["move_window_ns"] > 0 else MISSING
    move = costliest_within(side, period, limits["move_ppm"])
    return costliest_in_band(limits, side, reference), move


@inlined
def costliest_in_band(limits: np.void, side: int, half_ticks: int) -> int:
    """Costliest ticks, times side, that the band allows around a reference (half ticks);
    UNLIMITED without a band."""
    return min(
        costliest_within(side, half_ticks, limits["band_ppm"]),
        _within_ticks(side, half_ticks, limits["band_ticks"]),
    )


@inlined
def costliest_within(side: int, half_ticks: int, ppm: int) -> int:
    """Costliest ticks, times side, that lie at most `ppm` beyond a reference."""
    if ppm == UNLIMITED:
        return UNLIMITED
    if ppm < 0 or not 0 < half_ticks <= 2 * MOST_TICKS:
        return NOTHING
    return side * half_ticks * (PPM + side * ppm) // (2 * PPM)


@inlined
def _within_ticks(side: int, half_ticks: int, ticks: int) -> int:
    """Costliest ticks, times side, that lie at most `ticks` beyond a reference."""
    if ticks == UNLIMITED:
        return UNLIMITED
    if ticks < 0 or not 0 < half_ticks <= 2 * MOST_TICKS:
        return NOTHING
    return side * half_ticks // 2 + ticks


@inlined
def band_up_to(side: int, half_ticks: int, ticks: int) -> int:
    """The band in ticks whose costliest price, from a reference (half ticks), is `ticks`; none is
    narrower than 0, which ends at the reference."""
    return max(side * ticks - side * half_ticks // 2, 0)


@inlined
def _ahead(limits: np.void, snapshot: np.void) -> int:
    """Room until we are as far ahead of the schedule as we may be."""
    ppm, parent, left = limits["max_ahead_ppm"], snapshot["parent_lots"], snapshot["inventory_lots"]
    if ppm == UNLIMITED:
        return UNLIMITED
    if min(ppm, parent, left, snapshot["working_lots"], snapshot["target_lots"]) < 0:
        return NOTHING
    allowed = ppm * min(parent, MOST_VOLUME) // PPM
    return int(left - snapshot["working_lots"] - snapshot["target_lots"] + allowed)
