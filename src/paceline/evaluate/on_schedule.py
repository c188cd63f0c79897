"""The price of having traded exactly as Almgren-Chriss meant to: a benchmark free of spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.cost.measures import trajectory_px
from paceline.env.history import Lesson
from paceline.env.policies import Urgency, ac_targets
from paceline.errors import InputError
from paceline.market.tape import Tape
from paceline.schedule.trajectory import slice_bounds


def ac_px(
    tape: Tape, lesson: Lesson, parents: NDArray[np.void], urgency: Urgency, n_slices: int
) -> NDArray[np.float64]:
    """`[n]` average mid of the Almgren-Chriss trajectory of each parent order, in ticks.

    Every slice counts with the time-average mid of its own span, weighted by what the trajectory
    trades in it. NaN where a slice that trades never has a mid, and for all orders where there is
    no trajectory (lambda without an impact fit).
    """
    try:
        left = ac_targets(parents, n_slices, lesson, urgency)
    except InputError:
        return np.full(len(parents), np.nan)
    bounds = slice_bounds(parents["start_ts"], parents["end_ts"], n_slices)
    return trajectory_px(left, time_average(tape.events.ts, tape.mid_ticks(), bounds))


def time_average(
    ts: NDArray[np.int64], values: NDArray[np.float64], bounds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """`[n, k]` time-average of a step function between `bounds` `[n, k + 1]`, ns.

    `values` `[t]` holds from its `ts` until the next. Spans where it is NaN do not count; NaN where
    it is never known.
    """
    if not len(ts):
        return np.full((bounds.shape[0], bounds.shape[1] - 1), np.nan)
    known = ~np.isnan(values)
    held = np.diff(ts, append=ts[-1])
    # Around a value of its own, so that the sum of a day keeps its digits.
    centre = float(values[known][0]) if known.any() else 0.0
    excess = np.where(known, values - centre, 0.0)
    area = np.concatenate([[0.0], np.cumsum(excess * held)])
    time = np.concatenate([[0], np.cumsum(np.where(known, held, 0))])

    at = np.searchsorted(ts, bounds, side="right") - 1
    inside = at >= 0
    last = np.maximum(at, 0)
    since = np.where(inside & known[last], bounds - ts[last], 0)
    area_at = np.where(inside, area[last] + excess[last] * since, 0.0)
    time_at = np.where(inside, time[last] + since, 0)
    span = np.diff(time_at, axis=1)
    mean = np.full(span.shape, np.nan)
    np.divide(np.diff(area_at, axis=1), span, out=mean, where=span > 0)
    return centre + mean
