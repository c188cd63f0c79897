"""What prints mean: auctions, prints far from the market, and sides that are masked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paceline.engine.exchange import Exchange
from paceline.engine.queue import FillModel
from paceline.engine.venue import Latency, Venue
from paceline.env.history import bars_of
from paceline.ingest import load
from paceline.ingest.quality import Limits
from paceline.market.events import ASK, BID, CROSS, HIDDEN, KIND_NAMES
from paceline.market.session import midnight_ns
from paceline.market.tape import Tape

S = 10**9
DAY = "2016-03-04"
MIDNIGHT = midnight_ns(DAY, "America/New_York")
NAME = f"TEST_{DAY}_34200000_57600000_message_1.csv"
AT_ONCE = {
    "submit": Latency.constant(0), "ack": Latency.constant(0), "market_data": Latency.constant(0)
}  # fmt: skip
Row = tuple[float | str, int, int, int, int, int]
BOOK: list[Row] = [  # bids 99.99 and 99.98, offers 100.01 and 100.02, 300 each
    (34201, 1, 1, 300, 999900, 1), (34201, 1, 2, 300, 999800, 1),
    (34201, 1, 3, 300, 1000100, -1), (34201, 1, 4, 300, 1000200, -1),
]  # fmt: skip
QUIET: list[Row] = [(34300 + k, 1, 100 + k, 10, 999700, 1) for k in range(0, 600, 60)]


def tape_of(folder: Path, rows: list[Row], **limits: float) -> Tape:
    path = folder / NAME
    path.write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return load(path, limits=Limits(**limits))


def filled(
    tape: Tape, side: int, price: str, from_s: float, to_s: float, model: FillModel, lots: int = 400
) -> int:
    """Lots that an order gets that is there from one time to another."""
    exchange = Exchange(tape, Venue(fill_model=model, **AT_ONCE))
    exchange.seek(MIDNIGHT + round(from_s * S))
    exchange.submit(side=side, lots=lots, price=price)
    exchange.advance(MIDNIGHT + round(to_s * S))
    return sum(fill.lots for fill in exchange.fills())


def found(tape: Tape, name: str) -> tuple[int, int | None]:
    finding = tape.manifest.quality.findings[name]
    return finding.count, finding.first_row


HALTED: list[Row] = [
    *BOOK,
    (34213, 4, 3, 100, 1000100, -1),  # a trade
    (34220, 7, 0, 0, -1, -1),
    (34240, 7, 0, 0, 0, -1),
    (34241, 1, 900, 500, 1000300, 1),  # orders gather, and cross
    (34250, 6, -3, 700, 1000200, -1),  # the reopening cross, and what it took:
    (34250, 4, 3, 200, 1000100, -1),
    (34250, 4, 900, 500, 1000300, 1),
    (34250, 7, 0, 0, 1, -1),
    (34251, 4, 4, 50, 1000200, -1),  # a trade again
    *QUIET,
]


def test_the_cross_after_a_halt_is_no_trade_of_the_market(tmp_path: Path) -> None:
    tape = tape_of(tmp_path, HALTED)
    assert int(tape.events.volume[-1]) == 150
    assert int(tape.events.qty[tape.events.kind == CROSS].sum()) == 700
    assert found(tape, "auction_execution") == (2, 10)
    assert tape.manifest.quality.rows_quarantined == 0
    kinds = [KIND_NAMES[kind] for kind in tape.events.kind.tolist()[4:14]]
    assert kinds == ["execute", "halt", "quote", "add", "cross", "delete", "delete", "resume",
                     "execute", "add"]  # fmt: skip


@pytest.mark.parametrize("model", FillModel)
def test_an_order_that_rests_through_a_halt_is_not_filled_by_its_cross(
    tmp_path: Path, model: FillModel
) -> None:
    tape = tape_of(tmp_path, HALTED)
    assert filled(tape, -1, "100.00", 34218, 34250.5, model) == 0
    assert filled(tape, -1, "100.00", 34218, 34252, model) == 50
    assert filled(tape, 1, "100.03", 34245, 34250.5, model) == 0  # refused in the halt


def test_what_a_halt_executed_is_no_trade_without_a_cross_either(tmp_path: Path) -> None:
    """Orders leave, and a hidden execution is an auction trade."""
    tape = tape_of(tmp_path, [
        *BOOK, (34220, 7, 0, 0, -1, -1), (34221, 4, 3, 300, 1000100, -1),
        (34221, 4, 1, 120, 999900, 1), (34222, 5, 0, 40, 1000000, 1), (34230, 7, 0, 0, 1, -1),
        *QUIET,
    ])  # fmt: skip
    assert int(tape.events.volume[-1]) == 0
    kinds = [KIND_NAMES[kind] for kind in tape.events.kind.tolist()[4:9]]
    assert kinds == ["halt", "delete", "reduce", "cross", "resume"]
    assert found(tape, "auction_execution") == (3, 6)


def test_a_cross_without_a_halt_takes_its_executions_with_it(tmp_path: Path) -> None:
    """Up to its lots on each side; what else trades in that instant is of the market."""
    tape = tape_of(tmp_path, [
        *BOOK, (34220, 6, -1, 300, 1000100, -1), (34220, 4, 3, 300, 1000100, -1),
        (34220, 4, 4, 100, 1000200, -1), *QUIET,
    ])  # fmt: skip
    assert int(tape.events.volume[-1]) == 100
    assert int(tape.events.qty[tape.events.kind == CROSS].sum()) == 300
    assert found(tape, "auction_execution") == (1, 6)


FAR: list[Row] = [
    *BOOK,
    (34210, 5, 0, 70, 995000, 1),  # half a percent below the bid: more than 0.5 % of the mid is far
    (34220, 5, 0, 80, 990000, 1),
    (34230, 5, 0, 90, 1010000, -1),
    *QUIET,
]


def test_a_print_far_from_the_market_is_set_aside(tmp_path: Path) -> None:
    tape = tape_of(tmp_path, FAR)
    assert found(tape, "far_print") == (2, 6)
    assert int(tape.events.volume[-1]) == 70
    assert int(tape.events.qty[tape.events.kind == CROSS].sum()) == 170
    for model in FillModel:
        assert filled(tape, 1, "99.80", 34205, 34215, model, 100) == 70
        assert filled(tape, 1, "99.80", 34215, 34235, model, 100) == 0
        assert filled(tape, -1, "100.20", 34215, 34235, model, 100) == 0


def test_how_far_is_far_can_be_said(tmp_path: Path) -> None:
    assert found(tape_of(tmp_path, FAR, far_print_share=0.02), "far_print") == (0, None)
    assert found(tape_of(tmp_path, FAR, far_print_share=0.001), "far_print") == (3, 5)
    wide = tape_of(tmp_path, FAR, far_print_share=0.001, far_print_spreads=40.0)
    assert found(wide, "far_print") == (2, 6)  # 0.49 is less than forty spreads of 0.02


def test_in_a_crossed_book_no_print_is_questioned(tmp_path: Path) -> None:
    """An offer of 3.42 stands in a market at 100: nobody knows where the touch is."""
    tape = tape_of(tmp_path, [
        *BOOK, (34202, 1, 9, 90, 34200, -1), (34210, 5, 0, 70, 1000000, 1),
        (34211, 4, 1, 10, 999900, 1), (34230, 3, 9, 90, 34200, -1), *QUIET,
    ])  # fmt: skip
    assert found(tape, "far_print") == (0, None)
    assert int(tape.events.volume[-1]) == 80


@pytest.mark.parametrize(("after_s", "far"), [(0.5, 0), (1.5, 1)])
def test_a_sweep_reported_before_the_book_is_believed(
    tmp_path: Path, after_s: float, far: int
) -> None:
    """The bids are gone within a second of the print, and the best is where it traded."""
    t = 34220
    tape = tape_of(tmp_path, [
        *BOOK, (34201, 1, 5, 300, 990000, 1), (t, 5, 0, 80, 990000, 1),
        (t + after_s, 3, 1, 300, 999900, 1), (t + after_s, 3, 2, 300, 999800, 1),
        (t + 30, 1, 6, 300, 999900, 1), *QUIET,
    ])  # fmt: skip
    assert found(tape, "far_print")[0] == far


def test_a_visible_execution_far_behind_the_touch_leaves_the_book(tmp_path: Path) -> None:
    tape = tape_of(tmp_path, [
        *BOOK, (34201, 1, 5, 300, 980000, 1), (34220, 4, 5, 300, 980000, 1), *QUIET,
    ])  # fmt: skip
    assert found(tape, "far_print") == (1, 6)
    assert int(tape.events.volume[-1]) == 0
    assert [KIND_NAMES[k] for k in tape.events.kind.tolist()[4:7]] == ["add", "delete", "add"]


def hidden(sides: list[int], prices: list[int]) -> list[Row]:
    """Executions of hidden orders, one a second."""
    each = enumerate(zip(sides, prices, strict=True))
    return [*BOOK, *((34210 + k, 5, 0, 10, price, side) for k, (side, price) in each), *QUIET]


def sides_of(tape: Tape) -> list[int]:
    side: list[int] = tape.events.side[tape.events.kind == HIDDEN].tolist()
    return side


INSIDE, AT_BID, AT_ASK = 1_000_000, 999_900, 1_000_100


@pytest.mark.parametrize(("sides", "prices", "told"), [
    # One side only, and one of them cannot be: the touch tells two.
    ([1, 1, 1], [AT_ASK, INSIDE, AT_BID], [ASK, 0, BID]),
    ([-1, -1], [AT_BID, INSIDE], [BID, 0]),
    # One side only, but few, and nothing against it.
    ([1] * 19, [INSIDE] * 19, [BID] * 19),
    ([1] * 20, [INSIDE] * 20, [0] * 20),
    ([1] * 20, [AT_BID] * 20, [BID] * 20),
    # Both sides; a third of what the touch tells is contradicted.
    ([1, -1, 1] * 10, [AT_BID, AT_ASK, AT_ASK] * 10, [BID, ASK, ASK] * 10),
    ([1, -1, 1, -1] * 10, [AT_BID, AT_ASK, INSIDE, INSIDE] * 10, [BID, ASK, BID, ASK] * 10),
])  # fmt: skip
def test_masked_sides_are_not_believed(
    tmp_path: Path, sides: list[int], prices: list[int], told: list[int]
) -> None:
    tape = tape_of(tmp_path, hidden(sides, prices))
    assert sides_of(tape) == told
    masked = told != sides or (len(sides) == 20)
    assert found(tape, "hidden_side_masked") == ((len(sides), 5) if masked else (0, None))
    assert int(tape.events.volume[-1]) == 10 * len(sides)


def wide(sides: list[int], prices: list[int]) -> list[Row]:
    """The same in a spread of ten cents, so that prints can lie off the mid."""
    book: list[Row] = [(34201, 1, 1, 300, 999500, 1), (34201, 1, 3, 300, 1000500, -1)]
    return [*book, *hidden(sides, prices)[4:]]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_sides_that_have_nothing_to_do_with_the_price_are_not_believed(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Of true sides four in five are nearer to their own touch; drawn ones half."""
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("sides")
    above = rng.integers(2, size=400) * 2 - 1
    prices = (1_000_000 + 200 * above).tolist()
    by_chance = (rng.integers(2, size=400) * 2 - 1).tolist()
    true = np.where(rng.random(400) < 0.8, -above, above).tolist()
    assert sides_of(tape_of(folder, wide(by_chance, prices))) == [0] * 400
    assert sides_of(tape_of(folder, wide(true, prices))) == true


@pytest.mark.parametrize("model", [FillModel.CALIBRATED, FillModel.OPTIMISTIC])
def test_a_print_of_unknown_side_fills_only_what_the_touch_tells(
    tmp_path: Path, model: FillModel
) -> None:
    """At the offer an offer traded, whatever the masked side says; inside, nobody knows."""
    tape = tape_of(tmp_path, hidden([1, 1, 1], [AT_ASK, INSIDE, AT_BID]))
    assert filled(tape, -1, "100.00", 34208, 34210.5, model) == 10
    assert filled(tape, -1, "100.00", 34210.5, 34213, model) == 0
    assert filled(tape, 1, "100.00", 34208, 34211.5, model) == 0
    assert filled(tape, 1, "100.00", 34208, 34213, model) == 10


def test_a_bar_holds_no_lots_of_unknown_takers(tmp_path: Path) -> None:
    rows = [*BOOK, *((34290 + k, 5, 0, 10, INSIDE, 1) for k in range(20)),
            (34320, 4, 3, 30, 1000100, -1), (34600, 1, 50, 10, 999700, 1)]  # fmt: skip
    bars = bars_of(tape_of(tmp_path, rows))
    assert (bars.net_lots.sum(), bars.lots.sum()) == (30, 30)
