"""Doors from Python to kernels that other kernels call too.

For records of forty arrays a door takes longer to compile than most of what is behind it. So those
kernels have none, and who comes from Python opens one here.
"""

from __future__ import annotations

from paceline.engine import messages, replay
from paceline.engine.messages import Floor
from paceline.jit import kernel
from paceline.market.compiler import Images


@kernel
def seek(floor: replay.Floor, images: Images, ts: int, seed: int) -> None:
    """See `replay.seek`."""
    replay.seek(floor, images, ts, seed)


@kernel
def advance(floor: replay.Floor, until: int) -> None:
    """See `replay.advance`."""
    replay.advance(floor, until)


@kernel
def submit(
    floor: Floor, side: int, type_: int, ticks: int, lots: int, ttl_ns: int, tag: int, ts: int
) -> int:
    """See `messages.submit`."""
    return messages.submit(floor, side, type_, ticks, lots, ttl_ns, tag, ts)


@kernel
def cancel(floor: Floor, k: int, ts: int) -> bool:
    """See `messages.cancel`."""
    return messages.cancel(floor, k, ts)


@kernel
def replace(floor: Floor, k: int, type_: int, ticks: int, lots: int, ts: int) -> bool:
    """See `messages.replace`."""
    return messages.replace(floor, k, type_, ticks, lots, ts)
