"""Files and folders are replaced whole, whatever ends the process that replaces them."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paceline.errors import BusyError, InputError
from paceline.files import drafts, writing
from paceline.files.alone import alone, alone_in
from paceline.files.results import recover_result, result_in
from paceline.files.writing import new_file, new_folder, recover, write_file

from .killing import in_a_child, killed_at_each_step


def tree(folder: Path) -> dict[str, str]:
    """All files below `folder`, by their names within it."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def a_folder(path: Path, text: str) -> Callable[[], None]:
    def work() -> None:
        with new_folder(path) as draft:
            (draft / "one").write_text(text)
            (draft / "below").mkdir()
            (draft / "below" / "two").write_text(text)

    return work


def a_result(path: Path, text: str, *names: str) -> Callable[[], None]:
    def work() -> None:
        with result_in(path, "backtest") as draft:
            for name in names:
                (draft / name).parent.mkdir(exist_ok=True)
                (draft / name).write_text(text)

    return work


def without_exchange(one: Path, other: Path) -> None:
    raise OSError(errno.EINVAL, "no such call")


def test_a_file_is_the_old_or_the_new_one_at_every_step(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    seen = set()
    for _ in killed_at_each_step(lambda: write_file(path, "new")):
        seen.add(path.read_text() if path.exists() else None)
        recover(path)
        assert [one.name for one in tmp_path.iterdir()] in ([], ["a.json"])
        path.write_text("old")
    assert seen == {None, "old", "new"}
    assert tree(tmp_path) == {"a.json": "new"}


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_folder_is_the_old_or_the_new_one_at_every_step(
    tmp_path: Path, exchanges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanges:
        monkeypatch.setattr(writing, "_exchange", without_exchange)
    path = tmp_path / "a.tape"
    old, new = ({"one": text, "below/two": text} for text in ("old", "new"))
    a_folder(path, "old")()
    seen = []
    for _ in killed_at_each_step(a_folder(path, "new")):
        recover(path)
        assert {one.name for one in tmp_path.iterdir()} <= {"a.tape", ".a.tape.paceline-lock"}
        found = tree(path)
        assert found in (old, new)
        seen.append(found)
        a_folder(path, "old")()
    assert old in seen
    assert new in seen
    assert tree(path) == new
    assert [one.name for one in tmp_path.iterdir()] == ["a.tape"]


def test_a_reader_puts_back_what_a_killed_swap_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "policy"
    a_folder(path, "old")()
    path.rename(drafts.beside(path, drafts.OLD))
    recover(path)
    assert tree(tmp_path) == {"policy/one": "old", "policy/below/two": "old"}


def test_files_of_two_results_never_lie_side_by_side(tmp_path: Path) -> None:
    out = tmp_path / "out"
    a_result(out, "old", "orders", "parents", "stress/parents")()
    (out / "mine.txt").write_text("mine")
    partial = 0
    for _ in killed_at_each_step(a_result(out, "new", "orders", "parents", "report.html")):
        shown = {n: t for n, t in tree(out).items() if not n.startswith((".", "result"))}
        assert shown.pop("mine.txt") == "mine"
        assert len(set(shown.values())) <= 1  # all of one run
        partial += len(shown) < 3
        recover_result(out)
        whole = {n: t for n, t in tree(out).items() if n not in ("result.json", "mine.txt")}
        whole.pop(".paceline-lock", None)
        assert whole in (
            {"orders": "old", "parents": "old", "stress/parents": "old"},
            {"orders": "new", "parents": "new", "report.html": "new"},
        )
        a_result(out, "old", "orders", "parents", "stress/parents")()
    assert partial > 0  # and it was finished
    assert sorted(path.name for path in out.iterdir()) == [
        "mine.txt", "orders", "parents", "report.html", "result.json",
    ]  # fmt: skip


def test_the_same_command_after_a_kill_gives_the_right_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    new = a_result(out, "new", "orders", "report.html")
    for at in killed_at_each_step(new):
        new()
        found = tree(out)
        found.pop("result.json")
        assert found == {"orders": "new", "report.html": "new"}, at
        a_result(out, "old", "orders", "other")()


class Disk:
    """What is put on the disk and what is moved, in the order in which it happens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.did: list[tuple[str, object]] = []
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._synced(getattr(os, name)))
        for where, name in ((os, "rename"), (os, "replace"), (writing, "_exchange")):
            monkeypatch.setattr(where, name, self._moved(getattr(where, name)))

    def _synced(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def synced(handle: int) -> None:
            sync(handle)
            found = os.fstat(handle)
            size = found.st_size if stat.S_ISREG(found.st_mode) else None
            self.did.append(("sync", (found.st_ino, size)))

        return synced

    def _moved(self, move: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
        def moved(one: Path, other: Path) -> None:
            move(one, other)
            self.did.append(("move", str(other)))

        return moved

    def around(self, path: Path) -> tuple[set[object], set[object]]:
        """Inodes and sizes that were synced before something took the place `path`, and after."""
        at = self.did.index(("move", str(path)))
        before, after = (
            {what for did, what in part if did == "sync"}
            for part in (self.did[:at], self.did[at + 1 :])
        )
        return before, after


def on_disk(path: Path) -> tuple[int, int | None]:
    """As `Disk` records it: inode, and size of a file."""
    found = path.stat()
    return found.st_ino, None if path.is_dir() else found.st_size


@pytest.mark.parametrize("there", [False, True])
def test_a_file_is_on_the_disk_before_it_takes_its_place_and_its_name_after(
    tmp_path: Path, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    if there:
        path.write_text("old")
    disk = Disk(monkeypatch)
    write_file(path, "new text")
    before, after = disk.around(path)
    assert on_disk(path) in before
    assert on_disk(tmp_path) in after


@pytest.mark.parametrize("how", ["new", "exchanged", "moved aside"])
def test_a_folder_is_on_the_disk_before_it_takes_its_place_and_its_name_after(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tape"
    if how != "new":
        a_folder(path, "old")()
    if how == "moved aside":
        monkeypatch.setattr(writing, "_exchange", without_exchange)
    disk = Disk(monkeypatch)
    a_folder(path, "new text")()
    assert tree(path) == {"one": "new text", "below/two": "new text"}
    before, after = disk.around(path)
    assert {on_disk(one) for one in (path, *path.rglob("*"))} <= before
    assert on_disk(tmp_path) in after


def test_an_exception_leaves_everything_as_it_was(tmp_path: Path) -> None:
    for work in (a_folder(tmp_path / "a", "old"), a_result(tmp_path / "b", "old", "orders")):
        work()
    before = tree(tmp_path)

    def half(draft: Path) -> None:
        draft.write_text("new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "a") as draft:
        half(draft / "one")
    with pytest.raises(KeyboardInterrupt), result_in(tmp_path / "b", "backtest") as draft:
        half(draft / "orders")
    with pytest.raises(KeyboardInterrupt), new_file(tmp_path / "a" / "one") as draft:
        half(draft)
    assert tree(tmp_path) == before


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """A limit on the size of files fails like a disk without room, in the middle of a file."""
    path, out = tmp_path / "a.json", tmp_path / "out"
    path.write_text("old")
    a_result(out, "old", "orders", "parents")()
    before = tree(tmp_path)

    def limited(work: Callable[[], object]) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
        with pytest.raises(OSError, match="File too large"):
            work()

    assert in_a_child(lambda: limited(lambda: write_file(path, "x" * 10_000))) == 0
    assert in_a_child(lambda: limited(a_result(out, "x" * 10_000, "orders", "parents"))) == 0
    assert tree(tmp_path) == before


def test_two_writers_of_one_folder_are_refused_at_once(tmp_path: Path) -> None:
    def refused(work: Callable[[], object]) -> None:
        with pytest.raises(BusyError, match="another process is writing there; wait until"):
            work()

    with alone_in(tmp_path / "out"):
        with alone_in(tmp_path / "out"):  # a thread may take it again
            assert in_a_child(lambda: forgetting(refused, a_result(tmp_path / "out", "", "a"))) == 0
        assert in_a_child(lambda: forgetting(refused, a_result(tmp_path / "out", "", "a"))) == 0
    with alone(tmp_path / "a.tape"):
        assert in_a_child(lambda: forgetting(refused, a_folder(tmp_path / "a.tape", ""))) == 0
    assert in_a_child(a_result(tmp_path / "out", "new", "orders")) == 0
    assert in_a_child(a_folder(tmp_path / "a.tape", "new")) == 0


def forgetting(refused: Callable[..., None], work: Callable[[], object]) -> None:
    """As in a process that was not forked while the lock was held."""
    from paceline.files import alone as module

    module._held.clear()
    refused(work)


def test_a_lock_file_that_was_left_behind_locks_nothing(tmp_path: Path) -> None:
    (tmp_path / ".paceline-lock").touch()
    with alone_in(tmp_path):
        pass
    assert not any(tmp_path.iterdir())


def test_a_draft_that_is_being_written_is_not_cleared(tmp_path: Path) -> None:
    with new_file(tmp_path / "a") as draft:
        draft.write_text("half")
        drafts.clear(tmp_path)
        assert draft.read_text() == "half"
    leftover = drafts.beside(tmp_path / "a")
    leftover.write_text("half")
    (tmp_path / ".a.draft").write_text("not ours")
    drafts.clear(tmp_path)
    assert tree(tmp_path) == {"a": "half", ".a.draft": "not ours"}


def test_what_is_written_keeps_the_umask(tmp_path: Path) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    before = os.umask(0o027)
    try:
        a_folder(tmp_path / "a.tape", "x")()
        with new_folder(tmp_path / "run") as draft:
            (draft / "weights").touch(mode=0o600)  # as libraries do that write aside and rename
        write_file(tmp_path / "b", "x")
        a_result(tmp_path / "out", "x", "orders")()
    finally:
        os.umask(before)
    assert mode(tmp_path / "a.tape") == mode(tmp_path / "out") == 0o750
    assert mode(tmp_path / "a.tape" / "one") == mode(tmp_path / "b") == 0o640
    assert mode(tmp_path / "out" / "orders") == mode(tmp_path / "run" / "weights") == 0o640


def test_a_link_is_followed_and_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there")
    write_file(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there").read_text() == "text"
    write_file("/dev/null", "text")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    (tmp_path / "full").symlink_to("/dev/full")
    for path in ("/dev/full", tmp_path / "full"):
        with pytest.raises(OSError, match="No space left on device"):
            write_file(path, "text")


def test_standard_output_is_written_to_where_it_is_a_pipe() -> None:
    words = "from paceline.files.writing import write_file; write_file('/dev/stdout', 'text')"
    done = subprocess.run([sys.executable, "-c", words], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"text"


def test_a_folder_where_a_file_of_the_result_goes_is_refused_before_anything_moves(
    tmp_path: Path,
) -> None:
    a_result(tmp_path, "old", "orders")()
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match=r"report\.html: is a folder; move it"):
        a_result(tmp_path, "new", "orders", "report.html")()
    assert (tmp_path / "orders").read_text() == "old"


def test_a_file_that_cannot_be_written_is_named_and_not_its_draft(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 250)  # its draft has a longer name, too long for the filesystem
    with pytest.raises(OSError, match="name too long") as caught, new_file(path):
        pass
    assert caught.value.filename == str(path)
