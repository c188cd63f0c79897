"""How sure a fact is: the jackknife over days, which knows what a formula for one long series does
not, that the hours of a day are alike and days differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from paceline.market.tape import Tape
from paceline.realism.facts import Fact, facts_of

FEWEST_DAYS = 3
"""Days below which a fact keeps the error of its formula."""

MOST_GROUPS = 10
"""Of more days, groups are left out instead of single ones."""


Day = TypeVar("Day")


def day_errors(tapes: Sequence[Tape]) -> list[float]:
    """Standard error over days of each fact of `tapes`, in their order; NaN for fewer than
    `FEWEST_DAYS` days, and where a fact is not known without some day."""
    if len(tapes) < FEWEST_DAYS:
        return [float("nan")] * len(facts_of(tapes))
    errors = jackknife(tapes, lambda some: [fact.value for fact in facts_of(some)])
    return [float(error) for error in errors]


def jackknife(
    days: Sequence[Day], of: Callable[[Sequence[Day]], npt.ArrayLike]
) -> npt.NDArray[np.float64]:
    """Standard error of the value or values `of(days)`, in its shape, from leaving out one day (or
    one of `MOST_GROUPS` groups of days) at a time; NaN for one day.

    Efron & Stein, "The jackknife estimate of variance", Annals of Statistics 9 (1981): the variance
    is (g - 1) / g times the sum of squares of the g values about their mean.
    """
    g = min(len(days), MOST_GROUPS)
    if g < 2:
        return np.full(np.shape(of(days)), np.nan)
    without = np.array(
        [of([day for k, day in enumerate(days) if k % g != left_out]) for left_out in range(g)],
        dtype=np.float64,
    )
    about = without - without.mean(axis=0)
    return np.asarray(np.sqrt((g - 1) / g * np.sum(about**2, axis=0)))


def with_errors(facts: Sequence[Fact], errors: Sequence[float]) -> list[Fact]:
    """`facts` with the error over days where it is known."""
    return [
        fact if np.isnan(error) else fact._replace(std_error=error)
        for fact, error in zip(facts, errors, strict=True)
    ]
