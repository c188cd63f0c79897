"""A day's prices and sizes, from decimals of a table to whole ticks and lots.

The book tick holds every price exactly. The order tick is where nearly all orders stand, and the
odd ones are named. What was found is told with its reason, and what is given goes before it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.errors import IngestError
from paceline.ingest.cells import Numbers
from paceline.ingest.grid import common_step, in_steps, order_grid
from paceline.ingest.options import Options
from paceline.ingest.quality import BAD_SIZE, OFF_TICK, OK, SIZE_TOO_LARGE
from paceline.ingest.resolve import ANY_PRICE
from paceline.ingest.tables import Sheet
from paceline.market.events import ADD, LEVEL, SEED, Rows
from paceline.market.tape import Finding, Inferred

_MOST_LOTS = np.iinfo(np.int32).max

_FINE = 1_000_000
"""A tick below this part of the price is more likely noise of floats than a tick."""


class Given(NamedTuple):
    """Steps as the command, or else the mapping, gives them; None is found."""

    book_tick: Decimal | None
    order_tick: Decimal | None
    lot: Decimal | None
    round_sizes: bool
    currency: str


class Column(NamedTuple):
    """A column on the rows of a day. `r` rows."""

    numbers: Numbers
    rows: NDArray[np.int64]  # [r] of the file
    unit: Decimal
    """What 1 of the numbers' value is worth, in currency or in shares."""

    @property
    def value(self) -> NDArray[np.int64]:
        """Counts of `unit` `[r]`."""
        return self.numbers.value[self.rows]

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Rows without a number `[r]`."""
        return self.numbers.bad[self.rows]


class Prices(NamedTuple):
    """Prices of a day on their grids."""

    book_tick: Decimal
    order_tick: Decimal
    ticks: NDArray[np.int64]  # [r] ANY_PRICE where a row tells none
    findings: dict[str, Finding]
    inferred: dict[str, Inferred]


class Sizes(NamedTuple):
    """Sizes of a day on their grid."""

    lot: Decimal
    lots: NDArray[np.int64]  # [r]
    inferred: dict[str, Inferred]
    rounded: int = 0
    """How many were rounded to it."""


def prices_of(
    column: Column,
    fault: NDArray[np.uint8],
    priced: NDArray[np.bool_],
    of_orders: NDArray[np.bool_],
    given: Given,
    sheet: Sheet,
) -> Prices:
    """Prices in ticks; `fault` `[r]` is marked where one lies off a book tick that was given.

    `priced` `[r]` are rows with a price, `of_orders` those of them that put an order or a level
    into the book; `sheet` tells rows of the file. Raises `IngestError` for a tick that is too
    fine.
    """
    value, told = column.value, ~column.bad
    good = priced & told & (fault == OK)
    distinct = np.unique(value[good])
    book_tick, why, doubtful = given.book_tick, "as given", False
    if book_tick is None:
        book_tick = common_step(distinct, column.unit)
        why = f"found, all {int(good.sum()):,} prices lie on it, {len(distinct):,} distinct ones"
        why, doubtful = why + _of_floats(column, "prices"), column.numbers.note != ""
        if given.order_tick is not None and book_tick % given.order_tick == 0:
            book_tick, why = given.order_tick, "the order tick as given, on which all prices lie"
        if len(distinct) and book_tick * _FINE < int(np.median(distinct)) * column.unit:
            why += "; it is less than a millionth of the price: give --book-tick if you know it"
            doubtful = True
    ticks, off = _in_steps(column, book_tick, "book_tick")
    fault[good & off] = OFF_TICK
    findings, inferred = {}, {"book_tick": Inferred(why=why, doubtful=doubtful)}
    order_tick, why, doubtful = given.order_tick, "as given", False
    if order_tick is None:
        at = np.flatnonzero(good & ~off & (of_orders if (of_orders & good).any() else True))
        order_tick, odd = order_grid(ticks[at], book_tick)
        on, doubtful = len(at) - int(odd.sum()), bool(odd.any())
        why = f"found, {on:,} of {len(at):,} prices of orders lie on it"
        if odd.any():
            first = int(column.rows[at[np.argmax(odd)]])
            findings["off_order_tick"] = Finding(
                count=int(odd.sum()),
                first_row=int(sheet.number[first]) - 1,
                note=f"prices off {order_tick:f}",
            )
            why += f"; {int(odd.sum()):,} do not, first {sheet.where(first)}"
    inferred["order_tick"] = Inferred(why=why, doubtful=doubtful)
    return Prices(book_tick, order_tick, np.where(told, ticks, ANY_PRICE), findings, inferred)


def sizes_of(
    column: Column,
    fault: NDArray[np.uint8],
    sized: NDArray[np.bool_],
    may_be_zero: NDArray[np.bool_],
    given: Given,
) -> Sizes:
    """Sizes in lots; `fault` `[r]` is marked where one is no size.

    `sized` `[r]` are rows that need a size, `may_be_zero` those whose size may be none. Raises
    `IngestError` for rounding without a lot, and for a lot that is too fine.
    """
    value = column.value
    good = sized & ~column.bad & (fault == OK)
    if given.round_sizes and given.lot is None:
        raise IngestError("round_sizes: needs the lot to round to; give --lot, such as 0.001")
    lot, why, doubtful = given.lot, "as given", False
    if lot is None:
        lot = common_step(np.unique(value[good]), column.unit)
        why = f"found, all {int(good.sum()):,} sizes lie on it{_of_floats(column, 'sizes')}"
        doubtful = column.numbers.note != ""
        hundreds = value[good & (value != 0)]
        if len(hundreds) and lot == 1 and not (hundreds % int(100 / column.unit)).any():
            why += "; all are multiples of 100: give --lot 100 if the venue takes no others"
    lots, off = _in_steps(column, lot, "lot")
    large = np.abs(value.astype(np.float64)) * float(column.unit / lot) >= _MOST_LOTS + 0.5
    n_rounded = 0
    if given.round_sizes:
        rounded = good & off & ~large
        n_rounded = int(rounded.sum())
        lots = np.where(rounded & (value > 0), np.maximum(lots, 1), lots)
        off = off & ~rounded
        why = f"as given; {n_rounded:,} of {int(good.sum()):,} sizes rounded to it"
    for bad, code in (
        (good & large, SIZE_TOO_LARGE),
        (good & ((value < 0) | off), BAD_SIZE),
        (good & (value == 0) & ~may_be_zero, BAD_SIZE),
    ):
        fault[bad & (fault == OK)] = code
    return Sizes(
        lot, np.where(large, 0, lots), {"lot": Inferred(why=why, doubtful=doubtful)}, n_rounded
    )


def order_tick_of(
    rows: Rows, book_tick: Decimal, options: Options
) -> tuple[Decimal, dict[str, Inferred]]:
    """The tick of our own orders for a format whose prices are exact, and why: as given, or where
    nearly all orders and levels of `rows` stand."""
    inferred = {"book_tick": Inferred(why="found, all prices lie on it")}
    if options.book_tick is not None:
        inferred["book_tick"] = Inferred(why="as given")
    if options.order_tick is not None:
        return options.order_tick, inferred | {"order_tick": Inferred(why="as given")}
    ticks = rows.ticks[np.isin(rows.kind, (ADD, SEED, LEVEL))]
    order_tick, odd = order_grid(ticks, book_tick)
    n = int(odd.sum())
    why = f"found, {len(ticks) - n:,} of {len(ticks):,} prices of orders lie on it"
    why += f"; {n:,} do not" if n else ""
    return order_tick, inferred | {"order_tick": Inferred(why=why, doubtful=n > 0)}


def _in_steps(
    column: Column, step: Decimal, field: str
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    try:
        return in_steps(column.value, column.unit, step)
    except OverflowError:
        raise IngestError(
            f"{field}: {step} does not fit the numbers of the column, which are read in steps of "
            f"{column.unit:f}; give a coarser one, or leave it out"
        ) from None


def _of_floats(column: Column, what: str) -> str:
    return f"; {what} are {column.numbers.note}" if column.numbers.note else ""
