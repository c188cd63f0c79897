"""Decisions a second of `BatchExecutionEnv` on recorded days: all features, all masks, random legal
actions, orders that are over begun anew.

    PACELINE_DATA=... python -m benchmarks.environment

1,024 parent orders of half an hour on YHOO and IBM days of 2003, the default grid of 97 actions.
The value is on one core; beside it on two, and at 108 messages of the market between two decisions
(every action waits so long), for which JAX-LOB's execution environment is published at 2,010 steps
a second on one CPU core, ABIDES-Gym at 22 to 38, qlib at 125 to 148; memory of all that the
episodes have of their own.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from benchmarks.figure import announce, digits, median
from paceline.decision.actions import ActionGrid
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import Pool
from paceline.market.tape import Tape

N = 1024
STEPS = 300
RUNS = 5
BAR, BAR_TWO, BAR_108, BAR_GB = 150_000, 250_000, 100_000, 1.0
MESSAGES = 108


def recorded_days(data: str) -> list[Tape]:
    """Two days of YHOO and two of IBM."""
    from paceline.ingest import load

    return [
        load(next(Path(data, "lobster-2003", symbol).glob(f"*{day}*.csv.gz")))
        for symbol in ("YHOO", "IBM")
        for day in ("2003-02-27", "2003-02-28")
    ]


def steps_per_s(env: BatchExecutionEnv, steps: int = STEPS) -> float:
    """Median over runs."""
    env.reset(seed=1)
    env.step(env.random_actions())
    rates = []
    for _ in range(RUNS):
        start = time.perf_counter()
        for _ in range(steps):
            env.step(env.random_actions())
        rates.append(steps * env.num_envs / (time.perf_counter() - start))
    return median(rates)


def at_108(tapes: list[Tape]) -> float:
    """Steps a second where so many messages lie between two decisions."""
    rates = []
    for tape in tapes:
        wait_s = MESSAGES / len(tape) * tape.session.length_s
        grid = ActionGrid(waits_s=(wait_s,), hold_s=wait_s)
        rates.append(
            steps_per_s(
                BatchExecutionEnv(Pool([tape], untaught="own"), N, grid=grid, copy=False), 50
            )
        )
    return median(rates)


def main() -> bool:
    data = os.environ.get("PACELINE_DATA")
    if not data:
        raise SystemExit("environment: set PACELINE_DATA to the folder of recorded books")
    tapes = recorded_days(data)
    env = BatchExecutionEnv(Pool(tapes, untaught="own"), N, copy=False)
    one = steps_per_s(env)
    two = steps_per_s(BatchExecutionEnv(Pool(tapes, untaught="own"), N, threads=2, copy=False))
    crowded = at_108(tapes)
    gb = env.nbytes / 1e9
    return announce(
        "environment",
        one,
        "steps/s on one core",
        BAR,
        provided=two >= BAR_TWO and crowded >= BAR_108 and gb <= BAR_GB,
        two_cores=digits(two),
        two_cores_bar=BAR_TWO,
        at_108_messages=digits(crowded),
        at_108_bar=BAR_108,
        memory_gb=digits(gb, 3),
        memory_bar_gb=BAR_GB,
        episodes=N,
        actions=len(env.grid),
        features=env.seen.shape[1],
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
