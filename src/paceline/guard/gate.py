"""The last door: every order passes it, whoever sends it, one at a time.

It judges with the kernel that makes the masks, counts what it lets pass as sent, and answers with
reasons in words. The caller writes what is seen of the market and the desk into the parent
order's snapshot, and tells of fills, confirmations and ends.

A gate with a journal comes back after a restart as it was: parent orders, child orders, counts,
latches, violations. What it lets pass is in the journal before it says so, and what it is told is
there before it answers.
"""

from __future__ import annotations

import numbers
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np

from paceline.errors import InputError, OrderError, PacelineError
from paceline.guard import reasons as bit
from paceline.guard.counting import FREE, judge
from paceline.guard.events import (
    Event,
    Filled,
    LetGoOn,
    Over,
    Refused,
    Replaced,
    Sent,
    added,
    held,
)  # fmt: skip
from paceline.guard.fallback import behind_schedule
from paceline.guard.journal import Journal
from paceline.guard.kill_switch import KillSwitch, Mode
from paceline.guard.ledger import Child, Ledger
from paceline.guard.limits import MOST_LOTS
from paceline.guard.mandate import Decision, LetGo, Mandate, Request
from paceline.guard.people import Right, Signed
from paceline.guard.reasons import REASONS
from paceline.guard.rules import CANCEL, HOLD, PROTECT, REPLACE, SUBMIT
from paceline.guard.snapshot import SNAPSHOT_RECORD
from paceline.guard.words import explain
from paceline.orders.identity import canonical, checked, key
from paceline.orders.instrument import Instrument
from paceline.orders.order import ParentOrder
from paceline.orders.payload import number
from paceline.units import INT64_MAX

__all__ = [
    "SEEN", "Decision", "Gate", "Instrument", "LetGo", "Mandate", "ParentOrder", "Request",
]  # fmt: skip


class Gate:
    """The door for all parent orders of a desk. Safe to share between threads."""

    def __init__(
        self,
        kill_switch: KillSwitch,
        room: int = 64,
        *,
        journal: str | Path | None = None,
        sync: bool = True,
    ) -> None:
        """`room` orders may work on a symbol at once.

        `journal`: the file, which `Journal.create` made, that keeps what happens here. A gate
        without one forgets everything when its process ends: it is for simulation and tests. A gate
        whose journal cannot be read, or not be written any more, refuses everything, and `trouble`
        says why.

        `sync`: wait for the disk before an order may go, so that it is known after a loss of power
        as well; without, it outlives the process but not the machine.
        """
        self._kill_switch = kill_switch
        self._lock = threading.Lock()
        self._journal: Journal | None = None
        self._trouble = ""
        self._blind = False  # nothing is known of what was sent before
        self._ledger = Ledger(room)
        if journal is not None:
            self._come_back(Path(journal), sync)

    @property
    def trouble(self) -> str:
        """Why everything is refused; empty while the journal can be relied on."""
        return self._trouble

    def compact(self) -> None:
        """Make the journal as small as what it leads to. A gate does so when it is opened. Raises
        `InputError` when that fails; nothing is lost then."""
        with self._lock:
            if self._journal is not None and not self._trouble:
                try:
                    self._journal.rewrite([self._ledger.kept()])
                except OSError as error:
                    raise InputError(
                        f"journal: {error.strerror}; it stays as it was, make room on the disk"
                    ) from None

    def close(self) -> None:
        """Let another gate open the journal; this one refuses everything from now on."""
        with self._lock:
            self._trouble = self._trouble or "the gate was closed; open a new one"
            self._blind = True
            if self._journal is not None:
                self._journal.close()
                self._journal = None

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def add(self, mandate: Mandate) -> None:
        """Let a parent order through from now on.

        Parent orders of one symbol may have instruments with different lots and ticks; their counts
        are shared all the same. Raises `OrderError` when it is there already, is off the
        instrument's grids, has a name that may be taken for another one's, or an instrument in
        another currency than the symbol's others; and `ConfigError` when the desk's band is not
        measured from the arrival price, or when windows are not those of the symbol's other
        parents, or executions not limited like those of the policy's others there: it shares their
        counts. Raises `InputError` when the journal cannot be relied on.
        """
        with self._lock:
            plan = self._ledger.plan(mandate)
            self._record(added(mandate))
            self._ledger.add(plan)

    def see(self, parent_id: str, **fields: object) -> None:
        """Write what is seen of the market and the desk: fields of SNAPSHOT_RECORD. What was not
        written is missing; what we sent and got is written by the gate. Raises `InputError` for a
        field that is none of them, or whose value is not whole or of another shape."""
        with self._lock:
            snapshot = self._ledger.snapshots[self._row(parent_id)]
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

    def holds(self, symbol: str, shares: object) -> None:
        """The account's position in a symbol in shares, short is negative. Fills are added from now
        on. Raises `OrderError` for what is no number of shares, or cannot be counted together with
        the lots of the symbol's instruments; and for a symbol without a parent order."""
        exact = number(shares, "position")
        with self._lock:
            name = key(canonical(symbol, "symbol"))
            if name not in self._ledger.symbols:
                raise OrderError(f"symbol: {symbol!a} has no parent order; add one")
            self._ledger.plan_position(name, exact)
            event = held(name, exact)
            self._record(event)
            self._ledger.apply(event)

    def check(self, request: Request, now_ts: int) -> Decision:
        """Whether `request` may go now; if so it is counted as sent, and in the journal."""
        with self._lock:
            if self._blind:
                return _refused(bit.UNRECORDED, self._trouble)
            ids = request.parent_id, request.child_id
            row = self._ledger.rows.get(ids[0]) if all(isinstance(i, str) for i in ids) else None
            if row is None:
                return _refused(bit.MALFORMED, f"parent_id {request.parent_id!a} is not known")
            decision = self._check(request, row, now_ts)
            if not decision.allowed:
                event = Refused(row)
                self._note(event, sync=False)
                self._ledger.apply(event)
            return decision

    def protect(self, child_id: str, now_ts: int) -> Decision:
        """A cancel by the kill switch, the guard or a person: no rate or count stops it, and it is
        refused only where nothing works. It goes even while the journal cannot be written."""
        with self._lock:
            if self._blind:
                return _refused(bit.UNRECORDED, self._trouble)
            child = self._ledger.children.get(child_id)
            if child is None:
                return _refused(bit.MALFORMED, f"child_id {child_id!a} is not known")
            parent_id = self._ledger.mandates[child.parent].parent.order_id
            request = Request(parent_id, child_id, PROTECT)
            return self._judge(request, child.parent, child, now_ts)

    def to_cancel(self) -> tuple[str, ...]:
        """Child orders that work and that the kill switch wants cancelled."""
        with self._lock:
            ledger = self._ledger
            stopped = [
                row for row in range(len(ledger.mandates)) if self._mode(row) == Mode.CANCEL_ALL
            ]
            return ledger.working_of(stopped)

    def stopped(self) -> tuple[tuple[str, str], ...]:
        """Policies, as symbol and name, that have executed as often as they may: a person is to
        look at them."""
        with self._lock:
            return self._ledger.stopped()

    def let_go_on(self, symbol: str, policy: str, *, who: Signed, why: str, ts: int) -> None:
        """A known person who may release has looked at a policy that was stopped: it may execute
        again, from 0. Raises `InputError` when that is not so, when it was not stopped, or when no
        reason is given."""
        name = self._kill_switch.sure(who, Right.RELEASE, "who")
        if not (isinstance(why, str) and why.strip() and why.isprintable()):
            raise InputError(f"why: {why!a}; say why it may go on")
        if not _are_counts(ts):
            raise InputError(f"ts: {ts!a} is not whole; give ns since the epoch")
        event = LetGoOn(
            canonical(symbol, "symbol", InputError),
            canonical(policy, "policy", InputError), name, why, int(ts),
        )  # fmt: skip
        with self._lock:
            if not self._ledger.is_stopped(event.symbol, event.policy):
                raise InputError(f"policy: {policy!a} on {symbol!a} was not stopped; look again")
            self._record(event)
            self._ledger.apply(event)

    def let_go(self) -> tuple[LetGo, ...]:
        """Who let what go on, in order."""
        with self._lock:
            return tuple(self._ledger.let_go)

    def violations(self, parent_id: str) -> int:
        """Orders of a parent order that were refused: a reading of its policy's health."""
        with self._lock:
            return self._ledger.violations[self._row(parent_id)]

    def behind(self, parent_id: str) -> float | None:
        """How far a parent order is behind the schedule that was last seen, see
        `behind_schedule`: a reading of its policy's health."""
        with self._lock:
            row, ledger = self._row(parent_id), self._ledger
            own, snapshot = ledger.counters.parents[row], ledger.snapshots[row].copy()
            snapshot["parent_lots"] = own["lots"]
            snapshot["inventory_lots"] = max(own["lots"] - own["filled_lots"], 0)
            return behind_schedule(snapshot)

    def filled(self, child_id: str, lots: int, ts: int) -> None:
        """`lots` of a child order traded, in lots of its parent's instrument; they count in any
        case. Raises `OrderError` when it was thought to be over, or never sent; and `InputError`
        when the journal cannot be written: tell it again after the restart."""
        if not _are_counts(lots, ts) or not 0 < lots <= MOST_LOTS:
            raise OrderError(f"lots: {lots!r} at {ts!r} is no fill; give lots that traded, and ns")
        self._told(child_id, Filled(child_id, int(lots), int(ts)))

    def replaced(self, child_id: str) -> None:
        """The venue confirmed a replace. Raises `OrderError` when none was on its way."""
        self._told(child_id, Replaced(child_id))

    def over(self, child_id: str) -> None:
        """Nothing of it works any more: cancelled, expired, rejected. Raises `OrderError` when
        none such works."""
        self._told(child_id, Over(child_id))

    def _check(self, request: Request, row: int, now_ts: int) -> Decision:
        if request.kind == PROTECT or not _are_counts(*request[2:], now_ts):
            return _refused(bit.MALFORMED, f"{request!a} holds what no order can have")
        child = self._ledger.children.get(request.child_id)
        if request.kind == SUBMIT and child is not None:
            return _refused(bit.DUPLICATE, f"child_id {request.child_id!a} was used")
        if request.kind in (CANCEL, REPLACE) and child is None:
            return _refused(
                bit.MALFORMED,
                f"nothing works under child_id {request.child_id!a}",
                "give the id of an order that was sent",
            )
        if request.kind == SUBMIT:
            try:
                checked(request.child_id, "child_id")
            except OrderError as error:
                return _refused(bit.MALFORMED, str(error).partition(";")[0], "give another id")
        return self._judge(request, row, child, now_ts)

    def _judge(self, request: Request, row: int, child: Child | None, now_ts: int) -> Decision:
        ledger = self._ledger
        snapshot, order = ledger.snapshots[row], ledger.orders[row]
        snapshot["now_ts"], snapshot["kill_mode"] = now_ts, self._mode(row)
        for field in ("kind", "side", "type", "ticks", "lots"):
            order[field] = getattr(request, field)
        number = child.number if child else FREE
        if request.kind == SUBMIT:
            number = len(ledger.child_ids) + 1
        bits = int(
            judge(ledger.limits, ledger.counters, ledger.snapshots, ledger.orders, row, number)
        )
        if bits == 0 and request.kind != HOLD:
            event = Sent(
                row, request.child_id, int(request.kind), int(request.side), int(request.ticks),
                int(request.lots), int(now_ts),
            )  # fmt: skip
            if not self._note(event) and request.kind != PROTECT:
                return _refused(bit.UNRECORDED, self._trouble)
            ledger.send(event)
        return Decision(bits == 0, bits, explain(bits, ledger.limits[row], snapshot, order))

    def _mode(self, row: int) -> Mode:
        return self._kill_switch.mode_of(*self._ledger.names[row])

    def _row(self, parent_id: str) -> int:
        row = self._ledger.rows.get(parent_id)
        if row is None:
            raise OrderError(f"parent_id: {parent_id!a} is not known; add it")
        return row

    def _told(self, child_id: str, event: Event) -> None:
        with self._lock:
            noted = self._note(event) if child_id in self._ledger.children else True
            if child_id not in self._ledger.children or not self._ledger.apply(event):
                raise OrderError(f"child_id: {child_id!a} does not work; reconcile with the venue")
            if not noted:
                raise InputError(f"journal: {self._trouble}; tell it again after the restart")

    # --- the journal -----------------------------------------------------------------------------

    def _come_back(self, path: Path, sync: bool) -> None:
        """Open the journal and let everything in it happen again."""
        try:
            self._journal = Journal(path, sync=sync)
            for event in self._journal.events():
                self._ledger.apply(event)
            if self._journal.records > 1:
                with suppress(OSError):  # it is as good as before, only longer
                    self._journal.rewrite([self._ledger.kept()])
        except (PacelineError, OSError, LookupError, ValueError, TypeError) as error:
            self._trouble, self._blind = " ".join(str(error).split()), True
            if self._journal is not None:
                self._journal.close()
                self._journal = None

    def _note(self, event: Event, *, sync: bool = True) -> bool:
        """Write an event to the journal, if there is one; False when that cannot be relied on."""
        if self._trouble:
            return False
        if self._journal is not None:
            try:
                self._journal.append(event, sync=sync)
            except OSError as error:
                # After a write that failed, nobody knows what is on disk: no further order may go.
                self._trouble = f"the journal cannot be written ({error.strerror})"
                return False
        return True

    def _record(self, event: Event) -> None:
        if not self._note(event):
            raise InputError(f"journal: {self._trouble}; mend it and start the gate anew")


_OURS = SNAPSHOT_RECORD.names[SNAPSHOT_RECORD.names.index("side") :]  # type: ignore[index, union-attr]
SEEN: tuple[str, ...] = tuple(
    field for field in SNAPSHOT_RECORD.names or () if field not in (*_OURS, "now_ts", "kill_mode")
)
"""Fields of a snapshot that callers of the gate write."""


def _are_counts(*values: object) -> bool:
    """Whether all are whole numbers that a record can hold."""
    for value in values:
        if type(value) is not int and (
            isinstance(value, bool) or not isinstance(value, numbers.Integral)
        ):
            return False
        if abs(int(value)) > INT64_MAX:
            return False
    return True


def _refused(bits: int, words: str, remedy: str = "") -> Decision:
    """A refusal of what never came as far as the rules; its remedy is the rule's unless given."""
    reason = REASONS[bits.bit_length() - 1]
    return Decision(False, bits, (f"{reason.name}: {words}; {remedy or reason.remedy}",))
