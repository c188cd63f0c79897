"""Text to integers: exact, row by row, and never a guess."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.ingest.numbers import line_at, read_table

READ = [
    (b"34200.18960767,1", (34_200_189_607_670, 1)),
    (b"34200.572,-1", (34_200_572_000_000, -1)),
    (b"43002.632812672004,3", (43_002_632_812_672, 3)),  # longer than ns: rounded
    (b"0.0000000005,0", (1, 0)),
    (b"7,2.000", (7_000_000_000, 2)),
    (b" +7, 2 \r", (7_000_000_000, 2)),
    (b"1721347201.291825027,4", (1_721_347_201_291_825_027, 4)),
    (b"1,9223372036854775807", (1_000_000_000, 2**63 - 1)),
]
UNREAD = [
    b"", b"x", b"1", b"1,", b",1", b"1,2.5", b"1,2,3", b"1;2", b"1,2x", b"NaN,1", b"inf,1",
    b"1e3,1", b"1,9223372036854775808", b"1,99999999999999999999", b"--1,1", b"1,.5", b"1 2,3",
    b'"1",2',
]  # fmt: skip


@pytest.mark.parametrize(("line", "values"), READ)
def test_reads(line: bytes, values: tuple[int, int]) -> None:
    table = read_table(line, (9, 0))
    assert table.ok.tolist() == [True]
    assert tuple(table.columns[:, 0]) == values


@pytest.mark.parametrize("line", UNREAD)
def test_marks_what_is_no_number(line: bytes) -> None:
    table = read_table(b"1,1\n" + line + b"\n2,2", (9, 0))
    assert table.ok.tolist() == [True, False, True]
    assert table.columns[:, 1].tolist() == [0, 0]
    assert line_at(b"1,1\n" + line + b"\n2,2", table, 1) == line.decode()


def test_spare_fields_are_stepped_over() -> None:
    assert read_table(b"1,2,MPID\n1,2\n1,2,3,4", (0, 0), spare=1).ok.tolist() == [True, True, False]


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\r\n", b"\0\0"])
def test_nothing_is_no_row(data: bytes) -> None:
    assert len(read_table(data, (0,)).ok) == 0


@given(st.lists(st.decimals(-(10**8), 10**8, places=12), min_size=1, max_size=20))
def test_agrees_with_decimal(numbers: list[Decimal]) -> None:
    table = read_table("\n".join(f"{number:f}" for number in numbers).encode(), (9,))
    expected = [
        int((number * 10**9).quantize(Decimal(1), rounding=ROUND_HALF_UP)) for number in numbers
    ]
    assert table.ok.all()
    assert table.columns[0].tolist() == expected


@given(st.binary(max_size=120))
def test_any_bytes_give_a_row_a_line(data: bytes) -> None:
    table = read_table(data, (9, 0, 0), spare=1)
    lines = data.rstrip(b"\r\n\0 ").split(b"\n") if data.strip(b"\r\n\0 ") else []
    assert len(table.ok) == len(lines)
    assert not np.any(table.columns[:, ~table.ok])
    for row in range(len(lines)):
        assert line_at(data, table, row) == lines[row].rstrip(b"\r").decode("utf-8", "replace")
