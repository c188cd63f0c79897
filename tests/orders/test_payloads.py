"""Payloads: what is refused, how it is said, and that nothing is lost on the way through JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import OrderError
from paceline.orders.fill import Fill, Liquidity
from paceline.orders.instrument import Instrument
from paceline.orders.order import ChildOrder, ChildType, Constraints, ParentOrder, Side
from paceline.orders.payload import Payload

YHOO = Instrument(
    symbol="YHOO",
    book_tick=Decimal("0.001"),
    order_tick=Decimal("0.01"),
    lot=Decimal(100),
    venue="INET",
)
PARENT: dict[str, Any] = {
    "order_id": "p-1",
    "symbol": "YHOO",
    "side": "sell",
    "qty": 12_300,
    "arrival_px": 20.8505,
    "start_ts": 1_043_000_000_000_000_000,
    "end_ts": 1_043_001_800_000_000_000,
    "constraints": {"participation": 0.1, "price_band_bps": 50, "child_max": 500},
}
CHILD: dict[str, Any] = {
    "parent_id": "p-1",
    "type": "limit",
    "qty": 100,
    "px": 20.85,
    "ttl_ms": 5000,
    "venue": "INET",
}
FILL: dict[str, Any] = {
    "parent_id": "p-1",
    "child_id": "c-1",
    "ts": 1_043_000_000_000_000_001,
    "px": 20.8512,
    "qty": 100,
    "liquidity": "maker",
    "fee": -0.2,
}
PAYLOADS: list[tuple[type[Payload], dict[str, Any]]] = [
    (ParentOrder, PARENT),
    (ChildOrder, CHILD),
    (Fill, FILL),
]


def by_keywords(payload: type[Payload], raw: dict[str, Any]) -> Payload:
    return payload(**raw).check(YHOO)


def by_json(payload: type[Payload], raw: dict[str, Any]) -> Payload:
    return payload.from_json(json.dumps(raw), YHOO)


def by_dict(payload: type[Payload], raw: dict[str, Any]) -> Payload:
    return payload.from_dict(raw, YHOO)


@pytest.mark.parametrize(("payload", "raw"), PAYLOADS)
def test_all_ways_in_agree_and_lead_out_again(payload: type[Payload], raw: dict[str, Any]) -> None:
    order = by_keywords(payload, raw)
    assert order == by_json(payload, raw) == by_dict(payload, raw)
    assert order == msgspec.json.decode(json.dumps(raw), type=payload)
    assert order == msgspec.convert(raw, payload)
    assert json.loads(order.to_json()) == raw
    assert payload.from_json(order.to_json()) == order
    with pytest.raises(AttributeError):
        order.qty = 1  # type: ignore[attr-defined]


def test_in_lots_and_ticks() -> None:
    parent, child = ParentOrder.from_dict(PARENT, YHOO), ChildOrder.from_dict(CHILD, YHOO)
    assert parent.lots(YHOO) == 123
    assert parent.arrival_ticks(YHOO) == 20850.5
    assert parent.constraints.child_max_lots(YHOO) == 5
    assert (parent.side, parent.side.sign) == (Side.SELL, -1)
    assert (child.lots(YHOO), child.ticks(YHOO)) == (1, 20850)
    assert Fill.from_dict(FILL, YHOO).lots(YHOO) == 1
    assert [Side.from_sign(s) for s in (1, -1)] == [Side.BUY, Side.SELL]
    with pytest.raises(OrderError, match=r"^side: 0 "):
        Side.from_sign(0)


@pytest.mark.parametrize("way", [by_keywords, by_json, by_dict])
@pytest.mark.parametrize("payload", [ParentOrder, ChildOrder, Fill])
@pytest.mark.parametrize(
    ("qty", "says"),
    [
        (-100, "-100 is not positive"),
        (0, "0 is not positive"),
        (-0.0, "0 is not positive"),
        (150, "150 is not a multiple of 100"),
        (100.5, "100.5 is not a multiple of 100"),
        (True, "True is a boolean"),
        ("100", "'100' is text"),
        (None, "None is not a number"),
        ([100], "[100] is not a number"),
        (1e300, "1e+300 is out of range"),
        (2**63, "9223372036854775808 is out of range"),
    ],
)
def test_quantities_that_are_refused(
    way: Callable[..., Payload], payload: type[Payload], qty: object, says: str
) -> None:
    raw = {**dict(PAYLOADS)[payload], "qty": qty}
    with pytest.raises(OrderError) as error:
        way(payload, raw)
    message = str(error.value)
    assert message.startswith(f"{payload.label}.qty: {says}")
    assert ";" in message, "no remedy"
    assert "\n" not in message


@pytest.mark.parametrize("payload", [ParentOrder, ChildOrder, Fill])
@pytest.mark.parametrize("qty", [float("nan"), float("inf"), Decimal("NaN"), np.bool_(True)])
def test_quantities_json_cannot_say(payload: type[Payload], qty: object) -> None:
    with pytest.raises(OrderError, match=rf"^{payload.label}\.qty: "):
        by_keywords(payload, {**dict(PAYLOADS)[payload], "qty": qty})


@pytest.mark.parametrize(
    ("payload", "change", "says"),
    [
        (ParentOrder, {"end_ts": PARENT["start_ts"]}, "parent.end_ts: 2003-01-19T18:13:20Z is not"),
        (
            ParentOrder,
            {"start_ts": 1.0},
            "parent.start_ts: 1.0 is 1970-01-01 00:00:01 UTC, not in 1990 to 2100",
        ),
        (ParentOrder, {"start_ts": -1}, "parent.start_ts: -1 is 1969-12-31 23:59:59 UTC, not in"),
        (ParentOrder, {"end_ts": 2**63}, "parent.end_ts: 9223372036854775808 is 2262-04-11"),
        (ParentOrder, {"side": "BUY"}, "parent.side: 'BUY' is not known; give one of buy, sell"),
        (ParentOrder, {"side": 1}, "parent.side: 1 is not known"),
        (ParentOrder, {"arrival_px": 20.8502}, "parent.arrival_px: 20.8502 is not a multiple"),
        (ParentOrder, {"arrival_px": 0}, "parent.arrival_px: 0 is not positive"),
        (ParentOrder, {"order_id": ""}, "parent.order_id: '' is empty"),
        (ParentOrder, {"order_id": " \t"}, "parent.order_id: ' \\t' is empty"),
        (ParentOrder, {"order_id": "a\x00b"}, "parent.order_id: 'a\\x00b' has unprintable"),
        (ParentOrder, {"order_id": "a\n"}, "parent.order_id: 'a\\n' has unprintable"),
        (ParentOrder, {"order_id": "a" * 129}, "parent.order_id: 'aaa"),
        (ParentOrder, {"order_id": 7}, "parent.order_id: 7 is not text"),
        (ParentOrder, {"symbol": "INTC"}, "parent.symbol: 'INTC' is not 'YHOO'"),
        (ParentOrder, {"constraints": None}, "constraints: None is not an object"),
        (ParentOrder, {"constraints": {}}, "constraints.participation: missing"),
        (ParentOrder, {"limit_px": 3}, "parent.limit_px: unknown field; remove it"),
        (ParentOrder, {"arival_px": 3}, "parent.arival_px: unknown field; did you mean arrival_px"),
        (ChildOrder, {"px": 20.855}, "child.px: 20.855 is not a multiple of 0.01 (nearest: 20.85"),
        (ChildOrder, {"px": "20.85"}, "child.px: '20.85' is text"),
        (ChildOrder, {"type": "market"}, "child.type: 'market' is not known"),
        (ChildOrder, {"ttl_ms": 0}, "child.ttl_ms: 0 does not fit type limit; give at least 1"),
        (ChildOrder, {"ttl_ms": True}, "child.ttl_ms: True is a boolean"),
        (ChildOrder, {"type": "ioc"}, "child.ttl_ms: 5000 does not fit type ioc; give 0"),
        (ChildOrder, {"venue": ""}, "child.venue: '' is empty"),
        (ChildOrder, {"venue": "ARCA"}, "child.venue: 'ARCA' is not 'INET'"),
        (Fill, {"liquidity": None}, "fill.liquidity: None is not known; give one of maker, taker"),
        (Fill, {"px": 0.0}, "fill.px: 0 is not positive"),
        (Fill, {"fee": "0"}, "fill.fee: '0' is text"),
    ],
)
def test_what_else_is_refused(payload: type[Payload], change: dict[str, Any], says: str) -> None:
    raw = {**dict(PAYLOADS)[payload], **change}
    for way in (by_json, by_dict):
        with pytest.raises(OrderError) as error:
            way(payload, raw)
        assert str(error.value).startswith(says)
        assert ";" in str(error.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"participation": 0}, "constraints.participation: 0 is not positive"),
        ({"participation": 1.01}, "constraints.participation: 1.01 is above 1"),
        ({"participation": True}, "constraints.participation: True is a boolean"),
        ({"price_band_bps": -1}, "constraints.price_band_bps: -1 is not positive"),
        ({"child_max": 0}, "constraints.child_max: 0 is not positive"),
        ({"child_max": 250}, "constraints.child_max: 250 is not a multiple of 100"),
        ({"max_order_value": 0}, "constraints.max_order_value: 0 is not positive"),
        ({"max_messages": 1.5}, "constraints.max_messages: 1.5 is not an integer"),
        ({"max_cancels": -1}, "constraints.max_cancels: -1 is too small"),
        ({"min_resting_ms": "5"}, "constraints.min_resting_ms: '5' is text"),
        ({"max_msgs": 5}, "constraints.max_msgs: unknown field"),
    ],
)
def test_constraints_that_are_refused(change: dict[str, Any], says: str) -> None:
    raw = {**PARENT, "constraints": {**PARENT["constraints"], **change}}
    for way in (by_keywords, by_json, by_dict):
        with pytest.raises(OrderError) as error:
            way(ParentOrder, raw)
        assert str(error.value).startswith(says)


@pytest.mark.parametrize("payload", [ParentOrder, ChildOrder, Fill, Constraints])
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"nan",
        b"[]",
        b"3",
        b"null",
        b'"a"',
        b"{}",
        b"\xff\xfe",
        b'{"qty":1e400}',
        b'{"qty":NaN}',
        b'{"qty":' + b"9" * 5000 + b"}",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"{}\x00",
        '"\ud800"',
        b'{"qty":1,"qty":2}',
        b'{"x":{"b":":{}","b":1}}',
        b'{"\\u0071ty":1,"qty":1}',
    ],
)
def test_documents_that_are_refused(payload: type[Payload], text: bytes | str) -> None:
    with pytest.raises(OrderError) as error:
        payload.from_json(text)
    assert "\n" not in str(error.value)


def test_a_key_given_twice_is_named() -> None:
    text = json.dumps(PARENT)
    for old, new in [
        ('"qty": 12300', '"qty": 12300, "qty": 12300'),
        ('"child_max": 500', '"child_max": 500, "child_max": 900'),
    ]:
        name = old.split('"')[1]
        with pytest.raises(OrderError, match=rf"^{name}: given twice"):
            ParentOrder.from_json(text.replace(old, new), YHOO)


def test_punctuation_inside_text_is_no_key() -> None:
    raw = {**PARENT, "order_id": 'a":"b\\",:{}"'}
    assert by_json(ParentOrder, raw) == by_dict(ParentOrder, raw)


@given(st.binary(max_size=80))
def test_garbage_ends_in_one_line(data: bytes) -> None:
    with pytest.raises(OrderError) as error:
        ParentOrder.from_json(data)
    assert "\n" not in str(error.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.sampled_from(PAYLOADS), st.data())
def test_any_value_in_any_field_is_taken_or_refused_in_one_line(
    entry: tuple[type[Payload], dict[str, Any]], data: st.DataObject
) -> None:
    payload, valid = entry
    raw = {**valid, data.draw(st.sampled_from(sorted(valid))): data.draw(JSON)}
    try:
        order = payload.from_dict(raw, YHOO)
    except OrderError as error:
        said = str(error)
    else:
        said = "taken"
        assert payload.from_json(order.to_json(), YHOO) == order
    assert len(said.splitlines()) == 1


@given(lots=st.integers(1, 10**9), ticks=st.integers(1, 10**6), side=st.sampled_from(Side))
def test_every_grid_point_is_taken_exactly(lots: int, ticks: int, side: Side) -> None:
    change = {"qty": lots * 100, "arrival_px": ticks / 2000, "side": side}
    parent = by_json(ParentOrder, {**PARENT, **change})
    assert isinstance(parent, ParentOrder)
    assert (parent.lots(YHOO), parent.arrival_ticks(YHOO), parent.side) == (lots, ticks / 2, side)


def test_numbers_of_other_libraries_become_plain() -> None:
    raw = {**CHILD, "qty": np.int64(100), "px": Decimal("20.85"), "ttl_ms": np.int32(5000)}
    child = ChildOrder(**raw)
    assert child == ChildOrder.from_dict(CHILD)
    assert [type(x) for x in (child.qty, child.px, child.ttl_ms)] == [int, float, int]
    assert ChildOrder(**{**CHILD, "qty": 100.0}).to_json() == ChildOrder(**CHILD).to_json()
    with pytest.raises(OrderError, match=r"^child\.px: .* more digits than a float holds"):
        ChildOrder(**{**CHILD, "px": Decimal("20.8500000000000000000001")})


def test_a_number_too_long_to_print() -> None:
    with pytest.raises(OrderError, match=r"^child\.qty: a number of thousands of digits is out"):
        ChildOrder(**{**CHILD, "qty": 10**6000})


def test_types_of_the_enums() -> None:
    assert ChildOrder.from_dict(CHILD).type is ChildType.LIMIT
    assert Fill.from_dict(FILL).liquidity is Liquidity.MAKER
