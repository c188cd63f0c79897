"""Scenarios on a recorded or simulated tape: a new tape, as valid as any.

    stressed = stress_tape(tape, scenario("crash"))

Parts are applied one after the other, each to the tape that the ones before have made. Delays are
no part of a tape: `on_venue` puts them on the venue.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.market.events import (
    CROSS,
    EXECUTE,
    HALT,
    HIDDEN,
    NO_SLOT,
    QUOTE,
    RESUME,
    TRADE,
    Rows,
)
from paceline.market.executions import are_trades, leaving
from paceline.market.tape import Quality, Tape
from paceline.stress import paths
from paceline.stress.carrying import carry
from paceline.stress.parts import (
    Crash,
    Depth,
    FlashCrash,
    Halt,
    Latency,
    OneSided,
    Part,
    Spread,
    StaleFeed,
    Volatility,
)
from paceline.stress.removing import thin, turn
from paceline.stress.scenario import Scenario

_TWITCHES = 0.5
"""Spreads by which a volatile price may lag behind the mid it follows."""


def stress_tape(tape: Tape, scenario: Scenario) -> Tape:
    """`tape` as it would have been under `scenario`; itself if that is about the venue alone.

    Raises `ConfigError` for a part that misses the session.
    """
    for k, part in enumerate(scenario.parts):
        rows = _rows(tape, part, scenario.seed + k)
        if rows is not None:
            tape = _compiled(tape, rows, scenario)
    return tape


def _rows(tape: Tape, part: Part, seed: int) -> Rows | None:
    begin, until = part.window(tape.session)
    match part:
        case Volatility():
            return carry(tape, _both(paths.volatile(tape, part)), idle=_TWITCHES)
        case Crash():
            return carry(tape, _both(paths.crashing(tape, part)))
        case FlashCrash():
            return carry(tape, _both(paths.flashing(tape, part)))
        case Spread():
            return carry(tape, paths.widening(tape, part))
        case Depth():
            return thin(tape, part.share, begin, until, seed)
        case OneSided():
            return turn(tape, 1 if part.side == "buy" else -1, part.share, begin, until, seed)
        case Halt():
            halted = _compiled(tape, halt(tape, begin, until), None)
            return carry(halted, _both(paths.reopening(halted, part)))
        case Latency() | StaleFeed():
            return None
    raise AssertionError(part)


def _both(path: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([path, path], axis=1)


def halt(tape: Tape, begin: int, until: int) -> Rows:
    """Trading stops at `begin` and comes back at `until` (ns): nothing happens between, and then at
    once what has changed in the book meanwhile.

    What traded meanwhile is printed as one auction trade; the orders it traded with leave.
    """
    events = tape.events
    ticks = np.where(events.level >= 0, tape.level_ticks[np.maximum(events.level, 0)], 0)
    inside = (events.ts >= begin) & (events.ts < until)
    own = np.isin(events.kind, (HALT, QUOTE, RESUME)) & inside
    prints = inside & np.isin(events.kind, (HIDDEN, TRADE))
    gone = leaving(events.kind, events.qty.astype(np.int64), events.slot)
    kind = np.where(inside & (events.kind == EXECUTE), gone, events.kind)
    rows = Rows(
        ts=np.where(inside, until, events.ts),
        kind=kind.astype(np.uint8),
        side=events.side,
        ticks=ticks,
        lots=events.qty.astype(np.int64),
        slot=events.slot,
    )
    kept = ~own & ~prints
    before, after = kept & (events.ts < begin), kept & (events.ts >= begin)
    auction = _one_row(RESUME, until)
    traded = inside & are_trades(events.kind)
    if traded.any():
        last = int(np.flatnonzero(traded)[-1])
        cross = _one_row(CROSS, until, int(ticks[last]), int(events.qty[traded].sum()))
        auction = _joined(auction, cross)
    return _joined(_where(rows, before), _one_row(HALT, begin), auction, _where(rows, after))


def _one_row(kind: int, ts: int, ticks: int = 0, lots: int = 0) -> Rows:
    return Rows(
        ts=np.array([ts], np.int64), kind=np.array([kind], np.uint8), side=np.zeros(1, np.int8),
        ticks=np.array([ticks], np.int64), lots=np.array([lots], np.int64),
        slot=np.array([NO_SLOT], np.int32),
    )  # fmt: skip


def _where(rows: Rows, chosen: NDArray[np.bool_]) -> Rows:
    return Rows._make(column[chosen] for column in rows)


def _joined(*parts: Rows) -> Rows:
    return Rows._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _compiled(tape: Tape, rows: Rows, scenario: Scenario | None) -> Tape:
    """A tape of `rows`: instrument, session and warm-up are as they were, findings are not."""
    old = tape.manifest
    quality = Quality(
        rows_read=len(rows.ts),
        warmup_end_ts=old.quality.warmup_end_ts,
        short_session=old.quality.short_session,
    )
    made_by = old.made_by
    if scenario is not None:
        mark = f", scenario {scenario.name}"
        made_by = made_by if made_by.endswith(mark) else made_by + mark
    return Tape.compile(
        rows, tape.instrument, tape.session, sources=old.sources, quality=quality, made_by=made_by
    )
