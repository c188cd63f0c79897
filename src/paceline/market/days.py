"""Which tapes: those in folders, and of them those of some days."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from paceline.errors import ConfigError, TapeError
from paceline.files.writing import recover, recover_in
from paceline.market.tape import Tape

_NAME = re.compile(r".+-(\d{4}-\d\d-\d\d)\Z")


def day_in(name: str) -> str | None:
    """The day of a tape, by its name (AMZN-2012-06-21); None for what is no name of a tape."""
    found = _NAME.match(name)
    return None if found is None else found[1]


def within(tapes: Sequence[Tape], text: str, field: str) -> list[Tape]:
    """The tapes of days in `text`, FROM..TO or a day alone. Raises `ConfigError` if none is."""
    ends = text.split("..")
    try:
        first, last = (date.fromisoformat(end).isoformat() for end in (ends[0], ends[-1]))
        if len(ends) > 2 or first > last:
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"{field}: {text!r} is no range of days; write YYYY-MM-DD..YYYY-MM-DD"
        ) from None
    chosen = [tape for tape in tapes if first <= tape.session.day <= last]
    if not chosen:
        raise ConfigError(f"{field}: no tape is of {text}; give days that there are tapes of")
    return chosen


def tapes_at(paths: Sequence[str | Path]) -> list[Tape]:
    """The tapes at `paths` (tape folders, or folders of them), in order of name and day.

    Raises `TapeError` for a path that is not there, or holds no tape.
    """
    folders: list[Path] = []
    for path in map(Path, paths):
        recover(path)
        recover_in(path)
        if not path.exists():
            raise TapeError(
                f"tape: {path} is not there; give a tape or a folder of tapes that `paceline "
                "ingest` wrote"
            )
        inside = sorted(path.glob("*.tape")) if path.is_dir() else []
        if path.is_dir() and not inside and not (path / "manifest.json").exists():
            raise TapeError(
                f"tape: {path} is no tape and holds none; give a folder that `paceline ingest` "
                "wrote"
            )
        folders += inside if inside and not (path / "manifest.json").exists() else [path]
    tapes = [Tape.open(folder) for folder in dict.fromkeys(folders)]
    return sorted(tapes, key=lambda tape: (tape.instrument.symbol, tape.session.day))
