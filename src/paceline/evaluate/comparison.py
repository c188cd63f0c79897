"""What a comparison found: every order under every policy and fill model, and its statistics.

The first policy is the baseline. `compare` makes one of these; its verdict, its plots and its page
read it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paceline.cost.clustered import Clusters
from paceline.evaluate.buckets import Bucket
from paceline.evaluate.fill_floor import NAIVE, TUNED, fill_floor
from paceline.evaluate.outcomes import MEANS, Outcomes
from paceline.evaluate.paired import PairedDifference, paired_difference
from paceline.evaluate.per_order import Columns
from paceline.evaluate.sureness import Seeds, Sureness, seeds_summary, sureness
from paceline.files.results import result_in

PARTS: dict[str, str] = {
    "taken_bps": "taking",
    "rested_bps": "resting",
    "timing_bps": "timing",
    "own_impact_bps": "own impact",
    "opportunity_bps": "opportunity",
    "fees_bps": "fees",
}
"""Parts of shortfall, which sum to it. Taking: what fills that took paid beyond the mid before.
Resting: the same of fills that had rested, below 0 where it captured spread. Timing: the way of the
mid from arrival to the fills. Opportunity: what was not traded, at the mid of the end."""

ASIDE: dict[str, str] = {"given_back_1m_bps": "adverse selection"}
"""What is no part of shortfall, but belongs to the same story: how far the mid went against fills
that had rested, within a minute of them, on the whole order."""


class Comparison(Outcomes):
    """The outcome of `compare`."""

    def __init__(
        self,
        settings: dict[str, Any],
        parents: Columns,
        orders: Columns,
        buckets: list[Bucket],
        notes: list[str],
        answers: bool,
        ahead: frozenset[str] = frozenset(),
        tuning: dict[str, Any] | None = None,
        explanation: str = "",
        families: dict[str, list[str]] | None = None,
    ) -> None:
        self.settings, self.parents, self.orders = settings, parents, orders
        self.buckets, self.notes, self._answers = buckets, notes, answers
        self.ahead = ahead
        """Policies that look ahead, and win no comparison."""
        self.tuning = tuning
        """How the tuned baseline was found; None without one."""
        self.explanation = explanation
        """Why a gain that looks too good is none; see `compare_verdict`."""
        self.families = families or {}
        """Policies that differ in the seed of their training only, by the name they share."""
        self.sureness = cache(self._sureness)
        """(policy, fill model) -> against the baseline, with intervals."""
        self.part = cache(self._part)
        """(policy, fill model, part) -> how much dearer than the baseline it is in this part."""
        self.fill_floor = cache(self._fill_floor)
        """Fill model -> least mean fill rate of a policy that can be compared."""

    # Of one order on both sides, what a benchmark did cancels: the mean against each is the same,
    # and says nothing that the trading cost does not.
    means = tuple(name for name in MEANS if not name.startswith("vs_"))

    @property
    def answers(self) -> bool:
        return self._answers

    @property
    def baseline(self) -> str:
        """What the others are compared with."""
        return self.policies[0]

    @property
    def central(self) -> str:
        """The fill model that text speaks of."""
        return "calibrated" if "calibrated" in self.fill_models else self.fill_models[0]

    @property
    def rivals(self) -> list[str]:
        """All policies but the baseline."""
        return self.policies[1:]

    def without(self, left_out: Collection[str]) -> Comparison:
        """The same without some of its rivals."""
        if not left_out:
            return self
        rows = ~np.isin(self.orders["policy"], list(left_out))
        families = {
            name: kept
            for name, members in self.families.items()
            if (kept := [one for one in members if one not in left_out])
        }
        found = Comparison(
            self.settings, self.parents, {k: v[rows] for k, v in self.orders.items()},
            self.buckets, self.notes, self._answers, self.ahead - set(left_out), self.tuning,
            self.explanation, families,
        )  # fmt: skip
        found.sureness, found.part = self.sureness, self.part  # of the same baseline
        found.fill_floor = self.fill_floor
        return found

    def clusters(self) -> Clusters:
        """`[n]` what parent orders share: the day, and the name. Where each has a market of its own
        there are no days: only the two that are the same order on both sides share one."""
        if self._answers:
            return Clusters(self.parents["tape"], unit="market")
        return super().clusters()

    def _sureness(self, policy: str, model: str) -> Sureness:
        return sureness(*self._both(policy, model, "shortfall_bps"), self.clusters())

    def _part(self, policy: str, model: str, part: str) -> PairedDifference:
        return paired_difference(*self._both(policy, model, part), self.clusters())

    def within(self, policy: str, model: str, rows: NDArray[np.bool_]) -> PairedDifference:
        """The difference on the parent orders in `rows` `[n]`."""
        cost, base = self._both(policy, model, "shortfall_bps")
        return paired_difference(cost[rows], base[rows], self.clusters().of(rows))

    def among(self, policy: str, model: str, n: int) -> PairedDifference:
        """The difference with an interval for one that was picked among `n`: that of each holds at
        1 - 0.05 / n, so that all hold together at 95 %.

        Bonferroni, by Dunn, "Multiple Comparisons Among Means" (1961)."""
        both = self._both(policy, model, "shortfall_bps")
        return paired_difference(*both, self.clusters(), level=1.0 - 0.05 / n)

    def over_seeds(self, policy: str, model: str) -> Seeds:
        """The same difference seed by seed."""
        seeds = self.parents["seed"]
        return seeds_summary(
            [self.within(policy, model, seeds == seed) for seed in np.unique(seeds)]
        )

    def over_training(self, family: str, model: str) -> Seeds:
        """The difference of each seed of a training."""
        return seeds_summary([self.sureness(p, model).mean for p in self.families[family]])

    def comparable(self, policy: str, model: str) -> bool:
        """Whether a policy filled enough of its orders: see `fill_floor`."""
        return self.fill_rate(policy, model) >= self.fill_floor(model)

    def fill_rate(self, policy: str, model: str) -> float:
        """Mean share of its orders that a policy filled."""
        return float(self.select(policy, model)["fill_rate"].mean())

    @property
    def measures(self) -> list[str]:
        """Those that a policy must fill as much as: the baseline, and where that was tuned, which
        may have cost it a little, the naive schedule beside it."""
        naive = [NAIVE] if self.baseline == TUNED and NAIVE in self.policies else []
        return [self.baseline, *naive]

    def _fill_floor(self, model: str) -> float:
        return fill_floor(*(self.fill_rate(policy, model) for policy in self.measures))

    def _both(
        self, policy: str, model: str, column: str
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.select(policy, model)[column], self.select(self.baseline, model)[column]

    def save(self, folder: str | Path) -> Path:
        """Write `orders.parquet` (a row for each order, policy and fill model, with what the order
        is like), `differences.parquet` and `comparison.json`: all of them, or none."""
        with result_in(folder, "compare") as draft:
            self.write(draft)
        return Path(folder)

    def write(self, path: Path) -> None:
        """What `save` writes, one file after the other, into the draft of a result."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        about = {
            name: column[self.orders["parent"]]
            for name, column in self.parents.items()
            if name not in self.orders
        }
        pq.write_table(pa.table({**self.orders, **about}), path / "orders.parquet")
        rows = self.differences()
        if rows:
            columns = {name: [row[name] for row in rows] for name in rows[0]}
            pq.write_table(pa.table(columns), path / "differences.parquet")
        told = json.dumps(self.as_dict(), indent=2, default=float, allow_nan=False)
        (path / "comparison.json").write_text(told + "\n")

    def differences(self) -> list[dict[str, Any]]:
        """One row for each policy, fill model and bucket (`all` first) against the baseline."""
        return [
            {
                "policy": policy, "fill_model": model, "baseline": self.baseline,
                "split_by": what, "bucket": name, **_flat(pair),
            }
            for policy in self.rivals
            for model in self.fill_models
            for what, name, pair in [
                ("all", "all", self.sureness(policy, model).mean),
                *((b.what, b.name, self.within(policy, model, b.rows)) for b in self.buckets),
            ]
        ]  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Everything but single orders, ready for JSON; NaN is None."""
        from paceline.evaluate.compare_verdict import verdict_of

        verdict = verdict_of(self)
        found: dict[str, Any] = {
            "settings": self.settings,
            "baseline": self.baseline,
            "headline": verdict.headline,
            "details": verdict.details,
            "alarms": verdict.alarms,
            "explanation": self.explanation,
            "notes": self.notes,
            "summary": self.summary(),
            "against_baseline": [
                self._told(policy, model) for policy in self.rivals for model in self.fill_models
            ],
            "trainings": {
                f"{name} {model}": self.over_training(name, model)._asdict()
                for name in self.families
                for model in self.fill_models
            },
            "buckets": self.differences(),
            "tuning": self.tuning,
        }
        told: dict[str, Any] = _without_nan(found)
        return told

    def _told(self, policy: str, model: str) -> dict[str, Any]:
        sure = self.sureness(policy, model)
        return {
            "policy": policy,
            "fill_model": model,
            "comparable": self.comparable(policy, model),
            "fill_rate": self.fill_rate(policy, model),
            "fill_floor": self.fill_floor(model),
            **_flat(sure.mean),
            "cvar95": sure.cvar95._asdict(),
            "saving": sure.saving._asdict(),
            "seeds": self.over_seeds(policy, model)._asdict(),
            "parts": {
                PARTS.get(part) or ASIDE[part]: _flat(self.part(policy, model, part))
                for part in (*PARTS, *ASIDE)
            },
        }


def _flat(pair: PairedDifference) -> dict[str, Any]:
    return {
        "difference_bps": pair.mean_bps, "low_bps": pair.low_bps, "high_bps": pair.high_bps,
        "p": pair.p, "degrees_of_freedom": pair.df, "orders": pair.n,
        "cluster": pair.unit, "clusters": pair.groups, "names_sampled": pair.names,
    }  # fmt: skip


def _without_nan(value: Any) -> Any:
    """The same with None for NaN, in plain types."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value
