"""Rows of features, made up: any values in their ranges, some of them missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.decision.schema import N_FEATURES, N_VALUES, NAMES, flags, ranges
from paceline.decision.state import REGIMES

FLAGS = flags()
REGIME = NAMES.index("regime_0")


def random_rows(n: int, seed: int, missing: float = 0.2) -> NDArray[np.float32]:
    """`[n, N_FEATURES]` as `features` writes them."""
    dice = np.random.default_rng(seed)
    low, high = ranges().T
    rows = np.zeros((n, N_FEATURES), np.float32)
    # Many stand at one value most of the time, as real ones do.
    rows[:, :N_VALUES] = low + (high - low) * dice.beta(0.3, 2.0, (n, N_VALUES))
    gone = dice.random((n, N_VALUES)) < missing
    regimes = slice(REGIME, REGIME + REGIMES)
    gone[:, regimes] = (dice.random(n) < missing)[:, None]
    rows[:, regimes] = dice.dirichlet(np.ones(REGIMES), n)
    gone[:, FLAGS < 0] = False
    rows[:, :N_VALUES][gone] = 0.0
    for k in np.flatnonzero(FLAGS >= 0):
        rows[:, FLAGS[k]] = gone[:, k]
    return rows
