"""Queue models: how many lots stand in front of our resting order, and what moves them on.

`ahead` counts the lots that must trade at our price before we do. All models share two rules:

* a trade at our price first serves what is ahead, then us;
* a trade or quote strictly through our price serves us at once (price priority leaves no doubt).

They differ in what a *cancel* at our price tells us:

| model | with orders (L3) | with levels only (L2) |
|---|---|---|
| pessimistic | no credit: only trades advance us | no credit |
| calibrated | exact: the cancelled order was in front of us, or it was not | the share of cancels that lie ahead, `x ** exponent` at relative position `x`, fitted on L3 tapes |
| optimistic | every cancel was in front of us | every cancel was in front of us |

Unrealistic in each: see docs/assumptions.md.
"""  # noqa: E501

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from paceline.errors import InputError
from paceline.jit import inlined, kernel
from paceline.market.book import Book, apply
from paceline.market.events import DELETE, REDUCE, Events
from paceline.market.tape import Tape

PESSIMISTIC = 0
CALIBRATED = 1
OPTIMISTIC = 2


class FillModel(IntEnum):
    """Which of the three a replay believes."""

    PESSIMISTIC = PESSIMISTIC
    CALIBRATED = CALIBRATED
    OPTIMISTIC = OPTIMISTIC


@inlined
def after_order_cancel(model: int, ahead: float, lots: int, was_ahead: bool) -> float:
    """Lots ahead after `lots` of a known order at our price were cancelled (L3)."""
    if model == OPTIMISTIC or (model == CALIBRATED and was_ahead):
        return max(ahead - lots, 0.0)
    return ahead


@inlined
def after_level_drop(
    model: int, exponent: float, ahead: float, shown: int, cancelled: int
) -> float:
    """Lots ahead after `cancelled` of `shown` lots at our price went without trading (L2).

    Calibrated: of a level with relative position x = ahead / shown, the share x ** exponent of
    what is cancelled lies ahead of us. Never more is ahead than the level still shows.
    """
    if model == PESSIMISTIC or cancelled <= 0 or shown <= 0:
        return ahead
    if model == OPTIMISTIC:
        return max(min(ahead, float(shown)) - cancelled, 0.0)
    x = min(ahead / shown, 1.0)
    return max(min(ahead - cancelled * x**exponent, float(shown - cancelled)), 0.0)


@kernel
def cancel_positions(book: Book, events: Events, out: NDArray[np.float64]) -> int:
    """Relative queue position of every cancel at the touch of an L3 tape.

    `book` starts empty and is rolled over the whole day. A position is the share of the level's
    lots in front of the cancelled order's middle, in (0, 1); levels with one order say nothing and
    are left out. Writes at most `len(out)` positions, returns how many.
    """
    count = 0
    for i in range(len(events.ts)):
        kind, slot = events.kind[i], events.slot[i]
        if (kind == DELETE or kind == REDUCE) and count < len(out):
            order = book.slots[slot]
            queue = book.levels[order["row"], order["level"]]
            if order["level"] == book.best[order["row"]] and queue["head"] != queue["tail"]:
                before = 0
                other = queue["head"]
                while other != slot:
                    before += book.slots[other]["lots"]
                    other = book.slots[other]["next"]
                out[count] = (before + order["lots"] / 2) / queue["lots"]
                count += 1
        apply(book, kind, events.side[i], events.level[i], events.qty[i], slot, i)
    return count


def fit_exponent(positions: NDArray[np.float64]) -> tuple[float, float]:
    """Maximum-likelihood exponent of P(cancel lies ahead of x) = x ** exponent, and its error.

    For positions u with distribution function u ** b, the likelihood gives b = -n / sum(log u) with
    standard error b / sqrt(n). 1 means cancels strike anywhere; above 1, more often near the tail.
    """
    n = len(positions)
    if n == 0:
        raise ValueError("positions: there are none; fit on a tape with cancels in real queues")
    exponent = -n / float(np.log(positions).sum())
    return exponent, exponent / float(np.sqrt(n))


def fit_cancels(tape: Tape) -> tuple[float, float]:
    """The exponent for books without orders, measured on a tape with orders, and its error.

    Raises `InputError` for a tape without orders or without cancels in real queues.
    """
    positions = np.empty(len(tape))
    count = cancel_positions(tape.new_book(), tape.events, positions) if tape.has_orders else 0
    if count == 0:
        raise InputError(
            f"cancel_exponent: {tape.name} has no cancels in queues of known orders; use an L3 tape"
        )
    return fit_exponent(positions[:count])
