"""Policies of a backtest: a schedule, a tactic, a number of slices.

A policy is written `SCHEDULE[/PLACEMENT[+SECONDSs][/SLICES]]`, for example

    ac                Almgren-Chriss, slices rest at the touch and cross at their end
    ac/cross          the same, every slice crosses at once
    vwap/mid/15       15 slices, resting at the mid
    twap/touch+5s     resting orders are moved after the touch every 5 s

Schedules are `twap`, `vwap`, `pov`, `ac`; placements `cross`, `touch`, `inside`, `mid`.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.cost.impact import Impact
from paceline.env.history import Lesson
from paceline.env.working import Plan
from paceline.errors import ConfigError
from paceline.market.tape import Tape
from paceline.schedule import almgren_chriss, pov, twap, vwap
from paceline.schedule.tactic import Placement, Tactic
from paceline.schedule.trajectory import slice_bounds
from paceline.units import NS_PER_S

Schedule = Literal["twap", "vwap", "pov", "ac"]
SCHEDULES: tuple[Schedule, ...] = ("twap", "vwap", "pov", "ac")

_FORM = re.compile(
    r"(?P<schedule>[a-z]+)(/(?P<placement>[a-z]+)"
    r"(\+(?P<repeg>[0-9]{1,6}(\.[0-9]{1,9})?)s)?(/(?P<slices>[0-9]{1,6}))?)?\Z"
)

_STEEPEST = 350.0
"""kappa tau / 2 above which all of an order is in the first slice, and a sinh squared overflows."""

_FASTEST_REPEG_S = 0.001


class Policy(NamedTuple):
    """One way to work orders."""

    name: str
    schedule: Schedule
    tactic: Tactic
    n_slices: int


class Urgency(NamedTuple):
    """How Almgren-Chriss weighs risk: through the half-life of the inventory, or lambda itself."""

    half_life_s: float | None
    """Seconds in which an order without a horizon would shrink by a factor e; None: `half`."""
    risk_aversion: float | None
    """The paper's lambda, 1 / (tick lots); needs a fitted impact. Never beside `half_life_s`."""


def parse_policy(text: str, n_slices: int, collar_bps: float) -> Policy:
    """The policy that `text` describes; `ConfigError` when it describes none."""
    found = _FORM.match(text)
    names = [placement.name.lower() for placement in Placement]
    schedule = next((name for name in SCHEDULES if found and name == found["schedule"]), None)
    if found is None or schedule is None or (found["placement"] or "touch") not in names:
        raise ConfigError(
            f"policy: {text!r}; write SCHEDULE[/PLACEMENT[+SECONDSs][/SLICES]] with a schedule "
            f"of {', '.join(SCHEDULES)} and a placement of {', '.join(names)}, e.g. ac/mid+5s/15"
        )
    slices = int(found["slices"] or n_slices)
    if not 1 <= slices <= 10_000:
        raise ConfigError(f"policy: {text!r} has {slices} slices; give 1 to 10000")
    if found["repeg"] and float(found["repeg"]) < _FASTEST_REPEG_S:
        raise ConfigError(f"policy: {text!r} looks too often; give +{_FASTEST_REPEG_S:g}s or more")
    return Policy(
        name=text,
        schedule=schedule,
        tactic=Tactic(
            placement=Placement[(found["placement"] or "touch").upper()],
            repeg_s=float(found["repeg"]) if found["repeg"] else None,
            collar_bps=collar_bps,
        ),
        n_slices=slices,
    )


def make_plan(
    policy: Policy,
    tape: Tape,
    lesson: Lesson,
    parents: NDArray[np.void],
    urgency: Urgency,
    pov_rate: float,
    finish: bool,
) -> Plan:
    """How `policy` works `parents` (of `PARENT_RECORD`) on `tape`, knowing `lesson`."""
    lots, start, end = parents["lots"], parents["start_ts"], parents["end_ts"]
    n = policy.n_slices
    if policy.schedule == "vwap":
        midnight = tape.session.midnight_ns
        weights = lesson.curve.weights(start - midnight, end - midnight, n, even_where_quiet=True)
        targets = vwap.target(lots, weights)
    elif policy.schedule == "ac":
        targets = ac_targets(parents, n, lesson, urgency)
    else:
        targets = twap.target(lots, n)
    repeg_s = policy.tactic.repeg_s
    return Plan(
        targets=targets,
        bounds=slice_bounds(start, end, n),
        pov_ppm=pov.rate_ppm(pov_rate) if policy.schedule == "pov" else 0,
        placement=int(policy.tactic.placement),
        repeg_ns=0 if repeg_s is None else max(round(repeg_s * NS_PER_S), 1),
        collar_bps=float(policy.tactic.collar_bps),
        finish=int(finish),
    )


def ac_targets(
    parents: NDArray[np.void], n_slices: int, lesson: Lesson, urgency: Urgency
) -> NDArray[np.int64]:
    """Almgren-Chriss trajectory `[n, n_slices + 1]` of `parents`, lots to be left."""
    horizon_s = (parents["end_ts"] - parents["start_ts"]) / NS_PER_S
    impact, aversion = _urge(horizon_s, n_slices, lesson, urgency)
    return almgren_chriss.target(parents["lots"], horizon_s, n_slices, impact, aversion)


def _urge(
    horizon_s: NDArray[np.float64], n_slices: int, lesson: Lesson, urgency: Urgency
) -> tuple[Impact, NDArray[np.float64]]:
    """Impact and lambda of each order.

    A trajectory depends on kappa alone. Where a half-life is wanted, lambda is what gives it under
    an impact of unit size, so no fit is needed.
    """
    slice_s = horizon_s / n_slices
    if urgency.risk_aversion is not None:
        if lesson.impact is None:
            raise ConfigError(
                "risk_aversion: needs an impact fit, and there is none; give a half-life instead"
            )
        impact = lesson.impact.impact(float(np.max(slice_s)))
        return impact, np.full(len(horizon_s), urgency.risk_aversion)
    half_life = urgency.half_life_s if urgency.half_life_s is not None else horizon_s / 2
    return Impact(sigma=1.0, gamma=0.0, eta=1.0), aversion_for(half_life, slice_s)


def aversion_for(
    half_life_s: float | NDArray[np.float64], slice_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """lambda that gives this half-life when sigma and eta~ are 1: the equation for kappa, read
    backwards, with cosh x - 1 = 2 sinh(x / 2)^2."""
    kappa = 1.0 / np.asarray(half_life_s, dtype=np.float64)
    steep = np.minimum(kappa * slice_s / 2, _STEEPEST)
    return np.asarray((2.0 / slice_s * np.sinh(steep)) ** 2, dtype=np.float64)
