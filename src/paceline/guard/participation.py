"""How much of the volume may be ours, in integers: a lot too many is a breach."""

from __future__ import annotations

from paceline.guard.limits import UNLIMITED
from paceline.jit import inlined, kernel

PPM = 1_000_000
"""Parts in one."""
MOST_VOLUME = 2**42
"""Lots; more volume than that allows no more. Its product with PPM is an int64."""


@kernel
def allowed_lots(ppm: int, others_lots: int) -> int:
    """Most lots that may be ours when others traded `others_lots`, not negative: the largest `own`
    with `own / (own + others) <= ppm / 1e6`. A share of one is always kept."""
    if ppm >= PPM:
        return UNLIMITED
    return ppm * min(others_lots, MOST_VOLUME) // (PPM - ppm)


@inlined
def room_lots(ppm: int, window_ns: int, others_lots: int, own_lots: int) -> int:
    """What a participation limit leaves when `own_lots` filled in the window or work; all of it
    blocks (a negative room) when limit, window or volume is not known."""
    if ppm == UNLIMITED:
        return UNLIMITED
    if ppm < 0 or window_ns <= 0 or others_lots < 0 or own_lots < 0:
        return -UNLIMITED
    return allowed_lots(ppm, others_lots) - own_lots
