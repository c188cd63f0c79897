"""Commands that are killed (SIGKILL) while they work, and then typed again.

    python -m benchmarks.kill_commands

Every command of `benchmarks.commands` is killed at random moments and at numbered steps of its
writes (`paceline.files.points`). At once what an earlier run had left must still be whole: the old
or the new content. Then the same command runs again and must end well, with the outcome that it has
when nothing comes between. The value is the number of kills after which all of that held.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.commands import COMMANDS, Command, make_workshop, run, start, table
from benchmarks.figure import AT_LEAST, announce, say
from paceline.progress import progress_bar

KILLS = 500
INJECTED = 0.6
"""Share of kills at numbered steps; the others come at random moments."""


class Ready(NamedTuple):
    """A command, what it needs, and what is known of it."""

    command: Command
    before: Path
    """A workshop as it is before the command."""
    outcome: str
    """Of the command, when nothing comes between."""
    kept: str | None
    """Outcome of what is there before the command and must never be lost; None: nothing is."""
    files: tuple[dict[str, str], ...]
    """Tables before the command and after it, with digests; they are never mixed."""
    took_s: float
    steps: int
    """Numbered steps of its writes."""


class Kill(NamedTuple):
    """When a command is killed: at a step, or after some seconds."""

    ready: Ready
    step: int | None
    after_s: float


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="names of commands, comma-separated")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else [command.name for command in COMMANDS]
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        prepared = [one for one in prepare(Path(folder), names) if one.command.name in names]
        kills = list(drawn(prepared, given.kills, random.Random(given.seed)))
        faulty = list[Kill]()
        with ThreadPoolExecutor(given.jobs) as pool, progress_bar(lines=True) as bar:
            found = pool.map(lambda kill: fault_after(kill, Path(folder)), kills)
            for done, (kill, fault) in enumerate(zip(kills, found, strict=True), 1):
                if fault:
                    when = f"step {kill.step}" if kill.step else f"{kill.after_s:.2f} s"
                    say(f"{kill.ready.command.name} killed at {when}: {fault}")
                    faulty.append(kill)
                bar.to("kills", done, len(kills))
    return announce(
        "kill_commands",
        len(kills) - len(faulty),
        "kills after which the same command recovered",
        len(kills),
        AT_LEAST,
        provided=len(kills) >= min(given.kills, KILLS),
        kills=len(kills),
        at_steps=sum(kill.step is not None for kill in kills),
        by_command=dict(Counter(kill.ready.command.name for kill in kills)),
        faults=dict(Counter(kill.ready.command.name for kill in faulty)),
    )


def prepare(folder: Path, names: Sequence[str] = ()) -> Iterator[Ready]:
    """Every command of a workshop, up to the last of `names`, run once, with a copy of the workshop
    as it was before."""
    last = max((i for i, one in enumerate(COMMANDS) if one.name in names), default=len(COMMANDS))
    workshop = make_workshop(folder / "workshop")
    for i, command in enumerate(COMMANDS[: last + 1]):
        before, out = folder / f"before-{i}", workshop / command.out
        kept, files = None, [{}]
        if command.earlier:
            run_well(workshop, command._replace(words=command.earlier))
            kept, files = command.outcome(out), [tables_of(command, out)]
        shutil.copytree(workshop, before, symlinks=True)
        begun = time.monotonic()
        run_well(workshop, command)
        took = time.monotonic() - begun
        outcome = command.outcome(out)
        files.append(tables_of(command, out))
        if outcome == kept:
            raise RuntimeError(f"{command.name}: replaces what is there by the same")
        steps = steps_of(command, before, folder)
        yield Ready(command, before, outcome, kept, tuple(files), took, steps)


def tables_of(command: Command, out: Path) -> dict[str, str]:
    """The files that must be of one run, as far as they are there, with digests of them."""
    if not command.files:
        return {}
    return {path.name: table(path) for path in out.glob(command.files)}


def steps_of(command: Command, before: Path, folder: Path) -> int:
    """How many numbered steps the command passes."""
    with tempfile.TemporaryDirectory(prefix="steps-", dir=folder) as place:
        workshop = Path(place) / "workshop"
        shutil.copytree(before, workshop, symlinks=True)
        count = (
            "import sys; from paceline.cli import main; status = main(sys.argv[1:]);"
            "from paceline.files import points; print('steps', points.passed); sys.exit(status)"
        )
        with start(workshop, command, python=("-c", count)) as process:
            out, _ = process.communicate()
    return int(out.split()[-1])


def run_well(workshop: Path, command: Command, **environment: str) -> None:
    """Raises `RuntimeError` unless the command ends with 0."""
    done = run(workshop, command, **environment)
    if done.returncode:
        raise RuntimeError(f"{command.name}: exit {done.returncode}\n{done.stderr}")


def drawn(prepared: list[Ready], count: int, rng: random.Random) -> Iterator[Kill]:
    """`count` kills over all commands in turn; steps are gone through before any is repeated."""
    ahead: dict[str, list[int]] = {}
    for i in range(count):
        ready = prepared[i % len(prepared)]
        if rng.random() < INJECTED:
            left = ahead.setdefault(ready.command.name, [])
            if not left:
                left += rng.sample(range(1, ready.steps + 1), ready.steps)
            yield Kill(ready, left.pop(), 0.0)
        else:
            yield Kill(ready, None, rng.uniform(0.0, 1.2 * ready.took_s))


def fault_after(kill: Kill, folder: Path) -> str:
    """What went wrong; empty if nothing did."""
    command = kill.ready.command
    with tempfile.TemporaryDirectory(prefix="kill-", dir=folder) as place:
        workshop = Path(place) / "workshop"
        shutil.copytree(kill.ready.before, workshop, symlinks=True)
        killed(workshop, kill)
        fault = lost(workshop, kill.ready)
        if fault:
            return fault
        done = run(workshop, command)
        if done.returncode or "Traceback" in done.stderr:
            said = done.stderr.strip().splitlines()[-1:] or ["nothing"]
            return f"again: exit {done.returncode}, {said[0]}"
        try:
            found = command.outcome(workshop / command.out)
        except Exception as error:
            return f"again: what it left cannot be read ({error})"
        if found != kill.ready.outcome:
            return "again: another outcome"
        left = leftovers(workshop)
        return f"again: left {', '.join(left)}" if left else ""


def killed(workshop: Path, kill: Kill) -> None:
    """Start the command and kill it, with all that it started."""
    command = kill.ready.command
    if kill.step is not None:
        run(workshop, command, PACELINE_KILL_AT=str(kill.step))
        return
    with start(workshop, command) as process:
        threading.Event().wait(kill.after_s)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()


def lost(workshop: Path, ready: Ready) -> str:
    """Whether what was there before is neither whole nor replaced whole."""
    if ready.kept is None:
        return ""
    out = workshop / ready.command.out
    try:
        there = tables_of(ready.command, out)
        if not any(there.items() <= whole.items() for whole in ready.files):
            return "tables of two runs lie side by side"
        found = ready.command.outcome(out)
    except Exception as error:
        return f"what was there cannot be read ({type(error).__name__}: {error})"
    return "" if found in (ready.kept, ready.outcome) else "what was there is neither old nor new"


def leftovers(workshop: Path) -> list[str]:
    """Traces of writing that nobody cleared up."""
    endings = (".paceline-draft", ".paceline-old", ".paceline-commit")
    return [path.name for path in workshop.rglob(".*") if path.name.endswith(endings)]


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
