"""Backtest: many parent orders, several policies, one to three fill models, the same episodes.

tapes = [Tape.open(path) for path in paths]
result = backtest(tapes, ["ac", "twap/cross"], BacktestSettings(orders=500, qty_adv=0.02))
result.summary()            # one row for each policy and fill model
result.save("out/backtest") # Parquet and JSON
write_report(result, "out/backtest/report.html")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.engine.account import Account, new_account
from paceline.engine.queue import FillModel
from paceline.engine.replay import Floor
from paceline.engine.venue import Fees, Footprint, Latency, Venue
from paceline.errors import CapacityError, ConfigError
from paceline.evaluate.history import History, Lesson, cancel_exponent
from paceline.evaluate.parents import draw_parents, given_parents, set_limits
from paceline.evaluate.policies import Policy, Urgency, make_plan, parse_policy
from paceline.evaluate.results import BacktestResult, Run, TapeRuns
from paceline.evaluate.settings import LONGEST_MS, BacktestSettings
from paceline.evaluate.working import Log, Plan, new_log, work
from paceline.market.tape import Tape
from paceline.orders.order import ParentOrder
from paceline.units import NS_PER_MS

_CHUNK = 128
_MOST_ORDERS = 1 << 16

Progress = Callable[[int], None]
"""Told how many parent orders have been worked since it was last called."""


class Task(NamedTuple):
    """One tape, one policy, one fill model."""

    tape: Tape
    lesson: Lesson
    parents: NDArray[np.void]
    policy: Policy
    model: FillModel


def backtest(
    tapes: Sequence[Tape],
    policies: Sequence[str],
    settings: BacktestSettings | None = None,
    *,
    orders: Sequence[ParentOrder] | None = None,
    trade: Sequence[Tape] | None = None,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> BacktestResult:
    """Work parent orders on `tapes` with each policy.

    Args:
        tapes: days of one symbol or several; earlier days teach later ones.
        policies: as in `parse_policy`.
        orders: the parent orders themselves, instead of drawing `settings.orders` of them.
        trade: the tapes to trade on; the others only teach. All of them if left out.
        jobs: threads; as many as cores if left out. The result does not depend on it.

    Raises `ConfigError` for settings that do not go together.
    """
    if jobs is not None and jobs < 1:
        raise ConfigError(f"jobs: {jobs} is no count of threads; give 1 or more")
    settings = settings or BacktestSettings(qty_adv=0.02)
    parsed = [parse_policy(text, settings.slices, settings.collar_bps) for text in policies]
    if len({policy.name for policy in parsed}) != len(parsed) or not parsed:
        raise ConfigError(f"policies: {', '.join(policies)!r}; name each one once, at least one")
    places = list(_places(tapes, trade or tapes, settings, orders))
    tasks = [
        Task(tape, lesson, parents, policy, model)
        for tape, lesson, parents in places
        for policy in parsed
        for model in fill_models(settings)
    ]
    runs = _run_all(tasks, settings, progress or (lambda done: None), jobs or os.cpu_count() or 1)
    per_place = len(parsed) * len(fill_models(settings))
    return BacktestResult(
        settings=msgspec.to_builtins(settings),
        pov_rate=settings.pov_rate,
        decision_delay_s=settings.decision_delay_s,
        fees=_fees(settings),
        places=[
            TapeRuns(tape, lesson, parents, runs[i * per_place : (i + 1) * per_place])
            for i, (tape, lesson, parents) in enumerate(places)
        ],
    )


def fill_models(settings: BacktestSettings) -> list[FillModel]:
    """The fill models that `settings` ask for."""
    if settings.fill_model == "band":
        return list(FillModel)
    return [FillModel[settings.fill_model.upper()]]


def _places(
    tapes: Sequence[Tape],
    trade: Sequence[Tape],
    settings: BacktestSettings,
    orders: Sequence[ParentOrder] | None,
) -> Iterator[tuple[Tape, Lesson, NDArray[np.void]]]:
    """Each tape to trade with what may be known there and the orders to work."""
    if not trade:
        raise ConfigError("tapes: none; give at least one")
    if orders is not None and not orders:
        raise ConfigError("orders: none; give at least one parent order")
    histories = {
        symbol: History([tape for tape in tapes if tape.instrument.symbol == symbol])
        for symbol in {tape.instrument.symbol for tape in tapes}
    }
    for tape in trade:
        if tape.instrument.symbol not in histories:
            raise ConfigError(f"trade: {tape.name} is not among the tapes; give it there too")
    for order in orders if orders is not None else ():
        if not any(_belongs(order, tape) for tape in trade):
            raise ConfigError(
                f"parent.start_ts: order {order.order_id!r} ({order.symbol}) starts in no session "
                "of the tapes to trade; give its day"
            )
    share, extra = divmod(settings.orders, len(trade))
    for i, tape in enumerate(trade):
        lesson = histories[tape.instrument.symbol].before(tape)
        if orders is None:
            count = share + (i < extra)
            if count == 0:
                continue
            parents = _drawn(tape, lesson, settings, count)
        else:
            here = [order for order in orders if _belongs(order, tape)]
            if not here:
                continue
            parents = given_parents(
                tape,
                here,
                settings.seed,
                settings.decision_delay_s,
                settings.participation_window_s,
            )
        yield tape, lesson, parents


def _belongs(order: ParentOrder, tape: Tape) -> bool:
    return (
        order.symbol == tape.instrument.symbol
        and tape.session.open_ns <= order.start_ts <= tape.session.close_ns
    )


def _drawn(tape: Tape, lesson: Lesson, settings: BacktestSettings, count: int) -> NDArray[np.void]:
    parents = draw_parents(
        tape,
        lesson,
        count,
        settings.horizon_s,
        qty=settings.qty,
        qty_adv=settings.qty_adv,
        qty_volume=settings.qty_volume,
        seed=settings.seed,
        decision_delay_s=settings.decision_delay_s,
    )
    at = np.searchsorted(tape.events.ts, parents["start_ts"], side="right") - 1
    child_max = settings.child_max
    set_limits(
        tape,
        parents,
        tape.mid_ticks()[at],
        band_bps=settings.price_band_bps,
        child_max=None if child_max is None else tape.instrument.lots(child_max, "child_max"),
        participation=settings.participation,
        window_s=settings.participation_window_s,
    )
    return parents


def _run_all(
    tasks: Sequence[Task], settings: BacktestSettings, progress: Progress, jobs: int
) -> list[Run]:
    """Run the tasks on threads: kernels run without the GIL, and tapes are shared.

    Ctrl-C stops after the chunks under way.
    """
    stop = [False]
    if jobs == 1 or len(tasks) == 1:
        return [_run(task, settings, progress, stop) for task in tasks]
    with ThreadPoolExecutor(jobs) as pool:
        # In our own context, for NumPy keeps there what it does about an overflow.
        futures: list[Future[Run]] = [
            pool.submit(copy_context().run, _run, task, settings, progress, stop) for task in tasks
        ]
        try:
            wait(futures, return_when="FIRST_EXCEPTION")
            return [future.result() for future in futures]
        except BaseException:
            stop[0] = True
            pool.shutdown(cancel_futures=True)
            raise


def _run(task: Task, settings: BacktestSettings, progress: Progress, stop: list[bool]) -> Run:
    venue = _venue(settings, task)
    urgency = Urgency(settings.half_life_s, settings.risk_aversion)
    plan = make_plan(
        task.policy,
        task.tape,
        task.lesson,
        task.parents,
        urgency,
        settings.pov_rate,
        settings.finish == "sweep",
    )
    log = work_all(task.tape, venue, task.parents, plan, progress, stop)
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
        logs.append(_cut(log, done, reached))
        progress(reached - done)
        done = reached
    return _join(logs) if logs else new_log(0, 0, 0)


def _account(tape: Tape, room: int) -> Account:
    """Room for `room` child orders, all of them at rest or on their way at once if need be."""
    return new_account(len(tape.level_ticks), room, 4 * room, max_live=room)


def _cut(log: Log, first: int, last: int) -> Log:
    """The part of a log that was filled for parents `first:last`."""
    orders, fills = log.used
    return Log(
        result=log.result[first:last],
        order_parent=log.order_parent[:orders],
        orders=log.orders[:orders],
        fill_parent=log.fill_parent[:fills],
        fills=log.fills[:fills],
        used=log.used,
    )


def _join(logs: Sequence[Log]) -> Log:
    """One log of many: children count on from one to the next."""
    base = 0
    for log in logs:
        log.fills["order"] += base
        base += int(log.used[0])
    columns = zip(*logs, strict=True)
    joined = Log(*(np.concatenate(column) for column in columns))
    return joined._replace(used=np.array([len(joined.orders), len(joined.fills)], np.int64))


def _fees(settings: BacktestSettings) -> Fees:
    return Fees(maker_per_share=settings.maker_fee, taker_per_share=settings.taker_fee)


def _venue(settings: BacktestSettings, task: Task) -> Venue:
    return Venue(
        fill_model=task.model,
        cancel_exponent=cancel_exponent(settings.cancel_exponent, task.lesson),
        submit=_latency(settings, settings.submit_ms, settings.latency_sample),
        ack=_latency(settings, settings.ack_ms, settings.latency_sample),
        market_data=_latency(settings, settings.market_data_ms, None),
        fees=_fees(settings),
        footprint=footprint_of(settings, task.lesson, task.tape.name),
    )


def footprint_of(settings: BacktestSettings, lesson: Lesson, name: str) -> Footprint:
    """What our orders change: as set, else as fitted on the tapes that teach, else the default."""
    recovery = settings.recovery_half_life_s
    if recovery is None and lesson.recovery is not None:
        recovery = lesson.recovery.half_life_s
    plain = Footprint() if recovery is None else Footprint(recovery_half_life_s=recovery)
    if settings.impact == "footprint":
        return plain
    fit, decay = lesson.impact, settings.transient_half_life_s
    if decay is None and lesson.decay is not None:
        decay = lesson.decay.value
    if fit is None or decay is None:
        raise ConfigError(
            f"impact: fitted, but the fit failed for {name}; give more days, a "
            "transient_half_life, or use footprint"
        )
    # What a lot pushes for good is gamma. What eta charges a lot for its own bar is taken as a
    # push that fades; a negative estimate is no push.
    return msgspec.structs.replace(
        plain,
        permanent_ticks_per_lot=max(fit.gamma.value, 0.0),
        transient_ticks_per_lot=max(fit.eta.value / fit.bar_s, 0.0),
        transient_half_life_s=decay,
    )


def _latency(settings: BacktestSettings, median_ms: float, sample: str | None) -> Latency:
    if sample is not None:
        return Latency.sample(np.rint(_recorded_ms(sample) * NS_PER_MS).astype(np.int64))
    if settings.latency_p99_ms is None or median_ms == 0:
        return Latency.constant(median_ms)
    return Latency.lognormal(median_ms, settings.latency_p99_ms)


def _recorded_ms(path: str) -> NDArray[np.float64]:
    """The delays in a file, one a line."""
    try:
        words = Path(path).read_text(encoding="utf-8").split()
        delays = np.array([float(word) for word in words])
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"latency_sample: {path} cannot be read ({error}); give one delay in ms a line"
        ) from None
    if not len(delays) or not np.all((delays >= 0) & (delays <= LONGEST_MS)):
        raise ConfigError(
            f"latency_sample: {path} holds no delays of 0 to {LONGEST_MS:g} ms; give one a line"
        )
    return delays
