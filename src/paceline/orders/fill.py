"""What the venue did: one fill of one child order."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Self

from msgspec.structs import force_setattr

from paceline.orders.instrument import Instrument
from paceline.orders.payload import (
    Identifier,
    Instant,
    Payload,
    Positive,
    choice,
    identifier,
    number,
    positive,
    steps,
)
from paceline.orders.times import instant


class Liquidity(StrEnum):
    """Who was there first."""

    MAKER = "maker"
    """Our order rested and was hit."""
    TAKER = "taker"
    """Our order hit what rested."""


class Fill(Payload, frozen=True, kw_only=True):
    """Shares that changed hands. No fill is no record; a price of 0 does not exist."""

    label: ClassVar[str] = "fill"
    in_ns: ClassVar[Mapping[str, str]] = {"ts_ns": "ts"}

    parent_id: Identifier
    child_id: Identifier
    ts: Instant
    """When it traded, see `orders.times`; nanoseconds since the epoch once it is read."""
    px: Positive
    """Price paid or received, in currency. Off the tick when the venue improves inside the
    spread or when modelled impact moved it, so it is not held to a grid."""
    qty: Positive
    """Shares."""
    liquidity: Liquidity
    fee: int | float
    """Fee of this fill in currency; negative is a rebate."""

    def __post_init__(self) -> None:
        at = f"{self.label}."
        identifier(self.parent_id, at + "parent_id")
        identifier(self.child_id, at + "child_id")
        force_setattr(self, "ts", instant(self.ts, at + "ts"))
        for field in ("px", "qty"):
            force_setattr(self, field, positive(getattr(self, field), at + field))
        force_setattr(self, "liquidity", choice(self.liquidity, Liquidity, at + "liquidity"))
        force_setattr(self, "fee", number(self.fee, at + "fee"))

    def check(self, instrument: Instrument) -> Self:
        """Itself, when the quantity is a whole number of lots; otherwise `OrderError`."""
        self.lots(instrument)
        return self

    def lots(self, instrument: Instrument) -> int:
        """Quantity in lots."""
        return steps(self.qty, instrument.lot, "fill.qty", "round it to whole lots")
