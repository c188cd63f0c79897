"""The mask is the guard's own verdict on every message of the grid, bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray

from decision.conftest import N, state_of
from decision.judging import messages
from decision.test_actions import child_of
from guard.states import LIMITS
from paceline.decision.actions import EXTENDED, MOST_CHOICES, ActionGrid
from paceline.decision.mask import (
    IN_A_ROW,
    NO_PRICE,
    NO_ROOM,
    NO_SIZE,
    OWN_REASONS,
    mask,
    reasons_of,
)
from paceline.decision.state import NOWHERE, State
from paceline.env.batch_env import OPEN_LIMITS, BatchExecutionEnv
from paceline.guard import rules
from paceline.guard.limits import Limits
from paceline.guard.reasons import REASONS
from paceline.guard.rules import HOLD, ORDER_RECORD

STRICT = Limits(**(LIMITS | {
    "participation": 0.05, "symbol_participation": 0.03, "child_max": 8, "max_order_quantity": 6,
    "max_order_value": 100.0, "band_bps": 60, "band_ticks": 60, "move_bps": "unlimited",
    "max_position": 200, "max_working": 20, "max_ahead": 0.01, "max_volatility_bps": 40,
    "min_resting_s": 2.0, "message_rate": "unlimited", "max_messages": "unlimited",
    "cancel_rate": 1, "rate_window_s": 60.0, "max_cancels": "unlimited", "duplicate_s": 0.0,
    "max_data_age_s": "unlimited", "max_executions": "unlimited",
}))  # fmt: skip

PATIENT = structs.replace(
    OPEN_LIMITS, min_resting_s=8.0, cancel_rate=1, rate_window_s=60.0, max_messages=12
)

WATCHED = structs.replace(OPEN_LIMITS, max_executions=5)

OWN = 0
for own_bit in OWN_REASONS:
    OWN |= own_bit


def masked(
    state: State, limits: np.void, snapshot: np.void, grid: ActionGrid, in_a_row: int = 0,
    may_send: bool = True,
) -> NDArray[np.int64]:  # fmt: skip
    bits = np.full(len(grid), -1, np.int64)
    edges = np.zeros((4, MOST_CHOICES), np.int64)
    mask(state, limits, snapshot, grid.table(), in_a_row, may_send, bits, edges)
    return bits


def judged(
    state: State, limits: np.void, snapshot: np.void, grid: ActionGrid
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The guard's bits on all messages of every action of `grid`, and which actions exist."""
    n = len(grid)
    orders = np.zeros((2, n), ORDER_RECORD)
    orders["kind"] = HOLD
    exists = np.zeros(n, bool)
    both = state.sizes[:, 0].all()
    for p, price in enumerate(grid.prices):
        for s, size in enumerate(grid.sizes):
            type_, ticks, lots = child_of(grid, price, size, state)
            if not (both and ticks > 0 and lots > 0):
                continue
            for t in range(len(grid.waits_s)):
                action = grid.index(s, p, t)
                exists[action] = True
                for k, message in enumerate(messages(state, type_, ticks, lots)):
                    for name, value in message.items():
                        orders[k, action][name] = value
    bits = np.zeros((2, n), np.int64)
    rules.mask(np.array([limits] * 2), np.array([snapshot] * 2), orders, bits)
    return bits[0] | bits[1], exists


def cases(env: BatchExecutionEnv):
    for i in range(N):
        yield state_of(env, i), env.lives.limits[i].copy(), env.lives.snapshot[i].copy()


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (OPEN_LIMITS, {"participation"}),
        (PATIENT, {"min_resting", "cancel_rate", "max_messages"}),
        (STRICT, {"child_max", "order_quantity", "order_value", "price_band", "position",
                  "working_lots", "participation", "schedule_drift", "passive_only"}),
        (WATCHED, {"repeated"}),
    ],
    ids=["open", "patient", "strict", "watched"],
)  # fmt: skip
def test_an_environment_masks_what_the_guard_would_block(
    walked: Callable[..., BatchExecutionEnv], limits: Limits, expected: set[str]
) -> None:
    seen = 0
    for steps in (0, 5, 40):
        env = walked(steps, seed=steps, limits=limits)
        for i, (state, limit, snapshot) in enumerate(cases(env)):
            bits, exists = judged(state, limit, snapshot, env.grid)
            np.testing.assert_array_equal((env.lives.bits[i] & ~OWN)[exists], bits[exists])
            assert env.lives.bits[i, 0] == 0
            seen |= int(np.bitwise_or.reduce(bits[exists]))
    found = {reason.name for bit, reason in enumerate(REASONS) if seen >> bit & 1}
    assert expected <= found, f"only {found}: a test that finds little says little"


@pytest.mark.parametrize("grid", [ActionGrid(), EXTENDED, ActionGrid(size_of="adv")])
def test_any_state_of_the_guard_any_grid(
    walked: Callable[..., BatchExecutionEnv], grid: ActionGrid
) -> None:
    """Snapshots and limits that an environment never shows: missing, halted, restricted."""
    dice = np.random.default_rng(11)
    env = walked(20, limits=STRICT)
    names = [
        name for name in env.lives.snapshot.dtype.names
        if name not in ("side", "now_ts", "working_lots", "inventory_lots")
    ]  # fmt: skip
    seen = 0
    for state, limit, snapshot in cases(env):
        for _ in range(4):
            changed, limits = snapshot.copy(), limit.copy()
            for name in dice.choice(names, 2, replace=False):
                changed[name] = dice.choice([-(2**62), 0, 1, 3, 50])
            for name in dice.choice(limits.dtype.names, 1):
                limits[name] = dice.choice([-1, 0, 5])
            state.order["work_ticks"] = dice.choice([NOWHERE, int(state.order["work_ticks"][0])])
            if state.order[0]["work_ticks"] == NOWHERE or not state.order[0]["working"]:
                state.order["work_ticks"] = NOWHERE
                state.order["work_lots"] = state.order["move_lots"] = 0
            got = masked(state, limits, changed, grid)
            bits, exists = judged(state, limits, changed, grid)
            np.testing.assert_array_equal((got & ~OWN)[exists], bits[exists])
            assert not np.any(got[exists] & OWN)
            assert got[0] == 0
            seen |= int(np.bitwise_or.reduce(bits))
    assert seen.bit_count() > 10


def test_own_reasons(walked: Callable[..., BatchExecutionEnv]) -> None:
    env, grid = walked(0), ActionGrid()
    state, limits, snapshot = next(cases(env))
    usual, waits = masked(state, limits, snapshot, grid), grid.table()["wait_ns"]
    full = masked(state, limits, snapshot, grid, may_send=False)
    np.testing.assert_array_equal(full[1:], usual[1:] | NO_ROOM)
    often = masked(state, limits, snapshot, grid, in_a_row=1)
    np.testing.assert_array_equal(often[1:], np.where(waits == 0, usual | IN_A_ROW, usual)[1:])
    gone = state_of(env, 0)
    gone.sizes[1, 0] = 0
    assert np.all(masked(gone, limits, snapshot, grid)[1:] & NO_PRICE)
    done = state_of(env, 0)
    done.order["left"] = 0
    assert np.all(masked(done, limits, snapshot, grid)[1:] & NO_SIZE)
    cheap = state_of(env, 0)
    cheap.ticks[:, 0] = (10, 20)
    cheap.order["side"], cheap.context["order_step"] = 1, 10
    none = masked(cheap, limits, snapshot, grid) & NO_PRICE > 0
    for p, price in enumerate(grid.prices):  # two steps behind 10 is no price
        assert none[grid.index(0, p, 0)] == (price in ("behind_1", "behind_2"))
    for bits in (full, often, masked(gone, limits, snapshot, grid)):
        assert bits[0] == 0, "hold is always legal"


def test_the_largest_grid_has_room(walked: Callable[..., BatchExecutionEnv]) -> None:
    sizes = tuple(round(0.05 * k, 2) for k in range(1, MOST_CHOICES + 1))
    grid = EXTENDED.__class__(sizes=sizes, prices=EXTENDED.prices, waits_s=(1.0,))
    for state, limits, snapshot in cases(walked(10, limits=STRICT)):
        bits, exists = judged(state, limits, snapshot, grid)
        got = masked(state, limits, snapshot, grid)
        np.testing.assert_array_equal((got & ~OWN)[exists], bits[exists])


def test_every_reason_has_its_word() -> None:
    for bit, reason in OWN_REASONS.items():
        assert reasons_of(bit) == [reason]
        assert bit.bit_count() == 1
        assert bit >= 1 << len(REASONS), "a bit of the guard's"
    assert reasons_of(0) == []
    assert reasons_of(NO_PRICE | 1) == [REASONS[0], OWN_REASONS[NO_PRICE]]
