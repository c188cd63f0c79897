"""Events a second of the plain Poisson flow on one core, written as rows of a tape.

A busy stock: 45 arrivals a second on a book of about a hundred orders, a whole session.

    python -m benchmarks.simulator_poisson
"""

from __future__ import annotations

import sys

from benchmarks.figure import announce, median, seconds_of
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import Simulator

BAR = 8e6
RUNS = 9
BUSY = MarketSettings(
    limit_bid_per_s=20.0,
    limit_ask_per_s=20.0,
    market_buy_per_s=2.4,
    market_sell_per_s=2.4,
    cancel_per_s=0.4,
)


def race(bench: str, market: MarketSettings, bar: float) -> bool:
    """Time whole sessions of `market` and announce events a second."""
    events: list[int] = []

    def day() -> None:
        simulator = Simulator(market, "2026-01-05", 7)
        events.append(len(simulator.advance(simulator.session.close_ns).ts))

    day()  # compiles
    seconds = [seconds_of(day) for _ in range(RUNS)]
    return announce(
        bench,
        events[0] / median(seconds),
        "events/s",
        bar,
        events=events[0],
        best=round(events[0] / min(seconds)),
        branching=round(market.excitation.branching(), 3),
        runs=RUNS,
    )


if __name__ == "__main__":
    sys.exit(0 if race("simulator_poisson", BUSY, BAR) else 1)
