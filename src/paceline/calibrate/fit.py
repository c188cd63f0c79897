"""A market like the recorded one: the simulator's settings, fitted to tapes.

    settings = fit_market([Tape.open(path) for path in paths])

Everything is a moment of what `counting` counts, pooled over days and over both sides, mirrored: a
market that leans to one side would drift, and where a few days drifted says nothing of the next.

| settings | from |
|---|---|
| rates, day, reactions, patience | arrivals over the time that the book was so (`rates`) |
| excitation | likelihood (`excitation`); the rates are what it leaves |
| placement | distances from the own touch; improvements by width of the spread |
| reposts | orders that come again where one was just cancelled, and as large |
| hidden_share | hidden lots of all that were traded, over the share of market orders that met a |
| | spread wide enough to hide in |
| walk_share | market orders that went on to the next level, of those that emptied the first |
| limit_size, opening_orders | as counted |
| market_size, metaorders, and all rates once more | simulated moments (`tuning`) |

What is unrealistic in it is said in docs/assumptions.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.calibrate.counting import SOON_NS, Counts, Takers, count, new_counts
from paceline.calibrate.excitation import ExcitationFit, fit_excitation, unexcited
from paceline.calibrate.rates import Rates, Seen, fit_rates, seen_in
from paceline.calibrate.ruler import (
    USED_S,
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
from paceline.calibrate.sizes import histogram, in_round_lots, rounded
from paceline.calibrate.tuning import moments_of, tuned
from paceline.calibrate.watching import stood_in, watch
from paceline.engine.flow_settings import (
    Anchoring,
    Excitation,
    GapReaction,
    Histogram,
    Placement,
    QueueReaction,
    Reposts,
    Sizes,
    SpreadReaction,
)
from paceline.engine.laws import CANCEL, LIMIT, MARKET, SPREADS
from paceline.engine.market_settings import MarketSettings
from paceline.errors import InputError
from paceline.market.grids import on_one_grid
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

FEWEST = 100
"""Limit orders, market orders and cancels, each, below which nothing is fitted."""

_ROUND_LOTS = (1000, 100, 10, 1)
_ROUND_SHARE = 0.9
"""Share of limit orders that must be multiples of the round lot."""

_REACH = 0.3
"""Of the price: orders further from the touch are left out."""

_BEHIND = 0.01
"""Share of orders that must stand behind the touch."""

_DOUBT = 10.0
"""Orders that a width of the spread must have met before it is believed half."""


class Fit(NamedTuple):
    """A market, and what it was fitted to."""

    settings: MarketSettings
    tapes: tuple[Tape, ...]
    seen: Seen
    rates: Rates
    """Before excitation is taken out."""
    excitation: ExcitationFit | None
    counts: tuple[Counts, ...]  # one a day
    seconds: NDArray[np.float64]  # of each day
    stood: tuple[NDArray[np.float64], ...]  # one a day, see `stood_in`


Progress = Callable[[str, float, float], None]
"""Called with what is being done, how much of it is, and of how much."""


def _silent(what: str, at: float, of: float) -> None:
    pass


def fit_market(
    tapes: Sequence[Tape], excited: Sequence[int] = (LIMIT, MARKET, CANCEL)
) -> MarketSettings:
    """The settings of a market like that of `tapes`; see `fit`."""
    return fit(tapes, excited).settings


def fit(
    tapes: Sequence[Tape],
    excited: Sequence[int] = (LIMIT, MARKET, CANCEL),
    progress: Progress = _silent,
) -> Fit:
    """A market like that of `tapes`, days of one instrument that name their orders.

    `excited` are the kinds of arrivals (`LIMIT`, `MARKET`, `CANCEL`) whose excitation is fitted; of
    the others nothing is brought about.

    Raises `InputError` for tapes of several symbols, without orders, with too few of them, or of
    books of one level.
    """
    _check(tapes)
    tapes = on_one_grid(tapes)
    step = grid_step(tapes)
    lots = np.concatenate([limit_lots(tape, settled_ns(tape)) for tape in tapes])
    round_lot = largest_unit(lots, _ROUND_LOTS, _ROUND_SHARE)
    usual_lots = usual_touch_lots(tapes)
    mids = [_settled(tape, tape.mid_ticks()) for tape in tapes]
    reach = max(int(min(mids) / step * _REACH), 2)
    edges = distance_edges(reach)
    rulers = [new_ruler(tape, step, round_lot, usual_lots, edges) for tape in tapes]
    by_day, takers, logs = [], [], []
    for k, (tape, ruler) in enumerate(zip(tapes, rulers, strict=True)):
        progress("count", k, len(tapes))
        by_day.append(new_counts(reach))
        takers.append(count(tape, ruler, by_day[-1]))
        logs.append(watch(tape, ruler))
    counts = Counts._make(sum(column) for column in zip(*by_day, strict=True))
    _check_counts(counts)
    progress("rates", 0, 3)
    seen = seen_in(logs)
    _check_depth(seen)
    plain = rates = fit_rates(seen)
    excitation, found = Excitation(), None
    if excited:
        progress("excitation", 1, 3)
        found = fit_excitation(logs, seen, rates, excited)
        excitation, rates = found.settings(), unexcited(rates, found)
    progress("simulated moments", 2, 3)
    cancel_per_s = float(rates.cancel_per_s.max())
    first = tapes[0]
    tick = step * first.instrument.book_tick
    midnight = first.session.midnight_ns
    spread = np.median([np.nanmedian(tape.ask_ticks() - tape.bid_ticks()) for tape in tapes])
    all_takers = Takers(*(np.concatenate(column) for column in zip(*takers, strict=True)))
    settings = MarketSettings(
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
        reduce_share=_share(counts.divisible),
        hidden_share=rounded(np.array([_hidden_share(all_takers)]))[0],
        placement=_placement(counts, rulers[0].whole),
        reposts=_reposts(counts),
        limit_size=_sizes(lots, round_lot),
        market_size=_sizes(all_takers.lots, round_lot),
        walk_share=rounded(np.array([_walk_share(all_takers)]))[0],
        **_patience(rates, edges),
        reaction=_reaction(rates, usual_lots),
        tension=_tension(rates, seen),
        backing=_backing(rates, seen),
        recoil=_anchoring(rates.tables.recoil, USED_S[0]),
        anchoring=_anchoring(rates.tables.anchoring, USED_S[1]),
        excitation=excitation,
        day=tuple(rounded(rates.hour[LIMIT])),
        market_day=tuple(rounded(rates.hour[MARKET])),
        opening_spread_ticks=max(round(float(spread) / step), 1),
        opening_orders=_opening(seen, edges),
        zone=first.session.zone,
        open_s=(first.session.open_ns - midnight) / NS_PER_S,
        close_s=(first.session.close_ns - midnight) / NS_PER_S,
    )
    rows = [one.row for one in takers]
    if not excited:
        settings = msgspec.structs.replace(settings, metaorders=fit_metaorders(rows))
    streams = counts.streams.reshape(3, 2).sum(axis=1)
    seconds = np.array([(ruler.end_ns - ruler.begin_ns) / NS_PER_S for ruler in rulers])
    settings = tuned(settings, moments_of(tapes, streams / seconds.sum()), progress)
    stood = tuple(stood_in(log) for log in logs)
    return Fit(settings, tuple(tapes), seen, plain, found, tuple(by_day), seconds, stood)


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
        found = int(counts.streams[2 * what : 2 * what + 2].sum())
        if found < FEWEST:
            raise InputError(f"tapes: have {found} {name}; need {FEWEST}, so give more days")


def _check_depth(seen: Seen) -> None:
    stood = seen.seconds @ seen.orders
    if stood[SPREADS:].sum() < _BEHIND * stood.sum():
        raise InputError(
            "tapes: show the best level of each side and nothing behind it, which says nothing of "
            "where orders wait; give tapes of deeper books"
        )


def _settled(tape: Tape, values: NDArray[np.float64]) -> float:
    """The first of `values` `[n_events]` that is known once the market has settled; NaN if none."""
    known = np.flatnonzero((tape.events.ts >= settled_ns(tape)) & ~np.isnan(values))
    return float(values[known[0]]) if len(known) else float("nan")


def _hidden_share(takers: Takers) -> float:
    hidden = float(takers.hidden_lots.sum() / takers.lots.sum())
    return min(hidden / max(float(np.mean(takers.spread > 1)), 1e-9), 1.0)


def _walk_share(takers: Takers) -> float:
    """Of those that took all that was shown at the touch, who went on to the next level."""
    return float(np.mean(takers.walked[emptied(takers)])) if emptied(takers).any() else 1.0


def _sizes(lots: NDArray[np.int64], round_lot: int) -> Sizes:
    return Sizes(
        histogram=histogram(np.bincount(in_round_lots(lots, round_lot))[1:].astype(np.float64), 1)
    )


def emptied(takers: Takers) -> NDArray[np.bool_]:
    """Whether each market order took all that the touch showed."""
    return (takers.touch > 0) & (takers.lots - takers.hidden_lots >= takers.touch)


def _reposts(counts: Counts) -> Reposts:
    return Reposts(share=_share(counts.again), within_s=SOON_NS / NS_PER_S)


def _share(of: NDArray[np.int64]) -> float:
    """The second of the first."""
    return rounded(np.array([of[1] / max(of[0], 1)]))[0]


def _placement(counts: Counts, whole_ticks: int) -> Placement:
    overall = counts.improving.sum() / max(counts.limits[1:].sum(), 1)
    improve = (counts.improving + _DOUBT * overall) / (counts.limits + _DOUBT)
    improve[0] = 0.0  # a spread of one tick has no inside
    widest = int(np.flatnonzero(counts.limits)[-1]) if counts.limits.any() else SPREADS - 1
    single = counts.single.sum() / max(counts.improving.sum(), 1)
    parted = 1.0 - (counts.single + _DOUBT * single) / (counts.improving + _DOUBT)
    some = counts.parts.sum() > 0
    return Placement(
        anchor="own",
        histogram=histogram(counts.placed.astype(np.float64), 0),
        improve=tuple(rounded(improve[: widest + 1])),
        parted=tuple(rounded(parted[: widest + 1])) if some else (),
        parts=tuple(rounded(counts.parts)) if some else (1.0,),
        **_whole(counts, whole_ticks),
    )


def _whole(counts: Counts, ticks: int) -> dict[str, Any]:
    """Who sits on whole prices for their sake: one in `ticks` does by chance."""
    if ticks == 1:
        return {}
    seen = counts.whole[:, 1] / np.maximum(counts.whole[:, 0], 1)
    inside, behind = rounded(np.clip((seen - 1 / ticks) / (1 - 1 / ticks), 0.0, 1.0))
    return {"whole_ticks": ticks, "whole_inside": inside, "whole_behind": behind}


def _patience(rates: Rates, edges: NDArray[np.int64]) -> dict[str, Any]:
    """By distance, where it changes; at the touch, that of the gap where it is least."""
    per_s = rates.cancel_per_s / rates.cancel_per_s.max()
    per_s = np.append(per_s[:SPREADS].max(), per_s[SPREADS:])
    changes = np.flatnonzero(np.diff(per_s, prepend=np.nan))
    return {
        "patience": tuple(rounded(per_s[changes])),
        "patience_ticks": tuple(int(edge) for edge in edges[changes]),
    }


def _backing(rates: Rates, seen: Seen) -> GapReaction:
    """Up to the widest gap that was seen."""
    gaps = slice(int(seen.buckets[2].max()) + 1)
    touch = rates.cancel_per_s[:SPREADS] / rates.cancel_per_s[:SPREADS].max()
    limit, market, cancel = (
        tuple(rounded(one[gaps])) for one in (*rates.tables.backing[:CANCEL], touch)
    )
    return GapReaction(limit=limit, market=market, cancel=cancel)


def _opening(seen: Seen, edges: NDArray[np.int64]) -> Histogram | None:
    """Orders of a side by distance, on average over the day."""
    orders = seen.seconds @ seen.orders / max(float(seen.seconds.sum()), 1e-9)
    orders = np.append(orders[:SPREADS].sum(), orders[SPREADS:])
    if not orders.sum() > 0:
        return None
    last = int(np.flatnonzero(orders > 1e-3 * orders.sum())[-1])
    return Histogram(
        edges=tuple(int(edge) for edge in edges[: last + 2]),
        weights=tuple(rounded(orders[: last + 1])),
    )


def _tension(rates: Rates, seen: Seen) -> SpreadReaction:
    """Up to the widest spread that was seen."""
    widest = int(seen.buckets[1].max())
    limit, market, cancel = (tuple(rounded(one[: widest + 1])) for one in rates.tables.tension)
    return SpreadReaction(limit=limit, market=market, cancel=cancel)


def _anchoring(table: NDArray[np.float64], half_life_s: float) -> Anchoring:
    limit, market, cancel = (tuple(rounded(one)) for one in table)
    return Anchoring(half_life_s=half_life_s, limit=limit, market=market, cancel=cancel)


def _reaction(rates: Rates, usual_lots: float) -> QueueReaction:
    limit, market, cancel = (tuple(rounded(one)) for one in rates.tables.reaction)
    return QueueReaction(usual_lots=usual_lots, limit=limit, market=market, cancel=cancel)
