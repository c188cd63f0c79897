"""The payloads as JSON Schema (2020-12), for those who send them from elsewhere."""

from __future__ import annotations

from typing import Any

import msgspec

from paceline.orders.fill import Fill
from paceline.orders.order import ChildOrder, ParentOrder


def json_schema() -> dict[str, Any]:
    """One document whose `$defs` hold every payload.

    A schema cannot state what needs the instrument (lots, ticks), an order of times, or that a
    key is given once; `from_json` checks those too.
    """
    _, definitions = msgspec.json.schema_components(
        (ParentOrder, ChildOrder, Fill), ref_template="#/$defs/{name}"
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": definitions}
