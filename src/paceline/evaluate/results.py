"""What a backtest found: per order, per child order, per fill, and in sum.

Costs are in basis points of arrival notional, positive when bad, as `paceline.cost` defines them.
"""

from __future__ import annotations

import json
from pathlib import Path
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
)
from paceline.cost.shortfall import shortfall
from paceline.cost.tail import summarize
from paceline.engine import account as acc
from paceline.engine.exchange import REASON_NAMES, STATE_NAMES
from paceline.engine.queue import FillModel
from paceline.engine.venue import Fees
from paceline.evaluate.history import Lesson, trades_of
from paceline.evaluate.notes import notes_on
from paceline.evaluate.on_schedule import ac_px
from paceline.evaluate.policies import Policy, Urgency
from paceline.evaluate.working import Log, Plan
from paceline.market.tape import Tape
from paceline.units import BPS, NS_PER_S

TYPE_NAMES = {
    acc.LIMIT: "limit", acc.MARKETABLE: "marketable_limit", acc.IOC: "ioc", acc.MARKET: "market",
}  # fmt: skip

Columns = dict[str, NDArray[Any]]


class Run(NamedTuple):
    """One policy under one fill model on one tape."""

    policy: Policy
    model: FillModel
    plan: Plan
    log: Log


class TapeRuns(NamedTuple):
    """Everything that was worked on one tape."""

    tape: Tape
    lesson: Lesson
    parents: NDArray[np.void]  # PARENT_RECORD
    runs: list[Run]


class BacktestResult:
    """The outcome of `backtest`. Tables are dicts of equally long columns."""

    def __init__(
        self,
        settings: dict[str, Any],
        pov_rate: float,
        decision_delay_s: float,
        fees: Fees,
        places: list[TapeRuns],
    ) -> None:
        self.settings = settings
        self.places = places
        self._pov_rate = pov_rate
        self._decision_delay_ns = round(decision_delay_s * NS_PER_S)
        self._fees = fees
        first: list[int] = [0]
        for place in places:
            first.append(first[-1] + len(place.parents))
        self._first_parent = first
        urgency = Urgency(settings.get("half_life_s"), settings.get("risk_aversion"))
        self._ac_px = [
            ac_px(place.tape, place.lesson, place.parents, urgency, settings.get("slices", 30))
            for place in places
        ]
        # The same for every run on a place, so worked out once.
        self._mids = [self._mids_of(i) for i in range(len(places))]
        self._known = [self._parents_of(i) for i in range(len(places))]
        self._market_px = [self._market_px_of(place) for place in places]
        self.parents = _concatenate(self._known)
        """One row for each parent order."""
        self.orders = _concatenate(
            [self._orders_of(i, run) for i, place in enumerate(places) for run in place.runs]
        )
        """One row for each parent order, policy and fill model: its cost and how it was worked."""

    @property
    def policies(self) -> list[str]:
        return list(dict.fromkeys(run.policy.name for p in self.places for run in p.runs))

    @property
    def fill_models(self) -> list[str]:
        return list(dict.fromkeys(run.model.name.lower() for p in self.places for run in p.runs))

    @property
    def notes(self) -> list[str]:
        """What a reader must know, e.g. of a volume curve without earlier days, or of a policy that
        left its work to the end. What is true of several days is said once."""
        return notes_on(self)

    def select(self, policy: str, fill_model: str) -> Columns:
        """The rows of `orders` of one policy and fill model, in order of parent."""
        rows = (self.orders["policy"] == policy) & (self.orders["fill_model"] == fill_model)
        chosen = {name: column[rows] for name, column in self.orders.items()}
        order = np.argsort(chosen["parent"], kind="stable")
        return {name: column[order] for name, column in chosen.items()}

    def summary(self) -> list[dict[str, Any]]:
        """One row for each policy and fill model; costs in bps."""
        return [
            self._summary_row(policy, model)
            for policy in self.policies
            for model in self.fill_models
        ]

    def _summary_row(self, policy: str, model: str) -> dict[str, Any]:
        rows = self.select(policy, model)
        row: dict[str, Any] = {"policy": policy, "fill_model": model}
        cost = summarize(rows["shortfall_bps"])
        row["orders"] = cost.n
        for name in ("mean", "p50", "p95", "p99", "cvar95"):
            row[f"is_{name}_bps"] = getattr(cost, name)
        row["is_std_error_bps"] = (
            float(np.std(rows["shortfall_bps"], ddof=1) / np.sqrt(cost.n))
            if cost.n > 1
            else float("nan")
        )
        for name in _MEANS:
            row[name] = _mean(rows[name])
        return row

    def children(self, place: int, run: Run) -> Columns:
        """One row for each child order of a run; times in ns, prices in currency."""
        tape, log = self.places[place].tape, run.log
        orders = log.orders
        tick = float(tape.instrument.book_tick)
        lot = float(tape.instrument.lot)
        n = len(orders)
        return {
            "parent": log.order_parent + self._first_parent[place],
            "policy": np.full(n, run.policy.name),
            "fill_model": np.full(n, run.model.name.lower()),
            "child": np.arange(n),
            "side": orders["side"],
            "type": _named(orders["type"], TYPE_NAMES),
            "px": np.where(np.abs(orders["ticks"]) < 1 << 39, orders["ticks"] * tick, np.nan),
            "qty": orders["lots"] * lot,
            "filled": (orders["lots"] - orders["left"]) * lot,
            "state": _named(orders["state"], STATE_NAMES),
            "reason": _named(orders["reason"], REASON_NAMES),
            "sent_ts": orders["sent_ts"],
            "arrived_ts": orders["arrived_ts"],
            "done_ts": orders["done_ts"],
            "slice": orders["tag"],
        }

    def fills(self, place: int, run: Run) -> Columns:
        """One row for each fill of a run; `px` is what was paid at the venue, `shift_px` what our
        own modelled impact adds to it."""
        tape, log = self.places[place].tape, run.log
        fills = log.fills
        tick = float(tape.instrument.book_tick)
        n = len(fills)
        return {
            "parent": log.fill_parent + self._first_parent[place],
            "policy": np.full(n, run.policy.name),
            "fill_model": np.full(n, run.model.name.lower()),
            "child": fills["order"],
            "ts": fills["ts"],
            "px": fills["ticks"] * tick,
            "shift_px": log.orders["side"][fills["order"]] * fills["shift"] * tick,
            "qty": fills["lots"] * float(tape.instrument.lot),
            "liquidity": np.where(fills["maker"] == 1, "maker", "taker"),
        }

    def save(self, folder: str | Path) -> Path:
        """Write `parents`, `orders`, `children` and `fills` as Parquet, and `summary.json`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        runs = [(i, run) for i, place in enumerate(self.places) for run in place.runs]
        tables = {
            "parents": self.parents,
            "orders": self.orders,
            "children": _concatenate([self.children(i, run) for i, run in runs]),
            "fills": _concatenate([self.fills(i, run) for i, run in runs]),
        }
        for name, columns in tables.items():
            pq.write_table(pa.table(columns), path / f"{name}.parquet")
        (path / "summary.json").write_text(json.dumps(self.as_dict(), indent=2) + "\n")
        return path

    def as_dict(self) -> dict[str, Any]:
        """Settings, sources, notes and summary, ready for JSON; NaN is None."""
        return {
            "settings": self.settings,
            "tapes": [
                {"name": place.tape.name, "tape_id": place.tape.manifest.tape_id}
                for place in self.places
            ],
            "notes": self.notes,
            "summary": [
                {key: _json_number(value) for key, value in row.items()} for row in self.summary()
            ],
        }

    def _parents_of(self, place: int) -> Columns:
        tape, _, parents, _ = self.places[place]
        tick, lot = float(tape.instrument.book_tick), float(tape.instrument.lot)
        at = np.searchsorted(tape.events.ts, parents["start_ts"], side="right") - 1
        spread = tape.ask_ticks()[at] - tape.bid_ticks()[at]
        decision, arrival, end = self._mids[place]
        n = len(parents)
        return {
            "parent": np.arange(n) + self._first_parent[place],
            "tape": np.full(n, tape.name),
            "symbol": np.full(n, tape.instrument.symbol),
            "day": np.full(n, tape.session.day),
            "side": parents["side"],
            "qty": parents["lots"] * lot,
            "start_ts": parents["start_ts"],
            "end_ts": parents["end_ts"],
            "arrival_px": arrival * tick,
            "end_px": end * tick,
            "decision_px": decision * tick,
            "spread_bps": BPS * spread / arrival,
        }

    def _mids_of(self, place: int) -> tuple[NDArray[np.float64], ...]:
        """Mids at decision, arrival and end of each parent order, in ticks.

        Nobody starts on a one-sided book. If an order ends on one, its rest is worth the last mid
        that there was.
        """
        tape, _, parents, _ = self.places[place]
        ts, close = tape.events.ts, tape.session.close_ns
        mid = tape.mid_ticks()
        held = mid[np.maximum.accumulate(np.where(np.isnan(mid), 0, np.arange(len(mid))))]
        arrival = mid_at(parents["start_ts"], ts, mid, close)
        end = mid_at(parents["end_ts"], ts, held, close)
        if self._decision_delay_ns == 0:
            return arrival, arrival, end
        return mid_at(parents["start_ts"] - self._decision_delay_ns, ts, held, close), arrival, end

    def _market_px_of(self, place: TapeRuns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Interval VWAP and participation-weighted price of each parent order, in ticks."""
        tape, parents = place.tape, place.parents
        trades = trades_of(tape)
        last_ts = int(tape.events.ts[-1])
        return (
            interval_vwap(trades, parents["start_ts"], parents["end_ts"]),
            participation_weighted_price(
                trades, parents["start_ts"], last_ts + 1, parents["lots"], self._pov_rate
            ),
        )

    def _orders_of(self, place: int, run: Run) -> Columns:
        tape, _, parents, _ = self.places[place]
        known = self._known[place]
        tick = float(tape.instrument.book_tick)
        decision, arrival, end = self._mids[place]
        log, n = run.log, len(parents)
        fills, parent = log.fills, log.fill_parent
        side = parents["side"]
        paid = fills["ticks"] + side[parent] * fills["shift"]
        cost = shortfall(
            side,
            parents["lots"],
            decision,
            arrival,
            end,
            parent,
            paid,
            fills["lots"],
            self._fees.charge(
                fills["ticks"].astype(np.float64),
                fills["lots"],
                fills["maker"] == 1,
                tape.instrument,
            ),
        )
        vwap, pwp = self._market_px[place]
        child = child_measures(_child_orders(log), n)
        others = log.result["market_lots"] - log.result["displaced_lots"]
        volume = np.maximum(others, 0) + cost.filled_lots
        columns = {
            "parent": known["parent"],
            "policy": np.full(n, run.policy.name),
            "fill_model": np.full(n, run.model.name.lower()),
            "tape": known["tape"],
            **{name: getattr(cost, name) for name in cost._fields if name.endswith("_bps")},
            "avg_px": cost.avg_px * tick,
            "filled_qty": cost.filled_lots * float(tape.instrument.lot),
            "fill_rate": cost.filled_lots / parents["lots"],
            "swept_share": _swept_lots(run, n) / parents["lots"],
            "maker_share": _share(log.result["maker_lots"], cost.filled_lots),
            "participation": _share(cost.filled_lots, volume),
            "vs_vwap_bps": slippage_bps(side, cost.avg_px, vwap, arrival),
            "vs_pwp_bps": slippage_bps(side, cost.avg_px, pwp, arrival),
            "vs_ac_bps": slippage_bps(side, cost.avg_px, self._ac_px[place], arrival),
            "children": child.children,
            "child_fill_rate": child.fill_rate,
            "time_to_fill_s": child.time_to_fill_s,
            "partial_share": child.partial,
            "cancels_per_child": child.cancels_per_child,
            "replaces": log.result["replaces"],
            "rejects": np.bincount(
                log.order_parent[log.orders["state"] == acc.REJECTED], minlength=n
            ),
        }
        columns.update(_fill_measures(tape, log, side, arrival, n))
        return columns


_MEANS = (
    "delay_bps", "trading_bps", "opportunity_bps", "fees_bps",
    "vs_vwap_bps", "vs_pwp_bps", "vs_ac_bps",
    "spread_paid_bps", "adverse_1m_bps", "adverse_5m_bps", "adverse_30m_bps",
    "reversion_1m_bps", "reversion_5m_bps", "reversion_30m_bps", "impact_bps",
    "fill_rate", "swept_share", "maker_share", "participation", "children", "child_fill_rate",
    "time_to_fill_s", "partial_share", "cancels_per_child", "replaces", "rejects",
)  # fmt: skip


def _swept_lots(run: Run, n: int) -> NDArray[np.int64]:
    """Lots of each parent order that orders sent at the end of its horizon filled."""
    fills, parent = run.log.fills, run.log.fill_parent
    swept = run.log.orders["tag"][fills["order"]] == run.plan.bounds.shape[1] - 1
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


def _child_orders(log: Log) -> ChildOrders:
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


def _mean(values: NDArray[Any]) -> float:
    """Mean of what is there; NaN if nothing is."""
    there = values[~np.isnan(values.astype(np.float64))]
    return float(there.mean()) if len(there) else float("nan")


def _named(codes: NDArray[np.int64], names: dict[int, str]) -> NDArray[Any]:
    table = np.array([names[code] for code in range(len(names))])
    return table[codes]


def _concatenate(tables: list[Columns]) -> Columns:
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def _json_number(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
