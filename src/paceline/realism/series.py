"""A tape as series: mids on a grid of times, market orders, arrivals, order-flow imbalance.

Everything is of the settled part of the session: from `settled_ts` to the close or the last event.
What is not known is NaN and keeps its place, so that lags stay lags.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paceline.market.events import (
    ADD,
    BID,
    DELETE,
    LEVEL,
    REDUCE,
    TRADE,
)
from paceline.market.executions import executions
from paceline.market.portrait import touch_lots
from paceline.market.settled import settled_ts
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DEAD = 10.0
"""A mid is no price while the spread is more than so many times the day's median."""


class Part(NamedTuple):
    """The settled part of a tape."""

    start_ns: int
    end_ns: int
    first: int
    """Index of the first event in it."""
    stop: int
    """Index behind its last event."""


def settled_part(tape: Tape) -> Part:
    """The settled part of `tape`; empty (`first == stop`) if it never settles."""
    start = settled_ts(tape)
    end = max(min(tape.session.close_ns, int(tape.events.ts[-1])), start)
    first, stop = np.searchsorted(tape.events.ts, (start, end), side="left")
    stop = max(int(np.searchsorted(tape.events.ts, end, side="right")), int(stop))
    return Part(start, end, int(first), stop if end > start else int(first))


def grid_ns(tape: Tape, step_s: float) -> Ints:
    """Times `[n + 1]` from the start of the settled part, `step_s` apart, as many as fit."""
    part, step = settled_part(tape), round(step_s * NS_PER_S)
    return part.start_ns + step * np.arange((part.end_ns - part.start_ns) // step + 1)


def live_mid_ticks(tape: Tape) -> Floats:
    """Mid after every event in book ticks `[n_events]`; NaN where it is no price.

    When a thin book loses its touch, the mid is for a few seconds between a price and a stub order
    far away: IBM in 2003 halves and comes back. A spread of more than `DEAD` times the day's
    median is such a moment, and nobody could have traded at its mid.
    """
    spread = tape.ask_ticks() - tape.bid_ticks()
    mid = tape.mid_ticks()
    if not np.all(np.isnan(spread)):
        mid[spread > DEAD * float(np.nanmedian(spread))] = np.nan
    return mid


def mids(tape: Tape, step_s: float) -> Floats:
    """Live mid at every time of `grid_ns` `[n + 1]`, book ticks."""
    at = np.searchsorted(tape.events.ts, grid_ns(tape, step_s), side="right") - 1
    return np.where(at >= 0, live_mid_ticks(tape)[np.maximum(at, 0)], np.nan)


def returns(tape: Tape, step_s: float) -> Floats:
    """Log returns of the live mid over each `step_s` seconds `[n]`; NaN where one is not known."""
    return np.asarray(np.diff(np.log(mids(tape, step_s))), dtype=np.float64)


def volumes(tape: Tape, step_s: float) -> Floats:
    """Lots traded in each `step_s` seconds `[n]`, auctions left out."""
    at = np.searchsorted(tape.events.ts, grid_ns(tape, step_s), side="right")
    return np.diff(np.concatenate([[0], tape.events.volume])[at]).astype(np.float64)


def one_sided(tape: Tape) -> float:
    """Share of the settled part during which a side of the book shows nothing; NaN without one."""
    part, ts = settled_part(tape), tape.events.ts
    if part.stop == part.first:
        return float("nan")
    ends = np.append(ts[part.first + 1 : part.stop], part.end_ns)
    ns = np.maximum(ends - ts[part.first : part.stop], 0)
    alone = np.isnan(tape.mid_ticks()[part.first : part.stop])
    return float(ns[alone].sum() / max(ns.sum(), 1))


class MarketOrders(NamedTuple):
    """What took liquidity, in order of time. Limit orders that crossed at once count by the part
    that did."""

    ts: Ints
    """`[m]` ns."""
    sign: Ints
    """`[m]` +1 bought, -1 sold."""
    lots: Ints
    """`[m]` over all resting orders it met."""
    first: Ints
    """`[m]` index of its first event."""
    last: Ints
    """`[m]` index of its last event."""


def market_orders(tape: Tape) -> MarketOrders:
    """Market orders of the settled part; what is one is said in `market.executions`."""
    part, events = settled_part(tape), tape.events
    at, begins = executions(events, part.first, part.stop)
    ts, side = events.ts[at], events.side[at].astype(np.int64)
    first = np.flatnonzero(begins)
    lots = np.add.reduceat(events.qty[at].astype(np.int64), first) if len(at) else np.empty(0)
    # A trade that met a resting bid was started by a seller.
    last = np.append(first[1:], len(at)) - 1 if len(at) else first
    sign = -BID * side[first]
    return MarketOrders(ts[first], sign, lots.astype(np.int64), at[first], at[last])


def arrivals_ns(tape: Tape) -> Ints:
    """Times `[a]` at which somebody did something: limit orders, cancels, market orders (one each,
    see `market_orders`). Rows that only say what came into view are no arrivals."""
    part, events = settled_part(tape), tape.events
    inside = slice(part.first, part.stop)
    rows = np.isin(events.kind[inside], (ADD, REDUCE, DELETE, LEVEL))
    if not tape.has_orders:  # the LEVEL row behind a print is the print
        rows[1:] &= events.kind[inside][:-1] != TRADE
    return np.sort(np.concatenate([events.ts[inside][rows], market_orders(tape).ts]))


def flow_imbalance(tape: Tape, step_s: float) -> Floats:
    """Order-flow imbalance at the touch in each `step_s` seconds `[n]`, lots.

    Cont, Kukanov & Stoikov, "The price impact of order book events", J. Financial Econometrics 12
    (2014), section 2: what is added at the bid or better, less what leaves it, less the same
    at the ask. Changes from or to a one-sided book count as 0.
    """
    bid, ask = tape.bid_ticks(), tape.ask_ticks()
    bid_lots, ask_lots = touch_lots(tape)
    change = np.zeros(len(tape))
    up, down = bid[1:] - bid[:-1], ask[1:] - ask[:-1]
    change[1:] = (
        (up >= 0) * bid_lots[1:]
        - (up <= 0) * bid_lots[:-1]
        - (down <= 0) * ask_lots[1:]
        + (down >= 0) * ask_lots[:-1]
    )
    change[1:][np.isnan(up) | np.isnan(down)] = 0.0
    at = np.searchsorted(tape.events.ts, grid_ns(tape, step_s), side="right")
    return np.asarray(np.diff(np.concatenate([[0.0], np.cumsum(change)])[at]), dtype=np.float64)
