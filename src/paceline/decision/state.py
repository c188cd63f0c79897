"""What a decision may look at: the book as we see it, and our order, as records of plain numbers.

An environment fills them from the exchange, a live agent from its feeds; what is made of them is
the same (`features`, `actions`). Prices are ticks of the book, sizes lots, times ns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.market.watch import Watch, new_watch

DEPTH = 5
"""Levels of a side that are looked at."""

REGIMES = 6
"""Regimes that there may be."""

NOWHERE = -1
"""A price of an order that does not stand, or of a side that shows nothing."""

ORDER_STATE = np.dtype(
    [
        ("side", np.int64),  # +1 buy, -1 sell
        ("lots", np.int64),  # of the parent order
        ("left", np.int64),  # not filled, for all we were told
        ("working", np.int64),  # of them, in child orders that may still trade
        ("start_ts", np.int64),
        ("end_ts", np.int64),
        ("now_ts", np.int64),
        ("arrival_twice_mid", np.int64),  # ticks
        ("paid", np.float64),  # side * sum of lots * (price - arrival) + fees, tick lots
        ("steepness", np.float64),  # kappa T of its Almgren-Chriss trajectory; 0: TWAP
        ("working_orders", np.int64),  # child orders that may still trade
        ("work_ticks", np.int64),  # of the child order that rests; NOWHERE without one
        ("work_lots", np.int64),  # that rest there, once all we asked for has happened
        ("move_lots", np.int64),  # of them, those that one replace moves: of the oldest child order
        ("work_ahead", np.float64),  # lots in front of it, by what we know
        ("work_since_ts", np.int64),  # when it was sent or last moved
        ("posted_lots", np.int64),  # sent to rest so far
        ("maker_lots", np.int64),  # of them, filled so far
        ("decisions", np.int64),
        ("cancels", np.int64),
        ("messages", np.int64),
        ("market_lots", np.int64),  # traded by everybody since the start
        ("window_market_lots", np.int64),  # in the participation window
        ("window_own_lots", np.int64),  # of them, ours
    ]
)
CONTEXT = np.dtype(
    [
        ("order_step", np.int64),  # ticks between prices that our orders may have
        ("adv_lots", np.float64),  # average volume of a whole day
        ("session_lots", np.float64),  # of them, what trades in the hours of this session
        ("touch_lots", np.float64),  # usual size at the touch
        ("open_ns", np.int64),  # of the session
        ("close_ns", np.int64),
        ("volume_left", np.float64),  # share of the day's volume that usually is still to come
        ("horizon_lots", np.float64),  # lots that usually trade until the order's end
        ("participation_cap", np.float64),  # share; NaN: none set
        ("room_lots", np.float64),  # lots that participation allows now; NaN: no cap
        ("band_ticks", np.int64),  # worst price that is allowed; NOWHERE: no band
        ("child_max", np.float64),  # lots; NaN: none set
        ("most_cancels", np.float64),  # NaN: none set
        ("most_messages", np.float64),
        ("regimes", np.float64, REGIMES),  # weights; NaN: no model
        ("news", np.float64),  # how much news there is, 0 to 1; NaN: no feed
        ("sentiment", np.float64),  # -1 to 1; NaN: no feed
        ("is_volatile", np.float64),  # 1: extreme; NaN: not known
    ]
)


class State(NamedTuple):
    """Everything a decision may look at."""

    ticks: NDArray[np.int64]  # [2, DEPTH] best levels of bids and asks, best first
    sizes: NDArray[np.int64]  # [2, DEPTH] lots shown there; 0: there is no such level
    watch: Watch
    order: NDArray[np.void]  # [1] of ORDER_STATE
    context: NDArray[np.void]  # [1] of CONTEXT


def new_state() -> State:
    """A state in which nothing is known."""
    state = State(
        ticks=np.full((2, DEPTH), NOWHERE, np.int64),
        sizes=np.zeros((2, DEPTH), np.int64),
        watch=new_watch(),
        order=np.zeros(1, ORDER_STATE),
        context=np.zeros(1, CONTEXT),
    )
    state.order["work_ticks"] = NOWHERE
    state.context["band_ticks"] = NOWHERE
    state.context["order_step"] = 1
    for name in (
        "adv_lots", "session_lots", "touch_lots", "volume_left", "horizon_lots",
        "participation_cap", "room_lots", "child_max", "most_cancels",
        "most_messages", "regimes", "news", "sentiment", "is_volatile",
    ):  # fmt: skip
        state.context[name] = np.nan
    return state
