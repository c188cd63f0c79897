"""Actions as two numbers, a size and a price, for what learns to choose from a continuum.

    box = ActionBox(behind=2, through=2, wait_s=2)
    env = BatchExecutionEnv(pool, 1024, grid=box)     # Box([0, -1], [1, 1])

As an action of the grid does, one of these says what should be working now. The *fraction* is of
what is left, rounded to lots; where that is none it is a hold, which leaves alone what works. The
*offset* counts order steps from our touch:

    -1   `behind` steps behind it
     0   at it
    +1   `through` steps through the far touch

In between it is rounded to the nearest step, below 0 of those `behind`, above 0 of those from our
touch to the far one and `through` it. A price that reaches the far touch takes, and what it cannot
take is cancelled; any other rests.

What breaks a limit becomes the nearest child order that does not: the price falls back to the
band, or to where it rests while nothing may take; the size is cut to the room there is. Where
nothing is left, or no order may go at all, it is a hold. The rules are the guard's, and the same
that mask the actions of a grid.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from paceline.config import Field, Settings
from paceline.decision.actions import ACTION_RECORD, HOLD, POST, TAKE
from paceline.decision.mask import NO_PRICE, sending, size_reasons, there, worth_reasons
from paceline.decision.state import State
from paceline.guard.bounds import Bounds, bounds
from paceline.guard.limits import MOST_TICKS
from paceline.guard.rules import IOC, LIMIT, price_reasons
from paceline.jit import inlined, inner, kernel
from paceline.schedule.tactic import TOUCH, crossing_ticks, resting_ticks
from paceline.units import NS_PER_S

LOWEST, HIGHEST = (0.0, -1.0), (1.0, 1.0)
"""Fraction and offset."""


class Scale(NamedTuple):
    """An `ActionBox` as kernels read it."""

    behind: int
    through: int
    wait_ns: int


class ActionBox(Settings, frozen=True, kw_only=True):
    """What the two numbers of a continuous action mean."""

    behind: Annotated[
        Annotated[int, Meta(ge=0, le=1000)],
        Field("Order steps behind our touch that an offset of -1 stands.", "order steps"),
    ] = 2
    through: Annotated[
        Annotated[int, Meta(ge=0, le=1000)],
        Field("Order steps through the far touch that an offset of 1 takes up to.", "order steps"),
    ] = 2
    wait_s: Annotated[
        Annotated[float, Meta(ge=0.001, le=3600)], Field("Until the next decision.", "s")
    ] = 2.0

    def scale(self) -> Scale:
        """What kernels read."""
        return Scale(self.behind, self.through, round(self.wait_s * NS_PER_S))

    def describe(self, fraction: float, offset: float) -> str:
        """An action in words."""
        return f"{100 * fraction:g} % of what is left, at offset {offset:g}, wait {self.wait_s:g} s"

    def table(self) -> NDArray[np.void]:
        """`[1]` of ACTION_RECORD: the hold, which is all that can be listed."""
        table = np.zeros(1, ACTION_RECORD)
        table["wait_ns"] = self.scale().wait_ns
        table["price"] = table["size"] = -1
        return table


@kernel
def aim(
    state: State,
    limits: np.void,
    snapshot: np.void,
    may_send: bool,
    scale: Scale,
    fraction: float,
    offset: float,
    action: np.void,
) -> int:
    """Write into `action`, a row of ACTION_RECORD, the legal one that is nearest to a fraction and
    an offset; returns the reasons against the one that was asked for, 0 if it is that one.

    `limits` and `snapshot` are rows of the guard's records; `may_send` says that the account has
    room.
    """
    _hold(scale, action)
    order = state.order[0]
    left, side = order["left"], order["side"]
    lots = min(math.floor(fraction * left + 0.5), left)
    if lots < 1:
        return 0
    if state.sizes[0, 0] == 0 or state.sizes[1, 0] == 0:
        return NO_PRICE
    step = state.context[0]["order_step"]
    near, far = _touches(state, side, step)
    ticks = near + side * _steps(scale, offset, max(side * (far - near) // step, 0)) * step
    ticks = max(ticks, step)  # there is no price below
    bound = bounds(limits, snapshot)
    may = sending(bound, order, may_send)
    broken = _against(bound, snapshot, order, may, ticks, lots)
    if broken != 0:
        ticks = _nearest_ticks(bound, ticks)
        lots = _most_lots(bound, order, may, ticks, lots)
        if lots < 1 or _against(bound, snapshot, order, may, ticks, lots) != 0:
            return broken
    takes = side * ticks >= bound.touch
    action["does"] = TAKE if takes else POST
    action["steps"] = side * (ticks - (far if takes else near)) // step
    action["share"] = lots / left
    return broken


@inlined
def _hold(scale: Scale, action: np.void) -> None:
    action["does"], action["placement"], action["steps"] = HOLD, TOUCH, 0
    action["share"], action["of_adv"], action["wait_ns"] = 0.0, 0, scale.wait_ns
    action["price"] = action["size"] = -1


@inlined
def _touches(state: State, side: int, step: int) -> tuple[int, int]:
    """Our touch and the far one, on the grid of orders."""
    bid, ask = state.ticks[0, 0], state.ticks[1, 0]
    near = resting_ticks(TOUCH, side, bid, ask, step)
    return near, crossing_ticks(side, ask if side > 0 else bid, 0.0, step)


@inlined
def _steps(scale: Scale, offset: float, spread: int) -> int:
    """Order steps from our touch, positive towards the other side, which is `spread` away."""
    most = spread + scale.through if offset > 0.0 else scale.behind
    steps = math.floor(abs(offset) * most + 0.5)
    return steps if offset > 0.0 else -steps


@inner
def _against(
    bound: Bounds, snapshot: np.void, order: np.void, may: tuple[int, int], ticks: int, lots: int
) -> int:
    """Reasons against making `lots` work at `ticks`; `may` are those whatever price and size."""
    if not 0 < ticks <= MOST_TICKS:
        return NO_PRICE
    type_ = _type_at(bound, ticks)
    rests = there(order, type_, ticks)
    bits, moved, more = size_reasons(bound, order, may, rests, lots)
    return int(
        bits
        | price_reasons(bound, type_, ticks)
        | worth_reasons(bound, snapshot, ticks, moved, more)
    )


@inlined
def _type_at(bound: Bounds, ticks: int) -> int:
    return IOC if bound.side * ticks >= bound.touch else LIMIT


@inlined
def _nearest_ticks(bound: Bounds, ticks: int) -> int:
    """The costliest price up to `ticks` that no rule on prices is against; none may be left, and
    then it is no price."""
    cost = min(bound.side * ticks, bound.band, bound.move, bound.own - 1)
    if bound.taking != 0:
        cost = min(cost, bound.touch - 1)
    return int(bound.side * (cost // bound.order_step * bound.order_step))


@inlined
def _most_lots(bound: Bounds, order: np.void, may: tuple[int, int], ticks: int, lots: int) -> int:
    """`lots`, cut to what all rules on sizes leave: of what a replace moves, and of what is new."""
    if ticks <= 0:
        return 0
    room = min(
        bound.inventory, bound.participation, bound.symbol_participation, bound.position,
        bound.working, bound.ahead, bound.covered, bound.reducing,
    )  # fmt: skip
    most = min(bound.child, bound.quantity, bound.value // ticks)
    rests = there(order, _type_at(bound, ticks), ticks)
    kept = order["work_lots"] if rests else order["move_lots"]
    wanted = min(lots - kept, order["left"] - order["working"])
    more = min(wanted, most, room) if may[1] == 0 else 0
    if rests and more > 0:
        return int(kept + more)
    moved = 0
    if kept > 0 and may[0] == 0:
        several = rests and kept != order["move_lots"]
        moved = min(lots, kept) if several else min(lots, kept, most, kept + room)
    if moved < kept or lots <= kept or rests:
        return int(moved)
    # Nothing is cut where no more is sent, nor what is sent.
    return int(lots if more == wanted or (wanted <= 0 and kept > 0) else kept + max(more, 0))
