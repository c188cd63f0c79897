"""A run in which every order had a market of its own, measured market by market."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from paceline.engine.venue import Venue
from paceline.env.working import Log, joined, new_log, used_part
from paceline.evaluate.answering import AnsweringDay, Worked, work_each
from paceline.evaluate.per_order import (
    Columns,
    Run,
    TapeRuns,
    Yardsticks,
    order_columns,
    prices_of,
)
from paceline.market.tape import Tape


def run_in_own_markets(
    day: AnsweringDay,
    place: TapeRuns,
    bare: Run,
    venue: Venue,
    yards: Yardsticks,
    progress: Callable[[int], None],
    stop: Sequence[bool],
) -> Run:
    """Work and measure the orders of `place` as `bare` says, which has no log yet.

    An order is measured in its own market, against what others traded there. Its arrival price is
    that of the day without us, which until then is the same.
    """
    n = len(place.parents)
    without_us = prices_of(place, yards)
    logs: list[Log] = [new_log(0, 0, 0)] * n
    measured: list[Columns] = [{}] * n

    def take(row: int, worked: Worked) -> None:
        if stop[0]:
            raise KeyboardInterrupt
        here = slice(row, row + 1)
        log = used_part(worked.log, 0, 1)
        plan = bare.plan._replace(targets=bare.plan.targets[here], bounds=bare.plan.bounds[here])
        run = bare._replace(plan=plan, log=log)
        alone = place._replace(tape=worked.tape, parents=place.parents[here], runs=[run])
        prices = prices_of(alone, yards, log.fills)._replace(
            decision=without_us.decision[here], arrival=without_us.arrival[here]
        )
        measured[row] = order_columns(alone, run, prices, yards.fees)
        log.order_parent[:] = log.fill_parent[:] = row
        logs[row] = log
        progress(1)

    work_each(day, venue, place.parents, bare.plan, take)

    @lru_cache(maxsize=1)  # who draws an order asks for its market again and again
    def relive(row: int) -> Tape:
        found: list[Tape] = []
        work_each(
            day, venue, place.parents, bare.plan, lambda _, worked: found.append(worked.tape), [row]
        )
        return found[0]

    return bare._replace(
        log=joined(logs) if logs else bare.log,
        measured={
            name: np.concatenate([columns[name] for columns in measured]) for name in measured[0]
        }
        if measured
        else None,
        relive=relive,
    )
