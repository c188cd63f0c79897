"""Every command twice at once, into one folder.

    python -m benchmarks.two_writers

Both start at the same time, or the second a little later, anywhere in the run of the first. Each
must end well, or be refused in one line (exit status 2); at least one must end well; and what then
lies there must be what one run alone leaves. The value is the number of pairs of which that holds.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

from benchmarks.commands import COMMANDS, start
from benchmarks.figure import AT_LEAST, announce, say
from benchmarks.kill_commands import Ready, leftovers, prepare
from paceline.progress import progress_bar

ROUNDS = 6


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="pairs of each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="names of commands, comma-separated")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else [command.name for command in COMMANDS]
    rng = random.Random(given.seed)
    faults: list[tuple[str, str]] = []
    refused = Counter[str]()
    pairs = given.rounds * len(names)
    with tempfile.TemporaryDirectory(prefix="pairs-") as folder, progress_bar(lines=True) as bar:
        for ready in prepare(Path(folder), names):
            if ready.command.name not in names:
                continue
            for i in range(given.rounds):
                later = 0.0 if i % 3 == 0 else rng.uniform(0.0, ready.took_s)
                fault, refusals = fault_of_pair(ready, later, Path(folder))
                refused[ready.command.name] += refusals
                if fault:
                    faults.append((ready.command.name, fault))
                    say(f"{ready.command.name}, {later:.2f} s apart: {fault}")
                bar.on("pairs", 1, pairs)
    return announce(
        "two_writers",
        pairs - len(faults),
        "pairs of commands at once that were refused or right",
        pairs,
        AT_LEAST,
        pairs=pairs,
        refused=dict(refused),
        faults=dict(Counter(name for name, _ in faults)),
    )


def fault_of_pair(ready: Ready, later_s: float, folder: Path) -> tuple[str, int]:
    """What went wrong (empty: nothing), and how many of the two were refused."""
    command = ready.command
    with tempfile.TemporaryDirectory(prefix="pair-", dir=folder) as place:
        workshop = Path(place) / "workshop"
        shutil.copytree(ready.before, workshop, symlinks=True)
        first = start(workshop, command)
        threading.Event().wait(later_s)
        second = start(workshop, command)
        ends = []
        for process in (first, second):
            _, err = process.communicate()
            ends.append((process.returncode, err.strip()))
        refusals = sum(code == 2 for code, _ in ends)
        for code, err in ends:
            last = err.splitlines()[-1:] or ["nothing"]
            if code not in (0, 2) or "Traceback" in err:
                return f"exit {code}, {last[0]}", refusals
        if refusals == 2:
            return f"both were refused, {ends[0][1].splitlines()[-1:]}", refusals
        try:
            found = command.outcome(workshop / command.out)
        except Exception as error:
            return f"what they left cannot be read ({error})", refusals
        if found != ready.outcome:
            return "another outcome than that of one alone", refusals
        left = leftovers(workshop)
        return (f"left {', '.join(left)}" if left else ""), refusals


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
