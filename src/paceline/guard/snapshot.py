"""All that rules look at, of one parent order at one time.

Three hands write a row: who sees the market and the schedule writes the first part, who watches
the desk the second, and `counting.observe` the last. What is not known is MISSING, and blocks the
rule that needs it. A row of zeros lets nothing pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MISSING = -(2**62)
"""An input that is not known. It blocks."""
NO_OFFER = 2**62
"""`own_ask_ticks` when no order of ours offers; `own_bid_ticks` is 0 when none bids."""
RECENT = 8
"""Orders sent last that a duplicate is looked for among. More than that in the time in which they
count, and every order is taken for one."""

RUNNING, REDUCE_ONLY, HALT, CANCEL_ALL = 1, 2, 3, 4
"""Modes of the kill switch, by strictness; anything else halts."""

SNAPSHOT_RECORD = np.dtype(
    [
        ("now_ts", np.int64),  # time of the market, not of a wall clock
        ("bid_ticks", np.int64),
        ("ask_ticks", np.int64),
        ("data_ts", np.int64),  # of the market data that bid and ask are from
        ("reference_half_ticks", np.int64, 3),  # arrival, last, close; a mid lies on a half
        ("period_half_ticks", np.int64),  # mid at `now_ts - move_window_ns`
        ("others_lots", np.int64),  # traded without us in the window, as seen
        ("volatility_ppm", np.int64),  # of the price, per square root of a minute
        ("target_lots", np.int64),  # that the schedule wants left now
        # The desk. 1: known to be so; anything else: not.
        ("unrestricted", np.int64),  # the symbol is on no restricted list
        ("trading", np.int64),  # the market is open and not halted
        ("venue_up", np.int64),
        ("quiet", np.int64),  # no news that makes us passive
        ("short_sales", np.int64),  # short sales are allowed
        ("located_lots", np.int64),  # that may be sold short; UNLIMITED: no locate is needed
        ("latency_ns", np.int64),  # to the venue and back, as measured
        ("kill_mode", np.int64),
        # What we sent and got.
        ("side", np.int64),  # +1 buy, -1 sell
        ("start_ts", np.int64),  # the horizon of the parent order
        ("end_ts", np.int64),
        ("parent_lots", np.int64),  # its quantity
        ("inventory_lots", np.int64),  # of it, not filled yet
        ("working_lots", np.int64),  # of it, in the book or on the way there
        ("filled_lots", np.int64),  # of it, in the participation window
        ("messages", np.int64),  # in its life
        ("cancels", np.int64),
        ("symbol_working_lots", np.int64),  # over all parents of the symbol, both sides
        ("symbol_side_lots", np.int64),  # on the side of this one
        ("symbol_orders", np.int64),  # working
        ("symbol_filled_lots", np.int64),  # in the participation window
        ("symbol_messages", np.int64),  # in the window of rates
        ("symbol_cancels", np.int64),
        ("position_lots", np.int64),  # in the account, short is negative
        ("own_bid_ticks", np.int64),  # best price that we bid; what we replace may be either price
        ("own_ask_ticks", np.int64),
        ("executions", np.int64),  # of its policy, in their window: orders that did, or still may
        ("may_repeat", np.int64),  # 1: the policy was not stopped, or a person let it go on
        ("counted_ts", np.int64),  # of the last message, or the last fill we heard of
        ("recent_ts", np.int64, RECENT),  # orders that were sent last
        ("recent_ticks", np.int64, RECENT),  # times their side
        ("recent_lots", np.int64, RECENT),
    ]
)


def blank_snapshots(n: int) -> NDArray[np.void]:
    """`[n]` of SNAPSHOT_RECORD in which everything is missing."""
    snapshots = np.zeros(n, SNAPSHOT_RECORD)
    for field in SNAPSHOT_RECORD.names or ():
        snapshots[field] = MISSING
    return snapshots
