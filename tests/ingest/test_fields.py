"""Whatever one field of a row says, the others become a tape."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paceline.errors import PacelineError
from paceline.ingest import load
from paceline.ingest.quality import Limits

from .plain import NAME, random_day

STRANGE = [
    "", " ", "-", "+", ".", "0", "-0", "-1", "1e5", "nan", "inf", "0x10", "1.5", "1 2", '"', "\t",
    "2147483647", "2147483648", "4294967296", "9223372036854775807", "-9223372036854775808",
    "9223372036854775808", "18446744073709551616", "99999999999999999999999999", "9999999999",
    "0.000000000000000000001", "\x00", "é", "1717767000000000000", "86400", "86400.000000001",
]  # fmt: skip
ANYTHING = Limits(max_bad_share=1.0, max_crossed_share=1.0, max_mismatch_share=1.0)
MAPPING: dict[str, Any] = {
    "time": "t", "time_unit": "s", "time_since": "midnight", "zone": "America/New_York",
    "kind": "k", "kinds": {"1": "add", "2": "reduce", "3": "delete", "4": "execute", "5": "hidden"},
    "side": "d", "price": "p", "price_unit": "0.0001", "size": "q", "order": "id",
}  # fmt: skip
CHANGES = st.lists(
    st.tuples(st.integers(0, 59), st.integers(0, 5), st.sampled_from(STRANGE)),
    min_size=1, max_size=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


def changed(changes: list[tuple[int, int, str]]) -> str:
    rows = [line.split(",") for line in random_day(3, 100).messages().split()[:60]]
    for row, column, text in changes:
        rows[row][column] = text
    return "\n".join(",".join(row) for row in rows) + "\n"


@settings(max_examples=150, deadline=None)
@given(CHANGES)
def test_no_field_of_a_lobster_row_loses_the_day(
    scratch: Path, changes: list[tuple[int, int, str]]
) -> None:
    path = scratch / NAME.format(part="message", levels=1)
    path.write_text(changed(changes))
    assert load(path, limits=ANYTHING).manifest.quality.rows_read == 60


@settings(max_examples=150, deadline=None)
@given(CHANGES, st.sampled_from(["midnight", "epoch"]))
def test_no_field_of_a_table_ends_in_a_traceback(
    scratch: Path, changes: list[tuple[int, int, str]], since: str
) -> None:
    path = scratch / "table.csv"
    path.write_text("t,k,id,q,p,d\n" + changed(changes))
    with suppress(PacelineError):
        load(path, limits=ANYTHING, mapping=MAPPING | {"time_since": since}, day="2024-06-07")
