"""The same orders under scenarios: which orders, on which market, compared with what."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from engine.test_flow import many_events
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.errors import ConfigError
from paceline.evaluate.answering import simulated_days
from paceline.evaluate.backtest import backtest
from paceline.evaluate.report import summary_text, write_report
from paceline.evaluate.results import BacktestResult
from paceline.evaluate.settings import BacktestSettings
from paceline.evaluate.stressing import arrival, stress_rows, violations
from paceline.market.tape import Tape
from paceline.stress.facts import facts_of
from paceline.stress.parts import Crash, Depth, Halt, Latency, Spread, StaleFeed
from paceline.stress.scenario import Scenario
from page.reading import Page, assert_stands_alone

from .orders import same_logs

POLICIES = ["ac", "twap/cross"]
SCENARIOS = [
    Scenario(name="wide", parts=(Spread(times=4.0),)),
    Scenario(name="rally", parts=(Crash(fall=-0.05, start_s=600.0, length_s=1800.0),)),
    Scenario(name="stop", parts=(Halt(start_s=600.0, length_s=1200.0, gap=0.0),)),
    Scenario(name="thin", parts=(Depth(share=0.3),)),
    Scenario(name="slow", parts=(Latency(submit_ms=3000.0, ack_ms=0.0, market_data_ms=0.0),)),
]
CHOSEN = {"orders": 24, "qty": 1500.0, "horizon_s": 240.0, "slices": 6}


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    market = MarketSettings(
        open_s=34_200.0, close_s=37_200.0, limit_bid_per_s=0.6, limit_ask_per_s=0.6,
        market_buy_per_s=0.1, market_sell_per_s=0.1, cancel_per_s=0.02,
    )  # fmt: skip
    days = ("2026-01-05", "2026-01-06", "2026-01-07")  # fewer have no interval
    return [simulate_day(market, day, seed=3) for day in days]


@pytest.fixture(scope="module")
def calm(tapes) -> BacktestResult:
    chosen = BacktestSettings(**CHOSEN, price_band_bps=150.0)
    return backtest(tapes, POLICIES, chosen, scenarios=SCENARIOS, jobs=1)


def test_the_calm_days_are_as_without_scenarios(tapes, calm) -> None:
    alone = backtest(tapes, POLICIES, BacktestSettings(**CHOSEN, price_band_bps=150.0), jobs=1)
    for place, other in zip(calm.places, alone.places, strict=True):
        for run, same in zip(place.runs, other.runs, strict=True):
            assert same_logs(run.log, same.log)
    assert alone.stressed == []
    assert "stress" not in alone.as_dict()


def test_the_orders_are_the_same(calm) -> None:
    for scenario, result in calm.stressed:
        assert result.settings["scenario"]["name"] == scenario.name
        for place, before in zip(result.places, calm.places, strict=True):
            assert place.order_ids == before.order_ids
            for name in ("start_ts", "end_ts", "side", "lots", "seed", "child_max"):
                np.testing.assert_array_equal(place.parents[name], before.parents[name])


def test_price_limits_move_with_the_arrival_price(calm) -> None:
    """150 bps of a price that is higher by some percent, to the tick."""
    under = {scenario.name: result for scenario, result in calm.stressed}["rally"]
    for place, before in zip(under.places, calm.places, strict=True):
        moved = arrival(place.tape, place.parents["start_ts"]) - arrival(
            before.tape, before.parents["start_ts"]
        )
        assert moved.max() > 100
        for name in ("band_low", "band_high"):
            found = place.parents[name] - before.parents[name]
            np.testing.assert_allclose(found, moved, atol=0.5)


def test_what_scenarios_do_to_costs(calm) -> None:
    rows = {(row.scenario, row.policy): row for row in stress_rows(calm)}
    assert len(rows) == len(SCENARIOS) * len(POLICIES)
    wide = rows["wide", "twap/cross"]
    spread = np.mean(calm.parents["spread_bps"])
    assert wide.change.low_bps > 0
    assert wide.change.mean_bps == pytest.approx(1.5 * spread, rel=0.5)
    rally = rows["rally", "ac"]
    assert rally.change_buys_bps > 10 > -10 > rally.change_sells_bps
    assert rows["stop", "ac"].rejects > 0
    assert rows["stop", "ac"].stressed_fill_rate < 1
    assert rows["thin", "twap/cross"].change.mean_bps > 0
    for row in rows.values():
        assert row.violations == 0
        assert row.orders == 24
        assert row.change.mean_bps == pytest.approx(row.stressed_bps - row.calm_bps)
        both = (row.change_buys_bps + row.change_sells_bps) / 2
        assert both == pytest.approx(row.change.mean_bps)


def test_slow_lines_delay_the_fills(calm) -> None:
    slow = {scenario.name: result for scenario, result in calm.stressed}["slow"]
    for place, before in zip(slow.places, calm.places, strict=True):
        assert place.tape is before.tape
        run, was = place.runs[1], before.runs[1]  # twap/cross
        assert run.log.orders["sent_ts"][0] == was.log.orders["sent_ts"][0]
        late = run.log.orders["first_ts"] - run.log.orders["sent_ts"]
        assert np.all(late >= 3_001_000_000)


def test_a_breach_is_counted(calm) -> None:
    """The worker keeps all limits; a log that did not is told from one that did."""
    place = calm.places[0]
    run = place.runs[0]
    kept = place.parents["band_high"].copy(), place.parents["child_max"].copy()
    assert violations(calm, "ac", "calibrated") == 0
    buys = place.parents["side"] > 0
    try:
        place.parents["band_high"][buys] = 1
        fills = int(np.sum(buys[run.log.fill_parent]))
        assert violations(calm, "ac", "calibrated") == fills > 0
        place.parents["band_high"][:] = kept[0]
        place.parents["child_max"][:] = 0
        assert violations(calm, "ac", "calibrated") == len(run.log.orders)
    finally:
        place.parents["band_high"][:], place.parents["child_max"][:] = kept


def test_it_is_saved_and_reported(calm, tmp_path: Path) -> None:
    folder = calm.save(tmp_path / "out")
    told = json.loads((folder / "summary.json").read_text())
    assert [one["name"] for one in told["scenarios"]] == [one.name for one in SCENARIOS]
    assert told["scenarios"][0]["parts"][0]["part"] == "spread"
    table = pq.read_table(folder / "stress.parquet").to_pylist()
    assert [row["stressed_bps"] for row in table] == [row["stressed_bps"] for row in told["stress"]]
    assert len(table) == len(told["stress"]) == 10
    orders = pq.read_table(folder / "stress" / "wide" / "orders.parquet")
    assert len(orders) == 24 * len(POLICIES)
    text = write_report(calm, folder / "report.html").read_text()
    assert_stands_alone(text)
    page = Page(text)
    assert "stress" in page.ids
    rows = page.tables["stress-table"]
    assert len(rows) == 11
    assert [row[0] for row in rows[1::2]] == [one.name for one in SCENARIOS]
    out = io.StringIO()
    Console(file=out, width=100).print(summary_text(calm))
    assert "under stress" in out.getvalue()
    assert "rally" in out.getvalue()


def test_no_section_without_scenarios(tapes, tmp_path: Path) -> None:
    result = backtest(tapes, ["twap"], BacktestSettings(**CHOSEN), jobs=1)
    text = write_report(result, tmp_path / "report.html").read_text()
    assert "stress" not in Page(text).ids


@pytest.mark.parametrize(
    ("scenarios", "says"),
    [
        ([SCENARIOS[0], SCENARIOS[0]], "scenario: 'wide' is given twice"),
        ([Scenario(name="x", parts=(StaleFeed(start_s=3000.0),))], "start_s: 3000 s is not in the"),
    ],
)
def test_scenarios_that_cannot_be(tapes, scenarios, says) -> None:
    with pytest.raises(ConfigError, match=says):
        backtest(tapes, ["twap"], BacktestSettings(**CHOSEN), scenarios=scenarios)


@many_events
def test_in_a_market_that_answers() -> None:
    """There a scenario is another market, of the same seed, with the same orders."""
    market = MarketSettings(open_s=34_200.0, close_s=37_200.0)
    days = simulated_days(market, 1, seed=5)
    chosen = BacktestSettings(orders=6, qty=800.0, horizon_s=240.0, slices=4)
    scenarios = [SCENARIOS[0], Scenario(name="stale", parts=(StaleFeed(start_s=0.0),))]
    result = backtest(
        [day.tape for day in days], ["twap/cross"], chosen, answering=days, scenarios=scenarios
    )
    wide, stale = result.stressed
    for under in (wide, stale):
        np.testing.assert_array_equal(
            under.result.places[0].parents["start_ts"], result.places[0].parents["start_ts"]
        )
    ids = [r.places[0].tape.manifest.tape_id for r in (stale.result, result)]
    assert ids[0] == ids[1]
    spreads = [facts_of(r.places[0].tape).spread_ticks for r in (result, wide.result)]
    assert spreads[1] > 2.5 * spreads[0]
    rows = {row.scenario: row for row in stress_rows(result)}
    assert rows["wide"].change.mean_bps > 0
    assert rows["stale"].orders == 6
