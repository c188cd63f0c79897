"""Settings of the venue, and the exchange as people call it."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from paceline.engine.exchange import Exchange
from paceline.engine.order_entry import Ladder
from paceline.engine.venue import Fees, Footprint, Latency, Venue
from paceline.errors import ConfigError, ExchangeError, OrderError
from paceline.market import events as ev
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument

from . import flows

CENTS = Instrument(symbol="X", book_tick=Decimal("0.01"), order_tick=Decimal("0.01"))
MILLS = Instrument(symbol="X", book_tick=Decimal("0.001"), order_tick=Decimal("0.01"))
ALL_DAY = Session(day="1970-01-01", zone="UTC", open_ns=0, close_ns=flows.ANYWHERE)


@pytest.mark.parametrize(
    ("price", "low", "high"),
    [
        (100.07, 10007, 10007),  # 100.07 / 0.01 is 10006.999999999998 in binary
        (1.1, 110, 110),  # and 1.1 / 0.01 is 110.00000000000001
        (100.074, 10008, 10007),
        (-0.005, 0, -1),
    ],
)
def test_bands_in_ticks(price, low, high):
    rules = Venue(band_low=price, band_high=price).rules(CENTS, ALL_DAY)
    assert (rules.band_low, rules.band_high) == (low, high)


def test_without_a_band_every_price_is_inside():
    rules = Venue().rules(CENTS, ALL_DAY)
    assert rules.band_low < -(10**15) < 10**15 < rules.band_high


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Venue(band_low=math.nan), "band_low"),
        (lambda: Venue(band_high=math.inf), "band_high"),
        (lambda: Venue(band_low=2.0, band_high=1.0), "above"),
        (lambda: Venue(cancel_exponent=0.0), "cancel_exponent"),
        (lambda: Latency(()), "empty"),
        (lambda: Latency((5, -1)), "-1 ns"),
        (lambda: Latency.constant(math.nan), "nan"),
        (lambda: Latency.constant(-1.0), "-1.0"),
        (lambda: Latency.lognormal(2.0, 1.0), "median"),
        (lambda: Fees(maker_bps=math.nan), "maker_bps"),
        (lambda: Footprint(recovery_half_life_s=0.0), "recovery_half_life_s"),
        (lambda: Footprint(recovery_half_life_s=math.nan), "recovery_half_life_s"),
        (lambda: Footprint(permanent_ticks_per_lot=-0.1), "permanent_ticks_per_lot"),
    ],
)
def test_settings_that_make_no_sense(make, complaint):
    with pytest.raises(ConfigError, match=complaint):
        make()


def test_latency_laws():
    assert Latency.constant(1.5).table_ns == (1_500_000,)
    table = Latency.lognormal(2.0, 20.0).table()
    assert len(table) == 1024
    assert np.median(table) == pytest.approx(2e6, rel=0.01)
    assert np.quantile(table, 0.99) == pytest.approx(20e6, rel=0.03)
    assert Latency.sample(np.array([3, 1, 3])).table_ns == (3, 1, 3)


def test_fees_by_liquidity():
    """100 lots of one share at 20.00: 0.3 cents a share taken is 30 cents, or 30 tick·lots; a
    rebate of 0.2 cents earns 20; half a basis point of 2,000 is 10 cents."""
    fees = Fees(maker_per_share=-0.002, taker_per_share=0.003, taker_bps=0.5)
    charged = fees.charge(
        np.array([2000.0, 2000.0]), np.array([100, 100]), np.array([True, False]), CENTS
    )
    assert charged == pytest.approx([-20.0, 30.0 + 10.0])


def test_half_lives_become_rates():
    foot = Footprint(recovery_half_life_s=10.0, transient_half_life_s=math.inf)
    rules = Venue(footprint=foot).rules(CENTS, ALL_DAY)
    assert math.exp(-rules.recovery_per_ns * 10e9) == pytest.approx(0.5)
    assert rules.transient_per_ns == 0.0


@pytest.fixture
def exchange():
    rows = flows.rows_of(
        [
            (0, ev.ADD, 1, 20_000, 50, 0),
            (0, ev.ADD, -1, 20_020, 40, 1),
            (0, ev.ADD, -1, 20_030, 60, 2),
            (9_000_000, ev.EXECUTE, 1, 20_000, 20, 0),
        ]
    )
    exchange = Exchange(Tape.compile(rows, MILLS, ALL_DAY))
    exchange.seek(0)
    return exchange


def test_the_exchange_in_plain_calls(exchange):
    assert exchange.ladder(2) == Ladder([(20_000, 50)], [(20_020, 40), (20_030, 60)])
    order = exchange.submit(side=+1, lots=30, price="20.01", ttl_ms=20)
    exchange.advance(8_000_000)
    assert exchange.order(order).state == "resting"
    exchange.advance(9_000_000)
    assert [(f.lots, f.ticks, f.maker) for f in exchange.fills()] == [(20, 20_010, True)]
    exchange.replace(order, lots=30, price="20.02")
    exchange.advance(10_000_000)
    assert [(f.lots, f.ticks, f.maker) for f in exchange.fills()[1:]] == [(10, 20_020, False)]
    assert exchange.order(order).state == "filled"
    assert exchange.ladder(1).asks == [(20_020, 40)], "as recorded, our footprint left out"
    rest = exchange.submit(side=-1, lots=5, type="market")
    exchange.advance(11_000_000)
    assert exchange.order(rest).done_ts == 10_000_000


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (OrderError, lambda e: e.submit(0, 5, "20.01")),
        (OrderError, lambda e: e.submit(1, 0, "20.01")),
        (OrderError, lambda e: e.submit(1, True, "20.01")),
        (OrderError, lambda e: e.submit(1, 1.5, "20.01")),
        (OrderError, lambda e: e.submit(1, 5, "20.001")),  # on the book's grid, not on ours
        (OrderError, lambda e: e.submit(1, 5)),
        (OrderError, lambda e: e.submit(1, 5, "20.01", type="market")),
        (OrderError, lambda e: e.submit(1, 5, "20.01", type="stop")),
        (OrderError, lambda e: e.submit(1, 5, "20.01", ttl_ms=0)),
        (OrderError, lambda e: e.replace(e.submit(1, 5, "20.01"), lots=0, price="20.01")),
        (OrderError, lambda e: e.replace(e.submit(1, 5, "20.01"), lots=True, price="20.01")),
        (OrderError, lambda e: e.replace(0, lots=5, price="20.01", type="stop")),
        (ExchangeError, lambda e: e.replace(0, lots=5, price="20.01")),
        (ExchangeError, lambda e: e.cancel(0)),
        (ExchangeError, lambda e: e.advance(-1)),
    ],
)
def test_calls_that_are_refused(exchange, error, call):
    with pytest.raises(error):
        call(exchange)
    assert exchange.fills() == []
