"""What a flow tends to, in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_TIMES = 20.0
_ALWAYS = 100.0
"""Heat may stand for so many times the arrivals that it stands for on average, and some more."""


def mean_heat(norms: Floats, base: Floats, hour: Floats) -> Floats:
    """Heat per ns `[bins, scales, streams]` on average, were each part of the day without end.

    `norms` `[scales, streams, streams]` are the arrivals that one of each stream brings about,
    `base` `[streams]` its own per ns, and `hour` `[streams, bins]` their multiples. Arrivals of a
    stream are its own and those that all bring about (Hawkes, "Spectra of some self-exciting and
    mutually exciting point processes", 1971, equation 6).
    """
    caused = np.eye(len(base)) - norms.sum(axis=0).T
    arrivals = np.linalg.solve(caused, base[:, None] * hour)
    return np.asarray(np.einsum("mij,ib->bmj", norms, arrivals))


def leaving_at(patience: Floats, reach: int) -> Floats:
    """Patience at each of `reach` distances; the last known one holds further on."""
    return np.asarray(patience[np.minimum(np.arange(reach), len(patience) - 1)])


def most_to_come(warm: Floats, decay: Floats) -> float:
    """Arrivals that heat may stand for, where on average it is `warm` `[bins, scales, streams]` and
    decays by `decay` `[scales]`, both per ns. Heat h of decay b stands for h / b arrivals."""
    usual = (warm.sum(axis=2) / decay).sum(axis=1).mean() if len(decay) else 0.0
    return _MOST_TIMES * float(usual) + _ALWAYS
