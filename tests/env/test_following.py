"""Schedules and tactics inside the environment cost what they cost in a backtest."""

from __future__ import annotations

import numpy as np
import pytest

from env.untaught import Pool
from paceline.cost.shortfall import shortfall
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.engine.venue import Fees, Latency, Venue
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episode import TERMINATED
from paceline.env.episodes import EpisodeSettings
from paceline.env.policies import Urgency, make_plan, parse_policy
from paceline.env.working import PARENT_RECORD
from paceline.evaluate.backtest import work_all
from paceline.market.tape import Tape

VENUE = Venue(
    submit=Latency.lognormal(5.0, 20.0), ack=Latency.lognormal(4.0, 9.0),
    market_data=Latency.lognormal(2.0, 6.0), fees=Fees(maker_bps=-0.2, taker_bps=0.3),
)  # fmt: skip


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    market = load_market("yhoo-2003")
    return [simulate_day(market, f"2024-01-{day:02d}", 4) for day in (8, 9)]


@pytest.mark.parametrize(
    "text", ["twap/cross/12", "ac/touch/10", "vwap/mid+7s/6", "pov/touch/8", "ac/inside/5"]
)
def test_the_same_policy_has_the_same_cost_to_the_last_digit(tapes: list[Tape], text: str) -> None:
    """With latencies that are drawn, child by child."""
    pool = Pool(tapes, EpisodeSettings(horizon_s=(600.0,), participation=0.2), seed=6)
    env = BatchExecutionEnv(pool, 24, venue=VENUE)
    env.reset()
    policy, urgency = parse_policy(text, 10, 100.0), Urgency(200.0, None)
    steps = list(env.follow(policy, urgency))
    assert len(steps) == policy.n_slices
    assert np.all(env.lives.progress["over"] == TERMINATED)
    rewards = np.sum([reward for reward, _ in steps], axis=0)
    np.testing.assert_allclose(-rewards, env.lives.progress["marked_bps"], atol=1e-9)
    for day, tape in enumerate(tapes):
        at = np.flatnonzero(env.episodes["tape"] == day)
        parents = np.zeros(len(at), PARENT_RECORD)
        for name in PARENT_RECORD.names or ():
            parents[name] = env.episodes[name][at]
        plan = make_plan(policy, tape, pool.lessons[day], parents, urgency, 0.1, True)
        log = work_all(tape, VENUE, parents, plan, lambda done: None, [False])
        mid, ts = tape.mid_ticks(), tape.events.ts
        arrival, end = (
            mid[np.searchsorted(ts, parents[name], side="right") - 1]
            for name in ("start_ts", "end_ts")
        )
        fills = log.fills
        paid = fills["ticks"] + parents["side"][log.fill_parent] * fills["shift"]
        fee = VENUE.fees.charge(paid, fills["lots"], fills["maker"] == 1, tape.instrument)
        cost = shortfall(
            parents["side"], parents["lots"], arrival, arrival, end, log.fill_parent, paid,
            fills["lots"], fee,
        )  # fmt: skip
        found = env.lives.progress["marked_bps"][at]
        np.testing.assert_allclose(found, cost.shortfall_bps, rtol=0, atol=1e-9)
        assert [len(env.fills(i)) for i in at] == log.result["fills"].tolist()
