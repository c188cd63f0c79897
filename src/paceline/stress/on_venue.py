"""Scenarios on a venue: slow lines and stale market data, while they last."""

from __future__ import annotations

import msgspec

from paceline.engine.venue import Spell, Venue
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


def _spell(part: Part, session: Session) -> Spell:
    begin, until = part.window(session)
    length_s = (until - begin) / NS_PER_S
    if isinstance(part, Latency):
        return Spell(
            start_s=part.start_s, length_s=length_s, submit_ms=part.submit_ms,
            ack_ms=part.ack_ms, market_data_ms=part.market_data_ms,
        )  # fmt: skip
    return Spell(start_s=part.start_s, length_s=length_s, stale=True)
