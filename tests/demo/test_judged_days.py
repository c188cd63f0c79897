"""Which days of a demo judge."""

from __future__ import annotations

import pytest

from paceline.demo.learning import _judges


@pytest.mark.parametrize(
    ("days", "judge"), [(4, 1), (5, 1), (6, 3), (8, 3), (9, 3), (12, 4), (15, 5)]
)
def test_as_many_days_judge_as_an_interval_takes(days: int, judge: int) -> None:
    assert _judges([f"2024-01-{k + 1:02d}" for k in range(days)]) == judge
