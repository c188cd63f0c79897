"""The backtest as a whole: what it may depend on, and what it may not."""

from __future__ import annotations

import json
from itertools import product

import msgspec
import numpy as np
import pytest

from env.test_parents import order
from paceline.cost.impact_fit import Estimate, ImpactFit
from paceline.engine import account as acc
from paceline.engine.queue import FillModel
from paceline.engine.venue import Footprint, Latency, Venue
from paceline.env.history import History
from paceline.env.parents import draw_parents, set_limits
from paceline.env.policies import Urgency, make_plan, parse_policy
from paceline.errors import CapacityError, ConfigError, InputError
from paceline.evaluate import backtest as module
from paceline.evaluate import notes
from paceline.evaluate.backtest import backtest, work_all
from paceline.evaluate.conditions import model_notes
from paceline.evaluate.settings import DRAWN_ONLY, BacktestSettings
from paceline.evaluate.venues import fill_models, footprint_of
from paceline.market.events import ADD, BID
from paceline.market.session import midnight_ns
from paceline.market.settled import settled_ts
from paceline.units import NS_PER_S
from tests.env.market_days import (
    DAYS,
    LENGTH_S,
    changed,
    on_finer_grid,
    random_day,
    random_rows,
    tape_of,
)

from .orders import no_delay, same_logs

POLICIES = ("ac", "vwap/mid+2s", "pov/inside/7", "twap/cross")
VARIED = {"submit_ms": 300.0, "ack_ms": 200.0, "market_data_ms": 400.0, "latency_p99_ms": 2500.0}
BASE = {"qty": 17, "horizon_s": 240.0, "slices": 9}


def settings(**changes) -> BacktestSettings:
    return BacktestSettings(**{"orders": 24, **BASE, **VARIED, **changes})


@pytest.fixture(scope="module")
def days():
    return [random_day(seed, day) for seed, day in zip((11, 12, 13, 14), DAYS, strict=True)]


@pytest.fixture(scope="module")
def usual(days):
    return backtest(days[:3], POLICIES, settings(), jobs=1)


def logs(result) -> dict:
    return {
        (place.tape.name, run.policy.name, run.model): run.log
        for place in result.places
        for run in place.runs
    }


def agree(one, other) -> bool:
    """Whether two backtests hold the same bits wherever they ran the same."""
    mine, theirs = logs(one), logs(other)
    shared = mine.keys() & theirs.keys()
    assert shared
    return all(same_logs(mine[key], theirs[key]) for key in shared)


def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(days, usual):
    for jobs in (1, 3):
        again = backtest(days[:3], POLICIES, settings(), jobs=jobs)
        assert agree(usual, again)
        for name, column in usual.orders.items():
            assert np.array_equal(column, again.orders[name], equal_nan=column.dtype.kind == "f")
    assert not agree(usual, backtest(days[:3], POLICIES, settings(seed=1), jobs=1))


def test_other_policies_and_fill_models_change_nothing(days, usual):
    assert agree(usual, backtest(days[:3], POLICIES[1:], settings(), jobs=1))
    band = backtest(days[:3], POLICIES[::-2], settings(fill_model="band"), jobs=1)
    assert band.fill_models == ["pessimistic", "calibrated", "optimistic"]
    assert agree(usual, band)


def test_later_days_change_nothing(days, usual):
    more = backtest([*days[::-1]], POLICIES, settings(), trade=days[:3], jobs=1)
    assert agree(usual, more)


def test_every_order_is_worked_by_every_policy(usual):
    assert len(usual.parents["parent"]) == 24
    assert usual.policies == list(POLICIES)
    rows = set(zip(usual.orders["policy"], usual.orders["parent"], strict=True))
    assert len(usual.orders["parent"]) == len(rows) == 4 * 24
    assert rows == set(product(POLICIES, range(24)))
    for policy in POLICIES:
        assert usual.select(policy, "calibrated")["parent"].tolist() == list(range(24))


@pytest.mark.parametrize("text", POLICIES)
def test_what_comes_after_an_order_does_not_touch_it(text):
    """Another market after the last order's end leaves all plans, children and fills as they
    were; after a time t, all that was sent by then."""
    rows = random_rows(21)
    tape = tape_of(rows, DAYS[-1])
    lesson = History([random_day(11, DAYS[0]), tape]).before(tape)
    parents = draw_parents(tape, lesson, 40, 200.0, qty=17, qty_adv=None, qty_volume=None, seed=1)
    parents = parents[parents["end_ts"] < tape.session.open_ns + 1000 * NS_PER_S]
    set_limits(tape, parents, np.full(len(parents), 105.5), participation=0.4, window_s=60.0)
    venue = no_delay(market_data=Latency((5 * NS_PER_S, 0)), submit=Latency((NS_PER_S, 0)))

    def worked(at):
        lesson = History([random_day(11, DAYS[0]), at]).before(at)
        plan = make_plan(parse_policy(text, 9, 50.0), at, lesson, parents, Urgency(60.0, None),
                         0.1, True)  # fmt: skip
        return plan, work_all(at, venue, parents, plan)

    last = 1000 + int(parents["end_ts"].max() - tape.session.open_ns) // NS_PER_S + 3
    plan, log = worked(tape)
    assert len(log.fills)
    later_plan, later = worked(tape_of(changed(rows, last), DAYS[-1]))
    assert all(np.array_equal(a, b) for a, b in zip(plan, later_plan, strict=True))
    steady = [name for name in log.orders.dtype.names if name != "level"]  # a row of its table
    assert np.array_equal(log.orders[steady], later.orders[steady])
    assert np.array_equal(log.fills, later.fills)
    assert np.array_equal(log.result, later.result)

    cut = int(np.median(parents["start_ts"]))
    _, other = worked(tape_of(changed(rows, 1000 + (cut - tape.session.open_ns) // NS_PER_S),
                              DAYS[-1]))  # fmt: skip
    for name in ("sent_ts", "lots", "tag"):
        assert np.array_equal(
            log.orders[name][log.orders["sent_ts"] <= cut],
            other.orders[name][other.orders["sent_ts"] <= cut],
        )
    for name in ("ts", "ticks", "lots"):
        assert np.array_equal(
            log.fills[name][log.fills["ts"] <= cut], other.fills[name][other.fills["ts"] <= cut]
        )


GIVEN = BacktestSettings(slices=9, **VARIED)


def test_given_orders_are_worked_on_their_days(days):
    mine = [order(order_id=name) for name in "ab"]
    result = backtest(days, ["twap", "ac"], GIVEN, orders=mine, jobs=1)
    assert result.parents["order_id"].tolist() == ["a", "b"]
    assert result.select("ac", "calibrated")["order_id"].tolist() == ["a", "b"]
    assert not any("arrival_px" in note for note in result.notes)
    assert not set(DRAWN_ONLY) & set(result.as_dict()["settings"])
    assert set(result.parents["day"]) == {DAYS[-1]}
    assert result.parents["side"].tolist() == [-1, -1]
    assert np.all(result.orders["filled_qty"] <= 12)
    assert np.all(result.children(0, result.places[0].runs[0])["qty"] <= 4)


@pytest.mark.parametrize("strangers", [[], [order(5000.0, 5001.0)], [order(symbol="ELSE")]])
def test_no_given_order_is_dropped_in_silence(days, strangers):
    strangers = [msgspec.structs.replace(stranger, order_id="b") for stranger in strangers]
    given = [order(), *strangers] if strangers else []
    with pytest.raises(
        ConfigError,
        match=r"orders: none|lies in no session|is on none of the tapes to trade \(TINY\)",
    ):
        backtest(days, ["twap"], GIVEN, orders=given, jobs=1)


def test_a_given_order_is_itself_and_nothing_else(days):
    with pytest.raises(ConfigError, match=r"parent\.order_id: 'a' is given twice"):
        backtest(days, ["twap"], GIVEN, orders=[order(), order(250.0)], jobs=1)
    values = {"orders": 7, "qty": 17.0, "qty_adv": 0.1, "qty_volume": 0.1, "horizon_s": 60.0,
              "price_band_bps": 50.0, "child_max": 3.0, "participation": 0.2}  # fmt: skip
    assert values.keys() == set(DRAWN_ONLY)
    for name, value in values.items():
        wrong = msgspec.structs.replace(GIVEN, **{name: value})
        with pytest.raises(ConfigError, match=f"{name}: {value} is for orders that are drawn"):
            backtest(days, ["twap"], wrong, orders=[order()], jobs=1)


def test_what_is_no_order_or_twice_the_same_tape_is_refused(days):
    with pytest.raises(ConfigError, match=r"orders: \{'order_id': 'a'\} is no ParentOrder"):
        backtest(days, ["twap"], GIVEN, orders=[{"order_id": "a"}], jobs=1)
    with pytest.raises(ConfigError, match="tapes: TINY-2024-03-07 is given twice"):
        backtest([days[-1], days[-1]], ["twap"], settings(), jobs=1)
    with pytest.raises(ConfigError, match="trade: TINY-2024-03-07 is given twice"):
        backtest(days, ["twap"], settings(), trade=[days[-1], days[-1]], jobs=1)


def test_the_limits_of_orders_are_told(days):
    free = {"participation": 1.0, "price_band_bps": 300.0, "child_max": 4}
    mine = [order(), order(order_id="b", side="buy", constraints=free)]
    result = backtest(days, ["twap"], GIVEN, orders=mine, jobs=1)
    told = result.parents
    assert told["child_max"].tolist() == [4, 4]
    np.testing.assert_array_equal(told["participation_limit"], [0.3, np.nan])
    np.testing.assert_allclose(told["band_low_px"], [1.03, 1.03])
    np.testing.assert_allclose(told["band_high_px"], [1.08, 1.08])
    assert (
        dict(model_notes(result))["Limits"]
        == "participation at most 0.3, child orders of at most 4 "
        "and a price band around 2 orders, as the orders brought them."
    )
    drawn = backtest(days[-1:], ["twap"], settings(), jobs=1)
    for name in ("child_max", "participation_limit", "band_low_px", "band_high_px"):
        assert np.all(np.isnan(drawn.parents[name]))
    assert dict(model_notes(drawn))["Limits"] == "no order has any."


def test_where_nothing_traded_before_vwap_is_even_and_says_so(days):
    """The earlier day traded in its first minutes alone."""
    rows = random_rows(12)
    first = type(rows)(*(column[rows.ts < 1300] for column in rows))
    late = (1000 + LENGTH_S, ADD, BID, 100, 1, rows.slot.max() + 1)  # the day goes on, untraded
    quiet = tape_of(type(rows)(*map(np.append, first, late)), DAYS[0])
    result = backtest([quiet, days[-1]], ["vwap", "twap"], settings(orders=12), jobs=1,
                      trade=days[-1:])  # fmt: skip
    [place] = result.places
    midnight = midnight_ns(place.tape.session.day, place.tape.session.zone)
    start, end = (place.parents[name] - midnight for name in ("start_ts", "end_ts"))
    silent = place.lesson.curve.is_quiet(start, end)
    assert silent.any()
    vwap, twap = (run.plan.targets for run in place.runs)
    assert np.array_equal(vwap[silent], twap[silent])
    assert any(f"{silent.sum()} of 12 orders were at work, so VWAP" in n for n in result.notes)
    with pytest.raises(ConfigError, match=r"qty_volume: 0\.5 of nothing"):
        backtest([quiet, days[-1]], ["twap"], settings(qty=None, qty_volume=0.5),
                 trade=days[-1:], jobs=1)  # fmt: skip


def test_an_arrival_price_that_is_not_the_tapes_is_noted(days):
    result = backtest(days, ["twap"], GIVEN, orders=[order(arrival_px=1.15)], jobs=1)
    [note] = [note for note in result.notes if "arrival_px" in note]
    assert "order 'a' names an arrival_px of 1.15, but the mid at its start is 1.0" in note


def test_a_day_too_short_is_left_out_and_the_others_take_its_orders(days):
    rows = random_rows(15)
    few = type(rows)(*(column[:150] for column in rows))
    short = tape_of(few, "2024-03-08")
    result = backtest([*days[:2], short], ["twap"], settings(orders=5), jobs=1)
    assert [place.tape.name for place in result.places] == [day.name for day in days[:2]]
    assert [len(place.parents) for place in result.places] == [3, 2]
    assert any(
        note.startswith("TINY-2024-03-08: was left out (horizon: 240 s does not fit")
        for note in result.notes
    )
    assert agree(backtest(days[:2], ["twap"], settings(orders=5), jobs=1), result)
    with pytest.raises(ConfigError, match="horizon: 240 s does not fit into TINY-2024-03-08"):
        backtest([*days, short], ["twap"], settings(), trade=[short], jobs=1)


def test_the_venues_band_binds_the_dear_side_and_refuses_beyond_the_cheap(days):
    free = backtest(days[-1:], POLICIES, settings(), jobs=1)
    bound = backtest(days[-1:], POLICIES, settings(venue_band_bps=60.0), jobs=1)
    tape = days[-1]
    mid = tape.mid_ticks()[tape.index_at(settled_ts(tape)) - 1]
    low, high = (np.ceil(mid * 0.994) - 0.001, np.floor(mid * 1.006) + 0.001)
    outside = 0
    for before, after in zip(free.places[0].runs, bound.places[0].runs, strict=True):
        ticks, kept = before.log.orders["ticks"], after.log.orders
        outside += int(np.sum((ticks < low) | (ticks > high)))
        side = kept["side"] > 0
        assert np.all(kept["ticks"][side] <= high)
        assert np.all(kept["ticks"][~side] >= low)
        refused = kept["reason"] == acc.OUTSIDE_BAND
        assert np.array_equal(refused, np.where(side, kept["ticks"] < low, kept["ticks"] > high))
    assert outside


def test_fees_are_charged_on_shares_and_on_notional(days):
    fees = {"maker_fee": -0.002, "taker_fee": 0.003, "maker_fee_bps": -1.0, "taker_fee_bps": 2.0}
    result = backtest(days[-1:], ["twap/touch"], settings(**fees), jobs=1)
    [run] = result.places[0].runs
    fills = result.fills(0, run)
    maker = fills["liquidity"] == "maker"
    assert maker.any()
    assert not maker.all()
    paid = fills["qty"] * np.where(maker, -0.002 - 1e-4 * fills["px"], 0.003 + 2e-4 * fills["px"])
    rows = result.select("twap/touch", "calibrated")
    for k in rows["parent"]:
        notional = result.parents["arrival_px"][k] * result.parents["qty"][k]
        want = 1e4 * paid[fills["parent"] == k].sum() / notional
        assert rows["fees_bps"][k] == pytest.approx(want, rel=1e-9, abs=1e-9)


def test_no_child_fills_before_its_first_arrival_and_each_tells_where_it_first_stood(usual):
    for place, taped in enumerate(usual.places):
        for run in taped.runs:
            children, fills = usual.children(place, run), usual.fills(place, run)
            first = children["first_arrived_ts"]
            assert np.all(fills["ts"] >= first[fills["child"]])
            assert np.all(children["arrived_ts"] >= first)
            turned = children["first_type"] != children["type"]
            assert np.all(children["first_type"][turned] == "limit")
            assert np.all(children["arrived_ts"][turned] > first[turned])
            made = fills["liquidity"] == "maker"
            still = made & ~turned[fills["child"]] & (run.plan.repeg_ns == 0)
            at = fills["child"][still]
            assert np.allclose(children["first_px"][at], fills["px"][still])
    rested = usual.children(0, usual.places[0].runs[0])
    assert np.any((rested["first_type"] == "limit") & (rested["type"] == "ioc"))


@pytest.mark.parametrize(
    ("policies", "changes", "message"),
    [
        ([], {}, "policies: ''; name each one once"),
        (["ac", "ac"], {}, "name each one once"),
        (["ac"], {"jobs": 0}, "jobs: 0 is no count"),
        (["ac"], {"jobs": -1}, "jobs: -1 is no count"),
        (["ac"], {"horizon_s": 1e6}, "horizon: .* does not fit into TINY"),
        (["ac"], {"qty": None}, "give exactly one"),
        (["ac"], {"qty": 17.5}, "qty: 17.5 is not a multiple of 1"),
        (["ac"], {"qty_adv": 0.1}, "give exactly one"),
        (["ac"], {"child_max": 0.5}, "child_max: 0.5 is not a multiple"),
        (["ac"], {"price_band_bps": 1e-3}, "price_band_bps: 0.001 holds no price"),
        (["ac"], {"latency_p99_ms": 0.1}, "latency: median"),
        (
            ["ac"],
            {"submit_ms": 120_000.0, "latency_p99_ms": None, "horizon_s": 60.0},
            r"submit_ms: a delay of 120000 ms is not shorter than a slice of ac of 6\.66",
        ),
        (
            ["ac/touch/1"],
            {"market_data_ms": 240_000.0, "latency_p99_ms": None},
            r"market_data_ms: a delay of 240000 ms is not shorter than a slice of ac/touch/1",
        ),
        (["ac"], {"latency_sample": "/nowhere"}, "latency_sample: /nowhere cannot be read"),
        (["ac"], {"risk_aversion": -1.0}, "risk_aversion"),
        (["pov"], {"pov_rate": 0.12345678}, "rate: "),
    ],
)
def test_settings_that_do_not_go_together_are_refused(days, policies, changes, message):
    jobs = changes.pop("jobs", 1) if "jobs" in changes else 1
    with pytest.raises(InputError, match=message) as error:
        backtest(days[-1:], policies, settings(**changes), jobs=jobs)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "1\nx\n", "nan\n", "-1\n", "1e300\n", "inf"])
def test_a_recording_of_delays_holds_delays(days, tmp_path, text):
    (tmp_path / "delays").write_text(text)
    with pytest.raises(ConfigError, match=r"latency_sample: .* one"):
        backtest(days[-1:], ["ac"], settings(latency_sample=str(tmp_path / "delays")), jobs=1)


def test_recorded_delays_are_used(days, tmp_path):
    (tmp_path / "delays").write_text("2500\n3500\n")
    result = backtest(days[-1:], ["twap/cross"],
                      settings(latency_sample=str(tmp_path / "delays")), jobs=1)  # fmt: skip
    orders = result.places[0].runs[0].log.orders
    delay = (orders["arrived_ts"] - orders["sent_ts"]) / NS_PER_S
    assert set(delay) == {2.5, 3.5}


def test_what_is_filled_after_the_end_is_said(days):
    """Messages that take three seconds: the last ones, sent at the end, fill three seconds late."""
    slow = {"submit_ms": 3000.0, "ack_ms": 0.0, "market_data_ms": 0.0, "latency_p99_ms": None}
    result = backtest(days[:2], ["twap/touch/4", "twap/cross/4"], settings(**slow), jobs=1)
    for policy in result.policies:
        lots, late = 0, 0
        for place in result.places:
            for run in place.runs:
                if run.policy.name == policy:
                    end = place.parents["end_ts"][run.log.fill_parent]
                    lots += run.log.fills["lots"].sum()
                    late += run.log.fills["lots"][run.log.fills["ts"] > end].sum()
        said = [note for note in result.notes if note.startswith(f"{policy}: ") and "after" in note]
        if not late:
            assert not said
            continue
        (said,) = said
        assert said.startswith(
            f"{policy}: {100 * late / lots:.2g} % of what it filled (calibrated fills) was filled "
            "after the end of the horizon, up to 3 s late"
        )
    assert any("after the end" in note for note in result.notes)
    usual = backtest(days[:2], ["twap/touch/4"], settings(**slow | {"submit_ms": 1.0}), jobs=1)
    assert not any("after the end" in note for note in usual.notes), "a millisecond is usual"


def test_nothing_is_sent_after_the_end_and_nothing_fills_a_delay_later(days):
    slow = {"submit_ms": 3000.0, "ack_ms": 0.0, "market_data_ms": 0.0, "latency_p99_ms": None}
    result = backtest(days, POLICIES, settings(**slow), jobs=1)
    for place in result.places:
        for run in place.runs:
            end = place.parents["end_ts"]
            assert np.all(run.log.orders["sent_ts"] <= end[run.log.order_parent])
            late = run.log.fills["ts"] - end[run.log.fill_parent]
            assert np.all(late <= 3 * NS_PER_S)


def test_a_risk_aversion_in_ticks_and_lots_is_for_days_of_one_grid(days):
    mixed = [days[0], on_finer_grid(days[1], 10, 1)]
    with pytest.raises(ConfigError, match=r"risk_aversion: counts in ticks and lots, and those of"):
        backtest(mixed, ["ac"], settings(risk_aversion=1e-6), jobs=1)


def test_a_tape_to_trade_is_among_the_tapes(days):
    other = random_day(1)
    other.manifest = msgspec.structs.replace(
        other.manifest, instrument=msgspec.structs.replace(other.instrument, symbol="ELSE")
    )
    with pytest.raises(ConfigError, match="trade: ELSE-2024-03-07 is not among the tapes"):
        backtest(days, ["ac"], settings(), trade=[other], jobs=1)
    with pytest.raises(ConfigError, match="tapes: none"):
        backtest([], ["ac"], settings())


def test_fewer_orders_than_days(days):
    result = backtest(days, ["twap"], settings(orders=2), jobs=2)
    assert len(result.parents["parent"]) == 2
    assert [place.tape.name for place in result.places] == [days[0].name, days[-1].name]


def test_progress_counts_every_order_once(days, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 5)
    told: list[int] = []
    backtest(days[:2], ["twap", "ac"], settings(fill_model="band"), jobs=2, progress=told.append)
    assert sum(told) == 24 * 2 * 3
    assert max(told) <= 5


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_stops_the_work(days, jobs):
    def impatient(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backtest(days[:2], ["twap", "ac"], settings(), jobs=jobs, progress=impatient)


def test_more_children_than_any_room_is_one_line(days, monkeypatch):
    monkeypatch.setattr(module, "_MOST_ORDERS", 128)
    with pytest.raises(CapacityError, match="needs more than 128 child orders; use a larger"):
        backtest(days[-1:], ["twap/cross"], settings(qty=900, child_max=1, orders=2), jobs=1)


def test_fill_models_by_name():
    assert fill_models(settings(fill_model="band")) == list(FillModel)
    assert fill_models(settings(fill_model="optimistic")) == [FillModel.OPTIMISTIC]


def test_the_footprint_is_set_or_learnt_or_the_default(days):
    lesson = History(days).before(days[-1])
    assert lesson.recovery is not None
    learnt = footprint_of(settings(), lesson, "x")
    assert learnt.recovery_half_life_s == lesson.recovery.half_life_s
    assert footprint_of(settings(recovery_half_life_s=3.0), lesson, "x") == Footprint(
        recovery_half_life_s=3.0
    )
    assert footprint_of(settings(), lesson._replace(recovery=None), "x") == Footprint()
    with pytest.raises(ConfigError, match="impact: fitted, but the tapes that teach x allow no"):
        footprint_of(settings(impact="fitted"), lesson._replace(impact=None), "x")


def test_fitted_impact_shifts_fills_against_us(days):
    lesson = History(days).before(days[-1])

    def estimate(value: float) -> Estimate:
        return Estimate(value=value, std_error=0.0, n=9)

    fit = ImpactFit(sigma=estimate(1.0), gamma=estimate(0.25), eta=estimate(30.0),
                    epsilon=estimate(0.5), bar_s=60.0, lags=1, days=3)  # fmt: skip
    asked = settings(impact="fitted", transient_half_life_s=40.0, recovery_half_life_s=5.0)
    found = footprint_of(asked, lesson._replace(impact=fit), "x")
    assert found == Footprint(
        recovery_half_life_s=5.0,
        permanent_ticks_per_lot=0.25,
        transient_ticks_per_lot=0.5,
        transient_half_life_s=40.0,
    )
    # Where no decay shows, prices come back as fast as the liquidity.
    undecayed = lesson._replace(impact=fit, decay=None)
    unset = settings(impact="fitted", recovery_half_life_s=5.0)
    assert footprint_of(unset, undecayed, "x").transient_half_life_s == 5.0
    decayed = lesson._replace(impact=fit, decay=estimate(77.0))
    assert footprint_of(unset, decayed, "x").transient_half_life_s == 77.0

    pulls = msgspec.structs.replace(fit, gamma=estimate(-1.0), eta=estimate(-1.0))
    none = footprint_of(asked, lesson._replace(impact=pulls), "x")
    assert (none.permanent_ticks_per_lot, none.transient_ticks_per_lot) == (0.0, 0.0)

    parents = draw_parents(days[-1], lesson, 9, 200.0, qty=17, qty_adv=None, qty_volume=None,
                           seed=1)  # fmt: skip
    set_limits(days[-1], parents, np.full(9, 105.5))
    plan = make_plan(parse_policy("twap/cross", 9, 50.0), days[-1], lesson, parents,
                     Urgency(None, None), 0.1, True)  # fmt: skip
    pressed = work_all(days[-1], Venue(footprint=found), parents, plan)
    assert np.all(pressed.fills["shift"] > 0)
    still = work_all(days[-1], Venue(footprint=none), parents, plan)
    assert np.all(still.fills["shift"] == 0)


def test_the_settings_can_be_repeated_from_the_result(usual):
    again = BacktestSettings(**json.loads(json.dumps(usual.as_dict()["settings"])))
    assert again == settings()


def test_what_is_filled_at_stub_quotes_is_said(days, monkeypatch):
    """On small days any spread above two ticks stands for an absurd one."""
    result = backtest(days[:2], ["twap/cross/4"], settings(), jobs=1)
    assert not any("stub quotes" in note for note in result.notes)
    monkeypatch.setattr(notes, "absurd", lambda bid, ask: ask - bid > 2)
    lots = wide = 0
    for place in result.places:
        ts, bid, ask = place.tape.events.ts, place.tape.bid_ticks(), place.tape.ask_ticks()
        for fill in place.runs[0].log.fills:
            seen = np.flatnonzero(ts <= fill["ts"])[-1]
            lots += fill["lots"]
            wide += fill["lots"] * (ask[seen] - bid[seen] > 2)
    assert 0 < wide < lots
    said = [note for note in notes.notes_on(result) if "stub quotes" in note]
    assert [note.partition(",")[0] for note in said] == [
        f"twap/cross/4: {100 * wide / lots:.2g} % of what it filled (calibrated fills) was filled "
        "while the spread was above 5 % of the price"
    ]
