"""The flow's laws: excitation, queues, large orders, jumps, halts, hours, regimes."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from paceline.engine.flow_settings import (
    Excitation,
    Halts,
    Histogram,
    Jumps,
    Metaorders,
    Placement,
    QueueReaction,
    Sizes,
    SpreadReaction,
    Tempo,
)
from paceline.engine.laws import QUEUES, STREAMS
from paceline.engine.market_settings import MarketSettings
from paceline.engine.regimes import Regime
from paceline.engine.simulator import Simulator, simulate_day
from paceline.errors import ConfigError
from paceline.market.events import ADD, DELETE, EXECUTE, HALT, HIDDEN, REDUCE, RESUME, Rows
from paceline.units import NS_PER_S

DAY = "2024-01-02"

many_events = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"),
    reason="hours of market; that the interpreter makes the same ones is a test of its own",
)
HOUR = {"open_s": 34_200.0, "close_s": 37_800.0}
# Few cancels are brought about, so that the book never runs empty.
CALM = ((0.2, 0.05, 0.03), (0.3, 0.2, 0.05), (0.15, 0.0, 0.1))
CROSS = ((0.0, 0.02, 0.01), (0.1, 0.0, 0.02), (0.05, 0.02, 0.0))
SLOW = ((0.1, 0.05, 0.03),) * 3
FAINT = ((0.03, 0.01, 0.01),) * 3
EXCITED = Excitation(half_lives_s=(0.02, 2.0), same=(CALM, SLOW), other=(CROSS, FAINT))
U_SHAPE = (2.0, 1.0, 0.5, 1.5)


def rows_of(market: MarketSettings, seed: int = 5) -> Rows:
    simulator = Simulator(market, DAY, seed)
    return simulator.advance(simulator.session.close_ns)


def arrivals(rows: Rows, open_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times and streams of what arrived after the open; a market order counts once."""
    takes = np.isin(rows.kind, (EXECUTE, HIDDEN))
    again = np.zeros(len(rows.ts), bool)
    again[1:] = takes[1:] & takes[:-1] & (rows.ts[1:] == rows.ts[:-1])
    what = np.select(
        [rows.kind == ADD, takes, np.isin(rows.kind, (DELETE, REDUCE))], [0, 1, 2], default=-1
    )
    keep = (rows.ts > open_ns) & ~again & (what >= 0)
    return rows.ts[keep], (2 * what + (rows.side < 0))[keep]


# --- excitation ----------------------------------------------------------------------------------


def compensated(
    market: MarketSettings, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Integral of the total rate from arrival to arrival, worked out slowly from the settings; the
    shares of all streams in the rate at each arrival; and its stream."""
    simulator = Simulator(market, DAY, seed)
    session = simulator.session
    rows = simulator.advance(session.close_ns)
    ts, streams = arrivals(rows, session.open_ns)
    base = [
        market.limit_bid_per_s, market.limit_ask_per_s, market.market_sell_per_s,
        market.market_buy_per_s, market.cancel_per_s, market.cancel_per_s,
    ]  # fmt: skip
    norms = market.excitation.norms()
    decay = [math.log(2) / life for life in market.excitation.half_lives_s]
    heat = np.zeros((len(decay), STREAMS))
    day = market.day or (1.0,)
    bin_s = (session.close_ns - session.open_ns) / NS_PER_S / len(day)

    left: dict[int, int] = {}
    live = [0, 0]
    side_of: dict[int, int] = {}
    at = 0
    waits, shares = [], []
    last = session.open_ns
    for when, stream in zip(ts.tolist(), streams.tolist(), strict=True):
        while at < len(rows.ts) and rows.ts[at] < when:
            at = take(rows, at, left, live, side_of)
        # From `last` to `when`, bin by bin, on a book that stands still.
        area, since = 0.0, last
        while since < when:
            b = min(int((since - session.open_ns) / NS_PER_S / bin_s), len(day) - 1)
            ends = session.open_ns + round((b + 1) * bin_s * NS_PER_S)
            until = when if b == len(day) - 1 else min(when, ends)
            span = (until - since) / NS_PER_S
            rates = np.array(base) * day[b]
            rates[4:] *= live
            area += rates.sum() * span
            for m, beta in enumerate(decay):
                area += heat[m].sum() * (1 - math.exp(-beta * span)) / beta
                heat[m] *= math.exp(-beta * span)
            since = until
        waits.append(area)
        now = rates + heat.sum(axis=0)
        shares.append(now / now.sum())
        for m, beta in enumerate(decay):
            heat[m] += norms[m, stream] * beta
        while at < len(rows.ts) and rows.ts[at] == when:
            at = take(rows, at, left, live, side_of)
        last = when
    return np.array(waits), np.array(shares), streams


def take(
    rows: Rows, at: int, left: dict[int, int], live: list[int], side_of: dict[int, int]
) -> int:
    """Let one row change what rests."""
    slot, lots = int(rows.slot[at]), int(rows.lots[at])
    if rows.kind[at] == ADD:
        left[slot] = lots
        side_of[slot] = int(rows.side[at] < 0)
        live[side_of[slot]] += 1
    elif slot >= 0:
        left[slot] -= lots
        if left[slot] == 0:
            live[side_of[slot]] -= 1
    return at + 1


@many_events
@pytest.mark.parametrize("day", [(), U_SHAPE])
def test_times_are_those_of_a_hawkes_process(day: tuple[float, ...]) -> None:
    """Time-rescaling theorem (Brown et al. 2002): between arrivals the integral of the rate is
    exponential with mean 1 and without memory; and each stream comes as often as its rate says."""
    market = MarketSettings(
        **HOUR, excitation=EXCITED, day=day, limit_bid_per_s=1.3, market_buy_per_s=0.2
    )
    waits, shares, streams = compensated(market, seed=4)
    n = len(waits)
    assert n > 15_000
    assert abs(waits.mean() - 1) < 4 / math.sqrt(n)
    expected = 1 - np.exp(-np.sort(waits))
    ranks = np.arange(n + 1) / n
    distance = max(np.abs(expected - ranks[1:]).max(), np.abs(expected - ranks[:-1]).max())
    assert distance < 1.63 / math.sqrt(n)  # Kolmogorov-Smirnov at 1 %
    assert abs(np.corrcoef(waits[:-1], waits[1:])[0, 1]) < 4 / math.sqrt(n)
    for stream in range(STREAMS):
        mean = shares[:, stream].sum()
        spread = (shares * (1 - shares))[:, stream].sum()
        assert abs((streams == stream).sum() - mean) < 4 * math.sqrt(spread)


@many_events
def test_one_arrival_brings_as_many_as_its_norm() -> None:
    """Limit orders alone: mean rate over base rate is 1 / (1 - branching)."""
    only = ((0.5, 0.0, 0.0), (0.0,) * 3, (0.0,) * 3)
    none = ((0.0,) * 3,) * 3
    excitation = Excitation(half_lives_s=(0.5,), same=(only,), other=(none,))
    assert excitation.branching() == pytest.approx(0.5)
    market = MarketSettings(**HOUR, excitation=excitation, limit_bid_per_s=3.0)
    rows = rows_of(market)
    ts, streams = arrivals(rows, int(rows.ts[0]))
    count = int((streams == 0).sum())
    assert count == pytest.approx(3.0 * 3600 * 2, rel=0.05)
    per_s = np.bincount(((ts[streams == 0] - rows.ts[0]) // NS_PER_S).astype(int), minlength=3600)
    assert per_s.var() / per_s.mean() > 1.5, "clustered"


def test_warmth_is_the_sum_of_heat() -> None:
    market = MarketSettings(**HOUR, excitation=EXCITED)
    simulator = Simulator(market, DAY, 1)
    simulator.advance(simulator.session.open_ns + 60 * NS_PER_S)
    flow = simulator.market.flow
    assert flow.clock[0]["now"] > simulator.session.open_ns
    assert np.all(flow.warmth > 0)
    np.testing.assert_allclose(flow.warmth, flow.heat.sum(axis=1), rtol=1e-9)


# --- queues, sizes, places -----------------------------------------------------------------------


@many_events
def test_arrivals_follow_the_queue_at_the_touch() -> None:
    """Market orders come four times as often on queues below the usual, never on longer ones."""
    below = tuple(4.0 if bucket < QUEUES // 2 else 0.0 for bucket in range(QUEUES))
    market = MarketSettings(
        **HOUR, reaction=QueueReaction(usual_lots=400.0, market=below), market_buy_per_s=0.5,
        market_sell_per_s=0.5,
    )  # fmt: skip
    tape = simulate_day(market, DAY, 3)
    events = tape.events
    takes = np.flatnonzero(events.kind == EXECUTE)
    takes = takes[np.r_[True, np.diff(events.ts[takes]) > 0]]  # the first row of each
    shown = touch_lots(tape)
    row = (events.side[takes] < 0).astype(int)
    before = shown[takes - 1, row]
    edge = 400.0 * 2 ** ((QUEUES // 2 - QUEUES / 2) / 2)
    assert len(takes) > 300
    assert np.all(before < edge)


@many_events
def test_arrivals_follow_the_spread() -> None:
    """Market orders come at spreads below four ticks alone; limit orders ever faster above it."""
    tension = SpreadReaction(market=(1.0, 1.0, 1.0, 1.0, 0.0), limit=(1.0, 1.0, 1.0, 1.0, 3.0))
    rates = {"market_buy_per_s": 0.8, "market_sell_per_s": 0.8}
    tape = simulate_day(MarketSettings(**HOUR, **rates, tension=tension), DAY, 3)
    events, spread = tape.events, tape.ask_ticks() - tape.bid_ticks()
    takes = np.flatnonzero(events.kind == EXECUTE)
    takes = takes[np.r_[True, np.diff(events.ts[takes]) > 0]]
    assert len(takes) > 1000
    before = spread[takes - 1]
    assert np.all((before < 4) | np.isnan(before))
    held = np.diff(events.ts) / NS_PER_S
    adds = (events.kind == ADD)[1:]
    per_s = {
        wide: adds[at].sum() / held[at].sum()
        for wide, at in ((False, spread[:-1] < 4), (True, spread[:-1] >= 4))
    }
    assert per_s[True] / per_s[False] == pytest.approx(3.0, rel=0.1)


@many_events
def test_a_cancel_that_was_brought_about_finds_an_order() -> None:
    """Most orders stand where cancels are rare, and yet each limit order brings half a cancel: it
    is followed by one at once as often as a Poisson count of mean 1/2 is above 0."""
    only = ((0.0, 0.0, 0.5), (0.0,) * 3, (0.0,) * 3)
    market = MarketSettings(
        **HOUR, patience=(1.0, 0.1), cancel_per_s=0.01, market_buy_per_s=0.5, market_sell_per_s=0.5,
        excitation=Excitation(half_lives_s=(0.002,), same=(only,), other=(NONE,)),
    )  # fmt: skip
    rows = rows_of(market)
    ts, streams = arrivals(rows, int(rows.ts[0]))
    cancels = ts[streams >= 4]
    limits = ts[streams < 2]
    after = np.searchsorted(cancels, limits + NS_PER_S // 50) - np.searchsorted(cancels, limits)
    assert np.mean(after > 0) == pytest.approx(1 - math.exp(-0.5), abs=0.03)


def touch_lots(tape: Any) -> NDArray[np.int64]:
    """`[n, 2]` lots at the touch of both sides after every event."""
    events = tape.events
    found = np.zeros((len(tape), 2), np.int64)
    sizes: dict[tuple[int, int], int] = {}
    for i in range(len(tape)):
        kind, side, level = int(events.kind[i]), int(events.side[i]), int(events.level[i])
        if kind == ADD:
            sizes[side, level] = sizes.get((side, level), 0) + int(events.qty[i])
        elif events.slot[i] >= 0:
            sizes[side, level] -= int(events.qty[i])
        found[i] = [
            sizes.get((1, int(events.bid[i])), 0), sizes.get((-1, int(events.ask[i])), 0)
        ]  # fmt: skip
    return found


@many_events
def test_orders_are_placed_from_their_own_side() -> None:
    placement = Placement(
        anchor="own",
        histogram=Histogram(edges=(0, 1, 3, 11), weights=(0.5, 0.3, 0.2)),
        improve=(0.0, 0.2, 0.4),
        inside=Histogram(edges=(1, 2, 4), weights=(0.7, 0.3)),
    )
    market = MarketSettings(**HOUR, placement=placement, limit_bid_per_s=4, limit_ask_per_s=4,
                            market_buy_per_s=3, market_sell_per_s=3)  # fmt: skip
    tape = simulate_day(market, DAY, 3)
    events = tape.events
    adds = np.flatnonzero((events.kind == ADD) & (events.ts > tape.session.open_ns))
    side = events.side[adds]
    bid, ask = tape.bid_ticks()[adds - 1], tape.ask_ticks()[adds - 1]
    own = np.where(side > 0, bid, ask)
    behind = side * (own - tape.level_ticks[events.level[adds]])
    known = np.isfinite(behind) & np.isfinite(ask - bid)
    behind, spread = behind[known].astype(int), (ask - bid)[known].astype(int)
    # At a spread of one tick there is no place inside.
    tight = spread == 1
    assert np.all(behind[tight] >= 0)
    shares = np.bincount(behind[tight], minlength=11)[:11] / tight.sum()
    np.testing.assert_allclose(shares, [0.5, 0.15, 0.15, *[0.025] * 8], atol=0.015)
    wide = spread >= 2
    assert wide.sum() > 500
    assert np.mean(behind[wide] < 0) == pytest.approx(0.4, abs=0.05)
    assert np.all(behind >= -3)


def test_sizes_have_the_tail_they_are_given() -> None:
    weights = Sizes(law="pareto", tail=1.5, max_round_lots=10_000).weights()
    beyond = 1 - np.cumsum(weights)
    assert beyond[99] / beyond[9] == pytest.approx((101 / 11) ** -1.5, rel=0.02)
    seen = Sizes(histogram=Histogram(edges=(2, 4, 8), weights=(1, 2))).weights()
    np.testing.assert_allclose(seen, [0, 1 / 6, 1 / 6, 1 / 6, 1 / 6, 1 / 6, 1 / 6])


# --- signs, jumps, halts, hours, regimes ---------------------------------------------------------


def signs(rows: Rows) -> NDArray[np.float64]:
    """+1 for market orders to buy, -1 to sell, in order."""
    _, streams = arrivals(rows, int(rows.ts[0]))
    return np.where(streams[(streams == 2) | (streams == 3)] == 3, 1.0, -1.0)


def memory(sign: NDArray[np.float64], lag: int) -> float:
    return float(np.mean(sign[:-lag] * sign[lag:]) - sign.mean() ** 2)


@many_events
def test_large_orders_give_signs_their_memory() -> None:
    rates = {"market_buy_per_s": 2.0, "market_sell_per_s": 2.0, "limit_bid_per_s": 8.0,
             "limit_ask_per_s": 8.0}  # fmt: skip
    plain = signs(rows_of(MarketSettings(**rates)))
    noise = 4 / math.sqrt(len(plain))
    assert abs(memory(plain, 1)) < noise
    slow = signs(
        rows_of(MarketSettings(**rates, metaorders=Metaorders(share=0.9, at_work=3, tail=1.5)))
    )
    assert len(slow) > 80_000
    assert memory(slow, 10) > 5 * noise
    assert memory(slow, 100) > 2 * noise
    # Lillo, Mike and Farmer: lag ** (1 - tail), here lag ** -0.5.
    lags = np.array([8, 16, 32, 64, 128])
    slope = np.polyfit(np.log(lags), np.log([memory(slow, lag) for lag in lags]), 1)[0]
    assert -0.9 < slope < -0.2


@many_events
def test_a_jump_moves_both_sides_at_one_instant() -> None:
    market = MarketSettings(**HOUR, jumps=Jumps(per_h=40.0, mean_ticks=60.0))
    tape = simulate_day(market, DAY, 3)
    ts, mid = tape.events.ts, tape.mid_ticks()
    last = np.r_[np.diff(ts) > 0, True]
    moves = np.abs(np.diff(mid[last]))
    calm = simulate_day(MarketSettings(**HOUR), DAY, 3)
    calm_last = np.r_[np.diff(calm.events.ts) > 0, True]
    assert np.nanmax(np.abs(np.diff(calm.mid_ticks()[calm_last]))) < 20
    assert 10 < np.sum(moves > 20) < 60
    spread = (tape.ask_ticks() - tape.bid_ticks())[last]
    assert np.nanmedian(spread[1:][moves > 20]) < 5, "the other side has followed"
    assert not np.any(tape.ask_ticks() <= tape.bid_ticks())


@many_events
def test_nothing_happens_in_a_halt() -> None:
    rows = rows_of(MarketSettings(**HOUR, halts=Halts(per_h=20.0, mean_s=60.0)))
    stops = np.flatnonzero(rows.kind == HALT)
    assert 8 < len(stops) < 40
    assert np.all(rows.kind[stops[stops + 1 < len(rows.ts)] + 1] == RESUME)
    whole = stops[stops + 1 < len(rows.ts)]
    lengths = (rows.ts[whole + 1] - rows.ts[whole]) / NS_PER_S
    assert lengths.mean() == pytest.approx(60, rel=0.6)


@many_events
def test_hours_multiply_the_rates() -> None:
    market = MarketSettings(day=U_SHAPE, limit_bid_per_s=4.0, limit_ask_per_s=4.0)
    rows = rows_of(market)
    adds = rows.ts[(rows.kind == ADD) & (rows.ts > rows.ts[0])]
    length = (market.close_s - market.open_s) * NS_PER_S / 4
    counts = np.bincount(((adds - rows.ts[0]) / length).astype(int), minlength=4)
    np.testing.assert_allclose(counts / (8.0 * length / NS_PER_S), U_SHAPE, rtol=0.02)


@many_events
def test_regimes_last_as_long_as_they_should_and_change_the_flow() -> None:
    calm = Regime(name="calm", mean_s=300.0)
    wild = Regime(name="wild", mean_s=100.0, limit=5.0, cancel=5.0, market=5.0)
    rows = rows_of(MarketSettings(regimes=(calm, wild)))
    per_minute = np.bincount(((rows.ts - rows.ts[0]) // (20 * NS_PER_S)).astype(int))[1:-1]
    slow, fast = np.quantile(per_minute, [0.2, 0.97])
    assert fast / slow > 3.5
    share = np.mean(per_minute > (slow + fast) / 2)
    assert 0.1 < share < 0.45  # a quarter of the time
    only = rows_of(MarketSettings(regimes=(calm,)))
    plain = rows_of(MarketSettings())
    assert len(only.ts) == pytest.approx(len(plain.ts), rel=0.05)


EVERYTHING = MarketSettings(
    open_s=34_200.0, close_s=34_320.0, excitation=EXCITED, day=U_SHAPE,
    reaction=QueueReaction(usual_lots=300.0, cancel=tuple(0.2 + 0.1 * i for i in range(QUEUES)),
                           limit=tuple(2.0 - 0.1 * i for i in range(QUEUES))),
    tension=SpreadReaction(limit=(1.0, 1.0, 2.0), market=(1.0, 0.5)),
    metaorders=Metaorders(share=0.5), jumps=Jumps(per_h=200.0), halts=Halts(per_h=60.0, mean_s=5.0),
    regimes=(Regime(name="a", mean_s=20.0), Regime(name="b", mean_s=9.0, size=2.5, improve=2.0)),
    patience=(1.0, 0.6, 0.3), tempo=Tempo(sd=0.5, half_life_s=16.0),
    placement=Placement(anchor="own", improve=(0.0, 0.1, 0.3, 0.5)),
)  # fmt: skip


def test_everything_at_once_can_be_saved_and_stepped() -> None:
    simulator = Simulator(EVERYTHING, DAY, 9)
    session = simulator.session
    middle = session.open_ns + 50 * NS_PER_S
    first = simulator.advance(middle)
    saved = simulator.save()
    rest = simulator.advance(session.close_ns)
    simulator.restore(saved)
    again = simulator.advance(session.close_ns)
    assert all(np.array_equal(a, b) for a, b in zip(rest, again, strict=True))
    stepped = Simulator(EVERYTHING, DAY, 9)
    parts = [stepped.advance(session.open_ns + k * NS_PER_S) for k in range(121)]
    joined = Rows._make(map(np.concatenate, zip(*parts, strict=True)))
    whole = Rows._make(map(np.concatenate, zip(first, rest, strict=True)))
    assert all(np.array_equal(a, b) for a, b in zip(joined, whole, strict=True))
    assert len(whole.ts) > 300


# --- what cannot be ------------------------------------------------------------------------------

WILD = ((0.9,) * 3,) * 3
NONE = ((0.0,) * 3,) * 3


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Excitation(half_lives_s=(1.0,), same=(WILD,), other=(NONE,)),
         "same: with other it has a branching ratio of 2.7"),
        (lambda: Excitation(half_lives_s=(1.0,)), "same: is not a 3 x 3 matrix for each of 1"),
        (lambda: Excitation(half_lives_s=(1.0,), same=(((-0.1,) * 3,) * 3,), other=(NONE,)),
         "same: "),
        (lambda: Excitation(half_lives_s=(0.0,)), "half_lives_s: "),
        (lambda: QueueReaction(limit=(1.0,)), "limit: has 1 multiples; give 17, or none"),
        (lambda: SpreadReaction(market=(1.0,) * 25), "market: has 25 multiples; give 24 at most"),
        (lambda: Histogram(edges=(1, 1), weights=(1.0,)), "edges: .* do not rise"),
        (lambda: Histogram(edges=(1, 2, 3), weights=(1.0,)), "weights: .* not one for each of 2"),
        (lambda: Histogram(edges=(1, 2), weights=(0.0,)), "weights: "),
        (lambda: Histogram(edges=(0, 10**9), weights=(1.0,)), "edges: span more than"),
        (lambda: Sizes(histogram=Histogram(edges=(0, 2), weights=(1.0,))).weights(),
         "edges: 0 is too small; the law starts at 1"),
        (lambda: Metaorders(tail=1.0), "tail: 1.0 does not fit; give a number above 1"),
        (lambda: Regime(name="a", size=0.0), "size: 0.0 does not fit; give a number above 0"),
        (lambda: MarketSettings(regimes=(Regime(name="a"), Regime(name="a"))),
         "regimes: 'a' is given twice"),
        (lambda: MarketSettings(regimes=(Regime(name="a", leads_to={"b": 1.0}),)),
         "regimes.leads_to: 'b' after 'a' is not among a"),
        (lambda: MarketSettings(limit_bid_per_s=-1.0), "limit_bid_per_s: -1.0 does not fit"),
    ],
)  # fmt: skip
def test_impossible_laws_are_one_line(make: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        make()
    assert "\n" not in str(error.value)


NONE = ((0.0,) * 3,) * 3
SELF = ((0.8, 0.0, 0.0), (0.0, 0.8, 0.0), (0.0, 0.0, 0.8))


def feeding_on_itself(tension: tuple[float, ...]) -> MarketSettings:
    """A flow that the spread makes unstable from time to time, or always."""
    often = SpreadReaction(limit=tension, market=tension, cancel=tension)
    return MarketSettings(
        **HOUR, limit_bid_per_s=0.1, limit_ask_per_s=0.1, market_buy_per_s=0.02,
        market_sell_per_s=0.02, tension=often,
        excitation=Excitation(half_lives_s=(1.0,), same=(SELF,), other=(NONE,), reacts=True),
    )  # fmt: skip


def test_a_flow_that_must_feed_on_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^excitation.reacts: .* ratio of 2.4 at least"):
        feeding_on_itself((3.0,))


@many_events
def test_a_flow_that_feeds_on_itself_at_times_is_bounded() -> None:
    """Heat never stands for more arrivals than it may, and an arrival adds no more than it has."""
    market = feeding_on_itself((1.0, 1.0, 3.0, 3.0, 3.0))
    most = float(market.laws().rates[0]["most_to_come"])
    simulator = Simulator(market, DAY, 5)
    reached = 0.0
    for minute in range(1, 61):
        simulator.advance(simulator.session.open_ns + minute * 60 * NS_PER_S)
        flow, decay = simulator.market.flow, simulator.market.laws.decay
        reached = max(reached, float(np.sum(flow.warmth * flow.scale / decay)))
    assert 0.5 * most < reached <= most + 1.0


@many_events
def test_a_market_begins_as_excited_as_it_goes_on() -> None:
    """Without the heat of what came before, the first minutes would see half of the arrivals."""
    hot = Excitation(half_lives_s=(60.0,), same=(SELF,), other=(NONE,))
    market = MarketSettings(
        **HOUR, limit_bid_per_s=0.2, limit_ask_per_s=0.2, market_buy_per_s=0.02,
        market_sell_per_s=0.02, cancel_per_s=0.01, excitation=hot,
    )  # fmt: skip
    by_part = np.zeros(6)
    for seed in range(60):
        ts, _ = arrivals(rows_of(market, seed), market.session(DAY).open_ns)
        by_part += np.histogram((ts - market.session(DAY).open_ns) / NS_PER_S, 6, (0, 3600))[0]
    # 60 hours of about 150 bursts in ten minutes, each 1 / (1 - 0.8) arrivals and as uneven.
    assert by_part[0] / by_part[1:].mean() == pytest.approx(1.0, abs=0.08)


def test_a_market_begins_with_the_heat_of_its_hour() -> None:
    busy_first = MarketSettings(
        excitation=Excitation(half_lives_s=(1.0,), same=(SELF,), other=(NONE,)), day=(3.0, 1.0)
    )
    warm = busy_first.laws().warm
    assert warm.shape == (2, 1, STREAMS)
    np.testing.assert_allclose(warm[0], 3.0 * warm[1])
    # Each limit order is one of 0.8 / (1 - 0.8) that others have brought about for one of its own.
    assert warm[1, 0, 0] * NS_PER_S == pytest.approx(4.0 * busy_first.limit_bid_per_s)
