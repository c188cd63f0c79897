"""What arrivals bring about: a Hawkes process fitted to the six streams.

The rate of each kind of arrival on a side is

    multiple(queue) x base(t)  +  sum of  norm x decay x exp(-decay x age)

with `base` the rate that hour and distance explain (`rates`), its multiple for the queue at the
touch, and a term for each earlier arrival, by kind, side and time scale (Wu, Rambaldi, Muzy and
Bacry, "Queue-reactive Hawkes models for the order flow", 2019). The multiples are fitted along:
a burst of limit orders makes long queues, and what it brings looks like a reaction to them. Both
sides are one sample, mirrored.

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

from paceline.calibrate.counting import Counts, Journal
from paceline.calibrate.rates import Rates, by_queue, shrunk
from paceline.engine.flow_settings import Excitation
from paceline.engine.laws import CANCEL, LIMIT, MARKET, QUEUES, SPREADS, STREAMS
from paceline.jit import kernel

HALF_LIVES_S = (0.05, 1.0, 30.0)
"""Machines that answer, machines that work, people."""

_SHARED_OUT = 10
_ROUNDS = 50
_SWEEPS = 500
_CLOSE = 1e-3
"""Gain in log-likelihood at which a round is the last."""


class ExcitationFit(NamedTuple):
    """How many arrivals of each kind one of each kind brings about."""

    norms: NDArray[
        np.float64
    ]  # [scales, 2, 3, 3] same and other side, what happened, what it brings
    errors: NDArray[np.float64]  # of norms: standard errors, from the curvature of the likelihood
    multiples: NDArray[np.float64]  # [3, QUEUES] of the base: what the excited leave of it
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
        return Excitation(half_lives_s=self.half_lives_s, same=same, other=other)


@kernel
def heats(
    ts: NDArray[np.int64],
    stream: NDArray[np.int64],
    decay: NDArray[np.float64],
    heat: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """What is left of all earlier arrivals when each arrives, per second.

    `decay` `[scales]` per second. Writes `out` `[n, scales, 2, 3]`: by side, the arrival's own or
    the other, and by kind. `heat` `[scales, STREAMS]` starts at 0.
    """
    for i in range(len(ts)):
        row = stream[i] & 1
        for m in range(len(decay)):
            factor = np.exp(-decay[m] * (ts[i] - ts[max(i - 1, 0)]) * 1e-9)
            for k in range(STREAMS):
                heat[m, k] *= factor
                out[i, m, (k & 1) ^ row, k >> 1] = heat[m, k]
            heat[m, stream[i]] += decay[m]


def base_rates(journal: Journal, rates: Rates) -> NDArray[np.float64]:
    """The rate per second `[n]` that hour, spread and distance explain when each arrival comes; of
    its own kind, on its side."""
    what = journal.stream >> 1
    per_s = np.where(what == MARKET, rates.market_per_s, rates.limit_per_s)
    per_s = np.where(what == CANCEL, journal.pace, per_s)
    width = np.minimum(journal.width, SPREADS - 1)
    return np.asarray(per_s * rates.hour[journal.hour] * rates.tension[what, width])


def fit_excitation(
    journals: Sequence[Journal],
    counts: Counts,
    rates: Rates,
    brought: Sequence[int],
    half_lives_s: tuple[float, ...] = HALF_LIVES_S,
) -> ExcitationFit:
    """The likeliest excitation of the kinds of arrivals in `brought`; others are left to the base.

    `journals` hold one day each, with the pace of cancels that `rates` found in `counts`.
    """
    decay = np.log(2.0) / np.array(half_lives_s)
    scales = len(decay)
    stream, bucket, base = (np.concatenate(column) for column in zip(
        *((journal.stream, journal.bucket, base_rates(journal, rates)) for journal in journals),
        strict=True,
    ))  # fmt: skip
    heat = np.empty((len(stream), scales, 2, 3))
    at = 0
    for journal in journals:
        out = heat[at : at + len(journal.ts)]
        heats(journal.ts, journal.stream, decay, np.zeros((scales, STREAMS)), out)
        at += len(out)
    # An arrival of either side is "same" to one side and "other" to the other: each is met once.
    seen = np.bincount(stream >> 1, minlength=3).astype(np.float64)
    explained = by_queue(counts, rates)
    norms, errors = np.zeros((2, scales, 2, 3, 3))
    multiples = rates.reaction.copy()
    for kind in brought:
        # Nothing is known of the rate on a side that is empty; what comes there excites others.
        one = (stream >> 1 == kind) & (bucket < QUEUES)
        known = np.flatnonzero(explained[kind] > 0.0)
        terms = np.where(bucket[one, None] == known, base[one, None], 0.0)
        terms = np.column_stack([terms, heat[one].reshape(-1, 6 * scales)])
        exposure = np.concatenate([explained[kind][known], np.tile(seen, 2 * scales)])
        found, error = likeliest(terms, exposure, len(known))
        multiples[kind][known] = found[: len(known)]
        norms[..., kind], errors[..., kind] = (
            values[len(known) :].reshape(scales, 2, 3) for values in (found, error)
        )
    return ExcitationFit(norms, errors, multiples, half_lives_s)


def unexcited(counts: Counts, rates: Rates, fit: ExcitationFit) -> Rates:
    """The rates that are left when what arrivals bring about is taken out."""
    explained = by_queue(counts, rates)
    left = fit.multiples * explained
    # Not of what queues made of it: a reaction has mean 1.
    share = left.sum(axis=1) / (rates.reaction * explained).sum(axis=1)
    return rates._replace(
        limit_per_s=float(rates.limit_per_s * share[LIMIT]),
        market_per_s=float(rates.market_per_s * share[MARKET]),
        cancel_per_s=rates.cancel_per_s * share[CANCEL],
        reaction=shrunk(left, share[:, None] * explained),
    )


def likeliest(
    terms: NDArray[np.float64], exposure: NDArray[np.float64], n_base: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights `[k]`, none negative, of a rate that is a weighted sum of `terms`, and their standard
    errors.

    `terms` `[n, k]` are known at the n arrivals, `exposure` `[k]` is the integral of each over all
    time: the log-likelihood is sum(log(terms @ weights)) - exposure @ weights. A weight at its
    bound of zero has no error: NaN. The first `n_base` terms are of the base: to begin with, half
    of the arrivals are thought theirs.
    """
    n = len(terms)
    terms = terms / exposure  # weights are now numbers of arrivals, which sum to n
    weights = np.full(len(exposure), 0.5 * n / max(len(exposure) - n_base, 1))
    weights[:n_base] = 0.5 * exposure[:n_base] / exposure[:n_base].sum() * n
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
