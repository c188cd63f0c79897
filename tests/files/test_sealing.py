"""A seal finds every change; members are read only where they are what they were."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import TapeError
from paceline.files.members import members_of, opened
from paceline.files.sealing import (
    MANIFEST,
    Kind,
    Member,
    open_sealed,
    read_sealed,
    seal,
    unseal,
)

KIND = Kind("thing", 3, "make it again", TapeError)


class Content(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    number: float


TEXT = seal(KIND, Content("a", 0.1), {"a.bin": Member(3, "0" * 64)})


def test_what_is_sealed_is_plain_json() -> None:
    assert msgspec.json.decode(TEXT) == {
        "format": "paceline thing", "version": 3, "content": {"name": "a", "number": 0.1},
        "members": {"a.bin": {"bytes": 3, "sha256": "0" * 64}},
        "seal": hashlib.sha256(TEXT[: TEXT.index(b'\n "seal"')]).hexdigest(),
    }  # fmt: skip
    found = unseal(TEXT, KIND, "here")
    assert found.content == {"name": "a", "number": 0.1}
    assert found.members == {"a.bin": Member(3, "0" * 64)}


def test_every_flipped_bit_is_found() -> None:
    for at in range(len(TEXT)):
        for bit in range(8):
            damaged = bytearray(TEXT)
            damaged[at] ^= 1 << bit
            with pytest.raises(TapeError) as caught:
                unseal(bytes(damaged), KIND, "here")
            assert "\n" not in str(caught.value)
            assert str(caught.value).startswith("here: ")


@given(st.integers(0, len(TEXT) - 1), st.binary(max_size=8))
def test_every_cut_and_every_insertion_is_found(at: int, more: bytes) -> None:
    for damaged in (TEXT[:at], TEXT[at:] if at else b"", TEXT[:at] + more + TEXT[at:]):
        if damaged != TEXT:
            with pytest.raises(TapeError):
                unseal(damaged, KIND, "here")


@given(st.binary(max_size=200))
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(TapeError):
        unseal(text, KIND, "here")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b'{"schema_version": 1}', "has no seal .an earlier paceline wrote it.*make it again"),
        (seal(KIND._replace(version=2), {}), "is of version 2, this paceline reads 3; make it"),
        (seal(KIND._replace(name="tape"), {}), "is a 'paceline tape', no thing; give a thing"),
        (TEXT.replace(b"0.1", b"0.2"), "damaged or was edited .its seal does not fit.; make it"),
        (TEXT[:50], "is damaged or cut off, or no thing; make it again"),
    ],
)
def test_a_refusal_says_what_and_what_to_do(text: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text)
    with pytest.raises(TapeError, match=says):
        open_sealed(path, KIND)


def test_a_sealed_file_that_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(TEXT)
    assert read_sealed(path, KIND, Content) == Content("a", 0.1)
    path.write_bytes(seal(KIND, {"name": 1, "number": 2}))
    with pytest.raises(TapeError, match=r"a\.json: is damaged .*name.*; make it again"):
        read_sealed(path, KIND, Content)


def sealed_folder(folder: Path, members: dict[str, Member] | None = None) -> None:
    folder.mkdir(exist_ok=True)
    if not (folder / "a.bin").exists():
        (folder / "a.bin").write_bytes(b"abc")
    found = members_of(folder) if members is None else members
    (folder / MANIFEST).write_bytes(seal(KIND, Content("a", 0.1), found))


def test_a_member_is_read_as_it_was_sealed(tmp_path: Path) -> None:
    sealed_folder(tmp_path)
    with opened(tmp_path, KIND) as here:
        assert here.content("a.bin") == b"abc"
        assert here.mapped("a.bin")[:] == b"abc"
    for damaged, says in ((b"abd", "is damaged or was edited"), (b"ab", "has 2 bytes, 3 were")):
        (tmp_path / "a.bin").write_bytes(damaged)
        with opened(tmp_path, KIND) as here:
            for read in (here.content, here.mapped):
                with pytest.raises(TapeError, match=f"a.bin: {says}.*; make it again"):
                    read("a.bin")


def test_an_edit_that_hides_its_time_is_seen(tmp_path: Path) -> None:
    """The digest of a file is computed once; size and time of writing can be put back after an
    edit, but the kernel notes when that was done."""
    path = tmp_path / "a.bin"
    sealed_folder(tmp_path)
    before = path.stat()
    with opened(tmp_path, KIND) as here:
        here.check("a.bin")
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # its clock may tick in milliseconds
        with open(path, "r+b") as file:
            file.write(b"abd")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    now = path.stat()
    assert (now.st_ino, now.st_size, now.st_mtime_ns) == (
        before.st_ino, before.st_size, before.st_mtime_ns,
    )  # fmt: skip
    with (
        opened(tmp_path, KIND) as here,
        pytest.raises(TapeError, match=r"a\.bin: is damaged or was edited"),
    ):
        here.check("a.bin")


@pytest.mark.parametrize(
    "name", ["../a.bin", "/etc/passwd", "below/../../a", "", ".", "a//b", "a\\b", "a\n", "x" * 2000]
)
def test_names_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    sealed_folder(tmp_path / "in", {name: Member(3, "0" * 64)})
    with (
        pytest.raises(TapeError, match="leaves the folder by its name"),
        opened(tmp_path / "in", KIND),
    ):
        pass


def test_links_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    sealed_folder(folder)
    members = members_of(folder)
    (tmp_path / "out.bin").write_bytes(b"abc")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "b").write_bytes(b"abc")
    (folder / "below").symlink_to(tmp_path / "outside")
    sealed_folder(folder, {**members, "below/b": members["a.bin"], "zero": Member(3, "0" * 64)})
    (folder / "zero").symlink_to("/dev/zero")
    with opened(folder, KIND) as here:
        for name in ("below/b", "zero"):
            with pytest.raises(TapeError, match=f"{name}: "):
                here.content(name)
    (folder / "a.bin").unlink()
    for place in (lambda p: os.symlink(tmp_path / "out.bin", p), os.mkfifo, os.mkdir):
        place(folder / "a.bin")
        with opened(folder, KIND) as here, pytest.raises(TapeError, match=r"a\.bin: "):
            here.content("a.bin")
        (folder / "a.bin").rmdir() if (folder / "a.bin").is_dir() else (folder / "a.bin").unlink()


def test_a_manifest_that_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / MANIFEST)
    with (
        pytest.raises(TapeError, match=r"manifest\.json: is no regular file"),
        opened(tmp_path, KIND),
    ):
        pass
    with pytest.raises(TapeError, match="is no regular file"):
        open_sealed("/dev/zero", KIND)


def test_sizes_are_held_against_a_budget_before_anything_is_read(tmp_path: Path) -> None:
    sealed_folder(tmp_path, {"a.bin": Member(10**15, "0" * 64)})
    with (
        pytest.raises(TapeError, match="has 1,000,000,000,000,000 bytes by its manifest"),
        opened(tmp_path, KIND),
    ):
        pass
    sealed_folder(tmp_path, {"a.bin": Member(-1, "0" * 64)})
    with pytest.raises(TapeError, match="has -1 bytes"), opened(tmp_path, KIND):
        pass


def test_a_folder_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, says in (
        (tmp_path / "gone", "holds no thing .it is not there.; give the folder of one"),
        (tmp_path / "file", "holds no thing .it is a file.; give the folder of one"),
        (tmp_path, "holds no thing; give the folder of one"),
    ):
        with pytest.raises(TapeError, match=says), opened(path, KIND):
            pass
