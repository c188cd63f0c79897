"""From paths that a user gives to the tapes in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def open_tapes(paths: Sequence[Path]) -> list[Any]:
    """See `market.days.tapes_at`, which is heavy to import."""
    from paceline.market.days import tapes_at

    return tapes_at(paths)
