"""Drafts: what is being written, beside what it is to become, and what is left of them.

A draft of `report.html` is `.report.html.5f0c1e9a2b7d.paceline-draft`. Its writer holds a lock on
it (`flock`) until it is done or dead. A draft without a lock is a leftover: the next process that
writes or reads here removes it, and it is never read.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

DRAFT, OLD = ".paceline-draft", ".paceline-old"

_OURS = re.compile(r"\.(.+)\.[0-9a-f]{12}\.paceline-(?:draft|old)\Z", re.DOTALL)


class Draft(NamedTuple):
    """A file or a folder that is being written."""

    path: Path
    handle: int
    """Open; the lock on it says that its writer lives."""


def is_ours(name: str) -> bool:
    """Whether a file of this name is a draft, a lock or another trace of writing."""
    return name.startswith(".") and (
        _OURS.match(name) is not None or name.endswith((".paceline-lock", ".paceline-commit"))
    )


def beside(path: Path, ending: str = DRAFT) -> Path:
    """A new name for a draft of `path`, in the same folder and so on the same filesystem."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}{ending}")


@contextmanager
def draft_of(path: Path, *, folder: bool = False) -> Iterator[Draft]:
    """A new, empty draft of `path`, which must have a parent; removed at the end if still there.

    Its permissions are those that the umask leaves."""
    draft = _new(path, folder)
    try:
        yield draft
    finally:
        remove(draft.path)
        os.close(draft.handle)


def _new(path: Path, folder: bool) -> Draft:
    while True:
        name = beside(path)
        if folder:
            os.mkdir(name)
            handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        else:
            handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            # One who clears up may have been faster than the lock.
            if os.path.samestat(os.fstat(handle), os.stat(name)):
                return Draft(name, handle)
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            remove(name)
            raise
        os.close(handle)


def clear(folder: Path, name: str | None = None) -> None:
    """Remove drafts in `folder` (of `name` alone, if given) whose writers are gone.

    What cannot be removed stays: a leftover is no reason to fail."""
    with suppress(OSError), os.scandir(folder) as entries:
        found = [entry.name for entry in entries if entry.name.endswith(DRAFT)]
        for one in found:
            ours = _OURS.match(one)
            if ours is None or (name is not None and ours[1] != name):
                continue
            with suppress(OSError):
                _clear(folder / one)


def _clear(path: Path) -> None:
    if not path.is_symlink() and not path.is_dir() and not path.is_file():
        return  # a draft is a file or a folder; opening anything else may block
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(path)
    finally:
        os.close(handle)


def names_in(folder: Path) -> list[str]:
    """Names of what was being written in `folder` when a process ended, or is now."""
    with suppress(OSError), os.scandir(folder) as entries:
        return sorted({ours[1] for entry in entries if (ours := _OURS.match(entry.name))})
    return []


def olds(path: Path) -> list[Path]:
    """Former contents of `path`, moved away by a replacement that was not finished."""
    with suppress(OSError), os.scandir(path.parent) as entries:
        names = [entry.name for entry in entries if entry.name.endswith(OLD)]
        return [
            path.with_name(one) for one in sorted(names)
            if (ours := _OURS.match(one)) is not None and ours[1] == path.name
        ]  # fmt: skip
    return []


def remove(path: Path) -> None:
    """Remove a file or a folder, as far as that can be done."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
