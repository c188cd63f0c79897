"""Scenarios on a simulated market: each does what it says there too."""

from __future__ import annotations

import math

import numpy as np
import pytest
from msgspec.structs import replace

from engine.test_flow import many_events
from paceline.engine.market_settings import MarketSettings
from paceline.engine.regimes import Regime
from paceline.engine.simulator import simulate_day
from paceline.errors import ConfigError
from paceline.market import events as ev
from paceline.market.tape import Tape
from paceline.stress.facts import Facts, facts_of
from paceline.stress.on_market import stress_market
from paceline.stress.parts import (
    Crash,
    Depth,
    FlashCrash,
    Halt,
    Latency,
    OneSided,
    Spread,
    StaleFeed,
    Volatility,
)
from paceline.units import NS_PER_S
from stress.days import DAY, HOURS, OWN, under

DEEP = replace(HOURS, placement=OWN)
MARKETS = pytest.mark.parametrize("market", [HOURS, DEEP], ids=["other", "own"])
HOUR = 3600.0
SEEDS = 4


def days(market: MarketSettings) -> list[Tape]:
    return [simulate_day(market, DAY, seed) for seed in range(SEEDS)]


def mean_facts(market: MarketSettings) -> Facts:
    return Facts(*np.mean([facts_of(tape) for tape in days(market)], axis=0))


def mid_at(tape: Tape, after_s: float) -> float:
    at = tape.index_at(tape.session.open_ns + round(after_s * NS_PER_S)) - 1
    return float(tape.mid_ticks()[at])


@many_events
@MARKETS
def test_volatility_is_multiplied(market: MarketSettings) -> None:
    """4 x 120 moves each: a standard deviation is known to a share of 1 / sqrt(2 n), a ratio to
    1 / sqrt(n); tails are heavier than normal, so twice that, and what the bounce between bid and
    ask adds to a calm minute is not doubled."""
    calm, wild = mean_facts(market), mean_facts(stress_market(market, under(Volatility(times=2.0))))
    noise = 4 * 2 / math.sqrt(SEEDS * 119)
    assert wild.volatility_ticks / calm.volatility_ticks == pytest.approx(2.0, rel=noise)
    assert wild.spread_ticks / calm.spread_ticks == pytest.approx(1.0, rel=0.1)
    assert wild.depth_lots / calm.depth_lots == pytest.approx(1.0, rel=0.05)
    assert wild.volume_lots / calm.volume_lots == pytest.approx(4.0, rel=0.05)


@many_events
@MARKETS
def test_a_crash_falls_and_stays(market: MarketSettings) -> None:
    """Never less than its line, and no more than what such a market moves by itself."""
    stressed = stress_market(market, under(Crash(fall=0.1, start_s=HOUR, length_s=300.0)))
    calm = mean_facts(market)
    own = 4 * calm.volatility_ticks * math.sqrt(5)
    for tape in days(stressed):
        fall = mid_at(tape, HOUR + 300) - mid_at(tape, HOUR - 0.1)
        assert -500 - own < fall < -500 + 20
        assert abs(mid_at(tape, 7190) - mid_at(tape, HOUR + 300)) < 4 * own


@many_events
@MARKETS
def test_a_flash_crash_comes_back(market: MarketSettings) -> None:
    part = FlashCrash(fall=0.05, start_s=HOUR, length_s=60.0, recovery_s=240.0)
    for tape in days(stress_market(market, under(part))):
        before = mid_at(tape, HOUR - 0.1)
        assert mid_at(tape, HOUR + 60) - before == pytest.approx(-250, abs=40)
        assert mid_at(tape, HOUR + 300) - before == pytest.approx(0, abs=40)


@many_events
@MARKETS
def test_the_spread_is_multiplied(market: MarketSettings) -> None:
    """A spread of one tick becomes one of three to five: nobody improves by less than three."""
    calm, wide = mean_facts(market), mean_facts(stress_market(market, under(Spread(times=3.0))))
    assert 2.7 < wide.spread_ticks / calm.spread_ticks < 4.0
    assert wide.depth_lots / calm.depth_lots == pytest.approx(1.0, rel=0.1)


@many_events
@MARKETS
def test_orders_are_missing(market: MarketSettings) -> None:
    """As many orders, each of the share: all that is counted in lots is that much less."""
    calm, thin = mean_facts(market), mean_facts(stress_market(market, under(Depth(share=0.4))))
    assert thin.depth_lots / calm.depth_lots == pytest.approx(0.4, abs=0.02)
    assert thin.volume_lots / calm.volume_lots == pytest.approx(0.4, abs=0.04)
    assert thin.spread_ticks / calm.spread_ticks == pytest.approx(1.0, rel=0.1)


@many_events
def test_market_orders_come_from_one_side() -> None:
    market = replace(HOURS, market_buy_per_s=0.3, market_sell_per_s=0.1)
    for side, share in (("sell", 0.8), ("buy", 0.9), ("sell", 1.0)):
        found = mean_facts(stress_market(market, under(OneSided(side=side, share=share))))  # type: ignore[arg-type]
        sells = found.sell_share
        assert (sells if side == "sell" else 1 - sells) == pytest.approx(share, abs=0.03)


@many_events
@MARKETS
def test_a_halt_and_its_gap(market: MarketSettings) -> None:
    tape = days(stress_market(market, under(Halt(start_s=HOUR, length_s=300.0, gap=-0.03))))[0]
    events = tape.events
    begin = tape.session.open_ns + 3600 * NS_PER_S
    inside = (events.ts >= begin) & (events.ts < begin + 300 * NS_PER_S)
    assert events.kind[inside].tolist() == [ev.HALT]
    assert facts_of(tape).halted_s == 300.0
    assert mid_at(tape, 3900) - mid_at(tape, 3899.9) == pytest.approx(-150, abs=2)


@many_events
def test_all_at_once() -> None:
    """Twice the distances and half the orders while the price falls, slower lines, then a halt that
    ends within another: both gaps come when trading does."""
    market = replace(HOURS, regimes="named").in_sequence(3)
    scenario = under(
        Spread(times=2.0), Depth(share=0.5), Crash(fall=0.04, start_s=1800.0, length_s=300.0),
        Latency(start_s=1800.0), Halt(start_s=3000.0, length_s=600.0, gap=-0.02),
        Halt(start_s=3300.0, length_s=600.0, gap=0.01), StaleFeed(start_s=10.0),
    )  # fmt: skip
    stressed = stress_market(market, scenario)
    assert stressed == stress_market(market, scenario)
    for tape in days(stressed)[:2]:
        halts = np.flatnonzero(np.isin(tape.events.kind, (ev.HALT, ev.RESUME)))
        after = (tape.events.ts[halts] - tape.session.open_ns) / NS_PER_S
        assert after.tolist() == [3000.0, 3900.0]
        gap = mid_at(tape, 3900) - mid_at(tape, 3899)
        assert gap == pytest.approx(-50, abs=3)
        fall = mid_at(tape, 2100) - mid_at(tape, 1799.9)
        assert fall < -200 + 30


def test_a_market_keeps_its_own_sequence() -> None:
    moods = (Regime(name="calm"), Regime(name="busy", size=3.0, cancel=3.0))
    market = replace(HOURS, regimes=moods, sequence=((1000.0, "busy"), (5000.0, "calm")))
    stressed = stress_market(market, under(Depth(share=0.5, start_s=2000.0, length_s=4000.0)))
    told = [
        (at_s, mood.size, mood.cancel)
        for (at_s, _), mood in zip(stressed.sequence, stressed.moods, strict=True)
    ]
    assert told == [
        (0.0, 1.0, 1.0), (1000.0, 3.0, 3.0), (2000.0, 1.5, 3.0), (5000.0, 0.5, 1.0),
        (6000.0, 1.0, 1.0),
    ]  # fmt: skip


def test_what_is_about_the_venue_leaves_the_market() -> None:
    assert stress_market(HOURS, under(Latency(), StaleFeed())) is HOURS


@pytest.mark.parametrize(
    ("market", "part", "says"),
    [
        (HOURS, Crash(start_s=7200.0), "start_s: 7200 s is not in the session, which lasts 7200 s"),
        (replace(HOURS, market_sell_per_s=0.0), OneSided(), "side: nobody is there to sell"),
        (replace(HOURS, limit_bid_per_s=900.0), Volatility(times=10.0), "regimes.limit: .* of too"),
    ],
)
def test_what_cannot_be_is_one_line(market: MarketSettings, part: Crash, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        stress_market(market, under(part))
