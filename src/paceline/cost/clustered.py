"""Means of values that are alike within a day, and how sure they are.

    found = clustered(difference, Clusters(day, symbol))
    found.interval(), found.p            # Student's t with as many degrees of freedom as days - 1

Orders of one day share its market, whatever their name: a hundred orders of a day are not a hundred
independent draws (Moulton, "An illustration of a pitfall in estimating the effects of aggregate
variables on micro units", 1990). The estimate is the mean over values, each of which counts once,
however many its day has. Its variance is that of the delete-one-day jackknife (Efron & Stein, "The
jackknife estimate of variance", 1981), which is the cluster-robust variance of Liang & Zeger
("Longitudinal data analysis using generalized linear models", 1986) with the correction for few
clusters that Bell & McCaffrey ("Bias reduction in standard errors for linear regression with
multi-stage samples", 2002) call the jackknife's, and others CR3. Where all days have as many values
it is exactly Student's t over the means of days; where they have not, t with days - 1 degrees of
freedom still covers (Ibragimov & Mueller, "t-statistic based correlation and heterogeneity robust
inference", 2010; `benchmarks.coverage` measures it).

From `FEWEST_NAMES` names on, the names are a sample too, and what persists in a name over days is
added: clustering by day and by name (Cameron, Gelbach & Miller, "Robust inference with multiway
clustering", 2011). Differences from that paper: what is subtracted for a day and name, which both
count, is measured after the effects of day and name are taken out of it (an analysis of variance:
theirs is too much by the effects' own variance, which shows with few days); a name's part below 0
is 0; degrees of freedom are those of a sum of variances (Satterthwaite, "An approximate
distribution of estimates of variance components", 1946).

What is unrealistic: one day is taken to be independent of the next. With fewer names than that the
interval speaks of other days of these names.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from paceline.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEWEST = 3
"""With fewer days there is no interval: two have one degree of freedom, and t at 95 % is 12.7."""

FEWEST_NAMES = 10
"""From so many names on they are taken for a sample of names."""

_SWEEPS = 20
"""Most rounds in which effects of days and names are taken out; one is exact where all days have
all names alike."""


class Clusters(NamedTuple):
    """What each of `n` values shares with others, and is not independent of."""

    group: npt.NDArray[Any]
    """`[n]` its day; or its market, where each order had one of its own."""
    name: npt.NDArray[Any] | None = None
    """`[n]` its name (symbol); None: names are no sample of others."""
    unit: str = "day"
    """What a group is called."""

    def of(self, rows: npt.NDArray[Any]) -> Clusters:
        """Those of some of the values."""
        return self._replace(
            group=self.group[rows], name=None if self.name is None else self.name[rows]
        )


class Clustered(NamedTuple):
    """Means of `k` columns of values, and what is known of their errors."""

    mean: Floats  # [k]
    covariance: Floats  # [k, k] of the means; NaN with fewer than `FEWEST` groups
    df: float
    """Degrees of freedom of the first column's variance; NaN where there is none."""
    n: int
    groups: int
    names: int
    """Names that were taken for a sample; 0 where they were not."""

    @property
    def std_error(self) -> float:
        """Of the first mean; NaN with too few groups."""
        return float(np.sqrt(self.covariance[0, 0]))

    @property
    def p(self) -> float:
        """Of the first mean being 0, two-sided: below 0.05 exactly where `interval()` leaves 0 out.
        NaN with too few groups."""
        return p_value(float(self.mean[0]), self.std_error, self.df)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Bounds of the first mean; NaN with too few groups."""
        reach = critical(self.df, level) * self.std_error
        return float(self.mean[0]) - reach, float(self.mean[0]) + reach


def clustered(values: npt.ArrayLike, clusters: Clusters) -> Clustered:
    """Means of `values` `[n]` or `[n, k]`, all of them there, with their covariance.

    The first column decides whether names add to it and what the degrees of freedom are. Raises
    `InputError` for values that are missing or infinite, and for clusters of another length.
    """
    columns = np.asarray(values, dtype=np.float64)
    columns = columns[:, None] if columns.ndim == 1 else columns
    n, k = columns.shape
    if not np.all(np.isfinite(columns)):
        raise InputError("values: missing or infinite; leave such rows out")
    if len(clusters.group) != n:
        raise InputError(f"clusters: of {len(clusters.group)} values, not {n}; give one for each")
    groups, day = np.unique(clusters.group, return_inverse=True)
    nothing = np.full((k, k), np.nan)
    mean = np.array([column.mean() for column in columns.T]) if n else np.full(k, np.nan)
    if len(groups) < FEWEST:
        return Clustered(mean, nothing, float("nan"), n, len(groups), 0)
    by_day = _jackknife(columns, mean, day, len(groups))
    df, n_names = float(len(groups) - 1), 0
    if clusters.name is not None:
        names, name = np.unique(clusters.name, return_inverse=True)
        if len(names) >= FEWEST_NAMES:
            n_names = len(names)
            of_names = _of_names(columns, mean, day, name)
            df = _degrees(by_day[0, 0], df, of_names[0, 0], n_names - 1.0)
            by_day = by_day + of_names
    return Clustered(mean, by_day, df, n, len(groups), n_names)


def critical(df: float, level: float = 0.95) -> float:
    """Student's t beyond which `1 - level` lies, on both sides together."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + level / 2.0))


def p_value(value: float, std_error: float, df: float) -> float:
    """Of a value being 0, two-sided; 1 for a value that is 0 without any error, 0 for any other."""
    from scipy.special import stdtr

    if std_error == 0.0:
        return 1.0 if value == 0.0 else 0.0
    return float(2.0 * stdtr(df, -abs(value / std_error)))


def _jackknife(columns: Floats, mean: Floats, member: Ints, groups: int) -> Floats:
    """`[k, k]` covariance of the means from leaving out one group at a time."""
    n = len(columns)
    size = np.bincount(member, minlength=groups)
    without = (n * mean - _sums(columns, member, groups)) / (n - size)[:, None]
    about = without - mean
    return (groups - 1) / groups * _products(about)


def _of_names(columns: Floats, mean: Floats, day: Ints, name: Ints) -> Floats:
    """`[k, k]` what names add: the variance by name less what days of a name explain of it. 0 where
    that is nothing, or where names do not meet on the same days."""
    n_days, n_names, k = int(day.max()) + 1, int(name.max()) + 1, columns.shape[1]
    both, cell = np.unique(day * n_names + name, return_inverse=True)
    of_day, of_name = both // n_names, both % n_names
    free = len(both) - n_days - n_names + 1
    if free < 1:
        return np.zeros((k, k))
    size = np.bincount(cell).astype(np.float64)
    means = _sums(columns, cell, len(both)) / size[:, None] - mean
    rest = np.column_stack([_apart(column, size, (of_day, of_name)) for column in means.T])
    each = size[:, None] * rest / len(columns)
    found = _jackknife(columns, mean, name, n_names) - len(both) / free * _products(each)
    if not found[0, 0] > 0.0:
        found[0, :] = found[:, 0] = 0.0
    # A difference of covariances need not be one: the first variance stands, the others give way.
    for j in range(1, k):
        found[j, j] = max(found[j, j], 0.0)
        most = np.sqrt(found[0, 0] * found[j, j])
        found[0, j] = found[j, 0] = np.clip(found[0, j], -most, most)
    return np.asarray(found)


def _apart(values: Floats, size: Floats, ways: tuple[Ints, Ints]) -> Floats:
    """`values` `[c]`, each of which counts `size` times, without the effects of both `ways`."""
    weights = [np.bincount(way, size) for way in ways]
    for _ in range(_SWEEPS):
        before = values
        for way, weight in zip(ways, weights, strict=True):
            values = values - (np.bincount(way, size * values) / weight)[way]
        if np.max(np.abs(before - values)) <= 1e-6 * np.max(np.abs(values)):
            break
    return values


def _degrees(one: float, df: float, other: float, other_df: float) -> float:
    """Degrees of freedom of the sum of two variances."""
    total = one + other
    if not total > 0.0:
        return df
    return float(total**2 / (one**2 / df + other**2 / other_df))


def _products(columns: Floats) -> Floats:
    """`[k, k]` of columns with one another; each the same, bit for bit, whatever k is, so that a
    difference has one interval wherever it is asked for."""
    return np.array([[np.sum(one * other) for other in columns.T] for one in columns.T])


def _sums(columns: Floats, member: Ints, groups: int) -> Floats:
    """`[groups, k]` sums of the rows of each group."""
    return np.column_stack([np.bincount(member, column, groups) for column in columns.T])
