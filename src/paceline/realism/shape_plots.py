"""The distributions of both markets as small multiples: what a day looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from paceline.page.cells import duration, plain, plural
from paceline.page.ink import MUTED, Figure, hue, sheet, svg
from paceline.realism.comparison import LINEAR, Comparison, Shape
from paceline.realism.plots import ENOUGH, LABELS, RECORDED, SIMULATED, finite, in_unit, names
from paceline.realism.scorecard import Scorecard

Floats = npt.NDArray[np.float64]


def shapes(card: Scorecard) -> Figure:
    """All distributions, recorded and simulated, as small multiples."""
    shown = [one for one in card.statistics if one.shape is not None]
    rows = -(-len(shown) // 4)
    with sheet(0.35 + 1.75 * rows) as figure:
        places = figure.subplots(rows, 4, squeeze=False).ravel()
        for axes in places[len(shown) :]:
            axes.set_visible(False)
        for axes, one in zip(places, shown, strict=False):
            assert one.shape is not None
            _draw_shape(axes, one, one.shape)
        figure.legend(
            handles=names("recorded, with the range of its " + card.unit + "s", "simulated"),
            ncols=2, loc="outside upper left", borderpad=0.0, columnspacing=1.6,
        )  # fmt: skip
        drawn = svg(figure, "shapes", "Distributions, recorded and simulated")
    return Figure(
        drawn,
        f"Share of the time (spread, depth, imbalance) or of the count in each bin, over "
        f"{plural(len(card.recorded), card.unit)} recorded and {len(card.simulated)} simulated. "
        "Of returns: the share that is larger, both axes logarithmic, so that tails show. What "
        "lies outside an axis counts in its last bin. The number is L1 in units of recorded "
        f"{card.unit}s.",
    )


def _draw_shape(axes: Any, one: Comparison, shape: Shape) -> None:
    if shape.scale == "tail":
        _draw_tail(axes, one, shape)
    else:
        _draw_bins(axes, one, shape)
    _, unit = in_unit(one)
    axes.minorticks_off()
    axes.grid(False, axis="y")
    axes.tick_params(axis="x", labelsize=7)
    axes.tick_params(axis="y", labelsize=6.5)
    what = "|" + LABELS[one.name].replace(",", "|,") if shape.scale == "tail" else LABELS[one.name]
    axes.set_title(what + (f", {unit}" if unit else ""), fontsize=8)
    axes.text(
        0.985, 0.96, _times(one.l1.ratio), transform=axes.transAxes, ha="right", va="top",
        fontsize=8, fontweight="bold",
        color=MUTED if finite(one.l1.ratio) <= ENOUGH else hue(SIMULATED),
    )  # fmt: skip


def _draw_bins(axes: Any, one: Comparison, shape: Shape) -> None:
    edges, high = np.array(shape.edges), np.array(shape.high)
    axes.fill_between(
        edges, np.append(shape.low, shape.low[-1]), np.append(high, high[-1]), step="post",
        color=hue(RECORDED), alpha=0.2, linewidth=0,
    )  # fmt: skip
    for values, color, width in ((shape.recorded, hue(RECORDED), 1.3),
                                 (shape.simulated, hue(SIMULATED), 1.5)):  # fmt: skip
        axes.stairs(np.array(values), edges, baseline=None, color=color, linewidth=width)
    if shape.scale == "log" and edges[0] > 0 and edges[-1] / edges[0] > 5:
        axes.set_xscale("log")
        _log_ticks(axes, edges, one.unit)
    elif shape.scale == "symlog" and edges[-1] > 2 * LINEAR:
        axes.set_xscale("symlog", linthresh=LINEAR)
        ticks = [t for t in (-100, -10, -2, 0, 2, 10, 100, 1000) if edges[0] <= t <= edges[-1]]
        axes.set_xticks(ticks, [plain(t, 0) for t in ticks])
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0.0, 1.15 * max(*shape.recorded, *shape.simulated, float(np.quantile(high, 0.9))))
    axes.set_yticks([])


def _draw_tail(axes: Any, one: Comparison, shape: Shape) -> None:
    factor, _ = in_unit(one)
    size = np.array(shape.edges) * factor
    floor = 0.5 * _least(shape.recorded, shape.simulated)
    axes.fill_between(
        size, np.array(shape.low).clip(floor), np.array(shape.high).clip(floor),
        color=hue(RECORDED), alpha=0.2, linewidth=0,
    )  # fmt: skip
    for values, color, width in ((shape.recorded, hue(RECORDED), 1.3),
                                 (shape.simulated, hue(SIMULATED), 1.5)):  # fmt: skip
        share = np.array(values)
        axes.plot(size, np.where(share > 0, share, np.nan), color=color, linewidth=width)
    axes.set_xscale("log")
    axes.set_yscale("log")
    _log_ticks(axes, size, one.unit)
    axes.set_xlim(size[0], size[-1])
    axes.set_ylim(floor, 1.5)
    axes.set_yticks([0.01, 1.0] if floor > 1e-4 else [1e-4, 0.01, 1.0],
                    ["1 %", "all"] if floor > 1e-4 else ["0.01 %", "1 %", "all"])  # fmt: skip


def _times(ratio: float) -> str:
    return f"{plain(ratio, 1)}×" if not np.isnan(ratio) else ""


def _least(*series: list[float]) -> float:
    """The smallest share above 0."""
    values = np.concatenate([np.array(one) for one in series])
    return float(values[values > 0.0].min())


def _log_ticks(axes: Any, edges: Floats, unit: str) -> None:
    """Powers of ten, at most four; a short axis has 2 and 5 as well."""
    first, last = np.floor(np.log10(edges[0])), np.ceil(np.log10(edges[-1]))
    steps = 10.0 ** np.arange(first, last + 1)
    inside = steps[(steps >= edges[0]) & (steps <= edges[-1])]
    if len(inside) < 2:
        steps = np.outer(steps, [1.0, 2.0, 5.0]).ravel()
        inside = steps[(steps >= edges[0]) & (steps <= edges[-1])]
    inside = inside[:: max(1, -(-len(inside) // 4))]
    said = [duration(step) if unit == "s" else _short(step) for step in inside]
    axes.set_xticks(inside, said)


def _short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:,.6g}"
