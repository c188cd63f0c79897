"""A synthetic order-by-order feed that every replay benchmark runs on.

A liquid book with a fixed seed: limit orders arrive at log-uniform distances from their own best
price, live orders are cancelled or shrink at random (young ones at the best price more often),
market orders walk the queues from the head.
Messages come in bursts, ten in 100 ms on average, so the default feed is a day of 30,000 s. The
book starts from nothing (the orders that build it all bear the opening time) and is never locked or
crossed. The queues are kept here once more, so that a fault of paceline's book cannot hide itself
in the feed that it is tested on.

Times are even nanoseconds. Who decides at odd ones never acts at the time of a message.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.jit import kernel
from paceline.market.events import (
    ADD,
    ASK,
    BID,
    DELETE,
    EXECUTE,
    LEVEL,
    NO_SLOT,
    REDUCE,
    TRADE,
    Rows,
)
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument

MESSAGES = 3_000_000
SEED = 20_240_607

INSTRUMENT = Instrument(symbol="BENCH", book_tick=Decimal("0.01"), order_tick=Decimal("0.01"))
SESSION = Session.of("2024-06-07", "UTC", 8 * 3600, 17 * 3600)

MID_TICKS = 10_000
"""Where the mid starts, and what it is slowly drawn back to."""

N_LEVELS = 4_001
N_SLOTS = 8_192

_START_ORDERS = 240  # on each side
_MEAN_ORDERS = 600  # alive at which cancels balance what arrives and is not traded
_MEAN_LOTS = 4.0
_MARKET_LOTS = 7.0
_BURST = 0.6  # share of messages that follow the one before at once
_BURST_NS = 40_000.0
_PAUSE_NS = 24_960_000.0  # makes the mean gap 10 ms
_FARTHEST = 40  # ticks behind the best price
_AT_BEST = 0.16  # share of cancels that hit the young end of a best queue


class Feed(NamedTuple):
    """An order-by-order feed."""

    rows: Rows
    order_id: NDArray[np.int64]  # [n_events] the order a row speaks of; unique, counted from 1


class Market(NamedTuple):
    """Who is alive and where they queue. `m` slots, `n` levels; row 0 bids, 1 asks; -1 nobody."""

    lots: NDArray[np.int64]  # [m] left of the order in the slot
    level: NDArray[np.int64]  # [m]
    row: NDArray[np.int64]  # [m]
    order_id: NDArray[np.int64]  # [m]
    before: NDArray[np.int32]  # [m] the order in front
    behind: NDArray[np.int32]  # [m]
    head: NDArray[np.int32]  # [2, n]
    tail: NDArray[np.int32]  # [2, n]
    best: NDArray[np.int64]  # [2] level
    live: NDArray[np.int32]  # [m] slots in use, in no order, the first `count[0]` of them
    place: NDArray[np.int32]  # [m] where a slot stands in `live`
    free: NDArray[np.int32]  # [m] slots to hand out, the first `count[1]` of them
    count: NDArray[np.int64]  # [5] live, free, order ids given, live bids, live asks


def _new_market() -> Market:
    column = np.zeros((4, N_SLOTS), np.int64)
    slots = np.full((4, N_SLOTS), -1, np.int32)
    queues = np.full((2, 2, N_LEVELS), -1, np.int32)
    return Market(
        *column,
        before=slots[0],
        behind=slots[1],
        head=queues[0],
        tail=queues[1],
        best=np.array([-1, N_LEVELS]),
        live=slots[2],
        place=slots[3],
        free=np.arange(N_SLOTS - 1, -1, -1, dtype=np.int32),
        count=np.array([0, N_SLOTS, 0, 0, 0]),
    )


def make_feed(messages: int = MESSAGES, seed: int = SEED) -> Feed:
    """The feed: equal arguments, equal bytes."""
    rng = np.random.default_rng(seed)
    rows = Rows(
        ts=_times(rng, messages),
        kind=np.empty(messages, np.uint8),
        side=np.empty(messages, np.int8),
        ticks=np.empty(messages, np.int64),
        lots=np.empty(messages, np.int64),
        slot=np.empty(messages, np.int32),
    )
    order_id = np.empty(messages, np.int64)
    _run(_new_market(), rows, order_id, rng.random((messages, 4)))
    rows.ticks[:] += MID_TICKS - N_LEVELS // 2
    return Feed(rows, order_id)


def l2_rows(rows: Rows) -> Rows:
    """What a feed of levels would have said: after every message the size its level shows.

    A `TRADE` row goes before the `LEVEL` row of an execution.
    """
    trades = rows.kind == EXECUTE
    where = np.arange(len(trades)) + np.cumsum(trades)  # row of the LEVEL that each message makes
    n = len(trades) + int(trades.sum())
    levels = Rows(
        ts=np.empty(n, np.int64),
        kind=np.full(n, LEVEL, np.uint8),
        side=np.empty(n, np.int8),
        ticks=np.empty(n, np.int64),
        lots=np.empty(n, np.int64),
        slot=np.full(n, NO_SLOT, np.int32),
    )
    for column, source in ((levels.ts, rows.ts), (levels.side, rows.side)):
        column[where] = source
        column[where[trades] - 1] = source[trades]
    levels.ticks[where] = rows.ticks
    levels.ticks[where[trades] - 1] = rows.ticks[trades]
    levels.kind[where[trades] - 1] = TRADE
    levels.lots[where[trades] - 1] = rows.lots[trades]
    change = np.where(rows.kind == ADD, rows.lots, -rows.lots)
    level = rows.ticks - rows.ticks.min()
    after = np.empty(len(trades), np.int64)
    _sum_up(rows.side, level, change, np.zeros((2, int(level.max()) + 1), np.int64), after)
    levels.lots[where] = after
    return levels


def compile_tape(rows: Rows) -> Tape:
    """The tape of a feed."""
    return Tape.compile(rows, INSTRUMENT, SESSION, made_by="benchmarks.feed")


def _times(rng: np.random.Generator, messages: int) -> NDArray[np.int64]:
    """Even times `[messages]`: the orders that build the book at the open, then bursts."""
    gaps = rng.exponential(1.0, messages)
    gaps *= np.where(rng.random(messages) < _BURST, _BURST_NS, _PAUSE_NS)
    gaps[: min(messages, 2 * _START_ORDERS)] = 0.0
    return SESSION.open_ns + np.cumsum((gaps / 2).astype(np.int64) * 2)


@kernel
def _sum_up(
    side: NDArray[np.int8],
    level: NDArray[np.int64],
    change: NDArray[np.int64],
    shown: NDArray[np.int64],
    after: NDArray[np.int64],
) -> None:
    """Size of the level each message touched, into `after` `[n_events]`."""
    for i in range(len(level)):
        row = 0 if side[i] > 0 else 1
        shown[row, level[i]] += change[i]
        after[i] = shown[row, level[i]]


@kernel
def _run(
    market: Market, rows: Rows, order_id: NDArray[np.int64], draws: NDArray[np.float64]
) -> None:
    """Fill `rows` (levels for ticks) and `order_id` from uniform `draws` `[n_events, 4]`."""
    n = len(rows.ts)
    middle = N_LEVELS // 2
    i = 0
    while i < n:
        act, pick, where, size = draws[i, 0], draws[i, 1], draws[i, 2], draws[i, 3]
        lots = 1 + int(-np.log(1.0 - size) * (_MEAN_LOTS - 0.5))
        if i < 2 * _START_ORDERS:
            row, away = i % 2, i // 2 % 12
            level = middle - 1 - away if row == 0 else middle + away
            _add(market, rows, order_id, i, row, level, lots)
            i += 1
            continue
        n_live = market.count[0]
        cancels = 0.47 * n_live / _MEAN_ORDERS
        act *= 0.5 + cancels + 0.02 + 0.03
        # A side that is nearly gone gets orders, whatever was drawn.
        thin = 0 if market.count[3] < 20 else (1 if market.count[4] < 20 else -1)
        if act < 0.5 or thin >= 0:
            drift = (middle - 0.5 * (market.best[0] + market.best[1])) / 4000.0
            row = thin if thin >= 0 else (0 if pick < 0.5 + min(max(drift, -0.1), 0.1) else 1)
            _add(market, rows, order_id, i, row, _place(market, row, where), lots)
            i += 1
        elif act < 0.5 + cancels + 0.02:
            slot = _pick(market, pick, where)
            left = market.lots[slot]
            if act >= 0.5 + cancels and left > 1:
                _take(market, rows, order_id, i, REDUCE, slot, 1 + int(size * (left - 1)))
            else:
                _take(market, rows, order_id, i, DELETE, slot, left)
            i += 1
        else:
            row = 0 if pick < 0.5 else 1
            wanted = 1 + int(-np.log(1.0 - size) * (_MARKET_LOTS - 0.5))
            i = _sweep(market, rows, order_id, i, row, wanted)


@kernel
def _sweep(
    market: Market, rows: Rows, order_id: NDArray[np.int64], i: int, row: int, wanted: int
) -> int:
    """A market order: from `i` on a message for every order it meets, all at one time.

    Returns the index of the next message.
    """
    ts = rows.ts[i]
    while wanted > 0 and i < len(rows.ts) and market.count[3 + row] > 10:
        slot = market.head[row, market.best[row]]
        lots = min(wanted, market.lots[slot])
        wanted -= lots
        rows.ts[i] = ts
        _take(market, rows, order_id, i, EXECUTE, slot, lots)
        i += 1
    return i


@kernel
def _pick(market: Market, pick: float, where: float) -> int:
    """Slot of the order that its owner changes."""
    if where >= _AT_BEST:
        return market.live[int(pick * market.count[0])]
    row = 0 if pick < 0.5 else 1
    slot = market.tail[row, market.best[row]]
    for _ in range(int(where / _AT_BEST * 4.0)):
        if market.before[slot] >= 0:
            slot = market.before[slot]
    return slot


@kernel
def _place(market: Market, row: int, draw: float) -> int:
    """Level for a new limit order: inside the spread if there is room, else behind the best."""
    best = market.best[row]
    step = 1 if row == 0 else -1
    room = market.best[1] - market.best[0] - 1
    if room > 0:
        inside = 0.3 + 0.1 * min(room, 5)
        if draw < inside:
            return best + step * (1 + int(draw / inside * room))
        draw = (draw - inside) / (1.0 - inside)
    distance = int((_FARTHEST + 1.0) ** draw) - 1
    return min(max(best - step * distance, 0), N_LEVELS - 1)


@kernel
def _add(
    market: Market,
    rows: Rows,
    order_id: NDArray[np.int64],
    i: int,
    row: int,
    level: int,
    lots: int,
) -> None:
    """Message `i`: a new order at the end of its queue."""
    market.count[1] -= 1
    slot = market.free[market.count[1]]
    market.place[slot] = market.count[0]
    market.live[market.count[0]] = slot
    market.count[0] += 1
    market.count[2] += 1
    market.count[3 + row] += 1
    market.order_id[slot] = market.count[2]
    market.lots[slot] = lots
    market.level[slot] = level
    market.row[slot] = row
    last = market.tail[row, level]
    market.before[slot] = last
    market.behind[slot] = -1
    if last < 0:
        market.head[row, level] = slot
    else:
        market.behind[last] = slot
    market.tail[row, level] = slot
    if row == 0:
        market.best[0] = max(market.best[0], level)
    else:
        market.best[1] = min(market.best[1], level)
    _write(market, rows, order_id, i, ADD, slot, lots)


@kernel
def _take(
    market: Market, rows: Rows, order_id: NDArray[np.int64], i: int, kind: int, slot: int, lots: int
) -> None:
    """Message `i`: `lots` of an order are cancelled or traded."""
    _write(market, rows, order_id, i, kind, slot, lots)
    market.lots[slot] -= lots
    if market.lots[slot] > 0:
        return
    row, level = market.row[slot], market.level[slot]
    before, behind = market.before[slot], market.behind[slot]
    if before < 0:
        market.head[row, level] = behind
    else:
        market.behind[before] = behind
    if behind < 0:
        market.tail[row, level] = before
    else:
        market.before[behind] = before
    while market.head[row, market.best[row]] < 0:  # ends: no side ever runs empty
        market.best[row] += -1 if row == 0 else 1
    market.count[0] -= 1
    last = market.live[market.count[0]]
    market.live[market.place[slot]] = last
    market.place[last] = market.place[slot]
    market.free[market.count[1]] = slot
    market.count[1] += 1
    market.count[3 + row] -= 1


@kernel
def _write(
    market: Market, rows: Rows, order_id: NDArray[np.int64], i: int, kind: int, slot: int, lots: int
) -> None:
    rows.kind[i] = kind
    rows.side[i] = BID if market.row[slot] == 0 else ASK
    rows.ticks[i] = market.level[slot]
    rows.lots[i] = lots
    rows.slot[i] = slot
    order_id[i] = market.order_id[slot]
