"""Any table through a mapping."""

from __future__ import annotations

from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paceline.errors import ConfigError, IngestError
from paceline.ingest import ingest, load
from paceline.ingest.mapping import ColumnMapping
from paceline.ingest.quality import Limits
from paceline.market.events import KIND_NAMES
from paceline.market.tape import Tape
from tests.files.not_text import write_with_bytes

from .plain import random_day
from .test_lobster import load_text

ANYTHING = Limits(max_bad_share=1.0, max_crossed_share=1.0)
LOBSTER: dict[str, Any] = {
    "time": "t", "time_unit": "s", "time_since": "midnight", "zone": "America/New_York",
    "kind": "k", "kinds": {"1": "add", "2": "reduce", "3": "delete", "4": "execute", "5": "hidden"},
    "side": "d", "price": "p", "price_unit": "0.0001", "size": "q", "order": "id", "symbol": "TEST",
}  # fmt: skip
ORDERS = """ts,act,s,px,q,id
1717767000000001,A,B,10.01,5,1
1717767000000002,A,S,10.03,7,2
1717767000000003,E,S,10.03,2,2
1717767000000004,D,B,,,1
1717767000000005,U,S,10.05,9,2
"""
MAPPING: dict[str, Any] = {
    "time": "ts", "time_unit": "us", "kind": "act", "side": "s", "price": "px", "size": "q",
    "kinds": {"A": "add", "E": "execute", "D": "delete", "U": "modify"}, "order": "id",
}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_a_lobster_file_through_a_mapping_is_the_same_tape(tmp_path: Path, seed: int) -> None:
    text = random_day(seed, 200, before=seed).messages()
    theirs = load_text(tmp_path, text)
    path = tmp_path / "table.csv"
    path.write_text("t,k,id,q,p,d\n" + text)
    ours = load(path, mapping=LOBSTER, day="2024-06-07", limits=ANYTHING, book_tick="0.001")
    if str(theirs.instrument.book_tick) == "0.001":
        assert ours.manifest.tape_id == theirs.manifest.tape_id
    assert ours.events.kind.tolist() == theirs.events.kind.tolist()
    assert ours.events.ts.tolist() == theirs.events.ts.tolist()


def test_orders(tmp_path: Path) -> None:
    path = tmp_path / "SPY.csv"
    path.write_text(ORDERS)
    tape = load(path, mapping=MAPPING)
    kinds = [KIND_NAMES[kind] for kind in tape.events.kind.tolist()]
    assert kinds == ["add", "add", "execute", "delete", "delete", "add"]
    assert tape.events.qty.tolist() == [5, 7, 2, 5, 5, 9]
    assert int(tape.events.ts[0]) == 1717767000000001000
    assert tape.name == "SPY-2024-06-07"
    assert str(tape.instrument.book_tick) == "0.01"


def test_levels_from_parquet_with_a_yaml_mapping(tmp_path: Path) -> None:
    table = pa.table({
        "t": pa.array([1, 2, 3, 4], pa.timestamp("ms", "UTC")),
        "k": ["l", "l", "t", "l"],
        "s": [1, -1, 1, -1],
        "p": [1.5, 1.75, 1.75, 1.75],
        "q": [0.001, 0.5, 0.25, 0.25],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "X.parquet")
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "time: t\nkind: k\nkinds: {l: level, t: trade}\nside: s\nprice: p\nsize: q\n"
        "sides: {1: bid, -1: ask}\ntrade_side: aggressor\n"
    )
    tape = load(tmp_path / "X.parquet", mapping=mapping)
    assert tape.manifest.depth == "L2"
    assert tape.events.side.tolist() == [1, -1, -1, -1]
    assert tape.events.qty.tolist() == [1, 500, 250, 250]
    assert tape.events.ts.tolist() == [1_000_000, 2_000_000, 3_000_000, 4_000_000]


@pytest.mark.parametrize("word", ["lev", "kind"])
def test_names_and_texts_that_are_no_text_are_refused(tmp_path: Path, word: str) -> None:
    table = pa.table({"t": [1, 2], "kind": ["lev", "lev"], "s": [1, -1], "p": [1, 2], "q": [1, 1]})
    path = write_with_bytes(table, tmp_path / "X.parquet", word)
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "time: t\nkind: kind\nkinds: {lev: level}\nside: s\nprice: p\nsize: q\n"
        "sides: {1: bid, -1: ask}\n"
    )
    with pytest.raises(IngestError) as caught:
        load(path, mapping=mapping)
    assert "\n" not in str(caught.value)


def test_symbols_and_days_of_one_file(tmp_path: Path) -> None:
    rows = ["t,k,s,p,q,sym"]
    for sym in ("AAA", "BBB"):
        for day in ("2024-06-07", "2024-06-10"):
            rows += [f"{day}T13:30:00.{i}Z,level,bid,10,{i + 1},{sym}" for i in range(3)]
    path = tmp_path / "all.csv"
    path.write_text("\n".join(rows))
    mapping = ColumnMapping(
        time="t", time_unit="iso", kind="k", kinds={"level": "level"}, side="s", price="p",
        size="q", symbol_column="sym",
    )  # fmt: skip
    made = ingest(path, tmp_path / "out", mapping=mapping)
    assert [p.name for p in made] == [
        f"{sym}-{day}.tape" for sym in ("AAA", "BBB") for day in ("2024-06-07", "2024-06-10")
    ]


def test_a_symbol_without_a_time_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_text("t,p,q,s\n1717767000,10,1,A\nsoon,10,1,B\n1717767000,10,1,C\n")
    mapping = {"time": "t", "time_unit": "s", "price": "p", "size": "q", "default_kind": "trade",
               "symbol_column": "s"}  # fmt: skip
    made = ingest(path, tmp_path / "out", mapping=mapping)
    assert [tape.name for tape in made] == ["A-2024-06-07.tape", "C-2024-06-07.tape"]
    assert [str(one.error) for one in made.failed] == ["file: X.csv has no row of 'B' with a time"]
    with pytest.raises(IngestError, match=r"symbol: D is not in X\.csv; it holds A, B, C"):
        load(path, mapping=mapping, symbol="D")


def test_no_row_is_lost_or_told_twice_when_clocks_change(tmp_path: Path) -> None:
    """Days of 23 and of 25 hours, with one trade an hour."""
    for start, hours in (("2024-03-30", 47), ("2024-10-26", 49)):
        midnight = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo("Europe/Berlin"))
        first = int(midnight.timestamp())
        rows = [f"{first + 3600 * k},10,{k + 1}" for k in range(hours)]
        path = tmp_path / "X.csv"
        path.write_text("\n".join(["t,p,q", *rows]))
        mapping = {"time": "t", "time_unit": "s", "zone": "Europe/Berlin", "price": "p",
                   "size": "q", "default_kind": "trade"}  # fmt: skip
        made = ingest(path, tmp_path / start, mapping=mapping)
        told = [Tape.open(tape).events.qty.tolist() for tape in made]
        assert [len(day) for day in told] == [24, hours - 24]
        assert list(chain(*told)) == list(range(1, hours + 1))


def test_rows_set_aside_carry_their_number_in_the_file(tmp_path: Path) -> None:
    rows = [f"{day}T13:30:0{k}Z,10,{size}" for day in ("2024-06-07", "2024-06-10")
            for k, size in enumerate((5, -1, 7))]  # fmt: skip
    path = tmp_path / "X.csv"
    path.write_text("\n".join(["t,p,q", *rows]))
    mapping = {"time": "t", "time_unit": "iso", "price": "p", "size": "q", "default_kind": "trade"}
    made = ingest(path, tmp_path / "out", mapping=mapping, limits=ANYTHING)
    asides = [pq.read_table(tape / "quarantine.parquet")["row"].to_pylist() for tape in made]
    assert asides == [[3], [6]]
    found = [Tape.open(tape).manifest.quality.findings["bad_size"] for tape in made]
    assert [one.first_row for one in found] == [3, 6]


@pytest.mark.parametrize(("row", "finding"), [
    ("x,A,B,10,5,9", "unparsable"), ("1717767000000006,A,B,ten,5,9", "unparsable"),
    ("1717767000000006,A,B,10,5,nine", "unparsable"),
    ("1717767000000006,Q,B,10,5,9", "unknown_kind"),
    ("1717767000000006,A,X,10,5,9", "bad_side"), ("1717767000000006,A,B,10,0,9", "bad_size"),
    ("1717767000000006,A,B,10,-4,9", "bad_size"),
    ("1717767000000006,A,B,10,3e9,9", "size_too_large"),
    ("1717767000000006,A,B,10,3000000000,9", "size_too_large"),
    ("1717767000000000,A,B,10,5,9", "time_backwards"),
    ("1717767000000006,D,B,,,9", "unknown_order"),
])  # fmt: skip
def test_bad_rows(tmp_path: Path, row: str, finding: str) -> None:
    path = tmp_path / "X.csv"
    path.write_text(ORDERS + row + "\n")
    tape = load(path, mapping=MAPPING, limits=ANYTHING)
    assert tape.quarantine["finding"].to_pylist() == [finding]


@pytest.mark.parametrize(("change", "field"), [
    ({"kinds": {"A": "fly"}}, "mapping.kinds"), ({"kinds": {"A": "level"}}, "mapping.kinds"),
    ({"colour": "red"}, "mapping.colour"), ({"price_unit": "0"}, "mapping.price_unit"),
    ({"time_unit": "weeks"}, "time_unit"), ({"kind": None}, "mapping.kind"),
])  # fmt: skip
def test_a_wrong_mapping_is_refused(tmp_path: Path, change: dict[str, Any], field: str) -> None:
    path = tmp_path / "X.csv"
    path.write_text(ORDERS)
    with pytest.raises(ConfigError, match=field):
        load(path, mapping={**MAPPING, **change})


@pytest.mark.parametrize(
    "text", ["", "ts,act\n1,2\n", "\0\1\2", 'ts,act,s,px,q,id\n"', ORDERS + "1,2\n"]
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "X.csv"
    path.write_text(text)
    with pytest.raises(IngestError):
        load(path, mapping=MAPPING)
