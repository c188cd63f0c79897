"""Laws of whole numbers as few bins, and how much market orders want."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.calibrate.ruler import distance_edges
from paceline.engine.flow_settings import Histogram

_MOST_SIZES = 50_000
"""Round lots; larger orders count as that large."""

_POPULAR = 8
"""Values that get a bin of their own in a histogram: round sizes, whole cents."""


def in_round_lots(lots: NDArray[np.int64], round_lot: int) -> NDArray[np.int64]:
    """To the nearest, and at least one."""
    return np.clip(np.rint(lots / round_lot), 1, _MOST_SIZES).astype(np.int64)


def wanted(
    taken: NDArray[np.int64], touch: NDArray[np.int64], walk_share: float
) -> NDArray[np.float64]:
    """Share of market orders that would take 1, 2, ... if the touch were without end.

    What is taken is the lesser of what is wanted and what the touch shows; a share `walk_share`
    goes on to the next level. If wishes do not look at the touch,

        P(taken >= x) = P(wanted >= x) (walk_share + (1 - walk_share) P(touch >= x)).

    `taken` `[n]` were seen, `touch` `[k]` is what the same kind of order meets.
    """
    most = int(max(taken.max(), 1))
    shown = walk_share + (1.0 - walk_share) * _at_least(np.minimum(touch, most), most)
    left = np.divide(_at_least(taken, most), shown, out=np.zeros(most), where=shown > 0)
    left = np.minimum.accumulate(np.minimum(left, 1.0))
    return -np.diff(left, append=0.0)


def _at_least(values: NDArray[np.int64], most: int) -> NDArray[np.float64]:
    """Share of `values` of at least 1, 2, ..., `most`."""
    counts = np.bincount(values, minlength=most + 1)[1:]
    return np.asarray(counts[::-1].cumsum()[::-1] / len(values))


def histogram(weights: NDArray[np.float64], first: int) -> Histogram:
    """A law of few bins that is close to `weights` `[n]` of `first`, `first + 1`, ...

    Bins are half powers of two wide; the most popular values keep one of their own.
    """
    weights = weights[: int(np.flatnonzero(weights)[-1]) + 1]
    own = np.argsort(-weights, kind="stable")[:_POPULAR]
    edges = np.unique(np.concatenate([distance_edges(len(weights)), own, own + 1]))
    edges = edges[edges <= len(weights)]
    sums = np.add.reduceat(weights, edges[:-1])
    return Histogram(edges=tuple(int(edge) + first for edge in edges), weights=tuple(rounded(sums)))


def rounded(values: NDArray[np.float64]) -> list[float]:
    """To four digits: what a person reads in a file, and finer than any error of the fit."""
    return [float(f"{value:.4g}") for value in values]
