"""The report of a backtest: one HTML file that stands alone, and a few lines for a terminal.

write_report(result, "out/report.html")
print(summary_text(result))            # with rich
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paceline.cost.clustered import FEWEST
from paceline.evaluate import plots
from paceline.evaluate.conditions import data_table, model_notes, quality_tables, settings_table
from paceline.evaluate.execution import markout_figure, price_table, quality_table, split_figure
from paceline.evaluate.frontier_page import frontier_page
from paceline.evaluate.headings import FILLS, POLICY
from paceline.evaluate.notes import late_notes, stub_notes, taught_notes
from paceline.evaluate.orders_page import order_figures, order_words
from paceline.evaluate.outcomes import Outcomes
from paceline.evaluate.results import BacktestResult
from paceline.evaluate.stress_page import IN_TERMINAL, stress_page, stress_table
from paceline.evaluate.stressing import stress_rows
from paceline.evaluate.verdict import WHOLE, Verdict, judge
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
    quantity,
)
from paceline.page.ink import HUES
from paceline.page.terminal import rich_table
from paceline.page.writing import write_page

if TYPE_CHECKING:
    from rich.console import Group

_TEMPLATE = Path(__file__).with_name("report.html")
_FEW = f"fewer than {FEWEST} days"


def write_report(
    result: BacktestResult, path: str | Path, *, examples: int = 6, title: str | None = None
) -> Path:
    """Write the report of `result` to `path`, one file that loads nothing from elsewhere.

    `examples`: parent orders to draw. Folders are made; an older report is replaced.
    """
    verdict = judge(result)
    return write_page(path, _TEMPLATE, _contents(result, verdict, examples, title))


def summary_text(result: BacktestResult) -> Group:
    """The answer and the table of costs, for `rich.print`."""
    from rich.console import Group
    from rich.text import Text

    verdict = judge(result)
    table = rich_table(summary_table(verdict), _IN_TERMINAL, wraps="policy", grouped=True)
    answer = Text(verdict.headline, style="bold")
    noted = (
        *result.given,
        *result.left_out,
        *taught_notes(result),
        *late_notes(result),
        *stub_notes(result),
    )
    left_out = [Text(note) for note in noted]
    stress: list[Any] = []
    if result.stressed:
        found = stress_table(stress_rows(result))
        shown = [name for name in IN_TERMINAL if name != "fills" or len(result.fill_models) > 1]
        stress.append(Text("The same orders under stress", style="bold"))
        stress.append(rich_table(found, shown, wraps="policy", grouped=True))
    return Group(answer, Text(" ".join(verdict.details)), table, *stress, *left_out)


_IN_TERMINAL = (
    "policy", "fills", "cost", "mean", "± s.e.", "p50", "p95", "CVaR95", "filled", "maker",
)  # fmt: skip


def summary_table(verdict: Verdict) -> Table:
    """Cost of each policy under each fill model: `BacktestResult.summary` with its units. One order
    has a cost, and neither a mean nor a distribution."""
    single = verdict.is_single
    columns = [
        POLICY,
        FILLS,
        *([Column("cost", "bps", "shortfall")] if single else _DISTRIBUTION),
        Column("delay", "bps", "the market moved before the order was worked"),
        Column("trading", "bps", "fills against the arrival price"),
        Column("opportunity", "bps", "what was not traded, at the price of the end"),
        Column("fees", "bps", "fees less rebates"),
        Column("spread", "bps", "spread paid: fills against the mid just before; captured below 0"),
        Column("filled", "%", "filled of ordered shares"),
        Column("maker", "%", "share of filled shares that had rested"),
        Column("particip.", "%", "own volume of all volume from start to end"),
        Column("to fill", "s", "from sending a child order to its first fill"),
    ]
    rows = [_summary_row(verdict, row, single) for row in verdict.summary]
    return Table("summary", columns, rows)


_DISTRIBUTION = (
    Column("mean", "bps", "mean shortfall"),
    Column("± s.e.", "bps", "standard error of the mean, over days"),
    Column("p50", "bps"),
    Column("p95", "bps"),
    Column("p99", "bps"),
    Column("CVaR95", "bps", "mean of the worst 5 % of orders"),
)


def _summary_row(verdict: Verdict, row: dict[str, Any], single: bool) -> list[Cell]:
    ranking = verdict.ranking[row["fill_model"]]
    least = len(ranking) > 1 and row["fill_rate"] > 0.0 and ranking[0] == row["policy"]
    filled = "" if row["fill_rate"] >= WHOLE else "doubtful"
    costs = [number(row[f"is_{name}_bps"]) for name in ("p50", "p95", "p99", "cvar95")]
    parts = [number(row[f"{name}_bps"]) for name in ("delay", "trading", "opportunity", "fees")]
    return [
        Cell(row["policy"], kind="named"),
        Cell(row["fill_model"], kind="model"),
        number(row["is_mean_bps"], kind="least" if least else ""),
        *([] if single else [number(row["is_std_error_bps"], missing=_FEW), *costs]),
        *parts,
        number(row["spread_paid_bps"], missing="nothing was filled"),
        percent(row["fill_rate"], kind=filled),
        percent(row["maker_share"], missing="nothing was filled"),
        percent(row["participation"], missing="nobody traded"),
        number(row["time_to_fill_s"], 1, "nothing was filled"),
    ]


def difference_table(result: Outcomes, verdict: Verdict) -> Table:
    """Paired differences to the baseline."""
    rows = []
    for (policy, model), pair in verdict.differences.items():
        cost, against = (
            result.select(name, model)["shortfall_bps"] for name in (policy, verdict.baseline)
        )
        rows.append(
            [
                Cell(policy, kind="named"),
                Cell(model, kind="model"),
                number(pair.mean_bps, kind="clear" if pair.is_clear else ""),
                interval(pair.low_bps, pair.high_bps, missing=pair.missing),
                probability(pair.p, missing=pair.missing),
                percent(float(np.mean(cost < against))),
                percent(float(np.mean(cost == against))),
                Cell(f"{pair.n:,}"),
                Cell(f"{pair.groups:,}"),
            ]
        )
    rows.sort(key=lambda row: result.policies.index(row[0].text))
    columns = [
        POLICY,
        FILLS,
        Column(f"less {verdict.baseline}", "bps", "mean of the differences, order by order"),
        Column("95 % interval", "bps", "Student's t over days"),
        Column("p", why="of no difference, two-sided: below 0.05 where the interval leaves 0 out"),
        Column("cheaper on", "% of orders"),
        Column("same on", "% of orders"),
        Column("orders"),
        Column("days", why="orders of one day share its market, whatever their name"),
    ]
    apart = [model for model in result.fill_models if not verdict.compares(model)]
    caption = (
        f"Under {listed(apart)} fills the policies filled different shares of the orders: less "
        "cost there may be less done."
    )
    return Table("differences", columns, rows, caption=caption if apart else "")


def _contents(
    result: BacktestResult, verdict: Verdict, examples: int, title: str | None
) -> dict[str, Any]:
    single = verdict.is_single
    several = len(result.policies) > 1 and not single
    costs = [plots.distribution(result, verdict), plots.parts(result, verdict)]
    if not single or len(result.fill_models) > 1:
        costs.append(plots.band(result, verdict))
    paired = [plots.forest(result, verdict), plots.uplift(result, verdict)] if several else []
    execution = [markout_figure(result, verdict), split_figure(result, verdict)]
    ac = next((i for i, name in enumerate(result.policies) if name.startswith("ac")), None)
    return {
        "title": title or _title(result),
        "single": single,
        "lead": lead(result),
        "verdict": verdict,
        "policies": result.policies,
        "hues": {policy: i % HUES for i, policy in enumerate(result.policies)},
        "summary": summary_table(verdict),
        "costs": [figure for figure in costs if figure is not None],
        "differences": difference_table(result, verdict) if several else None,
        "paired": paired,
        "stress": stress_page(result, verdict),
        "quality": [quality_table(verdict), price_table(verdict)],
        "execution": [figure for figure in execution if figure is not None],
        "answers": result.answers,
        "orders": order_figures(result, verdict, examples),
        "frontier": frontier_page(result, ac),
        "settings": settings_table(result),
        "models": model_notes(result),
        "notes": result.notes,
        "data": data_table(result),
        "data_quality": quality_tables(result),
    }


def _title(result: BacktestResult) -> str:
    if len(result.parents["parent"]) == 1:
        return order_words(result, 0)[0]
    return f"Backtest of {listed(list(dict.fromkeys(result.parents['symbol'].tolist())))}"


def lead(result: BacktestResult) -> str:
    """What was done, in one sentence."""
    parents = result.parents
    n = len(parents["parent"])
    qty = parents["qty"]
    lots = [place.tape.instrument.lot for place in result.places]
    lot, unit = min(lots), "shares" if all(lot % 1 == 0 for lot in lots) else "units"
    size = (
        f"of {quantity(qty[0], lot)} {unit}"
        if np.all(qty == qty[0])
        else f"of {quantity(qty.min(), lot)} to {quantity(qty.max(), lot)} {unit} (median "
        f"{quantity(float(np.median(qty)), lot)}{_rule(result.settings)})"
    )
    days = sorted(set(parents["day"].tolist()))
    when = days[0] if len(days) == 1 else f"{plural(len(days), 'day')} from {days[0]} to {days[-1]}"
    horizon = np.unique((parents["end_ts"] - parents["start_ts"]) / 1e9)
    time = duration(float(np.median(horizon)))
    models = result.fill_models
    filled = (
        "in simulated markets that answer"
        if result.answers
        else f"under the {listed(models)} fill {'model' if len(models) == 1 else 'models'}"
    )
    if n == 1:
        return f"{order_words(result, 0)[1]}, worked by {listed(result.policies)} {filled}."
    return (
        f"{plural(n, 'parent order')} ({_sides(parents['side'])}) {size} in "
        f"{listed(list(dict.fromkeys(parents['symbol'].tolist())))} on {when}, "
        f"with {'' if len(horizon) == 1 else 'about '}{time} for each, worked "
        f"by {listed(result.policies)} {filled}."
    )


def _sides(side: NDArray[np.int64]) -> str:
    counts = ((int((side > 0).sum()), "buy"), (int((side < 0).sum()), "sell"))
    return ", ".join(plural(count, name) for count, name in counts if count)


def _rule(settings: dict[str, Any]) -> str:
    for name, what in (
        ("qty_adv", "average daily volume"),
        ("qty_volume", "the volume expected over the horizon"),
    ):
        if settings.get(name) is not None:
            return f"; {plain(100 * settings[name], 2).rstrip('0').rstrip('.')} % of {what}"
    return ""
