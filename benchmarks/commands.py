"""Small whole commands, for benchmarks that kill them, start them twice or damage what they wrote.

A workshop is a folder with four recorded mornings in LOBSTER's form, small recipes, and whatever
the commands make of them. `COMMANDS` are in the order in which they need one another. What a
command left is told by `outcome`: a digest of what it means, without times of day or names of
folders, so that two runs of the same command have the same one.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.feed import MID_TICKS, make_feed
from paceline.market.events import ADD, DELETE, EXECUTE, REDUCE
from paceline.units import NS_PER_S

DAYS = ("2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07")
_OPEN_S, _LENGTH_S, _MESSAGES = 34_200, 5_400, 5_000
_LOBSTER_KINDS = {ADD: 1, REDUCE: 2, DELETE: 3, EXECUTE: 4}

ACTIONS = {
    "size_bp_of_remaining": [1000, 5000], "aggression_ticks": ["touch", "take"],
    "wait_seconds": [5], "hold_seconds": 5,
}  # fmt: skip
GRID = {"sizes": [0.1, 0.5], "prices": ["touch", "take"], "waits_s": [5], "hold_s": 5}
RECIPE = {
    "name": "small",
    "policy": {
        "action_set": ACTIONS,
        "settings": {"network": {"hidden": [16], "quantiles": 4}, "sync_every": 10},
    },
    "risk": {"participation_cap": None, "child_max": 50},
    "data": {"tapes": ["tapes"], "train": f"{DAYS[0]}..{DAYS[1]}", "validation": DAYS[2]},
    "orders": {"horizon_s": [120]},
    "steps": 3,
    "teaching": {"teachers": ["ac/touch", "random"], "orders": 8},
    "clone": {"updates": 10},
    "offline": {"updates": 20},
    "online": {
        "updates": 30, "envs": 4, "per_update": 4, "first": 8,
        "replay": {"capacity": 2000, "batch": 16},
    },
    "validating": {"orders": 8, "every": 10, "patience": 100},
}  # fmt: skip


class Command(NamedTuple):
    """A command of a workshop."""

    name: str
    words: tuple[str, ...]
    out: str
    """What it writes, in the workshop."""
    outcome: Callable[[Path], str]
    """A digest of what it wrote."""
    earlier: tuple[str, ...] = ()
    """Words of a command that wrote something else to the same place before, which it replaces."""
    files: str = ""
    """Pattern of files that are of one run, all of them, at every moment."""


def make_workshop(folder: Path) -> Path:
    """Raw days and recipes in `folder`."""
    raw = folder / "raw"
    raw.mkdir(parents=True)
    for i, day in enumerate(DAYS):
        write_lobster(raw, day, seed=i + 1)
    (folder / "more").mkdir()
    write_lobster(folder / "more", DAYS[0], seed=99)  # the first day, corrected
    (folder / "grid.yaml").write_text(json.dumps(GRID))
    (folder / "recipe.yaml").write_text(json.dumps(RECIPE))  # JSON is YAML
    return folder


def write_lobster(folder: Path, day: str, seed: int) -> Path:
    """A morning in the form of LOBSTER: seconds, type, order, size, price x 10,000, side."""
    rows, order_id = make_feed(_MESSAGES, seed)
    offset = rows.ts - rows.ts[0]
    stretched = offset / offset[-1] * (_LENGTH_S - 1) * NS_PER_S
    ts = _OPEN_S * NS_PER_S + stretched.astype(np.int64)
    ticks = rows.ticks - MID_TICKS + 2_000
    kinds = [_LOBSTER_KINDS[kind] for kind in rows.kind.tolist()]
    columns = (ts.tolist(), kinds, order_id.tolist(), rows.lots.tolist(), ticks.tolist(),
               rows.side.tolist())  # fmt: skip
    lines = [
        f"{t // NS_PER_S}.{t % NS_PER_S:09d},{kind},{order},{lots * 100},{tick * 100},{side}\n"
        for t, kind, order, lots, tick, side in zip(*columns, strict=True)
    ]
    end = _OPEN_S + _LENGTH_S
    path = folder / f"TINY_{day}_{_OPEN_S}000_{end}000_message_10.csv"
    path.write_text("".join(lines))
    return path


def run(workshop: Path, command: Command, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, from its start to its end."""
    with start(workshop, command, **environment) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(command.words, process.returncode, out, err)


def start(
    workshop: Path,
    command: Command,
    *,
    python: tuple[str, ...] = ("-m", "paceline"),
    **environment: str,
) -> subprocess.Popen[str]:
    """The command in a process group of its own, in `workshop`; `python` takes its words."""
    source = Path(__file__).parents[1] / "src"
    return subprocess.Popen(
        [sys.executable, *python, *command.words],
        cwd=workshop,
        env=os.environ | {"PYTHONPATH": str(source), "COLUMNS": "200"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _digest(content: Any) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def _tapes(folder: Path) -> str:
    from paceline.market.days import tapes_at

    return _digest([(tape.name, tape.manifest.tape_id) for tape in tapes_at([folder])])


def _set(folder: Path) -> str:
    from paceline.decision.store import FeatureSet

    found = FeatureSet.open(folder)
    days = sorted(found.manifest.days, key=lambda kept: kept.day)
    content = []
    for kept in days:
        arrays = found.read(kept.symbol, kept.day)
        content.append((kept.symbol, kept.day, [np.asarray(array).tobytes() for array in arrays]))
    return _digest(content)


def _policy(folder: Path) -> str:
    from paceline.learn.checkpoint import read_checkpoint

    weights = read_checkpoint(folder / "policy").weights
    summary = json.loads((folder / "summary.json").read_text())
    tensors = [(name, array.tobytes()) for name, array in sorted(weights.items())]
    return _digest((tensors, summary["best"]["score"]))


def table(path: Path) -> str:
    """A table of a result, but for a column that is a measured time."""
    import pyarrow.parquet as pq

    found = pq.read_table(path, use_threads=False)
    kept = [name for name in found.column_names if name != "decision_us"]
    return _digest([(name, np.array(found[name]).tolist()) for name in kept])


def tables(folder: Path) -> str:
    """All tables of a result, and whether its page is whole."""
    from paceline.files.results import recover_result

    recover_result(folder)
    found = [(path.name, table(path)) for path in sorted(folder.glob("*.parquet"))]
    page = (folder / "report.html").read_text()
    whole = page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    return _digest((found, whole))


_TAPES = ("--tape", "tapes")
_INGEST = ("ingest", "raw", "-o", "tapes")
_BACKTEST = (
    "backtest", *_TAPES, "--orders", "6", "--qty", "2000", "--horizon", "2m", "--slices", "4",
    "--examples", "1", "-o", "bt",
)  # fmt: skip
_COMPARE = (
    "compare", *_TAPES, "--policies", "ac,twap", "--days", f"{DAYS[2]}..{DAYS[3]}", "--horizon",
    "2m", "-o", "cmp",
)  # fmt: skip
COMMANDS = (
    Command("ingest", _INGEST, "tapes", _tapes),
    Command(
        "ingest --force",
        ("ingest", "more", "-o", "tapes", "--force"),
        "tapes",
        _tapes,
        earlier=_INGEST,
    ),
    Command(
        "features",
        ("features", "materialise", *_TAPES, "-o", "set", "--orders", "6", "--policy", "random"),
        "set",
        _set,
    ),
    Command(
        "log",
        ("log", *_TAPES, "--teachers", "ac/touch,random", "--orders", "6", "--grid", "grid.yaml",
         "-o", "log"),
        "log",
        _set,
    ),
    Command("train", ("train", "recipe.yaml", "-o", "run"), "run", _policy),
    Command(
        "backtest",
        (*_BACKTEST, "--policy", "ac,twap"),
        "bt",
        tables,
        earlier=(*_BACKTEST, "--policy", "ac"),
        files="*.parquet",
    ),
    Command(
        "compare",
        (*_COMPARE, "--orders", "8"),
        "cmp",
        tables,
        earlier=(*_COMPARE, "--orders", "6"),
        files="*.parquet",
    ),
)  # fmt: skip
