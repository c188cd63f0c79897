"""Lines of a run: whole ones are read, a part at the end is not, and damage is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import InputError
from paceline.learn.lines import add_line, keep_lines, read_lines
from tests.files.killing import killed_at_each_step

LINES = [{"updates": k, "loss": k / 7, "stage": "online"} for k in (10, 20, 30)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    for line in LINES:
        add_line(tmp_path / "log.jsonl", line)
    return tmp_path / "log.jsonl"


def test_what_is_written_is_read(path: Path) -> None:
    assert read_lines(path) == LINES
    assert read_lines(path.with_name("none.jsonl")) == []
    keep_lines(path, 20)
    assert read_lines(path) == LINES[:2]


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_part_at_the_end_is_dropped_and_written_over(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut])
    assert read_lines(path) == LINES[:2]
    add_line(path, LINES[2])
    assert read_lines(path) == LINES


@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_an_error_or_costs_the_last_line(
    tmp_path_factory: pytest.TempPathFactory, at: float, bit: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "log.jsonl"
    for line in LINES:
        add_line(path, line)
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        found = read_lines(path)
    except InputError as error:
        found = LINES[:2]
        what = str(error)
        if "is damaged" not in what or "train again" not in what:
            raise
    assert found == LINES[:2]


def test_the_same_line_after_a_kill_at_any_step(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    add_line(path, LINES[0])
    for _ in killed_at_each_step(lambda: add_line(path, LINES[1])):
        assert read_lines(path) in (LINES[:1], LINES[:2])
        keep_lines(path, 10)
        add_line(path, LINES[1])
        assert read_lines(path) == LINES[:2]
        keep_lines(path, 10)


def test_an_older_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"updates": 10}\n')
    with pytest.raises(InputError, match=r"log\.jsonl, line 1: .*an earlier paceline.*train again"):
        read_lines(tmp_path / "log.jsonl")
