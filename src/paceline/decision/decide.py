"""One decision: features, mask, choice, child order, and all of it written down.

    decide = Decider(grid, choose, policy="...")      # or an ActionBox
    decision = decide(state, limits, snapshot)

The kernels are those that work thousands of episodes at once, called for one. What chooses is a
function of features and mask, a policy or a dice; what it may not choose is never carried out. Of
a box everything may be asked for, and what breaks a limit becomes the nearest that breaks none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.decision.actions import (
    ACTION_RECORD,
    HOLD,
    ActionGrid,
    child_lots,
    child_ticks,
    child_type,
)
from paceline.decision.box import HIGHEST, LOWEST, ActionBox, aim
from paceline.decision.mask import MOST_CHOICES, mask, reasons_of
from paceline.decision.moods import NO_MOOD, Mood, sense
from paceline.decision.schema import N_FEATURES, schema_hash
from paceline.decision.state import State
from paceline.errors import DecisionError
from paceline.jit import kernel

Choose = Callable[[NDArray[np.float32], NDArray[np.bool_]], tuple[Any, NDArray[np.float32] | None]]
"""Of features `[N_FEATURES]` and what is legal `[n_actions]`: an action, and the values
`[n_actions]` that it was chosen by, if there are any. Of a box only the hold is listed `[1]`, and
an action is two numbers, its fraction and its offset."""


class Child(msgspec.Struct, frozen=True):
    """The child order that should be working now."""

    type: int
    """As the exchange numbers them: 0 limit, 1 marketable limit, 2 immediate or cancel."""
    ticks: int
    lots: int


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided, and all that it was decided on."""

    ts: int
    """Time of the market, ns."""
    features: bytes
    """float32 `[N_FEATURES]`, as they were."""
    reasons: tuple[int, ...]
    """Bits against each action, or of a box against what was asked for; 0 where it was legal."""
    values: bytes | None
    """float32 `[n_actions]` that the action was chosen by; None where it was not by values."""
    action: int | tuple[float, float]
    """Of a grid its number; of a box the fraction and the offset that were asked for."""
    says: str
    """The action in words."""
    child: Child | None
    """None: what works is left alone."""
    policy: str
    """Hash of what chose."""
    schema: str
    """Hash of the features' schema."""
    seed: int | None
    """Of a choice by chance."""

    def why_not(self, action: int) -> list[str]:
        """Why an action was masked, in words; empty if it was not. Of a box, give 0."""
        return [f"{one.name}: {one.sentence}" for one in reasons_of(self.reasons[action])]


class Decider:
    """Decisions of one policy on one grid, or in one box, one order at a time."""

    def __init__(
        self, grid: ActionGrid | ActionBox, choose: Choose, *, policy: str, seed: int | None = None
    ) -> None:
        self.grid, self.choose = grid, choose
        self._named = {"policy": policy, "schema": schema_hash(), "seed": seed}
        self._table = grid.table()
        n = len(self._table)
        self._says = [grid.describe(k) for k in range(n)] if isinstance(grid, ActionGrid) else []
        self._seen = np.zeros(N_FEATURES, np.float32)
        self._bits, self._edges = np.zeros(n, np.int64), np.zeros((4, MOST_CHOICES), np.int64)
        self._aimed = np.zeros(1, ACTION_RECORD)
        self._child = np.zeros(3, np.int64)

    def __call__(
        self,
        state: State,
        limits: np.void,
        snapshot: np.void,
        in_a_row: bool = False,
        mood: Mood = NO_MOOD,
    ) -> Decision:
        """Decide on `state`; `limits` and `snapshot` are rows of the guard's records. `mood` is
        told to state and snapshot first.

        Raises `DecisionError` if what chooses chose what it must not.
        """
        look(
            mood, state, limits, snapshot, self._table, in_a_row, self._seen, self._bits,
            self._edges,
        )  # fmt: skip
        asked, values = self.choose(self._seen, self._bits == 0)
        action: int | tuple[float, float]
        if isinstance(self.grid, ActionBox):
            action, says = self._aim(self.grid, state, limits, snapshot, asked)
            rows, k, sends = self._aimed, 0, self._aimed[0]["does"] != HOLD
        else:
            k, says = self._pick(asked)
            action, rows, sends = k, self._table, k > 0
        child = None
        if sends:
            mean(state, rows, k, self._child)
            child = Child(*self._child.tolist())
        named: dict[str, Any] = self._named
        return Decision(
            ts=int(state.order[0]["now_ts"]),
            features=self._seen.tobytes(),
            reasons=tuple(self._bits.tolist()),
            values=None if values is None else np.asarray(values, np.float32).tobytes(),
            action=action,
            says=says,
            child=child,
            **named,
        )

    def _pick(self, action: Any) -> tuple[int, str]:
        if not 0 <= action < len(self._bits) or self._bits[action] != 0:
            raise DecisionError(f"action: {action} is none, or masked; choose among the legal ones")
        return int(action), self._says[action]

    def _aim(
        self, box: ActionBox, state: State, limits: np.void, snapshot: np.void, asked: Any
    ) -> tuple[tuple[float, float], str]:
        numbers = np.asarray(asked, np.float64)
        # NaN is in no range.
        if numbers.shape != (2,) or not np.all((numbers >= LOWEST) & (numbers <= HIGHEST)):
            raise DecisionError(f"action: {asked} is none; choose 0 to 1, and -1 to 1")
        fraction, offset = numbers.tolist()
        self._bits[0] = aim(
            state, limits, snapshot, True, box.scale(), fraction, offset, self._aimed[0]
        )
        return (fraction, offset), box.describe(fraction, offset)


@kernel
def look(
    mood: Mood,
    state: State,
    limits: np.void,
    snapshot: np.void,
    table: NDArray[np.void],
    in_a_row: bool,
    seen: NDArray[np.float32],
    bits: NDArray[np.int64],
    edges: NDArray[np.int64],
) -> None:
    """Features and mask of one state."""
    sense(mood, state, snapshot, seen)
    mask(state, limits, snapshot, table, int(in_a_row), True, bits, edges)


@kernel
def mean(state: State, table: NDArray[np.void], action: int, child: NDArray[np.int64]) -> None:
    """Write type, price and size of the child order that an action means."""
    child[0] = child_type(table[action])
    child[1] = child_ticks(state, table[action])
    child[2] = child_lots(state, table[action])
