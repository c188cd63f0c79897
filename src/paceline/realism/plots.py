"""The scorecard as figures: where the simulated market stands apart, and how it looks there."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from paceline.page.cells import significant
from paceline.page.ink import INK, LINE, MUTED, PAPER, Figure, hue, sheet, svg
from paceline.realism.comparison import Comparison
from paceline.realism.scorecard import FactScore, Scorecard
from paceline.units import BPS

Floats = npt.NDArray[np.float64]

RECORDED, SIMULATED = 0, 1
"""Hues."""

ENOUGH = 2.0
"""Times the yardstick up to which a distance counts as near."""

LABELS = {
    "spread": "spread", "bid_depth_1": "depth at the bid", "ask_depth_1": "depth at the ask",
    "bid_depth_10": "depth, 10 bids", "ask_depth_10": "depth, 10 asks", "imbalance": "imbalance",
    "inter_arrival": "time between arrivals", "lifetime": "life of an order",
    "placement": "distance from own touch", "limit_size": "size of limit orders",
    "market_size": "size of market orders", "return_1s": "return, 1 s",
    "return_10s": "return, 10 s", "return_60s": "return, 1 min", "return_300s": "return, 5 min",
    "volume_60s": "volume in a minute",
}  # fmt: skip
"""What a statistic is called on a page."""

_NEAREST, _FURTHEST = 0.25, 16.0


def in_unit(one: Comparison) -> tuple[float, str]:
    """Factor and unit in which `one` is shown: log returns in basis points."""
    return (BPS, "bps") if one.unit == "log" else (1.0, one.unit if one.unit != "share" else "")


def overview(card: Scorecard) -> Figure:
    """Distance by yardstick of every statistic, furthest first."""
    rows = sorted(card.statistics, key=lambda one: -finite(one.l1.ratio))
    with sheet(0.9 + 0.235 * len(rows)) as figure:
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.axvspan(_NEAREST, ENOUGH, color=hue(2), alpha=0.10, linewidth=0)
        axes.axvline(1.0, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        for i, one in enumerate(rows):
            ends = [_place(one.l1.ratio), _place(one.wasserstein.ratio)]
            axes.plot(ends, [i, i], color=LINE, linewidth=2.2, zorder=1)
            for at, mark, size, face in ((ends[0], "o", 6.5, hue(SIMULATED)),
                                         (ends[1], "D", 5.0, PAPER)):  # fmt: skip
                axes.plot(
                    at, i, mark, color=face, markersize=size, zorder=3, clip_on=False,
                    markeredgecolor=PAPER if mark == "o" else hue(SIMULATED),
                    markeredgewidth=0.6 if mark == "o" else 1.4,
                )  # fmt: skip
        for value, mark, size, face in ((card.median_l1, "o", 6.5, INK),
                                        (card.median_wasserstein, "D", 5.0, PAPER)):  # fmt: skip
            axes.plot(
                _place(value), len(rows) + 0.35, mark, color=face, markersize=size, clip_on=False,
                markeredgecolor=PAPER if mark == "o" else INK,
                markeredgewidth=0.6 if mark == "o" else 1.4,
            )  # fmt: skip
        axes.axhline(len(rows) - 0.3, color=LINE, linewidth=0.8)
        axes.set_yticks(
            [*range(len(rows)), len(rows) + 0.35], [*(LABELS[one.name] for one in rows), "median"]
        )
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_ylim(len(rows) + 0.95, -0.7)
        axes.set_xlim(_NEAREST, _FURTHEST)
        axes.grid(False, axis="y")
        ticks = [0.25, 0.5, 1, 2, 4, 8, 16]
        axes.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel(f"times the distance between two recorded {card.unit}s")
        axes.legend(
            handles=_marks(), ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderpad=0.0,
            handletextpad=0.2, columnspacing=1.4,
        )  # fmt: skip
        drawn = svg(figure, "overview", "Distance of each statistic, by that of recorded days")
    near = sum(finite(one.l1.ratio) <= ENOUGH for one in card.statistics)
    beyond = any(max(one.l1.ratio, one.wasserstein.ratio) > _FURTHEST for one in rows)
    return Figure(
        drawn,
        f"At 1× (dashed) a simulated {card.unit} is as far from a recorded one as recorded ones "
        f"are from one another. {near} of {len(rows)} statistics lie within {ENOUGH:g}× by L1 "
        "(shaded). L1 sees how much of the distribution lies elsewhere, Wasserstein also how far."
        + (" What stands at the right edge lies beyond it." if beyond else ""),
    )


def facts(card: Scorecard) -> Figure:
    """Every fact, with its range as a bar, as it is recorded and as it is simulated."""
    with sheet(0.7 + 0.42 * len(card.facts)) as figure:
        axes = figure.subplots()
        for i, fact in enumerate(card.facts):
            _fact_row(axes, i, fact)
        axes.set_yticks(range(len(card.facts)), [fact.name for fact in card.facts])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_ylim(len(card.facts) - 0.4, -0.75)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.grid(False)
        axes.legend(
            handles=_dots("recorded", "simulated"), ncols=2, loc="lower right",
            bbox_to_anchor=(1.0, 1.0), borderpad=0.0, handletextpad=0.2, columnspacing=1.4,
        )  # fmt: skip
        drawn = svg(figure, "facts", "Facts with their ranges, recorded and simulated")
    return Figure(
        drawn,
        "Each row has a scale of its own: the bar is the range in which the literature finds the "
        "fact, the lines are ± one standard error, a triangle lies further out than the row "
        "reaches, and a cross at the left is a value that cannot be told.",
    )


_FROM, _TO = 0.3, 0.7
"""Where a range with two ends lies in its row."""


def _fact_row(axes: Any, i: int, fact: FactScore) -> None:
    bounded = np.isfinite(fact.high)
    # An open range starts at the same place; its lower end is a natural unit.
    width = fact.high - fact.low if bounded else 1.5 * abs(fact.low)

    def place(value: float) -> float:
        return _FROM + (_TO - _FROM) * (value - fact.low) / width

    axes.barh(
        i, (_TO if bounded else 1.0) - _FROM, left=_FROM, height=0.5, color=hue(2), alpha=0.16,
        linewidth=0,
    )  # fmt: skip
    axes.plot([0.0, 1.0], [i, i], color=LINE, linewidth=0.7, zorder=0)
    label = {"va": "center", "fontsize": 7, "color": MUTED}
    axes.text(_FROM, i + 0.4, significant(fact.low, 2), ha="center", **label)
    if bounded:
        axes.text(_TO, i + 0.4, significant(fact.high, 2), ha="center", **label)
    for shift, color, one in ((-0.12, hue(RECORDED), fact.recorded),
                              (0.12, hue(SIMULATED), fact.simulated)):  # fmt: skip
        y = i + shift
        if np.isnan(one.value):
            axes.plot(0.0, y, "x", color=color, markersize=5, markeredgewidth=1.6, clip_on=False)
            continue
        at = place(one.value)
        if not 0.0 <= at <= 1.0:
            mark, at = ("<", 0.0) if at < 0.0 else (">", 1.0)
            axes.plot(at, y, mark, color=color, markersize=6, clip_on=False)
            continue
        if not np.isnan(one.std_error):
            half = one.std_error * (_TO - _FROM) / width
            ends = np.clip([at - half, at + half], 0.0, 1.0)
            axes.plot(ends, [y, y], color=color, linewidth=1.4)
        axes.plot(at, y, "o", color=color, markersize=6, markeredgecolor=PAPER,
                  markeredgewidth=0.7)  # fmt: skip


def answers(card: Scorecard) -> Figure:
    """How the mid answers to six kinds of event."""
    lags = np.array(card.lags)
    with sheet(4.6) as figure:
        places = figure.subplots(2, 3, sharex=True)
        for k, one in enumerate(card.answers):
            axes = places[k % 2, k // 2]
            for values, errors, color in (
                (one.recorded, one.recorded_error, hue(RECORDED)),
                (one.simulated, one.simulated_error, hue(SIMULATED)),
            ):
                value, error = np.array(values), np.array(errors)
                axes.fill_between(
                    lags, value - 2 * error, value + 2 * error, color=color, alpha=0.15, linewidth=0
                )
                axes.plot(lags, value, color=color, marker="o", markersize=2.6, linewidth=1.3)
            axes.axhline(0.0, color=MUTED, linewidth=0.8)
            axes.set_xscale("log")
            axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
            axes.minorticks_off()
            axes.set_title(one.kind)
            if k % 2:
                axes.set_xlabel("events at the touch later")
            if k < 2:
                axes.set_ylabel("ticks")
        figure.legend(handles=names("recorded", "simulated"), ncols=2,
                      loc="outside upper left", borderpad=0.0)  # fmt: skip
        drawn = svg(figure, "answers", "Response of the mid to six kinds of event")
    return Figure(
        drawn,
        "Mean move of the mid in the direction in which the event pushes: up for a buyer's market "
        "order, a limit order to buy, a cancelled offer. Bands are ± two standard errors, as if "
        "events were independent.",
    )


def finite(ratio: float) -> float:
    """`ratio`, or more than any other where it is infinite or not known."""
    return ratio if np.isfinite(ratio) else 1e9


def _place(ratio: float) -> float:
    return float(np.clip(finite(ratio), _NEAREST, _FURTHEST))


def names(recorded: str, simulated: str) -> list[Any]:
    """Entries of a legend: lines of both markets."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=hue(k), linewidth=1.8, label=label)
        for k, label in ((RECORDED, recorded), (SIMULATED, simulated))
    ]


def _dots(recorded: str, simulated: str) -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], linestyle="none", marker="o", color=hue(k), markersize=6, label=label)
        for k, label in ((RECORDED, recorded), (SIMULATED, simulated))
    ]


def _marks() -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], linestyle="none", marker="o", color=hue(SIMULATED), markersize=6.5,
               label="L1"),
        Line2D([], [], linestyle="none", marker="D", color=PAPER, markersize=5,
               markeredgecolor=hue(SIMULATED), markeredgewidth=1.4, label="Wasserstein"),
    ]  # fmt: skip
