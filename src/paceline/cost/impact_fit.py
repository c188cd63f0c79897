"""sigma, gamma, eta and epsilon of the Almgren-Chriss model, fitted on bars of the market.

The market's own net flow stands in for us: in bar k takers bought n_k lots more than they sold, v_k
lots traded, the mid went from m_k to m_{k+1}, and a lot traded on average p_k above the mid just
before it.

    permanent   m_{k+1} - m_k = c + sum_l g_l n_{k-l} + noise        gamma = sum_l g_l
    temporary   p_k = epsilon n_k / v_k + eta n_k / tau + noise
    volatility  sigma^2 tau = mean (m_{k+1} - m_k)^2

The first is (1) and (6) of Almgren & Chriss with some bars of memory: a push that the next bars
take back is not permanent, so gamma is what is left after `lags` bars. The second is (2) and (7)
for trades on both sides, of which epsilon n_k / v_k is the surplus. It measures from the mid just
before each trade and not, as the paper would, from the start of the bar: the way from one to the
other is mostly noise, and made eta three to ten times less certain on recorded days. sigma holds
the moves that others cause, because to us their flow is noise.

What is unrealistic: impact is linear (measured: nearer to a square root for large orders); others'
flow is informed and ours need not be; flow is taken as the cause of moves inside its own bar; what
an earlier trade pushed and has not come back yet is in nobody's premium (`paceline.cost.decay`
measures it).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from paceline.cost.impact import Impact
from paceline.cost.regression import Regression, least_squares
from paceline.errors import InputError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Bars(NamedTuple):
    """Bars of equal length, in order of time within each day. Gaps are rows of NaN, not missing
    rows."""

    day: Ints
    """`[t]` any number for the day; bars of one day stand together."""
    open_mid: Floats
    """`[t]` mid at the start of the bar, ticks; NaN where there is none."""
    close_mid: Floats
    """`[t]` mid at the end of the bar, ticks."""
    net_lots: Floats
    """`[t]` lots bought by takers less lots sold by takers."""
    lots: Floats
    """`[t]` lots traded, without those of which nobody knows who took."""
    premium: Floats
    """`[t]` mean over lots of trade price less the mid just before it, ticks: above 0 where buyers
    took; NaN where nothing traded."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fitted number."""

    value: float
    std_error: float
    n: int
    """Bars behind it."""
    r2: float | None = None
    """Share of variance explained by the regression; None where there is no regression."""

    def interval(self, z: float = 1.96) -> tuple[float, float]:
        """`value` -+ z standard errors; 1.96 covers 95 %."""
        return self.value - z * self.std_error, self.value + z * self.std_error


class ImpactFit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fitted parameters of the Almgren-Chriss model."""

    sigma: Estimate
    """ticks / sqrt(s)."""
    gamma: Estimate
    """ticks / lot."""
    eta: Estimate
    """ticks / (lot / s), over the mid just before each trade: the paper's eta~, see `impact`."""
    epsilon: Estimate
    """ticks."""
    bar_s: float
    """Length of the bars, seconds."""
    lags: int
    """Bars after which the permanent impact was read off."""
    days: int
    """Days pooled."""

    def impact(self, slice_s: float) -> Impact:
        """The model for slices of `slice_s` seconds.

        The paper prices a slice from its first mid and takes back half of the slice's permanent
        impact, eta~ = eta - gamma tau / 2. In the fit the mid moves under the trades, so it found
        eta~ itself; eta is given such that eta~, and with it the cost of a rate, is the same for
        every length of slice. Raises `InputError` when the fit has no positive eta.
        """
        if self.eta.value <= 0.0:
            raise InputError(
                f"eta: {self.eta.value:.3g} is not positive, so these bars show no temporary "
                "impact; fit on shorter bars or more days"
            )
        return Impact(
            sigma=self.sigma.value,
            gamma=self.gamma.value,
            eta=self.eta.value + 0.5 * self.gamma.value * slice_s,
            epsilon=self.epsilon.value,
        )


def fit_impact(bars: Bars, bar_s: float, lags: int = 5) -> ImpactFit:
    """Fit on `bars` of `bar_s` seconds, pooled over days; bars before the first `lags` of a day and
    bars with a missing price are left out of what needs them.

    With `lags = 0` everything that a bar's flow moved counts as permanent; on recorded days a third
    of it was gone after five minutes. Standard errors are those of `least_squares`. Raises
    `InputError` when bars are too few or do not vary.
    """
    check_bars(bars, bar_s)
    move = bars.close_mid - bars.open_mid

    flow, rows = lagged_flow(bars, lags)
    rows &= np.isfinite(move)
    permanent = _fit("gamma", move[rows], flow[rows], bars.day[rows])
    weights = np.r_[0.0, np.ones(lags + 1)]
    gamma = Estimate(
        value=float(weights @ permanent.coefficient),
        std_error=float(np.sqrt(weights @ permanent.covariance @ weights)),
        n=permanent.n,
        r2=permanent.r2,
    )

    rows = np.isfinite(bars.premium) & (bars.lots > 0)
    net = bars.net_lots[rows]
    pressure = np.column_stack([net / bars.lots[rows], net / bar_s])
    temporary = _fit("eta", bars.premium[rows], pressure, bars.day[rows])
    epsilon, eta = (
        Estimate(
            value=float(temporary.coefficient[i]),
            std_error=float(np.sqrt(temporary.covariance[i, i])),
            n=temporary.n,
            r2=temporary.r2,
        )
        for i in (0, 1)
    )

    rows = np.isfinite(move)
    mean = _fit("sigma", move[rows] ** 2, np.ones((int(rows.sum()), 1)), bars.day[rows])
    square = float(mean.coefficient[0])
    sigma = Estimate(
        value=float(np.sqrt(square / bar_s)),
        std_error=float(np.sqrt(mean.covariance[0, 0] / (4.0 * square * bar_s))),
        n=mean.n,
    )
    return ImpactFit(
        sigma=sigma,
        gamma=gamma,
        eta=eta,
        epsilon=epsilon,
        bar_s=float(bar_s),
        lags=lags,
        days=len(np.unique(bars.day)),
    )


def lagged_flow(bars: Bars, lags: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Columns 1, n_k, n_{k-1}, ..., n_{k-lags} `[t, lags + 2]`, and the rows `[t]` whose lags all
    lie in the same day."""
    if lags < 0 or lags >= len(bars.day):
        raise InputError(f"lags: {lags} does not fit {len(bars.day)} bars; give 0 or a few")
    t = len(bars.day)
    columns = np.zeros((t, lags + 2))
    columns[:, 0] = 1.0
    for lag in range(lags + 1):
        columns[lag:, lag + 1] = bars.net_lots[: t - lag]
    same_day = np.zeros(t, dtype=np.bool_)
    same_day[lags:] = bars.day[lags:] == bars.day[: t - lags]
    return columns, same_day


def check_bars(bars: Bars, bar_s: float) -> None:
    """Raises `InputError` for columns that do not fit together or make no sense."""
    shapes = {np.shape(column) for column in bars}
    if len(shapes) != 1 or len(shapes.pop()) != 1:
        raise InputError("bars: columns of different lengths; give [t] of each")
    if not bar_s > 0.0 or not np.isfinite(bar_s):
        raise InputError(f"bar_s: {bar_s} is not a length of time; give seconds above 0")
    if not np.all(np.isfinite(bars.net_lots)) or not np.all(np.abs(bars.net_lots) <= bars.lots):
        raise InputError("net_lots: missing or beyond lots; a bar without trades has 0 of both")
    changes = int(np.sum(bars.day[1:] != bars.day[:-1]))
    if len(bars.day) and changes + 1 != len(np.unique(bars.day)):
        raise InputError("day: bars of one day do not stand together; sort them by time")


def _fit(what: str, y: Floats, x: Floats, day: Ints) -> Regression:
    try:
        regression = least_squares(y, x, day)
    except InputError as error:
        raise InputError(f"{what}: cannot be fitted, {error}") from None
    if not np.any(y):
        raise InputError(f"{what}: cannot be fitted, prices never move; give a longer stretch")
    return regression
