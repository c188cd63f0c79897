"""A desk's own child orders, with their parent orders, from its files through a mapping.

    found = read_child_orders("children.parquet", "parents.csv", mapping)
    for day in found.days(tapes):
        day.parents, day.children          # on the grids of the day's tape
    found.aside                            # rows that are of no day, each with its reason

What cannot be true of a row sets it aside with a reason; nothing is dropped in silence.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.errors import IngestError
from paceline.ingest.cells import numbers_of, symbols_of, texts
from paceline.ingest.child_mapping import ChildOrderMapping, of_children, of_parents
from paceline.ingest.day import UNKNOWN_TS
from paceline.ingest.sources import RawFile, read
from paceline.ingest.tables import Sheet, read_sheet
from paceline.ingest.times import times_of
from paceline.market.session import clock, day_of
from paceline.market.tape import Tape

TYPES = {"limit": 0, "marketable": 1, "ioc": 2, "ignore": -1}
"""As the exchange numbers them; what is ignored sends nothing."""
_SIDES = {"buy": 1, "sell": -1}


class Aside(NamedTuple):
    """A row that was set aside."""

    file: str
    row: int
    """Line of a CSV as an editor shows it, or row of a Parquet file, from 1."""
    text: str
    reason: str
    is_bad: bool
    """Whether it counts towards the share that refuses a day; a row that may well be true, but
    finds no use, does not."""
    place: str = "line"
    """What `row` counts."""


class Parents(NamedTuple):
    """Parent orders of a day, a row each."""

    name: list[str]
    side: NDArray[np.int64]  # [n]
    lots: NDArray[np.int64]
    start_ts: NDArray[np.int64]
    end_ts: NDArray[np.int64]


class Children(NamedTuple):
    """Child orders of a day, a row each, in order of parent and time."""

    parent: NDArray[np.int64]  # [n] which of the parents
    ts: NDArray[np.int64]
    type: NDArray[np.int64]  # of TYPES
    ticks: NDArray[np.int64]  # book ticks
    lots: NDArray[np.int64]
    row: NDArray[np.int64]  # of the file


class DayOfOrders(NamedTuple):
    """What a desk did in a symbol on a day."""

    tape: Tape
    parents: Parents
    children: Children
    aside: list[Aside]
    rows: int
    """Of the file, the bad ones included."""


class ParentRows(NamedTuple):
    """The file of parent orders, a row each."""

    name: list[str]
    symbol: list[str]
    side: list[int]  # 0: neither
    size: NDArray[np.int64]  # in `size_unit`
    size_unit: Decimal  # in shares
    start_ts: NDArray[np.int64]
    end_ts: NDArray[np.int64]
    sheet: Sheet


class ChildRows(NamedTuple):
    """The file of child orders, a row each."""

    parent: list[str]
    side: list[int]  # 0: it is the parent's; 2: neither
    type: list[int | None]  # of TYPES; None: not explained
    ts: NDArray[np.int64]
    price: NDArray[np.int64]  # in `price_unit`
    price_unit: Decimal  # in currency
    size: NDArray[np.int64]  # in `size_unit`
    size_unit: Decimal  # in shares
    unread: NDArray[np.bool_]
    sheet: Sheet


class ForeignOrders:
    """What was read of both files."""

    def __init__(
        self, parents: ParentRows, children: ChildRows, mapping: ChildOrderMapping
    ) -> None:
        self._parents, self._children, self.mapping = parents, children, mapping
        self.aside: list[Aside] = []
        """Rows of no day that was asked for: parent orders that cannot be, or that no tape is of,
        and child orders of none that there is."""
        counts = Counter(parents.name)
        self._usable = []
        for k in range(len(parents.name)):
            if wrong := _wrong_parent(parents, k, counts):
                self.aside.append(self._parent(k, wrong))
            else:
                self._usable.append(k)
        usable = {parents.name[k] for k in self._usable}
        self._of: dict[str, list[int]] = {}
        for k, name in enumerate(children.parent):
            if children.type[k] == TYPES["ignore"]:
                continue
            if name in usable:
                self._of.setdefault(name, []).append(k)
            else:
                there = ", which is set aside" if name in counts else ", which is not there"
                self.aside.append(self.child(k + 1, f"names parent order {name!r}{there}"))
        self.rows = len(parents.name) + len(children.parent)
        """Of both files."""

    def check(self) -> None:
        """Raises `IngestError` if too many rows are of no day that there may be."""
        refuse_many(self.aside, self.rows, self.mapping, "file: both are")

    def days(self, tapes: Sequence[Tape]) -> Iterator[DayOfOrders]:
        """What was done on each of `tapes`; parent orders on none of them are set aside."""
        zones = {tape.instrument.symbol: tape.session.zone for tape in tapes}
        where = {(t.instrument.symbol, t.session.day): k for k, t in enumerate(tapes)}
        placed: dict[int, list[int]] = {}
        for k in self._usable:
            symbol, start = self._parents.symbol[k], int(self._parents.start_ts[k])
            day = day_of(start, zones.get(symbol, self.mapping.zone))
            if (symbol, day) in where:
                placed.setdefault(where[symbol, day], []).append(k)
                continue
            reason = f"is of {symbol} {day}, which is none of the days worked on"
            self.aside.append(self._parent(k, reason, is_bad=False))
            mine = self._of.get(self._parents.name[k], [])
            self.aside += [self.child(at + 1, reason, is_bad=False) for at in mine]
        for at in sorted(placed):
            yield self._of_day(tapes[at], placed[at])

    def child(self, row: int, reason: str, is_bad: bool = True) -> Aside:
        """Child order `row` (counted from 1), set aside."""
        return _aside(self._children.sheet, row - 1, reason, is_bad)

    def _parent(self, k: int, reason: str, is_bad: bool = True) -> Aside:
        return _aside(self._parents.sheet, k, reason, is_bad)

    def _of_day(self, tape: Tape, which: list[int]) -> DayOfOrders:
        given, aside, rows = self._parents, list[Aside](), len(which)
        good, all_lots, found = list[int](), list[int](), list[tuple[int, ...]]()
        for k in which:
            mine = self._of.get(given.name[k], [])
            rows += len(mine)
            lots, part = _whole(given.size[k], given.size_unit, tape.instrument.lot)
            if wrong := "has a size of no whole lots" if part else _unworkable(tape, given, k):
                aside.append(self._parent(k, wrong))
                reason = f"names parent order {given.name[k]!r}, which is set aside"
                aside += [self.child(at + 1, reason) for at in mine]
                continue
            found += self._checked(tape, (len(good), k, lots), mine, aside)
            good.append(k)
            all_lots.append(lots)
        parents = Parents(
            name=[given.name[k] for k in good],
            side=np.array([given.side[k] for k in good], np.int64),
            lots=np.array(all_lots, np.int64),
            start_ts=given.start_ts[good], end_ts=given.end_ts[good],
        )  # fmt: skip
        columns = np.array(sorted(found), np.int64).reshape(-1, 6).T
        return DayOfOrders(tape, parents, Children(*columns), aside, rows)

    def _checked(
        self, tape: Tape, of: tuple[int, int, int], mine: list[int], aside: list[Aside]
    ) -> Iterator[tuple[int, ...]]:
        """The rows `mine` that can be true: (parent, ts, type, ticks, lots, row). `of` is the
        parent: its place on the day and in the file, and its lots."""
        given, seen, instrument = self._children, set[int](), tape.instrument
        place, p, most = of
        for k in sorted(mine, key=lambda k: int(given.ts[k])):
            ts, kind = int(given.ts[k]), given.type[k]
            steps, off = _whole(given.price[k], given.price_unit, instrument.order_tick)
            lots, part = _whole(given.size[k], given.size_unit, instrument.lot)
            wrong = ""
            if given.unread[k]:
                wrong = "cannot be read"
            elif kind is None:
                wrong = "is of a type that the mapping does not explain"
            elif given.side[k] not in (0, self._parents.side[p]):
                wrong = "has another side than its parent order"
            elif not tape.session.open_ns <= ts < tape.session.close_ns:
                wrong = "is outside the session"
            elif not self._parents.start_ts[p] <= ts < self._parents.end_ts[p]:
                wrong = "is not between start and end of its parent order"
            elif off or steps <= 0:
                wrong = f"has a price off the order tick, {instrument.order_tick:f}"
            elif part or not 0 < lots <= most:
                wrong = "has a size of no whole lots, or larger than its parent order"
            elif ts in seen:
                wrong = "was sent at the same time as another of its parent order"
            if wrong or kind is None:
                aside.append(self.child(k + 1, wrong))
                continue
            seen.add(ts)
            yield place, ts, kind, steps * instrument.order_step, lots, k + 1


def read_child_orders(
    children: str | Path, parents: str | Path, mapping: ChildOrderMapping
) -> ForeignOrders:
    """Read both files.

    Raises `IngestError` for one that cannot be read, or has not the columns, and where too many
    rows are of no day."""
    first, second = RawFile(Path(children)), RawFile(Path(parents))
    found = ForeignOrders(_read_parents(second, mapping), _read_children(first, mapping), mapping)
    found.check()
    return found


def digest(path: str | Path) -> str:
    """Hash of the bytes of a file, unpacked."""
    return hashlib.sha256(read(RawFile(Path(path)))).hexdigest()


def refuse_many(aside: Sequence[Aside], rows: int, mapping: ChildOrderMapping, what: str) -> None:
    """Raises `IngestError` where more of `rows` are bad than may be; `what` begins the sentence."""
    bad = [one for one in aside if one.is_bad]
    if len(bad) <= mapping.max_bad_share * rows:
        return
    reason, _ = Counter(one.reason for one in bad).most_common(1)[0]
    first = next(one for one in bad if one.reason == reason)
    raise IngestError(
        f"{what} refused, {len(bad)} of {rows} rows are bad (max_bad_share "
        f"{mapping.max_bad_share:g}); most often a row {reason}, first {first.place} {first.row} "
        f"of {first.file}: {first.text!r}"
    )


def _wrong_parent(rows: ParentRows, k: int, counts: Counter[str]) -> str:
    """What cannot be true of parent order `k`; empty if nothing is."""
    if not rows.name[k] or counts[rows.name[k]] > 1:
        return "has no name of its own"
    if UNKNOWN_TS in (rows.start_ts[k], rows.end_ts[k]):
        return "has a time that cannot be read"
    if rows.end_ts[k] <= rows.start_ts[k]:
        return "ends before it starts"
    if rows.side[k] == 0:
        return "has a side that is neither buy nor sell"
    return "has a size that is not positive" if rows.size[k] <= 0 else ""


def _unworkable(tape: Tape, rows: ParentRows, k: int) -> str:
    """Why parent order `k` cannot be worked on `tape`; empty if it can."""
    start, end = int(rows.start_ts[k]), int(rows.end_ts[k])
    close = min(tape.session.close_ns, int(tape.events.ts[-1]))
    if start < tape.session.open_ns or end > close:
        return f"is not within the session and what was recorded, up to {_clock(tape, close)}"
    before = tape.index_at(start) - 1
    if before < 0 or np.isnan(tape.mid_ticks()[before]):
        return "starts while the book has not both sides"
    return ""


def _read_parents(file: RawFile, mapping: ChildOrderMapping) -> ParentRows:
    sheet, at = read_sheet(file, of_parents(mapping)), mapping.parents
    table, size = sheet.columns, numbers_of(sheet.columns[at.size])
    symbols = symbols_of(table[at.symbol]) if at.symbol else [mapping.symbol or ""] * len(table)
    return ParentRows(
        name=texts(table[at.order]),
        symbol=symbols,
        side=_sides(table[at.side], mapping),
        size=np.where(size.bad, 0, size.value),
        size_unit=size.unit * mapping.size_unit,
        start_ts=times_of(sheet, at.start, None, mapping),
        end_ts=times_of(sheet, at.end, None, mapping),
        sheet=sheet,
    )


def _read_children(file: RawFile, mapping: ChildOrderMapping) -> ChildRows:
    sheet = read_sheet(file, of_children(mapping))
    table, n = sheet.columns, len(sheet.number)
    ts = times_of(sheet, mapping.time, None, mapping)
    price, size = numbers_of(table[mapping.price]), numbers_of(table[mapping.size])
    default = None if mapping.default_type is None else TYPES[mapping.default_type]
    known = {value: TYPES[name] for value, name in mapping.types.items()}
    kinds = texts(table[mapping.type]) if mapping.type else [""] * n
    sides = [side or 2 for side in _sides(table[mapping.side], mapping)] if mapping.side else []
    return ChildRows(
        parent=texts(table[mapping.parent]),
        side=sides or [0] * n,
        type=[known.get(value, default) for value in kinds],
        ts=ts,
        price=price.value,
        price_unit=price.unit * mapping.price_unit,
        size=size.value,
        size_unit=size.unit * mapping.size_unit,
        unread=(ts == UNKNOWN_TS) | price.bad | size.bad | sheet.ragged,
        sheet=sheet,
    )


def _sides(column: Any, mapping: ChildOrderMapping) -> list[int]:
    """+1, -1, or 0 for what is neither."""
    known = {value: _SIDES[name] for value, name in mapping.sides.items()}
    return [known.get(value, 0) for value in texts(column)]


def _aside(sheet: Sheet, at: int, reason: str, is_bad: bool) -> Aside:
    return Aside(sheet.name, int(sheet.number[at]), sheet.text(at), reason, is_bad, sheet.place)


def _whole(value: int, unit: Decimal, step: Decimal) -> tuple[int, bool]:
    """How many whole steps there are in `value` units, and whether something is over."""
    whole, rest = divmod(Decimal(int(value)) * unit, step)
    return int(whole), rest != 0


def _clock(tape: Tape, ts: int) -> str:
    return clock(ts, tape.session.zone)
