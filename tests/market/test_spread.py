"""A mid across an absurd spread is no price, and a market settles when its spread stays narrow."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.jit import kernel
from paceline.market.events import ADD, DELETE
from paceline.market.session import Session
from paceline.market.settled import settled_ts
from paceline.market.spread import absurd, is_absurd
from paceline.market.tape import Quality, Tape
from paceline.market.watch import MOVES, SQUARES, UNKNOWN, begin, look_back, new_watch, note_rows
from paceline.orders.instrument import Instrument

from .test_tape import rows_of

S = 10**9
INSTRUMENT = Instrument(symbol="T", book_tick="0.01", order_tick="0.01")
HOURS = Session(day="1970-01-01", zone="UTC", open_ns=0, close_ns=6 * 3600 * S)


@kernel
def one(bid: int, ask: int) -> bool:
    return is_absurd(bid, ask)


@pytest.mark.parametrize(("bid", "ask", "told"), [
    (9_999, 10_001, False), (9_750, 10_250, False), (9_750, 10_251, True), (1, 20_000, True),
    (100, 120, False), (100, 121, True), (1, 21, False), (10_001, 9_999, False),
])  # fmt: skip
def test_a_spread_is_absurd_beyond_a_twentieth_of_the_mid(bid: int, ask: int, told: bool) -> None:
    assert one(bid, ask) == told


@given(st.lists(st.tuples(st.integers(1, 10**7), st.integers(1, 10**7)), min_size=1))
def test_many_at_once_are_told_like_one(prices: list[tuple[int, int]]) -> None:
    bid, ask = np.array(prices, float).T
    assert absurd(bid, ask).tolist() == [one(*pair) for pair in prices]
    assert not absurd(np.append(bid, np.nan), np.append(ask, 5.0))[-1]


def stubbed() -> Tape:
    """A narrow book that loses its offers for ten seconds: a stub at twice the price is best."""
    return Tape.compile(rows_of([
        (0, ADD, 1, 10_000, 5, 0), (0, ADD, -1, 20_000, 1, 1), (0, ADD, -1, 10_002, 5, 2),
        (1_000 * S, DELETE, -1, 10_002, 5, 2), (1_010 * S, ADD, -1, 10_004, 5, 2),
    ]), INSTRUMENT, HOURS)  # fmt: skip


def test_a_mid_between_a_price_and_a_stub_is_unknown() -> None:
    tape = stubbed()
    np.testing.assert_array_equal(tape.mid_ticks()[1:], [np.nan, 10_001, np.nan, 10_002])


def test_moves_to_a_stub_and_back_are_no_moves() -> None:
    """What is counted is the move from the last known mid to the next: one tick, two half ticks."""
    tape, watch = stubbed(), new_watch()
    begin(watch, 900 * S, UNKNOWN, UNKNOWN)
    note_rows(watch, tape.events, tape.level_ticks, 0, len(tape))
    look_back(watch, 1_011 * S)
    assert (watch.sums[2, MOVES], watch.sums[2, SQUARES]) == (1, 4)


def flickering(*asks: tuple[int, int]) -> Tape:
    """A bid of 10,000 and one offer at a time: (second, ticks)."""
    rows, last = [(0, ADD, 1, 10_000, 5, 0)], 0
    for second, ticks in asks:
        if last:
            rows.append((second * S, DELETE, -1, last, 5, 1))
        rows.append((second * S, ADD, -1, ticks, 5, 1))
        last = ticks
    return Tape.compile(rows_of([*rows, (9_000 * S, ADD, 1, 9_999, 1, 2)]), INSTRUMENT, HOURS)


@pytest.mark.parametrize(("asks", "settled_s"), [
    ([(0, 10_002)], 0), ([(0, 10_100), (9, 15_000), (80, 10_100)], 80),
    ([(0, 10_102), (500, 10_002)], 500),
    ([(0, 15_000), (10, 10_002), (69, 15_000), (112, 10_003)], 112),  # a minute less a second
    ([(0, 15_000), (10, 10_002), (70, 15_000), (112, 10_003)], 10),
    ([(0, 15_000)], 0),  # never: it has to do
])  # fmt: skip
def test_settled_when_the_spread_has_stayed_narrow(
    asks: list[tuple[int, int]], settled_s: int
) -> None:
    assert settled_ts(flickering(*asks)) == settled_s * S


def test_nothing_settles_before_the_warm_up_has_ended() -> None:
    tape = flickering((0, 15_000), (100, 10_002))
    for warm_s, settled_s in ((50, 100), (130, 130), (500, 500)):
        quality = Quality(warmup_end_ts=warm_s * S)
        tape.manifest = msgspec.structs.replace(tape.manifest, quality=quality)
        assert settled_ts(tape) == settled_s * S


@given(st.integers(161, 8_000), st.integers(10_001, 20_000))
def test_whether_it_has_settled_is_known_a_minute_later(second: int, ticks: int) -> None:
    """Whatever comes then changes nothing."""
    calm = [(0, 15_000), (100, 10_002)]
    assert settled_ts(flickering(*calm, (second, ticks))) == 100 * S
