"""Every message of every legal action, before the guard: what may still trade counts until we are
told that it does not."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from env.untaught import Pool
from guard import twin
from paceline.decision.actions import ActionGrid
from paceline.decision.box import ActionBox
from paceline.decision.state import NOWHERE
from paceline.engine.account import CANCEL, IOC, NEVER, REPLACE, SUBMIT
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.engine.venue import Latency, Venue
from paceline.env.batch_env import OPEN_LIMITS, BatchExecutionEnv
from paceline.env.choosing import Choices
from paceline.env.episodes import EpisodeSettings
from paceline.market.tape import Tape

N = 24
LIMITS = msgspec.structs.replace(
    OPEN_LIMITS, participation=0.1, child_max=400, max_working=1500.0, max_working_orders=3,
    max_messages=300,
)  # fmt: skip
GRID = ActionGrid(
    sizes=(0.01, 0.02, 0.05, 0.1), prices=("behind_1", "touch", "take", "marketable"),
    waits_s=(0.0, 0.5),
)  # fmt: skip


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    return [simulate_day(load_market("yhoo-2003"), "2024-01-08", 4)]


def venue(submit_ms: float, ack_ms: float) -> Venue:
    return Venue(submit=Latency.constant(submit_ms), ack=Latency.constant(ack_ms))


def fields(row: np.void) -> dict[str, Any]:
    return {name: row[name].tolist() for name in row.dtype.names or ()}


class Ledger:
    """What the guard counts of one order: each child as the exchange has it, or, where that is
    more, as a message on its way wants it, until we are told that it is over."""

    def __init__(self) -> None:
        self.totals: dict[int, list[tuple[int, int]]] = {}  # (reaches the exchange, total lots)
        self.sent_ts: dict[int, int] = {}

    def open(self, orders: NDArray[np.void], k: int, ts: int) -> int:
        """Lots of child order `k` that may still trade at `ts`."""
        if orders[k]["told_ts"] <= ts:
            return 0
        coming = [total for arrives_ts, total in self.totals[k] if arrives_ts > ts]
        return int(max([orders[k]["lots"], *coming]) - orders[k]["told_filled"])

    def note(self, message: np.void, ts: int) -> None:
        k = int(message["order"])
        if message["kind"] != CANCEL:
            total = (int(message["arrives_ts"]), int(message["lots"]))
            self.totals.setdefault(k, []).append(total)
            self.sent_ts[k] = ts


def play(env: BatchExecutionEnv, steps: int) -> dict[str, int]:
    """Random legal actions: how many messages of each kind; the guard would block none."""
    lives, ledgers = env.lives, [Ledger() for _ in range(N)]
    seen = dict.fromkeys(("submit", "replace", "cancel", "beside"), 0)
    for _ in range(steps):
        going = lives.progress["over"] == 0
        ts, snapshots = lives.progress["ts"].copy(), lives.snapshot.copy()
        orders, tails = lives.account.orders.copy(), lives.account.clock["inbox_tail"][:, 0].copy()
        before = lives.order[:, 0].copy()
        env.advance(np.where(going, env.random_actions(), 0) if isinstance(env.grid, ActionGrid)
                    else env.random_actions() * [0.2, 1.0])  # fmt: skip
        for i in np.flatnonzero(going & (lives.progress["over"] == 0)):
            inbox, now, ledger = lives.account.inbox[i], int(ts[i]), ledgers[i]
            limits, snapshot = fields(lives.limits[i]), fields(snapshots[i])
            snapshot |= {name: int(before[i][name]) for name in ("messages", "cancels")}
            for at in range(tails[i], lives.account.clock[i, 0]["inbox_tail"]):
                message = inbox[at % len(inbox)]
                k, kind = int(message["order"]), int(message["kind"])
                open_ = {j: ledger.open(orders[i], j, now) for j in ledger.totals}
                for name in ("working_lots", "symbol_working_lots", "symbol_side_lots"):
                    snapshot[name] = sum(open_.values())
                snapshot["symbol_orders"] = sum(lots > 0 for lots in open_.values())
                order = {
                    "kind": kind, "side": snapshot["side"], "type": int(message["type"]),
                    "ticks": int(message["ticks"]), "lots": int(message["lots"]),
                    "replaced_lots": open_.get(k, 0),
                    "replaced_age_ns": now - ledger.sent_ts.get(k, now),
                }  # fmt: skip
                if kind == REPLACE:
                    order["lots"] -= int(orders[i, k]["told_filled"])
                    assert order["lots"] <= open_[k], "an order never grows"
                assert twin.broken(limits, snapshot, order) == set(), (i, order, snapshot)
                seen["beside"] += kind == SUBMIT and sum(open_.values()) > 0
                seen[("submit", "cancel", "replace")[kind]] += 1
                if kind == SUBMIT:
                    orders[i, k]["told_ts"], orders[i, k]["told_filled"] = NEVER, 0
                    orders[i, k]["lots"] = message["lots"]
                ledger.note(message, now)
                snapshot["messages"] += 1
                snapshot["cancels"] += kind != SUBMIT
    return seen


@pytest.mark.parametrize(("submit_ms", "ack_ms"), [(0.0, 0.0), (20.0, 20.0), (200.0, 1500.0)])
@pytest.mark.parametrize("grid", [GRID, ActionBox(wait_s=0.5)], ids=["grid", "box"])
def test_the_guard_lets_every_message_of_a_legal_action_go(
    tapes: list[Tape], grid: Choices, submit_ms: float, ack_ms: float
) -> None:
    settings = EpisodeSettings(
        horizon_s=(600.0,), qty_volume=(0.1, 0.3), participation=None, price_band_bps=None
    )
    env = BatchExecutionEnv(
        Pool(tapes, settings, seed=3), N, grid=grid, limits=LIMITS, venue=venue(submit_ms, ack_ms)
    )
    env.reset(seed=3)
    seen = play(env, 80)
    assert min(seen.values()) > 20, seen


def test_a_size_raised_is_a_new_order_and_counts_as_one(tapes: list[Tape]) -> None:
    settings = EpisodeSettings(horizon_s=(300.0,), qty_volume=(0.5, 1.0), participation=None)
    grid = ActionGrid(sizes=(0.01, 0.02), prices=("behind_2",), waits_s=(0.001,))
    limits = msgspec.structs.replace(OPEN_LIMITS, max_working_orders=1)
    env = BatchExecutionEnv(Pool(tapes, settings, seed=1), N, grid=grid, limits=limits)
    env.reset(seed=1)
    env.advance(np.full(N, 1))
    rests = env.lives.order["work_ticks"][:, 0] == env.lives.account.orders["asked_ticks"][:, 0]
    assert rests.sum() > N // 2
    assert not env.action_masks()[rests, 2].any(), "it would be a second one"
    env.advance(np.full(N, 2))
    assert env.lives.order["working_orders"].max() == 1


def test_the_rest_of_what_took_is_moved_like_any_other(tapes: list[Tape]) -> None:
    """`marketable` leaves what it could not take at the other touch; it rests and is replaced."""
    settings = EpisodeSettings(
        horizon_s=(300.0,), qty_volume=(0.5, 1.0), participation=None, price_band_bps=None
    )
    grid = ActionGrid(sizes=(0.2,), prices=("marketable", "behind_2", "take"), waits_s=(0.001,))
    env = BatchExecutionEnv(Pool(tapes, settings, seed=1), N, grid=grid)
    env.reset(seed=1)
    env.advance(np.full(N, 1))
    order = env.lives.order
    rests = order["working"][:, 0] > 0
    assert rests.sum() > N // 2
    assert np.all((order["work_ticks"][:, 0] != NOWHERE) == rests)
    np.testing.assert_array_equal(order["work_lots"], order["working"])
    for _ in range(2):
        env.advance(np.full(N, 2))
    share = order["working"][:, 0] / order["left"][:, 0]
    np.testing.assert_allclose(share[rests], 0.2, atol=0.02)
    env.advance(np.full(N, 3))
    assert np.all(order["working"][:, 0] == 0), "it took, and nothing is left behind"
    asked = env.lives.account.orders["asked_type"][:, 0]
    assert np.all(asked[rests] == IOC)
