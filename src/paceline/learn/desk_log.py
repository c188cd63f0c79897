"""A desk's own child orders as logged decisions: replayed on the tapes of their days, seen with the
features of all decisions, and told in actions of a grid.

    found = replayed(pool, grid, episodes, whose, children, Nearness(2, 4.0))
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
    ActionGrid,
    child_lots,
    child_ticks,
    child_type,
    mean_child,
)
from paceline.decision.rows import Decisions, Outcome
from paceline.decision.state import NOWHERE, State
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import Pool
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

EXACT, NEAR, NO_PRICE, NO_ACTION, MASKED, FAR_AWAY, OTHER_SIZE, LATE = range(8)
"""What a child order is in the log: just what its action means, near to it, or none."""

VERDICTS: dict[int, tuple[str, bool]] = {
    NO_PRICE: ("was sent while the book showed not both sides", True),
    NO_ACTION: ("is of a type that no action of the grid has", True),
    MASKED: ("is an action that is masked: the limits of the log do not allow it", True),
    FAR_AWAY: ("stands too far from any action of the grid (max_steps_away)", True),
    OTHER_SIZE: ("has a size too far from any of the grid (max_size_ratio)", True),
    LATE: ("was sent after the replay had filled its parent order", False),
}
"""Why a child order is no decision of the log, and whether that speaks against the file."""

_AT_ONCE = 256
"""Parent orders replayed side by side."""
_MOST_ORDERS = 4096
"""Child orders that a parent order has room for."""


class Nearness(NamedTuple):
    """How far a child order may be from the action that stands for it."""

    steps: int  # of the order grid
    ratio: float  # between sizes


class Replayed(NamedTuple):
    """What came of child orders, `m` of them, and what was decided."""

    decisions: Decisions
    outcome: Outcome
    verdicts: NDArray[np.int64]  # [m]


def replayed(
    pool: Pool,
    grid: ActionGrid,
    episodes: NDArray[np.void],
    whose: NDArray[np.int64],
    children: NDArray[np.void],
    nearness: Nearness,
    progress: Callable[[int], None] = lambda ended: None,
) -> Replayed:
    """Replay `children` `[m]` of CHILD_RECORD of the parent orders `episodes` `[n]` of `pool`;
    `whose` `[m]` are their places, and rows rise by place and time.

    Those whose verdict is a reason were carried out all the same, and are no rows; the row before
    one leads to where it is not known what was chosen."""
    parts, verdicts = [], np.full(len(children), LATE)
    for first in range(0, len(episodes), _AT_ONCE):
        some = episodes[first : first + _AT_ONCE]
        mine = (whose >= first) & (whose < first + len(some))
        env = BatchExecutionEnv(
            pool, len(some), grid=grid, max_orders=_MOST_ORDERS, max_fills=2 * _MOST_ORDERS
        )
        env.reset(options={"episodes": some})
        rows, verdicts[mine] = _replayed(
            env, whose[mine] - first, children[mine], nearness, progress
        )
        parts += [row._replace(episode=row.episode + first) for row in rows]
        env.close()
    return Replayed(*_joined(parts), verdicts)


class _Row(NamedTuple):
    """Decisions of one moment, a row each."""

    ts: NDArray[np.int64]
    episode: NDArray[np.int64]
    features: NDArray[np.float32]
    mask: NDArray[np.bool_]
    action: NDArray[np.int64]
    over: NDArray[np.int8]
    terms: NDArray[np.float64]  # [n, TERMS]
    is_told: NDArray[np.bool_]  # whether an action stands for what was done


def _replayed(
    env: BatchExecutionEnv,
    whose: NDArray[np.int64],
    children: NDArray[np.void],
    nearness: Nearness,
    progress: Callable[[int], None],
) -> tuple[list[_Row], NDArray[np.int64]]:
    """The same in one environment, which has begun the parent orders."""
    n, table = env.num_envs, env.grid.table()
    at = np.searchsorted(whose, np.arange(n))
    end = np.searchsorted(whose, np.arange(n), side="right")
    verdicts = np.full(len(children), LATE)
    ends = env.episodes["end_ts"]
    going, parts = np.ones(n, np.bool_), list[_Row]()
    action, rows = np.zeros(n, np.int64), np.zeros(n, ACTION_RECORD)
    wanted, found = np.zeros(n, CHILD_RECORD), np.zeros(n, np.int64)
    times = np.append(children["ts"], 0)
    every = np.ones(len(table), np.bool_)
    while going.any():
        ts = env.lives.progress["ts"].copy()
        due = going & (at < end) & (times[at] == ts)
        later = at + due
        gaps = np.where(later < end, times[later], ends) - ts
        # Where no child order is due the desk holds.
        action[:], rows[:], found[:] = 0, table[0], EXACT
        rows["wait_ns"] = np.minimum(gaps, table[0]["wait_ns"])
        wanted[due] = children[at[due]]
        some = np.flatnonzero(due)
        mask = env.action_masks()
        masks = (mask, every)
        tell_some(env.lives, some, table, masks, wanted, gaps, nearness, action, rows, found)
        verdicts[at[due]] = found[due]
        row = _Row(
            ts=ts, episode=np.arange(n), features=env.seen.copy(), mask=mask,
            action=action.copy(), over=np.zeros(n, np.int8), terms=env.terms, is_told=found <= NEAR,
        )  # fmt: skip
        _, over = env.carry(rows)
        row = row._replace(over=over.astype(np.int8), terms=env.terms)
        parts.append(_Row._make(column[going] for column in row))
        at = later
        ended = going & (over != RUNNING)
        going &= ~ended
        progress(int(ended.sum()))
    return parts, verdicts


def _joined(parts: list[_Row]) -> tuple[Decisions, Outcome]:
    """All that was decided, in order of parent and time, without what has no action."""
    every = _Row._make(np.concatenate(column) for column in zip(*parts, strict=True))
    every = _Row._make(column[np.lexsort((every.ts, every.episode))] for column in every)
    next_is_lost = np.append(~every.is_told[1:], False)
    over = np.where((every.over == RUNNING) & next_is_lost, TRUNCATED, every.over)
    kept = _Row._make(column[every.is_told] for column in every._replace(over=over))
    terms = kept.terms.astype(np.float32).T
    outcome = Outcome(
        propensity=np.full(len(kept.ts), np.nan, np.float32),
        over=kept.over.astype(np.int8),
        policy=np.full(len(kept.ts), DESK),
        terms=dict(zip(TERM_NAMES, terms, strict=True)),
    )
    return Decisions._make(kept[: len(Decisions._fields)]), outcome


@kernel
def tell_some(
    lives: Lives,
    which: NDArray[np.int64],
    table: NDArray[np.void],
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    wanted: NDArray[np.void],
    gaps: NDArray[np.int64],
    nearness: Nearness,
    actions: NDArray[np.int64],
    rows: NDArray[np.void],
    verdicts: NDArray[np.int64],
) -> None:
    """For `which` of the lives: the action nearest to the child order `wanted` `[n]`, the row that
    carries out that order, and the verdict on it.

    `masks` say what is legal `[n, n_actions]`, and what is if all is `[n_actions]`; `gaps` `[n]`
    are ns to the next child order."""
    mask, every = masks
    for at in range(len(which)):
        i = which[at]
        verdicts[i], actions[i] = _tell(
            state_of(lives, i), table, mask[i], every, wanted[i], gaps[i], nearness, rows[i]
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
    return EXACT if price == ticks and size == lots else NEAR, own


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
