"""One decision by a network: features, mask, network, choice, and all of it written down.

As `decision.py`, with a policy of 32 quantiles and two layers of 256 that chooses by CVaR, folded
and run by NumPy; by ONNX Runtime besides. The value is the 99th percentile of the folded one, in
time of the processor, the median of rounds. A decision waits for nothing but a processor, so that
on an idle machine the clock says the same; its figures stand beside.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.decision import ORDERS, states
from benchmarks.figure import AT_MOST, announce, digits
from paceline.decision.actions import ActionGrid
from paceline.decision.decide import Decider
from paceline.decision.normalizer import Normalizer
from paceline.decision.schema import N_FEATURES
from paceline.learn.checkpoint import Origin
from paceline.learn.policy import Policy, load_policy
from paceline.learn.quantile_dqn import QuantileDQN
from paceline.learn.replay_buffer import ReplayBuffer, Transitions
from paceline.learn.settings import QuantileDQNSettings, Risk, Run
from paceline.learn.training import Training

BAR_MS = 1.0
ROUNDS, DECISIONS = 15, 2_000


def checkpoint(folder: Path, seen: Any, mask: Any) -> Path:
    """An untrained policy, normalised by what was `seen` `[n, N_FEATURES]`."""
    n = len(seen)
    normalizer = Normalizer("2024-01-08").partial_fit(seen, "2024-01-08")
    run, grid = Run(updates=1), ActionGrid()
    settings = QuantileDQNSettings(risk=Risk(cvar_weight=1.0))
    buffer = ReplayBuffer(n, N_FEATURES, len(grid))
    nothing = np.zeros(n, np.float32)
    buffer.add(
        Transitions(
            features=seen, mask=mask, action=np.zeros(n, np.int64), reward=nothing,
            next_features=seen, next_mask=mask, done=np.ones(n, np.bool_), discount=nothing,
            propensity=nothing,
        )
    )  # fmt: skip
    learner = QuantileDQN(settings, N_FEATURES, len(grid), run)
    return Training(learner, buffer, folder, origin=Origin(grid, normalizer)).save()


def timed(policy: Policy, rows: list[Any]) -> Any:
    """`[ROUNDS, DECISIONS, 2]` nanoseconds of each decision: by the clock, and of the processor."""
    decide = Decider(ActionGrid(), policy, policy=policy.name)
    for row in rows:
        decide(*row)
    took = np.empty((ROUNDS, DECISIONS, 2))
    for each in took:
        for k in range(DECISIONS):
            row = rows[k % ORDERS]
            used, start = time.thread_time_ns(), time.perf_counter_ns()
            decide(*row)
            each[k] = time.perf_counter_ns() - start, time.thread_time_ns() - used
    return took


def main() -> bool:
    rows, seen, mask = states()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = checkpoint(Path(name) / "run", seen, mask)
        for runtime in ("numpy", "onnx"):
            took = timed(load_policy(folder, grid=ActionGrid(), runtime=runtime), rows)
            for q in (50, 99):
                clock, used = np.median(np.percentile(took, q, axis=1), axis=0) / 1e6
                found[f"{runtime}_p{q}_ms"] = digits(float(clock))
                found[f"{runtime}_p{q}_cpu_ms"] = digits(float(used))
    return announce(
        "inference", found["numpy_p99_cpu_ms"], "ms of the processor, 99th percentile", BAR_MS,
        AT_MOST, actions=len(ActionGrid()), decisions=ROUNDS * DECISIONS, **found,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
