"""The days that an environment works on, recorded or simulated, as its kernels read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paceline.decision.moods import NO_MOOD, Moods
from paceline.engine.dice import DICE_RECORD
from paceline.engine.flow_state import new_flow
from paceline.engine.laws import Laws
from paceline.engine.simulated_exchange import new_record
from paceline.engine.simulator import rows_for
from paceline.engine.venue import Venue
from paceline.env.episodes import Pool
from paceline.env.grounds import Opening
from paceline.env.lives import AnyDay, Day, Room
from paceline.env.own_markets import OwnMarkets, SimulatedDay
from paceline.env.seeing import FACTS_RECORD, FEES_RECORD
from paceline.env.simulated_pool import SimulatedPool
from paceline.guard.limits import Limits, limits_record
from paceline.market.events import HALT, QUOTE, RESUME
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

AnyPool = Pool | SimulatedPool


def room_for(
    pool: AnyPool, own: OwnMarkets | None, n_actions: int, max_orders: int, max_fills: int
) -> Room:
    """Room for an episode on any day of `pool`."""
    if isinstance(pool, SimulatedPool) and own is not None:
        grids = (market.grid() for market in pool.markets)
        n_levels = max(highest - lowest + 1 for lowest, highest in grids)
        n_slots, n_taken = own.flow.place.shape[1], 1
    else:
        n_levels = n_taken = max(len(tape.level_ticks) for tape in pool.tapes)
        n_slots = max(tape.manifest.n_slots for tape in pool.tapes)
    return Room(n_levels, n_slots, n_taken, n_actions, max_orders, max_fills)


def days_of(
    pool: AnyPool,
    own: OwnMarkets | None,
    venues: Sequence[Venue],
    limits: Limits,
    moods: Moods | None = None,
) -> list[AnyDay]:
    """The days of a pool at each of `venues`, all days at the first of them first."""
    found: list[AnyDay] = []
    for k, tape in enumerate(pool.tapes):
        shared = _shared(pool, k, limits, moods)
        shared |= _at_venue(venues[0], tape)
        if isinstance(pool, SimulatedPool) and own is not None:
            found.append(_simulated(pool, k, own, shared))
        else:
            found.append(
                Day(events=tape.events, ground=tape.images, level_ticks=tape.level_ticks, **shared)
            )
    return found + [
        day._replace(**_at_venue(venue, tape))
        for venue in venues[1:]
        for day, tape in zip(found, pool.tapes, strict=True)
    ]


def with_own(days: list[AnyDay], own: OwnMarkets) -> list[AnyDay]:
    """The same days, where the markets of all episodes are these now."""
    return [day._replace(own=own) if isinstance(day, SimulatedDay) else day for day in days]


def last_ts(tape: Tape) -> int:
    """Until when the market of `tape` is known: to its close, or as far as it was recorded."""
    close = tape.session.close_ns
    return min(close, int(tape.events.ts[-1])) if tape.manifest.quality.short_session else close


def gaps_of(tape: Tape, gap_s: float | None) -> NDArray[np.int64]:
    """`[m, 2]` where a recording is silent for longer than `gap_s` while its market trades: times
    of the last row before it and of the first one after, or the close, ns. While a market is
    halted, or has not opened, silence is no gap."""
    rows, session = tape.events, tape.session
    n = int(np.searchsorted(rows.ts, session.close_ns, side="right"))
    if gap_s is None or n == 0:
        return np.zeros((0, 2), np.int64)
    since, until = rows.ts[:n], np.append(rows.ts[1:n], session.close_ns)
    changes = np.where(np.isin(rows.kind[:n], (HALT, QUOTE, RESUME)), np.arange(n), 0)
    state = rows.kind[np.maximum.accumulate(changes)]
    trading = (state != HALT) & (state != QUOTE)
    silent = until - np.maximum(since, session.open_ns) > gap_s * NS_PER_S
    return np.stack([since, until], axis=1)[trading & silent]


def _shared(pool: AnyPool, k: int, limits: Limits, moods: Moods | None) -> dict[str, Any]:
    """What both kinds of days have, at any venue."""
    tape, lesson = pool.tapes[k], pool.lessons[k]
    facts = np.zeros(1, FACTS_RECORD)
    facts["adv_lots"], facts["session_lots"] = lesson.adv_lots, lesson.session_lots
    facts["touch_lots"] = pool.touch_lots[k]
    edges = np.asarray(lesson.curve.edges_ns)
    facts["curve_ns"] = edges[1] - edges[0]
    facts["last_ts"] = last_ts(tape)
    gap_s = pool.gap_s if isinstance(pool, Pool) else None  # what is simulated has none
    return {
        "facts": facts,
        "gaps": gaps_of(tape, gap_s),
        "curve": np.asarray(lesson.curve.traded, dtype=np.float64),
        "limits": limits_record(limits, tape.instrument),
        "mood": moods.of(tape.instrument.symbol, pool.earlier(k)) if moods else NO_MOOD,
    }


def _at_venue(venue: Venue, tape: Tape) -> dict[str, Any]:
    """What a day has of a venue."""
    fees, charged = np.zeros(1, FEES_RECORD), venue.fees
    tick = float(tape.instrument.book_tick)
    fees["per_lot"] = [charged.taker_per_share / tick, charged.maker_per_share / tick]
    fees["of_value"] = [charged.taker_bps / 1e4, charged.maker_bps / 1e4]
    return {"rules": venue.rules(tape.instrument, tape.session), "fees": fees}


def _simulated(
    pool: SimulatedPool, k: int, own: OwnMarkets, shared: dict[str, Any]
) -> SimulatedDay:
    market, session = pool.markets[k], pool.tapes[k].session
    lowest, highest = market.grid()
    ticks: NDArray[np.int64] = np.arange(lowest, highest + 1, dtype=np.int64)
    clock = new_flow(np.zeros(1, DICE_RECORD), session.open_ns, 0, market.laws(), 0).clock
    return SimulatedDay(
        # Kernels are compiled for how arrays lie in memory: once for all markets.
        laws=Laws._make(np.ascontiguousarray(table) for table in market.laws()),
        ground=Opening(clock, np.searchsorted(ticks, market.opening_ticks()), rows_for(0)),
        level_ticks=ticks,
        record=new_record(),
        n_metaorders=market.metaorders.at_work,
        own=own,
        **shared,
    )
