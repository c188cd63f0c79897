"""What of the volume in the participation window is ours: counted on, and counted anew."""

from __future__ import annotations

import numpy as np
import pytest

from engine.flows import plain_rules
from env.market_days import DAYS, random_day
from paceline.engine.account import learn, new_account
from paceline.engine.replay import Floor
from paceline.env.working import PARENT_RECORD, shares_of_window
from paceline.jit import kernel


@kernel
def _shares(desk: Floor, parent: np.void, market: int) -> tuple[int, int]:
    return shares_of_window(desk, parent, market)


@pytest.fixture(scope="module")
def floor() -> Floor:
    """Only its account is looked at. Of a type of the tests' own, what is compiled for it would lie
    in the cache of those who cannot read it."""
    tape = random_day(0, DAYS[0])
    return Floor(tape.events, tape.new_book(), plain_rules(), new_account(1))


def counted_anew(desk: Floor, window_ns: int, market: int) -> tuple[int, int]:
    clock = desk.account.clock[0]
    told = desk.account.fills[: clock["n_told"]]
    inside = told[told["ts"] > clock["last_seen"] - window_ns]
    displaced = int((inside["lots"] * inside["displaced"]).sum())
    return max(market - displaced, 0), int(inside["lots"].sum())


@pytest.mark.parametrize("seed", range(20))
def test_the_window_is_that_of_fills_counted_anew(floor: Floor, seed: int) -> None:
    rng = np.random.default_rng(seed)
    desk = floor._replace(account=new_account(1, max_orders=4, max_fills=512))
    parent = np.zeros(1, PARENT_RECORD)
    parent["window_ns"] = window_ns = int(rng.choice([0, 50, 300]))
    clock, now, told = desk.account.clock[0], 0, 0
    for _ in range(200):
        now += int(rng.integers(0, 40))
        clock["last_seen"] = max(now - int(rng.choice([0, 25])), clock["last_seen"])
        for _ in range(rng.integers(0, 3)):
            fill = desk.account.fills[clock["n_fills"]]
            told = max(now + int(rng.choice([0, 30])), told)
            fill["ts"], fill["told_ts"], fill["lots"] = now, told, rng.integers(1, 9)
            fill["displaced"] = rng.integers(0, 2)
            clock["n_fills"] += 1
        learn(desk.account, now)
        market = int(rng.integers(0, 60))
        assert _shares(desk, parent[0], market) == counted_anew(desk, window_ns, market)
