"""The workloads of `regress`: the core of the benchmarks in small pieces, a turn at a time.

Each is made by a function that returns a turn: a function that does the work once and returns how
much that was, so that time is compared by the unit. None needs recorded data. They are written for
the paceline of this checkout and run with another one's, too; where that has no such interface the
workload is refused there, and left out of the comparison.

`serve` runs them in a process of its own, on orders that come in over a pipe.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

Turn = Callable[[], float]
"""Does the work once; returns how much it was."""

MESSAGES = 200_000
ORDERS = 256
DECISIONS = 1_500
PARENTS = 400
SESSION_S = 1_800


def replay_l3() -> Turn:
    """Messages of a feed of orders, replayed as in the benchmark of the name."""
    return _replay(levels=False)


def replay_l2() -> Turn:
    """The same of a feed of levels."""
    return _replay(levels=True)


def _replay(levels: bool) -> Turn:
    from benchmarks import feed
    from benchmarks.peers.convert import decisions
    from benchmarks.repost import Reposting
    from paceline.engine.queue import FillModel

    rows = feed.make_feed(MESSAGES).rows
    if levels:
        rows = feed.l2_rows(rows)
    model = FillModel.PESSIMISTIC if levels else FillModel.CALIBRATED
    ours = Reposting(feed.compile_tape(rows), decisions(rows), model)

    def turn() -> float:
        ours.run()
        return len(rows.ts)

    return turn


@cache
def _day() -> Any:
    """A simulated day."""
    from paceline.engine.shipped import load_market
    from paceline.engine.simulator import simulate_day

    return simulate_day(load_market("yhoo-2003"), "2024-01-08", 1)


def environment() -> Turn:
    """Decisions of parent orders side by side: features, masks, random legal actions."""
    from paceline.env.batch_env import BatchExecutionEnv
    from paceline.env.episodes import Pool

    env = BatchExecutionEnv(Pool([_day()], untaught="own"), ORDERS)

    def turn() -> float:
        env.reset(seed=1)
        for _ in range(50):
            env.step(env.random_actions())
        return 50 * ORDERS

    return turn


def decision() -> Turn:
    """Decisions of one order at a time, as a live agent takes them."""
    import numpy as np

    from benchmarks.decision import states
    from paceline.decision.actions import ActionGrid
    from paceline.decision.decide import Decider

    rows, _, _ = states()

    def first(seen: Any, legal: Any) -> tuple[int, None]:
        return int(np.flatnonzero(legal)[0]), None

    decide = Decider(ActionGrid(), first, policy="first", seed=1)

    def turn() -> float:
        for k in range(DECISIONS):
            decide(*rows[k % len(rows)])
        return DECISIONS

    return turn


def simulator_hawkes() -> Turn:
    """Events of an excited flow."""
    from benchmarks.simulator_hawkes import EXCITED

    return _simulator(EXCITED)


def simulator_poisson() -> Turn:
    """Events of a plain flow."""
    from benchmarks.simulator_poisson import BUSY

    return _simulator(BUSY)


def _simulator(market: Any) -> Turn:
    from paceline.engine.simulator import Simulator
    from paceline.units import NS_PER_S

    def turn() -> float:
        simulator = Simulator(market, "2026-01-05", 7)
        return len(simulator.advance(simulator.session.open_ns + SESSION_S * NS_PER_S).ts)

    return turn


def backtest() -> Turn:
    """Parent orders worked by a schedule."""
    from benchmarks.backtest import work

    once = work(_day(), PARENTS)

    def turn() -> float:
        once()
        return PARENTS

    return turn


def ingest() -> Turn:
    """Rows of a LOBSTER file, from the CSV to a tape on disk."""
    from benchmarks.ingest import write_lobster
    from paceline.ingest import ingest as to_tape

    rows = 30_000
    folder = tempfile.TemporaryDirectory()
    path = write_lobster(Path(folder.name), rows)

    def turn() -> float:
        to_tape(path, Path(folder.name) / "tapes", force=True)
        return rows

    return turn


_COMPILED = """
from benchmarks.workloads import replay_l3
replay_l3()()
"""


def compile() -> Turn:
    """The kernels of a replay, compiled in a process of their own into an empty folder."""

    def turn() -> float:
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {"NUMBA_CACHE_DIR": folder}
            subprocess.run([sys.executable, "-c", _COMPILED], env=environment, check=True)
        return 1.0

    return turn


WORKLOADS: dict[str, Callable[[], Turn]] = {
    make.__name__: make
    for make in (
        replay_l3, replay_l2, environment, decision, simulator_hawkes, simulator_poisson, backtest,
        ingest, compile,
    )
}  # fmt: skip


def processor_s() -> float:
    """Processor time of this process and of those that it ran and waited for."""
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system


def serve(package: str) -> None:
    """Answer each line of the input, a workload's name, with a line of JSON: `seconds` for a unit
    of it; or `refused`, why this paceline, which must be that of the folder `package`, cannot do
    it. A workload is made, and its kernels compiled, when its name comes for the first time: that
    answer has no `seconds`."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the work itself prints is no answer
    turns: dict[str, Turn] = {}
    import paceline

    if not Path(str(paceline.__file__)).is_relative_to(package):
        raise SystemExit(f"regress: {paceline.__file__} was imported, not the one in {package}")
    for line in sys.stdin:
        name = line.strip()
        try:
            if name not in turns:
                turns[name] = WORKLOADS[name]()
                if name != "compile":
                    turns[name]()
                answer: dict[str, Any] = {}
            else:
                gc.collect()
                start = processor_s()
                units = turns[name]()
                answer = {"seconds": (processor_s() - start) / units}
        except Exception as error:  # whatever it is, it belongs into the answer
            answer = {"refused": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        print(json.dumps(answer), file=answers)
