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
    CANCELLED,
    FILLED,
    HALTED,
    IOC,
    MARKET,
    NEVER,
    NO_REASON,
    NOT_POSITIVE,
    OFF_TICK,
    OUTSIDE_BAND,
    OUTSIDE_SESSION,
    REJECTED,
    RESTING,
    Account,
    told_at,
)
from paceline.engine.footprint import available, press, take
from paceline.engine.places import (
    came_into_view,
    cancelled,
    fell_out_of_view,
    is_listed,
    shown_anew,
)
from paceline.engine.queue import PESSIMISTIC
from paceline.engine.venue import Rules
from paceline.jit import inlined, inner, spliced
from paceline.market.book import Book, rank, row_of, worse_level
from paceline.market.events import (
    ADD,
    DELETE,
    EXECUTE,
    HIDDEN,
    LEVEL,
    REDUCE,
    SEED,
    TRADE,
    UNSEEN,
)
from paceline.market.watch import UNKNOWN


@inner
def watch(book: Book, account: Account) -> None:
    """Note which levels our resting orders make interesting, so that other events pass by fast.

    Bids: trades at or below `bid_high` may hit us, cancels from `bid_low` to `bid_high` may move us
    on, offers at or below `bid_high` cross us. Offers: mirrored.
    """
    clock = account.clock[0]
    clock["bid_low"], clock["bid_high"] = NEVER, -1
    clock["ask_low"], clock["ask_high"] = NEVER, -1
    expiry = NEVER
    for i in range(clock["n_live"]):
        order = account.orders[account.live[i]]
        at_or_above = order["level"]
        at_or_below = at_or_above - 1 + is_listed(book, at_or_above, order["ticks"])
        if order["side"] > 0:
            clock["bid_low"] = min(clock["bid_low"], at_or_above)
            clock["bid_high"] = max(clock["bid_high"], at_or_below)
        else:
            clock["ask_low"] = min(clock["ask_low"], at_or_above)
            clock["ask_high"] = max(clock["ask_high"], at_or_below)
        expiry = min(expiry, order["expires_ts"])
    clock["next_expiry"] = expiry


@inlined
def finish(account: Account, rules: Rules, k: int, state: int, ts: int) -> None:
    """Order `k` is over."""
    order = account.orders[k]
    order["state"] = state
    order["done_ts"] = ts
    order["told_ts"] = told_at(account, rules.ack_ns, rules.slow, ts)


@inner
def withdraw(book: Book, account: Account, k: int) -> None:
    """Take order `k` out of the resting ones."""
    clock = account.clock[0]
    n = clock["n_live"]
    at = 0
    while at < n and account.live[at] != k:
        at += 1
    if at == n:
        return
    for i in range(at, n - 1):
        account.live[i] = account.live[i + 1]
    clock["n_live"] = n - 1
    watch(book, account)


@inner
def rest(book: Book, account: Account, k: int) -> bool:
    """Order `k` takes its place: bids before offers, best price first, then time.

    False if there is no room.
    """
    clock = account.clock[0]
    n = clock["n_live"]
    if n == len(account.live):
        clock["full"] = 1
        return False
    order = account.orders[k]
    side, eager = order["side"], order["side"] * order["ticks"]
    at = n
    while at > 0:
        other = account.orders[account.live[at - 1]]
        in_front = other["side"] > side or (
            other["side"] == side and other["side"] * other["ticks"] >= eager
        )
        if in_front:
            break
        account.live[at] = account.live[at - 1]
        at -= 1
    account.live[at] = k
    clock["n_live"] = n + 1
    order["state"] = RESTING
    order["seq"] = clock["cursor"]
    order["printed"] = 0
    row = row_of(side)
    level = rank(book.level_ticks, order["ticks"])
    order["level"] = level
    listed = is_listed(book, level, order["ticks"])
    order["ahead"] = book.levels[row, level]["lots"] if listed else 0
    watch(book, account)
    return True


@inner
def fill(
    account: Account,
    rules: Rules,
    k: int,
    ticks: int,
    lots: int,
    maker: bool,
    displaced: bool,
    ts: int,
    mid2: int = UNKNOWN,
) -> None:
    """Order `k` trades `lots` at `ticks`; `displaced`: in a recorded trade. `mid2` is twice the mid
    as it stands, where nobody can look it up later."""
    clock = account.clock[0]
    at = clock["n_fills"]
    if at == len(account.fills):
        clock["full"] = 1
        return
    order = account.orders[k]
    order["left"] -= lots
    row = account.fills[at]
    row["order"] = k
    row["ts"] = ts
    row["ticks"] = ticks
    row["lots"] = lots
    row["maker"] = maker
    row["displaced"] = displaced
    row["told_ts"] = told_at(account, rules.ack_ns, rules.slow, ts)
    row["event"] = clock["cursor"]
    row["shift"] = press(account, rules, lots, ts)
    row["twice_mid"] = mid2
    clock["n_fills"] = at + 1
    if maker:
        clock["maker_lots"] += lots
    if displaced:
        clock["displaced_lots"] += lots
    if order["left"] == 0:
        order["state"] = FILLED
        order["done_ts"] = ts
        order["told_ts"] = row["told_ts"]


@inner
def aggress(book: Book, account: Account, rules: Rules, k: int, ts: int) -> None:
    """Order `k` takes the other side's levels, best first, as far as its price allows."""
    order = account.orders[k]
    side = order["side"]
    row = 1 if side > 0 else 0
    n = len(book.level_ticks)
    level = book.best[row]
    while order["left"] > 0 and 0 <= level < n and account.clock[0]["full"] == 0:
        ticks = book.level_ticks[level]
        if order["type"] != MARKET and side * (ticks - order["ticks"]) > 0:
            break
        lots = min(available(book, account, rules, row, level, ts), order["left"])
        if lots > 0:
            take(account, rules, row, level, lots, ts)
            fill(account, rules, k, ticks, lots, False, False, ts)
        level = worse_level(book, row, level)


@inlined
def refusal(account: Account, rules: Rules, k: int, ts: int) -> int:
    """Why the venue would not take order `k` at `ts`; NO_REASON if it would."""
    order = account.orders[k]
    if account.clock[0]["stopped"] != 0:
        return HALTED
    if ts < rules.open_ns or ts > rules.close_ns:
        return OUTSIDE_SESSION
    if order["left"] <= 0:
        return NOT_POSITIVE
    if order["type"] != MARKET:
        if rules.order_step > 1 and order["ticks"] % rules.order_step != 0:
            return OFF_TICK
        if order["ticks"] < rules.band_low or order["ticks"] > rules.band_high:
            return OUTSIDE_BAND
    return NO_REASON


@spliced
def admit(account: Account, rules: Rules, k: int, ts: int) -> bool:
    """Order `k` reaches the exchange at `ts`. False: the venue refuses it."""
    order = account.orders[k]
    if order["arrived_ts"] == 0:
        order["first_ts"] = ts
        order["first_type"] = order["type"]
        order["first_ticks"] = order["ticks"]
    order["arrived_ts"] = ts
    why = refusal(account, rules, k, ts)
    if why != NO_REASON:
        order["reason"] = why
        finish(account, rules, k, REJECTED, ts)
        return False
    if order["expires_ts"] == NEVER:
        # A day order ends with the session; one with a time to live may end before.
        order["expires_ts"] = rules.close_ns
        if order["ttl_ns"] > 0:
            order["expires_ts"] = min(ts + order["ttl_ns"], rules.close_ns)
    return True


@spliced
def may_rest(account: Account, rules: Rules, k: int, ts: int) -> bool:
    """Whether something of order `k` is left that rests; what is left of others is over."""
    order = account.orders[k]
    if order["left"] == 0:
        return False
    if order["type"] == IOC or order["type"] == MARKET:
        finish(account, rules, k, CANCELLED, ts)
        return False
    return True


@spliced
def refuse_rest(account: Account, rules: Rules, k: int, why: int, ts: int) -> None:
    """There is no place for what is left of order `k`."""
    account.orders[k]["reason"] = why
    finish(account, rules, k, CANCELLED, ts)


@inner
def arrive(book: Book, account: Account, rules: Rules, k: int, ts: int) -> None:
    """Order `k` reaches the exchange at `ts` and meets the book of that time."""
    if not admit(account, rules, k, ts):
        return
    aggress(book, account, rules, k, ts)
    if may_rest(account, rules, k, ts) and not rest(book, account, k):
        refuse_rest(account, rules, k, ACCOUNT_FULL, ts)


@inner
def amend(
    book: Book, account: Account, rules: Rules, k: int, type_: int, ticks: int, lots: int, ts: int
) -> bool:
    """Replace resting order `k`: `lots` is its new total, filled lots included.

    The queue place is kept only when the size goes down at the same price and type. True: it lost
    its place, and must `arrive` again.
    """
    order = account.orders[k]
    filled = order["lots"] - order["left"]
    if lots <= filled:
        order["lots"] = filled
        order["left"] = 0
        withdraw(book, account, k)
        finish(account, rules, k, CANCELLED, ts)
        return False
    keeps_place = type_ == order["type"] and ticks == order["ticks"] and lots <= order["lots"]
    order["lots"] = lots
    order["left"] = lots - filled
    if keeps_place:
        return False
    withdraw(book, account, k)
    order["type"] = type_
    order["ticks"] = ticks
    return True


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
        shown = book.levels[row, level]["lots"]
        shown_anew(account, rules, side, ticks, shown, shown - qty)
        if qty > shown:
            _cross(account, rules, row, level, side, ticks, qty - shown, ts)
    elif kind == REDUCE or kind == DELETE:
        cancelled(book, account, rules, side, ticks, qty, slot)
    elif kind == UNSEEN:
        fell_out_of_view(book, account, side, ticks, qty, slot)
    elif kind == SEED:
        came_into_view(account, side, ticks, qty, slot)
    drop_filled(book, account)


@inlined
def _trade(
    account: Account, rules: Rules, kind: int, side: int, ticks: int, qty: int, ts: int
) -> None:
    """A recorded trade on our side: strictly through our price it is ours; at our price, after
    the lots ahead. A trade with a hidden order at our price means nobody shown was ahead."""
    left = qty
    waits = False  # an earlier order of ours at the trade's price: later ones stay behind it
    for i in range(account.clock[0]["n_live"]):
        k = account.live[i]
        order = account.orders[k]
        if order["side"] != side:
            continue
        better = side * (order["ticks"] - ticks)
        if better < 0:
            break
        # With nothing left the loop still runs: the print at our price has to be remembered.
        lots = min(left, order["left"])
        if better == 0:
            if kind == HIDDEN:
                if order["ahead"] > 0.0 or rules.fill_model == PESSIMISTIC:
                    break
            else:
                order["printed"] += qty
                passed = min(order["ahead"], float(left))
                order["ahead"] -= passed
                lots = 0 if waits else min(math.floor(left - passed), order["left"])
                waits = lots < order["left"]
        if lots > 0:
            fill(account, rules, k, order["ticks"], lots, True, True, ts)
            left -= lots


@inlined
def _cross(
    account: Account, rules: Rules, row: int, level: int, side: int, ticks: int, qty: int, ts: int
) -> None:
    """A recorded order of the other side comes in at a price that meets ours."""
    left = 0 if account.clock[0]["stopped"] else qty  # nobody trades in a halt
    waits = False  # as in a trade
    for i in range(account.clock[0]["n_live"]):
        k = account.live[i]
        order = account.orders[k]
        if order["side"] == side:
            continue
        better = order["side"] * (order["ticks"] - ticks)
        if better < 0 or left <= 0:
            break
        lots = min(left, order["left"])
        if better == 0:
            passed = min(order["ahead"], float(left))
            order["ahead"] -= passed
            lots = 0 if waits else min(math.floor(left - passed), order["left"])
            waits = lots < order["left"]
        if lots > 0:
            fill(account, rules, k, order["ticks"], lots, True, False, ts)
            take(account, rules, row, level, lots, ts)
            left -= lots


@inner
def drop_filled(book: Book, account: Account) -> None:
    """Take filled orders out of the resting ones."""
    clock = account.clock[0]
    n = clock["n_live"]
    kept = 0
    for i in range(n):
        k = account.live[i]
        if account.orders[k]["left"] > 0:
            account.live[kept] = k
            kept += 1
    if kept < n:
        clock["n_live"] = kept
        watch(book, account)
