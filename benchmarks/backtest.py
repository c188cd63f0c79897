"""Parent orders worked a second, on one core: 30 minutes each, Almgren-Chriss, post then cross.

On a recorded YHOO day if PACELINE_DATA names the recorded books, else on a simulated day. Timed is
the work itself: plan, exchange, tactic, log; not drawing the orders, not measuring the cost.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from benchmarks.figure import announce, median, seconds_of
from paceline.engine.venue import Venue
from paceline.env.history import History
from paceline.env.parents import draw_parents, set_limits
from paceline.env.policies import Urgency, make_plan, parse_policy
from paceline.evaluate.backtest import work_all
from paceline.market.tape import Tape

ORDERS = 4_000
RUNS = 7
BAR = 2_000


def recorded_or_simulated() -> Tape:
    """A YHOO day of 2003, or a simulated one."""
    data = os.environ.get("PACELINE_DATA")
    days = sorted(Path(data, "lobster-2003", "YHOO").glob("*2003-02-28*")) if data else []
    if days:
        from paceline.ingest import load

        return load(days[0])
    from paceline.engine.market_settings import MarketSettings
    from paceline.engine.simulator import simulate_day

    return simulate_day(MarketSettings(), "2026-01-05", 7)


def work(tape: Tape, orders: int) -> Callable[[], None]:
    """Drawn parent orders, ready to be worked again and again."""
    lesson = History([tape]).before(tape)
    parents = draw_parents(
        tape, lesson, orders, 1800.0, qty=None, qty_adv=None, qty_volume=0.05, seed=1
    )
    at = tape.events.ts.searchsorted(parents["start_ts"], side="right") - 1
    set_limits(tape, parents, tape.mid_ticks()[at])
    policy = parse_policy("ac/touch", 30, 100.0)
    venue = Venue()

    def once() -> None:
        plan = make_plan(policy, tape, lesson, parents, Urgency(None, None), 0.1, True)
        work_all(tape, venue, parents, plan)

    return once


def main() -> None:
    tape = recorded_or_simulated()
    once = work(tape, ORDERS)
    once()
    speed = ORDERS / median([seconds_of(once) for _ in range(RUNS)])
    announce("backtest", speed, "parent orders/s", BAR, tape=tape.name, events=len(tape), runs=RUNS)


if __name__ == "__main__":
    main()
