"""Shortfall of an order that is still worked, one number at a time, as kernels need it."""

from __future__ import annotations

from paceline.jit import inlined
from paceline.units import BPS


@inlined
def marked_bps(
    side: int, lots: int, arrival_twice_mid: int, paid: float, left: int, twice_mid: int
) -> float:
    """Shortfall in bps of arrival notional if what is left were done at the mid: what was paid
    (side * sum of lots * (price - arrival) + fees, tick lots) and what is left, both against
    arrival. With the mid at the end it is `shortfall` without its delay."""
    arrival = 0.5 * arrival_twice_mid
    moved = 0.5 * side * (twice_mid - arrival_twice_mid)
    return (paid + moved * left) / (arrival * lots) * BPS
