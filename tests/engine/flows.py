"""Small random markets that could be real, and what we might do in them.

A flow is a list of steps, five small numbers each, read against the book as it stands: "execute"
trades what is first in the queue, "add" never crosses, "delete" names an order that is there. Any
list of steps is a valid tape, so hypothesis can shorten and shrink it as it likes.
"""

from __future__ import annotations

import math
import os
import random
from dataclasses import dataclass, field

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from paceline.engine import account as acc
from paceline.engine import doors, replay
from paceline.engine.queue import CALIBRATED, OPTIMISTIC, PESSIMISTIC
from paceline.engine.venue import Rules
from paceline.market import events as ev
from paceline.market.book import new_book
from paceline.market.compiler import compile_rows

START = 1000  # ns; of the first event
LOW, HIGH = 100, 111  # prices of the market, in ticks; ours go one further on each side
ANYWHERE = 6 * 10**14

MANY = float(os.environ.get("PACELINE_EXAMPLES", "1"))
"""How many times the usual number of examples to try."""


def examples(usual: int) -> settings:
    """Settings of a property test."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=max(round(usual * MANY), 1), deadline=None, suppress_health_check=slow
    )


Step = tuple[int, int, int, int, int]


@dataclass
class Flow:
    """Rows in the making, and the book they make: queues of [slot, lots], or sizes."""

    rows: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    queues: dict[tuple[int, int], list[list[int]]] = field(default_factory=dict)
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    free: list[int] = field(default_factory=list)
    n_slots: int = 0
    ts: int = START
    stopped: bool = False

    def put(self, kind: int, side: int, ticks: int, lots: int, slot: int = ev.NO_SLOT) -> None:
        self.rows.append((self.ts, kind, side, ticks, lots, slot))

    def shown(self, side: int, ticks: int) -> int:
        queue = self.queues.get((side, ticks), [])
        return sum(lots for _, lots in queue) + self.sizes.get((side, ticks), 0)

    def prices(self, side: int) -> list[int]:
        """Prices that show lots, best first."""
        found = [t for t in range(LOW, HIGH + 1) if self.shown(side, t) > 0]
        return found[::-1] if side > 0 else found

    def passive(self, side: int, a: int) -> int | None:
        """A price that does not cross, mostly near the other side; None if there is none."""
        other = self.prices(-side)
        nearest = other[0] - side if other else (HIGH if side > 0 else LOW)
        nearest = min(nearest, 107) if side > 0 else max(nearest, 104)
        ticks = nearest - side * (a % 5)
        return ticks if LOW <= ticks <= HIGH else None

    def join(self, kind: int, side: int, ticks: int, lots: int) -> None:
        slot = self.free.pop() if self.free else self.n_slots
        self.n_slots = max(self.n_slots, slot + 1)
        self.put(kind, side, ticks, lots, slot)
        self.queues.setdefault((side, ticks), []).append([slot, lots])

    def leave(self, kind: int, key: tuple[int, int], at: int, lots: int) -> None:
        order = self.queues[key][at]
        self.put(kind, *key, lots, order[0])
        order[1] -= lots
        if order[1] == 0:
            self.free.append(order[0])
            del self.queues[key][at]

    def interlude(self, what: int, side: int, a: int, b: int) -> None:
        """What both depths know: hidden prints, auctions, halts, a new start."""
        if what < 4 and not self.stopped:
            ticks = LOW + a % (HIGH - LOW + 1)
            best = self.prices(side)
            if best and b % 3:  # at or inside the touch, where such prints happen
                ticks = best[0] + side * (a % 2)
            self.put(ev.HIDDEN, side, min(max(ticks, LOW), HIGH), 1 + b % 7)
        elif what == 4:
            self.put(ev.CROSS, 0, LOW + a % (HIGH - LOW + 1), 1 + b)
        elif what < 7:
            self.put(ev.RESUME if self.stopped else ev.HALT, 0, 0, 0)
            self.stopped = not self.stopped
        elif what == 7 and a % 4 == 0:
            self.put(ev.CLEAR, 0, 0, 0)
            self.free += [slot for queue in self.queues.values() for slot, _ in queue]
            self.queues.clear()
            self.sizes.clear()
        elif what == 8 and self.stopped:
            self.put(ev.QUOTE, 0, 0, 0)

    def order_step(self, dt: int, what: int, a: int, b: int, c: int) -> None:
        """One step of a market that shows its orders (L3)."""
        self.ts += dt
        side = 1 if a & 1 else -1
        touch = self.prices(side)
        keys = [key for key, queue in self.queues.items() if queue]
        if what < 40:
            ticks = self.passive(side, b)
            if ticks is not None:
                self.join(ev.ADD, side, ticks, 1 + c % 9)
        elif what < 62 and touch and not self.stopped:
            key = (side, touch[0])
            first = self.queues[key][0][1]
            self.leave(ev.EXECUTE, key, 0, first if b % 2 else 1 + c % first)
        elif what < 80 and keys:
            key = keys[b % len(keys)]
            at = c % len(self.queues[key])
            lots = self.queues[key][at][1]
            part = 1 + c % lots
            kind = ev.DELETE if what % 2 or part == lots else ev.REDUCE
            self.leave(kind, key, at, lots if kind == ev.DELETE else part)
        elif what < 84 and touch:  # the worst level leaves the view, tail first
            key = (side, touch[-1])
            at = len(self.queues[key]) - 1
            self.leave(ev.UNSEEN, key, at, 1 + c % self.queues[key][at][1])
        elif what < 88:
            ticks = self.passive(side, b)
            if ticks is not None:
                self.join(ev.SEED, side, ticks, 1 + c % 9)
        elif what >= 88:
            self.interlude(what - 88, side, b, c)

    def level_step(self, dt: int, what: int, a: int, b: int, c: int) -> None:
        """One step of a market that shows its levels only (L2)."""
        self.ts += dt
        side = 1 if a & 1 else -1
        touch = self.prices(side)
        if what < 45:
            ticks = self.passive(side, b)
            if ticks is not None:
                self.show(ev.LEVEL, side, ticks, c % 20)
        elif what < 55 and touch:
            self.show(ev.LEVEL, side, touch[0], c % 20)
        elif what < 80 and touch and not self.stopped:
            had = self.shown(side, touch[0])
            lots = 1 + c % had if b % 4 else had + c % 3  # more than was shown: an iceberg
            self.put(ev.TRADE, side, touch[0], lots)
            if b % 8:  # else another print comes before the level
                self.show(ev.LEVEL, side, touch[0], max(had - lots + (b % 7) - 3, 0))
        elif what < 84:
            ticks = self.passive(side, b)
            if ticks is not None and self.shown(side, ticks) == 0:
                self.show(ev.SEED, side, ticks, 1 + c % 20)
        elif what >= 88:
            self.interlude(what - 88, side, b, c)

    def show(self, kind: int, side: int, ticks: int, lots: int) -> None:
        self.put(kind, side, ticks, lots)
        self.sizes[side, ticks] = lots


def rows_of(rows: list[tuple[int, int, int, int, int, int]]) -> ev.Rows:
    """Rows from (ts, kind, side, ticks, lots, slot)."""
    columns = list(zip(*rows, strict=True))
    types = (np.int64, np.uint8, np.int8, np.int64, np.int64, np.int32)
    return ev.Rows(*(np.array(c, t) for c, t in zip(columns, types, strict=True)))


def market(steps: list[Step], depth: str) -> ev.Rows:
    """The tape that `steps` make; it begins with a book."""
    flow = Flow()
    if depth == "L3":
        for side, ticks in ((1, 104), (-1, 107), (1, 103), (-1, 108), (1, 104), (-1, 107)):
            flow.join(ev.ADD, side, ticks, 6)
    else:
        for side, ticks in ((1, 104), (-1, 107), (1, 103), (-1, 108)):
            flow.show(ev.LEVEL, side, ticks, 12)
    # Every price is in the table, as on a real tape, except two that only we may use.
    flow.put(ev.CROSS, 0, LOW, 1)
    flow.put(ev.CROSS, 0, HIGH, 1)
    for step in steps:
        if depth == "L3":
            flow.order_step(*step)
        else:
            flow.level_step(*step)
    return rows_of(flow.rows)


def random_steps(seed: int, n: int) -> list[Step]:
    """`n` steps from a seed, for tapes longer than hypothesis likes to make."""
    dice = random.Random(seed)
    return [
        (dice.choice((0, 0, 1, 3)), dice.randrange(100), *(dice.randrange(64) for _ in range(3)))
        for _ in range(n)
    ]


_SMALL = st.integers(0, 63)


def steps() -> st.SearchStrategy[list[Step]]:
    """Short flows that shrink well, and longer ones in which more has happened."""
    step = st.tuples(st.sampled_from((0, 0, 1, 3)), st.integers(0, 99), _SMALL, _SMALL, _SMALL)
    long = st.builds(random_steps, st.integers(0, 2**32 - 1), st.integers(20, 120))
    return st.one_of(st.lists(step, max_size=30), long, long)


def random_rules(**fixed: object) -> st.SearchStrategy[Rules]:
    """Rules of a venue in the units of these flows: a tape lasts about a hundred ns."""

    def table(values: tuple[int, ...]) -> np.ndarray:
        return np.array(values, np.int64)

    delays = st.one_of(
        st.just((0,)),
        st.tuples(st.integers(0, 9)),
        st.lists(st.integers(0, 9), min_size=2, max_size=4).map(tuple),
    ).map(table)
    half_life = st.sampled_from((math.inf, 5.0, 30.0)).map(lambda h: math.log(2) / h)
    pressure = st.sampled_from((0.0, 0.0, 0.25))
    # Bands and session edges are rare, or few orders would get in.
    edge = st.sampled_from((False, False, False, True))
    spell = st.builds(
        lambda begin, lasts, ns: (START + begin, START + begin + lasts, (*ns, 0), 0),
        st.integers(0, 60), st.integers(1, 40), st.tuples(st.integers(0, 9), st.integers(0, 9)),
    )  # fmt: skip
    parts: dict[str, st.SearchStrategy] = {
        "submit_ns": delays,
        "ack_ns": delays,
        "market_ns": st.just(table((0,))),
        "fill_model": st.sampled_from((PESSIMISTIC, CALIBRATED, OPTIMISTIC)),
        "cancel_exponent": st.sampled_from((1.0, 0.5, 2.0, 3.3)),
        "recovery_per_ns": half_life,
        "transient_ticks": pressure,
        "transient_per_ns": half_life,
        "permanent_ticks": pressure,
        "band_low": edge.map(lambda on: 103 if on else -ANYWHERE),
        "band_high": edge.map(lambda on: 106 if on else ANYWHERE),
        "open_ns": edge.map(lambda on: START + 20 if on else 0),
        "close_ns": edge.map(lambda on: START + 60 if on else ANYWHERE),
        "order_step": st.sampled_from((1, 1, 1, 2)),
        "slow": st.one_of(st.just([]), st.lists(spell, max_size=2)).map(
            lambda rows: np.array(rows, acc.SLOW_RECORD)
        ),
    }
    parts.update({name: st.just(value) for name, value in fixed.items()})
    return st.builds(Rules, **parts)


def plain_rules(**changes: object) -> Rules:
    """A venue without delays, edges, footprint recovery or impact."""
    now = np.zeros(1, np.int64)
    rules = Rules(
        submit_ns=now, ack_ns=now, market_ns=now, fill_model=CALIBRATED, cancel_exponent=1.0,
        recovery_per_ns=0.0, transient_ticks=0.0, transient_per_ns=0.0, permanent_ticks=0.0,
        band_low=-ANYWHERE, band_high=ANYWHERE, open_ns=0, close_ns=ANYWHERE, order_step=1,
    )  # fmt: skip
    return rules._replace(**changes)


@dataclass(frozen=True)
class Action:
    """Something we do: wait `dt`, then submit, cancel or replace."""

    dt: int
    what: str
    order: int = 0  # which of those sent so far, modulo their number
    side: int = 1
    type: int = acc.LIMIT
    ticks: int = 0
    lots: int = 1
    ttl_ns: int = 0


def actions(
    *,
    types: tuple[int, ...] = (acc.LIMIT, acc.LIMIT, acc.MARKETABLE, acc.IOC, acc.MARKET),
    sides: tuple[int, ...] = (1, -1),
    replaces: bool = True,
    max_size: int = 12,
) -> st.SearchStrategy[list[Action]]:
    kinds = ["submit", "submit", "submit", "cancel"] + ["replace"] * replaces
    action = st.builds(
        Action,
        dt=st.sampled_from((0, 1, 2, 5, 13)),
        what=st.sampled_from(kinds),
        order=st.integers(0, 9),
        side=st.sampled_from(sides),
        type=st.sampled_from(types),
        ticks=st.one_of(st.integers(103, 108), st.integers(LOW - 1, HIGH + 1)),
        lots=st.one_of(st.integers(1, 12), st.integers(0, 60)),
        ttl_ns=st.sampled_from((0, 0, 0, 1, 7, 25)),
    )
    return st.lists(action, min_size=1, max_size=max_size)


def floor_on(
    rows: ev.Rows, rules: Rules, ts: int = START, seed: int = 0, max_live: int = 64
) -> tuple[replay.Floor, object]:
    """The kernels' side: a floor that stands at `ts`, and the images of its tape."""
    events, level_ticks, images = compile_rows(rows)
    floor = replay.Floor(
        events=events,
        book=new_book(level_ticks, int(events.slot.max()) + 1),
        rules=rules,
        account=acc.new_account(len(level_ticks), max_live=max_live),
    )
    doors.seek(floor, images, ts, seed)
    return floor, images


class Kernels:
    """A floor with the methods of the twin, so that the same actions drive both."""

    def __init__(self, floor: replay.Floor) -> None:
        self.floor = floor

    def submit(self, side, type_, ticks, lots, ttl_ns, ts) -> int:
        return int(doors.submit(self.floor, side, type_, ticks, lots, ttl_ns, 0, ts))

    def cancel(self, k, ts) -> None:
        assert doors.cancel(self.floor, k, ts)

    def replace(self, k, type_, ticks, lots, ts) -> None:
        assert doors.replace(self.floor, k, type_, ticks, lots, ts)

    def advance(self, ts) -> None:
        doors.advance(self.floor, ts)

    @property
    def orders(self) -> np.ndarray:
        return self.floor.account.orders[: int(self.floor.account.clock[0]["n_orders"])]

    @property
    def fills(self) -> np.ndarray:
        return self.floor.account.fills[: int(self.floor.account.clock[0]["n_fills"])]


def act(exchange: object, action: Action, n_orders: int, ts: int) -> int:
    """Do `action` at `ts`; returns how many orders have been sent now."""
    if action.what == "submit":
        exchange.submit(action.side, action.type, action.ticks, action.lots, action.ttl_ns, ts)
        return n_orders + 1
    if n_orders == 0:
        return 0
    k = action.order % n_orders
    if action.what == "cancel":
        exchange.cancel(k, ts)
    else:
        exchange.replace(k, action.type, action.ticks, action.lots, ts)
    return n_orders


def play(exchange: object, plan: list[Action], end: int, ts: int = START) -> None:
    """All of `plan` from `ts` on, and then the rest of the tape up to `end`."""
    n_orders = 0
    for action in plan:
        ts += action.dt
        exchange.advance(ts)
        n_orders = act(exchange, action, n_orders, ts)
    exchange.advance(max(ts, end))
