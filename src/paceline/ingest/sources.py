"""Raw files: where they are, how they are packed, and which bytes a tape was made from."""

from __future__ import annotations

import hashlib
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from paceline.errors import IngestError
from paceline.market.tape import Source

_CHUNK = 1 << 20
_PEEK = 1 << 16
_FREE = 64 << 20
"""Bytes that a file may unpack to, however small it is."""
_MOST_RATIO = 200
"""How many times its size a file may unpack to. Recordings pack 5 to 50 times, bombs 1,000."""
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class RawFile(NamedTuple):
    """A file on disk, or one inside a zip."""

    path: Path
    member: str = ""
    stamp: tuple[int, int] = (0, 0)
    """Size and time of change when it was found: a file that is written again is another one."""

    @property
    def name(self) -> str:
        """What to call it in a message: the file, or archive.zip/member."""
        return _plain(f"{self.path.name}/{self.member}" if self.member else self.path.name)

    @property
    def title(self) -> str:
        """Its own file name."""
        return _plain(Path(self.member).name if self.member else self.path.name)


def _plain(name: str) -> str:
    """A file's name as text: bytes of it that are not UTF-8 as \\udcff."""
    return name.encode("utf-8", "backslashreplace").decode()


def walk(path: Path) -> Iterator[RawFile]:
    """Every raw file at `path`: itself, the files of a folder and below, the members of zips.

    Hidden files and finished tapes are stepped over. Raises `IngestError` if there is nothing, or
    if `path` is a pipe or device; those inside a folder come out too, and are never opened.
    """
    if not path.exists():
        raise IngestError(f"path: {path} does not exist; give a file or a folder of files")
    if path.is_dir():
        yield from _below(path, frozenset())
        return
    if not path.is_file():
        raise IngestError(f"path: {path} is a pipe or a device; give a file on disk")
    yield from _unpacked(path)


def _below(folder: Path, above: frozenset[Path]) -> Iterator[RawFile]:
    """The files of a folder and below; a link to a folder above is not followed."""
    here = folder.resolve()
    if here in above:
        return
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise IngestError(f"path: {folder} cannot be read ({error.strerror})") from None
    for inner in inside:
        if inner.name.startswith(".") or inner.suffix == ".tape":
            continue
        if inner.is_dir():
            yield from _below(inner, above | {here})
        else:
            yield from _unpacked(inner)


def _unpacked(path: Path) -> Iterator[RawFile]:
    stamp = _stamp(path)
    if path.suffix.lower() != ".zip" or not path.is_file():
        yield RawFile(path, stamp=stamp)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m.filename for m in archive.infolist() if not m.is_dir()]
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise IngestError(f"path: {path.name} is no readable zip ({error})") from None
    for member in sorted(members):
        yield RawFile(path, member, stamp)


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of change; zeros for a file that is not there, which reading it will tell."""
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns


def memory() -> int:
    """Bytes that one file may take in memory: half of what the machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (ValueError, OSError, AttributeError):  # not on this system
        return 16 << 30


def read(file: RawFile) -> bytes:
    """The file's bytes, unpacked (gzip and zstd by their first bytes).

    Raises `IngestError` when the packing is damaged (half of a packed file is no file), when it is
    no regular file, and when it would fill memory: a few kilobytes can unpack to gigabytes.
    """
    data = b"".join(_pieces(file))
    if data[:2] == _GZIP:
        return b"".join(_gunzip(data, file))
    if data[:4] == _ZSTD:
        return b"".join(_unzstd(data, file))
    return data


def _pieces(file: RawFile) -> Iterator[bytes]:
    """The bytes of a file or member as it was packed."""
    try:
        _refuse_pipe(file)
        if not file.member:
            if file.path.stat().st_size > memory():
                raise _too_large(file)
            yield file.path.read_bytes()
            return
        with zipfile.ZipFile(file.path) as archive:
            about = archive.getinfo(file.member)
            budget = _Budget(file)
            budget.check(about.file_size, about.compress_size)  # as announced, and then as found
            with archive.open(about) as stream:
                while piece := stream.read(_CHUNK):
                    yield budget.spend(piece, about.compress_size)
    except (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, KeyError, RuntimeError,
            EOFError, NotImplementedError, MemoryError) as error:  # fmt: skip
        reason = getattr(error, "strerror", None) or error
        raise IngestError(
            f"path: {file.name} cannot be read ({reason}); give a readable file, or fetch it again"
        ) from None


class _Budget:
    """Counts what was unpacked, and refuses what no recording packs into so little."""

    def __init__(self, file: RawFile) -> None:
        self.file = file
        self.spent = 0

    def spend(self, piece: bytes, packed: int) -> bytes:
        """Hand on a piece; all pieces so far came from `packed` bytes."""
        self.spent += len(piece)
        self.check(self.spent, packed)
        return piece

    def check(self, unpacked: int, packed: int) -> None:
        """Refuse so many bytes that come from `packed` ones."""
        if unpacked > max(_FREE, _MOST_RATIO * packed) or unpacked > memory():
            raise _too_large(self.file)


def _too_large(file: RawFile) -> IngestError:
    return IngestError(
        f"path: {file.name} is too large to be read at once, or unpacks to more than "
        f"{_MOST_RATIO} times its size; give a recording in smaller files"
    )


def _refuse_pipe(file: RawFile) -> None:
    if not file.path.is_file():
        raise IngestError(
            f"path: {file.name} is a pipe or a device, or is gone; give a file on disk"
        )


def peek(file: RawFile, n: int = 256) -> bytes:
    """The first `n` unpacked bytes; fewer if there are fewer, it is no regular file, or the packing
    is damaged."""
    try:
        if not file.path.is_file():
            return b""
        if file.member:
            with zipfile.ZipFile(file.path) as archive, archive.open(file.member) as stream:
                data = stream.read(_PEEK)
        else:
            with file.path.open("rb") as stream:
                data = stream.read(_PEEK)
        if data[:2] == _GZIP:
            return zlib.decompressobj(wbits=31).decompress(data, n)
        if data[:4] == _ZSTD:
            import pyarrow as pa

            with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
                return bytes(stream.read(n))
    except (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, EOFError,
            KeyError, NotImplementedError):  # fmt: skip
        return b""
    return data[:n]


def _gunzip(data: bytes, file: RawFile) -> Iterator[bytes]:
    budget, left = _Budget(file), data
    try:
        while left:
            stream = zlib.decompressobj(wbits=31)
            while not stream.eof:
                piece = stream.decompress(left, _CHUNK)
                left = stream.unconsumed_tail
                if not piece and not left and not stream.eof:
                    raise IngestError(f"path: {file.name} ends inside its gzip; fetch it again")
                yield budget.spend(piece, len(data) - len(left))
            left = stream.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise IngestError(f"path: {file.name} is damaged gzip ({error}); fetch it again") from None


def _unzstd(data: bytes, file: RawFile) -> Iterator[bytes]:
    import pyarrow as pa

    budget, source = _Budget(file), pa.BufferReader(data)
    try:
        with pa.CompressedInputStream(source, "zstd") as stream:
            while piece := stream.read(_CHUNK):
                yield budget.spend(bytes(piece), source.tell())
    except OSError as error:
        raise IngestError(f"path: {file.name} is damaged zstd ({error}); fetch it again") from None


def fingerprint(path: Path) -> Source:
    """Name, size and SHA-256 of a file as it lies on disk."""
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise IngestError(f"path: {_plain(path.name)} cannot be read ({error.strerror})") from None
    return Source(name=_plain(path.name), bytes=size, sha256=digest.hexdigest())
