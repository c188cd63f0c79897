"""Which column of a desk's files says what of its child orders, and of their parents.

The files are tables, CSV or Parquet: one with a child order a row, one with a parent order a row.
`docs/child_orders.md` explains every field, with an example.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from paceline.config import Field, Settings
from paceline.errors import ConfigError
from paceline.ingest.answers import existing_zone, positive

Kind = Literal["limit", "marketable", "ioc", "ignore"]
Way = Literal["buy", "sell"]

_SIDES: dict[str, Way] = {
    "buy": "buy", "sell": "sell", "BUY": "buy", "SELL": "sell", "B": "buy", "S": "sell",
    "1": "buy", "-1": "sell",
}  # fmt: skip


class ParentColumns(Settings, frozen=True, kw_only=True):
    """Columns of the file of parent orders."""

    order: Annotated[str, Field("Column with its name, which child orders give.", "")]
    symbol: Annotated[str | None, Field("Column with the ticker; none: `symbol` for all.", "")] = (
        None
    )
    start: Annotated[str, Field("Column with the time from which it is worked.", "")]
    end: Annotated[str, Field("Column with the end of its horizon.", "")]
    side: Annotated[str, Field("Column with the side.", "")]
    size: Annotated[str, Field("Column with what is to be traded.", "")]


class ChildOrderMapping(Settings, frozen=True, kw_only=True):
    """Columns of the file of child orders, and how both files write times, sides and numbers."""

    parent: Annotated[str, Field("Column with the name of the parent order.", "")]
    time: Annotated[str, Field("Column with the time at which it was sent.", "")]
    price: Annotated[str, Field("Column with the limit price.", "")]
    size: Annotated[str, Field("Column with the size.", "")]
    side: Annotated[
        str | None, Field("Column with the side; none: it is the parent order's.", "")
    ] = None
    type: Annotated[
        str | None, Field("Column with the type; none: `default_type` for all.", "")
    ] = None
    types: Annotated[
        dict[str, Kind],
        Field("Values of that column: limit, marketable, ioc, or ignore for rows that send "
              "nothing.", ""),
    ] = msgspec.field(default_factory=dict)  # fmt: skip
    default_type: Annotated[
        Kind | None, Field("Of rows whose value is not in `types`; none: set aside.", "")
    ] = None
    parents: Annotated[ParentColumns, Field("Columns of the parent orders.", "")]
    symbol: Annotated[str | None, Field("Ticker of all parent orders.", "")] = None
    sides: Annotated[dict[str, Way], Field("Values of sides: buy or sell.", "")] = msgspec.field(
        default_factory=lambda: dict(_SIDES)
    )
    time_unit: Annotated[
        Literal["ns", "us", "ms", "s", "iso"], Field("Unit of times; iso is text.", "")
    ] = "ns"
    zone: Annotated[str, Field("Time zone of times that name none.", "")] = "UTC"
    price_unit: Annotated[Decimal, Field("What 1 in the price column is worth.", "currency")] = (
        Decimal(1)
    )
    size_unit: Annotated[Decimal, Field("What 1 in a size column is.", "shares")] = Decimal(1)
    delimiter: Annotated[
        str, Meta(min_length=1, max_length=1), Field("What separates the columns of a CSV.", "")
    ] = ","
    max_bad_share: Annotated[
        Annotated[float, Meta(ge=0, le=1)],
        Field("Share of a day's rows that may be set aside before the day is refused.", "share"),
    ] = 0.05
    max_steps_away: Annotated[
        Annotated[int, Meta(ge=0)],
        Field("How far a resting order may stand from the nearest action.", "order ticks"),
    ] = 2
    max_size_ratio: Annotated[
        Annotated[float, Meta(ge=1)],
        Field("How many times larger, or smaller, it may be than the nearest action.", ""),
    ] = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        existing_zone(self.zone, "zone")
        for name in ("price_unit", "size_unit"):
            positive(getattr(self, name), name, "0.01")
        if self.type is None and self.default_type is None:
            raise ConfigError("type: missing; name a column, or give a default_type")
        if self.parents.symbol is None and self.symbol is None:
            raise ConfigError("parents.symbol: missing; name a column, or give symbol for all")

    @property
    def time_since(self) -> str:
        """What numbers count from."""
        return "epoch"


class Columns(NamedTuple):
    """What reading a table needs of a mapping."""

    columns: dict[str, str]  # field of the mapping -> column
    delimiter: str


def of_children(mapping: ChildOrderMapping) -> Columns:
    """Columns of the file of child orders, by the fields that name them."""
    names = ("parent", "time", "price", "size", "side", "type")
    return _columns(mapping, {name: getattr(mapping, name) for name in names})


def of_parents(mapping: ChildOrderMapping) -> Columns:
    """Columns of the file of parent orders, by the fields that name them."""
    names = ("order", "symbol", "start", "end", "side", "size")
    return _columns(mapping, {f"parents.{name}": getattr(mapping.parents, name) for name in names})


def _columns(mapping: ChildOrderMapping, columns: dict[str, str | None]) -> Columns:
    there = {field: name for field, name in columns.items() if name is not None}
    return Columns(there, mapping.delimiter)
