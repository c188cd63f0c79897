"""Shipped scenarios on recorded days: books that start empty, prices off the order grid, sizes cut
at some depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paceline.ingest import load
from paceline.market.settled import settled_ts
from paceline.market.tape import Tape
from paceline.stress.facts import Facts, facts_of
from paceline.stress.on_tape import stress_tape
from paceline.stress.scenario import shipped
from paceline.units import NS_PER_S

DAYS = {
    "YHOO": "lobster-2003/YHOO/YHOO_2003-03-05*.csv.gz",
    "AMZN": "lobster-2012/*AMZN*.zip",
}


@pytest.fixture(scope="module", params=sorted(DAYS))
def day(request: pytest.FixtureRequest, recorded: Path) -> tuple[Tape, dict[str, Tape]]:
    """A day, and the same under every shipped scenario."""
    (path,) = recorded.glob(DAYS[request.param])
    calm = load(path)
    return calm, {name: stress_tape(calm, scenario) for name, scenario in shipped().items()}


def facts(tape: Tape, calm: Tape) -> Facts:
    return facts_of(tape, settled_ts(calm) + 300 * NS_PER_S)


def deepest(tape: Tape, calm: Tape) -> float:
    """How far a market falls below the calm one, as a share, looked at every ten seconds: the
    day's own way is in both."""
    ts = np.arange(settled_ts(calm), calm.session.close_ns, 10 * NS_PER_S)
    mids = [
        one.mid_ticks()[np.searchsorted(one.events.ts, ts, side="right") - 1]
        for one in (tape, calm)
    ]
    return float(np.nanmin(mids[0] / mids[1] - 1.0))


@pytest.mark.recorded
def test_each_keeps_its_word(day: tuple[Tape, dict[str, Tape]]) -> None:
    calm, under = day
    before = facts(calm, calm)
    after = {name: facts(tape, calm) for name, tape in under.items()}
    wild, wide, thin = after["volatility"], after["wide-spread"], after["thin-book"]
    # Orders that rest stay where they were: from one phase of the minutes to the next 1.85 to 1.95.
    assert wild.volatility_ticks / before.volatility_ticks == pytest.approx(2.0, rel=0.1)
    assert wild.spread_ticks == pytest.approx(before.spread_ticks, rel=0.01)
    assert wide.spread_ticks / before.spread_ticks == pytest.approx(3.0, rel=0.02)
    assert wide.volatility_ticks == pytest.approx(before.volatility_ticks, rel=0.05)
    assert thin.depth_lots / before.depth_lots == pytest.approx(0.3, abs=0.05)
    assert after["one-sided"].sell_share == pytest.approx(0.85, abs=0.04)
    assert after["halt"].halted_s == 300.0
    for name, moved in (("crash", -0.1), ("flash-crash", 0.0), ("halt", -0.03)):
        assert after[name].change - before.change == pytest.approx(moved, abs=0.002)
    assert deepest(under["flash-crash"], calm) == pytest.approx(-0.05, abs=0.005)
    assert deepest(calm, calm) == 0.0
    for name in ("volatility", "wide-spread", "crash", "flash-crash"):
        assert after[name].volume_lots == before.volume_lots
    for name in ("slow-lines", "stale-feed"):
        assert under[name] is calm


@pytest.mark.recorded
def test_none_crosses_a_book_that_was_not(day: tuple[Tape, dict[str, Tape]]) -> None:
    calm, under = day
    settled = calm.events.ts > settled_ts(calm)
    assert np.all((calm.ask_ticks() > calm.bid_ticks())[settled & np.isfinite(calm.mid_ticks())])
    for name, tape in under.items():
        after = (tape.events.ts > settled_ts(calm)) & np.isfinite(tape.mid_ticks())
        assert np.all((tape.ask_ticks() > tape.bid_ticks())[after]), name
