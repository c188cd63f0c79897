"""Which column of a table says what."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_type_hints

import msgspec
from msgspec.structs import force_setattr

from paceline.documents import read_yaml, shown
from paceline.errors import ConfigError, InputError
from paceline.ingest.answers import (
    existing_currency,
    existing_zone,
    fitting,
    positive,
    refuse_unknown,
    switch,
)
from paceline.orders.identity import canonical

OF_ORDERS = ("add", "reduce", "delete", "execute", "modify", "hidden", "seed")
OF_LEVELS = ("level", "trade")
OF_BOTH = ("cross", "halt", "quote", "resume", "clear", "ignore")
_SIDES = ("bid", "ask", "none")
_SIDE_WORDS = {
    "1": "bid", "-1": "ask", "B": "bid", "A": "ask", "S": "ask", "bid": "bid", "ask": "ask",
    "buy": "bid", "sell": "ask",
}  # fmt: skip


class ColumnMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which column says what."""

    time: str
    """Column with the time of a row."""
    time_unit: Literal["ns", "us", "ms", "s", "iso"] = "ns"
    """Unit of the time; iso: text such as 2024-05-08T13:30:00.25, or a timestamp column."""
    time_since: Literal["epoch", "midnight"] = "epoch"
    """What numbers count from; midnight is that of the day in `zone`."""
    zone: str = "UTC"
    """Time zone of the venue (IANA name), and of times that name none."""
    kind: str | None = None
    """Column that says what a row is; None: every row is `default_kind`."""
    kinds: dict[str, str] = {}
    """Value in the kind column to kind (see `ingest.columns`)."""
    default_kind: str | None = None
    """Kind of rows whose value is not in `kinds`; None: such rows are quarantined."""
    side: str | None = None
    """Column with the side; None: no row has one."""
    sides: dict[str, str] = msgspec.field(default_factory=lambda: dict(_SIDE_WORDS))
    """Value in the side column to side of the book: bid, ask or none."""
    trade_side: Literal["resting", "aggressor"] = "resting"
    """Whose side a trade, hidden or execute row names."""
    price: str
    """Column with the price."""
    price_unit: Decimal = Decimal(1)
    """What one unit of the price column is worth, in currency."""
    size: str
    """Column with the size."""
    size_unit: Decimal = Decimal(1)
    """What one unit of the size column is, in shares, contracts or coins."""
    order: str | None = None
    """Column with the order id (whole numbers); None: the file has levels, not orders."""
    symbol: str | None = None
    """Ticker of all rows; None: from `symbol_column`, else the file's name."""
    symbol_column: str | None = None
    """Column with the ticker."""
    delimiter: str = ","
    """What separates the columns of a CSV."""
    currency: str | None = None
    """Currency of prices; None: USD."""
    book_tick: Decimal | None = None
    """Smallest price step of the book, in currency; None: found from the prices."""
    order_tick: Decimal | None = None
    """Smallest price step of our own orders, in currency; None: found from the prices."""
    lot: Decimal | None = None
    """Smallest size step, in shares, contracts or coins; None: found from the sizes."""
    round_sizes: bool = False
    """Whether sizes are rounded to whole lots."""

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            value, field = getattr(self, name), f"mapping.{name}"
            if name in ("price_unit", "size_unit"):
                value = positive(value, field, "0.01")
            elif name in ("book_tick", "order_tick", "lot"):
                value = None if value is None else positive(value, field, "0.01")
            elif name == "round_sizes":
                value = switch(value, field)
            elif name == "currency":
                value = None if value is None else existing_currency(value, field)
            elif name == "symbol":
                value = None if value is None else canonical(value, field, ConfigError)
            elif name in ("kinds", "sides"):
                value = _table(value, field)
            else:
                value = fitting(value, kind, field)
            force_setattr(self, name, value)
        for value, kind in self.kinds.items():
            self._check_kind(kind, f"mapping.kinds: {shown(value)} is {shown(kind)}")
        if self.default_kind is not None:
            self._check_kind(self.default_kind, f"mapping.default_kind: {shown(self.default_kind)}")
        for value, side in self.sides.items():
            if side not in _SIDES:
                raise ConfigError(
                    f"mapping.sides: {shown(value)} is {shown(side)}; "
                    f"use one of {', '.join(_SIDES)}"
                )
        if self.kind is None and self.default_kind is None:
            raise ConfigError("mapping.kind: missing; name a column, or give a default_kind")
        if len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter in "\r\n":
            raise ConfigError(
                f"mapping.delimiter: {self.delimiter!r} is not one ASCII character; write it in "
                'double quotes, such as ";" or "\\t"'
            )
        existing_zone(self.zone, "mapping.zone")

    def _check_kind(self, kind: object, told: str) -> None:
        """Refuse what is no kind of this sort of file; `told` says which field says so."""
        allowed = (OF_LEVELS if self.order is None else OF_ORDERS) + OF_BOTH
        if kind in allowed:
            return
        remedy = f"use one of {', '.join(allowed)}"
        if kind in OF_ORDERS:
            remedy = f"that needs the order ids: name their column in mapping.order, or {remedy}"
        elif kind in OF_LEVELS:
            remedy = f"that is for files without order ids: leave out mapping.order, or {remedy}"
        raise ConfigError(f"{told}; {remedy}")

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are read, by the field that names them."""
        fields = ("time", "kind", "side", "price", "size", "order", "symbol_column")
        return {field: name for field in fields if (name := getattr(self, field)) is not None}

    @property
    def digest(self) -> str:
        """Short fingerprint of the mapping."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]


def mapping_from(given: ColumnMapping | Mapping[str, Any] | str | Path) -> ColumnMapping:
    """A mapping from a struct, a dict, or a YAML or JSON file. Raises `ConfigError`."""
    if isinstance(given, ColumnMapping):
        return given
    fields = given if isinstance(given, Mapping) else _read_yaml(Path(given)) or {}
    if not isinstance(fields, Mapping):
        raise ConfigError(f"mapping: {shown(fields)} is no mapping; write `field: value` lines")
    refuse_unknown(fields, ColumnMapping.__struct_fields__, "mapping.")
    fields = {name: value for name, value in fields.items() if value is not None}
    for field in msgspec.structs.fields(ColumnMapping):
        if field.required and field.name not in fields:
            raise ConfigError(f"mapping.{field.name}: missing; name the column")
    return ColumnMapping(**fields)


def _table(value: object, field: str) -> dict[str, Any]:
    """Which word in a column means what. From Python a word may be a number too."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{field}: {shown(value)} is not a table; write {{VALUE: meaning, …}}")
    return {str(key): meaning for key, meaning in value.items()}


def _read_yaml(path: Path) -> Any:
    """YAML in which every word is text: a side may be -1, a column 7, a symbol NO."""
    try:
        return read_yaml(path, words=True)
    except InputError as error:
        raise ConfigError(f"mapping: {error}") from None
