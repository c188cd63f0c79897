"""A simulated exchange for people: one market that answers back, one account, plain Python calls.

    exchange = SimulatedExchange(MarketSettings(), day="2024-01-02", seed=7)
    exchange.advance(exchange.session.open_ns + 30 * 60 * NS_PER_S)
    order = exchange.submit(side=+1, lots=100, price="50.00")
    exchange.advance(exchange.now + 5 * NS_PER_S)
    exchange.fills()

What the market shows is its book, and our orders are in it. `Exchange` is the same on a recorded
day, which does not answer.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from paceline.engine import account as acc
from paceline.engine import pit
from paceline.engine.dice import new_dice, wrapping
from paceline.engine.market_settings import MarketSettings
from paceline.engine.order_entry import OrderEntry
from paceline.engine.simulator import copied, new_market, open_rows, with_more_room
from paceline.engine.venue import Venue
from paceline.errors import ExchangeError, InputError
from paceline.market.book import NOBODY


class SimulatedExchange(OrderEntry):
    """A simulated market that we can trade in."""

    floor: pit.Pit
    _room = "max_orders or max_resting"

    def __init__(
        self,
        settings: MarketSettings,
        day: str,
        seed: int,
        venue: Venue | None = None,
        *,
        episode: int | None = None,
        begin_ns: int | None = None,
        max_orders: int = 4096,
        max_resting: int = 64,
        max_prints: int = 1 << 14,
    ) -> None:
        """Stand before the first event of `day` (YYYY-MM-DD).

        The same `seed` makes the same market; `episode` makes an independent one of it. A market
        that begins at `begin_ns`, after the open, begins with the book that arrivals and cancels
        balance at. Of the last `max_prints` trades it is known when they were. Raises `InputError`
        for a day, a seed or a time that is none.
        """
        self.settings = settings
        self.session = settings.session(day)
        self.instrument = settings.instrument()
        self.venue = venue or Venue()
        begin = self.session.open_ns if begin_ns is None else begin_ns
        if not self.session.open_ns <= begin < self.session.close_ns:
            raise InputError(f"begin_ns: {begin} is not within the session; {self.session}")
        path = (date.fromisoformat(day).toordinal(), *(() if episode is None else (episode,)))
        market = new_market(settings, begin, new_dice(seed, *path), max_resting)
        market.flow.clock["bin_ends"] = self.session.open_ns
        open_rows(market, settings)
        account = acc.new_account(1, max_orders, 4 * max_orders, max_live=max_resting)
        acc.reset(account, seed)
        account.clock["now"] = account.clock["last_arrival"] = begin - 1
        self.floor = pit.Pit(
            market=market,
            book=market.book,
            rules=self.venue.rules(self.instrument, self.session),
            account=account,
            holds=np.full(max_resting, NOBODY, np.int64),
            prints=pit.new_prints(max_prints),
        )

    def advance(self, ts: int) -> None:
        """Let everything up to and including `ts` happen."""
        self._check_time(ts)
        clock = self.floor.account.clock
        with wrapping():
            pit.advance(self.floor, ts)
            while clock[0]["full"] == pit.CROWDED:
                clock["full"] = 0
                market = with_more_room(self.floor.market)
                self.floor = self.floor._replace(market=market, book=market.book)
                pit.advance(self.floor, ts)
        self._check_room()

    def volume(self) -> int:
        """Lots that everybody has traded since the market began, ours among them."""
        return int(self.floor.prints.clock[1])

    def save(self) -> pit.Pit:
        """A copy of the whole state, market and account, to `restore` later."""
        return _copied(self.floor)

    def restore(self, saved: pit.Pit) -> None:
        """Go back to where `saved` was; what follows is the same, bit for bit."""
        if len(saved.book.level_ticks) != len(self.floor.book.level_ticks):
            raise ExchangeError("saved: is of a market with other prices; use the same settings")
        self.floor = _copied(saved)

    def _ahead(self, order: int) -> float:
        return float(pit.lots_ahead(self.floor, order))


def _copied(floor: pit.Pit) -> pit.Pit:
    market = copied(floor.market)
    return floor._replace(
        market=market,
        book=market.book,
        account=acc.Account._make(column.copy() for column in floor.account),
        holds=floor.holds.copy(),
        prints=pit.Prints._make(column.copy() for column in floor.prints),
    )
