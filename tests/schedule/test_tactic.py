"""Where tactics put a child order: literal tables, and what holds at any price."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paceline.errors import ConfigError
from paceline.schedule.tactic import (
    CROSS,
    INSIDE,
    MID,
    TOUCH,
    Placement,
    Tactic,
    crossing_ticks,
    no_worse,
    resting_ticks,
)

TICKS = st.integers(50, 2_000_000)
STEPS = st.sampled_from((1, 2, 5, 10, 100))
SIDES = st.sampled_from((1, -1))


@pytest.mark.parametrize(
    ("placement", "side", "bid", "ask", "step", "expected"),
    [
        (TOUCH, 1, 104, 107, 1, 104),
        (TOUCH, -1, 104, 107, 1, 107),
        (INSIDE, 1, 104, 107, 1, 105),
        (INSIDE, -1, 104, 107, 1, 106),
        (MID, 1, 104, 107, 1, 105),  # 105.5, to our own side
        (MID, -1, 104, 107, 1, 106),
        (MID, 1, 104, 108, 1, 106),
        (MID, -1, 104, 108, 1, 106),
        # A spread of one tick leaves nothing inside.
        (INSIDE, 1, 104, 105, 1, 104),
        (INSIDE, -1, 104, 105, 1, 105),
        (MID, 1, 104, 105, 1, 104),
        (MID, -1, 104, 105, 1, 105),
        # Book ticks finer than ours: a touch between our ticks rounds to our own side.
        (TOUCH, 1, 1043, 1071, 10, 1040),
        (TOUCH, -1, 1043, 1071, 10, 1080),
        (INSIDE, 1, 1043, 1071, 10, 1050),
        (INSIDE, -1, 1043, 1071, 10, 1070),
        (MID, 1, 1043, 1071, 10, 1050),  # 1057
        (MID, -1, 1043, 1071, 10, 1060),
        # One of our ticks inside would take what is offered between them.
        (INSIDE, 1, 1043, 1049, 10, 1040),
        (INSIDE, 1, 1043, 1050, 10, 1040),
        (INSIDE, -1, 1041, 1049, 10, 1050),
        (MID, 1, 1043, 1049, 10, 1040),
        (MID, -1, 1041, 1043, 10, 1050),
    ],
)
def test_resting_prices(placement, side, bid, ask, step, expected):
    assert resting_ticks(placement, side, bid, ask, step) == expected


@pytest.mark.parametrize(
    ("side", "other", "collar_bps", "step", "expected"),
    [
        (1, 10_000, 0.0, 1, 10_000),
        (-1, 10_000, 0.0, 1, 10_000),
        (1, 10_000, 10.0, 1, 10_010),
        (-1, 10_000, 10.0, 1, 9_990),
        (1, 10_000, 9.9, 1, 10_009),  # never past the collar
        (-1, 10_000, 9.9, 1, 9_991),
        # On a coarser grid: as far as the collar allows, but the touch can always be taken.
        (1, 10_003, 0.0, 10, 10_010),
        (-1, 10_003, 0.0, 10, 10_000),
        (1, 10_003, 20.0, 10, 10_020),
        (-1, 10_003, 20.0, 10, 9_990),
        (-1, 5, 10_000.0, 1, 0),
    ],
)
def test_crossing_prices(side, other, collar_bps, step, expected):
    assert crossing_ticks(side, other, collar_bps, step) == expected


@given(st.sampled_from((TOUCH, INSIDE, MID)), SIDES, TICKS, st.integers(1, 300), STEPS)
def test_a_resting_price_never_crosses(placement, side, bid, spread, step):
    ask = bid + spread
    own, other = (bid, ask) if side > 0 else (ask, bid)
    ticks = resting_ticks(placement, side, bid, ask, step)
    assert ticks % step == 0
    assert side * (other - ticks) > 0, "it would take"
    behind = side * (own - ticks)
    assert behind < step, "never a whole tick of ours behind the touch"
    touch = resting_ticks(TOUCH, side, bid, ask, step)
    assert side * (ticks - touch) >= 0, "never behind the placement at the touch"
    if placement == TOUCH:
        assert behind >= 0
    elif placement == INSIDE:
        assert ticks in (touch, touch + side * step)
        better = touch + side * step
        assert (ticks == better) == (side * (other - better) > 0)
    else:
        mid = Fraction(bid + ask, 2)
        assert ticks == touch or side * (mid - ticks) >= 0
        assert side * (mid - ticks) < step


@example(1, 1_000_000, 0.99, 1)
@given(SIDES, TICKS, st.floats(0, 10_000), STEPS)
def test_a_crossing_price_takes_the_touch_and_keeps_the_collar(side, other, collar_bps, step):
    ticks = crossing_ticks(side, other, collar_bps, step)
    assert ticks % step == 0
    through = side * (ticks - other)
    assert through >= 0, "the touch itself can be taken"
    # A collar of 0.99 bps is a float a little below: 99 ticks of a million are what it means.
    assert through < step or through <= other * Fraction(collar_bps) / 10_000 + Fraction(1, 10**6)


@given(SIDES, TICKS, TICKS)
def test_a_bound_holds_on_the_adverse_side_only(side, ticks, bound):
    held = no_worse(side, ticks, bound)
    assert side * (bound - held) >= 0
    assert held == (ticks if side * (bound - ticks) >= 0 else bound)


def test_placements_are_what_kernels_read():
    assert [int(p) for p in Placement] == [CROSS, TOUCH, INSIDE, MID]


@pytest.mark.parametrize("repeg_s", [0.0, -1.0, math.nan, math.inf])
def test_a_repeg_time_is_positive(repeg_s):
    with pytest.raises(ConfigError, match=r"tactic\.repeg_s: .*positive"):
        Tactic(repeg_s=repeg_s)


def test_crossing_leaves_nothing_to_repeg():
    with pytest.raises(ConfigError, match="leaves nothing to move"):
        Tactic(placement=Placement.CROSS, repeg_s=5.0)


@pytest.mark.parametrize("collar_bps", [-0.1, math.nan, math.inf, 10_001.0])
def test_a_collar_is_a_share_of_the_price(collar_bps):
    with pytest.raises(ConfigError, match=r"tactic\.collar_bps"):
        Tactic(collar_bps=collar_bps)
