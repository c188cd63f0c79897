"""Updates a second of a peer's quantile DQN with CQL, its own sampling included; one line of JSON.

    python learner_updates.py rows.npz --peer d3rlpy --seconds 10

Runs in the peers' environment, on one core. Networks have two layers of 256, as ours.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

HIDDEN, LR, GAMMA = [256, 256], 2e-4, 0.995


def tianshou(rows: Any, batch: int, quantiles: int) -> Callable[[], object]:
    """One update of DiscreteCQL, which stands on QR-DQN."""
    import gymnasium as gym
    from tianshou.algorithm.algorithm_base import policy_within_training_step
    from tianshou.algorithm.imitation.discrete_cql import DiscreteCQL
    from tianshou.algorithm.modelfree.qrdqn import QRDQNPolicy
    from tianshou.algorithm.optim import AdamOptimizerFactory
    from tianshou.data import Batch, ReplayBuffer
    from tianshou.utils.net.common import Net

    n, n_features = rows["features"].shape
    n_actions = int(rows["n_actions"])
    net = Net(
        state_shape=n_features, action_shape=n_actions, hidden_sizes=HIDDEN, softmax=False,
        num_atoms=quantiles,
    )  # fmt: skip
    policy = QRDQNPolicy(model=net, action_space=gym.spaces.Discrete(n_actions))
    learner = DiscreteCQL(
        policy=policy, optim=AdamOptimizerFactory(lr=LR), min_q_weight=1.0, gamma=GAMMA,
        num_quantiles=quantiles, target_update_freq=1000,
    )  # fmt: skip
    buffer = ReplayBuffer(size=n)
    done = rows["done"]
    for i in range(n):
        buffer.add(
            Batch(
                obs=rows["features"][i], act=int(rows["action"][i]), rew=float(rows["reward"][i]),
                terminated=bool(done[i]), truncated=False, obs_next=rows["next_features"][i],
                info={},
            )
        )  # fmt: skip

    def update() -> object:
        with policy_within_training_step(policy):
            return learner.update(buffer=buffer, sample_size=batch)

    return update


def d3rlpy(rows: Any, batch: int, quantiles: int) -> Callable[[], object]:
    """One update of DiscreteCQL with a QR head, which stands on double DQN."""
    import d3rlpy as peer
    from d3rlpy.models.encoders import VectorEncoderFactory
    from d3rlpy.models.q_functions import QRQFunctionFactory

    done = rows["done"].astype(np.float32)
    done[-1] = 1.0  # where it cuts episodes
    data = peer.dataset.MDPDataset(
        observations=rows["features"], actions=rows["action"][:, None],
        rewards=rows["reward"][:, None], terminals=done,
        action_space=peer.ActionSpace.DISCRETE, action_size=int(rows["n_actions"]),
    )  # fmt: skip
    learner = peer.algos.DiscreteCQLConfig(
        batch_size=batch, learning_rate=LR, gamma=GAMMA, target_update_interval=1000, alpha=1.0,
        q_func_factory=QRQFunctionFactory(n_quantiles=quantiles),
        encoder_factory=VectorEncoderFactory(HIDDEN),
    ).create(device=False)  # fmt: skip
    learner.build_with_dataset(data)
    return lambda: learner.update(data.sample_transition_batch(batch))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows")
    parser.add_argument("--peer", choices=("tianshou", "d3rlpy"), required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--quantiles", type=int, default=32)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002  (the peers' own)
    make = {"tianshou": tianshou, "d3rlpy": d3rlpy}[args.peer]
    rows = dict(np.load(args.rows))  # read once, not at each look
    update = make(rows, args.batch, args.quantiles)
    seconds, updates = cpu_seconds(update, args.seconds)
    line = {
        "peer": f"{args.peer} {version(args.peer)}", "torch": torch.__version__,
        "updates": updates, "cpu_seconds": seconds,
    }  # fmt: skip
    print(json.dumps(line))


def cpu_seconds(update: Callable[[], object], least: float) -> tuple[float, int]:
    """Seconds of the processor, `least` or a little more, and the updates made in them."""
    for _ in range(5):
        update()
    updates, start = 0, time.process_time()
    while time.process_time() - start < least:
        update()
        updates += 1
    return time.process_time() - start, updates


if __name__ == "__main__":
    main()
