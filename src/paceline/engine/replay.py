"""Replay: a tape as the source of events, and the clock that runs both worlds.

Recorded events and our own messages are merged by time. At equal times the recorded events go
first and ours last: nobody trades on a book older than his order. `advance` is the only thing that
moves time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from paceline.engine.account import (
    CANCEL,
    CANCELLED,
    EXPIRED,
    IN_FLIGHT,
    NEVER,
    NO_REASON,
    REPLACE,
    RESTING,
    SUBMIT,
    Account,
    draw,
    reset,
)
from paceline.engine.footprint import settle, touch
from paceline.engine.matching import amend, arrive, finish, meet, withdraw
from paceline.engine.places import book_starts_again
from paceline.engine.venue import Rules
from paceline.jit import inlined, inner, kernel, spliced
from paceline.market.book import Book, apply, rank, row_of
from paceline.market.compiler import IMAGE_EVERY, Images, load_image
from paceline.market.events import (
    ADD,
    CLEAR,
    EXECUTE,
    HALT,
    HIDDEN,
    LEVEL,
    RESUME,
    SEED,
    TRADE,
    Events,
)

# Sets of kinds, a bit for each.
_TRADES = np.int64(1 << EXECUTE | 1 << TRADE | 1 << HIDDEN)
_ARRIVALS = np.int64(1 << ADD | 1 << LEVEL | 1 << SEED)


class Floor(NamedTuple):
    """Everything a kernel needs to trade one tape: the market's book and our account."""

    events: Events
    book: Book
    rules: Rules
    account: Account


@kernel
def seek(floor: Floor, images: Images, ts: int, seed: int) -> None:
    """Stand at `ts`, all events up to and including `ts` done, with a fresh account."""
    events, book, account = floor.events, floor.book, floor.account
    reset(account, seed)
    stop = rank(events.ts, ts + 1)
    image = min(stop // IMAGE_EVERY, len(images.halted) - 1)
    load_image(book, images, image)
    stopped = int(images.halted[image])
    for i in range(image * IMAGE_EVERY, stop):
        kind = events.kind[i]
        apply(book, kind, events.side[i], events.level[i], events.qty[i], events.slot[i], i)
        if kind == HALT:
            stopped = 1
        elif kind == RESUME:
            stopped = 0
    clock = account.clock[0]
    clock["cursor"] = stop
    clock["stopped"] = stopped
    clock["now"] = ts
    clock["last_arrival"] = ts
    clock["last_seen"] = 0


@inner
def _interrupt(floor: Floor, kind: int) -> None:
    """Trading stops or comes back, or the book is about to start again."""
    if kind == HALT:
        floor.account.clock[0]["stopped"] = 1
    elif kind == RESUME:
        floor.account.clock[0]["stopped"] = 0
    elif kind == CLEAR:
        book_starts_again(floor.book, floor.account)


@inlined
def _roll(floor: Floor, until: int) -> None:
    """Let all recorded events up to and including `until` happen."""
    events, book, account, rules = floor.events, floor.book, floor.account, floor.rules
    clock = account.clock[0]
    i = clock["cursor"]
    n = len(events.ts)
    bid_low, bid_high = clock["bid_low"], clock["bid_high"]
    ask_low, ask_high = clock["ask_low"], clock["ask_high"]
    took = clock["took"]
    while i < n and events.ts[np.uint64(i)] <= until:
        at = np.uint64(i)  # see `market.book` for why
        kind, side, level = events.kind[at], events.side[at], events.level[at]
        qty, slot = events.qty[at], events.slot[at]
        # Sides and kinds come in no order a processor could foresee: no branches until it matters.
        trades = ((_TRADES >> kind) & 1) != 0
        arrives = ((_ARRIVALS >> kind) & 1) != 0
        on_bid, on_ask = (side > 0) & (level >= 0), side < 0
        at_bid = (level <= bid_high) & (
            (on_bid & (trades | (level >= bid_low))) | (on_ask & arrives)
        )
        at_ask = (level >= ask_low) & (
            (on_ask & (trades | (level <= ask_high))) | (on_bid & arrives)
        )
        if at_bid | at_ask:
            clock["cursor"] = i
            meet(book, account, rules, kind, side, level, qty, slot, events.ts[at])
            bid_low, bid_high = clock["bid_low"], clock["bid_high"]
            ask_low, ask_high = clock["ask_low"], clock["ask_high"]
            took = clock["took"]
        if (kind >= HALT) & (kind <= CLEAR):
            _interrupt(floor, kind)
        apply(book, kind, side, level, qty, slot, i)
        touched = took != 0 and level >= 0 and side != 0
        if touched and account.taken[row_of(side), level]["lots"] > 0.0:
            settle(book, account, rules, row_of(side), level, events.ts[at])
        i += 1
    clock["cursor"] = i


@inlined
def _deliver(floor: Floor, ts: int) -> None:
    """Hand over the messages that have arrived by `ts`, and let expired orders go."""
    book, account, rules = floor.book, floor.account, floor.rules
    clock = account.clock[0]
    while next_arrival(account) <= ts:
        message = account.inbox[clock["inbox_head"] & (len(account.inbox) - 1)]
        clock["inbox_head"] += 1
        k, when = message["order"], message["arrives_ts"]
        arrives = message["kind"] == SUBMIT
        # A fill may have won the race: nothing is left to cancel or to replace then.
        if not arrives and account.orders[k]["state"] == RESTING:
            if message["kind"] == CANCEL:
                withdraw(book, account, k)
                finish(account, rules, k, CANCELLED, when)
            else:
                arrives = amend(
                    book,
                    account,
                    rules,
                    k,
                    message["type"],
                    message["ticks"],
                    message["lots"],
                    when,
                )
        if arrives:
            arrive(book, account, rules, k, when)
    while clock["next_expiry"] <= ts:
        for i in range(clock["n_live"]):
            k = account.live[i]
            if account.orders[k]["expires_ts"] <= ts:
                withdraw(book, account, k)
                finish(account, rules, k, EXPIRED, account.orders[k]["expires_ts"])
                break


@inlined
def next_arrival(account: Account) -> int:
    """When the next message of ours reaches the exchange; NEVER if none is on its way."""
    clock = account.clock[0]
    if clock["inbox_head"] == clock["inbox_tail"]:
        return NEVER
    return int(account.inbox[clock["inbox_head"] & (len(account.inbox) - 1)]["arrives_ts"])


@kernel
def advance(floor: Floor, until: int) -> None:
    """Let everything up to and including `until` happen, in order of time."""
    account = floor.account
    clock = account.clock[0]
    own = until
    while own <= until:
        own = min(next_arrival(account), clock["next_expiry"])
        _roll(floor, min(own, until))
        if own <= until:
            # Rolling may have filled an order that was about to expire: nothing is due then.
            _deliver(floor, own)
    clock["now"] = max(clock["now"], until)


@inlined
def _send(floor: Floor, kind: int, k: int, type_: int, ticks: int, lots: int, ts: int) -> bool:
    """Send a message at `ts`; messages of one connection do not overtake one another."""
    account = floor.account
    clock = account.clock[0]
    if clock["inbox_tail"] - clock["inbox_head"] == len(account.inbox):
        clock["full"] = 1
        return False
    arrives = max(ts + draw(account, floor.rules.submit_ns), clock["last_arrival"])
    clock["last_arrival"] = arrives
    message = account.inbox[clock["inbox_tail"] & (len(account.inbox) - 1)]
    message["arrives_ts"] = arrives
    message["kind"] = kind
    message["order"] = k
    message["type"] = type_
    message["ticks"] = ticks
    message["lots"] = lots
    clock["inbox_tail"] += 1
    return True


@kernel
def submit(
    floor: Floor, side: int, type_: int, ticks: int, lots: int, ttl_ns: int, tag: int, ts: int
) -> int:
    """Send a child order at `ts`; returns its number, or -1 if the account is full.

    `ttl_ns` 0 means for the session. `ts` must not lie before what the exchange has done.
    """
    account = floor.account
    clock = account.clock[0]
    k = clock["n_orders"]
    if k == len(account.orders):
        clock["full"] = 1
        return -1
    order = account.orders[k]
    order["side"] = side
    order["type"] = type_
    order["ticks"] = ticks
    order["lots"] = lots
    order["left"] = lots
    order["state"] = IN_FLIGHT
    order["reason"] = NO_REASON
    order["level"] = 0
    order["ahead"] = 0.0
    order["seq"] = 0
    order["printed"] = 0
    order["sent_ts"] = ts
    order["arrived_ts"] = 0
    order["first_ts"] = 0
    order["first_type"] = type_
    order["first_ticks"] = ticks
    order["asked_type"] = type_
    order["asked_ticks"] = ticks
    order["ttl_ns"] = ttl_ns
    order["expires_ts"] = NEVER
    order["done_ts"] = NEVER
    order["told_ts"] = NEVER
    order["told_filled"] = 0
    order["tag"] = tag
    if not _send(floor, SUBMIT, k, type_, ticks, lots, ts):
        return -1
    clock["n_orders"] = k + 1
    return int(k)


@kernel
def cancel(floor: Floor, k: int, ts: int) -> bool:
    """Ask at `ts` to cancel order `k`. A fill may win the race."""
    return _send(floor, CANCEL, k, 0, 0, 0, ts)


@kernel
def replace(floor: Floor, k: int, type_: int, ticks: int, lots: int, ts: int) -> bool:
    """Ask at `ts` to give order `k` a new type, price and *total* size, in one step.

    The exchange never has both the old and the new order, so nothing can fill twice.
    """
    order = floor.account.orders[k]
    order["asked_type"] = type_
    order["asked_ticks"] = ticks
    return _send(floor, REPLACE, k, type_, ticks, lots, ts)


@spliced
def look(floor: Floor, ts: int) -> tuple[int, int]:
    """What we see of the market at `ts`: (best bid level, best ask level), our footprint left out.

    Time runs on to `ts` less the delay of market data, and no further. Levels are -1 and n_levels
    where a side shows nothing.
    """
    account, rules = floor.account, floor.rules
    seen = max(ts - draw(account, rules.market_ns), account.clock[0]["last_seen"])
    account.clock[0]["last_seen"] = seen
    advance(floor, seen)
    return (
        touch(floor.book, account, rules, 0, seen),
        touch(floor.book, account, rules, 1, seen),
    )
