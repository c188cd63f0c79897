"""The exchange for people: one tape, one account, plain Python calls.

    tape = Tape.open("AMZN-2012-06-21.tape")
    exchange = Exchange(tape)
    exchange.seek(tape.session.open_ns + 30 * 60 * NS_PER_S)
    order = exchange.submit(side=+1, lots=100, price="223.80")
    exchange.advance(exchange.now + 5 * NS_PER_S)
    exchange.fills()

What the market shows is as recorded: our own orders and our footprint are not in it.
"""

from __future__ import annotations

from paceline.engine import account as acc
from paceline.engine import doors, replay
from paceline.engine.order_entry import OrderEntry
from paceline.engine.venue import Venue
from paceline.market.tape import Tape


class Exchange(OrderEntry):
    """A replayed market that we can trade in."""

    floor: replay.Floor

    def __init__(
        self, tape: Tape, venue: Venue | None = None, *, max_orders: int = 4096, seed: int = 0
    ) -> None:
        self.tape = tape
        self.instrument = tape.instrument
        self.venue = venue or Venue()
        self.seed = seed
        self.floor = replay.Floor(
            events=tape.events,
            book=tape.new_book(),
            rules=self.venue.rules(tape.instrument, tape.session),
            account=acc.new_account(
                len(tape.level_ticks), max_orders, 4 * max_orders, max_live=max_orders
            ),
        )
        self.seek(int(tape.events.ts[0]) - 1)

    def seek(self, ts: int) -> None:
        """Jump to `ts` with a fresh account."""
        doors.seek(self.floor, self.tape.images, ts, self.seed)

    def advance(self, ts: int) -> None:
        """Let everything up to and including `ts` happen."""
        self._check_time(ts)
        doors.advance(self.floor, ts)
        self._check_room()
