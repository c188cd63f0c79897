"""Implicit Q-learning: the best of what was logged, without ever asking what was not.

Kostrikov, Nair and Levine, 2022, "Offline reinforcement learning with implicit Q-learning",
equations 5 to 7: a value that is an expectile of the logged actions' returns, returns that
bootstrap from it, and a policy cloned with weights.

Differences from the paper: discrete actions, and the policy's softmax is over legal ones; one
network of returns, not the smaller of two; one optimiser for all three networks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from paceline.learn.checkpoint import Serving
from paceline.learn.learner import Learner, Loss
from paceline.learn.losses import advantage_weight, cloning, expectile, td_target
from paceline.learn.networks import DuelingNetwork
from paceline.learn.replay_buffer import Batch
from paceline.learn.settings import IQLSettings


class IQL(Learner):
    """Learns returns, a value and a policy from logged decisions."""

    name = "iql"
    kind = IQLSettings
    settings: IQLSettings

    def make(self) -> nn.ModuleDict:
        """Returns and their target, the value, and the policy."""
        shape, n, a = self.settings.network, self.n_features, self.n_actions
        return nn.ModuleDict(
            {
                "online": DuelingNetwork(n, a, shape.hidden, 1, shape.dueling),
                "target": DuelingNetwork(n, a, shape.hidden, 1, shape.dueling),
                "value": DuelingNetwork(n, 1, shape.hidden, 1, dueling=False),
                "policy": DuelingNetwork(n, a, shape.hidden, 1, dueling=False),
            }
        )

    def loss(self, batch: Batch) -> Loss:
        """See the paper above."""
        settings = self.settings
        online, target = self.network("online"), self.network("target")
        value = self.network("value")(batch.features)[:, 0, 0]
        found = online.of(online.embed(batch.features), batch.action).squeeze(1)
        with torch.no_grad():
            earns = target.of(target.embed(batch.features), batch.action).squeeze(1)
            next_value = self.network("value")(batch.next_features)[:, 0, 0]
            aim = td_target(batch.reward, batch.discount, next_value)
            better = advantage_weight(
                earns - value, settings.inverse_temperature, settings.max_weight
            )
        of_value = (batch.weight * expectile(earns - value, settings.expectile)).mean()
        td = aim - found
        of_returns = (batch.weight * td.square()).mean()
        of_policy = cloning(self.values(batch.features), batch.mask, batch.action)
        of_policy = (batch.weight * better * of_policy).mean()
        parts = {"value": of_value, "td": of_returns, "policy": of_policy}
        return Loss(of_value + of_returns + of_policy, td, found, parts)

    def values(self, features: Tensor) -> Tensor:
        """Logits of the policy `[n, n_actions]`."""
        policy = self.network("policy")
        return policy.values(policy.embed(features), self.one)

    def serving(self) -> Serving:
        """The policy, its likeliest action."""
        return Serving(network="policy", numbers="logits")
