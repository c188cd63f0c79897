"""A slow exchange in plain Python, written from the documentation and not from the kernels.

It keeps the market's book as queues in dictionaries, walks everything it could look up, and moves
one event or one message at a time. It shares nothing with `paceline.engine` but the names of kinds,
states and reasons, so that where the two agree they agree about the rules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from paceline.engine import account as acc
from paceline.engine.queue import CALIBRATED, OPTIMISTIC, PESSIMISTIC
from paceline.market import events as ev

NEVER = acc.NEVER


@dataclass
class Lots:
    """An order of the market, in its queue."""

    slot: int
    lots: int
    joined: int  # index of the event that brought it; -1 if it was there before


@dataclass
class Order:
    """An order of ours."""

    side: int
    type: int
    ticks: int
    lots: int
    left: int
    ttl_ns: int
    state: int = acc.IN_FLIGHT
    reason: int = acc.NO_REASON
    ahead: float = 0.0
    joined: int = 0  # events that had happened when it took its place
    turn: int = 0  # counts the places that were taken, for priority among our own
    printed: int = 0
    arrived_ts: int = 0
    expires_ts: int = NEVER
    done_ts: int = NEVER
    told_ts: int = NEVER


@dataclass
class Fill:
    order: int
    ts: int
    ticks: int
    lots: int
    maker: int
    displaced: int
    told_ts: int
    event: int
    shift: float


@dataclass
class Message:
    arrives_ts: int
    kind: int
    order: int
    type: int
    ticks: int
    lots: int


class SplitMix64:
    """The generator of Steele, Lea and Flood (2014), after the reference code by Vigna."""

    MASK = 2**64 - 1

    def __init__(self, seed: int) -> None:
        self.state = seed & self.MASK

    def next(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
        return z ^ (z >> 31)


@dataclass
class MarketBook:
    """The market's own book: a queue of orders at each price, or a size where there are none."""

    queues: dict[tuple[int, int], list[Lots]] = field(default_factory=dict)  # (side, ticks)
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)

    def shown(self, side: int, ticks: int) -> int:
        queue = self.queues.get((side, ticks), [])
        return sum(order.lots for order in queue) + self.sizes.get((side, ticks), 0)

    def prices(self, side: int) -> list[int]:
        """Prices that show lots, best first."""
        found = {t for (s, t) in [*self.queues, *self.sizes] if s == side and self.shown(s, t) > 0}
        return sorted(found, key=lambda ticks: -side * ticks)

    def find(self, slot: int) -> tuple[tuple[int, int], Lots]:
        for key, queue in self.queues.items():
            for order in queue:
                if order.slot == slot:
                    return key, order
        raise AssertionError(f"slot {slot} is not in the book")

    def change(self, i: int, kind: int, side: int, ticks: int, lots: int, slot: int) -> None:
        if kind == ev.ADD or (kind == ev.SEED and slot >= 0):
            joined = i if kind == ev.ADD else -1
            self.queues.setdefault((side, ticks), []).append(Lots(slot, lots, joined))
        elif kind in (ev.REDUCE, ev.DELETE, ev.EXECUTE, ev.UNSEEN):
            key, order = self.find(slot)
            order.lots -= lots
            if order.lots == 0:
                self.queues[key].remove(order)
        elif kind in (ev.LEVEL, ev.SEED):
            self.sizes[side, ticks] = lots
        elif kind == ev.CLEAR:
            self.queues.clear()
            self.sizes.clear()


class TwinExchange:
    """`rows` are the tape before it was compiled, `rules` the venue's; see the kernels' `Floor`."""

    def __init__(self, rows, rules, seed: int = 0, start_ts: int = 0) -> None:
        self.rows = [
            tuple(int(x) for x in row)
            for row in zip(
                rows.ts, rows.kind, rows.side, rows.ticks, rows.lots, rows.slot, strict=True
            )
        ]
        self.rules = rules
        self.book = MarketBook()
        self.orders: list[Order] = []
        self.fills: list[Fill] = []
        self.inbox: list[Message] = []
        self.taken: dict[tuple[int, int], tuple[float, int]] = {}
        self.dice = SplitMix64(seed)
        self.cursor = 0
        self.stopped = False
        self.turns = 0
        self.last_told = 0
        self.last_arrival = start_ts
        self.transient, self.permanent, self.pressure_ts = 0.0, 0.0, 0
        while self.cursor < len(self.rows) and self.rows[self.cursor][0] <= start_ts:
            self._market_event()

    # What we do.

    def submit(self, side, type_, ticks, lots, ttl_ns, ts) -> int:
        self.orders.append(Order(side, type_, ticks, lots, lots, ttl_ns))
        k = len(self.orders) - 1
        self._send(acc.SUBMIT, k, type_, ticks, lots, ts)
        return k

    def cancel(self, k, ts) -> None:
        self._send(acc.CANCEL, k, 0, 0, 0, ts)

    def replace(self, k, type_, ticks, lots, ts) -> None:
        self._send(acc.REPLACE, k, type_, ticks, lots, ts)

    def _send(self, kind, k, type_, ticks, lots, ts) -> None:
        """Messages of one connection arrive in the order in which they were sent."""
        late = self._delay(self.rules.submit_ns) + self._slowed(0, ts)
        self.last_arrival = max(ts + late, self.last_arrival)
        self.inbox.append(Message(self.last_arrival, kind, k, type_, ticks, lots))

    def _delay(self, table) -> int:
        if len(table) == 1:
            return int(table[0])
        return int(table[((self.dice.next() >> 32) * len(table)) >> 32])

    def _told(self, ts) -> int:
        late = self._delay(self.rules.ack_ns) + self._slowed(1, ts)
        self.last_told = max(ts + late, self.last_told)
        return self.last_told

    def _slowed(self, line: int, ts: int) -> int:
        spells = self.rules.slow
        return sum(int(s["ns"][line]) for s in spells if s["from_ts"] <= ts < s["until_ts"])

    # Time.

    def advance(self, until: int) -> None:
        """At equal times the market's events go first, then our messages, then expiries."""
        while True:
            event = self.rows[self.cursor][0] if self.cursor < len(self.rows) else NEVER
            message = self.inbox[0].arrives_ts if self.inbox else NEVER
            expiry = min((order.expires_ts for _, order in self.resting()), default=NEVER)
            now = min(event, message, expiry)
            if now > until:
                return
            if event == now:
                self._market_event()
            elif message == now:
                self._deliver(self.inbox.pop(0))
            else:
                k = next(k for k, order in self.resting() if order.expires_ts == now)
                self._end(k, acc.EXPIRED, now)

    def resting(self, side: int = 0) -> list[tuple[int, Order]]:
        """Our orders in the book: bids, then offers; best price first, then who came first."""
        found = [
            (k, order)
            for k, order in enumerate(self.orders)
            if order.state == acc.RESTING and side in (0, order.side)
        ]
        return sorted(found, key=lambda ko: (-ko[1].side, -ko[1].side * ko[1].ticks, ko[1].turn))

    # Our messages at the exchange.

    def _deliver(self, message: Message) -> None:
        k, ts = message.order, message.arrives_ts
        order = self.orders[k]
        if message.kind == acc.SUBMIT:
            self._arrive(k, ts)
        elif order.state != acc.RESTING:
            return  # a fill or an expiry won the race
        elif message.kind == acc.CANCEL:
            self._end(k, acc.CANCELLED, ts)
        else:
            self._replace(k, message.type, message.ticks, message.lots, ts)

    def _replace(self, k, type_, ticks, lots, ts) -> None:
        order = self.orders[k]
        filled = order.lots - order.left
        if lots <= filled:
            order.lots, order.left = filled, 0
            self._end(k, acc.CANCELLED, ts)
            return
        shrinks = (type_, ticks) == (order.type, order.ticks) and lots <= order.lots
        order.type, order.ticks, order.lots, order.left = type_, ticks, lots, lots - filled
        if not shrinks:
            self._arrive(k, ts)

    def _refusal(self, order: Order, ts) -> int:
        if self.stopped:
            return acc.HALTED
        if not self.rules.open_ns <= ts <= self.rules.close_ns:
            return acc.OUTSIDE_SESSION
        if order.left <= 0:
            return acc.NOT_POSITIVE
        if order.type != acc.MARKET:
            if order.ticks % self.rules.order_step:
                return acc.OFF_TICK
            if not self.rules.band_low <= order.ticks <= self.rules.band_high:
                return acc.OUTSIDE_BAND
        return acc.NO_REASON

    def _arrive(self, k, ts) -> None:
        order = self.orders[k]
        order.arrived_ts = ts
        order.reason = self._refusal(order, ts)
        if order.reason != acc.NO_REASON:
            self._end(k, acc.REJECTED, ts)
            return
        if order.expires_ts == NEVER:
            close = self.rules.close_ns
            order.expires_ts = min(ts + order.ttl_ns, close) if order.ttl_ns else close
        for ticks in self.book.prices(-order.side):
            too_dear = order.side * (ticks - order.ticks) > 0
            if order.left == 0 or (order.type != acc.MARKET and too_dear):
                break
            lots = min(self._available(-order.side, ticks, ts), order.left)
            if lots > 0:
                self._take(-order.side, ticks, lots, ts)
                self._fill(k, ticks, lots, 0, 0, ts)
        if order.left == 0:
            return
        if order.type in (acc.IOC, acc.MARKET):
            self._end(k, acc.CANCELLED, ts)
            return
        order.state = acc.RESTING
        order.joined, order.printed = self.cursor, 0
        order.ahead = float(self.book.shown(order.side, order.ticks))
        self.turns += 1
        order.turn = self.turns

    def _end(self, k, state, ts) -> None:
        order = self.orders[k]
        order.state, order.done_ts, order.told_ts = state, ts, self._told(ts)

    def _fill(self, k, ticks, lots, maker, displaced, ts) -> None:
        order = self.orders[k]
        order.left -= lots
        told = self._told(ts)
        shift = self._press(lots, ts)
        self.fills.append(Fill(k, ts, ticks, lots, maker, displaced, told, self.cursor, shift))
        if order.left == 0:
            order.state, order.done_ts, order.told_ts = acc.FILLED, ts, told

    # Footprint and impact.

    def _missing(self, side, ticks, ts) -> float:
        lots, since = self.taken.get((side, ticks), (0.0, 0))
        return lots * math.exp(-self.rules.recovery_per_ns * (ts - since)) if lots else 0.0

    def _available(self, side, ticks, ts) -> int:
        """Whole lots: what has come back in part cannot be taken yet."""
        missing = math.ceil(self._missing(side, ticks, ts) - 1e-9)
        return max(self.book.shown(side, ticks) - missing, 0)

    def _take(self, side, ticks, lots, ts) -> None:
        self.taken[side, ticks] = (self._missing(side, ticks, ts) + lots, ts)

    def _settle(self, side, ticks, ts) -> None:
        """A level never lacks more than it shows."""
        shown = self.book.shown(side, ticks)
        if self._missing(side, ticks, ts) > shown:
            self.taken[side, ticks] = (float(shown), ts)

    def _press(self, lots, ts) -> float:
        rules = self.rules
        if rules.transient_ticks == 0.0 and rules.permanent_ticks == 0.0:
            return 0.0
        faded = self.transient * math.exp(-rules.transient_per_ns * (ts - self.pressure_ts))
        shift = faded + self.permanent
        shift += (rules.transient_ticks * lots + rules.permanent_ticks * lots) / 2
        self.transient = faded + rules.transient_ticks * lots
        self.permanent += rules.permanent_ticks * lots
        self.pressure_ts = ts
        return shift

    # The market's events.

    def _market_event(self) -> None:
        i = self.cursor
        ts, kind, side, ticks, lots, slot = self.rows[i]
        priced = kind not in (ev.HALT, ev.QUOTE, ev.RESUME, ev.CLEAR)
        if kind in (ev.EXECUTE, ev.TRADE, ev.HIDDEN):
            self._trade(kind == ev.HIDDEN, side, ticks, lots, ts)
        elif kind == ev.ADD:
            self._cross(side, ticks, lots, ts)
        elif kind == ev.LEVEL:
            shown = self.book.shown(side, ticks)
            self._reshow(side, ticks, shown, lots)
            self._cross(side, ticks, lots - shown, ts)
        elif kind in (ev.REDUCE, ev.DELETE):
            self._cancelled(side, ticks, lots, slot)
        elif kind == ev.UNSEEN:
            self._out_of_view(side, ticks, lots, slot)
        elif kind == ev.SEED:
            self._into_view(side, ticks, lots, slot)
        elif kind == ev.CLEAR:
            for (queue_side, queue_ticks), queue in self.book.queues.items():
                for order in queue:
                    self._out_of_view(queue_side, queue_ticks, order.lots, order.slot)
        elif kind == ev.HALT:
            self.stopped = True
        elif kind == ev.RESUME:
            self.stopped = False
        self.book.change(i, kind, side, ticks, lots, slot)
        if priced and side:
            self._settle(side, ticks, ts)
        self.cursor = i + 1

    def _at(self, side, ticks) -> list[Order]:
        return [order for _, order in self.resting(side) if order.ticks == ticks]

    def _served(self, k: int, left: int) -> int:
        """What reaches order `k` of `left` lots that trade at its price: what is ahead of it goes
        first, and so does all that rests there of our earlier orders."""
        order = self.orders[k]
        passed = min(order.ahead, float(left))
        order.ahead -= passed
        if self._stands_behind_ours(k):
            return 0
        return min(math.floor(left - passed), order.left)

    def _stands_behind_ours(self, k: int) -> bool:
        mine = self.orders[k]
        return any(o.turn < mine.turn for o in self._at(mine.side, mine.ticks))

    def _trade(self, hidden, side, ticks, lots, ts) -> None:
        left = lots
        for k, order in self.resting(side):
            through = side * (order.ticks - ticks)
            if through < 0:
                break
            if through > 0:
                ours = min(left, order.left)
            elif hidden:
                first = order.ahead <= 0 and not self._stands_behind_ours(k)
                hopeful = self.rules.fill_model != PESSIMISTIC
                ours = min(left, order.left) if first and hopeful else 0
            else:
                order.printed += lots
                ours = self._served(k, left)
            if ours > 0:
                self._fill(k, order.ticks, ours, 1, 1, ts)
                left -= ours

    def _cross(self, side, ticks, lots, ts) -> None:
        """Lots of the other side come in at a price that meets ours. Nobody trades in a halt."""
        left = lots
        if self.stopped or lots <= 0:
            return
        for k, order in self.resting(-side):
            through = order.side * (order.ticks - ticks)
            if through < 0:
                break
            ours = min(left, order.left) if through > 0 else self._served(k, left)
            if ours > 0:
                self._fill(k, order.ticks, ours, 1, 0, ts)
                self._take(side, ticks, ours, ts)
                left -= ours

    def _cancelled(self, side, ticks, lots, slot) -> None:
        _, gone = self.book.find(slot)
        for order in self._at(side, ticks):
            in_front = gone.joined < order.joined
            model = self.rules.fill_model
            if model == OPTIMISTIC or (model == CALIBRATED and in_front):
                order.ahead = max(order.ahead - lots, 0.0)

    def _out_of_view(self, side, ticks, lots, slot) -> None:
        """Not a cancel: they will be seeded when they are shown again."""
        _, gone = self.book.find(slot)
        for order in self._at(side, ticks):
            if gone.joined < order.joined:
                order.ahead = max(order.ahead - lots, 0.0)

    def _into_view(self, side, ticks, lots, slot) -> None:
        """What was there before is in front of us."""
        for order in self._at(side, ticks):
            if slot >= 0:
                order.ahead += lots
            else:
                order.ahead = max(order.ahead, float(lots))

    def _reshow(self, side, ticks, shown, lots) -> None:
        """A level shows `lots` after `shown`: what went without a print was cancelled."""
        for order in self._at(side, ticks):
            had = shown - order.printed  # the level as the prints left it
            order.printed = 0
            cancelled = had - lots
            if cancelled <= 0 or had <= 0 or self.rules.fill_model == PESSIMISTIC:
                continue
            if self.rules.fill_model == OPTIMISTIC:
                order.ahead = max(min(order.ahead, float(had)) - cancelled, 0.0)
            else:
                place = min(order.ahead / had, 1.0)
                ahead = order.ahead - cancelled * place**self.rules.cancel_exponent
                order.ahead = max(min(ahead, float(lots)), 0.0)
