"""Quantile DQN, dueling and double, that chooses by the mean, by CVaR or by a mix of both.

Dabney et al., 2018, "Distributional reinforcement learning with quantile regression" (QR-DQN);
choices by risk as in Dabney et al., 2018, "Implicit quantile networks for distributional
reinforcement learning".

Differences from the papers: dueling and double; the next action is chosen among legal ones, by the
risk that acting is chosen by; the discount is a column of the data; gradients are cut by norm. CVaR
is the mean of the lowest quantiles as they stand in the head; they are not sorted.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from paceline.learn.checkpoint import Serving
from paceline.learn.learner import Learner, Loss
from paceline.learn.losses import best_action, td_target
from paceline.learn.networks import DuelingNetwork, Layers
from paceline.learn.quantile_regression import quantile_regression
from paceline.learn.replay_buffer import Batch
from paceline.learn.settings import QuantileDQNSettings, Risk


class QuantileDQN(Learner):
    """Learns quantiles of the return of each action."""

    name = "quantile_dqn"
    kind = QuantileDQNSettings
    settings: QuantileDQNSettings

    def make(self) -> nn.ModuleDict:
        """An online network and its target."""
        shape = self.settings.network
        heads = [one.head_weights(shape.quantiles) for one in self.risks()]
        self.heads = torch.from_numpy(np.stack(heads)).to(self.device)
        shapes = (
            self.n_features, self.n_actions, shape.hidden, shape.quantiles, shape.dueling
        )  # fmt: skip
        return nn.ModuleDict({"online": DuelingNetwork(*shapes), "target": DuelingNetwork(*shapes)})

    def risks(self) -> list[Risk]:
        """By which an update needs values; actions are chosen by the first."""
        return [self.settings.risk]

    def loss(self, batch: Batch) -> Loss:
        """See the papers above."""
        return self.td_loss(batch, self.network("online").embed(batch.features))[0]

    def td_loss(self, batch: Batch, seen: Tensor) -> tuple[Loss, Layers]:
        """Quantile regression of the logged actions, given the features embedded,
        and the layers that values come from."""
        online, target = self.network("online"), self.network("target")
        quantiles, layers = online.read(seen, batch.action, self.heads)
        with torch.no_grad():
            next_values = layers.values(online.embed(batch.next_features))
            best = best_action(next_values, batch.next_mask)
            next_quantiles = target.of(target.embed(batch.next_features), best)
            aim = td_target(batch.reward, batch.discount, next_quantiles)
        each = quantile_regression(quantiles, aim, self.settings.huber)
        td = (aim - quantiles).mean(dim=1)
        total = (batch.weight * each).mean()
        return Loss(total, td, quantiles.mean(dim=1), {"td": total}), layers

    def values(self, features: Tensor) -> Tensor:
        """Returns `[n, n_actions]` as the settings' risk weighs them."""
        online = self.network("online")
        return online.values(online.embed(features), self.heads[0])

    def serving(self) -> Serving:
        """Folded to the numbers that it chooses by."""
        return Serving(network="online", heads=tuple(self.heads[0].tolist()))
