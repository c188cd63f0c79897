"""What is no table of text: other encodings, bombs, pipes, ragged rows. One line, and at once."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paceline.cli import main
from paceline.errors import IngestError, PacelineError
from paceline.ingest import ingest, load
from paceline.ingest.sources import RawFile, peek, read
from paceline.market.tape import Tape

MAPPING = {"time": "t", "time_unit": "s", "default_kind": "trade", "price": "p", "size": "q"}
ROWS = "t,p,q\n" + "".join(f"{1_709_562_600 + k},10.0{k % 9},5\n" for k in range(60))


def zipped(text: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.csv", text)
    return out.getvalue()


@pytest.mark.parametrize("packed", [
    str.encode, lambda text: text.encode("utf-16"), lambda text: text.encode("utf-8-sig"),
    lambda text: text.replace("\n", "\r\n").encode(),
    lambda text: text.replace("\n", "\r").encode(),
    lambda text: gzip.compress(text.encode()),
    lambda text: pa.compress(text.encode(), "zstd", True),
    lambda text: text.replace("t,p,q", ' t , "p",q').encode(),
])  # fmt: skip
def test_the_same_table_in_another_dress(tmp_path: Path, packed: Callable[[str], bytes]) -> None:
    (tmp_path / "X.csv").write_bytes(packed(ROWS))
    tape = load(tmp_path / "X.csv", mapping=MAPPING)
    assert len(tape) == 60
    assert tape.manifest.quality.rows_quarantined == 0


@pytest.mark.parametrize(("name", "data", "line"), [
    ("X.csv", ROWS.encode() + b"1709562660,10,\xe9\n", "file: line 62 of X.csv is not UTF-8 (byte "
     "0xe9; another encoding, such as Latin-1); save it as UTF-8"),
    ("X.csv", ROWS.encode("utf-16-le"), "file: line 1 of X.csv holds a NUL byte, which no text "
     "does (another encoding, such as UTF-16, or no CSV); save it as UTF-8"),
    ("X.csv", ROWS.encode() + b"1709562660,1\0,5\n", "file: line 62 of X.csv holds a NUL byte, "
     "which no text does (another encoding, such as UTF-16, or no CSV); save it as UTF-8"),
    ("X.csv", b"\xff\xfe\x00", "file: X.csv begins as UTF-16 and is not; save it as UTF-8"),
    ("X.csv", ROWS.encode() + b"1" * 2_000_000, "file: line 62 of X.csv has 2,000,000 characters, "
     "more than a row can have; is it a table of one event a line?"),
    ("X.csv", b"t,p,q\n", "file: X.csv has no rows below its heading; give one with data"),
    ("X.csv", b"\n\n", "file: X.csv is empty; give a CSV with a heading and rows"),
    ("X.csv", b"t,p,p,q\n1,2,3,4\n", "mapping.price: X.csv has column 'p' twice; rename one of "
     "them"),
    ("X.csv", b"t,Px,q\n1,2,3\n", "mapping.price: X.csv has no column 'p'; did you mean Px? "
     "it has t, Px, q"),
    ("X.csv", (ROWS + "1,2\n" * 9).encode(), "file: 9 of 69 rows of X.csv have not the 3 fields of "
     "its heading, first line 62: '1,2'; mend them"),
    ("X.csv", (ROWS + '1,"2\n0",3\n').encode(), "file: X.csv has a quoted field that goes over "
     "several lines; write each row on one line"),
    ("X.csv", zipped(ROWS.encode()), "file: X.csv is packed (a zip inside a file of another name); "
     "unpack it first"),
    ("X.parquet", b"PAR1" + bytes(100) + b"PAR1", "file: X.parquet is no readable CSV or Parquet "
     "(Couldn't deserialize thrift: No more data to read.)"),
    ("X.csv.gz", gzip.compress(ROWS.encode())[:-20],
     "path: X.csv.gz ends inside its gzip; fetch it again"),
])  # fmt: skip
def test_what_is_no_table_is_told_in_one_line(
    tmp_path: Path, name: str, data: bytes, line: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(PacelineError) as told:
        load(tmp_path / name, mapping=MAPPING)
    assert str(told.value) == line


BOMB = b"1709562600,10,5\n" * (5 << 20)
TOO_LARGE = "is too large to be read at once, or unpacks to more than 200 times its size"


@pytest.mark.parametrize("name", ["X.csv.gz", "X.csv.zst", "X.zip"])
def test_a_bomb_is_not_unpacked(tmp_path: Path, name: str) -> None:
    pack = {
        "gz": lambda: gzip.compress(BOMB), "zst": lambda: pa.compress(BOMB, "zstd", True),
        "zip": lambda: zipped(BOMB),
    }[name.rpartition(".")[2]]  # fmt: skip
    (tmp_path / name).write_bytes(pack())
    with pytest.raises(PacelineError, match=TOO_LARGE):
        load(tmp_path / name, mapping=MAPPING)


def test_the_budget_is_of_what_was_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random bytes do not pack, and fill memory all the same."""
    data = np.random.default_rng(0).bytes(3 << 20)
    for name, packed in (("X.gz", gzip.compress(data)), ("X", data)):
        (tmp_path / name).write_bytes(packed)
        assert read(RawFile(tmp_path / name)) == data
        monkeypatch.setattr("paceline.ingest.sources.memory", lambda: 2 << 20)
        with pytest.raises(PacelineError, match="is too large to be read at once"):
            read(RawFile(tmp_path / name))
        monkeypatch.undo()


def test_a_parquet_of_few_bytes_and_many_rows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = {name: np.full(100_000, 5) for name in "tpq"}
    pq.write_table(pa.table(same), tmp_path / "X.parquet")
    monkeypatch.setattr("paceline.ingest.tables.memory", lambda: 10 << 20)
    with pytest.raises(PacelineError, match=r"holds 100,000 rows in [0-9,]+ bytes, too many"):
        load(tmp_path / "X.parquet", mapping=MAPPING)


def test_pipes_and_devices_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", Path("/dev/zero")):
        with pytest.raises(PacelineError, match="is a pipe or a device; give a file on disk"):
            load(path, mapping=MAPPING)
        assert peek(RawFile(path)) == b""
        with pytest.raises(PacelineError, match="is a pipe or a device, or is gone"):
            read(RawFile(path))


def test_a_folder_may_hold_odd_things(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "inner").mkdir(parents=True)
    os.mkfifo(raw / "pipe.csv")
    os.mkfifo(raw / "pipe.zip")
    (raw / "zero.csv").symlink_to("/dev/zero")
    (raw / "gone.csv").symlink_to("nowhere")
    (raw / "inner" / "again").symlink_to(raw)
    (raw / "X.csv").write_text(ROWS)
    (raw / os.fsdecode(b"Y\xff.csv")).write_text(ROWS)
    made = ingest(raw, tmp_path / "out", mapping=MAPPING)
    assert sorted(tape.name for tape in made) == ["X-2024-03-04.tape", "Y%5Cudcff-2024-03-04.tape"]
    assert sorted(made.ignored) == ["gone.csv", "pipe.csv", "pipe.zip", "zero.csv"]
    assert made.failed == []


def test_a_ragged_row_is_set_aside_by_its_line(tmp_path: Path) -> None:
    lines = ROWS.splitlines()
    lines[3:3] = ["", "1709562602,10"]
    (tmp_path / "X.csv").write_text("\n".join([*lines, "1709562660,10,5,7,8"]))
    tape = load(tmp_path / "X.csv", mapping=MAPPING)
    assert tape.quarantine["row"].to_pylist() == [5, 64]
    assert tape.quarantine["text"].to_pylist() == ["1709562602,10", "1709562660,10,5,7,8"]
    assert set(tape.quarantine["finding"].to_pylist()) == {"unparsable"}
    assert len(tape) == 60


def test_a_ragged_row_goes_with_the_symbol_of_the_row_before(tmp_path: Path) -> None:
    rows = [f"{1_709_562_600 + k},10,5,{'AAA' if k < 60 else 'BBB'}" for k in range(120)]
    rows.insert(0, "1,2")
    rows.insert(90, "3,4")
    (tmp_path / "X.csv").write_text("\n".join(["t,p,q,s", *rows]))
    made = ingest(tmp_path / "X.csv", tmp_path / "out", mapping=MAPPING | {"symbol_column": "s"})
    asides = [pq.read_table(path / "quarantine.parquet") for path in made]
    assert [path.name[:3] for path in made] == ["AAA", "BBB"]
    assert [aside["row"].to_pylist() for aside in asides] == [[2], [92]]
    assert made.failed == []


def test_a_row_is_quoted_as_it_stands(tmp_path: Path) -> None:
    """All its columns in their order, and a mark behind 200 characters of them."""
    rows = ROWS.replace("t,p,q", "note,t,p,q").replace("\n1", "\nw,1").splitlines()
    rows.insert(5, f"{'x' * 300},1709562604,-1,5")
    (tmp_path / "X.csv").write_text("\n".join(rows))
    tape = load(tmp_path / "X.csv", mapping=MAPPING)
    assert tape.quarantine["row"].to_pylist() == [6]
    assert tape.quarantine["text"].to_pylist() == ["x" * 200 + "…"]


def test_symbols_that_look_alike_as_files_are_tapes_of_their_own(tmp_path: Path) -> None:
    for symbol in ("BRK/B", "BRK_B", "BRK.B", "BRK B"):
        (tmp_path / "X.csv").write_text(ROWS)
        made = ingest(tmp_path / "X.csv", tmp_path / "out", mapping=MAPPING, symbol=symbol)
        assert len(made.made) == 1
    found = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in found] == [
        f"{name}-2024-03-04.tape" for name in ("BRK%20B", "BRK%2FB", "BRK%5FB", "BRK.B")
    ]
    assert [Tape.open(path).instrument.symbol for path in found] == [
        "BRK B", "BRK/B", "BRK_B", "BRK.B",
    ]  # fmt: skip


@pytest.mark.parametrize("other", ["\u0410APL", "aapl", "AAPl"])
def test_a_symbol_that_may_be_taken_for_another_is_refused(tmp_path: Path, other: str) -> None:
    (tmp_path / "X.csv").write_text(ROWS)
    for symbol in ("AAPL", "AAP", "AAPL"):
        ingest(tmp_path / "X.csv", tmp_path / "out", mapping=MAPPING, symbol=symbol)
    with pytest.raises(IngestError, match=r"^symbol: .* may be taken for 'AAPL', of which .*out"):
        ingest(tmp_path / "X.csv", tmp_path / "out", mapping=MAPPING, symbol=other)
    assert len(list((tmp_path / "out").iterdir())) == 2
    ingest(tmp_path / "X.csv", tmp_path / "other", mapping=MAPPING, symbol=other)


def test_names_that_are_none_fail_and_the_others_are_ready(tmp_path: Path) -> None:
    rows = ["t,p,q,s", *(f"{1_709_562_600},10,5,{s}" for s in ("AAA", "", "B\x1bB", " AAA "))]
    (tmp_path / "X.csv").write_text("\n".join(rows))
    made = ingest(tmp_path / "X.csv", tmp_path / "out", mapping=MAPPING | {"symbol_column": "s"})
    assert [tape.name for tape in made] == ["AAA-2024-03-04.tape"]
    assert len(Tape.open(made[0])) == 2
    assert [str(one.error) for one in made.failed] == [
        "symbol of X.csv: '' is empty; give a name",
        "symbol of X.csv: 'B\\x1bB' has unprintable or invisible characters; remove them",
    ]


@pytest.mark.parametrize("symbol", ["", " ", "A\nB", "A\u200bB"])
def test_a_symbol_that_is_none_is_refused(tmp_path: Path, symbol: str) -> None:
    (tmp_path / "X.csv").write_text(ROWS)
    with pytest.raises(PacelineError, match="symbol: "):
        load(tmp_path / "X.csv", mapping=MAPPING, symbol=symbol)
    with pytest.raises(PacelineError, match=r"mapping\.symbol: "):
        load(tmp_path / "X.csv", mapping=MAPPING | {"symbol": symbol})


def test_what_was_found_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    later = ROWS.replace("17095", "17096").replace("t,p,q\n", "")
    Path("X.csv").write_text(ROWS + "1709562660,-1,5\n" + later)
    Path("m.yaml").write_text("".join(f"{k}: {v}\n" for k, v in MAPPING.items()))
    assert main(["ingest", "X.csv", "--mapping", "m.yaml", "-o", "out", "--currency", "EUR"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "X.csv: 2 made, 0 up to date, in out",
        "  X 2 days, 2024-03-04 to 2024-03-05: book tick 0.01, order tick 0.01, lot 1, in EUR",
        "  set aside: 1 of 121 rows (bad_price 1), told in the tape's quarantine.parquet",
    ]
    assert main(["inspect", "out/X-2024-03-04.tape"]) == 0
    told = capsys.readouterr().out
    assert "book tick 0.01 · order tick 0.01 · lot 1 · EUR" in told
    assert "lot 1: found, all 60 sizes lie on it" in told


def test_coins_are_shown_in_coins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "X.csv").write_text(ROWS.replace(",5\n", ",0.125\n"))
    made = ingest(tmp_path / "X.csv", tmp_path / "out", mapping=MAPPING, currency="USDT")
    assert main(["inspect", str(made[0])]) == 0
    assert "volume 7.500 units in 60 trades" in capsys.readouterr().out


def test_the_header_is_of_the_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "X.csv").write_text(ROWS)  # 14:30:00 to 14:30:59 in UTC
    made = ingest(tmp_path / "X.csv", tmp_path / "out", mapping=MAPPING, session="14:30:30-15:00")
    assert main(["inspect", str(made[0])]) == 0
    told = capsys.readouterr().out
    assert "recorded 14:30:00–14:30:59 UTC" in told
    assert "session 14:30:30–15:00\n" in told
    assert "volume 150 lots in 30 trades" in told
    assert "outside the session 30 events, 150 lots traded" in told


@pytest.mark.parametrize(("given", "meant"), [
    ("quantity", "size"), ("px", "price"), ("timestamp", "time"), ("Ticker", "symbol"),
    ("siez", "size"), ("tick-size", "book_tick"),
])  # fmt: skip
def test_other_words_for_a_field(tmp_path: Path, given: str, meant: str) -> None:
    (tmp_path / "X.csv").write_text(ROWS)
    with pytest.raises(PacelineError, match=f"unknown field; did you mean {meant}\\?"):
        load(tmp_path / "X.csv", mapping=MAPPING | {given: "x"})
    (tmp_path / "X.csv").write_text(ROWS.replace("t,p,q", "timestamp,Price,quantity"))
    with pytest.raises(PacelineError, match=r"no column 'qty'; did you mean quantity\? it has"):
        load(
            tmp_path / "X.csv",
            mapping=MAPPING | {"time": "timestamp", "size": "qty", "price": "Price"},
        )
