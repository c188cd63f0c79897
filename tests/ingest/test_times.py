"""Times of tables: every way to write an offset, and units that cannot be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.errors import PacelineError
from paceline.ingest import load
from paceline.ingest.day import UNKNOWN_TS
from paceline.ingest.quality import Limits
from paceline.ingest.times import _iso_times

NOON = 1_709_571_600_000_000_000  # 2024-03-04 17:00 UTC, 12:00 in New York
TRADES: dict[str, Any] = {"time": "t", "default_kind": "trade", "price": "p", "size": "q"}


def read(*words: str, zone: str = "America/New_York") -> list[int]:
    return _iso_times(pa.chunked_array([pa.array(list(words))]), zone).tolist()


@pytest.mark.parametrize("word", [
    "2024-03-04T12:00:00-05:00", "2024-03-04T12:00:00.000-05:00", "2024-03-04 12:00:00-05",
    "2024-03-04T12:00:00-0500", "2024-03-04T17:00:00Z", "2024-03-04T17:00:00+00:00",
    "2024-03-04 17:00:00+00", "2024-03-04 17:00:00 UTC", "2024-03-04T22:30:00+05:30",
    "20240304T170000Z", "20240304T120000.000000000-0500", "2024-03-04T12:00", "2024-03-04 12:00:00",
    " 2024-03-04T12:00:00,0 ", "2024-03-04T17:00:00.0000000009Z", "2024-03-04T12:00:00.0",
])  # fmt: skip
def test_every_form_of_an_offset(word: str) -> None:
    assert read(word) == [NOON]


@pytest.mark.parametrize("word", [
    "", "soon", "2024-13-04T12:00:00Z", "2024-02-30T12:00:00Z", "2024-03-04T25:00:00Z",
    "2024-03-04T12:61:00Z", "2024-03-04T12:00:00EST", "2024-03-04T12:00:00-5", "1709571600",
    "2024-03-04T12:00:00-05:00x", "03/04/2024 12:00", "9999-12-31T00:00:00Z",
])  # fmt: skip
def test_what_is_no_time(word: str) -> None:
    assert read(word, "2024-03-04T17:00:00Z") == [UNKNOWN_TS, NOON]


def test_each_row_has_its_own_offset() -> None:
    words = ["2024-03-04T12:00:00", "2024-03-04T17:00:00Z", "x", "2024-03-04T18:00:00+01:00"]
    assert read(*words) == [NOON, NOON, UNKNOWN_TS, NOON]


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-1439, 1439))
def test_agrees_with_the_standard_library(when: datetime, minutes: int) -> None:
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    word = f"{when.isoformat()}{sign}{hours:02}:{rest:02}"
    exact = datetime.fromisoformat(word) - datetime(1970, 1, 1, tzinfo=UTC)
    micros = (exact.days * 86_400 + exact.seconds) * 10**6 + exact.microseconds
    assert read(word) == [micros * 1000]


def table(folder: Path, times: list[str]) -> Path:
    path = folder / "X.csv"
    path.write_text("\n".join(["t,p,q", *(f"{time},10,5" for time in times)]))
    return path


def test_a_few_rows_without_a_time_are_set_aside_by_their_line(tmp_path: Path) -> None:
    times = [f"2024-03-04T12:00:{k:02}-05:00" for k in range(60)]
    times[0], times[30] = "yesterday", "2024-03-04T12:00:30-5"
    tape = load(table(tmp_path, times), mapping=TRADES | {"time_unit": "iso"})
    assert tape.quarantine["row"].to_pylist() == [2, 32]
    assert tape.quarantine["text"].to_pylist() == [f"{times[0]},10,5", f"{times[30]},10,5"]
    assert len(tape) == 58


@pytest.mark.parametrize(("unit", "since", "times", "line"), [
    ("us", "midnight", [34_200_000 + 100_000 * k for k in range(20)],
     "in us, the 20 rows of X.csv end 36.1 s after midnight; write ms, for 9.5 to 10 hours after "
     "it, or iso if they are so early"),
    ("ms", "midnight", [34_200_000_000 + 10**8 * k for k in range(20)],
     "in ms, the times of X.csv are 9,778 hours after midnight; write us"),
    ("s", "midnight", [1_709_571_600 + k for k in range(20)],
     "in s, the times of X.csv are 474,881 hours after midnight; write time_since: epoch"),
    ("ms", "epoch", [34_200_000 + k for k in range(20)],
     "in ms, the times of X.csv are of 1970-01-01; do they count from midnight? Then write "
     "time_since: midnight, and give the day"),
    ("us", "epoch", ["x", "7"] + [1_709_571_600_000 + k for k in range(20)],
     "in us, the times of X.csv are of 1970-01-20; write ms, for 2024-03-04"),
])  # fmt: skip
def test_a_unit_that_cannot_be_is_refused(
    tmp_path: Path, unit: str, since: str, times: list[Any], line: str
) -> None:
    mapping = TRADES | {"time_unit": unit, "time_since": since}
    with pytest.raises(PacelineError) as told:
        load(table(tmp_path, [str(time) for time in times]), mapping=mapping, day="2024-03-04")
    assert str(told.value) == f"mapping.time_unit: {line}"


def test_one_wild_time_refuses_no_day(tmp_path: Path) -> None:
    times = [str(34_200_000 + k) for k in range(40)]
    times[3] = str(10**14)
    mapping = TRADES | {"time_unit": "ms", "time_since": "midnight"}
    tape = load(table(tmp_path, times), mapping=mapping, day="2024-03-04", limits=Limits())
    assert tape.quarantine["row"].to_pylist() == [5]


def test_floats_are_times_too(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    seconds = np.array([NOON / 1e9 + 0.25, NOON / 1e9 + 1])
    pq.write_table(pa.table({"t": seconds, "p": [1, 2], "q": [1, 1]}), tmp_path / "X.parquet")
    tape = load(tmp_path / "X.parquet", mapping=TRADES | {"time_unit": "s"})
    assert tape.events.ts.tolist() == [NOON + 250_000_000, NOON + 1_000_000_000]
