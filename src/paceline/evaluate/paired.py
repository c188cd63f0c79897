"""Paired differences between policies on the same parent orders, with intervals and p-values.

One method for all of them, `cost.clustered`: Student's t over days, or over markets where each
order had one of its own. An interval of 95 % leaves 0 out exactly where p is below 0.05.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.cost.clustered import FEWEST, FEWEST_NAMES, Clustered, Clusters, clustered
from paceline.page.cells import plain, plural


class PairedDifference(NamedTuple):
    """Mean of `cost - baseline` over the orders that both have, in bps: below 0 is a saving."""

    mean_bps: float
    low_bps: float
    high_bps: float
    """Bounds of the interval, of 95 % unless another was asked for; NaN with too few groups."""
    p: float
    """Of no difference, two-sided; NaN with too few groups."""
    n: int
    """Orders."""
    groups: int
    """Days, or markets: see `unit`."""
    names: int
    """Names that were taken for a sample of names; 0 where they were too few."""
    df: float
    """Degrees of freedom of Student's t; NaN with too few groups."""
    unit: str
    """What a group is: `day`, or `market`."""

    @property
    def is_clear(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low_bps > 0.0 or self.high_bps < 0.0

    @property
    def missing(self) -> str:
        """Why there is no interval."""
        have = plural(self.groups, self.unit)
        return f"{have}: an interval takes {plural(FEWEST, self.unit)} or more"


def paired_difference(
    cost_bps: NDArray[np.float64],
    baseline_bps: NDArray[np.float64],
    clusters: Clusters,
    level: float = 0.95,
) -> PairedDifference:
    """Compare two policies on the same orders `[n]`, with an interval of `level`; rows where either
    is NaN are left out."""
    difference = cost_bps - baseline_bps
    known = ~np.isnan(difference)
    clusters = clusters.of(known)
    return difference_of(clustered(difference[known], clusters), clusters.unit, level)


def difference_of(found: Clustered, unit: str, level: float = 0.95) -> PairedDifference:
    """The first column of `found`, as a difference."""
    return PairedDifference(
        float(found.mean[0]), *found.interval(level), found.p,
        found.n, found.groups, found.names, found.df, unit,
    )  # fmt: skip


def basis(pair: PairedDifference) -> str:
    """What the interval of `pair` rests on, and what it speaks of, in a sentence or two."""
    if np.isnan(pair.low_bps):
        return f"There is no interval, for there {_are(pair.groups)} {pair.missing}."
    how = (
        f"Student's t with {plain(pair.df, 0)} degrees of freedom over "
        f"{plural(pair.groups, pair.unit)}"
    )
    if pair.unit != "day":
        return (
            f"Intervals and p-values are {how}. Each order was worked in a {pair.unit} of its own, "
            "whose random numbers it shares with the same order on the other side only, so there "
            "are no days that they could share."
        )
    if pair.names:
        return (
            f"Intervals and p-values are {how} and {pair.names} names, clustered by both: they "
            "speak of other days and other names."
        )
    return (
        f"Intervals and p-values are {how}: orders of one day share its market, whatever their "
        f"name. They speak of other days of these names; of other names from {FEWEST_NAMES} on."
    )


def _are(n: int) -> str:
    return "is" if n == 1 else "are"
