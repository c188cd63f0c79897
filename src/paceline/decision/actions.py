"""Actions: what a policy may choose, as numbers from 0, and the child orders that they mean.

    grid = ActionGrid()                       # 4 sizes x 6 prices x 4 waits, and hold
    grid.table()                              # what kernels read
    grid.describe(17)                         # "post 1 behind, 0.5 % of what is left, wait 2 s"

An action says what should be working now, not what is added: `child` gives its type, price and
size, and who carries it out moves what already works there (`env.acting`). Action 0 is to hold:
leave alone what works, and look again after a while. It is always legal.
"""

from __future__ import annotations

from itertools import product
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from paceline.config import Field, Settings
from paceline.decision.state import NOWHERE, State
from paceline.errors import ConfigError
from paceline.guard.rules import IOC, LIMIT, MARKETABLE
from paceline.jit import inlined, kernel
from paceline.schedule.tactic import INSIDE, MID, TOUCH, crossing_ticks, resting_ticks
from paceline.units import NS_PER_S

HOLD, POST, TAKE, TAKE_AND_REST = range(4)
"""What an action does: nothing; rest; take what is there, the rest is cancelled; or rests."""

MOST_CHOICES = 16
"""Prices, and sizes, that a grid may have: the mask has room for no more."""

Price = Literal[
    "behind_2", "behind_1", "touch", "inside", "mid", "take", "take_1", "take_2", "marketable"
]
"""Where a child order stands: order steps behind our touch, at it, one step inside the spread, at
the mid; or it takes, at the other touch or up to so many steps through it. `marketable` takes at
the other touch, and what it cannot take rests there."""

_MEANS: dict[str, tuple[int, int, int]] = {
    "behind_2": (POST, TOUCH, -2), "behind_1": (POST, TOUCH, -1), "touch": (POST, TOUCH, 0),
    "inside": (POST, INSIDE, 0), "mid": (POST, MID, 0), "take": (TAKE, TOUCH, 0),
    "take_1": (TAKE, TOUCH, 1), "take_2": (TAKE, TOUCH, 2), "marketable": (TAKE_AND_REST, TOUCH, 0),
}  # fmt: skip
"""What it does, the placement, and order steps from there towards the other side."""

_SAID = {
    "behind_2": "post 2 behind the touch", "behind_1": "post 1 behind the touch",
    "touch": "post at the touch", "inside": "post 1 inside", "mid": "post at the mid",
    "take": "take at the other touch", "take_1": "take up to 1 through it",
    "take_2": "take up to 2 through it", "marketable": "take at the other touch, rest there",
}  # fmt: skip

ACTION_RECORD = np.dtype(
    [
        ("does", np.int64),
        ("placement", np.int64),  # see `schedule.tactic`
        ("steps", np.int64),  # from there towards the other side
        ("share", np.float64),  # size
        ("of_adv", np.int64),  # 1: of average daily volume, 0: of lots left
        ("wait_ns", np.int64),  # until the next decision; 0: until the next event
        ("price", np.int64),  # index into the prices of the grid, -1 for hold
        ("size", np.int64),  # index into its sizes, -1 for hold
    ]
)


class ActionGrid(Settings, frozen=True, kw_only=True):
    """Sizes, prices and waits, of which every combination is an action."""

    sizes: Annotated[
        tuple[Annotated[float, Meta(gt=0, le=1)], ...], Field("Sizes of a child order.", "share")
    ] = (0.0025, 0.005, 0.01, 0.02)
    size_of: Annotated[
        Literal["left", "adv"], Field("What sizes are shares of: lots left, or daily volume.", "")
    ] = "left"
    prices: Annotated[tuple[Price, ...], Field("Where it stands.", "")] = (
        "behind_2", "behind_1", "touch", "take", "take_1", "take_2",
    )  # fmt: skip
    waits_s: Annotated[
        tuple[Annotated[float, Meta(ge=0, le=3600)], ...],
        Field("Until the next decision; 0 is until the next event.", "s"),
    ] = (0.0, 2.0, 5.0, 10.0)
    hold_s: Annotated[
        Annotated[float, Meta(gt=0, le=3600)], Field("How long a hold waits.", "s")
    ] = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sizes", "prices", "waits_s"):
            values = getattr(self, name)
            if not values or len(set(values)) != len(values):
                raise ConfigError(
                    f"{name}: {', '.join(map(str, values)) or 'nothing'} is given; give at least "
                    "one value, each once"
                )
        if len(self.sizes) > MOST_CHOICES:
            raise ConfigError(f"sizes: {len(self.sizes)} are given; give {MOST_CHOICES} at most")

    def __len__(self) -> int:
        return 1 + len(self.sizes) * len(self.prices) * len(self.waits_s)

    def index(self, size: int, price: int, wait: int) -> int:
        """The action of the size, price and wait with these places in the grid."""
        return 1 + (price * len(self.sizes) + size) * len(self.waits_s) + wait

    def table(self) -> NDArray[np.void]:
        """`[n]` of ACTION_RECORD."""
        table = np.zeros(len(self), ACTION_RECORD)
        table[0]["wait_ns"] = round(self.hold_s * NS_PER_S)
        table[0]["price"] = table[0]["size"] = -1
        combined = product(enumerate(self.prices), enumerate(self.sizes), self.waits_s)
        for k, ((price, name), (size, share), wait_s) in enumerate(combined, 1):
            does, placement, steps = _MEANS[name]
            table[k] = (
                does, placement, steps, share, self.size_of == "adv", round(wait_s * NS_PER_S),
                price, size,
            )  # fmt: skip
        return table

    def describe(self, action: int) -> str:
        """An action in words. Raises `ConfigError` for one that is none."""
        if not 0 <= action < len(self):
            raise ConfigError(f"action: {action} is none; give 0 to {len(self) - 1}")
        if action == 0:
            return f"hold for {self.hold_s:g} s"
        price, rest = divmod(action - 1, len(self.sizes) * len(self.waits_s))
        size, wait = divmod(rest, len(self.waits_s))
        of = "what is left" if self.size_of == "left" else "daily volume"
        wait_s = self.waits_s[wait]
        then = f"wait {wait_s:g} s" if wait_s else "look at the next event"
        return f"{_SAID[self.prices[price]]}, {100 * self.sizes[size]:g} % of {of}, {then}"


EXTENDED = ActionGrid(
    prices=(
        "behind_2", "behind_1", "touch", "inside", "mid", "take", "take_1", "take_2", "marketable",
    )
)  # fmt: skip
"""Also inside the spread, which matters where it is several ticks wide."""


@inlined
def child_type(action: np.void) -> int:
    """Type of the child order."""
    if action["does"] == TAKE:
        return IOC
    return MARKETABLE if action["does"] == TAKE_AND_REST else LIMIT


@kernel
def child_ticks(state: State, action: np.void) -> int:
    """Price of the child order that an action means; NOWHERE if a touch it needs is not there."""
    side, step = state.order[0]["side"], state.context[0]["order_step"]
    if state.sizes[0, 0] == 0 or state.sizes[1, 0] == 0 or action["does"] == HOLD:
        return NOWHERE
    bid, ask = state.ticks[0, 0], state.ticks[1, 0]
    if action["does"] == POST:
        ticks = resting_ticks(action["placement"], side, bid, ask, step)
    else:
        ticks = crossing_ticks(side, ask if side > 0 else bid, 0.0, step)
    return int(ticks + side * action["steps"] * step)


@kernel
def child_lots(state: State, action: np.void) -> int:
    """Size of the child order that an action means: at least a lot, at most what is left."""
    order, context = state.order[0], state.context[0]
    whole = context["adv_lots"] if action["of_adv"] else float(order["left"])
    if not whole > 0.0:  # NaN, too
        return 0
    return int(min(max(round(action["share"] * whole), 1), order["left"]))


@kernel
def mean_child(
    state: State, type_: int, ticks: int, lots: int, wait_ns: int, action: np.void
) -> bool:
    """Make `action` mean the child order of this type, price (on the order grid) and size, and wait
    so long; False, and a hold, where a touch that prices are told from is not there."""
    order, step = state.order[0], state.context[0]["order_step"]
    action["does"] = POST if type_ == LIMIT else TAKE if type_ == IOC else TAKE_AND_REST
    action["placement"], action["steps"], action["of_adv"] = TOUCH, 0, 0
    action["share"] = lots / order["left"]
    action["wait_ns"] = wait_ns
    action["price"] = action["size"] = -1
    touch = child_ticks(state, action)
    if touch == NOWHERE:
        action["does"] = HOLD
        return False
    action["steps"] = order["side"] * (ticks - touch) // step
    return True
