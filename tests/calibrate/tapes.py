"""Tapes to count on, and slow counts to compare with."""

from __future__ import annotations

import math

import numpy as np

from paceline.calibrate.counting import PARTS, SOON_NS, Counts, Takers, count, new_counts
from paceline.calibrate.ruler import HOURS, Ruler, distance_edges
from paceline.calibrate.watching import Log, watch
from paceline.engine.laws import CANCEL, LIMIT, LOOKS, MARKET, QUEUES, SPREADS
from paceline.market import events as ev
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument
from tests.engine import flows


def tape_of(rows: ev.Rows, close_ns: int = flows.ANYWHERE) -> Tape:
    instrument = Instrument(symbol="T", book_tick=1, order_tick=1)
    session = Session(day="1970-01-01", zone="UTC", open_ns=0, close_ns=close_ns)
    return Tape.compile(rows, instrument, session)


def ruler_of(begin_ns: int, end_ns: int, step: int = 1, reach: int = 6) -> Ruler:
    edges = distance_edges(reach)
    return Ruler(
        begin_ns=begin_ns, end_ns=end_ns, open_ns=begin_ns - 3, hour_ns=7, step=step, whole=3,
        round_lot=2, usual_lots=6.0, bin_of=np.repeat(np.arange(len(edges) - 1), np.diff(edges)),
        used_s=(1e-8, 5e-8),
    )  # fmt: skip


def counted(tape: Tape, ruler: Ruler) -> tuple[Counts, Takers]:
    counts = new_counts(len(ruler.bin_of))
    return counts, count(tape, ruler, counts)


def watched(tape: Tape, ruler: Ruler) -> Log:
    return watch(tape, ruler)


def bucket_of_spread(spread: int) -> int:
    return min(math.floor(2 * math.log2(max(spread, 1))), SPREADS - 1)


class SlowBook:
    """The same counts and the same log from rows, with a book of dictionaries."""

    def __init__(self, ruler: Ruler) -> None:
        self.ruler = ruler
        self.reach = len(ruler.bin_of)
        self.counts = new_counts(self.reach)
        self.orders: dict[int, list[int]] = {}  # slot -> [side, ticks, lots]
        self.takers: list[list[int]] = []
        self.last: tuple[int, int] | None = None
        self.first: int | None = None
        self.gone: dict[int, tuple[int, int, int]] = {}
        self.usual: dict[tuple[int, int], float] = {}  # (which, side) -> steps
        self.log: list[tuple[object, ...]] = []

    def best(self, side: int) -> int | None:
        prices = [ticks for s, ticks, _ in self.orders.values() if s == side]
        return side * max(side * p for p in prices) if prices else None

    def lots_at(self, side: int, ticks: int | None) -> int:
        return sum(n for s, p, n in self.orders.values() if (s, p) == (side, ticks))

    def queue(self, side: int) -> int:
        best = self.best(side)
        if best is None:
            return QUEUES
        relative = self.lots_at(side, best) / self.ruler.usual_lots
        return min(max(math.floor(2 * math.log2(relative) + 0.5) + 8, 0), QUEUES - 1)

    def behind(self, side: int, ticks: int) -> int:
        best = self.best(side)
        assert best is not None
        return side * (best - ticks) // self.ruler.step

    def spread(self) -> int | None:
        bid, ask = self.best(1), self.best(-1)
        return None if bid is None or ask is None else (ask - bid) // self.ruler.step

    def width(self) -> int:
        spread = self.spread()
        return SPREADS if spread is None else bucket_of_spread(spread)

    def gap(self, side: int) -> int:
        best = self.best(side)
        others = [side * (best - p) for s, p, _ in self.orders.values() if s == side and p != best]
        return bucket_of_spread(min(others) // self.ruler.step) if others else SPREADS - 1

    def look(self, which: int, side: int) -> int:
        best = self.best(side)
        if best is None:
            return LOOKS // 2
        steps = best / self.ruler.step
        better = side * (steps - self.usual.get((which, side), -1.0))
        if abs(better) < 1:
            return LOOKS // 2
        far = min(math.floor(math.log2(abs(better))) + 1, LOOKS // 2)
        return LOOKS // 2 + (far if better > 0 else -far)

    def hour(self, ts: int) -> int:
        return min((ts - self.ruler.open_ns) // self.ruler.hour_ns, HOURS - 1)

    def place(self, side: int, behind: int) -> int:
        return self.gap(side) if behind <= 0 else SPREADS - 1 + int(self.ruler.bin_of[behind])

    def describe(self, now: int, ts: int, halted: bool, stream: int, place: int) -> None:
        sides = (1, -1)
        standing = np.zeros((2, SPREADS + int(self.ruler.bin_of[-1])), int)
        for side, ticks, _ in self.orders.values():
            behind = self.behind(side, ticks)
            if behind < self.reach:
                standing[int(side < 0), self.place(side, behind)] += 1
        self.log.append((
            ts, 0.0 if halted else (ts - now) * 1e-9, self.hour(now), stream, place, self.width(),
            [self.queue(s) for s in sides], [self.gap(s) for s in sides],
            [[self.look(k, s) for k in range(2)] for s in sides], standing.tolist(),
        ))  # fmt: skip
        for side in sides:
            if (best := self.best(side)) is not None:
                steps = best / self.ruler.step
                for k in range(2):
                    was = self.usual.setdefault((k, side), steps)
                    kept = 0.5 ** ((ts - now) * 1e-9 / self.ruler.used_s[k])
                    self.usual[k, side] = steps + (was - steps) * kept

    def limit(self, side: int, ticks: int, lots: int, ts: int) -> int:
        gone = self.gone.pop(side, None)
        again = False
        if gone is not None and ts - gone[2] <= SOON_NS:
            again = gone[:2] == (ticks, lots)
            self.counts.again[:] += (1, again)
        stream = 2 * LIMIT + int(side < 0)
        best = self.best(side)
        if best is None:
            self.counts.streams[stream] += 1
            return stream
        behind, spread = self.behind(side, ticks), self.spread()
        if behind >= self.reach:
            return -1
        self.counts.streams[stream] += 1
        if again:
            return stream
        self.placed(side, ticks, best, behind)
        if spread is not None:
            bucket = bucket_of_spread(spread)
            self.counts.limits[bucket] += 1
            if behind < 0:
                self.counts.improving[bucket] += 1
                self.counts.single[bucket] += behind == -1
            if 1 < -behind < spread:
                grid, width = np.linspace(0, 1, PARTS + 1), spread - 2
                low, high = (-behind - 2) / width, (-behind - 1) / width
                cover = np.minimum(grid[1:], high) - np.maximum(grid[:-1], low)
                self.counts.parts[:] += np.clip(cover, 0, None) * width
        return stream

    def placed(self, side: int, ticks: int, best: int, behind: int) -> None:
        apart = self.ruler.step * self.ruler.whole
        is_whole = ticks % apart == 0
        if behind >= 0:
            # From the first whole price at or behind the touch, if the order's is one.
            start = next(p for i in range(apart) if (p := best - side * i) % apart == 0)
            seen = side * (start - ticks) // self.ruler.step if is_whole else behind
            self.counts.placed[max(seen, 0)] += 1
        if behind != -1:
            self.counts.whole[int(behind >= 0)] += (1, is_whole)

    def cancel(self, kind: int, slot: int, lots: int, ts: int) -> tuple[int, int]:
        side, ticks, standing = self.orders[slot]
        if kind == ev.DELETE:
            self.gone[side] = (ticks, lots, ts)
        behind = self.behind(side, ticks)
        if behind >= self.reach:
            return -1, -1
        stream = 2 * CANCEL + int(side < 0)
        self.counts.streams[stream] += 1
        if standing >= 2 * self.ruler.round_lot:
            self.counts.divisible[:] += (1, kind == ev.REDUCE)
        return stream, self.place(side, behind)

    def take(self, kind: int, side: int, ticks: int, lots: int, ts: int) -> int:
        stream = -1
        if self.last != (ts, side):
            stream = 2 * MARKET + int(side < 0)
            self.counts.streams[stream] += 1
            spread, self.first = self.spread(), self.best(side)
            touch = self.lots_at(side, self.first)
            self.takers.append([ts, int(side < 0), 0, 0, 1 if spread is None else spread, touch, 0])
            self.last = (ts, side)
        self.takers[-1][2] += lots
        self.takers[-1][3] += lots * (kind == ev.HIDDEN)
        self.takers[-1][6] |= kind == ev.EXECUTE and ticks != self.first
        return stream

    def roll(self, rows: ev.Rows) -> None:
        now, halted = self.ruler.begin_ns, False
        for ts, kind, side, ticks, lots, slot in zip(*(c.tolist() for c in rows), strict=True):
            if ts >= self.ruler.end_ns:
                break
            if ts >= self.ruler.begin_ns:
                at, stream, place = len(self.log), -1, -1
                self.describe(now, ts, halted, stream, place)
                if kind == ev.ADD:
                    stream = self.limit(side, ticks, lots, ts)
                elif kind in (ev.DELETE, ev.REDUCE):
                    stream, place = self.cancel(kind, slot, lots, ts)
                elif kind in (ev.EXECUTE, ev.HIDDEN):
                    stream = self.take(kind, side, ticks, lots, ts)
                row = self.log[at]
                self.log[at] = (*row[:3], stream, place, *row[5:])
                now = ts
            halted = kind in (ev.HALT, ev.QUOTE) or (halted and kind != ev.RESUME)
            if kind == ev.CLEAR:
                self.orders.clear()
            elif kind in (ev.ADD, ev.SEED):
                self.orders[slot] = [side, ticks, lots]
            elif kind in (ev.REDUCE, ev.DELETE, ev.EXECUTE, ev.UNSEEN):
                self.orders[slot][2] -= lots
                if self.orders[slot][2] == 0:
                    del self.orders[slot]
        if self.ruler.end_ns > now:
            self.describe(now, self.ruler.end_ns, halted, -1, -1)
