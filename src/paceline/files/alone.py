"""One process at a time writes to a folder or a file.

    with alone_in(out):            # a folder that is filled over time: the lock lies inside it
        ...
    with alone("kill.json"):       # a file, or a folder that is replaced whole: it lies beside it
        ...

The lock is `flock` on a file of its own, so it ends with the process, however that ends, and a lock
file that was left behind locks nothing. A thread may take a lock again that it holds.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paceline.errors import BusyError, InputError

LOCK = ".paceline-lock"
"""Name of the lock file in a folder; after `.NAME` beside what is replaced whole."""

_TRIES, _PAUSE_S = 10, 0.02

_held: dict[str, list[int]] = {}
"""Lock file -> the thread that holds it, and how often."""
_watch = threading.Lock()


@contextmanager
def alone_in(folder: str | Path) -> Iterator[None]:
    """While it lasts, no other process writes into `folder`, which is made if it is not there.

    Raises `BusyError` at once if one does, and `OSError` if the folder cannot be made."""
    folder = Path(folder)
    with _made(folder), _locked(folder / LOCK, folder, wait=False):
        yield


@contextmanager
def alone(path: str | Path, *, wait: bool = False) -> Iterator[None]:
    """While it lasts, no other process replaces `path`. Its parent folder is made.

    Raises `BusyError` at once if one does, unless it is to `wait`."""
    path = Path(path)
    with _made(path.parent), _locked(lock_beside(path), path, wait):
        yield


def lock_beside(path: Path) -> Path:
    """The lock file of what is replaced whole."""
    return path.with_name(f".{path.name}{LOCK}")


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """A folder that is there, and is gone again if it was made for nothing."""
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if new:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def _locked(file: Path, what: Path, wait: bool) -> Iterator[None]:
    key, me = os.path.realpath(file), threading.get_ident()
    with _watch:
        holder = _held.get(key)
        if holder is not None and holder[0] == me:
            holder[1] += 1
    if holder is not None and holder[0] == me:
        try:
            yield
        finally:
            holder[1] -= 1
        return
    handle = _take(file, what, wait)
    with _watch:
        _held[key] = [me, 1]
    try:
        yield
    finally:
        with _watch:
            _held.pop(key, None)
        # Removed while it is locked: nobody else can have taken this very file meanwhile.
        with suppress(OSError):
            os.unlink(file)
        os.close(handle)


def _take(file: Path, what: Path, wait: bool) -> int:
    """The open, locked lock file."""
    tries = 0
    while True:
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise InputError(
                f"{what}: cannot be written to ({error.strerror}); give another path"
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            # The one who held it before removed it at the end: then this is no lock any more.
            if os.path.samestat(os.fstat(handle), os.stat(file)):
                return handle
        except FileNotFoundError:
            pass
        except BlockingIOError:
            os.close(handle)
            tries += 1
            if tries < _TRIES:  # one who reads may be clearing up for a moment
                time.sleep(_PAUSE_S)
                continue
            raise BusyError(
                f"{what}: another process is writing there; wait until it has ended, or give "
                "another path"
            ) from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
