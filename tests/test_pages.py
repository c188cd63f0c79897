"""What the pages show is what the code does: every session on them is run."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

from paceline.cli import build_parser

ROOT = Path(__file__).parents[1]
SESSION = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
    if SESSION.search(page.read_text())
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_sessions_show_what_happens(page: Path) -> None:
    text = page.read_text()
    parts, at = [], 0  # prose becomes blank lines, so that a failure names the line of the page
    for block in SESSION.finditer(text):
        parts += [re.sub(r"[^\n]+", "", text[at : block.start(1)]), block[1]]
        at = block.end(1)
    session = doctest.DocTestParser().get_doctest("".join(parts), {}, page.name, str(page), 0)
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(session, out=said.append)
    assert not said, "".join(said)


def commands() -> list[str]:
    """Every `paceline …` line that a page tells its reader to type."""
    found = []
    for page in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            found += [line for line in lines if line.startswith("paceline ")]
    return found


@pytest.mark.parametrize("command", commands())
def test_commands_are_understood(command: str) -> None:
    build_parser().parse_args(shlex.split(command, comments=True)[1:])
