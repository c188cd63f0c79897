"""LOBSTER rows a second: from a CSV on disk to a tape on disk, quality report included.

Written by the benchmark: a message file of a million rows from the synthetic feed, with times of
nine decimals. When PACELINE_DATA names a folder of recordings, its LOBSTER files are measured too
(packed as they are, so unpacking counts). Kernels are compiled before the clock starts.

    python -m benchmarks.ingest
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.feed import SESSION, make_feed
from benchmarks.figure import announce, digits, median, seconds_of
from paceline.ingest import ingest
from paceline.market.events import ADD, DELETE, EXECUTE, REDUCE
from paceline.market.session import midnight_ns
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

ROWS = 1_000_000
RUNS = 5
BAR = 1_000_000.0

_TYPE = {ADD: 1, REDUCE: 2, DELETE: 3, EXECUTE: 4}


def write_lobster(folder: Path, rows: int) -> Path:
    """A LOBSTER message file of the synthetic feed."""
    feed = make_feed(rows)
    events = feed.rows
    nanos = events.ts - midnight_ns(SESSION.day, SESSION.zone)
    types = np.vectorize(_TYPE.get, otypes=[np.int64])(events.kind)
    columns = (nanos // NS_PER_S, nanos % NS_PER_S, types, feed.order_id, events.lots,
               events.ticks * 100, events.side)  # fmt: skip
    lines = (
        f"{s}.{ns:09d},{kind},{order},{size},{price},{side}\n"
        for s, ns, kind, order, size, price, side in zip(
            *(column.tolist() for column in columns), strict=True
        )
    )
    path = folder / f"BENCH_{SESSION.day}_28800000_61200000_message_1.csv"
    path.write_text("".join(lines))
    return path


def measure(path: Path, out: Path, runs: int) -> tuple[float, int]:
    """Median seconds to ingest `path`, and the raw rows in it."""
    seconds = [seconds_of(lambda: ingest(path, out, force=True)) for _ in range(runs)]
    rows = sum(Tape.open(tape).manifest.quality.rows_read for tape in ingest(path, out))
    return median(seconds), rows


def main() -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        out = folder / "tapes"
        path = write_lobster(folder, ROWS)
        ingest(path, out)  # compiles
        seconds, rows = measure(path, out, RUNS)
        details = {"rows": rows, "seconds": digits(seconds), "runs": RUNS}
        data = Path(os.environ.get("PACELINE_DATA", ""))
        for name in ("lobster-2003", "lobster-2012"):
            if os.environ.get("PACELINE_DATA") and (data / name).is_dir():
                ingest(data / name, out / name)
                took, read = measure(data / name, out / name, 1)
                details[f"rows_per_s_{name}"] = digits(read / took)
    return announce("ingest", rows / seconds, "rows/s", BAR, **details)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
