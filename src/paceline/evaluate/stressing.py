"""The same orders under stress: what a scenario makes of their market, and what that costs.

Orders are drawn once, on the calm days. Under a scenario they have the same starts, sides, sizes,
horizons and seeds; limits on their price move with the arrival price. What earlier days taught
stays as it was: nobody was warned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.cost.tail import summarize
from paceline.env.policies import Policy
from paceline.evaluate.paired import PairedDifference, paired_difference
from paceline.evaluate.preparing import Prepared, plans_of
from paceline.evaluate.results import BacktestResult
from paceline.evaluate.settings import BacktestSettings
from paceline.evaluate.violations import broken_limits
from paceline.market.tape import Tape
from paceline.stress.on_market import stress_market
from paceline.stress.on_tape import stress_tape
from paceline.stress.on_venue import stress_venue
from paceline.stress.scenario import Scenario

_FAR = 1 << 39
"""A price limit beyond this is none, ticks."""


class UnderStress(NamedTuple):
    """A backtest of the same orders under one scenario."""

    scenario: Scenario
    result: BacktestResult


class StressRow(NamedTuple):
    """One policy under one fill model and scenario, against itself on calm days."""

    scenario: str
    policy: str
    fill_model: str
    orders: int
    calm_bps: float
    """Mean shortfall."""
    stressed_bps: float
    change: PairedDifference
    """Stressed less calm, order by order."""
    change_buys_bps: float
    """Its mean over orders to buy; NaN without one."""
    change_sells_bps: float
    calm_cvar95_bps: float
    stressed_cvar95_bps: float
    calm_fill_rate: float
    stressed_fill_rate: float
    whole_orders: float
    """Share of orders that were filled to the last lot under stress."""
    rejects: float
    """Child orders refused by the venue, per order, under stress."""
    violations: int
    """Fills beyond an order's own price limit, size or largest child, under stress."""


def stressed_day(
    day: Prepared, scenario: Scenario, policies: Sequence[Policy], settings: BacktestSettings
) -> Prepared:
    """`day` with the same orders under `scenario`. Raises `ConfigError` for a part that misses the
    session."""
    answering = day.answering
    if answering is not None:
        answering = answering.under(stress_market(answering.settings, scenario))
    tape = stress_tape(day.tape, scenario) if answering is None else answering.tape
    parents = day.parents.copy()
    _move_limits(day.tape, tape, parents)
    return day._replace(
        tape=tape,
        parents=parents,
        plans=plans_of(policies, tape, day.lesson, parents, settings, day.venues[0]),
        venues=[stress_venue(venue, scenario, tape.session) for venue in day.venues],
        notes=[],
        answering=answering,
    )


def _move_limits(calm: Tape, stressed: Tape, parents: NDArray[np.void]) -> None:
    """Price limits keep their distance from the arrival price."""
    step = calm.instrument.order_step
    moved = arrival(stressed, parents["start_ts"]) - arrival(calm, parents["start_ts"])
    ticks = np.nan_to_num(np.rint(moved / step)).astype(np.int64) * step
    for name, is_set in (
        ("band_low", parents["band_low"] > step),
        ("band_high", parents["band_high"] < _FAR),
    ):
        parents[name] = np.where(is_set, np.maximum(parents[name] + ticks, step), parents[name])


def arrival(tape: Tape, ts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mid at `ts`, ticks; the last there was while a side is empty."""
    mid = tape.mid_ticks()
    held = mid[np.maximum.accumulate(np.where(np.isnan(mid), 0, np.arange(len(mid))))]
    return np.asarray(held[np.searchsorted(tape.events.ts, ts, side="right") - 1])


def stress_rows(calm: BacktestResult) -> list[StressRow]:
    """Every policy, fill model and scenario of `calm.stressed`."""
    return [
        _row(calm, under, policy, model)
        for under in calm.stressed
        for policy in calm.policies
        for model in calm.fill_models
    ]


def _row(calm: BacktestResult, under: UnderStress, policy: str, model: str) -> StressRow:
    before, after = calm.select(policy, model), under.result.select(policy, model)
    cost = before["shortfall_bps"], after["shortfall_bps"]
    known = ~(np.isnan(cost[0]) | np.isnan(cost[1]))
    difference, side = cost[1] - cost[0], calm.parents["side"][before["parent"]]
    tails = [summarize(values[known]) for values in cost]
    return StressRow(
        scenario=under.scenario.name,
        policy=policy,
        fill_model=model,
        orders=int(known.sum()),
        calm_bps=tails[0].mean,
        stressed_bps=tails[1].mean,
        change=paired_difference(cost[1], cost[0], calm.clusters()),
        change_buys_bps=_mean(difference[known & (side > 0)]),
        change_sells_bps=_mean(difference[known & (side < 0)]),
        calm_cvar95_bps=tails[0].cvar95,
        stressed_cvar95_bps=tails[1].cvar95,
        calm_fill_rate=float(np.mean(before["fill_rate"])),
        stressed_fill_rate=float(np.mean(after["fill_rate"])),
        whole_orders=float(np.mean(after["fill_rate"] == 1.0)),
        rejects=float(np.mean(after["rejects"])),
        violations=violations(under.result, policy, model),
    )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def violations(result: BacktestResult, policy: str, model: str) -> int:
    """Limits that were broken, over all orders."""
    return sum(
        int(broken_limits(place.parents, run.log).sum())
        for place in result.places
        for run in place.runs
        if (run.policy.name, run.fills) == (policy, model)
    )


def stress_columns(rows: Sequence[StressRow]) -> dict[str, NDArray[Any]]:
    """The rows as columns, for Parquet."""
    flat = [as_dict(row) for row in rows]
    return {name: np.array([row[name] for row in flat]) for name in flat[0]}


def as_dict(row: StressRow) -> dict[str, Any]:
    """One row, flat."""
    told = row._asdict()
    change = told.pop("change")
    told["change_bps"], told["change_low_bps"] = change.mean_bps, change.low_bps
    told["change_high_bps"], told["change_p"] = change.high_bps, change.p
    return told


def scenario_dict(scenario: Scenario) -> dict[str, Any]:
    """A scenario with all its parameters, ready for JSON."""
    from paceline.stress.parts import PARTS

    names = {kind: name for name, kind in PARTS.items()}
    return {
        "name": scenario.name,
        "seed": scenario.seed,
        "parts": [
            {"part": names[type(part)], **msgspec.to_builtins(part)} for part in scenario.parts
        ],
    }
