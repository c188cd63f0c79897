"""The page of a comparison: one HTML file that stands alone, and a few lines for a terminal.

write_comparison(found, "out/compare/report.html")
print(comparison_text(found))          # with rich
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paceline.evaluate import plots
from paceline.evaluate.compare_plots import buckets_figure, parts_figure, waterfall
from paceline.evaluate.compare_settings import CompareSettings
from paceline.evaluate.compare_verdict import CompareVerdict, limits_kept, under, verdict_of
from paceline.evaluate.comparison import PARTS, Comparison
from paceline.evaluate.fill_floor import LESS
from paceline.evaluate.headings import FILLS, POLICY, shown_settings
from paceline.evaluate.notes import merged
from paceline.evaluate.paired import PairedDifference, basis
from paceline.evaluate.report import summary_table
from paceline.evaluate.verdict import judge
from paceline.page.cells import (
    Cell,
    Column,
    Table,
    duration,
    interval,
    listed,
    number,
    percent,
    plain,
    plural,
    probability,
)
from paceline.page.ink import HUES, Figure
from paceline.page.terminal import rich_table
from paceline.page.writing import write_page

if TYPE_CHECKING:
    from rich.console import Group

_TEMPLATE = Path(__file__).with_name("compare.html")
_NOT_MEASURED = "a schedule chooses nothing"
_IN_TERMINAL = ("policy", "fills", "difference", "95 % interval", "saving", "CVaR95", "filled")


def write_comparison(found: Comparison, path: str | Path, *, title: str | None = None) -> Path:
    """Write the page of `found` to `path`, one file that loads nothing from elsewhere."""
    return write_page(path, _TEMPLATE, _contents(found, title))


def comparison_text(found: Comparison) -> Group:
    """The answer, what is suspicious, and the differences, for `rich.print`."""
    from rich.console import Group
    from rich.text import Text

    verdict = verdict_of(found)
    table = rich_table(
        against_table(found, found.fill_models), _IN_TERMINAL, wraps="policy", grouped=True
    )
    alarms = [Text(alarm, style="bold red") for alarm in verdict.alarms]
    answer = Text(verdict.headline, style="bold")
    notes = [Text(note) for note in merged(found.notes)]
    details, limits = Text(" ".join(verdict.details)), Text(limits_kept(found))
    return Group(answer, *alarms, details, table, limits, *notes)


def against_table(found: Comparison, models: Sequence[str]) -> Table:
    """Every policy against the baseline, under each of `models`."""
    unit = found.clusters().unit
    columns = [
        POLICY,
        FILLS,
        Column("cost", "bps", "mean shortfall"),
        Column("difference", "bps", f"cost less that of {found.baseline}, order by order"),
        Column("95 % interval", "bps", f"Student's t over {unit}s"),
        Column("p", why="of no difference, two-sided: below 0.05 where the interval leaves 0 out"),
        Column("saving", "% of cost", f"of the mean cost of {found.baseline}"),
        Column("interval", "% of cost", "of the saving, 95 %"),
        Column("CVaR95", "bps", f"of the worst 5 % of orders, less that of {found.baseline}'s"),
        Column("interval ", "bps", "of that, 95 %"),
        Column("cheaper on", "% of orders"),
        Column(
            "filled",
            "%",
            f"more than {100 * LESS:g} % below {' or '.join(found.measures)}: not compared",
        ),
        Column("seeds", "clear", "of all seeds, those that alone find it cheaper at 95 %"),
    ]
    rows = [_against(found, p, m) for p in found.rivals for m in models]
    needless = {"fills"} if len(models) == 1 else set()
    if len(np.unique(found.parents["seed"])) == 1:
        needless.add("seeds")
    kept = [i for i, column in enumerate(columns) if column.name not in needless]
    return Table(
        "against",
        [columns[i] for i in kept],
        [[row[i] for i in kept] for row in rows],
        caption=f"{under(models[0]).capitalize()}." if len(models) == 1 else "",
    )


def band_table(found: Comparison) -> Table | None:
    """The differences under the other fill models; None where there are none."""
    others = [model for model in found.fill_models if model != found.central]
    if not others:
        return None
    whole = against_table(found, others)
    names = ("policy", "fills", "cost", "difference", "95 % interval", "saving", "CVaR95", "filled")
    kept = [i for i, column in enumerate(whole.columns) if column.name in names]
    rows = [[row[i] for i in kept] for row in whole.rows]
    return Table("band-table", [whole.columns[i] for i in kept], rows)


def _against(found: Comparison, policy: str, model: str) -> list[Cell]:
    sure = found.sureness(policy, model)
    ours, base = found.select(policy, model), found.select(found.baseline, model)
    seeds = found.over_seeds(policy, model)
    mean, alike = sure.mean, found.comparable(policy, model)
    few = mean.missing
    return [
        Cell(policy, kind="named"),
        Cell(model, kind="model"),
        number(float(ours["shortfall_bps"].mean())),
        number(mean.mean_bps, kind="clear" if mean.is_clear and alike else ""),
        interval(mean.low_bps, mean.high_bps, missing=few),
        probability(mean.p, few),
        percent(sure.saving.value, 1, "the baseline costs nothing"),
        interval(100 * sure.saving.low, 100 * sure.saving.high, 1, _no_share(mean)),
        number(sure.cvar95.value, kind="clear" if sure.cvar95.is_clear and alike else ""),
        interval(sure.cvar95.low, sure.cvar95.high, missing=few),
        percent(float(np.mean(ours["shortfall_bps"] < base["shortfall_bps"]))),
        percent(found.fill_rate(policy, model), kind="" if alike else "doubtful"),
        Cell(f"{seeds.cheaper} of {seeds.n}"),
    ]


def _no_share(mean: PairedDifference) -> str:
    """Why there is no interval of the saving."""
    if math.isnan(mean.p):
        return mean.missing
    return "the cost of the baseline is not clear of 0, so neither is any share of it"


def parts_table(found: Comparison) -> Table:
    """Mean of each part of cost for every policy, and what is aside."""
    model = found.central
    parts = [
        part
        for part in PARTS
        if any(abs(float(found.select(p, model)[part].mean())) >= 0.005 for p in found.policies)
    ]
    columns = [
        Column("policy", is_text=True),
        Column("cost", "bps"),
        *(Column(PARTS[part], "bps") for part in parts),
        Column("adverse selection", "bps", "how far the mid went against resting fills within a "
               "minute, on the whole order; no part of the sum"),
        Column("rested", "%", "of filled shares"),
        Column("swept", "%", "filled by what was sent at the end of the horizon"),
    ]  # fmt: skip
    rows = []
    for policy in found.policies:
        of = found.select(policy, model)
        rows.append(
            [
                Cell(policy, kind="named"),
                number(float(of["shortfall_bps"].mean())),
                *(number(float(of[part].mean())) for part in parts),
                number(float(of["given_back_1m_bps"].mean()), missing="nobody recorded it"),
                percent(_mean(of["maker_share"]), missing="nothing was filled"),
                percent(_mean(of["swept_share"])),
            ]
        )
    left_out = [name for part, name in PARTS.items() if part not in parts]
    caption = f"Means {under(model)}."
    if left_out:
        caption += f" {listed(left_out).capitalize()}: 0.00 for all."
    return Table("parts-table", columns, rows, caption=caption)


def limits_table(found: Comparison) -> Table:
    """Limits, messages and the time that a decision takes."""
    columns = [
        POLICY,
        FILLS,
        Column("orders"),
        Column("violations", why="fills beyond an order's price limit or size, children too large"),
        Column("masked choices", why="actions that were illegal, and were not carried out"),
        Column("child orders", "per order"),
        Column("messages", "per order"),
        Column("cancels", "per order", "cancels and replaces"),
        Column("rejects", "per order"),
        Column("filled", "%"),
        Column("whole", "% of orders", "filled to the last lot"),
        Column("decisions", "per order"),
        Column("decision p50", "µs", "one order alone, as live"),
        Column("p99", "µs"),
    ]
    rows = [_limits_row(found, p, m) for p in found.policies for m in found.fill_models]
    return Table("limits-table", columns, rows)


def _limits_row(found: Comparison, policy: str, model: str) -> list[Cell]:
    of = found.select(policy, model)
    took = of["decision_us"][~np.isnan(of["decision_us"])]
    p50, p99 = np.quantile(took, [0.5, 0.99]) if len(took) else (float("nan"),) * 2
    broken, masked = int(of["violations"].sum()), int(of["masked_choices"].sum())
    return [
        Cell(policy, kind="named"),
        Cell(model, kind="model"),
        Cell(f"{len(of['parent']):,}"),
        Cell(f"{broken:,}", kind="clear" if broken else ""),
        Cell(f"{masked:,}", kind="clear" if masked else ""),
        *(number(_mean(of[name]), 1) for name in ("children", "messages", "cancels", "rejects")),
        percent(_mean(of["fill_rate"])),
        percent(float(np.mean(of["fill_rate"] == 1.0))),
        number(_mean(of["decisions"]), 1),
        number(float(p50), 1, _NOT_MEASURED),
        number(float(p99), 1, _NOT_MEASURED),
    ]


def tuning_table(tuning: dict[str, Any] | None) -> Table | None:
    """The best tactics of each name under each fill model; None where nothing was tuned."""
    if tuning is None:
        return None
    rows = []
    for choice in tuning["choices"]:
        best = choice["ranking"][0]
        rows += [
            [
                Cell(choice["scope"], kind="chosen" if k == 0 else ""),
                Cell(choice["fill_model"], kind="model"),
                Cell(one["policy"], kind="chosen" if k == 0 else ""),
                Cell(duration(one["half_life_s"])),
                number(one["mean_bps"], kind="least" if k == 0 else ""),
                number(one["mean_bps"] - best["mean_bps"]),
                number(one["cvar95_bps"]),
                percent(one["fill_rate"]),
                Cell(f"{one['orders']:,}"),
            ]
            for k, one in enumerate(choice["ranking"][:3])
        ]
    columns = [
        Column("name", is_text=True),
        Column("fills", is_text=True, why="fill model"),
        Column("tactic", is_text=True),
        Column("half-life", why="1 / kappa of Almgren-Chriss"),
        Column("cost", "bps", "mean shortfall on the days of tuning"),
        Column("behind", "bps", "the best"),
        Column("CVaR95", "bps"),
        Column("filled", "%"),
        Column("orders"),
    ]
    days = tuning["days"]
    where = (
        f"{plural(len(days), 'day')} from {days[0]} to {days[-1]}, before the first day compared"
        if days
        else f"simulated markets of seed {tuning['seed']}, on which nothing is compared"
    )
    return Table(
        "tuning-table", columns, rows,
        caption=f"{tuning['tried']} tactics tried by halving on {where}. The first three of each.",
    )  # fmt: skip


def tuning_left_out(tuning: dict[str, Any] | None) -> str:
    """Which tactics were cheaper and are left out, in a sentence; empty where none is."""
    lazy = [one for choice in (tuning or {"choices": []})["choices"] for one in choice["left_out"]]
    if not lazy:
        return ""
    n = len({(one["policy"], one["half_life_s"]) for one in lazy})
    least = min(lazy, key=lambda one: float(one["mean_bps"]))
    return (
        f"Left out, though cheaper on the orders that they were tried on: {plural(n, 'tactic')} "
        f"that filled more than {100 * LESS:g} % less than the naive one; the cheapest, "
        f"{least['policy']}, cost {plain(least['mean_bps'])} bps and filled "
        f"{plain(100 * least['fill_rate'], 1)} %."
    )


def lead(found: Comparison) -> str:
    """What was done, in one sentence."""
    parents = found.parents
    days = sorted({day for day in parents["day"].tolist() if day})
    names = listed(sorted(set(parents["symbol"].tolist())))
    buys = int((parents["side"] > 0).sum())
    n = len(parents["parent"])
    if found.answers:
        where = f"in simulated markets like {names}, each in one of its own"
    elif len(days) == 1:
        where = f"in {names} on {days[0]}"
    else:
        where = f"in {names} on {plural(len(days), 'day')} from {days[0]} to {days[-1]}"
    filled = "" if found.answers else f" under {listed(found.fill_models)} fills"
    share = 100 * parents["size_share"]
    return (
        f"The same {n:,} parent orders ({buys:,} buys, {n - buys:,} sells) of "
        f"{plain(float(np.nanmin(share)), 1)} to {plain(float(np.nanmax(share)), 1)} % of the "
        f"volume of their horizon, with {duration(float(found.settings['horizon_s']))} each, "
        f"{where}, worked by {listed(found.policies)}{filled}."
    )


def _contents(found: Comparison, title: str | None) -> dict[str, Any]:
    verdict, judged = verdict_of(found), judge(found)
    # What looks ahead is so far off that nothing else could be seen.
    drawn = found.without(found.ahead) if len(found.ahead) < len(found.rivals) else found
    shown = judge(drawn)
    names = listed(sorted(set(found.parents["symbol"].tolist())))
    costs = [plots.distribution(drawn, shown), plots.band(drawn, shown)]
    return {
        "title": title or f"Policies compared on {names}",
        "lead": lead(found),
        "answer": verdict,
        "limits_kept": limits_kept(found),
        "baseline": found.baseline,
        "basis": basis(found.sureness(found.rivals[0], found.central).mean),
        "not_drawn": sorted(set(found.policies) - set(drawn.policies)),
        "answers": found.answers,
        "hues": {policy: i % HUES for i, policy in enumerate(found.policies)},
        "summary": summary_table(judged),
        "costs": [figure for figure in costs if figure is not None],
        "against": against_table(found, [found.central]),
        "band": band_table(found),
        "paired": [plots.forest(drawn, shown), plots.uplift(drawn, shown)],
        "why": _why(drawn, verdict),
        "parts": parts_table(found),
        "limits": limits_table(found),
        "tuning": tuning_table(found.tuning),
        "left_out": tuning_left_out(found.tuning),
        "settings": shown_settings(CompareSettings, found.settings),
        "notes": merged(found.notes),
    }


def _why(found: Comparison, verdict: CompareVerdict) -> list[Figure]:
    figures = [parts_figure(found)]
    if verdict.leader is not None:
        by_bucket = buckets_figure(found, verdict.leader)
        figures = [waterfall(found, verdict.leader), *figures]
        figures += [by_bucket] if by_bucket is not None else []
    return figures


def _mean(values: NDArray[Any]) -> float:
    """Mean of what is there; NaN if nothing is."""
    there = values[~np.isnan(values.astype(np.float64))]
    return float(there.mean()) if len(there) else float("nan")
