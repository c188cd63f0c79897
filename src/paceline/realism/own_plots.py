"""What our own large orders did, drawn: impact by size, and its path."""

from __future__ import annotations

from typing import Any

import numpy as np

from paceline.page.cells import duration, plain
from paceline.page.ink import LINE, MUTED, PAPER, Figure, hue, sheet, svg
from paceline.realism.plots import RECORDED, SIMULATED
from paceline.realism.scorecard import Scorecard


def impact(card: Scorecard) -> Figure | None:
    """What our own large orders did: impact by size, and its path during and after the order."""
    seen = card.impact
    if seen is None:
        return None
    share, moved, error = (np.array(x) for x in (seen.shares, seen.impact, seen.impact_error))
    with sheet(3.5) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.25])
        line = np.geomspace(0.7 * share[0], 1.4 * share[-1], 50)
        left.plot(line, seen.sigma_bps * np.sqrt(line), color=hue(RECORDED), linewidth=1.4,
                  linestyle="--", label="σ √(Q / V), as in real markets")  # fmt: skip
        if not np.isnan(seen.exponent):
            left.plot(
                line, seen.prefactor * seen.sigma_bps * line**seen.exponent, color=hue(SIMULATED),
                linewidth=1.4,
                label=f"power {plain(seen.exponent)} ± {plain(seen.exponent_error)}",
            )  # fmt: skip
        # A size whose impact is lost in the noise says nothing on a logarithmic axis.
        shown = moved > np.maximum(error, 0.01 * moved.max())
        least = 0.3 * float(moved[shown].min()) if shown.any() else 0.1
        low = np.maximum(moved - error, least)
        left.vlines(share[shown], low[shown], (moved + error)[shown], color=hue(SIMULATED))
        left.plot(share[shown], moved[shown], "o", color=hue(SIMULATED), markersize=6,
                  markeredgecolor=PAPER, markeredgewidth=0.7)  # fmt: skip
        left.set_xscale("log")
        left.set_yscale("log")
        left.set_xticks(share, [f"{100 * one:.3g} %" for one in share])
        steps = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
                 if 0.5 * least < t < 2 * max(*moved, seen.sigma_bps)]  # fmt: skip
        left.set_yticks(steps, [f"{t:g}" for t in steps])
        left.minorticks_off()
        left.set_ylim(bottom=least)
        left.set_xlabel("size of the order, by the volume of the same time")
        left.set_title("Impact at its end, bps")
        left.legend(loc="upper left", borderpad=0.2)
        _draw_paths(right, card)
        drawn = svg(figure, "impact", "Impact of our own large orders by size and over time")
    return Figure(
        drawn,
        f"{seen.runs:,} orders of each size, half of them bought, each worked over "
        f"{duration(seen.work_s)} in market orders of {seen.child_lots:,} lots (a mean trade) in "
        "markets that were left alone until then. Bars and bands are ± one standard error over "
        "markets; an impact smaller than its error has no point on the left.",
    )


def _draw_paths(axes: Any, card: Scorecard) -> None:
    seen = card.impact
    assert seen is not None
    looks = np.array(seen.looks)
    reach, said = float(np.ptp(seen.path)), 0.0
    axes.axvspan(0.0, 1.0, color=LINE, alpha=0.45, linewidth=0)
    for k, share in enumerate(seen.shares):
        path, error = np.array(seen.path[k]), np.array(seen.path_error[k])
        strength = 0.35 + 0.65 * k / max(len(seen.shares) - 1, 1)
        axes.fill_between(looks, path - error, path + error, color=hue(SIMULATED), alpha=0.13,
                          linewidth=0)  # fmt: skip
        axes.plot(looks, path, color=hue(SIMULATED), alpha=strength, linewidth=1.6)
        if k == 0 or path[-1] - said > 0.04 * reach:  # labels must not cover one another
            said = path[-1]
            axes.annotate(f"{100 * share:.3g} %", (looks[-1], said), xytext=(4, 0),
                          textcoords="offset points", va="center", fontsize=7, color=MUTED,
                          annotation_clip=False)  # fmt: skip
    axes.axhline(0.0, color=MUTED, linewidth=0.8)
    axes.set_xlim(0.0, looks[-1])
    axes.set_xticks([0, 1, 2, 3])
    axes.set_xlabel("durations of the order since its start; shaded: it is worked")
    axes.set_title("Mean move of the mid in its direction, bps")
