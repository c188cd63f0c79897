"""Executions: which rows are some, which are of one market order, and what they would be as
cancels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.jit import kernel
from paceline.market.events import (
    ADD,
    DELETE,
    EXECUTE,
    HIDDEN,
    REDUCE,
    SEED,
    TRADE,
    UNSEEN,
    Events,
)

_TRADES = np.zeros(256, np.bool_)
_TRADES[[EXECUTE, HIDDEN, TRADE]] = True


def are_trades(kind: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which rows of kinds `[n]` are trades of the continuous market: of orders that were shown or
    hidden, or prints. Those of auctions are not."""
    found: NDArray[np.bool_] = _TRADES[kind]  # several times as fast as `np.isin`
    return found


def executions(
    events: Events, first: int = 0, stop: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rows `[k]` from `first` to before `stop` in which somebody took, and which of them begin a
    market order.

    Executions of one side at one instant, with no execution of the other side between them, are
    one market order that met several resting orders. (Two orders that the clock cannot tell apart
    become one too; a clock of milliseconds makes a few such.) Prints without a side are left out.
    """
    kind, side = events.kind[first:stop], events.side[first:stop]
    at = first + np.flatnonzero(are_trades(kind) & (side != 0))
    begins = np.ones(len(at), np.bool_)
    begins[1:] = (np.diff(events.ts[at]) != 0) | (np.diff(events.side[at]) != 0)
    return at, begins


def leaving(
    kind: NDArray[np.uint8], lots: NDArray[np.int64], slot: NDArray[np.int32]
) -> NDArray[np.uint8]:
    """Kinds `[n]` in which each EXECUTE is a cancel: DELETE where it takes the last lots of its
    order, else REDUCE."""
    kinds = kind.copy()
    _leave(kind, lots, slot, np.zeros(int(slot.max(initial=-1)) + 1, np.int64), kinds)
    return kinds


@kernel
def _leave(
    kind: NDArray[np.uint8],
    lots: NDArray[np.int64],
    slot: NDArray[np.int32],
    left: NDArray[np.int64],
    kinds: NDArray[np.uint8],
) -> None:
    for i in range(len(kind)):
        what, where = kind[i], slot[i]
        if where < 0:
            continue
        if what == ADD or what == SEED:
            left[where] = lots[i]
        elif what == REDUCE or what == DELETE or what == EXECUTE or what == UNSEEN:
            left[where] -= lots[i]
            if what == EXECUTE:
                kinds[i] = DELETE if left[where] == 0 else REDUCE
