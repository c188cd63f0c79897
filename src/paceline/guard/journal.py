"""The journal of a gate: events appended to one file, each sealed by all that came before it.

A record is its length, the complement of its length, the event in MessagePack, and a digest of this
event and the digest before it. A record that was changed, left out, doubled or moved is therefore
found, and the journal is refused as a whole. Only the last record may be incomplete: it was being
written when the machine or the process stopped, nobody was told that it was there, and it is cut
off.

What a file alone cannot show is that its last records were cut off exactly, or that an old copy was
put in its place. Compare with the venue's working orders and fills when a gate comes back.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import msgspec

from paceline.errors import InputError
from paceline.files.sealing import read_plain
from paceline.files.writing import sync_folder, write_file
from paceline.guard.events import AnyEvent, Event

MAGIC = b"paceline gate journal 1\n"
MOST_BYTES = 1 << 32
"""Largest journal that is opened: 4 GiB, tens of millions of events."""
_DIGEST = 16
_HEAD = 8
_MASK = 2**32 - 1
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(AnyEvent)


class Journal:
    """One journal, held by one gate at a time."""

    def __init__(self, path: str | Path, *, sync: bool = True) -> None:
        """Open the journal in `path`, which `create` made, and read all of it.

        With `sync` an event is on disk when `append` returns; without, it is with the operating
        system, and outlives the process but not the machine. Raises `InputError` when it is not
        there, damaged, or held by another gate.
        """
        self._path, self._sync = Path(path), sync
        self._file = self._lock = -1
        self._lock = self._held()
        try:
            self._digest, end, self._events = _read(_plain(self._path), self._path)
            self._file = _opened(self._path, end)
        except OSError as error:
            self.close()
            raise InputError(
                f"{self._path}: {error.strerror}; restore it, or create a new one and compare with "
                "the venue"
            ) from None
        except InputError:
            self.close()
            raise
        self.records = len(self._events)
        """Events in the file."""

    @classmethod
    def create(cls, path: str | Path, *, sync: bool = True) -> Journal:
        """A new journal of a gate to which nothing has happened. `InputError` when there is a file,
        or none can be written."""
        try:
            with open(path, "xb") as file:
                file.write(MAGIC)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(Path(path).parent)
        except FileExistsError:
            raise InputError(
                f"{path}: is there already; open it, or remove it on purpose"
            ) from None
        except OSError as error:
            raise InputError(
                f"{path}: {error.strerror}; give a file in a folder that can be written to"
            ) from None
        return cls(path, sync=sync)

    def events(self) -> Iterator[Event]:
        """The events that were there when it was opened, once."""
        events, self._events = self._events, []
        yield from events

    def append(self, event: Event, *, sync: bool = True) -> None:
        """Write an event, and wait until it is durable unless `sync` is off. Raises `OSError` when
        that fails; what was written of it is then not to be relied on."""
        record, digest = _record(event, self._digest)
        done = os.write(self._file, record)
        if done != len(record):
            raise OSError(28, "No space left on device")
        if sync and self._sync:
            os.fdatasync(self._file)
        self._digest = digest
        self.records += 1

    def rewrite(self, events: Sequence[Event]) -> None:
        """Put `events` in the place of all that is there, whole or not at all; `OSError` when it
        fails, and then all is as it was."""
        digest, parts = _first_digest(), [MAGIC]
        for event in events:
            record, digest = _record(event, digest)
            parts.append(record)
        try:
            write_file(self._path, b"".join(parts))
        finally:  # also when it was replaced, and what came after failed
            if not os.path.samestat(os.fstat(self._file), os.stat(self._path)):
                os.close(self._file)
                self._file = -1
                self._digest, self.records = digest, len(events)
                self._file = _opened(self._path, sum(map(len, parts)))

    def close(self) -> None:
        """Let another gate open it."""
        for handle in (self._file, self._lock):
            if handle >= 0:
                os.close(handle)
        self._file = self._lock = -1

    def __del__(self) -> None:
        self.close()

    def _held(self) -> int:
        """The lock of the journal, held until it is closed, against other gates of this thread as
        well."""
        path = self._path.with_name(f".{self._path.name}.paceline-lock")
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise InputError(
                f"{path}: {error.strerror}; give a folder that can be written to"
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise InputError(
                f"{self._path}: is in use by another gate; stop that one first"
            ) from None
        return lock


def _first_digest() -> bytes:
    return blake2b(MAGIC, digest_size=_DIGEST).digest()


def _record(event: Event, digest: bytes) -> tuple[bytes, bytes]:
    """The bytes of an event after `digest`, and its own digest."""
    body = _ENCODER.encode(event)
    head = len(body).to_bytes(4, "little") + (_MASK - len(body)).to_bytes(4, "little")
    own = blake2b(digest + head + body, digest_size=_DIGEST).digest()
    return head + body + own, own


def _opened(path: Path, end: int) -> int:
    """The file, to append after `end` bytes; what is beyond was never finished."""
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    os.ftruncate(file, end)
    os.lseek(file, end, os.SEEK_SET)
    return file


def _plain(path: Path) -> bytes:
    try:
        return read_plain(path, MOST_BYTES)
    except ValueError as error:
        raise InputError(
            f"{path}: {error}; restore it, or create a new one and compare with the venue"
        ) from None


def _read(raw: bytes, path: Path) -> tuple[bytes, int, list[Event]]:
    """The last digest, where the last whole record ends, and all events."""
    if not raw.startswith(MAGIC):
        raise InputError(
            f"{path}: is no journal of a gate of this version; restore the file, or create a new "
            "one and compare with the venue"
        )
    digest, at, events = _first_digest(), len(MAGIC), list[Event]()
    while at < len(raw):
        head = raw[at : at + _HEAD]
        if len(head) < _HEAD or not (any(head) or any(raw[at:])):  # cut off, or never written
            break
        length = int.from_bytes(head[:4], "little")
        if int.from_bytes(head[4:], "little") != _MASK - length:
            raise _damaged(path, at)
        end = at + _HEAD + length + _DIGEST
        if end > len(raw):
            break
        body, given = raw[at + _HEAD : end - _DIGEST], raw[end - _DIGEST : end]
        digest = blake2b(digest + head + body, digest_size=_DIGEST).digest()
        if digest != given:
            raise _damaged(path, at)
        try:
            events.append(_DECODER.decode(body))
        except msgspec.MsgspecError as error:
            raise InputError(
                f"{path}: the record at byte {at} holds what this version does not know ({error}); "
                "open it with the version that wrote it"
            ) from None
        at = end
    return digest, at, events


def _damaged(path: Path, at: int) -> InputError:
    return InputError(
        f"{path}: the record at byte {at} was changed after it was written; restore the file, or "
        "create a new one and compare with the venue"
    )
