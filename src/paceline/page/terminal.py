"""A page's tables on a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from paceline.page.cells import Cell, Table

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table as RichTable

_BOLD = {"least", "clear", "changed", "chosen"}


def rich_table(
    table: Table, only: Collection[str] = (), wraps: str = "", grouped: bool = False
) -> Fitting:
    """`table` for `rich.print`: the columns `only` names, or all.

    In a narrow window the column `wraps` may break, and nothing else: a number never does. In a
    `grouped` table rows of one first cell stand together, and it is said once. A row with a marked
    cell (the least of all, a clear difference) is bold.
    """
    kept = [i for i, column in enumerate(table.columns) if not only or column.name in only]
    return Fitting(table, kept, wraps, grouped)


class Fitting:
    """A table that fits the window: where it is too wide, its columns come in several tables, each
    with those that name a row."""

    def __init__(self, table: Table, kept: Sequence[int], wraps: str, grouped: bool) -> None:
        self._table, self._kept, self._wraps, self._grouped = table, kept, wraps, grouped
        texts = [table.columns[i].is_text for i in kept]
        names = texts.index(False) if False in texts else 1
        self._names = list(kept[: max(names, 1)])
        """The columns that name a row."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RichTable]:
        """The tables, one under the other."""
        left = [i for i in self._kept if i not in self._names]
        while True:
            shown = [*self._names, *left]
            while len(shown) > len(self._names) + 1 and not self._fits(shown, console, options):
                shown.pop()
            yield self._of(shown)
            left = [i for i in left if i not in shown]
            if not left:
                return

    def _fits(self, shown: Sequence[int], console: Console, options: ConsoleOptions) -> bool:
        wide = options.update(width=10_000)
        return console.measure(self._of(shown), options=wide).minimum <= options.max_width

    def _of(self, shown: Sequence[int]) -> RichTable:
        from rich import box
        from rich.table import Table as RichTable

        made = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        for i in shown:
            column = self._table.columns[i]
            made.add_column(
                f"{column.name}\n{column.unit}" if column.unit else column.name,
                justify="left" if column.is_text else "right",
                no_wrap=column.name != self._wraps,
                overflow="fold",
            )
        last = ""
        for row in self._table.rows:
            first = row[0].text
            if self._grouped and last not in ("", first):
                made.add_section()
            cells = [
                "" if i == 0 and self._grouped and first == last else row[i].text for i in shown
            ]
            made.add_row(*cells, style="bold" if _is_marked(row) else None)
            last = first
        return made


def _is_marked(row: Sequence[Cell]) -> bool:
    return any(cell.kind in _BOLD for cell in row)
