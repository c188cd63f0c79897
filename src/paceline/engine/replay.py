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
    RESTING,
    SUBMIT,
    Account,
    reset,
)
from paceline.engine.footprint import lacks_more, settle, touch
from paceline.engine.matching import amend, arrive, finish, meet, withdraw
from paceline.engine.messages import next_arrival
from paceline.engine.places import book_starts_again
from paceline.engine.venue import Rules
from paceline.jit import inlined, inner, spliced
from paceline.market.book import Book, apply, join, leave_level, rank, row_of, show
from paceline.market.compiler import IMAGE_EVERY, Images, load_image
from paceline.market.events import (
    ADD,
    CLEAR,
    DELETE,
    EXECUTE,
    HALT,
    HIDDEN,
    LEVEL,
    REDUCE,
    RESUME,
    SEED,
    TRADE,
    UNSEEN,
    Events,
)

# Sets of kinds, a bit for each.
_TRADES = np.int64(1 << EXECUTE | 1 << TRADE | 1 << HIDDEN)
_CROSSING = np.int64(1 << ADD | 1 << LEVEL)  # may meet ours from the other side
_QUEUEING = np.int64(  # may move ours on in its queue
    1 << REDUCE | 1 << DELETE | 1 << LEVEL | 1 << SEED | 1 << UNSEEN
)


class Floor(NamedTuple):
    """Everything a kernel needs to trade one tape: the market's book and our account."""

    events: Events
    book: Book
    rules: Rules
    account: Account


@inner
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


@inner
def _happen(floor: Floor, kind: int, side: int, level: int, qty: int, slot: int, i: int) -> None:
    """An event of a kind that is rare."""
    if HALT <= kind <= CLEAR:
        _interrupt(floor, kind)
    apply(floor.book, kind, side, level, qty, slot, i)


@inlined
def _roll(floor: Floor, until: int) -> None:
    """Let all recorded events up to and including `until` happen."""
    events, book, account, rules = floor.events, floor.book, floor.account, floor.rules
    clock = account.clock[0]
    i = clock["cursor"]
    n = len(events.ts)
    bid_low, bid_high = clock["bid_low"], clock["bid_high"]
    ask_low, ask_high = clock["ask_low"], clock["ask_high"]
    took_bid, took_ask = clock["took"][0], clock["took"][1]
    while i < n and events.ts[np.uint64(i)] <= until:
        at = np.uint64(i)  # see `market.book` for why
        kind, side, level = events.kind[at], events.side[at], events.level[at]
        qty, slot = events.qty[at], events.slot[at]
        row = row_of(side)
        # Sides and kinds come in no order a processor could foresee: no branches until it matters.
        trades = ((_TRADES >> kind) & 1) != 0
        crosses = ((_CROSSING >> kind) & 1) != 0
        queues = ((_QUEUEING >> kind) & 1) != 0
        on_bid, on_ask = (side > 0) & (level >= 0), side < 0
        at_bid = (level <= bid_high) & (
            (on_bid & (trades | (queues & (level >= bid_low)))) | (on_ask & crosses)
        )
        at_ask = (level >= ask_low) & (
            (on_ask & (trades | (queues & (level <= ask_high)))) | (on_bid & crosses)
        )
        if at_bid | at_ask:
            clock["cursor"] = i
            meet(book, account, rules, kind, side, level, qty, slot, events.ts[at])
            bid_low, bid_high = clock["bid_low"], clock["bid_high"]
            ask_low, ask_high = clock["ask_low"], clock["ask_high"]
            took_bid, took_ask = clock["took"][0], clock["took"][1]
        if kind == ADD:
            join(book, row, level, slot, qty, i)
        elif kind <= EXECUTE:
            leave_level(book, row, level, slot, qty)
        elif kind == LEVEL:
            show(book, row, level, qty)
        elif ((_TRADES >> kind) & 1) == 0:
            _happen(floor, kind, side, level, qty, slot, i)
        if took_bid | took_ask:
            marked = took_bid ^ ((took_bid ^ took_ask) & -row)
            marked = (marked >> (level & 63)) & np.int64((side != 0) & (level >= 0))
            # Of a level without a mark nothing is asked for: in its place stands the first one.
            if lacks_more(book, account, row, level * marked) & (marked != 0):
                settle(book, account, rules, row, level, events.ts[at])
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


@inner
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


@inner
def volume_by(floor: Floor, ts: int) -> int:
    """Lots that everybody had traded by `ts` since the tape began, as recorded."""
    done = rank(floor.events.ts, ts + 1)
    return floor.events.volume[done - 1] if done > 0 else 0


@spliced
def best_level(floor: Floor, row: int) -> int:
    """Best level of a side when we last looked, our footprint left out; -1 or n_levels if there is
    none."""
    seen = floor.account.clock[0]["last_seen"]
    return touch(floor.book, floor.account, floor.rules, row, seen)
