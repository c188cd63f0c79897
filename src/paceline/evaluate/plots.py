"""Plots of a backtest's costs, each as an SVG for a page and a caption that says what to see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paceline.cost.tail import summarize
from paceline.evaluate.outcomes import Outcomes
from paceline.evaluate.per_order import SIMULATED
from paceline.evaluate.verdict import Verdict
from paceline.page.cells import listed, plain
from paceline.page.ink import (
    INK,
    LINE,
    MUTED,
    PAPER,
    Figure,
    beyond,
    dash,
    hue,
    marks,
    part_color,
    sheet,
    svg,
)

MODEL_MARKS = {"pessimistic": "v", "calibrated": "o", "optimistic": "^", SIMULATED: "o"}
PARTS = ("delay", "spread", "own impact", "price moves", "opportunity", "fees")
"""Parts of shortfall as drawn: trading is split into its three causes."""

_FEWEST = 5
"""Orders that a distribution needs."""


def distribution(result: Outcomes, verdict: Verdict) -> Figure | None:
    """Density of shortfall for each policy, with its mean and tail, and the tail on its own.

    None for so few orders that they have no distribution.
    """
    policies, model = result.policies, verdict.central
    costs = [result.select(policy, model)["shortfall_bps"] for policy in policies]
    if len(costs[0]) < _FEWEST:
        return None
    low, high = _window(costs)
    with sheet(1.3 + 0.52 * len(policies)) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[1.7, 1.0])
        for i, cost in enumerate(costs):
            _ridge(left, i, cost, low, high)
        _policy_rows(left, policies)
        left.axvline(0.0, color=MUTED, linewidth=0.8, zorder=0)
        left.set_ylim(top=-0.9)
        left.set_xlim(low, high)
        left.set_xlabel("shortfall, bps of arrival notional")
        left.legend(
            handles=marks([("|", "median"), ("o", "mean"), (">", "p95"), ("D", "CVaR95")]),
            ncols=4, loc="lower left", bbox_to_anchor=(-0.02, 1.0), borderpad=0.0,
            handletextpad=0.2, columnspacing=1.2,
        )  # fmt: skip
        for i, cost in enumerate(costs):
            worst = np.sort(cost)[::-1]
            share = (np.arange(len(worst)) + 1) / len(worst)
            keep = _thin(len(worst), 400)
            right.plot(
                worst[keep], share[keep], color=hue(i), linestyle=dash(i),
                drawstyle="steps-post" if len(worst) < 50 else "default",
            )  # fmt: skip
        right.set_yscale("log")
        right.set_ylim(min(0.5 / len(costs[0]), 0.4), 0.6)
        right.set_xlim(left=min(float(np.median(cost)) for cost in costs) - 0.02 * (high - low))
        _share_axis(right)
        right.set_xlabel("shortfall, bps")
        right.set_title("Share of orders that cost more")
        drawn = svg(figure, "distribution", "Distribution of shortfall for each policy")
    caption = _distribution_caption(policies, costs, model)
    hidden = beyond(np.concatenate(costs), low, high, "costs (on the left)")
    return Figure(drawn, caption + hidden)


def _distribution_caption(
    policies: Sequence[str], costs: Sequence[NDArray[np.float64]], model: str
) -> str:
    spread = float(np.median([cost.std(ddof=1) for cost in costs]))
    text = f"Single orders differ by {plain(spread)} bps (standard deviation)"
    if len(policies) > 1:
        text += f", the means of the policies by {plain(float(np.ptp([c.mean() for c in costs])))}"
    tail = {policy: summarize(cost).cvar95 for policy, cost in zip(policies, costs, strict=True)}
    mildest, worst = min(tail, key=tail.__getitem__), max(tail, key=tail.__getitem__)
    text += f". The worst 5 % of orders cost {plain(tail[mildest])} bps on average with {mildest}"
    if worst != mildest:
        text += f", {plain(tail[worst])} bps with {worst}"
    return f"{text} ({model} fills)."


def parts(result: Outcomes, verdict: Verdict) -> Figure:
    """What shortfall is made of, for each policy."""
    policies, model = result.policies, verdict.central
    table = np.array([mean_parts(result, policy, model) for policy in policies])
    shown = [k for k in range(len(PARTS)) if np.any(np.abs(table[:, k]) > 0.005)]
    with sheet(1.0 + 0.36 * len(policies)) as figure:
        axes = figure.subplots()
        above, below = np.zeros(len(policies)), np.zeros(len(policies))
        for k in shown:
            value = table[:, k]
            start = np.where(value >= 0, above, below)
            axes.barh(
                np.arange(len(policies)), value, left=start, height=0.56,
                color=part_color(k), label=PARTS[k], linewidth=0,
            )  # fmt: skip
            above, below = above + np.maximum(value, 0), below + np.minimum(value, 0)
        for i, policy in enumerate(policies):
            row = verdict.row(policy, model)
            axes.plot(row["is_mean_bps"], i, "o", color=INK, markeredgecolor=PAPER, markersize=6)
            axes.annotate(
                plain(row["is_mean_bps"]), (above[i], i), (6, 0), textcoords="offset points",
                va="center", color=INK,
            )  # fmt: skip
        axes.axvline(0.0, color=MUTED, linewidth=0.8)
        axes.margins(x=0.08)
        _policy_rows(axes, policies)
        mean = "mean, " if row["orders"] > 1 else ""
        axes.set_xlabel(f"{mean}bps of arrival notional (dot: their sum, the shortfall)")
        if shown:
            axes.legend(
                ncols=len(shown), loc="lower left", bbox_to_anchor=(-0.01, 1.0), borderpad=0.0,
                handlelength=1.0, columnspacing=1.2,
            )  # fmt: skip
        drawn = svg(figure, "parts", "Parts of shortfall for each policy")
    if not shown:
        return Figure(drawn, "Every part is 0 to two decimals.")
    largest = max(shown, key=lambda k: float(np.abs(table[:, k]).mean()))
    average = " on average over the policies" if len(policies) > 1 else ""
    return Figure(
        drawn,
        f"Largest part: {PARTS[largest]}, {plain(float(table[:, largest].mean()))} bps{average} "
        f"({model} fills). Trading cost is shown as {_trading(result)}.",
    )


def _trading(result: Outcomes) -> str:
    """Its parts in words. What emerges of our impact is no part of its own."""
    way = "the way of the mid from arrival to the fills"
    if not result.answers:
        return f"the spread paid, the shift of our own modelled impact, and {way}"
    if result.settings.get("impact") == "fitted":
        return f"the spread paid, the shift that was put on top, and {way}, our impact in it"
    return f"the spread paid and {way}, our own impact in it"


def mean_parts(result: Outcomes, policy: str, model: str) -> NDArray[np.float64]:
    """`[6]` mean of each of `PARTS` in bps; they sum to the mean shortfall."""
    rows = result.select(policy, model)
    spread = np.nan_to_num(rows["spread_paid_bps"] * rows["fill_rate"])
    impact = np.nan_to_num(rows["impact_bps"] * rows["fill_rate"])
    moves = rows["trading_bps"] - spread - impact
    columns = (
        rows["delay_bps"], spread, impact, moves, rows["opportunity_bps"], rows["fees_bps"],
    )  # fmt: skip
    return np.array([column.mean() for column in columns])


def band(result: Outcomes, verdict: Verdict) -> Figure | None:
    """Mean shortfall of each policy from the optimistic to the pessimistic fill model; None for one
    policy under one model, and for a market that answers, which has none."""
    policies, models = result.policies, result.fill_models
    if len(policies) == len(models) == 1 or result.answers:
        return None
    with sheet(1.0 + 0.36 * len(policies)) as figure:
        axes = figure.subplots()
        for i, policy in enumerate(policies):
            rows = [verdict.row(policy, model) for model in models]
            means = [row["is_mean_bps"] for row in rows]
            row = verdict.row(policy, verdict.central)
            if not np.isnan(row["is_low_bps"]):
                axes.plot(
                    [row["is_low_bps"], row["is_high_bps"]], [i, i], color=LINE,
                    linewidth=7, solid_capstyle="round", zorder=1,
                )  # fmt: skip
            axes.plot([min(means), max(means)], [i, i], color=hue(i), linewidth=2.4)
            for model, mean in zip(models, means, strict=True):
                axes.plot(
                    mean, i, MODEL_MARKS[model], color=hue(i), markeredgecolor=PAPER,
                    markersize=8, zorder=3,
                )  # fmt: skip
        _policy_rows(axes, policies)
        axes.margins(x=0.06)
        axes.set_xlabel(
            "shortfall, bps" if verdict.is_single
            else "mean shortfall, bps (pale: 95 % interval of the mean)"
        )  # fmt: skip
        axes.legend(
            handles=marks([(MODEL_MARKS[model], model) for model in models]), ncols=3,
            loc="lower left", bbox_to_anchor=(-0.01, 1.0), borderpad=0.0, handletextpad=0.2,
        )  # fmt: skip
        drawn = svg(figure, "band", "Mean shortfall of each policy under each fill model")
    if len(models) == 1:
        return Figure(drawn, f"Only the {models[0]} fill model was run.")
    width = {
        policy: np.ptp([verdict.row(policy, model)["is_mean_bps"] for model in models])
        for policy in policies
    }
    widest = max(width, key=width.__getitem__)
    return Figure(
        drawn,
        f"What is not known about the queue is worth at most {plain(float(width[widest]))} bps "
        f"({widest}). "
        + (
            "The intervals of the mean share the market's moves, so compare policies by their "
            "paired differences and not by these."
            if len(policies) > 1 and not verdict.is_single
            else ""
        ),
    )


def forest(result: Outcomes, verdict: Verdict) -> Figure:
    """Paired differences to the baseline with their 95 % intervals."""
    policies, models = result.policies[1:], result.fill_models
    with sheet(1.0 + 0.22 * len(policies) * (len(models) + 0.6)) as figure:
        axes = figure.subplots()
        for i, policy in enumerate(policies):
            for j, model in enumerate(models):
                pair = verdict.differences[policy, model]
                y = i + (j - (len(models) - 1) / 2) * 0.24
                color = hue(i + 1)
                if not np.isnan(pair.low_bps):
                    axes.plot([pair.low_bps, pair.high_bps], [y, y], color=color, linewidth=2)
                if pair.n:
                    axes.plot(
                        pair.mean_bps, y, MODEL_MARKS[model], color=color,
                        markeredgecolor=PAPER, markersize=8,
                    )  # fmt: skip
        axes.axvline(0.0, color=INK, linewidth=1.0, zorder=1)
        _policy_rows(axes, policies)
        axes.margins(x=0.1)
        axes.set_xlabel(f"shortfall less that of {verdict.baseline}, bps  (left of 0: cheaper)")
        axes.legend(
            handles=marks([(MODEL_MARKS[model], model) for model in models]), ncols=3,
            loc="lower left", bbox_to_anchor=(-0.01, 1.0), borderpad=0.0, handletextpad=0.2,
        )  # fmt: skip
        drawn = svg(figure, "forest", f"Paired differences to {verdict.baseline}")
    pairs = {policy: verdict.differences[policy, verdict.central] for policy in policies}
    few = next(iter(pairs.values())).missing
    unknown = all(np.isnan(pair.low_bps) for pair in pairs.values())
    cheaper = [policy for policy, pair in pairs.items() if pair.high_bps < 0]
    dearer = [policy for policy, pair in pairs.items() if pair.low_bps > 0]
    said = [
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} {what}"
        for names, what in ((cheaper, "cheaper"), (dearer, "dearer"))
        if names
    ]
    open_ = len(policies) - len(cheaper) - len(dearer)
    if open_:
        said.append(f"{'the others are' if said else 'no policy is'} not told apart")
        if not cheaper and not dearer:
            said = (
                [f"nothing can be said, for there is only {few}"]
                if unknown
                else ["no policy can be told apart from it"]
            )
    text = "; ".join(said)
    return Figure(
        drawn,
        f"Against {verdict.baseline}, at 95 % and each pair on its own ({verdict.central} fills): "
        f"{text}."
        + (
            ""
            if verdict.compares(verdict.central)
            else " They filled different shares, so less cost may be less done."
        ),
    )


def uplift(result: Outcomes, verdict: Verdict) -> Figure:
    """Histogram of the difference to the baseline, order by order."""
    policies, model = result.policies[1:], verdict.central
    against = result.select(verdict.baseline, model)["shortfall_bps"]
    difference = [result.select(p, model)["shortfall_bps"] - against for p in policies]
    reach = max(float(np.quantile(np.abs(d), 0.98)) for d in difference) or 1.0
    edges = np.linspace(-reach, reach, 42)
    columns = min(len(policies), 3)
    rows = -(-len(policies) // columns)
    with sheet(0.5 + 1.45 * rows) as figure:
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
        for i, (axes, policy) in enumerate(zip(panels, policies, strict=False)):
            inside = np.clip(difference[i], -reach, reach)
            axes.hist(inside, edges, color=hue(i + 1), linewidth=0)
            axes.axvline(0.0, color=MUTED, linewidth=0.8)
            axes.axvline(difference[i].mean(), color=INK, linewidth=1.4)
            won, level = np.mean(difference[i] < 0), np.mean(difference[i] == 0)
            tie = f", same on {100 * level:.0f} %" if level >= 0.005 else ""
            axes.set_title(f"{policy}: cheaper on {100 * won:.0f} %{tie}", fontsize=8)
            axes.set_yticks([])
            axes.grid(False, axis="y")
        for axes in panels[len(policies) :]:
            axes.set_visible(False)
        figure.supxlabel(
            f"shortfall less that of {verdict.baseline} on the same order, bps  (line: mean)",
            color=MUTED, fontsize=8,
        )  # fmt: skip
        drawn = svg(figure, "uplift", f"Per-order difference to {verdict.baseline}")
    typical = [float(np.median(np.abs(d))) for d in difference]
    return Figure(
        drawn,
        f"The means are small beside single orders: the typical order differs from "
        f"{verdict.baseline} by {plain(min(typical))} to {plain(max(typical))} bps either way. "
        f"Counts of orders.{_in_last_bars(difference, reach)}",
    )


def _in_last_bars(difference: Sequence[NDArray[np.float64]], reach: float) -> str:
    """What a histogram up to `reach` gathers in its outer bars."""
    size = np.abs(np.concatenate(difference))
    further = int((size > reach).sum())
    if not further:
        return ""
    return (
        f" The outer bars hold {further:,} of {len(size):,} differences of more than "
        f"{plain(reach, 1)} bps, the largest {plain(float(size.max()), 1)}."
    )


def _ridge(axes: Any, i: int, cost: NDArray[np.float64], low: float, high: float) -> None:
    """Half a violin on row i, with median, mean, p95 and CVaR95 below its foot."""
    color = hue(i)
    if len(cost) > 2 and np.ptp(cost) > 0:
        x = np.linspace(low, high, 220)
        y = _density(cost, x)
        axes.fill_between(x, i, i - 0.78 * y / y.max(), color=color, alpha=0.35, linewidth=0)
        axes.plot(x, i - 0.78 * y / y.max(), color=color, linewidth=1.1)
    seen = summarize(cost)
    axes.plot([seen.p50, seen.cvar95], [i + 0.1] * 2, color=color, linewidth=1.2)
    for mark, value in (("|", seen.p50), ("o", seen.mean), (">", seen.p95), ("D", seen.cvar95)):
        axes.plot(
            value, i + 0.1, mark, color=color, markersize=8 if mark == "|" else 5.5,
            markeredgecolor=color if mark == "|" else PAPER,
            markeredgewidth=1.6 if mark == "|" else 0.7, clip_on=False,
        )  # fmt: skip


def _density(cost: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian kernel density with Silverman's width (the robust one, for heavy tails)."""
    quarter = np.subtract(*np.quantile(cost, [0.75, 0.25])) / 1.34
    width = 0.9 * min(cost.std(), quarter or cost.std()) * len(cost) ** -0.2
    counts, edges = np.histogram(cost, np.linspace(x[0], x[-1], 1025))
    middle = (edges[:-1] + edges[1:]) / 2
    kernel = np.exp(-0.5 * ((x[:, None] - middle) / max(width, 1e-9)) ** 2)
    density: NDArray[np.float64] = kernel @ counts + 1e-12
    return density


def _window(costs: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Where nearly all costs lie, all the tails' means, and 0."""
    low = min(float(np.quantile(cost, 0.005)) for cost in costs)
    high = max(max(float(np.quantile(c, 0.995)), summarize(c).cvar95) for c in costs)
    low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.03 * (high - low) or 1.0
    return low - margin, high + margin


def _policy_rows(axes: Any, policies: Sequence[str]) -> None:
    """Policies from top to bottom, as labels of the y axis."""
    axes.set_yticks(range(len(policies)), policies)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(policies) - 0.5, -0.75)
    axes.grid(False, axis="y")


def _share_axis(axes: Any) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.yaxis.set_major_locator(FixedLocator([0.5, 0.25, 0.1, 0.05, 0.01, 0.001]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))


def _thin(n: int, most: int) -> NDArray[np.int64]:
    """At most about `most` of n indices, dense where they begin (the worst orders)."""
    if n <= most:
        return np.arange(n)
    return np.unique(np.r_[np.arange(most // 2), np.geomspace(most // 2, n - 1, most // 2)]).astype(
        np.int64
    )
