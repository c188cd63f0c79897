"""How sure a fact is: the jackknife over days, which knows what a formula for one long series does
not, that the hours of a day are alike and days differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paceline.market.tape import Tape
from paceline.realism.facts import Fact, facts_of

FEWEST_DAYS = 3
"""Days below which a fact keeps the error of its formula."""

MOST_GROUPS = 10
"""Of more days, groups are left out instead of single ones."""


def day_errors(tapes: Sequence[Tape]) -> list[float]:
    """Standard error of each fact of `tapes`, in their order, from leaving out one day (or one of
    `MOST_GROUPS` groups of days) at a time; NaN for fewer than `FEWEST_DAYS` days, and where a fact
    is not known without some day.

    Efron & Stein, "The jackknife estimate of variance", Annals of Statistics 9 (1981): the variance
    is (g - 1) / g times the sum of squares of the g values about their mean.
    """
    groups = min(len(tapes), MOST_GROUPS)
    if len(tapes) < FEWEST_DAYS:
        return [float("nan")] * len(facts_of(tapes))
    without = [
        facts_of([tape for k, tape in enumerate(tapes) if k % groups != left_out])
        for left_out in range(groups)
    ]
    return [_error([fact.value for fact in values]) for values in zip(*without, strict=True)]


def _error(values: Sequence[float]) -> float:
    g = len(values)
    about = np.array(values) - np.mean(values)
    return float(np.sqrt((g - 1) / g * np.sum(about**2)))


def with_errors(facts: Sequence[Fact], errors: Sequence[float]) -> list[Fact]:
    """`facts` with the error over days where it is known."""
    return [
        fact if np.isnan(error) else fact._replace(std_error=error)
        for fact, error in zip(facts, errors, strict=True)
    ]
