"""Who works an order when its policy should not: a rule that names somebody, and says why.

What is chosen sends its orders through the same guard as everybody.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, NamedTuple

from msgspec import Meta

from paceline.config import Field, Settings


class Worker(StrEnum):
    """Who may work a parent order."""

    POLICY = "policy"
    ALMGREN_CHRISS = "almgren_chriss"
    TWAP = "twap"
    PASSIVE = "passive"
    """Frozen: what rests may rest, nothing takes, nothing is moved closer."""


class Trust(Settings, frozen=True, kw_only=True):
    """How far a policy is trusted. What is left out is not set, and then it is not trusted."""

    max_decision_ms: Annotated[
        Annotated[float, Meta(gt=0)] | None, Field("Longest that a decision may take.", "ms")
    ] = None
    max_violations: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Field("Most orders of a parent order that the guard may have refused.", "orders"),
    ] = None


class Health(NamedTuple):
    """How things are. None is not known."""

    market_data: bool
    """There is a book of two sides, neither stale nor crossed."""
    venue_up: bool
    calm: bool
    """Neither volatility nor news allow resting only."""
    model_ready: bool
    """The policy is loaded, and its numbers are finite."""
    decision_ms: float | None
    """The last decision took so long."""
    violations: int | None
    """Orders of this parent order that the guard refused."""
    impact_known: bool
    """There are numbers for Almgren-Chriss."""


class Choice(NamedTuple):
    """Who works on, and why."""

    worker: Worker
    reason: str


def choose(health: Health, trust: Trust) -> Choice:
    """The policy while it can be trusted. Without a market to trade on, nobody moves."""
    if not health.market_data:
        return Choice(Worker.PASSIVE, "there is no market data to trade on")
    if not health.venue_up:
        return Choice(Worker.PASSIVE, "the venue is down")
    trouble = _trouble(health, trust)
    if trouble is None:
        return Choice(Worker.POLICY, "the policy is healthy")
    if not health.calm:
        return Choice(Worker.PASSIVE, f"{trouble}, and the market is not calm")
    if health.impact_known:
        return Choice(Worker.ALMGREN_CHRISS, trouble)
    return Choice(Worker.TWAP, f"{trouble}, and impact is not known")


def _trouble(health: Health, trust: Trust) -> str | None:
    """Why the policy cannot be trusted; None when it can."""
    if not health.model_ready:
        return "the policy is not ready"
    if trust.max_decision_ms is None or health.decision_ms is None:
        return "nobody knows how long a decision may take, or took"
    # Not `>`: a duration that is NaN is no duration.
    if not health.decision_ms <= trust.max_decision_ms:
        return f"a decision took {health.decision_ms:g} ms, limit {trust.max_decision_ms:g} ms"
    if trust.max_violations is None or health.violations is None:
        return "nobody knows how many violations there may be, or were"
    if health.violations > trust.max_violations:
        return f"{health.violations} violations, limit {trust.max_violations}"
    return None
