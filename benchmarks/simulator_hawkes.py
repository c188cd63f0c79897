"""Events a second of an excited flow on one core, written as rows of a tape.

Three time scales, all six streams excite one another, and signs have a long memory: a branching
ratio of 0.8, so four of five arrivals come of another.

    python -m benchmarks.simulator_hawkes
"""

from __future__ import annotations

import sys

from benchmarks.simulator_poisson import race
from paceline.engine.flow_settings import Excitation, Metaorders
from paceline.engine.market_settings import MarketSettings

BAR = 3e6
_SAME = ((0.12, 0.02, 0.08), (0.16, 0.08, 0.12), (0.08, 0.02, 0.08))
_OTHER = ((0.02, 0.01, 0.02), (0.04, 0.01, 0.02), (0.02, 0.01, 0.02))
EXCITED = MarketSettings(
    limit_bid_per_s=5.0,
    limit_ask_per_s=5.0,
    market_buy_per_s=0.6,
    market_sell_per_s=0.6,
    cancel_per_s=0.1,
    excitation=Excitation(half_lives_s=(0.05, 1.0, 20.0), same=(_SAME,) * 3, other=(_OTHER,) * 3),
    metaorders=Metaorders(share=0.7),
)

if __name__ == "__main__":
    sys.exit(0 if race("simulator_hawkes", EXCITED, BAR) else 1)
