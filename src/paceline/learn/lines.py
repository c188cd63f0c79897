"""Files of one JSON object a line, which grow while a run goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paceline.decision.manifest import write_whole


def add_line(path: Path, told: Mapping[str, Any]) -> None:
    """Write one more line. Raises `OSError`, after which the last line may be a part."""
    with open(path, "a") as file:
        file.write(json.dumps(told) + "\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole lines, none where there is no file: a run that was cut off may have left a part."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def keep_lines(path: Path, updates: int) -> None:
    """Forget lines of later updates, which a run that goes on writes anew."""
    lines = read_lines(path)
    kept = [line for line in lines if line["updates"] <= updates]
    if len(kept) < len(lines):
        write_whole(path, "".join(json.dumps(line) + "\n" for line in kept))
