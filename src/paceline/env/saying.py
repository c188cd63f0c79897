"""What a step says beside what is seen, in the form that Gymnasium gives to the info of many
environments: every entry is an array over all of them, and stands beside `_entry`, which of them
have it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def of_all(info: dict[str, Any], everywhere: NDArray[np.bool_]) -> dict[str, Any]:
    """`info` that all environments have; nothing of it is copied."""
    found: dict[str, Any] = {}
    for name, value in info.items():
        found[name] = of_all(value, everywhere) if isinstance(value, dict) else value
        found[f"_{name}"] = everywhere
    return found


def of_some(info: dict[str, Any], which: NDArray[np.bool_]) -> dict[str, Any]:
    """A copy of what `info` says of all, for `which` of them; the others have zeros."""
    found: dict[str, Any] = {}
    for name, value in info.items():
        if isinstance(value, dict):
            found[name] = of_some(value, which)
        else:
            found[name] = np.zeros_like(value)
            found[name][which] = value[which]
        found[f"_{name}"] = which
    return found


def seen_last(seen: NDArray[np.float32], which: NDArray[np.bool_]) -> NDArray[np.object_]:
    """`[n]` copies of rows of what is `seen`; None for those that are not `which`."""
    found = np.full(len(seen), None, object)
    for i in np.flatnonzero(which):
        found[i] = seen[i].copy()
    return found
