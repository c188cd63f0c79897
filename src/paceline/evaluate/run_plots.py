"""How a run went: what validation said of it, and how it learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from paceline.evaluate.run_files import RunFiles, teachers_over
from paceline.learn.recipe import STAGES
from paceline.page.cells import plain
from paceline.page.ink import INK, MUTED, PAPER, Figure, dash, hue, sheet, svg

_MEASURES = {"mean_bps": "mean cost, bps", "cvar95_bps": "CVaR95, bps", "fill_rate": "filled, %"}
_CURVES = {
    "loss": "loss", "largest": "largest value", "return": "return while working",
}  # fmt: skip
_FEW = 10
"""Points that are so few are marked."""
_TEACHERS = 4
"""Teachers that are drawn at most: the best ones."""
_HEIGHTS = (1.5, 1.0, 0.7)
"""Of the panels of validation."""
_NEAR = 0.075
"""Labels closer than this share of a panel of height 1 are moved apart."""


def validation_figure(runs: Sequence[RunFiles]) -> Figure:
    """What validation said along the updates of all stages, with the teachers as lines."""
    first, teachers = runs[0], teachers_over(runs)
    ranked = sorted(teachers, key=lambda name: -teachers[name]["score"])[:_TEACHERS]
    with sheet(6.4) as figure:
        panels = figure.subplots(3, 1, sharex=True, height_ratios=_HEIGHTS)
        for axes, height, (what, title) in zip(panels, _HEIGHTS, _MEASURES.items(), strict=True):
            scale = 100.0 if what == "fill_rate" else 1.0
            for i, run in enumerate(runs):
                at, values = run.validated(what)
                axes.plot(
                    at, scale * values, color=hue(i), linestyle=dash(i), marker="o", markersize=3
                )
                best = run.begins(run.best["stage"]) + run.best["updates"]
                axes.plot(
                    best, scale * run.best[what], "o", color=hue(i), markersize=8,
                    markeredgecolor=PAPER, zorder=5,
                )  # fmt: skip
            lines = {name: scale * teachers[name][what] for name in ranked}
            for value in lines.values():
                axes.axhline(value, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
            axes.margins(x=0.02, y=0.12)
            if what != "fill_rate" or len(set(lines.values())) > 1:
                _name_lines(axes, lines, _NEAR / height)
            axes.set_xlim(left=0)
            axes.set_title(title)
            _mark_stages(axes, first)
        panels[-1].set_xlabel("updates, all stages")
        also = ", with the teachers" if teachers else ""
        drawn = svg(figure, "validation", f"Validation along the run{also}")
    n, of = first.recipe.validating.orders, "each run" if len(runs) > 1 else "the run"
    return Figure(
        drawn,
        f"Validation: the same {n:,} parent orders each time. The large dot is the policy that "
        f"{of} kept, the best by its score."
        + (" Dashed: teachers without exploration" if teachers else "")
        + (f", the best {_TEACHERS} of {len(teachers)}" if len(ranked) < len(teachers) else "")
        + ("." if teachers else ""),
    )  # fmt: skip


def learning_figure(runs: Sequence[RunFiles]) -> Figure | None:
    """Loss, largest value and return along each stage; None where nothing was logged."""
    stages = [stage for stage in STAGES if any(stage in run.logs for run in runs)]
    rows = [what for what in _CURVES if any(_has(runs, stage, what) for stage in stages)]
    if not stages or not rows:
        return None
    with sheet(0.7 + 1.55 * len(rows)) as figure:
        panels = figure.subplots(len(rows), len(stages), squeeze=False, sharex="col")
        for j, stage in enumerate(stages):
            for i, what in enumerate(rows):
                axes = panels[i, j]
                if not _has(runs, stage, what):
                    axes.set_visible(False)
                    continue
                for k, run in enumerate(runs):
                    at, values = run.logged(stage, what)
                    mark = "." if len(at) < _FEW else ""
                    axes.plot(
                        at, values, color=hue(k), linestyle=dash(k), linewidth=1.1, marker=mark
                    )
                axes.set_title(f"{stage}: {_CURVES[what]}")
                axes.locator_params(axis="x", nbins=4)
                axes.tick_params(axis="x", labelbottom=True)
        figure.supxlabel("updates of the stage", color=MUTED, fontsize=8)
        drawn = svg(figure, "learning", "Loss and values along the stages")
    return Figure(
        drawn,
        "A loss is of its own stage and compares with no other's. The largest value is that of a "
        "batch; one that grows without end is a run going astray, and beyond "
        f"{plain(float(runs[0].manifest.run.get('max_value', np.nan)), 0)} it is stopped.",
    )


def _has(runs: Sequence[RunFiles], stage: str, what: str) -> bool:
    return any(len(run.logged(stage, what)[0]) > 0 for run in runs)


def _mark_stages(axes: Any, run: RunFiles) -> None:
    """Where stages begin, and what they are called."""
    for stage in STAGES:
        if stage not in run.logs:
            continue
        at = run.begins(stage)
        if at > 0:
            axes.axvline(at, color=MUTED, linewidth=0.7, zorder=1)
        axes.annotate(
            stage, (at, 1.0), (4, -3), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=MUTED, va="top", fontsize=7.5,
        )  # fmt: skip


def _name_lines(axes: Any, lines: dict[str, float], apart: float) -> None:
    """Name horizontal lines beside the axes, so far apart (a share of them) at least."""
    low, high = axes.get_ylim()
    least, last = apart * (high - low), -np.inf
    for name, value in sorted(lines.items(), key=lambda pair: pair[1]):
        last = max(value, last + least)
        axes.annotate(
            name, (1.0, last), (5, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", color=INK, va="center", fontsize=7.5, annotation_clip=False,
        )  # fmt: skip
