"""How sure the numbers are that are counted directly: the jackknife over days.

Tukey, "Bias and confidence in not-quite large samples", Annals of Mathematical Statistics 29
(1958): leave out one day at a time, and the spread of what comes out says how much days differ.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from paceline.calibrate.counting import Counts
from paceline.calibrate.fit import Fit

_OF: dict[str, Callable[[Counts, float], tuple[float, float]]] = {
    "limit orders per second": lambda c, s: (float(c.streams[0:2].sum()), s),
    "market orders per second": lambda c, s: (float(c.streams[2:4].sum()), s),
    "cancels per second": lambda c, s: (float(c.streams[4:6].sum()), s),
    "share of cancels that reduce": lambda c, s: (float(c.divisible[1]), float(c.divisible[0])),
    "share of limit orders inside the spread": lambda c, s: (
        float(c.improving.sum()), float(c.limits.sum()),
    ),
    "share of them by one tick": lambda c, s: (float(c.single.sum()), float(c.improving.sum())),
    "share of early limit orders that come again": lambda c, s: (
        float(c.again[1]), float(c.again[0]),
    ),
    "share inside on whole prices": lambda c, s: (float(c.whole[0, 1]), float(c.whole[0, 0])),
    "share behind on whole prices": lambda c, s: (float(c.whole[1, 1]), float(c.whole[1, 0])),
}  # fmt: skip


def direct_numbers(fit: Fit) -> dict[str, tuple[float, float]]:
    """Value and standard error of each number; NaN where days are too few."""
    found = {}
    for name, of in _OF.items():
        parts = np.array(
            [of(counts, float(s)) for counts, s in zip(fit.counts, fit.seconds, strict=True)]
        )
        found[name] = jackknife(parts[:, 0], parts[:, 1])
    return found


def jackknife(above: NDArray[np.float64], below: NDArray[np.float64]) -> tuple[float, float]:
    """The ratio of the sums of `above` and `below`, both `[days]`, and its standard error."""
    n, total = len(above), float(below.sum())
    if total <= 0.0:
        return float("nan"), float("nan")
    value = float(above.sum()) / total
    if n < 2:
        return value, float("nan")
    rest = total - below
    without = np.divide(above.sum() - above, rest, out=np.full(n, value), where=rest > 0)
    return value, float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))
