"""What compiling costs: seconds in the first run, and in every later one.

    python -m benchmarks.compile

`paceline demo --quick` as whole processes: with an empty folder for compiled kernels, then with the
one that the first left. The value is the difference of their wall-clock medians. With the cache
nothing may be compiled any more, and loading the kernels has a bar of its own. Both are also
measured from inside: Numba announces what it compiles, and its cache is timed while it loads.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.figure import AT_MOST, announce, digits, median

BAR_S = 30.0
BAR_LOADING_S = 1.0
TOP = 8


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each kind")
    parser.add_argument("--watch", metavar="OUT", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.watch:
        _watch(given.watch)
        return True
    first, later = [], []
    for _ in range(given.runs):
        with tempfile.TemporaryDirectory() as folder:
            first.append(_process(folder))
            later.append(_process(folder))
    loading = median([run["loading_s"] for run in later])
    recompiled = sorted({name for run in later for name in run["kernels"]})
    walls = median([run["wall_s"] for run in first]), median([run["wall_s"] for run in later])
    return announce(
        "compile",
        walls[0] - walls[1],
        "s without a cache",
        BAR_S,
        AT_MOST,
        provided=loading <= BAR_LOADING_S and not recompiled,
        loading_s=digits(loading),
        loading_bar_s=BAR_LOADING_S,
        runs=given.runs,
        first_run_wall_s=digits(walls[0]),
        later_run_wall_s=digits(walls[1]),
        cpu_s=digits(
            median([run["cpu_s"] for run in first]) - median([run["cpu_s"] for run in later])
        ),
        compiling_s=digits(median([run["compiling_s"] for run in first])),
        kernels=len(first[0]["kernels"]),
        slowest_kernels_s=dict(Counter(first[0]["kernels"]).most_common(TOP)),
        recompiled_with_cache=recompiled,
    )


def _process(folder: str) -> dict[str, Any]:
    """One demo with its compiled kernels in `folder`, watched from inside."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(Path(folder) / "kernels")}
    command = [sys.executable, "-m", "benchmarks.compile", "--watch", str(Path(folder) / "out")]
    start, start_cpu = time.perf_counter(), os.times().children_user
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    wall, cpu = time.perf_counter() - start, os.times().children_user - start_cpu
    if done.returncode:
        raise SystemExit(f"compile: the demo failed\n{done.stderr}")
    watched: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return watched | {"wall_s": wall, "cpu_s": cpu}


def _watch(out: str) -> None:
    """Run the demo here; the last line says what Numba did meanwhile."""
    from numba.core import caching, event

    from paceline.cli import main as paceline

    own: Counter[str] = Counter()  # kernel -> seconds, those of the kernels it calls left out
    running: list[float] = []  # start times, each put off by what its inner kernels took

    class Listener(event.Listener):
        def on_start(self, event: Any) -> None:
            running.append(time.perf_counter())

        def on_end(self, event: Any) -> None:
            seconds = time.perf_counter() - running.pop()
            function = event.data["dispatcher"].py_func
            own[f"{function.__module__}.{function.__qualname__}"] += seconds
            for i in range(len(running)):
                running[i] += seconds

    loading = 0.0
    load = caching.Cache.load_overload

    def timed_load(self: Any, *args: Any) -> Any:
        nonlocal loading
        start = time.perf_counter()
        found = load(self, *args)
        loading += time.perf_counter() - start
        return found

    caching.Cache.load_overload = timed_load
    event.register("numba:compile", Listener())
    status = paceline(["demo", "--quick", "--out", out])
    kernels = {name: digits(seconds, 3) for name, seconds in own.items()}
    print(
        json.dumps({"compiling_s": own.total(), "loading_s": loading, "kernels": kernels}),
        flush=True,
    )
    sys.exit(status)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
