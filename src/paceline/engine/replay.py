"""Replay: a tape as the source of events, and the clock that runs both worlds.

Recorded events and our own messages are merged by time. At equal times the recorded events go
first and ours last: nobody trades on a book older than his order. `advance` is the only thing that
moves time.
"""

from __future__ import annotations

from typing import NamedTuple

from paceline.engine.account import (
    ABOUT,
    ARRIVES_TS,
    ASK_HIGH,
    ASK_LOW,
    BID_HIGH,
    BID_LOW,
    CANCEL,
    CANCELLED,
    CURSOR,
    DONE_TS,
    EXPIRED,
    EXPIRES_TS,
    FULL,
    IN_FLIGHT,
    INBOX_HEAD,
    INBOX_TAIL,
    LAST_ARRIVAL,
    LAST_SEEN,
    LEFT,
    LOTS,
    MESSAGE,
    N_LIVE,
    N_ORDERS,
    NEVER,
    NEW_LOTS,
    NEW_TICKS,
    NEXT_EXPIRY,
    NOW,
    REPLACE,
    RESTING,
    SENT_TS,
    SIDE,
    STATE,
    STOPPED,
    SUBMIT,
    TAG,
    TICKS,
    TOLD_TS,
    TOOK,
    TTL_NS,
    TYPE,
    Account,
    draw,
    reset,
)
from paceline.engine.footprint import settle, touch
from paceline.engine.matching import amend, arrive, finish, meet, withdraw
from paceline.engine.venue import Rules
from paceline.jit import inlined, inner, kernel
from paceline.market.book import Book, apply, rank, row_of
from paceline.market.compiler import IMAGE_EVERY, Images, load_image
from paceline.market.events import (
    ADD,
    EXECUTE,
    HALT,
    HIDDEN,
    LEVEL,
    RESUME,
    SEED,
    TRADE,
    Events,
)


class Floor(NamedTuple):
    """Everything a kernel needs to trade one tape: the market's book and our account."""

    events: Events
    images: Images
    book: Book
    rules: Rules
    account: Account


@kernel
def seek(floor: Floor, ts: int, seed: int) -> None:
    """Stand at `ts`, all events up to and including `ts` done, with a fresh account."""
    events, book, account = floor.events, floor.book, floor.account
    reset(account, seed)
    stop = rank(events.ts, ts + 1)
    image = min(stop // IMAGE_EVERY, len(floor.images.halted) - 1)
    load_image(book, floor.images, image)
    stopped = int(floor.images.halted[image])
    for i in range(image * IMAGE_EVERY, stop):
        kind = events.kind[i]
        apply(book, kind, events.side[i], events.level[i], events.qty[i], events.slot[i], i)
        if kind == HALT:
            stopped = 1
        elif kind == RESUME:
            stopped = 0
    clock = account.clock
    clock[CURSOR] = stop
    clock[STOPPED] = stopped
    clock[NOW] = ts
    clock[LAST_ARRIVAL] = ts
    clock[LAST_SEEN] = 0


@inner
def _roll(floor: Floor, until: int) -> None:
    """Let all recorded events up to and including `until` happen."""
    events, book, account, rules = floor.events, floor.book, floor.account, floor.rules
    clock = account.clock
    i = clock[CURSOR]
    n = len(events.ts)
    bid_low, bid_high = clock[BID_LOW], clock[BID_HIGH]
    ask_low, ask_high = clock[ASK_LOW], clock[ASK_HIGH]
    took = clock[TOOK]
    while i < n and events.ts[i] <= until:
        kind, side, level = events.kind[i], events.side[i], events.level[i]
        qty, slot = events.qty[i], events.slot[i]
        trades = kind == EXECUTE or kind == TRADE or kind == HIDDEN
        arrives = kind == ADD or kind == LEVEL or kind == SEED
        if side > 0:
            concerns = (level <= bid_high and (trades or level >= bid_low)) or (
                arrives and level >= ask_low
            )
        else:
            concerns = (level >= ask_low and (trades or level <= ask_high)) or (
                arrives and level <= bid_high
            )
        if concerns and level >= 0:
            clock[CURSOR] = i
            meet(book, account, rules, kind, side, level, qty, slot, events.ts[i])
            bid_low, bid_high = clock[BID_LOW], clock[BID_HIGH]
            ask_low, ask_high = clock[ASK_LOW], clock[ASK_HIGH]
            took = clock[TOOK]
        apply(book, kind, side, level, qty, slot, i)
        if took != 0 and level >= 0 and account.taken[row_of(side), level] > 0.0:
            settle(book, account, rules, row_of(side), level, events.ts[i])
        if kind == HALT:
            clock[STOPPED] = 1
        elif kind == RESUME:
            clock[STOPPED] = 0
        i += 1
    clock[CURSOR] = i


@inner
def _deliver(floor: Floor, ts: int) -> None:
    """Hand over the messages that have arrived by `ts`, and let expired orders go."""
    book, account, rules = floor.book, floor.account, floor.rules
    clock, inbox = account.clock, account.inbox
    while clock[INBOX_HEAD] < clock[INBOX_TAIL]:
        message = inbox[clock[INBOX_HEAD] % len(inbox)]
        if message[ARRIVES_TS] > ts:
            break
        clock[INBOX_HEAD] += 1
        k = message[ABOUT]
        if message[MESSAGE] == SUBMIT:
            arrive(book, account, rules, k, message[ARRIVES_TS])
        elif account.orders[k, STATE] == RESTING:
            if message[MESSAGE] == CANCEL:
                withdraw(book, account, k)
                finish(account, rules, k, CANCELLED, message[ARRIVES_TS])
            else:
                amend(
                    book,
                    account,
                    rules,
                    k,
                    message[NEW_TICKS],
                    message[NEW_LOTS],
                    message[ARRIVES_TS],
                )
        # Too late for an order that is already over: the fill has won the race.
    while clock[NEXT_EXPIRY] <= ts:
        for i in range(clock[N_LIVE]):
            k = account.live[i]
            if account.orders[k, EXPIRES_TS] <= ts:
                withdraw(book, account, k)
                finish(account, rules, k, EXPIRED, account.orders[k, EXPIRES_TS])
                break


@inlined
def next_arrival(account: Account) -> int:
    """When the next message of ours reaches the exchange; NEVER if none is on its way."""
    head = account.clock[INBOX_HEAD]
    if head == account.clock[INBOX_TAIL]:
        return NEVER
    return int(account.inbox[head % len(account.inbox), ARRIVES_TS])


@kernel
def advance(floor: Floor, until: int) -> None:
    """Let everything up to and including `until` happen, in order of time."""
    account = floor.account
    while True:
        own = min(next_arrival(account), account.clock[NEXT_EXPIRY])
        if own > until:
            break
        _roll(floor, own)
        # Rolling may have filled an order that was about to expire.
        _deliver(floor, own)
    _roll(floor, until)
    account.clock[NOW] = max(account.clock[NOW], until)


@inner
def _post(floor: Floor, message: int, k: int, ticks: int, lots: int, ts: int) -> bool:
    """Send a message at `ts`; messages of one connection do not overtake one another."""
    account = floor.account
    clock, inbox = account.clock, account.inbox
    if clock[INBOX_TAIL] - clock[INBOX_HEAD] == len(inbox):
        clock[FULL] = 1
        return False
    arrives = max(ts + draw(account, floor.rules.submit_ns), clock[LAST_ARRIVAL])
    clock[LAST_ARRIVAL] = arrives
    row = inbox[clock[INBOX_TAIL] % len(inbox)]
    row[ARRIVES_TS] = arrives
    row[MESSAGE] = message
    row[ABOUT] = k
    row[NEW_TICKS] = ticks
    row[NEW_LOTS] = lots
    clock[INBOX_TAIL] += 1
    return True


@kernel
def submit(
    floor: Floor, side: int, type_: int, ticks: int, lots: int, ttl_ns: int, tag: int, ts: int
) -> int:
    """Send a child order at `ts`; returns its number, or -1 if the account is full.

    `ttl_ns` 0 means until cancelled. `ts` must not lie before what the exchange has done.
    """
    account = floor.account
    clock = account.clock
    k = clock[N_ORDERS]
    if k == len(account.orders):
        clock[FULL] = 1
        return -1
    order = account.orders[k]
    order[:] = 0
    order[SIDE] = side
    order[TYPE] = type_
    order[TICKS] = ticks
    order[LOTS] = lots
    order[LEFT] = lots
    order[STATE] = IN_FLIGHT
    order[SENT_TS] = ts
    order[EXPIRES_TS] = NEVER
    order[DONE_TS] = NEVER
    order[TOLD_TS] = NEVER
    order[TTL_NS] = ttl_ns
    order[TAG] = tag
    account.ahead[k] = 0.0
    if not _post(floor, SUBMIT, k, ticks, lots, ts):
        return -1
    clock[N_ORDERS] = k + 1
    return int(k)


@kernel
def cancel(floor: Floor, k: int, ts: int) -> bool:
    """Ask at `ts` to cancel order `k`. A fill may win the race."""
    return _post(floor, CANCEL, k, 0, 0, ts)


@kernel
def replace(floor: Floor, k: int, ticks: int, lots: int, ts: int) -> bool:
    """Ask at `ts` to give order `k` a new price and a new *total* size, in one step.

    The exchange never has both the old and the new order, so nothing can fill twice.
    """
    return _post(floor, REPLACE, k, ticks, lots, ts)


@kernel
def look(floor: Floor, ts: int) -> tuple[int, int]:
    """What we see of the market at `ts`: (best bid level, best ask level), our footprint left out.

    Time runs on to `ts` less the delay of market data, and no further. Levels are -1 and n_levels
    where a side shows nothing.
    """
    account, rules = floor.account, floor.rules
    seen = max(ts - draw(account, rules.market_ns), account.clock[LAST_SEEN])
    account.clock[LAST_SEEN] = seen
    advance(floor, seen)
    return (
        touch(floor.book, account, rules, 0, seen),
        touch(floor.book, account, rules, 1, seen),
    )
