"""One statistic of two markets: how far apart they are, in its own unit and in what a day brings.

A distance alone says little: two recorded days differ as well. So a simulated period (a day, or
half of one) is held against a recorded period, and the distance between two recorded periods is the
yardstick. Both are medians over pairs, of like against like: 1 means that a simulated day cannot be
told from a recorded one by this distance, 2 that it is twice as far from a recorded day as another
recorded day is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from paceline.realism.distance import l1_distance, relative_wasserstein, wasserstein
from paceline.realism.distribution import Distribution, distribution, halves, pooled

Floats = npt.NDArray[np.float64]

MOST_PAIRS = 250
"""Pairs of periods that a median rests on; of more, so many are drawn."""

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Shares whose quantiles are reported."""

LINEAR = 2.0
"""Up to this a `symlog` axis is linear, on both sides of 0."""

SCALES = {
    "bid_depth_1": "log", "ask_depth_1": "log", "bid_depth_10": "log", "ask_depth_10": "log",
    "inter_arrival": "log", "lifetime": "log", "placement": "symlog", "limit_size": "log",
    "market_size": "log", "volume_60s": "log", "return_1s": "tail", "return_10s": "tail",
    "return_60s": "tail", "return_300s": "tail",
}  # fmt: skip
"""Axis on which a statistic is drawn; others are linear."""

_MOST_BINS = 60


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A distance with its yardstick."""

    distance: float
    """Median over pairs of a recorded and a simulated period."""
    yardstick: float
    """Median over pairs of recorded periods."""

    @property
    def ratio(self) -> float:
        """Distance by yardstick: 0 where there is none, infinite where recorded periods do not
        differ and the simulated one does; NaN where either is not known."""
        if self.distance == 0.0:
            return 0.0
        return self.distance / self.yardstick if self.yardstick != 0.0 else float("inf")


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Both distributions in common bins, to be drawn. Shares of the pooled periods."""

    scale: str
    """`linear`, `log`, `symlog` (see `LINEAR`), or `tail`: shares whose size is above each edge."""
    edges: list[float]
    """`[n + 1]`; what lies outside counts in the first and the last bin. `tail`: `[n]`."""
    recorded: list[float]
    """`[n]`"""
    simulated: list[float]
    """`[n]`"""
    low: list[float]
    """`[n]` least share of any recorded period."""
    high: list[float]
    """`[n]` largest share of any recorded period."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic, recorded against simulated."""

    name: str
    unit: str
    l1: Gap
    """From 0 (the same) to 1 (nothing in common)."""
    wasserstein: Gap
    """In the unit."""
    pooled_l1: float
    """All recorded against all simulated periods."""
    pooled_wasserstein: float
    """The same in the unit."""
    pooled_relative: float
    """The same as a share of the most that it could be."""
    recorded_quantiles: list[float]
    """At `LEVELS`."""
    simulated_quantiles: list[float]
    shape: Shape | None
    """None where nothing is known of one of them."""


Parts = Sequence[Distribution]
Pairs = list[tuple[Distribution, Distribution]]


def compare(name: str, unit: str, recorded: Parts, simulated: Parts, seed: int = 0) -> Comparison:
    """`recorded` and `simulated`: the statistic of each period. `seed` draws pairs where there are
    more than `MOST_PAIRS`."""
    across = [(a, b) for a in recorded for b in simulated]
    between = [(a, b) for i, a in enumerate(recorded) for b in recorded[:i]]
    across, between = _some(across, seed), _some(between, seed)

    def gap(distance: Callable[[Distribution, Distribution], float]) -> Gap:
        return Gap(
            distance=_median([distance(a, b) for a, b in across]),
            yardstick=_median([distance(a, b) for a, b in between]),
        )

    ours, theirs = pooled(recorded), pooled(simulated)
    return Comparison(
        name=name,
        unit=unit,
        l1=gap(l1_distance),
        wasserstein=gap(wasserstein),
        pooled_l1=l1_distance(ours, theirs),
        pooled_wasserstein=wasserstein(ours, theirs),
        pooled_relative=relative_wasserstein(ours, theirs),
        recorded_quantiles=ours.quantiles(LEVELS).tolist(),
        simulated_quantiles=theirs.quantiles(LEVELS).tolist(),
        shape=_shape(ours, theirs, recorded, SCALES.get(name, "linear")),
    )


def _some(pairs: Pairs, seed: int) -> Pairs:
    if len(pairs) <= MOST_PAIRS:
        return pairs
    drawn = np.random.default_rng(seed).choice(len(pairs), MOST_PAIRS, replace=False)
    return [pairs[k] for k in np.sort(drawn)]


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.median(known)) if known else float("nan")


def _shape(
    recorded: Distribution, simulated: Distribution, periods: Parts, scale: str
) -> Shape | None:
    if not len(recorded.values) or not len(simulated.values):
        return None
    both = halves(recorded, simulated)
    edges = _sizes(both) if scale == "tail" else _bins(both, scale)
    shares = _above if scale == "tail" else _shares
    days = np.array([shares(day, edges) for day in periods if len(day.values)])
    return Shape(
        scale=scale,
        edges=edges.tolist(),
        recorded=shares(recorded, edges).tolist(),
        simulated=shares(simulated, edges).tolist(),
        low=days.min(axis=0).tolist(),
        high=days.max(axis=0).tolist(),
    )


def _above(of: Distribution, sizes: Floats) -> Floats:
    """Share of |value| above each of `sizes`."""
    share, size = of.shares, np.abs(of.values)
    return np.array([share[size > one].sum() for one in sizes])


def _sizes(both: Distribution) -> Floats:
    """Sizes from where half of what is not 0 lies below to where a thousandth is left."""
    size = distribution(np.abs(both.values), both.weights)
    some = distribution(size.values[size.values > 0.0], size.weights[size.values > 0.0])
    if not len(some.values):
        return np.array([1.0])
    low, high = some.quantiles([0.1, 0.999])
    return np.geomspace(low, max(high, 1.01 * low), 40)


def _shares(of: Distribution, edges: Floats) -> Floats:
    at = np.clip(np.searchsorted(edges, of.values, side="right") - 1, 0, len(edges) - 2)
    return np.asarray(np.bincount(at, of.shares, minlength=len(edges) - 1))


def _bins(both: Distribution, scale: str) -> Floats:
    """Bins for the eye, over what lies between the outermost half per cents. Few whole numbers get
    a bin each; on a log scale zeros count in the first bin."""
    low, high = (float(value) for value in both.quantiles([0.005, 0.995]))
    inner = both.values[(both.values >= low) & (both.values <= high)]
    whole = bool(np.all(inner == np.round(inner)))
    if high <= low:
        return np.array([low - 0.5, low + 0.5])
    if whole and high - low < _MOST_BINS:
        return np.arange(low - 0.5, high + 1.0)
    if scale == "linear":
        # Ticks have a grid of their own, and bins that are not of it make a comb of it.
        steps = np.arange(np.floor(low) - 0.5, high + 1.0)
        return steps if 4 < len(steps) < _MOST_BINS else np.linspace(low, high, 24)
    if scale == "log":
        some = both.values > 0.0
        least = Distribution(both.values[some], both.weights[some]).quantiles(0.005)
        edges = np.geomspace(max(low, float(least)), high, 37)
        # Edges of whole numbers fall between them, so that no bin is empty for lack of numbers.
        return np.unique(np.floor(edges) + 0.5) if whole else edges
    side = np.geomspace(LINEAR + 0.5, max(-low, high, 2 * LINEAR), 12)
    near = np.arange(-LINEAR + 0.5, LINEAR)
    edges = np.concatenate([-side[::-1], near, side])
    first, last = np.searchsorted(edges, [low, high])
    return np.asarray(edges[max(first - 1, 0) : last + 1])
