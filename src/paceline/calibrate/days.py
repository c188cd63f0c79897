"""What each recorded day says by itself, so that days can be left out one at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.calibrate.counting import Counts
from paceline.calibrate.fit import Fit
from paceline.calibrate.resilience import recovery
from paceline.calibrate.ruler import limit_lots, settled_ns
from paceline.engine.recovery import HORIZON_S, return_times
from paceline.market.events import ADD
from paceline.market.tape import Tape
from paceline.realism.series import market_orders, settled_part
from paceline.realism.statistics import lifetimes_s, placements
from paceline.units import NS_PER_S

Floats = NDArray[np.float64]


class Day(NamedTuple):
    """One recorded day."""

    tape: Tape
    counts: Counts
    seconds: float
    stood: Floats  # [2, places] see `watching.stood_in`
    behind_ticks: Floats
    """`[m]` of the market's ticks behind its side's best at which each limit order came."""
    limit_lots: NDArray[np.int64]  # [m]
    market_lots: NDArray[np.int64]  # [n] of each market order
    rows: NDArray[np.int64]  # [n] side of the book that each took
    lives_s: Floats  # of the orders that came and went
    backs_s: Floats  # until each touch that was emptied was back, see `engine.recovery`
    recovery: Floats  # [2, times] see `resilience.recovery`


def days_of(fit: Fit) -> list[Day]:
    """The days behind a fit, in their order."""
    return [
        _day(fit.settings.tick, *one)
        for one in zip(fit.tapes, fit.counts, fit.seconds, fit.stood, strict=True)
    ]


def _day(tick: float, tape: Tape, counts: Counts, seconds: float, stood: Floats) -> Day:
    part, orders = settled_part(tape), market_orders(tape)
    added = part.first + np.flatnonzero(tape.events.kind[part.first : part.stop] == ADD)
    return Day(
        tape=tape,
        counts=counts,
        seconds=float(seconds),
        stood=stood,
        behind_ticks=placements(tape, added) * float(tape.instrument.book_tick) / tick,
        limit_lots=limit_lots(tape, settled_ns(tape)),
        market_lots=orders.lots,
        rows=(1 + orders.sign) // 2,
        lives_s=lifetimes_s(tape),
        backs_s=_backs_s(tape),
        recovery=recovery(tape),
    )


def _backs_s(tape: Tape) -> Floats:
    out = np.empty(len(tape), np.int64)
    return out[: return_times(tape.events, round(HORIZON_S * NS_PER_S), out)] / NS_PER_S
