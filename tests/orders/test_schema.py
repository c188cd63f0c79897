"""The exported schema says what the payloads hold."""

from __future__ import annotations

import json

import pytest

from paceline.orders.fill import Fill
from paceline.orders.order import ChildOrder, Constraints, ParentOrder
from paceline.orders.payload import Payload
from paceline.orders.schema import json_schema

DEFINITIONS = json_schema()["$defs"]


@pytest.mark.parametrize("payload", [ParentOrder, ChildOrder, Fill, Constraints])
def test_fields_and_nothing_else(payload: type[Payload]) -> None:
    definition = DEFINITIONS[payload.__name__]
    assert tuple(definition["properties"]) == (*payload.__struct_fields__, *payload.in_ns)
    assert definition["additionalProperties"] is False


def test_the_payload_fields_are_the_agreed_ones() -> None:
    assert DEFINITIONS["ParentOrder"]["required"] == [
        "order_id", "symbol", "side", "qty", "arrival_px", "constraints",
    ]  # fmt: skip
    assert DEFINITIONS["ParentOrder"]["allOf"] == [
        {"oneOf": [{"required": ["start_ts"]}, {"required": ["start_ns"]}]},
        {"oneOf": [{"required": ["end_ts"]}, {"required": ["end_ns"]}]},
    ]
    assert DEFINITIONS["Constraints"]["required"] == [
        "participation", "price_band_bps", "child_max",
    ]  # fmt: skip
    assert DEFINITIONS["ChildOrder"]["required"] == [
        "parent_id", "type", "qty", "px", "ttl_ms", "venue",
    ]  # fmt: skip
    assert DEFINITIONS["Side"]["enum"] == ["buy", "sell"]
    assert DEFINITIONS["ChildType"]["enum"] == ["ioc", "limit", "marketable_limit"]


def test_it_is_plain_json() -> None:
    assert json.loads(json.dumps(json_schema())) == json_schema()
    assert "boolean" not in json.dumps(json_schema())
