"""Our simulator and JAX-LOB's order book in turn, on the messages of one simulated market.

    python -m benchmarks.simulator_jaxlob

Ours draws the messages, matches them and writes them down; the peer is handed them and matches
them, on one CPU core, in arrays of 100 orders a side as in its paper (Frey et al., "JAX-LOB: A
GPU-accelerated limit order book simulator", ICAIF 2023). So the comparison leans to its side. It is
made for thousands of books at once on a GPU, which is not what is measured here. Both must end with
the same book, price by price.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import announce, digits, median, seconds_of
from benchmarks.peers.run import FOLDER, peer_python
from benchmarks.simulator_poisson import BUSY
from paceline.engine.simulator import Simulator
from paceline.market.events import ADD, BID, DELETE, EXECUTE, Rows
from paceline.units import NS_PER_S

BAR = 10.0
ROOM = 100
"""Orders a side that the peer has room for."""

MINUTES = 40
DAY, SEED = "2026-01-05", 7
MARKET = msgspec.structs.replace(BUSY, hidden_share=0.0)
_PEER_TYPE = {ADD: 1, EXECUTE: 4}
_CANCEL = 2


def make_rows() -> Rows:
    """The messages of the market's first minutes."""
    simulator = Simulator(MARKET, DAY, SEED)
    return simulator.advance(simulator.session.open_ns + MINUTES * 60 * NS_PER_S)


def peer_messages(rows: Rows) -> NDArray[np.int32]:
    """`rows` in the peer's columns. Orders at one instant come a nanosecond apart, because the
    peer's priority is time alone."""
    order_of: dict[int, int] = {}
    orders = np.empty(len(rows.ts), np.int64)
    for i, (kind, slot) in enumerate(zip(rows.kind.tolist(), rows.slot.tolist(), strict=True)):
        if kind == ADD:
            order_of[slot] = i
        orders[i] = order_of[slot]
    steps = np.arange(len(rows.ts))
    ts = np.maximum.accumulate(rows.ts - rows.ts[0] - steps) + steps
    kinds = np.array([_PEER_TYPE.get(kind, _CANCEL) for kind in range(DELETE + 64)])
    columns = (
        kinds[rows.kind], rows.side, rows.lots, rows.ticks, np.full(len(ts), 1), orders,
        ts // NS_PER_S, ts % NS_PER_S,
    )  # fmt: skip
    return np.stack(columns, axis=1).astype(np.int32)


def book_of(rows: Rows) -> tuple[list[list[int]], list[list[int]], int]:
    """Bids and asks at the end as (price, lots), and the most orders that a side ever had."""
    lots: dict[int, list[int]] = {}
    sides, most = [0, 0], 0
    for kind, side, ticks, size, slot in zip(
        *(rows._asdict()[name].tolist() for name in ("kind", "side", "ticks", "lots", "slot")),
        strict=True,
    ):
        at = int(side != BID)
        if kind == ADD:
            lots[slot] = [side, ticks, size]
            sides[at] += 1
            most = max(most, sides[at])
        else:
            lots[slot][2] -= size
            if lots[slot][2] == 0:
                del lots[slot]
                sides[at] -= 1
    ends: list[dict[int, int]] = [{}, {}]
    for side, ticks, size in lots.values():
        level = ends[int(side != BID)]
        level[ticks] = level.get(ticks, 0) + size
    bids, asks = ([[ticks, end[ticks]] for ticks in sorted(end)] for end in ends)
    return bids, asks, most


def run_jaxlob(messages: NDArray[np.int32], runs: int) -> dict[str, Any]:
    """The peer's report."""
    with tempfile.TemporaryDirectory() as name:
        feed = Path(name) / "messages.npz"
        np.savez(feed, messages=messages)
        command = [peer_python(), FOLDER / "jaxlob_replay.py", feed]
        command += ["--runs", str(runs), "--orders", str(ROOM)]
        alone = os.environ | {"JAX_PLATFORMS": "cpu"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=alone)
        if done.returncode:
            raise SystemExit(f"peers: JAX-LOB failed\n{done.stderr}")
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return report


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that both have their turn")
    parser.add_argument("--runs", type=int, default=2, help="replays of the peer in a turn")
    args = parser.parse_args()
    rows = make_rows()  # compiles
    messages = peer_messages(rows)
    bids, asks, most = book_of(rows)
    ours: list[float] = []
    theirs: list[float] = []
    ratios, agree = [], True
    for _ in range(args.rounds):
        peer = run_jaxlob(messages, args.runs)
        agree &= peer["bids"] == bids and peer["asks"] == asks
        turn: list[float] = []
        while sum(turn) < sum(peer["seconds"]):
            turn.append(seconds_of(make_rows))
        ours += turn
        theirs += peer["seconds"]
        ratios.append(digits(median(peer["seconds"]) / median(turn), 3))
    return announce(
        "simulator_jaxlob",
        median(theirs) / median(ours),
        "times JAX-LOB's messages/s",
        BAR,
        provided=agree and most <= ROOM,
        messages=len(messages),
        most_orders_a_side=most,
        same_book=agree,
        our_messages_per_s=round(len(messages) / median(ours)),
        their_messages_per_s=round(len(messages) / median(theirs)),
        ratio_by_round=ratios,
        rounds=args.rounds,
        peer=peer["peer"],
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
