"""An ingest that is killed, or that two people start at once: whole tapes only, and it goes on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from paceline.errors import IngestError
from paceline.files.alone import alone
from paceline.ingest import ingest
from paceline.market.tape import Tape
from tests.files.killing import in_a_child, killed_at_each_step

from .plain import random_day

NAME = "AAA_2024-06-04_34200000_57600000_message_1.csv"
TAPE = "AAA-2024-06-04.tape"


def raw(folder: Path, seed: int) -> Path:
    folder.mkdir()
    (folder / NAME).write_text(random_day(seed, 60).messages())
    return folder


def test_ingest_force_that_is_killed_at_any_step_leaves_a_tape_and_goes_on(tmp_path: Path) -> None:
    first, second, out = raw(tmp_path / "a", 1), raw(tmp_path / "b", 2), tmp_path / "out"
    ids = [Tape.open(ingest(one, tmp_path / one.name / "t")[0]).manifest.tape_id
           for one in (first, second)]  # fmt: skip
    ingest(first / NAME, out)
    found = set()
    for _ in killed_at_each_step(lambda: ingest(second / NAME, out, force=True)):
        found.add(Tape.open(out / TAPE).manifest.tape_id)
        ingest(second / NAME, out, force=True)  # the same command again
        assert Tape.open(out / TAPE).manifest.tape_id == ids[1]
        assert [path.name for path in out.iterdir()] == [TAPE]
        ingest(first / NAME, out, force=True)
    assert found == set(ids)


def test_a_tape_that_another_process_is_making_is_refused_at_once(tmp_path: Path) -> None:
    source, out = raw(tmp_path / "a", 1), tmp_path / "out"

    def refused() -> None:
        from paceline.files import alone as module

        module._held.clear()  # as in a process that was not forked
        with pytest.raises(IngestError, match=r"tape: another process is writing there"):
            ingest(source, out)

    with alone(out / TAPE):
        assert in_a_child(refused) == 0
    assert len(ingest(source, out).made) == 1


def test_a_tape_that_is_being_made_elsewhere_comes_last(tmp_path: Path) -> None:
    source, out = raw(tmp_path / "a", 1), tmp_path / "out"
    (source / NAME.replace("06-04", "06-05")).write_text(random_day(2, 60).messages())
    held, free = threading.Event(), threading.Event()

    def other() -> None:
        with alone(out / TAPE):
            held.set()
            free.wait(60)

    def progress(done: int, of: int, title: str) -> None:
        if title == "AAA 2024-06-05":
            free.set()
            busy.join()

    busy = threading.Thread(target=other)
    busy.start()
    held.wait(60)
    found = ingest(source, out, progress=progress)
    assert found.failed == []
    assert [path.name for path in found.made] == ["AAA-2024-06-05.tape", TAPE]
