"""The last door: every order passes it, whoever sends it, one at a time.

It judges with the kernel that makes the masks, counts what it lets pass as sent, and answers with
reasons in words. The caller writes what is seen of the market and the desk into the parent
order's snapshot, and tells of fills, confirmations and ends.
"""

from __future__ import annotations

import numbers
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.errors import ConfigError, InputError, OrderError
from paceline.guard import counting
from paceline.guard import reasons as bit
from paceline.guard.counting import FREE, PARENT_RECORD, Counters, admit, new_counters
from paceline.guard.fallback import behind_schedule
from paceline.guard.kill_switch import KillSwitch, Mode
from paceline.guard.limits import LIMITS_RECORD, MOST_LOTS, Limits, limits_record, tightened
from paceline.guard.reasons import REASONS
from paceline.guard.rules import CANCEL, ORDER_RECORD, PROTECT, REPLACE, SUBMIT
from paceline.guard.snapshot import SNAPSHOT_RECORD, blank_snapshots
from paceline.guard.words import explain
from paceline.orders.instrument import Instrument
from paceline.orders.order import ParentOrder
from paceline.units import INT64_MAX


class Mandate(NamedTuple):
    """A parent order, and who works it under what limits of the desk; its own tighten them."""

    parent: ParentOrder
    instrument: Instrument
    limits: Limits
    policy: str
    desk: str


class Request(NamedTuple):
    """What somebody wants to send."""

    parent_id: str
    child_id: str
    """Of the order to submit, cancel or replace; a new one for a submit."""
    kind: int
    side: int = 0
    type: int = 0
    ticks: int = 0
    """Book ticks."""
    lots: int = 0
    """That may trade from now on."""


class Decision(NamedTuple):
    """Whether it may go; it counts as sent then."""

    allowed: bool
    bits: int
    """Of `guard.reasons`; 0 when it is allowed."""
    reasons: tuple[str, ...]


class LetGo(NamedTuple):
    """A person's word that a policy on a symbol may execute again."""

    symbol: str
    policy: str
    who: str
    why: str
    ts: int
    """ns since the epoch."""


class _Child(NamedTuple):
    number: int
    parent: int


class Gate:
    """The door for all parent orders of a desk. Safe to share between threads."""

    def __init__(self, kill_switch: KillSwitch, room: int = 64) -> None:
        """`room` orders may work on a symbol at once."""
        self._kill_switch = kill_switch
        self._room = room
        self._lock = threading.Lock()
        self._mandates: list[Mandate] = []
        self._rows: dict[str, int] = {}
        self._symbols: dict[str, int] = {}
        self._policies: dict[tuple[str, str], int] = {}  # by symbol and name
        self._violations: list[int] = []  # of parents, by row
        self._let_go: list[LetGo] = []
        self._children: dict[str, _Child] = {}
        self._names: list[str] = []  # of children, by their number
        self._limits = np.zeros(0, LIMITS_RECORD)
        self._snapshots = blank_snapshots(0)
        self._orders = np.zeros(0, ORDER_RECORD)
        self._counters = new_counters(np.zeros(0, PARENT_RECORD), self._limits, room)

    def add(self, mandate: Mandate) -> None:
        """Let a parent order through from now on.

        Raises `OrderError` when it is there already or is off the instrument's grids, and
        `ConfigError` when the desk's band is not measured from the arrival price, or when windows
        are not those of the symbol's other parents, or executions not limited like those of the
        policy's others there: it shares their counts.
        """
        parent, instrument = mandate.parent.check(mandate.instrument), mandate.instrument
        limits = limits_record(tightened(mandate.limits, parent.constraints), instrument)
        with self._lock:
            if parent.order_id in self._rows:
                raise OrderError(f"parent.order_id: {parent.order_id!r} is there; give a new one")
            self._check_shared(mandate, limits)
            row = np.zeros(1, PARENT_RECORD)
            row["symbol"] = self._symbols.setdefault(parent.symbol, len(self._symbols))
            key = (parent.symbol, mandate.policy)
            row["policy"] = self._policies.setdefault(key, len(self._policies))
            row["side"], row["lots"] = parent.side.sign, parent.lots(instrument)
            row["start_ts"], row["end_ts"] = parent.start_ts, parent.end_ts
            self._limits = np.append(self._limits, limits)
            parents = np.append(self._counters.parents, row)
            self._counters = _with_counts_of(
                self._counters, new_counters(parents, self._limits, self._room)
            )
            self._snapshots = np.append(self._snapshots, blank_snapshots(1))
            self._orders = np.append(self._orders, np.zeros(1, ORDER_RECORD))
            self._rows[parent.order_id] = len(self._mandates)
            self._mandates.append(mandate)
            self._violations.append(0)

    def see(self, parent_id: str, **fields: object) -> None:
        """Write what is seen of the market and the desk: fields of SNAPSHOT_RECORD. What was not
        written is missing; what we sent and got is written by the gate. Raises `InputError` for a
        field that is none of them, or whose value is not whole or of another shape."""
        with self._lock:
            snapshot = self._snapshots[self._row(parent_id)]
            for field, value in fields.items():
                if field not in SEEN:
                    raise InputError(f"{field}: is not seen; known are {', '.join(SEEN)}")
                found = np.asarray(value)
                if not (found.dtype.kind in "iub" and np.all(found <= INT64_MAX)):
                    raise InputError(f"{field}: {value!r} is not whole; give ticks, lots or ns")
                shape = SNAPSHOT_RECORD[field].shape
                if found.shape != shape:
                    wanted = f"{shape[0]} numbers" if shape else "one number"
                    raise InputError(f"{field}: {value!r} has another shape; give {wanted}")
                snapshot[field] = value

    def holds(self, symbol: str, position_lots: int) -> None:
        """The account's position in a symbol, short is negative. Fills are added from now on."""
        if not _are_counts(position_lots):
            raise InputError(f"position_lots: {position_lots!r} is not whole; give lots")
        with self._lock:
            if symbol not in self._symbols:
                raise OrderError(f"symbol: {symbol!r} has no parent order; add one")
            self._counters.symbols[self._symbols[symbol]]["position_lots"] = position_lots

    def check(self, request: Request, now_ts: int) -> Decision:
        """Whether `request` may go now; if so it is counted as sent."""
        with self._lock:
            if request.parent_id not in self._rows:
                return _refused(bit.MALFORMED, f"parent_id {request.parent_id!r} is not known")
            decision = self._check(request, now_ts)
            self._violations[self._rows[request.parent_id]] += not decision.allowed
            return decision

    def protect(self, child_id: str, now_ts: int) -> Decision:
        """A cancel by the kill switch, the guard or a person: no rate or count stops it, and it is
        refused only where nothing works."""
        with self._lock:
            child = self._children.get(child_id)
            if child is None:
                return _refused(bit.MALFORMED, f"child_id {child_id!r} is not known")
            parent_id = self._mandates[child.parent].parent.order_id
            return self._judge(Request(parent_id, child_id, PROTECT), child, now_ts)

    def to_cancel(self) -> tuple[str, ...]:
        """Child orders that work and that the kill switch wants cancelled."""
        with self._lock:
            stopped = [
                row for row in range(len(self._mandates)) if self._mode(row) == Mode.CANCEL_ALL
            ]
            working = self._counters.working
            wanted = (working["child"] != FREE) & np.isin(working["parent"], stopped)
            return tuple(self._names[number - 1] for number in working["child"][wanted])

    def stopped(self) -> tuple[tuple[str, str], ...]:
        """Policies, as symbol and name, that have executed as often as they may: a person is to
        look at them."""
        with self._lock:
            return tuple(
                key
                for key, row in self._policies.items()
                if self._counters.policies[row]["stopped"]
            )

    def let_go_on(self, symbol: str, policy: str, *, who: str, why: str, ts: int) -> None:
        """A person has looked at a policy that was stopped: it may execute again, from 0. Raises
        `InputError` when it was not stopped, or nobody says why."""
        if not (who.strip() and why.strip()):
            raise InputError(f"who, why: {who!r}, {why!r}; say who lets it go on, and why")
        with self._lock:
            row = self._policies.get((symbol, policy))
            if row is None or not counting.let_go_on(self._counters, row):
                raise InputError(f"policy: {policy!r} on {symbol!r} was not stopped; look again")
            self._let_go.append(LetGo(symbol, policy, who, why, ts))

    def let_go(self) -> tuple[LetGo, ...]:
        """Who let what go on, in order."""
        with self._lock:
            return tuple(self._let_go)

    def violations(self, parent_id: str) -> int:
        """Orders of a parent order that were refused: a reading of its policy's health."""
        with self._lock:
            return self._violations[self._row(parent_id)]

    def behind(self, parent_id: str) -> float | None:
        """How far a parent order is behind the schedule that was last seen, see
        `behind_schedule`: a reading of its policy's health."""
        with self._lock:
            row = self._row(parent_id)
            own, snapshot = self._counters.parents[row], self._snapshots[row].copy()
            snapshot["parent_lots"] = own["lots"]
            snapshot["inventory_lots"] = max(own["lots"] - own["filled_lots"], 0)
            return behind_schedule(snapshot)

    def filled(self, child_id: str, lots: int, ts: int) -> None:
        """`lots` of a child order traded; they count in any case. Raises `OrderError` when it was
        thought to be over, or never sent."""
        if not _are_counts(lots, ts) or not 0 < lots <= MOST_LOTS:
            raise OrderError(f"lots: {lots!r} at {ts!r} is no fill; give lots that traded, and ns")
        self._told(child_id, counting.filled, int(lots), int(ts))

    def replaced(self, child_id: str) -> None:
        """The venue confirmed a replace. Raises `OrderError` when none was on its way."""
        self._told(child_id, counting.replaced)

    def over(self, child_id: str) -> None:
        """Nothing of it works any more: cancelled, expired, rejected. Raises `OrderError` when
        none such works."""
        self._told(child_id, counting.over)

    def _check(self, request: Request, now_ts: int) -> Decision:
        if request.kind == PROTECT or not _are_counts(*request[2:], now_ts):
            return _refused(bit.MALFORMED, f"{request} holds what no order can have")
        child = self._children.get(request.child_id)
        if request.kind == SUBMIT and child is not None:
            return _refused(bit.DUPLICATE, f"child_id {request.child_id!r} was used")
        if request.kind in (CANCEL, REPLACE) and child is None:
            return _refused(
                bit.MALFORMED,
                f"nothing works under child_id {request.child_id!r}",
                "give the id of an order that was sent",
            )
        return self._judge(request, child, now_ts)

    def _judge(self, request: Request, child: _Child | None, now_ts: int) -> Decision:
        row = self._rows[request.parent_id]
        snapshot, order = self._snapshots[row], self._orders[row]
        snapshot["now_ts"], snapshot["kill_mode"] = now_ts, self._mode(row)
        for field in ("kind", "side", "type", "ticks", "lots"):
            order[field] = getattr(request, field)
        number = child.number if child else FREE
        if request.kind == SUBMIT:
            number = len(self._names) + 1
        bits = int(admit(self._limits, self._counters, self._snapshots, self._orders, row, number))
        if bits == 0 and request.kind == SUBMIT:
            self._children[request.child_id] = _Child(number, row)
            self._names.append(request.child_id)
        return Decision(bits == 0, bits, explain(bits, self._limits[row], snapshot, order))

    def _mode(self, row: int) -> Mode:
        mandate = self._mandates[row]
        parent = mandate.parent
        return self._kill_switch.mode(
            order=parent.order_id, symbol=parent.symbol, policy=mandate.policy, desk=mandate.desk
        )

    def _row(self, parent_id: str) -> int:
        if parent_id not in self._rows:
            raise OrderError(f"parent_id: {parent_id!r} is not known; add it")
        return self._rows[parent_id]

    def _told(self, child_id: str, count: Callable[..., bool], *what: int) -> None:
        with self._lock:
            child = self._children.get(child_id)
            if child is None or not count(self._counters, child.parent, child.number, *what):
                raise OrderError(f"child_id: {child_id!r} does not work; reconcile with the venue")

    def _check_shared(self, mandate: Mandate, limits: NDArray[np.void]) -> None:
        """Counts that are shared have one window, and one limit where they stop something."""
        for row, other in enumerate(self._mandates):
            for field in _shared_limits(mandate, other):
                ours, theirs = limits[0][field], self._limits[row][field]
                if ours != theirs:
                    raise ConfigError(
                        f"limits.{field}: {ours} is not the {theirs} of {other.parent.order_id!r} "
                        f"on {other.parent.symbol}; give parents that share a count the same"
                    )


def _shared_limits(one: Mandate, other: Mandate) -> Iterator[str]:
    """Limits that two parent orders must have in common."""
    if one.parent.symbol == other.parent.symbol:
        yield from ("window_ns", "rate_window_ns")
        if one.policy == other.policy:
            yield from ("execution_window_ns", "max_executions")


_OURS = SNAPSHOT_RECORD.names[SNAPSHOT_RECORD.names.index("side") :]  # type: ignore[index, union-attr]
SEEN: tuple[str, ...] = tuple(
    field for field in SNAPSHOT_RECORD.names or () if field not in (*_OURS, "now_ts", "kill_mode")
)
"""Fields of a snapshot that callers of the gate write."""


def _with_counts_of(before: Counters, after: Counters) -> Counters:
    """`after`, whose first rows go on from `before`."""
    for old, new in zip(before, after, strict=True):
        new[: len(old)] = old
    return after


def _are_counts(*values: object) -> bool:
    """Whether all are whole numbers that a record can hold."""
    return all(
        not isinstance(value, bool)
        and isinstance(value, numbers.Integral)
        and abs(int(value)) <= INT64_MAX
        for value in values
    )


def _refused(bits: int, words: str, remedy: str = "") -> Decision:
    """A refusal of what never came as far as the rules; its remedy is the rule's unless given."""
    reason = REASONS[bits.bit_length() - 1]
    return Decision(False, bits, (f"{reason.name}: {words}; {remedy or reason.remedy}",))
