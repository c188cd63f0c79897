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
from paceline.market import events as ev
from paceline.market.settled import settled_ts
from paceline.units import NS_PER_S

from .market_days import DAYS, LENGTH_S, random_day, random_rows, tape_of


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
    assert History([days[0], short, days[2]]).before(days[2]).days == (DAYS[0],)
    assert same(
        History([days[0], short, days[2]]).before(days[2]), History(days[::2]).before(days[2])
    )


def test_an_earlier_day_recorded_at_other_hours_says_nothing_of_the_curve(days):
    """A capture of the night before: no volume in the hours of today."""
    rows = random_rows(12)
    night = tape_of(rows._replace(ts=rows.ts - 100_000), DAYS[0])
    lesson = History([night, days[-1]]).before(days[-1])
    assert lesson.curve.days == ()
    assert np.all(np.diff(lesson.curve.traded) > 0)
    assert any("1 of 1 earlier days traded nothing at its hours" in note for note in lesson.notes)
    both = History([night, days[1], days[-1]]).before(days[-1])
    assert both.curve.traded.tolist() == History(days[1:4:2]).before(days[-1]).curve.traded.tolist()
    assert any("1 of 2 earlier days" in note for note in both.notes)


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
    """Spread of 50 ticks for two minutes, then 2: settled a hundredth of a short session later."""
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 100, 9)
    flow.join(ev.ADD, -1, 150, 9)
    flow.ts += 120
    flow.join(ev.ADD, -1, 102, 9)
    for _ in range(20):
        flow.ts += 10
        flow.join(ev.ADD, 1, 100, 1)
    tape = tape_of(flows.rows_of(flow.rows), DAYS[0])
    assert settled_ts(tape) == tape.session.open_ns + 135 * NS_PER_S


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
