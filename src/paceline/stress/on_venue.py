"""Scenarios on a venue: slow lines and stale market data, while they last."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.engine.account import slowed
from paceline.engine.venue import Spell, Venue
from paceline.jit import kernel
from paceline.market.session import Session
from paceline.stress.parts import Latency, Part, StaleFeed
from paceline.stress.scenario import Scenario
from paceline.units import NS_PER_S


def stress_venue(venue: Venue, scenario: Scenario, session: Session) -> Venue:
    """`venue` as it is under `scenario`; itself if that is about the market alone.

    Raises `ConfigError` for a part that misses the session.
    """
    spells = tuple(
        _spell(part, session) for part in scenario.parts if isinstance(part, Latency | StaleFeed)
    )
    return msgspec.structs.replace(venue, slow=venue.slow + spells) if spells else venue


@kernel
def _added(slow: NDArray[np.void], line: int, ts: NDArray[np.int64], ns: NDArray[np.int64]) -> None:
    for i in range(len(ts)):
        ns[i] = slowed(slow, line, ts[i])


def added_ns(slow: NDArray[np.void], line: int, ts: NDArray[np.int64]) -> NDArray[np.int64]:
    """What spells add to delays on a line (see `engine.account`) at `ts` `[n]`, ns."""
    ns = np.zeros(len(ts), np.int64)
    _added(slow, line, ts, ns)
    return ns


def _spell(part: Part, session: Session) -> Spell:
    begin, until = part.window(session)
    length_s = (until - begin) / NS_PER_S
    if isinstance(part, Latency):
        return Spell(
            start_s=part.start_s, length_s=length_s, submit_ms=part.submit_ms,
            ack_ms=part.ack_ms, market_data_ms=part.market_data_ms,
        )  # fmt: skip
    return Spell(start_s=part.start_s, length_s=length_s, stale=True)
