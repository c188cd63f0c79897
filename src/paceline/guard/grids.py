"""The units that a symbol's counts are kept in, when its parent orders differ in lots and ticks."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import gcd
from typing import NamedTuple

from paceline.errors import OrderError
from paceline.guard.counting import MOST_UNITS_IN_ONE
from paceline.orders.instrument import Instrument


class Grid(NamedTuple):
    """The largest size and price of which all lots and ticks of a symbol are multiples."""

    size: Fraction
    """Shares in one unit."""
    price: Fraction
    """Currency in one unit."""

    @classmethod
    def of(cls, instrument: Instrument) -> Grid:
        """That of one instrument: its lot and its book tick."""
        return cls(Fraction(instrument.lot), Fraction(instrument.book_tick))

    def joined(self, instrument: Instrument) -> Grid:
        """With those of one more instrument."""
        own = Grid.of(instrument)
        return Grid(_common(self.size, own.size), _common(self.price, own.price))

    def with_size(self, shares: Decimal) -> Grid:
        """With a size that need not be a multiple of any lot."""
        return self if shares == 0 else self._replace(size=_common(self.size, Fraction(shares)))

    def units_in(self, instrument: Instrument) -> tuple[int, int]:
        """Units in one lot and in one tick of an instrument that was joined."""
        return (
            units(Fraction(instrument.lot), self.size, "instrument.lot"),
            units(Fraction(instrument.book_tick), self.price, "instrument.book_tick"),
        )


def units(step: Fraction, unit: Fraction, field: str) -> int:
    """Units in a lot or tick; `OrderError` when there are too many for a count."""
    count = step / unit
    if count.denominator != 1 or count > MOST_UNITS_IN_ONE:
        raise OrderError(
            f"{field}: {float(step):g} cannot be counted together with the symbol's steps of "
            f"{float(unit):g} ({float(count):g} in one, at most {MOST_UNITS_IN_ONE}); give its "
            "instruments closer grids"
        )
    return int(count)


def _common(one: Fraction, other: Fraction) -> Fraction:
    return Fraction(
        gcd(one.numerator * other.denominator, other.numerator * one.denominator),
        one.denominator * other.denominator,
    )
