"""Scenarios on a tape: each does what it says, and what comes out is the history of a book."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.test_flow import many_events
from paceline.engine.flow_settings import Halts, Jumps, Placement
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.errors import ConfigError
from paceline.market import events as ev
from paceline.market.tape import Tape
from paceline.stress.carrying import carry
from paceline.stress.facts import course_of, facts_of
from paceline.stress.on_tape import stress_tape
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
from paceline.stress.scenario import shipped
from paceline.units import NS_PER_S
from stress.days import DAY, OWN, Queues, two_hours, under, with_levels

HOUR = 3600.0


def mid_at(tape: Tape, after_s: float) -> float:
    at = tape.index_at(tape.session.open_ns + round(after_s * NS_PER_S)) - 1
    return float(tape.mid_ticks()[at])


def last_of_instants(tape: Tape) -> NDArray[np.int64]:
    return np.flatnonzero(np.append(np.diff(tape.events.ts) > 0, True))


def touches(tape: Tape, ts: NDArray[np.int64]) -> NDArray[np.float64]:
    """`[n, 2]` best bid and ask at `ts`."""
    at = np.searchsorted(tape.events.ts, ts, side="right") - 1
    return np.stack([tape.bid_ticks()[at], tape.ask_ticks()[at]], axis=1)


# --- each part does what it says -----------------------------------------------------------------


@many_events
@pytest.mark.parametrize("times", [0.5, 2.0, 3.0])
def test_volatility_is_multiplied(times: float) -> None:
    """A minute's standard deviation, from 2 x 120 moves: known to a share of 1 / sqrt(2 n) on each
    day, but both days make the same moves, so what differs is what the shift lags behind: at most
    half a spread, twice, of a move."""
    for seed in (1, 2):
        calm = two_hours(seed)
        stressed = facts_of(stress_tape(calm, under(Volatility(times=times))))
        before = facts_of(calm)
        lag = max(before.spread_ticks / 2, 1.0) / before.volatility_ticks
        ratio = stressed.volatility_ticks / before.volatility_ticks
        assert ratio == pytest.approx(times, abs=abs(times - 1) * lag)
        assert stressed.spread_ticks == pytest.approx(before.spread_ticks, rel=0.02)
        assert stressed.volume_lots == before.volume_lots
        assert stressed.depth_lots == pytest.approx(before.depth_lots, rel=0.001)


@many_events
def test_a_crash_falls_and_stays() -> None:
    calm = two_hours()
    tape = stress_tape(calm, under(Crash(fall=0.1, start_s=HOUR, length_s=300.0)))
    before = mid_at(calm, HOUR)
    for after_s, fallen in ((HOUR - 1, 0.0), (HOUR + 150, 0.05), (HOUR + 300, 0.1), (7190, 0.1)):
        moved = mid_at(tape, after_s) - mid_at(calm, after_s)
        # A tick of rounding, and what the line does until the next event.
        assert moved == pytest.approx(-fallen * before, abs=1 + 0.1 * before / 300 * 5)
    assert facts_of(tape).volume_lots == facts_of(calm).volume_lots


@many_events
def test_a_flash_crash_comes_back() -> None:
    calm = two_hours()
    part = FlashCrash(fall=0.05, recovers=0.8, start_s=HOUR, length_s=60.0, recovery_s=240.0)
    tape = stress_tape(calm, under(part))
    before = mid_at(calm, HOUR)
    for after_s, fallen in (
        (HOUR + 60, 0.05),
        (HOUR + 180, 0.03),
        (HOUR + 301, 0.01),
        (7100, 0.01),
    ):
        moved = mid_at(tape, after_s) - mid_at(calm, after_s)
        assert moved == pytest.approx(-fallen * before, abs=1 + 0.05 * before / 60 * 5)


@many_events
@pytest.mark.parametrize("times", [1.5, 2.0, 4.0])
def test_the_spread_is_multiplied_and_the_mid_stays(times: float) -> None:
    calm = two_hours()
    tape = stress_tape(calm, under(Spread(times=times)))
    before, after = facts_of(calm), facts_of(tape)
    assert after.spread_ticks / before.spread_ticks == pytest.approx(times, rel=0.03)
    assert after.volatility_ticks == pytest.approx(before.volatility_ticks, rel=0.1)
    assert after.volume_lots == before.volume_lots


@many_events
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_orders_are_missing(share: float) -> None:
    calm = two_hours()
    begin, until = calm.session.open_ns, calm.session.close_ns
    tape = stress_tape(calm, under(Depth(share=share), seed=3))
    orders = [np.sum(t.events.kind == ev.ADD) for t in (calm, tape)]
    noise = 4 * math.sqrt(share * (1 - share) / orders[0])
    assert orders[1] / orders[0] == pytest.approx(share, abs=noise)
    before, after = facts_of(calm, begin, until), facts_of(tape, begin, until)
    # A few hundred orders rest at a time, and stay a minute.
    assert after.depth_lots / before.depth_lots == pytest.approx(share, rel=0.1)
    assert after.spread_ticks > before.spread_ticks


@many_events
def test_orders_come_back_when_it_is_over() -> None:
    calm = two_hours()
    tape = stress_tape(calm, under(Depth(share=0.2, start_s=HOUR, length_s=600.0)))
    same = course_of(calm, 24), course_of(tape, 24)
    share = same[1].depth / same[0].depth
    np.testing.assert_array_equal(share[:12], 1.0)
    np.testing.assert_allclose(share[12:14], 0.2, atol=0.1)
    np.testing.assert_allclose(share[16:], 1.0, atol=0.02)


@many_events
@pytest.mark.parametrize(("side", "share"), [("sell", 0.85), ("buy", 0.7), ("sell", 1.0)])
def test_market_orders_turn(side: str, share: float) -> None:
    calm = two_hours()
    tape = stress_tape(calm, under(OneSided(side=side, share=share)))  # type: ignore[arg-type]
    sells = facts_of(tape).sell_share
    n = 1500
    assert (sells if side == "sell" else 1 - sells) == pytest.approx(
        share, abs=4 * math.sqrt(share * (1 - share) / n) + 0.005
    )
    assert facts_of(tape).volume_lots == pytest.approx(facts_of(calm).volume_lots, rel=0.03)


@many_events
def test_nothing_happens_in_a_halt_and_the_price_comes_back_lower() -> None:
    calm = two_hours()
    tape = stress_tape(calm, under(Halt(start_s=HOUR, length_s=300.0, gap=-0.03)))
    begin = tape.session.open_ns + 3600 * NS_PER_S
    until = begin + 300 * NS_PER_S
    events = tape.events
    inside = (events.ts >= begin) & (events.ts < until)
    assert events.kind[inside].tolist() == [ev.HALT]
    assert events.ts[inside][0] == begin
    (resume,) = np.flatnonzero(events.kind == ev.RESUME)
    assert events.ts[resume] == until
    assert facts_of(tape).halted_s == 300.0
    assert mid_at(tape, 3899.9) == mid_at(calm, 3599.99)
    gap = mid_at(tape, 3900.0) - mid_at(calm, 3899.99)
    assert gap == pytest.approx(-0.03 * mid_at(calm, 3600), abs=1)
    cross = events.qty[events.kind == ev.CROSS].sum()
    was = (calm.events.ts >= begin) & (calm.events.ts < until)
    was &= np.isin(calm.events.kind, (ev.EXECUTE, ev.HIDDEN))
    assert cross == calm.events.qty[was].sum() > 0


def test_delays_are_no_part_of_a_tape() -> None:
    calm = simulate_day(MarketSettings(open_s=0.0, close_s=60.0), DAY, 1)
    assert stress_tape(calm, under(Latency(), StaleFeed(start_s=10.0))) is calm


@many_events
def test_on_a_book_without_orders() -> None:
    calm = with_levels(two_hours())
    assert not calm.has_orders
    before = facts_of(calm)
    crashed = stress_tape(calm, under(Crash(fall=0.1, start_s=HOUR, length_s=300.0)))
    assert mid_at(crashed, 4000) - mid_at(calm, 4000) == pytest.approx(-0.1 * mid_at(calm, 3600), 1)
    wide = facts_of(stress_tape(calm, under(Spread(times=2.0))))
    assert wide.spread_ticks / before.spread_ticks == pytest.approx(2.0, rel=0.03)
    thin = facts_of(stress_tape(calm, under(Depth(share=0.25))))
    assert thin.depth_lots / before.depth_lots == pytest.approx(0.25, rel=0.02)
    sold = facts_of(stress_tape(calm, under(OneSided(side="sell", share=0.9))))
    assert sold.sell_share == pytest.approx(0.9, abs=0.04)
    for tape in (crashed, stress_tape(calm, under(Volatility(times=2.0)))):
        check_history(tape, every=97)


# --- what comes out is a book's history ----------------------------------------------------------


def check_history(tape: Tape, every: int = 1) -> Queues:
    """Every event fits the book; it is never crossed; returns the book at the end."""
    book = Queues(tape)
    for i in range(len(tape)):
        book.take(i)
        if i % every == 0:
            bid, ask = book.touch()
            assert bid is None or ask is None or bid < ask
    assert np.all(np.diff(tape.events.ts) >= 0)
    assert np.all(tape.level_ticks >= 1)
    known = np.isfinite(tape.mid_ticks())
    assert np.all((tape.bid_ticks() < tape.ask_ticks())[known])
    return book


small = st.builds(
    MarketSettings,
    open_s=st.just(0.0), close_s=st.just(60.0), start_price=st.sampled_from([0.3, 1.0, 50.0]),
    limit_bid_per_s=st.sampled_from([1.0, 3.0]), limit_ask_per_s=st.sampled_from([1.0, 3.0]),
    market_buy_per_s=st.sampled_from([0.0, 0.5]), market_sell_per_s=st.sampled_from([0.1, 0.5]),
    cancel_per_s=st.sampled_from([0.05, 0.2]),
    placement=st.sampled_from([Placement(), OWN, Placement(reach_ticks=3)]),
    jumps=st.builds(Jumps, per_h=st.sampled_from([0.0, 300.0])),
    halts=st.builds(Halts, per_h=st.sampled_from([0.0, 100.0]), mean_s=st.just(3.0)),
    order_tick=st.sampled_from([None, 0.05]),
)  # fmt: skip
at = {
    "start_s": st.sampled_from([0.0, 10.0, 37.5]),
    "length_s": st.sampled_from([0.5, 20.0, 100.0]),
}
parts = st.one_of(
    st.builds(Volatility, times=st.floats(0.2, 6.0), **at),
    st.builds(Crash, fall=st.floats(-0.4, 0.4), **at),
    st.builds(FlashCrash, fall=st.floats(-0.3, 0.3), recovery_s=st.floats(0.1, 30.0), **at),
    st.builds(Spread, times=st.floats(1.0, 9.0), **at),
    st.builds(Depth, share=st.floats(0.05, 1.0), **at),
    st.builds(OneSided, side=st.sampled_from(["buy", "sell"]), share=st.floats(0.5, 1.0), **at),
    st.builds(Halt, gap=st.floats(-0.3, 0.3), **at),
)


@settings(max_examples=40, deadline=None)
@given(small, st.integers(0, 99), st.lists(parts, min_size=1, max_size=3), st.booleans())
def test_any_scenario_leaves_a_book(market, seed, chosen, by_level) -> None:
    calm = simulate_day(market, DAY, seed)
    if by_level:
        calm = with_levels(calm)
    scenario = under(*chosen, seed=seed)
    try:
        tape = stress_tape(calm, scenario)
    except ConfigError as error:
        if "never shows two sides" in str(error):
            reject()  # so thin that one is never there: it is told, and is no book
        raise
    check_history(tape)
    assert tape.session == calm.session
    again = stress_tape(calm, scenario)
    assert again.manifest.tape_id == tape.manifest.tape_id


@settings(max_examples=40, deadline=None)
@given(
    small,
    st.integers(0, 99),
    st.lists(st.tuples(st.integers(-30, 30), st.integers(0, 9)), min_size=1, max_size=6),
    st.booleans(),
)
def test_the_touch_is_carried_and_queues_keep_their_order(market, seed, steps, by_level) -> None:
    """After every instant the touch is the old one plus the shifts, and at the end all orders that
    stood at one price still do, one behind the other as before."""
    calm = simulate_day(market, DAY, seed)
    if by_level:
        calm = with_levels(calm)
    n, step = len(calm), calm.instrument.order_step
    lowest = int(calm.level_ticks.min())
    room = (lowest - 1) // step  # no price is cut at 1
    common = np.repeat([max(c, 9 - room) for c, _ in steps], -(-n // len(steps)))[:n]
    wide = np.repeat([w for _, w in steps], -(-n // len(steps)))[:n]
    if room < 12:
        return
    wanted = np.stack([common - np.minimum(wide, 2), common + wide], axis=1) * float(step)
    tape = Tape.compile(carry(calm, wanted), calm.instrument, calm.session)
    last = last_of_instants(calm)
    found = touches(tape, calm.events.ts[last])
    expected = touches(calm, calm.events.ts[last]) + wanted[last]
    np.testing.assert_array_equal(found, expected)
    before, after = check_history(calm), check_history(tape)
    assert after.left == before.left
    for queue in before.queues.values():
        if queue:
            (place,) = {after.at[slot] for slot in queue}
            new = after.queues[place]
            ranks = [new.index(slot) for slot in queue]
            assert ranks == sorted(ranks)


@settings(max_examples=30, deadline=None)
@given(small, st.integers(0, 99), st.floats(0.0, 1.0))
def test_orders_that_stay_are_untouched(market, seed, share) -> None:
    """Thinning leaves out whole orders and nothing else."""
    calm = simulate_day(market, DAY, seed)
    tape = stress_tape(calm, under(Depth(share=max(share, 0.01)), seed=seed))
    told = {tuple(row) for row in zip(*told_of(calm), strict=True)}
    left_out = len(calm) - len(tape)
    extra = [row for row in zip(*told_of(tape), strict=True) if tuple(row) not in told]
    assert all(row[1] == ev.DELETE for row in extra), "they leave as it begins"
    assert left_out >= -len(extra)


def told_of(tape: Tape) -> list[list[int]]:
    events = tape.events
    ticks = np.where(events.level >= 0, tape.level_ticks[np.maximum(events.level, 0)], 0)
    return [
        column.tolist()
        for column in (events.ts, events.kind, events.side, ticks, events.qty, events.slot)
    ]


# --- together ------------------------------------------------------------------------------------


@many_events
def test_parts_are_applied_in_their_order() -> None:
    """A spread that is doubled and then tripled is six times as wide; volatility that is doubled
    after a fall makes the fall twice as deep, and before it, does not."""
    calm = two_hours()
    six = facts_of(stress_tape(calm, under(Spread(times=2.0), Spread(times=3.0))))
    assert six.spread_ticks / facts_of(calm).spread_ticks == pytest.approx(6.0, rel=0.05)
    fall, wild = Crash(fall=0.05, start_s=HOUR, length_s=60.0), Volatility(times=2.0)
    before = mid_at(calm, HOUR)
    first, last = (
        (mid_at(tape, HOUR + 70) - mid_at(tape, HOUR - 1)) / before
        for tape in (stress_tape(calm, under(fall, wild)), stress_tape(calm, under(wild, fall)))
    )
    assert first == pytest.approx(-0.1, abs=0.005)
    assert last == pytest.approx(-0.05, abs=0.005)


@many_events
def test_seeds_and_names() -> None:
    calm = two_hours()
    ids = [
        stress_tape(calm, under(Depth(share=0.5), seed=seed)).manifest.tape_id for seed in (1, 1, 2)
    ]
    assert ids[0] == ids[1] != ids[2]
    tape = stress_tape(calm, shipped()["crash"])
    assert tape.manifest.made_by.endswith("scenario crash")
    assert tape.manifest.sources == calm.manifest.sources


def test_a_part_outside_the_session_is_one_line() -> None:
    calm = simulate_day(MarketSettings(open_s=0.0, close_s=60.0), DAY, 1)
    for part in (Crash(), Latency(start_s=60.0), Depth(start_s=61.0)):
        with pytest.raises(
            ConfigError, match=r"start_s: \d+ s is not in the session of 2024-01-02"
        ):
            stress_tape(calm, under(part))
