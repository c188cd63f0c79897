"""Days on different ticks and lots, converted exactly."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import flows
from env.market_days import on_finer_grid, random_day
from paceline.errors import InputError
from paceline.market.events import ADD, BID, Rows
from paceline.market.grids import converted, factors, on_one_grid
from paceline.market.portrait import portrait_of
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument


def instrument(book: str, lot: str = "1", order: str | None = None) -> Instrument:
    return Instrument(symbol="ACME", book_tick=book, order_tick=order or book, lot=lot)


@pytest.mark.parametrize(
    ("of", "to", "ticks", "lots"),
    [
        (("0.0001", "1"), ("0.001", "1"), (1, 10), (1, 1)),
        (("0.01", "100"), ("0.005", "1"), (2, 1), (100, 1)),
        (("0.003", "0.00000001"), ("0.002", "0.001"), (3, 2), (1, 100_000)),
    ],
)
def test_factors_are_exact(of, to, ticks, lots):
    by = factors(instrument(*of), instrument(*to))
    assert by == (Fraction(*ticks), Fraction(*lots))


def test_numbers_on_the_same_grid_stay_as_they_are():
    values = np.array([0.1, 1 / 3, np.nan, 1e17 / 7])
    np.testing.assert_array_equal(converted(values, Fraction(1)), values)
    assert converted(15, Fraction(1, 10)).tolist() == 1.5


def bare(book: str, lot: str, ticks: int, lots: int, order: str | None = None) -> Tape:
    session = Session.of("2024-03-04", "America/New_York", 34_200.0, 57_600.0)
    rows = Rows(
        np.array([session.open_ns]), np.array([ADD]), np.array([BID]), np.array([ticks]),
        np.array([lots]), np.array([0], np.int32),
    )  # fmt: skip
    return Tape.compile(rows, instrument(book, lot, order), session)


@pytest.mark.parametrize(
    ("books", "lots", "common"),
    [
        (("0.01", "0.001"), ("1", "100"), ("0.001", "1")),
        (("0.03", "0.02"), ("3", "2"), ("0.01", "1")),
        (("0.25", "0.1"), ("0.00000001", "0.5"), ("0.05", "0.00000001")),
        (("0.01", "0.01"), ("1", "1"), ("0.01", "1")),
    ],
)
def test_one_grid_holds_the_prices_and_sizes_of_all(books, lots, common):
    tapes = [bare(book, lot, 7, 9) for book, lot in zip(books, lots, strict=True)]
    found = on_one_grid(tapes)
    for old, new in zip(tapes, found, strict=True):
        got = new.instrument
        assert (got.book_tick, got.lot) == (Decimal(common[0]), Decimal(common[1]))
        assert got.order_tick == max(Decimal(book) for book in books)
        assert got.price(int(new.level_ticks[0])) == old.instrument.price(7)
        assert got.quantity(int(new.events.qty[0])) == old.instrument.quantity(9)
        assert (new is old) == (old.instrument == got)


@flows.examples(10)
@given(st.integers(0, 20), st.sampled_from([2, 10, 1000]), st.sampled_from([1, 4, 100]))
def test_a_tape_is_the_same_day_on_another_grid(seed, ticks, lots):
    """All of it, images too: what it looks like in currency and shares is what it looked like."""
    plain = random_day(seed)
    fine = on_finer_grid(random_day(seed + 1), ticks, lots)
    on_fine = on_one_grid([plain, fine])[0]
    by_hand = on_finer_grid(plain, ticks, lots)
    for new, old in zip(on_fine.events, by_hand.events, strict=True):
        np.testing.assert_array_equal(new, old)
    for new, old in zip(on_fine.images, by_hand.images, strict=True):
        np.testing.assert_array_equal(new, old)
    np.testing.assert_array_equal(on_fine.level_ticks, by_hand.level_ticks)
    # Not the mean spread: which spreads are absurd, and in no mean, depends on the tick.
    for old, new in (
        (plain.bid_ticks(), on_fine.bid_ticks()),
        (plain.ask_ticks(), on_fine.ask_ticks()),
    ):
        np.testing.assert_array_equal(new, old * ticks)
    assert portrait_of(plain).touch_lots * lots == pytest.approx(portrait_of(on_fine).touch_lots)


def test_a_size_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="lot: ACME-2024-03-04 has lots of 1, and some"):
        on_one_grid([bare("0.01", "1", 7, 1_000_000), bare("0.01", "0.00000001", 7, 9)])
