"""A figure: one measured number, its bar, and the line of JSON that says so."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

AT_LEAST = "at least"
AT_MOST = "at most"


def announce(
    bench: str,
    value: float,
    unit: str,
    bar: float,
    sense: str = AT_LEAST,
    *,
    provided: bool = True,
    **details: Any,
) -> bool:
    """Print the line of a figure; returns whether it clears its bar.

    `provided` is what must hold besides, or the value means nothing.
    """
    clears = value >= bar if sense == AT_LEAST else value <= bar
    ok = bool(clears and provided)
    line = {
        "bench": bench,
        "value": digits(value),
        "unit": unit,
        "bar": bar,
        "sense": sense,
        "ok": ok,
    }
    print(json.dumps(line | details), flush=True)
    return ok


def say(text: str) -> None:
    """To whoever waits; the line of JSON is for standard output."""
    print(text, file=sys.stderr, flush=True)


def digits(value: float, n: int = 4) -> float:
    """`value` with `n` significant digits."""
    return float(f"{value:.{n}g}")


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def seconds_of(run: Callable[[], Any]) -> float:
    """Wall-clock seconds that `run` takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
