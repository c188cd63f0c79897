"""A tape's portrait: sums that can be done by hand."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from paceline.market.drawing import draw_portrait, portrait_text
from paceline.market.events import ADD, CROSS, DELETE, EXECUTE, HALT, HIDDEN, RESUME
from paceline.market.portrait import portrait_of, round_edges, through_day, touch_lots
from paceline.market.session import Session
from paceline.market.tape import Finding, Quality, Tape
from paceline.orders.instrument import Instrument

from .test_tape import rows_of

S = 10**9
SESSION = Session(day="1970-01-01", zone="UTC", open_ns=0, close_ns=20 * S)
INSTRUMENT = Instrument(symbol="T", book_tick=Decimal("0.5"), order_tick=Decimal("0.5"))


@pytest.fixture
def tape() -> Tape:
    rows = rows_of([
        (0, ADD, 1, 100, 5, 0),
        (2 * S, ADD, -1, 104, 8, 1),  # spread 2.00 from here
        (6 * S, ADD, -1, 102, 3, 2),  # 1.00
        (8 * S, EXECUTE, -1, 102, 3, 2),  # 2.00
        (9 * S, HIDDEN, 1, 103, 1, -1),
        (9 * S, CROSS, 0, 102, 40, -1),
        (10 * S, DELETE, 1, 100, 5, 0),  # one side only
        (12 * S, ADD, 1, 100, 7, 0),  # 2.00
        (16 * S, DELETE, 1, 100, 7, 0),
    ])  # fmt: skip
    quality = Quality(rows_read=9, findings={"gap": Finding(count=0), "halt": Finding(count=2)})
    return Tape.compile(rows, INSTRUMENT, SESSION, quality=quality)


def test_means_are_weighted_by_time(tape: Tape) -> None:
    day = through_day(tape, np.array([0, 4, 8, 16, 20]) * S)
    np.testing.assert_allclose(day.spread, [2.0, 1.5, 2.0, np.nan])
    np.testing.assert_allclose(day.mid, [51.0, 50.75, 51.0, np.nan])
    np.testing.assert_allclose(day.bid_lots, [5.0, 5.0, (2 * 5 + 4 * 7) / 6, np.nan])
    np.testing.assert_allclose(day.ask_lots, [8.0, (2 * 8 + 2 * 3) / 4, 8.0, np.nan])
    assert day.volume.tolist() == [0, 0, 4, 0]
    assert day.trades.tolist() == [0, 0, 2, 0]
    assert day.events.tolist() == [2, 1, 5, 1]


def test_an_absurd_spread_is_in_no_mean() -> None:
    """A stub quote at 1,000.00 for 4 of 8 seconds: spread and bps are of the other 4."""
    tape = Tape.compile(
        rows_of([
            (0, ADD, 1, 100, 5, 0),
            (0, ADD, -1, 2_000, 1, 1),
            (4 * S, ADD, -1, 104, 8, 2),
            (8 * S, DELETE, -1, 104, 8, 2),
        ]),
        INSTRUMENT,
        SESSION,
    )  # fmt: skip
    day = through_day(tape, np.array([0, 4, 6, 8]) * S)
    np.testing.assert_allclose(day.spread, [np.nan, 2.0, 2.0])
    np.testing.assert_allclose(day.mid, [np.nan, 51.0, 51.0])
    seen = portrait_of(tape)
    assert (seen.spread, seen.spread_bps) == (2.0, pytest.approx(1e4 * 2 / 51))
    assert seen.day.spread[0] == 2.0


@pytest.mark.parametrize("halted", [False, True])
def test_a_stop_is_in_no_mean(halted: bool) -> None:
    """Trading is stopped from 4 s to 12 s, with a wide quote inside."""
    stops = [(4 * S, HALT, 0, 0, 0, -1)], [(12 * S, RESUME, 0, 0, 0, -1)]
    if not halted:
        stops = [], []
    rows = [
        (0, ADD, 1, 100, 5, 0),
        (0, ADD, -1, 104, 8, 1),  # 2.00
        *stops[0],
        (5 * S, DELETE, -1, 104, 8, 1),
        (6 * S, ADD, -1, 108, 2, 2),  # 4.00
        *stops[1],
        (14 * S, ADD, -1, 102, 3, 3),  # 1.00
        (16 * S, DELETE, -1, 102, 3, 3),
    ]
    breaks = () if halted else ((4 * S, 12 * S),)
    session = Session(day="1970-01-01", zone="UTC", open_ns=0, close_ns=20 * S, breaks=breaks)
    tape = Tape.compile(rows_of(rows), INSTRUMENT, session)
    day = through_day(tape, np.array([0, 4, 8, 12, 16]) * S)
    np.testing.assert_allclose(day.spread, [2.0, np.nan, np.nan, (2 * 4 + 2 * 1) / 4])
    np.testing.assert_allclose(day.mid, [51.0, np.nan, np.nan, (2 * 52 + 2 * 50.5) / 4])
    np.testing.assert_allclose(day.bid_lots, [5.0, np.nan, np.nan, 5.0])
    np.testing.assert_allclose(day.ask_lots, [8.0, np.nan, np.nan, (2 * 2 + 2 * 3) / 4])
    seen = portrait_of(tape)
    assert math.isclose(seen.spread, (4 * 2 + 2 * 4 + 2 * 1) / 8)
    assert math.isclose(seen.touch_lots, (5 + (4 * 8 + 2 * 2 + 2 * 3) / 8) / 2)


def test_lots_at_the_touch(tape: Tape) -> None:
    bid, ask = touch_lots(tape)
    assert bid.tolist() == [5, 5, 5, 5, 5, 5, 0, 7, 0]
    assert ask.tolist() == [0, 8, 3, 8, 8, 8, 8, 8, 8]


def test_portrait(tape: Tape) -> None:
    seen = portrait_of(tape)
    assert seen.kinds == {"add": 4, "delete": 2, "execute": 1, "hidden": 1, "cross": 1}
    assert (seen.volume_lots, seen.aside_lots, seen.trades) == (4, 40, 2)
    assert seen.hidden_share == 0.25
    assert math.isclose(seen.spread, (4 * 2 + 2 * 1 + 2 * 2 + 4 * 2) / 12)
    assert sum(seen.day.volume) == 4
    assert sum(seen.day.events) == 9


def test_text_and_figure(tape: Tape, tmp_path: Path) -> None:
    seen = portrait_of(tape)
    text = portrait_text(seen)
    assert "T-1970-01-01" in text
    assert "halt" in text
    assert "none of: gap" in text
    assert max(map(len, text.splitlines())) <= 100
    for name, magic in (("x.png", b"\x89PNG"), ("deep/x.svg", b"<?xml")):
        assert draw_portrait(seen, tmp_path / name).read_bytes().startswith(magic)


def test_far_prints_are_not_called_auctions(tape: Tape) -> None:
    assert "\nauctions 40 lots\n" in portrait_text(portrait_of(tape))
    quality = Quality(rows_read=9, findings={"far_print": Finding(count=1)})
    tape.manifest = msgspec.structs.replace(tape.manifest, quality=quality)
    text = portrait_text(portrait_of(tape))
    assert "\nset aside as auctions or far prints 40 lots\n" in text
    assert "\nauctions" not in text


@pytest.mark.parametrize("columns", [80, 60, 120])
def test_a_portrait_fits_the_window_and_cuts_no_number(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coin with prices of 12 decimals: its columns come in several tables in a narrow window."""
    monkeypatch.setenv("COLUMNS", str(columns))
    coin = Instrument(
        symbol="SHIBBTC", book_tick=Decimal("1e-11"), order_tick=Decimal("1e-11"), lot=Decimal(1)
    )
    rows = rows_of([
        (0, ADD, 1, 798_380, 123_456_789, 0),
        (0, ADD, -1, 798_383, 223_456_789, 1),
        (9 * S, EXECUTE, -1, 798_383, 3_456_789, 1),
        (16 * S, ADD, 1, 798_381, 1, 2),
    ])  # fmt: skip
    text = portrait_text(portrait_of(Tape.compile(rows, coin, SESSION)))
    assert max(map(len, text.splitlines())) <= columns
    assert "…" not in text
    for number in ("0.000000000030", "0.000007983815", "123,456,789", "220,000,000", "3,456,789"):
        assert number in text.split("Through the session")[1].split()
    assert text.count("from  ") == (1 if columns == 120 else 2 if columns == 80 else 3)


def test_a_venue_that_is_not_known_leaves_no_gap(tape: Tape) -> None:
    text = portrait_text(portrait_of(tape))
    assert text.startswith("T-1970-01-01  L3  recorded 00:00:00–00:00:16 UTC\n")


def bins_of(tape: Tape) -> list[int]:
    """The bins that the text shows, by the second at which they begin."""
    table = portrait_text(portrait_of(tape)).split("Through the session")[1]
    return [int(line.split()[0][-2:]) for line in table.splitlines() if line.startswith("  00:00:")]


@pytest.mark.parametrize(
    ("last_s", "shown"), [(3, 1), (5, 2), (12, 3), (19, 4), (20, 4), (70, 4), (0, 1)]
)
def test_a_day_is_shown_as_far_as_it_goes(last_s: int, shown: int) -> None:
    """Empty bins at the end are left out, and the reader is told; those before stay."""
    tape = Tape.compile(
        rows_of([(0, ADD, 1, 100, 5, 0), (last_s * S, ADD, -1, 104, 8, 1)]), INSTRUMENT, SESSION
    )
    assert bins_of(tape) == [0, 5, 10, 15][:shown]
    told = f"nothing after 00:00:{last_s:02}; announced until 00:00:20"
    assert (told in portrait_text(portrait_of(tape))) == (shown < 4)


def test_a_figure_says_that_the_day_ended_early(tmp_path: Path) -> None:
    rows = [(0, ADD, 1, 100, 5, 0), (12 * S, ADD, -1, 104, 8, 1)]
    for last, told in ((12 * S, True), (19 * S, False)):
        tape = Tape.compile(rows_of([*rows, (last, ADD, -1, 105, 8, 2)]), INSTRUMENT, SESSION)
        drawn = draw_portrait(portrait_of(tape), tmp_path / "x.svg").read_text()
        assert ("nothing after 00:00:12; announced until 00:00:20" in drawn) == told


def test_a_tape_from_before_its_session_has_one_bin() -> None:
    session = Session(day="1970-01-01", zone="UTC", open_ns=100 * S, close_ns=120 * S)
    tape = Tape.compile(rows_of([(5, ADD, 1, 100, 5, 0)]), INSTRUMENT, session)
    assert portrait_of(tape).day.events.tolist() == [0]


def test_a_tape_of_one_side_can_be_drawn(tmp_path: Path) -> None:
    tape = Tape.compile(rows_of([(5, ADD, 1, 100, 5, 0)]), INSTRUMENT, SESSION)
    seen = portrait_of(tape)
    assert math.isnan(seen.spread)
    assert "–" in portrait_text(seen)
    assert draw_portrait(seen, tmp_path / "x.png").stat().st_size > 0


@pytest.mark.parametrize(("length_s", "width_s"), [(23_400, 1800), (86_400, 7200), (60, 5), (5, 1)])
def test_edges_are_round(length_s: int, width_s: int) -> None:
    edges = round_edges(7 * S, (7 + length_s) * S, 16)
    assert edges[0] == 7 * S
    assert edges[-1] == (7 + length_s) * S
    assert set(np.diff(edges)) == {width_s * S}
    assert len(edges) <= 17
