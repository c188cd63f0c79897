"""Decisions a second of `BatchExecutionEnv` on simulated markets that answer back: all features and
masks, random legal actions, orders that are over begun anew in a fresh market.

    python -m benchmarks.environment_simulator

1,024 parent orders of half an hour, each in a market of its own (`yhoo-2003`, as shipped), the
default grid of 97 actions. The value is on one core; beside it on two, the memory of all that the
episodes and their markets have, and how long the first reset takes, in which 1,024 markets open and
run for five minutes. Nothing of recorded data is needed.
"""

from __future__ import annotations

import sys

from benchmarks.environment import N, steps_per_s
from benchmarks.figure import announce, digits, seconds_of
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.simulated_pool import SimulatedPool

MARKET = "yhoo-2003"
BAR, BAR_TWO, BAR_GB = 50_000, 80_000, 2.0


def main() -> bool:
    pool = SimulatedPool(MARKET)
    env = BatchExecutionEnv(pool, N, copy=False)
    one = steps_per_s(env)
    reset_s = seconds_of(lambda: env.reset(seed=2))
    gb = env.nbytes / 1e9
    two = steps_per_s(BatchExecutionEnv(pool, N, threads=2, copy=False))
    return announce(
        "environment_simulator",
        one,
        "steps/s on one core",
        BAR,
        provided=two >= BAR_TWO and gb <= BAR_GB,
        two_cores=digits(two),
        two_cores_bar=BAR_TWO,
        memory_gb=digits(gb, 3),
        memory_bar_gb=BAR_GB,
        reset_s=digits(reset_s, 3),
        episodes=N,
        actions=len(env.grid),
        features=env.seen.shape[1],
        market=MARKET,
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
