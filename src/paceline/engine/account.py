"""Our side of the exchange: child orders, fills, and messages on their way.

One `Account` belongs to one worker of orders (an episode, a parent order, an agent). It is a
record of arrays with fixed room, so that thousands of them can lie side by side, be saved and be
restored bit for bit. When room runs out the account says so (`FULL`) and refuses; nothing is lost
in silence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.jit import inlined, kernel

# Child order types.
LIMIT = 0
MARKETABLE = 1  # a limit order meant to take; what it cannot take rests
IOC = 2  # takes what it can at once, the rest is cancelled
MARKET = 3  # takes level after level of the visible book; only to end a horizon

# States of a child order at the exchange.
IN_FLIGHT = 0
RESTING = 1
FILLED = 2
CANCELLED = 3
REJECTED = 4
EXPIRED = 5

# Why an order was rejected.
NO_REASON = 0
HALTED = 1
OUTSIDE_BAND = 2
OUTSIDE_SESSION = 3
OFF_TICK = 4
NOT_POSITIVE = 5
ACCOUNT_FULL = 6

# Columns of `Account.orders`.
SIDE = 0
TYPE = 1
TICKS = 2
LOTS = 3
LEFT = 4
STATE = 5
REASON = 6
SENT_TS = 7
ARRIVED_TS = 8  # when it last took its place in the book or took liquidity; -1 before
EXPIRES_TS = 9
DONE_TS = 10  # when it left the book; NEVER before
TOLD_TS = 11  # when we learn that; NEVER before
SEQ = 12  # orders of the tape with a smaller sequence number are in front of ours
PRINTED = 13  # L2: lots printed at our price since the level was last shown
TOLD_FILLED = 14  # lots we know to be filled
TTL_NS = 15
TAG = 16  # the caller's own mark, e.g. the slice
ORDER_COLUMNS = 17

# Columns of `Account.fills`.
ORDER = 0
FILL_TS = 1
FILL_TICKS = 2
FILL_LOTS = 3
MAKER = 4
FILL_TOLD_TS = 5
FILL_EVENT = 6  # how many events of the tape had happened
FILL_COLUMNS = 7

# Columns of `Account.inbox`: messages on their way to the exchange.
ARRIVES_TS = 0
MESSAGE = 1
ABOUT = 2
NEW_TICKS = 3
NEW_LOTS = 4
INBOX_COLUMNS = 5
SUBMIT = 0
CANCEL = 1
REPLACE = 2

# Entries of `Account.clock`.
NOW = 0
CURSOR = 1  # events of the tape that have happened
STOPPED = 2  # 1 while trading is halted
N_ORDERS = 3
N_FILLS = 4
N_LIVE = 5
INBOX_HEAD = 6
INBOX_TAIL = 7
LAST_ARRIVAL = 8  # messages of one connection arrive in the order they were sent
LAST_TOLD = 9
LAST_SEEN = 10
DICE = 11  # state of the latency generator
FULL = 12  # 1: room ran out, results are void
N_TOLD = 13  # fills we know of
BID_LOW = 14  # levels our resting bids and offers make interesting, see matching.watch
BID_HIGH = 15
ASK_LOW = 16
ASK_HIGH = 17
TOOK = 18  # 1: we took liquidity, so the footprint must be read
NEXT_EXPIRY = 19
MAKER_LOTS = 20  # lots of ours that traded passively
CLOCKS = 21

# Entries of `Account.pressure`: the impact we have made so far, in ticks.
TRANSIENT = 0
PERMANENT = 1

NEVER: int = np.iinfo(np.int64).max


class Account(NamedTuple):
    """Child orders and fills of one worker."""

    orders: NDArray[np.int64]  # [max_orders, ORDER_COLUMNS]
    ahead: NDArray[np.float64]  # [max_orders] lots in front of ours
    live: NDArray[np.int64]  # [max_live] resting orders, best price and earliest first, by side
    fills: NDArray[np.int64]  # [max_fills, FILL_COLUMNS]
    shift: NDArray[np.float64]  # [max_fills] ticks that our own impact moved the price against us
    inbox: NDArray[np.int64]  # [max_messages, INBOX_COLUMNS], a ring
    clock: NDArray[np.int64]  # [CLOCKS]
    pressure: NDArray[np.float64]  # [2] and its time is clock-free: see footprint.py
    taken: NDArray[np.float64]  # [2, n_levels] lots we took that have not come back
    taken_ts: NDArray[np.int64]  # [2, n_levels] when that was true


def new_account(
    n_levels: int, max_orders: int = 256, max_fills: int = 1024, max_live: int = 64
) -> Account:
    """An account with fixed room; see `FULL`."""
    account = Account(
        orders=np.zeros((max_orders, ORDER_COLUMNS), np.int64),
        ahead=np.zeros(max_orders, np.float64),
        live=np.zeros(max_live, np.int64),
        fills=np.zeros((max_fills, FILL_COLUMNS), np.int64),
        shift=np.zeros(max_fills, np.float64),
        inbox=np.zeros((max_live, INBOX_COLUMNS), np.int64),
        clock=np.zeros(CLOCKS, np.int64),
        pressure=np.zeros(3, np.float64),
        taken=np.zeros((2, n_levels), np.float64),
        taken_ts=np.zeros((2, n_levels), np.int64),
    )
    reset(account, 0)
    return account


@kernel
def reset(account: Account, seed: int) -> None:
    """Forget everything; `seed` starts the latency generator."""
    clock = account.clock
    if clock[TOOK] != 0:
        account.taken[:, :] = 0.0
    clock[:] = 0
    clock[DICE] = seed
    clock[NEXT_EXPIRY] = NEVER
    clock[BID_LOW] = NEVER
    clock[BID_HIGH] = -1
    clock[ASK_LOW] = NEVER
    clock[ASK_HIGH] = -1
    account.pressure[:] = 0.0


@inlined
def draw(account: Account, table: NDArray[np.int64]) -> int:
    """One of the equally likely delays (splitmix64, Steele et al. 2014)."""
    n = len(table)
    if n == 1:
        return table[0]
    state = np.uint64(account.clock[DICE]) + np.uint64(0x9E3779B97F4A7C15)
    account.clock[DICE] = np.int64(state)
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return table[np.int64((z >> np.uint64(33)) % np.uint64(n))]


@inlined
def told_at(account: Account, table: NDArray[np.int64], ts: int) -> int:
    """When we hear of what happened at `ts`; answers do not overtake one another."""
    told = max(ts + draw(account, table), account.clock[LAST_TOLD])
    account.clock[LAST_TOLD] = told
    return told


@kernel
def learn(account: Account, ts: int) -> None:
    """Take note of the fills we have been told of by `ts`."""
    clock = account.clock
    at = clock[N_TOLD]
    while at < clock[N_FILLS] and account.fills[at, FILL_TOLD_TS] <= ts:
        account.orders[account.fills[at, ORDER], TOLD_FILLED] += account.fills[at, FILL_LOTS]
        at += 1
    clock[N_TOLD] = at


@inlined
def open_lots(account: Account, order: int, ts: int) -> int:
    """Lots of `order` that, for all we know at `ts`, may still trade. Call `learn` first."""
    row = account.orders[order]
    if row[TOLD_TS] <= ts:
        return 0
    return row[LOTS] - row[TOLD_FILLED]
