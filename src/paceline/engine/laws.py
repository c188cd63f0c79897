"""What a simulated flow is made of, as the tables and rates that its kernels read.

Arrivals come in six streams, `2 * what + row`: limit orders, market orders and cancels, each on the
bids (row 0) and on the asks (row 1). The row is the side of the *book* that is changed: a market
order to sell is of row 0.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.jit import inlined
from paceline.market.book import Book, worse_level

LIMIT, MARKET, CANCEL = 0, 1, 2
STREAMS = 6
STREAM_NAMES = ("limit_bid", "limit_ask", "market_bid", "market_ask", "cancel_bid", "cancel_ask")

SPREADS = 24
"""Spreads are told apart in half powers of two: 1, 1.4, 2, 2.8, 4, ... ticks and more."""

QUEUES = 17
"""Queues at the touch are told apart in half powers of two of their usual size, 1/16 to 16."""


@inlined
def queue_bucket(relative: float) -> int:
    """Which of QUEUES a queue of `relative` times the usual size is."""
    return min(max(int(2.0 * math.log2(relative) + QUEUES / 2), 0), QUEUES - 1)


@inlined
def spread_bucket(ticks: int) -> int:
    """Which of SPREADS a spread of `ticks` above 0 is."""
    return min(int(2.0 * math.log2(float(ticks))), SPREADS - 1)


LOOKS = 23
"""Where a touch stands to where it has been is told apart in powers of two of a tick: worse by 1024
and more, ..., by 1, about the same (the middle), better by 1, ..., 1024 and more."""


@inlined
def look_bucket(ticks: float) -> int:
    """Which of LOOKS a touch that is better than it has been by `ticks` is."""
    size = abs(ticks)
    if size < 1.0:
        return LOOKS // 2
    far = min(int(math.log2(size)) + 1, LOOKS // 2)
    return LOOKS // 2 + far if ticks > 0.0 else LOOKS // 2 - far


@inlined
def backing_ticks(book: Book, row: int) -> int:
    """Ticks between the best level of a side, which is shown, and the next one behind it; 0 if
    there is none."""
    best, away, n = book.best[row], 2 * row - 1, len(book.level_ticks)
    level = worse_level(book, row, best)
    if 0 <= level < n:
        return away * (book.level_ticks[level] - book.level_ticks[best])
    return 0


TEMPO_STEPS = 8
"""Speeds of the clock in one half-life."""

RATE_RECORD = np.dtype(
    [
        ("base", np.float64, STREAMS),  # arrivals per ns; of cancels, per resting order
        ("reprice", np.float64),  # jumps per ns
        ("halt", np.float64),  # per ns
        ("halt_ns", np.float64),  # mean length
        ("reduce_share", np.float64),
        ("hidden_share", np.float64),
        ("metaorder_share", np.float64),
        ("brought_pieces", np.int64),  # 1: market orders that were brought about may be pieces
        ("walk_share", np.float64),  # of market orders that take more than the touch shows
        ("usual_lots", np.float64),  # at the touch
        ("round_lot", np.int64),
        ("from_own", np.int64),  # 1: placed relative to the own best price, 0: to the other side's
        ("reacts", np.int64),  # 1: rates depend on the queues at the touch or the spread
        ("whole_ticks", np.int64),  # ticks between whole prices
        ("whole_inside", np.float64),  # share of orders there that sit on whole prices
        ("whole_behind", np.float64),
        ("again_share", np.float64),  # of limit orders soon after a cancel: the same order, moved
        ("again_ns", np.int64),  # how soon
        ("anchored", np.int64),  # 1: rates depend on where each touch has been
        ("used", np.float64, 2),  # per ns: how fast it gets used to where it is, soon and late
        ("herding", np.float64),  # of the market orders that one of ours would bring on its side
        ("heat_reacts", np.int64),  # 1: so do arrivals that others have brought about
        ("most_to_come", np.float64),  # arrivals that heat may stand for, where it reacts
        ("backed", np.int64),  # 1: rates depend on the gap behind the touch
        ("picky", np.int64),  # 1: cancels depend on the distance from the touch
        ("tempo_sd", np.float64),  # of the logarithm of the speed of the clock
        ("tempo_ns", np.int64),  # how long it keeps a speed
        ("bin_ns", np.int64),  # length of a bin of the day
    ]
)
REGIME_RECORD = np.dtype(
    [
        ("rate", np.float64, STREAMS),  # multiplies base rates; of cancels, those of one order
        ("heat", np.float64, STREAMS),  # multiplies what earlier arrivals bring about
        ("brings", np.float64, STREAMS),  # multiplies the heat that one arrival adds
        ("speed", np.float64),  # of the clock
        ("on_bids", np.float64),  # share of large orders that sell
        ("size", np.float64),  # multiplies sizes
        ("improve", np.float64),  # multiplies the share of limit orders inside the spread
        ("spread", np.float64),  # multiplies the distances between orders
        ("reprice", np.float64),  # multiplies jumps
        ("own_jumps", np.float64),  # per ns, besides
        ("drift", np.float64),  # ticks per ns
        ("pulls", np.float64),  # per ns: how often the price is brought to where drift wants it
        ("gap", np.int64),  # ticks by which the price jumps as it begins
        ("halted", np.int64),  # 1: nothing happens while it lasts
        ("leave", np.float64),  # per ns
    ]
)
SEQUENCE_RECORD = np.dtype([("regime", np.int64), ("stays", np.int64)])  # ns


class Laws(NamedTuple):
    """What the flow is made of. Nobody writes here: thousands of markets share one."""

    rates: NDArray[np.void]  # [1] of RATE_RECORD
    day: NDArray[
        np.float64
    ]  # [3, bins] multiplies limit, market and cancel arrivals in the session
    distance: NDArray[np.void]  # [reach] alias table: ticks, see `from_own`
    inside: NDArray[np.void]  # [k] alias table: ticks by which an order improves its side
    improve: NDArray[np.float64]  # [SPREADS] share of limit orders that improve, by spread
    parted: NDArray[np.float64]  # [SPREADS] of them, by a part of the gap, and not as `inside` says
    part: NDArray[np.void]  # [k] alias table: 1 to k, which of k equal parts of the gap
    patience: NDArray[np.float64]  # [k] cancels at 0, 1, ... ticks from the touch, of the most
    anchoring: NDArray[np.float64]  # [2, 3, LOOKS] the same by where the touch has been, twice
    lonely: NDArray[np.float64]  # [SPREADS] multiplies cancels at the touch by the gap behind it
    limit_size: NDArray[np.void]  # [sizes] alias table: lots
    market_size: NDArray[np.void]  # [sizes] alias table: lots
    standing: NDArray[np.float64]  # [2, reach] orders at each distance when the session opens
    decay: NDArray[np.float64]  # [m] per ns
    warm: NDArray[np.float64]  # [bins, m, STREAMS] heat per ns that is there on average
    excites: NDArray[np.float64]  # [m, STREAMS, STREAMS] heat per ns that one arrival adds
    brings: NDArray[np.float64]  # [m, STREAMS] their sum over what is brought
    reaction: NDArray[np.float64]  # [3, QUEUES] multiplies limit, market and cancel arrivals
    tension: NDArray[np.float64]  # [3, SPREADS] the same by spread
    backing: NDArray[np.float64]  # [3, SPREADS] the same by the gap behind the touch
    length: NDArray[np.void]  # [k] alias table: child orders of a metaorder
    reprice: NDArray[np.void]  # [k] alias table: ticks of a jump
    regimes: NDArray[np.void]  # [r] of REGIME_RECORD
    leads: NDArray[np.float64]  # [r, r] cumulative share of the regimes that follow
    sequence: NDArray[np.void]  # [k] of SEQUENCE_RECORD; if there is one, nothing is left to chance
