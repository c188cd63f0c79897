"""Small files that are read whole: replaced at once, and written by one process at a time."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LARGEST = 64 * 2**20
"""Bytes that are read of a file; more is refused before they are."""
_PATIENCE_S = 10.0


def stamp_of(path: Path) -> tuple[int, int, int]:
    """What changes when a file is replaced or written to. Raises `OSError` when it cannot be read,
    or is no plain file of a size that is read."""
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(22, "Not a plain file")
    if found.st_size > LARGEST:
        raise OSError(27, "File too large")
    return found.st_ino, found.st_mtime_ns, found.st_size


def replace(path: Path, raw: bytes, mode: int = 0o666) -> None:
    """Put `raw` in the place of a file, whole or not at all, and wait until it is on disk. `mode`:
    permissions, less the umask."""
    new = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        with open(new, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """While it lasts, no other process that asks writes `path`. Raises `OSError` when another one
    does not let go of it for ten seconds."""
    with open(path.with_name(path.name + ".lock"), "wb") as file:
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise OSError(11, "Another process does not let go of its lock") from None
                time.sleep(0.002)
        yield
