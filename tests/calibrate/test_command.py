"""The verb: what it writes, and what it refuses in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paceline.cli import main
from paceline.engine.market_settings import MarketSettings
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from page.reading import Page, assert_stands_alone
from tests.engine import flows

from .tapes import tape_of

SMALL = MarketSettings(
    symbol="SMALL", open_s=36_000.0, close_s=41_000.0, market_buy_per_s=0.3, market_sell_per_s=0.3
)


@pytest.fixture(scope="module")
def tapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tapes")
    for day in ("2024-01-02", "2024-01-03"):
        tape = simulate_day(SMALL, day, seed=4)
        tape.save(folder / f"{tape.name}.tape")
    return folder


@pytest.fixture(scope="module")
def made(tapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    args = ["calibrate", str(tapes), "-o", str(out / "m.yaml"), "--report", str(out / "report")]
    assert main(args) == 0
    return out


def test_a_market_is_written_that_can_be_simulated(made):
    settings = load_market(made / "m.yaml")
    assert settings.symbol == "SMALL"
    text = (made / "m.yaml").read_text()
    assert text.startswith("# A simulated market like SMALL: 2 days, 2024-01-02 to 2024-01-03.")
    tape = simulate_day(settings, "2024-01-05", 1)
    assert len(tape) == pytest.approx(len(simulate_day(SMALL, "2024-01-05", 1)), rel=0.2)


def test_the_report_stands_alone_and_names_the_bias(made):
    text = (made / "report" / "report.html").read_text(encoding="utf-8")
    assert_stands_alone(text)
    assert "Filimonov" in Page(text).text if hasattr(Page(text), "text") else "Filimonov" in text


def test_all_numbers_are_in_the_file(made):
    numbers = json.loads((made / "report" / "fit.json").read_text(encoding="utf-8"))
    assert numbers["excitation"]["branching_ratio"] < 1.0
    assert "Filimonov" in numbers["excitation"]["bias"]
    assert set(numbers["reactions"]) == {"reaction", "tension", "backing", "recoil", "anchoring"}
    per_s = numbers["direct"]["limit orders per second"]
    assert per_s["value"] == pytest.approx(2.0, rel=0.05)
    assert per_s["std_error"] > 0.0


def test_mistakes_are_one_line(tapes, tmp_path, capsys):
    levels = tape_of(flows.market(flows.random_steps(1, 50), "L2"))
    levels.save(tmp_path / "l2.tape")
    other = simulate_day(MarketSettings(symbol="OTHER", close_s=34_800.0), "2024-01-02", 1)
    other.save(tmp_path / "other.tape")
    cases = (
        ([str(tmp_path / "l2.tape")], tmp_path / "m.yaml", "tapes: ", "needs L3"),
        ([str(tapes), str(tmp_path / "other.tape")], tmp_path / "m.yaml", "tapes: ", "2 symbols"),
        ([str(tapes)], tmp_path, "out: ", "name the YAML file"),
        ([str(tapes)], tmp_path / "no" / "m.yaml", "out: ", "there is no folder"),
    )
    for given, out, field, remedy in cases:
        assert main(["calibrate", *given, "-o", str(out)]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert error.startswith(f"paceline calibrate: {field}")
        assert remedy in error
