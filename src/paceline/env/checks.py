"""Checks of an environment that Gymnasium does not make: the same seed is the same game, and no
share is lost or won on the way. Raise `AssertionError` that says what was wrong."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from paceline.env.execution_env import ExecutionEnv


def check_deterministic(env: ExecutionEnv, seed: int = 0, steps: int = 100) -> None:
    """Twice the same seed and actions are twice the same numbers."""
    first, second = _play(env, seed, steps), _play(env, seed, steps)
    assert len(first) == len(second), "the same seed ended the episode elsewhere"
    for k, (one, other) in enumerate(zip(first, second, strict=True)):
        for mine, theirs in zip(one, other, strict=True):
            assert np.array_equal(mine, theirs), f"the same seed gave something else in step {k}"


def _play(env: ExecutionEnv, seed: int, steps: int) -> list[tuple[Any, ...]]:
    dice = np.random.default_rng(seed)
    seen, info = env.reset(seed=seed)
    found: list[tuple[Any, ...]] = [(seen, _said(info))]
    for _ in range(steps):
        seen, reward, terminated, truncated, info = env.step(_any_action(env, info, dice))
        found.append((seen, _said(info), reward, terminated, truncated))
        if terminated or truncated:
            break
    return found


def _said(info: dict[str, Any]) -> Any:
    """What may be done, or what was wrong with what was asked for."""
    return info["action_mask"] if "action_mask" in info else info["reasons"]


def _any_action(env: ExecutionEnv, info: dict[str, Any], dice: np.random.Generator) -> Any:
    space = env.action_space
    if isinstance(space, gym.spaces.Box):
        return dice.uniform(space.low, space.high)
    return dice.choice(np.flatnonzero(info["action_mask"]))


def check_conservation(env: ExecutionEnv, seed: int = 0, episodes: int = 5) -> None:
    """Filled and left are what was ordered, at every step; what works is no more than is left; and
    the steps of shortfall add up to the whole."""
    dice = np.random.default_rng(seed)
    for k in range(episodes):
        _, info = env.reset(seed=seed + k)
        lives, over, total = env.batch.lives, False, 0.0
        while not over:
            _, _, terminated, truncated, info = env.step(_any_action(env, info, dice))
            over = terminated or truncated
            order, fills = lives.order[0, 0], env.batch.fills(0)
            told = int(fills["lots"].sum() if over else lives.account.clock[0, 0]["told_lots"])
            assert told + order["left"] == order["lots"], (
                f"filled and left are {told} and {order['left']} of {order['lots']} lots"
            )
            assert over or order["working"] <= order["left"], (
                f"{order['working']} lots work where {order['left']} are left"
            )
            total += info["reward_terms"]["is_step"]
        bps = info["shortfall_bps"]
        assert abs(total + bps) < 1e-6, f"steps of {-total} bps add up to {bps}"
