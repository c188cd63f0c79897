"""Counts over a rolling window, in buckets: the oldest bucket counts whole, so that a count is
never too small, and at most a thirty-first of the window too large."""

from __future__ import annotations

import numpy as np

from paceline.guard.snapshot import MISSING
from paceline.jit import inlined, inner, kernel

BUCKETS = 32

ROLLING_RECORD = np.dtype(
    [
        ("bucket_ns", np.int64),  # 0: no window is set, and no count known
        ("last", np.int64),  # bucket, counted from the epoch
        ("counts", np.int64, BUCKETS),
    ]
)


@kernel
def bucket_ns(window_ns: int) -> int:
    """A bucket so long that all but one cover the window; 0 without one."""
    return max(-(-window_ns // (BUCKETS - 1)), 0)


@inlined
def begin_counting(rolling: np.void, window_ns: int) -> None:
    """Nothing has happened in a window of this length."""
    rolling["bucket_ns"] = bucket_ns(window_ns)
    rolling["last"] = 0
    rolling["counts"][:] = 0


@inner
def count(rolling: np.void, ts: int, n: int) -> None:
    """`n` more at `ts`; what comes late counts with the last."""
    if rolling["bucket_ns"] == 0:
        return
    bucket = max(ts // rolling["bucket_ns"], rolling["last"])
    for later in range(max(rolling["last"] + 1, bucket - BUCKETS + 1), bucket + 1):
        rolling["counts"][later % BUCKETS] = 0
    rolling["last"] = bucket
    rolling["counts"][bucket % BUCKETS] += n


@inner
def counted(rolling: np.void, ts: int) -> int:
    """At least as many as in the window that ends at `ts`; MISSING without a window."""
    if rolling["bucket_ns"] == 0:
        return MISSING
    total, last = 0, rolling["last"]
    oldest = max(ts // rolling["bucket_ns"], last) - BUCKETS + 1
    for bucket in range(oldest, last + 1):
        total += rolling["counts"][bucket % BUCKETS]
    return total
