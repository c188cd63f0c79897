"""Behaviour cloning from logged child orders: do as the desk did.

    buffer.add(logged(decisions, locked))          # of a feature set

Pomerleau, 1991, "Efficient training of artificial neural networks for autonomous navigation". What
a desk logged as child orders is told in actions by `desk_log`.

Differences from the paper: the softmax is over legal actions, as the log could choose no other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from paceline.decision.normalizer import Locked, normalized
from paceline.decision.rows import Decisions
from paceline.learn.checkpoint import Serving
from paceline.learn.learner import Learner, Loss
from paceline.learn.losses import cloning
from paceline.learn.networks import DuelingNetwork
from paceline.learn.replay_buffer import Batch, Transitions
from paceline.learn.settings import BehaviorCloningSettings


class BehaviorCloning(Learner):
    """Learns how likely actions were in the log."""

    name = "behavior_cloning"
    kind = BehaviorCloningSettings
    settings: BehaviorCloningSettings
    needs_rewards = False

    def make(self) -> nn.ModuleDict:
        """The policy."""
        shape = self.settings.network
        return nn.ModuleDict(
            {"policy": DuelingNetwork(self.n_features, self.n_actions, shape.hidden, dueling=False)}
        )

    def loss(self, batch: Batch) -> Loss:
        """See the paper above."""
        logits = self.values(batch.features)
        each = cloning(logits, batch.mask, batch.action)
        total = (batch.weight * each).mean()
        return Loss(total, each, logits.gather(1, batch.action[:, None]), {"cloning": total})

    def values(self, features: Tensor) -> Tensor:
        """Logits of the policy `[n, n_actions]`."""
        policy = self.network("policy")
        return policy.values(policy.embed(features), self.one)

    def serving(self) -> Serving:
        """The policy, its likeliest action."""
        return Serving(network="policy", numbers="logits")


def logged(decisions: Decisions, locked: Locked | None = None) -> Transitions:
    """Rows of `decisions` for a cloner, normalised by `locked`; what they earned is not known."""
    features = decisions.features
    if locked is not None:
        features = normalized(locked, features)
    n = len(features)
    unknown: Any = np.full(n, np.nan, np.float32)
    return Transitions(
        features=features, mask=decisions.mask, action=decisions.action, reward=unknown,
        next_features=features, next_mask=decisions.mask, done=np.ones(n, np.bool_),
        discount=np.ones(n, np.float32), propensity=unknown,
    )  # fmt: skip
