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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.decision.regimes import LiquidityRegimes
from paceline.engine.queue import FillModel
from paceline.env.days import AnyPool
from paceline.env.episodes import Stage, on_both_sides
from paceline.env.policies import Urgency
from paceline.env.simulated_pool import SimulatedPool
from paceline.errors import ConfigError, InputError
from paceline.evaluate.buckets import buckets_of, describe_orders
from paceline.evaluate.compare_settings import CompareSettings
from paceline.evaluate.comparison import Comparison
from paceline.evaluate.contestants import (
    Contestant,
    TrainedChooser,
    contestant,
    family,
    identity,
    looks_ahead,
    seen_by,
)
from paceline.evaluate.per_order import COUNTS, MEASURES, SIMULATED, Columns
from paceline.evaluate.worked import Progress, Workshop, episode_settings, limits_here
from paceline.files.members import SealedFolder, members_of, read_folder
from paceline.files.sealing import MANIFEST, Kind, seal
from paceline.files.writing import new_folder
from paceline.jit import source_digest

WORKED = Kind("part of a comparison", 1, "remove it, and compare again")
_COLUMNS = "columns.parquet"


def check_limits(who: Sequence[Contestant], settings: CompareSettings) -> list[str]:
    """Notes on policies that do not say under which limits they were trained.

    Raises `ConfigError` for one that was trained under others than those of `settings`."""
    here, unknown = limits_here(settings), []
    for one in who:
        if not isinstance(one, TrainedChooser):
            continue
        if one.limits is None:
            unknown.append(f"{one.name}: does not say under which limits it was trained")
        else:
            one.limits.check(one.name, here)
    return unknown


def check_unseen(who: Sequence[Contestant], pool: AnyPool, settings: CompareSettings) -> None:
    """Raises `ConfigError` for a policy that has seen what is compared, or anything later."""
    seeds = range(settings.seed, settings.seed + settings.seeds)
    for one in who:
        seen = seen_by(one)
        if seen is not None:
            seen.check(one.name, pool, seeds)


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
    regimes: LiquidityRegimes | None = None,
) -> Comparison:
    """Work the same parent orders of `pool` under each of `policies`; the first is the baseline.

    Args:
        policies: as `contestant` reads them, or contestants themselves, each of another name.
        store: a folder in which what was worked is kept, policy by policy, so that the same
            comparison goes on where it was cut off.
        progress: told how many orders have been worked since it was last called.
        tuning: how the baseline was tuned, for the report.
        explanation: why a gain that looks too good is none, for the report.
        regimes: fitted on training days, to split the differences by.

    Raises `ConfigError` for policies that are none, that learnt under other limits, or that have
    seen the days, or the seeds of markets, that are compared; and for regimes fitted on these days.
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
    if regimes is not None and not alone:
        first = min(tape.session.day for tape in pool.tapes)
        if regimes.last_training_day >= first:
            raise ConfigError(
                f"regimes: were fitted up to {regimes.last_training_day}, and days are compared "
                f"from {first} on; fit them on earlier days"
            )
    unknown = check_limits(who, settings)
    check_unseen(who, pool, settings)
    episodes, seeds = _drawn(pool, settings)
    shop = Workshop(pool, settings, jobs)
    seen, good = shop.begun(episodes)
    episodes, seen, seeds = episodes[good], seen[good], seeds[good]
    notes = [] if good.all() else [
        f"{int((~good).sum())} orders were left out: the market showed no mid at their start."
    ]  # fmt: skip
    parents = describe_orders(pool, episodes, seen, seeds, regimes)
    kept = Store(store, _key(pool, settings, episodes), len(episodes))
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
    notes += unknown
    notes += [note for lesson in pool.lessons for note in lesson.notes]
    return Comparison(
        told, parents, orders, buckets_of(parents, pool), notes, alone,
        frozenset(one.name for one in who if looks_ahead(one)), tuning, explanation,
        _families(who),
    )  # fmt: skip


def _families(who: Sequence[Contestant]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in who[1:]:
        name = family(one)
        if name is not None:
            found.setdefault(name, []).append(one.name)
    return found


def _worker(
    shop: Workshop,
    episodes: NDArray[np.void],
    who: Contestant,
    model: FillModel,
    progress: Progress,
) -> Callable[[], Columns]:
    return lambda: shop.work(episodes, who, model, progress)


def _drawn(pool: AnyPool, settings: CompareSettings) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """The parent orders of all seeds, each on both sides, and the seed of each."""
    pool.enter(Stage(name="compare", episodes=episode_settings(settings)))
    drawn, seeds = [], []
    for seed in range(settings.seed, settings.seed + settings.seeds):
        pool.reseed(seed)
        drawn.append(on_both_sides(pool.draw(-(-settings.orders // 2)))[: settings.orders])
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
    """What was worked, kept on disk under a name made of everything it depends on.

    Each part is a sealed folder. One that is damaged or was edited is worked again."""

    def __init__(self, folder: Path | None, key: str, rows: int) -> None:
        self._folder, self._key, self._rows = folder, key, rows

    def get(self, what: str, work: Callable[[], Columns]) -> tuple[Columns, bool]:
        """The columns of `what`, and whether they had to be worked."""
        if self._folder is None:
            return work(), True
        name = hashlib.sha256(f"{self._key} {what}".encode()).hexdigest()[:24]
        path = self._folder / name
        try:
            return read_folder(path, WORKED, lambda here: self._columns(here, name)), False
        except InputError:
            pass  # there is none, or none that can be trusted
        columns = work()
        import pyarrow as pa
        import pyarrow.parquet as pq

        with new_folder(path) as draft:
            pq.write_table(pa.table(columns), draft / _COLUMNS)
            told = {"name": name, "what": what}
            (draft / MANIFEST).write_bytes(seal(WORKED, told, members_of(draft)))
        return columns, True

    def _columns(self, here: SealedFolder, name: str) -> Columns:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            if here.sealed.content["name"] != name:  # moved here: it is whole, and of another part
                raise here.wrong(MANIFEST, "is of another part")
            with pq.ParquetFile(pa.BufferReader(pa.py_buffer(here.mapped(_COLUMNS)))) as file:
                if file.metadata.num_rows != self._rows:
                    raise here.wrong(_COLUMNS, f"has {file.metadata.num_rows} rows")
                table = file.read()
            columns = {name: table[name].to_numpy() for name in table.column_names}
        except (pa.ArrowException, OSError, KeyError, TypeError, UnicodeError) as error:
            raise here.wrong(_COLUMNS, f"cannot be read ({error})") from None
        wrong = _wrong_with(columns)
        if wrong:
            raise here.wrong(_COLUMNS, wrong)
        return columns


def _wrong_with(columns: Columns) -> str:
    """What keeps columns from being those of orders that were worked; empty: nothing."""
    if sorted(columns) != sorted((*COUNTS, *MEASURES)):
        return "has other columns"
    for name, column in columns.items():
        if name in COUNTS:
            if column.dtype.kind != "i" or np.any(column < 0):
                return f"{name} is no count"
        elif column.dtype.kind != "f" or np.any(np.isinf(column)):
            return f"{name} is no number"
    return ""


def _key(pool: AnyPool, settings: CompareSettings, episodes: NDArray[np.void]) -> str:
    """All that the outcome of working `episodes` depends on, but for who works them."""
    days = [tape.identity for tape in pool.tapes]
    taught = [lesson.identities for lesson in pool.lessons]
    of_drawing = ("fill_model", "orders", "seed", "seeds")
    rest = {k: v for k, v in msgspec.to_builtins(settings).items() if k not in of_drawing}
    orders = hashlib.sha256(episodes.tobytes()).hexdigest()
    return repr((rest, days, taught, source_digest(), orders))
