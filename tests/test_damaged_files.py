"""Some of the damaged files of `benchmarks.fuzz_files`: none is used, none ends in a traceback."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks import damage
from benchmarks.commands import DAYS, write_lobster
from benchmarks.fuzz_files import SPECIMENS, Finding, make_texts, try_one, use_whole, worked
from paceline.engine.shipped import load_market
from paceline.ingest import ingest

FILES = 40
KINDS = (
    "tape", "store", "kill file", "order", "order csv", "order parquet", "recipe", "market",
    "scenario", "mapping",
)  # fmt: skip
"""Those that need no training and no log."""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "workshop"
    folder.mkdir()
    (tape,) = ingest(write_lobster(folder, DAYS[0], seed=1, messages=800), folder / "tapes").made
    make_texts(folder)
    worked(tape, folder / "worked")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_is_used_or_ends_in_a_traceback(workshop: Path, kind: str) -> None:
    specimen = next(one for one in SPECIMENS if one.kind == kind)
    if kind == "market":
        specimen = specimen._replace(use=load_market)  # nothing is simulated here
    use_whole(workshop, specimen)
    found = [
        Finding(kind, number, damage.describe(kind, number), try_one(workshop, specimen, number))
        for number in range(FILES)
    ]
    assert [one for one in found if one.is_fault] == []
    outcomes = Counter(one.outcome for one in found)
    assert outcomes["refused"] > 0
