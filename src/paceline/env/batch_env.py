"""Thousands of parent orders at once: Gymnasium's vector environment over recorded days, or over
simulated markets that answer back.

    env = BatchExecutionEnv(Pool(tapes[1:], taught_by=tapes, seed=7), 1024)
    env = BatchExecutionEnv(SimulatedPool("yhoo-2003", seed=7), 1024)
    seen, info = env.reset()
    seen, reward, terminated, truncated, info = env.step(env.random_actions())

An episode that is over begins anew, with another parent order, in the same step: what is returned
is what the new one sees, and `info` says how the old one ended, in Gymnasium's form (`final_obs`,
`final_info`, and which have one: `_final_obs`), and more of it in a row for each (`done`,
`final_bps`, `final_order`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from paceline.decision.actions import ACTION_RECORD, HOLD, ActionGrid
from paceline.decision.box import HIGHEST, LOWEST, ActionBox
from paceline.decision.chance import pick_legal
from paceline.decision.mask import reasons_of
from paceline.decision.moods import Moods
from paceline.decision.schema import N_FEATURES
from paceline.engine.account import check_room
from paceline.engine.pit import CROWDED
from paceline.engine.venue import Venue
from paceline.env.choosing import Choices, checked, choose, space_of
from paceline.env.days import AnyPool, days_of, room_for, with_own
from paceline.env.desk import OPEN_LIMITS as OPEN_LIMITS
from paceline.env.desk import (
    check_impact,
    check_in_time,
    check_limits,
    check_record,
    check_schedule,
    check_windows,
    window_of,
)
from paceline.env.diary import SLICE, Diary
from paceline.env.episode import (
    EPISODE_RECORD,
    RUNNING,
    TERMINATED,
    TERMS,
    TRUNCATED,
)
from paceline.env.following import SWEEP, plan_of_all
from paceline.env.giving import check_begun, check_given
from paceline.env.hands import Hands
from paceline.env.lives import AnyDay, begin_some, follow_some, nbytes, new_lives, step_some
from paceline.env.own_markets import OwnMarkets, new_own_markets, roomier
from paceline.env.own_markets import nbytes as own_nbytes
from paceline.env.policies import Policy, Urgency
from paceline.env.reward import TERM_NAMES as TERM_NAMES
from paceline.env.reward import RewardSettings as RewardSettings
from paceline.env.saying import of_all, of_some, seen_last
from paceline.env.simulated_pool import SimulatedPool
from paceline.errors import InputError
from paceline.guard.limits import Limits
from paceline.guard.reasons import Reason
from paceline.units import NS_PER_S

Step = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Rewards `[n]`, and which episodes are over `[n]`."""


class BatchExecutionEnv(VectorEnv[Any, Any, Any]):
    """`num_envs` parent orders on the days, or in the markets, of a pool."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012  (Gymnasium's own form)

    def __init__(
        self,
        pool: AnyPool,
        num_envs: int,
        *,
        grid: Choices | None = None,
        venue: Venue | Sequence[Venue] | None = None,
        moods: Moods | None = None,
        reward: RewardSettings | None = None,
        limits: Limits | None = None,
        max_orders: int = 512,
        max_fills: int = 1024,
        keep_fills: bool = False,
        threads: int = 1,
        copy: bool = True,
    ) -> None:
        """Actions are those of a grid, or two numbers each (`ActionBox`). Of several venues every
        episode is at one. `moods` tells of news, regimes and extreme volatility. `threads` share
        the work of a step; what comes out does not depend on them. `keep_fills` hands out the
        fills of an episode that is over (`info["final_fills"]`). With `copy=False` observations
        and info are the environment's own arrays, which the next step overwrites: faster for a loop
        that is done with them by then.

        `limits` are a desk's; those of a parent order tighten them. At the end of the horizon what
        is left takes the book within band, size and participation, whatever was sent before.

        Raises `InputError` for a count that is none, and `ConfigError` for limits that are not set,
        that an environment cannot keep, or whose window is not that of the parent orders."""
        counts = {"num_envs": num_envs, "max_orders": max_orders, "max_fills": max_fills,
                  "threads": threads}  # fmt: skip
        for name, count in counts.items():
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise InputError(f"{name}: {count!r} is no count; give 1 or more")
        self.num_envs = num_envs
        self.pool, self.grid = pool, grid or ActionGrid()
        self._draws = pool.draws()
        given = Venue() if venue is None else venue
        self.venues = (given,) if isinstance(given, Venue) else tuple(given)
        if not self.venues:
            raise InputError("venue: none is given; give one or more, or leave it out")
        check_impact(self.venues, pool.tapes)
        self.weights = (reward or RewardSettings()).weights()
        self.single_action_space = space_of(self.grid)
        self.single_observation_space = gym.spaces.Box(-400.0, 400.0, (N_FEATURES,), np.float32)
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, num_envs)
        self.observation_space = gym.vector.utils.batch_space(
            self.single_observation_space, num_envs
        )
        self._limits = limits = limits or OPEN_LIMITS
        check_limits(limits)
        self._window_ns = window_of(limits)
        if pool.settings.participation is not None:
            settings = pool.settings
            check_windows(limits, 1, round(settings.participation_window_s * NS_PER_S))
        self._own: OwnMarkets | None = None
        self._diary: Diary | None = None
        if isinstance(pool, SimulatedPool):
            self._own = new_own_markets(num_envs, pool.markets)
            self._diary = Diary(num_envs, self.single_action_space.shape or ())
        self.days = days_of(pool, self._own, self.venues, limits, moods)
        for day, tape in zip(self.days, pool.tapes, strict=False):
            check_record(limits, day.limits[0], tape.instrument.symbol)
        self._table = self.grid.table()
        self.lives = new_lives(
            num_envs, room_for(pool, self._own, len(self._table), max_orders, max_fills)
        )
        self.episodes = np.zeros(num_envs, EPISODE_RECORD)
        self.terms = np.zeros((num_envs, TERMS))
        self.seen = np.zeros((num_envs, N_FEATURES), np.float32)
        self._everywhere = np.ones(num_envs, np.bool_)
        self.broken = np.zeros(num_envs, np.int64)
        """Reasons against what was chosen last, as bits; 0 where it was carried out as it was."""
        self.chosen = np.zeros(num_envs, ACTION_RECORD)
        """What was carried out instead, or as it was."""
        self._keeps_fills, self._copies = keep_fills, copy
        self._hands = Hands(threads)
        self._plan = self._followed = SWEEP

    @property
    def nbytes(self) -> int:
        """Memory of all episodes together, bytes; tapes are shared and not counted."""
        own = 0 if self._own is None else own_nbytes(self._own)
        return nbytes(self.lives) + own + self.terms.nbytes + self.seen.nbytes

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode in each. `seed` begins the draws anew; `options["episodes"]` gives them
        (`[num_envs]` of EPISODE_RECORD) instead of drawing. Raises `InputError` for one with a
        field that is wrong, or that cannot begin: where no mid is known at its start, or its market
        has ended or is in a gap."""
        if seed is not None:
            self._draws.reseed(seed)
            self._np_random, self._np_random_seed = gym.utils.seeding.np_random(seed)
        given = (options or {}).get("episodes")
        drawn = given is None
        if given is None:
            given = self._draw(self.num_envs)
        else:
            given = check_given(given, self.num_envs, self.pool.tapes, len(self.venues))
        self._begin(np.arange(self.num_envs), given, drawn=drawn)
        return self._observation(), self._info()

    def can_begin(self, episodes: NDArray[np.void]) -> NDArray[np.bool_]:
        """`[num_envs]` which of `episodes` `[num_envs]` may be given to `reset`; what others see
        is in `seen` too, for what it is worth. Raises `InputError` for a field that is wrong."""
        given = check_given(episodes, self.num_envs, self.pool.tapes, len(self.venues))
        self._place(np.arange(self.num_envs), given)
        return np.asarray(self.lives.progress["over"] == RUNNING)

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[
        NDArray[np.float32],
        NDArray[np.float64],
        NDArray[np.bool_],
        NDArray[np.bool_],
        dict[str, Any],
    ]:
        """Carry out one action in each. Raises `InputError` for actions that are none."""
        reward, over = self.advance(actions)
        terminated, truncated = over == TERMINATED, over == TRUNCATED
        info: dict[str, Any] = {}
        if self.is_continuous:
            info = {"reasons": self.broken.copy(), "held": self.held()}
        done = np.flatnonzero(over != RUNNING)
        if len(done):
            info |= self._ended(done)
            self._begin(done, self._draw(len(done)))
        return self._observation(), reward, terminated, truncated, info | self._info()

    def advance(self, actions: NDArray[Any]) -> Step:
        """Carry out one action in each that is not over, and begin nothing anew: rewards, and what
        is over. Raises `CapacityError` where orders or fills found no room."""
        actions = checked(self.grid, actions, self.num_envs)
        everywhere = np.arange(self.num_envs)
        if self._diary is not None:
            self._diary.note(everywhere, actions)
        self._choose(everywhere, actions)
        return self._done(self._step)

    def carry(self, rows: NDArray[np.void]) -> Step:
        """The same for `rows` `[num_envs]` of ACTION_RECORD, whatever the grid has and the mask
        says: what somebody did on a recorded day. Raises `InputError` in a simulated market."""
        if self._diary is not None:
            raise InputError("carry: nobody worked in a market of its own; give recorded days")
        self.chosen[:], self.broken[:] = rows, 0
        return self._done(self._step)

    @property
    def is_continuous(self) -> bool:
        """Whether an action is two numbers, and not one of a grid."""
        return isinstance(self.grid, ActionBox)

    def held(self) -> NDArray[np.bool_]:
        """`[num_envs]` whether nothing was sent because no order near to what was chosen last was
        legal; `broken` says why."""
        return np.asarray((self.broken != 0) & (self.chosen["does"] == HOLD))

    def follow(self, policy: Policy, urgency: Urgency | None = None) -> Iterator[Step]:
        """Let a schedule with its tactic work the orders that are under way, slice by slice, as a
        backtest does: yields what `advance` returns until all are over. Nothing is begun anew.

        Raises `InputError` for orders that something was decided on already, `ConfigError` for
        limits that a schedule does not keep, and `CapacityError` as `advance` does."""
        check_schedule(self._limits)
        running = self.lives.progress["over"] == RUNNING
        if np.any(self.lives.order["decisions"][running] > 0):
            raise InputError(
                "follow: some orders are at work already; reset the environment, and follow then"
            )
        self._followed = plan_of_all(
            policy, urgency or Urgency(None, None), self.pool, self.episodes, self.venues,
            self._by_day(np.arange(self.num_envs)),
        )  # fmt: skip
        return self._slices()

    def _slices(self) -> Iterator[Step]:
        while np.any(self.lives.progress["over"] == RUNNING):
            if self._diary is not None:
                self._diary.note(np.arange(self.num_envs), SLICE)
            yield self._done(self._follow)

    def _done(self, do: Callable[[AnyDay, NDArray[np.int64]], None]) -> Step:
        """Do it everywhere: rewards, and what is over."""
        self._each_day(np.arange(self.num_envs), do)
        check_room(self.lives.account)
        return self.terms @ self.weights, self.lives.progress["over"].copy()

    def fills(self, i: int) -> NDArray[np.void]:
        """Fills so far of the order in environment `i`, `[m]` of FILL_RECORD."""
        account = self.lives.account
        return account.fills[i, : account.clock[i, 0]["n_fills"]].copy()

    def close_extras(self, **kwargs: Any) -> None:
        """Let the threads go."""
        self._hands.close()

    def _observation(self) -> NDArray[np.float32]:
        return self.seen.copy() if self._copies else self.seen

    def _said(self) -> dict[str, Any]:
        """What there is to say of each: when it is, cost so far, terms of the step that ended, and
        what may be chosen; what is chosen from a continuum is made legal."""
        progress, terms = self.lives.progress, self.terms
        if self._copies:
            progress, terms = progress[["ts", "marked_bps"]].copy(), terms.copy()
        said = {
            "ts": progress["ts"],
            "shortfall_bps": progress["marked_bps"],
            "reward_terms": dict(zip(TERM_NAMES, terms.T, strict=True)),
        }
        return said if self.is_continuous else {**said, "action_mask": self.action_masks()}

    def _info(self) -> dict[str, Any]:
        return of_all(self._said(), self._everywhere)

    def _ended(self, done: NDArray[np.int64]) -> dict[str, Any]:
        """How the episodes in `done` ended, before others begin there."""
        over = np.zeros(self.num_envs, np.bool_)
        over[done] = True
        info: dict[str, Any] = {
            "final_obs": seen_last(self.seen, over),
            "_final_obs": over,
            "final_info": of_some(self._said(), over),
            "_final_info": over,
            "done": done,
            "final_bps": self.lives.progress["marked_bps"][done].copy(),
            "final_order": self.lives.order[done, 0].copy(),
            "final_episode": self.episodes[done].copy(),
            "final_illegal": self.lives.progress["illegal"][done].copy(),
        }
        if self._keeps_fills:
            info["final_fills"] = [self.fills(i) for i in done]
        return info

    def action_masks(self) -> NDArray[np.bool_]:
        """`[num_envs, n_actions]` whether each action is legal."""
        return np.asarray(self.lives.bits == 0)

    def reasons(self, i: int, action: int) -> list[Reason]:
        """Why an action of environment `i` is masked; empty if it is not."""
        return reasons_of(int(self.lives.bits[i, action]))

    def random_actions(self) -> NDArray[Any]:
        """`[num_envs]` legal actions, each as likely as another; `[num_envs, 2]` of a continuum."""
        if self.is_continuous:
            return self.np_random.uniform(LOWEST, HIGHEST, (self.num_envs, 2))
        actions = np.zeros(self.num_envs, np.int64)
        pick_legal(self.lives.bits, self.np_random.random(self.num_envs), actions)
        return actions

    def _begin(
        self, which: NDArray[np.int64], episodes: NDArray[np.void], drawn: bool = True
    ) -> None:
        """Begin `episodes` in these; those that cannot begin are drawn again, unless they were
        given."""
        while len(which):
            self._place(which, episodes)
            if not drawn:
                check_begun(episodes, self.lives, self.pool.tapes)
            which = which[self.lives.progress["over"][which] != RUNNING]
            episodes = self._draw(len(which))

    def _place(self, which: NDArray[np.int64], episodes: NDArray[np.void]) -> None:
        """Let `episodes` begin in these; those that cannot are over at once."""
        if self._window_ns > 0:
            check_windows(self._limits, episodes["share_ppm"], episodes["window_ns"])
        check_in_time(self.venues, episodes)
        self.episodes[which] = episodes
        self.lives.progress["episode"][which] = which
        self.broken[which] = 0
        if self._diary is not None:
            self._diary.begin(which)
        self._each_day(which, self._start)

    def _draw(self, n: int) -> NDArray[np.void]:
        return self._draws.draw(n, len(self.venues))

    def _each_day(
        self, which: NDArray[np.int64], do: Callable[[AnyDay, NDArray[np.int64]], None]
    ) -> None:
        """Do it for `which`, day by day, on all threads."""
        parts = [
            (day, part)
            for day, some in self._by_day(which)
            for part in np.array_split(some, self._hands.n)
            if len(part)
        ]
        self._hands.do(lambda part: do(self.days[part[0]], part[1]), parts)
        self._make_room(which)

    def _start(self, day: AnyDay, which: NDArray[np.int64]) -> None:
        begin_some(day, self.lives, which, self.episodes, self._table, self.seen)

    def _choose(self, which: NDArray[np.int64], actions: NDArray[Any]) -> None:
        choose(self.grid, self._table, self.lives, which, actions, self.chosen, self.broken)

    def _step(self, day: AnyDay, which: NDArray[np.int64]) -> None:
        step_some(
            day, self.lives, which, self.episodes, self._table, self.chosen, self.broken,
            self._plan, self.terms, self.seen,
        )  # fmt: skip

    def _follow(self, day: AnyDay, which: NDArray[np.int64]) -> None:
        follow_some(
            day, self.lives, which, self.episodes, self._table, self._followed, self.terms,
            self.seen,
        )  # fmt: skip

    def _make_room(self, which: NDArray[np.int64]) -> None:
        """Where a market of its own ran out of room, live the episode again with more of it."""
        while self._own is not None:
            crowded = which[self.lives.account.clock["full"][which, 0] == CROWDED]
            if not len(crowded):
                return
            self.lives, self._own = roomier(self.lives, self._own)
            self.days = with_own(self.days, self._own)
            for i in crowded:
                self._live_again(i)

    def _live_again(self, i: int) -> None:
        """Begin episode `i` anew, and do what was done in it."""
        alone = np.array([i])
        ((which, _),) = self._by_day(alone)
        day = self.days[which]
        self._start(day, alone)
        for action in self._diary.of(i) if self._diary is not None else ():
            if np.all(action == SLICE):
                self._follow(day, alone)
            else:
                self._choose(alone, np.tile(action, (self.num_envs, *[1] * action.ndim)))
                self._step(day, alone)

    def _by_day(self, which: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64]]]:
        """`which`, by the day, and the venue, that their episodes are on."""
        tape, venue = self.episodes["tape"], self.episodes["venue"]
        days = tape[which] + len(self.pool.tapes) * venue[which]
        order = np.argsort(days, kind="stable")
        found, starts = np.unique(days[order], return_index=True)
        groups: Sequence[NDArray[np.int64]] = np.split(which[order], starts[1:])
        return list(zip(found.tolist(), groups, strict=True))
