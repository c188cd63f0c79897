"""The settings of a simulated market, and the tables and rates that its kernels read.

    settings = MarketSettings(market_buy_per_s=0.3, market_sell_per_s=0.1)
    settings = load_yaml("market.yaml", MarketSettings)

The defaults are a stock of medium liquidity; docs/assumptions.md says what is unrealistic in it.
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from msgspec.structs import force_setattr

from paceline.config import Field, Settings
from paceline.engine.consistency import check_excitation, check_patience
from paceline.engine.flow_settings import (
    WIDEST,
    Anchoring,
    Excitation,
    GapReaction,
    Halts,
    Histogram,
    Jumps,
    Metaorders,
    Placement,
    QueueReaction,
    Rate,
    Reposts,
    Share,
    Sizes,
    SpreadReaction,
    Tempo,
)
from paceline.engine.laws import Laws
from paceline.engine.regimes import (
    Moments,
    Regime,
    check_regimes,
    draw_sequence,
    named,
    with_names,
)
from paceline.engine.tables import laws_of
from paceline.errors import ConfigError, InputError
from paceline.market.session import Session
from paceline.orders.instrument import Instrument
from paceline.units import to_steps

MAX_RESTING = 1_000_000
"""Most orders that arrivals and cancels may keep in the book on average."""

MAX_ARRIVALS = 5e7
"""Most arrivals that a session may have on average."""

MAX_CANCELS = 1e3
"""Most cancels a second of one order: a mean life of a millisecond."""

PositiveRate = Annotated[float, Meta(ge=1e-6, le=1e6)]


class MarketSettings(Settings, frozen=True, kw_only=True, dict=True):
    """A market that is simulated. As it stands its arrivals are independent Poisson streams;
    excitation, queues, metaorders and regimes are there to be switched on."""

    symbol: Annotated[str, Meta(min_length=1), Field("What the instrument is called.", "")] = "SIM"
    start_price: Annotated[
        float, Meta(gt=0), Field("Price around which the session opens.", "currency")
    ] = 50.0
    tick: Annotated[float, Meta(gt=0), Field("Smallest price step.", "currency")] = 0.01
    order_tick: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Field("Smallest price step of our own orders; left out, the tick.", "currency"),
    ] = None
    round_lot: Annotated[
        int, Meta(ge=1, le=100_000), Field("Sizes are multiples of this.", "lots")
    ] = 100
    price_range: Annotated[
        float,
        Meta(gt=1, le=100),
        Field("Prices stay between the start price divided and multiplied by this.", ""),
    ] = 2.0
    limit_bid_per_s: Annotated[PositiveRate, Field("Limit orders to buy.", "1/s")] = 1.0
    limit_ask_per_s: Annotated[PositiveRate, Field("Limit orders to sell.", "1/s")] = 1.0
    market_buy_per_s: Annotated[Rate, Field("Market orders to buy.", "1/s")] = 0.12
    market_sell_per_s: Annotated[Rate, Field("Market orders to sell.", "1/s")] = 0.12
    cancel_per_s: Annotated[
        PositiveRate, Field("Cancels of one resting order; its mean life is the inverse.", "1/s")
    ] = 0.02
    reduce_share: Annotated[
        Share, Field("Share of cancels that leave half of the order in its place.", "")
    ] = 0.1
    hidden_share: Annotated[
        Share, Field("Share of market orders that meet a hidden order inside the spread.", "")
    ] = 0.1
    walk_share: Annotated[
        Share, Field("Share of market orders that take more than the touch, if they want it.", "")
    ] = 1.0
    placement: Annotated[Placement, Field("Where limit orders are placed.", "")] = Placement()
    reposts: Annotated[Reposts, Field("Orders that come again.", "")] = Reposts()
    limit_size: Annotated[Sizes, Field("Sizes of limit orders.", "")] = Sizes()
    market_size: Annotated[Sizes, Field("Sizes of market orders.", "")] = Sizes()
    patience: Annotated[
        tuple[Share, ...],
        Field(
            "Cancels of an order 0, 1, ... ticks from the touch, as a share of cancel_per_s; the "
            "last holds for all further ones. Left out, all alike.",
            "share",
        ),
    ] = ()
    patience_ticks: Annotated[
        tuple[Annotated[int, Meta(ge=0, le=WIDEST)], ...],
        Field("Distance from which on each of patience holds; left out, 0, 1, 2, ...", "ticks"),
    ] = ()
    excitation: Annotated[Excitation, Field("What arrivals bring about.", "")] = Excitation()
    reaction: Annotated[
        QueueReaction, Field("How arrivals depend on the queues at the touch.", "")
    ] = QueueReaction()
    tension: Annotated[SpreadReaction, Field("How arrivals depend on the spread.", "")] = (
        SpreadReaction()
    )
    backing: Annotated[
        GapReaction, Field("How arrivals depend on the gap behind the touch.", "")
    ] = GapReaction()
    anchoring: Annotated[
        Anchoring, Field("How arrivals depend on where the touch has been.", "")
    ] = Anchoring()
    recoil: Annotated[Anchoring, Field("The same, of where it has been a moment ago.", "")] = (
        Anchoring(half_life_s=1.0)
    )
    metaorders: Annotated[Metaorders, Field("Large orders worked in pieces.", "")] = Metaorders()
    jumps: Annotated[Jumps, Field("News that moves the price at once.", "")] = Jumps()
    halts: Annotated[Halts, Field("Interruptions of trading.", "")] = Halts()
    tempo: Annotated[Tempo, Field("How busy it is, besides the hour.", "")] = Tempo()
    day: Annotated[
        tuple[Annotated[float, Meta(ge=0, le=1e3)], ...],
        Field("Multiples of all rates in equal parts of the session, e.g. a U; none: flat.", ""),
    ] = ()
    market_day: Annotated[
        tuple[Annotated[float, Meta(ge=0, le=1e3)], ...],
        Field("The same of market orders, in as many parts; none: as day.", ""),
    ] = ()
    regimes: Annotated[
        tuple[Regime, ...] | Literal["named"],
        Field("Moods of the market, the first one opens it; named is a set that is shipped.", ""),
    ] = ()
    sequence: Annotated[
        Moments,
        Field("Regimes by seconds after the open, as [at, name]; none: they follow by chance.", ""),
    ] = ()
    opening_spread_ticks: Annotated[
        int, Meta(ge=1), Field("Spread at the open, around the start price.", "ticks")
    ] = 2
    opening_depth: Annotated[
        Rate,
        Field("Orders at the open, as a multiple of what arrivals and cancels balance at.", ""),
    ] = 1.0
    opening_orders: Annotated[
        Histogram | None,
        Field("Orders of a side by ticks behind the touch, as counted, times opening_depth.", ""),
    ] = None
    zone: Annotated[str, Field("Time zone of the session (IANA name).", "")] = "America/New_York"
    open_s: Annotated[
        float, Meta(ge=0, lt=86_400), Field("Session start, after midnight.", "s")
    ] = 34_200.0
    close_s: Annotated[float, Meta(gt=0, le=86_400), Field("Session end, after midnight.", "s")] = (
        57_600.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_session()
        self._check_prices()
        force_setattr(self, "regimes", with_names(self.regimes))
        self._check_day()
        self._check_arrivals()
        check_patience(self.patience, self.patience_ticks, self.backing)
        tables = (self.reaction, self.tension, self.backing, self.recoil, self.anchoring)
        check_excitation(self.excitation, tables)
        room = self.resting_orders() / MAX_RESTING, self._arrivals() / MAX_ARRIVALS
        check_regimes(self.moods, self.sequence, self.close_s - self.open_s, *room)
        for name in ("limit_size", "market_size"):
            try:
                getattr(self, name).weights()
            except ConfigError as error:
                raise ConfigError(f"{name}.{error}") from None

    def _check_session(self) -> None:
        if self.close_s <= self.open_s:
            raise ConfigError(f"close_s: {self.close_s} is not after open_s {self.open_s}")
        try:
            self.session("2000-01-03")
        except InputError as error:
            raise ConfigError(f"zone: {self.zone!r} ({error})") from None

    def _check_arrivals(self) -> None:
        resting = self.resting_orders()
        opening = 0.0 if self.opening_orders is None else 2 * sum(self.opening_orders.weights)
        if opening * self.opening_depth > MAX_RESTING:
            raise ConfigError(
                f"opening_orders: are {opening:.3g} on both sides, times opening_depth "
                f"{self.opening_depth}; at most {MAX_RESTING:,} may stand, so lower its weights"
            )
        if resting > MAX_RESTING or resting * self.opening_depth > MAX_RESTING:
            raise ConfigError(
                f"cancel_per_s: {self.cancel_per_s} lets {resting:.3g} orders rest "
                f"(times opening_depth {self.opening_depth} at the open), at most {MAX_RESTING:,} "
                "may; raise it"
            )
        often = self.cancel_per_s * max(mood.speed * mood.cancel for mood in self.moods)
        if often > MAX_CANCELS:
            raise ConfigError(
                f"cancel_per_s: {self.cancel_per_s} with its regimes cancels an order {often:.3g} "
                f"times a second, at most {MAX_CANCELS:,.0f}; lower it"
            )
        arrivals = self._arrivals()
        if arrivals > MAX_ARRIVALS:
            raise ConfigError(
                f"limit_bid_per_s: all orders together are {arrivals:.3g} in a session, at most "
                f"{MAX_ARRIVALS:.0e} may arrive; lower the rates"
            )

    def _arrivals(self) -> float:
        """Orders that arrive in a session on average."""
        per_s = (
            self.limit_bid_per_s + self.limit_ask_per_s
            + self.market_buy_per_s + self.market_sell_per_s
        )  # fmt: skip
        hours = np.maximum(self.day or (1.0,), self.market_day or self.day or (1.0,)).mean()
        length = self.close_s - self.open_s
        return float(hours) * per_s / (1 - self.excitation.branching()) * length

    def _check_prices(self) -> None:
        lowest, highest = self.grid()
        bid, ask = self.opening_ticks()
        if highest - lowest > 4_000_000:
            raise ConfigError(
                f"tick: {self.tick} makes {highest - lowest:,} prices of the price range; "
                "give a larger tick or a smaller price_range"
            )
        if not lowest <= bid < ask <= highest:
            raise ConfigError(
                f"opening_spread_ticks: {self.opening_spread_ticks} does not fit between the "
                f"lowest and highest price ({lowest} and {highest} ticks); lower it"
            )

    def _check_day(self) -> None:
        if self.day and self.market_day and len(self.day) != len(self.market_day):
            raise ConfigError(
                f"market_day: has {len(self.market_day)} parts, day {len(self.day)}; give as many"
            )

    @property
    def moods(self) -> tuple[Regime, ...]:
        """The regimes; one that changes nothing if none was given."""
        return with_names(self.regimes) or (Regime(name="normal"),)

    def in_regime(self, name: str) -> MarketSettings:
        """The same market, held in one of its regimes, or in a named one if it has none.

        Raises `ConfigError` for a name that is not among them.
        """
        mood = named(with_names(self.regimes or "named"), name, "regime").held()
        return msgspec.structs.replace(self, regimes=(mood,), sequence=())

    def in_sequence(self, seed: int) -> MarketSettings:
        """The same market with its chain of regimes drawn once: every session goes as this one."""
        if self.sequence:
            return self
        moments = draw_sequence(self.moods, self.close_s - self.open_s, seed)
        return msgspec.structs.replace(self, regimes=self.moods, sequence=moments)

    def instrument(self) -> Instrument:
        """The simulated instrument; a lot is one share."""
        tick = Decimal(str(self.tick))
        order_tick = Decimal(str(self.order_tick or self.tick))
        return Instrument(symbol=self.symbol, book_tick=tick, order_tick=order_tick, venue="SIM")

    def session(self, day: str) -> Session:
        """The session of `day` (YYYY-MM-DD)."""
        return Session.of(day, self.zone, self.open_s, self.close_s)

    def resting_orders(self) -> float:
        """Orders in the book on average, if no market order took any."""
        return (self.limit_bid_per_s + self.limit_ask_per_s) / self.cancel_per_s

    def start_ticks(self) -> int:
        """The start price in ticks."""
        try:
            return to_steps(self.start_price, self.instrument().book_tick, "start_price")
        except InputError as error:
            raise ConfigError(str(error).removeprefix("instrument.book_")) from None

    def grid(self) -> tuple[int, int]:
        """The lowest and the highest price in ticks."""
        start = self.start_ticks()
        return max(1, math.floor(start / self.price_range)), math.ceil(start * self.price_range)

    def opening_ticks(self) -> tuple[int, int]:
        """Best bid and best ask at the open, in ticks."""
        bid = self.start_ticks() - (self.opening_spread_ticks + 1) // 2
        return bid, bid + self.opening_spread_ticks

    def laws(self) -> Laws:
        """The tables and rates that kernels read, and nobody writes to."""
        return self._laws

    @cached_property
    def _laws(self) -> Laws:
        # A backtest makes thousands of markets of the same settings.
        return laws_of(self)
