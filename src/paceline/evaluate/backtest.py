"""Backtest: many parent orders, several policies, one to three fill models, the same episodes.

tapes = [Tape.open(path) for path in paths]
result = backtest(tapes, ["ac", "twap/cross"], BacktestSettings(orders=500, qty_adv=0.02))
result.summary()            # one row for each policy and fill model
result.save("out/backtest") # Parquet and JSON
write_report(result, "out/backtest/report.html")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.engine.account import Account, new_account
from paceline.engine.queue import FillModel
from paceline.engine.replay import Floor
from paceline.engine.venue import Venue
from paceline.env.policies import Policy, Urgency, parse_policy
from paceline.env.working import Log, Plan, joined, new_log, used_part, work
from paceline.errors import CapacityError, ConfigError
from paceline.evaluate.answering import AnsweringDay
from paceline.evaluate.own_markets import run_in_own_markets
from paceline.evaluate.per_order import Run, TapeRuns, Yardsticks
from paceline.evaluate.preparing import Prepared, prepare
from paceline.evaluate.results import BacktestResult
from paceline.evaluate.settings import DRAWN_ONLY, BacktestSettings
from paceline.evaluate.stressing import UnderStress, scenario_dict, stressed_day
from paceline.evaluate.venues import fees_of, fill_models
from paceline.market.tape import Tape
from paceline.orders.order import ParentOrder
from paceline.stress.scenario import Scenario
from paceline.units import NS_PER_S

_CHUNK = 128
_MOST_ORDERS = 1 << 16

Progress = Callable[[int], None]
"""Told how many parent orders have been worked since it was last called."""


class Task(NamedTuple):
    """One tape, one policy, one fill model."""

    place: TapeRuns
    policy: Policy
    plan: Plan
    model: FillModel
    venue: Venue
    answering: AnsweringDay | None
    yards: Yardsticks


def backtest(
    tapes: Sequence[Tape],
    policies: Sequence[str],
    settings: BacktestSettings | None = None,
    *,
    orders: Sequence[ParentOrder] | None = None,
    trade: Sequence[Tape] | None = None,
    scenarios: Sequence[Scenario] = (),
    answering: Sequence[AnsweringDay] = (),
    notes: Sequence[str] = (),
    progress: Progress | None = None,
    jobs: int | None = None,
) -> BacktestResult:
    """Work parent orders on `tapes` with each policy.

    Args:
        tapes: days of one symbol or several; earlier days teach later ones.
        policies: as in `parse_policy`.
        orders: the parent orders themselves, instead of drawing `settings.orders` of them. They
            bring size, horizon and limits, so settings of those must be left out (`DRAWN_ONLY`).
        trade: the tapes to trade on; the others only teach. All of them if left out.
        scenarios: work the same orders under each of these too; see `BacktestResult.stressed`.
        answering: the simulated days behind the tapes; orders on those are worked in a market that
            answers.
        notes: on the orders that are given, such as where their limits come from; said first.
        jobs: threads; as many as cores if left out. The result does not depend on it.

    Raises `ConfigError` for settings that do not go together.
    """
    if jobs is not None and jobs < 1:
        raise ConfigError(f"jobs: {jobs} is no count of threads; give 1 or more")
    if settings is None:
        settings = BacktestSettings(qty_adv=0.02 if orders is None else None)
    parsed = [parse_policy(text, settings.slices, settings.collar_bps) for text in policies]
    if len({policy.name for policy in parsed}) != len(parsed) or not parsed:
        raise ConfigError(f"policies: {', '.join(policies)!r}; name each one once, at least one")
    days, left_out = prepare(tapes, tapes if trade is None else trade, parsed, settings, orders)
    _check_names(scenarios)
    models = fill_models(settings)
    own_days = {day.tape.manifest.tape_id: day for day in answering}
    if own_days and settings.fill_model != BacktestSettings().fill_model:
        raise ConfigError(
            f"fill_model: {settings.fill_model} is for recorded days; in a market that answers our "
            "orders stand in the queue themselves; leave it out"
        )
    days = [day._replace(answering=own_days.get(day.tape.manifest.tape_id)) for day in days]
    yards = yardsticks_of(settings)
    tell, jobs = progress or (lambda done: None), jobs or os.cpu_count() or 1
    told = msgspec.to_builtins(settings)
    told = {k: v for k, v in told.items() if orders is None or k not in DRAWN_ONLY}

    def worked(days: Sequence[Prepared]) -> list[TapeRuns]:
        places = [
            TapeRuns(day.tape, day.lesson, day.parents, day.order_ids, [], day.notes)
            for day in days
        ]
        tasks = [
            Task(place, policy, plan, model, venue, day.answering, yards)
            for place, day in zip(places, days, strict=True)
            for policy, plan in zip(parsed, day.plans, strict=True)
            for model, venue in zip(models, day.venues, strict=True)
        ]
        runs = _run_all(tasks, tell, jobs)
        per_day = len(parsed) * len(models)
        for i, place in enumerate(places):
            place.runs.extend(runs[i * per_day : (i + 1) * per_day])
        return places

    result = BacktestResult(told, yards, worked(days), left_out)
    result.given = [*notes, *(note for day in days for note in day.given)]
    for scenario in scenarios:
        stressed = [stressed_day(day, scenario, parsed, settings) for day in days]
        settings_under = {**told, "scenario": scenario_dict(scenario)}
        under = BacktestResult(settings_under, yards, worked(stressed), left_out)
        result.stressed.append(UnderStress(scenario, under))
    return result


def _check_names(scenarios: Sequence[Scenario]) -> None:
    names = [scenario.name for scenario in scenarios]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"scenario: {twice!r} is given twice; give each one its own name")


def yardsticks_of(settings: BacktestSettings) -> Yardsticks:
    """What `settings` measure cost with."""
    return Yardsticks(
        delay_ns=round(settings.decision_delay_s * NS_PER_S),
        pov_rate=settings.pov_rate,
        urgency=Urgency(settings.half_life_s, settings.risk_aversion),
        n_slices=settings.slices,
        fees=fees_of(settings),
    )


def _run_all(tasks: Sequence[Task], progress: Progress, jobs: int) -> list[Run]:
    """Run the tasks on threads: kernels run without the GIL, and tapes are shared.

    Ctrl-C stops after the chunks under way.
    """
    stop = [False]
    if jobs == 1 or len(tasks) == 1:
        return [_run(task, progress, stop) for task in tasks]
    with ThreadPoolExecutor(jobs) as pool:
        # In our own context, for NumPy keeps there what it does about an overflow.
        futures: list[Future[Run]] = [
            pool.submit(copy_context().run, _run, task, progress, stop) for task in tasks
        ]
        try:
            wait(futures, return_when="FIRST_EXCEPTION")
            return [future.result() for future in futures]
        except BaseException:
            stop[0] = True
            pool.shutdown(cancel_futures=True)
            raise


def _run(task: Task, progress: Progress, stop: list[bool]) -> Run:
    place, plan = task.place, task.plan
    if task.answering is not None:
        bare = Run(task.policy, task.model, plan, new_log(0, 0, 0))
        return run_in_own_markets(
            task.answering, place, bare, task.venue, task.yards, progress, stop
        )
    log = work_all(place.tape, task.venue, place.parents, plan, progress, stop)
    return Run(task.policy, task.model, plan, log)


def work_all(
    tape: Tape,
    venue: Venue,
    parents: NDArray[np.void],
    plan: Plan,
    progress: Progress = lambda done: None,
    stop: Sequence[bool] = (False,),
) -> Log:
    """Work all `parents` as `plan` says, with as much room as it takes."""
    rules = venue.rules(tape.instrument, tape.session)
    room = 4 * plan.bounds.shape[1] + 64
    floor = Floor(tape.events, tape.new_book(), rules, _account(tape, room))
    logs: list[Log] = []
    done = 0
    while done < len(parents):
        if stop[0]:
            raise KeyboardInterrupt
        until = min(done + _CHUNK, len(parents))
        log = new_log(until, (until - done) * room, (until - done) * 4 * room)
        reached = work(floor, tape.images, parents[:until], plan, log, done)
        if reached == done:
            room *= 2
            if room > _MOST_ORDERS:
                raise CapacityError(
                    f"parent {done}: needs more than {_MOST_ORDERS} child orders; use a larger "
                    "child_max or fewer slices"
                )
            floor = floor._replace(account=_account(tape, room))
            continue
        logs.append(used_part(log, done, reached))
        progress(reached - done)
        done = reached
    return joined(logs) if logs else new_log(0, 0, 0)


def _account(tape: Tape, room: int) -> Account:
    """Room for `room` child orders, all of them at rest or on their way at once if need be."""
    return new_account(len(tape.level_ticks), room, 4 * room, max_live=room)
