"""Actions of a box: what two numbers mean, and the nearest legal order by the guard's slow twin."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest

from decision.conftest import N, state_of
from decision.judging import against
from paceline.decision.actions import ACTION_RECORD, HOLD, POST, TAKE
from paceline.decision.box import ActionBox, aim
from paceline.decision.decide import mean
from paceline.decision.mask import NO_PRICE, NO_ROOM
from paceline.decision.state import State, new_state
from paceline.env.batch_env import BatchExecutionEnv
from paceline.errors import ConfigError
from paceline.guard.limits import LIMITS_RECORD, UNLIMITED
from paceline.guard.reasons import names
from paceline.guard.rules import IOC, LIMIT
from paceline.guard.snapshot import HALT, MISSING, NO_OFFER, REDUCE_ONLY

BOX = ActionBox(behind=3, through=2, wait_s=1.5)
PRICES = {"off_tick", "passive_only", "price_band", "price_move", "self_match"}


def aimed(
    state: State, limits: np.void, snapshot: np.void, fraction: float, offset: float,
    box: ActionBox = BOX, may_send: bool = True,
) -> tuple[np.void, int, tuple[int, int, int]]:  # fmt: skip
    """The action, the reasons against what was asked for, and the child: type, price, size."""
    rows, child = np.zeros(1, ACTION_RECORD), np.zeros(3, np.int64)
    bits = aim(state, limits, snapshot, may_send, box.scale(), fraction, offset, rows[0])
    if rows[0]["does"] != HOLD:
        mean(state, rows, 0, child)
    return rows[0], bits, tuple(child.tolist())


def asked(state: State, fraction: float, offset: float) -> tuple[int, int]:
    """Price and size that two numbers mean, by the words of the page."""
    side, step = int(state.order[0]["side"]), int(state.context[0]["order_step"])
    bid, ask = int(state.ticks[0, 0]), int(state.ticks[1, 0])
    near = bid // step * step if side > 0 else -(-ask // step) * step
    far = -(-ask // step) * step if side > 0 else bid // step * step
    spread = side * (far - near) // step
    if offset > 0:
        steps = floor(Fraction(offset) * (spread + BOX.through) + Fraction(1, 2))
    else:
        steps = -floor(Fraction(-offset) * BOX.behind + Fraction(1, 2))
    lots = floor(fraction * int(state.order[0]["left"]) + 0.5)
    return max(near + side * steps * step, step), lots


@pytest.mark.parametrize(
    ("side", "offset", "does", "ticks"),
    [
        (1, -1.0, POST, 97), (1, -0.5, POST, 98), (1, -0.16, POST, 100), (1, 0.0, POST, 100),
        (1, 0.08, POST, 100), (1, 0.2, POST, 101), (1, 0.5, POST, 103), (1, 0.7, TAKE, 104),
        (1, 0.9, TAKE, 105), (1, 1.0, TAKE, 106),
        (-1, -1.0, POST, 107), (-1, 0.0, POST, 104), (-1, 0.2, POST, 103), (-1, 0.7, TAKE, 100),
        (-1, 1.0, TAKE, 98),
    ],
)  # fmt: skip
def test_an_offset_reaches_from_behind_our_touch_to_through_the_other(
    side: int, offset: float, does: int, ticks: int
) -> None:
    """A book of 100 to 104."""
    state, limits, snapshot = plain(side)
    action, bits, child = aimed(state, limits, snapshot, 0.5, offset)
    assert (action["does"], bits) == (does, 0)
    assert child == (IOC if does == TAKE else LIMIT, ticks, 500)
    assert action["wait_ns"] == 1_500_000_000


def plain(side: int) -> tuple[State, np.void, np.void]:
    """An order of 1,000 lots in a wide book where nothing is forbidden."""
    state = new_state()
    state.ticks[0, 0], state.ticks[1, 0] = 100, 104
    state.sizes[:, 0] = 50
    order = state.order[0]
    order["side"], order["lots"], order["left"] = side, 1000, 1000
    limits, snapshot = np.zeros(1, LIMITS_RECORD), new_snapshot(side)
    for name in LIMITS_RECORD.names or ():
        limits[name] = UNLIMITED
    limits["band_reference"], limits["order_step"] = 0, 1
    limits["min_resting_ns"] = limits["duplicate_ns"] = 0
    return state, limits[0], snapshot


def new_snapshot(side: int) -> np.void:
    from guard.states import state as snapshots

    return snapshots(
        side=side, bid_ticks=100, ask_ticks=104, own_bid_ticks=0, own_ask_ticks=NO_OFFER,
        located_lots=UNLIMITED, inventory_lots=1000, parent_lots=1000,
    )[0]  # fmt: skip


@pytest.mark.parametrize(
    ("fraction", "left", "lots"),
    [(0.0, 1000, 0), (0.0004, 1000, 0), (0.0005, 1000, 1), (1.0, 1000, 1000), (1 / 3, 7, 2)],
)
def test_a_fraction_is_of_what_is_left_and_none_is_a_hold(
    fraction: float, left: int, lots: int
) -> None:
    state, limits, snapshot = plain(1)
    state.order[0]["left"] = snapshot["inventory_lots"] = left
    action, bits, child = aimed(state, limits, snapshot, fraction, 0.0)
    assert bits == 0
    assert child[2] == lots
    assert (action["does"] == HOLD) == (lots == 0)


def test_what_is_beyond_a_limit_falls_back_to_it() -> None:
    """Each by hand: to the band, to where it rests, to the room that is left; or it is held."""
    state, limits, snapshot = plain(1)
    snapshot["reference_half_ticks"][0] = 204  # 102
    limits["band_ticks"] = 0
    _, bits, child = aimed(state, limits, snapshot, 0.5, 1.0)
    assert (names(bits), child) == (("price_band",), (LIMIT, 102, 500))
    limits["band_ticks"], snapshot["quiet"] = UNLIMITED, 0
    _, bits, child = aimed(state, limits, snapshot, 0.5, 1.0)
    assert (names(bits), child) == (("passive_only",), (LIMIT, 103, 500))
    snapshot["quiet"] = 1
    limits["child_max_lots"], limits["max_order_value"] = 300, 105 * 200 + 104
    _, bits, child = aimed(state, limits, snapshot, 0.5, 0.9)
    assert (names(bits), child) == (("child_max", "order_value"), (IOC, 105, 200))
    limits["max_order_value"] = 90
    action, bits, _ = aimed(state, limits, snapshot, 0.5, 0.9)
    assert action["does"] == HOLD
    assert names(bits) == ("child_max", "order_value")
    action, bits, _ = aimed(state, limits, snapshot, 0.5, 0.9, may_send=False)
    assert action["does"] == HOLD
    assert bits & NO_ROOM
    state.sizes[1, 0] = 0
    action, bits, _ = aimed(state, limits, snapshot, 0.5, 0.9)
    assert (action["does"], bits) == (HOLD, NO_PRICE)


def troubled(dice: np.random.Generator, limits: np.void, snapshot: np.void, left: int) -> None:
    """Limits and a desk that forbid something or other, most of the time near an edge."""
    side, ask, bid = int(snapshot["side"]), snapshot["ask_ticks"], snapshot["bid_ticks"]
    touch = ask if side > 0 else bid
    for name in ("child_max_lots", "max_order_lots", "max_working_lots"):
        if dice.random() < 0.2:
            limits[name] = dice.integers(-1, left + 2)
    if dice.random() < 0.2:
        limits["max_order_value"] = touch * dice.integers(0, left + 2) + dice.integers(100)
    if dice.random() < 0.2:
        limits["participation_ppm"] = dice.integers(1, 500_000)
    if dice.random() < 0.3:
        limits["band_ticks"] = dice.integers(0, 60)
    if dice.random() < 0.2:
        limits["move_ppm"], limits["move_window_ns"] = dice.integers(1, 9000), 10**9
        snapshot["period_half_ticks"] = bid + ask + dice.integers(-60, 60)
    if dice.random() < 0.2:
        limits["max_ahead_ppm"] = dice.integers(0, 400_000)
    if dice.random() < 0.2:
        limits["max_position_lots"] = dice.integers(0, 2 * left + 2)
    if dice.random() < 0.2:
        snapshot["quiet"] = 0
    if dice.random() < 0.15:
        own = "own_ask_ticks" if side > 0 else "own_bid_ticks"
        snapshot[own] = touch + dice.integers(-40, 40)
    if dice.random() < 0.05:
        snapshot["kill_mode"] = dice.choice([REDUCE_ONLY, HALT])
    if dice.random() < 0.05:
        limits["max_messages"] = snapshot["messages"]
    if dice.random() < 0.05:
        limits["min_resting_ns"] = 10**9
    if dice.random() < 0.05:
        limits["order_step"] = dice.choice([0, 1])
    if dice.random() < 0.05:
        snapshot["others_lots"] = MISSING


def test_it_is_the_nearest_order_that_breaks_nothing(
    walked: Callable[..., BatchExecutionEnv],
) -> None:
    """By the slow twin: what comes out breaks no rule, at no costlier price up to the one asked for
    may even a lot go, and one lot more may not; where it is held, nothing may go at any price."""
    env, dice = walked(30), np.random.default_rng(4)
    counted = dict.fromkeys(("as asked", "mended", "held", "none asked"), 0)
    for i in range(N):
        state, order = state_of(env, i), env.lives.order[i, 0]
        step, side = int(state.context[0]["order_step"]), int(order["side"])
        if order["left"] == 0 or np.any(state.sizes[:, 0] == 0):
            continue
        for _ in range(40):
            limits, snapshot = env.lives.limits[i].copy(), env.lives.snapshot[i].copy()
            troubled(dice, limits, snapshot, int(order["left"]))
            fraction = dice.choice([dice.random(), dice.random() ** 6, 1.0])
            offset = dice.choice([dice.uniform(-1, 1), -1.0, 0.0, 1.0])

            def broken(
                ticks: int, lots: int, of: tuple[Any, ...] = (state, limits, snapshot)
            ) -> set[str]:
                side, snapshot = of[0].order[0]["side"], of[2]
                takes = side * ticks >= side * snapshot["ask_ticks" if side > 0 else "bid_ticks"]
                return against(*of, IOC if takes else LIMIT, ticks, lots)

            action, bits, (type_, ticks, lots) = aimed(state, limits, snapshot, fraction, offset)
            wanted, most = asked(state, fraction, offset)
            if most == 0:
                counted["none asked"] += 1
                assert (action["does"], bits) == (HOLD, 0)
                continue
            assert set(names(bits)) == broken(wanted, most)
            down = range(wanted, wanted - side * 130 * step, -side * step)
            if action["does"] == HOLD:
                counted["held"] += 1
                assert bits != 0
                assert all(broken(price, 1) for price in down if price > 0)
                continue
            counted["mended" if bits else "as asked"] += 1
            assert broken(ticks, lots) == set()
            assert (type_ == IOC) == (side * ticks >= side * state.ticks[(1 + side) // 2, 0])
            if bits == 0:
                assert (ticks, lots) == (wanted, most)
            else:
                costlier = range(wanted, ticks, -side * step)
                assert all(broken(price, 1) & PRICES for price in costlier)
                assert side * ticks <= side * wanted
                assert lots <= most
                assert lots == most or broken(ticks, lots + 1)
    assert min(counted.values()) > 40, counted


def test_bad_settings_are_one_line() -> None:
    with pytest.raises(ConfigError, match="behind"):
        ActionBox(behind=-1)
    with pytest.raises(ConfigError, match="wait_s"):
        ActionBox(wait_s=0.0)
