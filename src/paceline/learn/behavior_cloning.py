"""Behaviour cloning from logged child orders: do as the desk did.

    action = nearest(state, table, legal, child.type, child.ticks, child.lots, wait_ns)
    buffer.add(logged(decisions, locked))          # of a feature set

Pomerleau, 1991, "Efficient training of artificial neural networks for autonomous navigation". A
logged child order is the action of the grid that means the order most like it.

Differences from the paper: the softmax is over legal actions, as the log could choose no other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from paceline.decision.actions import child_lots, child_ticks, child_type
from paceline.decision.normalizer import Locked, normalized
from paceline.decision.state import NOWHERE, State
from paceline.decision.store import Decisions
from paceline.jit import kernel
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


@kernel
def nearest(
    state: State,
    table: NDArray[np.void],
    legal: NDArray[np.bool_],
    kind: int,
    ticks: int,
    lots: int,
    wait_ns: int,
) -> int:
    """The action that means the child order most like one of this type, price, size and wait until
    the next; -1 if no legal one is of its type. `table` is the grid's, `kind` 0 limit, 1 marketable
    limit, 2 immediate or cancel. Prices are compared first, then sizes by their ratio, then waits.
    """
    found = -1
    away_ticks, away_lots, away_ns = 0, 0.0, 0
    for a in range(1, len(table)):
        if not legal[a] or child_type(table[a]) != kind:
            continue
        price, size = child_ticks(state, table[a]), child_lots(state, table[a])
        if price == NOWHERE or size == 0:
            continue
        by_ticks = abs(price - ticks)
        by_lots = abs(math.log(size / lots))
        by_ns = abs(table[a]["wait_ns"] - wait_ns)
        nearer = by_ticks < away_ticks or (
            by_ticks == away_ticks
            and (by_lots < away_lots or (by_lots == away_lots and by_ns < away_ns))
        )
        if found < 0 or nearer:
            found, away_ticks, away_lots, away_ns = a, by_ticks, by_lots, by_ns
    return found
