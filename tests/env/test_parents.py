"""Parent orders: drawn where one can trade, given as their user meant them."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import flows
from paceline.env.history import History
from paceline.env.parents import draw_parents, given_parents, set_limits
from paceline.env.working import PARENT_RECORD
from paceline.errors import ConfigError, OrderError
from paceline.market import events as ev
from paceline.market.settled import settled_ts
from paceline.orders.order import ParentOrder
from paceline.units import NS_PER_S

from .market_days import DAYS, INSTRUMENT, random_day, random_rows, session_of, tape_of

SIZE = {"qty": None, "qty_adv": None, "qty_volume": None}


@pytest.fixture(scope="module")
def days():
    return [random_day(seed, day) for seed, day in zip((11, 12, 13, 14), DAYS, strict=True)]


@pytest.fixture(scope="module")
def lesson(days):
    return History(days).before(days[-1])


def drawn(tape, lesson, count=101, horizon_s=120.0, seed=3, **size):
    return draw_parents(tape, lesson, count, horizon_s, **{**SIZE, **(size or {"qty": 9})},
                        seed=seed)  # fmt: skip


def test_orders_start_on_a_settled_market_with_two_sides_and_end_inside_it(days, lesson):
    tape = random_day(17, halts=True)
    parents = drawn(tape, lesson, 500)
    at = np.searchsorted(tape.events.ts, parents["start_ts"], side="right") - 1
    assert np.all(tape.bid_ticks()[at] < tape.ask_ticks()[at])
    assert np.all(parents["start_ts"] >= settled_ts(tape) + 60 * NS_PER_S)
    assert np.all(parents["start_ts"] >= tape.session.open_ns + 60 * NS_PER_S)
    assert np.all(parents["end_ts"] == parents["start_ts"] + 120 * NS_PER_S)
    assert np.all(parents["end_ts"] <= min(tape.session.close_ns, tape.events.ts[-1]))
    assert len(set(parents["start_ts"])) > 450, "random starts"
    assert abs(int(parents["side"].sum())) <= 1, "as many buys as sells"
    assert np.all(np.abs(np.diff(parents["side"])) == 2), "in turn"
    assert len(set(parents["seed"])) == 500


def test_a_decision_lies_on_a_settled_market_too(days, lesson):
    parents = draw_parents(days[-1], lesson, 50, 120.0, **{**SIZE, "qty": 9}, seed=3,
                           decision_delay_s=700.0)  # fmt: skip
    assert np.all(parents["start_ts"] - 760 * NS_PER_S >= settled_ts(days[-1]))
    with pytest.raises(ConfigError, match=r"horizon: 900 s .* after a decision_delay of 700 s"):
        draw_parents(days[-1], lesson, 50, 900.0, **{**SIZE, "qty": 9}, seed=3,
                     decision_delay_s=700.0)  # fmt: skip


def test_draws_can_be_repeated_and_belong_to_the_tape(days, lesson):
    one = drawn(days[-1], lesson)
    assert np.array_equal(one, drawn(days[-1], lesson))
    assert not np.array_equal(one, drawn(days[-1], lesson, seed=4))
    alone = drawn(days[-1], History(days[-1:]).before(days[-1]))
    assert np.array_equal(one, alone), "other tapes change nothing"
    since_open = (
        parents["start_ts"] - tape.session.open_ns
        for tape, parents in ((days[-1], one), (days[-2], drawn(days[-2], lesson)))
    )
    assert not np.array_equal(*since_open)


def test_sizes(days, lesson):
    assert set(drawn(days[-1], lesson, qty=7)["lots"]) == {7}
    adv = np.mean([tape.events.volume[-1] for tape in days[:3]])
    assert set(drawn(days[-1], lesson, qty_adv=0.1)["lots"]) == {round(0.1 * adv)}
    by_volume = drawn(days[-1], lesson, 400, qty_volume=0.1)["lots"]
    # 120 of 1500 seconds trade about that share of the day.
    assert np.mean(by_volume) == pytest.approx(0.1 * adv * 120 / 1500, rel=0.3)
    assert len(set(by_volume)) > 1
    assert set(drawn(days[-1], lesson, qty_adv=1e-9)["lots"]) == {1}, "one lot at least"


@pytest.mark.parametrize(
    "size",
    [{"qty": None}, {"qty": 5, "qty_adv": 0.1}, {"qty": 0}, {"qty_adv": -0.1},
     {"qty_volume": float("nan")}],
)  # fmt: skip
def test_one_size_is_given(days, lesson, size):
    with pytest.raises(ConfigError, match="give exactly one, above 0"):
        drawn(days[-1], lesson, **size)


def test_a_horizon_longer_than_the_day_is_refused(days, lesson):
    with pytest.raises(ConfigError, match=r"horizon: 1500 s does not fit into TINY-2024-03-07"):
        drawn(days[-1], lesson, horizon_s=1500.0)


def test_a_market_without_two_sides_is_refused(lesson):
    rows = random_rows(3)
    bids = (rows.side >= 0) & (rows.kind == ev.ADD)
    tape = tape_of(ev.Rows(*(column[bids] for column in rows))._replace(
        slot=np.arange(bids.sum(), dtype=np.int32)), DAYS[-1])  # fmt: skip
    with pytest.raises(ConfigError, match="never has a two-sided book"):
        drawn(tape, lesson)


# --- limits -----------------------------------------------------------------------------------


@given(
    st.integers(200, 10_000_000).map(lambda n: n / 2),
    st.floats(0.01, 20_000),
    st.sampled_from(("0.01", "0.05", "0.1")),
)
def test_a_band_is_the_grid_inside_it(reference, band_bps, order_tick):
    instrument = msgspec.structs.replace(INSTRUMENT, order_tick=order_tick)
    tape = tape_of(flows.market([], "L3"), DAYS[-1], instrument)
    step = instrument.order_step
    parents = np.zeros(1, PARENT_RECORD)
    width = reference * band_bps / 10_000
    if np.floor((reference + width) / step) * step < max(reference - width, step):
        with pytest.raises(ConfigError, match="holds no price of the order grid"):
            set_limits(tape, parents, np.array([reference]), band_bps=band_bps)
        return
    set_limits(tape, parents, np.array([reference]), band_bps=band_bps)
    low, high = int(parents["band_low"][0]), int(parents["band_high"][0])
    assert low % step == high % step == 0
    assert step <= low <= high
    slack = reference * 1e-12
    assert reference - width - slack <= low
    assert low - step < max(reference - width, step) + slack
    assert high <= reference + width + slack
    assert reference + width - slack < high + step


def test_no_limit_is_far_away(days):
    parents = np.zeros(2, PARENT_RECORD)
    set_limits(days[0], parents, np.array([100.5, 101.0]))
    assert np.all(parents["band_low"] == 1)
    assert np.all(parents["band_high"] > 1 << 39)
    assert np.all(parents["child_max"] > 1 << 39)
    assert not parents["share_ppm"].any()


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"band_bps": 0.1}, "price_band_bps: 0.1 holds no price"),
        ({"child_max": 0}, "child_max: 0 is less than one lot"),
        ({"participation": 0.0}, r"participation: 0.0 is not in \(0, 1\]"),
        ({"participation": float("nan")}, "participation: nan"),
        ({"participation": 1.5}, "participation: 1.5"),
    ],
)
def test_limits_that_leave_nothing_are_refused(days, limit, message):
    with pytest.raises(ConfigError, match=message):
        set_limits(days[0], np.zeros(1, PARENT_RECORD), np.array([105.5]), **limit)


def test_a_share_of_all_is_no_limit(days):
    """Nobody can trade more than everything, and in a market that stands still 0 would be all."""
    share = np.array([1.0, 0.9999999, 0.3, 1e-9])
    parents = np.zeros(4, PARENT_RECORD)
    set_limits(days[0], parents, np.full(4, 105.5), participation=share)
    assert parents["share_ppm"].tolist() == [0, 999_999, 300_000, 1]


# --- orders that were given -------------------------------------------------------------------


def order(start_s=200.0, end_s=500.0, **fields) -> ParentOrder:
    open_ns = session_of(DAYS[-1]).open_ns
    constraints = {"participation": 0.3, "price_band_bps": 300.0, "child_max": 4}
    return ParentOrder(
        **{
            "order_id": "a", "symbol": "TINY", "side": "sell", "qty": 12, "arrival_px": 1.055,
            "start_ts": open_ns + round(start_s * NS_PER_S),
            "end_ts": open_ns + round(end_s * NS_PER_S), "constraints": constraints, **fields,
        }
    )  # fmt: skip


def test_a_given_order_is_taken_at_its_word(days):
    [row] = given_parents(days[-1], [order()], seed=1)
    open_ns = days[-1].session.open_ns
    assert (row["side"], row["lots"], row["child_max"]) == (-1, 12, 4)
    assert (row["start_ts"], row["end_ts"]) == (open_ns + 200 * NS_PER_S, open_ns + 500 * NS_PER_S)
    # 300 bps around 105.5 ticks: 102.335 to 108.665
    assert (row["band_low"], row["band_high"]) == (103, 108)
    assert row["share_ppm"] == 300_000
    assert row["window_ns"] == 300 * NS_PER_S
    [short] = given_parents(days[-1], [order()], seed=1, window_s=60.0)
    assert short["window_ns"] == 60 * NS_PER_S


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_order_value", 100), ("max_messages", 5), ("max_cancels", 5), ("min_resting_ms", 10)],
)
def test_a_limit_that_nobody_would_keep_is_refused(days, name, value):
    limits = {"participation": 0.3, "price_band_bps": 300.0, "child_max": 4, name: value}
    with pytest.raises(ConfigError, match=f"constraints.{name}: order 'a' sets it"):
        given_parents(days[-1], [order(constraints=limits)], seed=1)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"symbol": "ELSE"}, OrderError, "parent.symbol: 'ELSE' is not 'TINY'"),
        ({"qty": 1.5}, OrderError, "parent.qty: 1.5"),
        ({"start_s": -5.0}, ConfigError, "parent.start_ts: .* of order 'a' is before TINY-2024"),
        ({"end_s": 1501.0}, ConfigError, "parent.end_ts: .* 'a' is after .* ends at 09:55:00"),
    ],
)
def test_a_given_order_that_does_not_fit_is_refused(days, fields, error, message):
    with pytest.raises(error, match=message):
        given_parents(days[-1], [order(**fields)], seed=1)


def test_an_arrival_price_far_from_the_mid_is_refused(days):
    """A band around it would hold nothing, or everything."""
    mid = float(days[-1].mid_ticks()[days[-1].index_at(order().start_ts) - 1]) / 100
    for off in (-0.19, 0.19):
        near = round(mid * (1 + off), 2)
        assert len(given_parents(days[-1], [order(arrival_px=near)], seed=1)) == 1
    for off in (-0.5, -0.22, 0.22, 20.0):
        far = round(mid * (1 + off), 2)
        said = rf"parent.arrival_px: {far:g} of order 'a' is [-+]\d+% off the mid of {mid:g} at its"
        with pytest.raises(ConfigError, match=said):
            given_parents(days[-1], [order(arrival_px=far)], seed=1)


def test_a_given_order_may_not_outlive_the_recording():
    rows = random_rows(15)
    cut = ev.Rows(*(column[:600] for column in rows))
    last_s = int(cut.ts[-1]) - 1000
    late = [order(200.0, last_s + 1.0)]
    with pytest.raises(ConfigError, match=r"parent\.end_ts: \S+ of order 'a' is after TINY"):
        given_parents(tape_of(cut, DAYS[-1], short_session=True), late, seed=1)
    assert len(given_parents(tape_of(cut, DAYS[-1]), late, seed=1)) == 1, "the market just slept"


def test_a_band_without_a_price_names_its_order(days):
    limits = {"participation": 0.3, "price_band_bps": 0.01, "child_max": 4}
    wrong = [order(), order(order_id="b", constraints=limits)]
    with pytest.raises(ConfigError, match=r"price_band_bps: order 'b', 0\.01 holds no price of the "
                       r"order grid; widen it"):  # fmt: skip
        given_parents(days[-1], wrong, seed=1)
    with pytest.raises(ConfigError, match=r"order 'b', 0\.01 .* inside the venue's band"):
        given_parents(days[-1], wrong, seed=1, venue_ticks=(1, 1000))


def test_a_given_order_has_prices():
    flow = flows.Flow()
    flow.ts += 100
    flow.join(ev.ADD, 1, 104, 5)
    flow.join(ev.ADD, -1, 107, 5)
    flow.ts += 200
    flow.leave(ev.DELETE, (1, 104), 0, 5)
    flow.ts += 1000
    flow.join(ev.ADD, 1, 104, 5)
    tape = tape_of(flows.rows_of(flow.rows), DAYS[-1])
    assert len(given_parents(tape, [order(250.0)], seed=1, decision_delay_s=150.0)) == 1
    for start_s in (50.0, 350.0):
        with pytest.raises(ConfigError, match=r"starts while .* no two-sided book"):
            given_parents(tape, [order(start_s)], seed=1)
    with pytest.raises(ConfigError, match="decision_delay: 151 s before order 'a'"):
        given_parents(tape, [order(250.0)], seed=1, decision_delay_s=151.0)
