"""A desk's own child orders as logged decisions: replayed on the tapes of their days, seen with the
features of all decisions, and told in actions of a grid.

    decisions, outcome, verdicts = replayed(env, episodes, children, Nearness(2, 4.0))
    action = nearest(state, table, legal, child.type, child.ticks, child.lots, wait_ns)

At its time a child order is what should be working, just as an action is: what rests already is
moved. The replay carries out the desk's own order, and the log says the action nearest to it; so
what is seen next is what followed from what the desk did. Between child orders the desk held. What
an order earned is what the replay says; with which probability it was chosen, nobody knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.decision.actions import (
    ACTION_RECORD,
    child_lots,
    child_ticks,
    child_type,
    mean_child,
)
from paceline.decision.state import NOWHERE, State
from paceline.decision.store import Decisions, Outcome
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.lives import Lives, state_of
from paceline.env.reward import TERM_NAMES
from paceline.guard.rules import IOC, LIMIT, MARKETABLE
from paceline.jit import inner, kernel
from paceline.learn.logbook import RUNNING, TRUNCATED

DESK = "desk"
"""Who chose, in the log."""

CHILD_RECORD = np.dtype(
    [
        ("ts", np.int64),
        ("type", np.int64),  # 0 limit, 1 marketable limit, 2 immediate or cancel
        ("ticks", np.int64),
        ("lots", np.int64),
    ]
)

FINE, NO_PRICE, NO_ACTION, MASKED, FAR_AWAY, OTHER_SIZE, LATE = range(7)

VERDICTS: dict[int, tuple[str, bool]] = {
    NO_PRICE: ("was sent while the book showed not both sides", True),
    NO_ACTION: ("is of a type that no action of the grid has", True),
    MASKED: ("is an action that is masked: the limits of the log do not allow it", True),
    FAR_AWAY: ("stands too far from any action of the grid (max_steps_away)", True),
    OTHER_SIZE: ("has a size too far from any of the grid (max_size_ratio)", True),
    LATE: ("was sent after the replay had filled its parent order", False),
}
"""Why a child order is no decision of the log, and whether it cannot be true."""


class Nearness(NamedTuple):
    """How far a child order may be from the action that stands for it."""

    steps: int  # of the order grid
    ratio: float  # between sizes


def replayed(
    env: BatchExecutionEnv,
    episodes: NDArray[np.void],
    whose: NDArray[np.int64],
    children: NDArray[np.void],
    nearness: Nearness,
    progress: Callable[[int], None] = lambda ended: None,
) -> tuple[Decisions, Outcome, NDArray[np.int64]]:
    """Replay `children` `[m]` of CHILD_RECORD of parent orders `episodes` `[num_envs]`, on whose
    recorded days `env` is; `whose` `[m]` are their places, and rows rise by place and time.

    Returns what was decided, in order of parent and time, and a verdict on each child order `[m]`:
    those that are not FINE were carried out all the same, and are no rows; the row before one leads
    to where it is not known what was chosen.
    """
    n, table = env.num_envs, env.grid.table()
    at = np.searchsorted(whose, np.arange(n))
    end = np.searchsorted(whose, np.arange(n), side="right")
    verdicts = np.full(len(children), LATE)
    env.reset(options={"episodes": episodes})
    ends = env.episodes["end_ts"]
    going, parts = np.ones(n, np.bool_), []
    action, rows = np.zeros(n, np.int64), np.zeros(n, ACTION_RECORD)
    wanted, found = np.zeros(n, CHILD_RECORD), np.zeros(n, np.int64)
    gaps = np.zeros(n, np.int64)
    times = np.append(children["ts"], 0)
    while going.any():
        ts = env.lives.progress["ts"].copy()
        due = going & (at < end) & (times[at] == ts)
        wanted[due] = children[at[due]]
        found[:] = FINE
        later = np.where(due, at + 1, at)
        gaps[:] = np.where(later < end, times[np.minimum(later, len(children))], ends) - ts
        tell_some(
            env.lives, np.flatnonzero(due), table, wanted, gaps, nearness, action, rows, found
        )
        verdicts[at[due]] = found[due]
        held = ~due
        action[held], rows[held] = 0, table[0]
        rows["wait_ns"][held] = np.minimum(gaps[held], table[0]["wait_ns"])
        now = Decisions(
            ts[going], np.flatnonzero(going), env.seen[going], env.action_masks()[going],
            action[going],
        )  # fmt: skip
        _, over = env.carry(rows)
        parts.append((now, over[going].astype(np.int8), env.terms[going].copy(), found[going]))
        at = later
        ended = going & (over != RUNNING)
        going &= ~ended
        progress(int(ended.sum()))
    return *_joined(parts), verdicts


def _joined(
    parts: list[tuple[Decisions, NDArray[np.int8], NDArray[np.float64], NDArray[np.int64]]],
) -> tuple[Decisions, Outcome]:
    """All that was decided, in order of parent and time, without what has no action."""
    decisions = Decisions._make(np.concatenate(c) for c in zip(*(p[0] for p in parts), strict=True))
    over, terms, found = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
    order = np.lexsort((decisions.ts, decisions.episode))
    over, terms, found = over[order], terms[order], found[order]
    kept = found == FINE
    lost_next = np.append(~kept[1:], False)
    over = np.where((over == RUNNING) & lost_next, TRUNCATED, over).astype(np.int8)[kept]
    outcome = Outcome(
        propensity=np.full(len(over), np.nan, np.float32),
        over=over,
        policy=np.full(len(over), DESK),
        terms={name: terms[kept, k].astype(np.float32) for k, name in enumerate(TERM_NAMES)},
    )
    return Decisions._make(column[order][kept] for column in decisions), outcome


@kernel
def tell_some(
    lives: Lives,
    which: NDArray[np.int64],
    table: NDArray[np.void],
    wanted: NDArray[np.void],
    gaps: NDArray[np.int64],
    nearness: Nearness,
    actions: NDArray[np.int64],
    rows: NDArray[np.void],
    verdicts: NDArray[np.int64],
) -> None:
    """For `which` of the lives: the action nearest to the child order `wanted` `[n]`, the row that
    carries out that order itself, and the verdict on it. `gaps` `[n]` are ns to the next one."""
    legal, every = np.zeros(len(table), np.bool_), np.ones(len(table), np.bool_)
    for at in range(len(which)):
        i = which[at]
        state = state_of(lives, i)
        for a in range(len(table)):
            legal[a] = lives.bits[i, a] == 0
        verdicts[i], actions[i] = _tell(
            state, table, legal, every, wanted[i], gaps[i], nearness, rows[i]
        )


@inner
def _tell(
    state: State,
    table: NDArray[np.void],
    legal: NDArray[np.bool_],
    every: NDArray[np.bool_],
    child: np.void,
    gap: int,
    nearness: Nearness,
    row: np.void,
) -> tuple[int, int]:
    """The verdict on a child order, and its action."""
    order, step = state.order[0], state.context[0]["order_step"]
    side, ticks, lots, kind = order["side"], child["ticks"], child["lots"], child["type"]
    other = state.ticks[1 if side > 0 else 0, 0]
    if kind == LIMIT and side * (ticks - other) >= 0:
        kind = MARKETABLE  # it trades at once, whatever the desk called it
    if not mean_child(state, kind, ticks, lots, gap, row):
        return NO_PRICE, 0
    found = nearest(state, table, every, kind, ticks, lots, gap)
    if found < 0 and kind == MARKETABLE:
        kind = IOC  # the grid takes without resting
        found = nearest(state, table, every, kind, ticks, lots, gap)
    if found < 0:
        return NO_ACTION, 0
    own = nearest(state, table, legal, kind, ticks, lots, gap)
    price, size = child_ticks(state, table[found]), child_lots(state, table[found])
    if own < 0 or child_ticks(state, table[own]) != price or child_lots(state, table[own]) != size:
        return MASKED, 0
    # The limit of one that takes may be any way through the touch.
    away = abs(price - ticks) if kind == LIMIT else side * (price - ticks)
    if away > nearness.steps * step:
        return FAR_AWAY, 0
    if max(size / lots, lots / size) > nearness.ratio:
        return OTHER_SIZE, 0
    wait_ns = table[own]["wait_ns"]
    row["wait_ns"] = min(gap, wait_ns) if wait_ns > 0 else gap
    return FINE, own


@kernel
def nearest(
    state: State,
    table: NDArray[np.void],
    legal: NDArray[np.bool_],
    kind: int,
    ticks: int,
    lots: int,
    wait_ns: int,
) -> int:
    """The action that means the child order most like one of this type, price, size and wait until
    the next; -1 if no legal one is of its type. `table` is the grid's, `kind` 0 limit, 1 marketable
    limit, 2 immediate or cancel. Prices are compared first, then sizes by their ratio, then waits.
    """
    found = -1
    away_ticks, away_lots, away_ns = 0, 0.0, 0
    for a in range(1, len(table)):
        if not legal[a] or child_type(table[a]) != kind:
            continue
        price, size = child_ticks(state, table[a]), child_lots(state, table[a])
        if price == NOWHERE or size == 0:
            continue
        by_ticks = abs(price - ticks)
        by_lots = abs(math.log(size / lots))
        by_ns = abs(table[a]["wait_ns"] - wait_ns)
        nearer = by_ticks < away_ticks or (
            by_ticks == away_ticks
            and (by_lots < away_lots or (by_lots == away_lots and by_ns < away_ns))
        )
        if found < 0 or nearer:
            found, away_ticks, away_lots, away_ns = a, by_ticks, by_lots, by_ns
    return found
