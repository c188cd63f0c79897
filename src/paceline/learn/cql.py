"""Conservative Q-learning: what was not logged is pushed down, on either head.

Kumar et al., 2020, "Conservative Q-learning for offline reinforcement learning", CQL(H): the loss
of the head it stands on, plus alpha times how far all legal actions stand above the logged one.

Differences from the paper: the log-sum-exp is over legal actions only; on quantiles it is over
their mean, whatever risk actions are chosen by; no Lagrange multiplier.
"""

from __future__ import annotations

from torch import Tensor

from paceline.learn.double_dqn import DoubleDQN
from paceline.learn.learner import Loss
from paceline.learn.losses import conservative
from paceline.learn.quantile_dqn import QuantileDQN
from paceline.learn.replay_buffer import Batch
from paceline.learn.settings import (
    ConservativeDoubleDQNSettings,
    ConservativeQuantileDQNSettings,
    Risk,
)


class ConservativeDoubleDQN(DoubleDQN):
    """CQL on dueling double DQN."""

    name = "cql_double_dqn"
    kind = ConservativeDoubleDQNSettings
    settings: ConservativeDoubleDQNSettings

    def loss(self, batch: Batch) -> Loss:
        """See the paper above."""
        seen = self.network("online").embed(batch.features)
        found, layers = self.td_loss(batch, seen)
        return _with_penalty(found, layers.values(seen), batch, self.settings)


class ConservativeQuantileDQN(QuantileDQN):
    """CQL on quantile DQN."""

    name = "cql_quantile_dqn"
    kind = ConservativeQuantileDQNSettings
    settings: ConservativeQuantileDQNSettings

    def loss(self, batch: Batch) -> Loss:
        """See the paper above."""
        seen = self.network("online").embed(batch.features)
        found, layers = self.td_loss(batch, seen)
        return _with_penalty(found, layers.values(seen, -1), batch, self.settings)

    def risks(self) -> list[Risk]:
        """The last is the mean, of which the penalty is."""
        chosen = self.settings.risk
        return [chosen] if chosen.cvar_weight == 0.0 else [chosen, Risk()]


def _with_penalty(
    found: Loss,
    values: Tensor,
    batch: Batch,
    settings: ConservativeDoubleDQNSettings | ConservativeQuantileDQNSettings,
) -> Loss:
    each = conservative(values, batch.mask, found.value, settings.temperature)
    penalty = (batch.weight * each).mean()
    total = found.total + settings.alpha * penalty
    return Loss(total, found.error, found.value, {**found.parts, "conservative": penalty})
