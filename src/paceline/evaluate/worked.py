"""Given parent orders, worked by one policy in the environment: what each of them cost, and how.

    shop = Workshop(Pool(tapes[1:], taught_by=tapes), CompareSettings())
    columns = shop.work(episodes, contestant("ac/mid", 30), FillModel.PESSIMISTIC)

The episodes are worked in batches, each to its end. An order that is over is measured at once, from
its own fills and child orders, with the measures of a backtest: on a recorded day against the tape;
in a market of its own, which nobody recorded, against arrival and end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from paceline.cost.measures import mid_at
from paceline.engine.queue import FillModel
from paceline.engine.venue import Fees, Latency, Venue
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.days import AnyPool
from paceline.env.episode import RUNNING
from paceline.env.episodes import EpisodeSettings
from paceline.env.policies import Urgency
from paceline.env.simulated_pool import SimulatedPool
from paceline.env.working import PARENT_RECORD
from paceline.errors import CapacityError
from paceline.evaluate.compare_settings import CompareSettings
from paceline.evaluate.contestants import Chooser, Contestant, Schedule
from paceline.evaluate.ended import Ended, columns_alone, ended, log_of, spreads
from paceline.evaluate.per_order import (
    Columns,
    TapeRuns,
    Yardsticks,
    log_columns,
    prices_of,
)
from paceline.evaluate.violations import broken_limits
from paceline.learn.limits import PolicyLimits, limits_of

BATCH = 256
"""Orders at once."""

_MOST_CHILDREN = 1 << 15
_POV_RATE = 0.1
_ALONE = 64
"""Decisions taken one at a time, to see how long one takes."""

Progress = Callable[[int], None]


def venue_of(settings: CompareSettings, model: FillModel) -> Venue:
    """The venue that `settings` describe, under one fill model."""
    return Venue(
        fill_model=model,
        submit=Latency.constant(settings.submit_ms),
        ack=Latency.constant(settings.ack_ms),
        market_data=Latency.constant(settings.market_data_ms),
        fees=Fees(maker_bps=settings.maker_fee_bps, taker_bps=settings.taker_fee_bps),
    )


def episode_settings(settings: CompareSettings) -> EpisodeSettings:
    """What the parent orders of a comparison are like."""
    return EpisodeSettings(
        horizon_s=(settings.horizon_s,),
        qty_volume=(settings.qty_least, settings.qty_most),
        participation=None if settings.participation >= 1.0 else settings.participation,
        participation_window_s=settings.participation_window_s,
        price_band_bps=settings.price_band_bps or None,
    )


def limits_here(settings: CompareSettings) -> PolicyLimits:
    """The limits under which everybody works them."""
    return limits_of(
        episode_settings(settings), band_ticks=settings.price_band_ticks,
        child_max=settings.child_max,
    )  # fmt: skip


class Workshop:
    """A pool, and what orders on it are measured with; one for all policies that are compared."""

    def __init__(self, pool: AnyPool, settings: CompareSettings, jobs: int = 1) -> None:
        self.pool, self.settings, self.jobs = pool, settings, jobs
        self.answers = isinstance(pool, SimulatedPool)
        self.desk = limits_here(settings).desk()
        fees = venue_of(settings, FillModel.CALIBRATED).fees
        urgency = Urgency(settings.half_life_s, None)
        self.yards = Yardsticks(0, _POV_RATE, urgency, settings.slices, fees)

    def begun(self, episodes: NDArray[np.void]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """What is seen as each of `episodes` begins `[n, N_FEATURES]`, and which can be worked: the
        market shows no mid at the start of the others."""
        seen, good = [], []
        for at in range(0, len(episodes), BATCH):
            some = episodes[at : at + BATCH]
            env = self._env(len(some), None, FillModel.CALIBRATED, 16)
            good.append(env.can_begin(some))
            seen.append(env.seen.copy())
            env.close()
        return np.concatenate(seen), np.concatenate(good)

    def work(
        self,
        episodes: NDArray[np.void],
        who: Contestant,
        model: FillModel,
        progress: Progress = lambda done: None,
    ) -> Columns:
        """Work `episodes` `[n]` of EPISODE_RECORD; columns `[n]`, in their order."""
        parts: list[Columns] = []
        # Days one after another, so that a batch is on few of them.
        order = np.argsort(episodes["tape"], kind="stable")
        batches = _batches(episodes["tape"][order], self._apart(who, model))
        for batch in batches:
            some = episodes[order[batch]]
            limited, ended, waits = self._played(some, who, model)
            parts.append({**self._measured(limited, ended), "decision_us": waits})
            progress(len(some))
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        back = np.argsort(order[np.concatenate(batches)], kind="stable")
        return {name: column[back] for name, column in joined.items()}

    def _apart(self, who: Contestant, model: FillModel) -> list[int]:
        """Which way `who` works on each day of the pool, as a number: orders that are worked in
        different ways go into different batches."""
        if not isinstance(who, Schedule):
            return [0] * len(self.pool.tapes)
        ways = [who.on(model.name.lower(), tape.instrument.symbol) for tape in self.pool.tapes]
        return [ways.index(way) for way in ways]

    def _env(
        self, n: int, who: Contestant | None, model: FillModel, room: int
    ) -> BatchExecutionEnv:
        grid = None if who is None or isinstance(who, Schedule) else who.grid
        return BatchExecutionEnv(
            self.pool, n, grid=grid, venue=venue_of(self.settings, model), limits=self.desk,
            max_orders=room, max_fills=4 * room, threads=self.jobs, copy=False,
        )  # fmt: skip

    def _played(
        self, episodes: NDArray[np.void], who: Contestant, model: FillModel
    ) -> tuple[NDArray[np.void], list[Ended], NDArray[np.float64]]:
        """The orders with the limits that they were worked under, each at its end, and the µs that
        a decision on it took, NaN for schedules."""
        room = 256
        while True:
            env = self._env(len(episodes), who, model, room)
            try:
                env.reset(options={"episodes": episodes})
                limited = env.episodes.copy()
                if isinstance(who, Schedule):
                    return limited, _follow(env, who, model), np.full(len(episodes), np.nan)
                return limited, *_choose(env, who)
            except CapacityError:
                room *= 4
                if room > _MOST_CHILDREN:
                    raise
            finally:
                env.close()

    def _measured(self, episodes: NDArray[np.void], ended: Sequence[Ended]) -> Columns:
        """Columns `[n]` of orders that are over."""
        parts, rows = [], []
        for day in np.unique(episodes["tape"]):
            at = np.flatnonzero(episodes["tape"] == day)
            parents = np.zeros(len(at), PARENT_RECORD)
            for name in PARENT_RECORD.names or ():
                parents[name] = episodes[name][at]
            parts.append(self._of_day(int(day), parents, [ended[int(i)] for i in at]))
            rows.append(at)
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        back = np.argsort(np.concatenate(rows), kind="stable")
        return {name: column[back] for name, column in joined.items()}

    def _of_day(self, day: int, parents: NDArray[np.void], ended: Sequence[Ended]) -> Columns:
        log = log_of(parents, ended)
        if isinstance(self.pool, SimulatedPool):
            columns = columns_alone(
                self.pool.tapes[day].instrument, parents, log, ended, self.yards.fees
            )
        else:
            tape, lesson = self.pool.tapes[day], self.pool.lessons[day]
            place = TapeRuns(tape, lesson, parents, [], [], [])
            prices = prices_of(place, self.yards)
            swept = log.orders["sent_ts"] >= parents["end_ts"][log.order_parent]
            columns = log_columns(tape, parents, log, swept, prices, self.yards.fees)
            mid, ts = tape.mid_ticks(), tape.events.ts
            before = mid_at(log.fills["ts"] - 1, ts, mid, int(ts[-1]))
            columns.update(spreads(parents, log, before, prices.arrival))
        n = len(parents)
        columns["messages"] = np.array([one.messages for one in ended])
        columns["cancels"] = np.array([one.cancels for one in ended])
        columns["decisions"] = np.array([one.decisions for one in ended])
        columns["masked_choices"] = np.array([one.illegal for one in ended])
        columns["violations"] = broken_limits(parents, log)
        assert all(len(column) == n for column in columns.values())
        return columns


def _batches(days: NDArray[np.int64], ways: Sequence[int]) -> list[NDArray[np.int64]]:
    """`days` `[n]`, which never fall, in batches of one way each; indices."""
    way = np.array(ways)[days]
    found = []
    for one in np.unique(way):
        at = np.flatnonzero(way == one)
        found += np.array_split(at, -(-len(at) // BATCH))
    return found


def _follow(env: BatchExecutionEnv, who: Schedule, model: FillModel) -> list[Ended]:
    """Let a schedule work all orders of `env`."""
    first = env.pool.tapes[env.episodes["tape"][0]]
    policy, urgency = who.on(model.name.lower(), first.instrument.symbol)
    for _ in env.follow(policy, urgency):
        pass
    if np.any(env.lives.account.clock["full"]):
        raise CapacityError("account: full; make the environment with a larger max_orders")
    return [ended(env, i) for i in range(env.num_envs)]


def _choose(env: BatchExecutionEnv, who: Chooser) -> tuple[list[Ended], NDArray[np.float64]]:
    """Let `who` work all orders of `env`, each to its end."""
    n = env.num_envs
    begin = getattr(who, "begin", None)
    if begin is not None:
        begin(env)
    waits = np.full(n, np.nan)
    for i in range(0 if begin is not None else min(n, _ALONE)):
        row, legal = env.seen[i : i + 1], env.action_masks()[i : i + 1]
        since = time.perf_counter_ns()
        who.act(row, legal)
        waits[i] = (time.perf_counter_ns() - since) / 1e3
    found: list[Ended | None] = [None] * n
    running = np.ones(n, bool)
    while running.any():
        actions = who.act(env.seen, env.action_masks())
        _, over = env.advance(np.where(running, actions, 0))
        for i in map(int, np.flatnonzero(running & (over != RUNNING))):
            found[i] = ended(env, i)
        running &= over == RUNNING
    return [one for one in found if one is not None], waits
