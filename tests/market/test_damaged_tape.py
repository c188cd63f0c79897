"""A tape that was written wrong, its digests recomputed, is refused before a kernel reads it."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.commands import DAYS, write_lobster
from benchmarks.fuzz_files import backtested, inspected
from paceline.errors import InputError, TapeError
from paceline.files.members import members_of
from paceline.files.sealing import MANIFEST, seal
from paceline.files.writing import new_folder
from paceline.ingest import ingest
from paceline.market import tape as tapes
from paceline.market.compiler import IMAGE_EVERY
from paceline.market.tape import TAPE, Quality, Tape
from tests.files.killing import killed_at_each_step

from .test_tape import INSTRUMENT, SESSION, compile_it, random_rows

N = 2 * IMAGE_EVERY + 50
SOUND = compile_it(random_rows(3, N))
COLUMNS = {
    "events.arrow": SOUND.events._asdict(),
    "levels.arrow": {"ticks": SOUND.level_ticks},
    "images_index.arrow": {
        "offset": SOUND.images.offset,
        "halted": np.append(SOUND.images.halted, np.uint8(0)),
    },
    "images.arrow": {
        name: column for name, column in SOUND.images._asdict().items()
        if name not in ("offset", "halted")
    },
}  # fmt: skip


def sealed_anew(folder: Path, columns: dict[str, Any], **manifest: Any) -> Path:
    """A tape of other columns and another manifest, with digests that fit."""
    with new_folder(folder) as draft:
        for name, found in columns.items():
            tapes._write(draft / name, found)
        told = msgspec.to_builtins(SOUND.manifest) | manifest
        (draft / MANIFEST).write_bytes(seal(TAPE, told, members_of(draft)))
    return folder


def changed(file: str, column: str, at: int, value: int) -> dict[str, Any]:
    values = np.array(COLUMNS[file][column])
    values[at] = value
    return {**COLUMNS, file: {**COLUMNS[file], column: values}}


FIRST_IMAGE = int(SOUND.images.offset[1])  # image 0 is empty; this is the first row of image 1


@pytest.mark.parametrize(
    ("file", "column", "at", "value", "says"),
    [
        ("events.arrow", "slot", 700, 10**6, "n_slots is 457, its events have 1000001"),
        ("events.arrow", "slot", 700, -5, "row 700 has a slot that is none"),
        ("events.arrow", "level", 700, 10**6, "row 700 has a level that is not in the price table"),
        ("events.arrow", "level", 700, -1, "row 700 has a level that is not in the price table"),
        ("events.arrow", "side", 700, 7, "row 700 has a side that is none"),
        ("events.arrow", "kind", 700, 77, "row 700 has a kind that there is not"),
        ("events.arrow", "qty", 700, -3, "row 700 has a negative size"),
        ("events.arrow", "qty", 700, 10**6, "row 7.. takes more lots|row 701|volume|takes|image"),
        ("events.arrow", "ts", 700, 0, "row 700 is earlier than the row before"),
        ("events.arrow", "ts", N - 1, 2**63 - 1, "its events are from .* to 9223372036854775807"),
        ("events.arrow", "ts", 0, -(2**63), "its events are from -9223372036854775808"),
        ("events.arrow", "bid", 700, 99, "row 700 has a best price that is not in the price table"),
        ("events.arrow", "volume", 700, 0, "row 700 has another volume than was traded"),
        ("levels.arrow", "ticks", 0, 10**6, "its prices do not rise"),
        ("images.arrow", "slot", FIRST_IMAGE, 10**6, "image 1 has a side, level or slot that is"),
        ("images.arrow", "level", FIRST_IMAGE, -9, "image 1 has a side, level or slot that is"),
        ("images.arrow", "slot", FIRST_IMAGE, -1, "image 1 is not the book of its time"),
        ("images.arrow", "row", FIRST_IMAGE, 2, "image 1 has a side, level or slot that is none"),
        ("images.arrow", "lots", FIRST_IMAGE, 99, "image 1 is not the book of its time"),
        ("images_index.arrow", "offset", 1, 10**9, "its images overlap or leave rows out"),
        ("images_index.arrow", "offset", 1, 3, "image 0 does not say which rows it has"),
        ("images_index.arrow", "halted", 1, 1, "image 1 says wrongly whether trading was stopped"),
    ],
)
def test_what_a_kernel_would_index_with_is_checked(
    tmp_path: Path, file: str, column: str, at: int, value: int, says: str
) -> None:
    folder = sealed_anew(tmp_path / "T.tape", changed(file, column, at, value))
    with pytest.raises(TapeError, match=says) as caught:
        Tape.open(folder)
    assert re.match(r"\S+T\.tape: is damaged \(.*\); ingest the day again\Z", str(caught.value))


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"n_slots": 1}, "n_slots is 1, its events have"),
        ({"n_slots": -1}, "n_slots is -1"),
        ({"n_slots": 1 << 40}, "n_slots is"),
        ({"n_levels": 3}, "n_levels is 3"),
        ({"n_events": -3}, "n_events is -3"),
        ({"image_every": 1}, "image_every is 1"),
        ({"depth": "L2"}, "depth is 'L2', its files have 'L3'"),
        ({"depth": "L9"}, "is damaged"),
        ({"instrument": {**msgspec.to_builtins(INSTRUMENT), "book_tick": "NaN"}}, "is damaged"),
        ({"instrument": {**msgspec.to_builtins(INSTRUMENT), "lot": "-1"}}, "is damaged"),
        ({"session": {**msgspec.to_builtins(SESSION), "zone": "x/y"}}, "session.zone"),
        ({"session": {**msgspec.to_builtins(SESSION), "close_ns": 0}}, "is damaged"),
        ({"session": {**msgspec.to_builtins(SESSION), "close_ns": 10**30}}, "is damaged|ns"),
        ({"session": {**msgspec.to_builtins(SESSION), "day": "0001-01-01"}}, "session.day is"),
        ({"session": {**msgspec.to_builtins(SESSION), "day": "20240301"}}, "session.day is"),
        ({"session": {**msgspec.to_builtins(SESSION), "open_ns": -(2**62)}}, "session.open_ns is"),
        ({"session": {**msgspec.to_builtins(SESSION), "close_ns": 2**62}}, "session.close_ns is"),
        ({"session": {**msgspec.to_builtins(SESSION), "day": "2024-01-02"}}, "open_ns is 0|more"),
        (
            {"session": {**msgspec.to_builtins(SESSION), "breaks": [[1, 2]] * 10_000}},
            r"session.breaks: .*\.\.\.\)",
        ),
        ({"tape_id": ""}, "tape_id is '', not 64 hexadecimal digits"),
        ({"tape_id": "0" * 63 + "g"}, "tape_id is"),
        ({"made_by": "a\x1b[2Jb"}, "made_by is 'a.x1b"),
        ({"made_by": "a\nb"}, "made_by is 'a.nb', not 0 to"),
        ({"sources": [{"name": "\x07", "bytes": 1, "sha256": "0" * 64}]}, "sources.name is"),
        ({"sources": [{"name": "a", "bytes": -1, "sha256": "0" * 64}]}, "sources.bytes is -1"),
        ({"sources": [{"name": "a", "bytes": 1, "sha256": ""}]}, "sources.sha256 is"),
        ({"quality": {"rows_read": -5}}, "quality.rows_read is -5, not 0 to"),
        ({"quality": {"rows_read": 10**30}}, "quality.rows_read is"),
        ({"quality": {"rows_read": 3, "rows_quarantined": 4}}, "is 4, of 3 rows"),
        ({"quality": {"warmup_end_ts": 2**70}}, "quality.warmup_end_ts is"),
        ({"quality": {"warmup_end_ts": -(2**62)}}, "quality.warmup_end_ts is"),
        ({"quality": {"findings": {"x": {"count": -1}}}}, "findings.x.count is -1"),
        ({"quality": {"findings": {"": {"count": 1}}}}, "quality.findings is ''"),
        ({"quality": {"findings": {"x": {"count": 1, "first_row": 0}}}}, "x.first_row is 0"),
        ({"quality": {"findings": {"x": {"count": 1, "first_ts": 2**80}}}}, "x.first_ts is"),
        ({"quality": {"findings": {"x": {"count": 1, "note": "\x1b"}}}}, "x.note is"),
        ({"quality": {"inferred": {"tick": {"why": "given"}}}}, "inferred has 'tick', none of"),
        ({"quality": {"inferred": {"lot": {"why": "\x1b[31m"}}}}, "inferred.lot is"),
        ({"quality": {"\x1b[2J": 1}}, "is damaged .*x1b"),
        ({"more": 1}, "is damaged"),
    ],
)
def test_what_a_manifest_says_is_held_against_its_files(
    tmp_path: Path, told: dict[str, Any], says: str
) -> None:
    with pytest.raises(TapeError, match=says) as caught:
        Tape.open(sealed_anew(tmp_path / "T.tape", COLUMNS, **told))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
    assert str(caught.value).endswith("; ingest the day again")


def test_a_name_of_a_file_reaches_no_terminal_as_it_is(tmp_path: Path) -> None:
    folder = sealed_anew(tmp_path / "T.tape", COLUMNS)
    members = members_of(folder)
    members["\x1b[2J"] = members["levels.arrow"]
    (folder / MANIFEST).write_bytes(seal(TAPE, SOUND.manifest, members))
    with pytest.raises(TapeError, match=r"T\.tape: .x1b\[2J: leaves the folder") as caught:
        Tape.open(folder)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"made_by": "\x1b"}, "tape: made_by is"),
        ({"quality": Quality(rows_read=-1)}, "tape: quality.rows_read is -1"),
        (
            {"session": msgspec.structs.replace(SESSION, open_ns=-(2**60))},
            "tape: session.open_ns is",
        ),
    ],
)
def test_a_tape_that_would_not_open_is_not_made(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    given = {"session": SESSION, **changes}
    with pytest.raises(TapeError, match=says):
        Tape.compile(random_rows(3, 40), INSTRUMENT, **given)
    sound = compile_it(random_rows(3, 40))
    told = msgspec.structs.replace(sound.manifest, **changes)
    forged = Tape(told, sound.events, sound.level_ticks, sound.images)
    with pytest.raises(TapeError, match=says):
        forged.save(tmp_path / "T.tape")
    assert not (tmp_path / "T.tape").exists()


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape of a morning that can be worked on."""
    folder = tmp_path_factory.mktemp("morning")
    (tape,) = ingest(write_lobster(folder, DAYS[0], seed=1, messages=800), folder / "tapes").made
    inspected(tape)
    backtested(Tape.open(tape))  # compiled now: an example is to be quick
    return tape


def places_in(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in JSON's own types."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, value in items:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += places_in(value, (*path, key))
    return found


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers(-(2**80), 2**80)
    | st.sampled_from([2**31, 2**53, 2**62, 2**63 - 1, 2**63, 10**40])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["", "\x1b[2J", "a\nb", "1e300", "1e-300", "1e25", "0001-01-01", "NaN"]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=2),
    max_leaves=4,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_field_of_a_manifest_is_refused_or_harmless(morning: Path, data: st.DataObject) -> None:
    """What opens can be shown and worked; what does not is refused on one line of plain text."""
    whole = (morning / MANIFEST).read_bytes()
    content = msgspec.json.decode(whole)["content"]
    *above, key = data.draw(st.sampled_from(places_in(content)))
    node = content
    for one in above:
        node = node[one]
    if isinstance(node, dict) and data.draw(st.integers(0, 9)) == 0:
        key = data.draw(st.text())
    node[key] = data.draw(JSON)
    try:
        (morning / MANIFEST).write_bytes(seal(TAPE, content, members_of(morning)))
        tape, refused = None, ""
        try:
            tape = Tape.open(morning)
        except TapeError as error:
            refused = str(error)
        assert refused.isprintable()
        if tape is not None:
            inspected(morning)
            with suppress(InputError):  # such as an order that is smaller than a lot
                backtested(tape)
    finally:
        (morning / MANIFEST).write_bytes(whole)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    events = COLUMNS["events.arrow"]
    for other, says in (
        ({**events, "slot": events["slot"].astype(np.int64)}, "slot is int64, not"),
        ({**events, "more": events["slot"]}, "has other columns"),
        ({k: v for k, v in events.items() if k != "slot"}, "slot"),
        ({k: v[:0] for k, v in events.items()}, "there are no events"),
        ({**events, "qty": pa.array([None] + [1] * (N - 1), pa.int32())}, "is damaged"),
    ):
        folder = sealed_anew(tmp_path / "T.tape", {**COLUMNS, "events.arrow": other})
        with pytest.raises(TapeError, match=says):
            Tape.open(folder)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_number_anywhere_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A tape that opens is one that the compiler would have made, but for the order of a queue."""
    file = data.draw(st.sampled_from(sorted(COLUMNS)))
    column = data.draw(st.sampled_from(sorted(COLUMNS[file])))
    old = COLUMNS[file][column]
    info = np.iinfo(old.dtype)
    at = data.draw(st.integers(0, len(old) - 1))
    value = data.draw(
        st.one_of(st.integers(-3, 30), st.integers(info.min, info.max)).filter(
            lambda x: info.min <= x <= info.max and x != old[at]
        )
    )
    folder = tmp_path_factory.mktemp("one") / "T.tape"
    sealed_anew(folder, changed(file, column, at, value))
    try:
        opened = Tape.open(folder)
    except TapeError:
        return
    assert (file, column) in {
        ("events.arrow", "ts"), ("events.arrow", "bid"), ("events.arrow", "ask"),
        ("levels.arrow", "ticks"), ("images_index.arrow", "halted"), ("images.arrow", "seq"),
        ("events.arrow", "side"), ("events.arrow", "slot"), ("events.arrow", "level"),
        ("events.arrow", "qty"),  # of an order that is gone before the next image
    }, (file, column, at, value)  # fmt: skip
    assert len(opened) == N


def test_a_tape_is_the_old_or_the_new_one_at_every_step(tmp_path: Path) -> None:
    path = tmp_path / "T.tape"
    old, new = compile_it(random_rows(1, 40)), compile_it(random_rows(2, 40))
    old.save(path)
    for _ in killed_at_each_step(lambda: new.save(path)):
        assert Tape.open(path).manifest in (old.manifest, new.manifest)
        new.save(path)  # the same command again
        assert Tape.open(path).manifest == new.manifest
        assert {one.name for one in tmp_path.iterdir()} == {"T.tape"}
        old.save(path)


def test_a_tape_keeps_the_umask(tmp_path: Path) -> None:
    import os
    import stat

    before = os.umask(0o027)
    try:
        SOUND.save(tmp_path / "T.tape")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "T.tape").stat().st_mode) == 0o750


def test_an_older_tape_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "T.tape").mkdir()
    (tmp_path / "T.tape" / "manifest.json").write_text('{"schema_version": 1, "crc32": {}}')
    with pytest.raises(TapeError, match=r"an earlier paceline wrote it.*ingest the day again"):
        Tape.open(tmp_path / "T.tape")
