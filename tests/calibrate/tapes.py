"""Tapes to count on, and a slow count to compare with."""

from __future__ import annotations

import math

import numpy as np

from paceline.calibrate.counting import (
    Counts,
    Journal,
    Takers,
    count_tape,
    cut,
    new_counts,
    new_journal,
)
from paceline.calibrate.ruler import HOURS, Ruler, distance_edges
from paceline.engine.laws import CANCEL, LIMIT, MARKET, QUEUES, SPREADS
from paceline.market import events as ev
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument
from tests.engine import flows


def tape_of(rows: ev.Rows) -> Tape:
    instrument = Instrument(symbol="T", book_tick=1, order_tick=1)
    session = Session(day="1970-01-01", zone="UTC", open_ns=0, close_ns=flows.ANYWHERE)
    return Tape.compile(rows, instrument, session)


def ruler_of(begin_ns: int, end_ns: int, step: int = 1, reach: int = 6) -> Ruler:
    edges = distance_edges(reach)
    return Ruler(
        begin_ns=begin_ns, end_ns=end_ns, open_ns=begin_ns - 3, hour_ns=7, step=step, whole=3,
        round_lot=2,
        usual_lots=6.0, bin_of=np.repeat(np.arange(len(edges) - 1), np.diff(edges)),
        pace=1.0 / np.arange(1, SPREADS + len(edges) - 1),
    )  # fmt: skip


def counted(tape: Tape, ruler: Ruler) -> tuple[Counts, Takers, Journal]:
    counts = new_counts(int(ruler.bin_of[-1]) + 1, len(ruler.bin_of))
    takers = Takers(*(np.full(len(tape), -7) for _ in Takers._fields))
    journal = new_journal(len(tape))
    n = count_tape(tape.new_book(), tape.events, ruler, counts, takers, journal)
    return counts, Takers(*(column[:n] for column in takers)), cut(journal)


def spread_bucket_of(spread: int) -> int:
    return min(math.floor(2 * math.log2(max(spread, 1))), SPREADS - 1)


class SlowCount:
    """The same counts from rows, with a book of dictionaries."""

    def __init__(self, ruler: Ruler) -> None:
        self.ruler = ruler
        self.reach = len(ruler.bin_of)
        self.counts = new_counts(int(ruler.bin_of[-1]) + 1, self.reach)
        self.orders: dict[int, list[int]] = {}  # slot -> [side, ticks, lots]
        self.takers: list[list[int]] = []
        self.journal: list[tuple[int, int, int, int, int, float]] = []
        self.last: tuple[int, int] | None = None

    def best(self, side: int) -> int | None:
        prices = [ticks for s, ticks, _ in self.orders.values() if s == side]
        return side * max(side * p for p in prices) if prices else None

    def bucket(self, side: int) -> int:
        best = self.best(side)
        if best is None:
            return QUEUES
        lots = sum(n for s, ticks, n in self.orders.values() if (s, ticks) == (side, best))
        half_powers = math.floor(2 * math.log2(lots / self.ruler.usual_lots) + 0.5)
        return min(max(half_powers + 8, 0), QUEUES - 1)

    def behind(self, side: int, ticks: int) -> int:
        best = self.best(side)
        assert best is not None
        return side * (best - ticks) // self.ruler.step

    def spread(self) -> int | None:
        bid, ask = self.best(1), self.best(-1)
        return None if bid is None or ask is None else (ask - bid) // self.ruler.step

    def width(self) -> int:
        spread = self.spread()
        return SPREADS if spread is None else spread_bucket_of(spread)

    def hour(self, ts: int) -> int:
        return min((ts - self.ruler.open_ns) // self.ruler.hour_ns, HOURS - 1)

    def arrive(self, what: int, side: int, ts: int) -> None:
        stream, hour, bucket = 2 * what + (side < 0), self.hour(ts), self.bucket(side)
        self.counts.arrivals[what, hour, bucket, self.width()] += 1
        self.counts.streams[stream] += 1
        pace = 0.0
        for s, ticks, _ in self.orders.values():
            if what == CANCEL and s == side and self.behind(s, ticks) < self.reach:
                pace += self.ruler.pace[self.ruler.bin_of[self.behind(s, ticks)]]
        self.journal.append((ts, stream, hour, bucket, self.width(), pace))

    def watch(self, ts: int, until: int) -> None:
        for side in (1, -1):
            at = self.hour(ts), self.bucket(side), self.width()
            self.counts.touch_s[at] += (until - ts) / 1e9
        for side, ticks, _ in self.orders.values():
            behind = self.behind(side, ticks)
            if behind < self.reach:
                bin = self.ruler.bin_of[behind]
                at = self.hour(ts), self.bucket(side), self.width(), bin
                self.counts.order_s[at] += (until - ts) / 1e9

    def limit(self, side: int, ticks: int, ts: int) -> None:
        if self.best(side) is None:
            return self.arrive(LIMIT, side, ts)
        behind, spread = self.behind(side, ticks), self.spread()
        if behind >= self.reach:
            return None
        self.arrive(LIMIT, side, ts)
        best, apart = self.best(side), self.ruler.step * self.ruler.whole
        is_whole = ticks % apart == 0
        if behind >= 0:
            # From the first whole price at or behind the touch, if the order's is one.
            start = next(p for i in range(apart) if (p := best - side * i) % apart == 0)
            seen = side * (start - ticks) // self.ruler.step if is_whole else behind
            self.counts.placed[max(seen, 0)] += 1
        if behind != -1:
            self.counts.whole[int(behind >= 0)] += (1, is_whole)
        if spread is not None:
            bucket = spread_bucket_of(spread)
            self.counts.limits[bucket] += 1
            if behind < 0:
                self.counts.improving[bucket] += 1
                self.counts.inside[-behind : -behind + 1] += 1
                self.counts.room[-behind : max(spread, 1)] += 1
        return None

    def cancel(self, kind: int, slot: int, ts: int) -> None:
        side, ticks, lots = self.orders[slot]
        behind = self.behind(side, ticks)
        if behind < self.reach:
            self.arrive(CANCEL, side, ts)
            self.counts.cancels[self.ruler.bin_of[behind]] += 1
            if lots >= 2 * self.ruler.round_lot:
                self.counts.divisible[:] += (1, kind == ev.REDUCE)

    def take(self, kind: int, side: int, lots: int, ts: int) -> None:
        if self.last != (ts, side):
            self.arrive(MARKET, side, ts)
            spread = self.spread()
            self.takers.append([ts, int(side < 0), 0, 0, 1 if spread is None else spread])
            self.last = (ts, side)
        self.takers[-1][2] += lots
        self.takers[-1][3] += lots * (kind == ev.HIDDEN)

    def roll(self, rows: ev.Rows) -> None:
        now, halted = self.ruler.begin_ns, False
        for ts, kind, side, ticks, lots, slot in zip(*(c.tolist() for c in rows), strict=True):
            if ts >= self.ruler.end_ns:
                break
            if ts > now:
                if not halted:
                    self.watch(now, ts)
                now = ts
            if ts >= self.ruler.begin_ns:
                if kind == ev.ADD:
                    self.limit(side, ticks, ts)
                elif kind in (ev.DELETE, ev.REDUCE):
                    self.cancel(kind, slot, ts)
                elif kind in (ev.EXECUTE, ev.HIDDEN):
                    self.take(kind, side, lots, ts)
            halted = kind in (ev.HALT, ev.QUOTE) or (halted and kind != ev.RESUME)
            if kind == ev.CLEAR:
                self.orders.clear()
            elif kind in (ev.ADD, ev.SEED):
                self.orders[slot] = [side, ticks, lots]
            elif kind in (ev.REDUCE, ev.DELETE, ev.EXECUTE, ev.UNSEEN):
                self.orders[slot][2] -= lots
                if self.orders[slot][2] == 0:
                    del self.orders[slot]
        if not halted and self.ruler.end_ns > now:
            self.watch(now, self.ruler.end_ns)
