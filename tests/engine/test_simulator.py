"""The Poisson market: its laws, its book, and that one seed makes one day."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from paceline.config import describe, load_yaml
from paceline.engine import simulator as simulator_module
from paceline.engine.exchange import Exchange
from paceline.engine.flow_settings import (
    Excitation,
    Halts,
    Jumps,
    Metaorders,
    Placement,
    QueueReaction,
    Sizes,
)
from paceline.engine.flow_state import new_flow
from paceline.engine.market_settings import MarketSettings
from paceline.engine.regimes import Regime
from paceline.engine.simulator import Simulator, simulate_day
from paceline.errors import ConfigError, ExchangeError, InputError
from paceline.market.book import new_book
from paceline.market.events import ADD, DELETE, EXECUTE, HALT, HIDDEN, REDUCE, RESUME, Rows
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

from .test_flow import EVERYTHING

DAY = "2024-01-02"
FEW_MINUTES = {"open_s": 34_200.0, "close_s": 34_320.0}


@pytest.fixture(scope="module")
def market() -> MarketSettings:
    return MarketSettings()


@pytest.fixture(scope="module")
def tape(market: MarketSettings) -> Tape:
    return simulate_day(market, DAY, seed=7)


def run(market: MarketSettings, seed: int = 1) -> tuple[Simulator, Rows]:
    simulator = Simulator(market, DAY, seed)
    return simulator, simulator.advance(simulator.session.close_ns)


def same(left: Rows, right: Rows) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


# --- one seed, one day ---------------------------------------------------------------------------


def test_one_seed_makes_one_day() -> None:
    market = MarketSettings(**FEW_MINUTES)
    first = simulate_day(market, DAY, seed=7)
    assert simulate_day(market, DAY, seed=7).manifest == first.manifest
    others = {
        simulate_day(market, day, seed).manifest.tape_id
        for day, seed in ((DAY, 8), (DAY, 0), ("2024-01-03", 7))
    }
    assert len(others | {first.manifest.tape_id}) == 4


def test_where_one_stops_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    market = MarketSettings(**FEW_MINUTES, market_buy_per_s=2.0)
    simulator, whole = run(market)
    open_ns = simulator.session.open_ns
    assert len(whole.ts) > 500
    monkeypatch.setattr(simulator_module, "CHUNK", 7)
    stepped = Simulator(market, DAY, 1)
    parts = [stepped.advance(open_ns + step * NS_PER_S // 3) for step in range(-2, 400)]
    assert len(parts[0].ts) == 0
    assert same(Rows._make(map(np.concatenate, zip(*parts, strict=True))), whole)


def test_room_for_orders_grows_without_a_trace() -> None:
    market = MarketSettings(**FEW_MINUTES, opening_depth=0.0)
    _, whole = run(market)
    cramped = Simulator(market, DAY, 1)
    flow, book = cramped.market.flow, cramped.market.book
    cramped.market = cramped.market._replace(
        flow=new_flow(flow.dice, cramped.session.open_ns, 3, cramped.market.laws, 1),
        book=new_book(book.level_ticks, 3),
    )
    grown = cramped.advance(cramped.session.close_ns)
    assert same(grown._replace(slot=whole.slot), whole), "all but the numbers of the slots"
    assert len(cramped.market.flow.slots) > 3


def test_saved_and_restored() -> None:
    simulator = Simulator(MarketSettings(**FEW_MINUTES), DAY, 3)
    close = simulator.session.close_ns
    simulator.advance(simulator.session.open_ns + 40 * NS_PER_S)
    saved = simulator.save()
    first = simulator.advance(close)
    simulator.restore(saved)
    assert same(simulator.advance(close), first)
    other = Simulator(MarketSettings(**FEW_MINUTES), DAY, 99)
    other.restore(saved)
    assert same(other.advance(close), first)


def test_laws_are_made_once_and_nobody_writes_to_them() -> None:
    settings, twin = (msgspec.structs.replace(EVERYTHING) for _ in range(2))
    assert settings.laws() is settings.laws()
    simulator = Simulator(settings, DAY, 3)
    simulator.advance(simulator.session.close_ns)
    assert same(settings.laws(), twin.laws())
    other = msgspec.structs.replace(settings, cancel_per_s=2 * settings.cancel_per_s)
    assert not same(settings.laws(), other.laws())


NORMS = ((0.1, 0.1, 0.1),) * 3


@pytest.mark.parametrize(
    "other",
    [
        {"start_price": 20.0},
        {"metaorders": Metaorders(share=0.5, at_work=7)},
        {"excitation": Excitation(half_lives_s=(1.0,), same=(NORMS,), other=(NORMS,))},
        {"cancel_per_s": 0.9},
        {"close_s": 50_000.0},
    ],
)
def test_a_state_of_other_settings_is_refused(other: dict[str, Any]) -> None:
    saved = Simulator(MarketSettings(), DAY, 3).save()
    simulator = Simulator(MarketSettings(**other), DAY, 3)
    with pytest.raises(ExchangeError, match="saved: has other settings; restore it into a market"):
        simulator.restore(saved)
    kept = Simulator(MarketSettings(**other), DAY, 3)
    later = simulator.session.open_ns + 60 * NS_PER_S
    assert same(simulator.advance(later), kept.advance(later))


def test_a_state_of_another_day_is_refused() -> None:
    saved = Simulator(MarketSettings(), DAY, 3).save()
    with pytest.raises(ExchangeError, match="saved: has another session; restore it into"):
        Simulator(MarketSettings(), "2024-02-02", 3).restore(saved)


def test_the_interpreter_makes_the_same_day() -> None:
    program = (
        "from engine.test_flow import EVERYTHING\n"
        "from paceline.engine.simulator import simulate_day\n"
        f"print(simulate_day(EVERYTHING, {DAY!r}, 5).manifest.tape_id)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    tape = simulate_day(EVERYTHING, DAY, 5)
    assert len(tape) > 300
    assert done.stdout.strip() == tape.manifest.tape_id


# --- the book, against a slow one ----------------------------------------------------------------


class SlowBook:
    """Queues as lists of (slot, lots), by price; checks every row against price-time priority."""

    def __init__(self) -> None:
        self.sides: dict[int, dict[int, deque[list[int]]]] = {1: {}, -1: {}}

    def best(self, side: int) -> int | None:
        prices = self.sides[side]
        return (max if side > 0 else min)(prices) if prices else None

    def check(self, kind: int, side: int, ticks: int, lots: int, slot: int) -> None:
        if kind in (HALT, RESUME):
            return
        bid, ask = self.best(1), self.best(-1)
        assert lots > 0
        if kind == ADD:
            other = self.best(-side)
            assert other is None or side * (other - ticks) > 0
            taken = [order[0] for book in self.sides.values() for q in book.values() for order in q]
            assert slot not in taken
            self.sides[side].setdefault(ticks, deque()).append([slot, lots])
            return
        if kind == HIDDEN:
            assert bid is not None
            assert ask is not None
            assert bid < ticks < ask
            return
        queue = self.sides[side][ticks]
        (order,) = (order for order in queue if order[0] == slot)
        if kind == EXECUTE:
            assert ticks == self.best(side)
            assert order is queue[0]
        if kind == REDUCE:
            assert lots < order[1]
        if kind == DELETE:
            assert lots == order[1]
        assert lots <= order[1]
        order[1] -= lots
        if order[1] == 0:
            queue.remove(order)
        if not queue:
            del self.sides[side][ticks]


blocks = st.tuples(*[st.tuples(*[st.floats(0.0, 0.15)] * 3)] * 3)
excitations = st.just(Excitation()) | st.builds(
    lambda life, same, other: Excitation(half_lives_s=(life,), same=(same,), other=(other,)),
    st.sampled_from([0.001, 0.1, 100.0]),
    blocks,
    blocks,
)
rates = st.floats(0.01, 20.0)
sizes = st.builds(
    Sizes,
    law=st.sampled_from(["lognormal", "geometric"]),
    mean_round_lots=st.floats(1.0, 20.0),
    max_round_lots=st.integers(20, 60),
)
markets = st.builds(
    MarketSettings,
    start_price=st.sampled_from([0.1, 1.0, 50.0]),
    price_range=st.sampled_from([1.2, 2.0]),
    limit_bid_per_s=rates,
    limit_ask_per_s=rates,
    market_buy_per_s=st.just(0.0) | rates,
    market_sell_per_s=st.just(0.0) | rates,
    cancel_per_s=st.floats(0.1, 10.0),
    reduce_share=st.sampled_from([0.0, 0.5, 1.0]),
    hidden_share=st.sampled_from([0.0, 0.5, 1.0]),
    placement=st.builds(
        Placement,
        anchor=st.sampled_from(["other", "own"]),
        law=st.sampled_from(["power", "exponential"]),
        reach_ticks=st.sampled_from([1, 2, 30]),
        improve=st.sampled_from([(), (0.0, 0.5), (1.0,)]),
    ),
    limit_size=sizes,
    market_size=sizes,
    patience=st.sampled_from([(), (1.0, 0.2), (0.0, 1.0)]),
    excitation=excitations,
    reaction=st.sampled_from(
        [QueueReaction(), QueueReaction(usual_lots=200.0, cancel=(0.0,) * 8 + (3.0,) * 9)]
    ),
    metaorders=st.builds(Metaorders, share=st.sampled_from([0.0, 0.9]), at_work=st.integers(1, 5)),
    jumps=st.builds(Jumps, per_h=st.sampled_from([0.0, 3000.0]), mean_ticks=st.floats(1, 40)),
    halts=st.builds(Halts, per_h=st.sampled_from([0.0, 3000.0]), mean_s=st.floats(0.01, 1.0)),
    day=st.sampled_from([(), (3.0, 0.0, 1.0)]),
    regimes=st.sampled_from(
        [(), (Regime(name="a", mean_s=1.0), Regime(name="b", mean_s=2.0, size=7.0, market=9.0))]
    ),
    opening_spread_ticks=st.integers(1, 3),
    opening_depth=st.sampled_from([0.0, 1.0]),
    open_s=st.just(100.0),
    close_s=st.sampled_from([101.0, 110.0]),
)


@settings(max_examples=60)
@given(markets, st.integers(0, 2**64 - 1))
def test_price_time_priority_in_any_market(market: MarketSettings, seed: int) -> None:
    simulator, rows = run(market, seed)
    lowest, highest = market.grid()
    slow = SlowBook()
    for i, (kind, side, ticks, lots, slot) in enumerate(zip(*rows[1:], strict=True)):
        slow.check(int(kind), int(side), int(ticks), int(lots), int(slot))
        if i > 1_000:
            break
    assert lowest >= 1
    priced = ~np.isin(rows.kind, (HALT, RESUME))
    assert np.all((rows.ticks >= lowest) & (rows.ticks <= highest) | ~priced)
    assert np.all(rows.lots % market.round_lot == 0)
    assert np.all(np.diff(rows.ts) >= 0)
    assert rows.ts[0] == simulator.session.open_ns
    assert rows.ts[-1] <= simulator.session.close_ns
    tape = Tape.compile(rows, market.instrument(), simulator.session)
    assert_never_crossed(tape)
    clock, slots = simulator.market.flow.clock[0], simulator.market.flow.slots
    live = np.flatnonzero(simulator.market.book.slots["lots"] > 0)
    known = [*slots[: clock["n_bids"]], *slots[len(slots) - clock["n_asks"] :]]
    assert sorted(known) == live.tolist()
    assert clock["n_events"] == len(rows.ts)


def assert_never_crossed(tape: Tape) -> None:
    bid, ask = tape.bid_ticks(), tape.ask_ticks()
    assert not np.any(ask <= bid)  # False where a side is missing


def test_market_orders_walk_the_queue(tape: Tape) -> None:
    """All that one market order takes happens at one instant, from one side, best price first."""
    events = tape.events
    trades = np.flatnonzero(events.kind == EXECUTE)
    walks = np.split(trades, np.flatnonzero(np.diff(events.ts[trades]) > 0) + 1)
    longest = max(walks, key=len)
    assert len(longest) >= 5
    assert sum(len(walk) > 1 for walk in walks) > 100
    for walk in walks:
        side = events.side[walk[0]]
        assert np.all(np.diff(walk) == 1)
        assert np.all(events.side[walk] == side)
        assert np.all(side * np.diff(events.level[walk]) <= 0)


# --- extremes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [0.0, 0.3])
def test_an_emptied_side_refills(hidden: float) -> None:
    market = MarketSettings(
        market_buy_per_s=60.0, market_sell_per_s=40.0, hidden_share=hidden, close_s=34_400.0
    )
    tape = simulate_day(market, DAY, seed=2)
    bid, ask = tape.bid_ticks(), tape.ask_ticks()
    assert_never_crossed(tape)
    for side in (bid, ask):
        empty = np.isnan(side)
        refilled = np.flatnonzero(empty[:-1] & ~empty[1:])
        assert len(refilled) > 10
        assert refilled[-1] > 0.9 * len(tape)
    events = tape.events
    for side, other in ((1, ask), (-1, bid)):
        reference = other[np.maximum.accumulate(np.where(np.isnan(other), 0, np.arange(len(tape))))]
        blind = 1 + np.flatnonzero(np.isnan(other[:-1]) & (events.side == side)[1:])
        blind = blind[(events.kind[blind] == ADD) & (events.ts[blind] > tape.session.open_ns)]
        distance = side * (reference[blind - 1] - tape.level_ticks[events.level[blind]])
        assert len(blind) > 10
        assert np.all((distance >= 1) & (distance <= market.placement.reach_ticks))


def test_prices_stay_in_their_range() -> None:
    """One-sided flow drives the price to the edge, where it stays, and trading goes on."""
    market = MarketSettings(
        start_price=0.5, price_range=1.5, market_buy_per_s=3.0, limit_bid_per_s=2.0, close_s=36_000
    )
    tape = simulate_day(market, DAY, seed=2)
    assert_never_crossed(tape)
    assert tape.level_ticks[0] >= 33
    assert tape.level_ticks[-1] == 75
    assert np.count_nonzero(tape.events.kind[-2_000:] == EXECUTE) > 100


# --- laws ----------------------------------------------------------------------------------------


def counts_like(observed: float, mean: float) -> bool:
    """Within four standard deviations of a Poisson count."""
    return abs(observed - mean) < 4 * np.sqrt(mean)


def live_orders(tape: Tape) -> NDArray[np.int64]:
    """Orders in the book after every event."""
    events = tape.events
    gone = np.zeros(len(tape), np.int64)
    left: dict[int, int] = {}
    columns = (events.kind.tolist(), events.slot.tolist(), events.qty.tolist())
    for i, (kind, slot, lots) in enumerate(zip(*columns, strict=True)):
        if kind == ADD:
            left[slot] = lots
        elif slot >= 0:
            left[slot] -= lots
            gone[i] = left[slot] == 0
    return np.cumsum((events.kind == ADD).astype(np.int64) - gone)


def test_arrivals_count_as_their_rates_say() -> None:
    market = MarketSettings(
        limit_bid_per_s=6.0,
        limit_ask_per_s=5.0,
        market_buy_per_s=1.2,
        market_sell_per_s=1.6,
        cancel_per_s=0.1,
        hidden_share=0.3,
        close_s=38_000.0,
    )
    tape = simulate_day(market, DAY, seed=5)
    events, session = tape.events, tape.session
    later = events.ts > session.open_ns
    length = session.length_s
    adds = later & (events.kind == ADD)
    assert counts_like((adds & (events.side > 0)).sum(), market.limit_bid_per_s * length)
    assert counts_like((adds & (events.side < 0)).sum(), market.limit_ask_per_s * length)
    for side, rate in ((-1, market.market_buy_per_s), (1, market.market_sell_per_s)):
        taken = (events.side == side) & ((events.kind == EXECUTE) | (events.kind == HIDDEN))
        assert counts_like(len(np.unique(events.ts[taken])), rate * length)
    cancels = (events.kind == DELETE) | (events.kind == REDUCE)
    order_seconds = (live_orders(tape)[:-1] * np.diff(events.ts)).sum() / NS_PER_S
    assert counts_like(cancels.sum(), market.cancel_per_s * order_seconds)


def test_waiting_times_are_exponential(market: MarketSettings, tape: Tape) -> None:
    """Times between arrivals, in units of the rate at that moment, are exponential with mean 1."""
    ts = tape.events.ts
    last = np.flatnonzero(np.diff(ts) > 0)  # the last row of each instant
    rate = (
        market.limit_bid_per_s
        + market.limit_ask_per_s
        + market.market_buy_per_s
        + market.market_sell_per_s
        + market.cancel_per_s * live_orders(tape)[last]
    )
    waits = (ts[last + 1] - ts[last]) / NS_PER_S * rate
    n = len(waits)
    expected = 1 - np.exp(-np.sort(waits))
    ranks = np.arange(n + 1) / n
    distance = max(np.abs(expected - ranks[1:]).max(), np.abs(expected - ranks[:-1]).max())
    assert n > 80_000
    assert distance < 1.63 / np.sqrt(n)  # Kolmogorov-Smirnov at 1 %
    assert abs(np.corrcoef(waits[:-1], waits[1:])[0, 1]) < 4 / np.sqrt(n)


def chi_square(observed: NDArray[Any], weights: NDArray[np.float64]) -> float:
    """Standard deviations by which chi-square is too large; cells below 5 are put together."""
    mean = weights * observed.sum()
    rare = mean < 5
    observed = np.append(observed[~rare], observed[rare].sum())
    mean = np.append(mean[~rare], mean[rare].sum())
    observed, mean = observed[mean > 0], mean[mean > 0]
    freedom = len(mean) - 1
    return float((((observed - mean) ** 2 / mean).sum() - freedom) / np.sqrt(2 * freedom))


def test_distances_and_sizes_follow_their_laws(market: MarketSettings, tape: Tape) -> None:
    events = tape.events
    adds = np.flatnonzero((events.kind == ADD) & (events.ts > tape.session.open_ns))
    side = events.side[adds]
    other = np.where(side > 0, tape.ask_ticks()[adds - 1], tape.bid_ticks()[adds - 1])
    known = np.isfinite(other)
    distance = (side * (other - tape.level_ticks[events.level[adds]]))[known].astype(int)
    weights = market.placement.weights()
    assert chi_square(np.bincount(distance - 1, minlength=len(weights)), weights) < 4
    round_lots = events.qty[adds] // market.round_lot
    weights = market.limit_size.weights()
    assert chi_square(np.bincount(round_lots - 1, minlength=len(weights)), weights) < 4
    assert round_lots.max() > 20 * np.median(round_lots)


def test_weights_are_the_laws_they_are_named_after() -> None:
    power = Placement(law="power", exponent=1.0, reach_ticks=3).weights()
    np.testing.assert_allclose(power, np.array([6, 3, 2]) / 11)
    exponential = Placement(law="exponential", scale_ticks=2.0, reach_ticks=9).weights()
    np.testing.assert_allclose(exponential[1:] / exponential[:-1], np.exp(-0.5))
    geometric = Sizes(law="geometric", mean_round_lots=4.0, max_round_lots=500).weights()
    np.testing.assert_allclose((geometric * np.arange(1, 501)).sum(), 4.0)
    lognormal = Sizes(mean_round_lots=20.0, sigma=1.0, max_round_lots=5_000).weights()
    np.testing.assert_allclose((lognormal * np.arange(1, 5_001)).sum(), 20.0, rtol=0.01)


# --- a whole day ---------------------------------------------------------------------------------


def test_the_default_day_is_a_plausible_stock(market: MarketSettings, tape: Tape) -> None:
    assert 90_000 < len(tape) < 110_000
    assert 1e6 < tape.events.volume[-1] < 2e6
    ready = np.isfinite(tape.mid_ticks())
    spread = (tape.ask_ticks() - tape.bid_ticks())[:-1][ready[:-1]]
    lasts = np.diff(tape.events.ts)[ready[:-1]]
    assert 2 < np.average(spread, weights=lasts) < 3
    every_5_min = np.arange(tape.session.open_ns, tape.session.close_ns + 1, 300 * NS_PER_S)
    mids = tape.mid_ticks()[[tape.index_at(int(ts)) - 1 for ts in every_5_min]]
    daily_volatility = np.diff(np.log(mids)).std() * np.sqrt(len(mids) - 1)
    assert 0.013 < daily_volatility < 0.023
    opened = np.flatnonzero(ready)[0]
    assert tape.mid_ticks()[opened] == market.start_price / market.tick
    assert tape.events.ts[opened] == tape.session.open_ns
    assert ready[opened:].mean() > 0.999


def test_the_tape_is_like_any_other(tape: Tape, tmp_path: Path) -> None:
    again = Tape.open(tape.save(tmp_path / tape.name))
    assert again.manifest == tape.manifest
    assert tape.manifest.depth == "L3"
    assert tape.instrument.symbol == "SIM"
    assert "seed 7" in tape.manifest.made_by
    exchange = Exchange(tape)
    exchange.seek(tape.session.open_ns + 600 * NS_PER_S)
    best = exchange.ladder().asks[0]
    exchange.submit(side=1, lots=best[1], type="market")
    exchange.advance(exchange.now)
    assert sum(fill.lots for fill in exchange.fills()) == best[1]


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"limit_bid_per_s": -1.0}, "limit_bid_per_s: -1.0 does not fit"),
        ({"limit_ask_per_s": 0.0}, "limit_ask_per_s: 0.0 does not fit"),
        ({"market_buy_per_s": -0.1}, "market_buy_per_s: -0.1 does not fit"),
        ({"market_sell_per_s": float("nan")}, "market_sell_per_s: nan is not finite"),
        ({"cancel_per_s": 0.0}, "cancel_per_s: 0.0 does not fit"),
        ({"cancel_per_s": 1e-6}, "cancel_per_s: 1e-06 lets 2e+06 orders rest"),
        ({"cancel_per_s": 1e6}, "cancel_per_s: 1000000.0 with its regimes cancels an order 1e+06"),
        (
            {"cancel_per_s": 500.0, "regimes": (Regime(name="a", speed=3.0),)},
            "cancel_per_s: 500.0 with its regimes cancels an order 1.5e+03",
        ),
        ({"opening_depth": 1e5}, "cancel_per_s: "),
        ({"limit_bid_per_s": 1e5, "cancel_per_s": 1e3}, "limit_bid_per_s: all orders together"),
        ({"opening_spread_ticks": 0}, "opening_spread_ticks: 0 does not fit"),
        ({"opening_spread_ticks": 20_000}, "opening_spread_ticks: 20000 does not fit between"),
        ({"round_lot": 0}, "round_lot: 0 does not fit"),
        ({"hidden_share": 1.1}, "hidden_share: 1.1 does not fit"),
        ({"start_price": 0.0}, "start_price: 0.0 does not fit"),
        ({"start_price": 50.005}, "start_price: 50.005 is not a multiple of 0.01"),
        ({"start_price": 0.01}, "opening_spread_ticks: 2 does not fit between"),
        ({"tick": 1e-9}, "tick: 1e-09 makes"),
        ({"tick": -0.01}, "tick: -0.01 does not fit"),
        ({"price_range": 1.0}, "price_range: 1.0 does not fit"),
        ({"placement": {"law": "uniform"}}, "placement.law: 'uniform' does not fit"),
        ({"placement": {"reach_ticks": 0}}, "placement.reach_ticks: 0 does not fit"),
        ({"market_size": {"mean_round_lots": 0.0}}, "market_size.mean_round_lots: 0.0"),
        ({"market_size": {"max_round_lots": 0}}, "market_size.max_round_lots: 0"),
        (
            {"limit_size": {"mean_round_lots": 1e6, "sigma": 0.1}},
            "limit_size.mean_round_lots: 1000000.0 is out of reach of max_round_lots",
        ),
        ({"limit_size": {"law": "cauchy"}}, "limit_size.law: 'cauchy'"),
        ({"close_s": 34_200.0}, "close_s: 34200.0 is not after open_s"),
        ({"zone": "Mars/Olympus"}, "zone: 'Mars/Olympus'"),
        ({"symbol": ""}, "symbol: '' does not fit"),
    ],
)
def test_impossible_markets(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as error:
        MarketSettings(**values)
    assert str(error.value).startswith(says)
    assert "\n" not in str(error.value)


def test_settings_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "market.yaml"
    file.write_text("cancel_per_s: 5e-2\nplacement: {law: exponential}\n")
    market = load_yaml(file, MarketSettings)
    assert market == MarketSettings(cancel_per_s=0.05, placement=Placement(law="exponential"))
    file.write_text("cancel_rate: 1\n")
    with pytest.raises(ConfigError, match="cancel_rate: unknown key; did you mean cancel_per_s"):
        load_yaml(file, MarketSettings)
    assert len(list(describe(MarketSettings))) > 25


@pytest.mark.parametrize(("day", "seed"), [("2024-13-01", 1), ("today", 1), (DAY, -1), (DAY, 1.5)])
def test_no_such_day(day: str, seed: Any) -> None:
    with pytest.raises(InputError, match=r"^(session\.day|seed): "):
        simulate_day(MarketSettings(), day, seed)
