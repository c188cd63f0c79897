"""The strategy of the replay benchmarks on our exchange.

The twin of what `peers/hftbacktest_replay.py` does there: from `first_ns` on, every `every_ns`,
while a later event remains, what is still open is cancelled, and an order to buy one lot is sent at
the best recorded bid. No latency.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.convert import Decisions
from paceline.engine import messages, replay
from paceline.engine.account import LIMIT, RESTING, new_account
from paceline.engine.queue import FillModel
from paceline.engine.replay import Floor
from paceline.engine.venue import Venue
from paceline.jit import inlined, kernel
from paceline.market.compiler import Images
from paceline.market.events import BID
from paceline.market.tape import Tape


class Reposted(NamedTuple):
    """What came of one replay."""

    decisions: int
    fills: dict[int, tuple[int, int]]
    """Number of the order -> (time at the exchange in ns, price in ticks)."""


class Reposting:
    """A tape, ready to be replayed again and again."""

    def __init__(self, tape: Tape, when: Decisions, fill_model: FillModel) -> None:
        rules = Venue(fill_model=fill_model).rules(tape.instrument, tape.session)
        account = new_account(len(tape.level_ticks), max_orders=2)
        self.images = tape.images
        self.when = when
        self.floor = Floor(tape.events, tape.new_book(), rules, account)
        most = (int(tape.events.ts[-1]) - when.first_ns) // when.every_ns + 1
        self.fills = np.zeros((most, 3), np.int64)  # order, ts, ticks

    def run(self) -> Reposted:
        """One replay of the whole tape."""
        decisions, n_fills = _repost(self.floor, self.images, *self.when, self.fills)
        if self.floor.account.clock[0]["full"]:
            raise SystemExit("repost: the account ran full, the replay is void")
        return Reposted(
            decisions, {order: (ts, ticks) for order, ts, ticks in self.fills[:n_fills].tolist()}
        )


@kernel
def _repost(
    floor: Floor, images: Images, first: int, every: int, fills: NDArray[np.int64]
) -> tuple[int, int]:
    """Run the strategy and note its fills (order, ts, ticks) in `fills`.

    Returns (decisions, fills). An account of two orders is enough: when the third is sent, the
    first is over and has been read.
    """
    account, book, last = floor.account, floor.book, floor.events.ts[-1]
    clock = account.clock[0]
    replay.seek(floor, images, floor.events.ts[0] - 1, 0)
    number, n_fills, sent = 0, 0, -1
    ts = first
    while ts < last:
        replay.advance(floor, ts)
        n_fills = _note(floor, fills, n_fills)
        if sent >= 0 and account.orders[sent]["state"] == RESTING:
            messages.cancel(floor, sent, ts)
        number += 1
        sent = -1
        if book.best[0] >= 0:
            clock["n_orders"] = number & 1
            price = book.level_ticks[book.best[0]]
            sent = messages.submit(floor, BID, LIMIT, price, 1, 0, number, ts)
        ts += every
    replay.advance(floor, last)
    return number, _note(floor, fills, n_fills)


@inlined
def _note(floor: Floor, fills: NDArray[np.int64], n_fills: int) -> int:
    """Move the account's fills to `fills`; returns how many are there now."""
    account = floor.account
    clock = account.clock[0]
    for i in range(clock["n_fills"]):
        fill = account.fills[i]
        fills[n_fills, 0] = account.orders[fill["order"]]["tag"]
        fills[n_fills, 1] = fill["ts"]
        fills[n_fills, 2] = fill["ticks"]
        n_fills += 1
    clock["n_fills"] = 0
    clock["n_told"] = 0
    return n_fills
