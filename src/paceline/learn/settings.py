"""What learners are told: networks, losses, replay, and the run itself.

Nothing here needs PyTorch, so that whoever reads a checkpoint's settings stays light.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from paceline.config import Field, Settings
from paceline.errors import ConfigError

Share = Annotated[float, Meta(gt=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
L2 = Annotated[float, Meta(ge=0, le=1), Field("Weight of the weights' squares.", "")]
Alpha = Annotated[float, Meta(ge=0), Field("Weight of the penalty on actions not logged.", "")]
Temperature = Annotated[
    float, Meta(gt=0), Field("Of its log-sum-exp; towards 0 it is the maximum.", "")
]


class Network(Settings, frozen=True, kw_only=True):
    """Shape of a network."""

    hidden: Annotated[
        Annotated[tuple[Annotated[int, Meta(ge=1, le=4096)], ...], Meta(max_length=16)],
        Field("Widths of its layers.", ""),
    ] = (256, 256)
    dueling: Annotated[bool, Field("Whether value and advantage have heads of their own.", "")] = (
        True
    )
    quantiles: Annotated[
        Annotated[int, Meta(ge=1, le=512)], Field("Quantiles of a quantile head.", "")
    ] = 32


class Risk(Settings, frozen=True, kw_only=True):
    """By which number of a distribution actions are chosen: (1 - weight) mean + weight CVaR.

    A return is what a policy earns, so that the worst are the lowest."""

    cvar_share: Annotated[
        Share, Field("Share of the worst returns that CVaR is the mean of.", "")
    ] = 0.25
    cvar_weight: Annotated[
        Annotated[float, Meta(ge=0, le=1)], Field("Weight of CVaR; 0 chooses by the mean.", "")
    ] = 0.0

    def head_weights(self, quantiles: int) -> NDArray[np.float32]:
        """`[quantiles]` weights of the heads, which sum to 1.

        Heads stand for evenly spaced quantiles in order, so that CVaR is the mean of the lowest
        (Dabney et al., 2018, "Implicit quantile networks", for such choices)."""
        lowest = max(1, round(self.cvar_share * quantiles))
        weights = np.full(quantiles, (1.0 - self.cvar_weight) / quantiles)
        weights[:lowest] += self.cvar_weight / lowest
        return weights.astype(np.float32)


class Learning(Settings, frozen=True, kw_only=True):
    """What all learners are told."""

    network: Annotated[Network, Field("The network.", "")] = Network()
    lr: Annotated[Annotated[float, Meta(gt=0, le=1)], Field("Step size of Adam.", "")] = 2e-4
    lr_end: Annotated[Share, Field("What is left of it at the end; it falls evenly.", "share")] = (
        1.0
    )
    l2: L2 = 0.0
    max_gradient: Annotated[
        Annotated[float, Meta(gt=0)], Field("Largest norm of a gradient; longer ones are cut.", "")
    ] = 10.0
    sync_every: Annotated[Count, Field("Updates between moves of the target network.", "")] = 1000
    sync_share: Annotated[
        Share, Field("How far it moves to the network; 1 copies it (Polyak's is 0.005).", "")
    ] = 1.0


class DoubleDQNSettings(Learning, frozen=True, kw_only=True):
    """Of `double_dqn`."""

    huber: Annotated[
        Annotated[float, Meta(gt=0)],
        Field("Where the loss turns from square to line: far below the noise of returns, values "
              "are medians and not means.", "reward"),
    ] = 1.0  # fmt: skip


class QuantileDQNSettings(Learning, frozen=True, kw_only=True):
    """Of `quantile_dqn`."""

    risk: Annotated[Risk, Field("By what it chooses.", "")] = Risk()
    huber: Annotated[
        Annotated[float, Meta(gt=0)], Field("Where the loss turns from square to line.", "reward")
    ] = 1.0


class ConservativeDoubleDQNSettings(DoubleDQNSettings, frozen=True, kw_only=True):
    """Of `cql` on `double_dqn`."""

    l2: L2 = 1e-4
    alpha: Alpha = 1.0
    temperature: Temperature = 1.0


class ConservativeQuantileDQNSettings(QuantileDQNSettings, frozen=True, kw_only=True):
    """Of `cql` on `quantile_dqn`."""

    l2: L2 = 1e-4
    alpha: Alpha = 1.0
    temperature: Temperature = 1.0


class BehaviorCloningSettings(Learning, frozen=True, kw_only=True):
    """Of `behavior_cloning`."""


class IQLSettings(Learning, frozen=True, kw_only=True):
    """Of `iql`."""

    sync_every: Annotated[Count, Field("Updates between moves of the target network.", "")] = 1
    sync_share: Annotated[Share, Field("How far it moves to the network; 1 copies it.", "")] = 0.005

    expectile: Annotated[
        Annotated[float, Meta(ge=0.5, lt=1)], Field("0.5 is the mean; towards 1 the maximum.", "")
    ] = 0.7
    inverse_temperature: Annotated[
        Annotated[float, Meta(ge=0)], Field("How much better actions weigh; 0 clones.", "1/reward")
    ] = 3.0
    max_weight: Annotated[Annotated[float, Meta(gt=0)], Field("Largest weight of a row.", "")] = (
        100.0
    )


class BCQSettings(Learning, frozen=True, kw_only=True):
    """Of `bcq`."""

    threshold: Annotated[
        Annotated[float, Meta(ge=0, le=1)],
        Field("Least probability in the log, by the likeliest's; 0 is DQN, 1 cloning.", ""),
    ] = 0.3


class Replay(Settings, frozen=True, kw_only=True):
    """What is kept of the past, and how it is drawn."""

    capacity: Annotated[
        Annotated[int, Meta(ge=1, le=20_000_000)], Field("Rows kept; the oldest go first.", "rows")
    ] = 200_000
    batch: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)], Field("Rows of an update.", "rows")
    ] = 256
    priority: Annotated[
        Annotated[float, Meta(ge=0, le=1)],
        Field("Power of the error by which rows are drawn; 0 draws all alike.", ""),
    ] = 0.6
    correction: Annotated[
        Annotated[float, Meta(ge=0, le=1)],
        Field("Power of the weights that correct for it, at the start; 1 at the end.", ""),
    ] = 0.4
    rare_capacity: Annotated[
        Annotated[int, Meta(ge=0)], Field("Rows kept of rare regimes; 0: none apart.", "rows")
    ] = 0
    rare_feature: Annotated[
        str, Field("The feature that tells them: rare is where it is high.", "")
    ] = "volatility_300s"
    rare_above: Annotated[
        Annotated[float, Meta(gt=0, lt=1)], Field("From this quantile of the logs on.", "")
    ] = 0.95
    rare_share: Annotated[
        Annotated[float, Meta(ge=0, lt=1)], Field("Of a batch, from rare regimes.", "")
    ] = 0.25


class Exploring(Settings, frozen=True, kw_only=True):
    """How often a learner tries something else while it collects."""

    start: Annotated[Annotated[float, Meta(ge=0, le=1)], Field("Share at the start.", "")] = 0.1
    end: Annotated[Annotated[float, Meta(ge=0, le=1)], Field("Share at the end.", "")] = 0.01
    over: Annotated[Count, Field("Decisions from start to end.", "")] = 100_000
    what: Annotated[
        Literal["all", "wait"],
        Field("Any legal action, or the chosen one with another wait (near production).", ""),
    ] = "all"

    def at(self, decisions: int) -> float:
        """Share after so many decisions."""
        return self.start + (self.end - self.start) * min(decisions / self.over, 1.0)


class Collecting(Settings, frozen=True, kw_only=True):
    """How decisions become rows."""

    gamma: Annotated[
        Share,
        Field(
            "What the next decision's return is worth now. 1: an order that is not filled is "
            "charged at its end, hundreds of decisions later, and 0.995 a decision would leave 1 % "
            "of that after 900. Episodes end, so returns are finite without a discount.",
            "",
        ),
    ] = 1.0
    gamma_of: Annotated[
        Literal["decision", "second"], Field("Whether that is by decision or by second.", "")
    ] = "decision"
    steps: Annotated[
        Annotated[int, Meta(ge=1, le=1000)],
        Field("Decisions whose rewards are added up before the next look.", ""),
    ] = 1
    commit: Annotated[
        Annotated[int, Meta(ge=1, le=1000)],
        Field(
            "Decisions for which an action is kept to while it is legal, before the next choice.",
            "",
        ),
    ] = 1
    exploring: Annotated[Exploring, Field("Exploration.", "")] = Exploring()
    first: Annotated[
        Count, Field("Rows before the first update, one for each action that was begun.", "rows")
    ] = 5_000
    updates: Annotated[
        Annotated[float, Meta(gt=0)], Field("Updates for each decision: the replay ratio.", "")
    ] = 0.125


class Run(Settings, frozen=True, kw_only=True):
    """The run that trains a learner."""

    updates: Annotated[Count, Field("Updates in all.", "")] = 100_000
    seed: Annotated[Annotated[int, Meta(ge=0)], Field("Of all that is drawn.", "")] = 1
    mode: Annotated[
        Literal["deterministic", "eager", "compiled"],
        Field(
            "Same weights from the same seed, also if it was cut off while it worked orders: then "
            "it goes on from the last regular checkpoint; without that promise; through "
            "torch.compile, whose last bits differ.",
            "",
        ),
    ] = "deterministic"
    device: Annotated[str, Field("Where it runs: cpu, cuda, cuda:1.", "")] = "cpu"
    threads: Annotated[Count, Field("Threads of PyTorch; part of the last bits.", "")] = 1
    checkpoint_every: Annotated[Count, Field("Updates between checkpoints.", "")] = 10_000
    keep: Annotated[Count, Field("Checkpoints kept, besides the last.", "")] = 3
    log_every: Annotated[Count, Field("Updates between lines of the log.", "")] = 100
    tensorboard: Annotated[bool, Field("Whether the log is for TensorBoard, too.", "")] = False
    max_value: Annotated[
        Annotated[float, Meta(gt=0)], Field("Beyond it a value has exploded.", "reward")
    ] = 1e5
    collecting: Annotated[Collecting, Field("Collecting, of runs in an environment.", "")] = (
        Collecting()
    )
    replay: Annotated[Replay, Field("Replay.", "")] = Replay()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.device != "cpu" and not self.device.startswith("cuda"):
            raise ConfigError(f"device: {self.device!r} is none; give cpu, cuda or cuda:<number>")


class Continuous(Settings, frozen=True, kw_only=True):
    """What learners of numbers, not choices, are told."""

    hidden: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=4096)], ...], Field("Widths of the layers.", "")
    ] = (256, 256)
    lr: Annotated[Annotated[float, Meta(gt=0, le=1)], Field("Step size of Adam.", "")] = 3e-4
    gamma: Annotated[
        Share,
        Field(
            "What the next decision's return is worth now. 1: the charge at the end of an order "
            "counts in full at its first decision.",
            "",
        ),
    ] = 1.0
    batch: Annotated[Count, Field("Rows of an update.", "rows")] = 256
    steps: Annotated[Count, Field("Decisions in all.", "")] = 200_000
    checkpoint_every: Annotated[Count, Field("Decisions between checkpoints.", "")] = 20_000
    seed: Annotated[Annotated[int, Meta(ge=0)], Field("Of all that is drawn.", "")] = 1
    device: Annotated[str, Field("Where it runs: cpu, cuda, cuda:1.", "")] = "cpu"


class SACSettings(Continuous, frozen=True, kw_only=True):
    """Of soft actor-critic."""

    capacity: Annotated[Count, Field("Rows kept; the oldest go first.", "rows")] = 200_000
    first: Annotated[Count, Field("Decisions by chance before the first update.", "")] = 5_000
    sync_share: Annotated[Share, Field("How far targets move at each update.", "")] = 0.005


class PPOSettings(Continuous, frozen=True, kw_only=True):
    """Of proximal policy optimisation."""

    rollout: Annotated[Annotated[int, Meta(ge=2)], Field("Decisions of an update.", "")] = 2048
    epochs: Annotated[Count, Field("Times that they are gone through.", "")] = 10
    clip: Annotated[Share, Field("Farthest that a probability's ratio counts from 1.", "")] = 0.2
    max_kl: Annotated[
        Annotated[float, Meta(gt=0)],
        Field("Kullback-Leibler divergence from the old policy at which an update ends.", ""),
    ] = 0.02
