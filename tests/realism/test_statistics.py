"""The statistics of a day: by hand on a small book, by slow twins on a simulated one."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.ingest import load
from paceline.market.events import (
    ADD,
    ASK,
    BID,
    CLEAR,
    DELETE,
    EXECUTE,
    HIDDEN,
    LEVEL,
    NO_SLOT,
    REDUCE,
    SEED,
    TRADE,
    Rows,
)
from paceline.market.session import Session
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument
from paceline.realism.distance import l1_distance, relative_wasserstein
from paceline.realism.series import (
    arrivals_ns,
    flow_imbalance,
    market_orders,
    one_sided,
    returns,
    volumes,
)
from paceline.realism.statistics import (
    DEEP,
    UNITS,
    depth_lots,
    lifetimes_s,
    placements,
    statistics_of,
)
from paceline.units import NS_PER_S

INSTRUMENT = Instrument(symbol="T", book_tick="0.01", order_tick="0.05")


def tape_of(*rows: tuple[float, int, int, int, int, int], length_s: float = 100.0) -> Tape:
    """Rows as (s, kind, side, ticks, lots, slot), in a session from 0 to `length_s`."""
    ts, kind, side, ticks, lots, slot = (np.array(column) for column in zip(*rows, strict=True))
    session = Session(day="1970-01-01", zone="UTC", open_ns=0, close_ns=round(length_s * NS_PER_S))
    ns = (ts * NS_PER_S).astype(np.int64)
    columns = kind.astype(np.uint8), side.astype(np.int8), ticks, lots, slot.astype(np.int32)
    return Tape.compile(Rows(ns, *columns), INSTRUMENT, session)


@pytest.fixture(scope="module")
def small() -> Tape:
    """Bids 100 (20 lots) and 95 (10), asks 110 (30) and 115 (10); one buyer takes two orders."""
    return tape_of(
        (0, ADD, BID, 95, 10, 0),
        (0, ADD, BID, 100, 20, 1),
        (0, ADD, ASK, 115, 10, 2),
        (0, ADD, ASK, 110, 30, 3),
        (10, EXECUTE, ASK, 110, 30, 3),
        (10, EXECUTE, ASK, 115, 5, 2),
        (20, ADD, BID, 105, 40, 4),
        (25, HIDDEN, BID, 110, 7, NO_SLOT),
        (30, REDUCE, BID, 105, 10, 4),
        (40, DELETE, BID, 105, 30, 4),
        (100, ADD, BID, 90, 1, 5),
    )


@pytest.fixture(scope="module")
def hour() -> Tape:
    return simulate_day(MarketSettings(close_s=37_800.0), "2024-01-02", seed=3)


def test_the_spread_is_weighted_by_time_in_order_ticks(small: Tape):
    """10 cents until 10 s and from 20 s to 40 s, 15 else; a tick is 5 cents."""
    spread = statistics_of(small)["spread"]
    assert spread.values.tolist() == [2.0, 3.0]
    assert spread.weights.tolist() == pytest.approx([30.0, 70.0])


def test_depth_and_imbalance_by_hand(small: Tape):
    found = statistics_of(small)
    bid = found["bid_depth_1"]
    assert dict(zip(bid.values, bid.weights, strict=True)) == {20.0: 80.0, 30.0: 10.0, 40.0: 10.0}
    ask = found["ask_depth_10"]
    assert dict(zip(ask.values, ask.weights, strict=True)) == {5.0: 90.0, 40.0: 10.0}
    assert found["imbalance"].values.tolist() == pytest.approx(
        [-10 / 50, 15 / 25, 25 / 35, 35 / 45]
    )


def test_one_buyer_who_meets_two_orders_is_one_market_order(small: Tape):
    orders = market_orders(small)
    assert orders.ts.tolist() == [10 * NS_PER_S, 25 * NS_PER_S]
    assert orders.sign.tolist() == [1, -1]
    assert orders.lots.tolist() == [35, 7]
    assert orders.first.tolist() == [4, 7]
    assert orders.last.tolist() == [5, 7]
    assert (arrivals_ns(small) / NS_PER_S).tolist() == [0, 0, 0, 0, 10, 20, 25, 30, 40, 100]


def test_lifetimes_placements_and_sizes_by_hand(small: Tape):
    """Slot 3 lived 10 s and slot 4 20 s; the others are still there."""
    assert sorted(lifetimes_s(small)) == [10.0, 20.0]
    placed = placements(small, np.flatnonzero(small.events.kind == ADD))
    assert np.isnan(placed[[0, 2]]).all()
    assert placed[[1, 3, 4, 5]].tolist() == [-5.0, -5.0, -5.0, 10.0]
    found = statistics_of(small)["placement"]
    assert found.values.tolist() == [-1.0, 2.0]


def test_an_order_that_was_there_when_the_book_began_again_has_no_lifetime():
    tape = tape_of(
        (0, ADD, BID, 100, 30, 0),
        (0, ADD, ASK, 110, 20, 1),
        (5, CLEAR, 0, 0, 0, NO_SLOT),
        (6, SEED, BID, 100, 20, 0),
        (6, SEED, ASK, 110, 20, 1),
        (10, DELETE, BID, 100, 20, 0),
        (20, ADD, BID, 100, 20, 0),
        (23, DELETE, BID, 100, 20, 0),
    )
    assert lifetimes_s(tape).tolist() == [3.0]


def test_returns_and_volumes_keep_their_place(small: Tape):
    assert volumes(small, 20.0).tolist() == [35.0, 7.0, 0.0, 0.0, 0.0]
    assert np.expm1(returns(small, 20.0)) == pytest.approx(
        [110 / 105 - 1, 107.5 / 110 - 1, 0, 0, 0]
    )


def test_flow_imbalance_by_hand(small: Tape):
    """The ask falls back from 110 (30 lots) to 115 (10, then 5): +30 +5; a bid of 40 improves:
    +40; 10 of it go, then the other 30."""
    assert flow_imbalance(small, 20.0)[:3].tolist() == [75.0, -40.0, 0.0]


def test_a_tape_that_shows_levels_has_what_levels_can_tell(hour: Tape):
    assert set(statistics_of(hour)) == set(UNITS)
    levels = tape_of(
        (0, LEVEL, BID, 100, 20, NO_SLOT),
        (0, LEVEL, ASK, 110, 30, NO_SLOT),
        (10, TRADE, ASK, 110, 10, NO_SLOT),
        (10, LEVEL, ASK, 110, 20, NO_SLOT),
        (100, LEVEL, BID, 95, 1, NO_SLOT),
    )
    assert set(UNITS) - set(statistics_of(levels)) == {"lifetime", "placement", "limit_size"}
    assert (arrivals_ns(levels) / NS_PER_S).tolist() == [0, 0, 10, 100]


def test_nothing_before_the_market_has_settled_counts():
    """A first bid far away: the spread of 50 ticks is the warm-up's."""
    rows = [
        (0, ADD, BID, 500, 10, 0),
        (0, ADD, ASK, 1000, 10, 1),
        (50, ADD, BID, 990, 10, 2),
    ]
    rows += [(50 + i, ADD, BID, 500 - i, 10, 2 + i) for i in range(1, 30)]
    found = statistics_of(tape_of(*rows))
    assert found["spread"].values.tolist() == [2.0]
    assert found["spread"].weights.sum() == pytest.approx(29.0)


def test_depth_is_that_of_a_book_kept_by_hand(hour: Tape):
    """The slow twin: two dictionaries of levels."""
    depth, events = depth_lots(hour), hour.events
    sides = {BID: defaultdict(int), ASK: defaultdict(int)}
    for i in range(4000):
        kind, side = events.kind[i], int(events.side[i])
        if kind == HIDDEN:
            continue
        lots = sides[side]
        lots[events.level[i]] += int(events.qty[i]) * (1 if kind == ADD else -1)
        if lots[events.level[i]] == 0:
            del lots[events.level[i]]
        if i % 50 == 0:
            for row, of in ((0, BID), (1, ASK)):
                best = sorted(sides[of], reverse=of == BID)[:DEEP]
                shown = [sides[of][level] for level in best]
                assert depth[i, row].tolist() == [shown[0] if shown else 0, sum(shown)]


def test_lifetimes_are_those_of_orders_followed_one_by_one(hour: Tape):
    events, born, left, lives = hour.events, {}, {}, []
    for ts, kind, slot, qty in zip(
        *(column.tolist() for column in (events.ts, events.kind, events.slot, events.qty)),
        strict=True,
    ):
        if kind == ADD:
            born[slot], left[slot] = ts, qty
        elif slot in left:
            left[slot] -= qty
            if left[slot] == 0:
                lives.append((ts - born[slot]) / NS_PER_S)
    assert lifetimes_s(hour).tolist() == pytest.approx(lives)


def test_a_poisson_market_looks_as_it_was_made(hour: Tape):
    """Cancels of 0.02 a second: a life of 50 s at most on average; arrivals are exponential."""
    found = statistics_of(hour)
    gaps = found["inter_arrival"]
    assert gaps.quantiles(0.5) / gaps.mean == pytest.approx(np.log(2.0), rel=0.05)
    assert 30.0 < found["lifetime"].mean < 50.0
    assert found["spread"].weights.sum() == pytest.approx(3600.0, rel=0.01)


@pytest.mark.recorded
def test_recorded_days_are_nearer_to_one_another_than_to_a_poisson_day(recorded: Path):
    """In the median statistic, and by both distances."""
    folder = recorded / "lobster-2003" / "INTC"
    one, two = (statistics_of(load(path)) for path in sorted(folder.glob("*.csv.gz"))[:2])
    poisson = statistics_of(simulate_day(MarketSettings(), "2026-01-05", 7))
    for distance in (l1_distance, relative_wasserstein):
        apart = np.median([distance(one[name], two[name]) for name in UNITS])
        off = np.median([distance(one[name], poisson[name]) for name in UNITS])
        assert apart < 0.25 < 0.4 < off


def test_the_share_of_time_with_one_side_only_is_of_time_and_not_of_rows() -> None:
    """The offer is bought up after 50 of 100 s, and there is another after 75."""
    rows = [
        (0, ADD, BID, 100, 20, 0), (0, ADD, ASK, 110, 30, 1), (50, EXECUTE, ASK, 110, 30, 1),
        (75, ADD, ASK, 112, 5, 1), (100, ADD, ASK, 113, 5, 2),
    ]  # fmt: skip
    assert one_sided(tape_of(*rows)) == pytest.approx(0.25)
    assert one_sided(tape_of(*rows[:3], (100, ADD, BID, 99, 1, 2))) == pytest.approx(0.5)
    assert np.isnan(one_sided(tape_of(rows[0])))
