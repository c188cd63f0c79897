"""Damaged files of every kind, opened and used.

    python -m benchmarks.fuzz_files

What paceline wrote (tapes, feature sets, decision logs, checkpoints, kill files) is damaged: bits,
cuts, bytes, exchanged or missing files, and fields and numbers under a seal that is made anew, as
an attacker would. What people write (orders, recipes, markets, scenarios, mappings) is damaged in
its text. Each is then opened and used in a process that is watched. The value counts crashes of the
interpreter, tracebacks, hangs, and damaged files that were used as if they were whole. A file whose
seal was made anew may be used if all that is in it is in range.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import yaml

import paceline
from benchmarks import damage
from benchmarks.commands import COMMANDS, DAYS, GRID, RECIPE, make_workshop, run
from benchmarks.figure import AT_MOST, announce, say
from paceline.progress import progress_bar

FILES = 21_000
LIMIT_S = 2.0
"""A file that takes longer hangs: processor time, for the machine may be busy, ..."""
PATIENCE_S = 20.0
"""... or time on the clock, for one that blocks uses none."""


_TAPE = f"tapes/TINY-{DAYS[0]}.tape"


class Specimen(NamedTuple):
    """Something to damage, and what uses it."""

    kind: str
    path: str
    """In the workshop: a file or a folder."""
    use: Callable[[Path], Any]
    sealed: bool
    """Every byte is vouched for, so all damage must be found. Other files may still be fine."""


class Finding(NamedTuple):
    """What became of one damaged file."""

    kind: str
    number: int
    how: str
    outcome: str
    """`refused`, `used`, `forged` (used, its seal was made anew), `harmless` (the same bytes), or
    what is wrong: `believed`, `traceback: ...`, `crash`, `hang`."""

    @property
    def is_fault(self) -> bool:
        return self.outcome not in ("refused", "used", "forged", "harmless")


class _NotUsedError(Exception):
    """What was damaged had no effect: a kill file stops all that it stopped when it was whole, a
    part of a comparison was worked again."""


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--files", type=int, default=FILES, help="damaged files, all kinds together"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="kinds, comma-separated")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        workshop = make_specimens(Path(folder))
        kinds = [one.kind for one in SPECIMENS]
        if given.only:
            kinds = given.only.split(",")
        cases = [(kinds[i % len(kinds)], given.seed + i // len(kinds)) for i in range(given.files)]
        begun = time.monotonic()
        found = watch(workshop, cases, given.jobs)
    faults = [one for one in found if one.is_fault]
    by_kind: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    for one in found:
        by_kind[one.kind][one.outcome.split(":")[0]] += 1
    return announce(
        "fuzz_files",
        len(faults),
        "crashes, tracebacks, hangs and damaged files believed",
        0,
        AT_MOST,
        provided=len(found) == given.files,
        files=len(found),
        seconds=round(time.monotonic() - begun),
        by_kind={kind: dict(counts) for kind, counts in by_kind.items()},
    )


def make_specimens(folder: Path) -> Path:
    """A workshop with an artefact of each kind."""
    workshop = make_workshop(folder / "workshop")
    for command in COMMANDS:
        if not command.name.startswith(("ingest --force", "backtest")):
            done = run(workshop, command)
            if done.returncode:
                raise RuntimeError(f"{command.name}: {done.stderr}")
    make_texts(workshop)
    worked(workshop / _TAPE, workshop / "worked")
    (workshop / "plain.yaml").write_text("{}\n")
    _use_market(workshop / "plain.yaml")  # compiled now: damaged markets may be as plain
    return workshop


def make_texts(workshop: Path) -> None:
    """What people write, and a kill file."""
    for name, text in damage.TEXTS.items():
        (workshop / name).write_text(text)
    damage.make_order_tables(workshop)
    damage.make_kill_file(workshop / "kill.json")
    shipped = Path(paceline.__file__).parent
    shutil.copy(shipped / "engine/shipped_markets/yhoo-2003.yaml", workshop / "market.yaml")
    (workshop / "small.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False))


def watch(workshop: Path, cases: list[tuple[str, int]], jobs: int) -> list[Finding]:
    """Every case in one of `jobs` processes; one that dies or hangs is followed by another."""
    context = multiprocessing.get_context("spawn")
    ahead, found = list(reversed(cases)), []
    workers = [_Worker(context, workshop) for _ in range(jobs)]
    with progress_bar(lines=True) as bar:
        while len(found) < len(cases):
            for i, worker in enumerate(workers):
                finding = worker.step(ahead)
                if finding is not None:
                    found.append(finding)
                    bar.to("files", len(found), len(cases))
                    if finding.is_fault:
                        say(f"{finding.kind} {finding.number}, {finding.how}: {finding.outcome}")
                    if finding.outcome in ("crash", "hang"):
                        worker.end()
                        workers[i] = _Worker(context, workshop)
            if not any(worker.is_ready for worker in workers):
                time.sleep(0.001)
    for worker in workers:
        worker.end()
    return found


class _Worker:
    """A process that uses one damaged file after another, and what it is at."""

    def __init__(self, context: Any, workshop: Path) -> None:
        ours, theirs = context.Pipe()
        self._pipe: Connection = ours
        self._process = context.Process(target=_work, args=(theirs, str(workshop)), daemon=True)
        self._process.start()
        theirs.close()
        self._at: tuple[str, int] | None = None
        self._how, self._since, self._used = "", 0.0, 0.0

    @property
    def is_ready(self) -> bool:
        return self._pipe.poll()

    def step(self, ahead: list[tuple[str, int]]) -> Finding | None:
        """What the worker has found, if it is done; then it is given the next case."""
        if self._at is not None and self._is_late() and not self._pipe.poll():
            return Finding(*self._at, self._how, "hang")
        try:
            if not self._pipe.poll():
                if self._process.is_alive():
                    return None
                raise EOFError
            told, text = self._pipe.recv()
        except (EOFError, OSError):
            if self._at is None:
                raise RuntimeError("a worker cannot start") from None
            return Finding(*self._at, self._how, "crash")
        finding = None
        if told == "begun":
            self._how, self._since = text, time.monotonic()
            self._used = processor_s(self._process.pid)
            return None
        if told == "ended" and self._at is not None:
            finding = Finding(*self._at, self._how, text)
        self._at, self._how = (ahead.pop() if ahead else None), ""
        if self._at is not None:
            self._pipe.send(self._at)
        return finding

    def _is_late(self) -> bool:
        took = time.monotonic() - self._since if self._how else 0.0
        if took <= LIMIT_S:
            return False
        return took > PATIENCE_S or processor_s(self._process.pid) - self._used > LIMIT_S

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def processor_s(pid: int) -> float:
    """Processor time that a process has used, as Linux tells it."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _work(pipe: Connection, workshop: str) -> None:
    """In a worker: use whole specimens once, then damaged ones as they are asked for."""
    specimens = {one.kind: one for one in SPECIMENS}
    for one in SPECIMENS:
        use_whole(Path(workshop), one)
    pipe.send(("ready", ""))
    while True:
        kind, number = pipe.recv()
        pipe.send(("begun", damage.describe(kind, number)))
        pipe.send(("ended", try_one(Path(workshop), specimens[kind], number)))


def use_whole(workshop: Path, specimen: Specimen) -> None:
    """Use a specimen as it is. Raises what is wrong with it."""
    with suppress(_NotUsedError):
        specimen.use(workshop / specimen.path)


def try_one(workshop: Path, specimen: Specimen, number: int) -> str:
    """Damage a copy of a specimen, use it, and say what came of it."""
    from paceline.errors import PacelineError

    with tempfile.TemporaryDirectory(prefix="damaged-", dir=workshop.parent) as place:
        whole, copy = workshop / specimen.path, Path(place) / Path(specimen.path).name
        if whole.is_dir():
            shutil.copytree(whole, copy)
        else:
            shutil.copy(whole, copy)
        rng = random.Random(f"{specimen.kind} {number}")
        done = damage.damage(copy, rng, sealed=specimen.sealed)
        if done == damage.NOTHING:
            return "harmless"
        try:
            specimen.use(copy)
        except _NotUsedError:
            return "refused"
        except PacelineError as error:
            return "refused" if "\n" not in str(error) else f"traceback: several lines: {error}"
        except MemoryError:
            return "traceback: MemoryError"
        except Exception as error:
            return f"traceback: {type(error).__name__}: {error}"[:300]
        if done == damage.FORGED:
            return "forged"
        return "believed" if specimen.sealed else "used"


def _use_tape(path: Path) -> None:
    import numpy as np

    from paceline.engine.exchange import Exchange
    from paceline.market.tape import Tape

    tape = Tape.open(path)
    exchange = Exchange(tape, max_orders=16)
    last = int(tape.events.ts[-1])
    exchange.seek((int(tape.events.ts[0]) + last) // 2)
    exchange.submit(side=1, lots=1, type="market")
    exchange.advance(last)
    float(np.nansum(tape.mid_ticks()))
    inspected(path)
    backtested(tape)


def inspected(path: Path) -> None:
    """What `paceline inspect` does. Raises `ValueError` for what no terminal may be given."""
    from paceline.cli import inspect

    out = io.StringIO()
    with redirect_stdout(out):
        inspect.run(argparse.Namespace(tape=[path], plot=None, json=False))
        inspect.run(argparse.Namespace(tape=[path], plot=None, json=True))
    if not out.getvalue().replace("\n", "").isprintable():
        raise ValueError("inspect prints control characters")


def backtested(tape: Any) -> None:
    """What `paceline backtest` does, with two short orders; its page is in memory only."""
    from paceline.evaluate.backtest import backtest
    from paceline.evaluate.settings import BacktestSettings

    few = BacktestSettings(orders=2, qty=200.0, horizon_s=30.0, slices=2)
    backtest([tape], ["ac"], few, jobs=1).summary()


def _use_set(path: Path) -> None:
    from paceline.decision.store import FeatureSet

    found = FeatureSet.open(path)
    for kept in found.manifest.days:
        found.read(kept.symbol, kept.day)


def _use_log(path: Path) -> None:
    from paceline.decision.actions import ActionGrid
    from paceline.learn.logbook import logged_days, transitions

    for decisions, outcome in logged_days(path, ActionGrid(**GRID), DAYS[-1]):
        transitions(decisions, outcome, {"is_step": 1.0}, gamma=1.0)


def _use_checkpoint(path: Path) -> None:
    import numpy as np

    from paceline.decision.schema import N_FEATURES
    from paceline.learn.checkpoint import read_checkpoint
    from paceline.learn.policy import grid_of, load_policy

    found = read_checkpoint(path)
    grid_of(found)
    n_actions = found.manifest.n_actions
    load_policy(path).many(np.zeros((4, N_FEATURES), np.float32), np.ones((4, n_actions), np.bool_))
    load_policy(path, runtime="onnx")(
        np.zeros(N_FEATURES, np.float32), np.ones(n_actions, np.bool_)
    )


def _use_kill_file(path: Path) -> None:
    from paceline.guard.kill_switch import KillSwitch, Mode

    # What the whole file stops must stay stopped, at least as strictly.
    switch = KillSwitch(path)
    tiny = switch.mode(order="o-1", symbol="TINY", policy="ac", desk="d")
    desk = switch.mode(order="o-1", symbol="ELSE", policy="ac", desk="other")
    if tiny >= Mode.HALT and desk >= Mode.REDUCE_ONLY:
        raise _NotUsedError


def _use_store(path: Path) -> None:
    import numpy as np

    if not _whole:  # the first is the whole one
        _whole["tape"] = path.parent / _TAPE
        _whole["orders"] = worked(_whole["tape"], path).orders
    found = worked(_whole["tape"], path)
    found.write(path.parent)
    for name, column in _whole["orders"].items():
        other = found.orders[name]
        if not np.array_equal(column, other, equal_nan=column.dtype.kind == "f"):
            return
    raise _NotUsedError


_whole: dict[str, Any] = {}
"""The tape that is compared on, and what comes of a store that is whole."""


def worked(tape: Path, store: Path) -> Any:
    """A comparison of two schedules; what is in `store` is not worked again."""
    from paceline.env.episodes import Pool
    from paceline.evaluate.compare import compare
    from paceline.evaluate.compare_settings import CompareSettings
    from paceline.market.tape import Tape

    settings = CompareSettings(orders=4, horizon_s=120.0, fill_model="pessimistic")
    pool = Pool([Tape.open(tape)], untaught="own")
    return compare(pool, ["ac", "twap"], settings, store=store)


def _use_order(path: Path) -> None:
    from paceline.orders.reading import read_parents

    read_parents(path, {})


def _use_recipe(path: Path) -> None:
    from paceline.config import load_yaml
    from paceline.learn.recipe import Recipe

    load_yaml(path, Recipe)


def _use_market(path: Path) -> None:
    from paceline.engine.shipped import load_market
    from paceline.engine.simulator import Simulator
    from paceline.units import NS_PER_S

    simulator = Simulator(load_market(path), DAYS[0], 1)
    simulator.advance(simulator.session.open_ns + NS_PER_S)


def _use_scenario(path: Path) -> None:
    from paceline.stress.scenario import load_scenario

    load_scenario(path)


def _use_mapping(path: Path) -> None:
    from paceline.ingest.mapping import mapping_from

    mapping_from(path)


SPECIMENS = (
    Specimen("tape", _TAPE, _use_tape, True),
    Specimen("set", "set", _use_set, True),
    Specimen("log", "log", _use_log, True),
    Specimen("checkpoint", "run/policy", _use_checkpoint, True),
    Specimen("kill file", "kill.json", _use_kill_file, True),
    Specimen("store", "worked", _use_store, True),
    Specimen("order", "order.json", _use_order, False),
    Specimen("order csv", "order.csv", _use_order, False),
    Specimen("order parquet", "order.parquet", _use_order, False),
    Specimen("recipe", "small.yaml", _use_recipe, False),
    Specimen("market", "market.yaml", _use_market, False),
    Specimen("scenario", "scenario.yaml", _use_scenario, False),
    Specimen("mapping", "mapping.yaml", _use_mapping, False),
)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
