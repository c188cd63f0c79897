"""Moods of a simulated market: what they multiply, a set of named ones, and their tables.

    MarketSettings(regimes="named")                     # a chain: normal, thin, volatile, news ...
    MarketSettings().in_regime("thin")                  # one of them, all day
    MarketSettings(regimes="named", sequence=((3600, "news"), (3720, "volatile")))

A regime multiplies what holds otherwise, so the same names fit any market.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from paceline.config import Field, Settings
from paceline.engine.flow_settings import Multiple, Rate
from paceline.engine.laws import REGIME_RECORD, SEQUENCE_RECORD, STREAMS
from paceline.errors import ConfigError
from paceline.units import NS_PER_S

PULLS_PER_S = 2.0
"""How often, at most, a drifting price is moved on to where it should be."""

_FOREVER = 10**18
"""ns; adding it to a time does not overflow."""

Above0 = Annotated[float, Meta(gt=0, le=1e3)]
Moments = tuple[tuple[Annotated[float, Meta(ge=0, le=86_400)], str], ...]
"""(seconds after the open, name of the regime that begins)."""


class Regime(Settings, frozen=True, kw_only=True):
    """A mood of the market: multiples of what holds otherwise, and what pulls the price."""

    name: Annotated[str, Meta(min_length=1), Field("What it is called.", "")]
    limit: Annotated[Multiple, Field("Of limit orders.", "")] = 1.0
    market: Annotated[Multiple, Field("Of market orders.", "")] = 1.0
    cancel: Annotated[Multiple, Field("Of cancels.", "")] = 1.0
    bids: Annotated[Multiple, Field("Of limit orders to buy, besides `limit`.", "")] = 1.0
    asks: Annotated[Multiple, Field("Of limit orders to sell, besides `limit`.", "")] = 1.0
    buys: Annotated[Multiple, Field("Of market orders to buy, besides `market`.", "")] = 1.0
    sells: Annotated[Multiple, Field("Of market orders to sell, besides `market`.", "")] = 1.0
    speed: Annotated[
        Above0,
        Field("Of the clock by which orders come, bring others about and are forgotten.", ""),
    ] = 1.0
    size: Annotated[Above0, Field("Of the sizes of all orders.", "")] = 1.0
    spread: Annotated[
        Annotated[float, Meta(ge=0.01, le=100)],
        Field("Of all distances between orders: the market as it were with larger ticks.", ""),
    ] = 1.0
    improve: Annotated[Multiple, Field("Of orders inside the spread.", "")] = 1.0
    jumps: Annotated[Multiple, Field("Of jumps.", "")] = 1.0
    jumps_per_h: Annotated[Rate, Field("Jumps of its own, besides.", "1/h")] = 0.0
    drift_ticks_per_s: Annotated[
        Annotated[float, Meta(ge=-1e4, le=1e4)],
        Field("Pulls the price along a line from where it begins; negative falls.", "ticks/s"),
    ] = 0.0
    gap_ticks: Annotated[
        int, Meta(ge=-1_000_000, le=1_000_000), Field("Jump as it begins.", "ticks")
    ] = 0
    halted: Annotated[bool, Field("Trading stands still while it lasts.", "")] = False
    mean_s: Annotated[
        Annotated[float, Meta(gt=0, le=1e9)] | None,
        Field("How long it lasts on average; left out, to the end.", "s"),
    ] = None
    leads_to: Annotated[
        dict[str, Annotated[float, Meta(ge=0, le=1e6)]],
        Field("Weights of the regimes that follow; left out, all others alike.", ""),
    ] = msgspec.field(default_factory=dict)

    def held(self) -> Regime:
        """The same mood, without an end."""
        return msgspec.structs.replace(self, mean_s=None, leads_to={})


_MULTIPLES = (
    "limit", "market", "cancel", "bids", "asks", "buys", "sells", "speed", "size", "spread",
    "improve", "jumps",
)  # fmt: skip
_SUMS = ("jumps_per_h", "drift_ticks_per_s", "gap_ticks")


def together(name: str, moods: Sequence[Regime]) -> Regime:
    """Several moods at once: multiples multiply, drifts, gaps and own jumps add up."""
    found: dict[str, float] = {}
    for field in _MULTIPLES:
        found[field] = float(np.prod([getattr(mood, field) for mood in moods]))
    for field in _SUMS:
        found[field] = sum(getattr(mood, field) for mood in moods)
    return Regime(name=name, halted=any(mood.halted for mood in moods), **found)  # type: ignore[arg-type]


_NEXT = {"liquid": 2.0, "normal": 4.0, "thin": 2.0, "volatile": 1.0, "news": 1.0}

NAMED: tuple[Regime, ...] = (
    Regime(name="normal", mean_s=3600.0, leads_to={**_NEXT, "normal": 0.0}),
    Regime(
        name="liquid", limit=2.0, market=1.2, spread=0.75, improve=1.3,
        mean_s=1800.0, leads_to={"normal": 1.0},
    ),
    Regime(
        name="thin", limit=0.4, market=0.4, spread=1.5, improve=0.7,
        mean_s=1800.0, leads_to={"normal": 1.0},
    ),
    Regime(
        name="volatile", limit=2.5, market=3.0, cancel=2.8, spread=1.2, jumps=3.0, jumps_per_h=2.0,
        mean_s=900.0, leads_to={"normal": 3.0, "thin": 1.0},
    ),
    Regime(
        name="news", limit=3.0, market=5.0, cancel=5.0, spread=1.3, jumps=20.0, jumps_per_h=40.0,
        mean_s=180.0, leads_to={"volatile": 3.0, "normal": 1.0},
    ),
    Regime(
        name="closing", limit=4.0, market=4.0, cancel=2.0, size=1.4,
        mean_s=600.0, leads_to={"normal": 1.0},
    ),
)  # fmt: skip
"""Named regimes that fit any market. In their chain `closing` never comes by chance: it is there
for sequences, and to be held."""


def with_names(given: tuple[Regime, ...] | Literal["named"]) -> tuple[Regime, ...]:
    """Regimes as a setting gives them."""
    return NAMED if isinstance(given, str) else given


def named(regimes: Sequence[Regime], name: str, field: str) -> Regime:
    """The regime of this name. Raises `ConfigError`, naming `field`."""
    for mood in regimes:
        if mood.name == name:
            return mood
    known = ", ".join(mood.name for mood in regimes) or "none"
    raise ConfigError(f"{field}: {name!r} is not among the regimes ({known}); name one of them")


def check_regimes(
    regimes: Sequence[Regime], sequence: Moments, length_s: float, resting: float, arrivals: float
) -> None:
    """Raise `ConfigError` for regimes or a sequence that cannot be.

    `resting` and `arrivals` of the plain market are shares of the most that there may be.
    """
    names = [mood.name for mood in regimes]
    for mood in regimes:
        if names.count(mood.name) > 1:
            raise ConfigError(f"regimes: {mood.name!r} is given twice; name each one once")
        for name in mood.leads_to:
            if name not in names:
                raise ConfigError(
                    f"regimes.leads_to: {name!r} after {mood.name!r} is not among "
                    f"{', '.join(names)}; name one of them"
                )
    before = -1.0
    for at_s, name in sequence:
        named(regimes, name, "sequence")
        if at_s <= before:
            raise ConfigError(
                f"sequence: {name!r} at {at_s:g} s does not come after {before:g} s; put the "
                "moments in order"
            )
        if at_s >= length_s:
            raise ConfigError(
                f"sequence: {name!r} at {at_s:g} s is not in the session, which lasts "
                f"{length_s:g} s; count from the open"
            )
        before = at_s
    _check_room(regimes, sequence, length_s, resting, arrivals)


def _check_room(
    regimes: Sequence[Regime], sequence: Moments, length_s: float, resting: float, arrivals: float
) -> None:
    """No regime fills the book or the session beyond what a market may have."""
    lasts = dict.fromkeys((mood.name for mood in regimes), 0.0 if sequence else 1.0)
    for at_s, name, until_s in lasting(regimes, sequence, length_s):
        lasts[name] += (until_s - at_s) / length_s
    busy = 0.0
    for mood in regimes:
        limits = mood.limit * max(mood.bids, mood.asks)
        if limits * resting > mood.cancel:
            raise ConfigError(
                f"regimes.cancel: {mood.cancel:g} of {mood.name!r} lets too many orders rest for "
                f"{limits:g} times the limit orders; raise it"
            )
        often = mood.speed * max(limits, mood.market * max(mood.buys, mood.sells))
        here = often * arrivals * lasts[mood.name]
        busy = busy + here if sequence else max(busy, here)
        if busy > 1:
            raise ConfigError(
                f"regimes.limit: {mood.name!r} makes a session of too many arrivals; lower its "
                "multiples"
            )


def lasting(
    regimes: Sequence[Regime], sequence: Moments, length_s: float
) -> list[tuple[float, str, float]]:
    """A sequence as (from, name, until), seconds after the open. The first regime opens the session
    if the sequence begins later."""
    if not sequence:
        return []
    if sequence[0][0] > 0:
        sequence = ((0.0, regimes[0].name), *sequence)
    ends = [at_s for at_s, _ in sequence[1:]] + [length_s]
    return [(at_s, name, end) for (at_s, name), end in zip(sequence, ends, strict=True)]


def regime_tables(regimes: Sequence[Regime], sequence: Moments) -> dict[str, NDArray[Any]]:
    """What kernels read of them, as the columns of `Laws` are called."""
    return {
        "regimes": regime_table(regimes),
        "leads": leads_table(regimes),
        "sequence": sequence_table(regimes, sequence),
    }


def regime_table(regimes: Sequence[Regime]) -> NDArray[np.void]:
    """`[r]` of REGIME_RECORD."""
    table = np.zeros(len(regimes), REGIME_RECORD)
    for k, mood in enumerate(regimes):
        limits = (mood.limit * mood.bids, mood.limit * mood.asks)
        markets = (mood.market * mood.sells, mood.market * mood.buys)
        table[k]["rate"] = (*limits, *markets, mood.cancel, mood.cancel)
        # As many orders leave as come, so what brings cancels about is as much more as they are;
        # how often one order is cancelled only decides how many rest.
        times = np.array((*limits, *markets, *limits))
        table[k]["heat"] = times
        table[k]["brings"] = np.divide(1.0, times, out=np.ones(STREAMS), where=times > 0.0)
        table[k]["speed"] = mood.speed
        both = mood.sells + mood.buys
        table[k]["on_bids"] = mood.sells / both if both > 0.0 else 0.5
        table[k]["size"], table[k]["improve"] = mood.size, mood.improve
        table[k]["spread"] = mood.spread
        table[k]["reprice"] = mood.jumps
        table[k]["own_jumps"] = mood.jumps_per_h / (3600 * NS_PER_S)
        table[k]["drift"] = mood.drift_ticks_per_s / NS_PER_S
        table[k]["pulls"] = min(abs(mood.drift_ticks_per_s), PULLS_PER_S) / NS_PER_S
        table[k]["gap"], table[k]["halted"] = mood.gap_ticks, mood.halted
        table[k]["leave"] = 0.0 if mood.mean_s is None else 1 / (mood.mean_s * NS_PER_S)
    return table


def leads_table(regimes: Sequence[Regime]) -> NDArray[np.float64]:
    """Cumulative share of the regimes that follow each `[r, r]`."""
    leads = np.array(
        [
            [
                mood.leads_to.get(other.name, 0.0) if mood.leads_to else float(other is not mood)
                for other in regimes
            ]
            for mood in regimes
        ]
    )
    total = leads.sum(axis=1, keepdims=True)
    # Nowhere to go: it stays.
    shares = np.divide(leads, total, out=np.eye(len(regimes)), where=total > 0)
    return np.cumsum(shares, axis=1)


def sequence_table(regimes: Sequence[Regime], sequence: Moments) -> NDArray[np.void]:
    """`[k]` of SEQUENCE_RECORD; the last one stays."""
    spans = lasting(regimes, sequence, np.inf)
    names = [mood.name for mood in regimes]
    table = np.zeros(len(spans), SEQUENCE_RECORD)
    for k, (at_s, name, end_s) in enumerate(spans):
        ends = _FOREVER if end_s == np.inf else round(end_s * NS_PER_S)
        table[k] = (names.index(name), ends - round(at_s * NS_PER_S))
    return table


def draw_sequence(regimes: Sequence[Regime], length_s: float, seed: int) -> Moments:
    """What the chain might do in one session, as a sequence. The same seed draws the same."""
    dice = np.random.default_rng(seed)
    leads = leads_table(regimes)
    moments, at_s, k = [(0.0, regimes[0].name)], 0.0, 0
    while (mean_s := regimes[k].mean_s) is not None:
        at_s += dice.exponential(mean_s)
        k = min(int(np.searchsorted(leads[k], dice.random())), len(regimes) - 1)
        if at_s >= length_s:
            break
        if regimes[k].name != moments[-1][1]:
            moments.append((at_s, regimes[k].name))
    return tuple(moments)
