"""Columns and tables that the pages of results share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from paceline.config import Settings, describe
from paceline.page.cells import Cell, Column, Table

POLICY = Column("policy", is_text=True)
FILLS = Column("fills", is_text=True, why="fill model")


def shown_settings(
    kind: type[Settings],
    settings: Mapping[str, Any],
    unset: Callable[[str], Cell] = lambda path: Cell("not set"),
    without: Collection[str] = (),
) -> Table:
    """Every setting of `kind` with its value in `settings` (by path, the default if it is not
    there), its unit and its sentence; groups of settings are shown by what is in them.

    `unset` says what took the place of one that was left out, and `without` are not shown."""
    rows, every = [], list(describe(kind))
    groups = {row.path for row in every for other in every if other.path.startswith(f"{row.path}.")}
    for known in every:
        if known.path in groups or known.path in without:
            continue
        value = settings.get(known.path, known.default)
        rows.append(
            [
                Cell(known.path, kind="code"),
                unset(known.path) if value is None else _value(value, known.default),
                Cell(known.unit if value is not None else ""),
                Cell(known.sentence),
            ]
        )
    columns = [
        Column("setting", is_text=True),
        Column("value"),
        Column("unit", is_text=True),
        Column("meaning", is_text=True),
    ]
    return Table("settings", columns, rows, caption="Bold: not the default.")


def by_path(settings: Mapping[str, Any], kind: type[Settings]) -> dict[str, Any]:
    """Nested `settings` of `kind` by the paths that `describe` gives; a group that is None stands
    under its own name."""
    found = {}
    for row in describe(kind):
        value: Any = settings
        for name in row.path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        found[row.path] = value
    return found


def _value(value: Any, default: Any) -> Cell:
    changed = "changed" if _plain(value) != _plain(default) else ""
    return Cell(_said(value), kind=changed)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value)) or "none"
    if isinstance(value, dict):
        told = {name: one for name, one in value.items() if one is not None}
        return ", ".join(f"{name} {_said(one)}" for name, one in told.items())
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
