"""Sets of decisions on disk: what goes in comes out, and nothing half-done or foreign does."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import dataset, parquet

from decision.rows import FLAGS, random_rows
from paceline.decision import schema
from paceline.decision.rows import Decisions, Outcome
from paceline.decision.schema import FEATURES, NAMES, schema_hash
from paceline.decision.store import SET, FeatureSet, read_manifest, sets_in, summary
from paceline.errors import InputError
from paceline.files.members import members_of
from paceline.files.sealing import MANIFEST, seal
from tests.files.killing import killed_at_each_step
from tests.files.not_text import write_with_bytes

SETTINGS = {"policy": "random", "seed": 1, "episodes": {"horizon_s": (60.0, 120.0)}}
N_ACTIONS = 97


def decisions(n: int, seed: int) -> Decisions:
    dice = np.random.default_rng(seed)
    return Decisions(
        ts=np.sort(dice.integers(10**18, 2 * 10**18, n)),
        episode=np.arange(n) // 7,
        features=random_rows(n, seed),
        mask=dice.random((n, N_ACTIONS)) < 0.5,
        action=dice.integers(N_ACTIONS, size=n),
    )


def made(folder: Path) -> FeatureSet:
    kept = FeatureSet.create(folder, N_ACTIONS, SETTINGS)
    kept.add("YHOO", "2024-01-09", decisions(40, 1))
    kept.add("BRK/B", "2024-01-08", decisions(30, 2))
    kept.add("YHOO", "2024-01-08", decisions(0, 3))
    return kept


def test_what_goes_in_comes_out_to_the_last_bit(tmp_path: Path) -> None:
    made(tmp_path / "set")
    kept = FeatureSet.open(tmp_path / "set")
    for symbol, day, n, seed in (("YHOO", "2024-01-09", 40, 1), ("BRK/B", "2024-01-08", 30, 2)):
        for one, other in zip(kept.read(symbol, day), decisions(n, seed), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
    assert len(kept.read("YHOO", "2024-01-08").features) == 0
    with pytest.raises(InputError, match="holds no YHOO 2024-01-10"):
        kept.read("YHOO", "2024-01-10")


def test_a_column_is_of_all_days_with_nan_where_it_is_missing(tmp_path: Path) -> None:
    kept = made(tmp_path / "set")
    k = NAMES.index("spread")
    rows = np.concatenate([random_rows(30, 2), random_rows(40, 1)])  # by symbol and day
    expected = np.where(rows[:, FLAGS[k]] > 0, np.nan, rows[:, k])
    np.testing.assert_array_equal(kept.column("spread"), expected)
    np.testing.assert_array_equal(kept.column("inventory"), rows[:, NAMES.index("inventory")])
    with pytest.raises(InputError, match="there is no 'sprad'"):
        kept.column("sprad")


def test_the_manifest_says_what_it_is(tmp_path: Path) -> None:
    made(tmp_path / "set")
    found = read_manifest(tmp_path / "set")
    assert found.schema == schema_hash()
    assert found.features == FEATURES
    assert found.settings == {**SETTINGS, "episodes": {"horizon_s": [60.0, 120.0]}}
    assert [(day.symbol, day.day, day.rows) for day in found.days] == [
        ("BRK/B", "2024-01-08", 30), ("YHOO", "2024-01-08", 0), ("YHOO", "2024-01-09", 40)
    ]  # fmt: skip
    assert found.rows == 70


def test_other_tools_read_it_by_symbol_and_day(tmp_path: Path) -> None:
    made(tmp_path / "set")
    data = dataset.dataset(
        tmp_path / "set", format="parquet", partitioning="hive", exclude_invalid_files=True
    )
    assert len(set(data.schema.names)) == len(data.schema.names) == 6 + len(NAMES)
    some = data.to_table(filter=dataset.field("symbol") == "BRK/B")
    assert some.num_rows == 30
    assert set(some["symbol"].to_pylist()) == {"BRK/B"}


def test_begun_again_it_goes_on(tmp_path: Path) -> None:
    kept = made(tmp_path / "set")
    again = FeatureSet.create(tmp_path / "set", N_ACTIONS, SETTINGS)
    assert again.manifest == kept.manifest
    assert again.holds("YHOO", "2024-01-09")
    with pytest.raises(InputError, match="holds YHOO 2024-01-09 already"):
        again.add("YHOO", "2024-01-09", decisions(1, 1))
    for n, other in ((N_ACTIONS, {**SETTINGS, "seed": 2}), (98, SETTINGS)):
        with pytest.raises(InputError, match="holds a set of other tapes or settings"):
            FeatureSet.create(tmp_path / "set", n, other)


def test_what_is_cut_off_in_a_day_loses_that_day_only(tmp_path: Path, monkeypatch) -> None:
    kept = made(tmp_path / "set")

    def cut_off(table, path, **options):
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(parquet, "write_table", cut_off)
    with pytest.raises(KeyboardInterrupt):
        kept.add("YHOO", "2024-01-10", decisions(9, 4))
    monkeypatch.undo()
    again = FeatureSet.open(tmp_path / "set")
    assert not again.holds("YHOO", "2024-01-10")
    assert len(again.column("spread")) == 70
    again.add("YHOO", "2024-01-10", decisions(9, 4))
    assert len(FeatureSet.open(tmp_path / "set").column("spread")) == 79
    assert not list((tmp_path / "set").rglob("*-draft"))


def test_another_schema_is_refused_and_still_listed(tmp_path: Path, monkeypatch) -> None:
    made(tmp_path / "sets" / "one")
    (tmp_path / "sets" / "tape").mkdir()
    (tmp_path / "sets" / "tape" / "manifest.json").write_text('{"schema_version": 1}')
    monkeypatch.setattr(schema, "VERSION", 99)
    with pytest.raises(InputError, match=r"one: was made for features of schema .*; make it again"):
        FeatureSet.open(tmp_path / "sets" / "one")
    with pytest.raises(InputError, match="was made for features of schema"):
        FeatureSet.create(tmp_path / "sets" / "one", N_ACTIONS, SETTINGS)
    found = sets_in(tmp_path / "sets")
    assert list(found) == ["one"]
    assert found["one"].features == FEATURES


def test_what_is_no_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no feature set"):
        FeatureSet.open(tmp_path)
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="is not empty and holds no set"):
        FeatureSet.create(tmp_path, N_ACTIONS, SETTINGS)
    kept = made(tmp_path / "set")
    with pytest.raises(InputError, match="decisions: shapes are"):
        kept.add("YHOO", "2024-02-01", decisions(5, 1)._replace(action=np.zeros(4, np.int64)))
    manifest = tmp_path / "set" / "manifest.json"
    content = json.loads(manifest.read_text())["content"]
    manifest.write_bytes(seal(SET._replace(version=7), content, members_of(tmp_path / "set")))
    with pytest.raises(InputError, match="is of version 7, this paceline reads 2; make the set"):
        FeatureSet.open(tmp_path / "set")
    manifest.write_text("{")
    with pytest.raises(InputError, match="is damaged or cut off, or no feature set"):
        FeatureSet.open(tmp_path / "set")
    manifest.write_text(json.dumps({"format": 1, **content}))
    with pytest.raises(InputError, match="an earlier paceline wrote it"):
        FeatureSet.open(tmp_path / "set")


def test_a_damaged_day_is_an_error_of_a_line(tmp_path: Path) -> None:
    kept = made(tmp_path / "set")
    path = next((tmp_path / "set").rglob("date=2024-01-09/*.parquet"))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"decisions\.parquet: has .* bytes, .* were written"):
        kept.column("spread")


def test_a_summary_leaves_out_what_is_missing() -> None:
    values = np.array([np.nan, 0, 1, 2, 3, 4, np.nan, np.nan], np.float32)
    found = summary(values)
    assert (found.rows, found.missing, found.mean, found.median) == (8, 0.375, 2.0, 2.0)
    assert (found.low, found.high) == (pytest.approx(0.2), pytest.approx(3.8))
    assert summary(values[:1])[1] == 1.0
    assert math.isnan(summary(values[:1]).mean)
    assert math.isnan(summary(values[:0]).missing)


@pytest.mark.parametrize("where", ["pyarrow.parquet.write_table", "os.replace"])
def test_a_full_disk_costs_the_day_that_was_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    kept = made(tmp_path / "set")

    def full(*args: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(where, full)
        with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
            kept.add("YHOO", "2024-01-10", decisions(20, 4))
    assert not list(tmp_path.rglob("*-draft"))
    again = FeatureSet.create(tmp_path / "set", N_ACTIONS, SETTINGS)
    assert again.manifest == made(tmp_path / "other").manifest
    again.add("YHOO", "2024-01-10", decisions(20, 4))
    assert len(again.read("YHOO", "2024-01-10").ts) == 20


def outcome(n: int) -> Outcome:
    return Outcome(
        propensity=np.full(n, 0.5, np.float32),
        over=(np.arange(n) % 7 == 6).astype(np.int8),
        policy=np.full(n, "ac"),
        terms={"is_step": np.zeros(n, np.float32)},
    )


def logged(folder: Path, day: str = "2024-01-08") -> None:
    """What `paceline log` does of a day, whether it is there or not."""
    kept = FeatureSet.create(folder, N_ACTIONS, SETTINGS)
    for date in ("2024-01-05", day):
        if not kept.holds("YHOO", date):
            kept.add("YHOO", date, decisions(21, 1), outcome(21))


def test_the_same_command_goes_on_after_a_kill_at_any_step(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    logged(whole)
    wanted = FeatureSet.open(whole)
    for at in killed_at_each_step(lambda: logged(tmp_path / f"set-{at_now[0]}")):
        folder = tmp_path / f"set-{at_now[0]}"
        at_now[0] = at + 1
        if (folder / MANIFEST).exists():  # a reader meets whole days only
            found = FeatureSet.open(folder)
            assert len(found.column("spread")) == found.manifest.rows
        logged(folder)
        again = FeatureSet.open(folder)
        assert again.manifest == wanted.manifest
        np.testing.assert_array_equal(
            again.read("YHOO", "2024-01-08").features, wanted.read("YHOO", "2024-01-08").features
        )
        assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == [
            "decisions.parquet", "decisions.parquet", "manifest.json",
        ]  # fmt: skip


at_now = [1]


def test_two_writers_of_one_set_are_refused(tmp_path: Path) -> None:
    one = FeatureSet.create(tmp_path / "set", N_ACTIONS, SETTINGS)
    other = FeatureSet.create(tmp_path / "set", N_ACTIONS, SETTINGS)
    one.add("YHOO", "2024-01-08", decisions(9, 1))
    with pytest.raises(InputError, match="another process has written to it meanwhile"):
        other.add("YHOO", "2024-01-09", decisions(9, 1))
    assert len(FeatureSet.open(tmp_path / "set").column("spread")) == 9


def resealed(folder: Path, change: Callable[[pa.Table], pa.Table], rows: int | None = None) -> None:
    """The only day of a set rewritten, with digests that fit."""
    (path,) = folder.rglob("*.parquet")
    with parquet.ParquetFile(path) as file:
        table = change(file.read())
    parquet.write_table(table, path)
    content = json.loads((folder / MANIFEST).read_text())["content"]
    if rows is not None:
        content["days"][0]["rows"] = rows
    (folder / MANIFEST).write_bytes(seal(SET, content, members_of(folder)))


def with_column(name: str, value: float) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        column = table[name].to_numpy().copy()
        column[3] = value  # of the column's own type
        return table.set_column(table.column_names.index(name), name, pa.array(column))

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda table: table[: len(table) // 2], "has 10 rows, not 21"),
        (lambda table: pa.concat_tables([table, table]), "has 42 rows, not 21"),
        (with_column("action", N_ACTIONS), "action of row 3 is 97; give 0 to 96"),
        (with_column("action", -1), "action of row 3 is -1; give 0 to 96"),
        (with_column("propensity", -1.0), r"propensity of row 3 is -1\.0; give above 0 to 1"),
        (with_column("propensity", 2.0), r"propensity of row 3 is 2\.0; give above 0 to 1"),
        (with_column("over", 9), "over of row 3 is 9; give 0, 1 or 2"),
        (with_column("ts", -1), "ts of row 3 is -1; give at least 1"),
        (with_column("ts", 2**62), "row 4, of episode 0 at .*, is not after the row before"),
        (with_column("episode", -7), "episode of row 3 is -7; give at least 0"),
        (with_column("episode", 9), "row 4, of episode 0 at"),
        (lambda t: t.take(np.arange(len(t))[::-1]), "row 1, of episode 2 at"),
        (lambda t: t.take(np.random.default_rng(0).permutation(len(t))), "is not after the row"),
        (lambda t: t.take(np.arange(len(t)) // 2), "row 1, of episode 0 at .* each once"),
        (with_column("spread", 1e38), r"spread of row 3 is 1e\+38; give 0 to 400"),
        (with_column("spread", -0.5), r"spread of row 3 is -0\.5; give 0 to 400"),
        (with_column("spread", np.nan), "spread of row 3 is nan; give 0 to 400"),
        (with_column("no spread", 2.0), "no spread of row 3 is 2; give 0 to 1"),
        (with_column("reward.is_step", 1e38), r"is_step of row 3 is 1e\+38; give at most 1e\+12"),
        (with_column("reward.is_step", -np.inf), "is_step of row 3 is -inf; give at most"),
        (lambda table: table.drop_columns(["ts"]), "is damaged"),
        (
            lambda t: t.set_column(0, "ts", t["ts"].cast(pa.float64(), safe=False)),
            "is damaged .ts is double",
        ),
        (
            lambda t: t.set_column(3, "mask", pa.array([b"x"] * len(t), pa.binary(1))),
            "is damaged .mask is fixed_size_binary.1..",
        ),
    ],
)
def test_a_day_that_was_written_wrong_is_refused(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], says: str
) -> None:
    kept = FeatureSet.create(tmp_path / "set", N_ACTIONS, SETTINGS)
    kept.add("YHOO", "2024-01-08", decisions(21, 1), outcome(21))
    resealed(tmp_path / "set", change)
    with pytest.raises(InputError, match=says):
        whole_day(tmp_path / "set")


def replaced(name: str, value: object, kind: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    """A column that has one value in all rows, which Parquet writes once."""

    def change(table: pa.Table) -> pa.Table:
        column = pa.array([value] * len(table), kind)
        return table.set_column(table.column_names.index(name), name, column)

    return change


def unpacked(table: pa.Table) -> pa.Table:
    """More bytes than its rows can need, of good types: every policy's name is another one."""
    names = [f"{row} {'x' * 300_000}" for row in range(len(table))]
    column = pa.array(names).dictionary_encode()
    return table.set_column(table.column_names.index("policy"), "policy", column)


@pytest.mark.parametrize(
    ("bomb", "says"),
    [
        (unpacked, r"unpacks to 6,3\d\d,\d{3} bytes, 1,3\d\d,\d{3} are the most for its rows"),
        (replaced("mask", b"x" * 900_000, pa.binary(900_000)), "mask is fixed_size_binary.900000."),
        (replaced("mask", b"x" * 900_000, pa.binary()), "mask is binary"),
        (replaced("ts", "x" * 900_000, pa.string()), "ts is string"),
        (replaced("policy", "x" * 900_000, pa.string()), "policy is string"),
        (
            replaced("policy", "x" * 900_000, pa.dictionary(pa.int32(), pa.string())),
            "names a policy in 900,000 characters, 1,024 are the most",
        ),
    ],
    ids=["large", "mask", "any mask", "number", "policy", "name"],
)
def test_a_small_file_that_unpacks_to_a_large_one_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bomb: Callable[[pa.Table], pa.Table], says: str
) -> None:
    kept = FeatureSet.create(tmp_path / "set", N_ACTIONS, SETTINGS)
    kept.add("YHOO", "2024-01-08", decisions(21, 1), outcome(21))
    resealed(tmp_path / "set", bomb)
    kept = FeatureSet.open(tmp_path / "set")
    (path,) = kept.folder.rglob("*.parquet")
    assert path.stat().st_size < 1 << 20
    if "names a policy" not in says:  # that column stays packed when it is read

        def read(*args: object, **named: object) -> None:
            raise AssertionError("it is unpacked")

        monkeypatch.setattr(parquet.ParquetFile, "read", read)
    with pytest.raises(InputError, match=rf"decisions\.parquet: .*{says}.*; make the set again"):
        kept.outcome("YHOO", "2024-01-08")


def test_a_policy_s_name_is_not_written_too_long_to_be_read(tmp_path: Path) -> None:
    kept = FeatureSet.create(tmp_path / "set", N_ACTIONS, SETTINGS)
    long = outcome(21)._replace(policy=np.full(21, "x" * 1025))
    with pytest.raises(InputError, match="policy: has a name of 1,025 characters; give at most"):
        kept.add("YHOO", "2024-01-08", decisions(21, 1), long)
    kept.add("YHOO", "2024-01-08", decisions(21, 1), long._replace(policy=np.full(21, "x" * 1024)))
    assert kept.outcome("YHOO", "2024-01-08").policy[20] == "x" * 1024


def test_rows_out_of_order_are_not_written(tmp_path: Path) -> None:
    kept = FeatureSet.create(tmp_path / "set", N_ACTIONS, SETTINGS)
    rows = decisions(21, 1)
    with pytest.raises(InputError, match="YHOO 2024-01-08: row 1, of episode 2 at"):
        kept.add("YHOO", "2024-01-08", Decisions._make(column[::-1] for column in rows))
    far = rows._replace(features=np.full_like(rows.features, 1e30))
    with pytest.raises(InputError, match=r"of row 0 is 1e\+30; give"):
        kept.add("YHOO", "2024-01-08", far)
    assert not kept.manifest.days


@pytest.mark.parametrize("word", ["reward.is_step", "spread", "XYZ"])
def test_names_and_texts_that_are_no_text_are_refused(tmp_path: Path, word: str) -> None:
    folder = tmp_path / "set"
    kept = FeatureSet.create(folder, N_ACTIONS, SETTINGS)
    kept.add(
        "YHOO", "2024-01-08", decisions(21, 1), outcome(21)._replace(policy=np.full(21, "XYZ"))
    )
    (path,) = folder.rglob("*.parquet")
    with parquet.ParquetFile(path) as file:
        write_with_bytes(file.read(), path, word)
    content = json.loads((folder / MANIFEST).read_text())["content"]
    (folder / MANIFEST).write_bytes(seal(SET, content, members_of(folder)))
    with pytest.raises(InputError, match=r"decisions\.parquet: .*; make the set again"):
        whole_day(folder)


def whole_day(folder: Path) -> None:
    found = FeatureSet.open(folder)
    found.read("YHOO", "2024-01-08")
    found.outcome("YHOO", "2024-01-08")


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), manifest=st.booleans())
def test_every_flipped_bit_is_found(
    tmp_path_factory: pytest.TempPathFactory, at: float, bit: int, manifest: bool
) -> None:
    folder = tmp_path_factory.mktemp("flip") / "set"
    kept = FeatureSet.create(folder, N_ACTIONS, SETTINGS)
    kept.add("YHOO", "2024-01-08", decisions(21, 1), outcome(21))
    path = folder / MANIFEST if manifest else next(folder.rglob("*.parquet"))
    damaged = bytearray(path.read_bytes())
    damaged[int(at * len(damaged))] ^= 1 << bit
    path.write_bytes(damaged)
    with pytest.raises(InputError):
        FeatureSet.open(folder).read("YHOO", "2024-01-08")
    if not manifest:  # the same command makes the day again
        logged(folder)
        assert len(FeatureSet.open(folder).read("YHOO", "2024-01-08").ts) == 21
