"""A market like the recorded one: the simulator's settings, fitted to tapes.

    settings = fit_market([Tape.open(path) for path in paths])

Everything is a moment of what `counting` counts, pooled over days and over both sides, mirrored: a
market that leans to one side would drift, and where a few days drifted says nothing of the next.

| settings | from |
|---|---|
| rates, day, reaction, patience | counts over exposure, fitted together (`rates`) |
| excitation | likelihood (`excitation`), where asked for; the rates are what it leaves |
| placement | distances from the own touch; improvements by width of the spread, cleared of what |
| | there was no room for |
| sizes | as counted; executions at one instant on one side are one market order |
| hidden_share | hidden lots of all that were traded, over the share of market orders that met a |
| | spread wide enough to hide in |
| metaorders | the autocorrelation of market orders' signs (`signs`) |

What is unrealistic in it: the laws are independent of one another and of the past, so large orders
are no more patient than small ones. Nothing looks at the spread but where orders are placed, though
recorded markets send more limit orders and fewer market orders into a wide one: simulated spreads
come out wider where prices are fine, and narrower where touches are fleeting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paceline.calibrate.counting import EMPTY, Counts, Journal, Takers, count, new_counts
from paceline.calibrate.excitation import fit_excitation, unexcited
from paceline.calibrate.rates import Rates, fit_rates
from paceline.calibrate.ruler import (
    Ruler,
    distance_edges,
    grid_step,
    largest_unit,
    limit_lots,
    needs_orders,
    new_ruler,
    settled_ns,
    usual_touch_lots,
)
from paceline.calibrate.signs import fit_metaorders
from paceline.engine.flow_settings import (
    Excitation,
    Histogram,
    Placement,
    QueueReaction,
    Sizes,
    SpreadReaction,
)
from paceline.engine.laws import CANCEL, LIMIT, MARKET, SPREADS
from paceline.engine.market_settings import MarketSettings
from paceline.errors import InputError
from paceline.market.session import midnight_ns
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

FEWEST = 100
"""Limit orders, market orders and cancels, each, below which nothing is fitted."""

_ROUND_LOTS = (1000, 100, 10, 1)
_ROUND_SHARE = 0.9
"""Share of limit orders that must be multiples of the round lot."""

_REACH = 0.3
"""Of the price: orders further from the touch are left out."""

_MOST_SIZES = 50_000
"""Round lots; larger orders count as that large."""

_POPULAR = 8
"""Values that get a bin of their own in a histogram: round sizes, whole cents."""

_DOUBT = 10.0
"""Orders that a width of the spread must have met before it is believed half."""


_FEWEST_WITH_ROOM = 50
"""Orders inside the spread that must have had room for an improvement, or it is left out."""


def fit_market(tapes: Sequence[Tape], excited: Sequence[int] = ()) -> MarketSettings:
    """The settings of a market like that of `tapes`, days of one instrument that name their orders.

    `excited` are the kinds of arrivals (`LIMIT`, `MARKET`, `CANCEL`) whose excitation is fitted; of
    the others nothing is brought about. By default there are none: bursts that do not look at the
    spread tear it open, and the simulator passes over most excited cancels, because the orders that
    they meet are patient.

    Raises `InputError` for tapes of several symbols, without orders, or with too few of them.
    """
    _check(tapes)
    step = grid_step(tapes)
    lots = np.concatenate([limit_lots(tape, settled_ns(tape)) for tape in tapes])
    round_lot = largest_unit(lots, _ROUND_LOTS, _ROUND_SHARE)
    usual_lots = usual_touch_lots(tapes)
    mids = [_settled(tape, tape.mid_ticks()) for tape in tapes]
    reach = max(int(min(mids) / step * _REACH), 2)
    edges = distance_edges(reach)
    counts = new_counts(len(edges) - 1, reach)
    rulers = [new_ruler(tape, step, round_lot, usual_lots, edges) for tape in tapes]
    takers = [count(tape, ruler, counts)[0] for tape, ruler in zip(tapes, rulers, strict=True)]
    _check_counts(counts)
    rates = fit_rates(counts)
    excitation = Excitation()
    if excited:
        found = fit_excitation(_journals(tapes, rulers, rates), counts, rates, excited)
        excitation, rates = found.settings(), unexcited(counts, rates, found)
    cancel_per_s = float(rates.cancel_per_s.max())
    first = tapes[0]
    tick = step * first.instrument.book_tick
    midnight = midnight_ns(first.session.day, first.session.zone)
    spread = np.median([np.nanmedian(tape.ask_ticks() - tape.bid_ticks()) for tape in tapes])
    all_takers = Takers(*(np.concatenate(column) for column in zip(*takers, strict=True)))
    return MarketSettings(
        symbol=first.instrument.symbol,
        start_price=float(round(float(np.median(mids)) / step) * tick),
        tick=float(tick),
        order_tick=float(first.instrument.order_tick),
        round_lot=round_lot,
        limit_bid_per_s=rates.limit_per_s,
        limit_ask_per_s=rates.limit_per_s,
        market_buy_per_s=rates.market_per_s,
        market_sell_per_s=rates.market_per_s,
        cancel_per_s=cancel_per_s,
        reduce_share=float(counts.divisible[1] / max(counts.divisible[0], 1)),
        hidden_share=_hidden_share(all_takers),
        placement=_placement(counts, rulers[0].whole),
        limit_size=_sizes(lots, round_lot),
        market_size=_sizes(all_takers.lots, round_lot),
        **_patience(rates, edges),
        reaction=_reaction(rates, usual_lots),
        tension=_tension(rates, counts),
        excitation=excitation,
        metaorders=fit_metaorders([one.row for one in takers]),
        day=tuple(_rounded(rates.hour)),
        opening_spread_ticks=max(round(float(spread) / step), 1),
        opening_orders=_opening(counts, edges),
        zone=first.session.zone,
        open_s=(first.session.open_ns - midnight) / NS_PER_S,
        close_s=(first.session.close_ns - midnight) / NS_PER_S,
    )


def _journals(tapes: Sequence[Tape], rulers: Sequence[Ruler], rates: Rates) -> list[Journal]:
    """Arrivals of each day, now that the pace of cancels is known."""
    bins, reach = len(rates.cancel_per_s), len(rulers[0].bin_of)
    return [
        count(tape, ruler._replace(pace=rates.cancel_per_s), new_counts(bins, reach))[1]
        for tape, ruler in zip(tapes, rulers, strict=True)
    ]


def _check(tapes: Sequence[Tape]) -> None:
    symbols = {tape.instrument.symbol for tape in tapes}
    if len(symbols) != 1:
        raise InputError(f"tapes: of {len(symbols)} symbols; a market is fitted to days of one")
    for tape in tapes:
        needs_orders(tape)
        if np.isnan(_settled(tape, tape.mid_ticks())):
            raise InputError(f"tapes: {tape.name} never shows both sides; leave it out")


def _check_counts(counts: Counts) -> None:
    for what, name in ((LIMIT, "limit orders"), (MARKET, "market orders"), (CANCEL, "cancels")):
        found = int(counts.arrivals[what].sum())
        if found < FEWEST:
            raise InputError(f"tapes: have {found} {name}; need {FEWEST}, so give more days")


def _settled(tape: Tape, values: NDArray[np.float64]) -> float:
    """The first of `values` `[n_events]` that is known once the market has settled; NaN if none."""
    known = np.flatnonzero((tape.events.ts >= settled_ns(tape)) & ~np.isnan(values))
    return float(values[known[0]]) if len(known) else float("nan")


def _hidden_share(takers: Takers) -> float:
    hidden = float(takers.hidden_lots.sum() / takers.lots.sum())
    return min(hidden / max(float(np.mean(takers.spread > 1)), 1e-9), 1.0)


def _sizes(lots: NDArray[np.int64], round_lot: int) -> Sizes:
    round_lots = np.clip(np.rint(lots / round_lot), 1, _MOST_SIZES).astype(np.int64)
    return Sizes(histogram=histogram(np.bincount(round_lots)[1:].astype(np.float64), 1))


def _placement(counts: Counts, whole_ticks: int) -> Placement:
    overall = counts.improving.sum() / max(counts.limits[1:].sum(), 1)
    improve = (counts.improving + _DOUBT * overall) / (counts.limits + _DOUBT)
    improve[0] = 0.0  # a spread of one tick has no inside
    widest = int(np.flatnonzero(counts.limits)[-1]) if counts.limits.any() else SPREADS - 1
    inside = improvements(counts.inside, counts.room)
    return Placement(
        anchor="own",
        histogram=histogram(counts.placed.astype(np.float64), 0),
        improve=tuple(_rounded(improve[: widest + 1])),
        inside=histogram(inside[1:], 1) if inside[1:].sum() > 0 else None,
        **_whole(counts, whole_ticks),
    )


def _whole(counts: Counts, ticks: int) -> dict[str, Any]:
    """Who sits on whole prices for their sake: one in `ticks` does by chance."""
    if ticks == 1:
        return {}
    seen = counts.whole[:, 1] / np.maximum(counts.whole[:, 0], 1)
    inside, behind = _rounded(np.clip((seen - 1 / ticks) / (1 - 1 / ticks), 0.0, 1.0))
    return {"whole_ticks": ticks, "whole_inside": inside, "whole_behind": behind}


def improvements(inside: NDArray[np.int64], room: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share `[reach]` of orders that would improve by 0, 1, 2, ... ticks in a spread without end.

    An improvement is seen only where the spread has room for it, so plain counts are short of wide
    ones. Of the orders that had room for x and took no more, the share that took x is the law's own
    P(x) / P(up to x); multiplied up from the widest down they give the law (Lynden-Bell, "A method
    of allowing for known observational selection in small samples applied to 3CR quasars", 1971).
    `inside` `[reach]` counts improvements, `room` `[reach]` orders that took no more and had room.
    """
    reverse_hazard = np.divide(inside, room, out=np.zeros(len(inside)), where=room > 0)
    # Where few had room, one order would speak for all below it.
    reverse_hazard[room < min(_FEWEST_WITH_ROOM, room.max(initial=0))] = 0.0
    below = np.append(np.cumprod((1.0 - reverse_hazard)[::-1])[::-1][1:], 1.0)
    share = reverse_hazard * below
    return share / share.sum() if share.sum() > 0 else share


def _patience(rates: Rates, edges: NDArray[np.int64]) -> dict[str, Any]:
    """By distance, where it changes."""
    per_s = rates.cancel_per_s / rates.cancel_per_s.max()
    changes = np.flatnonzero(np.diff(per_s, prepend=np.nan))
    return {
        "patience": tuple(_rounded(per_s[changes])),
        "patience_ticks": tuple(int(edge) for edge in edges[changes]),
    }


def _opening(counts: Counts, edges: NDArray[np.int64]) -> Histogram | None:
    """Orders of a side by distance, on average over the day."""
    seconds = counts.touch_s[:, :EMPTY].sum()
    orders = counts.order_s.sum(axis=(0, 1, 2)) / max(seconds, 1e-9)
    if not orders.sum() > 0:
        return None
    last = int(np.flatnonzero(orders > 1e-3 * orders.sum())[-1])
    return Histogram(
        edges=tuple(int(edge) for edge in edges[: last + 2]),
        weights=tuple(_rounded(orders[: last + 1])),
    )


def _tension(rates: Rates, counts: Counts) -> SpreadReaction:
    """Up to the widest spread that was seen."""
    widest = int(np.flatnonzero(counts.touch_s.sum(axis=(0, 1))[:SPREADS])[-1])
    limit, market, cancel = (tuple(_rounded(one[: widest + 1])) for one in rates.tension)
    return SpreadReaction(limit=limit, market=market, cancel=cancel)


def _reaction(rates: Rates, usual_lots: float) -> QueueReaction:
    limit, market, cancel = (tuple(_rounded(rates.reaction[what])) for what in range(3))
    return QueueReaction(usual_lots=usual_lots, limit=limit, market=market, cancel=cancel)


def histogram(weights: NDArray[np.float64], first: int) -> Histogram:
    """A law of few bins that is close to `weights` `[n]` of `first`, `first + 1`, ...

    Bins are half powers of two wide; the most popular values keep one of their own.
    """
    weights = weights[: int(np.flatnonzero(weights)[-1]) + 1]
    own = np.argsort(-weights, kind="stable")[:_POPULAR]
    edges = np.unique(np.concatenate([distance_edges(len(weights)), own, own + 1]))
    edges = edges[edges <= len(weights)]
    sums = np.add.reduceat(weights, edges[:-1])
    return Histogram(
        edges=tuple(int(edge) + first for edge in edges), weights=tuple(_rounded(sums))
    )


def _rounded(values: NDArray[np.float64]) -> list[float]:
    """To six digits: what a person reads in a file, and finer than any error of the fit."""
    return [float(f"{value:.6g}") for value in values]
