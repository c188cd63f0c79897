"""Rates: what the hour and the book make of them, arrivals over the time that the book was so.

The rate of each kind of arrival on a side is a product: a base (of cancels: of each order, by where
it stands), the hour, and one multiple each for the queue at that side's touch, the spread, the gap
behind the touch, and where the touch stands to where it has been. Arrivals are Poisson, and each
margin of their counts equals its expectation at the likelihood's maximum. So each factor in turn is
scaled until its margin fits (Deming and Stephan, "On a least squares adjustment of a sampled
frequency table", 1940; for rates, this is the fit of a log-linear model). The queue's part alone
would be counts over time (Huang, Lehalle and Rosenbaum, "Simulating and analyzing order book data:
the queue-reactive model", 2015, equation 2); fitted together, a busy hour with short queues is not
taken for a reaction to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paceline.calibrate.ruler import HOURS
from paceline.calibrate.watching import Log
from paceline.engine.laws import CANCEL, LIMIT, LOOKS, MARKET, QUEUES, SPREADS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDS = 60
_CLOSE = 1e-5
"""Of any factor: a round that moves none further is the last."""

_FEWEST_CANCELS = 100
"""In a place; places with fewer are joined with the next ones."""

_DOUBT = 20.0
"""Arrivals that a bucket must have before it is believed half: it is shrunk towards no reaction, as
if so many had come at the usual rate (the mean of a gamma posterior)."""


class Seen(NamedTuple):
    """Each side of the book over each stretch of time in which both sides showed something: `[r]`,
    first the bids of all days, then the asks."""

    seconds: Floats
    hour: Ints
    buckets: tuple[Ints, Ints, Ints, Ints, Ints]  # of queue, spread, gap and both looks
    orders: NDArray[np.uint16]  # [r, places]
    came: Ints  # what arrived at its end on this side; 3: nothing
    place: Ints  # of the order that was cancelled; -1: none


class Tables(NamedTuple):
    """What the book makes of the rates: `[3, buckets]` by what, mean 1 over what would come."""

    reaction: Floats  # to the queue at the touch
    tension: Floats  # to the spread
    backing: Floats  # to the gap behind the touch; of cancels 1, for it is in their place
    recoil: Floats  # to where the touch stands to where it was a moment ago
    anchoring: Floats  # and to where it has been for longer

    def of(self, what: int, seen: Seen) -> Floats:
        """Their product `[r]`."""
        found = np.ones(len(seen.seconds))
        for table, bucket in zip(self, seen.buckets, strict=True):
            found *= table[what][bucket]
        return found


class Rates(NamedTuple):
    """Arrivals per second as product of factors."""

    limit_per_s: float
    """On each side, as `market_per_s`; where all factors are 1."""
    market_per_s: float
    cancel_per_s: Floats  # [places] of one order, by where it stands
    hour: Floats  # [3, HOURS] multiples by what, limit orders and cancels alike; mean 1
    tables: Tables


def seen_in(logs: Sequence[Log]) -> Seen:
    """What `logs`, one a day, say of both sides."""
    whole = Log(*(np.concatenate(column) for column in zip(*logs, strict=True)))
    # Nothing is known of rates on an empty side, or opposite one.
    both = whole.width < SPREADS
    sides = [both & (whole.queue[:, side] < QUEUES) for side in range(2)]

    def column(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.concatenate([values[keep] for keep in sides])

    def of_side(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.concatenate([values[keep, side] for side, keep in enumerate(sides)])

    came = [
        np.where(whole.stream[keep] & 1 == side, whole.stream[keep] >> 1, 3)
        for side, keep in enumerate(sides)
    ]
    what = np.concatenate(came)
    what[column(whole.stream) < 0] = 3
    return Seen(
        seconds=np.concatenate([whole.seconds[keep] for keep in sides]),
        hour=column(whole.hour),
        buckets=(
            of_side(whole.queue), column(whole.width), of_side(whole.gap),
            of_side(whole.look[..., 0]), of_side(whole.look[..., 1]),
        ),
        orders=np.concatenate([whole.orders[keep, side] for side, keep in enumerate(sides)]),
        came=what,
        place=np.where(what == CANCEL, column(whole.place), -1),
    )  # fmt: skip


def fit_rates(seen: Seen) -> Rates:
    """The likeliest rates. Hours that were not seen are like the mean one."""
    cancels = np.bincount(seen.place[seen.place >= 0], minlength=seen.orders.shape[1])
    groups = joined_places(cancels)
    orders = _by_group(seen.orders, groups) * seen.seconds[:, None]
    arrived = np.array([(seen.came == what).sum() for what in range(3)], np.float64)
    came = [np.bincount(seen.hour[seen.came == what], minlength=HOURS) for what in range(3)]
    hour, tables = np.ones((3, HOURS)), Tables(*(np.ones((3, n)) for n in BUCKETS))
    per_s, cancel_per_s = np.zeros(2), np.zeros(groups[-1] + 1)
    for _ in range(_ROUNDS):
        last = np.concatenate([hour.ravel(), *(table.ravel() for table in tables)])
        products = [tables.of(what, seen) for what in range(3)]
        at = hour[:, seen.hour]
        for what in (LIMIT, MARKET):
            per_s[what] = arrived[what] / max(
                float((products[what] * at[what]) @ seen.seconds), 1e-9
            )
        exposure = (products[CANCEL] * at[CANCEL]) @ orders
        cancel_per_s = _ratio(np.bincount(groups, cancels), exposure)
        plain = [per_s[0] * seen.seconds, per_s[1] * seen.seconds, orders @ cancel_per_s]
        for kinds in ([LIMIT, CANCEL], [MARKET]):
            due = sum(np.bincount(seen.hour, products[k] * plain[k], HOURS) for k in kinds)
            found = np.where(due > 0, _ratio(sum(came[k] for k in kinds), due), 1.0)
            hour[kinds] = found / found.mean()
        at = hour[:, seen.hour]
        tables = adjusted(seen, [one * at[k] for k, one in enumerate(plain)], tables)
        if (
            np.abs(np.concatenate([hour.ravel(), *(t.ravel() for t in tables)]) - last).max()
            < _CLOSE
        ):
            break
    return Rates(float(per_s[0]), float(per_s[1]), cancel_per_s[groups], hour, tables)


BUCKETS = (QUEUES, SPREADS, SPREADS, LOOKS, LOOKS)
"""Of each of `Tables`."""


def adjusted(seen: Seen, plain: Sequence[Floats], last: Tables) -> Tables:
    """Tables nearer to those whose margins fit what came, where `plain` `[3][r]` is what would have
    come whatever the book."""
    tables = [table.copy() for table in last]
    for what in range(3):
        came = seen.came == what
        product = last.of(what, seen) * plain[what]
        for k, bucket in enumerate(seen.buckets):
            if what == CANCEL and k == 2:
                continue
            old = tables[k][what].copy()
            expected = np.asarray(
                np.bincount(bucket, product, BUCKETS[k]) / np.where(old > 0, old, 1.0), np.float64
            )
            new = shrunk(
                np.bincount(bucket[came], minlength=BUCKETS[k]).astype(np.float64), expected
            )
            tables[k][what] = new
            product *= (new / np.where(old > 0, old, 1.0))[bucket]
    return Tables(*tables)


def explained(seen: Seen, rates: Rates) -> list[Floats]:
    """Arrivals `[3][r]` that hour and place explain over each stretch."""
    hour = rates.hour[:, seen.hour] * seen.seconds
    cancels = _by_group(seen.orders, np.arange(seen.orders.shape[1])) @ rates.cancel_per_s
    per_s = (rates.limit_per_s, rates.market_per_s, cancels)
    return [one * hour[what] for what, one in enumerate(per_s)]


def shrunk(arrivals: Floats, expected: Floats) -> Floats:
    """Multiples `[buckets]` whose mean over what was expected is 1."""
    found = (arrivals + _DOUBT) / (expected + _DOUBT)
    return np.asarray(found / np.average(found, weights=expected + 1e-9))


def joined_places(cancels: Ints) -> Ints:
    """Group `[places]` of each place: neighbours are joined until they say something, at the touch
    and behind it apart."""
    touch = joined_bins(cancels[:SPREADS], _FEWEST_CANCELS)
    behind = joined_bins(cancels[SPREADS:], _FEWEST_CANCELS)
    return np.append(touch, touch[-1] + 1 + behind)


def joined_bins(counts: Ints, fewest: int) -> Ints:
    """Group `[bins]` of each bin: from the first one on, as many as `fewest` counts need; what is
    left at the end joins the last."""
    groups = np.zeros(len(counts), np.int64)
    group, seen = 0, 0
    for i, n in enumerate(counts):
        groups[i] = group
        seen += n
        if seen >= fewest and counts[i + 1 :].sum() >= fewest:
            group, seen = group + 1, 0
    return groups


def _by_group(orders: NDArray[np.uint16], groups: Ints) -> NDArray[np.float32]:
    """Orders `[r, groups]`."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return np.add.reduceat(orders.astype(np.float32), starts, axis=1)


def _ratio(count: ArrayLike, exposure: ArrayLike) -> Floats:
    """Counts over exposure; 0 where there was none."""
    time = np.asarray(exposure, dtype=np.float64)
    return np.divide(count, time, out=np.zeros(time.shape), where=time > 0)
