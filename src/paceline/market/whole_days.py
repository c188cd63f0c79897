"""Which days are whole, so that others may learn from them what a day is like.

A half day before a holiday, a recording of half an hour, one that breaks off: each trades less than
a day, and early. Taken as a day it would make the usual volume too small and its curve too steep. A
day is whole if what was recorded of its session is at least `WHOLE` of the usual session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from paceline.market.events import HALT, QUOTE, RESUME
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

WHOLE = 0.9
"""Least share of the usual session that a day must show: a half day has a little more than half of
one, and a quiet name may trade first or last some minutes from its ends."""

_HOLE_S = 1800.0
_HOLE_TIMES = 200.0
"""A silence is a hole in the recording from half an hour on, if it is also so many times the mean
time between two events: of a name that hardly trades it says nothing."""


class Days(NamedTuple):
    """The days before one that is traded."""

    whole: list[Tape]
    notes: list[str]
    """A line for each of the others: why it teaches nothing."""


def whole_days(earlier: Sequence[Tape], today: Session) -> Days:
    """Those of `earlier` that are whole, as is known on the morning of `today`.

    The usual session is the upper median of the announced lengths of all of them and `today`, or
    that of `today` where it is longer: days that are all shorter say nothing of a longer one.
    """
    lengths = sorted([today.length_s, *(tape.session.length_s for tape in earlier)])
    usual_s = max(lengths[len(lengths) // 2], today.length_s)
    whole, notes = [], []
    for tape in earlier:
        shown_s = recorded_s(tape)
        if shown_s >= WHOLE * usual_s and not tape.manifest.quality.short_session:
            whole.append(tape)
        else:
            notes.append(
                f"{tape.name}: is not a whole day, so other days learn nothing from it (recorded: "
                f"{_hours(shown_s)} of a usual session of {_hours(usual_s)})"
            )
    return Days(whole, notes)


def recorded_s(tape: Tape) -> float:
    """Seconds of the session that were recorded: from the first event to the last, less holes."""
    ts, session = tape.events.ts, tape.session
    first, last = max(int(ts[0]), session.open_ns), min(int(ts[-1]), session.close_ns)
    return max((last - first) / NS_PER_S - _holes_s(tape), 0.0)


def _holes_s(tape: Tape) -> float:
    """Seconds in which nothing was recorded though the market was open and lively."""
    rows, session = tape.events, tape.session
    inside = np.flatnonzero((rows.ts >= session.open_ns) & (rows.ts <= session.close_ns))
    if len(inside) < 2:
        return 0.0
    ts = rows.ts[inside]
    changes = np.where(np.isin(rows.kind[inside], (HALT, QUOTE, RESUME)), np.arange(len(ts)), 0)
    state = rows.kind[inside][np.maximum.accumulate(changes)]
    silence = np.diff(ts) / NS_PER_S
    hole = (silence > _HOLE_S) & (silence > _HOLE_TIMES * silence.mean())
    hole &= (state[:-1] != HALT) & (state[:-1] != QUOTE)
    return float(silence[hole].sum())


def _hours(seconds: float) -> str:
    minutes = round(seconds / 60.0)
    if minutes < 60:
        return f"{minutes} min" if minutes else f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
