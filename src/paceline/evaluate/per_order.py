"""What working a parent order cost, and how its child orders and fills did: one row an order.

Everything is told per run (one policy, one fill model, one tape). Costs are in basis points of
arrival notional, positive when bad.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.cost.measures import (
    HORIZONS_NS,
    ChildOrders,
    child_measures,
    interval_vwap,
    markouts,
    mid_at,
    participation_weighted_price,
    per_parent,
    slippage_bps,
    spread_paid,
    without,
)
from paceline.cost.shortfall import shortfall
from paceline.engine import account as acc
from paceline.engine.queue import FillModel
from paceline.engine.venue import Fees
from paceline.env.history import Lesson, trades_of
from paceline.env.policies import Policy, Urgency
from paceline.env.working import Log, Plan
from paceline.evaluate.on_schedule import ac_px
from paceline.market.tape import Tape
from paceline.units import BPS, NS_PER_S

Columns = dict[str, NDArray[Any]]

SIMULATED = "simulated"
"""Stands for a fill model where there was none: the market itself filled our orders."""


class Run(NamedTuple):
    """One policy under one fill model on one tape."""

    policy: Policy
    model: FillModel
    plan: Plan
    log: Log
    measured: Columns | None = None
    """Cost and execution of each order where it had a market of its own; None: the tape is it."""
    relive: Callable[[int], Tape] | None = None
    """What happened in the market of an order of its own, worked once more."""

    @property
    def fills(self) -> str:
        """Name of the fill model, or `SIMULATED`."""
        return self.model.name.lower() if self.relive is None else SIMULATED

    def tape(self, place: TapeRuns, row: int) -> Tape:
        """The market in which order `row` was worked."""
        return place.tape if self.relive is None else self.relive(row)


class TapeRuns(NamedTuple):
    """Everything that was worked on one tape."""

    tape: Tape
    lesson: Lesson
    parents: NDArray[np.void]  # PARENT_RECORD
    order_ids: list[str]
    runs: list[Run]
    notes: list[str]


class Prices(NamedTuple):
    """What parent orders are measured against, all `[n]` in ticks. NaN: there is no such price."""

    decision: NDArray[np.float64]  # mid
    arrival: NDArray[np.float64]  # mid
    end: NDArray[np.float64]  # mid
    vwap: NDArray[np.float64]  # of the market's trades between start and end
    pwp: NDArray[np.float64]  # participation-weighted price
    ac: NDArray[np.float64]  # of the Almgren-Chriss trajectory, worked at mid


class Yardsticks(NamedTuple):
    """What cost is measured with, the same for every order."""

    delay_ns: int
    """A decision lies so long before the start."""
    pov_rate: float
    urgency: Urgency
    n_slices: int
    """Of the Almgren-Chriss trajectory."""
    fees: Fees


def prices_of(place: TapeRuns, yards: Yardsticks, ours: NDArray[np.void] | None = None) -> Prices:
    """The prices on one tape; `ours` are fills that it holds, and that are not the market's.

    On a one-sided book, the last mid that there was counts. Nobody starts on one, unless a scenario
    made it, but an order may end there.
    """
    tape, parents = place.tape, place.parents
    ts, close, mid = tape.events.ts, tape.session.close_ns, tape.mid_ticks()
    held = mid[np.maximum.accumulate(np.where(np.isnan(mid), 0, np.arange(len(mid))))]
    start, end = parents["start_ts"], parents["end_ts"]
    arrival = mid_at(start, ts, held, close)
    trades = trades_of(tape)
    if ours is not None:
        trades = without(trades, ours["ts"], ours["ticks"], ours["lots"])
    return Prices(
        decision=mid_at(start - yards.delay_ns, ts, held, close) if yards.delay_ns else arrival,
        arrival=arrival,
        end=mid_at(end, ts, held, close),
        vwap=interval_vwap(trades, start, end),
        pwp=participation_weighted_price(
            trades, start, int(ts[-1]) + 1, parents["lots"], yards.pov_rate
        ),
        ac=ac_px(tape, place.lesson, parents, yards.urgency, yards.n_slices),
    )


def order_columns(place: TapeRuns, run: Run, px: Prices, fees: Fees) -> Columns:
    """Cost and execution of every parent order of a run."""
    swept = run.log.orders["tag"] == run.plan.bounds.shape[1] - 1
    return log_columns(place.tape, place.parents, run.log, swept, px, fees)


COUNTS = (
    "children", "replaces", "rejects", "messages", "cancels", "decisions", "masked_choices",
    "violations",
)  # fmt: skip
MEASURES = (
    "shortfall_bps", "delay_bps", "trading_bps", "opportunity_bps", "fees_bps", "avg_px",
    "filled_qty", "fill_rate", "swept_share", "maker_share", "participation", "vs_vwap_bps",
    "vs_pwp_bps", "vs_ac_bps", "child_fill_rate", "time_to_fill_s", "partial_share",
    "cancels_per_child", "spread_paid_bps", "impact_bps", "adverse_1m_bps", "reversion_1m_bps",
    "adverse_5m_bps", "reversion_5m_bps", "adverse_30m_bps", "reversion_30m_bps", "taken_bps",
    "rested_bps", "decision_us",
)  # fmt: skip
"""Columns of an order in a comparison: whole numbers from 0 on, and numbers that may be NaN."""


def log_columns(
    tape: Tape,
    parents: NDArray[np.void],
    log: Log,
    swept: NDArray[np.bool_],
    px: Prices,
    fees: Fees,
) -> Columns:
    """Cost and execution of `parents` from the log of their child orders; `swept` says which of
    these were sent at the end of the horizon."""
    tick = float(tape.instrument.book_tick)
    n = len(parents)
    fills, parent = log.fills, log.fill_parent
    side = parents["side"]
    paid = fills["ticks"] + side[parent] * fills["shift"]
    cost = shortfall(
        side,
        parents["lots"],
        px.decision,
        px.arrival,
        px.end,
        parent,
        paid,
        fills["lots"],
        fees.charge(
            fills["ticks"].astype(np.float64),
            fills["lots"],
            fills["maker"] == 1,
            tape.instrument,
        ),
    )
    child = child_measures(child_orders(log), n)
    others = log.result["market_lots"] - log.result["displaced_lots"]
    volume = np.maximum(others, 0) + cost.filled_lots
    columns = {
        **{name: getattr(cost, name) for name in cost._fields if name.endswith("_bps")},
        "avg_px": cost.avg_px * tick,
        "filled_qty": cost.filled_lots * float(tape.instrument.lot),
        "fill_rate": cost.filled_lots / parents["lots"],
        "swept_share": _swept_lots(log, swept, n) / parents["lots"],
        "maker_share": _share(log.result["maker_lots"], cost.filled_lots),
        "participation": _share(cost.filled_lots, volume),
        "vs_vwap_bps": slippage_bps(side, cost.avg_px, px.vwap, px.arrival),
        "vs_pwp_bps": slippage_bps(side, cost.avg_px, px.pwp, px.arrival),
        "vs_ac_bps": slippage_bps(side, cost.avg_px, px.ac, px.arrival),
        "children": child.children,
        "child_fill_rate": child.fill_rate,
        "time_to_fill_s": child.time_to_fill_s,
        "partial_share": child.partial,
        "cancels_per_child": child.cancels_per_child,
        "replaces": log.result["replaces"],
        "rejects": np.bincount(log.order_parent[log.orders["state"] == acc.REJECTED], minlength=n),
    }
    columns.update(_fill_measures(tape, log, side, px.arrival, n))
    return columns


def _swept_lots(log: Log, swept: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
    """Lots of each parent order that orders sent at the end of its horizon filled."""
    fills, parent = log.fills, log.fill_parent
    swept = swept[fills["order"]]
    lots = np.bincount(parent[swept], fills["lots"][swept], minlength=n)
    return np.rint(lots).astype(np.int64)


def _fill_measures(
    tape: Tape, log: Log, side: NDArray[np.int64], arrival: NDArray[np.float64], n: int
) -> Columns:
    """Measures of fills, lots-weighted per parent order, in bps of the arrival price."""
    fills, parent = log.fills, log.fill_parent
    fill_side = side[parent]
    mid, ts = tape.mid_ticks(), tape.events.ts
    last = int(ts[-1])
    before = mid_at(fills["ts"] - 1, ts, mid, last)
    per_bps = BPS / arrival
    maker = fills["maker"] == 1
    later = markouts(fill_side, fills["ts"], ts, mid, last)

    def over(values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        return per_parent(values[chosen], parent[chosen], fills["lots"][chosen], n).mean * per_bps

    columns = {
        "spread_paid_bps": over(
            spread_paid(fill_side, fills["ticks"], before), np.ones(len(fills), bool)
        ),
        "impact_bps": over(fills["shift"], np.ones(len(fills), bool)),
    }
    for h, horizon in enumerate(HORIZONS_NS):
        minutes = horizon // (60 * NS_PER_S)
        columns[f"adverse_{minutes}m_bps"] = over(later[:, h], maker)
        columns[f"reversion_{minutes}m_bps"] = over(later[:, h], ~maker)
    return columns


def child_orders(log: Log) -> ChildOrders:
    """The child orders of a log, as measures read them."""
    orders, fills = log.orders, log.fills
    first = np.full(len(orders), acc.NEVER, np.int64)
    np.minimum.at(first, fills["order"], fills["ts"])
    first[first == acc.NEVER] = 0
    return ChildOrders(
        parent=log.order_parent,
        lots=orders["lots"],
        filled_lots=orders["lots"] - orders["left"],
        submit_ts=orders["sent_ts"],
        first_fill_ts=first,
        cancelled=np.isin(orders["state"], (acc.CANCELLED, acc.EXPIRED)),
    )


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """`part / whole`; NaN where there is no whole."""
    share = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return np.asarray(share, dtype=np.float64)
