"""Orders worked in markets that answer: the day until we act, then what we make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paceline.engine.market_settings import MarketSettings
from paceline.errors import ConfigError
from paceline.evaluate.answering import AnsweringDay, simulated_days
from paceline.evaluate.backtest import backtest
from paceline.evaluate.report import write_report
from paceline.evaluate.results import BacktestResult
from paceline.evaluate.settings import BacktestSettings
from paceline.market.events import EXECUTE, HIDDEN
from paceline.units import NS_PER_S
from page.reading import Page

# An hour and a quarter of a stock, so that a test takes seconds.
SHORT = MarketSettings(close_s=34_200.0 + 4_500)
POLICIES = ["twap/cross", "ac/touch"]


@pytest.fixture(scope="module")
def days() -> list[AnsweringDay]:
    return simulated_days(SHORT, 2, seed=3)


def worked(days: list[AnsweringDay], jobs: int = 1, **changes: Any) -> BacktestResult:
    values = {"orders": 6, "qty": 20_000.0, "horizon_s": 600.0, "slices": 10, **changes}
    settings = BacktestSettings(**values)
    return backtest([d.tape for d in days], POLICIES, settings, answering=days, jobs=jobs)


@pytest.fixture(scope="module")
def result(days: list[AnsweringDay]) -> BacktestResult:
    return worked(days)


def test_until_we_act_it_is_the_day_as_drawn(result: BacktestResult) -> None:
    """The same touch at every event between the order's start and its first child's arrival, and
    another one afterwards."""
    place = result.places[0]
    for run in place.runs:
        for row, parent in enumerate(place.parents):
            market, day = run.tape(place, row), place.tape
            mine = run.log.orders[run.log.order_parent == row]
            first = int(mine["first_ts"].min())
            begun = int(market.events.ts[0])
            assert begun < parent["start_ts"] <= first
            until = np.arange(max(begun, first - 60 * NS_PER_S), first, NS_PER_S // 10)
            assert np.array_equal(touch(market, until), touch(day, until))
            later = np.arange(first, int(parent["end_ts"]), NS_PER_S // 10)
            assert not np.array_equal(touch(market, later), touch(day, later))


def touch(tape: Any, ts: Any) -> Any:
    at = np.searchsorted(tape.events.ts, ts, side="right") - 1
    return np.stack([tape.bid_ticks()[at], tape.ask_ticks()[at]])


def test_the_market_moves_against_us_and_takes_its_time_to_come_back(
    days: list[AnsweringDay], result: BacktestResult
) -> None:
    """A TWAP that takes a good part of the volume pays in a market that answers what a replay
    does not show."""
    replayed = backtest(
        [day.tape for day in days], POLICIES,
        BacktestSettings(orders=6, qty=20_000.0, horizon_s=600.0, slices=10),
    )  # fmt: skip
    answered, dead = (
        found.select("twap/cross", found.fill_models[0])["shortfall_bps"]
        for found in (result, replayed)
    )
    assert np.mean(answered - dead) > 10.0
    assert result.answers
    assert not replayed.answers


def test_fills_are_in_the_market_and_cost_is_measured_there(result: BacktestResult) -> None:
    place = result.places[1]
    for run in place.runs:
        rows = result.orders
        for row, parent in enumerate(place.parents):
            market = run.tape(place, row)
            fills = run.log.fills[run.log.fill_parent == row]
            for fill in fills:
                at = slice(*np.searchsorted(market.events.ts, [fill["ts"], fill["ts"] + 1]))
                printed = market.events.kind[at] == 4  # EXECUTE
                prices = market.level_ticks[market.events.level[at][printed]]
                assert fill["ticks"] in prices
            paid = float(fills["lots"] @ fills["ticks"]) / fills["lots"].sum()
            at = np.searchsorted(place.tape.events.ts, parent["start_ts"], side="right") - 1
            arrival = place.tape.mid_ticks()[at]
            mine = (rows["parent"] == len(result.places[0].parents) + row) & (
                rows["policy"] == run.policy.name
            )
            full = fills["lots"].sum() == parent["lots"]
            if full:
                cost = parent["side"] * (paid - arrival) / arrival * 1e4
                assert rows["shortfall_bps"][mine][0] == pytest.approx(cost)


def test_the_same_again_whatever_the_threads(
    days: list[AnsweringDay], result: BacktestResult
) -> None:
    again = worked(days, jobs=2)
    for name, column in result.orders.items():
        np.testing.assert_array_equal(again.orders[name], column)
    place = result.places[0]
    first, second = (place.runs[0].tape(place, 1) for _ in range(2))
    assert first.manifest.tape_id == second.manifest.tape_id


def test_many_children_get_the_room_they_need(days: list[AnsweringDay]) -> None:
    result = worked(days[:1], orders=1, child_max=10.0, qty=3_000.0)
    assert result.orders["children"].max() > 250


def test_the_report_says_that_the_market_answered(result: BacktestResult, tmp_path: Path) -> None:
    text = write_report(result, tmp_path / "r.html", examples=1).read_text()
    assert "Simulated, and it answers" in text
    assert "Footprint" not in text


def test_the_report_speaks_of_no_model_where_the_market_fills(
    result: BacktestResult, tmp_path: Path
) -> None:
    page = Page(write_report(result, tmp_path / "r.html", examples=1).read_text())
    said = page.text
    for untrue in ("calibrated", "its fill model", "modelled impact", "met the same market in a"):
        assert untrue not in said
    assert {row[1] for row in page.tables["summary"][1:]} == {"simulated"}
    named = {row[0] for row in page.tables["settings"]}
    assert named.isdisjoint({"fill_model", "cancel_exponent", "recovery_half_life_s"})


def test_benchmarks_leave_out_what_we_traded(result: BacktestResult) -> None:
    """Counted from the prints one by one: what others traded from start to end, and at what."""
    place, run = result.places[0], result.places[0].runs[0]
    parent = place.parents[0]
    market, fills = run.tape(place, 0), run.log.fills[run.log.fill_parent == 0]
    events = market.events
    inside = (events.ts >= parent["start_ts"]) & (events.ts < parent["end_ts"])
    printed = inside & np.isin(events.kind, (EXECUTE, HIDDEN))
    lots = events.qty[printed].astype(np.int64)
    paid = market.level_ticks[events.level[printed]]
    ours = fills[fills["ts"] < parent["end_ts"]]
    others = lots.sum() - ours["lots"].sum()
    vwap = (lots @ paid - ours["lots"] @ ours["ticks"]) / others
    arrival = market.mid_ticks()[np.searchsorted(events.ts, parent["start_ts"], "right") - 1]
    average = fills["lots"] @ fills["ticks"] / fills["lots"].sum()
    slippage = 1e4 * parent["side"] * (average - vwap) / arrival
    rows = result.select(run.policy.name, "simulated")
    assert rows["vs_vwap_bps"][0] == pytest.approx(slippage)


def test_fill_models_are_for_recorded_days(days: list[AnsweringDay]) -> None:
    with pytest.raises(ConfigError, match="fill_model: band is for recorded days"):
        worked(days, fill_model="band")
    with pytest.raises(ConfigError, match="days: 0 is no count"):
        simulated_days(SHORT, 0, seed=1)
