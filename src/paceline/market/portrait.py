"""What is in a tape: counts, quality, and spread, depth and volume through the day."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.jit import kernel
from paceline.market.book import Book, apply
from paceline.market.events import CROSS, EXECUTE, HIDDEN, KIND_NAMES, TRADE, Events
from paceline.market.executions import are_trades
from paceline.market.halts import halts_of
from paceline.market.tape import Tape
from paceline.units import BPS, NS_PER_S

_WIDTHS_S = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_MOST_BINS = 16


class ThroughDay(NamedTuple):
    """A tape cut at `edges`. Means are weighted by time, without the time in which trading was
    stopped; NaN where a side was empty all along. Spread and mid leave out the time of an absurd
    spread too (`market.spread`)."""

    edges_ns: NDArray[np.int64]  # [n_bins + 1]
    spread: NDArray[np.float64]  # [n_bins] in currency
    spread_bps: NDArray[np.float64]  # [n_bins] of the mid
    mid: NDArray[np.float64]  # [n_bins] in currency
    bid_lots: NDArray[np.float64]  # [n_bins] at the best bid
    ask_lots: NDArray[np.float64]  # [n_bins] at the best ask
    volume: NDArray[np.int64]  # [n_bins] lots traded, auctions left out
    trades: NDArray[np.int64]  # [n_bins]
    events: NDArray[np.int64]  # [n_bins]


class QualityLine(NamedTuple):
    """One finding, ready to show."""

    name: str
    found: int
    first_row: int | None
    first_ts: int | None
    note: str


class Portrait(NamedTuple):
    """Summary of a tape's session: volume, trades and means are of it alone, and means run from the
    end of the warm-up. A tape without an event in its session is summarised whole."""

    tape: Tape
    covers_session: bool
    outside_events: int
    """Events before the open and from the close on."""
    outside_lots: int
    """Lots traded in them."""
    first_ts: int
    last_ts: int
    kinds: dict[str, int]
    """Rows of each kind; kinds without one are left out."""
    volume_lots: int
    aside_lots: int
    """Lots set aside from the volume: of auctions, and of prints far from the market if the quality
    report has any."""
    trades: int
    hidden_share: float
    """Share of the session's volume that executed hidden orders; NaN without volume."""
    spread: float
    """Time-weighted, in currency; NaN if the book never had two sides while trading was open."""
    spread_bps: float
    touch_lots: float
    """Time-weighted lots at one best level, mean of both sides."""
    warmup_s: float
    """From the session's open to the end of the warm-up, in seconds; 0 if there was none."""
    short_session: bool
    rows_read: int
    rows_quarantined: int
    quality: list[QualityLine]
    day: ThroughDay
    """In bins of a round width, at most 16; those after the last event are left out."""


def portrait_of(tape: Tape) -> Portrait:
    """Summarise `tape`."""
    events, quality, session = tape.events, tape.manifest.quality, tape.session
    counts = np.bincount(events.kind, minlength=max(KIND_NAMES) + 1)
    inside = (events.ts >= session.open_ns) & (events.ts < session.close_ns)
    covers_session = bool(inside.any())
    if not covers_session:
        inside[:] = True
    within = np.flatnonzero(inside)
    start, stop = int(within[0]), int(within[-1]) + 1
    last_ts = int(events.ts[stop - 1])
    warm_ns = quality.warmup_end_ts or session.open_ns
    warm = np.array([min(max(warm_ns, int(events.ts[start])), last_ts), last_ts + 1])
    touch = touch_lots(tape)
    whole = through_day(tape, warm, touch)
    before = int(events.volume[start - 1]) if start else 0
    volume = int(events.volume[stop - 1]) - before
    kind = events.kind[start:stop]
    hidden = int(events.qty[start:stop][kind == HIDDEN].sum())
    edges = round_edges(session.open_ns, session.close_ns, _MOST_BINS)
    return Portrait(
        tape=tape,
        covers_session=covers_session,
        outside_events=len(events.ts) - (stop - start),
        outside_lots=int(events.volume[-1]) - volume,
        first_ts=int(events.ts[0]),
        last_ts=int(events.ts[-1]),
        kinds={name: int(counts[kind]) for kind, name in KIND_NAMES.items() if counts[kind]},
        volume_lots=volume,
        aside_lots=int(events.qty[events.kind == CROSS].sum()),
        trades=int(are_trades(kind).sum()),
        hidden_share=hidden / volume if volume else np.nan,
        spread=float(whole.spread[0]),
        spread_bps=float(whole.spread_bps[0]),
        touch_lots=float((whole.bid_lots[0] + whole.ask_lots[0]) / 2),
        warmup_s=max(0.0, (warm_ns - session.open_ns) / NS_PER_S),
        short_session=quality.short_session,
        rows_read=quality.rows_read,
        rows_quarantined=quality.rows_quarantined,
        quality=[
            QualityLine(name, found.count, found.first_row, found.first_ts, found.note)
            for name, found in quality.findings.items()
        ],
        day=through_day(tape, _reached(edges, int(events.ts[-1])), touch),
    )


def _reached(edges_ns: NDArray[np.int64], last_ts: int) -> NDArray[np.int64]:
    """The edges up to the end of the bin with the last event; one bin at least."""
    bins = int(np.searchsorted(edges_ns, last_ts, side="right"))
    return edges_ns[: max(bins, 1) + 1]


def round_edges(start_ns: int, stop_ns: int, most: int) -> NDArray[np.int64]:
    """Edges of at most `most` bins of a round width from `start_ns` to `stop_ns`."""
    length_s = (stop_ns - start_ns) / NS_PER_S
    width_s = next((w for w in _WIDTHS_S if length_s <= most * w), 0)
    if width_s == 0 or length_s < 1:
        return np.linspace(start_ns, stop_ns, most + 1).astype(np.int64)
    edges = np.arange(start_ns, stop_ns, width_s * NS_PER_S, dtype=np.int64)
    return np.append(edges, stop_ns)


def touch_lots(tape: Tape) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lots at the best bid and at the best ask after every event `[n_events]`; 0: no such side."""
    lots = np.zeros(len(tape), np.int64), np.zeros(len(tape), np.int64)
    _roll(tape.new_book(), tape.events, *lots)
    return lots


@kernel
def _roll(
    book: Book, events: Events, bid_lots: NDArray[np.int64], ask_lots: NDArray[np.int64]
) -> None:
    for i in range(len(events.ts)):
        kind, side, level = events.kind[i], events.side[i], events.level[i]
        apply(book, kind, side, level, events.qty[i], events.slot[i], i)
        bid, ask = book.best[0], book.best[1]
        if bid >= 0:
            bid_lots[i] = book.levels[0, bid]["lots"]
        if ask < len(book.level_ticks):
            ask_lots[i] = book.levels[1, ask]["lots"]


def through_day(
    tape: Tape,
    edges_ns: NDArray[np.int64],
    touch: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
) -> ThroughDay:
    """Cut `tape` at `edges_ns` `[n_bins + 1]`. `touch` is `touch_lots(tape)` if it is at hand."""
    events = tape.events
    bid_lots, ask_lots = touch if touch is not None else touch_lots(tape)
    tick = float(tape.instrument.book_tick)
    mid = tape.mid_ticks() * tick
    # An absurd spread is as unknown as its mid, so that both means are over the same times.
    spread = np.where(np.isnan(mid), np.nan, (tape.ask_ticks() - tape.bid_ticks()) * tick)
    at = np.searchsorted(events.ts, edges_ns, side="left")
    volume = np.concatenate([[0], events.volume])[at]
    traded = (events.kind == EXECUTE) | (events.kind == HIDDEN) | (events.kind == TRADE)
    trades = np.concatenate([[0], np.cumsum(traded)])[at]
    ts, row, stopped = _steps(tape)

    def mean(value: NDArray[np.float64]) -> NDArray[np.float64]:
        return _time_mean(ts, np.where(stopped, np.nan, value[row]), edges_ns)

    return ThroughDay(
        edges_ns=edges_ns,
        spread=mean(spread),
        spread_bps=mean(BPS * spread / mid),
        mid=mean(mid),
        bid_lots=mean(np.where(bid_lots > 0, bid_lots, np.nan)),
        ask_lots=mean(np.where(ask_lots > 0, ask_lots, np.nan)),
        volume=np.diff(volume),
        trades=np.diff(trades),
        events=np.diff(at),
    )


def _steps(tape: Tape) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Where the book may change or trading stops or resumes: the instants `[n]`, the last event at
    or before each, and whether trading is stopped from there to the next."""
    ts, edges = tape.events.ts, halts_of(tape).ravel()
    within = edges[(edges > ts[0]) & (edges < ts[-1])]
    at = np.unique(np.concatenate([ts, within]))
    row = np.searchsorted(ts, at, side="right") - 1
    return at, row, np.searchsorted(edges, at, side="right") % 2 == 1


def _time_mean(
    ts: NDArray[np.int64], value: NDArray[np.float64], edges_ns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean of a step function over each bin, over the time it is known (not NaN) in it. The
    instants `ts` increase.

    The step function's integral is linear between them, so it is exact at any edge.
    """
    known = ~np.isnan(value)
    offset = (ts - ts[0]).astype(np.float64)
    width = np.diff(offset, append=offset[-1])
    area = np.concatenate([[0.0], np.cumsum(np.where(known, value, 0.0) * width)[:-1]])
    time = np.concatenate([[0.0], np.cumsum(known * width)[:-1]])
    at = (edges_ns - ts[0]).astype(np.float64)
    areas, times = np.diff(np.interp(at, offset, area)), np.diff(np.interp(at, offset, time))
    mean = np.full(len(areas), np.nan)
    np.divide(areas, times, out=mean, where=times > 0)
    return mean
