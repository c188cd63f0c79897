"""Parent orders from files: JSON, CSV and Parquet say the same, limits are optional, and what is
wrong is named with its line and column."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paceline.errors import OrderError
from paceline.orders.instrument import Instrument
from paceline.orders.order import ParentOrder
from paceline.orders.reading import Given, read_parents
from tests.files.not_text import write_with_bytes

ORDER: dict[str, Any] = {
    "order_id": "007", "symbol": "YHOO", "side": "sell", "qty": 12_300, "arrival_px": 20.8505,
    "start_ts": 1043000000.25, "end_ts": "2003-01-19T13:43:20-05:00",
    "constraints": {"participation": 0.1, "price_band_bps": 50, "child_max": 500},
}  # fmt: skip
FLAT = {**{k: v for k, v in ORDER.items() if k != "constraints"}, **ORDER["constraints"]}
WANTED = ParentOrder.from_dict(ORDER)
YHOO = Instrument(symbol="YHOO", book_tick="0.0005", order_tick="0.01", lot=100)  # type: ignore[arg-type]


def csv_of(*rows: dict[str, Any]) -> str:
    names = list(rows[0])
    lines = [",".join("" if row[n] is None else str(row[n]) for n in names) for row in rows]
    return "\n".join([",".join(names), *lines, ""])


def written(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    """The rows as a file of the kind that `name` says."""
    path = folder / name
    if path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=1))
    elif path.suffix == ".csv":
        path.write_text(csv_of(*rows))
    else:
        pq.write_table(pa.Table.from_pylist([{**row} for row in rows]), path)
    return path


def refused(path: Path, **more: Any) -> str:
    began = time.monotonic()
    with pytest.raises(OrderError) as error:
        read_parents(path, **more)
    assert time.monotonic() - began < 10.0
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    return message.replace(f"{path}: ", "")


def test_all_kinds_of_files_say_the_same(tmp_path: Path) -> None:
    flat = {**FLAT, "start_ts": "2003-01-19T18:13:20.25Z"}  # a Parquet column is of one kind
    for path in (
        written(tmp_path, "a.json", [ORDER]),
        written(tmp_path, "a.csv", [FLAT]),
        written(tmp_path, "a.parquet", [flat]),
    ):
        assert read_parents(path, {"YHOO": YHOO}) == Given([WANTED], [], frozenset()), path
    (tmp_path / "one.json").write_text(json.dumps(ORDER))
    assert read_parents(tmp_path / "one.json").orders == [WANTED]


def test_a_timestamp_column_is_an_instant(tmp_path: Path) -> None:
    at = datetime(2003, 1, 19, 18, 13, 20, 250_000, tzinfo=UTC)
    path = written(tmp_path, "a.parquet", [{**FLAT, "start_ts": at}])
    assert read_parents(path).orders == [WANTED]
    path = written(tmp_path, "a.parquet", [{**FLAT, "start_ts": at.replace(tzinfo=None)}])
    assert refused(path) == (
        "order: column start_ts: its times have no time zone; write them with one"
    )


@pytest.mark.parametrize(
    ("kind", "px", "read"),
    [
        (pa.float32(), 20.81, 20.81),
        (pa.float32(), 20.8505, 20.8505),
        (pa.float32(), 21.0, 21),
        (pa.float64(), 20.81, 20.81),
        (pa.float64(), 19.830000000000002, 19.83),
        (pa.float64(), 0.1 + 0.2, 0.3),
        (pa.float64(), 20.8505, 20.8505),
    ],
)
def test_a_column_of_floats_is_read_as_the_decimals_that_were_meant(
    tmp_path: Path, kind: pa.DataType, px: float, read: float
) -> None:
    table = pa.Table.from_pylist([{**FLAT, "start_ts": "2003-01-19T18:13:20.25Z"}])
    at = table.column_names.index("arrival_px")
    pq.write_table(table.set_column(at, "arrival_px", pa.array([px], kind)), tmp_path / "a.parquet")
    [order] = read_parents(tmp_path / "a.parquet", {"YHOO": YHOO}).orders
    assert order.arrival_px == read


@pytest.mark.parametrize(
    ("kind", "px", "says"),
    [
        (pa.float32(), 20.8507, "20.8507 is not a multiple"),
        (pa.float64(), 20.8507, "20.8507 is not a multiple"),
        (pa.float64(), 20.850000000001, "20.850000000001 is not a multiple"),
    ],
)
def test_a_float_that_means_no_price_is_refused(
    tmp_path: Path, kind: pa.DataType, px: float, says: str
) -> None:
    table = pa.Table.from_pylist([{**FLAT, "start_ts": "2003-01-19T18:13:20.25Z"}])
    at = table.column_names.index("arrival_px")
    path = tmp_path / "a.parquet"
    pq.write_table(table.set_column(at, "arrival_px", pa.array([px], kind)), path)
    assert says in refused(path, instruments={"YHOO": YHOO})


def test_times_in_seconds_keep_their_last_digits(tmp_path: Path) -> None:
    row = {**FLAT, "start_ts": 1043000000.100001, "end_ts": 1043003000.5}
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([row]), path)
    assert (
        read_parents(path).orders[0].start_ts
        == ParentOrder.from_dict({**ORDER, "start_ts": 1043000000.100001}).start_ts
    )


def test_a_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    """With a mark of the byte order, quotes, other line ends, empty lines, and digits for an id."""
    text = csv_of(FLAT).replace("YHOO", '"YHOO"').replace("\n", "\r\n") + "\r\n,,,,,,,,,\r\n"
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_parents(tmp_path / "a.csv").orders == [WANTED]


def test_nanoseconds_are_columns_of_their_own(tmp_path: Path) -> None:
    row = {k: v for k, v in FLAT.items() if not k.endswith("_ts")}
    row |= {"start_ns": WANTED.start_ts, "end_ns": WANTED.end_ts}
    for name in ("a.csv", "a.parquet"):
        assert read_parents(written(tmp_path, name, [row])).orders == [WANTED]
    path = written(tmp_path, "a.csv", [{**row, "start_ns": 1043000000}])
    assert refused(path).startswith(
        "line 2, column 9 (start_ns): parent.start_ns: 1043000000 is 19"
    )


def test_a_limit_that_is_missing_is_filled_in_and_said(tmp_path: Path) -> None:
    other = {**FLAT, "order_id": "b", "participation": None}
    bare = {k: v for k, v in ORDER.items() if k != "constraints"}
    path = written(tmp_path, "a.csv", [FLAT, other])
    found = read_parents(path, limits={"participation": 0.2, "child_max": 900.0})
    assert [order.constraints.participation for order in found.orders] == [0.1, 0.2]
    assert [order.constraints.child_max for order in found.orders] == [500, 500]
    assert found.notes == ["1 of 2 orders say no participation: --participation 0.2 holds."]
    assert found.filled_in == {"participation"}

    path = written(tmp_path, "a.json", [bare])  # type: ignore[list-item]
    found = read_parents(path, limits={"participation": None, "child_max": 900.0})
    limits = found.orders[0].constraints
    assert (limits.participation, limits.child_max, limits.price_band_bps) == (1, 900, 10**9)
    none = "there is no such limit."
    assert found.notes == [
        f"The order says no participation, and neither does --participation: {none}",
        f"The order says no price_band_bps, and neither does --price-band-bps: {none}",
        "The order says no child_max: --child-max 900 holds.",
    ]
    assert found.filled_in == {"child_max"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"qty": -5}, "line 3, column 4 (qty): parent.qty: -5 is not positive"),
        ({"qty": '"250,000"'}, "line 3, column 4 (qty): parent.qty: '250,000' is text; give"),
        ({"qty": None}, "line 3, column 4 (qty): parent.qty: missing"),
        ({"qty": "nan"}, "line 3, column 4 (qty): parent.qty: 'nan' is text"),
        ({"qty": "9" * 5000}, "line 3, column 4 (qty): parent.qty: '9999"),
        ({"side": "up"}, "line 3, column 3 (side): parent.side: 'up' is not known"),
        ({"start_ts": 1043000000000}, "line 3, column 6 (start_ts): parent.start_ts: 1043000000"),
        ({"start_ts": "2003-01-19T18:13:20"}, "line 3, column 6 (start_ts): parent.start_ts: '20"),
        ({"end_ts": 1043000000}, "line 3, column 7 (end_ts): parent.end_ts: 2003-01-19T18:13"),
        ({"participation": 2}, "line 3, column 8 (participation): constraints.participation: 2 is"),
        ({"order_id": '"a\nb"'}, "line 3, column 1 (order_id): parent.order_id: 'a\\nb' has"),
        ({"symbol": "YHOO,X"}, "order: line 3: has 11 cells, and there are 10 columns"),
        ({"symbol": '"Y'}, "order: line 3: unexpected end of data"),
    ],
)  # fmt: skip
def test_a_cell_that_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = written(tmp_path, "a.csv", [FLAT, {**FLAT, **change}])
    assert refused(path).startswith(says)


def test_a_field_that_is_wrong_in_json_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", [ORDER, {**ORDER, "qty": -1}])
    line = (
        json.dumps([ORDER, {**ORDER, "qty": -1}], indent=1).splitlines().index('  "qty": -1,') + 1
    )
    assert refused(path).startswith(f"line {line}, column 3: parent.qty: -1 is not positive")
    path.write_text(json.dumps([ORDER, 5]))
    assert refused(path).startswith(
        f"line 1, column {len(json.dumps(ORDER)) + 4}: parent: 5 is not"
    )


def test_a_row_of_parquet_that_is_wrong_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.parquet", [{**FLAT, "start_ts": "x"}])
    assert refused(path).startswith(
        "row 1, column 6 (start_ts): parent.start_ts: 'x' is not a time"
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("quantity", "order: column 11: 'quantity' is no field of an order; did you mean qty?"),
        (
            "start_time",
            "order: column 11: 'start_time' is no field of an order; did you mean start_",
        ),
        ("participaton", "'participaton' is no field of an order; did you mean participation?"),
        ("trader", "'trader' is no field of an order; remove it"),
        ("qty", "order: column 11: qty is given twice"),
    ],
)
def test_a_column_that_is_no_field_is_refused(tmp_path: Path, name: str, says: str) -> None:
    """A limit under a misspelt name would not hold."""
    text = csv_of(FLAT).replace("\n", f",{name}\n", 1).replace("500\n", "500,1\n")
    (tmp_path / "a.csv").write_text(text)
    assert says in refused(tmp_path / "a.csv")


@pytest.mark.parametrize("depth", ["top", "nested"])
def test_a_key_given_twice_is_refused(tmp_path: Path, depth: str) -> None:
    text = json.dumps(ORDER)
    if depth == "nested":
        text = text.replace('"participation": 0.1', '"participation": 0.2, "participation": 0.99')
        says = "order: participation: given twice"
    else:
        text = text.replace('"qty": 12300', '"qty": 12300, "qty": 1')
        says = "order: qty: given twice"
    for whole in (text, f"[{text}]"):
        (tmp_path / "a.json").write_text(whole)
        assert refused(tmp_path / "a.json").startswith(says)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", b"", "order: Input data was truncated"),
        ("a.json", b"\xff\xfe{\x00}\x00", "order: is UTF-16 text; save it as UTF-8"),
        ("a.json", b'{"order_id": "caf\xe9"}', "order: line 1, column 18: byte 0xe9 is not UTF-8"),
        ("a.json", b'{"a":\n 1,}', "order: JSON is malformed: trailing comma in object (line 2,"),
        ("a.json", b'{"qty": NaN}', "order: JSON is malformed"),
        ("a.json", b'{"qty":' + b"9" * 5000 + b"}", "order: Integer value out of range"),
        ("a.json", b"[" * 100_000, "order: nested too deep"),
        ("a.json", b"\x1f\x8b\x08" + b"\0" * 99, "order: is compressed with gzip; unpack it first"),
        ("a.csv", b"order_id\n\xe9", "order: line 2, column 1: byte 0xe9 is not UTF-8 text"),
        ("a.csv", b"order_id\n\0", "order: line 2, column 1: a NUL is not text"),
        ("a.csv", b"", "order: is empty; give a line of names"),
        ("a.parquet", b"PAR1 and no more", "order: cannot be read as Parquet"),
        ("a.parquet", b"", "order: cannot be read as Parquet"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path / name).startswith(says)


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.parquet"])
def test_what_is_no_regular_file_is_not_waited_on(tmp_path: Path, name: str) -> None:
    assert "No such file or directory" in refused(tmp_path / name)
    os.mkfifo(tmp_path / name)
    assert refused(tmp_path / name) == "order: is a pipe; give a file on disk"
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    assert refused(tmp_path / name) == "order: is a device or socket; give a file on disk"
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert refused(tmp_path / name) == "order: is a folder; give a file"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "a.json", "wb") as file:
        file.truncate(1 << 40)  # sparse: it takes no room
    assert refused(tmp_path / "a.json") == "order: has more than 16 MiB; give a smaller file"


def test_a_long_word_named_many_times_takes_its_room_once(tmp_path: Path) -> None:
    """A dictionary unpacks to 20 GB here."""
    word = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), ["x" * 1_000_000])
    pq.write_table(pa.table({"order_id": word}), tmp_path / "a.parquet")
    assert "holds texts of more than 128 characters" in refused(tmp_path / "a.parquet")


@pytest.mark.parametrize("word", ["YHOO", "symbol"])
def test_names_and_texts_that_are_no_text_are_refused(tmp_path: Path, word: str) -> None:
    path = write_with_bytes(pa.Table.from_pylist([FLAT]), tmp_path / "a.parquet", word)
    assert "cannot be read as Parquet" in refused(path)
