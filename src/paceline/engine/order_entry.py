"""Sending orders and hearing of them, in plain Python: the same on every market.

It calls the very kernels that thousands of orders run on; it only dresses them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from paceline.engine import account as acc
from paceline.engine import doors, messages
from paceline.errors import CapacityError, ExchangeError, OrderError
from paceline.market.book import Book, top_levels
from paceline.orders.instrument import Instrument
from paceline.units import NS_PER_MS

OrderType = Literal["limit", "marketable_limit", "ioc", "market"]

_TYPES: dict[str, int] = {
    "limit": acc.LIMIT,
    "marketable_limit": acc.MARKETABLE,
    "ioc": acc.IOC,
    "market": acc.MARKET,
}
STATE_NAMES = {
    acc.IN_FLIGHT: "in flight", acc.RESTING: "resting", acc.FILLED: "filled",
    acc.CANCELLED: "cancelled", acc.REJECTED: "rejected", acc.EXPIRED: "expired",
}  # fmt: skip
REASON_NAMES = {
    acc.NO_REASON: "", acc.HALTED: "trading is halted", acc.OUTSIDE_BAND: "outside price band",
    acc.OUTSIDE_SESSION: "outside session", acc.OFF_TICK: "off the order tick",
    acc.NOT_POSITIVE: "size not positive", acc.ACCOUNT_FULL: "account full",
    acc.SELF_TRADE: "would have traded with our own order",
}  # fmt: skip


class OrderState(NamedTuple):
    """One of our orders, as the exchange knows it."""

    order: int
    side: int
    ticks: int
    lots: int
    left: int
    state: str
    reason: str
    ahead: float
    """Lots in front of it, by the fill model."""
    done_ts: int | None


class ExchangeFill(NamedTuple):
    """One trade of ours."""

    order: int
    ts: int
    ticks: int
    lots: int
    maker: bool
    told_ts: int
    """When we hear of it."""
    shift_ticks: float
    """Ticks that our own impact moved the price against us."""


class Ladder(NamedTuple):
    """The market's best levels, best first: lists of (price in ticks, lots)."""

    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class Floor(messages.Floor, Protocol):
    """Where our orders trade, and the market's book."""

    @property
    def book(self) -> Book: ...


class OrderEntry:
    """Our side of an exchange. Markets add how time runs: `now`, `advance`."""

    floor: Floor
    instrument: Instrument
    _room = "max_orders"

    @property
    def now(self) -> int:
        """ns since the epoch."""
        return int(self.floor.account.clock[0]["now"])

    def _check_time(self, ts: int) -> None:
        if ts < self.now:
            raise ExchangeError(f"ts: {ts} is before now ({self.now}); time only runs forward")

    def submit(
        self,
        side: int,
        lots: int,
        price: Decimal | float | str | None = None,
        *,
        type: OrderType = "limit",
        ttl_ms: int | None = None,
    ) -> int:
        """Send a child order now; it acts when it arrives. Returns its number."""
        if side not in (1, -1):
            raise OrderError(f"side: {side!r} is neither +1 (buy) nor -1 (sell)")
        if type not in _TYPES:
            raise OrderError(f"type: {type!r} is not one of {', '.join(_TYPES)}")
        if isinstance(lots, bool) or not isinstance(lots, int | np.integer) or lots <= 0:
            raise OrderError(f"lots: {lots!r} is not a positive whole number")
        if (price is None) != (type == "market"):
            raise OrderError(f"price: {price!r} does not go with type {type!r}")
        ticks = 0 if price is None else self._order_ticks(price)
        if ttl_ms is not None and ttl_ms <= 0:
            raise OrderError(f"ttl_ms: {ttl_ms!r} is not positive; None means for the session")
        ttl_ns = (ttl_ms or 0) * NS_PER_MS
        k = doors.submit(self.floor, side, _TYPES[type], ticks, lots, ttl_ns, 0, self.now)
        self._check_room()
        return int(k)

    def cancel(self, order: int) -> None:
        """Ask for a cancel now. A fill may win the race."""
        doors.cancel(self.floor, self._known(order), self.now)
        self._check_room()

    def replace(
        self,
        order: int,
        *,
        lots: int,
        price: Decimal | float | str,
        type: OrderType | None = None,
    ) -> None:
        """Ask now for a new price, a new total size and, if given, a new type."""
        if type is not None and type not in _TYPES:
            raise OrderError(f"type: {type!r} is not one of {', '.join(_TYPES)}")
        if isinstance(lots, bool) or not isinstance(lots, int | np.integer) or lots <= 0:
            raise OrderError(f"lots: {lots!r} is not a positive whole number")
        ticks = self._order_ticks(price)
        old_type = self.floor.account.orders[self._known(order)]["type"]
        new_type = old_type if type is None else _TYPES[type]
        doors.replace(self.floor, order, new_type, ticks, lots, self.now)
        self._check_room()

    def order(self, order: int) -> OrderState:
        """Where an order stands at the exchange, whether we have heard of it or not."""
        row = self.floor.account.orders[self._known(order)]
        done = int(row["done_ts"])
        return OrderState(
            order=order,
            side=int(row["side"]),
            ticks=int(row["ticks"]),
            lots=int(row["lots"]),
            left=int(row["left"]),
            state=STATE_NAMES[int(row["state"])],
            reason=REASON_NAMES[int(row["reason"])],
            ahead=self._ahead(order),
            done_ts=None if done == acc.NEVER else done,
        )

    def fills(self) -> list[ExchangeFill]:
        """All our fills so far, in order of time."""
        account = self.floor.account
        count = int(account.clock[0]["n_fills"])
        return [
            ExchangeFill(
                order=int(row["order"]),
                ts=int(row["ts"]),
                ticks=int(row["ticks"]),
                lots=int(row["lots"]),
                maker=bool(row["maker"]),
                told_ts=int(row["told_ts"]),
                shift_ticks=float(row["shift"]),
            )
            for row in account.fills[:count]
        ]

    def ladder(self, depth: int = 5) -> Ladder:
        """The market's best levels now."""
        return Ladder(*(self._side(row, depth) for row in (0, 1)))

    def _ahead(self, order: int) -> float:
        return float(self.floor.account.orders[order]["ahead"])

    def _side(self, row: int, depth: int) -> list[tuple[int, int]]:
        ticks, lots = np.zeros(depth, np.int64), np.zeros(depth, np.int64)
        found = top_levels(self.floor.book, row, ticks, lots)
        return [(int(t), int(q)) for t, q in zip(ticks[:found], lots[:found], strict=True)]

    def _order_ticks(self, price: Any) -> int:
        ticks = self.instrument.ticks(price, "price")
        if ticks % self.instrument.order_step:
            raise OrderError(
                f"price: {price} is not a multiple of order_tick {self.instrument.order_tick}"
            )
        return ticks

    def _known(self, order: int) -> int:
        if not 0 <= order < self.floor.account.clock[0]["n_orders"]:
            raise ExchangeError(f"order: {order!r} was never submitted")
        return order

    def _check_room(self) -> None:
        if self.floor.account.clock[0]["full"]:
            raise CapacityError(f"account: full; make the exchange with a larger {self._room}")
