"""A sum tree: draws rows in proportion to their priorities, in a logarithm of their number.

    tree = np.zeros(2 * leaves_for(capacity))      # leaves from the middle on, sums above them
    put(tree, rows, priorities)
    draw(tree, numbers, rows)                      # numbers in [0, 1), from a generator

Node i has the children 2i and 2i + 1; node 1 is the sum of all. Every sum is made anew from its two
children, so that no error builds up. Schaul et al., 2016, "Prioritized experience replay", appendix
B.2.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.jit import kernel


def leaves_for(capacity: int) -> int:
    """The power of 2 that holds `capacity` rows."""
    return 1 << max(capacity - 1, 0).bit_length()


@kernel
def put(tree: NDArray[np.float64], rows: NDArray[np.int64], priority: NDArray[np.float64]) -> None:
    """Give `rows` `[n]` new priorities `[n]`, not negative; of a row given twice the last holds."""
    half = len(tree) // 2
    for i in range(len(rows)):
        node = half + rows[i]
        tree[node] = priority[i]
        node //= 2
        while node >= 1:
            tree[node] = tree[2 * node] + tree[2 * node + 1]
            node //= 2


@kernel
def draw(tree: NDArray[np.float64], numbers: NDArray[np.float64], rows: NDArray[np.int64]) -> None:
    """Write the `rows` `[n]` in which `numbers` `[n]`, shares of the whole sum, come to lie."""
    half = len(tree) // 2
    for i in range(len(numbers)):
        left = numbers[i] * tree[1]
        node = 1
        while node < half:
            node *= 2
            # Rounding may lead past the last row that has any priority.
            if left >= tree[node] and tree[node + 1] > 0.0:
                left -= tree[node]
                node += 1
        rows[i] = node - half
