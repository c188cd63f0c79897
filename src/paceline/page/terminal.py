"""A page's tables on a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from paceline.page.cells import Cell, Table

if TYPE_CHECKING:
    from rich.table import Table as RichTable

_BOLD = {"least", "clear", "changed", "chosen"}


def rich_table(
    table: Table, only: Collection[str] = (), wraps: str = "", grouped: bool = False
) -> RichTable:
    """`table` for `rich.print`: the columns `only` names, or all.

    In a narrow window the column `wraps` may break, and nothing else: a number never does. In a
    `grouped` table rows of one first cell stand together, and it is said once. A row with a marked
    cell (the least of all, a clear difference) is bold.
    """
    from rich import box
    from rich.table import Table as RichTable

    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    kept = [i for i, column in enumerate(table.columns) if not only or column.name in only]
    for i in kept:
        column = table.columns[i]
        head = f"{column.name}\n{column.unit}" if column.unit else column.name
        shown.add_column(
            head,
            justify="left" if column.is_text else "right",
            no_wrap=column.name != wraps,
            overflow="fold",
        )
    last = ""
    for row in table.rows:
        first = row[0].text
        if grouped and last not in ("", first):
            shown.add_section()
        cells = ["" if i == 0 and grouped and first == last else row[i].text for i in kept]
        shown.add_row(*cells, style="bold" if _is_marked(row) else None)
        last = first
    return shown


def _is_marked(row: Sequence[Cell]) -> bool:
    return any(cell.kind in _BOLD for cell in row)
