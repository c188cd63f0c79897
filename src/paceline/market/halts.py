"""When nobody could trade: breaks of the session and halts that a tape records."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.market.events import HALT, RESUME
from paceline.market.tape import Tape


def halts_of(tape: Tape) -> NDArray[np.int64]:
    """(start, end) of every time in which trading was stopped, in order `[n, 2]`, ns.

    The breaks of the session and the halts of the tape; those that touch or overlap are one. A halt
    that is not lifted lasts until the close, or the last event if that is later.
    """
    events = tape.events
    last = max(tape.session.close_ns, int(events.ts[-1]))
    spans = [list(pause) for pause in tape.session.breaks]
    since = -1
    for at in np.flatnonzero((events.kind == HALT) | (events.kind == RESUME)).tolist():
        ts = int(events.ts[at])
        if events.kind[at] == HALT:
            since = ts if since < 0 else since
        elif since >= 0:
            spans.append([since, ts])
            since = -1
    if since >= 0:
        spans.append([since, last])
    joined: list[list[int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return np.array(joined, np.int64).reshape(-1, 2)


def trades_at(tape: Tape, ts: int | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether anybody could trade at `ts` `[...]`: inside the session, in no break, in no halt.

    A stop begins at its first instant and is over at its last.
    """
    when = np.asarray(ts)
    trades = tape.session.trades_at(when)
    for start, end in halts_of(tape).tolist():
        trades = trades & ((when < start) | (when >= end))
    return trades


def trades_through(
    tape: Tape, start: NDArray[np.int64], end: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether anybody could trade from each `start` to its `end` without a stop `[n]`."""
    whole = tape.session.trades_at(start) & tape.session.trades_at(end)
    for stop, resume in halts_of(tape).tolist():
        whole = whole & ((end <= stop) | (start >= resume))
    return whole
