"""Orders are drawn in continuous trading: not before the open, in no halt and no break."""

from __future__ import annotations

import numpy as np
import pytest

from env.market_days import DAYS, INSTRUMENT, ZONE
from paceline.env.episodes import EpisodeSettings, Pool
from paceline.env.history import History
from paceline.env.parents import draw_parents, given_parents
from paceline.errors import ConfigError
from paceline.market.events import ADD, ASK, BID, DELETE, HALT, HIDDEN, NO_SLOT, RESUME, Rows
from paceline.market.halts import trades_at, trades_through
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.orders.order import ParentOrder
from paceline.orders.times import said
from paceline.units import NS_PER_S

HOUR = 3600
BREAK = (10.5 * HOUR, 12.0 * HOUR)


def day_of(opens=9.0, closes=15.0, since=8.0, halts=(), breaks=(), day=DAYS[0]) -> Tape:
    """A market that shows both sides from `since` on, and trades a lot every ten seconds (hours
    of the day), in halts too."""
    session = Session.of(day, ZONE, opens * HOUR, closes * HOUR, breaks)
    rows = [(since, ADD, BID, 100, 9, 0), (since, ADD, ASK, 102, 9, 1)]
    rows += [(since + k / 360, HIDDEN, BID, 101, 1, NO_SLOT) for k in
             range(1, round((closes - since) * 360) + 1)]  # fmt: skip
    for first, last in halts:
        rows += [(first, HALT, 0, 0, 0, NO_SLOT), (last, RESUME, 0, 0, 0, NO_SLOT)]
    for k in range(2):  # a change of the quotes: the recording is not silent
        rows += [(since + 0.1, ADD, BID, 99, 1, 2 + k)]
    rows.sort(key=lambda row: row[0])
    hours, kind, side, ticks, lots, slot = map(np.array, zip(*rows, strict=True))
    ts = session.midnight_ns + np.round(hours * HOUR).astype(np.int64) * NS_PER_S
    return Tape.compile(Rows(ts, kind, side, ticks, lots, slot), INSTRUMENT, session)


def drawn(tape: Tape, horizon_s: float = 1800.0, count: int = 200):
    lesson = History([tape]).before(tape)
    return draw_parents(
        tape, lesson, count, horizon_s, qty=5, qty_adv=None, qty_volume=None, seed=1
    )


def hour(tape: Tape, ts) -> np.ndarray:
    return (np.asarray(ts) - tape.session.midnight_ns) / NS_PER_S / HOUR


def test_none_starts_before_the_open_of_a_recording_that_starts_early():
    tape = day_of(since=4.0)
    start = hour(tape, drawn(tape)["start_ts"])
    assert start.min() >= 9.0 + 60 / HOUR
    assert start.min() < 9.2
    assert hour(tape, drawn(tape)["end_ts"]).max() <= 15.0


def test_none_starts_in_a_halt_though_one_may_come_later():
    tape = day_of(halts=[(11.0, 12.0), (13.0, 13.5)])
    parents = drawn(tape)
    assert trades_at(tape, parents["start_ts"]).all()
    start, end = hour(tape, parents["start_ts"]), hour(tape, parents["end_ts"])
    assert not np.any((start >= 11.0) & (start < 12.0))
    assert not np.any((start >= 13.0) & (start < 13.5))
    assert np.any((start < 11.0) & (end > 11.0)), "nobody knew that it would come"
    assert np.all(parents["end_ts"] - parents["start_ts"] == 1800 * NS_PER_S)


def test_none_starts_in_a_break_or_runs_into_it():
    tape = day_of(breaks=[BREAK])
    parents = drawn(tape)
    assert trades_through(tape, parents["start_ts"], parents["end_ts"]).all()
    start = hour(tape, parents["start_ts"])
    assert np.any(start < 10.0)
    assert np.any(start >= 12.0)
    assert np.all((start < 10.0) | (start >= 12.0))
    assert np.all(parents["end_ts"] - parents["start_ts"] == 1800 * NS_PER_S)


def test_a_horizon_longer_than_any_part_spans_the_break_and_counts_trading_only():
    """3.5 hours of trading in parts of 1.5 and 3: from 09:01 to 10:00, with 1.5 hours of break."""
    tape = day_of(breaks=[BREAK])
    parents = drawn(tape, 3.5 * HOUR)
    start, end = hour(tape, parents["start_ts"]), hour(tape, parents["end_ts"])
    np.testing.assert_allclose(end - start, 3.5 + 1.5)
    assert start.min() >= 9.0 + 60 / HOUR
    assert start.max() <= 10.0
    assert end.max() <= 15.0
    with pytest.raises(ConfigError, match=r"horizon: 16200 s does not fit"):
        drawn(tape, 4.5 * HOUR)


def test_a_pool_draws_in_continuous_trading_too():
    days = [day_of(day=DAYS[0]), day_of(day=DAYS[1], since=4.0, halts=[(11.0, 12.0)],
                                        breaks=[(13.0 * HOUR, 14.0 * HOUR)])]  # fmt: skip
    pool = Pool(days, EpisodeSettings(horizon_s=(600.0, 3000.0)), seed=2, untaught="own")
    found = pool.draw(400)
    for k, tape in enumerate(pool.tapes):
        some = found[found["tape"] == k]
        assert trades_at(tape, some["start_ts"]).all()
        assert tape.session.trades_at(some["end_ts"]).all()
    late = found[found["tape"] == 1]
    start, end = hour(pool.tapes[1], late["start_ts"]), hour(pool.tapes[1], late["end_ts"])
    assert not np.any((start < 13.0) & (end > 13.0))


def test_an_order_that_is_given_may_not_start_in_a_break():
    tape = day_of(breaks=[BREAK])
    at = tape.session.midnight_ns + 11 * HOUR * NS_PER_S
    limits = {"participation": 1.0, "price_band_bps": 500, "child_max": 9}
    order = ParentOrder.from_dict(
        {"order_id": "x", "symbol": "TINY", "side": "buy", "qty": 5, "arrival_px": 1.01,
         "start_ts": at, "end_ts": at + 2 * HOUR * NS_PER_S, "constraints": limits}
    )  # fmt: skip
    with pytest.raises(ConfigError) as error:
        given_parents(tape, [order], 1)
    assert str(error.value).startswith(
        f"parent.start_ts: {said(at)} of order 'x' lies in the break of TINY-2024-03-04 from "
        "10:30:00 to "
    )


def test_a_day_without_breaks_and_halts_keeps_its_orders():
    """Literal starts: what is drawn on an ordinary day depends on its tape and the seed only."""
    tape = day_of(since=9.0)
    start = hour(tape, drawn(tape, count=3)["start_ts"])
    rng = np.random.default_rng([1, int(tape.manifest.tape_id[:12], 16)])
    first = tape.session.open_ns + 60 * NS_PER_S
    last = tape.session.close_ns - 1800 * NS_PER_S
    np.testing.assert_array_equal(start, hour(tape, np.sort(rng.integers(first, last, 6)[:3])))


def test_without_earlier_days_volume_is_even_over_the_hours_of_trading():
    """Nine to three with a break of an hour and a half: 1.5 of 4.5 hours by 10:30 and at noon."""
    tape = day_of(breaks=[BREAK])
    curve = History([tape]).before(tape).curve
    at = np.searchsorted(curve.edges_ns, np.array([9, 10.5, 11, 12, 13.5, 15]) * HOUR * NS_PER_S)
    np.testing.assert_allclose(curve.traded[at], [0, 1 / 3, 1 / 3, 1 / 3, 2 / 3, 1])


def test_none_starts_across_an_absurd_spread():
    """From 10:00 to 14:00 the best offer is a stub at twice the price."""
    session = Session.of(DAYS[0], ZONE, 9 * HOUR, 15 * HOUR)
    rows = [
        (9.0, ADD, BID, 1000, 9, 0), (9.0, ADD, ASK, 1002, 9, 1), (9.0, ADD, ASK, 2000, 9, 2),
        (10.0, DELETE, ASK, 1002, 9, 1), (14.0, ADD, ASK, 1002, 9, 1), (14.9, ADD, BID, 1, 1, 3),
    ]  # fmt: skip
    hours, kind, side, ticks, lots, slot = map(np.array, zip(*rows, strict=True))
    ts = session.midnight_ns + np.round(hours * HOUR).astype(np.int64) * NS_PER_S
    tape = Tape.compile(Rows(ts, kind, side, ticks, lots, slot), INSTRUMENT, session)
    start = hour(tape, drawn(tape, horizon_s=600.0)["start_ts"])
    assert not np.any((start >= 10.0) & (start < 14.0))
    assert np.any(start < 10.0)
    assert np.any(start > 14.0)
