"""A simulated market that we trade in: our orders are orders in its book.

They wait in its queues, take its liquidity and excite its flow, and the flow sees them as it sees
all others: it places itself by them, reacts to the queues and the spread that they make, and takes
those that are first. What that does to the price is nobody's formula; it emerges. The venue's
explicit impact (`engine.footprint`) can be switched on beside it.

Our orders have the first slots of the book, and the flow has the others. Events of the market and
messages of ours are merged by time as in replay: at one instant the market goes first.

Until an order of ours arrives, the market is what it would be without us, event by event. What
comes then is drawn anew: what had been drawn knew nothing of the order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.engine.account import (
    ACCOUNT_FULL,
    CANCEL,
    CANCELLED,
    EXPIRED,
    MARKET,
    OUTSIDE_BAND,
    RESTING,
    SELF_TRADE,
    SUBMIT,
    Account,
    reset,
)
from paceline.engine.arrivals import brought_by_one, excite, step_in, wait
from paceline.engine.flow_state import NOTHING, FlowState, free, is_full, is_ours
from paceline.engine.laws import CANCEL as CANCELS
from paceline.engine.laws import LIMIT as LIMITS
from paceline.engine.laws import MARKET as TAKERS
from paceline.engine.laws import Laws
from paceline.engine.listener import Listener, listens, overhear
from paceline.engine.matching import (
    admit,
    amend,
    drop_filled,
    fill,
    finish,
    may_rest,
    refuse_rest,
    rest,
    withdraw,
)
from paceline.engine.messages import next_arrival
from paceline.engine.prints import Prints, take_down, traded_by
from paceline.engine.simulator import Market, happen, write_row
from paceline.engine.venue import Rules
from paceline.jit import inlined, inner, kernel
from paceline.market.book import NOBODY, Book, is_shown, join, leave, row_of, worse_level
from paceline.market.events import (
    ADD,
    DELETE,
    EXECUTE,
    HALT,
    HIDDEN,
    REDUCE,
    RESUME,
    Rows,
)
from paceline.market.watch import UNKNOWN

CROWDED = 2
"""In the account's `full`: the market has no slot for one more order, or its record no room for
what may come. Nothing is lost: with more room, and `full` 0, time runs on. Only who listens, and
has no room for what he may not hear yet, has to begin again."""


class Record(NamedTuple):
    """What happened, ours with the rest, as rows of a tape."""

    rows: Rows  # no room: nothing is written
    n: NDArray[np.int64]  # [1] rows written


class Pit(NamedTuple):
    """Everything a kernel needs to trade in a simulated market."""

    market: Market
    book: Book  # the market's
    rules: Rules
    account: Account
    holds: NDArray[np.int64]  # [n_own] which order of ours is in each of our slots, or NOBODY
    prints: Prints
    record: Record
    listener: Listener
    shown: NDArray[np.int64]  # [2] best levels that the last look showed


@kernel
def enter(pit: Pit, ts: int, seed: int) -> None:
    """Run to `ts`, all events up to and including `ts` done, with a fresh account.

    None of our orders may be in the book; `seed` starts the latency generator.
    """
    account, flow = pit.account, pit.market.flow
    reset(account, seed)
    account.clock[0]["stopped"] = flow.clock[0]["halted"] != 0
    account.clock[0]["last_seen"] = ts
    advance(pit, ts)
    account.clock[0]["last_arrival"] = ts


@inlined
def own_lots(pit: Pit, row: int, level: int) -> int:
    """Lots of our own orders at a level."""
    account, lots = pit.account, 0
    for i in range(account.clock[0]["n_live"]):
        order = account.orders[account.live[i]]
        if row_of(order["side"]) == row and order["level"] == level:
            lots += order["left"]
    return lots


@inlined
def best_level(pit: Pit, row: int) -> int:
    """Best level of a side with orders that are not ours; -1 or n_levels if there is none."""
    book = pit.book
    level, n = book.best[row], len(book.level_ticks)
    while 0 <= level < n:
        if book.levels[row, level]["lots"] > own_lots(pit, row, level):
            break
        level = worse_level(book, row, level)
    return int(level)


@inlined
def goes_on(pit: Pit) -> bool:
    """Whether the market stands further on than what we see of it."""
    return pit.account.clock[0]["now"] > pit.account.clock[0]["last_seen"]


@inlined
def shown_level(pit: Pit, row: int) -> int:
    """Best level of a side when we last looked, our own orders left out; -1 or n_levels if there is
    none."""
    if not goes_on(pit):
        pit.shown[row] = best_level(pit, row)
    return pit.shown[row]


@kernel
def advance(pit: Pit, until: int) -> None:
    """Let everything up to and including `until` happen, in order of time.

    It stops early where the market is `CROWDED`.
    """
    account = pit.account
    clock = account.clock[0]
    own = until
    while own <= until:
        own = min(next_arrival(account), clock["next_expiry"])
        _roll(pit, min(own, until))
        if own <= until and not _can_write(pit, _most_rows(pit)):
            clock["full"] = CROWDED
        if clock["full"] == CROWDED:
            return
        if own <= until:
            # Rolling may have filled an order that was about to expire: nothing is due then.
            _deliver(pit, own)
    clock["now"] = max(clock["now"], until)


@inlined
def _roll(pit: Pit, until: int) -> None:
    """Let all events of the market up to and including `until` happen; it ends with the session."""
    flow, account = pit.market.flow, pit.account
    stop = min(until, pit.rules.close_ns)
    while flow.clock[0]["due"] <= stop:
        if is_full(flow) or not _can_write(pit, 1):
            account.clock[0]["full"] = CROWDED
            return
        ts = flow.clock[0]["due"]
        kind, side, level, lots, slot = happen(pit.market)
        if kind == EXECUTE or kind == HIDDEN:
            take_down(pit.prints, lots, ts)
            if kind == EXECUTE and is_ours(flow, slot):
                _hit(pit, slot, level, lots, ts)
        elif kind == HALT:
            account.clock[0]["stopped"] = 1
        elif kind == RESUME:
            account.clock[0]["stopped"] = 0
        if kind != NOTHING:
            _write(pit, ts, kind, side, level, lots, slot)
            if account.clock[0]["full"] == CROWDED:
                return


@inlined
def _can_write(pit: Pit, n: int) -> bool:
    room = len(pit.record.rows.ts)
    return room == 0 or pit.record.n[0] + n <= room


@inlined
def _most_rows(pit: Pit) -> int:
    """Rows that messages of one instant can make: each takes or leaves, and rests."""
    flow = pit.market.flow.clock[0]
    return flow["n_bids"] + flow["n_asks"] + len(pit.holds) + 2 * len(pit.account.inbox)


@inlined
def _write(pit: Pit, ts: int, kind: int, side: int, level: int, lots: int, slot: int) -> None:
    """A row has happened."""
    rows, at = pit.record.rows, pit.record.n[0]
    if len(rows.ts) > 0:
        ticks = pit.book.level_ticks[level] if level >= 0 else 0
        write_row(rows, at, ts, kind, side, ticks, lots, slot)
        pit.record.n[0] = at + 1
    if listens(pit.listener):
        ticks = pit.book.level_ticks[level] if level >= 0 else UNKNOWN
        seen, bid, ask = pit.account.clock[0]["last_seen"], ticks_of(pit, 0), ticks_of(pit, 1)
        if not overhear(pit.listener, seen, ts, kind, side, ticks, lots, bid, ask):
            pit.account.clock[0]["full"] = CROWDED


@inlined
def ticks_of(pit: Pit, row: int) -> int:
    """Best price of a side, our own orders left out."""
    level = best_level(pit, row)
    return pit.book.level_ticks[level] if 0 <= level < len(pit.book.level_ticks) else UNKNOWN


@kernel
def volume_by(pit: Pit, ts: int) -> int:
    """Lots that everybody had traded by `ts`, ours among them; see `traded_by`."""
    return traded_by(pit.prints, ts)


@inner
def _hit(pit: Pit, slot: int, level: int, lots: int, ts: int) -> None:
    """An order of ours that was first in its queue was taken."""
    k = pit.holds[slot]
    pit.account.clock[0]["cursor"] = pit.market.flow.clock[0]["n_events"]
    fill(pit.account, pit.rules, k, pit.book.level_ticks[level], lots, True, True, ts)
    if pit.account.orders[k]["left"] == 0:
        pit.holds[slot] = NOBODY
        drop_filled(pit.book, pit.account)


@inner
def _deliver(pit: Pit, ts: int) -> None:
    """Hand over the messages that have arrived by `ts`, and let expired orders go."""
    account, rules = pit.account, pit.rules
    laws, flow, book = pit.market
    clock = account.clock[0]
    clock["cursor"] = flow.clock[0]["n_events"]
    step_in(laws, flow, ts)
    while next_arrival(account) <= ts:
        message = account.inbox[clock["inbox_head"] & (len(account.inbox) - 1)]
        clock["inbox_head"] += 1
        k, when = message["order"], message["arrives_ts"]
        if message["kind"] == SUBMIT:
            _arrive(pit, k, when)
        elif account.orders[k]["state"] != RESTING:
            continue  # a fill has won the race
        elif message["kind"] == CANCEL:
            _leave(pit, k, when)
            finish(account, rules, k, CANCELLED, when)
        else:
            _amend(pit, k, message["type"], message["ticks"], message["lots"], when)
    while clock["next_expiry"] <= ts:
        for i in range(clock["n_live"]):
            k = account.live[i]
            if account.orders[k]["expires_ts"] <= ts:
                _leave(pit, k, ts)
                finish(account, rules, k, EXPIRED, account.orders[k]["expires_ts"])
                break
    wait(laws, flow, book)


@inner
def _arrive(pit: Pit, k: int, ts: int) -> None:
    """Order `k` reaches the exchange: it takes what it may, and rests if it may."""
    account, rules = pit.account, pit.rules
    if not admit(account, rules, k, ts):
        return
    _take(pit, k, ts)
    if may_rest(account, rules, k, ts):
        _rest(pit, k, ts)


@inner
def _take(pit: Pit, k: int, ts: int) -> None:
    """Order `k` takes order after order of the other side, best first, as far as its price goes.

    An order of ours that it would trade with is cancelled.
    """
    account, book = pit.account, pit.book
    laws, flow, _ = pit.market
    order = account.orders[k]
    side = order["side"]
    row = row_of(-side)
    took = False
    while order["left"] > 0 and is_shown(book, row) and account.clock[0]["full"] == 0:
        level = book.best[row]
        ticks = book.level_ticks[level]
        if order["type"] != MARKET and side * (ticks - order["ticks"]) > 0:
            break
        slot = book.levels[row, level]["head"]
        if is_ours(flow, slot):
            other = pit.holds[slot]
            _leave(pit, other, ts)
            account.orders[other]["reason"] = SELF_TRADE
            finish(account, pit.rules, other, CANCELLED, ts)
            continue
        lots = min(order["left"], book.slots[slot]["lots"])
        leave(book, slot, lots)
        if book.slots[slot]["lots"] == 0:
            free(flow, slot, row)
        _remember(pit, row, level)
        take_down(pit.prints, lots, ts)
        fill(account, pit.rules, k, ticks, lots, False, True, ts)
        _write(pit, ts, EXECUTE, -side, level, lots, slot)
        took = True
    if took:
        share = _excite(pit, 2 * TAKERS + row)
        _alone(laws, flow, row, share)


@inlined
def _excite(pit: Pit, stream: int) -> float:
    """What we did brings others about; where the market has become busier, less, as any arrival
    does, and where it has become quieter, no more. Returns how much of what it usually does."""
    laws, flow, _ = pit.market
    share = min(brought_by_one(laws, flow, stream), 1.0)
    excite(laws, flow, stream, share)
    return share


@inlined
def _alone(laws: Laws, flow: FlowState, row: int, share: float) -> None:
    """Part of the market orders that a market order brings are further pieces of the same large
    order. Ours are not among them: we send our own."""
    stream = 2 * TAKERS + row
    for m in range(len(flow.scale)):
        own = share * (1.0 - laws.rates[0]["herding"]) * laws.excites[m, stream, stream]
        own /= flow.scale[m]
        flow.heat[m, stream] -= own
        flow.warmth[m] -= own


@inner
def _rest(pit: Pit, k: int, ts: int) -> None:
    """What is left of order `k` joins the queue at its price."""
    account, book, flow = pit.account, pit.book, pit.market.flow
    order = account.orders[k]
    level = order["ticks"] - book.level_ticks[0]  # every tick has its level
    # The last ones stay free: the other side must be able to stand beyond.
    if not 0 < level < len(book.level_ticks) - 1:
        refuse_rest(account, pit.rules, k, OUTSIDE_BAND, ts)
        return
    if not rest(book, account, k):
        refuse_rest(account, pit.rules, k, ACCOUNT_FULL, ts)
        return
    row, slot = row_of(order["side"]), slot_of(pit, NOBODY)
    pit.holds[slot] = k
    join(book, row, level, slot, order["left"], flow.clock[0]["n_events"])
    _write(pit, ts, ADD, order["side"], level, order["left"], slot)
    _excite(pit, 2 * LIMITS + row)


@inner
def slot_of(pit: Pit, k: int) -> int:
    """The slot of order `k`; -1 if it has none."""
    for slot in range(len(pit.holds)):
        if pit.holds[slot] == k:
            return slot
    return -1


@inner
def _leave(pit: Pit, k: int, ts: int) -> None:
    """Order `k` leaves its queue."""
    withdraw(pit.book, pit.account, k)
    _shrink(pit, slot_of(pit, k), 0, ts)


@inner
def _shrink(pit: Pit, slot: int, lots: int, ts: int) -> None:
    """The order in `slot` is cancelled down to `lots`."""
    book = pit.book
    order = book.slots[slot]
    row, level = order["row"], order["level"]
    if lots < order["lots"]:
        kind, gone = DELETE if lots == 0 else REDUCE, order["lots"] - lots
        leave(book, slot, gone)
        _write(pit, ts, kind, 1 - 2 * row, level, gone, slot)
        _excite(pit, 2 * CANCELS + row)
    if lots == 0:
        pit.holds[slot] = NOBODY
        _remember(pit, row, level)


@inner
def _remember(pit: Pit, row: int, level: int) -> None:
    """If a side has run empty, the other is placed from its last best level."""
    if not is_shown(pit.book, row):
        pit.market.flow.reference[row] = level


@inner
def _amend(pit: Pit, k: int, type_: int, ticks: int, lots: int, ts: int) -> None:
    """Order `k` is replaced; it keeps its place only if it shrinks."""
    slot = slot_of(pit, k)
    again = amend(pit.book, pit.account, pit.rules, k, type_, ticks, lots, ts)
    _shrink(pit, slot, 0 if again else pit.account.orders[k]["left"], ts)
    if again:
        _arrive(pit, k, ts)
