"""What a schedule is: target inventory at the boundaries of its slices.

A trajectory is an int64 array `[n_orders, n_slices + 1]` of lots still to trade: it starts at the
whole quantity, never rises, and ends at 0. Side does not enter; it is the sign of the parent
order. Every schedule says in exact shares what should be left, and `round_to_lots` turns that into
lots. It is the only place that rounds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paceline.errors import InputError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LARGEST = 2**53
"""Lots that a float still counts one by one."""


def round_to_lots(qty_lots: npt.ArrayLike, left: npt.ArrayLike) -> Ints:
    """The trajectory nearest to exact shares.

    Args:
        qty_lots: `[n]` lots to trade, each at least 1.
        left: `[n, n_slices + 1]` or `[n_slices + 1]` share of the order still to trade at each
            boundary: from 1, never rising, to 0.

    Rounding what is *left*, and not each slice, keeps the error from adding up: at any boundary
    the target is within half a lot of its exact value, so a slice is within one lot of its own.
    An order of fewer lots than slices trades one lot in some slices and none in the others.
    """
    qty = _quantities(qty_lots)
    share = np.asarray(left, dtype=np.float64)
    if not (np.all(share[..., 0] == 1.0) and np.all(share[..., -1] == 0.0)):
        raise InputError("left: does not run from 1 to 0; give shares of the whole order")
    if not np.all(np.diff(share) <= 0.0):
        raise InputError("left: rises or is NaN; give shares that never rise")
    return np.rint(qty[:, None] * share).astype(np.int64)


def slice_bounds(start_ns: npt.ArrayLike, end_ns: npt.ArrayLike, n_slices: int) -> Ints:
    """`[n, n_slices + 1]` times of the slice boundaries, in ns, the first and last exact.

    Slices of one order differ by at most 1 ns. Raises `InputError` where end is not after start.
    """
    check_slices(n_slices)
    start = np.atleast_1d(np.asarray(start_ns, dtype=np.int64))
    span = np.atleast_1d(np.asarray(end_ns, dtype=np.int64)) - start
    if np.any(span <= 0):
        raise InputError(f"end_ns: order {int(np.argmax(span <= 0))} does not end after its start")
    j = np.arange(n_slices + 1, dtype=np.int64)
    whole, rest = np.divmod(span[:, None], np.int64(n_slices))  # span * j could overflow
    return np.asarray(start[:, None] + whole * j + rest * j // n_slices, dtype=np.int64)


def check_slices(n_slices: int) -> None:
    """Raises `InputError` unless there is at least one slice."""
    if isinstance(n_slices, bool) or n_slices != int(n_slices) or n_slices < 1:
        raise InputError(f"n_slices: {n_slices!r} is not a count; give 1 or more")


def _quantities(qty_lots: npt.ArrayLike) -> Ints:
    qty = np.atleast_1d(np.asarray(qty_lots))
    if not np.issubdtype(qty.dtype, np.integer) or qty.ndim != 1:
        raise InputError(f"qty_lots: {qty.dtype} of shape {qty.shape}; give integers of shape [n]")
    wrong = (qty < 1) | (qty > LARGEST)
    if wrong.any():
        raise InputError(f"qty_lots: {qty[wrong][0]} is out of range; give 1 to 2**53 lots")
    return qty.astype(np.int64)
