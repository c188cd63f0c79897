"""Who works an order when its policy should not: a rule that names somebody, and says why.

`choose` judges one reading. `choose_on` judges a row of them: a policy that was once found wanting
does not come back by itself before it has been well for a while, so that nobody takes turns.
Without a setting it does not come back before a person says so.

What is chosen sends its orders through the same guard as everybody.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta

from paceline.config import Field, Settings
from paceline.errors import InputError
from paceline.units import NS_PER_S


class Worker(StrEnum):
    """Who may work a parent order."""

    POLICY = "policy"
    ALMGREN_CHRISS = "almgren_chriss"
    TWAP = "twap"
    PASSIVE = "passive"
    """Frozen: what rests may rest, nothing takes, nothing is moved closer."""


class Alarm(StrEnum):
    """What is wrong. The first two are no fault of the policy's."""

    NO_MARKET_DATA = "no_market_data"
    VENUE_DOWN = "venue_down"
    NOT_READY = "not_ready"
    SLOW = "slow"
    VIOLATIONS = "violations"
    BEHIND = "behind"
    """Too far behind the schedule, which no refusal of an order can cure."""
    LATCHED = "latched"
    """All is well again, but not for long enough."""


class Trust(Settings, frozen=True, kw_only=True):
    """How far a policy is trusted. What is left out is not set, and then it is not trusted, or not
    trusted again."""

    max_decision_ms: Annotated[
        Annotated[float, Meta(gt=0)] | None, Field("Longest that a decision may take.", "ms")
    ] = None
    max_violations: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Field("Most orders of a parent order that the guard may have refused.", "orders"),
    ] = None
    max_behind: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None,
        Field("Farthest it may be behind schedule, of the parent order.", "share"),
    ] = None
    quiet_s: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)] | None,
        Field("For how long all must be well before a policy comes back by itself.", "s"),
    ] = None
    quiet_readings: Annotated[
        Annotated[int, Meta(ge=2)],
        Field("How many readings in that time must have been well, without one that is not.", ""),
    ] = 10


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
    behind: float | None
    """Share of the parent order that it is behind schedule, see `behind_schedule`."""
    impact_known: bool
    """There are numbers for Almgren-Chriss."""


class Choice(NamedTuple):
    """Who works on, and why."""

    worker: Worker
    reason: str
    alarm: Alarm | None = None
    """None while the policy works."""


class Standing(NamedTuple):
    """What is remembered of a policy on one parent order from one reading to the next."""

    lost: str = ""
    """Why it is not trusted any more; empty while it is."""
    well_since_ts: int | None = None
    """Time of the first reading of those in a row that were well; None when the last was not."""
    well: int = 0
    """How many these are."""


def choose(health: Health, trust: Trust) -> Choice:
    """The policy while it can be trusted. Without a market to trade on, nobody moves."""
    if not health.market_data:
        return Choice(Worker.PASSIVE, "there is no market data to trade on", Alarm.NO_MARKET_DATA)
    if not health.venue_up:
        return Choice(Worker.PASSIVE, "the venue is down", Alarm.VENUE_DOWN)
    trouble = _trouble(health, trust)
    if trouble is None:
        return Choice(Worker.POLICY, "the policy is healthy")
    return _instead(health, *trouble)


def choose_on(
    standing: Standing, health: Health, trust: Trust, now_ts: int
) -> tuple[Choice, Standing]:
    """The choice for a reading at `now_ts`, ns, after those that left `standing`; and what is
    remembered then.

    A market that is away says nothing about the policy: it loses no trust then, and wins none.
    """
    choice = choose(health, trust)
    if choice.alarm in (Alarm.NO_MARKET_DATA, Alarm.VENUE_DOWN):
        return choice, standing._replace(well_since_ts=None, well=0)
    if choice.alarm is not None:
        return choice, Standing(lost=choice.reason)
    if not standing.lost:
        return choice, Standing()
    since, well = standing.well_since_ts, standing.well + 1
    if since is None or now_ts < since:  # a clock that went back proves nothing
        since, well = now_ts, 1
    well_s = (now_ts - since) / NS_PER_S
    if trust.quiet_s is not None and well_s >= trust.quiet_s and well >= trust.quiet_readings:
        return choice, Standing()
    until = "until a person says so" if trust.quiet_s is None else f"of {trust.quiet_s:g} s"
    why = f"{standing.lost}; well again for {well_s:g} s and {well} readings, {until}"
    return _instead(health, Alarm.LATCHED, why), Standing(standing.lost, since, well)


def trusted_again(standing: Standing, who: str) -> Standing:
    """A person's word that the policy may come back; the next reading may take it away again.

    Raises `InputError` when nobody says so, or it was trusted anyway.
    """
    if not who.strip():
        raise InputError("trust.who: nobody gives the policy back; name the person")
    if not standing.lost:
        raise InputError("trust.standing: the policy is trusted; there is nothing to give back")
    return Standing()


def behind_schedule(snapshot: np.void) -> float | None:
    """Share of the parent order that is left beyond what the schedule wants left, from a row of
    SNAPSHOT_RECORD; below 0 when ahead. What works is not traded yet. None when not known."""
    parent, left, target = (
        int(snapshot[field]) for field in ("parent_lots", "inventory_lots", "target_lots")
    )
    if parent <= 0 or left < 0 or target < 0:
        return None
    return (left - target) / parent


def _instead(health: Health, alarm: Alarm, why: str) -> Choice:
    """Who works in place of the policy, on a market that is there."""
    if not health.calm:
        return Choice(Worker.PASSIVE, f"{why}, and the market is not calm", alarm)
    if health.impact_known:
        return Choice(Worker.ALMGREN_CHRISS, why, alarm)
    return Choice(Worker.TWAP, f"{why}, and impact is not known", alarm)


def _trouble(health: Health, trust: Trust) -> tuple[Alarm, str] | None:
    """Why the policy cannot be trusted; None when it can."""
    if not health.model_ready:
        return Alarm.NOT_READY, "the policy is not ready"
    if trust.max_decision_ms is None or health.decision_ms is None:
        return Alarm.SLOW, "nobody knows how long a decision may take, or took"
    # Not `>`: a duration that is NaN is no duration.
    if not health.decision_ms <= trust.max_decision_ms:
        took, most = health.decision_ms, trust.max_decision_ms
        return Alarm.SLOW, f"a decision took {took:g} ms, limit {most:g} ms"
    if trust.max_violations is None or health.violations is None:
        return Alarm.VIOLATIONS, "nobody knows how many violations there may be, or were"
    if health.violations > trust.max_violations:
        most = trust.max_violations
        return Alarm.VIOLATIONS, f"{health.violations} violations, limit {most}"
    if trust.max_behind is None or health.behind is None:
        return Alarm.BEHIND, "nobody knows how far behind schedule it may be, or is"
    if not health.behind <= trust.max_behind:
        behind, most = health.behind, trust.max_behind
        return Alarm.BEHIND, f"{behind:g} of the order behind schedule, limit {most:g}"
    return None
