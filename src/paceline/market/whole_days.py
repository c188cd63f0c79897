"""Which days are whole, so that others may learn from them what a day is like.

A half day before a holiday, a recording of half an hour, one that breaks off: each trades less than
a day, and early. Taken as a day it would make the usual volume too small and its curve too steep. A
day is whole if what was recorded of its session is at least `WHOLE` of the usual session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from paceline.market.halts import halts_of
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
    lengths = sorted([today.trading_s, *(tape.session.trading_s for tape in earlier)])
    usual_s = max(lengths[len(lengths) // 2], today.trading_s)
    whole: list[Tape] = []
    notes: list[str] = []
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
    """Seconds of the session's trading that were recorded: from the first event to the last, less
    breaks and holes. A halt counts as recorded."""
    ts, session = tape.events.ts, tape.session
    shown = sum(
        max(min(end, int(ts[-1])) - max(start, int(ts[0])), 0) for start, end in session.phases
    )
    return max(shown / NS_PER_S - _holes_s(tape), 0.0)


def _holes_s(tape: Tape) -> float:
    """Seconds in which nothing was recorded though the market was open and lively."""
    ts, session = tape.events.ts, tape.session
    inside = ts[(ts >= session.open_ns) & (ts <= session.close_ns)]
    if len(inside) < 2:
        return 0.0
    silence = np.diff(inside)
    at = np.flatnonzero((silence > _HOLE_S * NS_PER_S) & (silence > _HOLE_TIMES * silence.mean()))
    holes = silence[at]
    for start, end in halts_of(tape).tolist():  # breaks, too: silence is right there
        holes = holes - np.maximum(
            np.minimum(inside[at + 1], end) - np.maximum(inside[at], start), 0
        )
    return float(holes[holes > _HOLE_S * NS_PER_S].sum()) / NS_PER_S


def _hours(seconds: float) -> str:
    minutes = round(seconds / 60.0)
    if minutes < 60:
        return f"{minutes} min" if minutes else f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
