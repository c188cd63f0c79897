"""A parent order that is over: what the environment knows of it, and what that cost.

An environment goes on with whoever is over, so an order is read at its end and not later. What
`ended` reads makes a log like that of a backtest's worker (`log_of`), which the measures of a
backtest then read. In a market of its own nobody recorded what happened, and `columns_alone` has
what can be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.cost.measures import child_measures, spread_paid
from paceline.cost.shortfall import shortfall
from paceline.engine import account as acc
from paceline.engine.venue import Fees
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.working import RESULT_RECORD, Log
from paceline.evaluate.per_order import Columns, child_orders
from paceline.market.watch import UNKNOWN
from paceline.orders.instrument import Instrument
from paceline.units import BPS


class Ended(NamedTuple):
    """An order that is over."""

    orders: NDArray[np.void]
    fills: NDArray[np.void]
    arrival: float  # mid, ticks
    end: float  # mid, ticks
    market_lots: int
    displaced_lots: int
    messages: int
    cancels: int
    decisions: int
    illegal: int


def ended(env: BatchExecutionEnv, i: int) -> Ended:
    """What is known of the order in environment `i`, which is over."""
    lives, clock, order = env.lives, env.lives.account.clock[i, 0], env.lives.order[i, 0]
    return Ended(
        orders=lives.account.orders[i, : clock["n_orders"]].copy(),
        fills=env.fills(i),
        arrival=0.5 * float(order["arrival_twice_mid"]),
        end=0.5 * float(lives.progress["twice_mid"][i]),
        market_lots=int(order["market_lots"]),
        displaced_lots=int(clock["displaced_lots"]),
        messages=int(order["messages"]),
        cancels=int(order["cancels"]),
        decisions=int(order["decisions"]),
        illegal=int(lives.progress["illegal"][i]),
    )


def log_of(parents: NDArray[np.void], ended: Sequence[Ended]) -> Log:
    """The log of `parents`, as a worker of a whole day would have kept it."""
    result = np.zeros(len(parents), RESULT_RECORD)
    whose = np.arange(len(parents))
    n_orders = np.array([len(one.orders) for one in ended])
    n_fills = np.array([len(one.fills) for one in ended])
    first = np.concatenate([[0], np.cumsum(n_orders)[:-1]])
    fills = np.concatenate([one.fills for one in ended])
    fills["order"] += np.repeat(first, n_fills)
    fill_parent = np.repeat(whose, n_fills)
    result["children"], result["fills"] = n_orders, n_fills
    for name, lots in (
        ("filled_lots", fills["lots"]),
        ("maker_lots", fills["lots"] * fills["maker"]),
    ):
        np.add.at(result[name], fill_parent, lots)
    result["market_lots"] = [one.market_lots for one in ended]
    result["displaced_lots"] = [one.displaced_lots for one in ended]
    result["replaces"] = [one.cancels for one in ended]
    return Log(
        result=result,
        order_parent=np.repeat(whose, n_orders),
        orders=np.concatenate([one.orders for one in ended]),
        fill_parent=fill_parent,
        fills=fills,
        used=np.array([n_orders.sum(), n_fills.sum()]),
    )


def spreads(
    parents: NDArray[np.void],
    log: Log,
    before: NDArray[np.float64],
    arrival: NDArray[np.float64],
) -> Columns:
    """`[n]` what fills paid beyond a mid `before` them `[m]`, bps of the arrival notional: those
    that took, and those that had rested (captured: below 0). A fill without such a mid counts 0
    here, and all of it in the way of the mid."""
    fills, whose = log.fills, log.fill_parent
    n = len(parents)
    cost = np.nan_to_num(
        fills["lots"] * spread_paid(parents["side"][whose], fills["ticks"], before)
    )
    notional = arrival * parents["lots"]
    maker = fills["maker"] == 1
    return {
        name: np.bincount(whose[some], cost[some], minlength=n) / notional * BPS
        for name, some in (("taken_bps", ~maker), ("rested_bps", maker))
    }


def columns_alone(
    instrument: Instrument,
    parents: NDArray[np.void],
    log: Log,
    ended: Sequence[Ended],
    fees: Fees,
) -> Columns:
    """Cost and execution of orders that had markets of their own, `[n]`. What only a recording
    could tell (markouts, the market's trades) is NaN."""
    n = len(parents)
    tick, nothing = float(instrument.book_tick), np.full(n, np.nan)
    arrival, end = np.array([one.arrival for one in ended]), np.array([one.end for one in ended])
    fills, whose, side = log.fills, log.fill_parent, parents["side"]
    px = fills["ticks"].astype(np.float64)
    charge = fees.charge(px, fills["lots"], fills["maker"] == 1, instrument)
    cost = shortfall(
        side, parents["lots"], arrival, arrival, end, whose, px + side[whose] * fills["shift"],
        fills["lots"], charge,
    )  # fmt: skip
    before = np.where(fills["twice_mid"] == UNKNOWN, np.nan, 0.5 * fills["twice_mid"])
    beyond_mid = spreads(parents, log, before, arrival)
    filled = cost.filled_lots
    share = np.divide(1.0, filled, out=nothing.copy(), where=filled > 0)
    volume = log.result["market_lots"] - log.result["displaced_lots"] + filled
    swept = (log.orders["sent_ts"] >= parents["end_ts"][log.order_parent])[fills["order"]]
    child = child_measures(child_orders(log), n)
    rejected = log.order_parent[log.orders["state"] == acc.REJECTED]
    return {
        **{name: getattr(cost, name) for name in cost._fields if name.endswith("_bps")},
        "avg_px": cost.avg_px * tick,
        "filled_qty": filled * float(instrument.lot),
        "fill_rate": filled / parents["lots"],
        "swept_share": np.bincount(whose[swept], fills["lots"][swept], n) / parents["lots"],
        "maker_share": log.result["maker_lots"] * share,
        "participation": np.where(volume > 0, filled / np.maximum(volume, 1), np.nan),
        **dict.fromkeys(("vs_vwap_bps", "vs_pwp_bps", "vs_ac_bps"), nothing),
        "children": child.children,
        "child_fill_rate": child.fill_rate,
        "time_to_fill_s": child.time_to_fill_s,
        "partial_share": child.partial,
        "cancels_per_child": child.cancels_per_child,
        "replaces": log.result["replaces"],
        "rejects": np.bincount(rejected, minlength=n),
        "spread_paid_bps": (beyond_mid["taken_bps"] + beyond_mid["rested_bps"])
        * parents["lots"]
        * share,
        "impact_bps": np.where(filled > 0, 0.0, np.nan),
        **{
            f"{what}_{minutes}m_bps": nothing
            for minutes in (1, 5, 30)
            for what in ("adverse", "reversion")
        },
        **beyond_mid,
    }
