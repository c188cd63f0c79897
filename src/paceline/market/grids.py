"""Days of one symbol on different grids: a recording may be on ticks and lots of its own.

IBM of 2003-03-07 has prices of a hundredth of a cent, the days around it of a tenth. In ticks the
one looks ten times as wild as the others; in currency they are alike. What is taken from several
days is therefore converted first: numbers by the exact factors to the grid of the day they are used
on (`factors`), whole tapes onto one grid that holds the prices and sizes of all (`on_one_grid`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from math import gcd, lcm
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from paceline.errors import ConfigError, InputError
from paceline.market.tape import Tape
from paceline.orders.instrument import Instrument

_MOST_TICKS = 2**53
_MOST_LOTS = np.iinfo(np.int32).max


class Factors(NamedTuple):
    """What ticks and lots of one grid are multiplied by to become those of another. Exact."""

    ticks: Fraction
    lots: Fraction


def factors(of: Instrument, to: Instrument) -> Factors:
    """From ticks and lots of `of` to those of `to`: a price and a size stay what they are in
    currency and in shares."""
    return Factors(
        ticks=Fraction(of.book_tick) / Fraction(to.book_tick),
        lots=Fraction(of.lot) / Fraction(to.lot),
    )


def converted(values: npt.ArrayLike, factor: Fraction) -> npt.NDArray[np.float64]:
    """`values` times `factor`; the same numbers where it is 1."""
    found = np.asarray(values, dtype=np.float64) * factor.numerator
    return np.asarray(found / factor.denominator)


def check_one_grid(tapes: Iterable[Tape], field: str) -> None:
    """Raises `ConfigError` where days of one symbol have several ticks or lots and `field`, which
    counts in them, would mean another thing on each."""
    seen: dict[str, Tape] = {}
    for tape in tapes:
        first = seen.setdefault(tape.instrument.symbol, tape)
        if set(factors(first.instrument, tape.instrument)) != {Fraction(1)}:
            raise ConfigError(
                f"{field}: counts in ticks and lots, and those of {first.name} "
                f"({first.instrument.book_tick}, {first.instrument.lot}) are not those of "
                f"{tape.name} ({tape.instrument.book_tick}, {tape.instrument.lot}); leave it out, "
                "or ingest the days with one --book-tick and --lot"
            )


def on_one_grid(tapes: Sequence[Tape]) -> list[Tape]:
    """`tapes`, each with the same prices and sizes, in the largest tick and lot that all of them
    are whole numbers of, and with the largest of their order ticks. Tapes that share a grid are
    returned as they are.

    Raises `InputError` where a size would take more than 2^31 - 1 such lots.
    """
    tick = _common(tape.instrument.book_tick for tape in tapes)
    lot = _common(tape.instrument.lot for tape in tapes)
    order_tick = max(tape.instrument.order_tick for tape in tapes)
    return [_on(tape, tick, order_tick, lot) for tape in tapes]


def _common(steps: Iterable[Decimal]) -> Decimal:
    """The largest step that each of `steps` is a whole number of."""
    fractions = [Fraction(step) for step in steps]
    below = lcm(*(part.denominator for part in fractions))
    above = gcd(*(int(part * below) for part in fractions))
    return Decimal(above) / Decimal(below)


def _on(tape: Tape, tick: Decimal, order_tick: Decimal, lot: Decimal) -> Tape:
    old = tape.instrument
    if (old.book_tick, old.order_tick, old.lot) == (tick, order_tick, lot):
        return tape
    new = msgspec.structs.replace(old, book_tick=tick, order_tick=order_tick, lot=lot)
    up = factors(old, new)
    ticks, lots = int(up.ticks), int(up.lots)
    if max(int(tape.events.qty.max()), int(tape.images.lots.max(initial=0))) * lots > _MOST_LOTS:
        raise InputError(
            f"lot: {tape.name} has lots of {old.lot}, and some of its sizes take too many lots of "
            f"{lot}, which the days with it have; leave it out"
        )
    if int(np.abs(tape.level_ticks).max(initial=0)) * ticks > _MOST_TICKS:
        raise InputError(
            f"book_tick: {tape.name} has ticks of {old.book_tick}, and some of its prices take too "
            f"many ticks of {tick}, which the days with it have; leave it out"
        )

    def more(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(column * lots, dtype=column.dtype)

    return Tape(
        msgspec.structs.replace(tape.manifest, instrument=new),
        tape.events._replace(qty=more(tape.events.qty), volume=more(tape.events.volume)),
        np.asarray(tape.level_ticks * ticks),
        tape.images._replace(lots=more(tape.images.lots)),
        path=tape.path,
    )
