"""Times of orders: their unit is said, never guessed, and nothing is lost on the way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import OrderError
from paceline.orders.fill import Fill
from paceline.orders.order import ChildOrder, ParentOrder
from paceline.orders.times import FIRST_NS, LAST_NS, instant, nanoseconds, said

PARENT = """\
{"order_id": "ABC-123", "symbol": "AAPL", "side": "sell", "qty": 250000, "arrival_px": 187.53,
 "start_ts": 1693564800, "end_ts": 1693568400,
 "constraints": {"participation": 0.1, "price_band_bps": 5, "child_max": 15000}}
"""
CHILD = (
    '{"parent_id": "ABC-123", "type": "limit", "qty": 8000, "px": 187.48, "ttl_ms": 3000, '
    '"venue": "XNAS"}'
)


def test_the_parent_order_of_the_payload_is_read_to_the_letter() -> None:
    order = ParentOrder.from_json(PARENT)
    assert (order.start_ts, order.end_ts) == (1693564800_000000000, 1693568400_000000000)
    assert (order.order_id, order.symbol, order.side) == ("ABC-123", "AAPL", "sell")
    assert (order.qty, order.arrival_px) == (250_000, 187.53)
    limits = order.constraints
    assert (limits.participation, limits.price_band_bps, limits.child_max) == (0.1, 5, 15_000)
    assert ParentOrder.from_json(order.to_json()) == order
    assert ParentOrder.from_dict(json.loads(PARENT)) == order
    assert ParentOrder(**json.loads(PARENT)) == order


def test_the_child_order_of_the_payload_is_read_to_the_letter() -> None:
    order = ChildOrder.from_json(CHILD)
    assert (order.parent_id, order.type, order.qty) == ("ABC-123", "limit", 8000)
    assert (order.px, order.ttl_ms, order.venue) == (187.48, 3000, "XNAS")
    assert ChildOrder.from_json(order.to_json()) == order


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        (1693564800, 1693564800_000000000),
        (1693564800.25, 1693564800_250000000),
        (1693564800.0, 1693564800_000000000),
        (Decimal("1693564800.123456789"), 1693564800_123456789),
        (np.int64(1693564800), 1693564800_000000000),
        (np.float64(1693564800.5), 1693564800_500000000),
        (1693564800_000000001, 1693564800_000000001),
        (np.int64(1693564800_000000001), 1693564800_000000001),
        ("2023-09-01T10:40:00Z", 1693564800_000000000),
        ("2023-09-01T10:40:00z", 1693564800_000000000),
        ("2023-09-01 10:40Z", 1693564800_000000000),
        ("2023-09-01T10:40:00+00:00", 1693564800_000000000),
        ("2023-09-01T06:40:00-04:00", 1693564800_000000000),
        ("2023-09-01T06:40:00-0400", 1693564800_000000000),
        ("2023-09-01T06:40:00-04", 1693564800_000000000),
        ("2023-09-01T16:10:00+05:30", 1693564800_000000000),
        ("2023-09-01T10:40:00 +00:00", 1693564800_000000000),
        ("20230901T104000Z", 1693564800_000000000),
        ("2023-09-01T10:40:00.25Z", 1693564800_250000000),
        ("2023-09-01T10:40:00,123456789-00:00", 1693564800_123456789),
        (datetime(2023, 9, 1, 10, 40, tzinfo=UTC), 1693564800_000000000),
        (datetime(2023, 9, 1, 6, 40, tzinfo=timezone(-timedelta(hours=4))), 1693564800_000000000),
    ],
)  # fmt: skip
def test_what_a_time_may_be(value: Any, ns: int) -> None:
    assert instant(value, "parent.start_ts") == ns


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (1693564800_000, "1693564800000 could be milliseconds, and does not say so"),
        (1693564800_000_000, "1693564800000000 could be microseconds"),
        (10**11, "100000000000 could be milliseconds"),
        (10**17 - 1, "99999999999999999 could be microseconds"),
        (10**17, "100000000000000000 is 1973-03-03 09:46:40 UTC, not in 1990 to 2100"),
        (99_999_999_999, "99999999999 is 5138-11-16 09:46:39 UTC, not in 1990 to 2100"),
        (0, "0 is 1970-01-01 00:00:00 UTC, not in 1990 to 2100"),
        (631_151_999, "631151999 is 1989-12-31 23:59:59 UTC"),
        (4_102_444_800, "4102444800 is 2100-01-01 00:00:00 UTC"),
        (LAST_NS, "4102444800000000000 is 2100-01-01"),
        pytest.param(10**6000, "a number of thousands of digits is out of range", id="huge"),
        (float("nan"), "nan is not finite"),
        (float("inf"), "inf is not finite"),
        (True, "True is a boolean"),
        (np.bool_(True), "is a boolean"),
        (None, "None is not a time"),
        ([1], "[1] is not a time"),
        (1.6935648e18, "1.6935648e+18 is not a whole number of nanoseconds"),
        (Decimal("1693564800.1234567891"), "1693564800.1234567891 has more than nine decimals"),
        (Decimal("1e999999"), "has too many digits"),
        ("1693564800", "'1693564800' is not a time in ISO 8601; leave out the quotes"),
        ("2023-09-01T10:40:00", "'2023-09-01T10:40:00' has no offset from UTC; add it, as in"),
        ("2023-09-01", "'2023-09-01' is not a time in ISO 8601"),
        ("2023-09-01T10:40:00 EST", "is not a time in ISO 8601"),
        ("2023-13-01T10:40:00Z", "is no time (month must be in 1..12)"),
        ("2023-09-01T24:00:00Z", "is no time (hour must be in 0..23)"),
        ("2023-09-01T10:40:60Z", "is no time (second must be in 0..59)"),
        ("2023-09-01T10:40:00+25:00", "is no time ("),
        ("2023-09-01T10:40:00+01:75", "is no time (minutes of an offset are below 60)"),
        ("2023-09-01T10:40:00.1234567891Z", "has more than nine decimals"),
        ("1889-09-01T10:40:00Z", "is 1889-09-01 10:40:00 UTC, not in 1990 to 2100"),
        ("", "'' is not a time in ISO 8601"),
        (datetime(2023, 9, 1), "has no offset from UTC"),
    ],
)  # fmt: skip
def test_what_it_may_not_be(value: Any, says: str) -> None:
    with pytest.raises(OrderError) as error:
        instant(value, "parent.start_ts")
    message = str(error.value)
    assert message.startswith("parent.start_ts: ")
    assert says in message
    assert ";" in message, "no remedy"
    assert "\n" not in message
    assert len(message) < 350


def test_the_remedy_of_milliseconds_names_the_field_of_nanoseconds() -> None:
    with pytest.raises(OrderError, match="under the name of end_ns"):
        instant(1693568400_000, "parent.end_ts")
    with pytest.raises(OrderError, match="under the name of ts_ns"):
        instant(1693568400_000, "fill.ts")


def test_nanoseconds_have_a_name_of_their_own() -> None:
    raw = json.loads(PARENT)
    raw["start_ns"], raw["end_ns"] = 1693564800_000000007, raw.pop("end_ts") * 10**9
    del raw["start_ts"]
    order = ParentOrder.from_json(json.dumps(raw))
    assert (order.start_ts, order.end_ts) == (1693564800_000000007, 1693568400_000000000)
    with pytest.raises(OrderError, match=r"^parent\.start_ts: start_ts is given in another way"):
        ParentOrder.from_dict({**raw, "start_ts": 1693564800})
    with pytest.raises(OrderError, match=r"^parent\.start_ns: 1693564800 is 1970-01-01 00:00:01 "):
        ParentOrder.from_dict({**raw, "start_ns": 1693564800})
    with pytest.raises(OrderError, match=r"^parent\.start_ns: '.*' is text; .* as start_ts"):
        ParentOrder.from_dict({**raw, "start_ns": "2023-09-01T10:40:00Z"})
    with pytest.raises(OrderError, match="not a whole number of nanoseconds"):
        nanoseconds(1.6935648e18, "parent.start_ns")


def test_a_fraction_of_a_second_in_json_is_exact() -> None:
    """A float would end a quarter of a microsecond away."""
    order = ParentOrder.from_json(PARENT.replace("1693564800", "1693564800.123456789"))
    assert order.start_ts == 1693564800_123456789


def test_a_fill_says_the_unit_of_its_time_too() -> None:
    raw = {"parent_id": "p", "child_id": "c", "px": 1, "qty": 1, "liquidity": "maker", "fee": 0}
    for time in ({"ts": 1693564800}, {"ts": "2023-09-01T10:40:00Z"}, {"ts_ns": 1693564800 * 10**9}):
        assert Fill.from_dict({**raw, **time}).ts == 1693564800_000000000
    with pytest.raises(OrderError, match="could be milliseconds"):
        Fill.from_dict({**raw, "ts": 1693564800_000})


@given(st.integers(FIRST_NS, LAST_NS - 1))
def test_every_instant_is_read_back_to_the_nanosecond(ns: int) -> None:
    raw = {**json.loads(PARENT), "start_ts": ns, "end_ts": LAST_NS - 1}
    if ns < LAST_NS - 1:
        order = ParentOrder.from_dict(raw)
        assert ParentOrder.from_json(order.to_json()) == order
        assert order.start_ts == ns
    assert instant(said(ns), "t") == ns
    seconds, rest = divmod(ns, 10**9)
    text = PARENT.replace("1693564800", f"{seconds}.{rest:09d}")
    text = text.replace("1693568400", "4102444799.999999999")
    if ns < LAST_NS - 1:
        assert ParentOrder.from_json(text).start_ts == ns


@given(st.integers(FIRST_NS, LAST_NS - 1), st.integers(-14 * 60, 14 * 60))
def test_the_offset_is_taken_off(ns: int, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    at = datetime.fromtimestamp(ns // 10**9, zone)
    assert instant(at.isoformat(), "t") == ns // 10**9 * 10**9


@given(st.integers() | st.floats() | st.text(max_size=30) | st.decimals() | st.none())
def test_anything_is_a_time_of_our_age_or_refused_in_one_line(value: Any) -> None:
    try:
        assert FIRST_NS <= instant(value, "parent.start_ts") < LAST_NS
    except OrderError as error:
        assert str(error).startswith("parent.start_ts: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
