"""The venue: how long messages take, what it charges, and what it refuses.

Each part is a small frozen setting. `Venue.rules()` turns them into the flat record of arrays and
scalars that kernels read. What is unrealistic in each: docs/assumptions.md.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.engine.account import SLOW_RECORD
from paceline.engine.queue import FillModel
from paceline.errors import ConfigError
from paceline.market.session import Session
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_MS, NS_PER_S

_QUANTILES = 1024
_ANYWHERE = np.iinfo(np.int64).max // 4


class Rules(NamedTuple):
    """What kernels know of the venue. Times in ns, prices in book ticks, sizes in lots."""

    submit_ns: NDArray[np.int64]  # equally likely delays of our messages to the exchange
    ack_ns: NDArray[np.int64]  # of its answers to us
    market_ns: NDArray[np.int64]  # of market data to us
    fill_model: int
    cancel_exponent: float
    recovery_per_ns: float  # decay rate of our footprint; 0: what we took never comes back
    transient_ticks: float  # price shift per lot that fades
    transient_per_ns: float  # its decay rate
    permanent_ticks: float  # price shift per lot that stays
    band_low: int  # orders below or above are refused
    band_high: int
    open_ns: int  # orders outside the session are refused
    close_ns: int
    order_step: int  # book ticks in one order tick
    slow: NDArray[np.void] = np.zeros(0, SLOW_RECORD)  # [k] spells in which delays are longer


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A delay, as a table of equally likely values in ns: constant, a law, or a recorded sample."""

    table_ns: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if not self.table_ns:
            raise ConfigError("latency: the table is empty; give at least one delay")
        if min(self.table_ns) < 0:
            raise ConfigError(f"latency: {min(self.table_ns)} ns is negative")

    @classmethod
    def constant(cls, ms: float) -> Latency:
        """Always `ms` milliseconds."""
        if not (math.isfinite(ms) and ms >= 0):
            raise ConfigError(f"latency: {ms!r} ms is not a delay; give a number from 0 up")
        return cls((round(ms * NS_PER_MS),))

    @classmethod
    def lognormal(cls, median_ms: float, p99_ms: float) -> Latency:
        """A log-normal delay with this median and 99th percentile, as 1,024 mid-quantiles."""
        if not 0 < median_ms <= p99_ms < math.inf:
            raise ConfigError(
                f"latency: median {median_ms!r} ms and p99 {p99_ms!r} ms; need 0 < median <= p99"
            )
        from statistics import NormalDist

        normal = NormalDist()
        sigma = math.log(p99_ms / median_ms) / normal.inv_cdf(0.99)
        levels = ((i + 0.5) / _QUANTILES for i in range(_QUANTILES))
        return cls(
            tuple(
                round(median_ms * math.exp(sigma * normal.inv_cdf(u)) * NS_PER_MS) for u in levels
            )
        )

    @classmethod
    def sample(cls, delays_ns: NDArray[np.int64]) -> Latency:
        """Recorded delays in ns; each is as likely as it was frequent."""
        return cls(tuple(int(delay) for delay in delays_ns))

    @property
    def median_ns(self) -> int:
        """The delay that half of the messages do not exceed."""
        return sorted(self.table_ns)[(len(self.table_ns) - 1) // 2]

    def table(self) -> NDArray[np.int64]:
        """The delays in ns, rising, so that the last is the longest."""
        return np.sort(np.array(self.table_ns, np.int64))


class Spell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Slow lines for a while: what is added to delays of messages that set out meanwhile."""

    start_s: float
    """Seconds after the open."""
    length_s: float
    """Seconds."""
    submit_ms: float = 0.0
    """Added to our messages to the exchange."""
    ack_ms: float = 0.0
    """Added to its answers."""
    market_data_ms: float = 0.0
    """Added to market data."""
    stale: bool = False
    """Market data stands still: what is seen is the market as the spell began."""

    def __post_init__(self) -> None:
        for field in ("start_s", "length_s", "submit_ms", "ack_ms", "market_data_ms"):
            value = getattr(self, field)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"slow.{field}: {value!r} must be finite and not negative")

    def row(self, session: Session) -> tuple[int, int, tuple[int, int, int], int]:
        """Of SLOW_RECORD."""
        begin = session.open_ns + round(self.start_s * NS_PER_S)
        added = (self.submit_ms, self.ack_ms, self.market_data_ms)
        submit, ack, market = (round(ms * NS_PER_MS) for ms in added)
        until = begin + round(self.length_s * NS_PER_S)
        return begin, until, (submit, ack, market), int(self.stale)


class Fees(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Charges by liquidity flag; negative is a rebate."""

    maker_per_share: float = 0.0
    """Currency per share for resting orders that traded."""
    taker_per_share: float = 0.0
    """Currency per share for orders that took."""
    maker_bps: float = 0.0
    """Basis points of notional for resting orders that traded."""
    taker_bps: float = 0.0
    """Basis points of notional for orders that took."""

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            if not math.isfinite(getattr(self, field)):
                raise ConfigError(f"fees.{field}: {getattr(self, field)!r} is not finite")

    def charge(
        self,
        ticks: NDArray[np.float64],
        lots: NDArray[np.int64],
        maker: NDArray[np.bool_],
        instrument: Instrument,
    ) -> NDArray[np.float64]:
        """Fee of each fill `[n_fills]` in tick·lots (the cost core's money unit)."""
        tick, lot = float(instrument.book_tick), float(instrument.lot)
        per_share = np.where(maker, self.maker_per_share, self.taker_per_share)
        share_of_notional = np.where(maker, self.maker_bps, self.taker_bps) / 10_000
        charged: NDArray[np.float64] = per_share * lots * lot / (tick * lot) + (
            share_of_notional * ticks * lots
        )
        return charged


class Footprint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What our own orders change in a recorded market."""

    recovery_half_life_s: float = 10.0
    """Seconds until half of the liquidity we took is back; inf: it never comes back."""
    transient_ticks_per_lot: float = 0.0
    """Price shift of later fills per lot traded that fades; 0 switches it off."""
    transient_half_life_s: float = 60.0
    """Seconds until half of that shift is gone."""
    permanent_ticks_per_lot: float = 0.0
    """Price shift of later fills per lot traded that stays; 0 switches it off."""

    def __post_init__(self) -> None:
        for field in ("recovery_half_life_s", "transient_half_life_s"):
            value = getattr(self, field)
            if not value > 0:
                raise ConfigError(f"footprint.{field}: {value!r} is not positive")
        for field in ("transient_ticks_per_lot", "permanent_ticks_per_lot"):
            value = getattr(self, field)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"footprint.{field}: {value!r} must be finite and not negative")


class Venue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One venue, as a replay or a simulation sees it."""

    fill_model: FillModel = FillModel.CALIBRATED
    """Queue model for resting orders."""
    cancel_exponent: float = 1.0
    """L2 calibrated queue: P(cancel lies ahead of relative position x) = x ** exponent."""
    submit: Latency = Latency()
    """Delay of our messages to the exchange."""
    ack: Latency = Latency()
    """Delay of its answers to us."""
    market_data: Latency = Latency()
    """Delay of market data to us."""
    slow: tuple[Spell, ...] = ()
    """When lines are slower."""
    fees: Fees = Fees()
    footprint: Footprint = Footprint()
    band_low: float | None = None
    """Lowest order price the venue takes, in currency; None: no band."""
    band_high: float | None = None
    """Highest order price the venue takes, in currency; None: no band."""

    def __post_init__(self) -> None:
        if not self.cancel_exponent > 0:
            raise ConfigError(f"venue.cancel_exponent: {self.cancel_exponent!r} is not positive")
        for field in ("band_low", "band_high"):
            value = getattr(self, field)
            if value is not None and not math.isfinite(value):
                raise ConfigError(f"venue.{field}: {value!r} is not finite; None means no band")
        low, high = self.band_low, self.band_high
        if low is not None and high is not None and low > high:
            raise ConfigError(f"venue.band_low: {low!r} is above band_high {high!r}")

    def check_in_time(self, span_ns: int, what: str) -> None:
        """Raises `ConfigError` unless each delay is usually (by its median) shorter than `span_ns`,
        the time of `what`: what is sent in it would arrive after it, and be seen later still."""
        for name in ("submit", "ack", "market_data"):
            usual = getattr(self, name).median_ns
            if usual >= span_ns:
                raise ConfigError(
                    f"{name}_ms: a delay of {usual / NS_PER_MS:g} ms is not shorter than {what} of "
                    f"{span_ns / NS_PER_S:g} s, so what is sent in it arrives after it; give a "
                    "shorter delay or more time"
                )

    def rules(self, instrument: Instrument, session: Session) -> Rules:
        """The record kernels read."""
        book_tick, foot = instrument.book_tick, self.footprint
        low, high = self.band_low, self.band_high
        return Rules(
            submit_ns=self.submit.table(),
            ack_ns=self.ack.table(),
            market_ns=self.market_data.table(),
            fill_model=int(self.fill_model),
            cancel_exponent=float(self.cancel_exponent),
            recovery_per_ns=_decay_per_ns(foot.recovery_half_life_s),
            transient_ticks=float(foot.transient_ticks_per_lot),
            transient_per_ns=_decay_per_ns(foot.transient_half_life_s),
            permanent_ticks=float(foot.permanent_ticks_per_lot),
            band_low=-_ANYWHERE if low is None else _steps_at_or_above(low, book_tick),
            band_high=_ANYWHERE if high is None else _steps_at_or_below(high, book_tick),
            open_ns=session.open_ns,
            close_ns=session.close_ns,
            order_step=instrument.order_step,
            slow=np.array([spell.row(session) for spell in self.slow], SLOW_RECORD),
        )


def _decay_per_ns(half_life_s: float) -> float:
    return math.log(2) / (half_life_s * NS_PER_S)


def _steps_at_or_below(price: float, step: Decimal) -> int:
    """Exact decimals, because 100.07 / 0.01 comes out below 10007 in binary."""
    whole, rest = divmod(Decimal(str(price)), step)  # cut towards zero
    return int(whole) - (rest < 0)


def _steps_at_or_above(price: float, step: Decimal) -> int:
    return -_steps_at_or_below(-price, step)
