"""Prints that are not to be believed as they stand: far from the market, or with a masked side.

**Far from the market.** A print beyond the touch may be a real sweep that was reported before the
book, or one that took several levels; then the touch is there within a second, before or after. A
print that is farther from all touches of that time than `limits.far_print_share` of the mid and
than `limits.far_print_spreads` spreads is an error, a trade of another kind, or a late report. It
becomes a CROSS row, or a cancel if it was of a visible order: it fills nothing and is no continuous
volume. Prints are questioned where the mid is known (`market.spread`) and the book is not crossed.

**Masked sides.** Since 2014 exchanges name the same side for all executions of hidden orders. Sides
are not believed when, of a day's hidden executions,

* there are `_MANY` or more, and fewer than one in a hundred is of the rarer side; or
* all are of one side, and one of them is a hidden bid at the best offer or above (an offer at the
  best bid or below): such an order cannot rest, it would have traded; or
* `_MANY` or more are at or beyond the touch, and more than a quarter contradict it so; or
* `_MORE` or more are off the mid, and at most 60 in 100 of them are bids below it or offers above
  (recorded days whose sides are true: 80 to 88; sides by chance: 50).

The side is unknown (0) then, except where the touch tells it: at the best offer or above an offer
traded, at the best bid or below a bid. Nothing that needs a side uses the others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.ingest.quality import Limits
from paceline.market.events import ASK, BID
from paceline.market.executions import are_trades
from paceline.market.spread import absurd
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

_AROUND_NS = NS_PER_S
_MANY = 20
_MORE = 100


class Touch(NamedTuple):
    """Best prices after some events, ticks `[n]`; NaN where there is none, where the mid is not
    known, and where the book is crossed."""

    bid: NDArray[np.float64]
    ask: NDArray[np.float64]


def _touch(tape: Tape, at: NDArray[np.int64]) -> Touch:
    """What was best after events `at`; before the first event (-1) nothing was."""
    events, last = tape.events, len(tape.level_ticks)
    bid, ask = events.bid[at], events.ask[at]
    there = (at >= 0) & (bid >= 0) & (ask < last) & (bid <= ask)
    bid_ticks = np.where(there, tape.level_ticks[np.maximum(bid, 0)], np.nan)
    ask_ticks = np.where(there, tape.level_ticks[np.minimum(ask, last - 1)], np.nan)
    unknown = absurd(bid_ticks, ask_ticks)
    return Touch(np.where(unknown, np.nan, bid_ticks), np.where(unknown, np.nan, ask_ticks))


def far_prints(tape: Tape, limits: Limits) -> NDArray[np.int64]:
    """Events that are prints far from the market, in order."""
    events = tape.events
    at = np.flatnonzero(are_trades(events.kind))
    before = _touch(tape, at - 1)
    away = _away(tape, at, before, limits)
    at, before = at[away], Touch(before.bid[away], before.ask[away])
    if len(at) == 0:
        return at
    # Of the touches within a second the nearest counts.
    first = np.searchsorted(events.ts, events.ts[at] - _AROUND_NS, side="left")
    after = np.searchsorted(events.ts, events.ts[at] + _AROUND_NS, side="right")
    around = [_touch(tape, np.arange(i, j)) for i, j in zip(first, after, strict=True)]
    lowest = np.array([_least(touch.bid) for touch in around])
    highest = -np.array([_least(-touch.ask) for touch in around])
    nearest = Touch(np.fmin(lowest, before.bid), np.fmax(highest, before.ask))
    return at[_away(tape, at, nearest, limits)]


def _least(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.min()) if len(known) else np.nan


def _away(tape: Tape, at: NDArray[np.int64], touch: Touch, limits: Limits) -> NDArray[np.bool_]:
    """Whether prints `at` are farther than the limits beyond a touch `[n]`."""
    bid, ask = touch
    price = tape.level_ticks[tape.events.level[at]]
    beyond = np.fmax(bid - price, price - ask)
    away: NDArray[np.bool_] = (beyond > limits.far_print_share * (bid + ask) / 2) & (
        beyond > limits.far_print_spreads * (ask - bid)
    )
    return away


def believed_sides(tape: Tape, hidden: NDArray[np.int64]) -> NDArray[np.int8] | None:
    """Sides `[n]` of the events `hidden`, executions of hidden orders, if those that were given are
    not to be believed; None if they are."""
    side = tape.events.side[hidden]
    price = tape.level_ticks[tape.events.level[hidden]]
    bid, ask = _touch(tape, hidden - 1)
    told = np.where(price >= ask, ASK, np.where(price <= bid, BID, 0)).astype(np.int8)
    told[~(bid < ask)] = 0
    return told if _is_masked(side, told, price - (bid + ask) / 2) else None


def _is_masked(side: NDArray[np.int8], told: NDArray[np.int8], above: NDArray[np.float64]) -> bool:
    """Whether sides `[n]` are masked, given what the touch tells and how far above the mid."""
    n, bids = len(side), int(np.count_nonzero(side == BID))
    asks = int(np.count_nonzero(side == ASK))
    if bids + asks == 0:
        return False
    rare = min(bids, asks)
    contradicted = int(np.count_nonzero((told != 0) & (side == -told)))
    if (n >= _MANY and 100 * rare < n) or (rare == 0 and contradicted > 0):
        return True
    decided = int(np.count_nonzero((told != 0) & (side != 0)))
    if decided >= _MANY and 4 * contradicted > decided:
        return True
    off = (np.nan_to_num(above) != 0) & (side != 0)
    expected = np.count_nonzero(off & (np.sign(above) == -side))
    return bool(np.count_nonzero(off) >= _MORE and expected <= 0.6 * np.count_nonzero(off))
