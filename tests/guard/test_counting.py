"""What is counted, against exact counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from guard.states import NOW, limits, order, state
from paceline.guard import counting
from paceline.guard.counting import PARENT_RECORD, Counters, admit, new_counters
from paceline.guard.reasons import names
from paceline.guard.rolling import BUCKETS, ROLLING_RECORD, count, counted
from paceline.guard.rules import CANCEL, HOLD, PROTECT, REPLACE
from paceline.guard.snapshot import CANCEL_ALL, MISSING, NO_OFFER, blank_snapshots
from paceline.jit import kernel
from paceline.units import NS_PER_S


@kernel
def rolled(
    rolling: NDArray[np.void], ts: NDArray[np.int64], n: NDArray[np.int64],
    found: NDArray[np.int64],
) -> None:  # fmt: skip
    for k in range(len(ts)):
        count(rolling[0], ts[k], n[k])
        found[k] = counted(rolling[0], ts[k])


@given(
    st.integers(1, 5000),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 9)), min_size=1, max_size=80),
    st.integers(0, 10**18),
)
def test_never_too_few_and_hardly_too_many(
    window: int, steps: list[tuple[int, int]], start: int
) -> None:
    gaps, n = np.array(steps, np.int64).T
    ts = start + np.cumsum(gaps)
    rolling = np.zeros(1, ROLLING_RECORD)
    rolling["bucket_ns"] = -(-window // (BUCKETS - 1))
    found = np.zeros(len(ts), np.int64)
    rolled(rolling, ts, np.ascontiguousarray(n), found)
    longest = BUCKETS * rolling[0]["bucket_ns"]
    for k, now in enumerate(ts):
        before = ts[: k + 1]
        assert found[k] >= n[: k + 1][before > now - window].sum()
        assert found[k] <= n[: k + 1][before > now - longest].sum()


def test_without_a_window_nothing_is_known() -> None:
    found = np.zeros(1, np.int64)
    rolled(np.zeros(1, ROLLING_RECORD), np.array([NOW]), np.array([3]), found)
    assert found[0] == MISSING


class Desk:
    """Parents on one symbol, for tests by hand."""

    def __init__(
        self, sides: list[int], room: int = 4, policies: list[int] | None = None, **changed: Any
    ) -> None:
        self.later_s = 1.0
        parents = np.zeros(len(sides), PARENT_RECORD)
        parents["policy"] = policies or 0
        parents["lot_units"] = parents["tick_units"] = 1
        parents["side"], parents["lots"] = sides, 2500
        parents["start_ts"], parents["end_ts"] = NOW, NOW + 10**12
        self.limits = np.concatenate([limits(**changed)] * len(sides))
        self.counters: Counters = new_counters(parents, self.limits, room)
        self.counters.symbols["position_units"] = 0
        self.snapshots = np.concatenate([state()] * len(sides))
        self.orders = np.concatenate([order()] * len(sides))

    def send(self, parent: int, child: int, **changed: Any) -> tuple[str, ...]:
        side = int(self.counters.parents[parent]["side"])
        given = {"side": side, "ticks": 2085 - side, **changed}
        self.orders[parent] = order(**given)[0]
        now = NOW + round(self.later_s * NS_PER_S)
        mode = self.snapshots[parent]["kill_mode"]
        self.snapshots[parent] = state(now_ts=now, data_ts=now, kill_mode=mode)[0]
        return names(admit(self.limits, self.counters, self.snapshots, self.orders, parent, child))

    def seen(self, parent: int, *fields: str) -> list[int]:
        self.send(parent, 0, kind=HOLD)
        return [int(self.snapshots[parent][field]) for field in fields]


def test_counting_is_at_send() -> None:
    desk = Desk([1, 1, -1])
    assert desk.send(0, 1) == ()
    assert desk.send(1, 2, lots=30) == ()
    assert desk.send(2, 3, lots=5, ticks=2087) == ()
    assert desk.seen(0, "working_lots", "symbol_working_lots", "symbol_side_lots") == [
        100,
        135,
        130,
    ]
    assert desk.seen(2, "working_lots", "symbol_side_lots", "symbol_orders") == [5, 5, 3]
    assert desk.seen(1, "own_bid_ticks", "own_ask_ticks") == [2084, 2087]
    assert desk.seen(1, "messages", "symbol_messages", "inventory_lots") == [1, 3, 2500]
    assert desk.send(1, 4, lots=7, ticks=2087) == ("self_match",)
    assert desk.seen(1, "messages", "symbol_messages") == [1, 3]


def test_fills_turn_what_works_into_what_is_held() -> None:
    desk = Desk([1, 1])
    desk.send(0, 1)
    assert counting.filled(desk.counters, 0, 1, 40, NOW + NS_PER_S)
    shown = ("working_lots", "filled_lots", "symbol_filled_lots", "inventory_lots", "position_lots")
    assert desk.seen(0, *shown) == [60, 40, 40, 2460, 40]
    assert desk.seen(1, *shown) == [0, 0, 40, 2500, 40]
    assert counting.filled(desk.counters, 0, 1, 60, NOW + NS_PER_S)
    assert desk.seen(0, "symbol_orders", "own_bid_ticks", "own_ask_ticks") == [0, 0, NO_OFFER]
    assert not counting.filled(desk.counters, 0, 1, 5, NOW + NS_PER_S)
    assert desk.seen(0, *shown) == [0, 105, 105, 2395, 105]


def test_until_a_replace_is_confirmed_both_count() -> None:
    desk = Desk([1])
    desk.send(0, 1)
    desk.counters.working["sent_ts"] -= NS_PER_S
    assert desk.send(0, 1, kind=REPLACE, lots=30, ticks=2080) == ()
    assert desk.seen(0, "working_lots", "own_bid_ticks", "messages", "cancels") == [100, 2084, 2, 1]
    counting.filled(desk.counters, 0, 1, 10, NOW + NS_PER_S)
    assert counting.replaced(desk.counters, 0, 1)
    assert desk.seen(0, "working_lots", "own_bid_ticks") == [20, 2080]
    assert not counting.replaced(desk.counters, 0, 1)
    assert counting.over(desk.counters, 0, 1)
    assert not counting.over(desk.counters, 0, 1)
    assert desk.seen(0, "working_lots") == [0]


@pytest.mark.parametrize("lots", [30, 50])
def test_a_replace_that_fills_overtake_is_over(lots: int) -> None:
    desk = Desk([1], min_resting_s=0)
    desk.send(0, 1)
    assert desk.send(0, 1, kind=REPLACE, lots=30) == ()
    counting.filled(desk.counters, 0, 1, lots, NOW + NS_PER_S)
    assert counting.replaced(desk.counters, 0, 1)
    assert desk.seen(0, "symbol_orders", "working_lots") == [0, 0]


def test_orders_of_others_cannot_be_touched() -> None:
    desk = Desk([1, 1], min_resting_s=0)
    desk.send(0, 1)
    for kind in (CANCEL, REPLACE, PROTECT):
        for child in (1, 0, 9, -1):
            assert desk.send(1, child, kind=kind) == ("malformed",)
    assert desk.send(1, 1, lots=3, ticks=2080) == ("duplicate",)
    assert desk.send(1, 0, lots=1) == ("malformed",)
    # What an order says of itself is not believed.
    assert desk.send(1, 5, kind=CANCEL, replaced_lots=10, replaced_age_ns=10**12) == ("malformed",)


def test_a_table_that_is_full_takes_no_order() -> None:
    desk = Desk([1], room=2, max_working_orders="unlimited")
    assert desk.send(0, 1, lots=1) == desk.send(0, 2, lots=2) == ()
    assert desk.send(0, 3, lots=3) == ("working_orders",)


def test_protecting_counts_and_is_never_bound() -> None:
    desk = Desk([1], max_messages=1, max_cancels=0)
    desk.send(0, 1)
    assert desk.send(0, 1, kind=CANCEL) == ("max_messages", "max_cancels", "min_resting")
    assert desk.send(0, 1, kind=PROTECT) == ()
    desk.snapshots["kill_mode"] = CANCEL_ALL
    assert desk.send(0, 1, kind=CANCEL) == ()
    assert desk.seen(0, "messages", "cancels") == [3, 2]
    assert desk.seen(0, "symbol_messages", "symbol_cancels") == [3, 2]


@pytest.mark.parametrize("field", ["window_s", "rate_window_s"])
def test_the_longest_window_counts_for_a_symbol(field: str) -> None:
    parents = np.zeros(2, PARENT_RECORD)
    both = np.concatenate([limits(**{field: 31}), limits(**{field: 62})])
    counters = new_counters(parents, both)
    rolling = counters.fills if field == "window_s" else counters.messages
    assert rolling["bucket_ns"].tolist() == [2 * NS_PER_S]
    assert len(blank_snapshots(2)) == 2


# --- repeated executions -------------------------------------------------------------------------


def test_a_send_counts_as_executed_until_it_is_over() -> None:
    desk = Desk([1], max_executions=2, max_working_orders="unlimited")
    assert desk.send(0, 1, lots=1) == desk.send(0, 2, lots=2) == ()
    assert desk.seen(0, "executions") == [2]
    assert desk.send(0, 3, lots=3) == ("repeated",)
    assert counting.over(desk.counters, 0, 1)
    assert desk.seen(0, "executions", "may_repeat") == [1, 1]
    assert desk.send(0, 3, lots=3) == ()


def test_the_last_execution_stops_a_policy_until_a_person_lets_it_go_on() -> None:
    desk = Desk([1], max_executions=2, execution_window_s="unlimited")
    later = NOW + 2 * NS_PER_S
    for child in (1, 2):
        assert desk.send(0, child, lots=child + 1) == ()
        assert counting.filled(desk.counters, 0, child, 1, NOW + NS_PER_S)
        assert desk.seen(0, "executions", "may_repeat") == [child, 2 - child]
        # Pieces of one order are one execution.
        assert counting.filled(desk.counters, 0, child, child, NOW + NS_PER_S)
        assert desk.seen(0, "executions", "may_repeat") == [child, 2 - child]
    assert desk.send(0, 3) == ("repeated",)
    assert counting.let_go_on(desk.counters, 0)
    assert not counting.let_go_on(desk.counters, 0)
    assert desk.seen(0, "executions", "may_repeat") == [0, 1]
    assert desk.send(0, 3, lots=9) == ()
    assert counting.filled(desk.counters, 0, 3, 9, later)


def test_a_replace_may_execute_once_more() -> None:
    desk = Desk([1], max_executions=3, min_resting_s=0)
    assert desk.send(0, 1) == ()
    assert desk.send(0, 1, kind=REPLACE, lots=90) == ()
    assert desk.seen(0, "executions") == [2]
    # Once it is confirmed, of the two only one may.
    assert counting.replaced(desk.counters, 0, 1)
    assert desk.seen(0, "executions") == [1]
    assert counting.filled(desk.counters, 0, 1, 5, NOW + NS_PER_S)
    assert desk.send(0, 1, kind=REPLACE, lots=80) == ()
    for _ in range(3):  # a race: what trades before the confirmation is the old order's
        assert counting.filled(desk.counters, 0, 1, 5, NOW + NS_PER_S)
    assert desk.seen(0, "executions", "may_repeat") == [2, 1]
    assert desk.send(0, 1, kind=REPLACE, lots=70) == ()
    assert desk.send(0, 1, kind=REPLACE, lots=60) == ("repeated",)
    assert desk.send(0, 1, kind=CANCEL) == ()


def test_parents_of_a_policy_share_what_it_executes_and_others_do_not() -> None:
    desk = Desk([1, 1, 1], policies=[0, 0, 1], max_executions=1)
    assert desk.send(0, 1, lots=1) == ()
    assert desk.send(1, 2, lots=2) == ("repeated",)
    assert desk.send(2, 3, lots=3) == ()
    assert counting.filled(desk.counters, 0, 1, 1, NOW + NS_PER_S)
    assert [desk.seen(k, "may_repeat") for k in range(3)] == [[0], [0], [1]]


def test_of_a_policy_s_limits_the_strictest_stops_it() -> None:
    parents = np.zeros(2, PARENT_RECORD)
    both = np.concatenate([limits(max_executions=n) for n in (3, 2)])
    assert new_counters(parents, both).policies["max_executions"].tolist() == [2]
    assert new_counters(parents[:0], both[:0]).policies.tolist() == []


def test_a_fill_of_what_was_over_is_an_execution() -> None:
    desk = Desk([1], max_executions=1)
    assert desk.send(0, 1) == ()
    assert counting.over(desk.counters, 0, 1)
    assert not counting.filled(desk.counters, 0, 1, 5, NOW + NS_PER_S)
    assert desk.send(0, 2, lots=7) == ("repeated",)


def test_executions_leave_the_window_and_a_stop_does_not() -> None:
    desk = Desk([1], max_executions=2, execution_window_s=31)
    assert desk.send(0, 1) == ()
    assert counting.filled(desk.counters, 0, 1, 100, NOW - 40 * NS_PER_S)
    assert desk.seen(0, "executions", "may_repeat") == [0, 1]
    for child in (2, 3):
        assert desk.send(0, child, lots=child) == ()
        assert counting.filled(desk.counters, 0, child, child, NOW - NS_PER_S)
    desk.later_s = 100.0
    assert desk.seen(0, "executions", "may_repeat") == [0, 0]
    assert desk.send(0, 4) == ("repeated",)


def test_a_fill_from_the_future_does_not_make_us_forget() -> None:
    desk = Desk([1], max_ahead="unlimited")
    assert desk.send(0, 1) == ()
    assert counting.filled(desk.counters, 0, 1, 60, NOW)
    assert counting.filled(desk.counters, 0, 1, 1, NOW + 3600 * NS_PER_S)
    # The window stands at the fill now; for an order before it we cannot count.
    assert desk.send(0, 2, lots=5) == ("clock_back",)
