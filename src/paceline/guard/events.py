"""What happens to a gate, as its journal keeps it. Replayed in order, events give the same
state."""

from __future__ import annotations

from typing import Any

import msgspec

from paceline.guard.limits import Limits
from paceline.guard.mandate import Mandate
from paceline.orders.instrument import Instrument
from paceline.orders.order import ParentOrder
from paceline.units import as_decimal


class Event(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One event; on disk an array whose first element names its kind."""


class Added(Event, frozen=True, array_like=True, tag="added"):
    """A parent order is let through from now on."""

    parent: dict[str, Any]
    instrument: dict[str, Any]
    limits: dict[str, Any]
    policy: str
    desk: str


class Held(Event, frozen=True, array_like=True, tag="held"):
    """The account's position in a symbol, in shares."""

    symbol: str
    shares: str


class Sent(Event, frozen=True, array_like=True, tag="sent"):
    """A message leaves. Written before it does."""

    parent: int
    """Row of the parent order, in the order in which they were added."""
    child: str
    kind: int
    side: int
    ticks: int
    lots: int
    ts: int


class Refused(Event, frozen=True, array_like=True, tag="refused"):
    """An order of a parent order was refused."""

    parent: int


class Filled(Event, frozen=True, array_like=True, tag="filled"):
    """Lots of a child order traded."""

    child: str
    lots: int
    ts: int


class Replaced(Event, frozen=True, array_like=True, tag="replaced"):
    """The venue confirmed a replace."""

    child: str


class Over(Event, frozen=True, array_like=True, tag="over"):
    """Nothing of a child order works any more."""

    child: str


class LetGoOn(Event, frozen=True, array_like=True, tag="let_go_on"):
    """A person let a policy execute again."""

    symbol: str
    policy: str
    who: str
    why: str
    ts: int


class Kept(Event, frozen=True, array_like=True, tag="kept"):
    """All that earlier events led to, in their place: what a journal starts with once it was made
    smaller."""

    room: int
    added: tuple[Added, ...]
    grids: dict[str, tuple[str, str]]
    """By key of the symbol: shares and currency in one unit, as fractions."""
    children: tuple[tuple[str, int], ...]
    """Name and row of the parent order, by number."""
    violations: tuple[int, ...]
    let_go: tuple[LetGoOn, ...]
    counters: tuple[bytes, ...]
    """The arrays of `Counters`, in order, little-endian."""


AnyEvent = Added | Held | Sent | Refused | Filled | Replaced | Over | LetGoOn | Kept


def added(mandate: Mandate) -> Added:
    """The event of adding a parent order."""
    parent, instrument, limits, policy, desk = mandate
    return Added(
        parent=msgspec.to_builtins(parent),
        instrument=msgspec.to_builtins(instrument),
        limits=msgspec.to_builtins(limits),
        policy=policy,
        desk=desk,
    )


def mandate_of(event: Added) -> Mandate:
    """The parent order of an event."""
    set_ = {name: value for name, value in event.parent.items() if value is not None}
    return Mandate(
        ParentOrder.from_dict(set_),
        msgspec.convert(event.instrument, Instrument, strict=False),
        msgspec.convert(event.limits, Limits),
        event.policy,
        event.desk,
    )


def held(symbol: str, shares: int | float) -> Held:
    """The event of a position."""
    return Held(symbol, format(as_decimal(shares, "position"), "f"))
