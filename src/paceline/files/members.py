"""The files of a sealed folder, opened so that none can mislead or block.

    with opened(folder, TAPE) as here:
        manifest = here.content_as(Manifest)
        events = here.mapped("events.arrow")       # checked, then read from the very same file

Names stay in the folder: no absolute ones, no `..`, no links on the way. Only regular files of the
size that the manifest states are read, so a pipe or a device never blocks, and nothing is allocated
for a size that only the manifest claims. A file is handed out after its SHA-256 was compared.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from paceline.errors import InputError
from paceline.files.drafts import is_ours
from paceline.files.sealing import (
    MANIFEST,
    Kind,
    Member,
    Sealed,
    content_as,
    read_plain,
    said,
    unseal,
)
from paceline.files.writing import recover

T = TypeVar("T")

_LONGEST = 1024
BUDGET = 1 << 36
"""Most bytes of all files of an artefact: 64 GiB."""

_checked: dict[tuple[int, int, int, int, int], str] = {}
"""Files whose SHA-256 this process has computed, by device, inode, size and times."""
_MOST_CHECKED = 4096


class SealedFolder:
    """An open sealed folder. It stays the folder that was opened, when another takes its place."""

    def __init__(self, path: Path, handle: int, sealed: Sealed, kind: Kind, budget: int) -> None:
        self.path, self.sealed, self.kind = path, sealed, kind
        self._handle = handle
        self.members = sealed.members
        total = 0
        for name, member in self.members.items():
            if not _stays_inside(name):
                raise kind.error(
                    f"{path}: {said(name)}: leaves the folder by its name; {kind.remedy}"
                )
            if member.bytes < 0:
                raise self.wrong(name, f"has {member.bytes} bytes by the manifest")
            total += member.bytes
        if total > budget:
            raise kind.error(
                f"{path}: has {total:,} bytes by its manifest, {budget:,} are the most; "
                f"{kind.remedy}"
            )

    def content_as(self, type: type[T]) -> T:
        """What the manifest says, as a struct. Raises the kind's error where it does not fit."""
        return content_as(self.sealed, self.kind, type, self.path / MANIFEST)

    def wrong(self, name: str, what: str) -> InputError:
        """The error that says what is wrong with the file `name`."""
        return self.kind.error(f"{self.path / name}: {what}; {self.kind.remedy}")

    def content(self, name: str) -> bytes:
        """The content of a file, as it was sealed."""
        with self._open(name) as handle, os.fdopen(os.dup(handle), "rb") as file:
            content = file.read(self.members[name].bytes)
        if hashlib.sha256(content).hexdigest() != self.members[name].sha256:
            raise self.wrong(name, "is damaged or was edited")
        return content

    def mapped(self, name: str) -> mmap.mmap | bytes:
        """A file mapped read-only, checked to be what was sealed."""
        size = self.members[name].bytes if name in self.members else 0
        if name in self.members and size == 0:
            return self.content(name)  # nothing can be mapped of it
        with self._open(name) as handle:
            found = mmap.mmap(handle, size, access=mmap.ACCESS_READ)
            self._compare(name, handle, found)
        return found

    def check(self, name: str) -> None:
        """Raises the kind's error unless the file is what was sealed."""
        self.mapped(name)

    def has(self, name: str) -> bool:
        """Whether the manifest names a file."""
        return name in self.members

    def need(self, *names: str) -> None:
        """Raises the kind's error for a file that an artefact of the kind must have."""
        for name in names:
            if name not in self.members:
                raise self.kind.error(
                    f"{self.path / MANIFEST}: does not name {name}; {self.kind.remedy}"
                )

    def only(self, *names: str) -> None:
        """Raises the kind's error for a file that an artefact of the kind does not have."""
        for name in self.members:
            if name not in names:
                raise self.wrong(name, f"is no file of a {self.kind.name}")

    def _compare(self, name: str, handle: int, content: mmap.mmap) -> None:
        found = os.fstat(handle)
        key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        digest = _checked.get(key)
        if digest is None:
            digest = hashlib.sha256(content).hexdigest()
            if len(_checked) >= _MOST_CHECKED:
                _checked.clear()
            _checked[key] = digest
        if digest != self.members[name].sha256:
            raise self.wrong(name, "is damaged or was edited")

    @contextmanager
    def _open(self, name: str) -> Iterator[int]:
        self.need(name)
        try:
            handle = _open_inside(self._handle, name)
        except OSError as error:
            reason = "is missing" if isinstance(error, FileNotFoundError) else error.strerror
            raise self.wrong(name, f"{reason}") from None
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise self.wrong(name, "is no regular file")
            if found.st_size != self.members[name].bytes:
                raise self.wrong(
                    name, f"has {found.st_size:,} bytes, {self.members[name].bytes:,} were written"
                )
            yield handle
        finally:
            os.close(handle)


@contextmanager
def opened(folder: str | Path, kind: Kind, budget: int = BUDGET) -> Iterator[SealedFolder]:
    """The sealed folder at `folder`. Raises `kind.error` unless there is one of that kind."""
    folder = Path(folder)
    recover(folder)
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise kind.error(_missing(folder, kind, error)) from None
    try:
        where = folder / MANIFEST
        try:
            text = read_plain(MANIFEST, dir_fd=handle)
        except FileNotFoundError:
            raise kind.error(f"{folder}: holds no {kind.name}; give the folder of one") from None
        except OSError as error:
            raise kind.error(f"{where}: cannot be read ({error.strerror}); {kind.remedy}") from None
        except ValueError as error:
            raise kind.error(f"{where}: {error}; {kind.remedy}") from None
        yield SealedFolder(folder, handle, unseal(text, kind, where), kind, budget)
    finally:
        os.close(handle)


def read_folder(
    folder: str | Path, kind: Kind, read: Callable[[SealedFolder], T], budget: int = BUDGET
) -> T:
    """What `read` makes of the sealed folder; again if that was replaced meanwhile."""
    while True:
        before = _identity(folder)
        try:
            with opened(folder, kind, budget) as here:
                return read(here)
        except kind.error:
            if before is None or _identity(folder) in (before, None):
                raise


def members_of(folder: Path) -> dict[str, Member]:
    """All files in `folder` and below it, but its manifest and traces of writing, to be sealed."""
    found = {}
    for path, below, names in os.walk(folder):
        below[:] = [one for one in below if not is_ours(one)]
        for name in names:
            file = Path(path, name)
            inside = file.relative_to(folder).as_posix()
            if inside != MANIFEST and not is_ours(name):
                found[inside] = member_of(file)
    return found


def member_of(file: Path) -> Member:
    """Size and SHA-256 of a file."""
    with open(file, "rb") as opened_file:
        digest = hashlib.file_digest(opened_file, "sha256").hexdigest()
    return Member(file.stat().st_size, digest)


def _stays_inside(name: str) -> bool:
    parts = name.split("/")
    return (
        0 < len(name) <= _LONGEST
        and "\\" not in name
        and name.isprintable()
        and not any(part in ("", ".", "..") for part in parts)
    )


def _open_inside(folder: int, name: str) -> int:
    """Open a file below an open folder, through no link. Raises `OSError`."""
    *folders, last = name.split("/")
    handle = os.dup(folder)
    try:
        for one in folders:
            deeper = os.open(one, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = deeper
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(last, flags, dir_fd=handle)
    finally:
        os.close(handle)


def _identity(folder: str | Path) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _missing(folder: Path, kind: Kind, error: OSError) -> str:
    why = "it is not there" if isinstance(error, FileNotFoundError) else error.strerror
    if isinstance(error, NotADirectoryError):
        why = "it is a file"
    return f"{folder}: holds no {kind.name} ({why}); give the folder of one"
