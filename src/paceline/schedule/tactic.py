"""Tactics: how a slice is placed.

A schedule says how much should be left at each boundary; a tactic says at which price the child
order for it stands, and what becomes of it.

| placement | the slice's child order | at the end of the slice |
|---|---|---|
| cross | takes at once, up to the collar | what the collar stopped is due again |
| touch | rests at the best price of our side | what is left crosses |
| inside | rests one order tick better, if that does not cross | what is left crosses |
| mid | rests at the mid, rounded to our side | what is left crosses |

With `repeg_s` a resting order follows the market: every so many seconds it moves to where its
placement would put it now, and loses its place in the queue if that is another price.

Prices are ticks of the book; ours lie on the coarser order grid (`step` book ticks).
"""

from __future__ import annotations

import math
from enum import IntEnum

import msgspec

from paceline.errors import ConfigError
from paceline.jit import kernel
from paceline.units import BPS

CROSS = 0
TOUCH = 1
INSIDE = 2
MID = 3


class Placement(IntEnum):
    """Where the child order of a slice stands."""

    CROSS = CROSS
    TOUCH = TOUCH
    INSIDE = INSIDE
    MID = MID


class Tactic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How every slice of an order is placed."""

    placement: Placement = Placement.TOUCH
    """Where the child order stands."""
    repeg_s: float | None = None
    """Seconds between looks at whether it should move; None: it stays until the slice ends."""
    collar_bps: float = 100.0
    """Furthest that a crossing order goes through the touch, in basis points of the touch."""

    def __post_init__(self) -> None:
        if self.repeg_s is not None and not 0 < self.repeg_s < math.inf:
            raise ConfigError(f"tactic.repeg_s: {self.repeg_s!r} is not a positive time")
        if self.repeg_s is not None and self.placement == Placement.CROSS:
            raise ConfigError(
                "tactic.repeg_s: placement cross leaves nothing to move; leave it out"
            )
        if not 0 <= self.collar_bps <= BPS:
            raise ConfigError(f"tactic.collar_bps: {self.collar_bps!r} is not in 0 to {BPS:g}")


@kernel
def resting_ticks(placement: int, side: int, bid: int, ask: int, step: int) -> int:
    """Price of a resting order, in ticks on the order grid; never one that would cross.

    `bid` and `ask` are the touch. Rounding goes to our own side: a buy rests at or below what its
    placement means, a sell at or above.
    """
    own, other = (bid, ask) if side > 0 else (ask, bid)
    touch = _to_own_side(own, side, step)
    ticks = touch
    if placement == INSIDE:
        ticks = touch + side * step
    elif placement == MID:
        # Twice the mid, so that half a tick is whole.
        ticks = _to_own_side(bid + ask, side, 2 * step) // 2
    if side * (other - ticks) <= 0:
        return touch
    # A mid that rounds to behind the touch is the touch.
    return max(ticks, touch) if side > 0 else min(ticks, touch)


@kernel
def crossing_ticks(side: int, other: int, collar_bps: float, step: int) -> int:
    """Limit of an order that takes: the other side's touch and the collar, in ticks on the order
    grid, rounded so that the touch itself can always be taken."""
    limit = other + side * math.floor(other * collar_bps / 10_000.0)
    ticks = _to_own_side(limit, side, step)
    if side * (other - ticks) > 0:
        ticks += side * step
    return ticks


@kernel
def no_worse(side: int, ticks: int, bound: int) -> int:
    """`ticks`, or `bound` where that is better for us: a buy pays no more, a sell asks no less.

    Only the adverse side is bounded. Lifting a resting buy to the low end of a band would make it
    take when the market is cheapest.
    """
    return min(ticks, bound) if side > 0 else max(ticks, bound)


@kernel
def _to_own_side(ticks: int, side: int, step: int) -> int:
    """The grid price at `ticks` or next to it on our passive side: down for buys, up for sells."""
    if side > 0:
        return ticks // step * step
    return -(-ticks // step) * step
