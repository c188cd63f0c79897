"""Dueling double DQN with masks where actions are chosen and where they are bootstrapped.

Mnih et al., 2015, "Human-level control through deep reinforcement learning"; van Hasselt, Guez and
Silver, 2016, "Deep reinforcement learning with double Q-learning"; Wang et al., 2016, "Dueling
network architectures".

Differences from the papers: the next action is chosen among legal ones; the discount is a column of
the data; Adam instead of RMSprop; gradients are cut by their norm, and rewards are not clipped.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from paceline.learn.checkpoint import Serving
from paceline.learn.learner import Learner, Loss
from paceline.learn.losses import best_action, huber, td_target
from paceline.learn.networks import DuelingNetwork, Layers
from paceline.learn.replay_buffer import Batch
from paceline.learn.settings import DoubleDQNSettings


class DoubleDQN(Learner):
    """Learns the mean return of each action."""

    name = "double_dqn"
    kind = DoubleDQNSettings
    settings: DoubleDQNSettings

    def make(self) -> nn.ModuleDict:
        """An online network and its target."""
        shape = self.settings.network
        self.heads = torch.ones(1, 1, device=self.device)
        shapes = (self.n_features, self.n_actions, shape.hidden, 1, shape.dueling)
        return nn.ModuleDict({"online": DuelingNetwork(*shapes), "target": DuelingNetwork(*shapes)})

    def loss(self, batch: Batch) -> Loss:
        """See the papers above."""
        return self.td_loss(batch, self.network("online").embed(batch.features))[0]

    def td_loss(self, batch: Batch, seen: Tensor) -> tuple[Loss, Layers]:
        """The temporal difference of the logged actions, given the features embedded,
        and the layers that values come from."""
        online, target = self.network("online"), self.network("target")
        found, layers = online.read(seen, batch.action, self.heads)
        value = found.squeeze(1)
        with torch.no_grad():
            next_values = layers.values(online.embed(batch.next_features))
            best = best_action(next_values, batch.next_mask)
            next_value = target.of(target.embed(batch.next_features), best).squeeze(1)
            aim = td_target(batch.reward, batch.discount, next_value)
        td = aim - value
        total = (batch.weight * huber(td, self.settings.huber)).mean()
        return Loss(total, td, value, {"td": total}), layers

    def values(self, features: Tensor) -> Tensor:
        """Mean returns `[n, n_actions]`."""
        online = self.network("online")
        return online.values(online.embed(features), self.heads[0])

    def serving(self) -> Serving:
        """Folded to the numbers that it chooses by."""
        return Serving(network="online")
