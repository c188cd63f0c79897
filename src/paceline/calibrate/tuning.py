"""What formulas leave open: settings tuned until simulated days show the moments of recorded ones.

The parts of a market are fitted one by one, each as if the others were as recorded. Put together
they miss a little, and where arrivals bring about arrivals a little grows. So

* base rates are scaled until as many come as were seen, in the day and in each part of it; where
  too many come whatever they are, fewer are brought about (of which too many are estimated);
* what the touch does to go back to where it was a second and a minute ago (`recoil`, `anchoring`:
  limit orders and cancels) is raised to the powers with which the price moves as far in ten seconds
  to half an hour as it did:
  what holds a recorded price is more than its own book, and here the book must do it all;
* the market's clock runs as unevenly as makes its waves those that were recorded (`waves`);
* metaorders have a theory (`signs`) only where signs remember nothing else: beside excitation they
  are chosen among a few so that signs remember as recorded.

This is the method of simulated moments (McFadden, "A method of simulated moments for estimation of
discrete response models without numerical integration", Econometrica 57, 1989). The days that are
simulated are always the same, so the same tapes give the same settings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.calibrate.ruler import HOURS
from paceline.calibrate.sizes import histogram, in_round_lots, rounded, wanted
from paceline.calibrate.waves import busy, fit_tempo, waves
from paceline.engine.flow_settings import Anchoring, Metaorders, Sizes, Tempo
from paceline.engine.laws import CANCEL, LIMIT, MARKET
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.market.events import ADD, DELETE, REDUCE
from paceline.market.portrait import touch_lots
from paceline.market.tape import Tape
from paceline.realism.series import market_orders, returns

DAYS = tuple(f"2024-01-{day:02d}" for day in (8, 9, 10, 11, 12, 16, 17, 18, 19, 22, 23, 24))
"""Days that are simulated, in this order: as many as hold `_ENOUGH` arrivals, and two at least."""

_ENOUGH = 240_000

_SEED = 1
_TURNS = 3
_MOST = 1.25
"""By which a rate is scaled in one turn."""

_ENOUGH_FEW = 0.93
"""Arrivals recorded, by those simulated, from which on there are not too many."""

WINDOWS = (4, 16, 64, 256)
"""Market orders over which signs are summed."""

_SHARES = (0.2, 0.35, 0.5, 0.7, 1.0)
_TAILS = (1.2, 1.4, 1.6)
_AT_WORK = (5, 10, 20)

_POWERS = {"recoil": (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0), "anchoring": (1.0, 1.25, 1.5, 2.0)}

HORIZONS_S = (10, 60, 300, 1800)
"""Seconds over which the size of returns is looked at."""


class Moments(NamedTuple):
    """What is held against recorded days."""

    per_s: NDArray[np.float64]  # [3] limit orders, market orders and cancels of both sides
    hours: NDArray[np.float64]  # [3, HOURS] of them, as shares of the day
    busy: tuple[NDArray[np.float64], ...]  # one a day, see `waves`
    runs: NDArray[np.float64]  # [WINDOWS] variance of sums of signs, by that of independent ones
    moves: NDArray[np.float64]  # [HORIZONS_S] root mean square of returns, on the median day
    taken: NDArray[np.int64]  # [n] lots of each market order
    touch: NDArray[np.int64]  # [n] lots that it met at the touch; 0: none


def runs_of(days: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Variance of sums of order signs over `WINDOWS` by what it would be if they were independent;
    NaN where no day is that long. `days` hold the side of the book that each order took."""
    found = np.full(len(WINDOWS), np.nan)
    signs = [1.0 - 2.0 * rows for rows in days]
    mean = float(np.mean(np.concatenate(signs))) if signs else 0.0
    for k, window in enumerate(WINDOWS):
        sums = [
            (one - mean)[: len(one) // window * window].reshape(-1, window).sum(axis=1)
            for one in signs
        ]
        all_sums = np.concatenate(sums)
        if len(all_sums) > 4:
            found[k] = np.mean(all_sums**2) / window
    return found


def moments_of(tapes: Sequence[Tape], per_s: NDArray[np.float64] | None = None) -> Moments:
    """Those of `tapes`; what came `per_s`, if it is known better."""
    came, seconds = np.zeros((3, HOURS)), 0.0
    rows, moves, taken, touch = [], [], [], []
    for tape in tapes:
        events, session = tape.events, tape.session
        orders = market_orders(tape)
        rows.append((1 + orders.sign) // 2)
        # Since the open: floats cannot tell one ns of an epoch from the next.
        edges = np.linspace(0.0, session.close_ns - session.open_ns, HOURS + 1)
        edges[0] = 1.0  # not what stands there as it opens
        cancels = np.isin(events.kind, (DELETE, REDUCE))
        when = events.ts[events.kind == ADD], events.ts[orders.first], events.ts[cancels]
        came += np.stack([np.histogram(ts - session.open_ns, edges)[0] for ts in when])
        seconds += tape.session.length_s
        lots = np.stack(touch_lots(tape))
        taken.append(orders.lots)
        touch.append(lots[rows[-1], np.maximum(orders.first - 1, 0)])
        moves.append([np.sqrt(np.nanmean(returns(tape, s) ** 2)) for s in HORIZONS_S])
    return Moments(
        per_s=came.sum(axis=1) / seconds if per_s is None else per_s,
        hours=came / np.maximum(came.sum(axis=1, keepdims=True), 1.0),
        busy=tuple(busy(tape) for tape in tapes),
        runs=runs_of(rows),
        moves=np.median(moves, axis=0),
        taken=np.concatenate(taken),
        touch=np.concatenate(touch),
    )


def simulated(settings: MarketSettings, recorded: Moments) -> Moments:
    """Moments of a few days of a market, which should be as busy as the `recorded` one."""
    a_day = float(recorded.per_s.sum()) * (settings.close_s - settings.open_s)
    days = DAYS[: max(2, math.ceil(_ENOUGH / max(a_day, 1.0)))]
    return moments_of([simulate_day(settings, day, _SEED) for day in days])


def tuned(
    settings: MarketSettings,
    recorded: Moments,
    progress: Callable[[str, float, float], None] = lambda what, at, of: None,
) -> MarketSettings:
    """`settings` whose days show the moments that were `recorded`."""
    settings = _at_pace(_taking(settings, recorded), recorded)
    if settings.excitation.half_lives_s:
        settings = _steady(settings, recorded, progress)
        settings = _less_brought(settings, recorded)
        settings = _remembering(settings, recorded, progress)
        settings = _at_pace(_taking(settings, recorded), recorded)
    # Last, for a clock that is right on average changes none of these moments, but on a few days
    # that are simulated it may be fast or slow by chance.
    return _in_waves(settings, recorded)


def _taking(settings: MarketSettings, recorded: Moments) -> MarketSettings:
    """With market orders that want as much as will make them take as much as they did."""
    met, lot = simulated(settings, recorded).touch, settings.round_lot
    share = wanted(
        in_round_lots(recorded.taken, lot), in_round_lots(met[met > 0], lot), settings.walk_share
    )
    return msgspec.structs.replace(settings, market_size=Sizes(histogram=histogram(share, 1)))


def _at_pace(settings: MarketSettings, recorded: Moments, turns: int = _TURNS) -> MarketSettings:
    """With rates scaled until as many arrive as did, over the day and by its parts."""
    for _ in range(turns):
        found = simulated(settings, recorded)
        ratio = recorded.per_s / np.maximum(found.per_s, 1e-9)
        limit, market, cancel = np.clip(ratio, 1 / _MOST, _MOST)
        settings = _by_hours(settings, recorded.hours, found.hours)
        settings = msgspec.structs.replace(
            settings,
            limit_bid_per_s=_short(settings.limit_bid_per_s * limit),
            limit_ask_per_s=_short(settings.limit_ask_per_s * limit),
            market_buy_per_s=_short(settings.market_buy_per_s * market),
            market_sell_per_s=_short(settings.market_sell_per_s * market),
            cancel_per_s=_short(settings.cancel_per_s * cancel),
        )
    return settings


def _less_brought(settings: MarketSettings, recorded: Moments) -> MarketSettings:
    """With fewer arrivals brought about of those kinds of which, however few come by themselves,
    more come than did."""
    for _ in range(_TURNS):
        ratio = recorded.per_s / np.maximum(simulated(settings, recorded).per_s, 1e-9)
        if np.all(ratio >= _ENOUGH_FEW):
            break
        fewer = np.where(ratio < _ENOUGH_FEW, np.maximum(ratio, 1 / _MOST), 1.0)
        settings = msgspec.structs.replace(settings, excitation=settings.excitation.scaled(fewer))
        settings = _at_pace(settings, recorded, 2)
    return settings


def _by_hours(
    settings: MarketSettings, recorded: NDArray[np.float64], found: NDArray[np.float64]
) -> MarketSettings:
    """With more arrivals in the parts of the day in which fewer came than were recorded."""
    if len(settings.day) != HOURS:
        return settings
    days = []
    for kinds, day in (([LIMIT, CANCEL], settings.day), ([MARKET], settings.market_day)):
        due = recorded[kinds].sum(axis=0) / np.maximum(found[kinds].sum(axis=0), 1e-9)
        # What comes late was partly brought about early, and few days were simulated: half way.
        new = np.array(day or settings.day) * np.clip(np.sqrt(due), 1 / _MOST, _MOST)
        days.append(tuple(rounded(new / new.mean())))
    return msgspec.structs.replace(settings, day=days[0], market_day=days[1])


def _steady(
    settings: MarketSettings,
    recorded: Moments,
    progress: Callable[[str, float, float], None],
) -> MarketSettings:
    """With a recoil, and then an anchoring, that let the price move as far as it did."""
    for name, powers in _POWERS.items():
        best, closest = settings, np.inf
        for k, power in enumerate(powers):
            progress(name, k, len(powers))
            tried = msgspec.structs.replace(settings, **{name: raised(settings, name, power)})
            tried = _at_pace(tried, recorded, 2)
            apart = np.log(simulated(tried, recorded).moves / recorded.moves)
            if float(apart @ apart) < closest:
                best, closest = tried, float(apart @ apart)
        settings = best
    return settings


def raised(settings: MarketSettings, name: str, power: float) -> Anchoring:
    """The recoil or anchoring of a market, limit orders and cancels to a power; to less wherever a
    touch that stands so would bring about arrivals without end, as it does where cancels come ever
    faster."""
    held: Anchoring = getattr(settings, name)
    table = held.table()
    for at in range(table.shape[1]):
        for less in np.arange(power, 1.0, -0.25):
            tried = table[:, at] ** (less, 1.0, less)
            if settings.excitation.branching(tried) < 1.0:
                table[:, at] = tried
                break
    limit, _, cancel = table
    return msgspec.structs.replace(held, limit=tuple(rounded(limit)), cancel=tuple(rounded(cancel)))


def _in_waves(settings: MarketSettings, recorded: Moments) -> MarketSettings:
    """With a clock that runs so unevenly that arrivals come in the waves in which they did."""
    seen = waves(recorded.busy)
    if np.isnan(seen).any():
        return settings
    steady = msgspec.structs.replace(settings, tempo=Tempo())
    made = waves([busy(simulate_day(steady, day, _SEED)) for day in DAYS])
    return msgspec.structs.replace(settings, tempo=fit_tempo(seen, made, len(recorded.busy[0])))


def _remembering(
    settings: MarketSettings,
    recorded: Moments,
    progress: Callable[[str, float, float], None],
) -> MarketSettings:
    """With the metaorders whose signs remember most like the recorded ones."""
    known = ~np.isnan(recorded.runs)
    best, closest = settings, np.inf
    choices = [Metaorders(brought=False)] + [
        Metaorders(share=share, at_work=at_work, tail=tail, brought=False)
        for share, tail, at_work in product(_SHARES, _TAILS, _AT_WORK)
    ]
    for k, metaorders in enumerate(choices):
        progress("metaorders", k, len(choices))
        tried = msgspec.structs.replace(settings, metaorders=metaorders)
        found = simulated(tried, recorded)
        apart = np.log(
            np.append(found.runs[known], found.moves)
            / np.append(recorded.runs[known], recorded.moves)
        )
        if float(apart @ apart) < closest:
            best, closest = tried, float(apart @ apart)
    return best


def _short(value: float) -> float:
    return float(f"{value:.6g}")
