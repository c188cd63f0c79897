"""Regimes: what their names promise, sequences, drifts, gaps, halts, sides; a week in each."""

from __future__ import annotations

import itertools
import math
import os
from typing import Any, NamedTuple

import numpy as np
import pytest
from msgspec.structs import replace

from engine.test_flow import EXCITED
from paceline.config import from_dict
from paceline.engine.flow_settings import Halts, Jumps, Metaorders, Placement, Tempo
from paceline.engine.market_settings import MarketSettings
from paceline.engine.markets import Markets
from paceline.engine.regimes import NAMED, Regime, draw_sequence, sequence_table, together
from paceline.engine.simulated_exchange import SimulatedExchange
from paceline.engine.simulator import Simulator, simulate_day
from paceline.errors import ConfigError
from paceline.market.events import ADD, DELETE, EXECUTE, HALT, REDUCE, RESUME
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

DAY = "2024-01-02"
HOURS = {"open_s": 34_200.0, "close_s": 41_400.0}
OWN = Placement(
    anchor="own", law="exponential", scale_ticks=8.0, reach_ticks=30, improve=(0.0, 0.1, 0.3, 0.5)
)
NAMES = [mood.name for mood in NAMED]

many_events = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"),
    reason="hours of market; that the interpreter makes the same ones is a test of its own",
)


class Facts(NamedTuple):
    """What a tape is like after its first five minutes, in time average."""

    spread: float  # ticks
    depth: float  # lots in the whole book
    volatility: float  # of a minute, ticks
    volume: float  # lots a session


def facts(tape: Tape) -> Facts:
    events, open_ns = tape.events, tape.session.open_ns
    spread = tape.ask_ticks() - tape.bid_ticks()
    held = np.append(np.diff(events.ts), 0).astype(float)
    settled = np.isfinite(spread) & (events.ts > open_ns + 300 * NS_PER_S)
    change = np.where(events.kind == ADD, events.qty, 0) - np.where(
        np.isin(events.kind, (REDUCE, DELETE, EXECUTE)), events.qty, 0
    )
    minutes = np.arange(open_ns + 300 * NS_PER_S, int(events.ts[-1]), 60 * NS_PER_S)
    mid = tape.mid_ticks()[np.searchsorted(events.ts, minutes, side="right") - 1]
    return Facts(
        float(np.average(spread[settled], weights=held[settled])),
        float(np.average(np.cumsum(change)[settled], weights=held[settled])),
        float(np.nanstd(np.diff(mid))),
        float(events.volume[-1]),
    )


def mean_facts(market: MarketSettings) -> Facts:
    days = [facts(simulate_day(market, DAY, seed)) for seed in range(3)]
    return Facts(*np.mean(days, axis=0))


def mid_at(tape: Tape, after_open_s: float) -> float:
    at = tape.index_at(tape.session.open_ns + round(after_open_s * NS_PER_S))
    return float(tape.mid_ticks()[at - 1])


# --- names keep their word -----------------------------------------------------------------------


@many_events
@pytest.mark.parametrize("placement", [Placement(), OWN], ids=["other", "own"])
def test_each_name_is_what_it_says(placement: Placement) -> None:
    market = MarketSettings(**HOURS, placement=placement, regimes="named")
    normal = mean_facts(market.in_regime("normal"))
    assert normal == mean_facts(MarketSettings(**HOURS, placement=placement))
    over: dict[str, Facts] = {}
    for name in NAMES:
        found = mean_facts(market.in_regime(name))
        over[name] = Facts(*(a / b for a, b in zip(found, normal, strict=True)))
    liquid, thin, closing = over["liquid"], over["thin"], over["closing"]
    volatile, news = over["volatile"], over["news"]
    assert liquid.depth > 1.6
    assert liquid.spread < 0.95
    assert liquid.volatility < 0.7
    assert thin.depth < 0.5
    assert thin.spread > 1.5
    assert thin.volume < 0.5
    assert volatile.volatility > 1.5
    assert volatile.volume > 2
    assert news.volatility > 1.5 * volatile.volatility
    assert news.spread > 1.5
    assert news.depth < 0.7
    assert closing.volume > 3
    assert closing.depth > 2
    assert closing.volatility < volatile.volatility


def test_any_market_takes_the_named_ones() -> None:
    assert MarketSettings(regimes="named").moods == NAMED
    assert from_dict({"regimes": "named"}, MarketSettings).moods == NAMED
    held = MarketSettings().in_regime("thin").moods
    assert [mood.name for mood in held] == ["thin"]
    assert held[0].mean_s is None
    own = MarketSettings(regimes=(Regime(name="mine", market=2.0, mean_s=9.0),)).in_regime("mine")
    assert own.moods == (Regime(name="mine", market=2.0),)


def test_closing_never_comes_by_chance() -> None:
    for seed in range(200):
        moments = draw_sequence(NAMED, 23_400.0, seed)
        assert "closing" not in {name for _, name in moments}


@many_events
def test_distances_are_stretched() -> None:
    """All distances three times as long: the same market with ticks three times as large."""
    market = MarketSettings(**HOURS)
    wide = mean_facts(replace(market, regimes=(Regime(name="wide", spread=3.0),)))
    calm = mean_facts(market)
    assert wide.spread / calm.spread == pytest.approx(3.0, rel=0.15)
    assert wide.depth / calm.depth == pytest.approx(1.0, rel=0.1)
    assert wide.volume / calm.volume == pytest.approx(1.0, rel=0.1)


@many_events
def test_all_rates_together_are_a_faster_clock() -> None:
    """Everything four times as often: volatility twice as high (a diffusion scales as the root of
    time), volume four times, spread and depth as before."""
    market = MarketSettings(**HOURS)
    fast = mean_facts(replace(market, regimes=(Regime(name="f", limit=4, market=4, cancel=4),)))
    calm = mean_facts(market)
    minutes = 3 * (HOURS["close_s"] - HOURS["open_s"]) / 60
    noise = 4 / math.sqrt(minutes)  # each standard deviation is known to 1 / sqrt(2 n)
    assert fast.volatility / calm.volatility == pytest.approx(2.0, rel=noise)
    assert fast.spread / calm.spread == pytest.approx(1.0, rel=0.1)
    assert fast.depth / calm.depth == pytest.approx(1.0, rel=0.05)
    assert fast.volume / calm.volume == pytest.approx(4.0, rel=0.05)


@many_events
def test_sides_have_their_own_multiples() -> None:
    mood = Regime(name="sellers", buys=0.5, sells=1.5, bids=0.7, asks=1.3)
    rates = {"limit_bid_per_s": 4.0, "limit_ask_per_s": 4.0}
    tape = simulate_day(MarketSettings(**HOURS, **rates, regimes=(mood,)), DAY, 3)
    events = tape.events
    after = events.ts > tape.session.open_ns
    counts = {
        (kind, side): np.sum(after & (events.kind == kind) & (events.side == side))
        for kind in (ADD, EXECUTE)
        for side in (1, -1)
    }
    assert counts[ADD, -1] / counts[ADD, 1] == pytest.approx(13 / 7, rel=0.05)
    assert 2.4 < counts[EXECUTE, 1] / counts[EXECUTE, -1] < 3.6  # 3 to 1, less what finds nobody


# --- sequences -----------------------------------------------------------------------------------

MOODS = (
    Regime(name="calm"), Regime(name="fall", drift_ticks_per_s=-2.0),
    Regime(name="rise", drift_ticks_per_s=1.0), Regime(name="stop", halted=True),
    Regime(name="gap", gap_ticks=-80), Regime(name="busy", limit=5.0, market=5.0, cancel=5.0),
)  # fmt: skip


@many_events
def test_a_sequence_says_when() -> None:
    market = MarketSettings(
        **HOURS, regimes=MOODS, sequence=((1000.0, "busy"), (2000.5, "calm"), (3000.0, "busy"))
    )
    tape = simulate_day(market, DAY, 3)
    per_s = np.histogram(
        (tape.events.ts - tape.session.open_ns) / NS_PER_S, [1, 1000, 2000.5, 3000, 7200]
    )[0] / [999, 1000.5, 999.5, 4200]
    calm, busy = per_s[[0, 2]], per_s[[1, 3]]
    np.testing.assert_allclose(busy.mean() / calm, 5.0, rtol=0.15)
    np.testing.assert_allclose(busy, busy.mean(), rtol=0.1)


def test_tables_of_a_sequence() -> None:
    assert len(sequence_table(MOODS, ())) == 0
    table = sequence_table(MOODS, ((2.5, "rise"), (4.0, "calm")))
    assert table["regime"].tolist() == [0, 2, 0]
    assert table["stays"][:2].tolist() == [2_500_000_000, 1_500_000_000]
    assert table["stays"][2] > 10**17
    assert sequence_table(MOODS, ((0.0, "rise"),))["regime"].tolist() == [2]


@many_events
@pytest.mark.parametrize("placement", [Placement(), OWN], ids=["other", "own"])
def test_a_drift_leads_along_its_line_and_back(placement: Placement) -> None:
    """400 ticks down in 200 s, 200 ticks up in 200 s: the second line begins where the first should
    have ended. The price never lags by more than two pulls, and noise."""
    moments = ((1000.0, "fall"), (1200.0, "rise"), (1400.0, "calm"))
    market = MarketSettings(**HOURS, placement=placement, regimes=MOODS, sequence=moments)
    for seed in range(3):
        tape = simulate_day(market, DAY, seed)
        before = mid_at(tape, 999.9)
        for after_s, line in ((1100, -200), (1199, -398), (1300, -300), (1399, -201)):
            assert mid_at(tape, after_s) - before == pytest.approx(line, abs=35)
        last = tape.ask_ticks() - tape.bid_ticks()
        assert np.nanmin(last) >= 1


@many_events
def test_a_halt_and_the_gap_after_it() -> None:
    market = MarketSettings(
        **HOURS, regimes=MOODS, sequence=((1000.0, "stop"), (1300.0, "gap"), (1310.0, "calm"))
    )
    tape = simulate_day(market, DAY, 3)
    events, open_ns = tape.events, tape.session.open_ns
    (stop,) = np.flatnonzero(events.kind == HALT)
    assert events.ts[stop] == open_ns + 1000 * NS_PER_S
    assert events.kind[stop + 1] == RESUME
    assert events.ts[stop + 1] == open_ns + 1300 * NS_PER_S
    assert mid_at(tape, 1300) - mid_at(tape, 1299) == pytest.approx(-80, abs=2)
    gap = events.ts == events.ts[stop + 1]
    assert gap.sum() > 10, "orders flee and follow at one instant"


def test_a_gap_moves_the_price_when_few_orders_are_there() -> None:
    """Further than the book is deep: the last order goes along."""
    few = MarketSettings(
        open_s=0.0, close_s=400.0, limit_bid_per_s=0.2, limit_ask_per_s=0.2, cancel_per_s=0.1,
        market_buy_per_s=0.0, market_sell_per_s=0.0, placement=Placement(reach_ticks=3),
        regimes=(*MOODS, Regime(name="up", gap_ticks=500)), sequence=((200.0, "up"),),
    )  # fmt: skip
    tape = simulate_day(few, DAY, 1)
    assert mid_at(tape, 200) - mid_at(tape, 199.9) == pytest.approx(500, abs=3)


def test_a_chain_can_be_drawn_once() -> None:
    market = MarketSettings(regimes="named").in_sequence(7)
    assert market.sequence == MarketSettings(regimes="named").in_sequence(7).sequence
    assert market.sequence != MarketSettings(regimes="named").in_sequence(8).sequence
    assert market.sequence[0] == (0.0, "normal")
    assert market.in_sequence(9) is market
    shares = np.zeros(len(NAMED))
    for seed in range(300):
        moments = [*draw_sequence(NAMED, 23_400.0, seed), (23_400.0, "")]
        for (at_s, name), (end_s, _) in itertools.pairwise(moments):
            shares[NAMES.index(name)] += end_s - at_s
    shares /= shares.sum()
    assert shares[NAMES.index("normal")] > 0.5
    assert shares[NAMES.index("news")] < 0.05


def test_moods_at_once_multiply() -> None:
    one = Regime(name="a", limit=2.0, gap_ticks=3)
    other = Regime(
        name="b", limit=0.25, market=3.0, drift_ticks_per_s=-1.0, gap_ticks=4, halted=True
    )
    both = together("x", (one, other))
    assert both == Regime(
        name="x", limit=0.5, market=3.0, drift_ticks_per_s=-1.0, gap_ticks=7, halted=True
    )


def test_saved_in_the_middle_of_a_drift() -> None:
    market = MarketSettings(
        open_s=0.0, close_s=60.0, regimes=MOODS, sequence=((10.0, "fall"), (20.0, "stop"),
        (25.0, "gap"), (30.0, "rise")),
    )  # fmt: skip
    simulator = Simulator(market, DAY, 3)
    for after_s in (15, 22, 25):
        simulator.advance(simulator.session.open_ns + after_s * NS_PER_S)
        saved = simulator.save()
        rest = simulator.advance(simulator.session.close_ns)
        simulator.restore(saved)
        again = simulator.advance(simulator.session.close_ns)
        assert all(np.array_equal(a, b) for a, b in zip(rest, again, strict=True))
        simulator.restore(saved)


# --- a week in each ------------------------------------------------------------------------------


def audit(simulator: Simulator) -> int:
    """Check the book slowly, from its queues and from its orders; returns how many there are."""
    _, flow, book = simulator.market
    clock, slots, place = flow.clock[0], flow.slots, flow.place
    known = [slots[: clock["n_bids"]], slots[len(slots) - clock["n_asks"] :]]
    assert np.array_equal(place[slots], np.arange(len(slots)))
    orders = 0
    for row in range(2):
        live = np.flatnonzero((book.slots["lots"] > 0) & (book.slots["row"] == row))
        assert np.array_equal(np.sort(known[row]), live), "slots in use are the orders in the book"
        shown = np.zeros(len(book.level_ticks), np.int64)
        np.add.at(shown, book.slots["level"][live], book.slots["lots"][live])
        assert np.array_equal(shown, book.levels["lots"][row])
        levels = np.flatnonzero(shown)
        best = (levels[-1] if row == 0 else levels[0]) if len(levels) else (-1, len(shown))[row]
        assert book.best[row] == best
        for level in levels:
            slot, before, seq = int(book.levels["head"][row, level]), -1, -1
            while slot >= 0:
                order = book.slots[slot]
                assert order["lots"] > 0
                assert order["level"] == level
                assert order["prev"] == before
                assert order["seq"] > seq, "first come, first served"
                slot, before, seq = int(order["next"]), slot, int(order["seq"])
                orders += 1
            assert book.levels["tail"][row, level] == before
        assert np.all(book.levels["head"][row, shown == 0] == -1)
    assert book.best[0] < book.best[1]
    assert orders == clock["n_bids"] + clock["n_asks"]
    return orders


@many_events
@pytest.mark.parametrize("name", [*NAMES, "all"])
def test_a_week_in_every_regime(name: str) -> None:
    """Neither a crossed book nor a negative depth nor a slot lost, and room for no more than twice
    the orders there ever were."""
    market = MarketSettings(
        excitation=EXCITED, metaorders=Metaorders(share=0.5), jumps=Jumps(per_h=2.0),
        halts=Halts(per_h=0.2), placement=OWN, patience=(1.0, 0.6, 0.3), regimes="named",
        tempo=Tempo(sd=0.4),
    )  # fmt: skip
    market = market if name == "all" else market.in_regime(name)
    for seed, day in enumerate(("01-08", "01-09", "01-10", "01-11", "01-12")):
        simulator = Simulator(market, f"2024-{day}", seed)
        session, room = simulator.session, len(simulator.market.flow.slots)
        most = n = 0
        while n < 13:
            n += 1
            rows = simulator.advance(session.open_ns + n * 1800 * NS_PER_S)
            most = max(most, audit(simulator))
            joins = np.cumsum(np.where(rows.kind == ADD, 1, 0))
            most = max(most, int(joins[-1]) if n == 1 else most)
            assert np.all(rows.lots[rows.kind != HALT] >= 0)
        assert len(simulator.market.flow.slots) <= max(room, 2 * most)


# --- the ends of the price table -------------------------------------------------------------

NARROW = MarketSettings(**HOURS, price_range=1.02, excitation=EXCITED, placement=OWN)


@many_events
@pytest.mark.parametrize("drift", [-0.1, 0.1])
@pytest.mark.parametrize("gap", [-100_000, 0, 100_000])
def test_a_price_that_is_pulled_beyond_the_table_stays_at_its_end(drift: float, gap: int) -> None:
    mood = Regime(name="away", drift_ticks_per_s=drift, gap_ticks=gap)
    market = replace(NARROW, regimes=(Regime(name="calm"), mood), sequence=((600.0, "away"),))
    tape = simulate_day(market, DAY, 1)
    mid = tape.mid_ticks()
    first, last = np.flatnonzero(np.isfinite(mid))[[0, -1]]
    assert (mid[last] - mid[first]) * (gap or drift) > 0
    assert tape.events.ts[-1] > tape.session.close_ns - 60 * NS_PER_S, "it goes on"
    markets = Markets(market, 2, DAY, 1)
    markets.advance(markets.session.close_ns)
    exchange = SimulatedExchange(market, DAY, 1)
    exchange.advance(exchange.session.open_ns + 500 * NS_PER_S)
    lowest, highest = market.grid()
    for side, ticks in ((1, lowest + 2), (-1, highest - 2)):
        exchange.submit(side, 300, round(ticks * market.tick, 2))
    exchange.advance(exchange.session.close_ns)
    assert exchange.now == exchange.session.close_ns


@many_events
def test_a_gap_is_made_once_both_sides_are_shown() -> None:
    """Whatever comes between: halts, news, the next regime."""
    sparse = MarketSettings(
        **HOURS, limit_bid_per_s=0.003, limit_ask_per_s=0.003, market_buy_per_s=0.02,
        market_sell_per_s=0.02, cancel_per_s=0.02, halts=Halts(per_h=100.0, mean_s=5.0),
        jumps=Jumps(per_h=20.0), opening_depth=0.0, placement=OWN,
        regimes=(Regime(name="n"), Regime(name="g", gap_ticks=-300), Regime(name="after")),
        sequence=((600.0, "g"), (630.0, "after")),
    )  # fmt: skip
    fell, waited = [], 0
    for seed in range(40):
        tape = simulate_day(sparse, DAY, seed)
        mid, since = tape.mid_ticks(), (tape.events.ts - tape.session.open_ns) / NS_PER_S
        before = mid[(since < 600.0) & np.isfinite(mid)]
        after = mid[(since > 600.0) & np.isfinite(mid)]
        waited += bool(np.isnan(mid[since < 600.0][-1]))
        if len(before) and len(after):
            fell.append(after.min() - before[-1])
    assert waited > 10, "mostly one side is missing then"
    assert np.mean(np.array(fell) < -150.0) > 0.8


# --- what cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"regimes": [{"name": "a", "limit": -1}]}, r"regimes\[0\].limit: -1 does not fit; give a"),
        ({"regimes": [{"name": "a", "bids": -1}]}, r"regimes\[0\].bids: -1 does not fit; give a"),
        ({"regimes": [{"name": "a", "limt": 1}]}, r"regimes\[0\].limt: unknown key; did you mean"),
        ({"regimes": [{"limit": 1}]}, r"regimes\[0\].name: missing"),
        ({"regimes": "nmed"}, "regimes: 'nmed' does not fit"),
        ({"regimes": [3]}, r"regimes\[0\]: 3 is not a group"),
        ({"regimes": [{"name": "a", "spread": 0}]}, r"regimes\[0\].spread: 0 does not fit; give"),
        ({"regimes": [{"name": "a", "size": 0}]}, r"regimes\[0\].size: 0 does not fit; give"),
        ({"regimes": [{"name": "a", "drift_ticks_per_s": math.nan}]}, r"drift_ticks_per_s: nan is"),
        ({"regimes": [{"name": "a"}, {"name": "a"}]}, "regimes: 'a' is given twice"),
        ({"regimes": [{"name": "a", "cancel": 0}]}, "regimes.cancel: 0 of 'a' lets too many"),
        ({"regimes": [{"name": "a", "limit": 999}]}, "regimes.limit: 'a' makes a session of too"),
        ({"sequence": [[0, "x"]]}, r"sequence: 'x' is not among the regimes \(normal\)"),
        ({"regimes": "named", "sequence": [[5, "thin"], [3, "news"]]},
         "sequence: 'news' at 3 s does not come after 5 s"),
        ({"regimes": "named", "sequence": [[5, "thin"], [5, "news"]]}, "'news' at 5 s does not"),
        ({"regimes": "named", "sequence": [[23400, "thin"]]}, "at 23400 s is not in the session"),
        ({"regimes": "named", "sequence": [[-1, "thin"]]}, "sequence: .* does not fit"),
        ({"regimes": "named", "sequence": [["a", "thin"]]}, "sequence: .* does not fit"),
        ({"opening_spread_ticks": 10**7}, "opening_spread_ticks: 10000000 does not fit between"),
        ({"market_buy_per_s": -0.1}, "market_buy_per_s: -0.1 does not fit"),
        ({"cancel_per_s": 0.0}, "cancel_per_s: 0.0 does not fit"),
        ({"excitation": {"half_lives_s": [1], "same": [[[0.9] * 3] * 3],
                         "other": [[[0.0] * 3] * 3]}}, "excitation.same: .* ratio of 2.7"),
    ],
)  # fmt: skip
def test_impossible_regimes_are_one_line(raw: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        from_dict(raw, MarketSettings)
    assert "\n" not in str(error.value)


def test_a_regime_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="regime: 'x' is not among the regimes"):
        MarketSettings().in_regime("x")
