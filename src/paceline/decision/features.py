"""Features: what a decision looks at, made of the state in one kernel.

Everything is told from our side of the book (near) and the other one (far), with prices positive
where they are worse for us, so a sale and its mirrored purchase look alike. What cannot be known is
NaN inside, and leaves as 0 with its flag set; the rest is cut to its range (`schema`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from paceline.decision.schema import (
    N_FEATURES,
    N_VALUES,
    SHOWN_PRINTS,
    first_of,
    flags,
    ranges,
)
from paceline.decision.state import DEPTH, NOWHERE, REGIMES, State
from paceline.jit import inlined, kernel, spliced
from paceline.market.spread import is_absurd
from paceline.market.watch import (
    ADDED_BID,
    BOUGHT,
    CANCELLED_BID,
    PRINTS,
    SOLD,
    SQUARES,
    WINDOWS_S,
    heard_s,
)
from paceline.units import BPS, NS_PER_S

_RANGES = ranges()
_FLAGS = flags()
_BOOK, _PRINTS, _LATELY = first_of("book"), first_of("prints"), first_of("lately")
_ORDER, _WORKING, _TIME = first_of("order"), first_of("working"), first_of("time")
_MOOD, _LIMITS = first_of("mood"), first_of("limits")
_NAN = float("nan")
_LATELY_EACH = 7


@kernel
def features(state: State, out: NDArray[np.float32]) -> None:
    """Write the features of `state` into `out` `[N_FEATURES]`."""
    order, context = state.order[0], state.context[0]
    near = (1 - order["side"]) >> 1  # row of our own side
    mid2 = _twice_mid(state)
    usual = context["touch_lots"]
    _of_book(state, near, mid2, usual, out)
    _of_prints(state, mid2, usual, out)
    _of_lately(state, near, mid2, out)
    _of_order(state, mid2, out)
    _of_working(state, near, usual, out)
    _of_time(state, out)
    _of_mood(state, out)
    _of_limits(state, near, out)
    for k in range(N_VALUES, N_FEATURES):
        out[k] = 0.0
    for k in range(N_VALUES):
        value = float(out[k])
        if math.isnan(value):
            value = 0.0
            if _FLAGS[k] >= 0:
                out[_FLAGS[k]] = 1.0
        out[k] = min(max(value, _RANGES[k, 0]), _RANGES[k, 1])


@inlined
def left_by_plan(order: np.void, ts: int) -> tuple[float, float]:
    """Share of the horizon that is left at `ts`, and of the order (a row of ORDER_STATE) that its
    Almgren-Chriss trajectory would have left by then."""
    ns_left = max(order["end_ts"] - ts, 0)
    time_left = ns_left / (order["end_ts"] - order["start_ts"])
    k = order["steepness"]
    return time_left, math.sinh(k * time_left) / math.sinh(k) if k > 0.0 else time_left


@inlined
def _twice_mid(state: State) -> float:
    if state.sizes[0, 0] == 0 or state.sizes[1, 0] == 0:
        return _NAN
    bid, ask = state.ticks[0, 0], state.ticks[1, 0]
    return _NAN if is_absurd(bid, ask) else float(bid + ask)


@inlined
def _more(lots: float, usual: float) -> float:
    """log2 of 1 + lots by the usual ones."""
    return math.log2(1.0 + lots / usual)


@inlined
def _share(part: float, whole: float) -> float:
    """NaN if there is no whole."""
    return part / whole if whole > 0.0 else _NAN


@spliced
def _of_book(
    state: State, near: int, mid2: float, usual: float, values: NDArray[np.float32]
) -> None:
    step, at = float(state.context[0]["order_step"]), _BOOK
    all_near, all_far = 0.0, 0.0
    for which in range(2):
        row = near if which == 0 else 1 - near
        for k in range(DEPTH):
            lots = state.sizes[row, k]
            away = abs(0.5 * mid2 - state.ticks[row, k]) / step
            values[at] = away if lots > 0 else _NAN
            values[at + 1] = _more(lots, usual) if lots > 0 else _NAN
            if which == 0:
                all_near += lots
            else:
                all_far += lots
            at += 2
    first, other = float(state.sizes[near, 0]), float(state.sizes[1 - near, 0])
    known = not math.isnan(mid2)
    values[at] = abs(state.ticks[1, 0] - state.ticks[0, 0]) / step if known else _NAN
    values[at + 1] = (first - other) / (first + other) if known else _NAN
    values[at + 2] = (all_near - all_far) / (all_near + all_far) if known else _NAN
    values[at + 3] = first / (first + other) - 0.5 if known else _NAN


@spliced
def _of_prints(state: State, mid2: float, usual: float, values: NDArray[np.float32]) -> None:
    order, watch = state.order[0], state.watch
    clock, step = watch.clock[0], float(state.context[0]["order_step"])
    for k in range(SHOWN_PRINTS):
        at = _PRINTS + 3 * k
        seen = clock["n_prints"] - 1 - k
        row = watch.prints[max(seen, 0) % PRINTS]
        age = (order["now_ts"] - row["ts"]) / NS_PER_S
        # Older ones would depend on when we began to listen.
        known = seen >= 0 and age <= WINDOWS_S[-1] - 1
        lots = _more(row["lots"], usual) * row["sign"] * order["side"]
        values[at] = lots if known and row["sign"] != 0 else _NAN
        worse = order["side"] * (row["ticks"] - 0.5 * mid2) / step
        values[at + 1] = worse if known else _NAN
        values[at + 2] = math.log2(1.0 + max(age, 0.0)) if known else _NAN


@spliced
def _of_lately(state: State, near: int, mid2: float, values: NDArray[np.float32]) -> None:
    order, context, watch = state.order[0], state.context[0], state.watch
    day_s = (context["close_ns"] - context["open_ns"]) / NS_PER_S
    for window in range(len(WINDOWS_S)):
        at, sums = _LATELY + _LATELY_EACH * window, watch.sums[window]
        seconds = float(heard_s(watch, window))
        known = seconds >= WINDOWS_S[window]  # less says something else
        moved = math.sqrt(sums[SQUARES] / seconds) / mid2 * BPS
        values[at] = moved if known else _NAN
        traded = float(sums[BOUGHT] + sums[SOLD])
        usual = context["session_lots"] * seconds / day_s
        values[at + 1] = _more(traded, usual) if known else _NAN
        flow = float(order["side"] * (sums[BOUGHT] - sums[SOLD]))
        values[at + 2] = _share(flow, traded) if known else _NAN
        for k in range(4):
            first = ADDED_BID if k < 2 else CANCELLED_BID
            row = near if k % 2 == 0 else 1 - near
            values[at + 3 + k] = math.log2(1.0 + sums[first + row] / seconds) if known else _NAN


@spliced
def _of_order(state: State, mid2: float, values: NDArray[np.float32]) -> None:
    order, context = state.order[0], state.context[0]
    inventory = order["left"] / order["lots"]
    ns_left = max(order["end_ts"] - order["now_ts"], 0)
    time_left, planned = left_by_plan(order, order["now_ts"])
    done = float(order["lots"] - order["left"])
    arrival2 = float(order["arrival_twice_mid"])
    at = _ORDER
    values[at] = inventory
    values[at + 1] = time_left
    values[at + 2] = math.log2(1.0 + ns_left / NS_PER_S)
    values[at + 3] = math.log2(order["lots"] / context["adv_lots"])
    values[at + 4] = math.log2(max(order["left"], 0.5) / context["horizon_lots"])
    values[at + 5] = inventory - time_left
    values[at + 6] = inventory - planned
    values[at + 7] = _share(done, float(order["market_lots"]))
    values[at + 8] = _share(float(order["window_own_lots"]), float(order["window_market_lots"]))
    values[at + 9] = order["side"] * (mid2 - arrival2) / arrival2 * BPS
    values[at + 10] = order["paid"] / (0.5 * arrival2 * order["lots"]) * BPS
    values[at + 11] = _share(float(order["maker_lots"]), float(order["posted_lots"]))
    values[at + 12] = math.log2(1.0 + order["decisions"])


@spliced
def _of_working(state: State, near: int, usual: float, values: NDArray[np.float32]) -> None:
    order, context, at = state.order[0], state.context[0], _WORKING
    rests = order["work_ticks"] != NOWHERE
    values[at] = order["working"] / order["left"] if order["left"] > 0 else 0.0
    behind = order["side"] * (state.ticks[near, 0] - order["work_ticks"]) / context["order_step"]
    values[at + 1] = behind if rests and state.sizes[near, 0] > 0 else _NAN
    values[at + 2] = _more(order["work_ahead"], usual) if rests else _NAN
    age = (order["now_ts"] - order["work_since_ts"]) / NS_PER_S
    values[at + 3] = math.log2(1.0 + age) if rests else _NAN
    values[at + 4] = order["cancels"] / context["most_cancels"]
    values[at + 5] = order["messages"] / context["most_messages"]


@spliced
def _of_time(state: State, values: NDArray[np.float32]) -> None:
    context, at = state.context[0], _TIME
    over = state.order[0]["now_ts"] - context["open_ns"]
    day = over / (context["close_ns"] - context["open_ns"])
    values[at] = day
    values[at + 1] = math.sin(2.0 * math.pi * day)
    values[at + 2] = math.cos(2.0 * math.pi * day)
    values[at + 3] = context["volume_left"]


@spliced
def _of_mood(state: State, values: NDArray[np.float32]) -> None:
    context, at = state.context[0], _MOOD
    for k in range(REGIMES):
        values[at + k] = context["regimes"][k]
    values[at + REGIMES] = context["news"]
    # Good news moves the price up, which is bad for who buys.
    values[at + REGIMES + 1] = context["sentiment"] * state.order[0]["side"]
    values[at + REGIMES + 2] = context["is_volatile"]


@spliced
def _of_limits(state: State, near: int, values: NDArray[np.float32]) -> None:
    order, context, at = state.order[0], state.context[0], _LIMITS
    left = float(max(order["left"], 1))
    values[at] = context["participation_cap"]
    values[at + 1] = max(context["room_lots"], 0.0) / left
    room = order["side"] * (context["band_ticks"] - state.ticks[1 - near, 0])
    known = context["band_ticks"] != NOWHERE and state.sizes[1 - near, 0] > 0
    values[at + 2] = room / context["order_step"] if known else _NAN
    values[at + 3] = context["child_max"] / left
