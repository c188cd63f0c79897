"""The kernels do what the twin does: every fill, every order, every place in a queue."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.engine import account as acc
from paceline.market.book import top_levels

from . import flows
from .twin import SplitMix64, TwinExchange

FIELDS = ("side", "type", "ticks", "lots", "left", "state", "reason",
          "arrived_ts", "expires_ts", "done_ts", "told_ts")  # fmt: skip


def same(kernels: flows.Kernels, twin: TwinExchange) -> None:
    """Fails, naming the first difference, unless both exchanges stand at the same point."""
    clock = kernels.floor.account.clock[0]
    assert clock["full"] == 0
    assert clock["cursor"] == twin.cursor
    assert clock["stopped"] == twin.stopped
    assert len(kernels.fills) == len(twin.fills)
    for n, (ours, theirs) in enumerate(zip(kernels.fills, twin.fills, strict=True)):
        for name in ("order", "ts", "ticks", "lots", "maker", "displaced", "told_ts", "event"):
            assert ours[name] == getattr(theirs, name), f"fill {n}: {name}"
        assert ours["shift"] == pytest.approx(theirs.shift, rel=1e-9, abs=1e-12)
    for k, (ours, theirs) in enumerate(zip(kernels.orders, twin.orders, strict=True)):
        for name in FIELDS:
            assert ours[name] == getattr(theirs, name), f"order {k}: {name}"
        if theirs.state == acc.RESTING:
            assert ours["ahead"] == pytest.approx(theirs.ahead, rel=1e-9, abs=1e-9), f"order {k}"
    live = kernels.floor.account.live[: int(clock["n_live"])]
    assert list(live) == [k for k, _ in twin.resting()]
    for row, side in ((0, 1), (1, -1)):
        ticks, lots = np.zeros(16, np.int64), np.zeros(16, np.int64)
        n = top_levels(kernels.floor.book, row, ticks, lots)
        shown = [(t, twin.book.shown(side, t)) for t in twin.book.prices(side)]
        assert list(zip(ticks[:n], lots[:n], strict=True)) == shown


@flows.examples(500)
@given(
    depth=st.sampled_from(("L3", "L2")),
    steps=flows.steps(),
    rules=flows.random_rules(),
    plan=flows.actions(),
    seed=st.integers(0, 2**63 - 1),
    rest=st.lists(st.integers(1, 20), max_size=4),
)
def test_kernels_and_twin_agree(depth, steps, rules, plan, seed, rest):
    rows = flows.market(steps, depth)
    floor, _ = flows.floor_on(rows, rules, seed=seed)
    kernels = flows.Kernels(floor)
    twin = TwinExchange(rows, rules, seed=seed, start_ts=flows.START)
    ts, n_orders = flows.START, 0
    for action in plan:
        ts += action.dt
        for exchange in (kernels, twin):
            exchange.advance(ts)
        same(kernels, twin)
        sent = [flows.act(exchange, action, n_orders, ts) for exchange in (kernels, twin)]
        n_orders = sent[0]
    for wait in [*rest, 1000]:
        ts += wait
        for exchange in (kernels, twin):
            exchange.advance(ts)
        same(kernels, twin)


def test_dice_are_splitmix64():
    """The published first outputs for seed 1234567 (Vigna's splitmix64.c)."""
    dice = SplitMix64(1234567)
    assert [dice.next() for _ in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]
