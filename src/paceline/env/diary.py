"""What was done in each episode since it began, to live it again where a market ran out of room."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SLICE = -1
"""A slice of a schedule, and no action."""

_ROOM = 256


class Diary:
    """Of `n` episodes."""

    def __init__(self, n: int, shape: tuple[int, ...] = ()) -> None:
        """Actions are numbers of a grid, or numbers of this shape that are never `SLICE`."""
        self._done = np.zeros((n, _ROOM, *shape), np.float64 if shape else np.int16)
        self._count = np.zeros(n, np.int64)

    def begin(self, which: NDArray[np.int64]) -> None:
        """These begin anew."""
        self._count[which] = 0

    def note(self, which: NDArray[np.int64], what: NDArray[Any] | int) -> None:
        """One action in each of these, or a `SLICE`."""
        if self._count.max() == self._done.shape[1]:
            self._done = np.concatenate([self._done, np.zeros_like(self._done)], axis=1)
        self._done[which, self._count[which]] = what
        self._count[which] += 1

    def of(self, i: int) -> list[NDArray[Any]]:
        """What was done in episode `i`; all of a slice is `SLICE`."""
        return list(self._done[i, : self._count[i]])
