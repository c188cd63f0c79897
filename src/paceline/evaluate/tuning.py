"""The baseline that is to be beaten: Almgren-Chriss with the tactic that did best on training days.

    tuned = tune(pool_of_training_days, settings)
    tuned.save("out/tuned.json")
    compare(pool, [tuned.schedule(), "ac", "run/..."], settings)

A grid of tactics (number of slices, where to post and whether to follow, how urgent) is worked on
the same parent orders. Halving: all on few orders, the better third on four times as many, the best
of those on all. The least mean shortfall wins, for each fill model, over all names and for each
name alone, among those that fill as much as the naive tactic does (`evaluate.fill_floor`); what was
cheaper and filled less is named. The days that a comparison is made on have no say: it refuses a
baseline that has seen them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.cost.clustered import Clusters, clustered
from paceline.cost.tail import summarize
from paceline.engine.queue import FillModel
from paceline.env.days import AnyPool
from paceline.env.episodes import Stage, on_both_sides
from paceline.env.policies import Policy, Urgency, parse_policy
from paceline.env.sharing import shared_by
from paceline.env.simulated_pool import SimulatedPool
from paceline.errors import ConfigError, InputError
from paceline.evaluate.compare import models_of
from paceline.evaluate.compare_settings import CompareSettings
from paceline.evaluate.contestants import COLLAR_BPS, Schedule
from paceline.evaluate.fill_floor import TUNED, fill_floor
from paceline.evaluate.worked import Progress, Workshop, episode_settings
from paceline.files.sealing import Kind, read_sealed, seal
from paceline.files.writing import write_file

TUNED_FILE = Kind("tuned baseline", 1, "tune it again")

PLACEMENTS = (
    "cross", "touch", "touch+5s", "inside", "inside+5s", "inside+2s", "mid", "mid+5s", "mid+2s",
)  # fmt: skip
SLICES = (6, 10, 15, 30, 60)
HALF_LIVES = (0.25, 0.5, 2.0)
"""As shares of the horizon: AC itself takes half of it."""

POOLED = "all names"

NAIVE = ("ac/touch/30", 0.5)
"""Almgren-Chriss as it is usually taken: how it is written, and its half-life as a share."""

_KEEP = 3
_RUNGS = (16, 4, 1)
"""Orders of each rung, as one of so many of all."""


class Scored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tactic on the orders of the last rung that it came to."""

    policy: str
    half_life_s: float
    mean_bps: float
    std_error_bps: float | None
    """Of the mean, over days or markets; None with too few of them."""
    cvar95_bps: float
    fill_rate: float
    orders: int


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What won under one fill model, for one name or over all."""

    fill_model: str
    scope: str
    """A symbol, or `all names`."""
    ranking: tuple[Scored, ...]
    """Those that came to the last rung and fill their orders, least mean first."""
    left_out: tuple[Scored, ...] = ()
    """Those that filled too little, and were cheaper on the same orders than all that did not; each
    as it was when it was left out, least mean first."""

    @property
    def best(self) -> Scored:
        """The winner."""
        return self.ranking[0]


class Tuned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tuned baseline."""

    days: tuple[str, ...]
    """Days it was tuned on; empty for simulated markets."""
    seed: int
    settings: dict[str, Any]
    tried: int
    choices: tuple[Choice, ...]

    def choice(self, model: str, scope: str) -> Choice:
        """Raises `InputError` where nothing was tuned."""
        for one in self.choices:
            if (one.fill_model, one.scope) == (model, scope):
                return one
        raise InputError(f"tuned: nothing for {scope} under {model} fills; tune for it too")

    def schedule(self) -> Schedule:
        """The winners, each for its own fill model and name; pooled where a name is new."""
        special = {
            (one.fill_model, one.scope): _way(one.best) for one in self.choices
        }  # fmt: skip
        pooled = next(one for one in self.choices if one.scope == POOLED)
        return Schedule(TUNED, _way(pooled.best), special)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return told

    def save(self, path: str | Path) -> Path:
        """Write it as sealed JSON."""
        return write_file(path, seal(TUNED_FILE, self))

    @classmethod
    def load(cls, path: str | Path) -> Tuned:
        """Raises `InputError` for a file that holds none."""
        return read_sealed(path, TUNED_FILE, cls)

    def check(self, days: Sequence[str], models: Sequence[str], seeds: Sequence[int]) -> None:
        """Raises `ConfigError` unless it was tuned for `models`, before the first of `days`, and on
        other markets than those of `seeds`."""
        check_days(self.days, days)
        if not self.days and self.seed in seeds:
            raise ConfigError(
                f"tuned: seed {self.seed} drew the orders that it was tuned on; compare on another"
            )
        known = {one.fill_model for one in self.choices}
        missing = [model for model in models if model not in known]
        if missing:
            raise ConfigError(
                f"tuned: for {', '.join(sorted(known))} fills only, not {', '.join(missing)}; tune "
                "for these too, or compare under those"
            )


def check_days(tuned_on: Sequence[str], tested_on: Sequence[str]) -> None:
    """Raises `ConfigError` unless all days of tuning are before those of the test."""
    if tuned_on and tested_on and max(tuned_on) >= min(tested_on):
        both = sorted(set(tuned_on) & set(tested_on))
        what = f"{both[0]} is in both" if both else f"{max(tuned_on)} is after {min(tested_on)}"
        raise ConfigError(
            f"tune_days: {what}; tune on days before the first that is compared on, "
            f"{min(tested_on)}"
        )


def grid(horizon_s: float) -> list[tuple[str, float]]:
    """All tactics, the naive one first: how a policy is written, and its half-life in seconds."""
    found = [
        (f"ac/{placement}/{slices}", share)
        for placement, slices, share in product(PLACEMENTS, SLICES, HALF_LIVES)
    ]
    rest = [one for one in found if one != NAIVE]
    return [(text, share * horizon_s) for text, share in [NAIVE, *rest]]


def tune(
    pool: AnyPool,
    settings: CompareSettings,
    *,
    progress: Progress = lambda done: None,
    jobs: int = 1,
    tactics: Sequence[tuple[str, float]] | None = None,
) -> Tuned:
    """Tune on `pool` with `settings.orders` parent orders drawn by `settings.seed`; the first of
    `tactics` is the naive one, whose fill rate the others have to keep."""
    tactics = list(tactics or grid(settings.horizon_s))
    pool.enter(Stage(name="tuning", episodes=episode_settings(settings)))
    pool.reseed(settings.seed)
    episodes = on_both_sides(pool.draw(-(-settings.orders // 2)))[: settings.orders]
    shop = Workshop(pool, settings, jobs)
    _, good = shop.begun(episodes)
    episodes = episodes[good]
    symbols = np.array([tape.instrument.symbol for tape in pool.tapes])[episodes["tape"]]
    choices: list[Choice] = []
    for model in models_of(settings, pool):
        choices += _halve(shop, episodes, symbols, model, tactics, progress)
    alone = isinstance(pool, SimulatedPool)
    return Tuned(
        days=() if alone else tuple(sorted({tape.session.day for tape in pool.tapes})),
        seed=settings.seed,
        settings=msgspec.to_builtins(settings),
        tried=len(tactics),
        choices=tuple(choices),
    )


def orders_at_most(n_tactics: int, n_orders: int, n_names: int) -> int:
    """How many orders `tune` works under one fill model, at most: each name may keep others."""
    total = 0
    for part in _RUNGS:
        total += n_tactics * max(n_orders // part, 2)
        n_tactics = min(n_tactics, 1 + (1 + n_names) * max(n_tactics // _KEEP, 1))
    return total


def _halve(
    shop: Workshop,
    episodes: NDArray[np.void],
    symbols: NDArray[Any],
    model: FillModel,
    tactics: Sequence[tuple[str, float]],
    progress: Progress,
) -> list[Choice]:
    scopes = {POOLED: np.ones(len(episodes), bool)}
    scopes |= {name: symbols == name for name in sorted(set(symbols.tolist()))}
    left, clusters = list(tactics), shared_by(shop.pool, episodes)
    # Of all orders in turn, so that a rung has every day and name.
    shuffled = np.random.default_rng(0).permutation(len(episodes))
    ranking: dict[str, list[Scored]] = {}
    left_out: dict[str, dict[tuple[str, float], Scored]] = {scope: {} for scope in scopes}
    for rung, part in enumerate(_RUNGS):
        some = np.sort(shuffled[: max(len(episodes) // part, 2)])
        costs = [_cost(shop, episodes[some], model, one, progress) for one in left]
        ranking = {}
        for scope, rows in scopes.items():
            if not rows[some].any():
                continue
            scored = [
                _scored(one, cost, fills, clusters.of(some), rows[some])
                for one, (cost, fills) in zip(left, costs, strict=True)
            ]
            ranking[scope], lazy = _ranked(scored)
            for one in scored:  # on more orders than before
                left_out[scope].pop(_key(one), None)
            left_out[scope] |= {_key(one): one for one in lazy}
        if rung < len(_RUNGS) - 1:
            keep = max(len(left) // _KEEP, 1)
            better = {_key(one) for ranked in ranking.values() for one in ranked[:keep]}
            left = [one for one in left if one in better or one == tactics[0]]
    return [
        Choice(model.name.lower(), scope, tuple(found), tuple(_sorted(left_out[scope].values())))
        for scope, found in ranking.items()
    ]


def _ranked(scored: Sequence[Scored]) -> tuple[list[Scored], list[Scored]]:
    """Least mean first: those that fill as much as the naive one, which is the first; and those
    that do not, and are cheaper than all that do."""
    floor = fill_floor(scored[0].fill_rate)
    whole = _sorted([one for one in scored if one.fill_rate >= floor])
    return whole, [
        one for one in scored if one.fill_rate < floor and one.mean_bps < whole[0].mean_bps
    ]


def _sorted(scored: Iterable[Scored]) -> list[Scored]:
    return sorted(scored, key=lambda one: one.mean_bps)


def _key(one: Scored) -> tuple[str, float]:
    return one.policy, one.half_life_s


def _cost(
    shop: Workshop,
    episodes: NDArray[np.void],
    model: FillModel,
    tactic: tuple[str, float],
    progress: Progress,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`[n]` shortfall and fill rate of each order."""
    columns = shop.work(episodes, Schedule(tactic[0], _read(*tactic)), model, progress)
    return columns["shortfall_bps"], columns["fill_rate"]


def _scored(
    tactic: tuple[str, float],
    cost: NDArray[np.float64],
    filled: NDArray[np.float64],
    clusters: Clusters,
    rows: NDArray[np.bool_],
) -> Scored:
    cost, n = cost[rows], int(rows.sum())
    error = clustered(cost, clusters.of(rows)).std_error
    seen = summarize(cost)
    return Scored(
        policy=tactic[0],
        half_life_s=tactic[1],
        mean_bps=seen.mean,
        std_error_bps=None if np.isnan(error) else error,
        cvar95_bps=seen.cvar95,
        fill_rate=float(filled[rows].mean()),
        orders=n,
    )


def _way(one: Scored) -> tuple[Policy, Urgency]:
    return _read(one.policy, one.half_life_s)


def _read(text: str, half_life_s: float) -> tuple[Policy, Urgency]:
    """A policy and its urgency."""
    return parse_policy(text, 1, COLLAR_BPS), Urgency(half_life_s, None)
