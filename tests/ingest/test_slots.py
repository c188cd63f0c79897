"""Ids to slots, against a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paceline.ingest.ordering import longest_rising
from paceline.ingest.resolve import NOTHING, Ops, resolve
from paceline.market.events import ADD, DELETE

IDS = st.one_of(
    st.integers(0, 12),
    st.integers(0, 30).map(lambda k: k << 32),
    st.integers(-(2**63), 2**63 - 1),
)


@given(st.lists(st.tuples(st.booleans(), IDS), max_size=300))
def test_slots_are_those_of_a_dictionary(steps: list[tuple[bool, int]]) -> None:
    n = len(steps)
    ops = Ops(
        op=np.array([ADD if adds else DELETE for adds, _ in steps], np.uint8),
        order_id=np.array([key for _, key in steps], np.int64),
        side=np.ones(n, np.int8),
        ticks=np.full(n, 5, np.int64),
        lots=np.ones(n, np.int64),
    )
    fault = np.zeros(n, np.uint8)
    rows, origin = resolve(ops, np.arange(n), fault)
    live: dict[int, int] = {}
    most = 0
    made = iter(zip(rows.kind.tolist(), rows.slot.tolist(), origin.tolist(), strict=True))
    for i, (adds, key) in enumerate(steps):
        if adds == (key in live):
            assert fault[i] != 0
            continue
        assert fault[i] == 0
        kind, slot, row = next(made)
        assert row == i
        if adds:
            assert kind == ADD
            assert slot not in live.values()
            live[key] = slot
            most = max(most, len(live))
        else:
            assert kind == DELETE
            assert slot == live.pop(key)
    assert next(made, None) is None
    assert n == 0 or len(rows.slot) == 0 or rows.slot.max() < most


def test_many_orders_outgrow_the_table() -> None:
    n = 20_000
    ids = np.random.default_rng(1).permutation(n).astype(np.int64) << 20
    ops = Ops(
        op=np.repeat(np.array([ADD, DELETE], np.uint8), n),
        order_id=np.concatenate([ids, ids[::-1]]),
        side=np.ones(2 * n, np.int8),
        ticks=np.full(2 * n, 5, np.int64),
        lots=np.ones(2 * n, np.int64),
    )
    fault = np.zeros(2 * n, np.uint8)
    rows, _ = resolve(ops, np.arange(2 * n), fault)
    assert not fault.any()
    assert rows.slot[:n].tolist() == list(range(n))
    assert rows.slot[n:].tolist() == list(range(n - 1, -1, -1))


def test_nothing_does_nothing() -> None:
    one = np.ones(1, np.int64)
    ops = Ops(np.full(1, NOTHING, np.uint8), one, one.astype(np.int8), one, one)
    rows, _ = resolve(ops, one, np.zeros(1, np.uint8))
    assert len(rows.ts) == 0


@given(st.lists(st.integers(0, 9), max_size=40))
def test_the_fewest_rows_leave(times: list[int]) -> None:
    stays = longest_rising(np.array(times, np.int64))
    kept = [t for t, stay in zip(times, stays.tolist(), strict=True) if stay]
    assert kept == sorted(kept)
    longest = [0] * len(times)
    for i, t in enumerate(times):
        longest[i] = 1 + max((longest[j] for j in range(i) if times[j] <= t), default=0)
    assert len(kept) == max(longest, default=0)
