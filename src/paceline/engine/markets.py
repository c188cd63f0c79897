"""Thousands of simulated markets side by side, moved on in one call.

    markets = Markets(MarketSettings(), 1024, day="2026-01-05", seed=7)
    markets.advance(markets.session.open_ns + 60 * NS_PER_S)
    bid, ask = markets.touch_ticks()

Every market is a stream of its own: market `i` is the same whoever lives beside it, and how far the
others are. They share one set of laws; the rest is arrays with a leading axis, and a kernel sees
one market of them as the simulator sees its own. The memory of a market is that of its price table
(32 bytes a price) and of its orders (44 bytes for each that there is room for, and room doubles
when a market needs more); `nbytes` says how much that is.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from paceline.engine.dice import branches, new_dice, wrapping
from paceline.engine.flow_state import (
    FlowState,
    each_with_more_slots,
    is_full,
    new_flow,
    side_by_side,
)
from paceline.engine.market_settings import MarketSettings
from paceline.engine.saved import Saved
from paceline.engine.simulator import (
    Market,
    copied,
    happen,
    most_standing,
    open_market,
    rows_for,
    slots_for,
)
from paceline.errors import InputError
from paceline.jit import inlined, kernel
from paceline.market.book import Book, new_book
from paceline.market.events import Rows


class Markets:
    """`n` markets of the same settings and session."""

    def __init__(self, settings: MarketSettings, n: int, day: str, seed: int) -> None:
        """Stand before the open of `day` (YYYY-MM-DD).

        Raises `InputError` for a count, a day or a seed that is none.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise InputError(f"n: {n!r} is no count of markets; give 1 or more")
        self.settings = settings
        self.session = settings.session(day)
        laws = settings.laws()
        n_slots = slots_for(settings, laws)
        lowest, highest = settings.grid()
        ordinal = date.fromisoformat(day).toordinal()
        open_ns, at_work = self.session.open_ns, settings.metaorders.at_work
        dice = branches(new_dice(seed, ordinal), np.arange(n))
        flows = [new_flow(dice[i : i + 1], open_ns, n_slots, laws, at_work) for i in range(n)]
        book = new_book(np.arange(lowest, highest + 1, dtype=np.int64), n_slots)
        self._all = Market(
            laws=laws,
            flow=FlowState._make(np.stack(columns) for columns in zip(*flows, strict=True)),
            book=Book(
                book.level_ticks,
                *(side_by_side(column, n) for column in book[1:]),
            ),
        )

    def __len__(self) -> int:
        return len(self._all.flow.clock)

    @property
    def nbytes(self) -> int:
        """Memory of all markets together, bytes."""
        return sum(column.nbytes for group in self._all for column in group)

    def advance(self, until_ns: int) -> None:
        """Let all that happens up to and including `until_ns` happen in every market."""
        stop = min(until_ns, self.session.close_ns)
        if stop < self.session.open_ns:
            return
        with wrapping():
            if not self.n_events.any():
                self._open()
            while _run(self._all, stop) < len(self):
                self._all = _with_more_slots(self._all)

    def touch_ticks(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`[n]` best bid and best ask of every market, ticks; NaN where a side is empty."""
        ticks, best = self._all.book.level_ticks, self._all.book.best
        shown = (best >= 0) & (best < len(ticks))
        found = np.where(shown, ticks[np.clip(best, 0, len(ticks) - 1)].astype(np.float64), np.nan)
        return found[:, 0], found[:, 1]

    @property
    def n_events(self) -> NDArray[np.int64]:
        """`[n]` events that have happened in each."""
        return np.array(self._all.flow.clock["n_events"][:, 0])

    def save(self) -> Saved[Market]:
        """A copy of the whole state, to `restore` later."""
        return Saved(copied(self._all), self._whose())

    def restore(self, saved: Saved[Market]) -> None:
        """Go back to where `saved` was; what follows is the same, bit for bit.

        Raises `ExchangeError` for a state of other settings, session or number of markets; nothing
        changes then.
        """
        self._all = copied(saved.state_for(self._whose()))

    def _whose(self) -> dict[str, object]:
        return {
            "other settings": self.settings,
            "another session": self.session,
            "another number of markets": len(self),
        }

    def _open(self) -> None:
        bid, ask = self.settings.opening_ticks()
        laws, _, book = self._all
        room = rows_for(most_standing(laws))
        _open_all(self._all, room, *np.searchsorted(book.level_ticks, (bid, ask)))


def _with_more_slots(markets: Market) -> Market:
    """The same markets with twice the room for orders."""
    n, old = markets.flow.slots.shape
    book = markets.book
    return markets._replace(
        flow=each_with_more_slots(markets.flow),
        book=book._replace(
            slots=np.concatenate([book.slots, np.zeros((n, old), book.slots.dtype)], axis=1)
        ),
    )


@inlined
def _one(markets: Market, i: int) -> Market:
    """Market `i` of them, as a simulator sees its own."""
    flow, book = markets.flow, markets.book
    return Market(
        markets.laws,
        FlowState(
            flow.clock[i],
            flow.dice[i],
            flow.reference[i],
            flow.slots[i],
            flow.place[i],
            flow.base[i],
            flow.reaction[i],
            flow.felt[i],
            flow.heat[i],
            flow.warmth[i],
            flow.scale[i],
            flow.scale_then[i],
            flow.metaorders[i],
        ),
        Book(book.level_ticks, book.levels[i], book.slots[i], book.best[i], book.marks[i]),
    )


@kernel
def _open_all(markets: Market, rows: Rows, bid: int, ask: int) -> None:
    for i in range(len(markets.flow.clock)):
        open_market(_one(markets, i), rows, bid, ask)


@kernel
def _run(markets: Market, until: int) -> int:
    """Let events up to `until` happen; returns how many markets have had room for that."""
    for i in range(len(markets.flow.clock)):
        market = _one(markets, i)
        clock = market.flow.clock[0]
        while clock["due"] <= until and not is_full(market.flow):
            happen(market)
        if is_full(market.flow):
            return i
    return len(markets.flow.clock)
