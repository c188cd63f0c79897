"""Somebody who listens to a simulated market: every row, as soon as market data brings it.

The market may already stand further on than what is seen of it, for a message of ours or a price
that costs are measured against. Rows that came since wait until they may be heard.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.jit import inlined
from paceline.market.watch import COUNTED, PRINT_RECORD, WATCH_RECORD, Watch, note

LATE_RECORD = np.dtype(
    [
        ("ts", np.int64),
        ("kind", np.int64),
        ("side", np.int64),
        ("ticks", np.int64),
        ("lots", np.int64),
        ("bid", np.int64),  # ticks after it
        ("ask", np.int64),
    ]
)


class Listener(NamedTuple):
    """A watch, and the rows that it may not hear yet."""

    watch: Watch
    late: NDArray[np.void]  # [a power of two] of LATE_RECORD, a ring; no room: nobody listens
    waits: NDArray[np.int64]  # [2] rows that have left the ring, and that have entered it


def nobody() -> Listener:
    """Nobody listens; it costs nothing."""
    watch = Watch(
        clock=np.zeros(0, WATCH_RECORD), cells=np.zeros((0, COUNTED), np.int64),
        sums=np.zeros((0, COUNTED), np.int64), prints=np.zeros(0, PRINT_RECORD),
    )  # fmt: skip
    return Listener(watch, np.zeros(0, LATE_RECORD), np.zeros(2, np.int64))


@inlined
def listens(listener: Listener) -> bool:
    """Whether anybody does."""
    return len(listener.late) > 0


@inlined
def hear_by(listener: Listener, seen: int) -> None:
    """Let the watch hear the rows up to and including `seen` that have waited."""
    late, waits = listener.late, listener.waits
    while waits[0] < waits[1]:
        row = late[waits[0] & (len(late) - 1)]
        if row["ts"] > seen:
            break
        note(
            listener.watch, row["ts"], row["kind"], row["side"], row["ticks"], row["lots"],
            row["bid"], row["ask"],
        )  # fmt: skip
        waits[0] += 1


@inlined
def overhear(
    listener: Listener,
    seen: int,
    ts: int,
    kind: int,
    side: int,
    ticks: int,
    lots: int,
    bid: int,
    ask: int,
) -> bool:
    """A row happens, and the best prices after it are `bid` and `ask`. The market is seen as it was
    at `seen`. False if there is no room for the row."""
    late, waits = listener.late, listener.waits
    hear_by(listener, seen)
    if ts <= seen:
        note(listener.watch, ts, kind, side, ticks, lots, bid, ask)
        return True
    if waits[1] - waits[0] == len(late):
        return False
    row = late[waits[1] & (len(late) - 1)]
    row["ts"], row["kind"], row["side"] = ts, kind, side
    row["ticks"], row["lots"] = ticks, lots
    row["bid"], row["ask"] = bid, ask
    waits[1] += 1
    return True
