"""Which executions are of one market order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.market.events import EXECUTE, HIDDEN, TRADE, Events


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
    at = first + np.flatnonzero(np.isin(kind, (EXECUTE, HIDDEN, TRADE)) & (side != 0))
    begins = np.ones(len(at), np.bool_)
    begins[1:] = (np.diff(events.ts[at]) != 0) | (np.diff(events.side[at]) != 0)
    return at, begins
