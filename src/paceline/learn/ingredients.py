"""What a recipe is cooked from, made and checked before anything is done: nothing that can be known
at the start is found out after an hour.

    made = Ingredients.of(recipe)
    made.settings["offline"]                # of the learner of that stage
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from paceline.config import from_dict, read_yaml
from paceline.decision.actions import ActionGrid
from paceline.decision.normalizer import Normalizer
from paceline.decision.schema import N_FEATURES, NAMES
from paceline.env.days import AnyPool
from paceline.env.episodes import EpisodeSettings
from paceline.env.reward import RewardSettings
from paceline.env.simulated_pool import SimulatedPool
from paceline.errors import ConfigError
from paceline.learn.behavior_cloning import BehaviorCloning
from paceline.learn.checkpoint import Checkpoint, read_checkpoint
from paceline.learn.learner import Learner
from paceline.learn.learners import LEARNERS, conservative_of
from paceline.learn.limits import PolicyLimits, limits_of
from paceline.learn.recipe import STAGES, WORKING, Online, Recipe
from paceline.learn.settings import Learning, Run
from paceline.learn.source import (
    Source,
    in_markets,
    recorded,
    seeds_told,
    simulated,
    told_of,
)
from paceline.learn.trained_teacher import best_in
from paceline.market.days import day_in, tapes_at

AT_ONCE = 512
"""Parent orders logged, or worked in validation, side by side; some MB each."""


class Ingredients(NamedTuple):
    """Of one run."""

    grid: ActionGrid
    orders: EpisodeSettings
    """What orders are like under the recipe's limits."""
    limits: PolicyLimits
    learners: dict[str, type[Learner]]
    """Stage -> who learns in it."""
    settings: dict[str, Learning]
    """Stage -> what that one is told."""
    source: Source
    begins_as: Checkpoint | None
    """`policy.checkpoint`."""

    @property
    def normalizer(self) -> Normalizer | None:
        """That of the checkpoint to begin with: its networks know no other."""
        return None if self.begins_as is None else self.begins_as.normalizer

    @property
    def beginning(self) -> dict[str, NDArray[np.float32]]:
        """The networks to begin with, by the names a learner keeps them under."""
        kept = {} if self.begins_as is None else self.begins_as.weights
        return {f"networks.{name}": tensor for name, tensor in kept.items()}

    @staticmethod
    def of(recipe: Recipe) -> Ingredients:
        """Raises `ConfigError` for a recipe that cannot be cooked, `CheckpointError` for a
        checkpoint to begin with that is none or does not fit."""
        _check_device(recipe.device)
        grid = recipe.policy.action_set.grid()
        learners = _learners(recipe)
        settings = _settings(recipe, learners)
        for stage in WORKING:
            online: Online | None = getattr(recipe, stage)
            if online is not None and online.replay.rare_feature not in NAMES:
                raise ConfigError(
                    f"{stage}.replay.rare_feature: {online.replay.rare_feature!r} is no feature; "
                    "give one of decision.schema, e.g. volatility_300s"
                )
        orders = msgspec.structs.replace(recipe.orders, participation=recipe.risk.participation_cap)
        limits = limits_of(
            orders, band_ticks=recipe.risk.price_band_ticks, child_max=recipe.risk.child_max,
            fallback=recipe.risk.fallback,
        )  # fmt: skip
        begins_as = None
        if recipe.policy.checkpoint is not None:
            begins_as = read_checkpoint(best_in(recipe.policy.checkpoint), grid=grid)
        source = _source(recipe, orders)
        if begins_as is not None:
            _check_beginning(begins_as, recipe, learners, settings, source)
            source = source._replace(told=source.told | _seen_by(begins_as))
        return Ingredients(grid, orders, limits, learners, settings, source, begins_as)


def log_parts(recipe: Recipe) -> int:
    """Parts that teachers are logged in, each by a seed of its own."""
    return -(-recipe.teaching.orders // AT_ONCE) if recipe.teaching.teachers else 0


def reward_on(pool: AnyPool, reward: RewardSettings) -> RewardSettings:
    """What is earned on orders of `pool`. A market that answers moves with us: paid for the plan, a
    policy would be paid back what its own orders moved."""
    if isinstance(pool, SimulatedPool):
        return msgspec.structs.replace(reward, plan=0.0)
    return reward


def begin_with(learner: Learner, weights: Mapping[str, NDArray[Any]]) -> list[str]:
    """Take over those of `weights` that are of the same name and shape: all of a learner of the
    same kind, the trunk of a cloned policy. Returns the names of what it has and was not given."""
    own = {f"networks.{k}": v for k, v in learner.networks.state_dict().items()}
    given = {k: v for k, v in weights.items() if k.startswith("networks.")}
    for name, value in list(given.items()):
        if name.startswith("networks.policy.trunk"):
            for whose in ("online", "target"):
                given[name.replace("networks.policy", f"networks.{whose}")] = value
    fits = {k for k, v in own.items() if k in given and given[k].shape == tuple(v.shape)}
    learner.load({k: given[k] if k in fits else v.numpy() for k, v in own.items()})
    return sorted(own.keys() - fits)


def _learners(recipe: Recipe) -> dict[str, type[Learner]]:
    kind = LEARNERS[recipe.policy.type]
    of: dict[str, type[Learner]] = {
        "clone": BehaviorCloning, "offline": conservative_of(kind), "simulated": kind,
        "online": kind,
    }  # fmt: skip
    found = {stage: of[stage] for stage in STAGES if getattr(recipe, stage) is not None}
    if not found:
        raise ConfigError(f"{', '.join(STAGES)}: the recipe has no stage; give one")
    return found


def _settings(recipe: Recipe, learners: dict[str, type[Learner]]) -> dict[str, Learning]:
    """Each stage's learner takes what it knows of `policy.settings`, and all of its own."""
    kinds = {LEARNERS[recipe.policy.type], *learners.values()}
    shared = recipe.policy.settings or {}
    _check_known("policy.settings", shared, kinds)
    found: dict[str, Learning] = {}
    for stage, kind in learners.items():
        own: dict[str, Any] = getattr(getattr(recipe, stage), "settings", None) or {}
        _check_known(f"{stage}.settings", own, {kind})
        mine = {k: v for k, v in (shared | own).items() if k in _fields(kind)}
        try:
            found[stage] = from_dict(mine, kind.kind)
        except ConfigError as error:
            where = "policy.settings" if not own else f"policy.settings, {stage}.settings"
            raise ConfigError(f"{where}: {error}") from None
    return found


def _fields(kind: type[Learner]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind.kind)}


def _check_known(where: str, given: dict[str, Any], kinds: set[type[Learner]]) -> None:
    known = set().union(*(_fields(kind) for kind in kinds))
    for name in given:
        if name not in known:
            raise ConfigError(
                f"{where}.{name}: is no setting of {', '.join(sorted(k.name for k in kinds))}; "
                f"they have {', '.join(sorted(known))}"
            )


def _check_device(device: str) -> None:
    """Raises `ConfigError` for a device that is none, or not here."""
    Run(device=device)
    if device == "cpu":
        return
    number = device.partition(":")[2] or "0"
    if not number.isdigit() or int(number) >= torch.cuda.device_count():
        raise ConfigError(
            f"device: {device!r} is not here; PyTorch sees {torch.cuda.device_count()} GPUs, give "
            "cpu or one of them"
        )


def _source(recipe: Recipe, orders: EpisodeSettings) -> Source:
    data = recipe.data
    if not data.tapes:
        made = simulated(data.markets, data.regimes, orders, recipe.seed)
        return made._replace(told=made.told | seeds_told(recipe.seed, log_parts(recipe)))
    found = recorded(
        tapes_at(data.tapes), str(data.train), str(data.validation), orders, recipe.seed
    )
    if recipe.simulated is None:
        return found
    markets = in_markets(data.markets, data.regimes, orders, recipe.seed)
    return found._replace(markets=markets, told=found.told | told_of(markets))


def _check_beginning(
    found: Checkpoint,
    recipe: Recipe,
    learners: dict[str, type[Learner]],
    settings: dict[str, Learning],
    source: Source,
) -> None:
    """Raises `ConfigError` for a checkpoint whose networks the first stage cannot take over, or
    that has learnt from days of validation."""
    where = f"policy.checkpoint: {recipe.policy.checkpoint}"
    stage = next(iter(learners))
    kind, was = learners[stage], found.manifest.learner
    learner = kind(settings[stage], N_FEATURES, len(recipe.policy.action_set.grid()))
    missed = begin_with(learner, {f"networks.{k}": v for k, v in found.weights.items()})
    if was == BehaviorCloning.name != kind.name:  # who is cloned has a trunk to give
        missed = [name for name in missed if ".trunk" in name]
    if missed:
        raise ConfigError(
            f"{where}: is of {was} with other layers than {kind.name} here (the first is "
            f"{missed[0].removeprefix('networks.')}); give policy.type and policy.settings.network "
            "as it has them"
        )
    begins = min(tape.session.day for tape in source.validation.tapes)
    last = "" if found.normalizer is None else found.normalizer.last_training_day
    if recipe.data.tapes and last >= begins:
        raise ConfigError(
            f"{where}: learnt from {last}, and validation begins on {begins}; give later days of "
            "validation, or a checkpoint of earlier ones"
        )


def _seen_by(found: Checkpoint) -> dict[str, str]:
    """The checkpoint itself and the days it knows, for `Source.told`."""
    days = {name: told for name, told in found.manifest.data.items() if day_in(name) is not None}
    return days | {"policy.checkpoint": found.manifest.files["weights.safetensors"]}


def check_same(path: Path, told: dict[str, Any]) -> None:
    """Raises `ConfigError` if the recipe at `path` is not `told`, naming what differs first."""
    kept = read_yaml(path)
    if (name := _difference(kept, told)) is not None:
        one, other = (_at(recipe, name) for recipe in (kept, told))
        raise ConfigError(
            f"{path.parent}: is a run of another recipe: {name} is {one!r} there, and {other!r} "
            "here; give another folder"
        )


def _difference(kept: Any, told: Any, at: str = "") -> str | None:
    """Where two recipes differ first; None where they are one."""
    if not (isinstance(kept, dict) and isinstance(told, dict)):
        return None if kept == told else at
    for name in dict.fromkeys([*told, *kept]):
        found = _difference(kept.get(name), told.get(name), f"{at}.{name}" if at else name)
        if found is not None:
            return found
    return None


def _at(recipe: Any, name: str) -> Any:
    for part in name.split("."):
        recipe = recipe.get(part) if isinstance(recipe, dict) else None
    return recipe
