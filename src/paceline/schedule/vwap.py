"""VWAP: slices in proportion to the volume that earlier days traded at the same time of day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paceline.errors import InputError
from paceline.schedule.trajectory import Floats, Ints, check_slices, round_to_lots, slice_bounds


def target(qty_lots: npt.ArrayLike, weights: npt.ArrayLike) -> Ints:
    """Trajectory `[n, n_slices + 1]` in lots for `qty_lots` `[n]`.

    `weights`: `[n, n_slices]` or `[n_slices]`, expected volume of each slice in any unit, none
    negative, not all zero. Raises `InputError` otherwise.
    """
    volume = np.asarray(weights, dtype=np.float64)
    check_slices(volume.shape[-1] if volume.ndim else 0)
    if not np.all(np.isfinite(volume)) or np.any(volume < 0.0):
        raise InputError("weights: negative or not finite; give the volume expected in each slice")
    total = volume.sum(axis=-1, keepdims=True)
    if not np.all(total > 0.0):
        raise InputError("weights: all zero for some order; give volume to at least one slice")
    done = np.cumsum(volume / total, axis=-1)
    left = np.empty((*volume.shape[:-1], volume.shape[-1] + 1))
    left[..., 0], left[..., 1:] = 1.0, np.maximum(1.0 - done, 0.0)
    left[..., -1] = 0.0  # the last sum may miss 1 by a rounding error
    return round_to_lots(qty_lots, left)


class VolumeCurve(NamedTuple):
    """Share of a day's volume that has traded by a time of day."""

    edges_ns: Ints
    """`[b + 1]` nanoseconds since local midnight, rising."""
    traded: Floats
    """`[b + 1]` share of the day's volume traded by that edge: from 0, never falling, to 1."""
    days: tuple[date, ...]
    """The days it was made of, all before the trading date; empty for a uniform curve."""

    def is_quiet(self, start_ns: npt.ArrayLike, end_ns: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """`[n]` whether nothing ever traded in `[start_ns, end_ns]`."""
        first, last = (
            np.interp(np.asarray(ns, dtype=np.int64), self.edges_ns, self.traded)
            for ns in (start_ns, end_ns)
        )
        return np.asarray(last - first <= 0.0)

    def weights(
        self,
        start_ns: npt.ArrayLike,
        end_ns: npt.ArrayLike,
        n_slices: int,
        *,
        even_where_quiet: bool = False,
    ) -> Floats:
        """`[n, n_slices]` share of the day's volume in each slice of `[start_ns, end_ns]`.

        Times are nanoseconds since local midnight, `[n]`. Inside a bin, volume is taken as even.
        Raises `InputError` for a time outside the curve or an interval without any volume; with
        `even_where_quiet` such an interval has the same weight in every slice.
        """
        bounds = slice_bounds(start_ns, end_ns, n_slices)
        outside = (bounds[:, 0] < self.edges_ns[0]) | (bounds[:, -1] > self.edges_ns[-1])
        if outside.any():
            raise InputError(
                f"start_ns: order {int(np.argmax(outside))} leaves the volume curve; "
                "keep it inside the session"
            )
        volume = np.diff(np.interp(bounds, self.edges_ns, self.traded))
        empty = ~np.any(volume > 0.0, axis=1)
        if even_where_quiet:
            volume[empty] = 1.0
        elif empty.any():
            raise InputError(
                f"start_ns: nothing ever traded in the interval of order {int(np.argmax(empty))}; "
                "choose another time, more days or a uniform curve"
            )
        return volume


def volume_curve(
    days: Sequence[date],
    edges_ns: npt.ArrayLike,
    cumulative: npt.ArrayLike,
    trading_date: date,
    *,
    uniform_without_days: bool = False,
) -> VolumeCurve:
    """The curve that may be known on the morning of `trading_date`.

    Args:
        days: `[d]` dates of the rows of `cumulative`, in any order.
        edges_ns: `[b + 1]` bin edges in ns since local midnight, rising.
        cumulative: `[d, b + 1]` volume traded by each edge, from 0, never falling.
        trading_date: only rows of days *strictly before* it are used; the others are not looked
            at, so a curve does not change when later days are added.
        uniform_without_days: give volume even in time when no earlier day is there, instead of
            raising `InputError`.

    Each day counts the same, however much it traded: the curve is the mean of the days' shares.
    A shortened session bends it, so leave such days out.
    """
    edges = np.asarray(edges_ns, dtype=np.int64)
    if edges.ndim != 1 or len(edges) < 2 or np.any(np.diff(edges) <= 0):
        raise InputError("edges_ns: not two or more rising times; give the edges of the bins")
    volume = np.asarray(cumulative, dtype=np.float64)
    if volume.shape != (len(days), len(edges)) and len(days):
        raise InputError(
            f"cumulative: shape {volume.shape}; give {len(days)} days by {len(edges)} edges"
        )
    if len(set(days)) != len(days):
        raise InputError("days: a date appears twice; give each day once")
    earlier = sorted((day, row) for row, day in enumerate(days) if day < trading_date)
    if not earlier:
        if not uniform_without_days:
            raise InputError(
                f"days: none before {trading_date}; give earlier days or ask for a uniform curve"
            )
        return VolumeCurve(edges, (edges - edges[0]) / (edges[-1] - edges[0]), ())
    known = volume[[row for _, row in earlier]]
    for (day, _), row in zip(earlier, known, strict=True):
        if row[0] != 0.0 or not np.all(np.diff(row) >= 0.0) or not 0.0 < row[-1] < np.inf:
            raise InputError(
                f"cumulative: {day} does not rise from 0 to its volume; leave that day out"
            )
    traded = np.mean(known / known[:, -1:], axis=0)
    traded[-1] = 1.0
    return VolumeCurve(edges, traded, tuple(day for day, _ in earlier))
