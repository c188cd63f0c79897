"""Manifests: the JSON file that says what a folder is; one way to write it, and one to read it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import msgspec

from paceline.errors import InputError

FILE = "manifest.json"

T = TypeVar("T", bound=msgspec.Struct)


def write(folder: Path, manifest: msgspec.Struct) -> None:
    """Write it into `folder`, whole or not at all."""
    write_whole(folder / FILE, msgspec.json.format(msgspec.json.encode(manifest), indent=1))


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file, whole or not at all: one that was there before is replaced, or still there."""
    draft = path.with_name(f"{path.name}.draft")
    try:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def read(
    folder: str | Path,
    kind: type[T],
    what: str,
    version: int,
    remedy: str,
    error: type[InputError] = InputError,
) -> T:
    """The manifest of `folder`, which holds `what` in the format `version`.

    Raises `error` if there is none, or it is of something else; `remedy` is for another format."""
    path = Path(folder) / FILE
    if not path.is_file():
        raise error(f"{folder}: holds no {what}; give the folder of one")
    try:
        found = msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as wrong:
        raise error(f"{path}: is no manifest of a {what} ({wrong})") from None
    kept = getattr(found, "format", None)
    if kept != version:
        raise error(f"{path}: has format {kept}, not {version}; {remedy}")
    return found
