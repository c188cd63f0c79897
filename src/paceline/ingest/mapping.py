"""Which column of a table says what."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec

from paceline.errors import ConfigError

OF_ORDERS = ("add", "reduce", "delete", "execute", "modify", "hidden", "seed")
OF_LEVELS = ("level", "trade")
OF_BOTH = ("cross", "halt", "quote", "resume", "clear", "ignore")
_SIDE_WORDS: dict[str, Literal["bid", "ask", "none"]] = {
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
    sides: dict[str, Literal["bid", "ask", "none"]] = msgspec.field(
        default_factory=lambda: dict(_SIDE_WORDS)
    )
    """Value in the side column to side of the book."""
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

    def __post_init__(self) -> None:
        allowed = OF_BOTH + (OF_ORDERS if self.order is not None else OF_LEVELS)
        for value, kind in {**self.kinds, "default_kind": self.default_kind or "ignore"}.items():
            if kind not in allowed:
                raise ConfigError(
                    f"mapping.kinds: {value!r} is {kind!r}; use one of {', '.join(allowed)}"
                )
        if self.kind is None and self.default_kind is None:
            raise ConfigError("mapping.kind: name a column, or give a default_kind for all rows")
        if len(self.delimiter) != 1:
            raise ConfigError(f"mapping.delimiter: {self.delimiter!r} is not one character")
        for name in ("price_unit", "size_unit"):
            unit = getattr(self, name)
            if not (unit.is_finite() and unit > 0):
                raise ConfigError(f"mapping.{name}: {unit} is not positive")

    @property
    def digest(self) -> str:
        """Short fingerprint of the mapping."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]


def mapping_from(given: ColumnMapping | dict[str, Any] | str | Path) -> ColumnMapping:
    """A mapping from a struct, a dict, or a YAML or JSON file. Raises `ConfigError`."""
    if isinstance(given, ColumnMapping):
        return given
    if not isinstance(given, dict):
        import yaml

        try:
            given = yaml.safe_load(Path(given).read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            line = " ".join(str(error).split())
            raise ConfigError(f"mapping: {given} cannot be read ({line})") from None
    fields: Any = given
    for name in ("kinds", "sides"):
        values = fields.get(name) if isinstance(fields, dict) else None
        if isinstance(values, dict):  # YAML reads 1 and -1 as numbers
            fields = {**fields, name: {str(key): value for key, value in values.items()}}
    try:
        return msgspec.convert(fields, ColumnMapping, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"mapping: {error}") from None
