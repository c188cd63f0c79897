"""Figures of a fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paceline.calibrate.fit import Fit
from paceline.calibrate.rates import BUCKETS, Tables
from paceline.calibrate.signs import sign_memory
from paceline.engine.laws import LOOKS, QUEUES, SPREADS
from paceline.market.portrait import touch_lots
from paceline.market.tape import Tape
from paceline.page.ink import Figure, hue, sheet, svg
from paceline.realism.series import market_orders, settled_part
from paceline.realism.statistics import statistics_of

Floats = NDArray[np.float64]

RECORDED, SIMULATED = 0, 1
_WHATS = ("limit orders", "market orders", "cancels")
_SHOWN = 30
"""Arrivals in a bucket below which it is not drawn."""

_AFTER_S = np.geomspace(0.1, 300.0, 12)
_LAGS = 200


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
            for what in range(3):
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
                axes.plot(values[shown], more[shown], color=hue(which))
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_title(title, fontsize=8)
        return Figure(
            svg(figure, "laws", "Sizes, lifetimes and waits, recorded and simulated"),
            "Share that is larger, or lasts longer: recorded and simulated.",
        )


def memory(recorded: Sequence[Tape], simulated: Sequence[Tape]) -> Figure:
    """Autocorrelation of the signs of market orders."""
    lags = np.arange(1, _LAGS + 1)
    with sheet(2.4) as figure:
        axes = figure.subplots()
        for which, tapes in enumerate((recorded, simulated)):
            rows = [(1 + market_orders(tape).sign) // 2 for tape in tapes]
            found = sign_memory(rows, _LAGS)
            axes.plot(lags[found > 0], found[found > 0], color=hue(which), linewidth=1.0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("lag, market orders")
        return Figure(
            svg(figure, "memory", "Autocorrelation of order signs, recorded and simulated"),
            "Autocorrelation of the signs of market orders: recorded and simulated.",
        )


def recovery(tapes: Sequence[Tape]) -> tuple[Floats, Floats]:
    """Spread and lots at the touch that was taken, `_AFTER_S` after a market order emptied it, by
    their median of the day `[times]`."""
    spreads, depths = [], []
    for tape in tapes:
        part, orders, events = settled_part(tape), market_orders(tape), tape.events
        spread = tape.ask_ticks() - tape.bid_ticks()
        lots = np.stack(touch_lots(tape))
        row = (1 + orders.sign) // 2
        best = np.stack([events.bid, events.ask])
        emptied = (orders.first > 0) & (
            best[row, np.maximum(orders.first - 1, 0)] != best[row, orders.last]
        )
        usual_spread = np.nanmedian(spread[part.first : part.stop])
        usual_lots = np.median(lots[:, part.first : part.stop])
        ends = orders.ts[emptied]
        at = np.searchsorted(
            events.ts, ends[:, None] + np.rint(_AFTER_S * 1e9).astype(np.int64), side="right"
        )
        at = np.minimum(at - 1, len(events.ts) - 1)
        spreads.append(np.nanmean(spread[at], axis=0) / usual_spread)
        depths.append(np.mean(lots[row[emptied][:, None], at], axis=0) / max(usual_lots, 1.0))
    return np.nanmean(spreads, axis=0), np.nanmean(depths, axis=0)


def resilience(recorded: Sequence[Tape], simulated: Sequence[Tape]) -> Figure:
    """How spread and depth come back after a market order emptied the touch."""
    with sheet(2.4) as figure:
        left, right = figure.subplots(1, 2)
        for which, tapes in enumerate((recorded, simulated)):
            spread, depth = recovery(tapes)
            left.plot(_AFTER_S, spread, color=hue(which))
            right.plot(_AFTER_S, depth, color=hue(which))
        left.set_title("spread, of its median", fontsize=8)
        right.set_title("lots at the touch that was taken, of the median", fontsize=8)
        for axes in (left, right):
            axes.set_xscale("log")
            axes.set_xlabel("seconds after a market order emptied the touch")
        return Figure(
            svg(figure, "resilience", "Spread and depth after market orders"),
            "Resilience after trades: recorded and simulated.",
        )
