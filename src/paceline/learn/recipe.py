"""A recipe: everything that `paceline train` is told, in one YAML file.

    recipe = load_yaml("recipe.yaml", Recipe)
    recipe.policy.action_set.grid()                # ActionGrid

Stages come in order, and any may be left out: `clone` does as teachers do, `offline` learns from
the same logs what they earned, `simulated` and `online` work parent orders themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from paceline.config import Field, Settings
from paceline.decision.actions import ActionGrid, Price
from paceline.env.batch_env import RewardSettings
from paceline.env.episodes import EpisodeSettings
from paceline.env.own_impact import OwnImpact
from paceline.errors import ConfigError
from paceline.learn.settings import Count, Exploring, Replay, Share

Kind = Literal[
    "behavior_cloning", "double_dqn", "quantile_dqn", "cql_double_dqn", "cql_quantile_dqn", "iql",
    "bcq",
]  # fmt: skip

STAGES = ("clone", "offline", "simulated", "online")
"""In the order in which they come."""
WORKING = ("simulated", "online")
"""Stages that work orders themselves, and may stop early."""

_BP = 1e-4
_STEPS: dict[int, tuple[Price, ...]] = {
    -2: ("behind_2",), -1: ("behind_1",), 0: ("touch", "take"), 1: ("inside", "take_1"),
    2: ("take_2",),
}  # fmt: skip
"""Prices of the grid that an aggression in ticks means: rest so far behind our touch, at both
touches for 0, and above it one inside the spread, or so far through the other touch."""


class ActionSet(Settings, frozen=True, kw_only=True):
    """The actions, as a desk would say them."""

    size_bp_of_remaining: Annotated[
        tuple[Annotated[float, Meta(gt=0, le=10_000)], ...],
        Field("Sizes of a child order.", "bp of what is left"),
    ] = (100.0, 200.0, 500.0, 1000.0)
    aggression_ticks: Annotated[
        tuple[int | Price, ...],
        Field("Where it stands: ticks from our touch towards the other, or prices by name.", ""),
    ] = ("touch", "inside", "mid", "take")
    wait_seconds: Annotated[
        tuple[Annotated[float, Meta(ge=0, le=3600)], ...],
        Field("Until the next decision; 0 is until the next event.", "s"),
    ] = (5.0,)
    hold_seconds: Annotated[
        Annotated[float, Meta(gt=0, le=3600)], Field("How long a hold waits.", "s")
    ] = 5.0

    def grid(self) -> ActionGrid:
        """The grid. Raises `ConfigError` for an aggression that has no price."""
        prices: list[Price] = []
        for one in self.aggression_ticks:
            if isinstance(one, int) and one not in _STEPS:
                raise ConfigError(
                    f"action_set.aggression_ticks: {one} has no price; give "
                    f"{', '.join(map(str, _STEPS))}, or prices by name"
                )
            prices += _STEPS[one] if isinstance(one, int) else (one,)
        return ActionGrid(
            sizes=tuple(bp * _BP for bp in self.size_bp_of_remaining),
            prices=tuple(dict.fromkeys(prices)),
            waits_s=self.wait_seconds,
            hold_s=self.hold_seconds,
        )


class PolicyRecipe(Settings, frozen=True, kw_only=True):
    """What is trained."""

    type: Annotated[Kind, Field("The learner.", "")] = "quantile_dqn"
    checkpoint: Annotated[
        str | None, Field("Begin with its weights: the folder of a checkpoint or a run.", "")
    ] = None
    destination: Annotated[
        str | None,
        Field(
            "Address where the policy is to go. Nothing is sent: the manifest keeps it for what "
            "does.",
            "",
        ),
    ] = None
    action_set: Annotated[ActionSet, Field("The actions.", "")] = ActionSet()
    settings: Annotated[
        dict[str, Any] | None, Field("Of the learner: network, lr, risk and so on.", "")
    ] = None


class RiskRecipe(Settings, frozen=True, kw_only=True):
    """Limits under which it works, and who takes over."""

    participation_cap: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Field("Most participation; none if null.", "share"),
    ] = 0.25
    price_band_ticks: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Field("Worst price, from arrival; none if null.", "ticks"),
    ] = None
    child_max: Annotated[
        Annotated[float, Meta(gt=0)] | None, Field("Largest child order; none if null.", "shares")
    ] = None
    fallback: Annotated[
        Literal["ac", "twap", "passive"], Field("Who works on when it may not.", "")
    ] = "twap"


class DataRecipe(Settings, frozen=True, kw_only=True):
    """Where parent orders come from. Training days come before those of validation."""

    also: ClassVar[Mapping[str, str]] = {"tape": "tapes", "market": "markets"}

    tapes: Annotated[tuple[str, ...], Field("Tape folders, or folders of them.", "")] = ()
    train: Annotated[str | None, Field("Days to train on, FROM..TO.", "")] = None
    validation: Annotated[str | None, Field("Days that say when to stop, FROM..TO.", "")] = None
    markets: Annotated[
        tuple[str, ...],
        Field(
            "Simulated markets, by name or YAML; beside tapes, those that `simulated` is on.", ""
        ),
    ] = ()
    regimes: Annotated[
        tuple[str, ...], Field("Regimes of those markets, each as often; none: as they are.", "")
    ] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tapes and not self.markets:
            raise ConfigError("data: has no tapes and no markets; give one of them, or both")
        if self.regimes and not self.markets:
            raise ConfigError("data.regimes: are of simulated markets; give data.markets, too")
        if self.tapes and (self.train is None or self.validation is None):
            raise ConfigError("data.train, data.validation: give both for tapes, as FROM..TO")


class Teaching(Settings, frozen=True, kw_only=True):
    """What is logged, to clone and to learn from offline."""

    teachers: Annotated[tuple[str, ...], Field("See `paceline log`.", "")] = (
        "ac/inside/0.05", "twap/inside/0.1", "ac/mid/0.05", "ac/touch/0.05", "random",
    )  # fmt: skip
    explore: Annotated[
        Annotated[float, Meta(ge=0, le=1)], Field("Share of actions by chance.", "")
    ] = 0.2
    orders: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)],
        Field("Parent orders logged, over all days.", ""),
    ] = 2048
    logs: Annotated[
        tuple[str, ...], Field("Logs that are there already; see `paceline import-log`.", "")
    ] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.teachers and not self.logs:
            raise ConfigError("teachers, logs: none is given; give one or more of either")


class Stage(Settings, frozen=True, kw_only=True):
    """A stage that learns from logs."""

    updates: Annotated[Count, Field("Updates in all.", "")] = 2_000
    settings: Annotated[
        dict[str, Any] | None, Field("Of its learner, over those of the policy.", "")
    ] = None


class Lesson(Settings, frozen=True, kw_only=True):
    """A stage of the curriculum; what it does not say is as orders are."""

    begins: Annotated[
        Annotated[float, Meta(ge=0, lt=1)], Field("Share of the updates at which it begins.", "")
    ] = 0.0
    qty_volume: Annotated[
        tuple[Annotated[float, Meta(gt=0)], Annotated[float, Meta(gt=0)]],
        Field("Least and most size, a share of the horizon's usual volume.", ""),
    ]
    liquid_share: Annotated[
        Share, Field("Share of the days, those on which most value usually trades.", "share")
    ] = 1.0


class Online(Settings, frozen=True, kw_only=True):
    """The stage that works parent orders itself."""

    updates: Annotated[Count, Field("Updates in all.", "")] = 20_000
    envs: Annotated[Annotated[int, Meta(ge=1, le=65_536)], Field("Parent orders at once.", "")] = (
        256
    )
    per_update: Annotated[Annotated[float, Meta(gt=0)], Field("Decisions for each update.", "")] = (
        64.0
    )
    commit: Annotated[
        Annotated[int, Meta(ge=1, le=1000)],
        Field("Decisions for which an action is kept to, before the next choice.", ""),
    ] = 1
    first: Annotated[
        Count, Field("Rows before the first update, one for each action that was begun.", "rows")
    ] = 20_000
    exploring: Annotated[Exploring, Field("Exploration.", "")] = Exploring()
    replay: Annotated[Replay, Field("What is kept of the past.", "")] = Replay()
    keep_logs: Annotated[bool, Field("Whether the logs begin the replay.", "")] = True
    curriculum: Annotated[
        tuple[Lesson, ...], Field("From easy orders to hard ones; none: as they are.", "")
    ] = ()


class Validating(Settings, frozen=True, kw_only=True):
    """When it is good, and when it stops."""

    orders: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)], Field("Parent orders, the same each time.", "")
    ] = 1024
    every: Annotated[Count, Field("Updates between.", "")] = 1_000
    patience: Annotated[
        Count, Field("Validations without a better one after which it stops.", "")
    ] = 10
    tail_weight: Annotated[
        Annotated[float, Meta(ge=0, le=1)], Field("Of CVaR95 beside the mean in the score.", "")
    ] = 0.0


class Recipe(Settings, frozen=True, kw_only=True):
    """What `paceline train` is told."""

    name: Annotated[str, Meta(min_length=1), Field("What the run is called.", "")] = "run"
    policy: Annotated[PolicyRecipe, Field("What is trained.", "")] = PolicyRecipe()
    risk: Annotated[RiskRecipe, Field("Its limits.", "")] = RiskRecipe()
    data: Annotated[DataRecipe, Field("Where orders come from.", "")]
    orders: Annotated[EpisodeSettings, Field("What parent orders are like.", "")] = (
        EpisodeSettings()
    )
    impact: Annotated[OwnImpact, Field("What our fills do to the price.", "")] = OwnImpact()
    reward: Annotated[RewardSettings, Field("What it learns to earn.", "")] = RewardSettings()
    gamma: Annotated[Share, Field("What the next decision's return is worth now.", "")] = 1.0
    steps: Annotated[
        Annotated[int, Meta(ge=1, le=1000)],
        Field("Decisions whose rewards are added up before the next look.", ""),
    ] = 1
    teaching: Annotated[Teaching, Field("What is logged first.", "")] = Teaching()
    clone: Annotated[Stage | None, Field("Do as teachers do.", "")] = None
    offline: Annotated[Stage | None, Field("Learn from logs, conservatively.", "")] = None
    simulated: Annotated[
        Online | None, Field("Learn by working in simulated markets, before recorded days.", "")
    ] = None
    online: Annotated[
        Online | None, Field("Learn by working: on tapes, or in markets where there are none.", "")
    ] = Online()
    validating: Annotated[Validating, Field("Validation.", "")] = Validating()
    seed: Annotated[Annotated[int, Meta(ge=0)], Field("Of everything that is drawn.", "")] = 1
    seeds: Annotated[
        Annotated[int, Meta(ge=1, le=1000)], Field("Runs, with this seed and those after it.", "")
    ] = 1
    mode: Annotated[
        Literal["deterministic", "eager", "compiled"], Field("See `learn.settings.Run`.", "")
    ] = "deterministic"
    device: Annotated[str, Field("Where it learns: cpu, cuda.", "")] = "cpu"
    threads: Annotated[
        Annotated[int, Meta(ge=1, le=1024)],
        Field("Threads of PyTorch, and of the environment.", ""),
    ] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.simulated is not None and not (self.data.tapes and self.data.markets):
            raise ConfigError(
                "simulated: comes before recorded days; give data.tapes and data.markets, or use "
                "online alone"
            )
        if self.clone is not None and self.policy.checkpoint is not None:
            raise ConfigError(
                "clone: begins anew and forgets policy.checkpoint; leave one of them out"
            )
