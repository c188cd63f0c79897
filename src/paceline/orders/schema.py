"""The payloads as JSON Schema (2020-12), for those who send them from elsewhere."""

from __future__ import annotations

from typing import Any

import msgspec

from paceline.orders.fill import Fill
from paceline.orders.order import ChildOrder, ParentOrder
from paceline.orders.payload import Payload
from paceline.orders.times import FIRST_NS, LAST_NS


def json_schema() -> dict[str, Any]:
    """One document whose `$defs` hold every payload.

    A schema cannot state what needs the instrument (lots, ticks), an order of times, or that a
    key is given once; `from_json` checks those too.
    """
    _, definitions = msgspec.json.schema_components(
        (ParentOrder, ChildOrder, Fill), ref_template="#/$defs/{name}"
    )
    for payload in (ParentOrder, Fill):
        _also_in_ns(definitions[payload.__name__], payload)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": definitions}


def _also_in_ns(definition: dict[str, Any], payload: type[Payload]) -> None:
    """Say that a time may be given in nanoseconds, under a name of its own."""
    choices = []
    for name, field in payload.in_ns.items():
        definition["properties"][name] = {
            "type": "integer", "minimum": FIRST_NS, "exclusiveMaximum": LAST_NS,
            "description": "Nanoseconds since the epoch.",
        }  # fmt: skip
        definition["required"].remove(field)
        choices.append({"oneOf": [{"required": [field]}, {"required": [name]}]})
    definition["allOf"] = choices
