"""The explicit impact of an environment's venue, as a recipe says it.

It comes on top of what the market does by itself (`engine.footprint`); none is the default.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from paceline.config import Field, Settings
from paceline.engine.venue import Footprint, Venue


class OwnImpact(Settings, frozen=True, kw_only=True):
    """What our own fills do to the price of later ones. A fill pays half of its own shift."""

    transient_ticks_per_lot: Annotated[
        Annotated[float, Meta(ge=0)], Field("Shift a lot that fades; 0: none.", "ticks")
    ] = 0.0
    transient_half_life_s: Annotated[
        Annotated[float, Meta(gt=0)], Field("Until half of it is gone.", "s")
    ] = 60.0
    permanent_ticks_per_lot: Annotated[
        Annotated[float, Meta(ge=0)], Field("Shift a lot that stays; 0: none.", "ticks")
    ] = 0.0

    def venue(self) -> Venue:
        """A venue where it is so, and nothing else is special."""
        return Venue(footprint=Footprint(**msgspec.structs.asdict(self)))
