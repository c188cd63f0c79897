"""What a day may know of the days before it, and of no other."""

from __future__ import annotations

from datetime import date

import msgspec
import numpy as np
import pytest

from engine import flows
from paceline.engine.queue import cancel_positions, fit_exponent
from paceline.env.history import History, bars_of, cancel_exponent, trades_of
from paceline.errors import InputError
from paceline.ingest import load
from paceline.market import events as ev
from paceline.market.session import Session
from paceline.market.settled import settled_ts
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

from .market_days import DAYS, INSTRUMENT, LENGTH_S, OPEN_S, ZONE, random_day, random_rows, tape_of


@pytest.fixture(scope="module")
def days():
    return [random_day(seed, day) for seed, day in zip((11, 12, 13, 14), DAYS, strict=True)]


def same(one, other) -> bool:
    """Whether two lessons teach the same (NaN is NaN)."""
    return repr(one) == repr(other) and all(
        np.array_equal(a, b) for a, b in zip(one.curve[:2], other.curve[:2], strict=True)
    )


def test_only_strictly_earlier_days_teach(days):
    lesson = History(days[::-1]).before(days[2])
    assert lesson.days == DAYS[:2]
    assert lesson.curve.days == tuple(date.fromisoformat(day) for day in DAYS[:2])
    assert lesson.adv_lots == np.mean([tape.events.volume[-1] for tape in days[:2]])


def test_the_day_itself_and_later_ones_change_nothing(days):
    usual = History(days[:3]).before(days[2])
    assert same(usual, History(days).before(days[2]))
    assert same(usual, History([*days[:3], random_day(98, DAYS[3])]).before(days[2]))
    other = random_day(97, DAYS[2])
    assert same(usual, History([*days[:2], other]).before(other))
    assert not same(usual, History([days[0], random_day(96, DAYS[1]), other]).before(other))


def test_without_earlier_days_it_says_so(days):
    lesson = History(days).before(days[0])
    assert lesson.days == ()
    assert "TINY-2024-03-04: no earlier day was given" in lesson.notes[0]
    assert "uniform" in lesson.notes[0]
    assert "ADV, impact and recovery are taken from the day itself" in lesson.notes[0]
    even = (lesson.curve.edges_ns - lesson.curve.edges_ns[0]) / (LENGTH_S * NS_PER_S)
    assert np.allclose(lesson.curve.traded, even)
    assert lesson.adv_lots == days[0].events.volume[-1]


def test_a_short_session_teaches_nothing(days):
    short = tape_of(random_rows(44), DAYS[1], short_session=True)
    lesson, without = (
        History(tapes).before(days[2]) for tapes in ([days[0], short, days[2]], days[:3:2])
    )
    assert lesson.days == (DAYS[0],)
    assert lesson.notes[0].startswith("TINY-2024-03-05: is not a whole day, so other days learn")
    assert same(lesson._replace(notes=lesson.notes[1:]), without)


def test_an_earlier_day_recorded_at_other_hours_says_nothing_of_the_curve(days):
    """A capture of the night before: no volume in the hours of today."""
    night = at_night(random_rows(12), DAYS[0])
    lesson = History([night, days[-1]]).before(days[-1])
    assert lesson.curve.days == ()
    assert np.all(np.diff(lesson.curve.traded) > 0)
    assert any("1 of 1 earlier days traded nothing at its hours" in note for note in lesson.notes)
    both = History([night, days[1], days[-1]]).before(days[-1])
    assert both.curve.traded.tolist() == History(days[1:4:2]).before(days[-1]).curve.traded.tolist()
    assert any("1 of 2 earlier days" in note for note in both.notes)


def at_night(rows, day):
    """A whole session of the same length, ten hours earlier."""
    tape = tape_of(rows, day)
    earlier = 36_000 * NS_PER_S
    session = Session.of(day, ZONE, OPEN_S - 36_000, OPEN_S - 36_000 + LENGTH_S)
    moved = tape.events._replace(ts=tape.events.ts - earlier)
    return Tape(
        msgspec.structs.replace(tape.manifest, session=session),
        moved,
        tape.level_ticks,
        tape.images,
    )


def test_what_cannot_be_fitted_is_missing_and_named():
    quiet = tape_of(flows.market([(3, 10, i, i, i) for i in range(60)], "L3"), DAYS[0])
    lesson = History([quiet]).before(quiet)
    assert lesson.impact is None
    assert lesson.decay is None
    assert lesson.recovery is None
    for what in ("impact was not fitted", "recovery was not fitted"):
        assert any(what in note for note in lesson.notes)


def test_cancels_are_learnt_from_earlier_days_that_name_their_orders(days):
    bare = random_day(13, DAYS[2], depth="L2")
    pooled = History([*days[:2], bare, days[3]]).before(bare).cancels
    seen = []
    for tape in days[:2]:
        positions = np.empty(len(tape))
        seen.append(positions[: cancel_positions(tape.new_book(), tape.events, positions)])
    assert pooled == pytest.approx(fit_exponent(np.concatenate(seen)))
    assert History([bare, days[3]]).before(bare).cancels is None, "a later day is not known"
    assert History(days).before(days[2]).cancels is None, "its own queues are exact"
    lesson = History([*days[:2], bare]).before(bare)
    assert cancel_exponent(None, lesson) == pooled[0]
    assert cancel_exponent(2.5, lesson) == 2.5
    assert cancel_exponent(None, lesson._replace(cancels=None)) == 1.0


def test_a_history_has_one_symbol(days):
    other = random_day(5)
    other.manifest = msgspec.structs.replace(
        other.manifest, instrument=msgspec.structs.replace(other.instrument, symbol="ELSE")
    )
    with pytest.raises(InputError, match="of 2 symbols"):
        History([days[0], other])


def test_trades_are_what_one_could_have_joined():
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 104, 9)
    flow.put(ev.CROSS, 0, 105, 500)  # an auction
    flow.ts += 7
    flow.leave(ev.EXECUTE, (1, 104), 0, 3)
    flow.put(ev.HIDDEN, 1, 105, 2)
    tape = tape_of(flows.rows_of(flow.rows), DAYS[0])
    trades = trades_of(tape)
    assert trades.px.tolist() == [104, 105]
    assert trades.lots.tolist() == [3, 2]
    assert set(trades.ts) == {tape.session.open_ns + 7 * NS_PER_S}
    assert tape.events.volume[-1] == 5


def test_a_market_settles_when_its_spread_has_stayed_narrow():
    """Spread of 50 ticks for two minutes, then 2: settled with the narrow book that stays."""
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 100, 9)
    flow.join(ev.ADD, -1, 150, 9)
    flow.ts += 120
    flow.join(ev.ADD, -1, 102, 9)
    for _ in range(20):
        flow.ts += 10
        flow.join(ev.ADD, 1, 100, 1)
    tape = tape_of(flows.rows_of(flow.rows), DAYS[0])
    assert settled_ts(tape) == tape.session.open_ns + 120 * NS_PER_S


def test_bars_count_what_was_bought_and_sold():
    """Two bars of a minute: the seller hits 5 at 104, a buyer lifts 3 at 107; then nothing."""
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 104, 50)
    flow.join(ev.ADD, -1, 107, 50)
    flow.ts += 10
    flow.leave(ev.EXECUTE, (1, 104), 0, 5)
    flow.ts += 20
    flow.leave(ev.EXECUTE, (-1, 107), 0, 3)
    flow.ts += 100
    flow.join(ev.ADD, -1, 106, 1)
    bars = bars_of(tape_of(flows.rows_of(flow.rows), DAYS[0]))
    assert bars.net_lots.tolist() == [-2, 0]
    assert bars.lots.tolist() == [8, 0]
    assert bars.open_mid.tolist() == bars.close_mid.tolist() == [105.5, 105.5]
    assert bars.premium[0] == pytest.approx((5 * -1.5 + 3 * 1.5) / 8)
    assert np.isnan(bars.premium[1])


def even_day(day, closes_s=23_400.0, lots=1, until_s=None):
    """A session from 09:30 in which `lots` trade every ten seconds until `until_s`."""
    session = Session.of(day, ZONE, OPEN_S, OPEN_S + closes_s)
    at = np.arange(10.0, (until_s or closes_s) + 1e-9, 10.0)
    n = len(at)
    rows = ev.Rows(
        session.open_ns + (np.append([0.0, 0.0], at) * NS_PER_S).astype(np.int64),
        np.append([ev.ADD, ev.ADD], np.full(n, ev.HIDDEN)), np.append([1, -1], np.full(n, 1)),
        np.append([104, 107], np.full(n, 105)), np.append([9, 9], np.full(n, lots)),
        np.append([0, 1], np.full(n, ev.NO_SLOT)),
    )  # fmt: skip
    return Tape.compile(rows, INSTRUMENT, session)


def test_half_days_and_parts_of_days_bend_no_curve():
    """Even flow has traded 3.5 / 6.5 of a day by 13:00, whatever half day stood before."""
    full, today = even_day(DAYS[0]), even_day(DAYS[3])
    for part in (even_day(DAYS[1], 12_600.0), even_day(DAYS[1], until_s=1_800.0)):
        lesson = History([full, part, today]).before(today)
        assert lesson.days == (DAYS[0],)
        by_13 = np.interp(13 * 3600 * NS_PER_S, *lesson.curve[:2])
        assert by_13 == pytest.approx(3.5 / 6.5, abs=1e-3)
        assert (lesson.adv_lots, lesson.session_lots) == (2340, 2340)
        assert "TINY-2024-03-05: is not a whole day" in lesson.notes[0]
        alone = History([part, today]).before(today)
        assert alone.days == ()
        assert alone.adv_lots == 2340, "its own, and it says so"
        assert "no earlier whole day was given" in alone.notes[1]


def test_a_half_day_expects_its_part_of_a_whole_one():
    """2340 lots a day, 1260 of them by 13:00: that is all of a half day."""
    first, second = even_day(DAYS[0], lots=1), even_day(DAYS[1], lots=1)
    half = even_day(DAYS[2], 12_600.0)
    lesson = History([first, second, half]).before(half)
    assert lesson.days == DAYS[:2]
    assert lesson.adv_lots == 2340, "of a whole day"
    assert lesson.session_lots == 1260
    assert lesson.curve.edges_ns[-1] == 13 * 3600 * NS_PER_S
    assert lesson.curve.traded[-1] == 1.0
    np.testing.assert_allclose(np.diff(lesson.curve.traded), 1 / 42, rtol=0.05)


def test_the_curve_is_of_the_wall_clock_on_a_day_of_23_hours():
    """On Sunday 2024-03-10 clocks in New York go from 2 to 3; 09:30 is 09:30 all the same."""
    before, sunday = even_day("2024-03-09"), even_day("2024-03-10")
    lesson = History([before, sunday]).before(sunday)
    assert lesson.curve.edges_ns[0] == 34_200 * NS_PER_S
    assert lesson.session_lots == 2340
    assert np.interp(13 * 3600 * NS_PER_S, *lesson.curve[:2]) == pytest.approx(3.5 / 6.5, abs=1e-3)
    after = even_day("2024-03-11")
    later = History([before, sunday, after]).before(after)
    np.testing.assert_array_equal(later.curve.traded, lesson.curve.traded)


def recorded_days(recorded, symbol, *days):
    folder = recorded / "lobster-2003" / symbol
    return [load(next(folder.glob(f"{symbol}_2003-{day}_*"))) for day in days]


@pytest.mark.recorded
def test_a_recorded_day_on_a_finer_tick_is_as_wild_as_its_neighbours(recorded):
    """IBM of 2003-03-07 is on a tick of 0.0001 and the others of 0.001."""
    tapes = recorded_days(recorded, "IBM", "03-05", "03-06", "03-07", "03-10")
    assert [str(tape.instrument.book_tick) for tape in tapes] == [
        "0.001",
        "0.001",
        "0.0001",
        "0.001",
    ]
    sigma = History(tapes).before(tapes[-1]).impact.sigma.value
    without = History([*tapes[:2], tapes[-1]]).before(tapes[-1]).impact.sigma.value
    assert 5 < sigma < 12
    assert sigma == pytest.approx(without, rel=0.25)


@pytest.mark.recorded
def test_a_recorded_holiday_teaches_nothing(recorded):
    """Files of 2003-02-17, a market holiday, end at 10:43."""
    tapes = recorded_days(recorded, "YHOO", "02-14", "02-17", "02-18")
    lesson = History(tapes).before(tapes[-1])
    assert lesson.days == ("2003-02-14",)
    assert lesson.adv_lots == tapes[0].events.volume[-1]
    assert lesson.notes[0] == (
        "YHOO-2003-02-17: is not a whole day, so other days learn nothing from it (recorded: "
        "1 h 14 min of a usual session of 6 h 30 min)"
    )
