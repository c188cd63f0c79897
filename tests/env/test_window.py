"""What of the volume in the participation window is ours: counted on, and counted anew."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from paceline.engine.account import Account, learn, new_account
from paceline.env.working import PARENT_RECORD, shares_of_window
from paceline.jit import kernel


class Desk(NamedTuple):
    """Where fills are told; nothing else of a floor is looked at."""

    account: Account


@kernel
def _shares(desk: Desk, parent: np.void, market: int) -> tuple[int, int]:
    return shares_of_window(desk, parent, market)


def counted_anew(desk: Desk, window_ns: int, market: int) -> tuple[int, int]:
    clock = desk.account.clock[0]
    told = desk.account.fills[: clock["n_told"]]
    inside = told[told["ts"] > clock["last_seen"] - window_ns]
    displaced = int((inside["lots"] * inside["displaced"]).sum())
    return max(market - displaced, 0), int(inside["lots"].sum())


@pytest.mark.parametrize("seed", range(20))
def test_the_window_is_that_of_fills_counted_anew(seed: int) -> None:
    rng = np.random.default_rng(seed)
    desk = Desk(new_account(1, max_orders=4, max_fills=512))
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
