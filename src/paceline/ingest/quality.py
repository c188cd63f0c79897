"""What is checked at ingest, what happens to a row that fails, and when a day is refused.

No row is dropped in silence. A row that fails a check is either *left out* or *kept in another
form*; both are listed in the tape's quarantine table with the row's number, its text, the reason
and what became of it. So every raw row is accounted for: it is in the tape as it stands, or it is
in the table.

| finding | what became of the row |
|---|---|
| unparsable, unknown_kind, bad_size, size_too_large, bad_price, bad_side, off_tick | left out |
| too_fine | left out: it has more digits than 64 bits hold |
| time_outside_day | left out |
| time_backwards | left out: the fewest rows that must go for time to run forward |
| time_moved | kept, at the time of the row before (feeds whose sequence is known) |
| unknown_order | left out: it cancels an order from before the recording |
| unknown_order_executed | kept as HIDDEN: lots traded, but not in the book we could see |
| unknown_order_modified | kept as ADD: the order is known from here on |
| over_execution, over_cancel | kept, clipped to what the order had |
| size_differs | kept: the order leaves whole, though the row gave a smaller size |
| duplicate_order, other_price, other_side | left out: they contradict the book |
| no_market_trade | left out: a transfer that the feed reports like a trade (`ingest.binance`) |
| auction_execution | kept: the order leaves, or an auction trade (`ingest.auctions`) |
| far_print | kept as an auction trade: it fills nothing and is no volume (`ingest.doubtful`) |

The other findings describe the day and touch no row: `repeated_row`, `crossed_book` and
`locked_book` (after the warm-up), `crossed_in_warmup`, `crossed_in_call`, `gap`, `late_start`,
`hidden_side_masked` (the sides of hidden executions are not believed, `ingest.doubtful`), `halt`,
`outside_session`, `short_session`, `negative_depth` and what a format adds.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from paceline.errors import ConfigError

OK = 0
UNPARSABLE = 1
UNKNOWN_KIND = 2
TIME_BACKWARDS = 3
TIME_OUTSIDE_DAY = 4
BAD_SIZE = 5
SIZE_TOO_LARGE = 6
BAD_PRICE = 7
BAD_SIDE = 8
OFF_TICK = 9
UNKNOWN_ORDER = 10
DUPLICATE_ORDER = 11
OTHER_PRICE = 12
OTHER_SIDE = 13
STALE = 14
SEQUENCE_GAP = 15
NO_MARKET_TRADE = 16
TOO_FINE = 24
# Kept in another form:
KEPT_FROM = 32
UNKNOWN_EXECUTED = 32
UNKNOWN_MODIFIED = 33
OVER_EXECUTION = 34
OVER_CANCEL = 35
SIZE_DIFFERS = 36
TIME_MOVED = 37
AUCTION_EXECUTION = 38
FAR_PRINT = 39

AS_ANNOUNCED = (OK, NO_MARKET_TRADE, AUCTION_EXECUTION)
"""Codes of rows that are as they should be: they speak against no file."""

OF_THE_ROW = (
    UNPARSABLE, UNKNOWN_KIND, TIME_BACKWARDS, TIME_OUTSIDE_DAY, BAD_SIZE, SIZE_TOO_LARGE, BAD_PRICE,
    BAD_SIDE, OFF_TICK, TOO_FINE,
)  # fmt: skip
"""Codes of faults that a row has on its own; the others come from what other rows say."""


class Check(NamedTuple):
    """One way in which a row can fail."""

    name: str
    reason: str
    kept: str
    """What the row became; empty if it was left out."""


CHECKS: dict[int, Check] = {
    UNPARSABLE: Check("unparsable", "cannot be read as a row of this format", ""),
    UNKNOWN_KIND: Check("unknown_kind", "is of a kind this format does not have", ""),
    TIME_BACKWARDS: Check("time_backwards", "is out of order in time", ""),
    TIME_OUTSIDE_DAY: Check("time_outside_day", "has a time that is not of this day", ""),
    BAD_SIZE: Check("bad_size", "has a size that is not positive or no whole lots", ""),
    SIZE_TOO_LARGE: Check("size_too_large", "has a size that does not fit 32 bits", ""),
    BAD_PRICE: Check("bad_price", "has a price that no order can have (such as 0 or less)", ""),
    BAD_SIDE: Check("bad_side", "has a side that is neither bid nor ask", ""),
    OFF_TICK: Check("off_tick", "has a price off the book tick", ""),
    TOO_FINE: Check("too_fine", "has a number with more digits than can be held", ""),
    UNKNOWN_ORDER: Check("unknown_order", "names an order that was never added", ""),
    DUPLICATE_ORDER: Check("duplicate_order", "adds an order that is in the book already", ""),
    OTHER_PRICE: Check("other_price", "names another price than its order's", ""),
    OTHER_SIDE: Check("other_side", "names another side than its order's", ""),
    STALE: Check("stale", "is older than the book it would change", ""),
    SEQUENCE_GAP: Check("sequence_gap", "follows a gap in the feed's sequence", "after a clear"),
    UNKNOWN_EXECUTED: Check(
        "unknown_order_executed", "executes an order that was never added", "hidden execution"
    ),
    UNKNOWN_MODIFIED: Check(
        "unknown_order_modified", "modifies an order that was never added", "new order"
    ),
    OVER_EXECUTION: Check(
        "over_execution", "executes more than the order has", "clipped to what the order had"
    ),
    OVER_CANCEL: Check(
        "over_cancel", "cancels more than the order has", "clipped to what the order had"
    ),
    SIZE_DIFFERS: Check(
        "size_differs", "deletes an order but names a smaller size", "order left whole"
    ),
    TIME_MOVED: Check(
        "time_moved", "is earlier than the row before it", "at the time of the row before"
    ),
    NO_MARKET_TRADE: Check("no_market_trade", "is no trade of the market", ""),
    AUCTION_EXECUTION: Check(
        "auction_execution", "executes in an auction or a halt", "outside the continuous market"
    ),
    FAR_PRINT: Check("far_print", "trades far from the market", "outside the continuous market"),
}
"""By code. Codes from `KEPT_FROM` on, and SEQUENCE_GAP, keep the row."""

LEFT_OUT = {check.name for check in CHECKS.values() if not check.kept}
"""Names of the checks whose rows are not in the tape."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a finding is a finding, and when a day is refused."""

    max_bad_share: float = 0.05
    """Largest share of rows that may end in the quarantine table before the day is refused."""
    max_crossed_share: float = 0.05
    """Largest share of events after the warm-up with a crossed book."""
    max_mismatch_share: float = 0.01
    """Largest share of rows whose book may differ from the orderbook file, or the tickers."""
    gap_s: float = 300.0
    """A silence longer than this, in seconds, is a gap."""
    short_s: float = 600.0
    """A recording that ends this long before the announced close, in seconds, is short."""
    far_print_share: float = 0.005
    """A print farther than this share of the mid beyond every touch of its second is set aside, if
    it is also beyond `far_print_spreads`."""
    far_print_spreads: float = 5.0
    """The same in multiples of the spread, so that a wide market may print far."""
    settle_s: float = 60.0
    """The book must show both sides, uncrossed, this long, in seconds, to end the warm-up."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not value >= 0:
                raise ConfigError(f"limits.{name}: {value!r} is not zero or more")
