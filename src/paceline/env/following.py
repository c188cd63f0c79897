"""How a schedule works the orders of an environment: one plan over all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paceline.engine.venue import Venue
from paceline.env.days import AnyPool
from paceline.env.policies import Policy, Urgency, make_plan
from paceline.env.working import Plan
from paceline.schedule.tactic import CROSS

_POV_RATE = 0.1

SWEEP = Plan(
    targets=np.zeros((1, 1), np.int64), bounds=np.zeros((1, 1), np.int64), pov_ppm=0,
    placement=CROSS, repeg_ns=0, collar_bps=0.0, finish=1,
)  # fmt: skip
"""No slices: at the end of the horizon what is left takes the visible book."""


def plan_of_all(
    policy: Policy,
    urgency: Urgency,
    pool: AnyPool,
    episodes: NDArray[np.void],
    venues: Sequence[Venue],
    by_day: Sequence[tuple[int, NDArray[np.int64]]],
) -> Plan:
    """How `policy` works `episodes` `[n]`, those of each day (of `pool` at one of `venues`) planned
    with what is known on it. Raises `ConfigError` where messages take as long as a slice."""
    targets = np.zeros((len(episodes), policy.n_slices + 1), np.int64)
    bounds = np.zeros_like(targets)
    plan, n_days = SWEEP, len(pool.tapes)
    for day, which in by_day:
        plan = make_plan(
            policy, pool.tapes[day % n_days], pool.lessons[day % n_days], episodes[which],
            urgency, _POV_RATE, True,
        )  # fmt: skip
        targets[which], bounds[which] = plan.targets, plan.bounds
        shortest = int(np.diff(plan.bounds).min())
        venues[day // n_days].check_in_time(shortest, f"a slice of {policy.name}")
    return plan._replace(targets=targets, bounds=bounds)
