"""Many episodes side by side on recorded days: their arrays, and the kernels that move them on.

Episodes on one tape are moved on in one call; the tape is shared and nothing of it is copied. What
an episode has of its own is its book, its account, its watch and its state: `nbytes` says how much.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.decision.box import Scale, aim
from paceline.decision.mask import MOST_CHOICES, mask
from paceline.decision.moods import Mood, sense
from paceline.decision.state import NOWHERE, State, new_state
from paceline.engine.account import Account, account_of, new_account
from paceline.engine.clockwork import Floor
from paceline.engine.flow_state import side_by_side
from paceline.engine.replay import Floor as RecordedFloor
from paceline.engine.venue import Rules
from paceline.env.ahead import bring_next
from paceline.env.episode import (
    FAR,
    MOST_AT_ONCE,
    PLAN,
    PROGRESS_RECORD,
    RUNNING,
    TERMINATED,
    VIOLATION,
    begin_episode,
    follow_episode,
    rest_of_plan,
    step_episode,
)
from paceline.env.grounds import window_lots
from paceline.env.guarding import note_sent, tell
from paceline.env.own_markets import SimulatedDay, pit_of
from paceline.env.seeing import HEARD_RECORD
from paceline.env.working import Plan, shares_of_window
from paceline.guard.bounds import band_up_to, costliest_in_band
from paceline.guard.limits import LIMITS_RECORD
from paceline.guard.participation import PPM, room_lots
from paceline.guard.rolling import ROLLING_RECORD, begin_counting
from paceline.guard.snapshot import blank_snapshots
from paceline.jit import chosen, inlined, kernel
from paceline.market.book import Book, new_book
from paceline.market.compiler import Images
from paceline.market.events import Events
from paceline.market.watch import Watch, watch_of


class Day(NamedTuple):
    """A recorded day, and what earlier days taught of it."""

    events: Events
    ground: Images
    level_ticks: NDArray[np.int64]
    rules: Rules
    facts: NDArray[np.void]  # [1] of FACTS_RECORD
    gaps: NDArray[np.int64]  # [m, 2] last row before a silence, and the first one after, ns
    curve: NDArray[np.float64]  # [bins + 1] share of a day's volume by each bin of the session
    fees: NDArray[np.void]  # [1] of FEES_RECORD
    limits: NDArray[np.void]  # [1] of the guard's LIMITS_RECORD
    mood: Mood


AnyDay = Day | SimulatedDay


class Lives(NamedTuple):
    """`n` episodes under way. All arrays have a leading axis `[n]`."""

    levels: NDArray[np.void]  # of books; room for the widest day
    slots: NDArray[np.void]
    best: NDArray[np.int64]
    marks: NDArray[np.int64]
    account: Account
    watch: Watch
    ticks: NDArray[np.int64]
    sizes: NDArray[np.int64]
    order: NDArray[np.void]
    context: NDArray[np.void]
    heard: NDArray[np.void]
    progress: NDArray[np.void]  # [n] of PROGRESS_RECORD
    limits: NDArray[np.void]  # [n] the guard's: those of the day, tightened by the order's own
    snapshot: NDArray[np.void]  # [n] the guard's
    sent: NDArray[np.void]  # [n] messages, and
    moved: NDArray[np.void]  # [n] cancels, over the guard's window
    bits: NDArray[np.int64]  # [n, n_actions] why each action is masked; 0 if it is not
    edges: NDArray[np.int64]  # [n, 4, MOST_CHOICES] room to work in: all of a call share one


class Room(NamedTuple):
    """How much an episode has room for."""

    n_levels: int
    n_slots: int
    n_taken: int  # levels that a footprint can be on
    n_actions: int
    max_orders: int
    max_fills: int


def new_lives(n: int, room: Room) -> Lives:
    """`n` episodes that have not begun."""
    n_levels, n_slots, n_taken, n_actions, max_orders, max_fills = room
    book = new_book(np.zeros(n_levels, np.int64), n_slots)
    account, state = new_account(n_taken, max_orders, max_fills), new_state()

    def many(array: NDArray[Any]) -> NDArray[Any]:
        return side_by_side(array, n)

    return Lives(
        levels=many(book.levels),
        slots=many(book.slots),
        best=many(book.best),
        marks=many(book.marks),
        account=Account._make(many(column) for column in account),
        watch=Watch._make(many(column) for column in state.watch),
        ticks=many(state.ticks),
        sizes=many(state.sizes),
        order=many(state.order),
        context=many(state.context),
        heard=np.zeros((n, 1), HEARD_RECORD),
        progress=np.zeros(n, PROGRESS_RECORD),
        limits=np.zeros(n, LIMITS_RECORD),
        snapshot=blank_snapshots(n),
        sent=np.zeros(n, ROLLING_RECORD),
        moved=np.zeros(n, ROLLING_RECORD),
        bits=np.zeros((n, n_actions), np.int64),
        edges=np.zeros((n, 4, MOST_CHOICES), np.int64),
    )


def nbytes(lives: Lives) -> int:
    """Memory of all episodes together, bytes."""
    parts = [*lives.account, *lives.watch]
    parts += [column for column in lives if isinstance(column, np.ndarray)]
    return sum(part.nbytes for part in parts)


@inlined
def _recorded_floor(day: Day, whose: tuple[Lives, int]) -> RecordedFloor:
    lives, i = whose
    return RecordedFloor(
        day.events,
        Book(day.level_ticks, lives.levels[i], lives.slots[i], lives.best[i], lives.marks[i]),
        day.rules,
        account_of(lives.account, i),
    )


_floor = chosen(_recorded_floor, SimulatedDay, pit_of)
"""Where an episode of a day trades: (lives, i)."""


@inlined
def state_of(lives: Lives, i: int) -> State:
    """What a decision of episode `i` looks at."""
    return State(
        lives.ticks[i], lives.sizes[i], watch_of(lives.watch, i), lives.order[i], lives.context[i]
    )


@kernel
def begin_some(
    day: AnyDay,
    lives: Lives,
    which: NDArray[np.int64],
    episodes: NDArray[np.void],
    table: NDArray[np.void],
    seen: NDArray[np.float32],
) -> None:
    """Begin the episodes that `which` of the lives have been given, all on `day`, and write what is
    seen `[n, N_FEATURES]`."""
    for at in range(len(which)):
        i = which[at]
        floor, state, progress = _floor(day, (lives, i)), state_of(lives, i), lives.progress[i]
        episode = episodes[progress["episode"]]
        progress["last_ts"] = _known_until(day, episode["start_ts"])
        begin_episode(floor, day.ground, episode, progress, state, lives.heard[i, 0], day.fees[0])
        _set_limits(floor, day, state, episode, lives, i)
        _set_context(floor, day, state, lives.limits[i])
        _look_round(floor, day, state, episode, lives, i, table, lives.edges[which[0]], seen)


@inlined
def _known_until(day: AnyDay, start: int) -> int:
    """Until when the market of `day` is known to one who begins at `start`: its next gap, or its
    end."""
    for k in range(len(day.gaps)):
        if start < day.gaps[k, 1]:
            return min(day.gaps[k, 0], day.facts[0]["last_ts"])
    return int(day.facts[0]["last_ts"])


@kernel
def step_some(
    day: AnyDay,
    lives: Lives,
    which: NDArray[np.int64],
    episodes: NDArray[np.void],
    table: NDArray[np.void],
    actions: NDArray[np.void],
    broken: NDArray[np.int64],
    plan: Plan,
    terms: NDArray[np.float64],
    seen: NDArray[np.float32],
) -> None:
    """Carry out `actions` `[n]` of ACTION_RECORD in `which` of the lives that are not over, all on
    `day`, and write the terms of their rewards `[n, TERMS]` and what is seen `[n, N_FEATURES]`.

    `broken` `[n]` has the reasons against what was asked for instead; 0 where it is the same."""
    for at in range(-3, len(which)):
        bring_next(day, lives, which, at, actions)
        if at < 0:
            continue
        i = which[at]
        floor, state, progress = _floor(day, (lives, i)), state_of(lives, i), lives.progress[i]
        if progress["over"] != RUNNING:
            terms[i] = 0.0
            continue
        episode = episodes[progress["episode"]]
        order = state.order[0]
        messages, cancels, ts = order["messages"], order["cancels"], progress["ts"]
        step_episode(
            floor,
            episode,
            progress,
            state,
            lives.heard[i, 0],
            day.fees[0],
            plan,
            actions[i],
            terms[i],
        )
        if broken[i] != 0:
            progress["illegal"] += 1
            terms[i, VIOLATION] = -1.0
        sent, moved = order["messages"] - messages, order["cancels"] - cancels
        note_sent(lives.sent[i], lives.moved[i], sent, moved, ts)
        _look_round(floor, day, state, episode, lives, i, table, lives.edges[which[0]], seen)
        if progress["over"] == TERMINATED:
            terms[i, PLAN] += rest_of_plan(floor, episode, progress, state)


@kernel
def aim_some(
    lives: Lives,
    which: NDArray[np.int64],
    scale: Scale,
    wanted: NDArray[np.float64],
    actions: NDArray[np.void],
    broken: NDArray[np.int64],
) -> None:
    """Write into `actions` `[n]` of ACTION_RECORD what is nearest to the fractions and offsets
    `wanted` `[n, 2]` of `which` of the lives, and into `broken` `[n]` the reasons against those."""
    for at in range(len(which)):
        i = which[at]
        broken[i] = aim(
            state_of(lives, i),
            lives.limits[i],
            lives.snapshot[i],
            _has_room(account_of(lives.account, i)),
            scale,
            wanted[i, 0],
            wanted[i, 1],
            actions[i],
        )


@kernel
def follow_some(
    day: AnyDay,
    lives: Lives,
    which: NDArray[np.int64],
    episodes: NDArray[np.void],
    table: NDArray[np.void],
    plan: Plan,
    terms: NDArray[np.float64],
    seen: NDArray[np.float32],
) -> None:
    """Work the next slice of `plan` in `which` of the lives that are not over, all on `day`."""
    for at in range(len(which)):
        i = which[at]
        floor, state, progress = _floor(day, (lives, i)), state_of(lives, i), lives.progress[i]
        if progress["over"] != RUNNING:
            terms[i] = 0.0
            continue
        episode = episodes[progress["episode"]]
        heard = lives.heard[i, 0]
        follow_episode(
            floor, episode, progress, state, heard, day.fees[0], plan, i, terms[i]
        )  # fmt: skip
        _look_round(floor, day, state, episode, lives, i, table, lives.edges[which[0]], seen)


@inlined
def _look_round(
    floor: Floor,
    day: AnyDay,
    state: State,
    episode: np.void,
    lives: Lives,
    i: int,
    table: NDArray[np.void],
    edges: NDArray[np.int64],
    seen: NDArray[np.float32],
) -> None:
    """What the next decision looks at, and what it may choose."""
    _update_context(floor, day, state, episode, lives.heard[i, 0], lives.limits[i])
    tell(floor, state, lives.limits[i], lives.sent[i], lives.moved[i], lives.snapshot[i])
    sense(day.mood, state, lives.snapshot[i], seen[i])
    in_a_row = int(lives.progress[i]["in_a_row"] >= MOST_AT_ONCE)
    mask(
        state, lives.limits[i], lives.snapshot[i], table, in_a_row, _has_room(floor.account),
        lives.bits[i], edges,
    )  # fmt: skip


@inlined
def _has_room(account: Account) -> bool:
    """Whether an account has room for what a decision may send."""
    clock = account.clock[0]
    return bool(
        clock["n_orders"] < len(account.orders) - 1
        and clock["inbox_tail"] - clock["inbox_head"] < len(account.inbox) // 2
    )


@inlined
def _set_limits(
    floor: Floor, day: AnyDay, state: State, episode: np.void, lives: Lives, i: int
) -> None:
    """The day's limits, tightened by those of the parent order; and the other way round, so that a
    schedule, and the sweep at the end, which know the parent order only, keep the day's."""
    lives.limits[i] = day.limits[0]
    limits, side = lives.limits[i], episode["side"]
    costliest = costliest_in_band(limits, side, state.order[0]["arrival_twice_mid"])
    step = floor.rules.order_step
    bound = episode["band_high"] if side > 0 else episode["band_low"]
    if -FAR < bound < FAR:
        beyond = band_up_to(side, state.order[0]["arrival_twice_mid"], bound)
        limits["band_ticks"] = min(limits["band_ticks"], beyond)
    if -FAR < costliest < FAR:
        worst = side * (costliest // step * step)
        if side > 0:
            episode["band_high"] = min(bound, worst)
        else:
            episode["band_low"] = max(bound, worst)
    limits["child_max_lots"] = min(limits["child_max_lots"], episode["child_max"])
    episode["child_max"] = min(limits["child_max_lots"], limits["max_order_lots"])
    # An order is alone on its symbol: what all may have of the volume is what it may have.
    share = min(limits["participation_ppm"], limits["symbol_participation_ppm"])
    if episode["share_ppm"] > 0:
        share = min(share, episode["share_ppm"])
        limits["window_ns"] = episode["window_ns"]
    elif share < PPM:
        episode["window_ns"] = limits["window_ns"]
    if share < PPM:
        limits["participation_ppm"] = episode["share_ppm"] = share
    for rolling in (lives.sent[i], lives.moved[i]):
        begin_counting(rolling, limits["rate_window_ns"])


@inlined
def _set_context(floor: Floor, day: AnyDay, state: State, limits: np.void) -> None:
    """What does not change in an episode."""
    context, rules, facts = state.context[0], floor.rules, day.facts[0]
    context["order_step"] = rules.order_step
    context["adv_lots"], context["session_lots"] = facts["adv_lots"], facts["session_lots"]
    context["touch_lots"] = facts["touch_lots"]
    context["open_ns"], context["close_ns"] = rules.open_ns, rules.close_ns
    side, arrival2 = state.order[0]["side"], state.order[0]["arrival_twice_mid"]
    costliest = costliest_in_band(limits, side, arrival2) // rules.order_step * rules.order_step
    context["band_ticks"] = side * costliest if -FAR < costliest < FAR else NOWHERE
    context["child_max"] = _known(limits["child_max_lots"])
    context["participation_cap"] = _known(limits["participation_ppm"]) / PPM
    context["most_cancels"] = _known(limits["max_cancels"])
    context["most_messages"] = _known(limits["max_messages"])


@inlined
def _known(limit: int) -> float:
    """A limit; NaN where nothing is limited."""
    return float(limit) if 0 <= limit < FAR else np.nan


@inlined
def _update_context(
    floor: Floor, day: AnyDay, state: State, episode: np.void, heard: np.void, limits: np.void
) -> None:
    """What changes from one decision to the next."""
    context, order = state.context[0], state.order[0]
    done = _volume_share(day, floor.rules, order["now_ts"])
    until = _volume_share(day, floor.rules, order["end_ts"])
    context["volume_left"] = 1.0 - done
    context["horizon_lots"] = max(context["session_lots"] * (until - done), 1.0)
    market = window_lots(floor, (heard, episode["window_ns"]))
    others, own = shares_of_window(floor, episode, market)
    order["window_market_lots"], order["window_own_lots"] = others + own, own
    ppm = limits["participation_ppm"]
    room = room_lots(ppm, limits["window_ns"], others, own + order["working"])
    context["room_lots"] = room if 0 <= ppm < PPM else np.nan


@inlined
def _volume_share(day: AnyDay, rules: Rules, ts: int) -> float:
    """Share of a day's volume that usually has traded by `ts`."""
    at = (ts - rules.open_ns) / day.facts[0]["curve_ns"]
    k = min(max(int(at), 0), len(day.curve) - 2)
    part = min(max(at - k, 0.0), 1.0)
    return day.curve[k] + part * (day.curve[k + 1] - day.curve[k])
