"""What is traded, and on which grids."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from paceline.errors import OrderError
from paceline.orders.identity import checked
from paceline.units import as_decimal, from_steps, to_steps

FINEST, COARSEST = Decimal("1e-18"), Decimal("1e+12")
"""Of steps of prices and sizes: a wei, and more than any contract."""

MOST_STEP = 10**9
"""Most book ticks in an order tick: counts of ticks must fit kernels, however they are added."""


class Instrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One instrument on one venue.

    The book may live on a finer grid than our orders do: 2003 Nasdaq printed sub-penny prices
    while members quoted in cents. Prices inside paceline count *book* ticks.
    """

    symbol: str
    book_tick: Decimal
    """Smallest price step seen in the book, in currency."""
    order_tick: Decimal
    """Smallest price step our own orders may use, in currency; a multiple of `book_tick`."""
    lot: Decimal = Decimal(1)
    """Smallest size step, in shares, contracts or coins."""
    venue: str = ""
    currency: str = "USD"

    def __post_init__(self) -> None:
        checked(self.symbol, "instrument.symbol")
        for name in ("venue", "currency"):
            if getattr(self, name) != "":
                checked(getattr(self, name), f"instrument.{name}")
        for field in ("book_tick", "order_tick", "lot"):
            step = as_decimal(getattr(self, field), f"instrument.{field}")
            if step <= 0:
                raise OrderError(f"instrument.{field}: {step} is not positive")
            if not FINEST <= step <= COARSEST:
                raise OrderError(
                    f"instrument.{field}: {step} is not within {FINEST} and {COARSEST}; "
                    "give a step that is"
                )
            msgspec.structs.force_setattr(self, field, step.normalize())
        if self.order_tick / self.book_tick > MOST_STEP:
            raise OrderError(
                f"instrument.order_tick: {self.order_tick} is more than {MOST_STEP:,} times "
                f"book_tick {self.book_tick}; give a smaller one"
            )
        if self.order_tick % self.book_tick:
            raise OrderError(
                f"instrument.order_tick: {self.order_tick} is not a multiple of "
                f"book_tick {self.book_tick}"
            )

    @property
    def order_step(self) -> int:
        """Book ticks in one order tick."""
        return int(self.order_tick / self.book_tick)

    def ticks(self, price: Decimal | int | float | str, field: str = "price") -> int:
        """`price` in book ticks; `InputError` when it lies off the book grid."""
        return to_steps(price, self.book_tick, field)

    def price(self, ticks: int) -> Decimal:
        """The exact price of `ticks` book ticks."""
        return from_steps(ticks, self.book_tick)

    def lots(self, quantity: Decimal | int | float | str, field: str = "qty") -> int:
        """`quantity` in lots; `InputError` when it is a fraction of a lot."""
        return to_steps(quantity, self.lot, field)

    def quantity(self, lots: int) -> Decimal:
        """The exact size of `lots` lots."""
        return from_steps(lots, self.lot)
