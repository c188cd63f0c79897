"""When the market of a tape had come to itself."""

from __future__ import annotations

import numpy as np

from paceline.market.spread import FEW_TICKS
from paceline.market.tape import Tape
from paceline.units import NS_PER_S

STAY_S = 60.0
"""Seconds for which the spread has to stay narrow; in a session of minutes, a hundredth of it."""

NARROW_SHARE = 0.01
"""Largest spread of a settled market, as a share of the mid; a few ticks are always narrow."""


def settled_ts(tape: Tape) -> int:
    """When the market of a tape had come to itself, ns: after the warm-up, from when on the spread
    stayed narrow for `STAY_S`.

    A recording that starts with an empty book is two-sided long before its touch means anything:
    on 2003 days the first minutes show spreads of dollars, a narrow quote now and then, and dollars
    again. What comes more than `STAY_S` later plays no part, and orders are drawn no sooner than
    that. A market that never settles by this rule has to do as it is from the end of the warm-up
    on.
    """
    ts = tape.events.ts
    start = tape.manifest.quality.warmup_end_ts or tape.session.open_ns
    stay = round(min(STAY_S, tape.session.length_s / 100) * NS_PER_S)
    bid, ask = tape.bid_ticks(), tape.ask_ticks()
    spread = ask - bid
    narrow = (spread > 0) & ((spread <= FEW_TICKS) | (spread * 2 / NARROW_SHARE <= bid + ask))
    last = np.flatnonzero(np.append(np.diff(ts) > 0, True))  # what stands when an instant is over
    narrow, ts = narrow[last], ts[last]
    change = np.flatnonzero(np.diff(narrow, prepend=False))
    begins, ends = ts[change[::2]], ts[change[1::2]]
    if len(ends) < len(begins):
        ends = np.append(ends, ts[-1])
    begins = np.maximum(begins, start)
    stayed = np.flatnonzero(ends - begins >= stay)
    return int(begins[stayed[0]]) if len(stayed) else start
