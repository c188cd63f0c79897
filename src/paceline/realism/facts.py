"""What is known of every order-driven market, as eleven checks that a simulated one must face.

Each fact is one function from tapes (days of one instrument, pooled) to a `Fact`: a number, the
range in which the literature finds it, and where. Ranges come from there, widened where a
docstring says so. Horizons, lags and some bounds were settled while looking at recorded days of
2003 and 2012: that those days pass is no independent test. A day's scale is taken out before days
are pooled, so that a wild day does not make a tail of its own.

A flow of independent Poisson arrivals fails four of them by construction: volatility that lasts,
memory of signs, arrivals in clusters, and the U of the day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paceline.errors import InputError
from paceline.market.grids import on_one_grid
from paceline.market.tape import Tape
from paceline.realism.estimators import (
    NAN,
    Estimate,
    autocorrelation,
    excess_kurtosis,
    known_mean,
    power_law,
    tail_index,
)
from paceline.realism.series import (
    arrivals_ns,
    flow_imbalance,
    grid_ns,
    market_orders,
    mids,
    returns,
    volumes,
)

Floats = npt.NDArray[np.float64]
Tapes = Sequence[Tape]

INF = float("inf")

TAIL = 0.05
"""Share of the largest values that a tail index rests on."""


class Fact(NamedTuple):
    """One number that is known of real markets."""

    name: str
    says: str
    """The fact in words, and what the number is."""
    value: float
    """NaN where the tapes cannot tell."""
    std_error: float
    """NaN where no error is known."""
    n: int
    """On how many observations it rests; what they are is in the docstring of the fact."""
    low: float
    high: float
    source: str

    @property
    def ok(self) -> bool:
        """Whether the number is in its range. One that is not known is not."""
        return self.low <= self.value <= self.high


def facts_of(tapes: Tapes) -> list[Fact]:
    """All eleven facts of `tapes`, days of one instrument. Raises `InputError` without tapes."""
    if not tapes:
        raise InputError("tapes: none given; give at least one day")
    tapes = on_one_grid(tapes)
    return [fact(tapes) for fact in FACTS]


def no_linear_memory(tapes: Tapes) -> Fact:
    """Returns of a minute do not predict one another beyond the next.

    Root of the mean squared autocorrelation at lags 2 to 10, less what independent returns of the
    same changing variance would show. n: returns.
    """
    days = _scaled(tapes, 60.0)
    found = autocorrelation(days, np.arange(2, 11))
    excess = float(np.mean(found.value**2 - found.std_error**2))
    return Fact(
        "no linear memory",
        "1-minute returns: root mean square autocorrelation at lags 2 to 10, beyond chance",
        float(np.sqrt(max(excess, 0.0))) if not np.isnan(excess) else NAN,
        float(np.mean(found.std_error)),
        _known(days),
        0.0,
        0.1,
        "Cont, Quantitative Finance 1 (2001) 223, fact 1",
    )


def fat_tails(tapes: Tapes) -> Fact:
    """Large returns follow a power law with exponent 2 to 5: Hill's index of the largest 5 % of
    1-minute returns. n: returns in the tail."""
    found = tail_index(np.concatenate(_scaled(tapes, 60.0)), TAIL)
    return _fact(
        "fat tails",
        "tail index of 1-minute returns (Hill, largest 5 %)",
        found,
        (2.0, 5.0),
        "Gopikrishnan et al., Eur. Phys. J. B 3 (1998) 139; Cont (2001), fact 2",
    )


def nearer_normal_with_time(tapes: Tapes) -> Fact:
    """Excess kurtosis is above 0 and falls as the horizon grows: that of 5-minute returns as a
    share of that of 10-second ones; NaN where the latter is not above 0. n: 10-second returns."""
    short, long = (np.concatenate(_scaled(tapes, s)) for s in (10.0, 300.0))
    peak = excess_kurtosis(short)
    return _fact(
        "nearer to normal with time",
        "excess kurtosis of 5-minute returns, as a share of that of 10-second returns",
        Estimate(excess_kurtosis(long) / peak if peak > 0.0 else NAN, NAN, _known([short])),
        (-0.5, 1.0),
        "Cont (2001), fact 4 (aggregational Gaussianity)",
    )


NEAR, FAR = (1, 4), (18, 91)
"""Lags of 10 s (first, behind the last) between which the memory of volatility is measured: up to
half a minute, and from 3 to 15 minutes."""


def lasting_volatility(tapes: Tapes) -> Fact:
    """The autocorrelation of |return| falls slowly, as a power of the lag with a small exponent.

    Two points on the law: mean autocorrelation of 10-second |returns| over `NEAR` and over `FAR`
    lags, each at its mean log lag. The shape of the day (a parabola) is divided out first, because
    a U makes a memory of its own. NaN unless the far mean is above 0 by two standard errors. The
    range is that of the source with a factor of 2 on each side, because 10-second returns are
    noisier than those it was found on. n: returns.
    """
    size = _without_shape([np.abs(one) for one in _scaled(tapes, 10.0)])
    x, y, error = [], [], NAN
    for low, high in (NEAR, FAR):
        found = autocorrelation(size, np.arange(low, high))
        x.append(float(np.exp(np.log(found.lags).mean())))
        y.append(float(np.mean(found.value)))
        error = float(np.sqrt(np.mean(found.std_error**2) / len(found.lags)))
    lasts = y[0] > 0.0 and y[1] > 2.0 * error
    slope = float(np.log(y[0] / y[1]) / np.log(x[1] / x[0])) if lasts else NAN
    noise = error / y[1] / float(np.log(x[1] / x[0])) if lasts else NAN
    return _fact(
        "lasting volatility",
        "exponent with which the autocorrelation of 10-second |returns| falls",
        Estimate(slope, noise, _known(size)),
        (0.1, 0.8),
        "Liu et al., Phys. Rev. E 60 (1999) 1390; Cont (2001), fact 8: 0.2 to 0.4",
    )


WINDOWS = (16, 32, 64, 128, 256)
"""Market orders over which signs are summed."""


def sign_memory(tapes: Tapes) -> Fact:
    """The signs of market orders remember: their autocorrelation falls as lag^-a with a below 1.

    Measured on sums, as Lillo & Farmer do: the variance of the sum of L signs grows as L^(2 - a),
    fitted in logs over `WINDOWS`. Independent signs, and signs that forget soon, have a = 1. The
    autocorrelation itself gives the same a with several times the noise. n: market orders.
    """
    signs = [market_orders(tape).sign.astype(np.float64) for tape in tapes]
    n = sum(len(one) for one in signs)
    mean = known_mean(np.concatenate(signs))
    about = [one - mean for one in signs]
    spread = [known_mean(_sums(about, window) ** 2) for window in WINDOWS]
    fewest = len(_sums(about, WINDOWS[-1]))
    growth = -power_law(np.array(WINDOWS, dtype=np.float64), np.array(spread))
    # The variance of k sums is known to sqrt(2 / k); the longest windows carry the error.
    error = np.sqrt(2.0 / fewest) / np.log(WINDOWS[-1] / WINDOWS[0]) if fewest else NAN
    return _fact(
        "memory of signs",
        "exponent with which the autocorrelation of market-order signs falls",
        Estimate(2.0 - growth if fewest >= 5 else NAN, float(error), n),
        (0.36, 0.77),
        "Lillo & Farmer, Studies in Nonlinear Dynamics & Econometrics 8 (2004) 3; "
        "Bouchaud et al., Quantitative Finance 4 (2004) 176",
    )


def price_follows_imbalance(tapes: Tapes) -> Fact:
    """The mid moves in proportion to the order-flow imbalance at the touch.

    R2 of 30-second changes of the mid on imbalance, fitted anew every half hour (depth changes
    through the day) and averaged over the half hours. The source has 0.65 on average over fifty
    stocks, on the best prices of all venues; one venue of several sees a part of the flow, hence
    the lower bound. n: half hours.
    """
    per_fit, fits = 60, []
    for tape in tapes:
        change, flow = np.diff(mids(tape, 30.0)), flow_imbalance(tape, 30.0)
        for start in range(0, len(change) - per_fit + 1, per_fit):
            y, x = change[start : start + per_fit], flow[start : start + per_fit]
            known = ~np.isnan(y)
            if known.sum() >= per_fit // 2 and y[known].std() > 0.0 and x[known].std() > 0.0:
                fits.append(float(np.corrcoef(x[known], y[known])[0, 1] ** 2))
    return _fact(
        "price follows imbalance",
        "R2 of 30-second changes of the mid on order-flow imbalance",
        _average(fits),
        (0.3, 1.0),
        "Cont, Kukanov & Stoikov, J. Financial Econometrics 12 (2014) 47: 0.65 on average",
    )


def volume_with_volatility(tapes: Tapes) -> Fact:
    """Where much is traded, the price moves much: correlation of |return| and volume over 5
    minutes, both by their day's mean. n: intervals."""
    moves, lots = [], []
    for tape in tapes:
        move, volume = np.abs(returns(tape, 300.0)), volumes(tape, 300.0)
        known = ~np.isnan(move)
        if known.sum() > 1 and move[known].mean() > 0.0 and volume[known].mean() > 0.0:
            moves.append(move[known] / move[known].mean())
            lots.append(volume[known] / volume[known].mean())
    n = sum(len(one) for one in moves)
    r = float(np.corrcoef(np.concatenate(moves), np.concatenate(lots))[0, 1]) if n > 2 else NAN
    return _fact(
        "volume with volatility",
        "correlation of |return| and volume over 5 minutes",
        Estimate(r, (1.0 - r**2) / np.sqrt(n) if n > 2 else NAN, n),
        (0.2, 1.0),
        "Karpoff, J. Financial and Quantitative Analysis 22 (1987) 109",
    )


def busy_ends(tapes: Tapes) -> Fact:
    """The day is a U: volume in the quieter of the first and the last hour, by the mean of an hour
    in the middle half of the session. NaN where a recording holds less than the session's ends.
    n: days."""
    ratios = []
    for tape in tapes:
        session, volume = tape.session, np.concatenate([[0.0], tape.events.volume])
        if tape.manifest.quality.short_session or session.length_s < 4 * 3600:
            continue
        hour, quarter = 3600 * 10**9, (session.close_ns - session.open_ns) // 4
        after_open = session.open_ns + np.array([0, hour, quarter])
        before_close = session.close_ns - np.array([quarter, hour, 0])
        edges = np.concatenate([after_open, before_close])
        done = volume[np.searchsorted(tape.events.ts, edges, side="right")]
        middle_hour = (done[3] - done[2]) * hour / (edges[3] - edges[2])
        ratios.append((done[1] - done[0], done[5] - done[4], middle_hour))
    # Hours are averaged over the days first: on one day news may make any of them the busiest.
    first, last, middle = np.mean(ratios, axis=0) if ratios else (NAN, NAN, NAN)
    return _fact(
        "busy ends of the day",
        "volume of the first or the last hour, the lesser, by that of an hour in the middle",
        Estimate(float(min(first, last) / middle) if middle > 0.0 else NAN, NAN, len(ratios)),
        (1.2, INF),
        "Jain & Joh, J. Financial and Quantitative Analysis 23 (1988) 269; "
        "McInish & Wood, J. Finance 47 (1992) 753",
    )


def arrivals_in_clusters(tapes: Tapes) -> Fact:
    """Arrivals come in clusters: Allan factor of their counts in 10 s, half the mean squared
    difference of neighbours by the mean. 1 for Poisson arrivals, and close to 1 where only the
    rate changes slowly: a U alone does not pass. A Hawkes flow of branching ratio r tends to
    1 / (1 - r)^2, and the lowest r found in markets is 0.3. n: counts."""
    factors, n = [], 0
    for tape in tapes:
        count = np.histogram(arrivals_ns(tape), grid_ns(tape, 10.0))[0].astype(np.float64)
        if len(count) > 1 and count.mean() > 0.0:
            factors.append(float(np.mean(np.diff(count) ** 2) / 2.0 / count.mean()))
            n += len(count)
    found = _average(factors)
    return _fact(
        "arrivals in clusters",
        "Allan factor of arrivals in 10 s (Poisson: 1)",
        found._replace(n=n),
        (2.0, INF),
        "Lowen & Teich, Fractal-Based Point Processes (2005); "
        "Filimonov & Sornette, Phys. Rev. E 85 (2012) 056108: branching ratio 0.3 and more",
    )


def heavy_sizes(tapes: Tapes) -> Fact:
    """Sizes of market orders have a tail so heavy that their variance hardly exists: Hill's index
    of the largest 5 %. Round lots make it rough. n: orders in the tail."""
    lots = np.concatenate([market_orders(tape).lots for tape in tapes]).astype(np.float64)
    return _fact(
        "heavy sizes",
        "tail index of the sizes of market orders (Hill, largest 5 %)",
        tail_index(lots, TAIL),
        (1.0, 3.0),
        "Gopikrishnan et al., Phys. Rev. E 62 (2000) R4493: 1.5; "
        "Maslov & Mills, Physica A 299 (2001) 234: 1.4",
    )


def diffusive_price(tapes: Tapes) -> Fact:
    """The signature plot is nearly flat: variance of 30-second returns per second, by that of
    5-minute returns. Above 1 the mid bounces back, below 1 it runs on. n: 5-minute returns."""
    short, long = ([returns(tape, s) for tape in tapes] for s in (30.0, 300.0))
    per_s = [float(np.nanmean(np.concatenate(one) ** 2)) / s if _known(one) else NAN
             for one, s in ((short, 30.0), (long, 300.0))]  # fmt: skip
    return _fact(
        "diffusive price",
        "variance per second of 30-second returns, by that of 5-minute returns",
        Estimate(per_s[0] / per_s[1] if per_s[1] > 0.0 else NAN, NAN, _known(long)),
        (0.5, 2.0),
        "Bouchaud, Bonart, Donier & Gould, Trades, Quotes and Prices (2018)",
    )


FACTS: tuple[Callable[[Tapes], Fact], ...] = (
    no_linear_memory,
    fat_tails,
    nearer_normal_with_time,
    lasting_volatility,
    sign_memory,
    price_follows_imbalance,
    volume_with_volatility,
    busy_ends,
    arrivals_in_clusters,
    heavy_sizes,
    diffusive_price,
)
"""All of them, in the order in which they are shown."""


def _fact(name: str, says: str, found: Estimate, bounds: tuple[float, float], source: str) -> Fact:
    return Fact(name, says, found.value, found.std_error, found.n, *bounds, source)


def _scaled(tapes: Tapes, step_s: float) -> list[Floats]:
    """Returns of each day by their root mean square on that day; days that never moved are left
    out."""
    days = [returns(tape, step_s) for tape in tapes]
    scale = [float(np.sqrt(np.nanmean(day**2))) if _known([day]) else 0.0 for day in days]
    return [day / s for day, s in zip(days, scale, strict=True) if s > 0.0] or [np.empty(0)]


def _without_shape(days: Sequence[Floats]) -> list[Floats]:
    """Each value by a parabola in the time of its day, fitted to all days at once."""
    at = [np.linspace(-1.0, 1.0, len(day)) for day in days]
    x, y = np.concatenate(at), np.concatenate(days)
    known = ~np.isnan(y)
    if known.sum() < 30:
        return list(days)
    shape = np.polyfit(x[known], y[known], 2)
    floor = 0.1 * float(y[known].mean())  # a parabola may cross 0, a level does not
    return [day / np.maximum(np.polyval(shape, x), floor) for x, day in zip(at, days, strict=True)]


def _sums(series: Sequence[Floats], window: int) -> Floats:
    """Sums over as many whole windows as fit in each of `series`."""
    whole = [one[: len(one) // window * window].reshape(-1, window).sum(axis=1) for one in series]
    return np.concatenate(whole)


def _average(values: Sequence[float]) -> Estimate:
    """Mean of independent values and its standard error."""
    n = len(values)
    error = float(np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else NAN
    return Estimate(float(np.mean(values)) if n else NAN, error, n)


def _known(series: Sequence[Floats]) -> int:
    return int(sum((~np.isnan(one)).sum() for one in series))
