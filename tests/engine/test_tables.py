"""Small markets worked out by hand. Every number below can be checked with a pencil."""

from __future__ import annotations

import math

import numpy as np
import pytest

from paceline.engine import account as acc
from paceline.engine.clockwork import look
from paceline.engine.queue import CALIBRATED, OPTIMISTIC, PESSIMISTIC, fit_exponent
from paceline.market import events as ev

from . import flows
from .twin import SplitMix64

NOBODY = ev.NO_SLOT
BUY, SELL = 1, -1

# Orders A 50 and B 30 bid 100; C 40 is offered at 102 and D 60 at 103. It is 0 o'clock.
A, B, C, D = range(4)
ORDERS = [
    (0, ev.ADD, ev.BID, 100, 50, A),
    (0, ev.ADD, ev.BID, 100, 30, B),
    (0, ev.ADD, ev.ASK, 102, 40, C),
    (0, ev.ADD, ev.ASK, 103, 60, D),
    (0, ev.CROSS, 0, 99, 1, NOBODY),  # so that the table has every price from 99 to 104
    (0, ev.CROSS, 0, 101, 1, NOBODY),
    (0, ev.CROSS, 0, 104, 1, NOBODY),
]
LEVELS = [
    (0, ev.LEVEL, ev.BID, 100, 80, NOBODY),
    (0, ev.LEVEL, ev.ASK, 102, 40, NOBODY),
    (0, ev.LEVEL, ev.ASK, 103, 60, NOBODY),
]


def stage(start, *events, max_live=64, **rules):
    """An exchange at 0 o'clock, after the rows of `start`."""
    rows = flows.rows_of([*start, *events])
    floor, _ = flows.floor_on(rows, flows.plain_rules(**rules), ts=0, max_live=max_live)
    return flows.Kernels(floor)


def buy(exchange, ticks, lots, *, ts=0, type_=acc.LIMIT, ttl_ns=0):
    exchange.advance(ts)
    return exchange.submit(BUY, type_, ticks, lots, ttl_ns, ts)


def sell(exchange, ticks, lots, *, ts=0, type_=acc.LIMIT, ttl_ns=0):
    exchange.advance(ts)
    return exchange.submit(SELL, type_, ticks, lots, ttl_ns, ts)


def fills(exchange):
    """(order, ts, ticks, lots, maker) of all fills."""
    return [tuple(fill)[:5] for fill in exchange.fills[["order", "ts", "ticks", "lots", "maker"]]]


def state(exchange, k=0):
    return int(exchange.orders["state"][k])


def constant(ns):
    return np.array([ns], np.int64)


def walk(exchange, times):
    """Lots ahead of order 0 at each time, None once it no longer rests."""
    seen = []
    for ts in times:
        exchange.advance(ts)
        seen.append(float(exchange.orders["ahead"][0]) if state(exchange) == acc.RESTING else None)
    return seen


# Queues


@pytest.mark.parametrize(
    ("model", "ahead", "traded"),
    [
        # joined, B leaves, E comes and leaves, A trades, F comes, 10 of F trade, 20 of F trade
        (PESSIMISTIC, [80, 80, 80, 80, 30, 30, 20, 0], []),
        (CALIBRATED, [80, 50, 50, 50, 0, 0, 0, None], [(10, 60), (10, 70)]),
        (OPTIMISTIC, [80, 50, 50, 25, None, None, None, None], [(20, 40)]),
    ],
)
def test_queue_with_orders(model, ahead, traded):
    exchange = stage(
        ORDERS,
        (10, ev.DELETE, ev.BID, 100, 30, B),
        (20, ev.ADD, ev.BID, 100, 25, 4),
        (30, ev.DELETE, ev.BID, 100, 25, 4),
        (40, ev.EXECUTE, ev.BID, 100, 50, A),
        (50, ev.ADD, ev.BID, 100, 30, 5),
        (60, ev.EXECUTE, ev.BID, 100, 10, 5),
        (70, ev.EXECUTE, ev.BID, 100, 20, 5),
        fill_model=model,
    )
    buy(exchange, 100, 20)
    assert walk(exchange, range(0, 80, 10)) == ahead
    assert [(lots, ts) for _, ts, _, lots, _ in fills(exchange)] == traded


@pytest.mark.parametrize(
    ("model", "exponent", "ahead", "traded"),
    [
        # joined at 80 of 80; 40 more behind us; 30 of 120 cancelled; 60 trade, 30 are left;
        # 25 trade, 5 are left
        (PESSIMISTIC, 1.0, [80, 80, 80, 20, 0], [(5, 40)]),
        (CALIBRATED, 1.0, [80, 80, 60, 0, None], [(20, 40)]),
        (CALIBRATED, 2.0, [80, 80, 80 - 30 * 4 / 9, 80 - 30 * 4 / 9 - 60, 0], [(18, 40)]),
        (OPTIMISTIC, 1.0, [80, 80, 50, 0, None], [(10, 30), (10, 40)]),
    ],
)
def test_queue_with_levels_only(model, exponent, ahead, traded):
    exchange = stage(
        LEVELS,
        (10, ev.LEVEL, ev.BID, 100, 120, NOBODY),
        (20, ev.LEVEL, ev.BID, 100, 90, NOBODY),
        (30, ev.TRADE, ev.BID, 100, 60, NOBODY),
        (30, ev.LEVEL, ev.BID, 100, 30, NOBODY),
        (40, ev.TRADE, ev.BID, 100, 25, NOBODY),
        (40, ev.LEVEL, ev.BID, 100, 5, NOBODY),
        fill_model=model,
        cancel_exponent=exponent,
    )
    buy(exchange, 100, 20)
    assert walk(exchange, range(0, 50, 10)) == pytest.approx(ahead)
    assert [(lots, ts) for _, ts, _, lots, _ in fills(exchange)] == traded


def test_the_very_next_order_stands_behind_us():
    exchange = stage(
        ORDERS,
        (10, ev.ADD, ev.BID, 100, 25, 4),
        (20, ev.DELETE, ev.BID, 100, 25, 4),
    )
    buy(exchange, 100, 20)
    assert walk(exchange, (0, 10, 20)) == [80, 80, 80]


def test_no_more_is_ahead_than_the_level_shows():
    """80 ahead of 80; 30 trade, so 50 of 50; the level shows 35, so 15 of those 50 cancelled; then
    5 more of them."""
    exchange = stage(
        LEVELS,
        (10, ev.TRADE, ev.BID, 100, 30, NOBODY),
        (10, ev.LEVEL, ev.BID, 100, 35, NOBODY),
        (20, ev.LEVEL, ev.BID, 100, 30, NOBODY),
    )
    buy(exchange, 100, 20)
    assert walk(exchange, (0, 10, 20)) == [80, 35, 30]


def test_a_print_that_our_better_order_took_is_no_cancel():
    exchange = stage(
        LEVELS,
        (10, ev.TRADE, ev.BID, 100, 30, NOBODY),
        (10, ev.LEVEL, ev.BID, 100, 50, NOBODY),
        fill_model=OPTIMISTIC,
    )
    buy(exchange, 100, 20)
    buy(exchange, 101, 30)
    assert walk(exchange, (0, 10)) == [80, 80]
    assert fills(exchange) == [(1, 10, 101, 30, 1)]


def test_lots_that_leave_the_view_and_come_back_are_ahead_once():
    exchange = stage(
        ORDERS,
        (10, ev.UNSEEN, ev.BID, 100, 30, B),
        (20, ev.UNSEEN, ev.BID, 100, 50, A),
        (30, ev.SEED, ev.BID, 100, 70, A),
    )
    buy(exchange, 100, 20)
    assert walk(exchange, (0, 10, 20, 30)) == [80, 50, 0, 70]


@pytest.mark.parametrize("model", [PESSIMISTIC, CALIBRATED, OPTIMISTIC])
def test_a_book_that_starts_again(model):
    """Orders are seeded ahead of ours; a seeded level is at most all ahead of ours."""
    exchange = stage(
        ORDERS, (10, ev.CLEAR, 0, 0, 0, NOBODY), (20, ev.SEED, ev.BID, 100, 60, 0), fill_model=model
    )
    buy(exchange, 100, 20)
    assert walk(exchange, (0, 10, 20)) == [80, 0, 60]
    exchange = stage(
        LEVELS,
        (10, ev.CLEAR, 0, 0, 0, NOBODY),
        (20, ev.SEED, ev.BID, 100, 60, NOBODY),
        (30, ev.LEVEL, ev.BID, 100, 0, NOBODY),
        (40, ev.SEED, ev.BID, 100, 90, NOBODY),
        fill_model=model,
    )
    buy(exchange, 100, 20)
    empty = 80 if model == PESSIMISTIC else 0
    assert walk(exchange, (0, 10, 20, 30, 40)) == [80, 80, 80, empty, 90]


def test_two_orders_of_ours_at_one_price():
    """The second stands behind the first, 80 recorded lots and 10 that came between."""
    exchange = stage(
        ORDERS,
        (10, ev.ADD, ev.BID, 100, 10, 4),
        (30, ev.EXECUTE, ev.BID, 100, 50, A),
        (30, ev.EXECUTE, ev.BID, 100, 30, B),
        (40, ev.EXECUTE, ev.BID, 100, 10, 4),
        (50, ev.ADD, ev.BID, 100, 50, 5),
        (60, ev.EXECUTE, ev.BID, 100, 35, 5),
    )
    buy(exchange, 100, 20, ts=0)
    buy(exchange, 100, 20, ts=20)
    exchange.advance(60)
    # At 40 the first takes what was the order between's, which is therefore still there, ahead of
    # the second: of 35 lots at 60, 10 go to the first, 10 to that order, and 15 are left.
    assert fills(exchange) == [(0, 40, 100, 10, 1), (0, 60, 100, 10, 1), (1, 60, 100, 15, 1)]


def test_ours_stay_in_order_even_where_the_later_counts_fewer_ahead():
    """Pessimistic: the first still counts 80 when the level shows 10; the second counts 10."""
    exchange = stage(
        LEVELS,
        (10, ev.LEVEL, ev.BID, 100, 10, NOBODY),
        (30, ev.TRADE, ev.BID, 100, 60, NOBODY),
        (40, ev.TRADE, ev.BID, 100, 35, NOBODY),
        fill_model=PESSIMISTIC,
    )
    buy(exchange, 100, 5, ts=0)
    buy(exchange, 100, 5, ts=20)
    exchange.advance(40)
    assert fills(exchange) == [(0, 40, 100, 5, 1), (1, 40, 100, 5, 1)]


# Trades and quotes that meet us


def test_a_trade_through_our_price_is_ours_first():
    exchange = stage(
        ORDERS,
        (10, ev.EXECUTE, ev.BID, 100, 15, A),
        (20, ev.EXECUTE, ev.BID, 100, 10, A),
    )
    buy(exchange, 101, 20)
    exchange.advance(20)
    assert fills(exchange) == [(0, 10, 101, 15, 1), (0, 20, 101, 5, 1)]


def test_an_offer_that_crosses_ours_trades_at_our_price_and_is_gone():
    exchange = stage(ORDERS, (10, ev.ADD, ev.ASK, 101, 15, 4))
    buy(exchange, 101, 10)
    exchange.advance(10)
    assert fills(exchange) == [(0, 10, 101, 10, 1)]
    # Five of its fifteen lots are left for the next of ours.
    buy(exchange, 101, 10, ts=11, type_=acc.IOC)
    exchange.advance(11)
    assert fills(exchange)[1:] == [(1, 11, 101, 5, 0)]


def test_an_offer_below_our_price_pays_our_price():
    exchange = stage(LEVELS, (10, ev.LEVEL, ev.BID, 100, 0, NOBODY),
                     (10, ev.LEVEL, ev.ASK, 100, 25, NOBODY))  # fmt: skip
    buy(exchange, 101, 40)
    exchange.advance(10)
    assert fills(exchange) == [(0, 10, 101, 25, 1)]


@pytest.mark.parametrize(
    ("model", "bid", "traded"),
    [
        (CALIBRATED, 100, []),  # lots are shown ahead of us, so the print was not for us
        (CALIBRATED, 101, [(0, 10, 101, 7, 1)]),  # nobody is: a shown order goes before a hidden
        (OPTIMISTIC, 101, [(0, 10, 101, 7, 1)]),
        (PESSIMISTIC, 101, []),
    ],
)
def test_a_hidden_trade_at_our_price(model, bid, traded):
    exchange = stage(ORDERS, (10, ev.HIDDEN, ev.BID, bid, 7, NOBODY), fill_model=model)
    buy(exchange, bid, 20)
    exchange.advance(10)
    assert fills(exchange) == traded


def test_a_hidden_trade_through_our_price_is_ours_in_every_model():
    exchange = stage(ORDERS, (10, ev.HIDDEN, ev.BID, 100, 7, NOBODY), fill_model=PESSIMISTIC)
    buy(exchange, 101, 20)
    exchange.advance(10)
    assert fills(exchange) == [(0, 10, 101, 7, 1)]


def test_an_auction_is_not_ours():
    exchange = stage(ORDERS, (10, ev.CROSS, 0, 99, 500, NOBODY))
    buy(exchange, 101, 20)
    exchange.advance(10)
    assert fills(exchange) == []


def test_our_orders_do_not_trade_with_each_other():
    exchange = stage(ORDERS)
    buy(exchange, 101, 20)
    sell(exchange, 101, 20)
    exchange.advance(1)
    assert fills(exchange) == []
    assert state(exchange, 0) == state(exchange, 1) == acc.RESTING


# Orders that take


@pytest.mark.parametrize(
    ("type_", "ticks", "lots", "traded", "end", "left"),
    [
        (acc.LIMIT, 102, 30, [(0, 0, 102, 30, 0)], acc.FILLED, 0),
        (acc.MARKETABLE, 102, 50, [(0, 0, 102, 40, 0)], acc.RESTING, 10),
        (acc.LIMIT, 103, 70, [(0, 0, 102, 40, 0), (0, 0, 103, 30, 0)], acc.FILLED, 0),
        (acc.IOC, 102, 50, [(0, 0, 102, 40, 0)], acc.CANCELLED, 10),
        (acc.IOC, 101, 50, [], acc.CANCELLED, 50),
        (acc.MARKET, 0, 150, [(0, 0, 102, 40, 0), (0, 0, 103, 60, 0)], acc.CANCELLED, 50),
    ],
)
def test_orders_that_take(type_, ticks, lots, traded, end, left):
    exchange = stage(ORDERS)
    buy(exchange, ticks, lots, type_=type_)
    exchange.advance(0)
    assert fills(exchange) == traded
    assert (state(exchange), exchange.orders["left"][0]) == (end, left)


def test_what_we_take_comes_back_by_halves():
    """40 taken; after one half-life 20 are back, after two 30; whole lots only."""
    exchange = stage(ORDERS, recovery_per_ns=math.log(2) / 10)
    for ts, lots in ((0, 40), (0, 0), (10, 20), (10, 0), (11, 2), (20, 18)):
        before = len(exchange.fills)
        buy(exchange, 102, 99, ts=ts, type_=acc.IOC)
        exchange.advance(ts)
        assert [int(fill["lots"]) for fill in exchange.fills[before:]] == [lots] * (lots > 0)
    # 40 missing at 10 fade to 37.3 at 11, so 2 are back; 39.3 fade to 21.06 at 20, so 18.


def test_a_level_never_lacks_more_than_it_shows():
    exchange = stage(
        ORDERS,
        (10, ev.EXECUTE, ev.ASK, 102, 30, C),  # the market took what we had taken
        (20, ev.ADD, ev.ASK, 102, 5, 4),
    )
    buy(exchange, 102, 40, type_=acc.IOC)
    buy(exchange, 102, 40, ts=20, type_=acc.IOC)
    exchange.advance(20)
    assert fills(exchange) == [(0, 0, 102, 40, 0), (1, 20, 102, 5, 0)]


def test_our_own_pressure_shifts_our_later_prices():
    """0.1 transient and 0.02 lasting ticks a lot; each fill pays for half of its own."""
    exchange = stage(
        ORDERS, transient_ticks=0.1, permanent_ticks=0.02, transient_per_ns=math.log(2) / 10
    )
    buy(exchange, 103, 50, type_=acc.IOC)
    buy(exchange, 103, 10, ts=10, type_=acc.IOC)
    exchange.advance(10)
    assert fills(exchange) == [(0, 0, 102, 40, 0), (0, 0, 103, 10, 0), (1, 10, 103, 10, 0)]
    first = 40 * 0.12 / 2
    second = 40 * 0.12 + 10 * 0.12 / 2
    third = 50 * 0.1 / 2 + 50 * 0.02 + 10 * 0.12 / 2
    assert exchange.fills["shift"] == pytest.approx([first, second, third])


# Cancels, replaces and times to live


def test_size_down_at_our_price_keeps_the_place_and_nothing_else_does():
    asked = {
        (acc.LIMIT, 100, 15): 50,  # smaller: B has left, A is still ahead
        (acc.LIMIT, 100, 20): 50,  # nothing changes
        (acc.LIMIT, 100, 21): 75,  # larger: E is ahead now, too
        (acc.LIMIT, 99, 15): 0,  # nobody bids 99
        (acc.MARKETABLE, 100, 15): 75,
    }
    for (type_, ticks, lots), ahead in asked.items():
        exchange = stage(
            ORDERS,
            (10, ev.DELETE, ev.BID, 100, 30, B),
            (20, ev.ADD, ev.BID, 100, 25, 4),
        )
        buy(exchange, 100, 20)
        exchange.advance(20)
        exchange.replace(0, type_, ticks, lots, 20)
        assert walk(exchange, (20,)) == [ahead]
        assert exchange.orders["left"][0] == lots


def test_a_replace_counts_what_has_traded():
    """Of 20, 5 have traded. A new total of 12 leaves 7; one of 5 or less leaves nothing."""
    for total, left, end in ((12, 7, acc.RESTING), (5, 0, acc.CANCELLED), (3, 0, acc.CANCELLED)):
        exchange = stage(ORDERS, (10, ev.EXECUTE, ev.BID, 100, 5, A))
        buy(exchange, 101, 20)
        exchange.advance(10)
        exchange.replace(0, acc.LIMIT, 101, total, 10)
        exchange.advance(10)
        assert (exchange.orders["left"][0], state(exchange)) == (left, end)


def test_a_replace_may_take():
    exchange = stage(ORDERS)
    buy(exchange, 100, 20)
    exchange.advance(5)
    exchange.replace(0, acc.IOC, 102, 50, 5)
    exchange.advance(5)
    assert fills(exchange) == [(0, 5, 102, 40, 0)]
    assert (state(exchange), exchange.orders["left"][0]) == (acc.CANCELLED, 10)


@pytest.mark.parametrize(
    ("cancelled_at", "traded", "end"),
    [(9, [], acc.CANCELLED), (10, [(0, 10, 101, 20, 1)], acc.FILLED)],
)
def test_a_fill_at_the_time_of_the_cancel_wins(cancelled_at, traded, end):
    exchange = stage(ORDERS, (10, ev.EXECUTE, ev.BID, 100, 20, A))
    buy(exchange, 101, 20)
    exchange.advance(cancelled_at)
    exchange.cancel(0, cancelled_at)
    exchange.advance(20)
    assert fills(exchange) == traded
    assert state(exchange) == end


@pytest.mark.parametrize(
    ("ttl_ns", "traded", "end"),
    [(9, [], acc.EXPIRED), (10, [(0, 10, 101, 20, 1)], acc.FILLED)],
)
def test_a_fill_at_the_time_of_the_expiry_wins(ttl_ns, traded, end):
    exchange = stage(ORDERS, (10, ev.EXECUTE, ev.BID, 100, 20, A))
    buy(exchange, 101, 20, ttl_ns=ttl_ns)
    exchange.advance(20)
    assert fills(exchange) == traded
    assert (state(exchange), exchange.orders["done_ts"][0]) == (end, min(ttl_ns, 10))


# Latency


def test_delays_of_messages_and_answers():
    """Sent at 3, there at 10, after the trade of 10; traded at 12, told at 16."""
    exchange = stage(
        ORDERS,
        (10, ev.EXECUTE, ev.BID, 100, 20, A),
        (12, ev.EXECUTE, ev.BID, 100, 8, A),
        submit_ns=constant(7),
        ack_ns=constant(4),
    )
    buy(exchange, 101, 20, ts=3)
    exchange.advance(11)
    exchange.cancel(0, 11)
    exchange.advance(30)
    assert fills(exchange) == [(0, 12, 101, 8, 1)]
    assert exchange.fills["told_ts"][0] == 16
    order = exchange.orders[0]
    assert (order["arrived_ts"], order["done_ts"], order["told_ts"]) == (10, 18, 22)
    floor = exchange.floor
    for ts, known in ((15, 0), (16, 8)):
        acc.learn(floor.account, ts)
        assert exchange.orders["told_filled"][0] == known


def test_a_fast_message_does_not_overtake_a_slow_one():
    """Sent at 0 with 9 ns to go, and at 1 with 2 ns to go: both are there at 9."""
    slow_first = next(s for s in range(99) if _delays(s, (2, 9), 2) == [9, 2])
    rows = flows.rows_of(ORDERS)
    rules = flows.plain_rules(submit_ns=np.array([2, 9], np.int64))
    floor, _ = flows.floor_on(rows, rules, ts=0, seed=slow_first)
    exchange = flows.Kernels(floor)
    buy(exchange, 100, 5, ts=0)
    buy(exchange, 99, 5, ts=1)
    exchange.advance(30)
    assert list(exchange.orders["arrived_ts"]) == [9, 9]


def _delays(seed, table, n):
    dice = SplitMix64(seed)
    return [table[((dice.next() >> 32) * len(table)) >> 32] for _ in range(n)]


def test_we_see_the_market_late_and_without_what_we_took():
    exchange = stage(
        ORDERS, (10, ev.ADD, ev.BID, 101, 5, 4), market_ns=constant(4), recovery_per_ns=0.0
    )
    ticks = exchange.floor.book.level_ticks

    def seen(ts):
        bid, ask = look(exchange.floor, ts)
        return int(ticks[bid]), int(ticks[ask])

    assert seen(13) == (100, 102)
    assert seen(14) == (101, 102)
    exchange.submit(BUY, acc.IOC, 102, 40, 0, 14)
    assert seen(18) == (101, 103)
    assert exchange.floor.account.clock[0]["now"] == 14


# What the venue refuses


@pytest.mark.parametrize(
    ("rules", "ticks", "lots", "reason"),
    [
        ({"band_low": 99, "band_high": 101}, 98, 5, acc.OUTSIDE_BAND),
        ({"band_low": 99, "band_high": 101}, 99, 5, acc.NO_REASON),
        ({"band_low": 99, "band_high": 101}, 101, 5, acc.NO_REASON),
        ({"band_low": 99, "band_high": 101}, 102, 5, acc.OUTSIDE_BAND),
        ({"order_step": 5}, 100, 5, acc.NO_REASON),
        ({"order_step": 5}, 101, 5, acc.OFF_TICK),
        ({"open_ns": 10}, 100, 5, acc.NO_REASON),  # it arrives at 10
        ({"open_ns": 11}, 100, 5, acc.OUTSIDE_SESSION),
        ({"close_ns": 11}, 100, 5, acc.NO_REASON),
        ({"close_ns": 9}, 100, 5, acc.OUTSIDE_SESSION),
        ({}, 100, 0, acc.NOT_POSITIVE),
        ({}, 100, -5, acc.NOT_POSITIVE),
    ],
)
def test_refusals(rules, ticks, lots, reason):
    exchange = stage(ORDERS, submit_ns=constant(10), **rules)
    buy(exchange, ticks, lots)
    exchange.advance(10)
    assert exchange.orders["reason"][0] == reason
    assert state(exchange) == (acc.REJECTED if reason else acc.RESTING)
    assert fills(exchange) == []


def test_a_day_order_ends_with_the_session():
    exchange = stage(ORDERS, submit_ns=constant(10), close_ns=20)
    buy(exchange, 100, 5)
    exchange.advance(19)
    assert state(exchange) == acc.RESTING
    exchange.advance(20)
    assert state(exchange) == acc.EXPIRED
    assert exchange.orders["done_ts"][0] == 20


def test_a_day_order_outlives_no_time_to_live():
    exchange = stage(ORDERS, submit_ns=constant(10), close_ns=20)
    exchange.submit(BUY, acc.LIMIT, 100, 5, 100, 0)
    exchange.advance(30)
    assert (state(exchange), exchange.orders["done_ts"][0]) == (acc.EXPIRED, 20)


def test_a_halt_refuses_orders_allows_cancels_and_fills_nobody():
    exchange = stage(
        ORDERS,
        (10, ev.HALT, 0, 0, 0, NOBODY),
        (20, ev.QUOTE, 0, 0, 0, NOBODY),
        (25, ev.ADD, ev.ASK, 101, 5, 4),  # would cross us, were there trading
        (30, ev.RESUME, 0, 0, 0, NOBODY),
        (40, ev.ADD, ev.ASK, 101, 3, 5),
    )
    for ts in (0, 1, 15, 22, 31):
        buy(exchange, 101, 10, ts=ts)
    exchange.advance(24)
    exchange.cancel(0, 24)
    exchange.advance(50)
    states = [state(exchange, k) for k in range(5)]
    assert states == [acc.CANCELLED, acc.RESTING, acc.REJECTED, acc.REJECTED, acc.RESTING]
    assert list(exchange.orders["reason"][2:4]) == [acc.HALTED] * 2
    # The last takes the offer of the halt; the next offer goes to the first that waits.
    assert fills(exchange) == [(4, 31, 101, 5, 0), (1, 40, 101, 3, 1)]


def test_a_full_account_says_so():
    exchange = stage(ORDERS, max_live=1)
    buy(exchange, 100, 5)
    exchange.advance(0)
    buy(exchange, 99, 5)
    exchange.advance(0)
    assert exchange.floor.account.clock[0]["full"] == 1
    assert (state(exchange, 1), exchange.orders["reason"][1]) == (acc.CANCELLED, acc.ACCOUNT_FULL)


# The fitted share of cancels


def test_exponent_of_cancels():
    """Positions e**-1 and e**-3 have mean log -2, so the exponent is 1/2."""
    exponent, error = fit_exponent(np.exp([-1.0, -3.0]))
    assert exponent == pytest.approx(0.5)
    assert error == pytest.approx(0.5 / math.sqrt(2))
    with pytest.raises(ValueError, match="there are none"):
        fit_exponent(np.empty(0))
