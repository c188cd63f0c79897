"""Days in plain Python: a random market that writes LOBSTER files, and a book that reads them.

Nothing here is shared with `paceline.ingest` but the meaning of LOBSTER's columns.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from paceline.market.events import KIND_NAMES
from paceline.market.tape import Tape

NAME = "TEST_2024-06-07_34200000_57600000_{part}_{levels}.csv"
START_MS = 34_200_000
NO_PRICE = 9_999_999_999

Row = tuple[str, int, int, int, int, int]


@dataclass
class PlainBook:
    """Orders in dictionaries, in the order in which they joined."""

    orders: dict[int, list[int]] = field(default_factory=dict)  # id -> [lots, price, side]

    def add(self, key: int, lots: int, price: int, side: int) -> None:
        self.orders[key] = [lots, price, side]

    def take(self, key: int, lots: int) -> None:
        self.orders[key][0] -= lots
        if self.orders[key][0] == 0:
            del self.orders[key]

    def levels(self, side: int) -> list[tuple[int, int]]:
        """(price, lots) of a side, best first."""
        total: dict[int, int] = {}
        for lots, price, its_side in self.orders.values():
            if its_side == side:
                total[price] = total.get(price, 0) + lots
        return sorted(total.items(), reverse=side > 0)

    def best(self, side: int) -> int | None:
        found = self.levels(side)
        return found[0][0] if found else None

    def queue(self, side: int, price: int) -> list[int]:
        """Ids at a price, first in line first."""
        return [k for k, (_, p, s) in self.orders.items() if p == price and s == side]


@dataclass
class Replayed:
    """The book that a tape's events make, in dictionaries."""

    level_ticks: list[int]
    orders: dict[int, list[int]] = field(default_factory=dict)  # slot -> [lots, side, level]
    shown: dict[tuple[int, int], int] = field(default_factory=dict)  # (side, level) -> lots

    def side(self, side: int, unit: int = 1) -> list[tuple[int, int]]:
        """(price, lots), best first; prices in `1 / unit` ticks."""
        found = [(self.level_ticks[k] * unit, lots) for (s, k), lots in self.shown.items()
                 if s == side and lots > 0]  # fmt: skip
        return sorted(found, reverse=side > 0)

    def take(self, kind: str, side: int, level: int, lots: int, slot: int) -> None:
        key = (side, level)
        if kind == "clear":
            self.orders.clear()
            self.shown.clear()
        elif kind == "level" or (kind == "seed" and slot < 0):
            self.shown[key] = lots
        elif kind in ("add", "seed"):
            assert slot not in self.orders
            self.orders[slot] = [lots, side, level]
            self.shown[key] = self.shown.get(key, 0) + lots
        elif kind in ("reduce", "delete", "execute", "unseen"):
            order = self.orders[slot]
            assert order[1:] == [side, level]
            order[0] -= lots
            self.shown[key] -= lots
            assert order[0] >= 0
            assert kind != "delete" or order[0] == 0
            if order[0] == 0:
                del self.orders[slot]


def replay(tape: Tape) -> Iterator[Replayed]:
    """The book after each event of a tape; the same object every time."""
    book = Replayed(tape.level_ticks.tolist())
    e = tape.events
    columns = (e.kind, e.side, e.level, e.qty, e.slot)
    for kind, *rest in zip(*(column.tolist() for column in columns), strict=True):
        book.take(KIND_NAMES[kind], *rest)
        yield book


@dataclass
class PlainDay:
    """What a random market did."""

    rows: list[Row] = field(default_factory=list)
    shown: list[list[int]] = field(default_factory=list)  # orderbook rows, all levels of `depth`
    touched: list[tuple[bool, bool]] = field(default_factory=list)
    traded: int = 0

    def messages(self) -> str:
        return "".join(",".join(map(str, row)) + "\n" for row in self.rows)

    def orderbook(self) -> str:
        return "".join(",".join(map(str, row)) + "\n" for row in self.shown)


def picture(book: PlainBook, levels: int) -> list[int]:
    """An orderbook row: ask, size, bid, size of each level; dummies where there is none."""
    asks, bids = book.levels(-1), book.levels(1)
    row: list[int] = []
    for k in range(levels):
        row += asks[k] if k < len(asks) else (NO_PRICE, 0)
        row += bids[k] if k < len(bids) else (-NO_PRICE, 0)
    return row


def in_view(book: PlainBook, side: int, price: int, levels: int) -> bool:
    found = book.levels(side)
    return len(found) < levels or (price - found[levels - 1][0]) * side >= 0


def random_day(seed: int, n: int, levels: int = 0, before: int = 0) -> PlainDay:
    """A day of about `n` rows. With `levels`, only what happens inside them is announced.

    `before` orders are in the book before the first row; nobody announces those.
    """
    rng = random.Random(seed)
    book, day = PlainBook(), PlainDay()
    clock, key = START_MS, 100
    for i in range(n + before):
        clock += rng.choice((0, 0, 1, 7, 250, 4000)) if i >= before else 0
        time = f"{clock // 1000}.{clock % 1000:03d}".rstrip("0").rstrip(".")
        act = rng.random() if i >= before else 0.0
        row: Row
        seen = True
        if act < 0.5 or not book.orders:
            side = rng.choice((1, -1))
            other = book.best(-side)
            price = 1_000_000 + 100 * rng.randint(-8, 8)
            if other is not None and (price - other) * side >= 0:
                price = other - 100 * side * rng.randint(1, 4)
            key += rng.randint(1, 3)
            lots = rng.randint(1, 9) * 10
            book.add(key, lots, price, side)
            seen = not levels or in_view(book, side, price, levels)
            row = (time, 1, key, lots, price, side)
        elif act < 0.80:
            victim = rng.choice(list(book.orders))
            left, price, side = book.orders[victim]
            part = left > 1 and rng.random() < 0.4
            lots = rng.randint(1, left - 1) if part else left
            seen = not levels or in_view(book, side, price, levels)
            book.take(victim, lots)
            row = (time, 2 if part else rng.choice((2, 3)), victim, lots, price, side)
        elif act < 0.94:
            side = rng.choice([s for s in (1, -1) if book.levels(s)])
            price = book.best(side) or 0
            victim = book.queue(side, price)[0]
            lots = rng.randint(1, book.orders[victim][0])
            book.take(victim, lots)
            day.traded += lots if i >= before else 0
            row = (time, 4, victim, lots, price, side)
        else:
            side = rng.choice((1, -1))
            lots = rng.randint(1, 50)
            day.traded += lots
            row = (time, 5, 0, lots, 1_000_000 + 50 * rng.randint(-3, 3), side)
        if i >= before and seen:
            day.rows.append(row)
            day.shown.append(picture(book, levels or 3))
    return day
