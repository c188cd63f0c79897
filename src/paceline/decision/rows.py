"""Rows of decisions: what was seen and chosen, what came of it, and what must hold of both."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.decision.schema import N_FEATURES, N_VALUES, NAMES, ranges
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


MOST_TERM_BPS = 1e12
"""Largest term of a reward: they are in bps of what an order was worth at its arrival, and this is
a hundred million times that. What is added up of such terms fits a float32."""

_LOW, _HIGH = (np.zeros(N_FEATURES, np.float32), np.ones(N_FEATURES, np.float32))  # of flags
_LOW[:N_VALUES], _HIGH[:N_VALUES] = ranges().T


def check_rows(where: str, decisions: Decisions, outcome: Outcome | None, n_actions: int) -> None:
    """Raises `InputError` for rows that are out of order, a time, a feature or an action out of
    range, and as `check_outcome` does."""
    check_order(where, decisions.episode, decisions.ts)
    wrong = (decisions.action < 0) | (decisions.action >= n_actions)
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"{where}: action of row {row} is {decisions.action[row]}; give 0 to {n_actions - 1}"
        )
    check_features(where, decisions.features)
    if outcome is not None:
        check_outcome(where, outcome)


def check_order(where: str, episode: NDArray[np.int64], ts: NDArray[np.int64]) -> None:
    """Raises `InputError` unless episodes `[n]` rise from 0 or more, and times `[n]` rise within
    each: the row after a decision is taken for what followed from it."""
    for name, column, low in (("episode", episode, 0), ("ts", ts, 1)):
        if (column < low).any():
            row = int((column < low).argmax())
            raise InputError(f"{where}: {name} of row {row} is {column[row]}; give at least {low}")
    same = episode[1:] == episode[:-1]
    back = (episode[1:] < episode[:-1]) | (same & (ts[1:] <= ts[:-1]))
    if back.any():
        row = int(back.argmax()) + 1
        raise InputError(
            f"{where}: row {row}, of episode {episode[row]} at {ts[row]}, is not after the row "
            "before; give rows in order of episode and time, each once"
        )


def check_features(where: str, features: NDArray[np.float32]) -> None:
    """Raises `InputError` for features `[n, N_FEATURES]` outside the ranges of the schema, into
    which all are brought when they are computed."""
    wrong = ~((features >= _LOW) & (features <= _HIGH))  # NaN, too
    if wrong.any():
        row, k = np.unravel_index(int(wrong.argmax()), wrong.shape)
        raise InputError(
            f"{where}: {NAMES[k]} of row {row} is {features[row, k]:g}; give {_LOW[k]:g} to "
            f"{_HIGH[k]:g}"
        )


def check_outcome(where: str, outcome: Outcome) -> None:
    """Raises `InputError` for a propensity that is no probability, an end that there is not, or a
    reward beyond all bounds."""
    p, over = outcome.propensity, outcome.over
    possible = np.isnan(p) | ((p > 0) & (p <= 1))
    for says, wrong, column in (
        ("propensity of row {} is {}; give above 0 to 1, or NaN", ~possible, p),
        ("over of row {} is {}; give 0, 1 or 2", (over < 0) | (over > 2), over),
    ):  # fmt: skip
        if wrong.any():
            row = int(wrong.argmax())
            raise InputError(f"{where}: " + says.format(row, column[row]))
    for name, term in outcome.terms.items():
        large = np.abs(term) > MOST_TERM_BPS  # NaN is not: it is not known
        if large.any():
            row = int(large.argmax())
            raise InputError(
                f"{where}: {name} of row {row} is {term[row]:g}; give at most {MOST_TERM_BPS:g} bps"
            )
