"""Our side of the exchange: child orders, fills, and messages on their way.

One `Account` belongs to one worker of orders (an episode, a parent order, an agent). It is a
record of arrays with fixed room, so that thousands of them can lie side by side, be saved and be
restored bit for bit. When room runs out the account says so (`full`) and refuses; nothing is lost
in silence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine.dice import DICE_RECORD, GOLDEN, below
from paceline.errors import CapacityError
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
SELF_TRADE = 7  # it rested, and another order of ours would have traded with it

ORDER_RECORD = np.dtype(
    [
        ("side", np.int64),  # +1 buy, -1 sell
        ("type", np.int64),
        ("ticks", np.int64),
        ("lots", np.int64),  # total, filled lots included
        ("left", np.int64),
        ("state", np.int64),
        ("reason", np.int64),
        ("level", np.int64),  # first level of the price table at or above its price, once it rests
        ("ahead", np.float64),  # lots in front of ours
        ("seq", np.int64),  # orders of the tape with a smaller number are in front of ours
        ("printed", np.int64),  # L2: lots printed at our price since the level was last shown
        ("sent_ts", np.int64),
        ("arrived_ts", np.int64),  # when it last reached the exchange; 0 before
        ("first_ts", np.int64),  # when it first reached the exchange, and as what
        ("first_type", np.int64),
        ("first_ticks", np.int64),
        ("asked_type", np.int64),  # what we last asked it to be; it may be on its way still
        ("asked_ticks", np.int64),
        ("ttl_ns", np.int64),  # 0: for the session
        (
            "expires_ts",
            np.int64,
        ),  # the close, or sooner with a time to live; NEVER before it arrives
        ("done_ts", np.int64),  # when it was over; NEVER before
        ("told_ts", np.int64),  # when we learn that; NEVER before
        ("told_filled", np.int64),  # lots we know to be filled
        ("tag", np.int64),  # the caller's own mark, e.g. the slice
    ]
)
FILL_RECORD = np.dtype(
    [
        ("order", np.int64),
        ("ts", np.int64),
        ("ticks", np.int64),
        ("lots", np.int64),
        ("maker", np.int64),  # 1: our order rested, 0: it took
        # 1: the market's volume counts it: a recorded trade that was with us instead of with whom
        # it was, or any trade where the market answers
        ("displaced", np.int64),
        ("told_ts", np.int64),  # when we hear of it
        ("event", np.int64),  # how many events of the tape had happened
        ("shift", np.float64),  # ticks that our own impact moved the price against us
        # twice the mid as it stood, without our own orders; UNKNOWN where a side had none, and on
        # a tape, which has the mid of any time
        ("twice_mid", np.int64),
    ]
)
MESSAGE_RECORD = np.dtype(
    [
        ("arrives_ts", np.int64),
        ("kind", np.int64),
        ("order", np.int64),
        ("type", np.int64),
        ("ticks", np.int64),
        ("lots", np.int64),
    ]
)
SUBMIT = 0
CANCEL = 1
REPLACE = 2

CLOCK_RECORD = np.dtype(
    [
        ("now", np.int64),
        ("cursor", np.int64),  # events of the tape that have happened
        ("stopped", np.int64),  # 1 while trading is halted
        ("full", np.int64),  # 1: room ran out, results are void
        ("n_orders", np.int64),
        ("n_live", np.int64),
        ("n_fills", np.int64),
        ("n_told", np.int64),  # fills we know of
        ("told_lots", np.int64),  # lots in them
        ("told_displaced", np.int64),  # of them, those that the market's volume counts
        ("aged", np.int64),  # of those we know of, fills that lie before the participation window
        ("aged_lots", np.int64),  # lots in them
        ("aged_displaced", np.int64),
        ("maker_lots", np.int64),  # lots of ours that traded while resting
        ("displaced_lots", np.int64),  # lots of ours that the market's volume counts
        ("inbox_head", np.int64),
        ("inbox_tail", np.int64),
        ("last_arrival", np.int64),  # messages of one connection arrive as they were sent
        ("last_told", np.int64),
        ("last_seen", np.int64),
        ("next_expiry", np.int64),
        ("bid_low", np.int64),  # levels our resting orders make interesting, see matching.watch
        ("bid_high", np.int64),
        ("ask_low", np.int64),
        ("ask_high", np.int64),
        ("took", np.int64, 2),  # marks of levels that we took from, see `footprint.has_taken`
        ("transient", np.float64),  # impact we have made, in ticks, at pressure_ts
        ("permanent", np.float64),
        ("pressure_ts", np.int64),
    ]
)
TAKEN_RECORD = np.dtype(
    [
        ("lots", np.float64),  # lots we took that had not come back
        ("ts", np.int64),  # when that was so
    ]
)

SLOW_RECORD = np.dtype(
    [
        ("from_ts", np.int64),
        ("until_ts", np.int64),
        ("ns", np.int64, 3),  # added to delays on each line
        ("stale", np.int64),  # 1: market data stands still
    ]
)
SUBMIT_LINE, ANSWER_LINE, MARKET_LINE = 0, 1, 2
"""Our messages to the exchange, its answers, market data."""

NEVER: int = np.iinfo(np.int64).max


class Account(NamedTuple):
    """Child orders and fills of one worker."""

    clock: NDArray[np.void]  # [1] of CLOCK_RECORD
    orders: NDArray[np.void]  # [max_orders] of ORDER_RECORD
    live: NDArray[np.int64]  # [max_live] resting orders: bids, then offers; best and earliest first
    fills: NDArray[np.void]  # [max_fills] of FILL_RECORD
    inbox: NDArray[np.void]  # [a power of two] of MESSAGE_RECORD, a ring of messages on their way
    taken: NDArray[np.void]  # [2, n_levels or more] of TAKEN_RECORD, our footprint
    dice: NDArray[np.void]  # [1] of DICE_RECORD, draws delays


def new_account(
    n_levels: int, max_orders: int = 256, max_fills: int = 1024, max_live: int = 64
) -> Account:
    """An account with fixed room; see `full` in its clock."""
    account = Account(
        clock=np.zeros(1, CLOCK_RECORD),
        orders=np.zeros(max_orders, ORDER_RECORD),
        live=np.zeros(max_live, np.int64),
        fills=np.zeros(max_fills, FILL_RECORD),
        inbox=np.zeros(1 << (max_live - 1).bit_length(), MESSAGE_RECORD),
        taken=np.zeros((2, n_levels), TAKEN_RECORD),
        dice=np.zeros(1, DICE_RECORD),
    )
    reset(account, 0)
    return account


@inlined
def account_of(accounts: Account, i: int) -> Account:
    """Account `i` of many side by side."""
    return Account(
        accounts.clock[i],
        accounts.orders[i],
        accounts.live[i],
        accounts.fills[i],
        accounts.inbox[i],
        accounts.taken[i],
        accounts.dice[i],
    )


_FRESH = np.zeros(1, CLOCK_RECORD)
_FRESH["next_expiry"] = _FRESH["bid_low"] = _FRESH["ask_low"] = NEVER
_FRESH["bid_high"] = _FRESH["ask_high"] = -1


@kernel
def reset(account: Account, seed: int) -> None:
    """Forget everything; `seed` starts the latency generator."""
    clock = account.clock[0]
    for row in range(account.taken.shape[0]):
        if clock["took"][row] != 0:
            for level in range(account.taken.shape[1]):
                if (clock["took"][row] >> (level % 64)) & 1:
                    account.taken[row, level]["lots"] = 0.0
    account.clock[0] = _FRESH[0]
    account.dice[0]["state"] = seed
    account.dice[0]["gamma"] = GOLDEN


@inlined
def draw(account: Account, table: NDArray[np.int64]) -> int:
    """One of the equally likely delays."""
    return table[below(account.dice, len(table))] if len(table) > 1 else table[0]


@inlined
def slowed(slow: NDArray[np.void], line: int, ts: int) -> int:
    """What spells of slow lines add to a delay on `line` at `ts`, ns."""
    ns = 0
    for i in range(len(slow)):
        spell = slow[i]
        if spell["from_ts"] <= ts < spell["until_ts"]:
            ns += spell["ns"][line]
            if line == MARKET_LINE and spell["stale"]:
                ns = max(ns, ts - spell["from_ts"])
    return ns


@inlined
def told_at(account: Account, table: NDArray[np.int64], slow: NDArray[np.void], ts: int) -> int:
    """When we hear of what happened at `ts`; answers do not overtake one another."""
    told = ts + draw(account, table) + slowed(slow, ANSWER_LINE, ts)
    told = max(told, account.clock[0]["last_told"])
    account.clock[0]["last_told"] = told
    return told


@kernel
def learn(account: Account, ts: int) -> None:
    """Take note of the fills we have been told of by `ts`."""
    clock = account.clock[0]
    at = clock["n_told"]
    while at < clock["n_fills"] and account.fills[at]["told_ts"] <= ts:
        fill = account.fills[at]
        account.orders[fill["order"]]["told_filled"] += fill["lots"]
        clock["told_lots"] += fill["lots"]
        clock["told_displaced"] += fill["lots"] * fill["displaced"]
        at += 1
    clock["n_told"] = at


@inlined
def open_lots(account: Account, order: int, ts: int) -> int:
    """Lots of `order` that, for all we know at `ts`, may still trade. Call `learn` first."""
    row = account.orders[order]
    if row["told_ts"] <= ts:
        return 0
    return row["lots"] - row["told_filled"]


def check_room(accounts: Account) -> None:
    """Raises `CapacityError` where one of many accounts side by side had no room left."""
    full = np.flatnonzero(accounts.clock["full"][:, 0])
    if not len(full):
        return
    clock = accounts.clock[full[0], 0]
    what = "larger max_orders"
    if clock["n_fills"] == accounts.fills.shape[1]:
        what = "larger max_fills"
    elif clock["n_orders"] < accounts.orders.shape[1]:
        what = "larger child_max: too many orders were under way at a time"
    raise CapacityError(f"account: full; make the environment with a {what}")
