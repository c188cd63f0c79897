"""Ways to put a file where ingest finds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .plain import NAME, PlainDay

Write = Callable[..., Path]


@pytest.fixture
def write_day(tmp_path: Path) -> Write:
    """Write a plain day as LOBSTER files; returns the message file, or the folder of both."""

    def write(day: PlainDay, levels: int = 0) -> Path:
        message = tmp_path / NAME.format(part="message", levels=levels or 1)
        message.write_text(day.messages())
        if not levels:
            return message
        (tmp_path / NAME.format(part="orderbook", levels=levels)).write_text(day.orderbook())
        return tmp_path

    return write
