"""The events of a tape, as columns.

One row is one thing the venue announced. `side` is the side of the *book* that the row touches:
+1 for bids, -1 for asks. An execution of a resting bid is therefore side +1 and was started by a
seller.

| kind | book | meaning of `qty` |
|---|---|---|
| ADD | a new order joins the tail of its level | lots added |
| REDUCE | an order shrinks and keeps its place | lots cancelled |
| DELETE | an order leaves | lots cancelled (all it had left) |
| EXECUTE | a visible order trades | lots traded |
| HIDDEN | an order that was never shown trades | lots traded; the book is unchanged |
| LEVEL | a level now shows this size (books without orders) | lots at the level after the row |
| TRADE | a print (books without orders) | lots traded; a LEVEL row follows |
| CROSS | an auction trade | lots traded; nobody could have joined it |
| HALT, QUOTE, RESUME | trading stops; quoting, then trading, comes back | 0 |
| CLEAR | the book starts again from nothing | 0 |
| SEED | lots that were there before they came into view | lots; ahead of everything later |
| UNSEEN | lots that fell out of view, nobody cancelled them | lots removed |
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ADD = 1
REDUCE = 2
DELETE = 3
EXECUTE = 4
HIDDEN = 5
LEVEL = 6
TRADE = 7
CROSS = 8
HALT = 9
QUOTE = 10
RESUME = 11
CLEAR = 12
SEED = 13
UNSEEN = 14

KIND_NAMES = {
    ADD: "add", REDUCE: "reduce", DELETE: "delete", EXECUTE: "execute", HIDDEN: "hidden",
    LEVEL: "level", TRADE: "trade", CROSS: "cross", HALT: "halt", QUOTE: "quote",
    RESUME: "resume", CLEAR: "clear", SEED: "seed", UNSEEN: "unseen",
}  # fmt: skip

BID = 1
ASK = -1

NO_SLOT = -1
"""Slot of rows that name no order."""


class Rows(NamedTuple):
    """Events before they are compiled, in the order the venue announced them. All `[n_events]`."""

    ts: NDArray[np.int64]  # ns since the epoch, never decreasing
    kind: NDArray[np.uint8]
    side: NDArray[np.int8]  # +1 bid side, -1 ask side, 0 where it has no meaning
    ticks: NDArray[np.int64]  # price in book ticks; ignored for HALT, QUOTE, RESUME, CLEAR
    lots: NDArray[np.int64]
    slot: NDArray[np.int32]  # which order; slots are reused after their order is gone


class Events(NamedTuple):
    """The compiled columns of a tape. All `[n_events]`; memory-mapped and read-only."""

    ts: NDArray[np.int64]  # ns since the epoch, never decreasing
    kind: NDArray[np.uint8]
    side: NDArray[np.int8]
    level: NDArray[np.int32]  # row of the tape's price table, -1 where a price has no meaning
    qty: NDArray[np.int32]  # lots
    slot: NDArray[np.int32]
    # Derived, so that nobody has to compute them again:
    bid: NDArray[np.int32]  # level of the best bid after the row, -1 if there is none
    ask: NDArray[np.int32]  # level of the best ask after the row, n_levels if there is none
    volume: NDArray[np.int64]  # lots traded so far, this row included, auctions left out
