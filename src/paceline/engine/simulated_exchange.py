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
from paceline.engine.listener import nobody
from paceline.engine.market_settings import MarketSettings
from paceline.engine.order_entry import OrderEntry
from paceline.engine.prints import Prints, new_prints
from paceline.engine.saved import Saved
from paceline.engine.sight import lots_ahead
from paceline.engine.simulator import CHUNK, copied, new_market, open_rows, rows_for
from paceline.engine.simulator import with_more_room as roomier
from paceline.engine.venue import Venue
from paceline.errors import ExchangeError, InputError
from paceline.market.book import NOBODY
from paceline.market.events import Rows
from paceline.market.tape import Tape


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
        records: bool = False,
    ) -> None:
        """Stand before the first event of `day` (YYYY-MM-DD).

        The same `seed` makes the same market; `episode` makes an independent one of it. A market
        that begins at `begin_ns`, after the open, begins with the book that arrivals and cancels
        balance at. Of the last `max_prints` trades it is known when they were; `records` keeps all
        that happens, for `tape`. Raises `InputError` for a day, a seed or a time that is none.
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
        opening = open_rows(market, settings)
        account = acc.new_account(1, max_orders, 4 * max_orders, max_live=max_resting)
        acc.reset(account, seed)
        account.clock["now"] = account.clock["last_arrival"] = begin - 1
        self.floor = pit.Pit(
            market=market,
            book=market.book,
            rules=self.venue.rules(self.instrument, self.session),
            account=account,
            holds=np.full(max_resting, NOBODY, np.int64),
            prints=new_prints(max_prints),
            record=new_record(opening if records else None),
            listener=nobody(),
            shown=np.array([-1, len(market.book.level_ticks)], np.int64),
        )

    def advance(self, ts: int) -> None:
        """Let everything up to and including `ts` happen."""
        self._check_time(ts)
        with wrapping():
            pit.advance(self.floor, ts)
            while self.floor.account.clock[0]["full"] == pit.CROWDED:
                self.floor = with_more_room(self.floor)
                pit.advance(self.floor, ts)
        self._check_room()

    def tape(self) -> Tape:
        """What has happened so far, our orders with the rest, as a tape.

        Raises `ExchangeError` if it was not recorded.
        """
        if not len(self.floor.record.rows.ts):
            raise ExchangeError("records: is off; make the exchange with records=True")
        return Tape.compile(
            recorded(self.floor), self.instrument, self.session, made_by="paceline simulator"
        )

    def volume(self) -> int:
        """Lots that everybody has traded since the market began, ours among them."""
        return int(self.floor.prints.clock[1])

    def save(self) -> Saved[pit.Pit]:
        """A copy of the whole state, market and account, to `restore` later."""
        return Saved(copied_pit(self.floor), self._whose())

    def restore(self, saved: Saved[pit.Pit]) -> None:
        """Go back to where `saved` was; what follows is the same, bit for bit.

        Raises `ExchangeError` for a state of other settings, session or venue, and changes
        nothing.
        """
        self.floor = copied_pit(saved.state_for(self._whose()))

    def _whose(self) -> dict[str, object]:
        return {
            "other settings": self.settings,
            "another session": self.session,
            "another venue": self.venue,
        }

    def _ahead(self, order: int) -> float:
        return float(lots_ahead(self.floor, order))


def new_record(opening: Rows | None = None) -> pit.Record:
    """A record that begins with these rows; None: nothing is recorded."""
    if opening is None:
        return pit.Record(rows_for(0), np.zeros(1, np.int64))
    n = len(opening.ts)
    room = rows_for(n + CHUNK)
    for name, column in opening._asdict().items():
        getattr(room, name)[:n] = column
    return pit.Record(room, np.array([n], np.int64))


def recorded(floor: pit.Pit) -> Rows:
    """The rows of its record."""
    n = int(floor.record.n[0])
    return Rows._make(column[:n] for column in floor.record.rows)


def with_more_room(floor: pit.Pit) -> pit.Pit:
    """A crowded pit with twice the room for orders and rows; time may run on."""
    floor.account.clock[0]["full"] = 0
    market = roomier(floor.market)
    rows = floor.record.rows
    grown = Rows._make(np.append(column, np.empty_like(column)) for column in rows)
    return floor._replace(market=market, book=market.book, record=floor.record._replace(rows=grown))


def copied_pit(floor: pit.Pit) -> pit.Pit:
    """The same pit, on its own."""
    market = copied(floor.market)
    return floor._replace(
        market=market,
        book=market.book,
        account=acc.Account._make(column.copy() for column in floor.account),
        holds=floor.holds.copy(),
        prints=Prints._make(column.copy() for column in floor.prints),
        record=pit.Record(
            Rows._make(column.copy() for column in floor.record.rows), floor.record.n.copy()
        ),
        shown=floor.shown.copy(),
    )
