"""What is shown of a scenario: facts that are right on a book that is known, and a whole page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine import flows
from engine.test_flow import many_events
from paceline.cli import main
from paceline.engine.market_settings import MarketSettings
from paceline.market import events as ev
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument
from paceline.stress.facts import course_of, depth, facts_of
from paceline.stress.parts import Crash, Latency, StaleFeed
from paceline.stress.showing import Shown, as_dict, facts_table, on_market, write_shown
from paceline.units import NS_PER_S
from page.reading import Page, assert_stands_alone
from stress.days import DAY, under

S = NS_PER_S
CENTS = Instrument(symbol="X", book_tick="0.01", order_tick="0.01", venue="V")  # type: ignore[arg-type]
TEN_MINUTES = Session(day="1970-01-01", zone="UTC", open_ns=0, close_ns=600 * S)


def known_tape(instrument: Instrument = CENTS) -> Tape:
    """A spread of 2 for four minutes, of 4 for one, and then of 3, a halt in it; two market orders
    sell (one of them in two rows) and one buys."""
    rows = [
        (0, ev.ADD, 1, 100, 50, 0),
        (0, ev.ADD, -1, 102, 40, 1),
        (0, ev.ADD, 1, 99, 30, 2),
        (240 * S, ev.EXECUTE, 1, 100, 50, 0),
        (240 * S, ev.EXECUTE, 1, 99, 10, 2),
        (240 * S, ev.ADD, 1, 98, 5, 3),
        (245 * S, ev.EXECUTE, -1, 102, 5, 1),
        (250 * S, ev.EXECUTE, 1, 99, 20, 2),
        (300 * S, ev.ADD, 1, 99, 7, 0),
        (400 * S, ev.HALT, 0, 0, 0, -1),
        (450 * S, ev.RESUME, 0, 0, 0, -1),
    ]
    return Tape.compile(flows.rows_of(rows), instrument, TEN_MINUTES)


def test_facts_of_a_known_book() -> None:
    tape = known_tape()
    np.testing.assert_array_equal(depth(tape), [50, 90, 120, 70, 60, 65, 60, 40, 47, 47, 47])
    found = facts_of(tape, 0, 600 * S)
    # The recording ends at 450 s: 240 s of 2, 10 s of 3, 50 s of 4, 150 s of 3.
    assert found.spread_ticks == pytest.approx((240 * 2 + 10 * 3 + 50 * 4 + 150 * 3) / 450)
    lots = 240 * 120 + 5 * 65 + 5 * 60 + 50 * 40 + 150 * 47
    assert found.depth_lots == pytest.approx(lots / 450)
    assert found.volume_lots == 85
    assert found.sell_share == pytest.approx(2 / 3)
    assert found.change == pytest.approx(100.5 / 101 - 1)
    assert found.lowest == pytest.approx(100 / 101 - 1)
    assert found.halted_s == 50.0
    minutes = np.diff([101, 101, 101, 101, 100.5, 100.5, 100.5, 100.5, 100.5, 100.5, 100.5])
    assert found.volatility_ticks == pytest.approx(np.std(minutes))


def test_ticks_are_those_of_our_orders() -> None:
    """As on the realism page: a book in cents, where orders may be sent on every fifth."""
    fine, coarse = (
        facts_of(known_tape(instrument), 0, 600 * S)
        for instrument in (CENTS, Instrument(symbol="T", book_tick="0.01", order_tick="0.05"))
    )
    assert coarse.spread_ticks == pytest.approx(fine.spread_ticks / 5)
    assert coarse.volatility_ticks == pytest.approx(fine.volatility_ticks / 5)
    assert coarse.change == fine.change


def test_coins_are_shown_in_coins() -> None:
    coins = Instrument(symbol="C", book_tick="0.01", order_tick="0.01", lot="0.1")  # type: ignore[arg-type]
    for instrument, unit, volume in ((CENTS, "shares", "85"), (coins, "units", "8.5")):
        tape = known_tape(instrument)
        table = facts_table(Shown(under(Crash()), "there", tape, tape))
        rows = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
        assert rows["volume"][0] == rows["depth of the book"][0] == unit
        assert float(rows["volume"][1]) == float(volume)


def test_the_course_of_a_known_book() -> None:
    course = course_of(known_tape(), 10)
    np.testing.assert_allclose(course.mid, [101, 101, 101, 100.5, 100.5, *[100.5] * 5])
    np.testing.assert_allclose(course.volume, [0, 0, 0, 0, 85, 0, 0, 0, 0, 0])
    assert course.sells[4] == pytest.approx(2 / 3)
    assert np.isnan(course.sells[0])
    assert course.at_s[0] == 30.0


@pytest.fixture(scope="module")
def shown():  # type: ignore[no-untyped-def]
    market = MarketSettings(open_s=34_200.0, close_s=34_800.0)
    scenario = under(
        Crash(fall=0.05, start_s=200.0, length_s=60.0),
        Latency(start_s=10.0, length_s=50.0), StaleFeed(start_s=300.0, length_s=100.0),
    )  # fmt: skip
    return on_market(market, scenario, DAY, 1)


def test_the_page_stands_alone_and_says_what_the_numbers_say(shown, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = write_shown(shown, tmp_path / "out")
    text = path.read_text()
    page = Page(text)
    assert_stands_alone(text)
    told = json.loads((tmp_path / "out" / "facts.json").read_text())
    assert told == as_dict(shown)
    assert told["stressed"]["lowest"] < -0.04 < told["calm"]["lowest"]
    rows = {row[0]: row[1:] for row in page.tables["facts"][1:]}
    assert rows["volume"][2].replace(",", "") == f"{told['stressed']['volume_lots']:.0f}"
    assert text.count("<svg") == 2, "the day, and the delays"


@many_events
def test_the_verb_lists_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stress"]) == 0
    assert "flash-crash" in capsys.readouterr().out
    out = tmp_path / "out"
    tape = known_tape().save(tmp_path / "day.tape")
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\nparts:\n- part: depth\n  share: 0.5\n")
    assert main(["stress", str(mine), "--tape", str(tape), "-o", str(out)]) == 0
    assert (out / "report.html").exists()
    assert "depth of the book" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["crsh", "--market", "default"], "scenario: 'crsh' is neither shipped"),
        (["crash"], "tape: give --tape or --market, and one of them only"),
        (["crash", "--market", "none.yaml"], "none.yaml: No such file"),
        (["crash", "--tape", "none.tape"], "tape: none.tape is not there"),
        (["crash", "--market", "default", "--day", "x"], "session.day: 'x' is not a date"),
    ],
)
def test_what_is_refused_is_one_line(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["stress", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"paceline stress: {says}")
    assert error.count("\n") == 1
