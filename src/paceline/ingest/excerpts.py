"""Rows of raw files as messages and the quarantine table quote them, marked where they are cut."""

from __future__ import annotations

LONGEST = 200
"""Characters of a row that are quoted."""


def excerpt(text: str | bytes, longest: int = LONGEST) -> str:
    """At most `longest` characters of a text, with an ellipsis behind them if there are more."""
    if isinstance(text, bytes):
        text = text[: 4 * (longest + 1)].decode("utf-8", "replace")  # 4 bytes a character at most
    return text if len(text) <= longest else text[:longest] + "…"
