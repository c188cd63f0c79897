"""A policy learnt in a world of Almgren and Chriss, against their closed form.

    python -m benchmarks.policy_ac_world

The world is a martingale with linear temporary and permanent impact (`recipes/ac-world.yaml`), in
which an order is charged for its shortfall and for what it holds, squared, times volatility: the
mean and variance of Almgren and Chriss. Their trajectory is the best that anybody can do. The
recipe is cooked as `paceline train` does, with three seeds; each policy works 4,096 fresh orders,
each in a market of its own, and so do the closed form, TWAP, and the best that the grid of
actions allows (by dynamic programming).

Value: by how much the objective of the worst of the seeds is above the closed form, per cent.
Half the spread, permanent impact and nothing else are left out of both: no action changes them,
and they would make the percentage look smaller.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import AT_MOST, announce, digits
from benchmarks.worlds import (
    SEEDS,
    Played,
    follow,
    fresh_orders,
    play,
    recipe_of,
    std_error,
    trained,
)
from paceline.cost.impact import Impact, cost_variance, expected_cost
from paceline.learn.recipe import Recipe
from paceline.schedule import almgren_chriss
from paceline.units import BPS

N, BAR_PERCENT = 4096, 5.0
SIGMA, HALF_SPREAD = 1.0, 0.5
"""Of the walk: ticks / sqrt(s), and ticks."""


class World(NamedTuple):
    """The recipe's world in the words of Almgren and Chriss."""

    impact: Impact
    slice_s: float
    chances: int
    """Decisions of an order; the last one, at the end of the horizon, takes what is left."""
    risk: float


def world_of(recipe: Recipe) -> World:
    """Half of a fill's own push is paid at once: eta~ / tau is half of the transient shift."""
    push, lasting = recipe.impact.transient_ticks_per_lot, recipe.impact.permanent_ticks_per_lot
    (tau,) = recipe.policy.action_set.wait_seconds
    (horizon_s,) = recipe.orders.horizon_s
    eta = 0.5 * (push + lasting) * tau
    impact = Impact(sigma=SIGMA, gamma=lasting, eta=eta, epsilon=HALF_SPREAD)
    return World(impact, tau, round(horizon_s / tau) + 1, recipe.reward.risk)


def objective(world: World, played: Played) -> NDArray[np.float64]:
    """`[n]` bps, what no action changes left out."""
    fixed = HALF_SPREAD + 0.5 * float(world.impact.gamma) * played.lots
    paid = played.shortfall_bps - fixed / played.arrival_ticks * BPS
    return np.asarray(paid + world.risk * played.risk)


def closed_form(world: World, lots: NDArray[np.float64]) -> NDArray[np.float64]:
    """`[n, chances + 1]` share of the order still to trade."""
    horizon_s = np.full(len(lots), world.chances * world.slice_s)
    return almgren_chriss.left(horizon_s, world.chances, world.impact, _aversion(world, lots))


def formula(world: World, left: NDArray[np.float64], played: Played) -> NDArray[np.float64]:
    """`[n]` objective of a trajectory by the formulas, bps."""
    lots = played.lots
    bare = world.impact._replace(epsilon=0.0)
    held = left * lots[:, None]
    cost = expected_cost(held, world.slice_s, bare) - 0.5 * bare.gamma * lots**2
    cost += _aversion(world, lots) * cost_variance(held, world.slice_s, bare)
    return np.asarray(cost / (lots * played.arrival_ticks) * BPS)


def _aversion(world: World, lots: NDArray[np.float64]) -> NDArray[np.float64]:
    """lambda of each order: the reward charges share^2 sigma seconds, in bps of the order."""
    return world.risk / (SIGMA * lots)


def best_of_grid(
    world: World, sizes: NDArray[np.float64], lots: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`[n, chances]` fractions among `sizes` and none that cost least. What is left costs a number
    times its square, so that the number is all there is to remember."""
    temporary = world.impact.eta_tilde(world.slice_s) / world.slice_s
    waits = _aversion(world, lots) * SIGMA**2 * world.slice_s
    choices = np.append(0.0, sizes)
    worth = np.full(len(lots), float(temporary))  # the last chance takes all
    found = np.ones((len(lots), world.chances))
    for k in reversed(range(world.chances - 1)):
        each = temporary * choices**2 + (waits + worth)[:, None] * (1.0 - choices) ** 2
        found[:, k] = choices[each.argmin(axis=1)]
        worth = each.min(axis=1)
    return found


class Seed(NamedTuple):
    """What came of one seed, per cent of the closed form."""

    learned: float
    error: float
    grid: float
    twap: float
    closed_bps: float
    formula_off: float  # standard errors by which the closed form, as played, is off the formula
    violations: int


def measured(seed: int, folder: Path) -> Seed:
    recipe = recipe_of("ac-world", seed)
    act = trained(recipe, folder / f"seed-{seed}")
    world, orders = world_of(recipe), fresh_orders(recipe, N)
    learned = play(recipe, orders, act)
    left = closed_form(world, learned.lots)
    even = 1.0 / np.arange(world.chances, 0, -1)
    ways = {
        "closed": 1.0 - left[:, 1:] / left[:, :-1],
        "grid": best_of_grid(
            world, np.asarray(recipe.policy.action_set.grid().sizes), learned.lots
        ),
        "twap": np.broadcast_to(even, (N, world.chances)),
    }
    costs = {
        name: objective(world, play(recipe, orders, *follow(way, world.slice_s)))
        for name, way in ways.items()
    }
    truth = formula(world, left, learned)
    above = {name: 100.0 * (cost - costs["closed"]) / truth.mean() for name, cost in costs.items()}
    gap = 100.0 * (objective(world, learned) - costs["closed"]) / truth.mean()
    off = costs["closed"] - truth
    return Seed(
        learned=float(gap.mean()), error=std_error(gap), grid=float(above["grid"].mean()),
        twap=float(above["twap"].mean()), closed_bps=float(truth.mean()),
        formula_off=float(off.mean()) / std_error(off),
        violations=learned.faults(),
    )  # fmt: skip


def main() -> bool:
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        found = [measured(seed, Path(folder)) for seed in SEEDS]
    seconds = time.process_time() - start
    worst = max(found, key=lambda one: one.learned)
    violations = sum(one.violations for one in found)
    return announce(
        "policy_ac_world",
        worst.learned,
        "% above the closed form, worst seed",
        BAR_PERCENT,
        AT_MOST,
        provided=violations == 0 and all(abs(one.formula_off) < 4.0 for one in found),
        seeds=list(SEEDS),
        by_seed=[digits(one.learned, 3) for one in found],
        std_errors=[digits(one.error, 2) for one in found],
        grid_best=[digits(one.grid, 3) for one in found],
        twap=[digits(one.twap, 3) for one in found],
        closed_form_bps=[digits(one.closed_bps) for one in found],
        formula_off_std_errors=[digits(one.formula_off, 2) for one in found],
        orders=N,
        violations=violations,
        processor_minutes=digits(seconds / 60.0, 2),
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
