"""Figures of a fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paceline.calibrate.days import Day
from paceline.calibrate.fit import Fit
from paceline.calibrate.rates import BUCKETS, Tables
from paceline.calibrate.resilience import AFTER_S, known_mean, recovery
from paceline.calibrate.signs import LAGS, sign_memory
from paceline.engine.laws import CANCEL, LIMIT, LOOKS, MARKET, QUEUES, SPREADS
from paceline.market.tape import Tape
from paceline.page.cells import plural
from paceline.page.ink import Figure, hue, sheet, svg
from paceline.realism.doubt import jackknife
from paceline.realism.series import market_orders
from paceline.realism.statistics import statistics_of

Floats = NDArray[np.float64]

RECORDED, SIMULATED = 0, 1
_MARKETS = ("recorded", "simulated")
_WHATS = ("limit orders", "market orders", "cancels")
_SHOWN = 30
"""Arrivals in a bucket below which it is not drawn."""


_LEAST_MEMORY = 1e-3
"""Autocorrelation below which nothing is drawn: it is lost in the noise."""


def with_errors(fit: Fit) -> Iterator[tuple[str, Floats, Floats]]:
    """Name, multiples and standard errors `[3, buckets]` of each reaction; NaN where nothing came.

    Errors are those of Poisson counts: the square root of the arrivals in a bucket.
    """
    tables = fit.rates.tables if fit.excitation is None else fit.excitation.tables
    for k, name in enumerate(Tables._fields):
        table = tables[k]
        came = np.stack(
            [
                np.bincount(fit.seen.buckets[k][fit.seen.came == what], minlength=BUCKETS[k])
                for what in range(3)
            ]
        )
        errors = np.divide(table, np.sqrt(came), out=np.full(came.shape, np.nan), where=came > 0)
        yield name, table, errors


def _places_of_buckets() -> tuple[Floats, ...]:
    """Where each bucket is drawn."""
    queue = 2.0 ** ((np.arange(QUEUES) - QUEUES // 2) / 2)
    spread = 2.0 ** (np.arange(SPREADS) / 2)
    far = np.arange(LOOKS) - LOOKS // 2
    look = np.sign(far) * 2.0 ** np.maximum(np.abs(far) - 1, 0)
    return queue, spread, spread, look, look


def reactions(fit: Fit) -> Figure:
    """What hour and book make of the rates."""
    titles = (
        "queue at the touch, of the usual", "spread, ticks", "gap behind the touch, ticks",
        "touch better than a second ago, ticks", "than a minute ago, ticks",
    )  # fmt: skip
    with sheet(4.6) as figure:
        panels = figure.subplots(2, 3).ravel()
        for what in range(3):
            panels[0].plot(
                np.arange(fit.rates.hour.shape[1]), fit.rates.hour[what], color=hue(what),
                label=_WHATS[what],
            )  # fmt: skip
        panels[0].set_title("part of the session", fontsize=8)
        panels[0].legend(fontsize=7)
        drawn = zip(panels[1:], titles, _places_of_buckets(), with_errors(fit), strict=True)
        for axes, title, at, (_, table, errors) in drawn:
            kinds = (LIMIT, MARKET) if title.startswith("gap") else (LIMIT, MARKET, CANCEL)
            for what in kinds:  # of cancels a gap decides who, not how many
                _with_bars(axes, at, table[what], errors[what], what)
            if title.startswith(("touch", "than")):
                axes.set_xscale("symlog", linthresh=1.0)
            else:
                axes.set_xscale("log")
            axes.set_title(title, fontsize=8)
            axes.set_ylim(bottom=0.0)
        return Figure(
            svg(figure, "reactions", "Multiples of rates by hour, queue, spread, gap and look"),
            "Multiples of the rates, with standard errors; buckets with few arrivals left out. "
            "A limit order at the touch is a reaction to what is there, and so is its absence.",
        )


def _with_bars(axes: Any, at: Floats, values: Floats, errors: Floats, what: int) -> None:
    known = errors < values / np.sqrt(_SHOWN)
    if known.any():
        axes.errorbar(
            at[known], values[known], errors[known], color=hue(what), linewidth=1.1,
            elinewidth=0.7,
        )  # fmt: skip


def places(fit: Fit) -> Figure:
    """Where orders are placed, and how soon they are cancelled there."""
    settings = fit.settings
    weights = settings.placement.weights()
    patience = settings.laws().patience * settings.cancel_per_s
    with sheet(2.4) as figure:
        left, right = figure.subplots(1, 2)
        left.plot(1 + np.arange(len(weights)), weights, color=hue(0))
        left.set_title("share of limit orders, 1 + ticks behind the touch", fontsize=8)
        right.plot(1 + np.arange(len(patience)), patience, color=hue(2))
        right.set_title("cancels per second of an order there", fontsize=8)
        for axes in (left, right):
            axes.set_xscale("log")
            axes.set_yscale("log")
        return Figure(
            svg(figure, "places", "Placement and cancels by distance from the touch"),
            "Where limit orders are placed, and the rate at which one of them is cancelled.",
        )


def laws(recorded: Sequence[Tape], simulated: Sequence[Tape]) -> Figure:
    """Sizes, lifetimes and placement, recorded and simulated."""
    names = {
        "limit_size": "limit orders, lots", "market_size": "market orders, lots",
        "lifetime": "lifetime, s", "inter_arrival": "between arrivals, s",
    }  # fmt: skip
    days = [[statistics_of(tape) for tape in tapes] for tapes in (recorded, simulated)]
    with sheet(2.4) as figure:
        for axes, (name, title) in zip(figure.subplots(1, 4), names.items(), strict=True):
            for which, found in enumerate(days):
                values = np.sort(np.concatenate([np.repeat(one[name].values, 1) for one in found]))
                weights = np.concatenate([one[name].weights for one in found])
                order = np.argsort(np.concatenate([one[name].values for one in found]))
                more = 1.0 - np.cumsum(weights[order]) / weights.sum()
                shown = (values > 0) & (more > 1e-5)
                axes.plot(values[shown], more[shown], color=hue(which), label=_MARKETS[which])
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_title(title, fontsize=8)
        figure.axes[0].legend(loc="lower left")
        return Figure(
            svg(figure, "laws", "Sizes, lifetimes and waits, recorded and simulated"),
            f"Share that is larger, or lasts longer, on {plural(len(recorded), 'recorded day')} "
            "and as many simulated ones.",
        )


def memory(days: Sequence[Day], simulated: Sequence[Tape]) -> Figure:
    """Autocorrelation of the signs of market orders."""
    lags = np.arange(1, LAGS + 1)

    def of(some: Sequence[Day]) -> Floats:
        return sign_memory([day.rows for day in some], LAGS)

    made = sign_memory([(1 + market_orders(tape).sign) // 2 for tape in simulated], LAGS)
    with sheet(2.4) as figure:
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log", nonpositive="clip")
        axes.set_ylim(_LEAST_MEMORY, 1.0)
        _with_band(axes, lags, of(days), jackknife(days, of))
        axes.plot(lags, made, color=hue(SIMULATED), label="simulated")
        axes.set_xlabel("lag, market orders")
        axes.legend()
        return Figure(
            svg(figure, "memory", "Autocorrelation of order signs, recorded and simulated"),
            f"Autocorrelation of the signs of market orders. {_BAND}",
        )


def resilience(days: Sequence[Day], simulated: Sequence[Tape]) -> Figure:
    """How spread and depth come back after a market order emptied the touch."""
    titles = ("spread, of its median", "lots at the touch that was taken, of the median")

    def of(some: Sequence[Day]) -> Floats:
        return known_mean([day.recovery for day in some])

    seen, errors = of(days), jackknife(days, of)
    made = known_mean([recovery(tape) for tape in simulated])
    with sheet(2.4) as figure:
        for what, axes in enumerate(figure.subplots(1, 2)):
            _with_band(axes, AFTER_S, seen[what], errors[what])
            axes.plot(AFTER_S, made[what], color=hue(SIMULATED), label="simulated")
            axes.set_title(titles[what], fontsize=8)
            axes.set_xscale("log")
            axes.set_xlabel("seconds after a market order emptied the touch")
            axes.legend()
        return Figure(
            svg(figure, "resilience", "Spread and depth after market orders"),
            f"Resilience after trades. {_BAND}",
        )


_BAND = "Shaded: two standard errors to either side, from leaving out one recorded day at a time."


def _with_band(axes: Any, at: ArrayLike, seen: Floats, errors: Floats) -> None:
    """What was recorded. Without errors, of one day, there is no band."""
    axes.fill_between(
        at, seen - 2 * errors, seen + 2 * errors, color=hue(RECORDED), alpha=0.18, linewidth=0
    )
    axes.plot(at, seen, color=hue(RECORDED), label="recorded")
