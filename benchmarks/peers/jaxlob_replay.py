"""Messages a second of JAX-LOB's order book on one CPU core. Runs in the peer's own Python.

    python jaxlob_replay.py messages.npz --runs 3 --orders 100

`messages.npz` has `messages` `[n, 8]` int32 in the peer's columns: type (1 limit, 2 cancel,
4 execution), side, quantity, price, trader, order, seconds, nanoseconds. Timed is the compiled
scan over all of them, from an empty book with room for so many orders a side. Prints one line of
JSON, with the book at the end.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
from jaxlob.gymnax_exchange import jaxob

_where = jax.numpy.where


def _where_by_name(condition: Any, x: Any = None, y: Any = None, **more: Any) -> Any:
    return _where(condition, x, y, **more)


jax.numpy.where = _where_by_name
peer = importlib.import_module(f"{jaxob.__name__}.JaxOrderBookArrays")


def levels(side: np.ndarray) -> list[list[int]]:
    """(price, quantity) of every price that is not empty."""
    shown = side[side[:, 0] != -1]
    return [[int(p), int(shown[shown[:, 0] == p, 1].sum())] for p in np.unique(shown[:, 0])]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("messages")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--orders", type=int, default=100)
    args = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before the first array makes threads
    messages = jax.numpy.asarray(np.load(args.messages)["messages"])
    empty = tuple(peer.init_orderside(args.orders) for _ in range(3))
    replay = jax.jit(peer.scan_through_entire_array)
    asks, bids, _ = (np.asarray(part) for part in replay(messages, empty))  # compiles
    seconds = []
    for _ in range(args.runs):
        start = time.perf_counter()
        jax.block_until_ready(replay(messages, empty))
        seconds.append(time.perf_counter() - start)
    print(
        json.dumps(
            {
                "peer": f"JAX-LOB {version('jaxlob')}, jax {version('jax')}",
                "seconds": seconds,
                "bids": levels(bids),
                "asks": levels(asks),
            }
        )
    )


if __name__ == "__main__":
    main()
