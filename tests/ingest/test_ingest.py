"""Folders of days: what is made, kept, failed and ignored."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from paceline.errors import ConfigError, IngestError
from paceline.ingest import ingest, load
from paceline.market.tape import Tape

from .plain import random_day

TITLE = "{symbol}_2024-06-{day:02}_34200000_57600000_message_1.csv"


@pytest.fixture
def days(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    for day in (4, 5, 6):
        path = folder / "AAA" / TITLE.format(symbol="AAA", day=day)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(random_day(day, 80).messages())
    (folder / "notes.txt").write_text("hello")
    (folder / ".hidden").write_text("hello")
    return folder


def test_a_folder_of_days(days: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    made = ingest(days, tmp_path / "out", progress=lambda *step: seen.append(step))
    names = [f"AAA-2024-06-0{day}.tape" for day in (4, 5, 6)]
    assert [path.name for path in made] == names
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == names
    assert made.ignored == ["notes.txt"]
    assert seen == [(0, 3, "AAA 2024-06-04"), (1, 3, "AAA 2024-06-05"), (2, 3, "AAA 2024-06-06"),
                    (3, 3, "")]  # fmt: skip
    source = Tape.open(made[0]).manifest.sources[0]
    assert source.name == TITLE.format(symbol="AAA", day=4)
    assert len(source.sha256) == 64


def test_only_what_changed_is_made_again(days: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ingest(days, out)
    path = days / "AAA" / TITLE.format(symbol="AAA", day=5)
    path.write_text(random_day(55, 80).messages())
    again = ingest(days, out)
    assert len(again) == 3
    assert [p.name for p in again.made] == ["AAA-2024-06-05.tape"]
    assert len(again.kept) == 2
    assert len(ingest(days, out, force=True).made) == 3
    assert len(ingest(days, out, book_tick="0.0001").made) == 3  # other options, other tape


def test_a_file_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    """What was read of a file is kept for its other days, and never for its next version."""
    path, mapping = tmp_path / "X.csv", {"time": "t", "default_kind": "trade", "price": "p",
                                         "size": "q"}  # fmt: skip
    for size in (3, 41, 5):
        path.write_text(f"t,p,q\n1717767000000000001,10,{size}\n")
        assert load(path, mapping=mapping).events.qty.tolist() == [size]


def test_one_bad_day_does_not_stop_the_others(days: Path, tmp_path: Path) -> None:
    bad = days / "AAA" / TITLE.format(symbol="AAA", day=5)
    bad.write_text("garbage\n" * 10)
    made = ingest(days, tmp_path / "out")
    assert [p.name for p in made] == ["AAA-2024-06-04.tape", "AAA-2024-06-06.tape"]
    ((name, error),) = made.failed
    assert name == bad.name
    assert "10 of 10 rows are bad" in str(error)
    with pytest.raises(IngestError, match="10 of 10"):
        ingest(bad, tmp_path / "out")


def test_one_bad_file_of_any_format_does_not_stop_the_others(days: Path, tmp_path: Path) -> None:
    """Not even one whose days cannot be told."""
    (days / "broken.dbn").write_bytes(b"DBN\1" + b"x" * 40)
    (days / "broken.gz").write_bytes(
        gzip.compress(b'1717767000000000000 {"e":"trade"}\n' + bytes(999))[:40]
    )
    made = ingest(days, tmp_path / "out")
    assert len(made) == 3
    assert {failure.name for failure in made.failed} == {"broken.dbn", "broken.gz"}

    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "A.csv").write_text("t,p,q\n1717767000000000001,10,1\n")
    (tables / "B.csv").write_text("t,price,q\n1717767000000000001,10,1\n")
    (tables / "C.tsv.gz").write_bytes(gzip.compress(b"t,p,q\n1717767000000000001,10,1\n"))
    (tables / "D.pdf").write_text("")
    mapping = {"time": "t", "default_kind": "trade", "price": "p", "size": "q"}
    made = ingest(tables, tmp_path / "out", mapping=mapping)
    assert [path.name for path in made] == ["A-2024-06-07.tape", "C-2024-06-07.tape"]
    assert [failure.name for failure in made.failed] == ["B.csv"]
    assert made.ignored == ["D.pdf"]


def test_an_interrupt_leaves_whole_tapes(days: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def stop(done: int, _: int, __: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(days, out, progress=stop)
    assert len(list(out.iterdir())) == 2
    assert len(ingest(days, out).kept) == 2


def test_a_second_recording_of_a_day_is_refused(days: Path, tmp_path: Path) -> None:
    name = TITLE.format(symbol="AAA", day=4)
    (days / "copy").mkdir()
    (days / "copy" / name).write_text(random_day(9, 50).messages())
    made = ingest(days, tmp_path / "out")
    assert len(made) == 3
    assert "second recording" in str(made.failed[0].error)


def test_the_names_say_what_the_options_do_not(days: Path) -> None:
    path = days / "AAA" / TITLE.format(symbol="AAA", day=4)
    tape = load(path, symbol="BBB", day="2024-07-01", session="10:00-15:30", zone="Europe/Berlin")
    assert tape.name == "BBB-2024-07-01"
    assert tape.session.length_s == 5.5 * 3600
    assert tape.session.zone == "Europe/Berlin"
    other = days / "day.csv"
    other.write_text(random_day(4, 80).messages())
    assert load(other, format="lobster", symbol="AAA", day="2024-06-04").name == "AAA-2024-06-04"
    with pytest.raises(IngestError, match="give symbol and day"):
        load(other, format="lobster")
    with pytest.raises(IngestError, match="name the format"):
        load(other)


@pytest.mark.parametrize(("options", "message"), [
    ({"format": "xml"}, "format"), ({"symbal": "A"}, "symbal"), ({"book_tick": "-1"}, "book_tick"),
    ({"book_tick": "abc"}, "book_tick"), ({"session": "9-5"}, "session"),
    ({"session": "09:30-25:00"}, "session"), ({"session": "09:30-09:30"}, "without length"),
    ({"zone": "Mars/Base"}, "zone"), ({"day": "tomorrow"}, "day"),
    ({"order_tick": "0.0155"}, "order_tick"),
    ({"format": "columns"}, "mapping"), ({"book_tick": "0.00001"}, "book_tick"),
])  # fmt: skip
def test_wrong_options_end_in_one_line(
    days: Path, options: dict[str, object], message: str
) -> None:
    path = days / "AAA" / TITLE.format(symbol="AAA", day=4)
    with pytest.raises((IngestError, ConfigError, ValueError), match=message) as caught:
        load(path, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="does not exist"):
        ingest(tmp_path / "none", tmp_path / "out")
    with pytest.raises(IngestError, match="nothing"):
        ingest(tmp_path, tmp_path / "out")


def test_one_day_only(days: Path) -> None:
    with pytest.raises(IngestError, match="3 days"):
        load(days)


def test_a_broken_zip(tmp_path: Path) -> None:
    path = tmp_path / "days.zip"
    path.write_bytes(b"PK\3\4 not really")
    with pytest.raises(IngestError, match="zip"):
        ingest(path, tmp_path / "out")
