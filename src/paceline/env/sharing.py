"""Which episodes share a market, and are not independent of each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.cost.clustered import Clusters
from paceline.env.days import AnyPool
from paceline.env.simulated_pool import SimulatedPool


def shared_by(pool: AnyPool, episodes: NDArray[np.void]) -> Clusters:
    """What `episodes` `[n]` of `pool` share: the day, and the name. In simulated markets each has
    one of its own, which it shares with the same order on the other side, by its number."""
    if isinstance(pool, SimulatedPool):
        return Clusters(episodes["number"], unit="market")
    day = np.array([tape.session.day for tape in pool.tapes])
    name = np.array([tape.instrument.symbol for tape in pool.tapes])
    return Clusters(day[episodes["tape"]], name[episodes["tape"]])
