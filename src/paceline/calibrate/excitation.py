"""What arrivals bring about: a Hawkes process fitted to the six streams.

The rate of each kind of arrival on a side is

    book x (base(t)  +  sum of  norm x decay x exp(-decay x age))

with `base` the rate that hour and place explain (`rates`), `book` the multiples for what the book
is like to that side, and a term for each earlier arrival, by kind, side and time scale (Wu,
Rambaldi, Muzy and Bacry, "Queue-reactive Hawkes models for the order flow", 2019; there the book
multiplies the base alone). The multiples are fitted by turns with the norms: a burst of limit
orders makes long queues, and what it brings looks like a reaction to them. Both sides are one
sample, mirrored. (An arrival counts whole, however likely the book had made it: to count 1 / r, or
the lesser of that and 1, is less likely on recorded days.)

Half lives are given, so the likelihood (Ogata, "The asymptotic behaviour of maximum likelihood
estimators for stationary point processes", 1978) is concave in what is left and has one maximum. A
few rounds of sharing each arrival out among what may have brought it (Lewis and Mohler, "A
nonparametric EM algorithm for multiscale Hawkes processes", 2011) come near it, Newton's steps
within its bounds reach it. There the expected number of arrivals is the number seen, so whatever
is excited is taken from the base.

Known bias: a rate that moves for reasons of its own looks like excitation. The hours of the day are
in the base, news within them is not, so branching ratios come out too high, the more so the longer
the half-lives (Filimonov and Sornette, "Apparent criticality and calibration issues in the Hawkes
self-excited point process model", 2015). The other way round, hours that are fitted to few days
take some of their chance for the base: there the longest half-lives come out too low.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.calibrate.rates import Rates, Seen, Tables, adjusted, explained
from paceline.calibrate.watching import Log
from paceline.engine.flow_settings import Excitation
from paceline.engine.laws import CANCEL, LIMIT, MARKET, SPREADS, STREAMS
from paceline.jit import kernel

HALF_LIVES_S = (0.05, 1.0, 20.0, 300.0)
"""Machines that answer, machines that work, people, and what people talk about."""

HERDING = 0.2
"""Tapes do not say who sent what. Where members are known, market orders that follow on their own
side are, within hours, overwhelmingly pieces of one large order and not others who follow (Toth,
Palit, Lillo and Farmer, "Why is equity order flow so persistent?", 2015). A fifth is an assumption
on the careful side."""

MOST_BRANCHING = 0.97
"""Likeliest norms can come to 1 and more, of a flow that would never end; and they are too high
anyway (see above)."""

_SHARED_OUT = 10
_ROUNDS = 50
_TURNS = 4
_SWEEPS = 500
_CLOSE = 1e-3
"""Gain in log-likelihood at which a round is the last."""


class ExcitationFit(NamedTuple):
    """How many arrivals of each kind one of each kind brings about."""

    norms: NDArray[np.float64]
    """`[scales, 2, 3, 3]` same and other side, what happened, what it brings."""
    errors: NDArray[np.float64]  # of norms: standard errors, from the curvature of the likelihood
    base: NDArray[np.float64]  # [3] share of the rates that is left to the base
    tables: Tables  # what the book makes of base and excitation alike
    left_over: NDArray[np.float64]
    """`[3, 3]` mean, variance and excess kurtosis of the waiting times of each kind, in units of
    what the rate lets expect: 1, 1 and 6 if the model were true (time rescaling)."""
    half_lives_s: tuple[float, ...]

    def settings(self) -> Excitation:
        """As the simulator takes it."""
        same, other = (
            tuple(
                tuple(tuple(float(f"{norm:.4g}") for norm in row) for row in scale[side])
                for scale in self.norms
            )
            for side in (0, 1)
        )
        return Excitation(
            half_lives_s=self.half_lives_s, same=same, other=other, reacts=True, herding=HERDING
        )


@kernel
def heats(
    log_ts: NDArray[np.int64],
    stream: NDArray[np.int64],
    decay: NDArray[np.float64],
    heat: NDArray[np.float64],
    out: NDArray[np.float64],
    total: NDArray[np.float64],
) -> None:
    """What is left of all earlier arrivals when each row of a log ends, per second.

    `decay` `[scales]` per second; `stream` below 0 is no arrival. Writes `out` `[2, n, scales, 2,
    3]`, to either side: by side, that one or the other, and by kind; and to `total` the integral of
    the same over the row. `heat` `[scales, STREAMS]` starts at 0.
    """
    for i in range(len(log_ts)):
        for m in range(len(decay)):
            factor = np.exp(-decay[m] * (log_ts[i] - log_ts[max(i - 1, 0)]) * 1e-9)
            gone = (1.0 - factor) / decay[m]
            for k in range(STREAMS):
                for side in range(2):
                    total[side, i, m, (k & 1) ^ side, k >> 1] = heat[m, k] * gone
                    out[side, i, m, (k & 1) ^ side, k >> 1] = heat[m, k] * factor
                heat[m, k] *= factor
            if stream[i] >= 0:
                heat[m, stream[i]] += decay[m]


def fit_excitation(
    logs: Sequence[Log],
    seen: Seen,
    rates: Rates,
    brought: Sequence[int],
    half_lives_s: tuple[float, ...] = HALF_LIVES_S,
) -> ExcitationFit:
    """The likeliest excitation of the kinds of arrivals in `brought`; others are left to the base.

    `seen` and `rates` are of `logs`, one a day.
    """
    decay = np.log(2.0) / np.array(half_lives_s)
    scales = len(decay)
    heat, total = _heats(logs, decay)
    plain = explained(seen, rates)
    base = _base_rates(seen, rates)
    norms, errors = np.zeros((2, scales, 2, 3, 3))
    left, tables = np.ones(3), rates.tables
    weights: dict[int, NDArray[np.float64]] = {}
    for _ in range(_TURNS):
        brings = list(plain)
        for kind in brought:
            one = np.flatnonzero(seen.came == kind)
            terms = np.column_stack([base[kind][one], heat[one]])
            product = tables.of(kind, seen)
            exposure = np.append(product @ plain[kind], product @ total)
            found, error = likeliest(terms, exposure, 1, weights.get(kind))
            weights[kind], left[kind] = found, found[0]
            brings[kind] = found[0] * plain[kind] + total @ found[1:]
            norms[..., kind], errors[..., kind] = (
                values[1:].reshape(scales, 2, 3) for values in (found, error)
            )
        for _ in range(_TURNS):
            tables = adjusted(seen, brings, tables)
    kept = _kept(norms)
    norms, errors, left = kept * norms, kept * errors, 1.0 - kept * (1.0 - left)
    left_over = np.array([_waits(seen, k, tables.of(k, seen) * brings[k]) for k in range(3)])
    return ExcitationFit(norms, errors, left, tables, left_over, half_lives_s)


def branching_of(norms: NDArray[np.float64]) -> float:
    """Branching ratio of norms `[scales, 2, 3, 3]`. Both sides are alike, so one arrival brings
    about what it does on both together."""
    return float(np.abs(np.linalg.eigvals(norms.sum(axis=(0, 1)))).max())


def _kept(norms: NDArray[np.float64]) -> float:
    """The share of norms `[scales, 2, 3, 3]` that makes a stable flow."""
    branching = branching_of(norms)
    return min(MOST_BRANCHING / branching, 1.0) if branching > 0.0 else 1.0


def _waits(seen: Seen, kind: int, expected: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean, variance and excess kurtosis of what was `expected` `[r]` between two arrivals."""
    waits = np.diff(np.cumsum(expected)[seen.came == kind])
    if len(waits) < 4 or waits.std() == 0.0:
        return (float("nan"),) * 3
    about = waits - waits.mean()
    variance = float(np.mean(about**2))
    return float(waits.mean()), variance, float(np.mean(about**4)) / variance**2 - 3.0


def _heats(
    logs: Sequence[Log], decay: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Heat at the end of each stretch that `seen_in` would take, and its integral over it, `[r,
    terms]`."""
    heat, total = [], []
    for log in logs:
        out, integral = np.empty((2, 2, len(log.ts), len(decay), 2, 3))
        heats(log.ts, log.stream, decay, np.zeros((len(decay), STREAMS)), out, integral)
        keep = [log.width < SPREADS] * 2
        heat.append([out[side, keep[side]].reshape(-1, 6 * len(decay)) for side in range(2)])
        total.append([integral[side, keep[side]].reshape(-1, 6 * len(decay)) for side in range(2)])
    return tuple(  # type: ignore[return-value]
        np.concatenate([day[side] for side in range(2) for day in days]) for days in (heat, total)
    )


def _base_rates(seen: Seen, rates: Rates) -> list[NDArray[np.float64]]:
    """The rate per second `[3][r]` that hour and place explain; where no time passed, too."""
    return explained(seen._replace(seconds=np.ones(len(seen.seconds))), rates)


def unexcited(rates: Rates, fit: ExcitationFit) -> Rates:
    """The rates that are left when what arrivals bring about is taken out."""
    return Rates(
        float(rates.limit_per_s * fit.base[LIMIT]),
        float(rates.market_per_s * fit.base[MARKET]),
        rates.cancel_per_s * fit.base[CANCEL],
        rates.hour,
        fit.tables,
    )


def likeliest(
    terms: NDArray[np.float64],
    exposure: NDArray[np.float64],
    n_base: int,
    start: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights `[k]`, none negative, of a rate that is a weighted sum of `terms`, and their standard
    errors.

    `terms` `[n, k]` are known at the n arrivals, `exposure` `[k]` is the integral of each over all
    time: the log-likelihood is sum(log(terms @ weights)) - exposure @ weights. A weight at its
    bound of zero has no error: NaN. The first `n_base` terms are of the base: to begin with, half
    of the arrivals are thought theirs, unless weights to `start` from are known.
    """
    n = len(terms)
    terms = terms / exposure  # weights are now numbers of arrivals, which sum to n
    weights = np.full(len(exposure), 0.5 * n / max(len(exposure) - n_base, 1))
    weights[:n_base] = 0.5 * exposure[:n_base] / exposure[:n_base].sum() * n
    if start is not None and len(start) == len(exposure):
        weights = np.where(start > 0.0, start * exposure, 1e-3 * weights)
    for _ in range(_SHARED_OUT):
        weights *= (1.0 / (terms @ weights)) @ terms
    level = _likelihood(terms, weights)
    for _ in range(_ROUNDS):
        scaled = terms / (terms @ weights)[:, None]
        slope = scaled.sum(axis=0) - 1.0
        step = _newton(scaled.T @ scaled, slope, weights) - weights
        for halvings in range(30):
            tried = weights + step / 2**halvings
            if (reached := _likelihood(terms, tried)) > level:
                break
        else:
            break  # nowhere higher
        gain, weights, level = reached - level, tried, reached
        if gain < _CLOSE:
            break
    scaled = terms / (terms @ weights)[:, None]
    inner = weights > 0.0
    error = np.full(len(weights), np.nan)
    error[inner] = np.sqrt(np.diag(np.linalg.pinv(scaled[:, inner].T @ scaled[:, inner])))
    return weights / exposure, error / exposure


def _newton(
    curvature: NDArray[np.float64], slope: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where the parabola that fits at `weights` is highest, with no weight below zero: one weight
    at a time, until none moves."""
    at, slope = weights.copy(), slope.copy()
    for _ in range(_SWEEPS):
        most = 0.0
        for k in np.flatnonzero(np.diag(curvature) > 0.0):
            move = max(slope[k] / curvature[k, k], -at[k])
            at[k] += move
            slope -= curvature[k] * move
            most = max(most, abs(move))
        if most < 1e-6 * weights.sum():
            break
    return at


def _likelihood(terms: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    rate = terms @ weights
    return float(np.log(rate).sum() - weights.sum()) if rate.min() > 0.0 else -np.inf
