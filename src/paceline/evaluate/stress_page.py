"""What a report shows of scenarios: every policy against itself on calm days."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from paceline.evaluate.headings import FILLS, POLICY
from paceline.evaluate.results import BacktestResult
from paceline.evaluate.stressing import StressRow, stress_rows
from paceline.evaluate.verdict import WHOLE, Verdict
from paceline.page.cells import Cell, Column, Table, interval, listed, number, percent, plain
from paceline.page.ink import MUTED, Figure, dash, hue, sheet, svg
from paceline.stress.scenario import in_words

IN_TERMINAL = (
    "scenario", "policy", "fills", "stressed", "change", "buys", "sells", "CVaR95", "filled",
)  # fmt: skip


def stress_table(rows: Sequence[StressRow]) -> Table:
    """Each policy under each scenario, and what it is on calm days."""
    columns = [
        Column("scenario", is_text=True),
        POLICY,
        FILLS,
        Column("calm", "bps", "mean shortfall on calm days"),
        Column("stressed", "bps", "mean shortfall of the same orders under the scenario"),
        Column("change", "bps", "mean of the differences, order by order"),
        Column("95 % interval", "bps", "Student's t over days"),
        Column("buys", "bps", "change of orders to buy"),
        Column("sells", "bps", "change of orders to sell"),
        Column("CVaR95 calm", "bps", "mean of the worst 5 % of orders"),
        Column("CVaR95", "bps", "the same under the scenario"),
        Column("filled", "%", "filled of ordered shares, under the scenario"),
        Column("whole", "% of orders", "filled to the last lot, under the scenario"),
        Column("rejects", "per order", "child orders refused by the venue"),
        Column("violations", why="fills beyond an order's price limit, size or largest child"),
    ]
    return Table("stress-table", columns, [_cells(row) for row in rows])


def _cells(row: StressRow) -> list[Cell]:
    change = row.change
    return [
        Cell(row.scenario),
        Cell(row.policy, kind="named"),
        Cell(row.fill_model, kind="model"),
        number(row.calm_bps),
        number(row.stressed_bps),
        number(change.mean_bps, kind="clear" if change.is_clear else ""),
        interval(change.low_bps, change.high_bps, missing=change.missing),
        number(row.change_buys_bps, missing="no order buys"),
        number(row.change_sells_bps, missing="no order sells"),
        number(row.calm_cvar95_bps),
        number(row.stressed_cvar95_bps),
        percent(row.stressed_fill_rate, kind="" if row.stressed_fill_rate >= WHOLE else "doubtful"),
        percent(row.whole_orders),
        number(row.rejects),
        Cell(f"{row.violations:,}", kind="clear" if row.violations else ""),
    ]


def stress_figure(result: BacktestResult, verdict: Verdict, rows: Sequence[StressRow]) -> Figure:
    """Change of the mean shortfall under every scenario, with its interval."""
    scenarios = [under.scenario.name for under in result.stressed]
    policies = result.policies
    step = 0.7 / max(len(policies), 1)
    with sheet(1.0 + len(scenarios) * (0.22 + 0.2 * len(policies))) as figure:
        axes = figure.subplots()
        for row in rows:
            if row.fill_model != verdict.central:
                continue
            i, k = scenarios.index(row.scenario), policies.index(row.policy)
            y = i + (k - (len(policies) - 1) / 2) * step
            change = row.change
            if not math.isnan(change.low_bps):
                axes.plot(
                    [change.low_bps, change.high_bps], [y, y], color=hue(k), linestyle=dash(k)
                )
            label = row.policy if i == 0 else None
            axes.plot(change.mean_bps, y, "o", color=hue(k), markersize=5, label=label)
        axes.axvline(0.0, color=MUTED, linewidth=0.8, zorder=0)
        axes.set_yticks(range(len(scenarios)), scenarios)
        axes.set_ylim(len(scenarios) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("shortfall under the scenario less calm, bps (mean and 95 % interval)")
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=min(len(policies), 6))
        drawn = svg(figure, "stress-change", "Change of mean shortfall under each scenario")
    return Figure(drawn, f"The same orders, worked under {verdict.central} fills. {_worst(rows)}")


def _worst(rows: Sequence[StressRow]) -> str:
    known = [row for row in rows if not math.isnan(row.change.mean_bps)]
    if not known:
        return "No order has a cost on both."
    worst = max(known, key=lambda row: row.change.mean_bps)
    if worst.change.mean_bps <= 0.0:
        return "Under no scenario does a policy cost more than on calm days."
    return (
        f"{worst.scenario} is the hardest on {worst.policy}: {plain(worst.change.mean_bps)} bps "
        "more on average."
    )


def stress_page(result: BacktestResult, verdict: Verdict) -> dict[str, Any] | None:
    """What the template shows; None without scenarios."""
    if not result.stressed:
        return None
    rows = stress_rows(result)
    return {
        "figure": stress_figure(result, verdict, rows),
        "table": stress_table(rows),
        "scenarios": [(u.scenario.name, in_words(u.scenario)) for u in result.stressed],
        "remarks": _remarks(rows),
    }


def _remarks(rows: Sequence[StressRow]) -> list[str]:
    """What a reader must not overlook."""
    unfinished = sorted({row.scenario for row in rows if row.stressed_fill_rate < WHOLE})
    notes = []
    if unfinished:
        notes.append(
            f"Under {listed(unfinished)} not all was filled: what was left counts at the mid of "
            "the end, at which nobody traded it."
        )
    broken = sum(row.violations for row in rows)
    if broken:
        notes.append(f"{broken:,} fills or child orders broke a limit of their parent order.")
    return notes
