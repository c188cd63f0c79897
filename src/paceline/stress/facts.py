"""What a tape is like: the few facts that scenarios are about, over the day and over time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.jit import kernel
from paceline.market.book import Book, apply, row_of
from paceline.market.events import CLEAR, HALT, RESUME, Events
from paceline.market.executions import are_trades
from paceline.market.settled import settled_ts
from paceline.market.tape import Tape
from paceline.stress.removing import takers
from paceline.units import NS_PER_S

Floats = NDArray[np.float64]

_MINUTE_NS = 60 * NS_PER_S
_GRID_NS = 10 * NS_PER_S


class Facts(NamedTuple):
    """Of a span of a tape. NaN where there is no value. Ticks are those on which orders may be
    sent."""

    spread_ticks: float
    """Mean over time."""
    depth_lots: float
    """Lots in the whole book, mean over time."""
    volatility_ticks: float
    """Standard deviation of the mid's change from minute to minute."""
    volume_lots: float
    """Traded, auctions left out."""
    sell_share: float
    """Share of market orders that sold."""
    change: float
    """Of the mid from first to last, as a share of the first."""
    lowest: float
    """Of the mid against the first, as a share, looked at every ten seconds: a mid of a moment in
    which a side is almost empty says nothing."""
    halted_s: float


class Course(NamedTuple):
    """A tape in `n` equal spans of the session. NaN where there is no value."""

    at_s: Floats  # middle of each, seconds after the open
    mid: Floats  # at its end, book ticks
    spread: Floats  # mean over time, book ticks
    depth: Floats  # mean over time, lots
    volume: Floats  # lots
    sells: Floats  # share of market orders that sold


def facts_of(tape: Tape, begin: int | None = None, until: int | None = None) -> Facts:
    """The facts between `begin` and `until` (ns); left out, from when the market had settled to the
    close."""
    begin = settled_ts(tape) if begin is None else begin
    until = tape.session.close_ns if until is None else until
    events, ts = tape.events, tape.events.ts
    held, known = _held(tape, begin, until)
    mid = _mid_at(tape, np.arange(begin, until + 1, _MINUTE_NS))
    step = tape.instrument.order_step
    moves = np.diff(mid) / step
    inside = (ts >= begin) & (ts < until)
    path = _mid_at(tape, np.arange(begin, until + 1, _GRID_NS))
    path = path[np.isfinite(path)]
    first = float(path[0]) if len(path) else np.nan
    rows, starts = takers(tape)
    first_rows = rows[starts & inside[rows]]
    return Facts(
        spread_ticks=_mean((tape.ask_ticks() - tape.bid_ticks())[known] / step, held[known]),
        depth_lots=_mean(depth(tape)[known], held[known]),
        volatility_ticks=float(np.nanstd(moves)) if np.isfinite(moves).sum() > 1 else np.nan,
        volume_lots=float(_traded(events, inside).sum()),
        sell_share=float(np.mean(events.side[first_rows] > 0)) if len(first_rows) else np.nan,
        change=float(path[-1] / first - 1) if len(path) else np.nan,
        lowest=float(path.min() / first - 1) if len(path) else np.nan,
        halted_s=_halted_s(events, begin, until),
    )


def course_of(tape: Tape, n: int = 390) -> Course:
    """The facts over time, in `n` equal spans."""
    begin, close = tape.session.open_ns, tape.session.close_ns
    edges = np.linspace(begin, close, n + 1).astype(np.int64)
    held, known = _held(tape, begin, close)
    known &= held > 0
    span = np.clip(np.searchsorted(edges, tape.events.ts, side="right") - 1, 0, n - 1)
    time = np.bincount(span[known], held[known], minlength=n)

    def over(values: Floats) -> Floats:
        total = np.bincount(span[known], (values * held)[known], minlength=n)
        return np.asarray(np.divide(total, time, out=np.full(n, np.nan), where=time > 0))

    inside = (tape.events.ts >= begin) & (tape.events.ts <= close)
    rows, starts = takers(tape)
    rows = rows[starts & inside[rows]]
    orders = np.bincount(span[rows], minlength=n)
    sells = np.bincount(span[rows], tape.events.side[rows] > 0, minlength=n)
    traded = _traded(tape.events, inside).astype(np.float64)
    return Course(
        at_s=((edges[1:] + edges[:-1]) / 2 - begin) / NS_PER_S,
        mid=_mid_at(tape, edges[1:]),
        spread=over(tape.ask_ticks() - tape.bid_ticks()),
        depth=over(depth(tape)),
        volume=np.bincount(span, traded, minlength=n).astype(np.float64),
        sells=np.divide(sells, orders, out=np.full(n, np.nan), where=orders > 0),
    )


def depth(tape: Tape) -> Floats:
    """Lots in the book after every event `[n_events]`."""
    lots = np.zeros(len(tape.events.ts), np.int64)
    _depth(tape.events, tape.new_book(), lots)
    return lots.astype(np.float64)


@kernel
def _depth(events: Events, book: Book, lots: NDArray[np.int64]) -> None:
    total = 0
    for i in range(len(events.ts)):
        kind, side, level = events.kind[i], events.side[i], events.level[i]
        touches = level >= 0 and side != 0
        row = row_of(side)
        before = book.levels[row, level]["lots"] if touches else 0
        apply(book, kind, side, level, events.qty[i], events.slot[i], i)
        after = book.levels[row, level]["lots"] if touches else 0
        total = 0 if kind == CLEAR else total + after - before
        lots[i] = total


def _held(tape: Tape, begin: int, until: int) -> tuple[Floats, NDArray[np.bool_]]:
    """How long each state of the book lasted, ns, and which lie inside with two sides shown."""
    ts = tape.events.ts
    held = np.append(np.diff(ts), 0).astype(np.float64)
    two_sided = np.isfinite(tape.mid_ticks())
    return held, two_sided & (ts >= begin) & (ts < until)


def _mid_at(tape: Tape, ts: NDArray[np.int64]) -> Floats:
    at = np.searchsorted(tape.events.ts, ts, side="right") - 1
    return np.where(at >= 0, tape.mid_ticks()[np.maximum(at, 0)], np.nan)


def _traded(events: Events, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    trades = are_trades(events.kind) & inside
    return np.where(trades, events.qty, 0).astype(np.int64)


def _halted_s(events: Events, begin: int, until: int) -> float:
    total, since = 0, -1
    for i in np.flatnonzero((events.kind == HALT) | (events.kind == RESUME)):
        ts = min(max(int(events.ts[i]), begin), until)
        if events.kind[i] == HALT and since < 0:
            since = ts
        elif events.kind[i] == RESUME and since >= 0:
            total, since = total + ts - since, -1
    return (total + (until - since if since >= 0 else 0)) / NS_PER_S


def _mean(values: Floats, weights: Floats) -> float:
    return float(np.average(values, weights=weights)) if weights.sum() > 0 else float("nan")
