"""Who fills enough for costs to compare: the one rule of tuning, of comparisons and of backtests.

What is not filled counts at a mid at which nobody traded it, so leaving it looks cheap. Who fills
more has no advantage of it.
"""

from __future__ import annotations

NAIVE, TUNED = "ac", "ac tuned"
"""Names of Almgren-Chriss as it is usually taken, and of the one whose tactic was tuned."""

LESS = 0.01
"""Most that one may fill less than those that it is held against."""


def fill_floor(*rates: float) -> float:
    """Least mean fill rate of one that compares with policies of these `rates`."""
    return max(rates) - LESS
