"""A simulated day: an order flow, the market's own book, and the tape they make.

    tape = simulate_day(MarketSettings(), day="2024-01-02", seed=7)

The flow is only another source of events: it feeds the same book that a recording does, and what
it makes is a tape like any other. A `Simulator` goes through the day step by step and can be saved
half-way.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine.dice import new_dice, wrapping
from paceline.engine.flow import follow, next_event, standing_orders
from paceline.engine.flow_state import (
    NOTHING,
    FlowState,
    enter,
    is_full,
    new_flow,
    next_slot,
    with_more_slots,
)
from paceline.engine.laws import Laws
from paceline.engine.market_settings import MarketSettings
from paceline.engine.moods import first_regime, warm_up
from paceline.engine.proportions import limit_lots
from paceline.engine.saved import Saved
from paceline.errors import CapacityError
from paceline.jit import inlined, kernel
from paceline.market.book import NOBODY, Book, join, leave, new_book, row_of
from paceline.market.events import ADD, Rows
from paceline.market.tape import Finding, Quality, Tape

MOST_ROWS = 50_000_000
"""Of a session."""

CHUNK = 1 << 16
"""Rows that a kernel writes before it comes back for more room."""


class Market(NamedTuple):
    """A simulated market: what it is made of, where the flow stands, and the book."""

    laws: Laws
    flow: FlowState
    book: Book


class Simulator:
    """One market, one session, step by step. The same seed and day make the same events."""

    def __init__(self, settings: MarketSettings, day: str, seed: int) -> None:
        """Stand before the open of `day` (YYYY-MM-DD).

        Raises `InputError` for a day or a seed that is none.
        """
        self.settings = settings
        self.session = settings.session(day)
        dice = new_dice(seed, date.fromisoformat(day).toordinal())
        self.market = new_market(settings, self.session.open_ns, dice)

    def advance(self, until_ns: int) -> Rows:
        """All that happens up to and including `until_ns`; where one stops changes nothing.

        Raises `CapacityError` for more rows than a session may have: what the book, the hour or
        the tempo multiply is not known before it is tried.
        """
        parts = []
        if self.market.flow.clock[0]["n_events"] == 0 and until_ns >= self.session.open_ns:
            parts.append(open_rows(self.market, self.settings))
        stop = min(until_ns, self.session.close_ns)
        room = rows_for(CHUNK)
        with wrapping():
            while True:
                n = _run(self.market, room, stop)
                parts.append(Rows._make(column[:n].copy() for column in room))
                clock = self.market.flow.clock[0]
                if clock["n_bids"] + clock["n_asks"] == len(self.market.flow.slots):
                    self.market = with_more_room(self.market)
                elif n < CHUNK:
                    break
                if clock["n_events"] > MOST_ROWS:
                    raise CapacityError(
                        f"market: more than {MOST_ROWS:.0e} rows in a session; lower its rates, or "
                        "what reaction, tension, backing, recoil or anchoring make of them"
                    )
        return Rows._make(np.concatenate(columns) for columns in zip(*parts, strict=True))

    def save(self) -> Saved[Market]:
        """A copy of the whole state, to `restore` later."""
        return Saved(copied(self.market), self._whose())

    def restore(self, saved: Saved[Market]) -> None:
        """Go back to where `saved` was; what follows is the same, bit for bit.

        Raises `ExchangeError` for a state of other settings or another session, and changes
        nothing.
        """
        self.market = copied(saved.state_for(self._whose()))

    def _whose(self) -> dict[str, object]:
        return {"other settings": self.settings, "another session": self.session}


def new_market(
    settings: MarketSettings, begin_ns: int, dice: NDArray[np.void], n_own: int = 0
) -> Market:
    """A market that begins at `begin_ns` and is still empty; the first `n_own` slots of its book
    are not the flow's."""
    lowest, highest = settings.grid()
    laws = settings.laws()
    n_slots = slots_for(settings, laws)
    return Market(
        laws=laws,
        flow=new_flow(dice, begin_ns, n_slots, laws, settings.metaorders.at_work, n_own),
        book=new_book(np.arange(lowest, highest + 1, dtype=np.int64), n_own + n_slots),
    )


def copied(market: Market) -> Market:
    """The same market, on its own."""
    return market._replace(
        flow=FlowState._make(column.copy() for column in market.flow),
        book=Book._make(column.copy() for column in market.book),
    )


def open_rows(market: Market, settings: MarketSettings) -> Rows:
    """Fill the book of a new market as it opens; returns the orders in it as rows."""
    bid, ask = settings.opening_ticks()
    room = rows_for(most_standing(market.laws))
    with wrapping():
        n = open_market(market, room, *np.searchsorted(market.book.level_ticks, (bid, ask)))
    return Rows._make(column[:n] for column in room)


def slots_for(settings: MarketSettings, laws: Laws) -> int:
    """Slots to begin with: twice the orders that should rest, and some."""
    return 256 + 2 * int(max(most_standing(laws), settings.resting_orders()))


def most_standing(laws: Laws) -> int:
    """Orders that may stand in the book as it opens, in whatever regime."""
    rate = laws.regimes["rate"]
    times = rate[:, :2] / np.maximum(rate[:, 4:], 1e-9)
    return int(np.ceil(laws.standing * max(float(times.max()), 1.0)).sum()) + 2


def simulate_day(settings: MarketSettings, day: str, seed: int) -> Tape:
    """One whole session as an L3 tape. Days of one seed are independent of one another.

    Raises `InputError` for a day or a seed that is none.
    """
    simulator = Simulator(settings, day, seed)
    rows = simulator.advance(simulator.session.close_ns)
    return Tape.compile(
        rows,
        settings.instrument(),
        simulator.session,
        quality=_quality(rows),
        made_by=f"paceline simulator, seed {seed}",
    )


def _quality(rows: Rows) -> Quality:
    note = "cannot happen by construction"
    return Quality(
        rows_read=len(rows.ts),
        findings={name: Finding(count=0, note=note) for name in ("crossed_book", "negative_depth")},
    )


def rows_for(n: int) -> Rows:
    """Room for `n` rows."""
    return Rows(
        ts=np.empty(n, np.int64),
        kind=np.empty(n, np.uint8),
        side=np.empty(n, np.int8),
        ticks=np.empty(n, np.int64),
        lots=np.empty(n, np.int64),
        slot=np.empty(n, np.int32),
    )


def with_more_room(market: Market) -> Market:
    """The same market with twice the room for orders."""
    book = market.book
    empty = np.zeros(len(market.flow.slots), book.slots.dtype)
    return market._replace(
        flow=with_more_slots(market.flow),
        book=book._replace(slots=np.append(book.slots, empty)),
    )


@inlined
def write_row(
    rows: Rows, at: int, ts: int, kind: int, side: int, ticks: int, lots: int, slot: int
) -> None:
    """Row `at` of `rows`."""
    rows.ts[at] = ts
    rows.kind[at] = kind
    rows.side[at] = side
    rows.ticks[at] = ticks
    rows.lots[at] = lots
    rows.slot[at] = slot


@inlined
def happen(market: Market) -> tuple[int, int, int, int, int]:
    """Let the next event happen; returns it as `next_event` does. Needs a free slot."""
    laws, flow, book = market
    clock = flow.clock[0]
    kind, side, level, lots, slot = next_event(laws, flow, book)
    if kind != NOTHING:
        if kind == ADD:
            join(book, row_of(side), level, slot, lots, clock["n_events"])
        elif slot >= 0:
            leave(book, slot, lots)
        clock["n_events"] += 1
    follow(laws, flow, book, kind, level, slot)
    return kind, side, level, lots, slot


@kernel
def _run(market: Market, rows: Rows, until: int) -> int:
    """Let events up to `until` happen while there is room for rows and orders; returns the rows."""
    flow, book = market.flow, market.book
    clock = flow.clock[0]
    at = 0
    while at < len(rows.ts) and clock["due"] <= until and not is_full(flow):
        ts = clock["due"]
        kind, side, level, lots, slot = happen(market)
        if kind != NOTHING:
            ticks = book.level_ticks[level] if level >= 0 else 0
            write_row(rows, at, ts, kind, side, ticks, lots, slot)
            at += 1
    return at


def standing_rows(book: Book, ts: int) -> Rows:
    """The orders in a book, written as new ones at `ts`, each queue in its order."""
    rows = rows_for(int(np.count_nonzero(book.slots["lots"])))
    _write_book(book, ts, rows)
    return rows


@kernel
def _write_book(book: Book, ts: int, rows: Rows) -> None:
    at = 0
    for row in range(2):
        for level in range(len(book.level_ticks)):
            slot = book.levels[row, level]["head"]  # NOBODY where the level is empty
            while slot != NOBODY:
                order = book.slots[slot]
                ticks = book.level_ticks[level]
                write_row(rows, at, ts, ADD, 1 - 2 * row, ticks, order["lots"], slot)
                at += 1
                slot = order["next"]


@kernel
def open_market(market: Market, rows: Rows, bid: int, ask: int) -> int:
    """The book as the session opens, in its regime, written as new orders where there is room for
    any; returns how many there are."""
    laws, flow, book = market
    clock = flow.clock[0]
    clock["regime"] = first_regime(laws, flow)
    warm_up(laws, flow)
    mood = laws.regimes[clock["regime"]]
    # Distances count from the own touch or, one further, from the other side's.
    behind = 1 if laws.rates[0]["from_own"] else ask - bid
    wider = int((ask - bid) * mood["spread"]) - (ask - bid)
    bid, ask = max(bid - wider // 2, 0), min(ask + wider - wider // 2, len(book.level_ticks) - 1)
    at = 0
    for row in range(2):
        touch, step = (bid, -1) if row == 0 else (ask, 1)
        for away in range(max(1, laws.standing.shape[1] - behind + 1)):
            level = touch + step * int(away * mood["spread"])
            if not 0 <= level < len(book.level_ticks):
                break
            for _ in range(standing_orders(laws, flow, row, behind + away, away == 0)):
                lots = limit_lots(laws, flow)
                slot = next_slot(flow, row)
                join(book, row, level, slot, lots, at)
                if len(rows.ts) > 0:
                    ticks = book.level_ticks[level]
                    write_row(rows, at, clock["due"], ADD, -step, ticks, lots, slot)
                enter(flow, row)
                at += 1
        flow.reference[row] = touch
    clock["n_events"] = at
    return at
