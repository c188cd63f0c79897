"""From paths that a user gives to the tapes in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paceline.errors import ConfigError


def open_tapes(paths: Sequence[Path]) -> list[Any]:
    """See `market.days.tapes_at`, which is heavy to import."""
    from paceline.market.days import tapes_at

    return tapes_at(paths)


def check_once(tapes: Sequence[Any]) -> None:
    """Raises `ConfigError` if a day of a symbol is in `tapes` twice."""
    names = [tape.name for tape in tapes]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"tape: {twice} is given twice; give each day of a symbol once")
