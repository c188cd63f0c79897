"""All that a gate knows, as events make it: parent orders, child orders, counts and latches.

Nothing here judges, and nothing depends on a clock, a file or the market: the same events in the
same order give the same state, to the last bit. That is how a gate comes back after a restart.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.errors import ConfigError, OrderError
from paceline.guard import counting
from paceline.guard.counting import MOST_HELD, MOST_ROOM, PARENT_RECORD, Counters, new_counters
from paceline.guard.events import (
    Added,
    Event,
    Filled,
    Held,
    Kept,
    LetGoOn,
    Over,
    Refused,
    Replaced,
    Sent,
    added,
    mandate_of,
)  # fmt: skip
from paceline.guard.grids import Grid, units
from paceline.guard.limits import LIMITS_RECORD, limits_record, tightened
from paceline.guard.mandate import LetGo, Mandate
from paceline.guard.rolling import bucket_ns
from paceline.guard.rules import ORDER_RECORD
from paceline.guard.snapshot import MISSING, blank_snapshots
from paceline.orders.identity import checked, key
from paceline.units import as_decimal

_SHARED = ("window_ns", "rate_window_ns")
_SHARED_BY_POLICY = ("execution_window_ns", "max_executions")


class Child(NamedTuple):
    """A child order that was sent."""

    number: int
    """From 1, in the order in which they were sent."""
    parent: int
    """Row of its parent order."""


class Names(NamedTuple):
    """Keys of a parent order's names, as the kill switch compares them."""

    order: str
    symbol: str
    policy: str
    desk: str


class Plan(NamedTuple):
    """A parent order that may be added, with all that was worked out to check it."""

    mandate: Mandate
    names: Names
    limits: NDArray[np.void]
    grid: Grid


class Ledger:
    """Rows of parent orders `[n]`, symbols `[m]` and policies `[k]`, with room for more."""

    def __init__(self, room: int = 64) -> None:
        """`room` orders may work on a symbol at once; at most MOST_ROOM."""
        if not 0 < room <= MOST_ROOM:
            raise ConfigError(f"room: {room} is out of range; give 1 to {MOST_ROOM}")
        self.room = room
        self.mandates: list[Mandate] = []
        self.names: list[Names] = []
        self.rows: dict[str, int] = {}
        self.symbols: dict[str, int] = {}  # by key
        self.grids: list[Grid] = []
        self.policies: dict[tuple[str, str], int] = {}  # by keys of symbol and name
        self.children: dict[str, Child] = {}
        self.child_ids: list[str] = []  # by number
        self.violations: list[int] = []
        self.let_go: list[LetGo] = []
        self._spelled: dict[tuple[str, str], str] = {}  # kind and key -> as it was first written
        self._first: dict[str, int] = {}  # row of a symbol's first parent order
        self._first_of_policy: dict[tuple[str, str], int] = {}
        self.limits = np.zeros(0, LIMITS_RECORD)
        self.snapshots = blank_snapshots(0)
        self.orders = np.zeros(0, ORDER_RECORD)
        self.counters = new_counters(np.zeros(0, PARENT_RECORD), self.limits, room)

    # --- parent orders ---------------------------------------------------------------------------

    def plan(self, mandate: Mandate) -> Plan:
        """Check that a parent order can be added; nothing changes. Raises as `Gate.add` says."""
        parent, instrument = mandate.parent.check(mandate.instrument), mandate.instrument
        limits = limits_record(tightened(mandate.limits, parent.constraints), instrument)
        names = Names(
            key(parent.order_id),
            key(parent.symbol),
            key(checked(mandate.policy, "mandate.policy")),
            key(checked(mandate.desk, "mandate.desk")),
        )
        if parent.order_id in self.rows:
            raise OrderError(f"parent.order_id: {parent.order_id!r} is there; give a new one")
        self._check_spelling("order", names.order, parent.order_id, "parent.order_id")
        self._check_spelling("symbol", names.symbol, parent.symbol, "parent.symbol")
        self._check_shared(names, mandate, limits)
        grid = Grid.of(instrument)
        if names.symbol in self.symbols:
            before = self.grids[self.symbols[names.symbol]]
            grid = before.joined(instrument)
            self._factors(names.symbol, grid)
        grid.units_in(instrument)
        return Plan(mandate, names, limits, grid)

    def add(self, plan: Plan) -> None:
        """Add a planned parent order."""
        mandate, names, limits, grid = plan
        parent, n = mandate.parent, len(self.mandates)
        if names.symbol not in self.symbols:
            self.symbols[names.symbol] = len(self.symbols)
            self.grids.append(grid)
            self._first[names.symbol] = n
        symbol, of_policy = self.symbols[names.symbol], (names.symbol, names.policy)
        self.policies.setdefault(of_policy, len(self.policies))
        self._first_of_policy.setdefault(of_policy, n)
        self._make_room(n + 1)
        self._regrid(names.symbol, grid)
        self._spelled.setdefault(("order", names.order), parent.order_id)
        self._spelled.setdefault(("symbol", names.symbol), parent.symbol)
        self.rows[parent.order_id] = n
        self.mandates.append(mandate)
        self.names.append(names)
        self.violations.append(0)
        self.limits[n] = limits[0]
        row, policy = self.counters.parents[n], self.policies[of_policy]
        row["symbol"], row["policy"] = symbol, policy
        row["side"], row["lots"] = parent.side.sign, parent.lots(mandate.instrument)
        row["lot_units"], row["tick_units"] = grid.units_in(mandate.instrument)
        row["start_ts"], row["end_ts"] = parent.start_ts, parent.end_ts
        self._set_windows(n, symbol, policy)

    def _check_spelling(self, kind: str, key_: str, name: str, field: str) -> None:
        known = self._spelled.get((kind, key_), name)
        if known != name:
            raise OrderError(
                f"{field}: {name!a} may be taken for {known!a}, which is there; write it alike, or "
                "give a name that differs in more than its look"
            )

    def _check_shared(self, names: Names, mandate: Mandate, limits: NDArray[np.void]) -> None:
        """Counts that are shared have one window, and one limit where they stop something."""
        shared = [(self._first.get(names.symbol), _SHARED)]
        of_policy = self._first_of_policy.get((names.symbol, names.policy))
        for row, fields in [*shared, (of_policy, _SHARED_BY_POLICY)]:
            if row is None:
                continue
            other = self.mandates[row]
            for field in fields:
                ours, theirs = limits[0][field], self.limits[row][field]
                if ours != theirs:
                    raise ConfigError(
                        f"limits.{field}: {ours} is not the {theirs} of {other.parent.order_id!r} "
                        f"on {other.parent.symbol}; give parents that share a count the same"
                    )
            if other.instrument.currency != mandate.instrument.currency:
                raise OrderError(
                    f"instrument.currency: {mandate.instrument.currency!r} is not the "
                    f"{other.instrument.currency!r} of {other.parent.order_id!r} on "
                    f"{other.parent.symbol}; give instruments of one currency, or other symbols"
                )

    # --- units -----------------------------------------------------------------------------------

    def _factors(self, symbol: str, grid: Grid) -> tuple[int, int]:
        """By how much sizes and prices of a symbol grow on a finer grid. Raises `OrderError` when
        its counts would become too large."""
        at = self.symbols[symbol]
        before, counters = self.grids[at], self.counters
        sizes = units(before.size, grid.size, "instrument.lot")
        prices = units(before.price, grid.price, "instrument.book_tick")
        if (sizes, prices) == (1, 1):
            return sizes, prices
        for mandate, names in zip(self.mandates, self.names, strict=True):
            if names.symbol == symbol:
                grid.units_in(mandate.instrument)
        held = counters.symbols[at]["position_units"]
        largest = max(
            0 if held == MISSING else abs(int(held)),
            32 * int(counters.fills[at]["counts"].max()),
            self.room * int(counters.working[at]["size"].max()),
        )
        if sizes * largest > MOST_HELD:
            raise OrderError(
                f"instrument.lot: sizes of {symbol!a} are too large to be counted in steps of "
                f"{float(grid.size):g}; give its instruments closer lots"
            )
        return sizes, prices

    def _regrid(self, symbol: str, grid: Grid) -> None:
        """Count a symbol in the units of `grid` from now on."""
        at = self.symbols[symbol]
        if grid == self.grids[at]:
            return
        sizes, prices = self._factors(symbol, grid)
        ours, working = self.counters.symbols[at], self.counters.working[at]
        if ours["position_units"] != MISSING:
            ours["position_units"] *= sizes
        ours["recent_size"] *= sizes
        ours["recent_price"] *= prices
        self.counters.fills[at]["counts"] *= sizes
        for field, factor in (("size", sizes), ("price", prices)):
            working[field] *= factor
            working[f"asked_{field}"] *= factor
        parents = self.counters.parents[: len(self.mandates)]
        on_it = parents["symbol"] == at
        parents["lot_units"][on_it] *= sizes
        parents["tick_units"][on_it] *= prices
        self.grids[at] = grid

    def plan_position(self, symbol: str, shares: int | float) -> None:
        """Check that a position in a symbol (by key) can be counted; nothing changes. Raises
        `OrderError`."""
        exact = as_decimal(shares, "position")
        grid = self.grids[self.symbols[symbol]].with_size(exact)
        self._factors(symbol, grid)
        if abs(Fraction(exact)) > MOST_HELD * grid.size:
            raise OrderError(f"position: {shares} shares are too many; give what is held")

    def hold(self, symbol: str, shares: str) -> None:
        """The account holds so many shares of a symbol (by key)."""
        exact = as_decimal(shares, "position")
        grid = self.grids[self.symbols[symbol]].with_size(exact)
        self._regrid(symbol, grid)
        self.counters.symbols[self.symbols[symbol]]["position_units"] = int(
            Fraction(exact) / grid.size
        )

    # --- messages and what came of them ----------------------------------------------------------

    def send(self, event: Sent) -> None:
        """Count a message that leaves."""
        child = self.children.get(event.child)
        if child is None:
            self.child_ids.append(event.child)
            child = self.children[event.child] = Child(len(self.child_ids), event.parent)
        order = self.orders[event.parent]
        order["kind"], order["side"] = event.kind, event.side
        order["ticks"], order["lots"] = event.ticks, event.lots
        counting.sent(self.counters, event.parent, child.number, order, event.ts)

    def working_of(self, rows: list[int]) -> tuple[str, ...]:
        """Child orders of these parent orders that work."""
        working = self.counters.working
        wanted = (working["child"] != counting.FREE) & np.isin(working["parent"], rows)
        return tuple(self.child_ids[number - 1] for number in working["child"][wanted])

    def stopped(self) -> tuple[tuple[str, str], ...]:
        """Symbols and policies, as they were first written, that are stopped."""
        found = []
        for of_policy, at in self.policies.items():
            if self.counters.policies[at]["stopped"]:
                first = self.mandates[self._first_of_policy[of_policy]]
                found.append((first.parent.symbol, first.policy))
        return tuple(found)

    def is_stopped(self, symbol: str, policy: str) -> bool:
        """Whether a policy on a symbol is stopped."""
        at = self.policies.get((key(symbol), key(policy)))
        return at is not None and bool(self.counters.policies[at]["stopped"])

    def let_go_on(self, event: LetGoOn) -> None:
        """A policy may execute again."""
        counting.let_go_on(self.counters, self.policies[key(event.symbol), key(event.policy)])
        self.let_go.append(LetGo(event.symbol, event.policy, event.who, event.why, event.ts))

    def apply(self, event: Event) -> bool:
        """Let an event happen; False when it changed nothing, or concerned nothing that works."""
        match event:
            case Sent():
                self.send(event)
            case Refused(parent):
                self.violations[parent] += 1
            case Filled(child, lots, ts):
                known = self.children[child]
                return counting.filled(self.counters, known.parent, known.number, lots, ts)
            case Replaced(child):
                known = self.children[child]
                return counting.replaced(self.counters, known.parent, known.number)
            case Over(child):
                known = self.children[child]
                return counting.over(self.counters, known.parent, known.number)
            case Added():
                self.add(self.plan(mandate_of(event)))
            case Held(symbol, shares):
                self.hold(symbol, shares)
            case LetGoOn():
                self.let_go_on(event)
            case Kept():
                self._restore(event)
        return True

    # --- as one event ----------------------------------------------------------------------------

    def kept(self) -> Kept:
        """All of it, to start from."""
        sizes = self._sizes(len(self.mandates))
        arrays = zip(self.counters, sizes, strict=True)
        return Kept(
            room=self.room,
            added=tuple(added(mandate) for mandate in self.mandates),
            grids={
                symbol: (str(self.grids[at].size), str(self.grids[at].price))
                for symbol, at in self.symbols.items()
            },
            children=tuple((name, self.children[name].parent) for name in self.child_ids),
            violations=tuple(self.violations),
            let_go=tuple(LetGoOn(*told) for told in self.let_go),
            counters=tuple(array[:n].tobytes() for array, n in arrays),
        )

    def _restore(self, kept: Kept) -> None:
        if self.mandates or kept.room > self.room:
            raise ConfigError(
                f"room: {self.room} is less than the {kept.room} of the journal; give as many"
            )
        for event in kept.added:
            self.add(self.plan(mandate_of(event)))
        for symbol, (size, price) in kept.grids.items():
            self.grids[self.symbols[symbol]] = Grid(Fraction(size), Fraction(price))
        for number, (name, parent) in enumerate(kept.children, 1):
            self.child_ids.append(name)
            self.children[name] = Child(number, parent)
        self.violations[:] = kept.violations
        self.let_go.extend(LetGo(*msgspec.structs.astuple(told)) for told in kept.let_go)
        sizes = self._sizes(len(self.mandates))
        for array, n, raw in zip(self.counters, sizes, kept.counters, strict=True):
            shape = (n, kept.room) if array.ndim == 2 else (n,)
            found = np.frombuffer(raw, array.dtype).reshape(shape)
            if array.ndim == 2:
                array[:n, : kept.room] = found
            else:
                array[:n] = found

    # --- rows ------------------------------------------------------------------------------------

    def _sizes(self, n_parents: int) -> list[int]:
        """Rows of each array of `Counters` that are in use."""
        n, m, k = n_parents, len(self.symbols), len(self.policies)
        by_name = {"parents": n, "parent_fills": n, "policies": k, "executions": k}
        return [by_name.get(name, m) for name in Counters._fields]

    def _make_room(self, n_parents: int) -> None:
        """Grow every array that is too short to twice its length, so that adding stays cheap."""
        self.counters = Counters._make(
            _grown(array, n) for array, n in zip(self.counters, self._sizes(n_parents), strict=True)
        )
        self.limits = _grown(self.limits, n_parents)
        self.orders = _grown(self.orders, n_parents)
        if n_parents > len(self.snapshots):
            more = blank_snapshots(max(16, len(self.snapshots)))
            self.snapshots = np.concatenate([self.snapshots, more])

    def _set_windows(self, row: int, symbol: int, policy: int) -> None:
        """Windows of the counts of a new parent order; shared ones are there, and equal."""
        limit, counters = self.limits[row], self.counters
        counters.parent_fills[row]["bucket_ns"] = bucket_ns(limit["window_ns"])
        if self._first[self.names[row].symbol] == row:
            for field in ("position_units", "counted_ts", "recent_ts"):
                counters.symbols[symbol][field] = MISSING
            counters.fills[symbol]["bucket_ns"] = bucket_ns(limit["window_ns"])
            for rolling in (counters.messages, counters.cancels):
                rolling[symbol]["bucket_ns"] = bucket_ns(limit["rate_window_ns"])
        if self._first_of_policy[self.names[row].symbol, self.names[row].policy] == row:
            counters.executions[policy]["bucket_ns"] = bucket_ns(limit["execution_window_ns"])
            counters.policies[policy]["max_executions"] = limit["max_executions"]


def _grown(array: NDArray[np.void], n: int) -> NDArray[np.void]:
    if n <= len(array):
        return array
    more = np.zeros((max(16, len(array)), *array.shape[1:]), array.dtype)
    return np.concatenate([array, more])
