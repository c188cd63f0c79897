"""POV: stay at a share of the volume, by counting it.

With a rate of 10 %, ours should be 10 % of *all* volume, our own included: 1 lot of ours for every
9 of others. Volume counts once it has traded, so POV follows and never leads, and a market that
stands still keeps it from ending on time.

Rates are whole parts per million and the rule is the guard's, in integers: the float 0.1 * 90 / 0.9
may come out below 10, and a lot more or less at the limit is what a compliance desk calls a breach.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import numpy.typing as npt

from paceline.errors import InputError
from paceline.guard.participation import PPM, allowed_lots
from paceline.jit import kernel
from paceline.schedule.trajectory import Ints
from paceline.units import to_steps


def rate_ppm(rate: float) -> int:
    """`rate` in (0, 1) as parts per million; `InputError` when it is finer or out of range."""
    parts = to_steps(rate, Decimal("0.000001"), "rate")
    if not 0 < parts < PPM:
        raise InputError(f"rate: {rate} is not between 0 and 1; give the share of all volume")
    return parts


@kernel
def lots_due(ppm: int, qty_lots: int, others_lots: int, filled_lots: int, working_lots: int) -> int:
    """Lots to send now, never negative.

    Counted since the start of the parent order: `others_lots` traded in the market without us,
    `filled_lots` of our own; `working_lots` are ours and still in the book. What works counts as
    if filled, so that no sequence of fills can carry us above the rate. `qty_lots` is the order.
    """
    due = min(allowed_lots(ppm, others_lots), qty_lots) - filled_lots - working_lots
    return max(due, 0)


def target(qty_lots: npt.ArrayLike, others_lots: npt.ArrayLike, ppm: int) -> Ints:
    """What POV would leave at each boundary of a volume path that is already known, in lots.

    `qty_lots` `[n]`; `others_lots` `[n, k + 1]` or `[k + 1]` cumulative volume of others, from 0.
    Unlike a trajectory it ends above 0 where the market did not trade enough. For drawing and for
    comparison: nobody knows the path while trading.
    """
    others = np.asarray(others_lots, dtype=np.int64)
    if np.any(others[..., 0] != 0) or np.any(np.diff(others) < 0):
        raise InputError("others_lots: does not rise from 0; give cumulative volume")
    qty = np.atleast_1d(np.asarray(qty_lots, dtype=np.int64))[:, None]
    allowed = np.array([allowed_lots(ppm, int(lots)) for lots in others.flat], np.int64)
    return np.maximum(qty - allowed.reshape(others.shape), 0)
