"""What moves time and shows the market, under one name for both worlds: a recorded day
(`replay.Floor`) and a simulated market that answers (`pit.Pit`).

A kernel that works orders calls these and `messages`, and is compiled for the world it is given.
"""

from __future__ import annotations

from paceline.engine import pit, replay
from paceline.engine.account import MARKET_LINE, draw, slowed
from paceline.jit import chosen, inlined, spliced

Floor = replay.Floor | pit.Pit

advance = chosen(replay.advance, pit.Pit, pit.advance)
"""Let everything up to and including a time happen."""

volume_by = chosen(replay.volume_by, pit.Pit, pit.volume_by)
"""Lots that everybody had traded by a time."""


@inlined
def _stay(floor: replay.Floor, ts: int) -> None:
    """A tape need not: what it holds of later is read there."""


come_to = chosen(_stay, pit.Pit, pit.advance)
"""Go on to a decision at a time, which has been looked at: what a market that answers does until
then stands before the decision, and so do our fills, though the book that is seen is older."""

_best_level = chosen(replay.best_level, pit.Pit, pit.shown_level)


@spliced
def look(floor: Floor, ts: int) -> tuple[int, int]:
    """What we see of the market at `ts`: (best bid level, best ask level), our own orders and our
    footprint left out.

    Time runs on to `ts` less the delay of market data, and no further. Levels are -1 and n_levels
    where a side shows nothing.
    """
    account, rules = floor.account, floor.rules
    late = draw(account, rules.market_ns) + slowed(rules.slow, MARKET_LINE, ts)
    seen = max(ts - late, account.clock[0]["last_seen"])
    account.clock[0]["last_seen"] = seen
    advance(floor, seen)
    return best_seen(floor)


@spliced
def best_seen(floor: Floor) -> tuple[int, int]:
    """What the last look showed."""
    return _best_level(floor, 0), _best_level(floor, 1)
