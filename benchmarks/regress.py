"""The core's speed against an earlier commit's, in turns, by processor time, ratio by ratio.

    python -m benchmarks.regress              against the commit named in benchmarks/BASE
    python -m benchmarks.regress 1a2b3c4      against another one
    python -m benchmarks.regress --short      two minutes, for continuous integration
    python -m benchmarks.regress --only compile replay_l3

The package of that commit is laid beside this checkout for the time of the run. Both replay,
simulate, decide and compile the same (`workloads`, those of this checkout), each in a process of
its own, in turns of a few hundredths of a second: a busy or slow moment meets both. What counts is
the median of the ratios new / old; processor time leaves out what other processes took. A workload
that the old package has no interface for is left out, and its line says so.

The exit status is 1 if one of them takes more than 25 % longer, and 2 if the commit is not there.

`benchmarks/BASE` names the commit that `.ci/run` compares with. Moving it is a commit of its own
with the figures in its message: the line that this prints, and why what became slower may.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.figure import AT_MOST, announce, digits, median
from benchmarks.workloads import WORKLOADS

BAR = 1.25
ROOT = Path(__file__).parents[1]
BASE = Path(__file__).with_name("BASE")

SECONDS, SECONDS_SHORT = 15.0, 2.0
"""Of turns for each workload."""
LEAST, LEAST_SHORT = 9, 5
"""Rounds, whatever they take; compiling has a third as many, and one."""


def main() -> bool:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.regress",
        description="Compare the speed of the core with that of an earlier commit.",
    )
    parser.add_argument("base", nargs="?", help="a commit; without it the one in benchmarks/BASE")
    parser.add_argument("--short", action="store_true", help="about two minutes, for CI")
    parser.add_argument(
        "--only", nargs="+", choices=list(WORKLOADS), metavar="NAME", default=list(WORKLOADS),
        help="some of the workloads: %(choices)s",
    )  # fmt: skip
    given = parser.parse_args()
    if not given.base and given.short and is_shallow() and commit_of(named()) is None:
        print(f"regress: {named()} (benchmarks/BASE) is not in this shallow clone; not compared")
        return True
    base = given.base or named()
    commit = commit_of(base)
    if commit is None:
        print(
            f"regress: base: {base!r} is no commit of this repository; fetch it "
            "(git fetch --unshallow, or git fetch origin COMMIT) or name another one",
            file=sys.stderr,
        )
        sys.exit(2)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # cleans up as Ctrl-C does
    seconds, least = (SECONDS_SHORT, LEAST_SHORT) if given.short else (SECONDS, LEAST)
    with tempfile.TemporaryDirectory(prefix="paceline-regress-") as folder:
        lay_out(commit, Path(folder))
        with Side(Path(folder, "src")) as old, Side(ROOT / "src") as new:
            ratios, skipped = compare(old, new, given.only, seconds, least, given.short)
    if not ratios:
        print("regress: nothing could be compared; name a later commit", file=sys.stderr)
        return False
    worst = max(median(of) for of in ratios.values())
    return announce(
        "regress",
        worst,
        "times the base's processor time, the worst",
        BAR,
        AT_MOST,
        base=commit[:12],
        ratios={name: digits(median(of), 3) for name, of in ratios.items()},
        quartiles={name: quartiles(of) for name, of in ratios.items()},
        rounds={name: len(of) for name, of in ratios.items()},
        skipped=skipped,
    )


def compare(
    old: Side, new: Side, names: list[str], seconds: float, least: int, short: bool
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Ratios new / old by round, of each workload; and why those that are left out are."""
    ratios: dict[str, list[float]] = {}
    skipped: dict[str, str] = {}
    for name in names:
        for side in (old, new):
            side.ask(name)  # both compile at once
        made, ours = old.answer(), new.answer()
        if "refused" in ours:
            raise SystemExit(f"regress: {name} does not run here: {ours['refused']}")
        if "refused" in made:
            skipped[name] = made["refused"]
            print(f"{name:18} left out, the base cannot do it: {made['refused']}", flush=True)
            continue
        rounds = (1 if short else least // 3) if name == "compile" else least
        until = time.perf_counter() + (0.0 if name == "compile" else seconds)
        ratios[name] = []
        while len(ratios[name]) < rounds or time.perf_counter() < until:
            took = {}
            for side in (old, new) if len(ratios[name]) % 2 else (new, old):
                side.ask(name)
                if name != "compile":
                    took[side] = side.answer()["seconds"]
            if name == "compile":  # long: side by side, so that both meet the same load
                took = {side: side.answer()["seconds"] for side in (old, new)}
            ratios[name].append(took[new] / took[old])
        low, high = quartiles(ratios[name])
        print(
            f"{name:18} new/old {median(ratios[name]):.3f}  ({low:.3f} to {high:.3f} in the middle "
            f"half of {len(ratios[name])} rounds)",
            flush=True,
        )
    return ratios, skipped


def quartiles(ratios: list[float]) -> tuple[float, float]:
    """What the middle half of the ratios lies between."""
    rising = sorted(ratios)
    n = len(rising)
    return digits(rising[n // 4], 3), digits(rising[n - 1 - n // 4], 3)


class Side:
    """A process that does workloads with the package in a folder."""

    def __init__(self, package: Path) -> None:
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed on the way out)
        one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        path = os.pathsep.join([str(package), str(ROOT)])
        self.process = subprocess.Popen(
            [sys.executable, "-c",
             f"from benchmarks.workloads import serve; serve({str(package)!r})"],
            env=os.environ | one | {"PYTHONPATH": path}, cwd=ROOT, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
        )  # fmt: skip

    def __enter__(self) -> Side:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.process.kill()
        self.process.communicate()
        self.log.close()

    def ask(self, name: str) -> None:
        """Begin a workload's turn; the first one makes it."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(name + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self._gone()

    def answer(self) -> dict[str, Any]:
        """What came of it."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self._gone()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _gone(self) -> None:
        self.process.wait()
        self.log.seek(0)
        raise SystemExit(f"regress: a side ended early\n{self.log.read()[-2000:]}")


def named() -> str:
    """The commit that `benchmarks/BASE` names."""
    lines = [line.strip() for line in BASE.read_text().splitlines()]
    commits = [line for line in lines if line and not line.startswith("#")]
    if len(commits) != 1:
        raise SystemExit("regress: benchmarks/BASE: must name one commit, on a line of its own")
    return commits[0]


def commit_of(name: str) -> str | None:
    """The full hash of a commit; None if this repository does not have it."""
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return found.stdout.decode().strip() if found.returncode == 0 else None


def is_shallow() -> bool:
    """Whether this is a clone without all of its history."""
    return _git("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"


def lay_out(commit: str, folder: Path, root: Path = ROOT) -> None:
    """Write the package as it was at `commit` into a folder."""
    packed = _git("archive", "--format=tar", commit, "src", root=root)
    if packed.returncode:
        raise SystemExit(f"regress: git archive {commit}: {packed.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")


def _git(*words: str, root: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        raise SystemExit("regress: there is no git; install it to compare commits") from None


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
