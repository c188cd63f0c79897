"""When the market of a tape had come to itself."""

from __future__ import annotations

import numpy as np

from paceline.market.tape import Tape

_USUAL = 4.0
"""A market has settled when its spread is at most so many times the day's median."""


def settled_ts(tape: Tape) -> int:
    """When the market of a tape had come to itself, ns: after the warm-up, and with a spread like
    the rest of the day's.

    A recording that starts with an empty book is two-sided long before its touch means anything:
    on 2003 days the first minutes show spreads of dollars, and a mid in the middle of them.
    """
    start = tape.manifest.quality.warmup_end_ts or tape.session.open_ns
    spread = tape.ask_ticks() - tape.bid_ticks()
    usual = float(np.nanmedian(spread)) if not np.all(np.isnan(spread)) else 0.0
    like = np.flatnonzero((tape.events.ts >= start) & (spread > 0) & (spread <= _USUAL * usual))
    return int(tape.events.ts[like[0]]) if len(like) else start
