"""What is to be worked (parent order) and what is sent to the venue (child order).

Both are payloads: numbers are in shares and currency here, and become lots and ticks through the
`Instrument`. `check` therefore needs one, while everything else is checked on construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from msgspec import Meta
from msgspec.structs import force_setattr

from paceline.errors import OrderError
from paceline.orders.instrument import Instrument
from paceline.orders.payload import (
    Count,
    Identifier,
    Instant,
    Payload,
    Positive,
    Share,
    choice,
    identifier,
    positive,
    share,
    steps,
    whole,
)
from paceline.orders.times import instant, said


class Side(StrEnum):
    """Which way the parent order trades."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @classmethod
    def from_sign(cls, sign: int) -> Side:
        """The side of +1 or -1."""
        if sign not in (1, -1):
            raise OrderError(f"side: {sign!r} is not a sign; give +1 to buy or -1 to sell")
        return cls.BUY if sign == 1 else cls.SELL


class ChildType(StrEnum):
    """How a child order meets the book. All three carry a limit price."""

    LIMIT = "limit"
    """Rests at its price; never trades on arrival beyond it."""
    MARKETABLE_LIMIT = "marketable_limit"
    """Priced to trade at once; what does not trade rests at its price."""
    IOC = "ioc"
    """Trades at once at its price or better; what does not trade is cancelled."""


class Constraints(Payload, frozen=True, kw_only=True):
    """Hard limits of one parent order. A limit that is None is not set, and then the guard lets
    nothing pass that would need it."""

    label: ClassVar[str] = "constraints"

    participation: Share
    """Most of the market's volume that may be ours over the rolling window, in (0, 1]."""
    price_band_bps: Positive
    """Farthest a child order's price may lie from the arrival price, in bps of it."""
    child_max: Positive
    """Largest child order, in shares."""
    max_order_value: Positive | None = None
    """Largest quantity times price of one child order, in currency."""
    max_messages: Count | None = None
    """Most submits, replaces and cancels over the life of the parent order."""
    max_cancels: Count | None = None
    """Most cancels over the life of the parent order."""
    min_resting_ms: Count | None = None
    """Shortest time a resting child order stays before it may be cancelled, in ms."""

    def __post_init__(self) -> None:
        at = f"{self.label}."
        force_setattr(self, "participation", share(self.participation, at + "participation"))
        for field in ("price_band_bps", "child_max"):
            force_setattr(self, field, positive(getattr(self, field), at + field))
        if self.max_order_value is not None:
            force_setattr(
                self, "max_order_value", positive(self.max_order_value, at + "max_order_value")
            )
        for field in ("max_messages", "max_cancels", "min_resting_ms"):
            limit = getattr(self, field)
            if limit is not None:
                force_setattr(self, field, whole(limit, at + field))

    def check(self, instrument: Instrument) -> Self:
        """Itself, when `child_max` is a whole number of lots; otherwise `OrderError`."""
        self.child_max_lots(instrument)
        return self

    def child_max_lots(self, instrument: Instrument) -> int:
        """The largest child order in lots."""
        return steps(
            self.child_max, instrument.lot, "constraints.child_max", "round it to whole lots"
        )


class ParentOrder(Payload, frozen=True, kw_only=True):
    """One large order: buy or sell `qty` shares between `start_ts` and `end_ts`.

    Times are given in seconds, as ISO 8601 text, or in nanoseconds (see `orders.times`), and are
    nanoseconds since the epoch from then on; `to_json` writes those.
    """

    label: ClassVar[str] = "parent"
    in_ns: ClassVar[Mapping[str, str]] = {"start_ns": "start_ts", "end_ns": "end_ts"}

    order_id: Identifier
    symbol: Identifier
    side: Side
    qty: Positive
    """Shares to trade."""
    arrival_px: Positive
    """Mid when the parent becomes active, in currency; half a book tick is possible."""
    start_ts: Instant
    end_ts: Instant
    """The horizon's end, later than `start_ts`. The last messages are sent at it: they call back
    what still works, or sweep the visible book for it. Nothing is sent after."""
    constraints: Constraints

    def __post_init__(self) -> None:
        at = f"{self.label}."
        identifier(self.order_id, at + "order_id")
        identifier(self.symbol, at + "symbol")
        force_setattr(self, "side", choice(self.side, Side, at + "side"))
        for field in ("qty", "arrival_px"):
            force_setattr(self, field, positive(getattr(self, field), at + field))
        for field in ("start_ts", "end_ts"):
            force_setattr(self, field, instant(getattr(self, field), at + field))
        if self.end_ts <= self.start_ts:
            raise OrderError(
                f"{at}end_ts: {said(self.end_ts)} is not after start_ts {said(self.start_ts)}; "
                "give a later end"
            )
        constraints: object = self.constraints
        if not isinstance(constraints, Constraints):
            force_setattr(self, "constraints", Constraints.from_dict(constraints))

    def check(self, instrument: Instrument) -> Self:
        """Itself, when symbol and grids are those of `instrument`; otherwise `OrderError`."""
        if self.symbol != instrument.symbol:
            raise OrderError(
                f"parent.symbol: {self.symbol!r} is not {instrument.symbol!r}; "
                "give the instrument of this order"
            )
        self.lots(instrument)
        self.arrival_ticks(instrument)
        self.constraints.check(instrument)
        return self

    def lots(self, instrument: Instrument) -> int:
        """Quantity in lots."""
        return steps(self.qty, instrument.lot, "parent.qty", "round it to whole lots")

    def arrival_ticks(self, instrument: Instrument) -> float:
        """Arrival price in book ticks; a mid may lie on a half."""
        half = instrument.book_tick / 2
        return steps(self.arrival_px, half, "parent.arrival_px", "give the mid of the book") / 2


class ChildOrder(Payload, frozen=True, kw_only=True):
    """One order to the venue, on behalf of a parent order."""

    label: ClassVar[str] = "child"

    parent_id: Identifier
    type: ChildType
    qty: Positive
    """Shares to trade."""
    px: Positive
    """Limit price in currency, on the order tick."""
    ttl_ms: Annotated[int, Meta(ge=0)]
    """How long it may rest, in ms: at least 1; exactly 0 for an IOC, which never rests."""
    venue: Identifier

    def __post_init__(self) -> None:
        at = f"{self.label}."
        identifier(self.parent_id, at + "parent_id")
        identifier(self.venue, at + "venue")
        force_setattr(self, "type", choice(self.type, ChildType, at + "type"))
        for field in ("qty", "px"):
            force_setattr(self, field, positive(getattr(self, field), at + field))
        force_setattr(self, "ttl_ms", whole(self.ttl_ms, at + "ttl_ms"))
        if (self.type is ChildType.IOC) != (self.ttl_ms == 0):
            remedy = "give 0, it never rests" if self.type is ChildType.IOC else "give at least 1"
            raise OrderError(f"{at}ttl_ms: {self.ttl_ms} does not fit type {self.type}; {remedy}")

    def check(self, instrument: Instrument) -> Self:
        """Itself, when quantity and price lie on the grids; otherwise `OrderError`."""
        if instrument.venue and self.venue != instrument.venue:
            raise OrderError(
                f"child.venue: {self.venue!r} is not {instrument.venue!r}; "
                "give the venue of the instrument"
            )
        self.lots(instrument)
        self.ticks(instrument)
        return self

    def lots(self, instrument: Instrument) -> int:
        """Quantity in lots."""
        return steps(self.qty, instrument.lot, "child.qty", "round it to whole lots")

    def ticks(self, instrument: Instrument) -> int:
        """Limit price in *book* ticks; it must lie on the order tick."""
        on_order_tick = steps(
            self.px, instrument.order_tick, "child.px", "round it to the order tick"
        )
        return on_order_tick * instrument.order_step
