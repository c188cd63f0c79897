"""What a desk really did, in shares and currency: kept apart from the guard, slow and plain.

Nothing here knows lots, ticks, buckets or records. Quantities and prices are decimals, windows are
lists of what happened, and names are compared after `strip` and `lower`. Every message that was let
pass is entered here, and answered with the names of the rules that it breaks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

NS = 10**9
ZERO = Decimal(0)


@dataclass
class Rules:
    """Limits in shares, currency and seconds; those of the shared counts are the same for all."""

    participation: Decimal = Decimal("0.3")
    symbol_participation: Decimal = Decimal("0.4")
    window_s: int = 60
    band: Decimal = Decimal("0.05")
    """Of the arrival price."""
    child_max: Decimal = Decimal(1500)
    max_order_quantity: Decimal = Decimal(1200)
    max_order_value: Decimal = Decimal(20000)
    max_position: Decimal = Decimal(3000)
    max_working: Decimal = Decimal(2500)
    max_working_orders: int = 7
    message_rate: int = 9
    cancel_rate: int = 4
    rate_window_s: int = 1
    max_messages: int = 130
    max_cancels: int = 40
    max_executions: int = 60
    execution_window_s: int = 40
    min_resting_ns: int = NS // 100
    duplicate_ns: int = NS // 20
    located: Decimal = Decimal(800)


@dataclass
class Parent:
    """A parent order."""

    name: str
    symbol: str
    policy: str
    desk: str
    side: int
    qty: Decimal
    lot: Decimal
    tick: Decimal
    arrival: Decimal
    filled: Decimal = ZERO
    fills: deque[tuple[int, Decimal]] = field(default_factory=deque)
    messages: int = 0
    cancels: int = 0


@dataclass
class Order:
    """A child order: the worst that it may still do."""

    name: str
    parent: Parent
    price: Decimal
    qty: Decimal
    asked_price: Decimal
    asked_qty: Decimal
    sent_ts: int
    replaces: int = 0
    executes: int = 1


@dataclass
class Symbol:
    """What happened on a symbol."""

    position: Decimal | None = None
    working: dict[str, Order] = field(default_factory=dict)
    over: deque[Order] = field(default_factory=lambda: deque(maxlen=20))
    fills: deque[tuple[int, Decimal]] = field(default_factory=deque)
    messages: deque[int] = field(default_factory=deque)
    cancels: deque[int] = field(default_factory=deque)
    submits: deque[tuple[int, int, Decimal, Decimal]] = field(
        default_factory=lambda: deque(maxlen=200)
    )
    executions: dict[str, list[int]] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    last_ts: int = 0


def plain(name: str) -> str:
    """A name as people mean it."""
    return name.strip().lower()


class Truth:
    """All that happened on a desk."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.parents: dict[str, Parent] = {}
        self.symbols: dict[str, Symbol] = {}
        self.thrown: list[tuple[str, str, int]] = []

    def add(self, parent: Parent) -> None:
        self.parents[parent.name] = parent
        self.symbols.setdefault(plain(parent.symbol), Symbol())

    def of(self, parent: Parent) -> Symbol:
        return self.symbols[plain(parent.symbol)]

    def mode(self, parent: Parent) -> int:
        """The strictest mode that holds for a parent order; 1 while nothing does."""
        names = {"order": parent.name, "symbol": parent.symbol, "policy": parent.policy,
                 "desk": parent.desk, "all": ""}  # fmt: skip
        return max(
            (mode for scope, name, mode in self.thrown if plain(names[scope]) == name), default=1
        )

    # --- what is sent ----------------------------------------------------------------------------

    def sent(self, parent: Parent, kind: str, ts: int) -> None:
        symbol = self.of(parent)
        parent.messages += 1
        symbol.messages.append(ts)
        symbol.last_ts = max(symbol.last_ts, ts)
        if kind != "submit":
            parent.cancels += 1
            symbol.cancels.append(ts)

    def message_breaches(
        self, parent: Parent, kind: str, order: Order | None, ts: int
    ) -> list[str]:
        """Of a message that was let pass, before it is entered."""
        rules, symbol, found = self.rules, self.of(parent), []
        mode = self.mode(parent)
        if kind != "submit" and (order is None or order.parent is not parent):
            found.append("malformed")
        if kind in ("submit", "replace") and mode >= 3:
            found.append("killed")
        if kind == "cancel" and mode > 1:
            return found  # once a switch is thrown, nothing may hold up a cancel
        if ts < symbol.last_ts:
            found.append("clock_back")
        if recent(symbol.messages, ts, rules.rate_window_s * NS) >= rules.message_rate:
            found.append("message_rate")
        if parent.messages >= rules.max_messages:
            found.append("max_messages")
        if kind == "submit":
            if len(symbol.working) >= rules.max_working_orders:
                found.append("working_orders")
            return found
        if recent(symbol.cancels, ts, rules.rate_window_s * NS) >= rules.cancel_rate:
            found.append("cancel_rate")
        if parent.cancels >= rules.max_cancels:
            found.append("max_cancels")
        if order is not None and ts - order.sent_ts < rules.min_resting_ns:
            found.append("min_resting")
        return found

    def order_breaches(self, order: Order, kind: str, others: Decimal, ts: int) -> list[str]:
        """Of a submit or replace that was let pass and has been entered."""
        rules, parent = self.rules, order.parent
        symbol, side = self.of(parent), parent.side
        price, qty = order.asked_price, order.asked_qty
        found = []
        if price % parent.tick or qty % parent.lot:
            found.append("off_tick")
        if side * (price - parent.arrival) > rules.band * parent.arrival:
            found.append("price_band")
        if qty > rules.child_max:
            found.append("child_max")
        if qty > rules.max_order_quantity:
            found.append("order_quantity")
        if qty * price > rules.max_order_value:
            found.append("order_value")
        mine = ours = on_side = ZERO
        executes = 0
        for other in symbol.working.values():
            ours += other.qty
            if other.parent is parent:
                mine += other.qty
            if other.parent.policy == parent.policy:
                executes += other.executes
            if other.parent.side == side:
                on_side += other.qty
            elif side * price >= side * other.price:
                found.append("self_match")
        if symbol.position is None:
            return [*found, "position"]
        # A smaller order in place of a larger one that may still fill adds nothing.
        if kind == "submit" or order.qty == qty:
            if mine + parent.filled > parent.qty:
                found.append("inventory")
            if ours > rules.max_working:
                found.append("working_lots")
            held = side * symbol.position + on_side
            if held > rules.max_position:
                found.append("position")
            if side < 0 and held > rules.located:
                found.append("uncovered")
            if self.mode(parent) == 2 and held > 0:
                found.append("reducing_only")
            own = mine + recent_qty(parent.fills, ts, rules.window_s * NS)
            if own > rules.participation * (own + others):
                found.append("participation")
            own = ours + recent_qty(symbol.fills, ts, rules.window_s * NS)
            if own > rules.symbol_participation * (own + others):
                found.append("symbol_participation")
        policy = plain(parent.policy)
        done = recent(symbol.executions.get(policy, ()), ts, rules.execution_window_s * NS)
        if policy in symbol.stopped or done + executes > rules.max_executions:
            found.append("repeated")
        if kind == "submit":
            alike = (side, price, qty)
            if any(
                entry[1:] == alike and entry[0] > ts - rules.duplicate_ns
                for entry in symbol.submits
            ):
                found.append("duplicate")
            symbol.submits.append((ts, *alike))
        return found

    def submit(
        self, parent: Parent, name: str, price: Decimal, qty: Decimal, others: Decimal, ts: int
    ) -> list[str]:
        """Enter a submit that was let pass; the rules that it breaks."""
        found = self.message_breaches(parent, "submit", None, ts)
        self.sent(parent, "submit", ts)
        order = Order(name, parent, price, qty, price, qty, ts)
        self.of(parent).working[name] = order
        return found + self.order_breaches(order, "submit", others, ts)

    def replace(
        self, order: Order, price: Decimal, qty: Decimal, others: Decimal, ts: int
    ) -> list[str]:
        """Enter a replace that was let pass."""
        parent = order.parent
        found = self.message_breaches(parent, "replace", order, ts)
        self.sent(parent, "replace", ts)
        side = parent.side
        order.price = max(order.price, price) if side > 0 else min(order.price, price)
        order.qty = max(order.qty, qty)
        order.asked_price, order.asked_qty = price, qty
        order.replaces += 1
        order.executes += 1
        order.sent_ts = ts
        return found + self.order_breaches(order, "replace", others, ts)

    def cancel(self, order: Order, ts: int) -> list[str]:
        """Enter a cancel that was let pass."""
        found = self.message_breaches(order.parent, "cancel", order, ts)
        self.sent(order.parent, "cancel", ts)
        return found

    # --- what came of it -------------------------------------------------------------------------

    def fill(self, order: Order, qty: Decimal, ts: int) -> None:
        parent, symbol = order.parent, self.of(order.parent)
        parent.filled += qty
        parent.fills.append((ts, qty))
        symbol.fills.append((ts, qty))
        symbol.last_ts = max(symbol.last_ts, ts)
        if symbol.position is not None:
            symbol.position += parent.side * qty
        works = order.name in symbol.working
        if not works or order.executes > 0:
            order.executes = max(order.executes - 1, 0)
            policy = plain(parent.policy)
            done = symbol.executions.setdefault(policy, [])
            done.append(ts)
            window = self.rules.execution_window_s * NS
            if recent(done, ts, window) >= self.rules.max_executions:
                symbol.stopped.add(policy)
        if works:
            order.qty -= qty
            order.asked_qty -= qty
            if order.qty <= 0:
                self.end(order)

    def confirm(self, order: Order) -> None:
        order.replaces -= 1
        if order.replaces == 0:
            order.price, order.qty = order.asked_price, order.asked_qty
            order.executes = min(order.executes, 1)
            if order.qty <= 0:
                self.end(order)

    def end(self, order: Order) -> None:
        symbol = self.of(order.parent)
        symbol.working.pop(order.name, None)
        symbol.over.append(order)

    def let_go_on(self, symbol: str, policy: str) -> None:
        ours = self.symbols[plain(symbol)]
        ours.executions.pop(plain(policy), None)
        ours.stopped.discard(plain(policy))


def recent(times: Iterable[int], now: int, window_ns: int) -> int:
    """How many lie in the window that ends now."""
    count = 0
    for ts in reversed(times):  # type: ignore[call-overload]
        if ts <= now - window_ns - NS:  # in order, but for a second
            break
        count += now - window_ns < ts <= now
    return count


def recent_qty(fills: deque[tuple[int, Decimal]], now: int, window_ns: int) -> Decimal:
    """How much traded in the window that ends now."""
    total = ZERO
    for ts, qty in reversed(fills):
        if ts <= now - window_ns - NS:
            break
        if now - window_ns < ts <= now:
            total += qty
    return total
