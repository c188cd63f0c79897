"""The kill switch: stops what is in its scope, and stays thrown until two people release it.

It lives in a small JSON file, replaced as a whole, that several processes may read and write. A
file that is missing or unreadable halts everything. Every question looks whether the file changed.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from paceline.errors import InputError
from paceline.guard import snapshot


class Mode(IntEnum):
    """What a thrown switch does; the larger is the stricter."""

    RUNNING = snapshot.RUNNING
    REDUCE_ONLY = snapshot.REDUCE_ONLY
    """Only orders that reduce the position may go, and cancels."""
    HALT = snapshot.HALT
    """No order may go; cancels may."""
    CANCEL_ALL = snapshot.CANCEL_ALL
    """No order may go, and what works is to be cancelled."""


class Scope(StrEnum):
    """What a switch stops."""

    ORDER = "order"
    """One parent order."""
    SYMBOL = "symbol"
    POLICY = "policy"
    DESK = "desk"
    ALL = "all"
    """Everything; its name is empty."""


T = TypeVar("T")
Words = Annotated[str, Meta(min_length=1, pattern=r"\S")]


class Thrown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A switch, and who threw it."""

    scope: Scope
    name: str
    mode: Mode
    who: Words
    why: Words
    ts: int
    """ns since the epoch."""


class Released(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was released, by whom, and who had thrown it."""

    scope: Scope
    name: str
    who: Words
    confirmed_by: Words
    why: Words
    ts: int
    thrown: tuple[Thrown, ...] = ()
    """All that held there until then."""


class Switches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file holds."""

    version: Annotated[int, Meta(ge=1, le=1)] = 1
    thrown: tuple[Thrown, ...]
    released: tuple[Released, ...]


_NONE = Switches(thrown=(), released=())


class KillSwitch:
    """The switches in one file. Safe to share between threads."""

    def __init__(self, path: str | Path) -> None:
        """The switches in `path`, which `create` made; if it is not there, everything halts."""
        self._path = Path(path)
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._switches = _NONE
        self._trouble = "nobody has looked yet"
        self._unwritten: tuple[Thrown, ...] = ()

    @classmethod
    def create(cls, path: str | Path) -> KillSwitch:
        """A new file with nothing thrown. `InputError` when there is one, which may be thrown, or
        none can be written."""
        switch = cls(path)
        try:
            with switch._alone():
                if switch._path.exists():
                    raise InputError(f"{path}: is there already; open it, or remove it on purpose")
                switch._write(_NONE)
        except OSError as error:
            raise InputError(
                f"{path}: {error.strerror}; give a file in a folder that can be written to"
            ) from None
        return switch

    def mode(self, *, order: str, symbol: str, policy: str, desk: str) -> Mode:
        """The strictest mode that holds for a parent order."""
        named = {
            Scope.ORDER: order,
            Scope.SYMBOL: symbol,
            Scope.POLICY: policy,
            Scope.DESK: desk,
            Scope.ALL: "",
        }
        holding = [switch.mode for switch in self.thrown() if named[switch.scope] == switch.name]
        return max(holding, default=Mode.RUNNING)

    def thrown(self) -> tuple[Thrown, ...]:
        """All that is thrown now; a file that cannot be read is a halt of everything."""
        with self._lock:
            self._look()
            return self._holding()

    def throw(self, scope: Scope, name: str, mode: Mode, *, who: str, why: str, ts: int) -> None:
        """Stop what is in scope. Holds in this process at once, even when the file cannot be
        written, which is an `InputError` then."""
        new = _checked(Thrown, scope=scope, name=name, mode=mode, who=who, why=why, ts=ts)
        if mode == Mode.RUNNING:
            raise InputError("kill.mode: running stops nothing; use release")
        with self._lock:
            self._unwritten = (*self._unwritten, new)
            try:
                with self._alone():
                    self._look()
                    held = self._holding()
                    self._write(msgspec.structs.replace(self._switches, thrown=held))
            except OSError as error:
                raise InputError(
                    f"{self._path}: {error.strerror}; it is thrown in this process only, make the "
                    "file writable and throw it again"
                ) from None
            self._unwritten = ()

    def release(
        self, scope: Scope, name: str, *, who: str, confirmed_by: str, why: str, ts: int
    ) -> None:
        """Let what is in scope run again: two people and a reason. `InputError` otherwise, and
        when nothing of the kind is thrown, or the file cannot be read or written."""
        new = _checked(
            Released, scope=scope, name=name, who=who, confirmed_by=confirmed_by, why=why, ts=ts
        )
        if who.strip().casefold() == confirmed_by.strip().casefold():
            raise InputError(f"kill.confirmed_by: {who!r} released it; have another one confirm")
        with self._lock:
            try:
                with self._alone():
                    self._look()
                    if self._trouble:
                        raise InputError(f"{self._path}: {self._trouble}; restore the file first")
                    held = self._holding()
                    kept = tuple(s for s in held if (s.scope, s.name) != (scope, name))
                    if kept == held:
                        raise InputError(f"kill.name: nothing is thrown for {scope} {name!r}")
                    ended = tuple(s for s in held if s not in kept)
                    new = msgspec.structs.replace(new, thrown=ended)
                    done = (*self._switches.released, new)
                    self._write(msgspec.structs.replace(_NONE, thrown=kept, released=done))
            except OSError as error:
                raise InputError(f"{self._path}: {error.strerror}; nothing is released") from None
            self._unwritten = ()

    def _holding(self) -> tuple[Thrown, ...]:
        """What is thrown by file, by trouble with it, and by us."""
        held = (*self._switches.thrown, *self._unwritten)
        if not self._trouble:
            return held
        halt = Thrown(
            scope=Scope.ALL, name="", mode=Mode.HALT, who="kill switch", why=self._trouble, ts=0
        )
        return (*held, halt)

    def _look(self) -> None:
        """Read the file if it changed. What was known before trouble stays thrown."""
        try:
            stat = os.stat(self._path)
            stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if stamp != self._stamp:
                self._stamp = None
                self._switches = msgspec.json.decode(self._path.read_bytes(), type=Switches)
                self._stamp, self._trouble = stamp, ""
        except OSError as error:
            self._stamp, self._trouble = None, f"cannot be read: {error.strerror}"
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._stamp, self._trouble = None, f"cannot be understood: {error}"

    def _write(self, switches: Switches) -> None:
        """Replace the file as a whole, and see it on disk."""
        new = self._path.with_name(self._path.name + ".new")
        with open(new, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(switches)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._look()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While it lasts, no other process writes."""
        with open(self._path.with_name(self._path.name + ".lock"), "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _checked(kind: type[T], **given: object) -> T:
    """One entry, checked as the file would be."""
    try:
        found = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        # It ends with the field: "... - at `$.scope`".
        what, _, field = str(error).rstrip("`").rpartition(" - at `$.")
        remedy = _REMEDIES.get(field, "say who and why")
        raise InputError(f"kill.{field}: {given.get(field)!r} ({what}); {remedy}") from None
    if (given["scope"] == Scope.ALL) != (given["name"] == ""):
        raise InputError(
            f"kill.name: {given['name']!r} does not fit scope {given['scope']}; name what is to "
            "stop, and leave it empty for all"
        )
    return found


_REMEDIES = {
    "scope": f"give one of {', '.join(Scope)}",
    "mode": f"give one of {', '.join(mode.name for mode in Mode if mode != Mode.RUNNING)}",
    "name": "give its text",
    "ts": "give whole ns since the epoch",
}
"""Of fields that say neither who nor why."""
