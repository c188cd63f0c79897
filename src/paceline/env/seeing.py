"""Fill the state of a decision from the exchange: the market as we see it, the order as we were
told."""

from __future__ import annotations

import numpy as np

from paceline.decision.state import NOWHERE, State
from paceline.engine.account import learn, open_lots
from paceline.engine.clockwork import Floor, come_to, look
from paceline.engine.sight import Ladder, lots_before, see_levels
from paceline.env.acting import resting_lots
from paceline.env.grounds import volume_seen
from paceline.jit import inlined, inner

FEES_RECORD = np.dtype(
    [
        ("per_lot", np.float64, 2),  # of what took and of what rested, ticks; negative: a rebate
        ("of_value", np.float64, 2),  # the same as a share of the price
    ]
)

FACTS_RECORD = np.dtype(
    [
        ("adv_lots", np.float64),
        ("session_lots", np.float64),
        ("touch_lots", np.float64),
        ("curve_ns", np.int64),  # length of a bin of the volume curve
        ("last_ts", np.int64),  # until then the market is known
    ]
)

HEARD_RECORD = np.dtype(
    [
        ("rows", np.int64),  # of the tape that the watch has heard
        ("window_rows", np.int64),  # of it, or prints, that lie before the participation window
        ("fills", np.int64),  # that `paid` counts
        ("first", np.int64),  # child orders before this one are over
        ("taken_shift", np.float64),  # tick lots that modelled impact has cost
        ("slip", np.float64),  # sum of lots * slippage, ticks
        ("slip_square", np.float64),
    ]
)


@inner
def see(
    floor: Floor, state: State, heard: np.void, fees: np.void, start_lots: int, ts: int
) -> None:
    """Look at `ts`: levels, what the order has got, what the market traded.

    `start_lots` had traded when the order began. The watch is not looked at.
    """
    look(floor, ts)
    account, order = floor.account, state.order[0]
    see_levels(floor, Ladder(state.ticks, state.sizes))
    order["market_lots"] = volume_seen(floor, heard) - start_lots
    come_to(floor, ts)
    learn(account, ts)
    order["now_ts"] = ts
    order["left"] = order["lots"] - account.clock[0]["told_lots"]
    _count_fills(floor, order, heard, fees)
    _look_at_working(floor, order, heard, ts)


@inlined
def _count_fills(floor: Floor, order: np.void, heard: np.void, fees: np.void) -> None:
    account = floor.account
    arrival = 0.5 * order["arrival_twice_mid"]
    while heard["fills"] < account.clock[0]["n_told"]:
        fill = account.fills[heard["fills"]]
        price = fill["ticks"] + order["side"] * fill["shift"]
        slip = order["side"] * (price - arrival)
        fee = fees["per_lot"][fill["maker"]] + fees["of_value"][fill["maker"]] * price
        order["paid"] += fill["lots"] * (slip + fee)
        order["maker_lots"] += fill["lots"] * fill["maker"]
        heard["taken_shift"] += fill["lots"] * fill["shift"]
        heard["slip"] += fill["lots"] * slip
        heard["slip_square"] += fill["lots"] * slip * slip
        heard["fills"] += 1


@inlined
def _look_at_working(floor: Floor, order: np.void, heard: np.void, ts: int) -> None:
    account = floor.account
    order["working"], order["work_ticks"], order["working_orders"] = 0, NOWHERE, 0
    order["work_lots"] = order["move_lots"] = 0
    n = account.clock[0]["n_orders"]
    while heard["first"] < n and account.orders[heard["first"]]["told_ts"] <= ts:
        heard["first"] += 1
    for k in range(heard["first"], n):
        lots = open_lots(account, k, ts)
        order["working"] += lots
        order["working_orders"] += lots > 0
        rests = resting_lots(account, k, ts)
        if rests == 0:
            continue
        if order["work_ticks"] == NOWHERE:
            order["work_ticks"], order["move_lots"] = account.orders[k]["asked_ticks"], rests
            order["work_ahead"] = lots_before(floor, k)
        order["work_lots"] += rests
