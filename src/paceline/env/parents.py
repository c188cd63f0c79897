"""Parent orders for a backtest: drawn at random from tapes, or given by the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.env.history import Lesson
from paceline.env.working import PARENT_RECORD
from paceline.errors import ConfigError
from paceline.market.halts import trades_at
from paceline.market.session import Session, clock
from paceline.market.settled import STAY_S, settled_ts
from paceline.market.tape import Tape
from paceline.orders.order import ParentOrder
from paceline.orders.times import said
from paceline.units import BPS, NS_PER_S

_TRIES = 200
_AFTER_OPEN_S = 60.0
"""Seconds after the open before the first order may start, however soon the market has settled."""

_MOST_OFF = 0.2
"""Share of the mid by which an arrival price may differ from it. Beyond it the price is taken for
another one (of another symbol, currency or day), and a price band around it would hold nothing."""

_FAR = 1 << 40
"""Ticks or lots no market reaches: no limit."""


def draw_parents(
    tape: Tape,
    lesson: Lesson,
    count: int,
    horizon_s: float,
    *,
    qty: float | None,
    qty_adv: float | None,
    qty_volume: float | None,
    seed: int,
    decision_delay_s: float = 0.0,
) -> NDArray[np.void]:
    """`[count]` of PARENT_RECORD: random starts, sides in turn, on a two-sided, open market.

    The size is `qty` (in the instrument's own unit), or `qty_adv` times average daily volume, or
    `qty_volume` times the volume that the curve expects over the horizon; one lot at least.
    An order starts so late that the market had settled when it was decided, `decision_delay_s`
    before, and in continuous trading: after the open, in no break and no halt. Breaks are
    announced, so no order spans one unless its horizon is longer than what lies between them; then
    `horizon_s` counts the time of trading only. A halt is not announced, and may come while an
    order is at work.
    """
    if np.all(np.isnan(tape.mid_ticks())):
        raise ConfigError(f"tape: {tape.name} never has a two-sided book; it cannot be traded")
    horizon = round(horizon_s * NS_PER_S)
    settled, open_ = settled_ts(tape), tape.session.open_ns
    known = settled + round(STAY_S * NS_PER_S)  # that it has settled
    first = max(known, open_) + round(decision_delay_s * NS_PER_S)
    hours = _hours_for(tape, max(first, open_ + round(_AFTER_OPEN_S * NS_PER_S)), horizon)
    if hours.last <= hours.first:
        raise ConfigError(
            f"horizon: {horizon_s:g} s does not fit into {tape.name}"
            + (f" after a decision_delay of {decision_delay_s:g} s" if decision_delay_s else "")
            + f", whose market had settled by {clock(settled, tape.session.zone)} and whose last "
            f"event is of {clock(int(tape.events.ts[-1]), tape.session.zone)}; use a shorter one "
            "or leave this tape out"
        )
    rng = np.random.default_rng([seed, _number_of(tape)])
    start = np.sort(_tradable_starts(tape, rng, count, hours))
    parents = np.zeros(count, PARENT_RECORD)
    parents["start_ts"], parents["end_ts"] = start, _ends(tape.session, start, horizon)
    parents["side"] = np.where((np.arange(count) + rng.integers(2)) % 2, 1, -1)
    parents["lots"] = _sizes(tape, lesson, parents, qty, qty_adv, qty_volume)
    parents["seed"] = rng.integers(0, 2**62, count)
    return parents


def given_parents(
    tape: Tape,
    orders: Sequence[ParentOrder],
    seed: int,
    decision_delay_s: float = 0.0,
    window_s: float = 300.0,
    venue_ticks: tuple[int, int] | None = None,
) -> NDArray[np.void]:
    """PARENT_RECORD of parent orders as users write them, with their constraints.

    The price band is counted from `arrival_px`. Raises `OrderError` for an order that does not fit
    the instrument, and `ConfigError` for one that leaves the session or has no price.
    """
    mid = tape.mid_ticks()
    parents = np.zeros(len(orders), PARENT_RECORD)
    for row, order in zip(parents, orders, strict=True):
        order.check(tape.instrument)
        _check_times(tape, order)
        _check_limits(order)
        _check_priced(tape, mid, order, decision_delay_s)
        row["side"] = order.side.sign
        row["lots"] = order.lots(tape.instrument)
        row["start_ts"], row["end_ts"] = order.start_ts, order.end_ts
    limit = [order.constraints for order in orders]
    set_limits(
        tape,
        parents,
        np.array([order.arrival_ticks(tape.instrument) for order in orders]),
        band_bps=np.array([c.price_band_bps for c in limit]),
        child_max=np.array([c.child_max_lots(tape.instrument) for c in limit]),
        participation=np.array([c.participation for c in limit]),
        window_s=window_s,
        venue_ticks=venue_ticks,
        names=[f"order {order.order_id!r}, " for order in orders],
    )
    parents["seed"] = np.random.default_rng([seed, _number_of(tape)]).integers(
        0, 2**62, len(orders)
    )
    return parents


def _check_times(tape: Tape, order: ParentOrder) -> None:
    """Raises `ConfigError` for an order that is at work while nothing was recorded."""
    zone, close = tape.session.zone, tape.session.close_ns
    if order.start_ts < tape.session.open_ns:
        raise ConfigError(
            f"parent.start_ts: {said(order.start_ts)} of order {order.order_id!r} is before "
            f"{tape.name} opens at {clock(tape.session.open_ns, zone)}; start it later"
        )
    for pause, resume in tape.session.breaks:
        if pause <= order.start_ts < resume:
            raise ConfigError(
                f"parent.start_ts: {said(order.start_ts)} of order {order.order_id!r} lies in the "
                f"break of {tape.name} from {clock(pause, zone)} to {clock(resume, zone)}; start "
                "it at another time"
            )
    if tape.manifest.quality.short_session:
        close = min(close, int(tape.events.ts[-1]))
    if order.end_ts > close:
        raise ConfigError(
            f"parent.end_ts: {said(order.end_ts)} of order {order.order_id!r} is after {tape.name} "
            f"ends at {clock(close, zone)}; give an earlier end"
        )


def _check_limits(order: ParentOrder) -> None:
    """Raises `ConfigError` for a limit that a backtest would not keep: better no result than one
    that looks as if it had been kept."""
    for name in ("max_order_value", "max_messages", "max_cancels", "min_resting_ms"):
        if getattr(order.constraints, name) is not None:
            raise ConfigError(
                f"constraints.{name}: order {order.order_id!r} sets it, and a backtest does not "
                "keep it; leave it out"
            )


def _check_priced(
    tape: Tape, mid: NDArray[np.float64], order: ParentOrder, decision_delay_s: float
) -> None:
    """Raises `ConfigError` unless there is an arrival price, like that of the order, and a decision
    price before it."""
    at = tape.index_at(order.start_ts) - 1
    if at < 0 or np.isnan(mid[at]):
        stubs = at >= 0 and not np.isnan(tape.ask_ticks()[at] - tape.bid_ticks()[at])
        shows = "shows stub quotes only" if stubs else "has no two-sided book"
        raise ConfigError(
            f"parent.start_ts: order {order.order_id!r} starts while {tape.name} {shows}, so it "
            "has no arrival price; start it at another time"
        )
    named, tick = order.arrival_ticks(tape.instrument), float(tape.instrument.book_tick)
    off = named / float(mid[at]) - 1.0
    if abs(off) > _MOST_OFF:
        raise ConfigError(
            f"parent.arrival_px: {named * tick:.10g} of order {order.order_id!r} is {off:+.0%} off "
            f"the mid of {mid[at] * tick:.10g} at its start in {tape.name}; give the mid at "
            f"start_ts ({_MOST_OFF:.0%} off at most)"
        )
    first_ts = int(tape.events.ts[np.argmax(~np.isnan(mid))])
    if order.start_ts - round(decision_delay_s * NS_PER_S) < first_ts:
        raise ConfigError(
            f"decision_delay: {decision_delay_s:g} s before order {order.order_id!r} {tape.name} "
            "had no price yet; use a shorter one"
        )


def set_limits(
    tape: Tape,
    parents: NDArray[np.void],
    reference_ticks: NDArray[np.float64],
    *,
    band_bps: float | NDArray[np.float64] | None = None,
    child_max: int | NDArray[np.int64] | None = None,
    participation: float | NDArray[np.float64] | None = None,
    window_s: float = 300.0,
    venue_ticks: tuple[int, int] | None = None,
    names: Sequence[str] = (),
) -> None:
    """Write the limits that the worker keeps; None is no limit of that kind.

    The price band is `band_bps` around `reference_ticks`, cut to the venue's own band
    `venue_ticks`, with both ends on the order grid inside it. Raises `ConfigError` for limits that
    leave nothing, with one of `names` where there is one for each parent order.
    """
    step = tape.instrument.order_step
    width = _FAR if band_bps is None else reference_ticks * np.asarray(band_bps) / BPS
    width = np.minimum(width, _FAR)
    low, high = reference_ticks - width, reference_ticks + width
    if venue_ticks is not None:
        low, high = np.maximum(low, venue_ticks[0]), np.minimum(high, venue_ticks[1])
    parents["band_low"] = np.ceil(np.maximum(low, step) / step).astype(np.int64) * step
    parents["band_high"] = np.floor(high / step).astype(np.int64) * step
    empty = np.flatnonzero(parents["band_low"] > parents["band_high"])
    if len(empty):
        k = int(empty[0])
        value = np.broadcast_to(np.asarray(band_bps, dtype=object), len(parents))[k]
        raise ConfigError(
            f"price_band_bps: {names[k] if len(names) else ''}{value} holds no price of the order "
            "grid"
            + ("; widen it" if venue_ticks is None else " inside the venue's band; widen either")
        )
    parents["child_max"] = _FAR if child_max is None else child_max
    if np.any(parents["child_max"] < 1):
        raise ConfigError(f"child_max: {child_max} is less than one lot")
    if participation is None:
        parents["share_ppm"] = 0
    else:
        share = np.asarray(participation, dtype=np.float64)
        if not np.all((share > 0) & (share <= 1)):
            raise ConfigError(f"participation: {participation} is not in (0, 1]")
        # All of the volume may always be ours, even where nobody else trades: no limit.
        ppm = np.clip(np.floor(share * 1e6), 1, 999_999)
        parents["share_ppm"] = np.where(share < 1, ppm, 0).astype(np.int64)
    parents["window_ns"] = round(window_s * NS_PER_S)


def _number_of(tape: Tape) -> int:
    """A number of the tape itself, so that its draws do not depend on which others are given."""
    return int(tape.manifest.tape_id[:12], 16)


class _Hours(NamedTuple):
    """When orders of a horizon may start."""

    first: int
    last: int
    """Before this, so that they end by the close and the last event."""
    horizon_ns: int
    spans: bool
    """Whether an order may have a break in its horizon, because none fits without."""


def _hours_for(tape: Tape, first: int, horizon: int) -> _Hours:
    session, until = tape.session, min(tape.session.close_ns, int(tape.events.ts[-1]))
    fits = any(min(end, until) - max(start, first) > horizon for start, end in session.phases)
    if fits or not session.breaks:
        return _Hours(first, until - horizon, horizon, False)
    # Counted back from the end, in trading time.
    left, last = horizon, first
    for start, end in reversed(session.phases):
        here = max(min(end, until) - start, 0)
        if here >= left:
            last = min(end, until) - left
            break
        left -= here
    return _Hours(first, last, horizon, True)


def _ends(session: Session, start: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
    """When orders that begin at `start` `[n]` have had `horizon` ns of trading."""
    end = start + horizon
    for pause, resume in session.breaks:
        end = np.where((start <= pause) & (end > pause), end + (resume - pause), end)
    return end


def _tradable_starts(
    tape: Tape, rng: np.random.Generator, count: int, hours: _Hours
) -> NDArray[np.int64]:
    """`[count]` starts in continuous trading, when the mid is known and the book is not crossed."""
    events, priced = tape.events, np.isfinite(tape.mid_ticks())
    found = np.empty(0, np.int64)
    for _ in range(_TRIES):
        start = rng.integers(hours.first, hours.last, 2 * count)
        at = np.searchsorted(events.ts, start, side="right") - 1
        known = np.maximum(at, 0)
        apart = events.bid[known] < events.ask[known]
        good = (at >= 0) & priced[known] & apart & trades_at(tape, start)
        if not hours.spans:
            good &= _ends(tape.session, start, hours.horizon_ns) == start + hours.horizon_ns
        found = np.concatenate([found, start[good]])
        if len(found) >= count:
            return found[:count]
    raise ConfigError(
        f"tape: {tape.name} hardly ever has a two-sided book in continuous trading; it cannot be "
        "traded"
    )


def _sizes(
    tape: Tape,
    lesson: Lesson,
    parents: NDArray[np.void],
    qty: float | None,
    qty_adv: float | None,
    qty_volume: float | None,
) -> NDArray[np.int64]:
    given = [value for value in (qty, qty_adv, qty_volume) if value is not None]
    if len(given) != 1 or not given[0] > 0:
        raise ConfigError(
            f"qty: {qty}, qty_adv: {qty_adv}, qty_volume: {qty_volume}; give exactly one, above 0"
        )
    if qty is not None:
        return np.full(len(parents), tape.instrument.lots(qty, "qty"), np.int64)
    if qty_adv is not None:
        lots = np.full(len(parents), qty_adv * lesson.adv_lots)
    else:
        midnight = tape.session.midnight_ns
        start, end = parents["start_ts"] - midnight, parents["end_ts"] - midnight
        if lesson.curve.is_quiet(start, end).any():
            raise ConfigError(
                f"qty_volume: {qty_volume} of nothing, for on earlier days nothing traded in the "
                "horizon of an order; give qty or qty_adv, or a longer horizon"
            )
        expected = lesson.curve.weights(start, end, 1)[:, 0] * lesson.session_lots
        lots = float(qty_volume or 0.0) * expected
    return np.asarray(np.maximum(np.rint(lots), 1), dtype=np.int64)
