"""How sure the laws are that are counted directly: leave out one day at a time, and the spread of
what comes out says how much days differ (`realism.doubt.jackknife`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.calibrate.days import Day
from paceline.calibrate.excitation import branching_of
from paceline.calibrate.fit import Fit
from paceline.calibrate.resilience import AFTER_S
from paceline.calibrate.waves import busy, waves
from paceline.engine.laws import CANCEL, LIMIT, MARKET, SPREADS
from paceline.realism import facts
from paceline.realism.doubt import jackknife
from paceline.realism.estimators import tail_index

Floats = NDArray[np.float64]
Days = Sequence[Day]
Of = Callable[[Days], float]

NAN = float("nan")


class Number(NamedTuple):
    """A value and how sure it is; NaN where that is not known."""

    law: str
    """Which part of a market it belongs to."""
    value: float
    std_error: float


def _ratio(above: Callable[[Day], float], below: Callable[[Day], float]) -> Of:
    """Of sums over all days."""

    def of(days: Days) -> float:
        total = float(sum(below(day) for day in days))
        return float(sum(above(day) for day in days)) / total if total > 0.0 else NAN

    return of


def _per_s(what: int) -> Of:
    """Arrivals of both sides."""
    return _ratio(lambda d: d.counts.streams[2 * what : 2 * what + 2].sum(), lambda d: d.seconds)


def _of_all(values: Callable[[Day], NDArray[np.generic]], of: Callable[[Floats], float]) -> Of:
    """Of the values of all days together, as far as they are known."""

    def of_days(days: Days) -> float:
        found = np.concatenate([values(day) for day in days]).astype(np.float64)
        known = found[~np.isnan(found)]
        return float(of(known)) if len(known) else NAN

    return of_days


def _after(what: int, seconds: float) -> Of:
    """The mean of days of `resilience.recovery`."""
    at = AFTER_S.index(seconds)
    return _of_all(lambda d: d.recovery[what, at : at + 1], lambda found: float(found.mean()))


def _behind(found: Floats) -> float:
    """Geometric mean of those that stand behind the touch: distances lie over four decades, and
    the median is a round price on every day."""
    return float(np.exp(np.log(found[found > 0]).mean())) if np.any(found > 0) else NAN


def _memory(days: Days) -> float:
    """As `paceline realism` measures it, on sums of signs."""
    return facts.sign_memory([day.tape for day in days]).value


def _waves(lag: int) -> Of:
    """See `waves`."""
    return lambda days: float(waves([busy(day.tape) for day in days])[lag])


_LAWS: dict[str, dict[str, Of]] = {
    "rates": {
        "limit orders per second": _per_s(LIMIT),
        "market orders per second": _per_s(MARKET),
        "cancels per second": _per_s(CANCEL),
    },
    "placement": {
        "share of limit orders inside the spread": _ratio(
            lambda d: d.counts.improving.sum(), lambda d: d.counts.limits.sum()
        ),
        "share of them by one tick": _ratio(
            lambda d: d.counts.single.sum(), lambda d: d.counts.improving.sum()
        ),
        "share of limit orders at the touch": _of_all(
            lambda d: d.behind_ticks, lambda found: float(np.mean(np.abs(found) < 0.5))
        ),
        "distance of those behind it, geometric mean, ticks": _of_all(
            lambda d: d.behind_ticks, _behind
        ),
        "share of early limit orders that come again": _ratio(
            lambda d: d.counts.again[1], lambda d: d.counts.again[0]
        ),
        "share inside on whole prices": _ratio(
            lambda d: d.counts.whole[0, 1], lambda d: d.counts.whole[0, 0]
        ),
        "share behind on whole prices": _ratio(
            lambda d: d.counts.whole[1, 1], lambda d: d.counts.whole[1, 0]
        ),
    },
    "sizes": {
        "mean size of limit orders, lots": _of_all(lambda d: d.limit_lots, np.mean),
        "mean size of market orders, lots": _of_all(lambda d: d.market_lots, np.mean),
        "tail index of the size of limit orders": _of_all(
            lambda d: d.limit_lots, lambda lots: tail_index(lots, facts.TAIL).value
        ),
        "tail index of the size of market orders": _of_all(
            lambda d: d.market_lots, lambda lots: tail_index(lots, facts.TAIL).value
        ),
    },
    "patience": {
        "cancels per second of an order at the touch": _ratio(
            lambda d: d.stood[0, :SPREADS].sum(), lambda d: d.stood[1, :SPREADS].sum()
        ),
        "cancels per second of an order behind it": _ratio(
            lambda d: d.stood[0, SPREADS:].sum(), lambda d: d.stood[1, SPREADS:].sum()
        ),
        "share of cancels that reduce": _ratio(
            lambda d: d.counts.divisible[1], lambda d: d.counts.divisible[0]
        ),
        "median life of a limit order, s": _of_all(lambda d: d.lives_s, np.median),
    },
    "waves": {
        "covariance of arrivals 10 minutes apart, by what is usual": _waves(2),
        "the same half an hour apart": _waves(6),
    },
    "memory of signs": {
        "exponent with which the autocorrelation of signs falls": _memory,
    },
    "resilience": {
        "median time until an emptied touch is back, s": _of_all(lambda d: d.backs_s, np.median),
        "spread 1 s after it was emptied, of its median": _after(0, 1.0),
        "spread 10 s after, of its median": _after(0, 10.0),
        "lots at the touch 10 s after, of their median": _after(1, 10.0),
    },
}  # fmt: skip


def direct_numbers(days: Days) -> dict[str, Number]:
    """What is counted on `days`, by name."""
    return {
        name: Number(law, of(days), float(jackknife(days, of)))
        for law, numbers in _LAWS.items()
        for name, of in numbers.items()
    }


def branching_ratio(fit: Fit) -> Number:
    """The branching ratio, and what the errors of the norms make of it as if they were independent;
    a norm at its bound has none."""
    ratio, found = fit.settings.excitation.branching(), fit.excitation
    if found is None:
        return Number("excitation", ratio, NAN)
    plain, variance = branching_of(found.norms), 0.0
    for at in np.argwhere(found.errors > 0.0):
        norms = found.norms.copy()
        norms[tuple(at)] += found.errors[tuple(at)]
        variance += (branching_of(norms) - plain) ** 2
    return Number("excitation", ratio, float(np.sqrt(variance)))
