"""Run a peer on a feed and bring its report and its fills back."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.convert import Decisions, save

FOLDER = Path(__file__).parent


class PeerRun(NamedTuple):
    """What hftbacktest said about one feed."""

    report: dict[str, Any]
    """The line of JSON it printed: messages_per_s and so on."""
    fills: dict[int, tuple[int, int]]
    """Number of the order -> (time at the exchange in ns, price in ticks)."""


def peer_python(which: Literal["peers", "learners"] = "peers") -> Path:
    """The interpreter that has the peers: `PACELINE_PEER_PYTHON`, else that of `.venv-peers`; or
    `PACELINE_LEARNER_PYTHON` and `.venv-learners`, as learners ask for other versions."""
    variable = {"peers": "PACELINE_PEER_PYTHON", "learners": "PACELINE_LEARNER_PYTHON"}[which]
    given = os.environ.get(variable)
    python = Path(given) if given else FOLDER.parents[1] / f".venv-{which}" / "bin" / "python"
    if not python.exists():
        raise SystemExit(f"peers: there is no {python}; `make bench` makes it, or set {variable}")
    return python


def run_hftbacktest(
    events: NDArray[Any],
    messages: int,
    when: Decisions,
    mode: Literal["l3", "l2"],
    *,
    runs: int = 5,
    options: tuple[str, ...] = (),
) -> PeerRun:
    """Replay `events` (see `convert`) there, `runs` times.

    `messages` is what its speed is counted in, `options` are further ones of
    `hftbacktest_replay.py`.
    """
    with tempfile.TemporaryDirectory() as name:
        feed, filled = Path(name) / "feed.npz", Path(name) / "fills.npz"
        save(feed, events, messages, when)
        command = [peer_python(), FOLDER / "hftbacktest_replay.py", feed, "--mode", mode]
        command += ["--runs", str(runs), "--fills", filled, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"peers: hftbacktest failed\n{done.stderr}")
        found = np.load(filled)
        order, ts, ticks = (found[name].tolist() for name in ("order", "ts", "ticks"))
        fills = dict(zip(order, zip(ts, ticks, strict=True), strict=True))
        return PeerRun(json.loads(done.stdout), fills)
