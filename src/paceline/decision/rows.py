"""Rows of decisions: what was seen and chosen, what came of it, and what must hold of both."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.errors import InputError


class Decisions(NamedTuple):
    """What was seen and chosen, a row for each decision."""

    ts: NDArray[np.int64]  # [n] ns since the epoch
    episode: NDArray[np.int64]  # [n] the parent order, a number within the day
    features: NDArray[np.float32]  # [n, N_FEATURES]
    mask: NDArray[np.bool_]  # [n, n_actions] which actions were legal
    action: NDArray[np.int64]  # [n]


class Outcome(NamedTuple):
    """What came of decisions, a row for each; a set of logged decisions has it."""

    propensity: NDArray[np.float32]  # [n] probability of the action; NaN: not known
    over: NDArray[np.int8]  # [n] 0: its next row follows, 1: terminated, 2: truncated
    policy: NDArray[np.str_]  # [n] who chose
    terms: dict[str, NDArray[np.float32]]  # name of a term of the reward -> [n]


def numbers_of(table: Any, name: str, kind: type) -> NDArray[Any]:
    """A column as it must be. Raises `ValueError` for one of another type or with gaps."""
    column = table[name]
    found: NDArray[Any] = column.to_numpy()
    if column.null_count or found.dtype != kind:
        raise ValueError(f"{name} is {column.type}, or has gaps")
    return found


def check_rows(where: str, decisions: Decisions, outcome: Outcome | None, n_actions: int) -> None:
    """Raises `InputError` for an action that is not in the grid, and as `check_outcome` does."""
    wrong = (decisions.action < 0) | (decisions.action >= n_actions)
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"{where}: action of row {row} is {decisions.action[row]}; give 0 to {n_actions - 1}"
        )
    if outcome is not None:
        check_outcome(where, outcome)


def check_outcome(where: str, outcome: Outcome) -> None:
    """Raises `InputError` for a propensity that is no probability, or an end that there is not."""
    p, over = outcome.propensity, outcome.over
    possible = np.isnan(p) | ((p > 0) & (p <= 1))
    for says, wrong, column in (
        ("propensity of row {} is {}; give above 0 to 1, or NaN", ~possible, p),
        ("over of row {} is {}; give 0, 1 or 2", (over < 0) | (over > 2), over),
    ):  # fmt: skip
        if wrong.any():
            row = int(wrong.argmax())
            raise InputError(f"{where}: " + says.format(row, column[row]))
