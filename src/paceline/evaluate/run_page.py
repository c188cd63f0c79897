"""The page of a run: how it went, what its best policy is, what it was made from, and how to
compare it. Of several seeds one page above theirs.

    write_run(["out/run"], "out/run/report.html")
    write_run(["out/run/seed-1", "out/run/seed-2"], "out/run/report.html")
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paceline.cost.clustered import FEWEST
from paceline.evaluate.fill_floor import fill_floor
from paceline.evaluate.headings import POLICY, by_path, shown_settings
from paceline.evaluate.run_files import RunFiles, read_run, teachers_over
from paceline.evaluate.run_plots import learning_figure, validation_figure
from paceline.evaluate.trained_on import TrainedOn, trained_on
from paceline.learn.recipe import Recipe
from paceline.page.cells import Cell, Column, Table, listed, number, percent, plain, plural
from paceline.page.ink import HUES
from paceline.page.writing import write_page

_TEMPLATE = Path(__file__).with_name("run.html")


def write_run(folders: Sequence[str | Path], path: str | Path) -> Path:
    """Write the page of the run in `folders`, one for each of its seeds, to `path`.

    Raises `InputError` for a folder of no run."""
    return write_page(path, _TEMPLATE, _contents([read_run(folder) for folder in folders]))


def validation_table(runs: Sequence[RunFiles]) -> Table:
    """The best policy of each run and all teachers, on the orders of validation."""
    taught = best_teacher(runs)
    columns = [
        POLICY,
        Column("kept at", is_text=True, why="stage and its updates"),
        Column("score", "bps", "what the reward counts, the higher the better"),
        Column("± s.e.", "bps", "standard error of what was earned, over days or markets"),
        Column("mean", "bps", "mean shortfall"),
        *(
            [Column("saving", "bps", f"mean shortfall of {taught[0]} less its own")]
            if taught
            else []
        ),
        Column("CVaR95", "bps", "mean of the worst 5 % of orders"),
        Column("filled", "%"),
        Column("violations", why="actions that were masked"),
    ]
    scored = [
        *((_who(runs, run), f"{run.best['stage']} {run.best['updates']:,}", run.best, "named")
          for run in runs),
        *((name, "", told, "") for name, told in teachers_over(runs).items()),
    ]  # fmt: skip
    best = max(float(told["score"]) for _, _, told, _ in scored)
    rows = [
        [
            Cell(name, kind=kind),
            Cell(where),
            number(told["score"], kind="least" if told["score"] == best else ""),
            number(told.get("std_error", float("nan")), missing=f"fewer than {FEWEST} days"),
            number(told["mean_bps"]),
            *([number(taught[1]["mean_bps"] - told["mean_bps"])] if taught else []),
            number(told["cvar95_bps"]),
            percent(told["fill_rate"]),
            Cell(f"{told['violations']:,.0f}", kind="clear" if told["violations"] else ""),
        ]
        for name, where, told, kind in scored
    ]
    return Table("best", columns, rows, caption="Underlined: the best score.")


def best_teacher(runs: Sequence[RunFiles]) -> tuple[str, dict[str, float]] | None:
    """The teacher of the best score over all runs, and how it did; None where nobody taught."""
    return max(teachers_over(runs).items(), key=lambda pair: pair[1]["score"], default=None)


def compare_command(runs: Sequence[RunFiles]) -> str:
    """The words that compare what came out, under the limits that it was trained under."""
    recipe, limits = runs[0].recipe, runs[0].manifest.limits
    data = recipe.data
    words = ["paceline", "compare"]
    words += ["--tape", *data.tapes] if data.tapes else ["--market", ",".join(data.markets)]
    if data.regimes and not data.tapes:
        words += ["--regimes", ",".join(data.regimes)]
    words += ["--policies", ",".join(["ac", *(str(run.folder) for run in runs), "twap", "vwap"])]
    if data.tapes:
        words += ["--tune-days", str(data.train), "--days", "FROM..TO"]
    else:
        words += ["--tune-seed", "1000", "--seed", "2000"]
    words += ["--horizon", f"{recipe.orders.horizon_s[0]:g}s"]
    for name, value in zip(("--qty-least", "--qty-most"), recipe.orders.qty_volume, strict=True):
        words += [name, f"{value:g}"]
    if limits is not None:
        words += ["--participation", f"{limits.participation or 1.0:g}"]
        words += ["--participation-window", f"{limits.participation_window_s:g}s"]
        words += ["--price-band-bps", f"{limits.price_band_bps or 0.0:g}"]
        if limits.price_band_ticks is not None:
            words += ["--price-band-ticks", f"{limits.price_band_ticks}"]
        if limits.child_max is not None:
            words += ["--child-max", f"{limits.child_max:g}"]
    return shlex.join(words)


def _contents(runs: list[RunFiles]) -> dict[str, Any]:
    first = runs[0]
    figures = [validation_figure(runs), learning_figure(runs)]
    several = len(runs) > 1
    return {
        "title": f"Training of {first.recipe.name}",
        "lead": _lead(runs),
        "headline": headline(runs),
        "details": _details(runs),
        "hues": {_who(runs, run): i % HUES for i, run in enumerate(runs)},
        "best": validation_table(runs),
        "figures": [figure for figure in figures if figure is not None],
        "pages": [(run.name, f"{run.folder.name}/report.html") for run in runs] if several else [],
        "command": compare_command(runs),
        "has_days": bool(first.recipe.data.tapes),
        "made_from": _made_from(runs),
        "limits": None if first.manifest.limits is None else str(first.manifest.limits),
        "settings": shown_settings(Recipe, by_path(first.told, Recipe), without={"seed", "seeds"}),
    }


def _who(runs: Sequence[RunFiles], run: RunFiles) -> str:
    return run.name if len(runs) > 1 else "the policy"


def _lead(runs: Sequence[RunFiles]) -> str:
    recipe = runs[0].recipe
    data = recipe.data
    days = trained_on(runs[0].manifest.data).n_days
    where = (
        f"on {plural(days, 'recorded day')}, trained on {data.train} and "
        f"validated on {data.validation}"
        if data.tapes
        else f"in simulated markets like {listed(data.markets)}"
    )
    stages = listed(list(runs[0].logs)) or "no stage"
    seeds = "" if len(runs) == 1 else f", with {len(runs)} seeds"
    return (
        f"A policy of {runs[0].manifest.n_actions} actions {where}{seeds}. Stages: {stages}; what "
        f"validation kept is {_kept(runs)}."
    )


def _kept(runs: Sequence[RunFiles]) -> str:
    """Which learner of which stage the policy of each run is."""
    found = Counter(
        f"{run.manifest.learner.replace('_', ' ')} of stage {run.best['stage']}" for run in runs
    )
    if len(found) == 1:
        return next(iter(found))
    return listed([f"{what} ({plural(n, 'seed')})" for what, n in found.most_common()])


def headline(runs: Sequence[RunFiles]) -> str:
    """What came out, in a sentence or two."""
    taught = best_teacher(runs)
    cost, filled = (
        float(np.mean([run.best[what] for run in runs])) for what in ("mean_bps", "fill_rate")
    )
    if taught is None:
        who = "The best policy costs" if len(runs) == 1 else "The best policies cost"
        return (
            f"{who} {plain(cost)} bps in validation, with {plain(100 * filled, 1)} % of the orders "
            "filled. No teacher is there to compare with."
        )
    rival, teacher = taught
    gains = [run.best["score"] - run.teachers[rival]["score"] for run in runs]
    costs = f"{plain(cost)} bps in validation, against {plain(teacher['mean_bps'])} of that"
    if filled < fill_floor(teacher["fill_rate"]):
        costs += (
            f", but what is left looks cheap: {plain(100 * filled, 1)} % of the orders filled, "
            f"against {plain(100 * teacher['fill_rate'], 1)} %"
        )
    if len(runs) > 1:
        ahead = sum(gain > 0 for gain in gains)
        return (
            f"{ahead} of {len(runs)} seeds score better than the best teacher, {rival}. Their best "
            f"policies cost {costs}."
        )
    said = "better" if gains[0] > 0 else "worse"
    return (
        f"The best policy scores {plain(abs(gains[0]))} bps {said} than the best teacher, {rival}. "
        f"It costs {costs}."
    )


def _details(runs: Sequence[RunFiles]) -> list[str]:
    tries = listed([str(len(run.validations)) for run in runs])
    spread = [run.best["mean_bps"] for run in runs]
    said = [
        f"It is the best of {tries} validations, chosen on these very orders, so that it looks "
        "better here than it is. What it is worth, other days have to say.",
        "The score is what the reward counts: where that takes out the way of the mid which no "
        "action changes, the cost of the same orders still holds it.",
    ]
    if len(runs) > 1:
        said.append(
            f"Between seeds the cost goes from {plain(min(spread))} to {plain(max(spread))} bps. "
            "Each validates on orders of its own"
            + ("; teachers are shown in the mean over seeds." if teachers_over(runs) else ".")
        )
    return said


def _made_from(runs: Sequence[RunFiles]) -> Table:
    """What it takes to repeat it."""
    manifest, recipe = runs[0].manifest, runs[0].recipe
    teaching = recipe.teaching
    log = [f"{runs[0].decisions:,} decisions of {listed(teaching.teachers)}"]
    log = [*(log if teaching.teachers else []), *teaching.logs]
    rows = [
        ("seeds", listed([str(run.recipe.seed) for run in runs])),
        ("days and markets", _days(trained_on(manifest.data))),
        ("logged to learn from", "; and ".join(log) or "nothing"),
        ("schema of features", manifest.schema[:12]),
        ("code", manifest.commit or "not in a repository"),
        ("mode", ", ".join(f"{name} {value}" for name, value in manifest.mode.items())),
    ]  # fmt: skip
    if manifest.destination is not None:
        rows.append(("destination", f"{manifest.destination} (nothing was sent there)"))
    columns = [Column("what", is_text=True), Column("which", is_text=True)]
    return Table("made-from", columns, [[Cell(name), Cell(value)] for name, value in rows])


def _days(seen: TrainedOn) -> str:
    """Days by their symbol, first to last, and markets; their hashes stand in the manifest."""
    parts = [
        f"{symbol} {days[0]} to {days[-1]} ({plural(len(days), 'day')})"
        for symbol, days in seen.days.items()
    ]
    parts += [f"{market} (simulated)" for market in seen.markets]
    return f"{listed(parts)}; their hashes are in policy/manifest.json"
