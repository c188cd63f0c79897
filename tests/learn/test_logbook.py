"""Logs that nothing can be learnt from are refused, by the row."""

from __future__ import annotations

import numpy as np
import pytest

from paceline.decision.rows import Decisions, Outcome
from paceline.decision.schema import N_FEATURES
from paceline.errors import InputError
from paceline.learn.logbook import _check_rows

N, ACTIONS = 6, 4


def log() -> tuple[Decisions, Outcome]:
    decisions = Decisions(
        ts=np.arange(N),
        episode=np.zeros(N, np.int64),
        features=np.zeros((N, N_FEATURES), np.float32),
        mask=np.ones((N, ACTIONS), np.bool_),
        action=np.ones(N, np.int64),
    )
    outcome = Outcome(
        propensity=np.ones(N, np.float32),
        over=np.zeros(N, np.int8),
        policy=np.full(N, "desk"),
        terms={"is_step": np.zeros(N, np.float32)},
    )
    return decisions, outcome


def test_whole_rows_pass_and_so_do_rewards_that_nobody_knows() -> None:
    decisions, outcome = log()
    _check_rows("log", decisions, outcome)
    outcome.terms["is_step"][:] = np.nan
    _check_rows("log", decisions, outcome)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("mask", r"log, row 3 \(1 such\): no action is legal"),
        ("masked", r"log, row 3 \(1 such\): the action was masked"),
        ("action", r"log, row 3 \(1 such\): the action is not in the grid"),
        ("features", r"log, row 3 \(1 such\): a feature is NaN or infinite"),
        ("reward", r"log, row 3 \(1 such\): is_step is not finite"),
    ],
)
def test_a_row_that_teaches_nothing_is_named(wrong: str, said: str) -> None:
    decisions, outcome = log()
    if wrong == "mask":
        decisions.mask[3] = False
    elif wrong == "masked":
        decisions.mask[3, 1] = False
    elif wrong == "action":
        decisions.action[3] = ACTIONS
    elif wrong == "features":
        decisions.features[3, 7] = np.nan
    else:
        outcome.terms["is_step"][3] = np.nan
    with pytest.raises(InputError, match=said):
        _check_rows("log", decisions, outcome)
