"""Measures beside shortfall: benchmarks, spread, what the price did afterwards, child orders.

Prices are float ticks, quantities int64 lots, times int64 ns; costs are positive when bad, for
both sides. What does not exist is NaN and is counted, never 0: an order without fills has no
slippage, and a fill at the close has no mid half an hour later.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paceline.errors import InputError
from paceline.units import BPS, NS_PER_S

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

HORIZONS_NS = (60 * NS_PER_S, 300 * NS_PER_S, 1800 * NS_PER_S)
"""1, 5 and 30 minutes after a fill."""


class Trades(NamedTuple):
    """What the market traded without us, in order of time."""

    ts: Ints
    """`[t]` ns, never falling."""
    px: Ints
    """`[t]` book ticks."""
    lots: Ints
    """`[t]` lots, positive."""


def without(trades: Trades, ts: Ints, px: Ints, lots: Ints) -> Trades:
    """`trades` less those `[m]` that are ours; each is among them, at its time and price.

    Raises `InputError` for a trade of ours that is not.
    """
    left = trades.lots.copy()
    first, last = (np.searchsorted(trades.ts, ts, side=side) for side in ("left", "right"))
    for k, (begin, end) in enumerate(zip(first, last, strict=True)):
        due = int(lots[k])
        for at in range(begin, end):
            if trades.px[at] == px[k]:
                part = min(due, int(left[at]))
                left[at] -= part
                due -= part
        if due:
            raise InputError(
                f"lots: {due} at {px[k]} ticks are not among the trades; give ours only"
            )
    some = left > 0
    return Trades(trades.ts[some], trades.px[some], left[some])


def slippage_bps(
    side: npt.ArrayLike,
    avg_px: npt.ArrayLike,
    benchmark_px: npt.ArrayLike,
    arrival_px: npt.ArrayLike,
) -> Floats:
    """`[n]` side * (average fill price - benchmark), in bps of the *arrival* price.

    The same base as shortfall, so that measures can be compared and subtracted. NaN without fills
    or without a benchmark.
    """
    paid = np.asarray(avg_px, dtype=np.float64) - np.asarray(benchmark_px, dtype=np.float64)
    return np.asarray(BPS * np.asarray(side) * paid / np.asarray(arrival_px), dtype=np.float64)


def interval_vwap(trades: Trades, start_ns: npt.ArrayLike, end_ns: npt.ArrayLike) -> Floats:
    """`[n]` volume-weighted price of the market in `[start, end)`; NaN where nothing traded."""
    lots, notional = _running(trades)
    first, last = (np.searchsorted(trades.ts, np.asarray(t)) for t in (start_ns, end_ns))
    last = np.maximum(first, last)
    return _ratio(notional[last] - notional[first], lots[last] - lots[first])


def participation_weighted_price(
    trades: Trades,
    start_ns: npt.ArrayLike,
    end_ns: npt.ArrayLike,
    qty_lots: npt.ArrayLike,
    rate: npt.ArrayLike,
) -> Floats:
    """`[n]` PWP: market VWAP from start until `rate` times its volume reaches the quantity.

    Of the last trade only the part that is still needed counts. `end_ns` is as far as the market
    is known; NaN where it did not trade enough until then. Raises `InputError` for a rate outside
    (0, 1].
    """
    share = np.asarray(rate, dtype=np.float64)
    if not np.all((share > 0.0) & (share <= 1.0)):
        raise InputError(f"rate: {share} is not in (0, 1]; give the share of market volume")
    lots, notional = _running(trades)
    first = np.searchsorted(trades.ts, np.asarray(start_ns))
    last = np.maximum(first, np.searchsorted(trades.ts, np.asarray(end_ns)))
    needed = np.asarray(qty_lots, dtype=np.float64) / share
    goal = lots[first] + needed
    through = np.searchsorted(lots, goal)  # first running total that reaches the goal
    enough = through <= last
    through = np.minimum(through, last)
    traded = notional[through] - notional[first]
    too_much = (
        (lots[through] - goal) * trades.px[np.maximum(through - 1, 0)] if len(trades.px) else 0
    )
    return np.asarray(np.where(enough, (traded - too_much) / needed, np.nan), dtype=np.float64)


def trajectory_px(left: npt.ArrayLike, slice_mid: npt.ArrayLike) -> Floats:
    """`[n]` average mid of a trajectory: what its slices would have traded at, free of spread.

    Benchmark for the slippage to the Almgren-Chriss trajectory (or any other): it follows the
    path the market really took, so what remains is spread, impact and being off schedule. The
    cost that the model expected is `paceline.cost.impact.expected_cost`.

    `left`: `[n, k + 1]` lots at the slice boundaries; `slice_mid`: `[n, k]` time-average mid of
    each slice in ticks. NaN where a slice that trades has no mid.
    """
    traded = -np.diff(np.atleast_2d(np.asarray(left, dtype=np.float64)), axis=1)
    value = np.where(traded > 0.0, traded * np.asarray(slice_mid, dtype=np.float64), 0.0)
    return _ratio(value.sum(axis=1), traded.sum(axis=1))


def spread_paid(fill_side: npt.ArrayLike, fill_px: npt.ArrayLike, mid: npt.ArrayLike) -> Floats:
    """`[m]` side * (price - mid just before the fill), ticks: paid above 0, captured below 0."""
    return np.asarray(np.asarray(fill_side) * (np.asarray(fill_px) - np.asarray(mid)), np.float64)


def mid_at(ts_ns: npt.ArrayLike, mid_ts: Ints, mid_px: npt.ArrayLike, end_ns: int) -> Floats:
    """Mid in force at each of `ts_ns` (any shape): the last one not later than it.

    NaN before the first mid and after `end_ns`, the end of the session: a mid that nobody could
    see any more is no price.
    """
    ts = np.asarray(ts_ns, dtype=np.int64)
    px = np.asarray(mid_px, dtype=np.float64)
    last = np.searchsorted(mid_ts, ts, side="right") - 1
    known = (last >= 0) & (ts <= end_ns)
    found = px[np.maximum(last, 0)] if len(px) else np.full(ts.shape, np.nan)
    return np.where(known, found, np.nan)


def markouts(
    fill_side: npt.ArrayLike,
    fill_ts: npt.ArrayLike,
    mid_ts: Ints,
    mid_px: npt.ArrayLike,
    end_ns: int,
    horizons_ns: tuple[int, ...] = HORIZONS_NS,
) -> Floats:
    """`[m, h]` side * (mid at the fill - mid later), ticks, for each horizon after the fill.

    Positive: the price went against what we had just traded. After a maker fill that is *adverse
    selection* (we were hit because the price was about to move); after a taker fill it is
    *reversion* (we had pushed the price, and it came back). NaN beyond the session.
    """
    ts = np.asarray(fill_ts, dtype=np.int64)
    later = mid_at(ts[:, None] + np.asarray(horizons_ns), mid_ts, mid_px, end_ns)
    now = mid_at(ts, mid_ts, mid_px, end_ns)
    return np.asarray(np.asarray(fill_side)[:, None] * (now[:, None] - later), dtype=np.float64)


class Weighted(NamedTuple):
    """A fill measure seen from its parent orders."""

    mean: Floats
    """`[n]` mean over lots whose value is there; NaN where there is none."""
    lots: Ints
    """`[n]` lots that count in the mean."""
    missing_lots: Ints
    """`[n]` lots of fills whose value is NaN."""


def per_parent(
    values: npt.ArrayLike, fill_parent: npt.ArrayLike, fill_lots: npt.ArrayLike, n: int
) -> Weighted:
    """Mean of `values` `[m]` over the fills of each of n parent orders, weighted by lots."""
    value = np.asarray(values, dtype=np.float64)
    parent, lots = np.asarray(fill_parent, dtype=np.int64), np.asarray(fill_lots, dtype=np.int64)
    there = np.isfinite(value)
    counted = np.zeros((2, n), dtype=np.int64)
    np.add.at(counted, (there.astype(np.int64), parent), lots)
    total = np.bincount(parent[there], value[there] * lots[there], minlength=n)
    return Weighted(_ratio(total, counted[1]), counted[1], counted[0])


class ChildOrders(NamedTuple):
    """The child orders of n parent orders, c rows in any order."""

    parent: Ints
    """`[c]` index of the parent order."""
    lots: Ints
    """`[c]` lots sent."""
    filled_lots: Ints
    """`[c]` lots filled, 0 to `lots`."""
    submit_ts: Ints
    """`[c]` ns when it left us."""
    first_fill_ts: Ints
    """`[c]` ns; read only where something was filled."""
    cancelled: npt.NDArray[np.bool_]
    """`[c]` whether we cancelled it, filled in part or not."""


class ChildMeasures(NamedTuple):
    """How the child orders of each parent order fared. All `[n]`; NaN where nothing is to count."""

    children: Ints
    """Child orders sent."""
    fill_rate: Floats
    """Lots filled of lots sent."""
    time_to_fill_s: Floats
    """Mean seconds from submit to first fill, over the child orders that have one."""
    filled_children: Ints
    """Child orders with a fill: how many stand behind `time_to_fill_s`."""
    partial: Floats
    """Share of the child orders that ended filled in part."""
    cancels_per_child: Floats
    """Cancels for each child order."""


def child_measures(orders: ChildOrders, n: int) -> ChildMeasures:
    """Fill rate, time to fill, partial fills and cancels of n parent orders."""

    def total(weights: npt.NDArray[np.generic]) -> Floats:
        return np.asarray(np.bincount(orders.parent, weights, minlength=n), dtype=np.float64)

    if np.any((orders.filled_lots < 0) | (orders.filled_lots > orders.lots)):
        raise InputError("filled_lots: outside 0 to lots for some child order; give each fill once")
    some = orders.filled_lots > 0
    waited = np.where(some, orders.first_fill_ts - orders.submit_ts, 0) / NS_PER_S
    children = np.bincount(orders.parent, minlength=n)
    filled = np.bincount(orders.parent[some], minlength=n)
    return ChildMeasures(
        children=children.astype(np.int64),
        fill_rate=_ratio(total(orders.filled_lots), total(orders.lots)),
        time_to_fill_s=_ratio(total(waited), filled),
        filled_children=filled.astype(np.int64),
        partial=_ratio(total(some & (orders.filled_lots < orders.lots)), children),
        cancels_per_child=_ratio(total(orders.cancelled), children),
    )


def _running(trades: Trades) -> tuple[Ints, Ints]:
    """`[t + 1]` running totals of lots and of price times lots, both from 0 and exact."""
    lots = np.concatenate([[0], np.cumsum(trades.lots, dtype=np.int64)])
    notional = np.concatenate([[0], np.cumsum(trades.px.astype(np.int64) * trades.lots)])
    return lots.astype(np.int64), notional.astype(np.int64)


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    """part / whole, NaN where there is no whole."""
    top, bottom = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0.0)
