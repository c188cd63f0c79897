"""How fast an emptied touch comes back: by hand, censored, and on a law that is known."""

from __future__ import annotations

import numpy as np
import pytest

from paceline.engine.recovery import FEWEST, HORIZON_S, Recovery, fit_recovery, return_times
from paceline.errors import InputError
from paceline.market import events as ev
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_S

from . import flows

BIG = 1_000_000


def tape_of(flow: flows.Flow) -> Tape:
    instrument = Instrument(symbol="T", book_tick=1, order_tick=1)
    session = Session(day="1970-01-01", zone="UTC", open_ns=0, close_ns=flows.ANYWHERE)
    return Tape.compile(flows.rows_of(flow.rows), instrument, session)


def times_of(tape: Tape, horizon: int = BIG) -> list[int]:
    out = np.empty(len(tape), np.int64)
    return out[: return_times(tape.events, horizon, out)].tolist()


def book(*orders: tuple[int, int, int]) -> flows.Flow:
    flow = flows.Flow()
    for side, ticks, lots in orders:
        flow.join(ev.ADD, side, ticks, lots)
    return flow


def test_an_emptied_touch_is_back_when_its_price_is():
    """Bid 104 is traded away at 1010; 103 is no answer, 104 at 1025 is: 15 ns."""
    flow = book((1, 104, 5), (1, 102, 9), (-1, 107, 5))
    flow.ts = 1010
    flow.leave(ev.EXECUTE, (1, 104), 0, 5)
    flow.ts = 1017
    flow.join(ev.ADD, 1, 103, 2)
    flow.ts = 1025
    flow.join(ev.ADD, 1, 104, 1)
    assert times_of(tape_of(flow)) == [15]


def test_a_better_price_and_the_other_side_count_too():
    flow = book((1, 104, 5), (-1, 107, 5), (-1, 110, 5))
    flow.ts = 1010
    flow.leave(ev.EXECUTE, (-1, 107), 0, 5)
    flow.ts = 1013
    flow.join(ev.ADD, -1, 106, 1)
    assert times_of(tape_of(flow)) == [3]


def test_a_side_that_ran_empty_is_an_emptied_touch():
    flow = book((1, 104, 5), (-1, 107, 5))
    flow.ts = 1010
    flow.leave(ev.EXECUTE, (1, 104), 0, 5)
    flow.ts = 1019
    flow.join(ev.ADD, 1, 104, 1)
    assert times_of(tape_of(flow)) == [9]


def test_only_trades_that_empty_the_touch_are_counted():
    """A part of the queue, a cancel, a hidden print and a trade in two orders' queue are none."""
    flow = book((1, 104, 5), (1, 104, 5), (1, 103, 5), (-1, 107, 5), (-1, 108, 5))
    flow.ts = 1010
    flow.leave(ev.EXECUTE, (1, 104), 0, 5)
    flow.leave(ev.EXECUTE, (1, 104), 0, 2)
    flow.put(ev.HIDDEN, 1, 105, 3)
    flow.leave(ev.DELETE, (1, 104), 0, 3)
    flow.leave(ev.DELETE, (-1, 107), 0, 5)
    flow.ts = 1020
    flow.join(ev.ADD, 1, 104, 1)
    flow.join(ev.ADD, -1, 107, 1)
    assert times_of(tape_of(flow)) == []


def test_a_sweep_empties_every_level_it_goes_through():
    flow = book((1, 104, 5), (1, 103, 5), (1, 102, 5), (-1, 107, 5))
    flow.ts = 1010
    flow.leave(ev.EXECUTE, (1, 104), 0, 5)
    flow.leave(ev.EXECUTE, (1, 103), 0, 5)
    flow.ts = 1012
    flow.join(ev.ADD, 1, 103, 1)
    flow.ts = 1030
    flow.join(ev.ADD, 1, 104, 1)
    assert times_of(tape_of(flow)) == [20, 2]


def test_levels_without_orders_are_read_after_their_level_row():
    flow = flows.Flow()
    for side, ticks in ((1, 104), (1, 103), (-1, 107)):
        flow.show(ev.LEVEL, side, ticks, 9)
    flow.ts = 1010
    flow.put(ev.TRADE, 1, 104, 4)
    flow.show(ev.LEVEL, 1, 104, 5)
    flow.put(ev.TRADE, 1, 104, 5)
    flow.show(ev.LEVEL, 1, 104, 0)
    flow.ts = 1018
    flow.show(ev.LEVEL, 1, 104, 2)
    assert times_of(tape_of(flow)) == [8]


def test_what_is_not_back_by_the_horizon_counts_as_the_horizon():
    flow = book((1, 104, 5), (1, 103, 5), (-1, 107, 5))
    flow.ts = 1010
    flow.leave(ev.EXECUTE, (1, 104), 0, 5)
    flow.ts = 1200
    flow.join(ev.ADD, 1, 104, 1)
    tape = tape_of(flow)
    assert times_of(tape, 190) == [190]
    assert times_of(tape, 191) == [190]
    assert times_of(tape, 50) == [50]


def test_what_the_recording_does_not_see_to_its_end_is_left_out():
    flow = book((1, 104, 5), (1, 103, 5), (-1, 107, 5))
    flow.ts = 1010
    flow.leave(ev.EXECUTE, (1, 104), 0, 5)
    flow.ts = 1200
    flow.join(ev.ADD, 1, 103, 1)
    tape = tape_of(flow)
    assert times_of(tape) == [], "back later, or never: nobody knows"
    assert times_of(tape, 100) == [100], "not within a hundred: that is known"


def test_no_more_is_written_than_there_is_room_for():
    flow = book((1, 104, 5), (1, 103, 5), (1, 102, 5), (-1, 107, 5))
    flow.leave(ev.EXECUTE, (1, 104), 0, 5)
    flow.leave(ev.EXECUTE, (1, 103), 0, 5)
    flow.ts += 5
    flow.join(ev.ADD, 1, 104, 1)
    out = np.full(1, -7, np.int64)
    assert return_times(tape_of(flow).events, BIG, out) == 1
    assert out.tolist() == [5]


def emptied_every_minute(waits_s) -> Tape:
    """A bid that is traded away again and again, and is back after each of `waits_s`."""
    flow = book((1, 103, 50), (-1, 107, 50))
    at = flows.START
    for wait_s in waits_s:
        flow.ts = at
        flow.join(ev.ADD, 1, 104, 1)
        flow.leave(ev.EXECUTE, (1, 104), 0, 1)
        at += max(round(wait_s * NS_PER_S), 1)
    flow.ts = at
    flow.join(ev.ADD, 1, 104, 1)
    return tape_of(flow)


def test_the_half_life_of_an_exponential_is_found():
    waits = np.random.default_rng(5).exponential(20.0 / np.log(2), 2000)
    back = fit_recovery([emptied_every_minute(waits[:1200]), emptied_every_minute(waits[1200:])])
    assert back.n == 2000
    assert back.low_s < 20.0 < back.high_s
    assert back.half_life_s == pytest.approx(np.median(waits), rel=0.01)
    # Order statistics n/2 +- 1.96 sqrt(n)/2 of an exponential lie 1.96 / sqrt(n) / ln 2 away.
    width = 2 * 1.96 / np.sqrt(2000) / np.log(2)
    assert (back.high_s - back.low_s) / back.half_life_s == pytest.approx(width, rel=0.25)


def test_a_touch_that_is_back_at_once_has_a_half_life_all_the_same():
    flow = book((1, 103, 50), (-1, 107, 50))
    for _ in range(FEWEST):
        flow.join(ev.ADD, 1, 104, 1)
        flow.leave(ev.EXECUTE, (1, 104), 0, 1)
    flow.join(ev.ADD, 1, 104, 1)
    back = fit_recovery([tape_of(flow)])
    assert back == Recovery(half_life_s=1e-9, low_s=1e-9, high_s=1e-9, n=FEWEST)


def test_too_few_touches_say_nothing():
    with pytest.raises(InputError, match=f"recovery: {FEWEST - 1} emptied touches; need {FEWEST}"):
        fit_recovery([emptied_every_minute([1.0] * (FEWEST - 1))])


def test_touches_that_do_not_come_back_have_no_half_life():
    with pytest.raises(InputError, match="half of the touches were not back within 600 s"):
        fit_recovery([emptied_every_minute([2 * HORIZON_S] * 40 + [1.0] * 30)])
    back = fit_recovery([emptied_every_minute([2 * HORIZON_S] * 20 + [1.0] * 50)])
    assert back.half_life_s == pytest.approx(1.0)
