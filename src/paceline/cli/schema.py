"""paceline schema: what may be in an order, as JSON schema."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from paceline.cli.parser import add_verb


def add(verbs: Any) -> None:
    """Add the verb."""
    add_verb(
        verbs,
        "schema",
        run,
        "Print the JSON schema of parent orders, child orders, fills.",
        "example:\n  paceline schema > orders.schema.json\n",
    )


def run(args: argparse.Namespace) -> None:
    """Run it."""
    from paceline.orders.schema import json_schema

    print(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode())
