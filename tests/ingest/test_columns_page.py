"""The page on columns: its example is run, and its messages are those that come."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from paceline.cli import main
from paceline.errors import PacelineError
from paceline.ingest import ingest, load
from paceline.ingest.mapping import OF_BOTH, OF_LEVELS, OF_ORDERS, ColumnMapping, mapping_from
from paceline.market.events import KIND_NAMES
from paceline.market.tape import Tape

PAGE = (Path(__file__).parents[2] / "docs" / "columns.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the table and the mapping of the page, to stand in."""
    (table,), (mapping,) = blocks("csv"), blocks("yaml")
    (tmp_path / "ACME.csv").write_text(table)
    (tmp_path / "acme.yaml").write_text(mapping)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_becomes_the_tape_it_speaks_of(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (commands,) = blocks("sh")
    for command in commands.splitlines():
        assert main(shlex.split(command)[1:]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ACME.csv: 1 made, 0 up to date, in tapes\n")
    found = blocks("text")[0].splitlines()
    assert len(found) == 3
    for line in found:
        assert out.count(line) == 2, "by ingest and by inspect"
    tape = Tape.open(files / "tapes" / "ACME-2024-03-04.tape")
    assert tape.manifest.depth == "L3"
    assert tape.manifest.quality.rows_read == 8
    assert tape.manifest.quality.rows_quarantined == 0
    assert [KIND_NAMES[kind] for kind in tape.events.kind.tolist()] == [
        "add", "add", "add", "reduce", "execute", "delete", "hidden", "delete", "add",
    ]  # fmt: skip
    assert (str(tape.instrument.book_tick), tape.instrument.lot) == ("0.01", 1)
    assert tape.session.length_s == 6.5 * 3600


def test_the_line_of_python_does_the_same(files: Path) -> None:
    (line,) = re.findall(r"`(ingest\(.*?\))`", PAGE)
    (made,) = eval(line, {"ingest": ingest})
    assert made.name == "ACME-2024-03-04.tape"


def row(name: str) -> list[str]:
    """The cells of the table row whose first cell is `name` in code."""
    (line,) = re.findall(rf"^\| `{name}` \|(.*)\|$", PAGE, re.MULTILINE)
    return [cell.strip() for cell in line.split("|")]


def test_every_field_is_explained_with_its_default() -> None:
    for field in msgspec.structs.fields(ColumnMapping):
        _, left_out = row(field.name)
        assert (left_out == "") == (field.required or field.name == "kinds")
        if isinstance(field.default, str) or field.name.endswith("_unit"):
            assert left_out == f"`{field.default}`"


def test_every_kind_is_explained() -> None:
    for kind in (*OF_ORDERS, *OF_LEVELS):
        assert len(row(kind)) == 2
    for kind in OF_BOTH:
        assert f"`{kind}`" in PAGE


def test_the_help_leads_to_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ingest", "--help"])
    told = capsys.readouterr().out
    assert "docs/columns.md" in told
    (example,) = re.findall(r"^  (\{.*\})$", told, re.MULTILINE | re.DOTALL)
    assert mapping_from(yaml.safe_load(example)).kinds == {"L": "level", "T": "trade"}


def refusal(change: dict[str, Any], table: str | None = None) -> str:
    """What is said when fields of the mapping change; None takes one away."""
    mapping = yaml.safe_load(Path("acme.yaml").read_text()) | change
    if table is not None:
        Path("ACME.csv").write_text(table)
    mapping = {field: value for field, value in mapping.items() if value is not None}
    with pytest.raises(PacelineError) as caught:
        load("ACME.csv", mapping=mapping, day="2024-03-04")
    return str(caught.value)


def test_the_mistakes_say_what_the_page_says(files: Path) -> None:
    (table,) = blocks("csv")
    lines = table.splitlines()
    forgotten = {"A": "add", "X": "reduce", "E": "execute", "D": "delete", "H": "hidden"}
    epoch = re.sub(r"^342", "17095626", table, flags=re.MULTILINE)
    unbegun = "\n".join([lines[0], *lines[2:]])
    said = [
        refusal({"time_since": "epoch", "time_unit": "ns"}, epoch),
        refusal({"price": "price"}, table),
        refusal({}, table.replace(",", ";")),
        refusal({"order": None}, table),
        refusal({"kinds": forgotten}, table),
        refusal({}, unbegun),
    ]
    assert said == [line for block in blocks("text")[1:] for line in block.splitlines()]
