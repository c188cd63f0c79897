"""Seals: JSON that says what it is, of which version, and what its own bytes add up to.

    {
     "format": "paceline tape",
     "version": 2,
     "content": { … },
     "members": {"events.arrow": {"bytes": 1234, "sha256": "…"}, … },
     "seal": "…"
    }

The seal is the SHA-256 of every byte before the line it stands on, so that a bit that changed
anywhere, an edit by hand and a cut are all found. `members` are the files that the artefact
consists of besides this one; it is left out where there are none. A seal protects against accidents
and not against somebody who writes a new one: what is read is checked for its ranges, too.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from paceline.errors import InputError

MANIFEST = "manifest.json"
MOST_BYTES = 1 << 26
"""Largest sealed text that is read: 64 MiB."""

_MOST_SAID = 300
"""Characters of a message that are taken over."""

T = TypeVar("T")

_LINE = re.compile(rb'\n "seal": "([0-9a-f]{64})"\n\}\n\Z')


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of an artefact."""

    bytes: int
    sha256: str


class Kind(NamedTuple):
    """A kind of artefact: what it is called, in which version, and what is raised and advised."""

    name: str
    """As in `paceline NAME`, and in messages."""
    version: int
    remedy: str
    """What to do about one that cannot be read."""
    error: type[InputError] = InputError


class Sealed(NamedTuple):
    """What a seal was on."""

    content: Any
    """JSON's own types."""
    members: dict[str, Member]
    digest: str
    """The seal itself, an identity of all of it."""


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    version: int
    content: Any
    members: dict[str, Member] = {}
    seal: str = ""


def seal(kind: Kind, content: Any, members: Mapping[str, Member] | None = None) -> bytes:
    """`content` (what JSON can hold, or a struct) as sealed text."""
    body: dict[str, Any] = {
        "format": f"paceline {kind.name}",
        "version": kind.version,
        "content": content,
    }
    if members:
        body["members"] = dict(sorted(members.items()))
    return sealed_text(body)


def sealed_text(body: Mapping[str, Any]) -> bytes:
    """`body` as JSON with a seal over it, whatever it says."""
    text = msgspec.json.format(msgspec.json.encode(body), indent=1).removesuffix(b"\n}") + b","
    return text + b'\n "seal": "%s"\n}\n' % hashlib.sha256(text).hexdigest().encode()


def unseal(text: bytes, kind: Kind, where: str | Path) -> Sealed:
    """What `seal` sealed. Raises `kind.error` for anything else, naming `where` it was found."""
    ending = _LINE.search(text)
    if ending is None:
        raise kind.error(_unsealed(text, kind, where))
    found = hashlib.sha256(text[: ending.start()]).hexdigest()
    if found != ending[1].decode():
        raise kind.error(
            f"{where}: is damaged or was edited (its seal does not fit); {kind.remedy}"
        )
    try:
        body = msgspec.json.decode(text, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise kind.error(f"{where}: is damaged ({said(error)}); {kind.remedy}") from None
    if body.format != f"paceline {kind.name}":
        raise kind.error(
            f"{where}: is a {said(repr(body.format))}, no {kind.name}; give a {kind.name}"
        )
    if body.version != kind.version:
        raise kind.error(
            f"{where}: is of version {body.version}, this paceline reads {kind.version}; "
            f"{kind.remedy}"
        )
    return Sealed(body.content, body.members, found)


def content_as(sealed: Sealed, kind: Kind, type: type[T], where: str | Path) -> T:
    """The content of `sealed` as a struct. Raises `kind.error` where it does not fit."""
    try:
        return msgspec.convert(sealed.content, type)
    except (msgspec.ValidationError, InputError, ArithmeticError) as error:
        raise kind.error(f"{where}: is damaged ({said(error)}); {kind.remedy}") from None


def said(what: object) -> str:
    """What an error or a name says, on one line, printable and short: it may quote what is in the
    file, which a terminal must not be given as it is."""
    text = " ".join(str(what).split())
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= _MOST_SAID else text[: _MOST_SAID - 3] + "..."


def _unsealed(text: bytes, kind: Kind, where: str | Path) -> str:
    """Why text without a seal is refused: it was cut, or is older than seals, or something else."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return f"{where}: is damaged or cut off, or no {kind.name}; {kind.remedy}"
    if isinstance(found, dict) and "format" in found and "seal" in found:
        return f"{where}: is damaged or was edited (its seal does not fit); {kind.remedy}"
    return (
        f"{where}: has no seal (an earlier paceline wrote it, or it is no {kind.name}); "
        f"{kind.remedy}"
    )


def read_plain(path: str | Path, most: int = MOST_BYTES, *, dir_fd: int | None = None) -> bytes:
    """The bytes of a regular file of at most `most` bytes; a link to one is followed.

    Raises `OSError` for a file that cannot be opened, and `ValueError`, saying why, for one that is
    no regular file or too large. Nothing blocks, and nothing is read before the size is known."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("is no regular file")
        if found.st_size > most:
            raise ValueError(f"has {found.st_size:,} bytes, {most:,} are the most")
        return file.read(most)


def read_sealed(path: str | Path, kind: Kind, type: type[T]) -> T:
    """The content of a sealed file that stands alone. Raises `kind.error` for none or another."""
    return content_as(open_sealed(path, kind), kind, type, path)


def open_sealed(path: str | Path, kind: Kind) -> Sealed:
    """A sealed file. Raises `kind.error` if it is missing, damaged or of another kind."""
    return unseal(read_text(path, kind), kind, path)


def read_text(path: str | Path, kind: Kind) -> bytes:
    """The content of a file that may be sealed. Raises `kind.error` if it cannot be read."""
    try:
        return read_plain(path)
    except OSError as error:
        raise kind.error(f"{path}: cannot be read ({error.strerror}); {kind.remedy}") from None
    except ValueError as error:
        raise kind.error(f"{path}: {error}; {kind.remedy}") from None
