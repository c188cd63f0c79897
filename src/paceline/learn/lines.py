"""Files of one JSON object a line, which grow while a run goes.

Each line ends with a checksum (`"crc32"`) of what is before it, so a line is whole or it is not
counted: the end of a file that was cut off is dropped, and damage before it is an error.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paceline.errors import InputError
from paceline.files.points import step
from paceline.files.sealing import read_plain
from paceline.files.writing import write_file

_MOST_BYTES = 1 << 30


def add_line(path: Path, told: Mapping[str, Any]) -> None:
    """Write one more line, after the last whole one. Raises `OSError`; the last line may be a part
    then, which the next line takes the place of."""
    with open(path, "r+b" if path.exists() else "w+b") as file:
        end = _end_of_whole(file)
        file.truncate(end)
        file.seek(end)
        line = _line(told)
        step()
        file.write(line[: len(line) // 2])
        file.flush()
        step()
        file.write(line[len(line) // 2 :])
        file.flush()
        os.fsync(file.fileno())
        step()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole lines, none where there is no file: a run that was cut off may have left a part.

    Raises `InputError` for a line that was changed since."""
    try:
        content = read_plain(path, _MOST_BYTES)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); train again") from None
    *whole, _ = content.split(b"\n")  # what follows the last line end is a part
    return [_read(line, f"{path}, line {number}") for number, line in enumerate(whole, 1)]


def keep_lines(path: Path, updates: int) -> None:
    """Forget lines of later updates, which a run that goes on writes anew."""
    lines = read_lines(path)
    kept = [line for line in lines if line["updates"] <= updates]
    if len(kept) < len(lines):
        write_lines(path, kept)


def write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    """Write all lines of a file anew, which replaces the one before."""
    write_file(path, b"".join(map(_line, lines)))


def _line(told: Mapping[str, Any]) -> bytes:
    text = json.dumps(told)[:-1]
    return f'{text}, "crc32": {zlib.crc32(text.encode())}}}\n'.encode()


def _read(line: bytes, where: str) -> dict[str, Any]:
    try:
        text, _, crc = line.rpartition(b', "crc32": ')
        if int(crc.removesuffix(b"}")) == zlib.crc32(text):
            found: dict[str, Any] = json.loads(text + b"}")
            return found
    except ValueError:
        pass
    raise InputError(f"{where}: is damaged, or an earlier paceline wrote it; train again")


def _end_of_whole(file: Any) -> int:
    """Where the last whole line of an open file ends."""
    at = file.seek(0, os.SEEK_END)
    while at > 0:
        start = max(at - (1 << 16), 0)
        file.seek(start)
        found = file.read(at - start).rfind(b"\n")
        if found >= 0:
            return start + int(found) + 1
        at = start
    return 0
