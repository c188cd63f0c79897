"""Trained policies against the tuned schedule, on the same orders: what the benchmarks of policies
share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.figure import digits
from paceline.env.days import AnyPool
from paceline.evaluate.compare import compare
from paceline.evaluate.compare_settings import CompareSettings
from paceline.evaluate.comparison import Comparison
from paceline.evaluate.contestants import TrainedChooser, contestant
from paceline.evaluate.fill_floor import NAIVE
from paceline.evaluate.tuning import Tuned

JOBS = os.cpu_count() or 1


class Against(NamedTuple):
    """How the seeds of a training did against the tuned schedule, under one fill model."""

    saving: float  # of the tuned schedule's mean shortfall, mean over seeds
    saving_naive: float  # of the naive one's
    difference_bps: list[float]  # to the tuned one, seed by seed
    high_bps: list[float]  # upper ends of their intervals
    clear: int  # seeds whose interval lies below 0
    cvar95_bps: float  # less that of the tuned one, mean over seeds
    p95_bps: float  # the same of the 95th percentile
    violations: int
    fill_rate: list[float]  # seed by seed
    fill_floor: float  # what each has to fill for its cost to mean anything

    @property
    def fills(self) -> bool:
        """Whether every seed fills as much of its orders as both schedules, but for a percent."""
        return min(self.fill_rate) >= self.fill_floor

    def told(self) -> dict[str, Any]:
        """For a line of JSON."""
        return {
            "saving": digits(self.saving, 3), "saving_naive": digits(self.saving_naive, 3),
            "difference_bps": [digits(x, 3) for x in self.difference_bps],
            "high_bps": [digits(x, 3) for x in self.high_bps], "clear": self.clear,
            "cvar95_bps": digits(self.cvar95_bps, 3), "p95_bps": digits(self.p95_bps, 3),
            "violations": self.violations,
            "fill_rate": [digits(x) for x in self.fill_rate],
            "fill_floor": digits(self.fill_floor), "fills": self.fills,
        }  # fmt: skip


def worked(
    pool: AnyPool,
    runs: Sequence[Path],
    tuned: Tuned,
    settings: CompareSettings,
    store: Path,
) -> Comparison:
    """Work the same orders by the tuned schedule, the naive one and each of `runs`."""
    who = [
        tuned.schedule(), contestant(NAIVE, settings.slices),
        *(TrainedChooser(str(run)) for run in runs),
    ]  # fmt: skip
    return compare(pool, who, settings, store=store, jobs=JOBS)


def against(found: Comparison, model: str) -> Against:
    """What `found` says of trained policies under a fill model."""
    base, naive = found.select(found.baseline, model), found.select(NAIVE, model)
    runs = [one for one in found.rivals if one != NAIVE]
    costs = [found.select(one, model) for one in runs]
    sure = [found.sureness(one, model) for one in runs]

    def saved(of: Any) -> float:
        mean = float(of["shortfall_bps"].mean())
        return float(np.mean([1.0 - cost["shortfall_bps"].mean() / mean for cost in costs]))

    p95 = [np.quantile(cost["shortfall_bps"], 0.95) for cost in costs]
    return Against(
        saving=saved(base), saving_naive=saved(naive),
        difference_bps=[one.mean.mean_bps for one in sure],
        high_bps=[one.mean.high_bps for one in sure],
        clear=sum(one.mean.high_bps < 0.0 for one in sure),
        cvar95_bps=float(np.mean([one.cvar95.value for one in sure])),
        p95_bps=float(np.mean(p95) - np.quantile(base["shortfall_bps"], 0.95)),
        violations=int(
            sum(cost["violations"].sum() + cost["masked_choices"].sum() for cost in costs)
        ),
        fill_rate=[found.fill_rate(one, model) for one in runs],
        fill_floor=found.fill_floor(model),
    )  # fmt: skip
