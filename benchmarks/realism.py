"""How like recorded days a calibrated market is, on days that it was not calibrated on.

    PACELINE_DATA=... python -m benchmarks.realism

The odd days of YHOO in 2003 (of those that are whole) calibrate the market; the even ones score it.
Every second day, so that neither half has the earnings season or the war to itself. The value is
the median, over 16 statistics and two distances, of the distance from a simulated to a recorded day
in units of that between two recorded days; beside it at least 9 of 11 facts must hold.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from benchmarks.figure import AT_MOST, announce, digits
from paceline.calibrate.fit import fit_market
from paceline.ingest import load
from paceline.market.tape import Tape
from paceline.realism.scorecard import score

BAR = 2.0
FEWEST_FACTS = 9
SYMBOL = "YHOO"
SEED = 1


def whole_days(data: str) -> list[Tape]:
    """The recorded days that end when they were announced to."""
    files = sorted(Path(data, "lobster-2003", SYMBOL).glob("*.csv.gz"))
    tapes = [load(path) for path in files]
    return [tape for tape in tapes if not tape.manifest.quality.short_session]


def main() -> bool:
    data = os.environ.get("PACELINE_DATA")
    if not data:
        raise SystemExit("realism: set PACELINE_DATA to the folder of recorded books")
    days = whole_days(data)
    calibrated, scored = days[0::2], days[1::2]
    card = score(fit_market(calibrated), scored, seed=SEED, market=f"calibrated {SYMBOL}")
    impact = card.impact
    assert impact is not None
    return announce(
        "realism",
        max(card.median_l1, card.median_wasserstein),
        "times the distance between two recorded days",
        BAR,
        AT_MOST,
        provided=card.passed >= FEWEST_FACTS,
        facts=card.passed,
        facts_recorded=card.recorded_passed,
        missed=[fact.name for fact in card.facts if not fact.simulated.ok],
        median_l1=digits(card.median_l1, 3),
        median_wasserstein=digits(card.median_wasserstein, 3),
        within_2=sum(one.l1.ratio <= BAR for one in card.statistics),
        by_statistic={
            one.name: [digits(one.l1.ratio, 3), digits(one.wasserstein.ratio, 3)]
            for one in card.statistics
        },
        impact_exponent=_known(impact.exponent, impact.exponent_error),
        reverted=_known(impact.reverted, impact.reverted_error),
        calibrated_on=[tape.session.day for tape in calibrated],
        scored_on=[tape.session.day for tape in scored],
        seed=SEED,
    )


def _known(value: float, error: float) -> list[float] | None:
    """A number and its standard error; None where it could not be told."""
    return None if math.isnan(value) else [digits(value, 3), digits(error, 2)]


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
