"""What a gate is asked and what it answers."""

from __future__ import annotations

from typing import NamedTuple

from paceline.guard.limits import Limits
from paceline.orders.instrument import Instrument
from paceline.orders.order import ParentOrder


class Mandate(NamedTuple):
    """A parent order, and who works it under what limits of the desk; its own tighten them."""

    parent: ParentOrder
    instrument: Instrument
    limits: Limits
    policy: str
    desk: str


class Request(NamedTuple):
    """What somebody wants to send."""

    parent_id: str
    child_id: str
    """Of the order to submit, cancel or replace; a new one for a submit."""
    kind: int
    side: int = 0
    type: int = 0
    ticks: int = 0
    """Book ticks of the parent order's instrument."""
    lots: int = 0
    """That may trade from now on, in lots of that instrument."""


class Decision(NamedTuple):
    """Whether it may go; it counts as sent then."""

    allowed: bool
    bits: int
    """Of `guard.reasons`; 0 when it is allowed."""
    reasons: tuple[str, ...]


class LetGo(NamedTuple):
    """A person's word that a policy on a symbol may execute again."""

    symbol: str
    policy: str
    who: str
    why: str
    ts: int
    """ns since the epoch."""
