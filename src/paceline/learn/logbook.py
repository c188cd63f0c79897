"""Decision logs: what teachers saw, chose and earned, in a feature set.

    decisions, outcome = worked(env, [Teacher("ac/mid", grid, explore=0.1)], seed=1)
    a_set.add("YHOO", "2003-02-27", decisions, outcome)
    rows = transitions(decisions, outcome, {"is_step": 1.0}, gamma=1.0)

The row after a decision is the next one of its episode; what was seen after the last one is not
kept, so a decision that was cut off by a gap in the data teaches nothing and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from paceline.decision.actions import ActionGrid
from paceline.decision.normalizer import Locked, normalized
from paceline.decision.rows import Decisions, Outcome
from paceline.decision.schema import NAMES
from paceline.decision.store import FeatureSet
from paceline.errors import InputError
from paceline.learn.replay_buffer import Transitions
from paceline.learn.several_steps import of_episodes
from paceline.learn.teachers import Teaches

RUNNING, TERMINATED, TRUNCATED = 0, 1, 2
_BY_CHANCE = 0.5
"""A less likely choice was made by chance; one of unknown likelihood counts as meant."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z")
"""Days on tapes; parts of a log in simulated markets are called otherwise."""
_SECONDS_LEFT = NAMES.index("seconds_left")


def worked(
    env: VectorEnv[Any, Any, Any],
    teachers: Sequence[Teaches],
    *,
    seed: int,
    progress: Callable[[int], None] = lambda ended: None,
    episodes: NDArray[np.void] | None = None,
) -> tuple[Decisions, Outcome]:
    """One parent order in each environment, worked to its end, teachers taking turns.

    `env` says in `info` what is legal, when it is (`ts`), and the terms of the reward; `episodes`
    gives the orders instead of drawing. Rows are in order of episode and time.
    """
    dice = np.random.default_rng(seed)
    n = env.num_envs
    seen, info = env.reset(seed=seed, options={"episodes": episodes})
    turn = np.arange(n) % len(teachers)
    going, parts = np.ones(n, np.bool_), []
    while going.any():
        mask = np.asarray(info["action_mask"])
        action, propensity = np.zeros(n, np.int64), np.ones(n, np.float32)
        for k, teacher in enumerate(teachers):
            mine = turn == k
            action[mine], propensity[mine] = teacher.act(seen[mine], mask[mine], dice)
        now = Decisions(
            ts=info["ts"][going].copy(),
            episode=np.flatnonzero(going),
            features=seen[going],
            mask=mask[going],
            action=action[going],
        )
        seen, _, terminated, truncated, info = env.step(action)
        over = TERMINATED * terminated + TRUNCATED * truncated
        terms = {
            name: term[going].astype(np.float32)
            for name, term in info["reward_terms"].items()
            if not name.startswith("_")  # which of them have it
        }
        parts.append((now, propensity[going], over[going].astype(np.int8), terms))
        ended = going & (over != RUNNING)
        going &= ~ended
        progress(int(ended.sum()))
    decisions = Decisions._make(np.concatenate(c) for c in zip(*(p[0] for p in parts), strict=True))
    order = np.lexsort((decisions.ts, decisions.episode))
    names = np.array([teacher.name for teacher in teachers])
    outcome = Outcome(
        propensity=np.concatenate([part[1] for part in parts])[order],
        over=np.concatenate([part[2] for part in parts])[order],
        policy=names[turn[decisions.episode]][order],
        terms={
            name: np.concatenate([part[3][name] for part in parts])[order] for name in parts[0][3]
        },
    )
    return Decisions._make(column[order] for column in decisions), outcome


def logged_days(
    folder: str | Path, grid: ActionGrid, last_training_day: str
) -> list[tuple[Decisions, Outcome]]:
    """All days of a log, to learn `grid` from.

    Raises `InputError` for one of another grid, that holds a day after the last one of training, or
    a row that nothing can be learnt from."""
    kept = FeatureSet.open(folder)
    actions = kept.manifest.settings.get("grid")
    wanted = msgspec.json.decode(msgspec.json.encode(grid))
    if kept.manifest.n_actions != len(grid) or actions not in (None, wanted):
        raise InputError(f"teaching.logs: {folder} is of another grid; log it again with this one")
    late = [day.day for day in kept.manifest.days if _DAY.match(day.day)]
    if late and max(late) > last_training_day:
        raise InputError(
            f"teaching.logs: {folder} holds {max(late)}, after the last day of training, "
            f"{last_training_day}; log earlier days alone"
        )
    found = []
    for day in kept.manifest.days:
        decisions, outcome = kept.read(day.symbol, day.day), kept.outcome(day.symbol, day.day)
        _check_rows(f"teaching.logs: {folder}, {day.symbol} {day.day}", decisions, outcome)
        found.append((decisions, outcome))
    return found


def _check_rows(where: str, decisions: Decisions, outcome: Outcome) -> None:
    """Raises `InputError` for rows that nothing can be learnt from, naming the first of them."""
    mask, action = decisions.mask, decisions.action
    in_grid = (action >= 0) & (action < mask.shape[1])
    rows = np.arange(len(action))
    wrong = {
        "no action is legal; leave the row out (hold always is)": ~mask.any(axis=1),
        "the action is not in the grid": ~in_grid,
        "the action was masked; leave the row out": ~mask[rows, np.where(in_grid, action, 0)],
        "a feature is NaN or infinite; write 0 and its flag": ~np.isfinite(decisions.features).all(
            axis=1
        ),
    }
    for name, term in outcome.terms.items():
        # NaN in all rows: nobody knows what they earned.
        unknown = np.isnan(term)
        wrong[f"{name} is not finite; leave the row out"] = np.isinf(term) | (
            unknown & ~unknown.all()
        )
    for says, which in wrong.items():
        if which.any():
            raise InputError(f"{where}, row {which.argmax()} ({which.sum()} such): {says}")


def transitions(
    decisions: Decisions,
    outcome: Outcome,
    weights: Mapping[str, float],
    *,
    gamma: float,
    gamma_of: Literal["decision", "second"] = "decision",
    steps: int = 1,
    locked: Locked | None = None,
) -> Transitions:
    """Rows to learn from. `weights` are of the terms of the reward, those left out weigh 0;
    `locked` normalises features.

    Raises `InputError` for a term that was not logged.
    """
    for name in weights:
        if name not in outcome.terms:
            raise InputError(f"reward.{name}: was not logged; known are {', '.join(outcome.terms)}")
    raw = decisions.features
    features = raw if locked is None else normalized(locked, raw)
    reward = np.zeros(len(raw), np.float32)
    for name, weight in weights.items():
        reward += np.float32(weight) * outcome.terms[name]
    after = np.minimum(np.arange(len(raw)) + 1, len(raw) - 1)
    follows = (outcome.over == RUNNING) & (decisions.episode[after] == decisions.episode)
    done = outcome.over == TERMINATED
    discount = np.full(len(raw), gamma, np.float32)
    if gamma_of == "second":
        left = np.exp2(raw[:, _SECONDS_LEFT].astype(np.float64))
        discount = (gamma ** np.maximum(left - left[after], 0.0)).astype(np.float32)
    rows = Transitions(
        features=features, mask=decisions.mask, action=decisions.action, reward=reward,
        next_features=features[after], next_mask=decisions.mask[after], done=done,
        discount=discount, propensity=outcome.propensity,
    )  # fmt: skip
    return of_episodes(rows, follows, steps, outcome.propensity < _BY_CHANCE)
