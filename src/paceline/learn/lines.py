"""Files of one JSON object a line, which grow while a run goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


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
