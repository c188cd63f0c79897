"""The memory of order signs, and the metaorders that explain it.

Buys follow buys and sells follow sells, far longer than anything else in a market remembers. Lillo,
Mike and Farmer, "Theory for long memory in supply and demand" (2005), explain it by large orders
that are worked in pieces: with N of them at work and lengths whose tail falls as n ** -a, the
autocorrelation of signs falls as N ** (a - 2) / a * lag ** (1 - a) (their equation 18). When only a
share s of the market orders are pieces, two of them are both pieces with s ** 2, and a lag holds
s * lag of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paceline.engine.flow_settings import Metaorders

LAGS = 200
"""Longest lag, in market orders, at which the memory is looked at."""

_FIRST_LAG = 10
"""Shorter ones are of bursts, not of metaorders."""

_SHORTEST = 10 * LAGS
"""Market orders without which no memory is claimed."""

_FEWEST_AT_WORK = 3
"""With fewer, all market orders would be of one side for hours."""

_TAILS = (1.05, 1.95)
"""Beyond the first the theory has no memory to speak of, beyond the last no finite mean."""


def sign_memory(days: Sequence[NDArray[np.int64]], lags: int) -> NDArray[np.float64]:
    """Autocorrelation `[lags]` of order signs at lags 1, 2, ...

    `days` hold the side of the book (0 or 1) that each market order took; lags do not reach across
    nights, and each day is freed of its own mean.
    """
    products, pairs, variance, n = np.zeros(lags), np.zeros(lags), 0.0, 0
    for rows in days:
        sign = 1.0 - 2.0 * rows
        sign = sign - sign.mean() if len(sign) else sign
        variance, n = variance + float(sign @ sign), n + len(sign)
        for lag in range(1, min(lags, len(sign) - 1) + 1):
            products[lag - 1] += sign[lag:] @ sign[:-lag]
            pairs[lag - 1] += len(sign) - lag
    if variance == 0.0:
        return np.zeros(lags)
    return np.asarray(products / np.maximum(pairs, 1) / (variance / n))


def fit_metaorders(
    days: Sequence[NDArray[np.int64]],
    known: NDArray[np.float64] | None = None,
    base_share: float = 1.0,
) -> Metaorders:
    """The metaorders whose theory comes closest, in squares, to the memory of `days`, as for
    `sign_memory`. None are claimed where the memory is within the noise.

    `known` `[LAGS]` is what excitation explains of it. `base_share` of the market orders are not
    brought about by others: pieces are among them, and what they bring about takes their side.
    """
    n = sum(len(rows) for rows in days)
    if n < _SHORTEST:
        return Metaorders()
    lags = np.arange(_FIRST_LAG, LAGS + 1)
    left = sign_memory(days, LAGS) - (0.0 if known is None else known)
    seen = left[_FIRST_LAG - 1 :]
    if seen.mean() < 3.0 / np.sqrt(n * len(lags)):  # signs without memory: 1 / n at every lag
        return Metaorders()
    tails = np.linspace(*_TAILS, 91)
    shapes = (base_share * lags[None, :]) ** (1.0 - tails[:, None])
    levels = np.maximum((shapes @ seen) / (shapes**2).sum(axis=1), 1e-12)
    best = int(np.argmin(((seen - levels[:, None] * shapes) ** 2).sum(axis=1)))
    tail, level = float(tails[best]), float(levels[best])
    # level = s ** 2 * N ** (a - 2) / a * s ** (1 - a): the most metaorders that leave a share <= 1.
    for at_work in range(Metaorders().at_work, _FEWEST_AT_WORK - 1, -1):
        share = (level * tail * at_work ** (2.0 - tail)) ** (1.0 / (3.0 - tail))
        if share <= 1.0:
            break
    return Metaorders(
        share=float(f"{min(share, 1.0):.4g}"),
        at_work=at_work,
        tail=float(f"{tail:.4g}"),
        brought=known is None,
    )
