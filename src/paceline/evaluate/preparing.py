"""Before the first order is worked: which orders on which tape, what may be known there, how each
policy plans them, and the venue under each fill model.

Whatever can go wrong with a day goes wrong here. A day on which orders cannot be drawn or planned
is left out with a note, and its orders go to the others; a given order is never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine.venue import Venue
from paceline.env.history import History, Lesson
from paceline.env.parents import draw_parents, given_parents, set_limits
from paceline.env.policies import Policy, Urgency, make_plan
from paceline.env.working import Plan
from paceline.errors import ConfigError, InputError
from paceline.evaluate.answering import AnsweringDay
from paceline.evaluate.settings import DRAWN_ONLY, BacktestSettings
from paceline.evaluate.venues import fill_models, venue_of
from paceline.market.grids import check_one_grid
from paceline.market.tape import Tape
from paceline.orders.order import ParentOrder
from paceline.orders.times import said
from paceline.units import bps


class Prepared(NamedTuple):
    """One tape, ready to be worked on."""

    tape: Tape
    lesson: Lesson
    parents: NDArray[np.void]  # PARENT_RECORD
    order_ids: list[str]
    plans: list[Plan]  # one for each policy
    venues: list[Venue]  # one for each fill model
    notes: list[str]
    answering: AnsweringDay | None = None
    """What simulates the day, where orders are worked in markets of their own."""
    given: Sequence[str] = ()
    """Notes on orders that were given."""


def prepare(
    tapes: Sequence[Tape],
    trade: Sequence[Tape],
    policies: Sequence[Policy],
    settings: BacktestSettings,
    orders: Sequence[ParentOrder] | None,
) -> tuple[list[Prepared], list[str]]:
    """The tapes of `trade` that have orders, and notes on those that had to be left out.

    `tapes` teach; `orders` are worked instead of drawn ones. Raises `ConfigError` for what does not
    go together, and what is wrong with the first day if no day is left.
    """
    if not trade:
        raise ConfigError("tapes: none; give at least one")
    histories = {
        symbol: History([tape for tape in tapes if tape.instrument.symbol == symbol])
        for symbol in {tape.instrument.symbol for tape in tapes}
    }
    for kind, given in (("tapes", tapes), ("trade", trade)):
        ids = [tape.manifest.tape_id for tape in given]
        twice = next((tape.name for tape in given if ids.count(tape.manifest.tape_id) > 1), None)
        if twice is not None:
            raise ConfigError(f"{kind}: {twice} is given twice; give each tape once")
    if settings.risk_aversion is not None:
        check_one_grid(trade, "risk_aversion")
    for tape in trade:
        if tape.instrument.symbol not in histories:
            raise ConfigError(f"trade: {tape.name} is not among the tapes; give it there too")
    if orders is None:
        return _with_drawn(trade, histories, policies, settings)
    return _with_given(trade, histories, policies, settings, orders), []


# --- orders that are drawn --------------------------------------------------------------------


def _with_drawn(
    trade: Sequence[Tape],
    histories: dict[str, History],
    policies: Sequence[Policy],
    settings: BacktestSettings,
) -> tuple[list[Prepared], list[str]]:
    lessons: dict[str, Lesson] = {}
    left_out: dict[str, InputError] = {}
    while True:
        days = [tape for tape in trade if tape.name not in left_out]
        if not days:
            raise next(iter(left_out.values()))
        share, extra = divmod(settings.orders, len(days))
        prepared, unfit = [], {}
        if not share:  # fewer orders than days: spread over them
            days = [days[i] for i in np.linspace(0, len(days) - 1, extra).astype(int)]
        for i, tape in enumerate(days):
            count = share + (i < extra)
            try:
                if tape.name not in lessons:
                    lessons[tape.name] = histories[tape.instrument.symbol].before(tape)
                prepared.append(_drawn(tape, lessons[tape.name], policies, settings, count))
            except InputError as error:
                unfit[tape.name] = error
        if not unfit:
            notes = [f"{name}: was left out ({error})" for name, error in left_out.items()]
            return prepared, notes
        left_out.update(unfit)


def _drawn(
    tape: Tape,
    lesson: Lesson,
    policies: Sequence[Policy],
    settings: BacktestSettings,
    count: int,
) -> Prepared:
    venues = [venue_of(settings, tape, lesson, model) for model in fill_models(settings)]
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
        venue_ticks=_venue_ticks(venues[0], tape),
    )
    return Prepared(
        tape=tape,
        lesson=lesson,
        parents=parents,
        order_ids=[f"{tape.name}/{k}" for k in range(1, count + 1)],
        plans=plans_of(policies, tape, lesson, parents, settings, venues[0]),
        venues=venues,
        notes=_quiet_notes(policies, tape, lesson, parents),
    )


# --- orders that are given --------------------------------------------------------------------


def _with_given(
    trade: Sequence[Tape],
    histories: dict[str, History],
    policies: Sequence[Policy],
    settings: BacktestSettings,
    orders: Sequence[ParentOrder],
) -> list[Prepared]:
    _check_given(trade, settings, orders)
    prepared = []
    for tape in trade:
        here = [order for order in orders if _belongs(order, tape)]
        if not here:
            continue
        lesson = histories[tape.instrument.symbol].before(tape)
        venues = [venue_of(settings, tape, lesson, model) for model in fill_models(settings)]
        parents = given_parents(
            tape,
            here,
            settings.seed,
            settings.decision_delay_s,
            settings.participation_window_s,
            _venue_ticks(venues[0], tape),
        )
        prepared.append(
            Prepared(
                tape=tape,
                lesson=lesson,
                parents=parents,
                order_ids=[order.order_id for order in here],
                plans=plans_of(policies, tape, lesson, parents, settings, venues[0]),
                venues=venues,
                notes=_quiet_notes(policies, tape, lesson, parents),
                given=[note for order in here if (note := _arrival_note(tape, order))],
            )
        )
    return prepared


def _check_given(
    trade: Sequence[Tape], settings: BacktestSettings, orders: Sequence[ParentOrder]
) -> None:
    if not orders:
        raise ConfigError("orders: none; give at least one parent order")
    usual = BacktestSettings()
    for name in DRAWN_ONLY:
        value = getattr(settings, name)
        if value != getattr(usual, name):
            raise ConfigError(
                f"{name}: {value} is for orders that are drawn, and a given order brings its own; "
                "leave it out"
            )
    known: set[str] = set()
    symbols = sorted({tape.instrument.symbol for tape in trade})
    for order in orders:
        if not isinstance(order, ParentOrder):
            raise ConfigError(
                f"orders: {order!r} is no ParentOrder; make it one with ParentOrder.from_dict"
            )
        if order.symbol not in symbols:
            raise ConfigError(
                f"parent.symbol: {order.symbol!r} of order {order.order_id!r} is on none of the "
                f"tapes to trade ({', '.join(symbols)}); give one of its days"
            )
        if order.order_id in known:
            raise ConfigError(
                f"parent.order_id: {order.order_id!r} is given twice; give each order its own"
            )
        known.add(order.order_id)
        if not any(_belongs(order, tape) for tape in trade):
            raise ConfigError(
                f"parent.start_ts: {said(order.start_ts)} of order {order.order_id!r} "
                f"({order.symbol}) lies in no session of the tapes to trade; give its day"
            )


def _belongs(order: ParentOrder, tape: Tape) -> bool:
    return (
        order.symbol == tape.instrument.symbol
        and tape.session.open_ns <= order.start_ts <= tape.session.close_ns
    )


def _arrival_note(tape: Tape, order: ParentOrder) -> str | None:
    """That the arrival price of an order is more than a spread from the mid at its start. One that
    is far off is refused when the orders are read (`env.parents`)."""
    at = tape.index_at(order.start_ts) - 1
    tick = float(tape.instrument.book_tick)
    mid, named = float(tape.mid_ticks()[at]), order.arrival_ticks(tape.instrument)
    spread = float(tape.ask_ticks()[at] - tape.bid_ticks()[at])
    if abs(named - mid) <= spread:
        return None
    return (
        f"{tape.name}: order {order.order_id!r} names an arrival_px of {named * tick:.10g}, but "
        f"the mid at its start is {mid * tick:.10g}, {bps(abs(named - mid), mid):,.0f} bps away "
        f"and more than the spread of {spread * tick:.10g}; cost counts from the mid, the price "
        "band from arrival_px"
    )


# --- both -------------------------------------------------------------------------------------


def plans_of(
    policies: Sequence[Policy],
    tape: Tape,
    lesson: Lesson,
    parents: NDArray[np.void],
    settings: BacktestSettings,
    venue: Venue,
) -> list[Plan]:
    """How each policy works these orders. Raises `ConfigError` where messages take longer than a
    slice."""
    urgency = Urgency(settings.half_life_s, settings.risk_aversion)
    sweeps = settings.finish == "sweep"
    plans = [
        make_plan(policy, tape, lesson, parents, urgency, settings.pov_rate, sweeps)
        for policy in policies
    ]
    for policy, plan in zip(policies, plans, strict=True):
        venue.check_in_time(int(np.diff(plan.bounds).min()), f"a slice of {policy.name}")
    return plans


def _quiet_notes(
    policies: Sequence[Policy], tape: Tape, lesson: Lesson, parents: NDArray[np.void]
) -> list[str]:
    """That VWAP had no volume to follow in some intervals."""
    midnight = tape.session.midnight_ns
    quiet = lesson.curve.is_quiet(parents["start_ts"] - midnight, parents["end_ts"] - midnight)
    if not quiet.any() or all(policy.schedule != "vwap" for policy in policies):
        return []
    return [
        f"{tape.name}: on earlier days nothing traded while {int(quiet.sum())} of {len(quiet)} "
        "orders were at work, so VWAP worked them evenly"
    ]


def _venue_ticks(venue: Venue, tape: Tape) -> tuple[int, int] | None:
    """The venue's own band, ticks; None without one."""
    if venue.band_low is None and venue.band_high is None:
        return None
    rules = venue.rules(tape.instrument, tape.session)
    return rules.band_low, rules.band_high
