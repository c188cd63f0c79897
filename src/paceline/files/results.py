"""Several files of one result, published as one.

    with result_in("out/backtest", "backtest") as draft:
        pq.write_table(table, draft / "orders.parquet")
        write_page(draft / "report.html", …)

The folder may hold other files, which stay. All files of the result are written to a draft in the
folder and put on the disk; then a note of what is to happen (`.paceline-commit`) makes it certain:
files of the result before are removed, those of the new one move in, the sealed manifest last. So
files of two results never lie side by side. A process that is killed on the way leaves the note,
and the next one that writes or reads here finishes the move.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from paceline.errors import BusyError, InputError
from paceline.files import drafts
from paceline.files.alone import LOCK, alone_in
from paceline.files.members import members_of
from paceline.files.points import step
from paceline.files.sealing import MANIFEST, Kind, read_plain, read_sealed, seal, unseal
from paceline.files.writing import sync_folder, sync_tree, write_file

_COMMIT = ".paceline-commit"
_NOTE = Kind("move of a result", 1, "remove it, and give the command again")
_VERSION = 1


class _Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to happen to a folder."""

    draft: str
    new: list[str]
    old: list[str]


@contextmanager
def result_in(folder: str | Path, what: str) -> Iterator[Path]:
    """A draft folder for the files of a result, which move to `folder` at the end.

    An exception leaves everything as it was. Raises `BusyError` if another process writes there."""
    folder = Path(folder)
    with alone_in(folder):
        recover_result(folder)
        step()
        with drafts.draft_of(folder / "result", folder=True) as draft:
            yield draft.path
            step()
            new = members_of(draft.path)
            for name in (*new, MANIFEST):
                if (folder / name).is_dir():
                    raise InputError(f"{folder / name}: is a folder; move it, or give another one")
            kind = Kind(f"result of {what}", _VERSION, "give the command again")
            (draft.path / MANIFEST).write_bytes(seal(kind, {"what": what}, new))
            sync_tree(draft.path)
            step()
            move = _Move(draft.path.name, [*sorted(new), MANIFEST], _members_of_result(folder))
            write_file(folder / _COMMIT, seal(_NOTE, move))
            _finish(folder, move)


def recover_result(folder: str | Path) -> None:
    """Finish what a process that was killed left of publishing a result, and clear up after it.

    Readers call it too. It does nothing while another process is at work there, and where nothing
    can be written."""
    folder = Path(folder)
    if not _left_over(folder):
        return
    with suppress(BusyError, InputError, OSError), alone_in(folder):
        if (folder / _COMMIT).is_file():
            try:
                _finish(folder, read_sealed(folder / _COMMIT, _NOTE, _Move))
            except InputError:
                # Damaged: which files were to go is not known, those that moved in are whole.
                drafts.remove(folder / _COMMIT)
        drafts.clear(folder)


def _left_over(folder: Path) -> bool:
    with suppress(OSError), os.scandir(folder) as entries:
        return any(drafts.is_ours(one.name) and one.name != LOCK for one in entries)
    return False


def _finish(folder: Path, move: _Move) -> None:
    """Carry out a move, all of it or what is left of it."""
    draft = folder / move.draft
    if not drafts.is_ours(move.draft) or "/" in move.draft:
        raise InputError(f"{folder / _COMMIT}: names {move.draft!r}, which is no draft; remove it")
    waiting = [name for name in move.new if (draft / name).is_file()]
    arrived = set(move.new) - set(waiting)
    if waiting:
        for name in sorted({*move.old, *waiting} - arrived):
            if _plain(name):
                (folder / name).unlink(missing_ok=True)
                step()
        for name in waiting:
            if _plain(name):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.rename(draft / name, folder / name)
                step()
        for name in move.old:
            _remove_empty(folder, name)
        sync_folder(folder)
    drafts.remove(draft)
    drafts.remove(folder / _COMMIT)
    step()


def _members_of_result(folder: Path) -> list[str]:
    """The files of the result that is in `folder`, of whichever command."""
    try:
        text = read_plain(folder / MANIFEST)
        name = msgspec.json.decode(text)["format"].removeprefix("paceline ")
        if not name.startswith("result of "):
            return []
        found = unseal(text, Kind(name, _VERSION, ""), folder / MANIFEST)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [*found.members, MANIFEST]


def _plain(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/")


def _remove_empty(folder: Path, name: str) -> None:
    """Folders that held a file of the result before, where nothing is left in them."""
    for above in list(Path(name).parents)[:-1]:
        with suppress(OSError):
            (folder / above).rmdir()
