"""What earlier days teach: volume curve, average daily volume, impact, recovery, cancels.

A schedule may know the days before the one it trades, and nothing else. `History.before(day)` is
the only door, and it hands out earlier tapes only. The first day has none: its volume curve is
uniform, and what else a market needs is measured on the day itself, which is to look ahead. It says
so in `notes`, and a report repeats them; where decisions are learnt, such a day is left out.

Only whole days teach (`market.whole_days`). Days may have other ticks and lots than the day they
are used on: each number is converted as it is taken from its day (`market.grids`), so all of a
lesson is in the ticks and lots of the day it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from paceline.cost.decay import fit_decay
from paceline.cost.impact_fit import Bars, Estimate, ImpactFit, fit_impact
from paceline.cost.measures import Trades
from paceline.engine.queue import fit_cancels
from paceline.engine.recovery import Recovery, fit_recovery
from paceline.engine.venue import Venue
from paceline.errors import InputError
from paceline.market.events import BID
from paceline.market.executions import are_trades
from paceline.market.grids import converted, factors
from paceline.market.session import Session
from paceline.market.settled import settled_ts
from paceline.market.tape import Tape
from paceline.market.whole_days import Days, whole_days
from paceline.orders.instrument import Instrument
from paceline.schedule.vwap import VolumeCurve, volume_curve
from paceline.units import NS_PER_S

BAR_S = 60.0
"""Length of the bars that impact is fitted on: shorter ones see bounce, longer ones too little."""

_CURVE_BIN_S = 300
_DECAY_LAGS = 10

T = TypeVar("T")


class Lesson(NamedTuple):
    """What may be known on the morning of one trading day."""

    days: tuple[str, ...]
    """The earlier days it was learnt from; empty if there are none."""
    identities: tuple[str, ...]
    """Of their tapes."""
    curve: VolumeCurve
    """Of the hours of this day's session: on a half day, the part of whole days before its close,
    so that all of it has traded by then."""
    adv_lots: float
    """Average volume of a whole day, also where this day is half a one."""
    session_lots: float
    """Average volume of whole days in the hours of this day's session."""
    impact: ImpactFit | None
    """None where the days are too few or too quiet to fit; `notes` says why."""
    decay: Estimate | None
    """Half-life of transient impact, seconds; None as above."""
    recovery: Recovery | None
    """Half-life of an emptied touch; None as above."""
    cancels: tuple[float, float] | None
    """Exponent of the calibrated queue and its standard error, from earlier days that name their
    orders; None where the tape names its own, or no earlier day does."""
    notes: tuple[str, ...]
    """What a reader must know, e.g. that the volume curve is uniform for want of earlier days."""


def taught_days(tapes: Sequence[Tape], taught_by: Sequence[Tape]) -> list[Tape]:
    """Those of `tapes` that have a whole day of their symbol before them in `taught_by`."""
    found = []
    for tape in tapes:
        alike = [t for t in taught_by if t.instrument.symbol == tape.instrument.symbol]
        if alike and History(alike).earlier(tape):
            found.append(tape)
    return found


class History:
    """The tapes of one symbol, in order of day."""

    def __init__(self, tapes: Sequence[Tape]) -> None:
        symbols = {tape.instrument.symbol for tape in tapes}
        if len(symbols) != 1:
            raise InputError(f"tapes: of {len(symbols)} symbols; a history has one")
        self.tapes = sorted(tapes, key=lambda tape: tape.session.day)
        self._cancels: dict[str, tuple[float, float] | None] = {}

    def earlier(self, tape: Tape) -> list[Tape]:
        """The whole days strictly before `tape`'s."""
        return self._days_before(tape).whole

    def _days_before(self, tape: Tape) -> Days:
        before = [other for other in self.tapes if other.session.day < tape.session.day]
        return whole_days(before, tape.session)

    def before(self, tape: Tape) -> Lesson:
        """What the days strictly before `tape`'s teach."""
        earlier, notes = self._days_before(tape)
        if not earlier:
            notes.append(
                f"{tape.name}: no earlier {'whole ' if notes else ''}day was given, so the volume "
                "curve is uniform (VWAP is TWAP), and ADV, impact and recovery are taken from the "
                "day itself"
            )
        curve, silent = _curve(earlier, tape)
        if silent:
            notes.append(
                f"{tape.name}: {silent} of {len(earlier)} earlier days traded nothing at its hours "
                "and say nothing of its volume curve"
                + (", which is uniform" if silent == len(earlier) else "")
            )
        taught = earlier or [tape]
        bars = _joined_bars(taught, tape.instrument)
        adv_lots, session_lots = _usual_lots(taught, tape)

        def fitted(what: str, fit: Callable[[], T]) -> T | None:
            try:
                return fit()
            except InputError as error:
                notes.append(f"{tape.name}: {what} was not fitted ({error})")
                return None

        return Lesson(
            days=tuple(other.session.day for other in earlier),
            identities=tuple(other.identity for other in earlier),
            curve=curve,
            adv_lots=adv_lots,
            session_lots=session_lots,
            impact=fitted("impact", lambda: fit_impact(bars, BAR_S)),
            decay=fitted("impact decay", lambda: fit_decay(bars, BAR_S, _DECAY_LAGS).half_life_s),
            recovery=fitted("recovery", lambda: fit_recovery(taught)),
            cancels=None if tape.has_orders else self._cancels_of(earlier),
            notes=tuple(notes),
        )

    def _cancels_of(self, earlier: Sequence[Tape]) -> tuple[float, float] | None:
        """The likeliest exponent over all `earlier` tapes with orders: each fit weighs as many
        cancels as it saw, which is the square of value over error."""
        for tape in earlier:
            if tape.session.day not in self._cancels:
                try:
                    self._cancels[tape.session.day] = fit_cancels(tape)
                except InputError:  # no orders, or none that queued
                    self._cancels[tape.session.day] = None
        found = [self._cancels[tape.session.day] for tape in earlier]
        fits = np.array([fit for fit in found if fit is not None])
        if not len(fits):
            return None
        count = (fits[:, 0] / fits[:, 1]) ** 2
        exponent = float(count.sum() / (count / fits[:, 0]).sum())
        return exponent, exponent / float(np.sqrt(count.sum()))


def cancel_exponent(chosen: float | None, lesson: Lesson) -> float:
    """Exponent of the calibrated queue on a book without orders: as chosen, else as fitted on
    earlier days, else the venue's default."""
    if chosen is not None:
        return chosen
    return Venue().cancel_exponent if lesson.cancels is None else lesson.cancels[0]


def trades_of(tape: Tape) -> Trades:
    """All prints of a tape that anybody could have joined; auctions are left out."""
    at = _prints(tape)
    return Trades(
        ts=tape.events.ts[at],
        px=tape.level_ticks[tape.events.level[at]],
        lots=tape.events.qty[at].astype(np.int64),
    )


def bars_of(tape: Tape, bar_s: float = BAR_S, grid: Instrument | None = None) -> Bars:
    """The market of one tape in bars of `bar_s` seconds, once it had settled, in the ticks and lots
    of `grid` (the tape's own, if left out)."""
    start = settled_ts(tape)
    end = min(tape.session.close_ns, int(tape.events.ts[-1]))
    step = round(bar_s * NS_PER_S)
    n = max((end - start) // step, 0)
    edges = start + step * np.arange(n + 1, dtype=np.int64)
    mid = tape.mid_ticks()
    edge_mid = _at(mid, np.searchsorted(tape.events.ts, edges, side="right") - 1)

    at = _prints(tape)
    bar = (tape.events.ts[at] - start) // step
    inside = (bar >= 0) & (bar < n) & (tape.events.side[at] != 0)  # whose taker is known
    at, bar = at[inside], bar[inside]
    lots = tape.events.qty[at].astype(np.float64)
    # A trade that hit a bid was started by a seller.
    bought = np.where(tape.events.side[at] == BID, -lots, lots)
    premium = tape.level_ticks[tape.events.level[at]] - _at(mid, at - 1)
    known = ~np.isnan(premium)
    weight = np.bincount(bar[known], lots[known], minlength=n)
    total = np.bincount(bar[known], lots[known] * premium[known], minlength=n)
    by = factors(tape.instrument, grid or tape.instrument)
    return Bars(
        day=np.full(n, date.fromisoformat(tape.session.day).toordinal(), np.int64),
        open_mid=converted(edge_mid[:-1], by.ticks),
        close_mid=converted(edge_mid[1:], by.ticks),
        net_lots=converted(np.bincount(bar, bought, minlength=n), by.lots),
        lots=converted(np.bincount(bar, lots, minlength=n), by.lots),
        premium=converted(
            np.divide(total, weight, out=np.full(n, np.nan), where=weight > 0), by.ticks
        ),
    )


def _joined_bars(tapes: Sequence[Tape], grid: Instrument) -> Bars:
    columns = zip(*(bars_of(tape, BAR_S, grid) for tape in tapes), strict=True)
    return Bars(*(np.concatenate(column) for column in columns))


def _usual_lots(taught: Sequence[Tape], today: Tape) -> tuple[float, float]:
    """Average lots of `today` that `taught` days traded in their sessions, and in its hours."""
    whole: list[float] = []
    hours: list[float] = []
    for tape in taught:
        by = factors(tape.instrument, today.instrument).lots
        shift = tape.session.midnight_ns - today.session.midnight_ns
        for found, session, later in ((whole, tape.session, 0), (hours, today.session, shift)):
            lots = _lots_between(tape, session.open_ns + later, session.close_ns + later)
            found.append(float(converted(lots, by)))
    day = float(np.mean(whole))
    # Days recorded at other hours say nothing of these.
    return day, float(np.mean([lots for lots in hours if lots > 0] or [day]))


def _lots_between(tape: Tape, first_ts: int, last_ts: int) -> int:
    """Lots traded from `first_ts` to `last_ts`, both included."""
    done = np.append(0, tape.events.volume)
    start = np.searchsorted(tape.events.ts, first_ts, side="left")
    return int(done[tape.index_at(last_ts)] - done[start])


def _prints(tape: Tape) -> NDArray[np.int64]:
    return np.flatnonzero(are_trades(tape.events.kind))


def _at(values: NDArray[np.float64], index: NDArray[np.int64]) -> NDArray[np.float64]:
    """`values[index]`, NaN where the index lies before the start."""
    found = values[np.maximum(index, 0)]
    return np.where(index >= 0, found, np.nan)


def _curve(earlier: Sequence[Tape], tape: Tape) -> tuple[VolumeCurve, int]:
    """The volume curve of `earlier` days in the session of `tape`, and how many of them have no
    volume in it (a recording may hold a part of a day)."""
    midnight = tape.session.midnight_ns
    open_, close = tape.session.open_ns - midnight, tape.session.close_ns - midnight
    bins = max(round((close - open_) / (_CURVE_BIN_S * NS_PER_S)), 1)
    edges = np.linspace(open_, close, bins + 1).astype(np.int64)
    known = [
        (date.fromisoformat(other.session.day), volume)
        for other in earlier
        if (volume := _volume_by(other, edges))[-1] > 0
    ]
    curve = volume_curve(
        [day for day, _ in known],
        edges,
        np.array([volume for _, volume in known]),
        date.fromisoformat(tape.session.day),
        uniform_without_days=True,
    )
    if not known and tape.session.breaks:  # even over the hours of trading
        traded = _trading_by(tape.session, edges)
        curve = VolumeCurve(edges, traded / traded[-1], ())
    return curve, len(earlier) - len(known)


def _trading_by(session: Session, edges_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Nanoseconds of announced trading by each edge (ns since local midnight)."""
    at = edges_ns + session.midnight_ns
    spans = [np.clip(at, start, end) - start for start, end in session.phases]
    return np.sum(spans, axis=0, dtype=np.float64)


def _volume_by(tape: Tape, edges_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Lots traded inside the session by each edge (ns since local midnight)."""
    midnight = tape.session.midnight_ns
    done = np.searchsorted(tape.events.ts, edges_ns + midnight, side="right") - 1
    volume = _at(tape.events.volume.astype(np.float64), done)
    volume = np.nan_to_num(volume, nan=0.0)
    return np.asarray(volume - volume[0], dtype=np.float64)
