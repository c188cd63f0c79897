"""Whole days for the backtest: the small random markets of the exchange's tests, in seconds."""

from __future__ import annotations

import msgspec
import numpy as np

from engine import flows
from paceline.decision.state import State
from paceline.env.batch_env import BatchExecutionEnv
from paceline.market import events as ev
from paceline.market.session import Session
from paceline.market.tape import Quality, Tape
from paceline.market.watch import Watch
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_S

INSTRUMENT = Instrument(symbol="TINY", book_tick="0.01", order_tick="0.01")
ZONE = "America/New_York"
OPEN_S = 34_200.0
DAYS = ("2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07")
LENGTH_S = 1500


def session_of(day: str) -> Session:
    return Session.of(day, ZONE, OPEN_S, OPEN_S + LENGTH_S)


def tape_of(rows: ev.Rows, day: str, instrument: Instrument = INSTRUMENT, **quality) -> Tape:
    """`rows`, whose times count seconds from 1000, as a tape that starts with the session."""
    session = session_of(day)
    ts = session.open_ns + (rows.ts - flows.START) * NS_PER_S
    whole = ts <= session.close_ns
    rows = ev.Rows(*(column[whole] for column in rows._replace(ts=ts)))
    return Tape.compile(rows, instrument, session, quality=Quality(**quality))


def random_rows(seed: int, depth: str = "L3", halts: bool = False) -> ev.Rows:
    steps = flows.random_steps(seed, 2000)
    if not halts:  # nor a new start, nor a day of one side only
        steps = [step for step in steps if not 92 <= step[1] < 96]
    return flows.market(steps, depth)


def random_day(seed: int, day: str = DAYS[-1], depth: str = "L3", halts: bool = False) -> Tape:
    """A day of about 1500 seconds and events."""
    return tape_of(random_rows(seed, depth, halts), day)


def changed(rows: ev.Rows, after_ts: int) -> ev.Rows:
    """`rows` with another market after `after_ts`: nothing but prints that no book has to hold."""
    tail = rows.ts > after_ts
    return rows._replace(
        kind=np.where(tail, ev.HIDDEN, rows.kind).astype(np.uint8),
        side=np.where(tail, 1, rows.side).astype(np.int8),
        ticks=np.where(tail, 60, rows.ticks),
        lots=np.where(tail, 977, rows.lots),
        slot=np.where(tail, ev.NO_SLOT, rows.slot).astype(np.int32),
    )


def looked_at(env: BatchExecutionEnv, i: int) -> State:
    """What the decision that is due in environment `i` looks at."""
    lives = env.lives
    watch = Watch._make(column[i] for column in lives.watch)
    return State(lives.ticks[i], lives.sizes[i], watch, lives.order[i], lives.context[i])


def on_finer_grid(tape: Tape, ticks: int, lots: int) -> Tape:
    """The same day with the same prices and sizes in currency and shares, its tick `ticks` times
    and its lot `lots` times as fine; our orders keep their grid."""
    old, events = tape.instrument, tape.events
    known = events.level >= 0
    px = np.where(known, tape.level_ticks[np.maximum(events.level, 0)], 0) * ticks
    rows = ev.Rows(
        events.ts, events.kind, events.side, px, events.qty.astype(np.int64) * lots, events.slot
    )
    new = msgspec.structs.replace(old, book_tick=old.book_tick / ticks, lot=old.lot / lots)
    return Tape.compile(rows, new, tape.session, quality=tape.manifest.quality)
