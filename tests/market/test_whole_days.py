"""Which days teach what a whole day is like."""

from __future__ import annotations

import numpy as np
import pytest

from paceline.market.events import ADD, ASK, BID, HALT, HIDDEN, NO_SLOT, RESUME, Rows
from paceline.market.session import Session
from paceline.market.tape import Quality, Tape
from paceline.market.whole_days import recorded_s, whole_days
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_S

HOUR = 3600
ACME = Instrument(symbol="ACME", book_tick="0.01", order_tick="0.01")


def day(
    date, opens=9.5, closes=16.0, since=None, until=None, silent=(), breaks=(), halts=(),
    every_s=2.0, short=False,
) -> Tape:  # fmt: skip
    """A print every `every_s` seconds from `since` to `until`, but not in `silent` (hours)."""
    session = Session.of(date, "America/New_York", opens * HOUR, closes * HOUR, breaks)
    begin, end = (since or opens) * HOUR, (until or closes) * HOUR
    seconds = np.arange(begin, end + 1e-9, every_s)
    for first, last in silent:
        seconds = seconds[(seconds <= first * HOUR) | (seconds >= last * HOUR)]
    rows = [(begin, ADD, BID, 100, 9, 0), (begin, ADD, ASK, 102, 9, 1)]
    rows += [(at, HIDDEN, BID, 101, 1, NO_SLOT) for at in seconds.tolist()]
    for first, last in halts:
        rows += [(first * HOUR, HALT, 0, 0, 0, NO_SLOT), (last * HOUR, RESUME, 0, 0, 0, NO_SLOT)]
    rows.sort(key=lambda row: row[0])
    at, kind, side, ticks, lots, slot = map(np.array, zip(*rows, strict=True))
    ts = session.midnight_ns + (at * NS_PER_S).astype(np.int64)
    return Tape.compile(
        Rows(ts, kind, side, ticks, lots, slot), ACME, session, quality=Quality(short_session=short)
    )


def kept(earlier, today) -> list[str]:
    return [tape.session.day for tape in whole_days(earlier, today.session).whole]


def test_a_half_day_is_short_of_the_others_and_is_named():
    full, half = day("2012-07-02"), day("2012-07-03", closes=13.0)
    found = whole_days([full, half], day("2012-07-05").session)
    assert [tape.session.day for tape in found.whole] == ["2012-07-02"]
    assert found.notes == [
        "ACME-2012-07-03: is not a whole day, so other days learn nothing from it (recorded: "
        "3 h 30 min of a usual session of 6 h 30 min)"
    ]


@pytest.mark.parametrize(
    "part",
    [
        {"closes": 10.0},  # a recording of half an hour whose session is what was recorded
        {"until": 10.0},  # the same under the announced hours
        {"since": 11.0},
        {"silent": [(11.0, 13.0)]},
        {"short": True},  # as ingest found
    ],
)
def test_a_part_of_a_day_does_not_teach_even_alone(part):
    assert kept([day("2012-07-02", **part)], day("2012-07-03")) == []
    assert kept([day("2012-06-29", **part), day("2012-07-02")], day("2012-07-03")) == ["2012-07-02"]


@pytest.mark.parametrize(
    "whole",
    [
        {},
        {"since": 9.75, "until": 15.75},
        {"closes": 16.25},
        {"halts": [(11.0, 13.0)], "silent": [(11.0, 13.0)]},  # trading was stopped
        {"every_s": 1700.0, "silent": [(11.0, 13.0)]},  # of a quiet name silence says nothing
    ],
)
def test_a_whole_day_teaches(whole):
    assert kept([day("2012-07-02", **whole)], day("2012-07-03")) == ["2012-07-02"]


def test_on_a_half_day_whole_days_are_the_usual_ones():
    full, half = [day("2012-07-02")], day("2012-07-03", closes=13.0)
    assert kept(full, half) == ["2012-07-02"]
    others = [day("2012-06-28"), day("2012-06-29", closes=13.0), day("2012-07-02")]
    assert kept(others, half) == ["2012-06-28", "2012-07-02"]


def test_many_short_recordings_say_nothing_of_a_whole_day():
    short = [day(f"2012-07-0{k}", closes=10.0) for k in (2, 3, 4)]
    assert kept(short, day("2012-07-05")) == []
    assert kept(short, day("2012-07-05", closes=10.0)) == ["2012-07-02", "2012-07-03", "2012-07-04"]


def test_breaks_are_neither_missing_nor_recorded():
    lunch = [(11.5 * HOUR, 13.0 * HOUR)]
    tape = day("2012-07-02", breaks=lunch, silent=[(11.5, 13.0)])
    assert recorded_s(tape) == pytest.approx(5.0 * HOUR, abs=10)
    assert kept([tape], day("2012-07-03", breaks=lunch)) == ["2012-07-02"]
