"""Worlds with a known truth: they cost what the formulas say."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from engine.test_flow import many_events
from paceline.cost.impact import Impact, cost_variance, expected_cost
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.engine.worlds import AlmgrenChrissWorld, martingale, walk
from paceline.errors import InputError

IMPACT = Impact(sigma=1.5, gamma=0.002, eta=0.4, epsilon=0.5)
QTY, SLICE_S, START = 1000.0, 30.0, 5000.0
SHAPES = {
    "twap": np.linspace(1, 0, 11),
    "front": np.sinh(3 * np.linspace(1, 0, 11)) / math.sinh(3),
    "pause": np.array([1, 1, 0.5, 0.5, 0]),
}


def cost_of(world: AlmgrenChrissWorld, side: int, left: np.ndarray) -> np.ndarray:
    """`[n]` cost against the first mid, tick lots."""
    total = np.zeros(len(world.mid_ticks))
    for before, after in pairwise(left):
        paid = world.trade(side, QTY * (before - after), SLICE_S)
        if before > after:
            total += side * (paid - START) * QTY * (before - after)
        else:
            assert np.all(np.isnan(paid)), "nothing traded has no price"
    return total


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [1, -1])
def test_a_schedule_costs_what_the_formulas_say(side: int, shape: str) -> None:
    left = SHAPES[shape]
    n = 4000
    cost = cost_of(AlmgrenChrissWorld(IMPACT, n, START, seed=3), side, left)
    [mean] = expected_cost(QTY * left, SLICE_S, IMPACT)
    [variance] = cost_variance(QTY * left, SLICE_S, IMPACT)
    assert abs(cost.mean() - mean) < 4 * math.sqrt(variance / n)
    assert cost.var() == pytest.approx(variance, rel=5 * math.sqrt(2 / n))


def test_without_noise_it_is_exact() -> None:
    calm = IMPACT._replace(sigma=0.0)
    for left in SHAPES.values():
        cost = cost_of(AlmgrenChrissWorld(calm, 3, START), 1, left)
        np.testing.assert_allclose(cost, expected_cost(QTY * left, SLICE_S, calm)[0], rtol=1e-9)


def test_in_a_martingale_nothing_helps() -> None:
    n = 4000
    for seed, left in enumerate(SHAPES.values()):
        world = AlmgrenChrissWorld(martingale(1.5), n, START, seed)
        cost = cost_of(world, 1, left)
        assert abs(cost.mean()) < 4 * cost.std() / math.sqrt(n)
    # Not even one that looks: it buys the more the lower the price is.
    world = AlmgrenChrissWorld(martingale(1.5), n, START, seed=9)
    left, spent = np.full(n, QTY), np.zeros(n)
    for k in range(10):
        lots = np.where(world.mid_ticks < START, left, left / (10 - k))
        paid = world.trade(1, lots, SLICE_S)
        spent += np.where(lots > 0, np.nan_to_num(paid) * lots, 0.0)
        left -= lots
    cost = spent - START * (QTY - left)
    assert np.all(np.abs(left) < 1e-9)
    assert abs(cost.mean()) < 4 * cost.std() / math.sqrt(n)


def test_worlds_are_independent_and_can_be_saved() -> None:
    few, many = (AlmgrenChrissWorld(IMPACT, n, START, seed=7) for n in (5, 50))
    few.trade(1, 10.0, SLICE_S)
    many.trade(1, 10.0, SLICE_S)
    assert np.array_equal(few.mid_ticks, many.mid_ticks[:5]), "whoever lives in the others"
    moves = many.mid_ticks - START
    assert len(set(moves)) == 50
    saved = few.save()
    first = few.trade(-1, [0, 1, 2, 3, 4], SLICE_S)
    after = few.mid_ticks
    few.restore(saved)
    assert np.array_equal(few.trade(-1, [0, 1, 2, 3, 4], SLICE_S), first, equal_nan=True)
    assert np.array_equal(few.mid_ticks, after)
    with pytest.raises(InputError, match="saved: is of 5 worlds, these are 50"):
        many.restore(saved)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: AlmgrenChrissWorld(IMPACT._replace(eta=-1.0), 3, START), "eta: -1.0 is not"),
        (lambda: AlmgrenChrissWorld(IMPACT._replace(sigma=math.nan), 3, START), "sigma: nan"),
        (lambda: AlmgrenChrissWorld(IMPACT, 0, START), "n: 0 is no count"),
        (lambda: AlmgrenChrissWorld(IMPACT, 2, START).trade(0, 1, 1.0), "side: "),
        (lambda: AlmgrenChrissWorld(IMPACT, 2, START).trade(1, [1, -1], 1.0), "lots: "),
        (lambda: AlmgrenChrissWorld(IMPACT, 2, START).trade(1, 1, 0.0), "slice_s: 0.0"),
    ],
)
def test_what_is_no_world_is_refused(make: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        make()


@many_events
def test_a_walk_is_a_tick_wide_and_fair() -> None:
    assert load_market("walk") == walk()
    tape = simulate_day(walk(), "2024-01-08", 4)
    last = np.flatnonzero(np.diff(tape.events.ts) > 0)[1:]
    assert np.all((tape.ask_ticks() - tape.bid_ticks())[last] == 1)
    moves = np.diff(tape.mid_ticks()[last])
    assert set(np.unique(moves)) == {-1.0, 0.0, 1.0}
    moved = moves[moves != 0]
    seconds = walk().close_s - walk().open_s
    assert abs(len(moved) - seconds) < 4 * np.sqrt(seconds)
    assert abs(moved.sum()) < 3 * np.sqrt(len(moved))
    assert abs((moved[1:] * moved[:-1]).sum()) < 3 * np.sqrt(len(moved)), "no memory"
    touch = tape.events.qty[last[1:][moves != 0]]
    assert touch.min() > 900_000, "deep"
