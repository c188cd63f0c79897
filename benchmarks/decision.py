"""One decision of one order, as a live agent takes it: features, mask, legal action, written down.

The state is that of orders on a simulated day. Timed is `Decider` with a choice by chance; no
network, no feed. The value is the 99th percentile.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import AT_MOST, announce, digits
from paceline.decision.actions import ActionGrid
from paceline.decision.decide import Decider
from paceline.decision.state import State
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import Pool
from paceline.market.watch import Watch

BAR_US = 50.0
ORDERS = 256
DECISIONS = 40_000


def states() -> tuple[list[Any], NDArray[np.float32], NDArray[np.bool_]]:
    """Orders under way: what a decider takes of each, and what was seen and legal of all."""
    tape = simulate_day(load_market("yhoo-2003"), "2024-01-08", 1)
    env = BatchExecutionEnv(Pool([tape], untaught="own"), ORDERS)
    env.reset(seed=1)
    for _ in range(20):
        env.step(env.random_actions())
    lives = env.lives
    rows = [
        (
            State(
                lives.ticks[i], lives.sizes[i], Watch._make(column[i] for column in lives.watch),
                lives.order[i], lives.context[i],
            ),
            lives.limits[i], lives.snapshot[i],
        )
        for i in range(ORDERS)
    ]  # fmt: skip
    return rows, env.seen.copy(), env.action_masks()


def main() -> bool:
    rows, _, _ = states()
    dice, grid = np.random.default_rng(1), ActionGrid()

    def by_chance(seen: Any, legal: Any) -> tuple[int, None]:
        return int(dice.choice(np.flatnonzero(legal))), None

    decide = Decider(grid, by_chance, policy="chance", seed=1)
    decide(*rows[0])
    took = np.empty(DECISIONS)
    for k in range(DECISIONS):
        row = rows[k % ORDERS]
        start = time.perf_counter_ns()
        decide(*row)
        took[k] = time.perf_counter_ns() - start
    p50, p99 = (float(np.quantile(took, q)) / 1e3 for q in (0.5, 0.99))
    return announce(
        "decision", p99, "us, 99th percentile", BAR_US, AT_MOST, median_us=digits(p50),
        actions=len(grid), decisions=DECISIONS,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
