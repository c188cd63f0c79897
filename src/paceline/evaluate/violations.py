"""Limits that were broken: counted afterwards, on what reached the venue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.env.working import Log


def broken_limits(parents: NDArray[np.void], log: Log) -> NDArray[np.int64]:
    """`[n]` for each parent order: fills beyond its own price limit, a filled quantity beyond its
    size, and child orders above the largest one that it allows.

    The worker and the guard keep these limits; this counts what came of it.
    """
    n = len(parents)
    whose, ticks = parents[log.fill_parent], log.fills["ticks"]
    beyond = ((ticks < whose["band_low"]) & (whose["side"] < 0)) | (
        (ticks > whose["band_high"]) & (whose["side"] > 0)
    )
    filled = np.bincount(log.fill_parent, log.fills["lots"], minlength=n)
    too_large = log.orders["lots"] > parents["child_max"][log.order_parent]
    broken = np.bincount(log.fill_parent[beyond], minlength=n)
    broken += np.bincount(log.order_parent[too_large], minlength=n)
    return np.asarray(broken + (filled > parents["lots"]), dtype=np.int64)
