"""A desk's own files: times with offsets, prices in single precision, lines as an editor shows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paceline.errors import IngestError
from paceline.ingest import load
from paceline.ingest.child_mapping import ChildOrderMapping, ParentColumns
from paceline.ingest.child_orders import DayOfOrders, read_child_orders
from paceline.market.tape import Tape

NOON = 1_709_571_600_000_000_000  # 2024-03-04 17:00 UTC, 12:00 in New York
S = 10**9
MAPPING = ChildOrderMapping(
    parent="parent", time="sent", price="px", size="qty", default_type="limit", time_unit="iso",
    zone="America/New_York", max_bad_share=0.7,
    parents=ParentColumns(
        order="id", symbol="sym", start="begin", end="finish", side="side", size="qty"
    ),
)  # fmt: skip
PARENTS = """id,sym,begin,finish,side,qty
P1, BRK/B ,2024-03-04T12:00:10-05:00,2024-03-04 17:05:00Z,buy,100
"""


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    rows = [
        f"{NOON // S + k},{'AB'[k % 2]},{'10.05' if k % 2 == 0 else '10.00'},{5 + k % 3}"
        for k in range(600)
    ]
    (tmp_path / "X.csv").write_text("\n".join(["t,s,p,q", *rows]))
    return load(
        tmp_path / "X.csv", symbol="BRK/B", zone="America/New_York", order_tick="0.01",
        mapping={"time": "t", "time_unit": "s", "default_kind": "level", "side": "s", "price": "p",
                 "size": "q"},
    )  # fmt: skip


def day_of(folder: Path, tape: Tape, children: str | pa.Table) -> DayOfOrders:
    (folder / "parents.csv").write_text(PARENTS)
    path = folder / "children"
    if isinstance(children, str):
        path.write_text(children)
    else:
        pq.write_table(children, path)
    found = read_child_orders(path, folder / "parents.csv", MAPPING)
    (day,) = found.days([tape])
    assert found.aside == []
    return day


def test_each_row_may_have_its_own_offset(tmp_path: Path, tape: Tape) -> None:
    day = day_of(tmp_path, tape, (
        "parent,sent,px,qty\n"
        "P1,2024-03-04T12:00:20-05:00,10.01,5\n\n"
        "P1,2024-03-04 17:00:21+00,10.01,5\n"
        "P1,2024-03-04T12:00:22,10.01,5\n"
        "P1,2024-03-04T12:00:23-5,10.01,5\n"
        "P1,2024-03-04T180024+0100,10.01,5\n"
        "P1,2024-03-04T12:00:25Z,10.01,5\n"
    ))  # fmt: skip
    assert day.parents.start_ts.tolist() == [NOON + 10 * S]
    assert day.children.ts.tolist() == [NOON + k * S for k in (20, 21, 22, 24)]
    told = [(one.row, one.place, one.reason) for one in day.aside]
    assert told[-1] == (8, "line", "is outside the session")
    assert (6, "line", "cannot be read") in told
    assert day.aside[0].text.startswith("P1,2024-03-04T12:00:23-5,")


def test_prices_of_single_precision_are_on_the_tick(tmp_path: Path, tape: Tape) -> None:
    children = pa.table({
        "parent": ["P1", "P1"], "sent": ["2024-03-04T12:00:20", "2024-03-04T12:00:21"],
        "px": pa.array([10.01, 10.03], pa.float32()), "qty": pa.array([5, 5], pa.float32()),
    })  # fmt: skip
    day = day_of(tmp_path, tape, children)
    assert [int(t) * tape.instrument.book_tick for t in day.children.ticks] == [
        tape.instrument.price(1001), tape.instrument.price(1003),
    ]  # fmt: skip
    assert day.aside == []


def test_too_many_bad_rows_name_the_place(tmp_path: Path, tape: Tape) -> None:
    children = pa.table({
        "parent": ["Q"] * 9, "sent": ["2024-03-04T12:00:20"] * 9, "px": [1] * 9, "qty": [1] * 9,
    })  # fmt: skip
    with pytest.raises(IngestError, match=r"first row 1 of children: 'Q,2024-03-04T12:00:20,1,1'"):
        day_of(tmp_path, tape, children)
