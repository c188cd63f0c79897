"""Memory of 1,024 simulated markets side by side, a minute into the session.

python -m benchmarks.simulator_memory
"""

from __future__ import annotations

import resource
import sys

from benchmarks.figure import AT_MOST, announce, seconds_of
from benchmarks.simulator_hawkes import EXCITED
from paceline.engine.markets import Markets
from paceline.units import NS_PER_S

BAR_GB = 2.0
MARKETS = 1024


def main() -> bool:
    Markets(EXCITED, 2, "2026-01-05", 7).advance(1 << 62)  # compiles
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    markets = Markets(EXCITED, MARKETS, "2026-01-05", 7)
    seconds = seconds_of(lambda: markets.advance(markets.session.open_ns + 60 * NS_PER_S))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return announce(
        "simulator_memory",
        (after - before) * 1024 / 1e9,
        "GB",
        BAR_GB,
        AT_MOST,
        markets=MARKETS,
        arrays_gb=round(markets.nbytes / 1e9, 3),
        events=int(markets.n_events.sum()),
        events_per_s=round(int(markets.n_events.sum()) / seconds),
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
