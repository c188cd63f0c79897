"""Breaks of a session as events of its tape: trading stops, and comes back.

An exchange knows stops from HALT and RESUME rows. Written as such, an announced break needs no rule
of its own: orders are refused in it, nothing is filled, and the book stands.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.market.events import HALT, NO_SLOT, RESUME, Rows
from paceline.market.session import Session


def with_breaks(
    rows: Rows, origin: NDArray[np.int64], session: Session
) -> tuple[Rows, NDArray[np.int64]]:
    """`rows` and the raw row of each (`origin` `[n]`), with the stops of the session's breaks.

    A stop comes after the events of the break's first instant, the return before those of its last.
    A halt of the feed that is older than the break's end lasts until the feed lifts it; if the feed
    lets trading come back inside the break, it is stopped again.
    """
    for start, end in session.breaks:
        if rows.ts[-1] < start or rows.ts[0] > end:
            continue
        first = int(np.searchsorted(rows.ts, start, side="right"))
        last = int(np.searchsorted(rows.ts, end, side="left"))
        halted, returns = _state(rows.kind[:first]), []
        at = [] if halted else [(first, start, HALT)]
        for k in (first + np.flatnonzero(rows.kind[first:last] == RESUME)).tolist():
            returns.append((k + 1, int(rows.ts[k]), HALT))
        by_feed = _state(rows.kind[first:last], halted)
        at += returns
        if not by_feed:
            at.append((last, end, RESUME))
        rows, origin = _inserted(rows, origin, at)
    return rows, origin


def _state(kind: NDArray[np.uint8], halted: bool = False) -> bool:
    """Whether trading is halted after rows of these kinds."""
    said = kind[(kind == HALT) | (kind == RESUME)]
    return halted if len(said) == 0 else bool(said[-1] == HALT)


def _inserted(
    rows: Rows, origin: NDArray[np.int64], stops: list[tuple[int, int, int]]
) -> tuple[Rows, NDArray[np.int64]]:
    """`rows` with one more before each index of `stops`: (index, time, kind)."""
    at = np.array([index for index, _, _ in stops], np.int64)
    n = len(at)
    new = Rows(
        ts=np.array([ts for _, ts, _ in stops], np.int64),
        kind=np.array([kind for _, _, kind in stops], np.uint8),
        side=np.zeros(n, np.int8),
        ticks=np.zeros(n, np.int64),
        lots=np.zeros(n, np.int64),
        slot=np.full(n, NO_SLOT, np.int32),
    )
    joined = Rows._make(
        np.insert(getattr(rows, name), at, getattr(new, name)) for name in Rows._fields
    )
    return joined, np.insert(origin, at, origin[np.maximum(at - 1, 0)])
