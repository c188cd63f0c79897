"""Actions: from a number to a child order, and back."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from paceline.decision.actions import (
    EXTENDED,
    HOLD,
    IOC,
    LIMIT,
    MARKETABLE,
    MOST_CHOICES,
    POST,
    TAKE,
    ActionGrid,
    child_lots,
    child_ticks,
)
from paceline.decision.state import NOWHERE, State, new_state
from paceline.errors import ConfigError
from paceline.units import NS_PER_S

GRIDS = [
    ActionGrid(),
    EXTENDED,
    ActionGrid(sizes=(1.0,), prices=("marketable",), waits_s=(0.0, 0.5), hold_s=7.0),
    ActionGrid(sizes=(0.001, 0.002, 0.003), size_of="adv", prices=("mid", "take"), waits_s=(1.0,)),
]
BEHIND = {"behind_2": 2, "behind_1": 1, "touch": 0}
THROUGH = {"take": 0, "take_1": 1, "take_2": 2, "marketable": 0}


def state(side: int, bid: int = 990, ask: int = 1040, step: int = 10, left: int = 800) -> State:
    made = new_state()
    made.ticks[:, 0], made.sizes[:, 0] = (bid, ask), 5
    made.order["side"], made.order["left"] = side, left
    made.context["order_step"], made.context["adv_lots"] = step, 40_000.0
    return made


def type_of(does: int) -> int:
    return {POST: LIMIT, TAKE: IOC}.get(does, MARKETABLE)


def child_of(grid: ActionGrid, price: str, size: float, at: State) -> tuple[int, int, int]:
    """Type, price and size of a child order, as the documentation of the grid tells them."""
    side, step = int(at.order[0]["side"]), int(at.context[0]["order_step"])
    bid, ask = at.ticks[:, 0].tolist()
    own, other = (bid, ask) if side > 0 else (ask, bid)

    def on_grid(ticks: float, way: int) -> int:
        """Next price of ours on the side of `way`: below for -1."""
        return int(np.floor(ticks / step) if way < 0 else np.ceil(ticks / step)) * step

    touch = on_grid(own, -side)
    if price in BEHIND:
        type_, ticks = LIMIT, touch - side * BEHIND[price] * step
    elif price in ("inside", "mid"):
        type_ = LIMIT
        ticks = touch + side * step if price == "inside" else on_grid((bid + ask) / 2, -side)
        if side * (other - ticks) <= 0 or side * (ticks - touch) < 0:
            ticks = touch
    else:
        type_ = MARKETABLE if price == "marketable" else IOC
        ticks = on_grid(other, side) + side * THROUGH[price] * step
    whole = float(at.context[0]["adv_lots"]) if grid.size_of == "adv" else int(at.order[0]["left"])
    lots = min(max(round(size * whole), 1), int(at.order[0]["left"]))
    return type_, ticks, lots


@pytest.mark.parametrize("grid", GRIDS)
def test_there_and_back(grid: ActionGrid) -> None:
    table = grid.table()
    assert len(table) == len(grid) == 1 + len(grid.sizes) * len(grid.prices) * len(grid.waits_s)
    seen = set()
    for s, p, t in product(*(range(len(x)) for x in (grid.sizes, grid.prices, grid.waits_s))):
        action = grid.index(s, p, t)
        row = table[action]
        assert (row["size"], row["price"]) == (s, p)
        assert row["share"] == grid.sizes[s]
        assert row["wait_ns"] == round(grid.waits_s[t] * NS_PER_S)
        seen.add(action)
    assert seen == set(range(1, len(grid)))
    assert table[0]["does"] == HOLD
    assert table[0]["wait_ns"] == round(grid.hold_s * NS_PER_S)
    # What the mask needs: actions of a price in a row, and of a size within it.
    assert np.all(np.diff(table["price"]) >= 0)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("bid", "ask"), [(990, 1040), (1000, 1010), (993, 1038), (1001, 1009), (1019, 1021)]
)
def test_every_action_is_the_child_order_that_it_says(grid, side, bid, ask) -> None:
    at, table = state(side, bid, ask), grid.table()
    found = {}
    for s, p in product(range(len(grid.sizes)), range(len(grid.prices))):
        row = table[grid.index(s, p, 0)]
        child = (type_of(row["does"]), child_ticks(at, row), child_lots(at, row))
        assert child == child_of(grid, grid.prices[p], grid.sizes[s], at)
        assert child[1] % 10 == 0
        found.setdefault(child, []).append((s, p))
    if (bid, ask) == (990, 1040):  # where there is room, no two mean the same
        assert all(len(same) == 1 for same in found.values())


@pytest.mark.parametrize("side", [1, -1])
def test_a_post_never_takes_and_a_take_reaches_the_touch(side: int) -> None:
    dice = np.random.default_rng(3)
    table = EXTENDED.table()
    for _ in range(200):
        bid = int(dice.integers(500, 1000))
        at = state(side, bid, bid + int(dice.integers(1, 60)), int(dice.choice([1, 5, 10])))
        other = int(at.ticks[(1 + side) // 2, 0])
        for row in table[1:]:
            beyond = side * (child_ticks(at, row) - other)
            assert beyond < 0 if row["does"] == POST else beyond >= 0


def test_sizes_are_at_least_a_lot_and_at_most_what_is_left() -> None:
    row = ActionGrid(sizes=(0.0025,)).table()[1]
    assert [child_lots(state(1, left=left), row) for left in (0, 1, 3, 400, 1000)] == [
        0, 1, 1, 1, 2
    ]  # fmt: skip
    row = ActionGrid(sizes=(0.02,), size_of="adv").table()[1]
    assert [child_lots(state(1, left=left), row) for left in (0, 7, 800, 5000)] == [0, 7, 800, 800]
    unknown = state(1)
    unknown.context["adv_lots"] = np.nan
    assert child_lots(unknown, row) == 0


def test_no_price_without_both_touches_and_none_for_hold() -> None:
    table = EXTENDED.table()
    assert child_ticks(state(1), table[0]) == NOWHERE
    for gone in (0, 1):
        at = state(1)
        at.sizes[gone, 0] = 0
        assert {child_ticks(at, row) for row in table} == {NOWHERE}


@pytest.mark.parametrize("grid", GRIDS)
def test_words_tell_every_action_apart(grid: ActionGrid) -> None:
    assert len({grid.describe(action) for action in range(len(grid))}) == len(grid)
    for action in (-1, len(grid)):
        with pytest.raises(ConfigError, match=f"action: {action} is none"):
            grid.describe(action)


def test_what_is_no_grid_is_refused() -> None:
    for given, says in (
        ({"sizes": ()}, "sizes: nothing is given"),
        ({"waits_s": (1.0, 1.0)}, r"waits_s: 1\.0, 1\.0 is given"),
        ({"sizes": (0.0,)}, "sizes"),
        ({"prices": ("far",)}, "prices"),
        ({"sizes": tuple(k / 100 for k in range(1, MOST_CHOICES + 2))}, "sizes: 17 are given"),
    ):
        with pytest.raises(ConfigError, match=says):
            ActionGrid(**given)
