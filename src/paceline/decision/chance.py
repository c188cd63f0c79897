"""Any legal action by chance, each as likely as another: who wants one asks here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paceline.jit import kernel


def any_legal(legal: NDArray[np.bool_], dice: np.random.Generator) -> NDArray[np.int64]:
    """`[n]` actions among those that are `legal` `[n, n_actions]`; 0 where none is."""
    found = np.zeros(len(legal), np.int64)
    pick_legal(~legal, dice.random(len(legal)), found)
    return found


@kernel
def pick_legal(against: NDArray[Any], share: NDArray[np.float64], out: NDArray[np.int64]) -> None:
    """Write the legal action that stands at `share` `[n]`, 0 up to 1, of those in each row of
    `against` `[n, n_actions]`, which is 0 where one is legal; a row without any is left alone."""
    for i in range(len(against)):
        legal = 0
        for a in range(against.shape[1]):
            legal += against[i, a] == 0
        before = int(share[i] * legal)
        for a in range(against.shape[1]):
            if against[i, a] == 0:
                if before == 0:
                    out[i] = a
                    break
                before -= 1
