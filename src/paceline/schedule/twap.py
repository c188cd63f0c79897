"""TWAP: the same quantity in every slice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paceline.schedule.trajectory import Floats, Ints, check_slices, round_to_lots


def target(qty_lots: npt.ArrayLike, n_slices: int) -> Ints:
    """Trajectory `[n, n_slices + 1]` in lots for `qty_lots` `[n]`, evenly in time."""
    return round_to_lots(qty_lots, left(n_slices))


def left(n_slices: int) -> Floats:
    """`[n_slices + 1]` share still to trade at each boundary: 1, 1 - 1/n, ..., 0."""
    check_slices(n_slices)
    return np.arange(n_slices, -1, -1, dtype=np.float64) / n_slices
