"""To jump to a time is to have rolled there: book, halts, and everything that trades afterwards."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.engine import doors
from paceline.errors import TapeError
from paceline.market import events as ev
from paceline.market.compiler import IMAGE_EVERY, compile_rows

from . import flows

N_STEPS = 3 * IMAGE_EVERY


@cache
def long_day(depth):
    """Rows of a tape with several images."""
    return flows.market(flows.random_steps(7, N_STEPS), depth)


def a_floor(depth, rules=None):
    return flows.floor_on(long_day(depth), rules or flows.plain_rules(), ts=0)


def same_books(one, other):
    """Levels, queues and the orders in them; what a free slot remembers is nobody's business."""
    assert one.best.tobytes() == other.best.tobytes()
    assert one.levels.tobytes() == other.levels.tobytes()
    used = one.slots["lots"] > 0
    assert np.array_equal(used, other.slots["lots"] > 0)
    for name in one.slots.dtype.names:
        assert np.array_equal(one.slots[name][used], other.slots[name][used]), name


@pytest.mark.parametrize("depth", ["L3", "L2"])
def test_seek_is_roll(depth):
    rows = long_day(depth)
    dice = random.Random(1)
    times = {int(ts) + late for ts in dice.choices(rows.ts, k=25) for late in (-1, 0)}
    edges = {
        int(rows.ts[i]) for i in range(0, len(rows.ts), IMAGE_EVERY) for i in (max(i - 1, 0), i)
    }
    rolling, _ = a_floor(depth)
    jumping, images = a_floor(depth)
    assert len(images.halted) >= 3
    for ts in sorted(times | edges | {int(rows.ts[-1]), int(rows.ts[-1]) + 9}):
        doors.advance(rolling, ts)
        doors.seek(jumping, images, ts, 0)
        same_books(rolling.book, jumping.book)
        for name in ("cursor", "stopped", "now"):
            assert rolling.account.clock[0][name] == jumping.account.clock[0][name]


@flows.examples(60)
@given(
    depth=st.sampled_from(("L3", "L2")),
    where=st.floats(0, 1),
    rules=flows.random_rules(open_ns=0, close_ns=flows.ANYWHERE),
    plan=flows.actions(),
    seed=st.integers(0, 2**63 - 1),
)
def test_trading_after_a_seek_is_trading_after_a_roll(depth, where, rules, plan, seed):
    rows = long_day(depth)
    ts = int(rows.ts[0] + where * (rows.ts[-1] - rows.ts[0]))
    outcome = []
    for jump in (True, False):
        floor, images = _floors(depth)
        floor = floor._replace(rules=rules)
        if jump:
            doors.seek(floor, images, ts, seed)
        else:
            doors.seek(floor, images, 0, seed)
            doors.advance(floor, ts)
        kernels = flows.Kernels(floor)
        flows.play(kernels, plan, end=ts + 300, ts=ts)
        outcome.append((kernels.orders.tobytes(), kernels.fills.tobytes()))
    assert outcome[0] == outcome[1]


@cache
def _floors(depth):
    return a_floor(depth)


def test_derived_columns_say_what_the_book_shows():
    for depth in ("L3", "L2"):
        rows = long_day(depth)
        events, _, _ = compile_rows(rows)
        floor, _ = a_floor(depth)
        volume = 0
        last = {int(ts): i for i, ts in enumerate(rows.ts)}
        for i, kind in enumerate(rows.kind):
            if kind in (ev.EXECUTE, ev.HIDDEN, ev.TRADE):
                volume += int(rows.lots[i])
            assert events.volume[i] == volume
        for ts, i in sorted(last.items()):
            doors.advance(floor, ts)
            assert (events.bid[i], events.ask[i]) == tuple(floor.book.best)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([(0, ev.ADD, 1, 100, 9, 0), (1, ev.DELETE, 1, 100, 5, 0)], "row 1 .delete. .*a part"),
        ([(0, ev.ADD, 1, 100, 9, 0), (1, ev.LEVEL, 1, 100, 5, -1)], "row 1 .level. mixes"),
        ([(0, ev.LEVEL, 1, 100, 9, -1), (1, ev.ADD, 1, 100, 5, 0)], "row 1 .add. mixes"),
        ([(0, ev.ADD, 1, 100, 9, 0), (1, ev.EXECUTE, 1, 100, 10, 0)], "row 1 .execute. .*more"),
        ([(0, ev.ADD, 1, 100, 9, 0), (1, ev.ADD, 1, 100, 9, 0)], "row 1 .add. .*taken"),
        ([(0, ev.ADD, 1, 100, 9, 0), (1, ev.EXECUTE, -1, 100, 9, 0)], "row 1 .execute. .*side"),
        ([(0, ev.EXECUTE, 1, 100, 9, 0)], "row 0 .execute. .*not in the book"),
        ([(1, ev.ADD, 1, 100, 9, 0), (0, ev.ADD, 1, 100, 9, 1)], "row 1 is earlier"),
    ],
)
def test_what_no_book_can_do_is_refused(rows, complaint):
    with pytest.raises(TapeError, match=complaint):
        compile_rows(flows.rows_of(rows))
