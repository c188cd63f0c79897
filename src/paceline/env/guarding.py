"""What the guard is told of an episode: its snapshot, from the state and the account.

An episode is alone on its symbol, so what holds over all parents is what holds for it. Nobody
restricts it, and nothing is down; `stopped` markets are halted, and data is as old as it was seen.
"""

from __future__ import annotations

import math

import numpy as np

from paceline.decision.features import left_by_plan
from paceline.decision.state import NOWHERE, State
from paceline.engine.account import MARKET_LINE, slowed
from paceline.engine.clockwork import Floor
from paceline.guard.limits import UNLIMITED
from paceline.guard.rolling import count, counted
from paceline.guard.snapshot import MISSING, NO_OFFER, RECENT, RUNNING
from paceline.jit import inlined, inner
from paceline.market.spread import is_absurd
from paceline.market.watch import PRINTS, SQUARES, WINDOWS_S

_PPM = 1e6


@inner
def tell(
    floor: Floor, state: State, limits: np.void, sent: np.void, moved: np.void, snapshot: np.void
) -> None:
    """Write the snapshot of an episode at its decision. `sent` and `moved` count messages and
    cancels over the guard's window."""
    order, now = state.order[0], state.order[0]["now_ts"]
    bid, ask = state.ticks[0, 0], state.ticks[1, 0]
    snapshot["now_ts"] = now
    snapshot["bid_ticks"] = bid if state.sizes[0, 0] > 0 else MISSING
    snapshot["ask_ticks"] = ask if state.sizes[1, 0] > 0 else MISSING
    snapshot["data_ts"] = floor.account.clock[0]["last_seen"]
    snapshot["reference_half_ticks"][0] = order["arrival_twice_mid"]
    snapshot["reference_half_ticks"][1] = _last_print(state)
    snapshot["reference_half_ticks"][2] = MISSING
    snapshot["period_half_ticks"] = MISSING
    others = order["window_market_lots"] - order["window_own_lots"]
    snapshot["others_lots"] = others
    snapshot["volatility_ppm"] = _volatility_ppm(state)
    snapshot["target_lots"] = round(left_by_plan(order, order["now_ts"])[1] * order["lots"])
    snapshot["unrestricted"] = snapshot["venue_up"] = snapshot["quiet"] = 1
    snapshot["trading"] = 1 - min(floor.account.clock[0]["stopped"], 1)
    snapshot["short_sales"], snapshot["located_lots"] = 1, UNLIMITED
    rules = floor.rules
    snapshot["latency_ns"] = (
        rules.submit_ns[-1] + rules.ack_ns[-1] + slowed(rules.slow, MARKET_LINE, now)
    )
    snapshot["kill_mode"] = RUNNING
    _tell_order(order, sent, moved, snapshot)


@inlined
def _tell_order(order: np.void, sent: np.void, moved: np.void, snapshot: np.void) -> None:
    """What we sent and got."""
    now, rests = order["now_ts"], order["work_ticks"] != NOWHERE
    snapshot["side"] = order["side"]
    snapshot["start_ts"], snapshot["end_ts"] = order["start_ts"], order["end_ts"]
    snapshot["parent_lots"], snapshot["inventory_lots"] = order["lots"], order["left"]
    snapshot["working_lots"] = order["working"]
    snapshot["filled_lots"] = order["window_own_lots"]
    # A choice may take a message for each order that works, and one more: there must be room for
    # all of them.
    more = order["working_orders"]
    snapshot["messages"] = order["messages"] + more
    snapshot["cancels"] = order["cancels"] + max(more - 1, 0)
    snapshot["symbol_working_lots"] = snapshot["symbol_side_lots"] = order["working"]
    snapshot["symbol_orders"] = more
    snapshot["symbol_filled_lots"] = order["window_own_lots"]
    snapshot["symbol_messages"] = counted(sent, now) + more
    snapshot["symbol_cancels"] = counted(moved, now) + max(more - 1, 0)
    # A seller holds what he sells.
    snapshot["position_lots"] = order["left"] if order["side"] < 0 else 0
    bids = rests and order["side"] > 0
    snapshot["own_bid_ticks"] = order["work_ticks"] if bids else 0
    snapshot["own_ask_ticks"] = order["work_ticks"] if rests and not bids else NO_OFFER
    # No more orders can have executed than messages were sent, and no person looks on.
    snapshot["executions"], snapshot["may_repeat"] = snapshot["messages"], 1
    snapshot["counted_ts"] = order["start_ts"]
    for k in range(RECENT):
        snapshot["recent_ts"][k] = MISSING


@inlined
def note_sent(sent: np.void, moved: np.void, messages: int, cancels: int, ts: int) -> None:
    """Count what left at `ts`."""
    count(sent, ts, messages)
    count(moved, ts, cancels)


@inlined
def _last_print(state: State) -> int:
    n = state.watch.clock[0]["n_prints"]
    return 2 * state.watch.prints[(n - 1) % PRINTS]["ticks"] if n > 0 else MISSING


@inlined
def _volatility_ppm(state: State) -> int:
    """Of the last five minutes, per square root of a minute; MISSING without a mid."""
    if state.sizes[0, 0] == 0 or state.sizes[1, 0] == 0:
        return MISSING
    if is_absurd(state.ticks[0, 0], state.ticks[1, 0]):
        return MISSING
    twice_mid = float(state.ticks[0, 0] + state.ticks[1, 0])
    a_minute = state.watch.sums[2, SQUARES] / (WINDOWS_S[2] / 60.0)
    return int(math.sqrt(a_minute) / twice_mid * _PPM)
