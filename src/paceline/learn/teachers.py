"""Teachers: schedules and tactics told in the actions of a grid, with known exploration.

    teacher = Teacher("ac/mid", grid, explore=0.1)
    actions, propensity = teacher.act(seen, mask, dice)

A teacher keeps to a schedule as far as the grid lets it: it rests what will be due by its next
decision, and takes once it is further behind than its patience. With probability `explore` any
legal action is chosen instead, each as likely as another, so every action of a log has a known
probability, and none that is legal has none.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from paceline.decision.actions import TAKE, ActionGrid
from paceline.decision.chance import any_legal
from paceline.decision.schema import NAMES
from paceline.errors import ConfigError

Path = Literal["twap", "ac", "vwap", "all"]

_FORM = re.compile(
    r"(?P<path>twap|ac|vwap|all)(/(?P<price>[a-z_0-9]+)(/(?P<patience>[0-9.]+))?)?\Z"
)
_INVENTORY, _SECONDS, _DECISIONS = (
    NAMES.index(name) for name in ("inventory", "seconds_left", "decisions")
)
_BEHIND = {
    "twap": NAMES.index("behind_twap"), "ac": NAMES.index("behind_ac"),
    "all": NAMES.index("behind_ac"),
}  # fmt: skip
_VOLUME, _NO_VOLUME = NAMES.index("size_horizon"), NAMES.index("no size_horizon")
_LEAST = 1e-9


class Told(NamedTuple):
    """What a teacher did."""

    action: NDArray[np.int64]  # [n]
    propensity: NDArray[np.float32]  # [n] probability with which it was chosen


class Teaches(Protocol):
    """Who can be logged."""

    name: str

    def act(
        self, seen: NDArray[np.float32], mask: NDArray[np.bool_], dice: np.random.Generator
    ) -> Told:
        """Actions for what is `seen` `[n, N_FEATURES]`, among those of `mask` `[n, n_actions]`."""


def check_share(explore: float) -> None:
    """Raises `ConfigError` for a share of exploration that is none."""
    if not 0.0 <= explore <= 1.0:
        raise ConfigError(f"explore: {explore:g} is no probability; give 0 to 1")


def explored(
    own: NDArray[np.int64], mask: NDArray[np.bool_], explore: float, dice: np.random.Generator
) -> Told:
    """`own` `[n]`, and with probability `explore` any legal action instead."""
    by_chance = any_legal(mask, dice)
    action = np.where(dice.random(len(own)) < explore, by_chance, own)
    propensity = explore / mask.sum(axis=1) + (1.0 - explore) * (action == own)
    return Told(action, propensity.astype(np.float32))


class Teacher:
    """A schedule, where it rests, and how patient it is."""

    def __init__(self, text: str, grid: ActionGrid, *, explore: float = 0.0) -> None:
        """`text` is `random`, `hold`, or PATH[/PRICE[/PATIENCE]]: `ac/mid/0.02` follows
        Almgren-Chriss, rests at the mid, and takes when more than 2 % of the order behind. The
        path `all` rests everything at once, and takes when so far behind Almgren-Chriss.

        Raises `ConfigError` for a teacher that is none, or that the grid has no actions for.
        """
        check_share(explore)
        self.name, self.grid, self.explore = text, grid, explore
        self._n = len(grid)
        self._planned = np.zeros(0)
        self._path: str | None = None
        if text in ("random", "hold"):
            return
        found = _FORM.match(text)
        if found is None:
            raise ConfigError(
                f"teacher: {text!r}; write random, hold, the folder of a trained policy, or "
                "PATH[/PRICE[/PATIENCE]] with a path of twap, ac, vwap, all, e.g. ac/mid/0.02"
            )
        self._path = found["path"]
        price = found["price"] or "touch"
        if price not in grid.prices:
            raise ConfigError(
                f"teacher: {text!r} rests at {price}, which the grid has not; it has "
                + ", ".join(grid.prices)
            )
        try:
            self._patience = float(found["patience"] or 0.05)
        except ValueError:
            raise ConfigError(
                f"teacher: {text!r} has no patience; write a share, e.g. 0.05"
            ) from None
        self._learn_grid(price)

    def _learn_grid(self, price: str) -> None:
        """Which action rests, and which takes, at each size."""
        grid, table = self.grid, self.grid.table()
        taking = [name for k, name in enumerate(grid.prices) if _takes(table, k)]
        if not taking:
            raise ConfigError("grid.prices: none takes, as who is behind must; add take")
        if grid.size_of != "left":
            raise ConfigError("grid.size_of: adv; a teacher needs shares of what is left")
        wait = int(np.argmax(np.asarray(grid.waits_s) > 0))
        self._wait_s = max(grid.waits_s[wait], grid.hold_s)
        order = np.argsort(grid.sizes)
        self._sizes = np.asarray(grid.sizes)[order]
        rests, takes = grid.prices.index(price), grid.prices.index(taking[0])
        self._rests = np.array([grid.index(int(size), rests, wait) for size in order])
        self._takes = np.array([grid.index(int(size), takes, wait) for size in order])

    def act(
        self, seen: NDArray[np.float32], mask: NDArray[np.bool_], dice: np.random.Generator
    ) -> Told:
        """See `Teaches.act`."""
        if self.name == "random":
            return Told(any_legal(mask, dice), (1.0 / mask.sum(axis=1)).astype(np.float32))
        return explored(self.choose(seen, mask), mask, self.explore, dice)

    def choose(self, seen: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """`[n]` what it does without exploration."""
        if self._path is None:
            return np.zeros(len(seen), np.int64)
        inventory, planned = seen[:, _INVENTORY].astype(np.float64), self._plan(seen)
        seconds = np.exp2(seen[:, _SECONDS].astype(np.float64)) - 1.0
        later = np.clip(1.0 - self._wait_s / np.maximum(seconds, _LEAST), 0.0, 1.0)
        due = (inventory - planned * later) / np.maximum(inventory, _LEAST)
        late = inventory - planned > self._patience
        if self._path == "all":
            due = np.where(late, due, 1.0)
        size = np.minimum(np.searchsorted(self._sizes, due), len(self._sizes) - 1)
        found = np.zeros(len(seen), np.int64)
        # What is too large for the guard is tried smaller; what cannot be done is waited with.
        for down in range(len(self._sizes)):
            at = np.maximum(size - down, 0)
            for rows, actions in ((late, self._takes), (~late, self._rests)):
                wanted = actions[at]
                may = rows & (due > 0) & (found == 0) & mask[np.arange(len(seen)), wanted]
                found[may] = wanted[may]
        return found

    def _plan(self, seen: NDArray[np.float32]) -> NDArray[np.float64]:
        """`[n]` share of the order that the schedule would have left now."""
        inventory = seen[:, _INVENTORY].astype(np.float64)
        if self._path != "vwap":
            return inventory - seen[:, _BEHIND[str(self._path)]]
        # Usual volume to the end, by what it was when the order began.
        usual = inventory / np.exp2(seen[:, _VOLUME].astype(np.float64))
        if len(self._planned) != len(seen):
            self._planned = np.full(len(seen), np.nan)
        begins = seen[:, _DECISIONS] == 0.0
        self._planned[begins] = usual[begins]
        known = (seen[:, _NO_VOLUME] == 0.0) & (self._planned > 0)
        twap = inventory - seen[:, _BEHIND["twap"]]
        return np.where(known, np.minimum(usual / np.where(known, self._planned, 1.0), 1.0), twap)


def _takes(table: NDArray[np.void], price: int) -> bool:
    return bool((table[table["price"] == price]["does"] == TAKE).all())
