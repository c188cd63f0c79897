"""Matching with price-time priority: our orders against the market's, and the other way round.

The market's book is as it was announced; our resting orders stand in its queues by sequence
number, and what we took is missing from it (footprint.py). Three things can happen:

* `arrive`: an order of ours reaches the exchange, takes what it may, and rests if it may;
* `meet`: an event of the market would have hit an order of ours, and does;
* `withdraw`: an order of ours leaves (cancel, expiry).
"""

from __future__ import annotations

import math

from paceline.engine.account import (
    ACCOUNT_FULL,
    ARRIVED_TS,
    ASK_HIGH,
    ASK_LOW,
    BID_HIGH,
    BID_LOW,
    CURSOR,
    DONE_TS,
    EXPIRES_TS,
    FILL_EVENT,
    FILL_LOTS,
    FILL_TICKS,
    FILL_TOLD_TS,
    FILL_TS,
    FILLED,
    FULL,
    HALTED,
    IOC,
    LEFT,
    LOTS,
    MAKER,
    MAKER_LOTS,
    MARKET,
    N_FILLS,
    N_LIVE,
    NEVER,
    NEXT_EXPIRY,
    NO_REASON,
    NOT_POSITIVE,
    OFF_TICK,
    ORDER,
    OUTSIDE_BAND,
    OUTSIDE_SESSION,
    PRINTED,
    REASON,
    REJECTED,
    RESTING,
    SEQ,
    SIDE,
    STATE,
    STOPPED,
    TICKS,
    TOLD_TS,
    TTL_NS,
    TYPE,
    Account,
    told_at,
)
from paceline.engine.account import CANCELLED as CANCELLED
from paceline.engine.footprint import available, press, take
from paceline.engine.queue import PESSIMISTIC, after_level_drop, after_order_cancel
from paceline.engine.venue import Rules
from paceline.jit import inlined, inner
from paceline.market.book import Book, rank, row_of
from paceline.market.events import ADD, DELETE, EXECUTE, HIDDEN, LEVEL, REDUCE, SEED, TRADE


@inner
def watch(book: Book, account: Account) -> None:
    """Note which levels our resting orders make interesting, so that other events pass by fast.

    Bids: trades at or below BID_HIGH may hit us, cancels from BID_LOW to BID_HIGH may move us on,
    offers at or below BID_HIGH cross us. Offers: mirrored.
    """
    clock = account.clock
    clock[BID_LOW], clock[BID_HIGH] = NEVER, -1
    clock[ASK_LOW], clock[ASK_HIGH] = NEVER, -1
    expiry = NEVER
    for i in range(clock[N_LIVE]):
        order = account.orders[account.live[i]]
        at_or_above = rank(book.level_ticks, order[TICKS])
        at_or_below = rank(book.level_ticks, order[TICKS] + 1) - 1
        if order[SIDE] > 0:
            clock[BID_LOW] = min(clock[BID_LOW], at_or_above)
            clock[BID_HIGH] = max(clock[BID_HIGH], at_or_below)
        else:
            clock[ASK_LOW] = min(clock[ASK_LOW], at_or_above)
            clock[ASK_HIGH] = max(clock[ASK_HIGH], at_or_below)
        expiry = min(expiry, order[EXPIRES_TS])
    clock[NEXT_EXPIRY] = expiry


@inlined
def finish(account: Account, rules: Rules, k: int, state: int, ts: int) -> None:
    """Order `k` is over."""
    order = account.orders[k]
    order[STATE] = state
    order[DONE_TS] = ts
    order[TOLD_TS] = told_at(account, rules.ack_ns, ts)


@inner
def withdraw(book: Book, account: Account, k: int) -> None:
    """Take order `k` out of the resting ones."""
    clock = account.clock
    n = clock[N_LIVE]
    at = 0
    while at < n and account.live[at] != k:
        at += 1
    if at == n:
        return
    for i in range(at, n - 1):
        account.live[i] = account.live[i + 1]
    clock[N_LIVE] = n - 1
    watch(book, account)


@inner
def rest(book: Book, account: Account, k: int) -> bool:
    """Order `k` takes its place: bids before offers, best price first, then time.

    False if there is no room.
    """
    clock = account.clock
    n = clock[N_LIVE]
    if n == len(account.live):
        clock[FULL] = 1
        return False
    order = account.orders[k]
    side, eager = order[SIDE], order[SIDE] * order[TICKS]
    at = n
    while at > 0:
        other = account.orders[account.live[at - 1]]
        in_front = other[SIDE] > side or (
            other[SIDE] == side and other[SIDE] * other[TICKS] >= eager
        )
        if in_front:
            break
        account.live[at] = account.live[at - 1]
        at -= 1
    account.live[at] = k
    clock[N_LIVE] = n + 1
    order[STATE] = RESTING
    order[SEQ] = clock[CURSOR]
    order[PRINTED] = 0
    row = row_of(side)
    level = rank(book.level_ticks, order[TICKS])
    shown = level < len(book.level_ticks) and book.level_ticks[level] == order[TICKS]
    account.ahead[k] = book.lots[row, level] if shown else 0
    watch(book, account)
    return True


@inner
def fill(
    account: Account, rules: Rules, k: int, ticks: int, lots: int, maker: bool, ts: int
) -> None:
    """Order `k` trades `lots` at `ticks`."""
    clock = account.clock
    at = clock[N_FILLS]
    if at == len(account.fills):
        clock[FULL] = 1
        return
    order = account.orders[k]
    order[LEFT] -= lots
    row = account.fills[at]
    row[ORDER] = k
    row[FILL_TS] = ts
    row[FILL_TICKS] = ticks
    row[FILL_LOTS] = lots
    row[MAKER] = maker
    row[FILL_TOLD_TS] = told_at(account, rules.ack_ns, ts)
    row[FILL_EVENT] = clock[CURSOR]
    account.shift[at] = press(account, rules, lots, ts)
    clock[N_FILLS] = at + 1
    if maker:
        clock[MAKER_LOTS] += lots
    if order[LEFT] == 0:
        order[STATE] = FILLED
        order[DONE_TS] = ts
        order[TOLD_TS] = row[FILL_TOLD_TS]


@inner
def aggress(book: Book, account: Account, rules: Rules, k: int, ts: int) -> None:
    """Order `k` takes the other side's levels, best first, as far as its price allows."""
    order = account.orders[k]
    side = order[SIDE]
    row = 1 if side > 0 else 0
    step = 1 if side > 0 else -1
    n = len(book.level_ticks)
    level = book.best[row]
    while order[LEFT] > 0 and 0 <= level < n and account.clock[FULL] == 0:
        ticks = book.level_ticks[level]
        if order[TYPE] != MARKET and side * (ticks - order[TICKS]) > 0:
            break
        lots = min(available(book, account, rules, row, level, ts), order[LEFT])
        if lots > 0:
            take(account, rules, row, level, lots, ts)
            fill(account, rules, k, ticks, lots, False, ts)
        level += step


@inlined
def refusal(account: Account, rules: Rules, k: int, ts: int) -> int:
    """Why the venue would not take order `k` at `ts`; NO_REASON if it would."""
    order = account.orders[k]
    if account.clock[STOPPED] != 0:
        return HALTED
    if ts < rules.open_ns or ts > rules.close_ns:
        return OUTSIDE_SESSION
    if order[LEFT] <= 0:
        return NOT_POSITIVE
    if order[TYPE] != MARKET:
        if order[TICKS] % rules.order_step != 0:
            return OFF_TICK
        if order[TICKS] < rules.band_low or order[TICKS] > rules.band_high:
            return OUTSIDE_BAND
    return NO_REASON


@inner
def arrive(book: Book, account: Account, rules: Rules, k: int, ts: int) -> None:
    """Order `k` reaches the exchange at `ts` and meets the book of that time."""
    order = account.orders[k]
    order[ARRIVED_TS] = ts
    why = refusal(account, rules, k, ts)
    if why != NO_REASON:
        order[REASON] = why
        finish(account, rules, k, REJECTED, ts)
        return
    if order[TTL_NS] > 0 and order[EXPIRES_TS] == NEVER:
        order[EXPIRES_TS] = ts + order[TTL_NS]
    aggress(book, account, rules, k, ts)
    if order[LEFT] == 0:
        return
    if order[TYPE] == IOC or order[TYPE] == MARKET:
        finish(account, rules, k, CANCELLED, ts)
    elif not rest(book, account, k):
        order[REASON] = ACCOUNT_FULL
        finish(account, rules, k, CANCELLED, ts)


@inner
def amend(
    book: Book, account: Account, rules: Rules, k: int, ticks: int, lots: int, ts: int
) -> None:
    """Replace resting order `k`: `lots` is its new total, filled lots included.

    The queue place is kept only when the size goes down at the same price.
    """
    order = account.orders[k]
    filled = order[LOTS] - order[LEFT]
    if lots <= filled:
        order[LOTS] = filled
        order[LEFT] = 0
        withdraw(book, account, k)
        finish(account, rules, k, CANCELLED, ts)
        return
    keeps_place = ticks == order[TICKS] and lots <= order[LOTS]
    order[LOTS] = lots
    order[LEFT] = lots - filled
    if keeps_place:
        return
    withdraw(book, account, k)
    order[TICKS] = ticks
    arrive(book, account, rules, k, ts)


@inner
def meet(
    book: Book,
    account: Account,
    rules: Rules,
    kind: int,
    side: int,
    level: int,
    qty: int,
    slot: int,
    ts: int,
) -> None:
    """An event that may concern our resting orders, before it changes the book."""
    ticks = book.level_ticks[level]
    row = row_of(side)
    if kind == EXECUTE or kind == TRADE or kind == HIDDEN:
        _trade(account, rules, kind, side, ticks, qty, ts)
    elif kind == ADD:
        _cross(account, rules, row, level, side, ticks, qty, ts)
    elif kind == LEVEL:
        shown = book.lots[row, level]
        _move_up(account, rules, side, ticks, shown, shown - qty)
        if qty > shown:
            _cross(account, rules, row, level, side, ticks, qty - shown, ts)
    elif kind == REDUCE or kind == DELETE:
        _cancel(book, account, rules, side, ticks, qty, slot)
    elif kind == SEED:
        _were_there(account, side, ticks, qty)
    _sweep_filled(book, account)


@inlined
def _trade(
    account: Account, rules: Rules, kind: int, side: int, ticks: int, qty: int, ts: int
) -> None:
    """A recorded trade on our side: strictly through our price it is ours; at our price, after
    the lots ahead. A trade with a hidden order at our price means nobody shown was ahead."""
    left = qty
    for i in range(account.clock[N_LIVE]):
        k = account.live[i]
        order = account.orders[k]
        if order[SIDE] != side:
            continue
        better = side * (order[TICKS] - ticks)
        if better < 0 or left <= 0:
            break
        lots = min(left, order[LEFT])
        if better == 0:
            if kind == HIDDEN:
                if account.ahead[k] > 0.0 or rules.fill_model == PESSIMISTIC:
                    continue
            else:
                order[PRINTED] += qty
                passed = min(account.ahead[k], float(left))
                account.ahead[k] -= passed
                lots = min(math.floor(left - passed), order[LEFT])
        if lots > 0:
            fill(account, rules, k, order[TICKS], lots, True, ts)
            left -= lots


@inlined
def _cross(
    account: Account, rules: Rules, row: int, level: int, side: int, ticks: int, qty: int, ts: int
) -> None:
    """A recorded order of the other side comes in at a price that meets ours."""
    left = qty
    for i in range(account.clock[N_LIVE]):
        k = account.live[i]
        order = account.orders[k]
        if order[SIDE] == side:
            continue
        better = order[SIDE] * (order[TICKS] - ticks)
        if better < 0 or left <= 0:
            break
        lots = min(left, order[LEFT])
        if better == 0:
            passed = min(account.ahead[k], float(left))
            account.ahead[k] -= passed
            lots = min(math.floor(left - passed), order[LEFT])
        if lots > 0:
            fill(account, rules, k, order[TICKS], lots, True, ts)
            take(account, rules, row, level, lots, ts)
            left -= lots


@inlined
def _cancel(
    book: Book, account: Account, rules: Rules, side: int, ticks: int, qty: int, slot: int
) -> None:
    """A recorded cancel at our price may move us on."""
    for i in range(account.clock[N_LIVE]):
        k = account.live[i]
        order = account.orders[k]
        if order[SIDE] == side and order[TICKS] == ticks:
            was_ahead = book.slot_seq[slot] < order[SEQ]
            account.ahead[k] = after_order_cancel(
                rules.fill_model, account.ahead[k], qty, was_ahead
            )


@inlined
def _move_up(
    account: Account, rules: Rules, side: int, ticks: int, shown: int, dropped: int
) -> None:
    """A level of ours is shown anew: what went without a print was cancelled."""
    for i in range(account.clock[N_LIVE]):
        k = account.live[i]
        order = account.orders[k]
        if order[SIDE] == side and order[TICKS] == ticks:
            cancelled = dropped - order[PRINTED]
            order[PRINTED] = 0
            account.ahead[k] = after_level_drop(
                rules.fill_model, rules.cancel_exponent, account.ahead[k], shown, cancelled
            )


@inlined
def _were_there(account: Account, side: int, ticks: int, qty: int) -> None:
    """Lots came into view at our price that had been there before: they are ahead of us."""
    for i in range(account.clock[N_LIVE]):
        k = account.live[i]
        order = account.orders[k]
        if order[SIDE] == side and order[TICKS] == ticks:
            account.ahead[k] += qty


@inlined
def _sweep_filled(book: Book, account: Account) -> None:
    """Take filled orders out of the resting ones."""
    clock = account.clock
    n = clock[N_LIVE]
    kept = 0
    for i in range(n):
        k = account.live[i]
        if account.orders[k, LEFT] > 0:
            account.live[kept] = k
            kept += 1
    if kept < n:
        clock[N_LIVE] = kept
        watch(book, account)
