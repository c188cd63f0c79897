"""The tables and rates that the kernels of a flow read, made of the settings of a market."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from paceline.engine.balance import leaving_at, mean_heat, most_to_come
from paceline.engine.dice import alias_table, law_from_one
from paceline.engine.flow_settings import Sizes, by_spread
from paceline.engine.laws import CANCEL, RATE_RECORD, TEMPO_STEPS, Laws
from paceline.engine.regimes import regime_tables
from paceline.units import NS_PER_S

if TYPE_CHECKING:
    from paceline.engine.market_settings import MarketSettings

_FEWEST_LEAVE = 0.01
"""Of the cancels at the touch: less does not balance anything within a day."""


def laws_of(settings: MarketSettings) -> Laws:
    """What the flow of a market is made of."""
    weights = settings.placement.weights()
    decay = math.log(2) / (np.array(settings.excitation.half_lives_s) * NS_PER_S)
    excites = settings.excitation.norms() * decay[:, None, None]
    inside = settings.placement.inside
    backing = settings.backing.table()
    # Cancels are drawn among all orders, and then some are passed over.
    lonely, backing[CANCEL] = backing[CANCEL].copy(), 1.0
    jumps = 1 / settings.jumps.mean_ticks
    standing = _standing(settings, weights) * settings.opening_depth
    rates, warm = _rates(settings), _warm(settings, standing)
    rates["most_to_come"] = most_to_come(warm, decay)
    return Laws(
        rates=rates,
        day=_day(settings),
        distance=alias_table(np.arange(1, len(weights) + 1), weights),
        inside=law_from_one(np.ones(1) if inside is None else inside.shares(1)),
        improve=settings.placement.improving(),
        parted=by_spread(settings.placement.parted),
        part=law_from_one(np.asarray(settings.placement.parts)),
        patience=_patience(settings),
        anchoring=np.stack([settings.recoil.table(), settings.anchoring.table()]),
        lonely=lonely,
        limit_size=_size_table(settings.limit_size, settings.round_lot),
        market_size=_size_table(settings.market_size, settings.round_lot),
        standing=standing,
        decay=decay,
        warm=warm,
        excites=excites,
        brings=excites.sum(axis=2),
        reaction=settings.reaction.table(),
        tension=settings.tension.table(),
        backing=backing,
        length=law_from_one(
            settings.metaorders.weights() if settings.metaorders.share else np.ones(1)
        ),
        reprice=law_from_one(jumps * (1 - jumps) ** np.arange(20 * settings.jumps.mean_ticks)),
        **regime_tables(settings.moods, settings.sequence),
    )


def _day(settings: MarketSettings) -> NDArray[np.float64]:
    """Multiples of limit, market and cancel arrivals `[3, bins]`."""
    day = settings.day or (1.0,) * max(len(settings.market_day), 1)
    return np.array([day, settings.market_day or day, day])


def _patience(settings: MarketSettings) -> NDArray[np.float64]:
    """Cancels at each distance as a share of `cancel_per_s`; the last holds further on."""
    shares = np.array(settings.patience or (1.0,), dtype=np.float64)
    starts = settings.patience_ticks or range(len(shares))
    return np.repeat(shares, np.diff([*starts, starts[-1] + 1]))


def _standing(settings: MarketSettings, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orders at each distance `[2, reach]`: as counted or, if they were not, as many as
    arrivals, of which `weights` `[reach]` come here, and cancels balance at."""
    if settings.opening_orders is not None:
        orders = settings.opening_orders
        shares = orders.shares(0) * sum(orders.weights)
        return np.stack([shares, shares])
    leaving = leaving_at(_patience(settings), len(weights))
    per_side = (
        np.array([[settings.limit_bid_per_s], [settings.limit_ask_per_s]]) / settings.cancel_per_s
    )
    return np.asarray(per_side * weights / np.maximum(leaving, _FEWEST_LEAVE))


def _warm(settings: MarketSettings, standing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heat per ns `[bins, scales, STREAMS]` on average in each part of the day, where orders
    stand as they do at the open: a market begins with what came before it."""
    base = _rates(settings)["base"][0]
    base[4:] *= standing @ leaving_at(_patience(settings), standing.shape[1])
    return mean_heat(settings.excitation.norms(), base, np.repeat(_day(settings), 2, axis=0))


def _rates(settings: MarketSettings) -> NDArray[np.void]:
    """`[1]` of RATE_RECORD."""
    per_s = NS_PER_S
    rates = np.zeros(1, RATE_RECORD)
    rates["base"] = (
        np.array(
            [
                settings.limit_bid_per_s,
                settings.limit_ask_per_s,
                settings.market_sell_per_s,
                settings.market_buy_per_s,
                settings.cancel_per_s,
                settings.cancel_per_s,
            ]
        )
        / per_s
    )
    for name in ("reduce_share", "hidden_share", "walk_share", "round_lot"):
        rates[name] = getattr(settings, name)
    rates["reprice"] = settings.jumps.per_h / (3600 * per_s)
    rates["halt"] = settings.halts.per_h / (3600 * per_s)
    rates["halt_ns"] = settings.halts.mean_s * per_s
    rates["metaorder_share"] = settings.metaorders.share
    rates["brought_pieces"] = settings.metaorders.brought
    rates["usual_lots"] = settings.reaction.usual_lots
    rates["whole_ticks"] = settings.placement.whole_ticks
    rates["whole_inside"] = settings.placement.whole_inside
    rates["whole_behind"] = settings.placement.whole_behind
    rates["from_own"] = settings.placement.anchor == "own"
    backing = settings.backing.table()
    looks = np.stack([settings.recoil.table(), settings.anchoring.table()])
    reactions = (settings.reaction.table(), settings.tension.table(), backing[:CANCEL], looks)
    rates["anchored"] = np.any(looks != 1.0)
    half_lives_s = np.array([settings.recoil.half_life_s, settings.anchoring.half_life_s])
    rates["used"] = math.log(2) / (half_lives_s * per_s)
    rates["heat_reacts"] = settings.excitation.reacts
    rates["herding"] = settings.excitation.herding
    rates["backed"] = np.any(backing != 1.0)
    rates["reacts"] = any(np.any(table != 1.0) for table in reactions)
    rates["again_share"] = settings.reposts.share
    rates["again_ns"] = settings.reposts.within_s * per_s
    rates["tempo_sd"] = settings.tempo.sd
    rates["tempo_ns"] = settings.tempo.half_life_s / TEMPO_STEPS * per_s
    rates["picky"] = bool(settings.patience or settings.backing.cancel)
    rates["bin_ns"] = round((settings.close_s - settings.open_s) * per_s / _day(settings).shape[1])
    return rates


def _size_table(sizes: Sizes, round_lot: int) -> NDArray[np.void]:
    weights = sizes.weights()
    return alias_table(np.arange(1, len(weights) + 1) * round_lot, weights)
