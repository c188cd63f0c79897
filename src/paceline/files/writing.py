"""A file or a folder is replaced at once: at every moment the old or the new one is there, whole.

    write_file("out/summary.json", text)
    with new_file("out/orders.parquet") as path: pq.write_table(table, path)
    with new_folder("tapes/A-2024-01-08.tape") as path: ...

What is new is written to a draft beside its place, put on the disk (`fsync`), and moved there by
one `rename`. A folder that is there already changes places with the new one in one call
(`renameat2` with `RENAME_EXCHANGE`). Where kernel or filesystem have no such call, the old folder
is moved aside first; `recover` puts it back if the process dies between the two.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paceline.errors import BusyError, InputError
from paceline.files import drafts
from paceline.files.alone import alone, lock_beside
from paceline.files.points import step

_HERE, _EXCHANGE = -100, 2
"""`AT_FDCWD` and `RENAME_EXCHANGE` of Linux."""
_HAS_NONE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV, errno.EPERM)


def write_file(path: str | Path, content: bytes | str) -> Path:
    """Write a file, whole or not at all; one that was there before is replaced. Text is UTF-8.

    Raises `OSError` (a full disk); what was there before is still there."""
    with new_file(path) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(path)


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """A draft to write to, which becomes `path` at the end, unless an exception ends it.

    Missing folders are made. A link is followed; a device or a pipe is written to as it is."""
    if _is_stream(path):
        yield Path(path)  # as given: /dev/stdout may lead to a pipe, which has no name
        return
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    drafts.clear(target.parent, target.name)
    step()
    with drafts.draft_of(target) as draft:
        yield draft.path
        step()
        _sync(draft.path)
        step()
        os.replace(draft.path, target)
        step()
        _sync(target.parent)


def _is_stream(path: str | Path) -> bool:
    """Whether a path leads to a device or a pipe."""
    try:
        kind = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(kind) and not stat.S_ISDIR(kind)


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """An empty folder to fill, which becomes `path` at the end, unless an exception ends it.

    A folder that is there already is replaced whole. Raises `BusyError` if another process is
    replacing it, and `OSError` if something cannot be written; what was there is still there."""
    target = Path(os.path.realpath(path))
    with alone(target):
        recover(target)
        step()
        with drafts.draft_of(target, folder=True) as draft:
            yield draft.path
            step()
            _as_the_umask_says(draft.path)
            sync_tree(draft.path)
            step()
            _swap(draft.path, target)
            step()
            _sync(target.parent)
            step()


def _as_the_umask_says(folder: Path) -> None:
    """Files in `folder` may be read and written by all that may do so with `folder` itself; some
    libraries make theirs readable by the owner alone."""
    allowed = stat.S_IMODE(os.stat(folder).st_mode) & 0o666
    for path, _, names in os.walk(folder):
        for name in names:
            os.chmod(Path(path, name), allowed)


def _swap(draft: Path, target: Path) -> None:
    """`draft` takes the place of `target`; what was there is under the draft's name, or gone."""
    if not os.path.lexists(target):
        os.rename(draft, target)
        return
    try:
        _exchange(draft, target)
    except OSError as error:
        if error.errno not in _HAS_NONE:
            raise
        old = drafts.beside(target, drafts.OLD)
        os.rename(target, old)
        step()
        os.rename(draft, target)
        step()
        drafts.remove(old)


def _exchange(one: Path, other: Path) -> None:
    """Two paths change places in one step. Raises `OSError`."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))


def recover(path: str | Path) -> None:
    """Put right what a process that was killed while it replaced `path` left, and clear up.

    Readers call it too. It does nothing while another process is at work there, and where nothing
    can be written."""
    target = Path(os.path.realpath(path))
    drafts.clear(target.parent, target.name)
    if not drafts.olds(target) and not lock_beside(target).exists():
        return
    with suppress(BusyError, InputError, OSError), alone(target):
        for old in drafts.olds(target):
            if os.path.lexists(target):
                drafts.remove(old)
            else:
                os.rename(old, target)


def discard(path: str | Path) -> None:
    """Remove a file or a folder at once: nobody meets half of it. What cannot be removed stays."""
    path = Path(path)
    gone = drafts.beside(path)
    with suppress(OSError):
        os.rename(path, gone)
        step()
    drafts.remove(gone)


def recover_in(folder: str | Path) -> None:
    """`recover` for all that is replaced in `folder`."""
    folder = Path(folder)
    for name in drafts.names_in(folder):
        recover(folder / name)


def sync_tree(folder: Path) -> None:
    """Put a folder and all that is in it on the disk."""
    for path, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(Path(path, name))
        _sync(Path(path))


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some filesystems have no fsync
            raise
    finally:
        os.close(handle)
