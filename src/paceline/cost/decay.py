"""How fast the price comes back after trades: the half-life of transient impact.

A propagator in the sense of Bouchaud, Gefen, Potters & Wyart, "Fluctuations and response in
financial markets" (2004), on bars: the mid answers one lot of net flow by G(l) after l bars,

    m_{k+1} - m_k = c + sum_l g_l n_{k-l} + noise,      G(l) = g_0 + ... + g_l,

whatever the correlation of the flow itself. G is then read as

    G(l) = permanent + transient 2^(-l tau / half-life)

by generalised least squares with the covariance of G. Differences from the paper: one exponential
instead of a power law (one number is what the footprint's resilience needs), and bars instead of
trades.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from paceline.cost.impact_fit import Bars, Estimate, check_bars, lagged_flow
from paceline.cost.regression import least_squares
from paceline.errors import InputError

Floats = npt.NDArray[np.float64]


class DecayFit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Response of the mid to one lot of net flow, and its decay."""

    half_life_s: Estimate
    """Seconds in which half of the transient part is gone."""
    transient: Estimate
    """Part that goes away, ticks / lot, at the end of the bar of the trade."""
    permanent: Estimate
    """Part that stays, ticks / lot."""
    response: tuple[Estimate, ...]
    """G(0) ... G(lags), ticks / lot."""
    bar_s: float
    """Length of the bars, seconds."""


def fit_decay(bars: Bars, bar_s: float, lags: int) -> DecayFit:
    """Fit the response over `lags` bars of `bar_s` seconds, at least 4 and a few half-lives long.

    Raises `InputError` when bars are too few, and when the response shows no decay between half a
    bar and twice the lags: then there is no half-life to give, and none is made up.
    """
    check_bars(bars, bar_s)
    if lags < 4:
        raise InputError(f"lags: {lags} are too few to see a decay; give at least 4")
    flow, rows = lagged_flow(bars, lags)
    move = bars.close_mid - bars.open_mid
    rows &= np.isfinite(move)
    try:
        fit = least_squares(move[rows], flow[rows], bars.day[rows])
    except InputError as error:
        raise InputError(f"half_life_s: cannot be fitted, {error}") from None
    add_up = np.tril(np.ones((lags + 1, lags + 1)))
    response = add_up @ fit.coefficient[1:]
    covariance = add_up @ fit.covariance[1:, 1:] @ add_up.T

    try:
        life, (permanent, transient), errors = _exponential(response, covariance)
    except np.linalg.LinAlgError:
        raise InputError(
            "half_life_s: cannot be fitted, the mid does not answer to trades; give livelier days"
        ) from None
    if transient <= 0.0:
        raise InputError("half_life_s: the response grows; give shorter bars or more days")
    n = fit.n
    return DecayFit(
        half_life_s=Estimate(value=life * bar_s, std_error=errors[2] * bar_s, n=n),
        transient=Estimate(value=transient, std_error=errors[1], n=n),
        permanent=Estimate(value=permanent, std_error=errors[0], n=n),
        response=tuple(
            Estimate(value=float(g), std_error=float(se), n=n, r2=fit.r2)
            for g, se in zip(response, np.sqrt(np.diag(covariance)), strict=True)
        ),
        bar_s=float(bar_s),
    )


def _exponential(
    response: Floats, covariance: Floats
) -> tuple[float, tuple[float, float], tuple[float, float, float]]:
    """Half-life in bars, (permanent, transient), and the errors of permanent, transient, half-life.

    For a given half-life the rest is linear, so one number is searched for: on a grid even in its
    logarithm, then by golden section between the neighbours of the best.
    """
    bars = np.arange(len(response), dtype=np.float64)
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    y = whiten @ response

    def at(log_life: float) -> tuple[float, Floats]:
        x = whiten @ np.column_stack([np.ones_like(bars), 0.5 ** (bars / np.exp(log_life))])
        b, *_ = np.linalg.lstsq(x, y, rcond=None)
        return float(np.sum((y - x @ b) ** 2)), b

    grid = np.linspace(np.log(0.5), np.log(2.0 * bars[-1]), 60)
    best = int(np.argmin([at(point)[0] for point in grid]))
    if best in (0, len(grid) - 1):
        raise InputError("half_life_s: no decay within the lags; give other bars, lags or days")
    low, high = float(grid[best - 1]), float(grid[best + 1])
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    while high - low > 1e-10:
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if at(left)[0] < at(right)[0] else (left, high)
    life = float(np.exp(0.5 * (low + high)))
    permanent, transient = (float(value) for value in at(np.log(life))[1])
    decay = 0.5 ** (bars / life)
    slope = transient * decay * bars * np.log(2.0) / life**2
    jacobian = whiten @ np.column_stack([np.ones_like(bars), decay, slope])
    errors = np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    return life, (permanent, transient), (float(errors[0]), float(errors[1]), float(errors[2]))
