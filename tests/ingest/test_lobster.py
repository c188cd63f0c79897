"""LOBSTER files: exact times, the book of a plain twin, and no row lost."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paceline.errors import IngestError, PacelineError
from paceline.ingest import ingest, load
from paceline.ingest.quality import Limits
from paceline.market import events as ev
from paceline.market.events import EXECUTE, HIDDEN, SEED, UNSEEN
from paceline.market.session import midnight_ns
from paceline.market.tape import Tape

from .plain import NAME, PlainBook, PlainDay, picture, random_day, replay

MESSAGE = NAME.format(part="message", levels=1)
MIDNIGHT = midnight_ns("2024-06-07", "America/New_York")
ANYTHING = Limits(max_bad_share=1.0, max_crossed_share=1.0, max_mismatch_share=1.0)

Write = Callable[..., Path]


def load_text(folder: Path, text: str | bytes, **options: object) -> Tape:
    path = folder / MESSAGE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, limits=ANYTHING, **options)


def shown_after_each_message(tape: Tape, levels: int) -> list[list[int]]:
    """Rows of an orderbook file, from the tape alone."""
    e = tape.events
    unit = int(tape.instrument.book_tick * 10_000)
    out: list[list[int]] = []
    at_start = True
    for kind, book in zip(e.kind.tolist(), replay(tape), strict=True):
        at_start &= kind == SEED
        if at_start:
            continue
        asks, bids = book.side(-1, unit), book.side(1, unit)
        row: list[int] = []
        for k in range(levels):
            row += asks[k] if k < len(asks) else (9_999_999_999, 0)
            row += bids[k] if k < len(bids) else (-9_999_999_999, 0)
        if kind in (SEED, UNSEEN):
            out[-1] = row
        else:
            out.append(row)
    return out


HALTS = """34200.000000001,1,11,100,1000000,1
34200.572,1,12,50,1000300,-1
34201,7,0,0,-1,-1
34202,7,0,0,0,-1
34203,7,0,0,1,-1
34204.5,6,-1,75,1000100,-1
34205,5,0,20,1000150,1
34206,2,11,40,1000000,1
34207,4,12,20,1000300,-1
34208,3,11,60,1000000,1
"""


def test_every_type_of_message(tmp_path: Path) -> None:
    tape = load_text(tmp_path, HALTS)
    e = tape.events
    assert [ev.KIND_NAMES[kind] for kind in e.kind.tolist()] == [
        "add", "add", "halt", "quote", "resume", "cross", "hidden", "reduce", "execute", "delete",
    ]  # fmt: skip
    assert (e.ts - MIDNIGHT).tolist()[:3] == [
        34_200_000_000_001,
        34_200_572_000_000,
        34_201 * 10**9,
    ]
    assert e.qty.tolist() == [100, 50, 0, 0, 0, 75, 20, 40, 20, 60]
    assert e.side.tolist() == [1, -1, 0, 0, 0, -1, 1, 1, -1, 1]
    assert e.slot.tolist() == [0, 1, -1, -1, -1, -1, -1, 0, 1, 0]
    assert e.volume.tolist() == [0, 0, 0, 0, 0, 0, 20, 20, 40, 40]  # the auction left out
    assert str(tape.instrument.book_tick) == "0.001"  # 100.015 is on it
    assert str(tape.instrument.order_tick) == "0.01"
    assert tape.manifest.quality.findings["halt"].count == 1
    assert tape.manifest.quality.short_session


BAD_ROWS = [
    ("34200.5,1,13,100,1000000", "unparsable", ""),
    ("garbage", "unparsable", ""),
    ("34200.5,1,13,NaN,1000000,1", "unparsable", ""),
    ("34200.5,1,99999999999999999999,100,1000000,1", "unparsable", ""),
    ("34200.5,9,13,100,1000000,1", "unknown_kind", ""),
    ("34200.5,7,0,0,5,-1", "unknown_kind", ""),
    ("34200.5,1,13,0,1000000,1", "bad_size", ""),
    ("34200.5,1,13,-5,1000000,1", "bad_size", ""),
    ("34200.5,1,13,3000000000,1000000,1", "size_too_large", ""),
    ("34200.5,1,13,100,-1000000,1", "bad_price", ""),
    ("34200.5,1,13,100,9999999999,1", "bad_price", ""),
    ("34200.5,1,13,100,1000000,0", "bad_side", ""),
    ("90000,1,13,100,1000000,1", "time_outside_day", ""),
    ("34199,1,13,100,1000000,1", "time_backwards", ""),
    ("50000,1,13,100,1000000,1", "time_backwards", ""),
    ("34200.5,2,77,100,1000000,1", "unknown_order", ""),
    ("34200.5,3,77,100,1000000,1", "unknown_order", ""),
    ("34200.5,4,77,100,1000000,1", "unknown_order_executed", "hidden execution"),
    ("34200.5,1,11,100,1000000,1", "duplicate_order", ""),
    ("34200.5,2,11,10,1000100,1", "other_price", ""),
    ("34200.5,2,11,10,1000000,-1", "other_side", ""),
    ("34200.5,4,11,101,1000000,1", "over_execution", "clipped to what the order had"),
    ("34200.5,2,11,101,1000000,1", "over_cancel", "clipped to what the order had"),
    ("34200.5,3,11,10,1000000,1", "size_differs", "order left whole"),
]


@pytest.mark.parametrize(("row", "finding", "kept"), BAD_ROWS)
def test_a_bad_row_is_named_and_kept_aside(
    tmp_path: Path, row: str, finding: str, kept: str
) -> None:
    start = "34200.1,1,11,100,1000000,1\n34200.2,1,12,50,1000300,-1\n"
    tape = load_text(tmp_path, f"{start}{row}\n34201,1,14,10,999900,1\n34202,1,15,10,999800,1\n")
    (aside,) = tape.quarantine.to_pylist()
    assert (aside["row"], aside["finding"], aside["kept_as"]) == (3, finding, kept)
    assert aside["text"] == row
    quality = tape.manifest.quality
    assert quality.findings[finding].count == 1
    assert quality.findings[finding].first_row == 3
    assert quality.rows_quarantined == (0 if kept else 1)
    assert len(tape) == 5 - quality.rows_quarantined


def test_a_price_off_a_given_tick_is_left_out(tmp_path: Path) -> None:
    text = "34200.1,1,11,100,1000000,1\n34200.2,1,12,50,1000350,-1\n"
    tape = load_text(tmp_path, text, book_tick="0.01")
    assert tape.quarantine["finding"].to_pylist() == ["off_tick"]


def test_a_bad_day_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / MESSAGE
    path.write_text("34200.1,1,11,100,1000000,1\n" * 10)
    with pytest.raises(IngestError, match="9 of 10 rows are bad") as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert "already" in str(caught.value)


@given(seed=st.integers(0, 10**6), before=st.integers(0, 12))
@settings(max_examples=40)
def test_the_book_is_the_twins(
    seed: int, before: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    day = random_day(seed, 120, before=before)
    tape = load_text(tmp_path_factory.mktemp("day"), day.messages())
    book = PlainBook()
    e = tape.events
    unit = int(tape.instrument.book_tick * 10_000)
    aside = {row["row"] - 1: row["finding"] for row in tape.quarantine.to_pylist()}
    assert set(aside.values()) <= {"unknown_order", "unknown_order_executed"}
    assert before > 0 or not aside
    i = volume = 0
    for number, (_, kind, key, lots, price, side) in enumerate(day.rows):
        if kind == 1:
            book.add(key, lots, price, side)
        elif kind in (2, 3, 4) and number not in aside:
            book.take(key, lots)
        volume += lots if kind in (4, 5) else 0
        if aside.get(number) == "unknown_order":
            continue
        for level, their_side in ((e.bid[i], 1), (e.ask[i], -1)):
            best = book.best(their_side)
            here = (
                int(tape.level_ticks[level]) * unit if 0 <= level < len(tape.level_ticks) else None
            )
            assert here == best
        assert e.volume[i] == volume
        i += 1
    assert i == len(tape)
    assert volume == day.traded


@pytest.mark.parametrize("levels", [1, 2, 5])
@pytest.mark.parametrize("seed", range(8))
def test_the_orderbook_file_is_followed(write_day: Write, seed: int, levels: int) -> None:
    day = random_day(seed, 400, levels=levels, before=40)
    tape = load(write_day(day, levels))
    findings = tape.manifest.quality.findings
    assert findings["orderbook_mismatch"].count == 0
    assert tape.quarantine.num_rows == 0
    assert shown_after_each_message(tape, levels) == day.shown
    assert int(tape.events.volume[-1]) == sum(row[3] for row in day.rows if row[1] in (4, 5))


def test_a_lost_message_is_one_mismatch(write_day: Write) -> None:
    day = random_day(3, 400, levels=3, before=40)
    lost = next(i for i, row in enumerate(day.rows) if i > 100 and row[1] == 4)
    del day.rows[lost], day.shown[lost]
    tape = load(write_day(day, 3), limits=ANYTHING)
    findings = tape.manifest.quality.findings
    assert findings["orderbook_mismatch"].count >= 1
    assert findings["orderbook_mismatch"].first_row == lost + 1
    assert shown_after_each_message(tape, 3) == day.shown


def test_many_mismatches_refuse_the_day(write_day: Write) -> None:
    day = random_day(3, 400, levels=3, before=40)
    for row in day.shown[::20]:
        row[1] += 7
    with pytest.raises(IngestError, match="orderbook"):
        load(write_day(day, 3))


@pytest.mark.parametrize("damage", ["rows", "columns", "text"])
def test_a_damaged_orderbook_file_is_refused(write_day: Write, damage: str) -> None:
    day = random_day(3, 50, levels=2)
    folder = write_day(day, 2)
    path = folder / NAME.format(part="orderbook", levels=2)
    lines = path.read_text().splitlines()
    if damage == "rows":
        lines.pop()
    elif damage == "columns":
        lines[0] += ",1"
    else:
        lines[5] = lines[5].replace(",", ",x", 1)
    path.write_text("\n".join(lines))
    with pytest.raises(IngestError, match="orderbook"):
        load(folder)


def test_packed_files_make_the_same_tape(tmp_path: Path) -> None:
    text = random_day(1, 100).messages()
    plain = load_text(tmp_path, text)
    packed = tmp_path / f"{MESSAGE}.gz"
    packed.write_bytes(gzip.compress(text[:500].encode()) + gzip.compress(text[500:].encode()))
    archive = tmp_path / "days.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr(MESSAGE, text)
        out.writestr("ReadMe.txt", "hello")
    for path in (packed, archive):
        assert load(path).manifest.tape_id == plain.manifest.tape_id


@pytest.mark.parametrize("cut", [5, 40, 200])
def test_a_torn_gzip_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / f"{MESSAGE}.gz"
    path.write_bytes(gzip.compress(random_day(1, 100).messages().encode())[:-cut])
    with pytest.raises(IngestError, match="gzip"):
        load(path)


@pytest.mark.parametrize("text", ["", "\n\n", "\0"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(IngestError, match="empty"):
        load_text(tmp_path, text)


DAY = random_day(7, 60)
TEXT = DAY.messages().encode()
FIELD = st.sampled_from(
    ["", "NaN", "-1", "0", "1e9", "9" * 30, "x", "99999999999", "34200", "\0", "7"]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The day with something wrong with it."""
    lines = TEXT.split(b"\n")[:-1]
    how = draw(st.sampled_from(["cut", "shuffle", "repeat", "drop", "fields", "columns", "noise"]))
    if how == "cut":
        return TEXT[: draw(st.integers(0, len(TEXT)))]
    if how == "shuffle":
        return b"\n".join(draw(st.permutations(lines)))
    if how == "noise":
        return draw(st.binary(max_size=300))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(lines) - 1))
        if how == "repeat":
            lines.insert(draw(st.integers(0, len(lines))), lines[at])
        elif how == "drop" and len(lines) > 1:
            del lines[at]
        elif how == "columns":
            lines[at] = lines[at].rsplit(b",", draw(st.integers(1, 5)))[0]
        else:
            fields = lines[at].split(b",")
            fields[draw(st.integers(0, len(fields) - 1))] = draw(FIELD).encode()
            lines[at] = b",".join(fields)
    return b"\n".join(lines)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@given(data=damaged(), strict=st.booleans())
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_no_damage_is_silent(data: bytes, strict: bool, scratch: Path) -> None:
    path = scratch / MESSAGE
    path.write_bytes(data)
    try:
        tape = load(path, limits=None if strict else ANYTHING)
    except PacelineError as error:
        assert "\n" not in str(error)  # noqa: PT017  (any of them will do)
        return
    lines = data.rstrip(b"\r\n\0 ").split(b"\n")
    quality = tape.manifest.quality
    aside = tape.quarantine.to_pylist()
    left_out = [row for row in aside if not row["kept_as"]]
    # Every row of the file is an event or in quarantine, and the quarantine has its text.
    assert quality.rows_read == len(lines)
    assert quality.rows_quarantined == len(left_out)
    assert len(tape) == len(lines) - len(left_out)
    for row in aside:
        text = lines[row["row"] - 1].rstrip(b"\r").decode("utf-8", "replace")
        assert row["text"] == text[: len(row["text"])]
    # What came through is exactly what the file said, row for row.
    gone = {row["row"] - 1 for row in aside}
    out = {row["row"] - 1 for row in left_out}
    kept = [line for i, line in enumerate(lines) if i not in out]
    numbers = [i for i in range(len(lines)) if i not in out]
    e = tape.events
    for i, (number, line) in enumerate(zip(numbers, kept, strict=True)):
        _, kind, _, size, _, _ = line.split(b",")[:6]
        if number not in gone and kind not in (b"7", b"3"):
            assert int(e.qty[i]) == int(float(size))
    assert int(e.qty[np.isin(e.kind, (EXECUTE, HIDDEN))].sum()) == int(e.volume[-1])
    if strict:
        assert len(aside) <= Limits().max_bad_share * len(lines)
    # It can be compiled again, and written and read, without a change.
    again = Tape.open(tape.save(scratch / "fuzz.tape"))
    assert again.manifest == tape.manifest


def test_a_shuffled_day_is_refused(tmp_path: Path) -> None:
    lines = random_day(5, 2000).messages().splitlines()
    rng = np.random.default_rng(0)
    path = tmp_path / MESSAGE
    path.write_text("\n".join(np.array(lines)[rng.permutation(len(lines))]))
    with pytest.raises(IngestError, match="refused"):
        ingest(path, tmp_path / "out")


def test_one_wild_time_costs_one_row(tmp_path: Path) -> None:
    lines = random_day(5, 500).messages().splitlines()
    lines[100] = lines[100].replace(lines[100].split(",")[0], "57599")
    tape = load_text(tmp_path, "\n".join(lines))
    assert tape.manifest.quality.findings["time_backwards"].count == 1


def test_the_twin_draws_what_lobster_draws() -> None:
    book = PlainBook()
    book.add(1, 10, 100, 1)
    book.add(2, 5, 120, -1)
    assert picture(book, 2) == [120, 5, 100, 10, 9_999_999_999, 0, -9_999_999_999, 0]
    assert isinstance(random_day(0, 5), PlainDay)
