"""Numbers as a reader wants them."""

from __future__ import annotations

import pytest

from paceline.page.cells import (
    DASH,
    MINUS,
    duration,
    interval,
    listed,
    number,
    plain,
    signed,
    significant,
)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (plain(-0.001), "0.00"),
        (plain(-1234.5), f"{MINUS}1,234.50"),
        (plain(float("nan")), DASH),
        (signed(0.004), "0.00"),
        (signed(1.25, 1), "+1.2"),
        (signed(-1.0), f"{MINUS}1.00"),
        (number(float("nan"), missing="why").why, "why"),
        (interval(-1.0, 2.0).text, f"{MINUS}1.00 to +2.00"),
        (interval(float("nan"), 2.0).text, DASH),
        (significant(0.00123456), "0.00123"),
        (significant(1.5e-9), "1.50·10⁻⁹"),
        (significant(0.0), "0"),
        (duration(1800.0), "30 min"),
        (duration(3599.9999999999), "1 h"),
        (duration(90.0), "1.5 min"),
        (duration(0.0015), "1.5 ms"),
        (duration(0.00002), "20 µs"),
        (duration(0.0), "0 s"),
        (duration(float("inf")), "∞"),
        (listed(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_numbers_as_a_reader_wants_them(shown: str, expected: str) -> None:
    assert shown == expected
