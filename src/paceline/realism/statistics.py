"""What a day looks like: the distributions that a simulated market is held against.

Prices are in ticks on which orders may be sent, sizes in lots, times in seconds. A state (spread,
depth, imbalance) is weighted by the time it lasted; what happens counts once each.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paceline.jit import kernel
from paceline.market.book import Book, apply
from paceline.market.events import ADD, DELETE, EXECUTE, REDUCE, SEED, Events
from paceline.market.tape import Tape
from paceline.realism.distribution import Distribution, distribution
from paceline.realism.series import (
    arrivals_ns,
    market_orders,
    returns,
    settled_part,
    volumes,
)
from paceline.units import NS_PER_S

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RETURNS_S = (1, 10, 60, 300)
"""Horizons of the returns, seconds."""

DEEP = 10
"""Levels that count as the depth of a side."""

UNITS = {
    "spread": "ticks", "bid_depth_1": "lots", "ask_depth_1": "lots", "bid_depth_10": "lots",
    "ask_depth_10": "lots", "imbalance": "share", "inter_arrival": "s", "lifetime": "s",
    "placement": "ticks", "limit_size": "lots", "market_size": "lots", "return_1s": "log",
    "return_10s": "log", "return_60s": "log", "return_300s": "log", "volume_60s": "lots",
}  # fmt: skip
"""Every statistic and its unit, in the order in which they are shown."""


def statistics_of(tape: Tape) -> dict[str, Distribution]:
    """The statistics of the settled part of `tape`, by the names of `UNITS`.

    A book without orders has no `lifetime`, `placement` and `limit_size`; they are left out. A
    distribution may be empty, e.g. of sizes where nothing traded.
    """
    step = float(tape.instrument.order_step)
    orders = market_orders(tape)
    found = {
        "spread": _lasting(tape, (tape.ask_ticks() - tape.bid_ticks()) / step),
        **_of_depth(tape),
        "inter_arrival": distribution(np.diff(arrivals_ns(tape)) / NS_PER_S),
        "market_size": distribution(orders.lots),
        **{f"return_{s}s": distribution(returns(tape, s)) for s in RETURNS_S},
        "volume_60s": distribution(volumes(tape, 60.0)),
    }
    if tape.has_orders:
        part = settled_part(tape)
        added = part.first + np.flatnonzero(tape.events.kind[part.first : part.stop] == ADD)
        found["lifetime"] = distribution(lifetimes_s(tape))
        found["placement"] = distribution(placements(tape, added) / step)
        found["limit_size"] = distribution(tape.events.qty[added])
    return {name: found[name] for name in UNITS if name in found}


def placements(tape: Tape, added: Ints) -> Floats:
    """How far behind its own side's best price each limit order stood, book ticks `[len(added)]`.

    `added` are indices of ADD rows. Below 0: the order improved its side; NaN: there was none.
    """
    before, events = np.maximum(added - 1, 0), tape.events
    side, own = events.side[added], tape.level_ticks[events.level[added]]
    best = np.where(side > 0, tape.bid_ticks()[before], tape.ask_ticks()[before])
    return np.asarray(np.where(added > 0, side * (best - own), np.nan), dtype=np.float64)


def lifetimes_s(tape: Tape) -> Floats:
    """Seconds from entry until cancelled or filled, of orders that came and went in the settled
    part `[m]`.

    Orders that outlive it or fall out of view are not in it, so long lives are a little rare: by
    as much in a simulated day as in a recorded one of the same length.
    """
    part = settled_part(tape)
    out = np.empty(part.stop - part.first, np.int64)
    born, left = np.full((2, tape.manifest.n_slots), -1, np.int64)
    ended = _lives(tape.events, part.first, part.stop, born, left, out)
    return out[:ended] / NS_PER_S


@kernel
def _lives(events: Events, first: int, stop: int, born: Ints, left: Ints, out: Ints) -> int:
    count = 0
    for i in range(first, stop):
        kind, slot = events.kind[i], events.slot[i]
        if slot < 0:
            continue
        if kind == ADD:
            born[slot], left[slot] = events.ts[i], events.qty[i]
            continue
        if kind == SEED:
            born[slot] = -1
        left[slot] -= events.qty[i]
        if left[slot] > 0 or born[slot] < 0:
            continue
        if kind == DELETE or kind == EXECUTE or kind == REDUCE:
            out[count] = events.ts[i] - born[slot]
            count += 1
        born[slot] = -1
    return count


def _of_depth(tape: Tape) -> dict[str, Distribution]:
    lots = depth_lots(tape).astype(np.float64)
    lots[lots == 0.0] = np.nan  # a side that is not there has no depth
    bid, ask = lots[:, 0, 0], lots[:, 1, 0]
    return {
        "bid_depth_1": _lasting(tape, bid),
        "ask_depth_1": _lasting(tape, ask),
        f"bid_depth_{DEEP}": _lasting(tape, lots[:, 0, 1]),
        f"ask_depth_{DEEP}": _lasting(tape, lots[:, 1, 1]),
        "imbalance": _lasting(tape, (bid - ask) / (bid + ask)),
    }


def depth_lots(tape: Tape) -> Ints:
    """Lots after every event `[n_events, side, 2]`: bids and asks, best level and `DEEP` levels."""
    out = np.zeros((len(tape), 2, 2), np.int64)
    _roll(tape.new_book(), tape.events, out)
    return out


@kernel
def _roll(book: Book, events: Events, out: Ints) -> None:
    n = len(book.level_ticks)
    for i in range(len(events.ts)):
        side = events.side[i]
        apply(book, events.kind[i], side, events.level[i], events.qty[i], events.slot[i], i)
        for row in range(2):
            if i > 0 and side == 2 * row - 1:  # the other side was touched
                out[i, row, 0], out[i, row, 1] = out[i - 1, row, 0], out[i - 1, row, 1]
                continue
            level, step, seen, total = book.best[row], 2 * row - 1, 0, 0
            if 0 <= level < n:
                out[i, row, 0] = book.levels[row, level]["lots"]
            while seen < DEEP and 0 <= level < n:
                lots = book.levels[row, level]["lots"]
                total += lots
                seen += lots > 0
                level += step
            out[i, row, 1] = total


def _lasting(tape: Tape, state: Floats) -> Distribution:
    """The state after each event `[n_events]`, by the seconds that it lasted in the settled part.

    The state at its start is that of the last event before, so it counts from the start on.
    """
    part = settled_part(tape)
    first = max(part.first - 1, 0)
    at = np.clip(tape.events.ts[first : part.stop], part.start_ns, part.end_ns)
    lasted = np.diff(at, append=part.end_ns) / NS_PER_S
    return distribution(state[first : part.stop], lasted)
