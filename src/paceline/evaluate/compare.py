"""The honest comparison: the same parent orders, worked by every policy under every fill model.

    pool = Pool(tapes, taught_by=earlier)
    found = compare(pool, ["ac", "ac/mid/15", "twap"], CompareSettings(orders=2000))
    found.sureness("twap", "pessimistic")      # its cost less that of the first, with intervals
    found.save("out/compare")                  # Parquet and JSON

The first policy is the baseline. What each order is like is known before anybody works it
(`evaluate.buckets`), so every difference can be split by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.engine.queue import FillModel
from paceline.env.days import AnyPool
from paceline.env.episodes import EpisodeSettings, Stage
from paceline.env.policies import Urgency
from paceline.env.simulated_pool import SimulatedPool
from paceline.errors import ConfigError
from paceline.evaluate.bootstrap import (
    PairedTests,
    Seeds,
    Sureness,
    bootstrap,
    paired_tests,
    seeds_summary,
)
from paceline.evaluate.buckets import Bucket, buckets_of, describe_orders
from paceline.evaluate.compare_settings import CompareSettings
from paceline.evaluate.contestants import Contestant, contestant, identity, looks_ahead
from paceline.evaluate.outcomes import Outcomes
from paceline.evaluate.paired import PairedDifference, paired_difference
from paceline.evaluate.per_order import SIMULATED, Columns
from paceline.evaluate.worked import Progress, Workshop
from paceline.jit import source_digest

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
    ) -> None:
        self.settings, self.parents, self.orders = settings, parents, orders
        self.buckets, self.notes, self._answers = buckets, notes, answers
        self.ahead = ahead
        """Policies that look ahead, and win no comparison."""
        self.tuning = tuning
        """How the tuned baseline was found; None without one."""
        self.explanation = explanation
        """Why a gain that looks too good is none; see `compare_verdict`."""
        self.sureness = cache(self._sureness)
        """(policy, fill model) -> against the baseline, with intervals."""
        self.part = cache(self._part)
        """(policy, fill model, part) -> how much dearer than the baseline it is in this part."""

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

    def clusters(self) -> NDArray[Any]:
        """`[n]` what parent orders share: day and name."""
        return self.parents["tape"]

    def _sureness(self, policy: str, model: str) -> Sureness:
        return bootstrap(*self._both(policy, model, "shortfall_bps"), self.clusters())

    def tests(self, policy: str, model: str) -> PairedTests:
        """Paired tests of a policy against the baseline."""
        return paired_tests(*self._both(policy, model, "shortfall_bps"), self.clusters())

    def _part(self, policy: str, model: str, part: str) -> PairedDifference:
        return paired_difference(*self._both(policy, model, part), self.clusters())

    def within(self, policy: str, model: str, rows: NDArray[np.bool_]) -> PairedDifference:
        """The difference on the parent orders in `rows` `[n]`."""
        cost, base = self._both(policy, model, "shortfall_bps")
        return paired_difference(cost[rows], base[rows], self.clusters()[rows])

    def over_seeds(self, policy: str, model: str) -> Seeds:
        """The same difference seed by seed."""
        seeds = self.parents["seed"]
        return seeds_summary(
            [self.within(policy, model, seeds == seed) for seed in np.unique(seeds)]
        )

    def comparable(self, policy: str, model: str) -> bool:
        """Whether a policy filled as much of its orders as the baseline did, but for a percent.
        What is not filled counts at a mid at which nobody traded it, so leaving it looks cheap; who
        fills more has no advantage of it."""
        ours, theirs = self._both(policy, model, "fill_rate")
        return float(ours.mean() - theirs.mean()) >= -0.01

    def _both(
        self, policy: str, model: str, column: str
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.select(policy, model)[column], self.select(self.baseline, model)[column]

    def save(self, folder: str | Path) -> Path:
        """Write `orders.parquet` (a row for each order, policy and fill model, with what the order
        is like), `differences.parquet` and `comparison.json`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
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
        return path

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
            **_flat(sure.mean),
            "cvar95": sure.cvar95._asdict(),
            "saving": sure.saving._asdict(),
            "tests": self.tests(policy, model)._asdict(),
            "seeds": self.over_seeds(policy, model)._asdict(),
            "parts": {
                PARTS.get(part) or ASIDE[part]: _flat(self.part(policy, model, part))
                for part in (*PARTS, *ASIDE)
            },
        }


class Named(NamedTuple):
    """A contestant and what it is called in tables."""

    name: str
    who: Contestant


def episode_settings(settings: CompareSettings) -> EpisodeSettings:
    """What the parent orders of a comparison are like."""
    return EpisodeSettings(
        horizon_s=(settings.horizon_s,),
        qty_volume=(settings.qty_least, settings.qty_most),
        participation=None if settings.participation >= 1.0 else settings.participation,
        participation_window_s=settings.participation_window_s,
        price_band_bps=settings.price_band_bps or None,
    )


def models_of(settings: CompareSettings, pool: AnyPool) -> list[FillModel]:
    """The fill models to work under. A market that answers fills orders itself, and needs none."""
    if isinstance(pool, SimulatedPool):
        return [FillModel.CALIBRATED]
    if settings.fill_model == "band":
        return list(FillModel)
    return [FillModel[settings.fill_model.upper()]]


def compare(
    pool: AnyPool,
    policies: Sequence[str | Contestant],
    settings: CompareSettings | None = None,
    *,
    store: Path | None = None,
    progress: Progress = lambda done: None,
    jobs: int = 1,
    tuning: dict[str, Any] | None = None,
    explanation: str = "",
) -> Comparison:
    """Work the same parent orders of `pool` under each of `policies`; the first is the baseline.

    Args:
        policies: as `contestant` reads them, or contestants themselves, each of another name.
        store: a folder in which what was worked is kept, policy by policy, so that the same
            comparison goes on where it was cut off.
        progress: told how many orders have been worked since it was last called.
        tuning: how the baseline was tuned, for the report.
        explanation: why a gain that looks too good is none, for the report.

    Raises `ConfigError` for policies that are none.
    """
    settings = settings or CompareSettings()
    urgency = Urgency(settings.half_life_s, None)
    who = [
        contestant(one, settings.slices, urgency) if isinstance(one, str) else one
        for one in policies
    ]
    names = [one.name for one in who]
    if len(set(names)) < len(names) or len(names) < 2:
        raise ConfigError(f"policies: {', '.join(names)!r}; name each one once, at least two")
    alone = isinstance(pool, SimulatedPool)
    if alone and any(looks_ahead(one) for one in who):
        raise ConfigError("policies: oracle looks ahead on recorded days only; leave it out")
    episodes, seeds = _drawn(pool, settings)
    shop = Workshop(pool, settings, jobs)
    seen, good = shop.begun(episodes)
    episodes, seen, seeds = episodes[good], seen[good], seeds[good]
    notes = [] if good.all() else [
        f"{int((~good).sum())} orders were left out: the market showed no mid at their start."
    ]  # fmt: skip
    parents = describe_orders(pool, episodes, seen, seeds)
    kept = Store(store, _key(pool, settings, episodes))
    parts: list[Columns] = []
    for model in models_of(settings, pool):
        for one in who:
            work = _worker(shop, episodes, one, model, progress)
            columns, is_new = kept.get(f"{model.name} {identity(one)}", work)
            if not is_new:
                progress(len(episodes))
            n = len(episodes)
            parts.append(
                {
                    "parent": np.arange(n),
                    "tape": parents["tape"],
                    "policy": np.full(n, one.name),
                    "fill_model": np.full(n, SIMULATED if alone else model.name.lower()),
                    **columns,
                    **_derived(columns, alone),
                }
            )
    orders = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    told = {**msgspec.to_builtins(settings), "policies": names, "orders_worked": len(episodes)}
    notes += [note for lesson in pool.lessons for note in lesson.notes]
    return Comparison(
        told, parents, orders, buckets_of(parents, pool), notes, alone,
        frozenset(one.name for one in who if looks_ahead(one)), tuning, explanation,
    )  # fmt: skip


def _worker(
    shop: Workshop,
    episodes: NDArray[np.void],
    who: Contestant,
    model: FillModel,
    progress: Progress,
) -> Callable[[], Columns]:
    return lambda: shop.work(episodes, who, model, progress)


def _drawn(pool: AnyPool, settings: CompareSettings) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """The parent orders of all seeds, and the seed of each."""
    pool.enter(Stage(name="compare", episodes=episode_settings(settings)))
    drawn, seeds = [], []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        pool.reseed(seed)
        drawn.append(pool.draw(settings.orders))
        seeds.append(np.full(settings.orders, seed))
    return np.concatenate(drawn), np.concatenate(seeds)


def _derived(columns: Columns, alone: bool) -> Columns:
    """Parts of shortfall that are differences of others; and what fills that had rested gave back,
    which in a market of its own (`alone`) nobody saw."""
    impact = np.nan_to_num(columns["impact_bps"] * columns["fill_rate"])
    rest = columns["trading_bps"] - columns["taken_bps"] - columns["rested_bps"] - impact
    rested = columns["maker_share"] * columns["fill_rate"]
    given_back = columns["adverse_1m_bps"] * rested
    return {
        "own_impact_bps": impact,
        "timing_bps": rest,
        "given_back_1m_bps": given_back if alone else np.nan_to_num(given_back),
    }


class Store:
    """What was worked, kept on disk under a name made of everything it depends on."""

    def __init__(self, folder: Path | None, key: str) -> None:
        self._folder, self._key = folder, key

    def get(self, what: str, work: Callable[[], Columns]) -> tuple[Columns, bool]:
        """The columns of `what`, and whether they had to be worked."""
        if self._folder is None:
            return work(), True
        import pyarrow as pa
        import pyarrow.parquet as pq

        name = hashlib.sha256(f"{self._key} {what}".encode()).hexdigest()[:24]
        path = self._folder / f"{name}.parquet"
        if path.exists():
            table = pq.read_table(path)
            return {name: table[name].to_numpy() for name in table.column_names}, False
        columns = work()
        self._folder.mkdir(parents=True, exist_ok=True)
        # Under its name only once it is whole.
        half = path.with_suffix(".half")
        pq.write_table(pa.table(columns), half)
        half.replace(path)
        return columns, True


def _key(pool: AnyPool, settings: CompareSettings, episodes: NDArray[np.void]) -> str:
    """All that the outcome of working `episodes` depends on, but for who works them."""
    days = [tape.manifest.tape_id for tape in pool.tapes]
    taught = [lesson.days for lesson in pool.lessons]
    of_drawing = ("fill_model", "orders", "seed", "seeds")
    rest = {k: v for k, v in msgspec.to_builtins(settings).items() if k not in of_drawing}
    orders = hashlib.sha256(episodes.tobytes()).hexdigest()
    return repr((rest, days, taught, source_digest(), orders))


def _flat(pair: PairedDifference) -> dict[str, Any]:
    return {
        "difference_bps": pair.mean_bps, "low_bps": pair.low_bps, "high_bps": pair.high_bps,
        "orders": pair.n, "clusters": pair.clusters, "by_cluster": pair.by_cluster,
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
