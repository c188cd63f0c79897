"""Worlds in which the truth is known, without a book and with one.

    world = AlmgrenChrissWorld(Impact(sigma=2.0, gamma=1e-4, eta=0.05), 10_000, mid_ticks=5_000.0)
    paid = world.trade(side, lots, slice_s=60.0)
    tape = simulate_day(walk(), "2024-01-08", seed=1)

In the first there is no book, and the price obeys Almgren and Chriss to the letter. In every slice
it moves by noise and for good by gamma a lot, and what is traded pays epsilon and eta times its
rate on top of the price before (equations (1) to (4) of Almgren and Chriss, "Optimal Execution of
Portfolio Transactions", 2001). So the cost of a schedule has the mean and the variance of
`cost.impact`, and the best schedule is that of `schedule.almgren_chriss`: what learns must find it.
With sigma alone the price is a `martingale`, and nothing that anybody does can cost more or less
than zero on average. Many orders live side by side, each in its own world; the same seed and number
make the same world, whoever lives in the others.

`walk` is a martingale with a book: settings of a simulated market, in which whole environments can
be tried. The book is a tick wide, deep, and moves as a whole: news takes the touch of one side
away, and the other side follows into the gap. A share costs half the spread whoever trades it and
when: who takes pays it, and who rests is filled when the price has moved against him by as much.
The explicit impact of a `Venue` makes of it a world of Almgren and Chriss: where it fades within a
slice, n lots that trade at once pay n^2 / 2 times `transient_ticks_per_lot`.

All are controls, not markets.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paceline.cost.impact import Impact
from paceline.engine.dice import branches, new_dice, normal, wrapping
from paceline.engine.flow_settings import Histogram, Jumps, Sizes
from paceline.engine.market_settings import MarketSettings
from paceline.errors import InputError
from paceline.jit import kernel


def martingale(sigma: float) -> Impact:
    """A price that nothing moves but noise, ticks / sqrt(s)."""
    return Impact(sigma=sigma, gamma=0.0, eta=0.0)


def walk() -> MarketSettings:
    """A book whose price walks: a tick up or down, either as likely, once a second on average.

    A level has one order of a million lots. Takers come once a second for a thousand, which is
    volume and moves nothing."""
    least = 1e-6  # the rates that a market must have; such an order comes once in days
    return MarketSettings(
        symbol="WALK", start_price=200.0, price_range=1.04, opening_spread_ticks=1,
        opening_orders=Histogram(edges=(0, _LADDER), weights=(float(_LADDER),)),
        limit_bid_per_s=least, limit_ask_per_s=least, cancel_per_s=least, patience=(0.0,),
        limit_size=Sizes(histogram=_only(10_000)), market_size=Sizes(histogram=_only(10)),
        market_buy_per_s=0.5, market_sell_per_s=0.5, hidden_share=0.0,
        jumps=Jumps(per_h=3600.0, mean_ticks=1.0), zone="UTC", open_s=0.0, close_s=7200.0,
    )  # fmt: skip


_LADDER = 400
"""Levels of a side as the session opens: 4.7 times as far as the price gets in it on average."""


def _only(value: int) -> Histogram:
    return Histogram(edges=(value, value + 1), weights=(1.0,))


class WorldState(NamedTuple):
    """All there is to save. Both `[n]`."""

    mid_ticks: NDArray[np.float64]
    dice: NDArray[np.void]  # of DICE_RECORD


class AlmgrenChrissWorld:
    """`n` prices, each of one order."""

    def __init__(self, impact: Impact, n: int, mid_ticks: float, seed: int = 0) -> None:
        """All prices start at `mid_ticks`.

        `impact` holds numbers. Raises `InputError` for parameters no price could have.
        """
        for name, value in impact._asdict().items():
            if not (isinstance(value, float | int) and math.isfinite(value) and value >= 0):
                raise InputError(f"{name}: {value!r} is not a number from 0 up")
        if n < 1:
            raise InputError(f"n: {n} is no count of worlds; give 1 or more")
        self.impact = impact
        self._parameters = (
            float(impact.sigma),
            float(impact.gamma),
            float(impact.eta),
            float(impact.epsilon),
        )
        self._state = WorldState(
            mid_ticks=np.full(n, float(mid_ticks)),
            dice=branches(new_dice(seed), np.arange(n)),
        )

    @property
    def mid_ticks(self) -> NDArray[np.float64]:
        """`[n]` prices now."""
        return self._state.mid_ticks.copy()

    def trade(self, side: ArrayLike, lots: ArrayLike, slice_s: float) -> NDArray[np.float64]:
        """Trade `lots` `[n]` (0 is none) on `side` `[n]` through one slice of `slice_s` seconds.

        Returns the price paid or got by each, `[n]` ticks; NaN where nothing was traded. Either
        argument may be one number for all. Raises `InputError` for what is no trade.
        """
        n = len(self._state.mid_ticks)
        sides = np.ascontiguousarray(np.broadcast_to(np.asarray(side, np.int64), n))
        sizes = np.ascontiguousarray(np.broadcast_to(np.asarray(lots, np.float64), n))
        if not np.all(np.abs(sides) == 1):
            raise InputError("side: is neither +1 (buy) nor -1 (sell) for some order")
        if not np.all(np.isfinite(sizes) & (sizes >= 0)):
            raise InputError("lots: negative or not finite for some order; give 0 or more")
        if not (math.isfinite(slice_s) and slice_s > 0):
            raise InputError(f"slice_s: {slice_s!r} is not a length of time")
        paid = np.empty(n)
        with wrapping():
            _trade(*self._state, *self._parameters, sides, sizes, float(slice_s), paid)
        return paid

    def save(self) -> WorldState:
        """A copy of the whole state, to `restore` later."""
        return WorldState._make(column.copy() for column in self._state)

    def restore(self, saved: WorldState) -> None:
        """Go back to where `saved` was; what follows is the same, bit for bit."""
        if len(saved.mid_ticks) != len(self._state.mid_ticks):
            raise InputError(
                f"saved: is of {len(saved.mid_ticks)} worlds, these are "
                f"{len(self._state.mid_ticks)}; restore it where it was saved"
            )
        self._state = WorldState._make(column.copy() for column in saved)


@kernel
def _trade(
    mid: NDArray[np.float64],
    dice: NDArray[np.void],
    sigma: float,
    gamma: float,
    eta: float,
    epsilon: float,
    side: NDArray[np.int64],
    lots: NDArray[np.float64],
    slice_s: float,
    paid: NDArray[np.float64],
) -> None:
    for i in range(len(mid)):
        traded = lots[i]
        paid[i] = np.nan
        if traded > 0.0:
            paid[i] = mid[i] + side[i] * (epsilon + eta * traded / slice_s)
        noise = sigma * math.sqrt(slice_s) * normal(dice[i : i + 1])
        mid[i] += noise + side[i] * gamma * traded
