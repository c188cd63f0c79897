"""All learners by name, and the conservative twin of each that has one."""

from __future__ import annotations

from paceline.learn.bcq import BCQ
from paceline.learn.behavior_cloning import BehaviorCloning
from paceline.learn.cql import ConservativeDoubleDQN, ConservativeQuantileDQN
from paceline.learn.double_dqn import DoubleDQN
from paceline.learn.iql import IQL
from paceline.learn.learner import Learner
from paceline.learn.quantile_dqn import QuantileDQN

LEARNERS: dict[str, type[Learner]] = {
    kind.name: kind
    for kind in (
        BehaviorCloning, DoubleDQN, QuantileDQN, ConservativeDoubleDQN, ConservativeQuantileDQN,
        IQL, BCQ,
    )
}  # fmt: skip


def conservative_of(kind: type[Learner]) -> type[Learner]:
    """What learns from logs in place of `kind`, and leaves it weights that fit."""
    return {DoubleDQN: ConservativeDoubleDQN, QuantileDQN: ConservativeQuantileDQN}.get(kind, kind)
