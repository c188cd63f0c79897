"""A page is one file, and says what it was given, no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from paceline.page.cells import Cell, Column, Table
from paceline.page.ink import Figure, hue, sheet, svg
from paceline.page.writing import write_page
from page.reading import Page, assert_stands_alone

TEMPLATE = """{% extends "page.html" %}
{% from "blocks.html" import grid, show, remarks with context %}
{% block main %}{{ grid(table) }}{{ show(figure) }}{{ remarks(notes) }}{% endblock %}
"""


def written(folder: Path, **more: object) -> str:
    template = folder / "small.html"
    template.write_text(TEMPLATE)
    (folder / "small.css").write_text(".small { color: var(--ink) }")
    with sheet(2.0) as drawn:
        drawn.subplots().plot([1, 2], color=hue(0))
        figure = Figure(svg(drawn, "rising", "A line that rises"), "It rises.")
    rows = [[Cell("calm", kind="named"), Cell("1.0")], [Cell("<b>", kind="named"), Cell("2.0")]]
    table = Table("small", [Column("market", is_text=True), Column("spread", "ticks")], rows)
    contents = {"title": "A & B", "lead": "Two.", "table": table, "figure": figure,
                "notes": ["mind the gap"], "hues": {"calm": 3}, **more}  # fmt: skip
    return write_page(folder / "deep" / "page.html", template, contents).read_text()


def test_a_page_stands_alone_and_says_what_it_was_given(tmp_path: Path) -> None:
    page = written(tmp_path)
    assert_stands_alone(page)
    parsed = Page(page)
    assert parsed.tables["small"] == [["market", "spreadticks"], ["calm", "1.0"], ["<b>", "2.0"]]
    assert "mind the gap" in parsed.text
    assert page.count('class="swatch h3"') == 1, "only a name with a hue has a swatch"
    assert ".small { color" in page
    assert "var(--p0)" in page
    assert "#0b0b" not in page, "a stand-in colour was left"


def test_no_remarks_are_no_list(tmp_path: Path) -> None:
    assert '<ul class="notes">' not in written(tmp_path, notes=[])


def test_what_a_template_lacks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError):
        write_page(tmp_path / "p.html", _broken(tmp_path), {"title": "t", "lead": "l"})


def _broken(folder: Path) -> Path:
    template = folder / "broken.html"
    template.write_text('{% extends "page.html" %}{% block main %}{{ absent }}{% endblock %}')
    return template
