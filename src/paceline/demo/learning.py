"""The second half of the demo: a policy is trained, and held against the best tuned schedule.

Without data both work simulated markets that answer, each order in one of its own, and are judged
on markets of other seeds. On days the last third is for judging, at least three where there are six
(fewer have no interval), the one before stops the training, and the rest teach: too few to prove
much, as the page will say.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from paceline.cost.clustered import FEWEST
from paceline.errors import ConfigError
from paceline.files.results import result_in

if TYPE_CHECKING:
    from paceline.env.days import AnyPool
    from paceline.evaluate.compare_settings import CompareSettings
    from paceline.learn.recipe import Recipe
    from paceline.market.tape import Tape

MARKET = "yhoo-2003"
_EXPLANATION = (
    "In this simulated market what takes moves the price nearly in proportion to its size, and "
    "prices revert about as much as recorded ones do, which pays who rests (docs/experiments.md). "
    "The schedule crosses what a slice leaves, and pays for that; the policy rests nearly all, "
    "follows the touch and waits. It is no promise for another market, and its worst orders are "
    "to be looked at: see CVaR95."
)
"""Why a large gain in a market that answers is no fault."""
_JUDGED, _TUNED = 1000, 1001
"""Seeds of the markets that judge, and of those that tune; training has others."""
_FEWEST_DAYS = 4
"""Of a name: one only teaches, one to train on, one to validate on, one to judge on."""


class Learned(NamedTuple):
    """What came out."""

    run: Path
    report: Path
    headline: str


def learn(
    out: Path, market: str | None, tapes: list[Tape], quick: bool, seed: int, bar: Any
) -> Learned:
    """Train below folder `out`, tune, compare, and write the pages. `market` is the name of one to
    simulate; without one, `tapes` are worked.

    Raises `ConfigError` for too few days to train, to validate and to judge on.
    """
    from paceline.evaluate.compare_page import write_comparison
    from paceline.evaluate.run_page import write_run
    from paceline.learn.pipeline import train

    recipe = _recipe(out, market, tapes, quick, seed)
    run = out / "run"
    (trained,) = train(recipe, run, lambda what, at, of: bar.to(what, at, of))
    write_run([trained.folder], run / "report.html")
    found = _compared(out, recipe, tapes, quick, bar)
    bar.say("writing the comparison")
    with result_in(out / "compare", "compare") as draft:
        found.write(draft)
        write_comparison(found, draft / "report.html")
    page = out / "compare" / "report.html"
    return Learned(run, page, str(found.as_dict()["headline"]))


def _recipe(out: Path, market: str | None, tapes: list[Tape], quick: bool, seed: int) -> Recipe:
    from paceline.learn.shipped import load_recipe

    if market is not None:
        recipe = load_recipe("demo", {"markets": [market]}, seed=seed)
    else:
        days = _days(tapes)
        judges = _judges(days)
        recipe = load_recipe(
            "demo",
            {
                "markets": [], "tapes": [str(out / "tapes")],
                "train": f"{days[0]}..{days[-2 - judges]}", "validation": days[-1 - judges],
            },
            seed=seed,
        )  # fmt: skip
    if not quick:
        return recipe
    less: Any = msgspec.structs.replace
    small: Recipe = less(
        recipe,
        orders=less(recipe.orders, horizon_s=(600.0,)),
        teaching=less(recipe.teaching, orders=32),
        offline=less(recipe.offline, updates=50),
        online=less(recipe.online, updates=50, envs=32, first=1000, per_update=32.0),
        validating=less(recipe.validating, orders=32, every=50),
    )
    return small


def _days(tapes: list[Tape]) -> list[str]:
    """The days of all tapes, in order."""
    days = sorted({tape.session.day for tape in tapes})
    if len(days) < _FEWEST_DAYS:
        raise ConfigError(
            f"data: has {len(days)} whole days, and {_FEWEST_DAYS} are needed to teach, to train, "
            "to validate and to judge; give more, or --no-training"
        )
    return days


def _judges(days: list[str]) -> int:
    """How many of `days` judge, the last ones: a third of them, and as many as an interval takes
    where three others are left."""
    return max(len(days) // 3, FEWEST if len(days) >= FEWEST + 3 else 1)


def _compared(out: Path, recipe: Recipe, tapes: list[Tape], quick: bool, bar: Any) -> Any:
    """The run against the tuned schedule, the naive one and TWAP."""
    from paceline.env.policies import Urgency
    from paceline.evaluate.compare import compare, models_of
    from paceline.evaluate.compare_settings import CompareSettings
    from paceline.evaluate.contestants import contestant
    from paceline.evaluate.tuning import grid, orders_at_most, tune

    settings = CompareSettings(
        orders=64 if quick else 2000, seed=_JUDGED, horizon_s=recipe.orders.horizon_s[0],
        fill_model="pessimistic",
    )  # fmt: skip
    mine = msgspec.structs.replace(settings, orders=64 if quick else 512, seed=_TUNED)
    tactics = grid(mine.horizon_s)[:: 20 if quick else 1]
    pool = _pool(recipe, tapes, mine, judges=False)
    most = orders_at_most(len(tactics), mine.orders, 1) * len(models_of(mine, pool))
    tuned = tune(
        pool, mine, tactics=tactics, progress=lambda done: bar.on("tuning the schedule", done, most)
    )
    tuned.save(out / "compare" / "tuned.json")
    urgency = Urgency(settings.half_life_s, None)
    who = [
        tuned.schedule(),
        *(contestant(name, settings.slices, urgency) for name in (str(out / "run"), "ac", "twap")),
    ]
    return compare(
        _pool(recipe, tapes, settings, judges=True), who, settings, tuning=tuned.as_dict(),
        explanation=_EXPLANATION if recipe.data.markets else "",
        progress=lambda done: bar.on("orders compared", done, len(who) * settings.orders),
    )  # fmt: skip


def _pool(recipe: Recipe, tapes: list[Tape], settings: CompareSettings, judges: bool) -> AnyPool:
    """Orders to judge on, or to tune on."""
    from paceline.env.episodes import Pool
    from paceline.env.simulated_pool import SimulatedPool
    from paceline.evaluate.worked import episode_settings

    like = episode_settings(settings)
    if recipe.data.markets:
        return SimulatedPool(list(recipe.data.markets), like, seed=settings.seed)
    days = _days(tapes)
    first = len(days) - _judges(days)
    chosen = days[first:] if judges else days[1:first]
    return Pool(
        [tape for tape in tapes if tape.session.day in chosen], like, seed=settings.seed,
        taught_by=tapes,
    )  # fmt: skip
