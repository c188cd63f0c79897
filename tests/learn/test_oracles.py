"""Losses and slopes against tianshou's on the same batch; skipped where it is not installed.

`benchmarks/peers/learners.txt` has the version. Its targets are masked and its penalty is not, so
that the penalty is compared where all is legal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from paceline.learn.losses import best_action, conservative, quantile_huber, td_target
from paceline.learn.networks import DuelingNetwork

pytest.importorskip("tianshou")
pytestmark = pytest.mark.filterwarnings("ignore")

N, F, A, K = 16, 7, 5, 6


class Model(torch.nn.Module):
    """Our network as tianshou asks for one."""

    def __init__(self, network: DuelingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, obs: Any, state: Any = None, info: Any = None) -> tuple[torch.Tensor, None]:
        return self.network(torch.as_tensor(np.asarray(obs), dtype=torch.float32)), None


def network(seed: int) -> DuelingNetwork:
    torch.manual_seed(seed)
    return DuelingNetwork(F, A, (16,), K)


def algorithm(kind: Any, online: DuelingNetwork, **options: Any) -> Any:
    """One of tianshou's on a copy of `online`."""
    import copy

    import gymnasium as gym
    from tianshou.algorithm.modelfree.qrdqn import QRDQNPolicy
    from tianshou.algorithm.optim import OptimizerFactory

    class Plain(OptimizerFactory):
        def _create_optimizer_for_params(self, params: Any) -> Any:
            return torch.optim.SGD(params, lr=0.1)

    policy = QRDQNPolicy(model=Model(copy.deepcopy(online)), action_space=gym.spaces.Discrete(A))
    return kind(policy=policy, optim=Plain(), num_quantiles=K, target_update_freq=1000, **options)


DICE = np.random.default_rng(2)
SEEN, NEXT = (DICE.standard_normal((N, F)).astype(np.float32) for _ in range(2))
ACTION = DICE.integers(0, A, N)
LEGAL = DICE.random((N, A)) < 0.5
LEGAL[:, 0] = True


def test_the_next_quantiles_are_of_the_best_legal_action() -> None:
    from tianshou.algorithm.modelfree.qrdqn import QRDQN
    from tianshou.data import Batch, ReplayBuffer

    online, target = network(1), network(2)
    peer = algorithm(QRDQN, online)
    peer.model_old.module.network.load_state_dict(target.state_dict())
    buffer = ReplayBuffer(size=N)
    for i in range(N):
        buffer.add(
            Batch(
                obs={"obs": SEEN[i], "mask": LEGAL[i]}, act=ACTION[i], rew=0.0, terminated=False,
                truncated=False, obs_next={"obs": NEXT[i], "mask": LEGAL[i]}, info={},
            )
        )  # fmt: skip
    wanted = peer._target_q(buffer, np.arange(N)).detach()
    seen, weights = torch.from_numpy(NEXT), torch.full((K,), 1.0 / K)
    with torch.no_grad():
        best = best_action(online.values(online.embed(seen), weights), torch.from_numpy(LEGAL))
        found = target.of(target.embed(seen), best)
    torch.testing.assert_close(found, wanted)
    unmasked = online.values(online.embed(seen), weights).argmax(dim=1)
    assert (unmasked != best).any()  # or nothing was shown


def test_quantile_dqn_with_cql_has_its_loss_and_its_slopes() -> None:
    from tianshou.algorithm.imitation.discrete_cql import DiscreteCQL
    from tianshou.data import Batch

    online, alpha = network(3), 0.7
    peer = algorithm(DiscreteCQL, online, min_q_weight=alpha)
    reward, discount = torch.randn(N), torch.full((N,), 0.9)
    aim = td_target(reward, discount, torch.randn(N, K) * 3.0)
    said = peer._update_with_batch(
        Batch(obs=SEEN, act=ACTION, returns=aim, info=[None] * N, weight=torch.ones(N))
    )
    action, weights = torch.from_numpy(ACTION), torch.full((K,), 1.0 / K)
    seen = online.embed(torch.from_numpy(SEEN))
    quantiles = online.of(seen, action)
    td = quantile_huber(quantiles, aim).mean()
    every = torch.ones((N, A), dtype=torch.bool)
    penalty = conservative(online.values(seen, weights), every, quantiles.mean(1)).mean()
    assert float(td) == pytest.approx(said.qr_loss, rel=1e-5)
    assert float(penalty) == pytest.approx(said.cql_loss, rel=1e-5)
    descent = torch.optim.SGD(online.parameters(), lr=0.1)
    (td + alpha * penalty).backward()
    descent.step()
    moved = peer.policy.model.network.state_dict()
    for name, value in online.state_dict().items():
        torch.testing.assert_close(value, moved[name], rtol=1e-4, atol=1e-6)
