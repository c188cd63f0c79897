"""Implementation shortfall, the one definition of cost.

Perold, "The Implementation Shortfall: Paper versus Reality", J. Portfolio Management 14 (1988):
what the decision was worth on paper, less what it was worth in the end. With side s, quantity Q,
decision price d, arrival price a, end price e, and fills of q_i lots at p_i with fees f_i:

    delay       = s (a - d) Q                   the market moved before the order was worked
    trading     = s sum q_i (p_i - a)           what was traded, against the arrival price
    opportunity = s (e - a) (Q - sum q_i)       what was not traded, and is now worth e
    fees        = sum f_i                       negative when rebates prevail

    IS = delay + trading + opportunity + fees

in basis points of the arrival notional a Q, positive when bad, for both sides. Delay is charged on
the whole order: no part of it could trade before arrival, so each part of the sum has its own
stretch of time or its own shares.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paceline.errors import InputError
from paceline.units import BPS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Shortfall(NamedTuple):
    """Cost of n parent orders. `shortfall_bps` is `((delay + trading) + opportunity) + fees`, bit
    for bit."""

    shortfall_bps: Floats
    """`[n]` IS."""
    delay_bps: Floats
    """`[n]` From decision to arrival, on the whole quantity."""
    trading_bps: Floats
    """`[n]` Fills against arrival. An order without fills traded no shares: 0 of them cost 0."""
    opportunity_bps: Floats
    """`[n]` What is left, at the end price; 0 when nothing is left."""
    fees_bps: Floats
    """`[n]` Fees less rebates."""
    filled_lots: Ints
    """`[n]` Lots filled."""
    avg_px: Floats
    """`[n]` Average fill price, ticks; NaN without fills."""


def shortfall(
    side: npt.ArrayLike,
    qty_lots: npt.ArrayLike,
    decision_px: npt.ArrayLike,
    arrival_px: npt.ArrayLike,
    end_px: npt.ArrayLike,
    fill_parent: npt.ArrayLike,
    fill_px: npt.ArrayLike,
    fill_lots: npt.ArrayLike,
    fill_fee: npt.ArrayLike,
) -> Shortfall:
    """Shortfall of n parent orders from their m fills, in any order.

    Args:
        side: `[n]` +1 buy, -1 sell.
        qty_lots: `[n]` lots to trade.
        decision_px: `[n]` mid when the decision was taken, ticks; `arrival_px` where they coincide.
        arrival_px: `[n]` mid when the order became active, ticks.
        end_px: `[n]` mid at the horizon end, ticks; may be NaN where everything was filled.
        fill_parent: `[m]` index of the parent order of each fill.
        fill_px: `[m]` ticks; halves and modelled impact are fine.
        fill_lots: `[m]` lots, positive.
        fill_fee: `[m]` fee of the fill in tick lots, negative for a rebate.

    Raises `InputError` for a price that is needed and missing, a parent order filled beyond its
    quantity, and a fill without a parent, a price or a size.
    """
    sign, qty = _parents(side, qty_lots)
    n = len(qty)
    decision = _prices(decision_px, n, "decision_px")
    arrival = _prices(arrival_px, n, "arrival_px")
    if np.any(arrival <= 0.0):
        raise InputError(
            f"arrival_px: {arrival[arrival <= 0.0][0]} is not positive; there is no notional"
        )
    parent, px, lots, fee = _fills(fill_parent, fill_px, fill_lots, fill_fee, n)

    filled = np.zeros(n, dtype=np.int64)
    np.add.at(filled, parent, lots)
    if np.any(filled > qty):
        worst = int(np.argmax(filled > qty))
        raise InputError(
            f"fill_lots: parent {worst} was filled {filled[worst]} of {qty[worst]} lots; "
            "give each fill once"
        )
    unfilled = qty - filled
    left = unfilled > 0
    end = np.where(left, _prices(end_px, n, "end_px", needed=left), arrival)

    # Differences before products: they are small, and exact for ticks and half ticks. Adding 0
    # turns the -0.0 of a sale that cost nothing into 0.0.
    per_bps = BPS / (arrival * qty)
    delay = sign * (arrival - decision) * qty * per_bps + 0.0
    paid = np.bincount(parent, lots * (px - arrival[parent]), minlength=n)
    trading = sign * paid * per_bps + 0.0
    opportunity = sign * (end - arrival) * unfilled * per_bps + 0.0
    fees = np.bincount(parent, fee, minlength=n) * per_bps
    return Shortfall(
        shortfall_bps=((delay + trading) + opportunity) + fees,
        delay_bps=delay,
        trading_bps=trading,
        opportunity_bps=opportunity,
        fees_bps=fees,
        filled_lots=filled,
        avg_px=arrival + np.divide(paid, filled, out=np.full(n, np.nan), where=filled > 0),
    )


def _parents(side: npt.ArrayLike, qty_lots: npt.ArrayLike) -> tuple[Floats, Ints]:
    sign = np.asarray(side)
    qty = _whole(qty_lots, "qty_lots")
    if sign.shape != qty.shape or qty.ndim != 1:
        raise InputError(f"side: shape {sign.shape} for {qty.shape} quantities; give [n] of each")
    if not np.all(np.abs(sign) == 1):
        raise InputError(f"side: {sign[np.abs(sign) != 1][0]} is not a side; give +1 or -1")
    if np.any(qty <= 0):
        raise InputError(f"qty_lots: {qty[qty <= 0][0]} is not positive; give whole lots above 0")
    return sign.astype(np.float64), qty


def _prices(
    px: npt.ArrayLike, n: int, field: str, needed: npt.NDArray[np.bool_] | None = None
) -> Floats:
    price = np.asarray(px, dtype=np.float64)
    if price.shape != (n,):
        raise InputError(f"{field}: shape {price.shape}; give one price for each of {n} orders")
    missing = ~np.isfinite(price) if needed is None else ~np.isfinite(price) & needed
    if missing.any():
        row = int(np.argmax(missing))
        raise InputError(f"{field}: {price[row]} for order {row}; give the mid in ticks")
    return price


def _fills(
    fill_parent: npt.ArrayLike,
    fill_px: npt.ArrayLike,
    fill_lots: npt.ArrayLike,
    fill_fee: npt.ArrayLike,
    n: int,
) -> tuple[Ints, Floats, Ints, Floats]:
    parent, lots = _whole(fill_parent, "fill_parent"), _whole(fill_lots, "fill_lots")
    px = np.asarray(fill_px, dtype=np.float64)
    fee = np.asarray(fill_fee, dtype=np.float64)
    if not parent.shape == lots.shape == px.shape == fee.shape or parent.ndim != 1:
        raise InputError("fill_parent: fills of different lengths; give [m] of each column")
    wrong = (parent < 0) | (parent >= n)
    if wrong.any():
        raise InputError(f"fill_parent: {parent[wrong][0]} is no parent; give 0 to {n - 1}")
    if np.any(lots <= 0):
        raise InputError(f"fill_lots: {lots[lots <= 0][0]} is not positive; no fill is no row")
    for field, values in (("fill_px", px), ("fill_fee", fee)):
        if not np.all(np.isfinite(values)):
            raise InputError(
                f"{field}: {values[~np.isfinite(values)][0]} is not finite; give ticks"
            )
    return parent, px, lots, fee


def _whole(values: npt.ArrayLike, field: str) -> Ints:
    array = np.asarray(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{field}: {array.dtype} values; give integers")
    return array.astype(np.int64)
