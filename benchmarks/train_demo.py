"""Minutes to train the demo's policy, and whether it beats the tuned schedule on its market.

    python -m benchmarks.train_demo

From a cold start: what a first run compiles counts, too. Tuning the schedule and judging both, on
markets of other seeds, does not.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figure import AT_MOST, announce, say

BAR_MINUTES = 10.0
TUNE_SEED, TEST_SEED = 900, 901
ORDERS = 8000


def main() -> bool:
    out = Path(tempfile.mkdtemp(prefix="paceline-demo-"))
    # A new user has compiled nothing. Kernels learn where their cache is as they are imported, so
    # that nothing of paceline may be imported before.
    os.environ["NUMBA_CACHE_DIR"] = str(out / "compiled")
    start = time.perf_counter()
    from paceline.learn.pipeline import train
    from paceline.learn.shipped import load_recipe

    recipe = load_recipe("demo")
    (trained,) = train(recipe, out / "run")
    minutes = (time.perf_counter() - start) / 60

    from benchmarks.against_tuned import JOBS, against, worked
    from paceline.env.simulated_pool import SimulatedPool
    from paceline.evaluate.compare_settings import CompareSettings
    from paceline.evaluate.per_order import SIMULATED
    from paceline.evaluate.tuning import tune
    from paceline.evaluate.worked import episode_settings
    from paceline.learn.source import in_markets

    def pool(settings: CompareSettings) -> SimulatedPool:
        return in_markets(recipe.data.markets, (), episode_settings(settings), settings.seed)

    say("tuning the schedule")
    settings = CompareSettings(orders=1024, seed=TUNE_SEED)
    tuned = tune(pool(settings), settings, jobs=JOBS)
    say(f"working {ORDERS} orders")
    settings = CompareSettings(orders=ORDERS, seed=TEST_SEED)
    told = against(worked(pool(settings), [trained.folder], tuned, settings, out), SIMULATED)
    return announce(
        "train_demo", minutes, "minutes", BAR_MINUTES, AT_MOST,
        provided=told.clear == 1 and told.violations == 0 and told.fills,
        **told.told(),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
