"""Regimes of an excited flow: what they multiply is multiplied, and nothing explodes."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from engine.test_flow import EXCITED, arrivals, many_events
from paceline.engine.flow_settings import Excitation, Metaorders, Placement
from paceline.engine.market_settings import MarketSettings
from paceline.engine.regimes import Regime, regime_table
from paceline.engine.simulator import Simulator

DAY = "2024-01-02"
HOURS = {"open_s": 34_200.0, "close_s": 41_400.0}
MARKET = MarketSettings(
    **HOURS,
    market_buy_per_s=0.05,
    market_sell_per_s=0.05,
    excitation=EXCITED,
    placement=Placement(anchor="own", improve=(0.0, 0.2, 0.5)),
)
SEEDS = 4


def streams(market: MarketSettings, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    simulator = Simulator(market, DAY, seed)
    return arrivals(simulator.advance(simulator.session.close_ns), simulator.session.open_ns)


def counts(settings: MarketSettings, **mood: float) -> NDArray[np.float64]:
    """Arrivals of each stream in a few sessions of a mood."""
    held = replace(settings, regimes=(Regime(name="mood", **mood),))  # type: ignore[arg-type]
    total = sum(np.bincount(streams(held, seed)[1], minlength=6) for seed in range(SEEDS))
    return np.asarray(total, dtype=np.float64)


def test_most_arrivals_are_brought_about() -> None:
    assert MARKET.excitation.branching() > 0.6


@many_events
@pytest.mark.parametrize(
    ("mood", "close"),
    [
        ({"limit": 0.4, "market": 0.4}, 0.06),
        ({"speed": 4.0}, 0.06),
        ({"speed": 0.5, "limit": 2.0, "market": 2.0}, 0.06),
        ({"limit": 3.0, "market": 2.0, "cancel": 2.0}, 0.2),
        ({"buys": 0.3, "sells": 1.7}, 0.2),
        ({"bids": 0.7, "asks": 1.3}, 0.2),
    ],
    ids=str,
)
def test_rates_are_multiplied_whatever_brings_them_about(
    mood: dict[str, float], close: float
) -> None:
    """Near to what is asked for where all orders are multiplied alike. Where they are not, market
    orders take another share of the limit orders, and cancels bring about so many more or less."""
    calm, found = counts(MARKET), counts(MARKET, **mood)
    table = regime_table([Regime(name="m", **mood)])[0]  # type: ignore[arg-type]
    expected = calm * table["heat"] * table["speed"]
    # A branching ratio of r makes counts 1 / (1 - r) times as noisy as Poisson's.
    noise = 4 * np.sqrt(1 / calm + 1 / expected) / (1 - MARKET.excitation.branching())
    assert np.all(np.abs(found / expected - 1)[:4] < np.maximum(noise[:4], close))


@many_events
def test_a_faster_clock_is_the_same_market_in_less_time() -> None:
    """The same draws, event by event, until rounding to a nanosecond parts them."""
    fast = replace(MARKET, regimes=(Regime(name="fast", speed=4.0),))
    (ts, what), (fast_ts, fast_what) = streams(MARKET, 1), streams(fast, 1)
    open_ns = Simulator(MARKET, DAY, 1).session.open_ns
    assert what[:100].tolist() == fast_what[:100].tolist()
    np.testing.assert_allclose((ts - open_ns)[:100], 4.0 * (fast_ts - open_ns)[:100], rtol=1e-4)


def test_heat_is_what_it_was_when_a_regime_is_over() -> None:
    """In a regime an arrival adds so much less heat as it has become likelier."""
    table = regime_table([Regime(name="m", limit=2.0, sells=0.5, speed=3.0)])[0]
    assert (table["heat"] * table["brings"]).tolist() == pytest.approx([1.0] * 6)
    none = regime_table([Regime(name="none", market=0.0)])[0]
    assert none["brings"].tolist() == [1.0] * 6
    assert none["heat"][2:4].tolist() == [0.0, 0.0]


@many_events
@pytest.mark.parametrize("brought", [False, True])
def test_large_orders_come_from_the_side_of_a_regime(brought: bool) -> None:
    """Those at work as it begins, too: half of them are of the other side, and rest."""
    large = Metaorders(share=1.0, at_work=20, tail=1.5, brought=brought)
    market = replace(MARKET, metaorders=large)
    moods = (Regime(name="calm"), Regime(name="sellers", sells=1.7, buys=0.3))
    market = replace(market, regimes=moods, sequence=((0.0, "calm"), (3600.0, "sellers")))
    sells, all_of_them = 0, 0
    for seed in range(2 * SEEDS):
        ts, what = streams(market, seed)
        late = ts > Simulator(market, DAY, seed).session.open_ns + 3600 * 10**9
        sells += int(np.sum(what[late] == 2))
        all_of_them += int(np.sum(what[late] >> 1 == 1))
    assert sells / all_of_them == pytest.approx(0.85, abs=0.04)


@many_events
def test_the_busiest_regime_of_a_nearly_critical_flow_comes_to_an_end() -> None:
    """Were heat just multiplied, each arrival would bring about 4.5 others."""
    grid = ((0.9, 0.0, 0.0), (0.0, 0.9, 0.0), (0.0, 0.0, 0.9))
    none = ((0.0,) * 3,) * 3
    wild = Excitation(half_lives_s=(1.0,), same=(grid,), other=(none,))
    market = replace(MARKET, excitation=wild)
    calm, busy = counts(market), counts(market, limit=5.0, market=5.0, cancel=5.0)
    assert busy[:4].sum() / calm[:4].sum() == pytest.approx(5.0, rel=0.2)
