"""The kill switch: stops what is in its scope, and stays thrown until two people release it.

It lives in a small file, replaced as a whole, that several processes may read and write. Every
question looks whether the file changed. What cannot be relied on stops everything:

* a file that is missing or cannot be read is a halt;
* a file that was changed after it was written is a `CANCEL_ALL`, for nobody knows what was thrown;
* a file that lacks what this process has seen in it is a halt, until it is restored.

What this process knew before stays thrown besides.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from paceline.errors import BusyError, InputError
from paceline.files.alone import alone
from paceline.files.sealing import read_plain
from paceline.files.writing import write_file
from paceline.guard.people import People, Right, Signed
from paceline.guard.switches import (
    Entry,
    History,
    Mode,
    Released,
    Scope,
    Thrown,
    entry_of,
    same,
)  # fmt: skip
from paceline.orders.identity import canonical, key, person_key

PATIENCE_S = 10.0
"""How long a throw waits for another process that writes to the file."""

__all__ = ["KillSwitch", "Mode", "Released", "Scope", "Thrown"]


class KillSwitch:
    """The switches in one file. Safe to share between threads."""

    def __init__(self, path: str | Path, people: People | None = None) -> None:
        """The switches in `path`, which `create` made; if it is not there, everything halts.

        `people`: who may release and confirm. Without them nothing can be released.
        """
        self._path = Path(path)
        self._people = people
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] | None = None
        self._history = History()
        self._trouble, self._trouble_mode = "has not been read yet", Mode.HALT
        self._unwritten: tuple[Thrown, ...] = ()
        self._strictest: dict[tuple[Scope, str], Mode] = {}

    @classmethod
    def create(cls, path: str | Path, people: People | None = None) -> KillSwitch:
        """A new file with nothing thrown. `InputError` when there is one, which may be thrown, or
        none can be written."""
        switch = cls(path, people)
        if not switch._path.parent.is_dir():  # a slip in the path: nobody would look there
            raise InputError(
                f"{path}: lies in no folder; give a file in a folder that can be written to"
            )
        try:
            with switch._alone():
                if switch._path.exists():
                    raise InputError(f"{path}: is there already; open it, or remove it on purpose")
                write_file(switch._path, History().to_bytes())
        except OSError as error:
            raise InputError(
                f"{path}: {error.strerror}; give a file in a folder that can be written to"
            ) from None
        return switch

    def mode(self, *, order: str, symbol: str, policy: str, desk: str) -> Mode:
        """The strictest mode that holds for a parent order, whichever way its names are written.
        Raises `InputError` for what can name nothing."""
        return self.mode_of(
            *(
                key(canonical(name, f"kill.{scope}", InputError))
                for scope, name in (
                    ("order", order), ("symbol", symbol), ("policy", policy), ("desk", desk),
                )
            )
        )  # fmt: skip

    def mode_of(self, order: str, symbol: str, policy: str, desk: str) -> Mode:
        """`mode` of names that are keys (`orders.identity.key`) already."""
        with self._lock:
            self._look()
            held = self._strictest
            if not held:
                return Mode.RUNNING
            return max(
                held.get((Scope.ALL, ""), Mode.RUNNING),
                held.get((Scope.ORDER, order), Mode.RUNNING),
                held.get((Scope.SYMBOL, symbol), Mode.RUNNING),
                held.get((Scope.POLICY, policy), Mode.RUNNING),
                held.get((Scope.DESK, desk), Mode.RUNNING),
            )

    def thrown(self) -> tuple[Thrown, ...]:
        """All that is thrown now, and what stops everything because of the file."""
        with self._lock:
            self._look()
            return self._holding()

    def history(self) -> tuple[Entry, ...]:
        """All that was ever thrown and released, as last read from the file."""
        with self._lock:
            self._look()
            return self._history.entries

    def throw(
        self, scope: Scope, name: str, mode: Mode, *, who: str | Signed, why: str, ts: int
    ) -> None:
        """Stop what is in scope. Anybody can; `who` that is not signed by a known person is
        recorded as unknown. Holds in this process at once, even when the file cannot be written,
        which is an `InputError` then, and is written with the next throw."""
        given, known = (who.name, self._knows(who)) if isinstance(who, Signed) else (who, False)
        new = entry_of(
            Thrown, scope=scope, name=name, mode=mode, who=given, known=known, why=why, ts=ts
        )
        if mode == Mode.RUNNING:
            raise InputError("kill.mode: running stops nothing; use release")
        with self._lock:
            self._unwritten = (*self._unwritten, new)
            self._index()
        try:
            with self._alone(), self._lock:
                self._look()
                self._write(self._started())
        except OSError as error:
            raise InputError(
                f"{self._path}: {error.strerror}; it is thrown in this process only, make the "
                "file writable and throw it again"
            ) from None

    def release(
        self, scope: Scope, name: str, *, who: Signed, confirmed_by: Signed, why: str, ts: int
    ) -> None:
        """Let what is in scope run again: two known people and a reason. `InputError` otherwise,
        and when nothing of the kind is thrown, or the file cannot be read or written."""
        released_by = self.sure(who, Right.RELEASE, "kill.who")
        confirmed = self.sure(confirmed_by, Right.CONFIRM, "kill.confirmed_by")
        if person_key(released_by) == person_key(confirmed):
            raise InputError(
                f"kill.confirmed_by: {released_by!a} released it; have another confirm"
            )
        given = {"scope": scope, "name": name, "who": released_by, "confirmed_by": confirmed}
        entry_of(Released, **given, why=why, ts=ts, thrown=(0,))
        try:
            with self._alone(), self._lock:
                self._look()
                if self._trouble:
                    raise InputError(f"{self._trouble}; restore the file first")
                history = self._started()
                ended = {
                    at: thrown
                    for at, thrown in history.holding().items()
                    if same(thrown, scope, canonical(name, "kill.name", InputError) if name else "")
                }
                if not ended:
                    raise InputError(f"kill.name: nothing is thrown for {scope} {name!a}")
                last = max(thrown.ts for thrown in ended.values())
                if ts < last:
                    raise InputError(
                        f"kill.ts: {ts} is before {last}, when it was thrown; give the time of the "
                        "release"
                    )
                new = entry_of(Released, **given, why=why, ts=ts, thrown=tuple(ended))
                self._write(history.then(new))
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror}; nothing is released") from None

    def sure(self, signed: Signed, right: Right, field: str) -> str:
        """The name of a known person who may do this, as `People.sure`."""
        if self._people is None:
            raise InputError(
                f"{field}: nobody is known; open the kill switch with people=People.load(path)"
            )
        return self._people.sure(signed, right, field)

    def _knows(self, signed: Signed) -> bool:
        try:
            return bool(self.sure(signed, Right.THROW, "kill.who"))
        except InputError:
            return False

    def _holding(self) -> tuple[Thrown, ...]:
        """What is thrown by file, by trouble with it, and by us."""
        held = (*self._history.holding().values(), *self._unwritten)
        return (*held, self._stop()) if self._trouble else held

    def _stop(self) -> Thrown:
        return Thrown(
            scope=Scope.ALL, name="", mode=self._trouble_mode, who="kill switch",
            why=self._trouble, ts=0,
        )  # fmt: skip

    def _index(self) -> None:
        """The strictest mode of each scope and name."""
        self._strictest = {}
        for thrown in self._holding():
            at = thrown.scope, key(thrown.name)
            self._strictest[at] = max(self._strictest.get(at, Mode.RUNNING), thrown.mode)

    def _look(self) -> None:
        """Read the file if it changed. What was known before trouble stays thrown."""
        try:
            found = os.stat(self._path)
            # An editor can put size and mtime back; ctime is set by the kernel alone.
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            if stamp == self._stamp:
                return
            history = History.from_bytes(read_plain(self._path), self._path.name)
        except OSError as error:
            self._stop_for(f"{self._path.name}: cannot be read: {error.strerror}", Mode.HALT)
        except InputError as error:
            self._stop_for(str(error), Mode.CANCEL_ALL)
        except ValueError as error:  # no plain file, or too large
            self._stop_for(f"{self._path.name}: {error}", Mode.CANCEL_ALL)
        else:
            if not history.goes_on_from(self._history):
                seen, now = len(self._history.entries), len(history.entries)
                self._stop_for(
                    f"{self._path.name}: lacks what was seen in it ({seen} entries before, {now} "
                    "now)",
                    Mode.HALT,
                )
                return
            self._history, self._stamp, self._trouble = history, stamp, ""
            self._index()

    def _stop_for(self, trouble: str, mode: Mode) -> None:
        self._stamp = None
        if (trouble, mode) != (self._trouble, self._trouble_mode) or not self._strictest:
            self._trouble, self._trouble_mode = trouble, mode
            self._index()

    def _started(self) -> History:
        """What is to be written: what was known, what stops everything, and what is not written."""
        stop = (self._stop(),) if self._trouble else ()
        return self._history.then(*stop, *self._unwritten)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While it lasts, no other process writes. Raises `OSError` when it cannot be had: the rest
        of a throw must not wait for a process that hangs."""
        until = time.monotonic() + PATIENCE_S
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(alone(self._path))
                    break
                except BusyError:
                    if time.monotonic() > until:
                        raise OSError(errno.EBUSY, "Another process holds its lock") from None
                    time.sleep(0.002)
                except InputError:
                    raise OSError(errno.ENOENT, "It cannot be written to") from None
            yield

    def _write(self, history: History) -> None:
        """Replace the file, after what was found damaged was put aside."""
        if self._trouble:
            aside = self._path.with_name(self._path.name + ".damaged")
            with suppress(OSError):  # nothing of the past is worth more than what is thrown now
                os.link(os.path.realpath(self._path), aside)  # not copied: it may be huge
            if self._path.exists() and not self._path.is_file():
                os.unlink(self._path)  # a pipe would keep the writer waiting
        write_file(self._path, history.to_bytes())
        self._unwritten, self._history = (), history
        self._look()
