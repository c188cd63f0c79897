"""Raw files: where they are, how they are packed, and which bytes a tape was made from."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from paceline.errors import IngestError
from paceline.market.tape import Source

_CHUNK = 1 << 20
_PEEK = 1 << 16
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
        return f"{self.path.name}/{self.member}" if self.member else self.path.name

    @property
    def title(self) -> str:
        """Its own file name."""
        return Path(self.member).name if self.member else self.path.name


def walk(path: Path) -> Iterator[RawFile]:
    """Every raw file at `path`: itself, the files of a folder and below, the members of zips.

    Hidden files and finished tapes are stepped over. Raises `IngestError` if there is nothing.
    """
    if not path.exists():
        raise IngestError(f"path: {path} does not exist")
    if path.is_file():
        yield from _unpacked(path)
        return
    for inner in sorted(path.iterdir()):
        if inner.name.startswith(".") or inner.suffix == ".tape":
            continue
        if inner.is_dir():
            yield from walk(inner)
        else:
            yield from _unpacked(inner)


def _unpacked(path: Path) -> Iterator[RawFile]:
    stamp = _stamp(path)
    if path.suffix.lower() != ".zip":
        yield RawFile(path, stamp=stamp)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m.filename for m in archive.infolist() if not m.is_dir()]
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
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


def read(file: RawFile) -> bytes:
    """The file's bytes, unpacked (gzip and zstd by their first bytes).

    Raises `IngestError` when the packing is damaged: half of a packed file is no file.
    """
    try:
        if file.member:
            with zipfile.ZipFile(file.path) as archive:
                data = archive.read(file.member)
        else:
            data = file.path.read_bytes()
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, RuntimeError, EOFError,
            NotImplementedError) as error:  # fmt: skip
        reason = getattr(error, "strerror", None) or error
        raise IngestError(
            f"path: {file.name} cannot be read ({reason}); give a readable file, or fetch it again"
        ) from None
    if data[:2] == _GZIP:
        return _gunzip(data, file)
    if data[:4] == _ZSTD:
        return _unzstd(data, file)
    return data


def peek(file: RawFile, n: int = 256) -> bytes:
    """The first `n` unpacked bytes, fewer if there are fewer or the packing is damaged."""
    try:
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
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError):
        return b""
    return data[:n]


def _gunzip(data: bytes, file: RawFile) -> bytes:
    parts = []
    try:
        while data:
            stream = zlib.decompressobj(wbits=31)
            parts.append(stream.decompress(data))
            if not stream.eof:
                raise IngestError(f"path: {file.name} ends inside its gzip; fetch it again")
            data = stream.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise IngestError(f"path: {file.name} is damaged gzip ({error}); fetch it again") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unzstd(data: bytes, file: RawFile) -> bytes:
    import pyarrow as pa

    try:
        with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
            return bytes(stream.read())
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
        raise IngestError(f"path: {path.name} cannot be read ({error.strerror})") from None
    return Source(name=path.name, bytes=size, sha256=digest.hexdigest())
