"""Estimators that the facts are made of: autocorrelation, tail index, kurtosis.

A series is an array in order of time, NaN where it is not known; several (one a day) are pooled
without ever pairing one day's end with the next day's start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NAN = float("nan")


class Estimate(NamedTuple):
    """A number, how sure it is, and on how much it rests."""

    value: float
    std_error: float
    n: int


class Autocorrelation(NamedTuple):
    """Autocorrelation at some lags. All `[len(lags)]`."""

    lags: npt.NDArray[np.int64]
    value: Floats
    """NaN where no pair is that far apart."""
    std_error: Floats
    """Under independence, but for changing variance (White): sqrt(sum of squared products) / sum
    of squares."""


def autocorrelation(series: Sequence[Floats], lags: npt.ArrayLike) -> Autocorrelation:
    """Autocorrelation of `series` (one or more) at `lags` from 1 on, pooled, about their mean."""
    lag = np.asarray(lags, dtype=np.int64)
    mean = known_mean(np.concatenate(series))
    about = [one - mean for one in series]
    variance = known_mean(np.concatenate(about) ** 2)
    value, error = np.full(len(lag), NAN), np.full(len(lag), NAN)
    for k, step in enumerate(lag):
        pairs = [one[step:] * one[:-step] for one in about if len(one) > step]
        products = np.concatenate(pairs) if pairs else np.empty(0)
        products = products[~np.isnan(products)]
        if len(products) and variance > 0.0:
            value[k] = products.mean() / variance
            error[k] = np.sqrt(np.mean(products**2) / len(products)) / variance
    return Autocorrelation(lag, value, error)


def tail_index(values: Floats, share: float) -> Estimate:
    """Hill's estimate of the exponent a of P(|x| > s) ~ s^-a, from the largest `share` of |x|.

    Hill, "A simple general approach to inference about the tail of a distribution", Annals of
    Statistics 3 (1975). Values of 0 have no logarithm and are left out before the share is taken.
    NaN with fewer than 10 values in the tail, or a tail of one value.
    """
    size = np.sort(np.abs(values[~np.isnan(values) & (values != 0.0)]))[::-1]
    k = int(share * len(size))
    if k < 10:
        return Estimate(NAN, NAN, k)
    excess = float(np.mean(np.log(size[:k] / size[k])))
    if excess <= 0.0:
        return Estimate(NAN, NAN, k)
    return Estimate(1.0 / excess, 1.0 / excess / np.sqrt(k), k)


def excess_kurtosis(values: Floats) -> float:
    """Fourth moment about the mean by the squared variance, less 3 (a normal law has 0)."""
    known = values[~np.isnan(values)]
    about = known - known.mean() if len(known) else known
    variance = known_mean(about**2)
    return known_mean(about**4) / variance**2 - 3.0 if variance > 0.0 else NAN


def power_law(x: Floats, y: Floats) -> float:
    """The exponent a of y ~ x^-a by least squares of log y on log x; NaN with fewer than 3 points
    or any y that is not above 0."""
    if len(x) < 3 or not np.all(y > 0.0):
        return NAN
    return -float(np.polyfit(np.log(x), np.log(y), 1)[0])


def known_mean(values: Floats) -> float:
    """Mean of what is known; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else NAN
