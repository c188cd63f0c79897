"""Jump to a random time of a tape and be ready to trade: milliseconds, through the Python call.

    python -m benchmarks.seek
    PACELINE_DATA=FOLDER python -m benchmarks.seek      (recorded days besides)

`Exchange.seek` forgets the account, loads the nearest book image before that time and rolls the
events since. Every tape is saved, and opened again as a user would: its columns are memory maps,
touched once before. The value is the slowest tape's median.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.feed import MESSAGES, SEED, compile_tape, make_feed
from benchmarks.figure import AT_MOST, announce, digits
from paceline.engine.exchange import Exchange
from paceline.market.tape import Tape

BAR_MS = 0.25

QUIET_DAY = 20_000
"""Messages of a YHOO day in 2003."""

RECORDED = (
    "lobster-2003/YHOO/YHOO_2003-01-22_*message*",
    "lobster-2012/*AMZN_2012-06-21_5*",
)


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jumps", type=int, default=5_000, help="on each tape")
    jumps = parser.parse_args().jumps
    with tempfile.TemporaryDirectory() as folder:
        by_tape = {
            name: _seek(Tape.open(tape.save(Path(folder) / name)), jumps) for name, tape in _tapes()
        }
    slowest = max(found["median_ms"] for found in by_tape.values())
    return announce("seek", slowest, "ms", BAR_MS, AT_MOST, jumps=jumps, tapes=by_tape)


def _tapes() -> Iterator[tuple[str, Tape]]:
    yield "synthetic quiet day", compile_tape(make_feed(QUIET_DAY).rows)
    yield "synthetic busy day", compile_tape(make_feed(MESSAGES).rows)
    data = os.environ.get("PACELINE_DATA")
    for pattern in RECORDED if data else ():
        from paceline.ingest import load

        for path in sorted(Path(data or "").glob(pattern))[:1]:
            tape = load(path)
            yield tape.name, tape


def _seek(tape: Tape, jumps: int) -> dict[str, Any]:
    """Times of random jumps on one tape."""
    exchange = Exchange(tape)
    first, last = int(tape.events.ts[0]), int(tape.events.ts[-1])
    instants = np.random.default_rng(SEED).integers(first, last, jumps).tolist()
    for instant in instants[: jumps // 10]:
        exchange.seek(instant)
    for column in (*tape.events, *tape.images):
        column.max()
    took = np.empty(jumps)
    gc.disable()
    for i, instant in enumerate(instants):
        start = time.perf_counter_ns()
        exchange.seek(instant)
        took[i] = time.perf_counter_ns() - start
    gc.enable()
    took /= 1e6
    return {
        "events": len(tape),
        "prices": len(tape.level_ticks),
        "image_rows": round(len(tape.images.slot) / len(tape.images.halted)),
        "median_ms": digits(float(np.median(took))),
        "p99_ms": digits(float(np.quantile(took, 0.99))),
        "worst_ms": digits(float(took.max())),
    }


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
