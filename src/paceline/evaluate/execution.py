"""How well orders were executed: after the fill, and by side, time of day and size."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.cost.clustered import Clusters, clustered
from paceline.evaluate.headings import FILLS, POLICY
from paceline.evaluate.results import BacktestResult
from paceline.evaluate.verdict import Verdict
from paceline.page.cells import Cell, Column, Table, number, percent, plain
from paceline.page.ink import INK, MUTED, PAPER, Figure, dash, hue, sheet, svg
from paceline.units import NS_PER_S

MINUTES = (1, 5, 30)
_FEWEST = 5
"""Orders that a bucket needs before its mean is drawn."""

_ADVERSE = "after fills that rested: how far the mid went against us so much later"
_REVERSION = "after fills that took: how far the mid came back so much later"
_NO_FILL = "nothing was filled"
_NO_MAKER = "no resting order was filled, or no mid is known that much later in the session"
_NO_TAKER = "no order took, or no mid is known that much later in the session"


class Bucket(NamedTuple):
    """Some of the parent orders, for a reason."""

    name: str
    rows: NDArray[np.bool_]


class Split(NamedTuple):
    """All parent orders, split by one thing."""

    name: str
    buckets: list[Bucket]


def quality_table(verdict: Verdict) -> Table:
    """How child orders were filled, for each policy and fill model."""
    columns = [
        POLICY,
        FILLS,
        Column("fill rate", "%", "filled of ordered shares"),
        Column("swept at end", "%", "of ordered shares: filled by the sweep at the horizon's end"),
        Column("child fill", "%", "filled of sent shares, mean over parent orders"),
        Column("children", "", "child orders of a parent order"),
        Column("moved", "", "times a child order was replaced: pegged anew, or made to cross"),
        Column("partial", "%", "child orders that ended filled in part"),
        Column("to fill", "s", "from sending a child order to its first fill"),
    ]
    return Table("quality", columns, [_quality_row(row) for row in verdict.summary])


def price_table(verdict: Verdict) -> Table:
    """Prices against benchmarks, and what the price did after a fill, for each policy and fill
    model."""
    columns = [
        POLICY,
        FILLS,
        Column("vs VWAP", "bps", "average price less the market's VWAP over the horizon"),
        Column("vs PWP", "bps", "less the participation-weighted price"),
        Column("vs AC", "bps", "less the time-average mids along the Almgren-Chriss path"),
        *[Column("adverse", f"{m} min, bps", _ADVERSE) for m in MINUTES],
        *[Column("reversion", f"{m} min, bps", _REVERSION) for m in MINUTES],
    ]
    return Table("prices", columns, [_price_row(row) for row in verdict.summary])


def _quality_row(row: dict[str, Any]) -> list[Cell]:
    return [
        Cell(row["policy"], kind="named"),
        Cell(row["fill_model"], kind="model"),
        percent(row["fill_rate"]),
        percent(row["swept_share"]),
        percent(row["child_fill_rate"], missing="no child order was sent"),
        number(row["children"], 1),
        number(row["replaces"], 1),
        percent(row["partial_share"], missing="no child order was sent"),
        number(row["time_to_fill_s"], 1, _NO_FILL),
    ]


def _price_row(row: dict[str, Any]) -> list[Cell]:
    return [
        Cell(row["policy"], kind="named"),
        Cell(row["fill_model"], kind="model"),
        number(row["vs_vwap_bps"], missing=f"{_NO_FILL}, or the market did not trade"),
        number(row["vs_pwp_bps"], missing=f"{_NO_FILL}, or the market never traded enough"),
        number(row["vs_ac_bps"], missing=f"{_NO_FILL}, or there is no trajectory"),
        *[number(row[f"adverse_{m}m_bps"], missing=_NO_MAKER) for m in MINUTES],
        *[number(row[f"reversion_{m}m_bps"], missing=_NO_TAKER) for m in MINUTES],
    ]


def markout_figure(result: BacktestResult, verdict: Verdict) -> Figure | None:
    """Mean move of the mid after fills that rested and fills that took; None without fills."""
    sides = (
        ("adverse", "After fills that rested: adverse selection"),
        ("reversion", "After fills that took: reversion"),
    )
    values = {
        (kind, policy): [verdict.row(policy, verdict.central)[f"{kind}_{m}m_bps"] for m in MINUTES]
        for kind, _ in sides
        for policy in result.policies
    }
    if all(np.isnan(curve).all() for curve in values.values()):
        return None
    with sheet(2.5) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (kind, title) in zip(panels, sides, strict=True):
            for i, policy in enumerate(result.policies):
                axes.plot(
                    MINUTES, values[kind, policy], "o", linestyle=dash(i), label=policy,
                    color=hue(i), markeredgecolor=PAPER, markersize=6,
                )  # fmt: skip
            axes.axhline(0.0, color=MUTED, linewidth=0.8, zorder=0)
            axes.set_xscale("log")
            axes.set_xticks(MINUTES, [f"{m} min" for m in MINUTES])
            axes.minorticks_off()
            axes.set_title(title)
            axes.set_xlabel("after the fill")
        panels[0].set_ylabel("against us, bps")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center")
        drawn = svg(figure, "markouts", "Move of the mid after fills")
    return Figure(drawn, _markout_caption(values, result))


def _markout_caption(values: dict[tuple[str, str], list[float]], result: BacktestResult) -> str:
    said, policies = [], result.policies
    for kind, what in (("adverse", "rested"), ("reversion", "took")):
        five = np.array([values[kind, policy][1] for policy in policies])
        if np.isfinite(five).any():
            mean = float(np.nanmean(five))
            way = "against us" if mean > 0 else "in our favour"
            said.append(f"{plain(abs(mean))} bps {way} after fills that {what}")
    if not said:
        return "No mid is known five minutes after a fill."
    average = ", on average over the policies" if len(policies) > 1 else ""
    ours = " What we traded after the fill moved it, too." if result.answers else ""
    return f"Five minutes later the mid stood {' and '.join(said)}{average}.{ours}"


def splits(result: BacktestResult) -> list[Split]:
    """The splits that say something: at least two buckets of at least five orders."""
    parents = result.parents
    side = [Bucket(name, parents["side"] == sign) for name, sign in (("buy", 1), ("sell", -1))]
    found = [
        Split("side", side),
        Split("start time", _by_time(result)),
        Split("size", _by_size(result)),
    ]
    return [
        Split(split.name, kept)
        for split in found
        if len(kept := [b for b in split.buckets if b.rows.sum() >= _FEWEST]) > 1
    ]


def _by_time(result: BacktestResult) -> list[Bucket]:
    """Four equally long parts of the session, in the venue's clock."""
    start = np.concatenate(
        [
            place.parents["start_ts"] - place.tape.session.midnight_ns
            for place in result.places
        ]
    ) / NS_PER_S  # fmt: skip
    session = result.places[0].tape.session
    midnight = session.midnight_ns
    edges = np.linspace(
        (session.open_ns - midnight) / NS_PER_S, (session.close_ns - midnight) / NS_PER_S, 5
    )
    edges = np.round(edges / 900.0) * 900.0
    if len(np.unique(edges)) < 5:
        return []
    clock = [f"{int(t // 3600):02d}:{int(t % 3600 // 60):02d}" for t in edges]
    return [
        Bucket(f"{clock[k]}–{clock[k + 1]}", (start >= edges[k]) & (start < edges[k + 1]))
        for k in range(4)
    ]


def _by_size(result: BacktestResult) -> list[Bucket]:
    """Thirds by size as a share of average daily volume, if sizes differ enough to matter."""
    share = np.concatenate(
        [place.parents["lots"] / place.lesson.adv_lots for place in result.places]
    )
    if not np.all(np.isfinite(share)) or len(share) < 3 * _FEWEST:
        return []
    low, high = np.quantile(share, [1 / 3, 2 / 3])
    if not low < high or share.max() < 1.3 * share.min():
        return []
    return [
        Bucket(f"to {100 * low:.2g} % ADV", share <= low),
        Bucket(f"to {100 * high:.2g} % ADV", (share > low) & (share <= high)),
        Bucket(f"above {100 * high:.2g} %", share > high),
    ]


def split_figure(result: BacktestResult, verdict: Verdict) -> Figure | None:
    """Mean shortfall by side, time of day and size, for each policy; None if no split is left."""
    shown = splits(result)
    if not shown:
        return None
    policies, model = result.policies, verdict.central
    costs = [result.select(policy, model)["shortfall_bps"] for policy in policies]
    sizes = [len(split.buckets) for split in shown]
    with sheet(2.9) as figure:
        panels = figure.subplots(1, len(shown), sharey=True, width_ratios=sizes, squeeze=False)[0]
        for axes, split in zip(panels, shown, strict=True):
            for i, cost in enumerate(costs):
                shift = (i - (len(policies) - 1) / 2) * 0.7 / len(policies)
                for k, bucket in enumerate(split.buckets):
                    days = result.clusters().of(bucket.rows)
                    _mean_and_error(axes, k + shift, cost[bucket.rows], days, hue(i))
            axes.axhline(0.0, color=MUTED, linewidth=0.8, zorder=0)
            names = [f"{bucket.name}\n{bucket.rows.sum()} orders" for bucket in split.buckets]
            axes.set_xticks(range(len(names)), names, fontsize=7)
            axes.tick_params(axis="x", length=0, labelcolor=INK)
            axes.set_xlim(-0.5, len(names) - 0.5)
            axes.grid(False, axis="x")
            axes.set_title(f"by {split.name}")
        panels[0].set_ylabel("mean shortfall ± s.e., bps")
        figure.legend(
            handles=_swatches(policies), loc="outside lower center", ncols=min(len(policies), 8),
            handletextpad=0.2, columnspacing=1.2,
        )  # fmt: skip
        drawn = svg(figure, "splits", "Mean shortfall by side, time of day and size")
    return Figure(drawn, _split_caption(result, shown, costs[0]))


def _split_caption(result: BacktestResult, shown: list[Split], cost: NDArray[np.float64]) -> str:
    split = max(shown, key=lambda s: np.ptp([cost[b.rows].mean() for b in s.buckets]))
    means = [(cost[bucket.rows].mean(), bucket.name) for bucket in split.buckets]
    same = "began from the same markets" if result.answers else "met the same market"
    (least, cheap), (most, dear) = min(means), max(means)
    return (
        f"For {result.policies[0]} the widest gap is by {split.name}: {plain(least)} bps ({cheap}) "
        f"to {plain(most)} bps ({dear}). All policies {same} in a bucket, so look at the order of "
        "the dots more than at their height."
    )


def _mean_and_error(
    axes: Any, x: float, cost: NDArray[np.float64], days: Clusters, color: str
) -> None:
    known = ~np.isnan(cost)
    found = clustered(cost[known], days.of(known))
    mean, error = float(found.mean[0]), found.std_error
    if not np.isnan(error):
        axes.plot([x, x], [mean - error, mean + error], color=color, linewidth=1.2)
    axes.plot(x, mean, "o", color=color, markeredgecolor=PAPER, markersize=5.5)


def _swatches(policies: list[str]) -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], linestyle="none", marker="o", color=hue(i), label=policy)
        for i, policy in enumerate(policies)
    ]
