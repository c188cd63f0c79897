"""Fill the state of a decision from the exchange: the market as we see it, the order as we were
told."""

from __future__ import annotations

import numpy as np

from paceline.decision.state import NOWHERE, State
from paceline.engine.account import LIMIT, learn, open_lots
from paceline.engine.clockwork import Floor, look
from paceline.engine.replay import Floor as RecordedFloor
from paceline.engine.sight import Ladder, lots_before, see_levels
from paceline.jit import inlined, inner
from paceline.market.watch import look_back, note_rows

FEES_RECORD = np.dtype(
    [
        ("per_lot", np.float64, 2),  # of what took and of what rested, ticks; negative: a rebate
        ("of_value", np.float64, 2),  # the same as a share of the price
    ]
)

HEARD_RECORD = np.dtype(
    [
        ("rows", np.int64),  # of the tape that the watch has heard
        ("window_rows", np.int64),  # that lie before the participation window
        ("fills", np.int64),  # that `paid` counts
        ("first", np.int64),  # child orders before this one are over
        ("taken_shift", np.float64),  # tick lots that modelled impact has cost
        ("slip", np.float64),  # sum of lots * slippage, ticks
        ("slip_square", np.float64),
    ]
)


@inner
def see(
    floor: RecordedFloor, state: State, heard: np.void, fees: np.void, start_lots: int, ts: int
) -> None:
    """Look at `ts`: levels, what the order has got, what the market traded.

    `start_lots` had traded when the order began. The watch is not looked at.
    """
    look(floor, ts)
    account, order = floor.account, state.order[0]
    learn(account, ts)
    see_levels(floor, Ladder(state.ticks, state.sizes))
    order["now_ts"] = ts
    order["left"] = order["lots"] - account.clock[0]["told_lots"]
    order["market_lots"] = volume_before(floor, account.clock[0]["cursor"]) - start_lots
    _count_fills(floor, order, heard, fees)
    _look_at_working(floor, order, heard, ts)


@inlined
def volume_before(floor: RecordedFloor, row: int) -> int:
    """Lots that had traded before row `row` of the tape."""
    return floor.events.volume[row - 1] if row > 0 else 0


@inlined
def window_lots(floor: RecordedFloor, heard: np.void, window_ns: int) -> int:
    """Lots that everybody traded in the window that ends with what was seen last."""
    clock, ts = floor.account.clock[0], floor.events.ts
    since, at = clock["last_seen"] - window_ns, heard["window_rows"]
    while at < clock["cursor"] and ts[at] <= since:
        at += 1
    heard["window_rows"] = at
    return volume_before(floor, clock["cursor"]) - volume_before(floor, at)


@inner
def hear(floor: RecordedFloor, state: State, heard: np.void) -> None:
    """Let the watch hear of all rows of the tape up to the last look."""
    account = floor.account
    seen, stop = account.clock[0]["last_seen"], account.clock[0]["cursor"]
    note_rows(state.watch, floor.events, floor.book.level_ticks, heard["rows"], stop)
    heard["rows"] = stop
    look_back(state.watch, seen)


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
    order["working"], order["work_ticks"] = 0, NOWHERE
    n = account.clock[0]["n_orders"]
    while heard["first"] < n and account.orders[heard["first"]]["told_ts"] <= ts:
        heard["first"] += 1
    for k in range(heard["first"], n):
        lots, row = open_lots(account, k, ts), account.orders[k]
        order["working"] += lots
        if lots == 0 or row["asked_type"] != LIMIT:
            continue
        ticks = row["asked_ticks"]
        nearer = order["side"] * (ticks - order["work_ticks"]) > 0
        if order["work_ticks"] == NOWHERE or nearer:
            order["work_ticks"] = ticks
            order["work_ahead"] = lots_before(floor, k)
            order["work_since_ts"] = max(row["arrived_ts"], row["sent_ts"])
