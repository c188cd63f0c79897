"""Discrete BCQ: double DQN that chooses only among actions that the log makes likely.

Fujimoto, Conti, Ghavamzadeh and Pineau, 2019, "Benchmarking batch deep reinforcement learning
algorithms" (its discrete BCQ), after Fujimoto, Meger and Precup, 2019, "Off-policy deep
reinforcement learning without exploration".

Differences from the paper: what is likely is also legal, when acting and in the target; the network
of the log shares no layers with that of the returns; no penalty on its logits; dueling.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from paceline.learn.checkpoint import Serving
from paceline.learn.learner import Learner, Loss
from paceline.learn.losses import best_action, cloning, huber, likely, td_target
from paceline.learn.networks import DuelingNetwork
from paceline.learn.replay_buffer import Batch
from paceline.learn.settings import BCQSettings


class BCQ(Learner):
    """Learns returns, and how likely actions were in the log."""

    name = "bcq"
    kind = BCQSettings
    settings: BCQSettings

    def make(self) -> nn.ModuleDict:
        """Returns and their target, and what was logged."""
        shape, n, a = self.settings.network, self.n_features, self.n_actions
        return nn.ModuleDict(
            {
                "online": DuelingNetwork(n, a, shape.hidden, 1, shape.dueling),
                "target": DuelingNetwork(n, a, shape.hidden, 1, shape.dueling),
                "behavior": DuelingNetwork(n, a, shape.hidden, 1, dueling=False),
            }
        )

    def loss(self, batch: Batch) -> Loss:
        """See the paper above."""
        online, target = self.network("online"), self.network("target")
        value = online.of(online.embed(batch.features), batch.action).squeeze(1)
        with torch.no_grad():
            next_values = self.values(batch.next_features)
            among = self.allowed(next_values, batch.next_mask, batch.next_features)
            best = best_action(next_values, among)
            next_value = target.of(target.embed(batch.next_features), best).squeeze(1)
            aim = td_target(batch.reward, batch.discount, next_value)
        td = aim - value
        of_returns = (batch.weight * huber(td)).mean()
        of_log = cloning(self._logits(batch.features), batch.mask, batch.action)
        of_log = (batch.weight * of_log).mean()
        return Loss(of_returns + of_log, td, value, {"td": of_returns, "cloning": of_log})

    def values(self, features: Tensor) -> Tensor:
        """Mean returns `[n, n_actions]`."""
        online = self.network("online")
        return online.values(online.embed(features), self.one)

    def allowed(self, values: Tensor, mask: Tensor, features: Tensor) -> Tensor:
        """Legal actions that the log makes likely."""
        return likely(self._logits(features), mask, self.settings.threshold)

    def _logits(self, features: Tensor) -> Tensor:
        behavior = self.network("behavior")
        return behavior.values(behavior.embed(features), self.one)

    def serving(self) -> Serving:
        """Returns, among what is likely."""
        return Serving(network="online", behavior="behavior", threshold=self.settings.threshold)
