"""Working orders in a simulated market that answers, instead of in a recorded one that cannot.

    days = simulated_days(settings, 5, seed=7)
    result = backtest([day.tape for day in days], ["ac", "twap"], answering=days)

A day is first simulated without us: earlier days teach and orders are drawn on it, as on any tape.
Each order is then worked in a market of its own, the same one down to the random numbers: until its
first child order arrives, event by event that day; from then on, what our orders make of it.
Orders of one day know nothing of one another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine import clockwork, pit
from paceline.engine.account import new_account
from paceline.engine.dice import wrapping
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulated_exchange import (
    SimulatedExchange,
    copied_pit,
    new_record,
    recorded,
    with_more_room,
)
from paceline.engine.simulator import simulate_day, standing_rows
from paceline.engine.venue import Venue
from paceline.env.working import Log, Plan, first_sight, new_log, work_one
from paceline.errors import CapacityError, ConfigError
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

FIRST_DAY = "2024-01-02"
AFTERWARDS_NS = 31 * 60 * NS_PER_S
"""How long a market runs on after an order, so that its last markout is known."""

_MOST_ORDERS = 1 << 14


class AnsweringDay(NamedTuple):
    """A simulated day on which orders are worked, and what it is like without them."""

    settings: MarketSettings
    seed: int
    tape: Tape

    def under(self, settings: MarketSettings) -> AnsweringDay:
        """The same day and seed of another market."""
        tape = simulate_day(settings, self.tape.session.day, self.seed)
        return AnsweringDay(settings, self.seed, tape)


class Worked(NamedTuple):
    """One order, worked in a market of its own."""

    log: Log
    tape: Tape
    """What happened from shortly before its start until `AFTERWARDS_NS` after its end."""


def simulated_days(
    settings: MarketSettings,
    count: int,
    seed: int,
    first_day: str = FIRST_DAY,
    progress: Callable[[int], None] = lambda done: None,
) -> list[AnsweringDay]:
    """`count` working days from `first_day` (YYYY-MM-DD) on; those of one seed are independent."""
    if count < 1:
        raise ConfigError(f"days: {count} is no count of days; give 1 or more")
    days: list[AnsweringDay] = []
    day = date.fromisoformat(first_day)
    while len(days) < count:
        if day.weekday() < 5:
            tape = simulate_day(settings, day.isoformat(), seed)
            days.append(AnsweringDay(settings, seed, tape))
            progress(1)
        day += timedelta(days=1)
    return days


def work_each(
    day: AnsweringDay,
    venue: Venue,
    parents: NDArray[np.void],
    plan: Plan,
    take: Callable[[int, Worked], None],
    rows: Sequence[int] | None = None,
) -> None:
    """Work `parents`, or those in `rows`, each in a market of its own, in order of their start.

    `take` is given each row and what came of it.
    """
    chosen = np.arange(len(parents)) if rows is None else np.asarray(rows)
    chosen = chosen[np.argsort(parents["start_ts"][chosen], kind="stable")]
    room = 4 * plan.bounds.shape[1] + 64
    done = 0
    while done < len(chosen):
        # Before the first of our orders the day is the same for all, so it is run once.
        exchange = SimulatedExchange(
            day.settings, day.tape.session.day, day.seed, venue,
            max_orders=1, max_resting=room, max_prints=1 << 15,
        )  # fmt: skip
        for row in chosen[done:]:
            worked = _work_one(exchange, parents[row : row + 1], _of_one(plan, row), room)
            if worked is None:
                room *= 2
                if room > _MOST_ORDERS:
                    raise CapacityError(
                        f"parent {row}: needs more than {_MOST_ORDERS} child orders; use a larger "
                        "child_max or fewer slices"
                    )
                break
            take(int(row), worked)
            done += 1


def _of_one(plan: Plan, row: int) -> Plan:
    here = slice(row, row + 1)
    return plan._replace(targets=plan.targets[here], bounds=plan.bounds[here])


def _work_one(
    exchange: SimulatedExchange, parent: NDArray[np.void], plan: Plan, room: int
) -> Worked | None:
    """None if `room` for child orders was too little."""
    start, end = int(parent[0]["start_ts"]), int(parent[0]["end_ts"])
    begin = int(first_sight(exchange.floor, start)) - 1
    if begin > exchange.now:
        exchange.advance(begin)
    now = exchange.now
    log = new_log(1, room, 4 * room)
    with wrapping():
        while True:
            opening = standing_rows(exchange.floor.book, now)
            floor = copied_pit(exchange.floor)._replace(
                account=new_account(1, room, 4 * room, max_live=room), record=new_record(opening)
            )
            if work_one(floor, parent, plan, log):
                break
            if floor.account.clock[0]["full"] != pit.CROWDED:
                return None
            exchange.floor = with_more_room(exchange.floor)
        until = min(end + AFTERWARDS_NS, exchange.session.close_ns)
        clockwork.advance(floor, until)
        while floor.account.clock[0]["full"] == pit.CROWDED:
            floor = with_more_room(floor)
            clockwork.advance(floor, until)
    tape = Tape.compile(
        recorded(floor), exchange.instrument, exchange.session, made_by="paceline simulator"
    )
    return Worked(log, tape)
