"""Days and their instants, those on which clocks change included."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.ingest.days import day_named, days_of
from paceline.market.session import day_of
from paceline.units import NS_PER_S

HOUR = 3600 * NS_PER_S
ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "America/Havana")


@pytest.mark.parametrize(("name", "zone", "hours"), [
    ("2024-03-10", "America/New_York", 23), ("2024-11-03", "America/New_York", 25),
    ("2024-03-31", "Europe/Berlin", 23), ("2024-10-27", "Europe/Berlin", 25),
    ("2024-03-10", "America/Havana", 23),  # has no midnight
    ("2024-03-10", "UTC", 24), ("2024-12-31", "Asia/Tokyo", 24),
])  # fmt: skip
def test_a_day_lasts_as_long_as_its_clock_says(name: str, zone: str, hours: int) -> None:
    day = day_named(name, zone)
    assert day.end_ns - day.start_ns == hours * HOUR
    assert day_of(day.start_ns, zone) == day_of(day.end_ns - 1, zone) == name


@given(
    hours=st.lists(st.integers(0, 24 * 400), max_size=30),
    zone=st.sampled_from(ZONES),
)
def test_every_instant_lies_in_one_day(hours: list[int], zone: str) -> None:
    ts = 1_704_067_200 * NS_PER_S + np.array(hours, np.int64) * HOUR  # from 2024-01-01 on
    days = days_of(ts, zone)
    assert [day.name for day in days] == sorted({day_of(int(t), zone) for t in ts})
    for t in ts.tolist():
        (day,) = (day for day in days if day.start_ns <= t < day.end_ns)
        assert day.name == day_of(t, zone)


def test_a_day_that_begins_on_the_evening_before_holds_the_night() -> None:
    """Trading days that begin at 18:00 of the evening before; on 2024-03-10 the clocks changed."""
    first, second = (
        int(datetime.fromisoformat(text).timestamp()) * NS_PER_S
        for text in ("2024-03-09T23:00:00+00:00", "2024-03-10T22:00:00+00:00")
    )
    found = days_of(np.array([first, second - 1, second]), "America/New_York", -6 * 3600)
    assert [day.name for day in found] == ["2024-03-10", "2024-03-11"]
    assert [day.start_ns for day in found] == [first, second]
