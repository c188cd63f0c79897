"""What a scenario is made of. Each part has a start, a length, and says how much of it there is.

What each does to a tape and to a simulated market, and what is unrealistic in it, is told in
docs/assumptions.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from paceline.config import Field, Settings
from paceline.errors import ConfigError
from paceline.market.session import Session
from paceline.units import NS_PER_S

Start = Annotated[float, Meta(ge=0, le=86_400)]
Length = Annotated[float, Meta(gt=0, le=86_400)]


class Part(Settings, frozen=True, kw_only=True):
    """One thing that happens, and when."""

    start_s: Annotated[Start, Field("When it begins, after the open.", "s")] = 0.0
    length_s: Annotated[Length | None, Field("How long it lasts; left out, to the close.", "s")] = (
        None
    )

    @property
    def until_s(self) -> float:
        """Seconds after the open when it is over."""
        return float("inf") if self.length_s is None else self.start_s + self.length_s

    def window(self, session: Session) -> tuple[int, int]:
        """(from, until) in ns since the epoch. Raises `ConfigError` if it misses the session."""
        begin = session.open_ns + round(self.start_s * NS_PER_S)
        if begin >= session.close_ns:
            raise ConfigError(
                f"start_s: {self.start_s:g} s is not in the session of {session.day}, which lasts "
                f"{session.length_s:g} s; count from the open"
            )
        if self.length_s is None:
            return begin, session.close_ns
        return begin, min(begin + round(self.length_s * NS_PER_S), session.close_ns)


class Volatility(Part, frozen=True, kw_only=True):
    """The price moves more."""

    times: Annotated[
        Annotated[float, Meta(ge=0.1, le=10)], Field("Of the volatility there is.", "")
    ] = 2.0


class Crash(Part, frozen=True, kw_only=True):
    """The price falls along a line and stays there."""

    fall: Annotated[
        Annotated[float, Meta(ge=-0.5, le=0.5)],
        Field("How far, as a share of the price; negative rises.", "share"),
    ] = 0.10
    start_s: Annotated[Start, Field("When it begins, after the open.", "s")] = 3600.0
    length_s: Annotated[Length | None, Field("How long the fall takes.", "s")] = 300.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _needs_length(self)


class FlashCrash(Part, frozen=True, kw_only=True):
    """The price falls, and comes back."""

    fall: Annotated[
        Annotated[float, Meta(ge=-0.5, le=0.5)],
        Field("How far, as a share of the price; negative rises.", "share"),
    ] = 0.05
    recovers: Annotated[
        Annotated[float, Meta(ge=0, le=1)], Field("Share of the fall that is made good.", "share")
    ] = 1.0
    start_s: Annotated[Start, Field("When it begins, after the open.", "s")] = 3600.0
    length_s: Annotated[Length | None, Field("How long the fall takes.", "s")] = 60.0
    recovery_s: Annotated[Length, Field("How long the way back takes.", "s")] = 240.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _needs_length(self)


class Spread(Part, frozen=True, kw_only=True):
    """Bids stand lower and asks higher."""

    times: Annotated[Annotated[float, Meta(ge=1, le=100)], Field("Of the spread there is.", "")] = (
        3.0
    )


class Depth(Part, frozen=True, kw_only=True):
    """Orders are missing from the book."""

    share: Annotated[
        Annotated[float, Meta(ge=0.01, le=1)], Field("Share of orders that are there.", "share")
    ] = 0.3


class OneSided(Part, frozen=True, kw_only=True):
    """Market orders come from one side."""

    side: Annotated[Literal["buy", "sell"], Field("Who is in a hurry.", "")] = "sell"
    share: Annotated[
        Annotated[float, Meta(ge=0.5, le=1)], Field("Share of market orders of that side.", "share")
    ] = 0.85


class Halt(Part, frozen=True, kw_only=True):
    """Trading stops and comes back at another price."""

    gap: Annotated[
        Annotated[float, Meta(ge=-0.5, le=0.5)],
        Field("Jump at the reopening, as a share of the price.", "share"),
    ] = -0.03
    start_s: Annotated[Start, Field("When it begins, after the open.", "s")] = 3600.0
    length_s: Annotated[Length | None, Field("How long it lasts.", "s")] = 300.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _needs_length(self)


class Latency(Part, frozen=True, kw_only=True):
    """Messages take longer. A matter of the venue: the market is as it was."""

    submit_ms: Annotated[
        Annotated[float, Meta(ge=0, le=6e5)], Field("Added to messages to the exchange.", "ms")
    ] = 250.0
    ack_ms: Annotated[
        Annotated[float, Meta(ge=0, le=6e5)], Field("Added to its answers.", "ms")
    ] = 250.0
    market_data_ms: Annotated[
        Annotated[float, Meta(ge=0, le=6e5)], Field("Added to market data.", "ms")
    ] = 250.0


class StaleFeed(Part, frozen=True, kw_only=True):
    """Market data stands still while trading goes on. A matter of the venue."""

    start_s: Annotated[Start, Field("When it begins, after the open.", "s")] = 3600.0
    length_s: Annotated[Length | None, Field("How long it lasts.", "s")] = 300.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _needs_length(self)


def _needs_length(part: Part) -> None:
    if part.length_s is None:
        raise ConfigError("length_s: missing; say how long it takes")


PARTS: dict[str, type[Part]] = {
    "volatility": Volatility,
    "crash": Crash,
    "flash_crash": FlashCrash,
    "spread": Spread,
    "depth": Depth,
    "one_sided": OneSided,
    "halt": Halt,
    "latency": Latency,
    "stale_feed": StaleFeed,
}
"""What `part:` may say in a scenario."""
