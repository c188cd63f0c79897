"""What both benchmarks of known worlds do: train by a recipe, and work fresh orders.

recipe = recipe_of("ac-world", seed=1)
act = trained(recipe, folder)
played = play(recipe, fresh_orders(recipe, 4096), act)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.config import load_yaml
from paceline.decision.actions import ActionGrid
from paceline.decision.box import ActionBox
from paceline.env.batch_env import TERM_NAMES, BatchExecutionEnv
from paceline.env.episode import RUNNING
from paceline.env.simulated_pool import SimulatedPool
from paceline.learn.pipeline import train
from paceline.learn.policy import load_policy
from paceline.learn.recipe import Recipe

RECIPES = Path(__file__).with_name("recipes")
SEEDS = (1, 2, 3)
FRESH = 1 << 40
"""Seeds of the orders that say how good it is lie so far behind those of training."""

AT_ONCE = 2048
"""Orders worked side by side: a book of its own for each takes room."""

Act = Callable[[NDArray[np.float32], BatchExecutionEnv, slice, int], NDArray[Any]]
"""What to do, from what is seen `[n, N_FEATURES]`, the environment, which of all orders these are,
and how many decisions came before."""


class Played(NamedTuple):
    """How orders went. All arrays `[n]`."""

    shortfall_bps: NDArray[np.float64]
    risk: NDArray[np.float64]
    """The reward's term, bps, positive."""
    lots: NDArray[np.float64]
    arrival_ticks: NDArray[np.float64]
    left_lots: NDArray[np.int64]
    violations: NDArray[np.int64]

    def faults(self) -> int:
        """Actions that were masked, and orders that nobody finished."""
        return int(self.violations.sum()) + int((self.left_lots > 0).sum())


def recipe_of(name: str, seed: int = 1) -> Recipe:
    """A recipe of this folder."""
    return msgspec.structs.replace(load_yaml(RECIPES / f"{name}.yaml", Recipe), seed=seed)


def fresh_orders(recipe: Recipe, n: int) -> tuple[SimulatedPool, NDArray[np.void]]:
    """Orders that nobody trained on, each in a market of its own."""
    orders = msgspec.structs.replace(recipe.orders, participation=recipe.risk.participation_cap)
    pool = SimulatedPool(list(recipe.data.markets), orders, seed=FRESH + recipe.seed)
    return pool, pool.draw(n)


def trained(recipe: Recipe, folder: Path) -> Act:
    """Train by `recipe` in `folder`, as `paceline train` does; returns the best by validation."""
    train(recipe, folder)
    policy = load_policy(folder / "policy", grid=recipe.policy.action_set.grid())

    def act(seen: NDArray[np.float32], env: BatchExecutionEnv, *_: Any) -> NDArray[Any]:
        return policy.many(seen, env.action_masks())[0]

    return act


def play(
    recipe: Recipe,
    orders: tuple[SimulatedPool, NDArray[np.void]],
    act: Act,
    grid: ActionGrid | ActionBox | None = None,
) -> Played:
    """Work `orders` by `act`, in the actions of the recipe or of `grid`."""
    pool, episodes = orders
    size = min(AT_ONCE, len(episodes))
    if len(episodes) % size:
        raise ValueError(f"orders: {len(episodes)} are no multiple of {size}")
    env = BatchExecutionEnv(
        pool, size, grid=grid or recipe.policy.action_set.grid(), venue=recipe.impact.venue(),
        reward=recipe.reward,
    )  # fmt: skip
    parts = [
        _played(env, episodes, slice(first, first + size), act)
        for first in range(0, len(episodes), size)
    ]
    return Played._make(np.concatenate(column) for column in zip(*parts, strict=True))


def _played(env: BatchExecutionEnv, episodes: NDArray[np.void], rows: slice, act: Act) -> Played:
    seen, _ = env.reset(options={"episodes": episodes[rows].copy()})
    risk, step = np.zeros(env.num_envs), 0
    lots = env.lives.order["lots"][:, 0].astype(np.float64)
    arrival = 0.5 * env.lives.order["arrival_twice_mid"][:, 0]
    while np.any(env.lives.progress["over"] == RUNNING):
        env.advance(act(seen, env, rows, step))
        seen, step = env.seen, step + 1
        risk -= env.terms[:, TERM_NAMES.index("risk")]
    progress = env.lives.progress
    return Played(
        shortfall_bps=progress["marked_bps"].copy(), risk=risk, lots=lots, arrival_ticks=arrival,
        left_lots=env.lives.order["left"][:, 0].copy(), violations=progress["illegal"].copy(),
    )  # fmt: skip


def follow(fractions: NDArray[np.float64], wait_s: float) -> tuple[Act, ActionBox]:
    """Who takes `fractions` `[n, decisions]` of what is left, whatever is seen, and the actions in
    which that can be said."""

    def act(_: Any, env: BatchExecutionEnv, rows: slice, step: int) -> NDArray[Any]:
        k = min(step, fractions.shape[1] - 1)
        return np.column_stack([fractions[rows, k], np.ones(env.num_envs)])

    return act, ActionBox(wait_s=wait_s)


def std_error(values: NDArray[np.float64]) -> float:
    """Of the mean of independent `values`."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))
