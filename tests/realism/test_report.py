"""The report of a scorecard, and the verb that makes it."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from paceline.cli import main
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.market.tape import Tape
from paceline.realism.metaorders import Impact
from paceline.realism.report import headline, impact_words, notes, summary_text, write_report
from paceline.realism.scorecard import Scorecard, from_json, score, to_json
from page.reading import Page, assert_stands_alone

MARKET = """\
symbol: QUIET
close_s: 41400
limit_bid_per_s: 0.5
limit_ask_per_s: 0.5
"""
SETTINGS = MarketSettings(
    symbol="QUIET", close_s=41_400.0, limit_bid_per_s=0.5, limit_ask_per_s=0.5
)


@pytest.fixture(scope="module")
def tapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recorded days of two hours, and one of another symbol beside them."""
    folder = tmp_path_factory.mktemp("days")
    for day in ("2026-01-05", "2026-01-06"):
        simulate_day(SETTINGS, day, 3).save(folder / "quiet" / f"QUIET-{day}.tape")
    other = msgspec.structs.replace(SETTINGS, symbol="OTHER")
    simulate_day(other, "2026-01-07", 3).save(folder / "other" / "OTHER-2026-01-07.tape")
    (folder / "market.yaml").write_text(MARKET)
    return folder


@pytest.fixture(scope="module")
def card(tapes: Path) -> Scorecard:
    opened = [Tape.open(path) for path in sorted((tapes / "quiet").glob("*.tape"))]
    return score(SETTINGS, opened, seed=2, markets=12, market="quiet")


def test_the_page_stands_alone_and_says_it_all(card: Scorecard, tmp_path: Path):
    page = write_report(card, tmp_path / "deep" / "report.html").read_text(encoding="utf-8")
    assert_stands_alone(page)
    assert len(page) < 2_000_000
    parsed = Page(page)
    assert {"answer", "distributions", "behaviour", "events", "own", "data"} <= set(parsed.ids)
    assert headline(card) in parsed.text
    assert "nan" not in parsed.text.lower().split()
    assert len(parsed.tables["distances"]) == 1 + len(card.statistics) + 1
    assert [row[0] for row in parsed.tables["fact-table"][1:]] == [f.name for f in card.facts]
    held = sum("✓" in row[-1] for row in parsed.tables["fact-table"][1:])
    assert held == card.passed
    for fact in card.facts:
        assert fact.source in parsed.text
    assert page.count("<svg") == 5


def test_same_card_same_page(card: Scorecard, tmp_path: Path):
    first, again = (write_report(card, tmp_path / f"{k}.html").read_bytes() for k in range(2))
    assert first == again


def test_without_own_orders_the_page_has_no_such_section(card: Scorecard, tmp_path: Path):
    page = write_report(msgspec.structs.replace(card, impact=None), tmp_path / "r.html").read_text()
    assert_stands_alone(page)
    assert 'id="own"' not in page
    assert page.count("<svg") == 4


def told(impact: Impact | None, **changes: float) -> str:
    assert impact is not None
    changed = msgspec.structs.replace(impact, **changes)
    return " ".join(impact_words(msgspec.structs.replace(_BARE, impact=changed)))


_BARE = Scorecard(
    version="", symbol="", market="", settings={}, seed=0, unit="day", recorded=[], simulated=[],
    statistics=[], facts=[], lags=[], answers=[], passed=0, recorded_passed=0, median_l1=0.0,
    median_wasserstein=0.0, impact=None,
)  # fmt: skip


def test_what_is_not_known_of_impact_survives_json(card: Scorecard, tmp_path: Path):
    assert card.impact is not None
    unknown = msgspec.structs.replace(card.impact, exponent=float("nan"))
    text = to_json(msgspec.structs.replace(card, impact=unknown))
    again = from_json(text)
    assert to_json(again) == text
    assert again.impact is not None
    assert math.isnan(again.impact.exponent)
    assert_stands_alone(write_report(again, tmp_path / "r.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exponent": 0.55, "exponent_error": 0.05}, "they agree"),
        ({"exponent": 0.75, "exponent_error": 0.05}, "they may agree"),
        ({"exponent": 1.0, "exponent_error": 0.05}, "they do not agree"),
        ({"exponent": float("nan")}, "lost in the noise"),
        ({"reverted": 0.35, "reverted_error": 0.05}, "35 ± 5 % of the impact is gone: a part"),
        ({"reverted": 0.05, "reverted_error": 0.05}, "cannot be told from none"),
        ({"reverted": 0.95, "reverted_error": 0.05}, "cannot be told from all"),
        ({"reverted": -0.3, "reverted_error": 0.05}, "has grown by 30 ± 5 %"),
    ],
)
def test_impact_in_words(card: Scorecard, changes: dict[str, float], said: str):
    assert said in told(card.impact, **changes)


def test_a_rough_yardstick_is_called_so(card: Scorecard):
    assert "rests on 1 pair of recorded days: it is rough" in notes(card)[0]
    halved = msgspec.structs.replace(card, unit="half day")
    assert "Only one day was recorded" in notes(halved)[0]


def test_a_price_that_runs_away_is_called_so(card: Scorecard):
    assert not any("runs away" in note for note in notes(card))
    wild = [msgspec.structs.replace(one, moved=0.5) for one in card.simulated]
    said = notes(msgspec.structs.replace(card, simulated=wild))
    assert any(note.startswith("A simulated day ends 50.0 % from where it began") for note in said)


def test_a_book_that_shows_one_side_only_is_called_so(card: Scorecard):
    assert not any("one side only" in note for note in notes(card))
    half = [msgspec.structs.replace(one, one_sided=0.12) for one in card.simulated]
    said = notes(msgspec.structs.replace(card, simulated=half))[-1]
    assert "For 12.0 % of the time the simulated book shows one side only" in said


def test_in_a_narrow_window_no_number_is_cut(card: Scorecard):
    out = io.StringIO()
    Console(width=80, file=out).print(summary_text(card))
    text = out.getvalue()
    assert "…" not in text
    assert f"{card.passed} of 11 facts hold" in " ".join(text.split())


# --- the verb -----------------------------------------------------------------------------------


def test_from_tapes_to_a_scorecard(tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    words = ["realism", "--market", str(tapes / "market.yaml"), "--tape", str(tapes / "quiet"),
             "--markets", "0", "--seed", "2"]  # fmt: skip
    assert main([*words, "-o", str(tmp_path / "one")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "of 11 facts hold" in out
    written = (tmp_path / "one" / "scorecard.json").read_text()
    found = from_json(written)
    assert (found.market, found.symbol, found.seed) == ("market", "QUIET", 2)
    assert json.loads(written)["impact"] is None
    assert (tmp_path / "one" / "report.html").stat().st_size > 10_000
    assert main([*words, "-o", str(tmp_path / "two")]) == 0
    assert (tmp_path / "two" / "scorecard.json").read_text() == written


@pytest.mark.parametrize(
    ("market", "more", "said"),
    [
        ("symbol: A\nmarket_buys: 3\n", [], "market.yaml: market_buys: unknown key; did you mean"),
        ("limit_bid_per_s: -1\n", [], "limit_bid_per_s: -1 does not fit"),
        (MARKET, ["TAPES/other"], "OTHER-2026-01-07 is not of|is not of OTHER"),
        (MARKET, ["TAPES/nowhere"], "is not there"),
        (MARKET, ["--seed", "-3"], "seed: -3"),
        (MARKET, ["--days", "0"], "days: 0 is too few"),
        (MARKET, ["--jobs", "0"], "jobs: 0 threads do nothing"),
        (MARKET, ["--markets", "-1"], "markets: -1 are too few"),
        (MARKET, ["--markets", "2"], "markets: 2 are too few"),
    ],
)
def test_mistakes_are_one_line(
    tapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture, market: str, more: list[str],
    said: str,
):  # fmt: skip
    (tmp_path / "market.yaml").write_text(market)
    words = [word.replace("TAPES", str(tapes)) for word in more]
    argv = ["realism", "--market", str(tmp_path / "market.yaml"), "-o", str(tmp_path / "out"),
            "--tape", str(tapes / "quiet"), *words]  # fmt: skip
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("paceline realism: ")
    assert any(part in err for part in said.split("|")), err
