"""What a comparison has worked is kept sealed: what is damaged or edited is worked again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paceline.evaluate.compare import Store
from paceline.evaluate.per_order import Columns
from tests.files.killing import killed_at_each_step

WANTED = {"bps": np.array([1.5, np.nan, -2.0]), "lots": np.arange(3), "how": np.array(list("abc"))}


def work() -> Columns:
    return {name: column.copy() for name, column in WANTED.items()}


def same(found: Columns) -> bool:
    return all(
        np.array_equal(found[name], WANTED[name], equal_nan=name == "bps") for name in WANTED
    )


def edited(path: Path) -> None:
    pq.write_table(pa.table({**WANTED, "lots": np.arange(3) + 7}), path)


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [edited, flipped, lambda path: path.write_bytes(path.read_bytes()[:50]), Path.unlink],
)
@pytest.mark.parametrize("name", ["columns.parquet", "manifest.json"])
def test_what_is_not_as_it_was_kept_is_worked_again(
    tmp_path: Path, damage: Callable[[Path], None], name: str
) -> None:
    store = Store(tmp_path / "worked", "key")
    assert store.get("ac", work)[1]
    found, is_new = store.get("ac", work)
    assert same(found)
    assert not is_new
    damage(next(tmp_path.rglob(name)))
    found, is_new = store.get("ac", work)
    assert same(found)
    assert is_new
    assert not store.get("ac", work)[1]


def test_it_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "worked"
    for _ in killed_at_each_step(lambda: Store(folder, "key").get("ac", work)):
        assert same(Store(folder, "key").get("ac", work)[0])
        assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
        for path in folder.rglob("*.parquet"):
            path.unlink()
