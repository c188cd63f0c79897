"""The page stands alone, shows what was found, and never a number that is none."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from rich.console import Console

from evaluate.comparisons import TUNED, comparison
from paceline.evaluate.compare_page import (
    comparison_text,
    tuning_left_out,
    tuning_table,
    write_comparison,
)
from paceline.evaluate.compare_plots import waterfall
from paceline.evaluate.comparison import Comparison
from paceline.evaluate.tuning import Scored


@pytest.fixture(scope="module")
def found() -> Comparison:
    return comparison(
        {"ac tuned": 10.0, "ac": 11.0, "new": 6.0},
        seeds=2,
    )


def words(path: Path) -> str:
    """What a reader sees."""

    class Reader(HTMLParser):
        skipped, seen = 0, ""

        def handle_starttag(self, tag, attrs):
            self.skipped += tag == "style"

        def handle_endtag(self, tag):
            self.skipped -= tag == "style"

        def handle_data(self, data):
            self.seen += "" if self.skipped else data + " "

    reader = Reader()
    reader.feed(path.read_text())
    return " ".join(reader.seen.split())


def test_the_page_stands_alone_and_says_it_all(found: Comparison, tmp_path: Path) -> None:
    path = write_comparison(found, tmp_path / "page.html")
    text, seen = path.read_text(), words(path).replace("\u00a0", " ")
    assert not re.search(r'(?:src|href)="(?!#)', text)
    for part in (
        "new cost 6.00 bps, 4.00 bps less than ac tuned (40 %)",
        "No explanation was given; do not use these figures.",
        "No limit was broken", "Against ac tuned", "Where it comes from", "taking", "timing",
        "How the baseline was tuned", "it crosses at the end of each slice with what is left",
        "cheapest of 2 rivals", "ac/mid+5s/10", "105 tactics tried by halving on 2 days",
        "Student's t with 9 degrees of freedom over 10 days", "price_band_bps",
        "1 of 2" if "1 of 2" in seen else "2 of 2",
    ):  # fmt: skip
        assert part in seen, part
    assert not re.search(r"\bnan\b|\bNone\b|\{\{", seen)
    assert text.count("<svg") == 7


def test_the_page_of_markets_that_answer(tmp_path: Path) -> None:
    found = comparison({"ac": 10.0, "new": 9.0}, models=("simulated",))
    found._answers = True
    found.orders["given_back_1m_bps"][:] = np.nan
    seen = words(write_comparison(found, tmp_path / "page.html"))
    assert "Each order was worked in a simulated market of its own" in seen
    assert not re.search(r"\bnan\b|fills \(", seen)


def test_who_looks_ahead_stands_in_tables_and_is_not_drawn(tmp_path: Path) -> None:
    found = comparison(
        {"ac": 10.0, "oracle": -90.0, "new": 9.0}, ahead=frozenset({"oracle"}),
        families={"new": ["new"], "other": ["oracle"]},
    )  # fmt: skip
    path = write_comparison(found, tmp_path / "page.html")
    assert "Not drawn, because it looks ahead and dwarfs the rest: oracle." in words(path)
    drawn = re.findall(r"<svg.*?</svg>", path.read_text(), re.DOTALL)
    assert not any(">oracle<" in svg for svg in drawn)
    assert ">oracle<" in re.sub(r"<svg.*?</svg>|<i [^>]*></i>", "", path.read_text(), flags=re.S)
    rest = found.without({"oracle"})
    assert rest.policies == ["ac", "new"]
    assert rest.families == {"new": ["new"]}
    assert rest.sureness("new", "calibrated") == found.sureness("new", "calibrated")


def test_a_waterfall_goes_from_one_cost_to_the_other(found: Comparison) -> None:
    figure = waterfall(found, "new")
    for number in ("10.00", "\N{MINUS SIGN}3.60", "\N{MINUS SIGN}0.40", "6.00"):
        assert f">{number}<" in figure.svg
    assert "taking" in figure.caption


def test_a_waterfall_shows_parts_that_can_be_seen() -> None:
    """Steps of a bp between costs of hundreds, and a part of no height."""
    dear = waterfall(comparison({"ac": 500.0, "new": 495.0}, noise_bps=0.1), "new")
    assert "not at 0" in dear.caption
    assert min(_bar_heights(dear.svg)) > 3.0
    cheap = waterfall(comparison({"ac": 5.0, "new": 3.0}, noise_bps=0.1), "new")
    assert "not at 0" not in cheap.caption


def test_parts_too_small_to_be_seen_are_told() -> None:
    found = comparison({"ac": 10.0, "new": 6.0})
    new = found.orders["policy"] == "new"
    found.orders["opportunity_bps"] = np.where(new, 0.02, 0.0)
    found.orders["timing_bps"] = found.orders["timing_bps"] - found.orders["opportunity_bps"]
    figure = waterfall(found, "new")
    assert "Too small to be seen: opportunity, +0.02 bps in all." in figure.caption
    assert ">opportunity<" not in figure.svg


def _bar_heights(svg: str) -> list[float]:
    """Heights of a figure's bars in points, also beyond the axes."""
    heights = []
    for path in re.findall(r'<path d="([^"]*)" [^>]*clip-path[^>]*fill: var\(--[pmtb]', svg):
        y = [float(found) for found in re.findall(r"[ML] ?[\d.]+ ([\d.]+)", path)]
        heights.append(max(y) - min(y))
    return heights


def test_a_terminal_shows_the_answer_and_the_alarm(found: Comparison) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(comparison_text(found))
    shown = " ".join(console.export_text().split())
    assert "new cost 6.00 bps" in shown
    assert "is a fault of the measurement" in shown
    assert "No limit was broken" in shown


def test_what_was_cheaper_and_left_out_is_named(tmp_path: Path) -> None:
    lazy = (Scored("ac/inside/60", 900.0, 4.25, 0.1, 9.0, 0.931, 40),
            Scored("ac/mid/60", 900.0, 5.0, 0.1, 9.0, 0.95, 40))  # fmt: skip
    choices = tuple(structs.replace(one, left_out=lazy) for one in TUNED.choices)
    told = structs.replace(TUNED, choices=2 * choices).as_dict()
    said = tuning_left_out(told)
    assert "2 tactics that filled more than 1 % less than the naive one; the cheapest, " in said
    assert said.endswith("ac/inside/60, cost 4.25 bps and filled 93.1 %.")
    found = comparison({"ac tuned": 10.0, "new": 9.0})
    assert "Left out, though" not in words(write_comparison(found, tmp_path / "page.html"))
    found.tuning = told
    assert said in words(write_comparison(found, tmp_path / "page.html"))


def test_what_a_benchmark_did_cancels_and_is_left_out(found: Comparison) -> None:
    for row in found.summary():
        assert not [name for name in row if name.startswith("vs_")]
        assert "spread_paid_bps" in row


def test_nothing_tuned_is_no_table() -> None:
    assert tuning_left_out(None) == ""
    assert tuning_table(None) is None
    table = tuning_table(TUNED.as_dict())
    assert table is not None
    assert [cell.text for cell in table.rows[0]][:4] == [
        "all names", "calibrated", "ac/mid+5s/10", "15 min",
    ]  # fmt: skip
