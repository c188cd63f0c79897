"""Costs and measures of a backtest, against exact fractions and pencils."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine import flows
from env.test_parents import order
from paceline.evaluate.backtest import backtest
from paceline.evaluate.notes import merged
from paceline.evaluate.settings import BacktestSettings
from paceline.files.results import result_in
from paceline.market import events as ev
from paceline.units import NS_PER_S
from tests.env.market_days import DAYS, random_day, tape_of
from tests.files.killing import killed_at_each_step

POLICIES = ("ac/mid", "twap/cross", "pov/inside")
PARTS = ("delay_bps", "trading_bps", "opportunity_bps", "fees_bps")
FOREVER = 1e9


@pytest.fixture(scope="module")
def days():
    tapes = [random_day(11, DAYS[0]), random_day(12, DAYS[1], depth="L2")]
    return [*tapes, random_day(13, DAYS[2], halts=True)]


@pytest.fixture(scope="module")
def result(days):
    return backtest(
        days,
        POLICIES,
        BacktestSettings(
            orders=60, qty=23, horizon_s=180.0, slices=6, finish="leave", fill_model="band",
            decision_delay_s=45.0, maker_fee=-0.002, taker_fee=0.003, submit_ms=700.0, seed=6,
        ),
        jobs=1,
    )  # fmt: skip


def test_the_parts_of_cost_sum_to_the_bit(result):
    o = result.orders
    total = ((o["delay_bps"] + o["trading_bps"]) + o["opportunity_bps"]) + o["fees_bps"]
    assert np.array_equal(total, o["shortfall_bps"])
    for part in PARTS:
        assert np.any(o[part] != 0.0)


def mid_by(tape, ts: int) -> Fraction:
    """The last mid there was, in ticks."""
    bid, ask = tape.bid_ticks(), tape.ask_ticks()
    at = tape.index_at(ts) - 1
    while np.isnan(bid[at] + ask[at]):
        at -= 1
    return Fraction(int(bid[at]) + int(ask[at]), 2)


def test_costs_are_those_of_exact_fractions(result):
    tick = Fraction(1, 100)
    checked = 0
    for i, place in enumerate(result.places):
        for run in place.runs:
            rows = result.select(run.policy.name, run.model.name.lower())
            for p, parent in enumerate(place.parents):
                row = int(np.flatnonzero(rows["parent"] == result._first_parent[i] + p)[0])
                side, lots = int(parent["side"]), int(parent["lots"])
                arrival = mid_by(place.tape, parent["start_ts"])
                decision = mid_by(place.tape, parent["start_ts"] - 45 * NS_PER_S)
                end = mid_by(place.tape, parent["end_ts"])
                fills = run.log.fills[run.log.fill_parent == p]
                traded = [(int(f["lots"]), int(f["ticks"]), int(f["maker"])) for f in fills]
                filled = sum(q for q, _, _ in traded)
                exact = {
                    "delay_bps": side * (arrival - decision) * lots,
                    "trading_bps": side * sum(q * (px - arrival) for q, px, _ in traded),
                    "opportunity_bps": side * (end - arrival) * (lots - filled),
                    "fees_bps": sum(
                        q * Fraction(-2 if maker else 3, 1000) / tick for q, _, maker in traded
                    ),
                }
                notional = arrival * lots
                for name, money in exact.items():
                    assert rows[name][row] == pytest.approx(
                        float(10_000 * money / notional), rel=1e-12, abs=1e-9
                    )
                assert rows["fill_rate"][row] == filled / lots
                if filled:
                    average = Fraction(sum(q * px for q, px, _ in traded), filled) * tick
                    assert rows["avg_px"][row] == pytest.approx(float(average), rel=1e-12)
                checked += 1
    assert checked == 60 * 3 * 3


def test_what_does_not_exist_is_missing_and_never_zero(result):
    o = result.orders
    nothing = o["filled_qty"] == 0
    assert nothing.any()
    for name in ("avg_px", "maker_share", "vs_vwap_bps", "vs_pwp_bps", "vs_ac_bps",
                 "spread_paid_bps", "impact_bps", "time_to_fill_s", "adverse_1m_bps",
                 "reversion_1m_bps"):  # fmt: skip
        assert np.all(np.isnan(o[name][nothing])), name
    assert not np.any(np.isnan(o["avg_px"][~nothing]))
    assert np.all(o["trading_bps"][nothing] == 0.0), "no shares cost nothing"
    unsent = o["children"] == 0
    assert np.all(np.isnan(o["child_fill_rate"][unsent]))
    makers_only = o["maker_share"] == 1.0
    takers_only = o["maker_share"] == 0.0
    assert makers_only.any()
    assert takers_only.any()
    assert np.all(np.isnan(o["reversion_1m_bps"][makers_only]))
    assert np.all(np.isnan(o["adverse_1m_bps"][takers_only]))
    for name in ("shortfall_bps", *PARTS, "fill_rate", "filled_qty", "participation"):
        known = ~nothing if name == "participation" else np.ones(len(nothing), bool)
        assert np.all(np.isfinite(o[name][known])), name


def test_counts_agree_with_the_log(result):
    for i, place in enumerate(result.places):
        first = result._first_parent[i]
        for run in place.runs:
            rows = result.select(run.policy.name, run.model.name.lower())
            here = (rows["parent"] >= first) & (rows["parent"] < first + len(place.parents))
            children, fills = result.children(i, run), result.fills(i, run)
            n = len(place.parents)
            mine = children["parent"] - first
            assert np.array_equal(rows["children"][here], np.bincount(mine, minlength=n))
            filled = np.bincount(fills["parent"] - first, fills["qty"], minlength=n)
            assert np.array_equal(rows["filled_qty"][here], filled)
            assert np.array_equal(filled, np.bincount(mine, children["filled"], minlength=n))
            maker = fills["qty"] * (fills["liquidity"] == "maker")
            share = np.bincount(fills["parent"] - first, maker, minlength=n)
            with np.errstate(invalid="ignore"):
                assert np.array_equal(rows["maker_share"][here], share / filled, equal_nan=True)
            rejected = np.bincount(mine[children["state"] == "rejected"], minlength=n)
            assert np.array_equal(rows["rejects"][here], rejected)
            assert np.array_equal(children["parent"][fills["child"]], fills["parent"])
            assert np.all(fills["ts"] >= children["sent_ts"][fills["child"]])


def test_the_summary_is_that_of_the_rows(result):
    for row in result.summary():
        rows = result.select(row["policy"], row["fill_model"])
        cost = rows["shortfall_bps"]
        assert row["orders"] == 60
        assert row["is_mean_bps"] == pytest.approx(cost.mean())
        assert row["is_p95_bps"] == pytest.approx(np.quantile(cost, 0.95))
        assert row["is_cvar95_bps"] == pytest.approx(np.sort(cost)[-3:].mean())
        assert row["fill_rate"] == pytest.approx(rows["fill_rate"].mean())
        assert row["time_to_fill_s"] == pytest.approx(np.nanmean(rows["time_to_fill_s"]))
    assert len(result.summary()) == 9


def test_what_is_saved_reads_back(result, tmp_path):
    folder = result.save(tmp_path / "a" / "b")
    runs = [(i, run) for i, place in enumerate(result.places) for run in place.runs]
    tables = {
        "parents": result.parents,
        "orders": result.orders,
        "children": {
            name: np.concatenate([result.children(i, run)[name] for i, run in runs])
            for name in result.children(*runs[0])
        },
        "fills": {
            name: np.concatenate([result.fills(i, run)[name] for i, run in runs])
            for name in result.fills(*runs[0])
        },
    }
    for name, columns in tables.items():
        table = pq.read_table(folder / f"{name}.parquet")
        assert table.column_names == list(columns)
        for column, values in columns.items():
            read = table[column].to_numpy()
            assert np.array_equal(read, values, equal_nan=values.dtype.kind == "f"), (name, column)

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is no JSON")

    saved = json.loads((folder / "summary.json").read_text(), parse_constant=refuse)
    assert saved["settings"]["decision_delay_s"] == 45.0
    assert [t["name"] for t in saved["tapes"]] == [f"TINY-{day}" for day in DAYS[:3]]
    assert any("no earlier day" in note for note in saved["notes"])
    for mine, row in zip(saved["summary"], result.summary(), strict=True):
        for name, value in row.items():
            missing = isinstance(value, float) and math.isnan(value)
            assert mine[name] == (None if missing else value)


def test_a_result_without_fills_is_saved_too(tmp_path):
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 104, 2)
    flow.join(ev.ADD, -1, 107, 2)
    for _ in range(30):
        flow.ts += 40
        flow.put(ev.HIDDEN, 1, 105, 1)
    tape = tape_of(flows.rows_of(flow.rows), DAYS[-1])
    quiet = BacktestSettings(orders=3, qty=2, horizon_s=60.0, slices=2, finish="leave",
                             half_life_s=1e-3)  # fmt: skip
    nothing = backtest([tape], ["pov", "twap/touch"], quiet, jobs=1)
    folder = nothing.save(tmp_path)
    assert pq.read_table(folder / "fills.parquet").num_rows >= 0
    assert json.loads((folder / "summary.json").read_text())["summary"][0]["vs_vwap_bps"] is None


# --- with a pencil ----------------------------------------------------------------------------


def static_book(*extra_asks: tuple[int, int]):
    """100 lots at 99 and 98; 10 at 101, 10 at 102, 100 at 103. Nothing happens for 20 minutes."""
    flow = flows.Flow()
    for side, ticks, lots in ((1, 99, 100), (1, 98, 100), (-1, 101, 10), (-1, 102, 10),
                              (-1, 103, 100)):  # fmt: skip
        flow.join(ev.ADD, side, ticks, lots)
    for _ in range(1200):
        flow.ts += 1
        flow.put(ev.QUOTE, 0, 0, 0)
    return tape_of(flows.rows_of(flow.rows), DAYS[-1])


WIDE = {"participation": 1.0, "price_band_bps": 2000.0, "child_max": 1000}


def one_order(side: str, qty: int, **settings):
    settings = {"submit_ms": 0.0, "ack_ms": 0.0, "market_data_ms": 0.0, "slices": 4,
                "recovery_half_life_s": FOREVER, "collar_bps": 500.0, **settings}  # fmt: skip
    mine = order(200.0, 500.0, side=side, qty=qty, arrival_px=1.00, constraints=WIDE)
    return backtest([static_book()], ["twap/cross"], BacktestSettings(**settings), orders=[mine],
                    jobs=1)  # fmt: skip


def test_a_buy_pays_for_the_levels_it_goes_through():
    """Ten lots at 101, ten at 102, twenty at 103, against a mid of 100: (10 + 20 + 60) / 4000."""
    result = one_order("buy", 40)
    fills = result.fills(0, result.places[0].runs[0])
    assert (fills["px"] * 100).round(9).tolist() == [101, 102, 103, 103]
    assert fills["qty"].tolist() == [10, 10, 10, 10]
    assert result.orders["shortfall_bps"].tolist() == [pytest.approx(225.0)]
    assert result.orders["spread_paid_bps"].tolist() == [pytest.approx(225.0)]
    assert result.orders["maker_share"].tolist() == [0.0]


def test_a_sell_pays_the_same_way():
    """Forty lots at 99 against 100: 100 bps; a taker fee of 0.01 a share is 100 bps more."""
    result = one_order("sell", 40, taker_fee=0.01)
    row = {name: column[0] for name, column in result.orders.items()}
    assert row["trading_bps"] == pytest.approx(100.0)
    assert row["fees_bps"] == pytest.approx(100.0)
    assert row["shortfall_bps"] == pytest.approx(200.0)
    assert row["fill_rate"] == 1.0
    assert row["participation"] == 1.0, "nobody else traded"


def test_delay_is_the_move_before_the_start():
    """The mid was 100 when it was decided and is 105.5 at the start: 550 of 10550, for a buy."""
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 99, 50)
    flow.join(ev.ADD, -1, 101, 50)
    flow.ts += 100
    flow.leave(ev.DELETE, (-1, 101), 0, 50)
    flow.join(ev.ADD, -1, 107, 50)
    flow.join(ev.ADD, 1, 104, 50)
    flow.ts += 1000
    flow.put(ev.QUOTE, 0, 0, 0)
    tape = tape_of(flows.rows_of(flow.rows), DAYS[-1])
    for side, sign in (("buy", 1), ("sell", -1)):
        mine = order(150.0, 500.0, side=side, qty=10, arrival_px=1.055, constraints=WIDE)
        move = 55_000 / 105.5
        for delay_s, bps in ((0.0, 0.0), (50.0, 0.0), (50.001, move), (149.0, move)):
            settings = BacktestSettings(decision_delay_s=delay_s, slices=2)
            result = backtest([tape], ["twap/cross"], settings, orders=[mine], jobs=1)
            assert result.orders["delay_bps"][0] == pytest.approx(sign * bps)


def test_what_the_sweep_filled_is_counted_and_said():
    """Nobody else trades, so POV has nothing to follow and leaves all to the end."""
    mine = order(200.0, 500.0, side="buy", qty=40, arrival_px=1.00, constraints=WIDE)
    for finish, share in (("sweep", 1.0), ("leave", 0.0)):
        settings = BacktestSettings(slices=4, finish=finish, recovery_half_life_s=FOREVER)
        result = backtest([static_book()], ["pov", "twap/cross"], settings, orders=[mine], jobs=1)
        rows = {policy: result.select(policy, "calibrated") for policy in result.policies}
        assert rows["pov"]["swept_share"].tolist() == [share]
        assert rows["twap/cross"]["swept_share"].tolist() == [0.0]
        said = [note for note in result.notes if "sweep" in note]
        assert said == [
            "pov: 100 % of the quantity was left to the sweep at the end of the horizon; its cost "
            "is that of the sweep. Raise pov_rate or lengthen the horizon."
        ] * (finish == "sweep")


def test_days_that_say_the_same_say_it_once():
    assert merged(
        [
            "X-2024-03-04: no earlier day was given, so it is",
            "X-2024-03-04: decay was not fitted (too few)",
            "X-2024-03-05: decay was not fitted (too few)",
            "policy: nothing of a day",
            "Y-2024-03-05: decay was not fitted (too few)",
            "X-2024-03-07: decay was not fitted (half-life 3 (s))",
            "X-2024-03-07: decay was not fitted (half-life 3 (s))",
            "X-2024-03-05: queues are assumed",
            "X-2024-03-06: queues are assumed",
        ]
    ) == [
        "X-2024-03-04: no earlier day was given, so it is",
        "X: decay was not fitted on 3 days (2024-03-04 to 2024-03-07) (too few and half-life 3 "
        "(s))",
        "policy: nothing of a day",
        "Y-2024-03-05: decay was not fitted (too few)",
        "X, 2 days (2024-03-05 to 2024-03-06): queues are assumed",
    ]


def test_queues_without_orders_say_what_they_rest_on(days):
    settings = {"orders": 6, "qty": 5, "horizon_s": 60.0, "slices": 2}
    for extra, word in (({}, "1, assumed"), ({"cancel_exponent": 1.5}, "1.5, as set")):
        chosen = BacktestSettings(**settings, **extra)
        alone = backtest([days[1]], ["twap"], chosen, jobs=1).notes
        name = f"TINY-{DAYS[1]}: queue positions on a book without orders use cancel exponent "
        assert sum(f"{name}{word}, not fitted; measure one" in note for note in alone) == 1
        after = backtest(days, ["twap"], chosen, jobs=1).notes
        # Left out, the exponent is the one that earlier days with orders say: nothing to warn of.
        warned = sum(f"{name}{word}, not fitted; earlier days" in note for note in after)
        assert warned == (1 if extra else 0)
        assert not any(DAYS[0] in note and "queue" in note for note in after)
    both = BacktestSettings(**settings, fill_model="optimistic")
    assert not any("queue" in note for note in backtest(days, ["twap"], both, jobs=1).notes)


def test_a_save_that_is_killed_at_any_step_is_made_good_by_the_next(result, tmp_path):
    def files(folder):
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    whole, out = files(result.save(tmp_path / "whole")), tmp_path / "out"
    for _ in killed_at_each_step(lambda: result.save(out)):
        result.save(out)  # the same command again
        assert files(out) == whole
        with result_in(out, "backtest") as draft:  # another result than the one that is killed
            (draft / "parents.parquet").write_bytes(b"of another run")
            (draft / "stress.parquet").write_bytes(b"of another run")
