"""A policy trained in a simulated market that answers, against the tuned Almgren-Chriss tactic.

    python -m benchmarks.policy_simulator

`yhoo-2003` in each of its regimes, pooled, every order in a market of its own: the recipe
`simulated` learns in it, the tactic is tuned in it, and both are judged on other seeds. The value
is the saving of the mean shortfall, mean over seeds of the training. A seed takes about twenty
minutes on a core, and the rest as long on two; what is in `out/bench/policy_simulator` already is
not done again. docs/experiments.md says why the gain is as large as it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.against_tuned import JOBS, against, worked
from benchmarks.figure import announce, say
from paceline.env.simulated_pool import SimulatedPool
from paceline.evaluate.compare_settings import CompareSettings
from paceline.evaluate.per_order import SIMULATED
from paceline.evaluate.tuning import Tuned, tune
from paceline.evaluate.worked import episode_settings
from paceline.learn.pipeline import train
from paceline.learn.shipped import load_recipe
from paceline.learn.source import in_markets

OUT = Path("out/bench/policy_simulator")
SEEDS, ORDERS = 2, 8000
TUNE_SEED, TEST_SEED = 900, 901
BAR, MOST_P95_BPS = 0.05, 2.0


def main() -> bool:
    recipe = load_recipe("simulated", seeds=SEEDS)
    runs = [one.folder for one in train(recipe, OUT / "runs")]

    def pool(settings: CompareSettings) -> SimulatedPool:
        return in_markets(
            recipe.data.markets, recipe.data.regimes, episode_settings(settings), settings.seed
        )

    path = OUT / "tuned.json"
    if not path.exists():
        say("tuning the schedule")
        settings = CompareSettings(orders=2048, seed=TUNE_SEED)
        tune(pool(settings), settings, jobs=JOBS).save(path)
    settings = CompareSettings(orders=ORDERS, seed=TEST_SEED)
    say(f"working {ORDERS} orders")
    found = worked(pool(settings), runs, Tuned.load(path), settings, OUT / "worked")
    told = against(found, SIMULATED)
    return announce(
        "policy_simulator",
        told.saving,
        "of the tuned schedule's mean shortfall",
        BAR,
        provided=told.clear == SEEDS
        and told.cvar95_bps <= 0.0
        and told.p95_bps <= MOST_P95_BPS
        and told.violations == 0
        and told.fills,
        orders=ORDERS,
        seeds=SEEDS,
        **told.told(),
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
