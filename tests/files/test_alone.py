"""A lock has one holder, also when its file is removed and made anew meanwhile."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from paceline.errors import BusyError
from paceline.files import alone as module
from paceline.files.alone import alone, lock_beside


def test_a_lock_file_that_was_made_anew_has_one_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening the lock file and locking it, its holder ends and removes it, and another
    process makes and locks a new one: what was opened locks nothing any more."""
    path = tmp_path / "a.tape"
    flock, others = fcntl.flock, []

    def late(handle: int, how: int) -> None:
        if not others:
            os.unlink(lock_beside(path))
            others.append(os.open(lock_beside(path), os.O_RDWR | os.O_CREAT))
            flock(others[0], fcntl.LOCK_EX)
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    monkeypatch.setattr(module, "_PAUSE_S", 0.0)
    with pytest.raises(BusyError, match="another process is writing there"), alone(path):
        pass
    os.close(others[0])
    with alone(path):
        assert lock_beside(path).exists()
    assert not any(tmp_path.iterdir())


def test_a_lock_file_that_was_removed_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tape"
    flock, locked = fcntl.flock, []

    def late(handle: int, how: int) -> None:
        if not locked:
            os.unlink(lock_beside(path))
        flock(handle, how)
        locked.append(os.fstat(handle).st_ino)

    monkeypatch.setattr(fcntl, "flock", late)
    with alone(path):
        assert len(locked) == 2
        assert lock_beside(path).stat().st_ino == locked[-1]
    assert not any(tmp_path.iterdir())
