"""How the mid answers to what happens at the touch: response functions of six kinds of event.

Eisler, Bouchaud & Kockelkoren, "The price impact of order book events: market orders, limit orders
and cancellations", Quantitative Finance 12 (2012) 1395: R(l) is the mean of
sign * (mid before event t + l, less mid before event t) over the events t of one kind, where time
is counted in events at the touch. The sign is the way in which the event pushes: up for a buyer's
market order, a limit order to buy and a cancelled offer.

Difference from the paper: market orders that meet several resting orders are one event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from paceline.errors import InputError
from paceline.market.events import ADD, BID, DELETE, REDUCE
from paceline.market.tape import Tape
from paceline.realism.series import live_mid_ticks, market_orders, settled_part

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LAGS = (1, 2, 3, 5, 8, 13, 20, 32, 50, 79, 126, 200, 316, 501, 794, 1000)
"""Events at the touch after which the mid is looked at."""

KINDS = (
    "market, mid stays",
    "market, mid moves",
    "limit, mid stays",
    "limit, mid moves",
    "cancel, mid stays",
    "cancel, mid moves",
)
"""Rows of `Responses`: what happened, and whether the mid moved at once."""

MARKET, LIMIT, CANCEL = 0, 1, 2


class TouchEvents(NamedTuple):
    """What happened at the touch of one tape, in order. All `[e]`."""

    kind: Ints
    """Index into `KINDS`."""
    sign: Ints
    """+1 if it pushes the price up, -1 down."""
    before: Floats
    """Live mid just before, book ticks; NaN where there is none."""


class Responses(NamedTuple):
    """Mean response of the mid, in ticks on which orders may be sent."""

    lags: Ints
    """`[k]` events at the touch."""
    value: Floats
    """`[6, k]` by `KINDS`; NaN where no event was followed by so many others."""
    std_error: Floats
    """`[6, k]` as if events were independent: responses overlap, so at long lags this is too
    small."""
    n: Ints
    """`[6, k]` events behind each mean."""


def touch_events(tape: Tape) -> TouchEvents:
    """Market orders, limit orders and cancels at the touch, in the settled part of `tape`.

    A limit order is at the touch if the touch is where it stands afterwards, a cancel if it was
    there before. Raises `InputError` for a book without orders, where a level that shrinks does
    not say why.
    """
    if not tape.has_orders:
        raise InputError(f"tape: {tape.name} shows levels, not orders; give one that names orders")
    part, events, mid = settled_part(tape), tape.events, live_mid_ticks(tape)
    at = np.arange(max(part.first, 1), part.stop)
    kind, side, level = events.kind[at], events.side[at].astype(np.int64), events.level[at]
    was = np.where(side == BID, events.bid[at - 1], events.ask[at - 1])
    now = np.where(side == BID, events.bid[at], events.ask[at])
    limit = at[(kind == ADD) & (level == now)]
    cancel = at[np.isin(kind, (DELETE, REDUCE)) & (level == was)]
    traded = market_orders(tape)
    there = traded.first > 0

    first = np.concatenate([traded.first[there], limit, cancel])
    last = np.concatenate([traded.last[there], limit, cancel])
    sign = np.concatenate([traded.sign[there], events.side[limit], -events.side[cancel]])
    what = np.repeat((MARKET, LIMIT, CANCEL), (int(there.sum()), len(limit), len(cancel)))
    moved = mid[last] != mid[first - 1]
    order = np.argsort(first, kind="stable")
    return TouchEvents(
        kind=(2 * what + moved)[order],
        sign=sign[order].astype(np.int64),
        before=mid[first - 1][order],
    )


def responses(tapes: Sequence[Tape], lags: Sequence[int] = LAGS) -> Responses:
    """The responses of the mid over all `tapes`; no lag reaches from one day into the next."""
    lag = np.asarray(lags, dtype=np.int64)
    if not len(lag) or lag.min() < 1:
        raise InputError(f"lags: {list(lags)} are not all above 0; give numbers of events")
    n, total, squares = np.zeros((3, len(KINDS), len(lag)))
    for tape in tapes:
        kind, sign, before = touch_events(tape)
        mid = before / tape.instrument.order_step
        for k, step in enumerate(lag):
            answer = sign[:-step] * (mid[step:] - mid[:-step])
            known = ~np.isnan(answer)
            of, answer = kind[:-step][known], answer[known]
            n[:, k] += np.bincount(of, minlength=len(KINDS))
            total[:, k] += np.bincount(of, answer, minlength=len(KINDS))
            squares[:, k] += np.bincount(of, answer**2, minlength=len(KINDS))
    some = n > 0
    mean = np.divide(total, n, out=np.full(n.shape, np.nan), where=some)
    square = np.divide(squares, n, out=np.full(n.shape, np.nan), where=some)
    error = np.sqrt(np.maximum(square - mean**2, 0.0) / np.where(some, n, 1.0))
    return Responses(lag, mean, error, n.astype(np.int64))
