"""Tables on a terminal: nothing is cut off, however narrow it is."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from paceline.page.cells import Cell, Column, Table
from paceline.page.terminal import rich_table

COLUMNS = [Column("policy", is_text=True), Column("fills", is_text=True)] + [
    Column(f"number {k}", "bps") for k in range(9)
]
ROWS = [
    [Cell(name), Cell(fills), *(Cell(f"7{i}{k},123.25") for k in range(9))]
    for i, (name, fills) in enumerate(
        [("ac", "calibrated"), ("ac", "optimistic"), ("twap/touch+5s/15", "calibrated")]
    )
]


def shown(width: int, only: tuple[str, ...] = ()) -> str:
    out = io.StringIO()
    table = rich_table(Table("t", COLUMNS, ROWS), only, wraps="policy", grouped=True)
    Console(file=out, width=width, no_color=True).print(table)
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 250])
def test_every_number_is_there_whole(width: int) -> None:
    text = shown(width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for row in ROWS:
        for cell in row[2:]:
            assert text.count(cell.text) == 1
    for k in range(9):
        assert text.count(f"number {k}") == 1


def test_a_wide_window_has_one_table() -> None:
    assert shown(250).count("policy") == 1
    assert shown(80).count("policy") == shown(80).count("calibrated") // 2 > 1
    assert shown(250, ("policy", "number 3")).count("number") == 1
