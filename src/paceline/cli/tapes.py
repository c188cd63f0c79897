"""From paths that a user gives to the tapes in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def open_tapes(paths: Sequence[Path]) -> list[Any]:
    """The tapes at `paths` (tape folders, or folders of them), in order of name and day."""
    from paceline.market.tape import Tape

    folders: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.tape")) if path.is_dir() else []
        folders += inside if inside and not (path / "manifest.json").exists() else [path]
    tapes = [Tape.open(folder) for folder in dict.fromkeys(folders)]
    return sorted(tapes, key=lambda tape: (tape.instrument.symbol, tape.session.day))
