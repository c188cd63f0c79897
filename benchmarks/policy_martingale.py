"""A policy learnt where nothing can be won, against TWAP.

    python -m benchmarks.policy_martingale

The price walks, nothing that we do moves it, and a share costs half the spread whether it rests or
takes (`recipes/martingale.yaml`), so no policy costs more or less than another on average. The
recipe is cooked as `paceline train` does, with three seeds; each policy and TWAP, which takes a
slice at every decision, work the same 16,384 fresh orders, each in a market of its own: a cluster
is an order.

Value: how many standard errors TWAP cost more or less than the policies, over all seeds; above 1.96
something is won or lost that is not there. A gain of 0.2 bps would have been seen: four times in
five it would be 2.8 standard errors, and those are reported.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import AT_MOST, announce, digits
from benchmarks.worlds import SEEDS, follow, fresh_orders, play, recipe_of, std_error, trained

N, BAR, SEEN_BPS = 16_384, 1.96, 0.2
_POWER = 2.8
"""Standard errors at which a two-sided test at 95 % sees a difference four times in five."""


def gains(seed: int, folder: Path) -> tuple[NDArray[np.float64], float, int]:
    """`[N]` bps that a policy saved against TWAP, what TWAP cost, and violations."""
    recipe = recipe_of("martingale", seed)
    act, orders = trained(recipe, folder / f"seed-{seed}"), fresh_orders(recipe, N)
    (horizon_s,), (wait_s,) = recipe.orders.horizon_s, recipe.policy.action_set.wait_seconds
    chances = round(horizon_s / wait_s)
    even = np.broadcast_to(1.0 / np.arange(chances, 0, -1), (N, chances))
    twap, learned = play(recipe, orders, *follow(even, wait_s)), play(recipe, orders, act)
    violations = learned.faults()
    return twap.shortfall_bps - learned.shortfall_bps, float(twap.shortfall_bps.mean()), violations


def main() -> bool:
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        found = [gains(seed, Path(folder)) for seed in SEEDS]
    seconds = time.process_time() - start
    gain = np.concatenate([one[0] for one in found])
    errors = [std_error(one[0]) for one in found]
    error, violations = std_error(gain), sum(one[2] for one in found)
    return announce(
        "policy_martingale",
        abs(float(gain.mean())) / error,
        "standard errors from TWAP",
        BAR,
        AT_MOST,
        provided=violations == 0 and _POWER * max(errors) <= SEEN_BPS,
        gain_bps=digits(float(gain.mean()), 3),
        std_error_bps=digits(error, 3),
        would_be_seen_bps=digits(_POWER * error, 3),
        seeds=list(SEEDS),
        gain_bps_by_seed=[digits(float(one[0].mean()), 3) for one in found],
        std_error_bps_by_seed=[digits(one, 3) for one in errors],
        twap_bps=[digits(one[1], 3) for one in found],
        orders=N,
        violations=violations,
        processor_minutes=digits(seconds / 60.0, 2),
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
