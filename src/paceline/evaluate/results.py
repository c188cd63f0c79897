"""What a backtest found: per order, per child order, per fill, and in sum.

Costs are in basis points of arrival notional, positive when bad, as `paceline.cost` defines them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paceline.engine import account as acc
from paceline.engine.order_entry import REASON_NAMES, STATE_NAMES
from paceline.evaluate.notes import notes_on
from paceline.evaluate.outcomes import Outcomes
from paceline.evaluate.per_order import Columns, Run, TapeRuns, Yardsticks, order_columns, prices_of
from paceline.files.results import result_in
from paceline.units import BPS

if TYPE_CHECKING:
    from paceline.evaluate.stressing import UnderStress

TYPE_NAMES = {
    acc.LIMIT: "limit", acc.MARKETABLE: "marketable_limit", acc.IOC: "ioc", acc.MARKET: "market",
}  # fmt: skip


class BacktestResult(Outcomes):
    """The outcome of `backtest`. Tables are dicts of equally long columns."""

    def __init__(
        self,
        settings: dict[str, Any],
        yardsticks: Yardsticks,
        places: list[TapeRuns],
        left_out: list[str],
    ) -> None:
        self.settings = settings
        self.places = places
        self.left_out = left_out
        """Notes on tapes that no order could be worked on."""
        self.given: list[str] = []
        """Notes on the orders that were given: limits filled in, arrival prices off the mid."""
        self.stressed: list[UnderStress] = []
        """The same orders under each scenario that was asked for."""
        first: list[int] = [0]
        for place in places:
            first.append(first[-1] + len(place.parents))
        self._first_parent = first
        # The same for every run on a place, so worked out once.
        self._prices = [prices_of(place, yardsticks) for place in places]
        self._known = [self._parents_of(i) for i in range(len(places))]
        self.parents = _concatenate(self._known)
        """One row for each parent order."""
        self.orders = _concatenate(
            [
                {
                    **self._whose(i, run),
                    **(run.measured or order_columns(place, run, self._prices[i], yardsticks.fees)),
                }
                for i, place in enumerate(places)
                for run in place.runs
            ]
        )
        """One row for each parent order, policy and fill model: its cost and how it was worked."""

    @property
    def policies(self) -> list[str]:
        return list(dict.fromkeys(run.policy.name for p in self.places for run in p.runs))

    @property
    def fill_models(self) -> list[str]:
        return list(dict.fromkeys(run.fills for p in self.places for run in p.runs))

    @property
    def answers(self) -> bool:
        """Whether every order was worked in a market of its own, which answered."""
        return any(run.relive is not None for place in self.places for run in place.runs)

    @property
    def notes(self) -> list[str]:
        """What a reader must know, e.g. of a volume curve without earlier days, or of a policy that
        left its work to the end. What is true of several days is said once."""
        return notes_on(self)

    def children(self, place: int, run: Run) -> Columns:
        """One row for each child order of a run; times in ns, prices in currency.

        `type`, `px` and `arrived_ts` are those it had in the end, `first_...` those it first
        reached the exchange with; a price is NaN where an order takes any.
        """
        tape, log = self.places[place].tape, run.log
        orders = log.orders
        tick = float(tape.instrument.book_tick)
        lot = float(tape.instrument.lot)
        n = len(orders)
        return {
            "parent": log.order_parent + self._first_parent[place],
            "policy": np.full(n, run.policy.name),
            "fill_model": np.full(n, run.fills),
            "child": np.arange(n),
            "side": orders["side"],
            "type": _named(orders["type"], TYPE_NAMES),
            "px": _scaled(orders["ticks"], tick),
            "qty": orders["lots"] * lot,
            "filled": (orders["lots"] - orders["left"]) * lot,
            "state": _named(orders["state"], STATE_NAMES),
            "reason": _named(orders["reason"], REASON_NAMES),
            "sent_ts": orders["sent_ts"],
            "first_arrived_ts": orders["first_ts"],
            "first_type": _named(orders["first_type"], TYPE_NAMES),
            "first_px": _scaled(orders["first_ticks"], tick),
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
            "fill_model": np.full(n, run.fills),
            "child": fills["order"],
            "ts": fills["ts"],
            "px": fills["ticks"] * tick,
            "shift_px": log.orders["side"][fills["order"]] * fills["shift"] * tick,
            "qty": fills["lots"] * float(tape.instrument.lot),
            "liquidity": np.where(fills["maker"] == 1, "maker", "taker"),
        }

    def save(self, folder: str | Path) -> Path:
        """Write `parents`, `orders`, `children` and `fills` as Parquet, and `summary.json`: all of
        them, or none. Other files in `folder` stay."""
        with result_in(folder, "backtest") as draft:
            self.write(draft)
        return Path(folder)

    def write(self, folder: Path) -> None:
        """What `save` writes, one file after the other, into the draft of a result."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = folder
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
        if self.stressed:
            from paceline.evaluate.stressing import stress_columns, stress_rows

            pq.write_table(pa.table(stress_columns(stress_rows(self))), path / "stress.parquet")
        for scenario, result in self.stressed:
            result.write(path / "stress" / re.sub(r"[^\w.-]+", "-", scenario.name))

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
            **self._under_stress(),
        }

    def _under_stress(self) -> dict[str, Any]:
        """What scenarios changed, where there are any."""
        if not self.stressed:
            return {}
        from paceline.evaluate.stressing import as_dict, scenario_dict, stress_rows

        return {
            "scenarios": [scenario_dict(scenario) for scenario, _ in self.stressed],
            "stress": [
                {key: _json_number(value) for key, value in as_dict(row).items()}
                for row in stress_rows(self)
            ],
        }

    def _parents_of(self, place: int) -> Columns:
        tape, parents = self.places[place].tape, self.places[place].parents
        tick, lot = float(tape.instrument.book_tick), float(tape.instrument.lot)
        at = np.searchsorted(tape.events.ts, parents["start_ts"], side="right") - 1
        step = tape.instrument.order_step
        spread = tape.ask_ticks()[at] - tape.bid_ticks()[at]
        px = self._prices[place]
        n = len(parents)
        return {
            "parent": np.arange(n) + self._first_parent[place],
            "order_id": np.array(self.places[place].order_ids),
            "tape": np.full(n, tape.name),
            "symbol": np.full(n, tape.instrument.symbol),
            "day": np.full(n, tape.session.day),
            "side": parents["side"],
            "qty": parents["lots"] * lot,
            "start_ts": parents["start_ts"],
            "end_ts": parents["end_ts"],
            "arrival_px": px.arrival * tick,
            "end_px": px.end * tick,
            "decision_px": px.decision * tick,
            "spread_bps": BPS * spread / px.arrival,
            "band_low_px": _scaled(
                np.where(parents["band_low"] > step, parents["band_low"], acc.NEVER), tick
            ),
            "band_high_px": _scaled(parents["band_high"], tick),
            "child_max": _scaled(parents["child_max"], lot),
            "participation_limit": np.where(
                parents["share_ppm"] > 0, parents["share_ppm"] / 1e6, np.nan
            ),
        }

    def _whose(self, place: int, run: Run) -> Columns:
        known = self._known[place]
        n = len(known["parent"])
        return {
            "parent": known["parent"],
            "order_id": known["order_id"],
            "policy": np.full(n, run.policy.name),
            "fill_model": np.full(n, run.fills),
            "tape": known["tape"],
        }


def _scaled(steps: NDArray[np.int64], unit: float) -> NDArray[np.float64]:
    """Prices in currency or sizes in the instrument's unit; NaN where there is no such limit."""
    return np.where(np.abs(steps) < 1 << 39, steps * unit, np.nan)


def _named(codes: NDArray[np.int64], names: dict[int, str]) -> NDArray[Any]:
    table = np.array([names[code] for code in range(len(names))])
    return table[codes]


def _concatenate(tables: list[Columns]) -> Columns:
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def _json_number(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
