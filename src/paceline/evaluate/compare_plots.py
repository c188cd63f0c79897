"""Where a difference to the baseline comes from, drawn: part by part, and bucket by bucket."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from paceline.evaluate.buckets import Bucket
from paceline.evaluate.compare_verdict import under
from paceline.evaluate.comparison import ASIDE, PARTS, Comparison
from paceline.evaluate.paired import PairedDifference
from paceline.page.cells import listed, plain, signed
from paceline.page.ink import BOOK, INK, LINE, MAKER, MUTED, PAPER, TAKER, Figure, hue, sheet, svg

_SHOWN = 0.005
"""Parts smaller than this on all policies are left out, bps."""

_VISIBLE = 0.02
"""A step of a waterfall has to be this share of its height; smaller ones are one step together."""

_DWARFED = 4.0
"""With costs so many times as large as all steps together, a waterfall does not begin at 0."""


def shown_parts(found: Comparison) -> list[str]:
    """Parts of cost that are worth a bar for some policy."""
    model = found.central
    return [
        part
        for part in PARTS
        if any(abs(found.part(policy, model, part).mean_bps) > _SHOWN for policy in found.rivals)
    ]


class _Steps(NamedTuple):
    """The steps of a waterfall: parts that can be seen, and the sum of the others."""

    parts: list[str]
    pairs: list[PairedDifference]
    rest_bps: float
    """Sum of what is too small to be seen."""
    small: list[str]
    """Names of those parts."""
    floor: float
    """Where the axis begins: 0, or higher where the costs would dwarf every step."""


def _steps(found: Comparison, policy: str, costs: Sequence[float]) -> _Steps:
    pairs = {part: found.part(policy, found.central, part) for part in shown_parts(found)}
    heights = costs[0] + np.cumsum([0.0, *(pair.mean_bps for pair in pairs.values())])
    ends = [costs[0] + bound for pair in pairs.values() for bound in (pair.low_bps, pair.high_bps)]
    low, high = float(heights.min()), float(heights.max())
    dwarfed = low > _DWARFED * (high - low)
    if dwarfed:  # intervals are to be seen, too
        low, high = float(np.nanmin([low, *ends])), float(np.nanmax([high, *ends]))
    floor = max(low - 0.35 * (high - low), 0.0) if dwarfed else 0.0
    span = high - min(low, floor)
    seen = [part for part, pair in pairs.items() if abs(pair.mean_bps) >= _VISIBLE * span]
    small = [part for part in pairs if part not in seen]
    return _Steps(
        parts=seen,
        pairs=[pairs[part] for part in seen],
        rest_bps=sum(pairs[part].mean_bps for part in small),
        small=[PARTS[part] for part in small],
        floor=floor,
    )


def waterfall(found: Comparison, policy: str) -> Figure:
    """From the baseline's mean cost to the policy's, part by part, each with its interval. Parts
    too small to be seen are told in the caption, as one step where that can be seen."""
    model, base = found.central, found.baseline
    costs = [float(found.select(who, model)["shortfall_bps"].mean()) for who in (base, policy)]
    steps = _steps(found, policy, costs)
    parts, pairs = steps.parts, steps.pairs
    names = [base, *(PARTS[part] for part in parts), policy]
    with sheet(3.1) as figure:
        axes = figure.subplots()
        axes.bar(0, costs[0], 0.62, color=hue(0), linewidth=0)
        axes.bar(len(names) - 1, costs[1], 0.62, color=hue(_place(found, policy)), linewidth=0)
        at = costs[0]
        for k, pair in enumerate(pairs, 1):
            after = at + pair.mean_bps
            axes.plot([k - 1.31 + 0.62, k + 0.31], [at, at], color=MUTED, linewidth=0.7)
            axes.bar(k, pair.mean_bps, 0.62, bottom=at, color=_color(pair), linewidth=0)
            if not math.isnan(pair.low_bps):
                axes.plot([k, k], [at + pair.low_bps, at + pair.high_bps], color=INK, linewidth=1.1)
            top = max(at, after, at + np.nan_to_num(pair.high_bps))
            _label(axes, k, top, signed(pair.mean_bps))
            at = after
        axes.plot(
            [len(names) - 1.69, len(names) - 0.69], [at, at], color=MUTED, linewidth=0.7
        )  # fmt: skip
        for k, cost in ((0, costs[0]), (len(names) - 1, costs[1])):
            _label(axes, k, max(cost, 0.0), plain(cost))
        axes.axhline(0.0, color=MUTED, linewidth=0.8)
        axes.set_xticks(range(len(names)), names)
        axes.tick_params(axis="x", labelcolor=INK)
        axes.grid(visible=False, axis="x")
        axes.margins(y=0.12)
        if steps.floor > 0.0:
            axes.set_ylim(bottom=steps.floor)
        axes.set_ylabel("mean cost, bps")
        drawn = svg(figure, "waterfall", f"From the cost of {base} to that of {policy}")
    clear = [
        (pair.mean_bps, PARTS[part])
        for part, pair in zip(parts, pairs, strict=True)
        if pair.high_bps < 0.0 or pair.low_bps > 0.0
    ]
    said = (
        f"Clear of 0 at 95 %: {listed([name for _, name in sorted(clear)])}"
        if clear
        else "No part is clear of 0 at 95 %"
    )
    return Figure(
        drawn,
        f"From {base} to {policy}, {under(model)}. {said}. Lines: 95 % intervals. {_WORDS}"
        f"{_not_seen(steps)}",
    )


def _not_seen(steps: _Steps) -> str:
    said = ""
    if steps.small:
        said += (
            f" Too small to be seen: {listed(steps.small)}, {signed(steps.rest_bps)} bps in all."
        )
    if steps.floor > 0.0:
        said += f" The axis begins at {plain(steps.floor, 1)} bps, not at 0."
    return said


_WORDS = (
    "Taking is what fills that took paid beyond the mid; resting the same of fills that had rested "
    "(below 0 where they captured spread); timing the way of the mid from arrival to the fills."
)


def parts_figure(found: Comparison) -> Figure:
    """Every policy less the baseline, in all and in each part, with intervals."""
    model, policies = found.central, found.rivals
    shown = [("shortfall_bps", "in all"), *((part, PARTS[part]) for part in shown_parts(found))]
    aside = [
        (part, name)
        for part, name in ASIDE.items()
        if not all(math.isnan(found.part(p, model, part).mean_bps) for p in policies)
    ]
    with sheet(1.0 + 0.34 * len(policies)) as figure:
        panels = figure.subplots(1, len(shown) + len(aside), sharey=True, squeeze=False)[0]
        for axes, (part, name) in zip(panels, [*shown, *aside], strict=True):
            for i, policy in enumerate(policies):
                pair = found.part(policy, model, part)
                color = hue(i + 1)
                if not math.isnan(pair.low_bps):
                    axes.plot([pair.low_bps, pair.high_bps], [i, i], color=color, linewidth=2)
                axes.plot(pair.mean_bps, i, "o", color=color, markeredgecolor=PAPER, markersize=6)
            axes.axvline(0.0, color=INK, linewidth=0.9, zorder=1)
            axes.set_title(name + ("*" if (part, name) in aside else ""))
            axes.margins(x=0.12)
            axes.locator_params(axis="x", nbins=3)
            axes.grid(visible=False, axis="y")
        panels[0].set_yticks(range(len(policies)), policies)
        panels[0].tick_params(axis="y", labelcolor=INK)
        panels[0].set_ylim(len(policies) - 0.5, -0.5)
        figure.supxlabel(
            f"bps less {found.baseline}  (left of 0: cheaper)", color=MUTED, fontsize=8
        )
        drawn = svg(figure, "parts-of-difference", "Difference to the baseline, part by part")
    star = (
        " * How far the mid went against resting fills within a minute, on the whole order: no "
        "part of the sum, but the price of resting."
        if aside
        else ""
    )
    return Figure(drawn, f"Parts sum to the first column ({model}).{star}")


def buckets_figure(found: Comparison, policy: str) -> Figure | None:
    """The policy less the baseline in every bucket, with intervals; None without buckets."""
    kinds = list(dict.fromkeys(bucket.what for bucket in found.buckets))
    if not kinds:
        return None
    model = found.central
    cells = {
        (bucket.what, bucket.name): found.within(policy, model, bucket.rows)
        for bucket in found.buckets
    }
    whole = found.sureness(policy, model).mean.mean_bps
    columns = 3
    rows = -(-len(kinds) // columns)
    most = [
        max(sum(b.what == kind for b in found.buckets) for kind in kinds[r * 3 : r * 3 + 3])
        for r in range(rows)
    ]
    with sheet(0.5 + sum(0.42 + 0.24 * m for m in most)) as figure:
        panels = figure.subplots(
            rows, columns, squeeze=False, sharex=True, height_ratios=[0.6 + m for m in most]
        )
        for axes, kind in zip(panels.ravel(), kinds, strict=False):
            _bucket_panel(axes, kind, found.buckets, cells, whole)
        for axes in panels.ravel()[len(kinds) :]:
            axes.set_visible(False)
        figure.supxlabel(
            f"cost of {policy} less that of {found.baseline}, bps  (left of 0: cheaper; dashed: "
            "over all)",
            color=MUTED, fontsize=8,
        )  # fmt: skip
        drawn = svg(figure, "buckets", f"{policy} less {found.baseline} in every bucket")
    against = [f"{what} {name}" for (what, name), pair in cells.items() if pair.low_bps > 0.0]
    text = (
        f"Dearer than {found.baseline}, clear of 0: {listed(against)}."
        if against
        else f"In no bucket is {policy} clearly dearer than {found.baseline}."
    )
    return Figure(
        drawn,
        f"{text} With {len(cells)} buckets at 95 %, one or two are clear of 0 by chance alone. "
        "Volatility, spread and depth are thirds of each name's own orders, as they were at the "
        "start of the order.",
    )


def _bucket_panel(
    axes: Any,
    kind: str,
    buckets: Sequence[Bucket],
    cells: dict[tuple[str, str], PairedDifference],
    whole: float,
) -> None:
    names = [bucket.name for bucket in buckets if bucket.what == kind]
    axes.axvline(whole, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)), zorder=1)
    for i, name in enumerate(names):
        pair = cells[kind, name]
        axes.barh(i, pair.mean_bps, 0.62, color=_color(pair), linewidth=0)
        if not math.isnan(pair.low_bps):
            axes.plot([pair.low_bps, pair.high_bps], [i, i], color=INK, linewidth=1.1)
    axes.axvline(0.0, color=INK, linewidth=0.9)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.tick_params(axis="x", labelbottom=True)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.set_title(kind)


def _color(pair: PairedDifference) -> str:
    """Green for a clear saving, red for a clear loss, grey for what may be neither."""
    if pair.high_bps < 0.0:
        return MAKER
    return TAKER if pair.low_bps > 0.0 else BOOK if not math.isnan(pair.low_bps) else LINE


def _place(found: Comparison, policy: str) -> int:
    return found.policies.index(policy)


def _label(axes: Any, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), (0, 4), textcoords="offset points", ha="center", color=INK)
