"""What a comparison has worked is kept sealed: what is damaged or edited is worked again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paceline.evaluate.compare import WORKED, Store
from paceline.evaluate.per_order import COUNTS, MEASURES, Columns
from paceline.files.members import members_of
from paceline.files.sealing import MANIFEST, seal
from tests.files.killing import killed_at_each_step
from tests.files.not_text import write_with_bytes

WANTED: Columns = dict.fromkeys(COUNTS, np.arange(3)) | dict.fromkeys(
    MEASURES, np.array([1.5, np.nan, -2.0])
)


def work() -> Columns:
    return {name: column.copy() for name, column in WANTED.items()}


def same(found: Columns) -> bool:
    return all(np.array_equal(found[name], WANTED[name], equal_nan=True) for name in WANTED)


def edited(path: Path) -> None:
    pq.write_table(pa.table({**WANTED, "children": np.arange(3) + 7}), path)


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_columns_whose_names_are_no_text_are_worked_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "worked", "key", 3)
    store.get("ac", work)
    path = next(tmp_path.rglob("columns.parquet"))
    write_with_bytes(pa.table(WANTED), path, "children")
    manifest = path.parent / MANIFEST
    content = json.loads(manifest.read_text())["content"]
    manifest.write_bytes(seal(WORKED, content, members_of(path.parent)))
    found, is_new = store.get("ac", work)
    assert same(found)
    assert is_new


@pytest.mark.parametrize(
    "damage",
    [edited, flipped, lambda path: path.write_bytes(path.read_bytes()[:50]), Path.unlink],
)
@pytest.mark.parametrize("name", ["columns.parquet", "manifest.json"])
def test_what_is_not_as_it_was_kept_is_worked_again(
    tmp_path: Path, damage: Callable[[Path], None], name: str
) -> None:
    store = Store(tmp_path / "worked", "key", 3)
    assert store.get("ac", work)[1]
    found, is_new = store.get("ac", work)
    assert same(found)
    assert not is_new
    damage(next(tmp_path.rglob(name)))
    found, is_new = store.get("ac", work)
    assert same(found)
    assert is_new
    assert not store.get("ac", work)[1]


@pytest.mark.parametrize(
    "columns",
    [
        {**WANTED, "children": np.array([0, -1, 2])},
        {**WANTED, "children": np.zeros(3)},
        {**WANTED, "shortfall_bps": np.array([1.0, np.inf, 2.0])},
        {**WANTED, "shortfall_bps": np.array(["1", "2", "3"])},
        {**WANTED, "more": np.zeros(3)},
        {name: column for name, column in WANTED.items() if name != "decision_us"},
        {name: column[:2] for name, column in WANTED.items()},
    ],
)
def test_columns_that_no_work_leaves_are_worked_again(tmp_path: Path, columns: Columns) -> None:
    store = Store(tmp_path / "worked", "key", 3)
    store.get("ac", lambda: columns)  # sealed, and so whole
    found, is_new = store.get("ac", work)
    assert is_new
    assert same(found)


def test_a_part_that_lies_in_the_place_of_another_is_worked_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "worked", "key", 3)
    store.get("ac", work)
    (one,) = (tmp_path / "worked").iterdir()
    store.get("twap", lambda: {**work(), "children": np.arange(3) + 7})
    (other,) = set((tmp_path / "worked").iterdir()) - {one}
    one.rename(tmp_path / "spare")
    other.rename(one)
    found, is_new = store.get("ac", work)
    assert is_new
    assert same(found)


def test_it_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "worked"
    for _ in killed_at_each_step(lambda: Store(folder, "key", 3).get("ac", work)):
        assert same(Store(folder, "key", 3).get("ac", work)[0])
        assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
        for path in folder.rglob("*.parquet"):
            path.unlink()
