"""Spells of slow lines: messages, answers and market data take longer for a while, or data stands
still."""

from __future__ import annotations

import math

import pytest

from paceline.engine.clockwork import look
from paceline.engine.exchange import Exchange
from paceline.engine.market_settings import MarketSettings
from paceline.engine.replay import Floor
from paceline.engine.simulator import simulate_day
from paceline.engine.venue import Latency, Spell, Venue
from paceline.errors import ConfigError
from paceline.jit import kernel
from paceline.market.tape import Tape
from paceline.units import NS_PER_MS, NS_PER_S

MS = Latency.constant(1.0)


@pytest.fixture(scope="module")
def tape() -> Tape:
    return simulate_day(MarketSettings(open_s=34_200.0, close_s=34_400.0), "2024-01-02", 3)


def venue(*slow: Spell) -> Venue:
    return Venue(submit=MS, ack=MS, market_data=MS, slow=slow)


@kernel
def touch_seen(floor: Floor, ts: int) -> tuple[int, int]:
    return look(floor, ts)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("after_s", "submit_ms", "ack_ms"),
    [
        (99.9, 1, 1), (100.0, 251, 41), (104.5, 251, 41), (106.0, 351, 41), (109.6, 351, 41),
        (109.7, 351, 1), (110.0, 101, 1), (120.0, 1, 1),
    ],
)  # fmt: skip
def test_messages_and_answers_take_longer(
    tape: Tape, after_s: float, submit_ms: int, ack_ms: int
) -> None:
    """Spells add up; an answer counts from when it sets out."""
    slow = Spell(start_s=100.0, length_s=10.0, submit_ms=250.0, ack_ms=40.0)
    more = Spell(start_s=105.0, length_s=10.0, submit_ms=100.0)
    exchange = Exchange(tape, venue(slow, more))
    now = tape.session.open_ns + round(after_s * NS_PER_S)
    exchange.seek(now)
    exchange.submit(+1, 100, "60.00", type="ioc")
    exchange.advance(now + NS_PER_S)
    fill = exchange.fills()[0]
    assert fill.ts == now + submit_ms * NS_PER_MS
    assert fill.told_ts == fill.ts + ack_ms * NS_PER_MS


def test_no_message_overtakes_a_slow_one(tape: Tape) -> None:
    exchange = Exchange(tape, venue(Spell(start_s=100.0, length_s=1.0, submit_ms=5000.0)))
    exchange.seek(tape.session.open_ns + round(100.9 * NS_PER_S))
    order = exchange.submit(+1, 100, "30.00")
    exchange.advance(exchange.now + NS_PER_S)
    exchange.cancel(order)
    exchange.advance(exchange.now + 10 * NS_PER_S)
    assert exchange.order(order).done_ts == tape.session.open_ns + round(105.901 * NS_PER_S)


@pytest.mark.parametrize(
    ("spell", "after_s", "seen_s"),
    [
        (Spell(start_s=60.0, length_s=30.0, stale=True), 59.0, 58.999),
        (Spell(start_s=60.0, length_s=30.0, stale=True), 61.0, 59.999),
        (Spell(start_s=60.0, length_s=30.0, stale=True), 89.0, 59.999),
        (Spell(start_s=60.0, length_s=30.0, stale=True), 90.0, 89.999),
        (Spell(start_s=60.0, length_s=30.0, market_data_ms=2000.0), 75.0, 72.999),
    ],
)
def test_what_is_seen(tape: Tape, spell: Spell, after_s: float, seen_s: float) -> None:
    exchange = Exchange(tape, venue(spell))
    open_ns = tape.session.open_ns
    exchange.seek(open_ns + 10 * NS_PER_S)
    at = tape.index_at(open_ns + round(seen_s * NS_PER_S)) - 1
    expected = (int(tape.events.bid[at]), int(tape.events.ask[at]))
    assert touch_seen(exchange.floor, open_ns + round(after_s * NS_PER_S)) == expected


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Spell(start_s=-1.0, length_s=1.0), "slow.start_s: -1.0 must be finite and not"),
        (lambda: Spell(start_s=0.0, length_s=math.inf), "slow.length_s: inf must be finite"),
        (lambda: Spell(start_s=0.0, length_s=1.0, ack_ms=-1.0), "slow.ack_ms: -1.0 must be"),
    ],
)
def test_spells_that_make_no_sense(make, says) -> None:
    with pytest.raises(ConfigError, match=says):
        make()
