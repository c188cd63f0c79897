"""Policies trained on recorded days against the tuned Almgren-Chriss tactic, on later days.

    PACELINE_DATA=... python -m benchmarks.policy_replay

YHOO and IBM, 2003: the recipe `recorded`, five seeds, learns on days to 02-14 and is stopped by
those to 02-28; the tactic is tuned on 01-27 to 02-28, for each name and fill model; both work the
same parent orders on 03-03 to 03-14, whose liquidity is then unknown to all. The value is the lower
saving of two fill models, mean over seeds, over both names and sides. Training takes about three
minutes a seed on a core; what is in `out/bench/policy_replay` already is not done again.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.against_tuned import against, worked
from benchmarks.figure import announce, say
from paceline.env.episodes import Pool
from paceline.evaluate.compare_settings import CompareSettings
from paceline.evaluate.tuning import Tuned, tune
from paceline.evaluate.worked import episode_settings
from paceline.ingest import ingest
from paceline.learn.pipeline import train
from paceline.learn.shipped import load_recipe
from paceline.market.days import within
from paceline.market.tape import Tape

OUT = Path("out/bench/policy_replay")
TRAIN, VALIDATION = "2003-01-13..2003-02-14", "2003-02-18..2003-02-28"
TUNE, TEST = "2003-01-27..2003-02-28", "2003-03-03..2003-03-14"
SEEDS, ORDERS = 5, 4000
MODELS = ("pessimistic", "calibrated")
BAR, BAR_NAIVE, BAR_CLEAR = 0.10, 0.20, 3


def recorded_days(data: str) -> list[Tape]:
    """All whole days of YHOO and IBM."""
    paths = [
        path
        for symbol in ("YHOO", "IBM")
        for path in ingest(Path(data, "lobster-2003", symbol), OUT / "tapes")
    ]
    tapes = [Tape.open(path) for path in paths]
    return [tape for tape in tapes if not tape.manifest.quality.short_session]


def tuned_on(tapes: list[Tape], settings: CompareSettings) -> Tuned:
    """The schedule that is to be beaten."""
    path = OUT / f"tuned-{settings.fill_model}.json"
    if not path.exists():
        say(f"tuning the schedule under {settings.fill_model} fills")
        days = within(tapes, TUNE, "tune_days")
        pool = Pool(days, episode_settings(settings), seed=1, taught_by=tapes)
        tune(pool, CompareSettings(orders=2048, seed=1, fill_model=settings.fill_model)).save(path)
    return Tuned.load(path)


def main() -> bool:
    data = os.environ.get("PACELINE_DATA")
    if not data:
        raise SystemExit("policy_replay: set PACELINE_DATA to the folder of recorded books")
    tapes = recorded_days(data)
    days = {"tapes": [str(OUT / "tapes")], "train": TRAIN, "validation": VALIDATION}
    recipe = load_recipe("recorded", days, seeds=SEEDS)
    runs = [one.folder for one in train(recipe, OUT / "runs")]
    told = {}
    for model in MODELS:
        settings = CompareSettings(orders=ORDERS, fill_model=model)
        tuned = tuned_on(tapes, settings)
        say(f"working {ORDERS} orders under {model} fills")
        pool = Pool(within(tapes, TEST, "days"), episode_settings(settings), taught_by=tapes)
        told[model] = against(worked(pool, runs, tuned, settings, OUT / "worked"), model)
    value = min(one.saving for one in told.values())
    return announce(
        "policy_replay",
        value,
        "of the tuned schedule's mean shortfall",
        BAR,
        provided=all(
            one.saving_naive >= BAR_NAIVE
            and one.clear >= BAR_CLEAR
            and one.cvar95_bps <= 0.0
            and one.violations == 0
            and one.fills
            for one in told.values()
        ),
        seeds=SEEDS,
        orders=ORDERS,
        **{model: one.told() for model, one in told.items()},
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
