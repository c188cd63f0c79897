"""What a market has been doing: against a slow count, whenever one begins to listen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.flows import examples
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.market.events import ADD, BID, DELETE, EXECUTE, HIDDEN, REDUCE, TRADE
from paceline.market.tape import Tape
from paceline.market.watch import (
    COUNTED,
    MOVES,
    PRINTS,
    SQUARES,
    TRADES,
    WINDOWS_S,
    Watch,
    begin,
    begin_at,
    look_back,
    new_watch,
    note_rows,
)
from paceline.units import NS_PER_S


@pytest.fixture(scope="module")
def tape() -> Tape:
    market = MarketSettings(
        close_s=34_200.0 + 1_800.0, limit_bid_per_s=2.0, limit_ask_per_s=2.0, cancel_per_s=0.1
    )
    return simulate_day(market, "2024-01-02", 3)


def at(tape: Tape, from_s: float, to_s: float) -> Watch:
    """A watch that has listened from one second after the open to another."""
    watch, open_ns = new_watch(), tape.session.open_ns
    start, end = open_ns + round(from_s * NS_PER_S), open_ns + round(to_s * NS_PER_S)
    first, stop = np.searchsorted(tape.events.ts, (start, end + 1))
    begin_at(watch, tape.events, tape.level_ticks, first, start)
    note_rows(watch, tape.events, tape.level_ticks, first, stop)
    look_back(watch, end)
    return watch


def slowly(tape: Tape, from_s: float, to_s: float) -> np.ndarray:
    """The same sums, counted anew for every window."""
    open_ns, events = tape.session.open_ns, tape.events
    start, end = open_ns + round(from_s * NS_PER_S), open_ns + round(to_s * NS_PER_S)
    sums = np.zeros((len(WINDOWS_S), COUNTED), np.int64)
    for window, length in enumerate(WINDOWS_S):
        begins = max((end // NS_PER_S - length + 1) * NS_PER_S, start)
        rows = [i for i in range(len(events.ts)) if begins <= events.ts[i] <= end]
        for i in rows:
            kind, bid_side = events.kind[i], events.side[i] == BID
            if kind == ADD:
                sums[window, 0 if bid_side else 1] += 1
            elif kind in (DELETE, REDUCE):
                sums[window, 2 if bid_side else 3] += 1
            elif kind in (EXECUTE, HIDDEN, TRADE):
                sums[window, TRADES] += 1
                sums[window, 5 if bid_side else 4] += events.qty[i]
        last = {}
        for i in range(len(events.ts)):
            if events.ts[i] <= end:
                last[events.ts[i]] = 2 * tape.mid_ticks()[i]
        before = None
        for ts, twice in last.items():
            if np.isnan(twice):
                continue
            if before is not None and twice != before and ts >= begins:
                sums[window, MOVES] += 1
                sums[window, SQUARES] += int((twice - before) ** 2)
            before = twice
    return sums


@pytest.mark.parametrize(("from_s", "to_s"), [(0, 7), (0, 400), (31.5, 62.25), (900, 1799)])
def test_sums_are_those_of_a_slow_count(tape: Tape, from_s: float, to_s: float) -> None:
    found = at(tape, from_s, to_s)
    np.testing.assert_array_equal(found.sums, slowly(tape, from_s, to_s))


@examples(30)
@given(st.floats(0, 1_000), st.floats(300, 700))
def test_it_says_the_same_whenever_it_began(tape: Tape, from_s: float, later: float) -> None:
    """Since the open, or for a little more than five minutes."""
    short, whole = at(tape, from_s, from_s + later), at(tape, 0, from_s + later)
    np.testing.assert_array_equal(short.sums, whole.sums)
    assert short.clock[0]["bid"] == whole.clock[0]["bid"]
    assert short.clock[0]["twice_mid"] == whole.clock[0]["twice_mid"]


@examples(30)
@given(st.lists(st.floats(0, 1_799), max_size=20))
def test_looking_changes_nothing(tape: Tape, looks: list[float]) -> None:
    whole, looked = at(tape, 0, 1_799), new_watch()
    begin(looked, tape.session.open_ns)
    done = 0
    for look in [*sorted(looks), 1_799.0]:
        ts = tape.session.open_ns + round(look * NS_PER_S)
        stop = int(np.searchsorted(tape.events.ts, ts + 1))
        note_rows(looked, tape.events, tape.level_ticks, done, stop)
        look_back(looked, ts)
        done = stop
    for mine, theirs in zip(looked, whole, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_prints_are_the_last_ones(tape: Tape) -> None:
    watch = at(tape, 0, 1_700)
    events = tape.events
    prints = np.flatnonzero(
        np.isin(events.kind, (EXECUTE, HIDDEN))
        & (events.ts <= tape.session.open_ns + 1_700 * 10**9)
    )
    assert watch.clock[0]["n_prints"] == len(prints)
    for k in range(PRINTS):
        row, i = watch.prints[(len(prints) - 1 - k) % PRINTS], prints[-1 - k]
        assert (row["ts"], row["lots"], row["sign"]) == (
            events.ts[i],
            events.qty[i],
            -events.side[i],
        )
        assert row["ticks"] == tape.level_ticks[events.level[i]]
