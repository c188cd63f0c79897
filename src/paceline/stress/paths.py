"""Where the price should go: the shifts of a scenario's parts, in ticks before every event."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paceline.errors import ConfigError
from paceline.market.settled import settled_ts
from paceline.market.tape import Tape
from paceline.stress.parts import Crash, FlashCrash, Halt, Spread, Volatility
from paceline.units import NS_PER_S

Floats = NDArray[np.float64]

_MINUTE = 60 * NS_PER_S


def volatile(tape: Tape, part: Volatility) -> Floats:
    """Every move of the mid is `times` as large; what it was carried in the end, it stays."""
    begin, until = part.window(tape.session)
    mid, ts = mid_before(tape), tape.events.ts
    begin = max(begin, settled_ts(tape))
    path = (part.times - 1) * (mid - _mid_at(tape, mid, begin))
    path[ts < begin] = 0.0
    over = np.flatnonzero(ts >= until)
    if len(over):
        path[over] = path[max(over[0] - 1, 0)]
    return path


def crashing(tape: Tape, part: Crash) -> Floats:
    """A line down, and then level."""
    begin, until = part.window(tape.session)
    start = _mid_at(tape, mid_before(tape), begin)
    return -part.fall * start * _ramp(tape, begin, until)


def flashing(tape: Tape, part: FlashCrash) -> Floats:
    """A line down, and one up."""
    begin, until = part.window(tape.session)
    start = _mid_at(tape, mid_before(tape), begin)
    back = until + round(part.recovery_s * NS_PER_S)
    down, up = _ramp(tape, begin, until), _ramp(tape, until, back)
    return -part.fall * start * (down - part.recovers * up)


def reopening(tape: Tape, part: Halt) -> Floats:
    """A step when trading comes back."""
    begin, until = part.window(tape.session)
    start = _mid_at(tape, mid_before(tape), begin)
    return np.where(tape.events.ts >= until, part.gap * start, 0.0)


def widening(tape: Tape, part: Spread) -> Floats:
    """`[n_events, 2]`: bids lower and asks higher, by what the mean spread of the minute asks for.

    In whole order ticks; what is rounded away in one minute comes in the next.
    """
    begin, until = part.window(tape.session)
    ts, step = tape.events.ts, tape.instrument.order_step
    begin = max(begin, settled_ts(tape))
    minute = np.clip((ts - begin) // _MINUTE, -1, None).astype(np.int64) + 1
    spread = tape.ask_ticks() - tape.bid_ticks()
    held = np.append(np.diff(ts), 0).astype(np.float64)
    fit = np.isfinite(spread) & (spread > 0)
    n = int(minute.max()) + 1
    time = np.bincount(minute[fit], held[fit], minlength=n)
    total = np.bincount(minute[fit], (spread * held)[fit], minlength=n)
    usual = float(total.sum() / time.sum()) if time.sum() > 0 else float(step)
    mean = np.divide(total, time, out=np.full(n, usual), where=time > 0)
    mean[0] = 0.0  # before it begins
    extra = (part.times - 1) * mean / step
    steps = np.diff(np.floor(np.cumsum(np.append(0.0, extra)) + 0.5))
    both = steps[minute] * step
    both[(ts < begin) | (ts >= until)] = 0.0
    lower = np.floor(both / step / 2) * step
    return np.stack([-lower, both - lower], axis=1)


def mid_before(tape: Tape) -> Floats:
    """Mid before every event, ticks; while a side is empty, the last one there was, and before the
    first one, that."""
    mid = tape.mid_ticks()
    known = np.flatnonzero(np.isfinite(mid))
    if not len(known):
        raise ConfigError(f"scenario: {tape.name} never shows two sides; give another tape")
    at = np.maximum.accumulate(np.where(np.isfinite(mid), np.arange(len(mid)), known[0]))
    held = mid[at]
    return np.append(held[0], held[:-1])


def _mid_at(tape: Tape, mid: Floats, ts: int) -> float:
    return float(mid[min(tape.index_at(ts), len(mid) - 1)])


def _ramp(tape: Tape, begin: int, until: int) -> Floats:
    """0 before, 1 after, a line between."""
    return np.clip((tape.events.ts - begin) / max(until - begin, 1), 0.0, 1.0)
