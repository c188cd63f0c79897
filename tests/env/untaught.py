"""Pools for tests that need one day and do not mind that it is taught by itself."""

from __future__ import annotations

from typing import Any

from paceline.env import episodes


class Pool(episodes.Pool):
    """Days without any before them are taken as well."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **{"untaught": "own", **named})
