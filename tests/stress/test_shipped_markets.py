"""Scenarios on the markets that are shipped: each does there what it says, within what a few days
can tell. Most of their arrivals are brought about by others, which plain markets have none of."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from engine.test_flow import many_events
from paceline.engine.shipped import load_market, shipped_markets
from paceline.engine.simulator import simulate_day
from paceline.market.tape import Tape
from paceline.stress.facts import Facts, facts_of
from paceline.stress.on_market import stress_market
from paceline.stress.scenario import scenario
from paceline.units import NS_PER_S

MARKETS = pytest.mark.parametrize("name", shipped_markets())
DAYS = ("2024-01-08", "2024-01-09", "2024-01-10", "2024-01-11")


@cache
def days(name: str, stress: str | None = None) -> tuple[Tape, ...]:
    market = load_market(name)
    market = market if stress is None else stress_market(market, scenario(stress))
    return tuple(simulate_day(market, day, 1) for day in DAYS)


def times(name: str, stress: str) -> Facts:
    """Mean facts under stress, by those of calm days."""
    calm, wild = (
        np.mean([facts_of(tape) for tape in tapes], axis=0)
        for tapes in (days(name), days(name, stress))
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return Facts(*(wild / calm))


def mid_at(tape: Tape, after_s: float) -> float:
    """The last mid that was known."""
    at = tape.index_at(tape.session.open_ns + round(after_s * NS_PER_S))
    known = tape.mid_ticks()[:at]
    return float(known[np.isfinite(known)][-1])


def moved(tape: Tape, from_s: float, to_s: float) -> float:
    return mid_at(tape, to_s) / mid_at(tape, from_s) - 1.0


@many_events
@MARKETS
def test_a_thin_book_has_three_orders_of_ten(name: str) -> None:
    found = times(name, "thin-book")
    assert found.depth_lots == pytest.approx(0.3, abs=0.1)
    assert found.spread_ticks == pytest.approx(1.0, rel=0.25)


@many_events
@MARKETS
def test_a_wide_spread_is_three_times_as_wide(name: str) -> None:
    found = times(name, "wide-spread")
    assert found.spread_ticks == pytest.approx(3.0, rel=0.2)
    assert found.volume_lots == pytest.approx(1.0, rel=0.3)


@many_events
@MARKETS
def test_twice_the_volatility_is_a_clock_four_times_as_fast(name: str) -> None:
    """Where prices come back to where they were, a little less than twice."""
    found = times(name, "volatility")
    assert 1.5 < found.volatility_ticks < 2.7
    assert found.volume_lots == pytest.approx(4.0, rel=0.25)
    assert found.spread_ticks == pytest.approx(1.0, rel=0.2)


@many_events
@MARKETS
def test_market_orders_come_from_one_side(name: str) -> None:
    sells = np.mean([facts_of(tape).sell_share for tape in days(name, "one-sided")])
    assert sells == pytest.approx(0.85, abs=0.06)


@many_events
@MARKETS
def test_a_crash_falls_as_far_as_it_says(name: str) -> None:
    falls = [moved(tape, 3599.9, 3900.0) for tape in days(name, "crash")]
    assert np.mean(falls) == pytest.approx(-0.10, abs=0.01)
    assert max(abs(fall + 0.10) for fall in falls) < 0.03
    later = [moved(tape, 3599.9, 4500.0) for tape in days(name, "crash")]
    assert np.mean(later) < -0.07, "it stays there"


@many_events
@MARKETS
def test_a_flash_crash_comes_back(name: str) -> None:
    for tape in days(name, "flash-crash"):
        assert moved(tape, 3599.9, 3660.0) == pytest.approx(-0.05, abs=0.015)
        assert moved(tape, 3599.9, 3900.0) == pytest.approx(0.0, abs=0.015)


@many_events
@MARKETS
def test_trading_resumes_with_a_gap(name: str) -> None:
    for tape in days(name, "halt"):
        assert facts_of(tape).halted_s == 300.0
        assert moved(tape, 3599.9, 3900.0) == pytest.approx(-0.03, abs=0.005)
