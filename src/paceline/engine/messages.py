"""Messages of ours to the exchange: sent now, there later.

They are the same on a recorded market and on a simulated one.
"""

from __future__ import annotations

from typing import Protocol

from paceline.engine.account import (
    CANCEL,
    IN_FLIGHT,
    NEVER,
    NO_REASON,
    REPLACE,
    SUBMIT,
    SUBMIT_LINE,
    Account,
    draw,
    slowed,
)
from paceline.engine.venue import Rules
from paceline.jit import inlined, inner


class Floor(Protocol):
    """Where our orders trade."""

    @property
    def account(self) -> Account: ...

    @property
    def rules(self) -> Rules: ...


@inlined
def next_arrival(account: Account) -> int:
    """When the next message of ours reaches the exchange; NEVER if none is on its way."""
    clock = account.clock[0]
    if clock["inbox_head"] == clock["inbox_tail"]:
        return NEVER
    return int(account.inbox[clock["inbox_head"] & (len(account.inbox) - 1)]["arrives_ts"])


@inlined
def send(floor: Floor, kind: int, k: int, type_: int, ticks: int, lots: int, ts: int) -> bool:
    """Send a message at `ts`; messages of one connection do not overtake one another."""
    account = floor.account
    clock = account.clock[0]
    if clock["inbox_tail"] - clock["inbox_head"] == len(account.inbox):
        clock["full"] = 1
        return False
    rules = floor.rules
    arrives = ts + draw(account, rules.submit_ns) + slowed(rules.slow, SUBMIT_LINE, ts)
    arrives = max(arrives, clock["last_arrival"])
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


@inner
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
    if not send(floor, SUBMIT, k, type_, ticks, lots, ts):
        return -1
    clock["n_orders"] = k + 1
    return int(k)


@inner
def cancel(floor: Floor, k: int, ts: int) -> bool:
    """Ask at `ts` to cancel order `k`. A fill may win the race."""
    return send(floor, CANCEL, k, 0, 0, 0, ts)


@inner
def replace(floor: Floor, k: int, type_: int, ticks: int, lots: int, ts: int) -> bool:
    """Ask at `ts` to give order `k` a new type, price and *total* size, in one step.

    The exchange never has both the old and the new order, so nothing can fill twice.
    """
    order = floor.account.orders[k]
    order["asked_type"] = type_
    order["asked_ticks"] = ticks
    return send(floor, REPLACE, k, type_, ticks, lots, ts)
