"""How the book comes back after a market order emptied its touch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paceline.market.portrait import touch_lots
from paceline.market.tape import Tape
from paceline.realism.series import market_orders, settled_part
from paceline.units import NS_PER_S

AFTER_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 300.0)
"""Seconds after which it is looked at."""


def recovery(tape: Tape) -> NDArray[np.float64]:
    """Spread, and lots at the touch that was taken, `AFTER_S` after market orders emptied it: means
    `[2, times]`, by the median of the day; NaN if that never happened."""
    part, orders, events = settled_part(tape), market_orders(tape), tape.events
    row = (1 + orders.sign) // 2
    best = np.stack([events.bid, events.ask])
    emptied = (orders.first > 0) & (
        best[row, np.maximum(orders.first - 1, 0)] != best[row, orders.last]
    )
    if not emptied.any():
        return np.full((2, len(AFTER_S)), np.nan)
    spread, lots = tape.ask_ticks() - tape.bid_ticks(), np.stack(touch_lots(tape))
    after_ns = np.rint(np.array(AFTER_S) * NS_PER_S).astype(np.int64)
    at = np.searchsorted(events.ts, orders.ts[emptied][:, None] + after_ns, side="right") - 1
    usual_spread = np.nanmedian(spread[part.first : part.stop])
    usual_lots = max(np.median(lots[:, part.first : part.stop]), 1.0)
    return np.stack(
        [
            known_mean(spread[at]) / usual_spread,
            np.mean(lots[row[emptied][:, None], at], axis=0) / usual_lots,
        ]
    )


def known_mean(rows: NDArray[np.float64] | Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean over the first axis of what is known; NaN where nothing is."""
    values = np.asarray(rows)
    known = ~np.isnan(values)
    n = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0))
