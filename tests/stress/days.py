"""Days to stress, and books to look at."""

from __future__ import annotations

from functools import cache

import numpy as np

from paceline.engine.flow_settings import Placement
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.market import events as ev
from paceline.market.events import Rows
from paceline.market.tape import Tape
from paceline.stress.parts import Part
from paceline.stress.scenario import Scenario

DAY = "2024-01-02"
OWN = Placement(
    anchor="own", law="exponential", scale_ticks=8.0, reach_ticks=30, improve=(0.0, 0.1, 0.3, 0.5)
)
HOURS = MarketSettings(open_s=34_200.0, close_s=41_400.0)
"""Two hours."""


@cache
def two_hours(seed: int = 1) -> Tape:
    return simulate_day(HOURS, DAY, seed)


def under(*parts: Part, seed: int = 0) -> Scenario:
    return Scenario(name="test", parts=parts, seed=seed)


def with_levels(tape: Tape) -> Tape:
    """The same day as a venue without orders would tell it: levels and prints."""
    events, lots = tape.events, dict[tuple[int, int], int]()
    rows: list[tuple[int, int, int, int, int, int]] = []
    for i in range(len(tape)):
        kind, side, level = int(events.kind[i]), int(events.side[i]), int(events.level[i])
        qty, slot, ts = int(events.qty[i]), int(events.slot[i]), int(events.ts[i])
        ticks = int(tape.level_ticks[level]) if level >= 0 else 0
        if kind in (ev.EXECUTE, ev.HIDDEN):
            printed = ev.TRADE if kind == ev.EXECUTE else ev.HIDDEN
            rows.append((ts, printed, side, ticks, qty, ev.NO_SLOT))
        if slot >= 0:
            change = qty if kind == ev.ADD else -qty
            lots[side, level] = lots.get((side, level), 0) + change
            rows.append((ts, ev.LEVEL, side, ticks, lots[side, level], ev.NO_SLOT))
        elif kind in (ev.HALT, ev.RESUME):
            rows.append((ts, kind, 0, 0, 0, ev.NO_SLOT))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    kinds = (np.int64, np.uint8, np.int8, np.int64, np.int64, np.int32)
    made = Rows._make(column.astype(k) for column, k in zip(columns, kinds, strict=True))
    return Tape.compile(made, tape.instrument, tape.session)


class Queues:
    """A book kept slowly: for each side and price the orders in it, first come first."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.at: dict[int, tuple[int, int]] = {}  # slot -> (side, ticks)
        self.left: dict[int, int] = {}
        self.queues: dict[tuple[int, int], list[int]] = {}
        self.levels: dict[tuple[int, int], int] = {}

    def take(self, i: int) -> None:
        """Let event `i` happen; a book that cannot be is an error."""
        events = self.tape.events
        kind, side, slot = int(events.kind[i]), int(events.side[i]), int(events.slot[i])
        qty, level = int(events.qty[i]), int(events.level[i])
        ticks = int(self.tape.level_ticks[level]) if level >= 0 else 0
        if kind == ev.ADD:
            assert slot not in self.at
            self.at[slot], self.left[slot] = (side, ticks), qty
            self.queues.setdefault((side, ticks), []).append(slot)
        elif slot >= 0:
            assert self.at[slot] == (side, ticks)
            self.left[slot] -= qty
            assert self.left[slot] >= 0
            assert kind != ev.DELETE or self.left[slot] == 0
            if self.left[slot] == 0:
                self.queues[side, ticks].remove(slot)
                del self.at[slot], self.left[slot]
        elif kind == ev.LEVEL:
            assert qty >= 0
            self.levels[side, ticks] = qty

    def touch(self) -> tuple[int | None, int | None]:
        """Best bid and best ask, ticks."""
        shown = [key for key, queue in self.queues.items() if queue]
        shown += [key for key, lots in self.levels.items() if lots]
        bids = [ticks for side, ticks in shown if side > 0]
        asks = [ticks for side, ticks in shown if side < 0]
        return max(bids, default=None), min(asks, default=None)
