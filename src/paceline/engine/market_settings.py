"""The settings of a simulated market, and the tables and rates that its kernels read.

    settings = MarketSettings(market_buy_per_s=0.3, market_sell_per_s=0.1)
    settings = load_yaml("market.yaml", MarketSettings)

The defaults are a stock of medium liquidity; docs/assumptions.md says what is unrealistic in it.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Annotated, Literal, NamedTuple

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from paceline.config import Field, Settings
from paceline.engine.dice import alias_table
from paceline.errors import ConfigError, InputError
from paceline.market.session import Session
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_S, to_steps

MAX_RESTING = 1_000_000
"""Most orders that arrivals and cancels may keep in the book on average."""

MAX_ARRIVALS = 5e7
"""Most arrivals that a session may have on average."""

RATE_RECORD = np.dtype(
    [
        ("limit_bid", np.float64),  # arrivals per ns
        ("limit_ask", np.float64),
        ("market_buy", np.float64),
        ("market_sell", np.float64),
        ("cancel", np.float64),  # per ns and resting order
        ("reduce_share", np.float64),
        ("hidden_share", np.float64),
        ("round_lot", np.int64),
    ]
)


class Laws(NamedTuple):
    """What the flow is made of. Nobody writes here: thousands of markets share one."""

    rates: NDArray[np.void]  # [1] of RATE_RECORD
    distance: NDArray[np.void]  # [reach] alias table: ticks from the other side's best price
    limit_size: NDArray[np.void]  # [sizes] alias table: lots
    market_size: NDArray[np.void]  # [sizes] alias table: lots
    standing: NDArray[np.float64]  # [2, reach] orders at each distance when the session opens


Rate = Annotated[float, Meta(ge=0, le=1e6)]
PositiveRate = Annotated[float, Meta(ge=1e-6, le=1e6)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Placement(Settings, frozen=True, kw_only=True):
    """How far from the other side's best price a limit order is placed."""

    law: Annotated[
        Literal["power", "exponential"],
        Field("How the rate falls with the distance i: i ** -exponent or exp(-i / scale).", ""),
    ] = "power"
    exponent: Annotated[
        float, Meta(ge=0, le=10), Field("Exponent of the power law; 0 is flat.", "")
    ] = 0.4
    scale_ticks: Annotated[
        float, Meta(ge=0.1, le=1e4), Field("Scale of the exponential law.", "ticks")
    ] = 10.0
    reach_ticks: Annotated[int, Meta(ge=1, le=10_000), Field("Largest distance.", "ticks")] = 60

    def weights(self) -> NDArray[np.float64]:
        """Share of limit orders at distance 1, 2, ... `[reach_ticks]`."""
        distance = np.arange(1, self.reach_ticks + 1, dtype=np.float64)
        if self.law == "power":
            weight = distance**-self.exponent
        else:
            weight = np.exp(-(distance - 1) / self.scale_ticks)
        return weight / weight.sum()


class Sizes(Settings, frozen=True, kw_only=True):
    """How large orders are, in round lots."""

    law: Annotated[
        Literal["lognormal", "geometric"], Field("Law of the size before it is rounded.", "")
    ] = "lognormal"
    mean_round_lots: Annotated[
        float, Meta(ge=1), Field("Mean before rounding and cutting.", "round lots")
    ] = 2.0
    sigma: Annotated[
        float,
        Meta(ge=0.01, le=5),
        Field("Standard deviation of the log-normal law's logarithm.", ""),
    ] = 1.0
    max_round_lots: Annotated[
        int, Meta(ge=1, le=10_000), Field("Largest size; the law is cut there.", "round lots")
    ] = 100

    def weights(self) -> NDArray[np.float64]:
        """Share of orders of 1, 2, ... round lots `[max_round_lots]`; below one counts as one."""
        if self.law == "geometric":
            quit_share = 1 / self.mean_round_lots
            steps = np.arange(self.max_round_lots, dtype=np.float64)
            weight = (1 - quit_share) ** steps
        else:
            log_size = NormalDist(math.log(self.mean_round_lots) - self.sigma**2 / 2, self.sigma)
            edges = (math.log(n + 0.5) for n in range(1, self.max_round_lots + 1))
            weight = np.diff([0.0, *(log_size.cdf(edge) for edge in edges)])
        if not weight.sum() > 0:
            raise ConfigError(
                f"mean_round_lots: {self.mean_round_lots} is out of reach of "
                f"max_round_lots {self.max_round_lots}; raise max_round_lots"
            )
        return weight / weight.sum()


class MarketSettings(Settings, frozen=True, kw_only=True):
    """A market that is simulated. Arrivals are independent Poisson streams."""

    symbol: Annotated[str, Meta(min_length=1), Field("What the instrument is called.", "")] = "SIM"
    start_price: Annotated[
        float, Meta(gt=0), Field("Price around which the session opens.", "currency")
    ] = 50.0
    tick: Annotated[float, Meta(gt=0), Field("Smallest price step.", "currency")] = 0.01
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
    placement: Annotated[Placement, Field("Where limit orders are placed.", "")] = Placement()
    limit_size: Annotated[Sizes, Field("Sizes of limit orders.", "")] = Sizes()
    market_size: Annotated[Sizes, Field("Sizes of market orders.", "")] = Sizes()
    opening_spread_ticks: Annotated[
        int, Meta(ge=1), Field("Spread at the open, around the start price.", "ticks")
    ] = 2
    opening_depth: Annotated[
        Rate,
        Field("Orders at the open, as a multiple of what arrivals and cancels balance at.", ""),
    ] = 1.0
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
        self._check_arrivals()
        self._check_prices()
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
        limits = self.limit_bid_per_s + self.limit_ask_per_s
        resting = self.resting_orders()
        if resting > MAX_RESTING or resting * self.opening_depth > MAX_RESTING:
            raise ConfigError(
                f"cancel_per_s: {self.cancel_per_s} lets {resting:.3g} orders rest "
                f"(times opening_depth {self.opening_depth} at the open), at most {MAX_RESTING:,} "
                "may; raise it"
            )
        per_s = limits + self.market_buy_per_s + self.market_sell_per_s
        arrivals = per_s * (self.close_s - self.open_s)
        if arrivals > MAX_ARRIVALS:
            raise ConfigError(
                f"limit_bid_per_s: all orders together are {arrivals:.3g} in a session, at most "
                f"{MAX_ARRIVALS:.0e} may arrive; lower the rates"
            )

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

    def instrument(self) -> Instrument:
        """The simulated instrument; a lot is one share."""
        tick = str(self.tick)
        return Instrument(symbol=self.symbol, book_tick=tick, order_tick=tick, venue="SIM")  # type: ignore[arg-type]

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
        """The tables and rates that kernels read."""
        rates = np.zeros(1, RATE_RECORD)
        rates["limit_bid"] = self.limit_bid_per_s / NS_PER_S
        rates["limit_ask"] = self.limit_ask_per_s / NS_PER_S
        rates["market_buy"] = self.market_buy_per_s / NS_PER_S
        rates["market_sell"] = self.market_sell_per_s / NS_PER_S
        rates["cancel"] = self.cancel_per_s / NS_PER_S
        rates["reduce_share"] = self.reduce_share
        rates["hidden_share"] = self.hidden_share
        rates["round_lot"] = self.round_lot
        weights = self.placement.weights()
        per_side = np.array([[self.limit_bid_per_s], [self.limit_ask_per_s]]) / self.cancel_per_s
        return Laws(
            rates=rates,
            distance=alias_table(np.arange(1, len(weights) + 1), weights),
            limit_size=self._size_table(self.limit_size),
            market_size=self._size_table(self.market_size),
            standing=per_side * weights * self.opening_depth,
        )

    def _size_table(self, sizes: Sizes) -> NDArray[np.void]:
        round_lots = np.arange(1, sizes.max_round_lots + 1)
        return alias_table(round_lots * self.round_lot, sizes.weights())
