"""The counts: against a slow one on random tapes, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.calibrate.counting import count, new_counts
from paceline.calibrate.ruler import (
    HOURS,
    distance_edges,
    grid_step,
    largest_unit,
    new_ruler,
    usual_touch_lots,
)
from paceline.engine.laws import CANCEL, LIMIT, MARKET, QUEUES
from paceline.errors import InputError
from paceline.market import events as ev
from tests.engine import flows

from .tapes import SlowBook, counted, ruler_of, tape_of, watched

HERE = QUEUES // 2
"""Bucket of the usual queue."""


@flows.examples(60)
@given(
    steps=flows.steps(),
    begin=st.integers(flows.START - 2, flows.START + 60),
    length=st.integers(1, 200),
    step=st.sampled_from((1, 1, 2)),
    reach=st.sampled_from((2, 6, 20)),
)
def test_slow_counts_find_the_same(steps, begin, length, step, reach):
    rows = flows.market(steps, "L3")
    ruler = ruler_of(begin, begin + length, step, reach)
    counts, takers = counted(tape_of(rows), ruler)
    slow = SlowBook(ruler)
    slow.roll(rows)
    for name, seen in counts._asdict().items():
        np.testing.assert_allclose(seen, getattr(slow.counts, name), atol=1e-9, err_msg=name)
    assert np.stack(takers, axis=1).tolist() == slow.takers
    log = watched(tape_of(rows), ruler)
    for name, found, wanted in zip(
        log._fields[1:], log[1:], zip(*slow.log, strict=True), strict=True
    ):
        np.testing.assert_allclose(found, np.array(wanted), atol=1e-15, err_msg=name)


def test_by_hand():
    """Bids 104 (6 lots, the usual) and 103, ask 107. An order improves the bid by 2 of 3 ticks and
    is cancelled after 10 ns; a buyer takes the ask, and a hidden one with it."""
    flow = flows.Flow()
    for side, ticks in ((1, 104), (1, 103), (-1, 107), (-1, 108)):
        flow.join(ev.ADD, side, ticks, 6)
    flow.ts = 1010
    flow.join(ev.ADD, 1, 106, 6)
    flow.ts = 1020
    flow.leave(ev.DELETE, (1, 106), 0, 6)
    flow.ts = 1030
    flow.leave(ev.EXECUTE, (-1, 107), 0, 6)
    flow.put(ev.HIDDEN, -1, 108, 3)
    tape, ruler = tape_of(flows.rows_of(flow.rows)), ruler_of(1001, 1041)
    counts, takers = counted(tape, ruler)
    assert counts.streams.tolist() == [1, 0, 0, 1, 1, 0]
    assert counts.limits.tolist()[:4] == [0, 0, 0, 1], "a spread of 3 is in [2.8, 4)"
    assert counts.improving.tolist()[:4] == [0, 0, 0, 1]
    assert counts.single.sum() == 0
    assert counts.parts.tolist() == pytest.approx([1 / 20] * 20), "the one price there was"
    assert [column.tolist() for column in takers] == [[1030], [1], [9], [3], [3], [6], [0]]
    log = watched(tape, ruler)
    assert log.stream.tolist() == [2 * LIMIT, 2 * CANCEL, 2 * MARKET + 1, -1, -1]
    assert (log.seconds * 1e9).round().tolist() == [9, 10, 10, 0, 11]
    assert log.queue.tolist() == [[HERE, HERE]] * 5
    assert log.width.tolist() == [3, 0, 3, 4, 4], "spreads of 3, 1, 3, 4, 4"
    assert log.gap[:, 0].tolist() == [0, 2, 0, 0, 0], "103 behind 104, and 104 behind 106"
    assert log.orders.sum(axis=2).tolist() == [[2, 2], [3, 2], [2, 2], [2, 1], [2, 1]]


def test_halts_are_no_time():
    flow = flows.Flow()
    flow.join(ev.ADD, 1, 104, 6)
    flow.join(ev.ADD, -1, 107, 6)
    flow.ts = 1010
    flow.put(ev.HALT, 0, 0, 0)
    flow.ts = 1030
    flow.put(ev.RESUME, 0, 0, 0)
    log = watched(tape_of(flows.rows_of(flow.rows)), ruler_of(1000, 1050))
    assert log.seconds.sum() == pytest.approx(30e-9)


def test_bins_of_distances():
    assert distance_edges(17).tolist() == [0, 1, 2, 3, 4, 6, 8, 11, 16, 17]
    assert distance_edges(16).tolist() == [0, 1, 2, 3, 4, 6, 8, 11, 16]
    assert distance_edges(2).tolist() == [0, 1, 2]
    assert len(distance_edges(10_000)) < 32


@pytest.mark.parametrize(
    ("values", "unit"), [([100, 300, 200], 100), ([100, 310, 200], 10), ([1], 1), ([], 1)]
)
def test_the_largest_unit(values, unit):
    assert largest_unit(np.array(values, np.int64), (100, 10, 1), 1.0) == unit


def test_what_the_ruler_of_a_tape_is():
    rows = flows.market(flows.random_steps(3, 400), "L3")
    tape = tape_of(rows)
    ruler = new_ruler(tape, grid_step([tape]), 1, usual_touch_lots([tape]), distance_edges(8))
    assert ruler.hour_ns * HOURS >= tape.session.close_ns
    assert 1 <= ruler.usual_lots <= 40
    counts = new_counts(8)
    takers = count(tape, ruler, counts)
    assert counts.streams[2 * MARKET : 2 * MARKET + 2].sum() == len(takers.ts) > 0
    assert counts.streams.sum() == (watched(tape, ruler).stream >= 0).sum()
    assert counts.streams[2 * LIMIT] > 0
    assert counts.streams[2 * CANCEL] > 0


def test_levels_without_orders_are_refused():
    tape = tape_of(flows.market(flows.random_steps(3, 100), "L2"))
    with pytest.raises(InputError, match="names no orders; calibration needs L3 tapes"):
        usual_touch_lots([tape])
    with pytest.raises(InputError, match="names no orders"):
        count(tape, ruler_of(0, 10), new_counts(6))
