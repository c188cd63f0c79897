"""Times of day on days of every length, breaks, and when nobody can trade."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import InputError
from paceline.market.events import ADD, HALT, RESUME
from paceline.market.halts import halts_of, trades_at, trades_through
from paceline.market.session import (
    Session,
    at_wall_clock,
    at_wall_clocks,
    clock,
    day_of,
    wall_clock,
)
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument

from .test_tape import rows_of

S = 10**9
NEW_YORK = "America/New_York"


@pytest.mark.parametrize(("day", "opens", "closes"), [
    ("2024-03-08", "2024-03-08T14:30:00+00:00", "2024-03-08T21:00:00+00:00"),
    ("2024-03-10", "2024-03-10T13:30:00+00:00", "2024-03-10T20:00:00+00:00"),  # 23 hours
    ("2024-11-03", "2024-11-03T14:30:00+00:00", "2024-11-03T21:00:00+00:00"),  # 25 hours
])  # fmt: skip
def test_hours_are_those_of_the_wall_clock(day: str, opens: str, closes: str) -> None:
    session = Session.of(day, NEW_YORK, 9.5 * 3600, 16 * 3600)
    assert session.open_ns == datetime.fromisoformat(opens).timestamp() * S
    assert session.close_ns == datetime.fromisoformat(closes).timestamp() * S
    assert clock(session.open_ns, NEW_YORK) == "09:30:00"
    assert session.length_s == 6.5 * 3600


@given(
    st.sampled_from(["2024-03-10", "2024-11-03", "2024-06-07", "2024-03-31", "2024-10-27"]),
    st.sampled_from([NEW_YORK, "Europe/Berlin", "Asia/Tokyo", "America/Havana"]),
    st.integers(-86_400, 2 * 86_400),
)
def test_the_wall_clock_is_the_calendar(day: str, zone: str, wall_s: int) -> None:
    """Against Python's own calendar, wherever the clock shows the time once."""
    shown = np.datetime64(day, "s") + wall_s
    local = shown.astype(datetime).replace(tzinfo=ZoneInfo(zone))
    there = [local.replace(fold=fold).timestamp() for fold in (0, 1)]
    at = at_wall_clock(wall_s * S + 7, day, zone)
    if there[0] == there[1]:
        assert at == int(there[0]) * S + 7
        assert wall_clock(at, day, zone) == wall_s * S + 7
    elif there[0] < there[1]:  # shown twice: the first
        assert at == int(there[0]) * S + 7
    else:  # skipped: the instant of the change
        assert there[1] * S <= at <= there[0] * S + 7
        assert wall_clock(at, day, zone) >= wall_s * S


def test_times_of_a_day_never_run_backwards() -> None:
    walls = np.arange(0, 86_400, 60, dtype=np.int64) * S
    for day in ("2024-03-10", "2024-11-03"):
        assert (np.diff(at_wall_clocks(walls, day, NEW_YORK)) >= 0).all()


def test_a_session_may_open_on_the_evening_before() -> None:
    """On Sunday 2024-03-10 the clocks went forward at 02:00: the night is an hour shorter."""
    night = Session.of("2024-03-10", NEW_YORK, -6 * 3600, 17 * 3600)
    assert night.open_ns == datetime.fromisoformat("2024-03-09T23:00:00+00:00").timestamp() * S
    assert night.length_s == 22 * 3600
    assert Session.of("2024-03-12", NEW_YORK, -6 * 3600, 17 * 3600).length_s == 23 * 3600


def test_the_date_of_a_night_is_that_of_its_close() -> None:
    at = at_wall_clock(-6 * 3600 * S, "2024-03-12", NEW_YORK)
    assert day_of(at, NEW_YORK) == "2024-03-11"
    assert day_of(at, NEW_YORK, -6 * 3600) == "2024-03-12"
    assert day_of(at - 1, NEW_YORK, -6 * 3600) == "2024-03-11"


def test_breaks_are_no_trading_time() -> None:
    day = Session(
        day="1970-01-01", zone="UTC", open_ns=0, close_ns=100, breaks=((20, 30), (50, 60))
    )
    asked = [-1, 0, 20, 21, 29, 30, 50, 55, 60, 100, 101]
    told = [False, True, True, False, False, True, True, False, True, True, False]
    assert day.trades_at(np.array(asked)).tolist() == told
    assert day.phases == ((0, 20), (30, 50), (60, 100))
    assert day.length_s == 100e-9
    assert day.trading_s == pytest.approx(80e-9)


def test_a_part_of_a_session_keeps_the_breaks_inside_it() -> None:
    day = Session(
        day="1970-01-01", zone="UTC", open_ns=0, close_ns=100, breaks=((20, 30), (50, 60))
    )
    assert day.cut(0, 55).phases == ((0, 20), (30, 55))
    assert day.cut(55, 100).phases == ((55, 100),)


@pytest.mark.parametrize(
    "breaks", [((0, 5),), ((5, 5),), ((7, 5),), ((5, 9), (9, 11)), ((90, 101),)]
)
def test_breaks_lie_inside_and_apart(breaks: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(InputError, match=r"session\.breaks"):
        Session(day="1970-01-01", zone="UTC", open_ns=0, close_ns=100, breaks=breaks)


def test_nobody_trades_in_breaks_and_halts() -> None:
    session = Session(
        day="1970-01-01", zone="UTC", open_ns=0, close_ns=100 * S, breaks=((20 * S, 30 * S),)
    )
    rows = rows_of([
        (S, ADD, 1, 100, 5, 0), (15 * S, HALT, 0, 0, 0, -1), (25 * S, RESUME, 0, 0, 0, -1),
        (40 * S, HALT, 0, 0, 0, -1), (41 * S, HALT, 0, 0, 0, -1), (45 * S, RESUME, 0, 0, 0, -1),
        (90 * S, HALT, 0, 0, 0, -1),
    ])  # fmt: skip
    tape = Tape.compile(rows, Instrument(symbol="T", book_tick="1", order_tick="1"), session)
    assert (halts_of(tape) // S).tolist() == [[15, 30], [40, 45], [90, 100]]
    asked = np.array([14, 15, 29, 30, 39, 40, 45, 95]) * S
    told = [True, False, False, True, True, False, True, False]
    assert trades_at(tape, asked).tolist() == told
    start, end = np.array([10, 10, 30, 46, 46]) * S, np.array([15, 16, 40, 89, 91]) * S
    assert trades_through(tape, start, end).tolist() == [True, False, True, True, False]
