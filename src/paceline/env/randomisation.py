"""Venues drawn at random, so that what learns on them does not learn one of them by heart.

    venues = VenueRanges(latency_ms=(1, 30), taker_bps=(0.0, 0.4)).draw(16, seed=7)
    env = BatchExecutionEnv(pool, 1024, venue=venues)

An episode is at one of them from its start to its end, and says at which (`venue` of its record).
Each range is cut into as many equal parts as there are venues, and each part has one (a Latin
hypercube; McKay, Beckman and Conover, 1979), so that a few reach all over it. What is unrealistic
in it: docs/assumptions.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from paceline.config import Field, Settings
from paceline.engine.queue import FillModel
from paceline.engine.venue import Latency, Venue
from paceline.errors import ConfigError, InputError

Delay = Annotated[float, Meta(gt=0, le=60_000)]
Times = Annotated[float, Meta(ge=1, le=1000)]
Multiple = Annotated[float, Meta(gt=0, le=1000)]
Seconds = Annotated[float, Meta(gt=0, le=1e6)]
Charge = Annotated[float, Meta(ge=-1000, le=1000)]

_LINES = ("submit", "ack", "market_data")
_FEES = ("maker_bps", "taker_bps", "maker_per_share", "taker_per_share")
_RECOVERY = ("recovery_half_life_s",)
_IMPACT = {"transient": "transient_ticks_per_lot", "permanent": "permanent_ticks_per_lot"}
_DRAWN = (
    *_LINES, *(f"{line} tail" for line in _LINES), *_FEES, "fill_models", *_RECOVERY, *_IMPACT,
)  # fmt: skip


class VenueRanges(Settings, frozen=True, kw_only=True):
    """Least and most of what differs between venues; what is left out is the base venue's."""

    latency_ms: Annotated[
        tuple[Delay, Delay] | None, Field("Median delay of each line, drawn by its log.", "ms")
    ] = (1.0, 20.0)
    latency_tail: Annotated[
        tuple[Times, Times], Field("99th percentile of a delay, in medians, drawn by its log.", "")
    ] = (2.0, 8.0)
    maker_bps: Annotated[
        tuple[Charge, Charge] | None, Field("Fee for what rested; negative: a rebate.", "bps")
    ] = (-0.2, 0.1)
    taker_bps: Annotated[tuple[Charge, Charge] | None, Field("Fee for what took.", "bps")] = (
        0.0, 0.4,
    )  # fmt: skip
    maker_per_share: Annotated[
        tuple[Charge, Charge] | None, Field("The same by the share.", "currency")
    ] = None
    taker_per_share: Annotated[
        tuple[Charge, Charge] | None, Field("The same by the share.", "currency")
    ] = None
    fill_models: Annotated[
        tuple[Literal["pessimistic", "calibrated", "optimistic"], ...] | None,
        Field("Fill models, each as often as another.", ""),
    ] = ("pessimistic", "calibrated", "optimistic")
    recovery_half_life_s: Annotated[
        tuple[Seconds, Seconds] | None, Field("Of what we took, drawn by its log.", "s")
    ] = (3.0, 30.0)
    transient: Annotated[
        tuple[Multiple, Multiple] | None,
        Field("Multiple of the base venue's transient impact, drawn by its log.", ""),
    ] = None
    permanent: Annotated[
        tuple[Multiple, Multiple] | None,
        Field("Multiple of the base venue's permanent impact, drawn by its log.", ""),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name == "fill_models":
                if value is not None and not value:
                    raise ConfigError("fill_models: none is given; give one or more, or leave out")
            elif value is not None and value[0] > value[1]:
                raise ConfigError(
                    f"{name}: {value[0]:g} is above {value[1]:g}; give least and most"
                )

    def draw(self, n: int, *, seed: int = 0, base: Venue | None = None) -> tuple[Venue, ...]:
        """`n` venues. The same seed draws the same ones.

        Raises `InputError` for a number of venues that is none, and `ConfigError` for a multiple of
        an impact that `base` has not."""
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise InputError(f"n: {n!r} is no count of venues; give 1 or more")
        base = base or Venue()
        for name, field in _IMPACT.items():
            if getattr(self, name) is not None and getattr(base.footprint, field) == 0.0:
                raise ConfigError(
                    f"{name}: is a multiple of 0; give a base venue with {field}, or leave it out"
                )
        dice = np.random.default_rng(seed)
        # All are drawn, so that one that is left out changes no other.
        drawn = {name: _spread(n, dice) for name in _DRAWN}
        return tuple(
            self._venue(base, {name: float(column[k]) for name, column in drawn.items()})
            for k in range(n)
        )

    def _venue(self, base: Venue, at: Mapping[str, float]) -> Venue:
        """The venue that lies so far along each range, from 0 to 1."""
        changed: dict[str, Any] = {}
        if self.latency_ms is not None:
            for line in _LINES:
                median_ms = _by_log(self.latency_ms, at[line])
                tail = _by_log(self.latency_tail, at[f"{line} tail"])
                changed[line] = Latency.lognormal(median_ms, median_ms * tail)
        if self.fill_models is not None:
            named = self.fill_models[int(at["fill_models"] * len(self.fill_models))]
            changed["fill_model"] = FillModel[named.upper()]
        charged = {name: low + at[name] * (high - low) for name, (low, high) in self._given(_FEES)}
        foot = {
            _IMPACT[name]: getattr(base.footprint, _IMPACT[name]) * _by_log(between, at[name])
            for name, between in self._given(_IMPACT)
        }
        foot |= {name: _by_log(between, at[name]) for name, between in self._given(_RECOVERY)}
        return msgspec.structs.replace(
            base,
            fees=msgspec.structs.replace(base.fees, **charged),
            footprint=msgspec.structs.replace(base.footprint, **foot),
            **changed,
        )

    def _given(self, names: Iterable[str]) -> Iterator[tuple[str, tuple[float, float]]]:
        """Those of the ranges that are given."""
        for name in names:
            between = getattr(self, name)
            if between is not None:
                yield name, between


def _spread(n: int, dice: np.random.Generator) -> NDArray[np.float64]:
    """`[n]` numbers from 0 to 1, one in each n-th of the way, in random order."""
    return np.asarray((dice.permutation(n) + dice.random(n)) / n)


def _by_log(between: tuple[float, float], u: float) -> float:
    low, high = between
    # Powers can leave the range by a last digit.
    return min(max(low * math.pow(high / low, float(u)), low), high)
