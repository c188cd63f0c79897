"""Scenarios on a simulated market: the same one, with regimes and a sequence that make them.

    settings = stress_market(MarketSettings(), scenario("crash"))

Volatility is a clock that is k squared as fast, since a diffusion moves as the root of time. Wider
spreads stretch all distances between orders. A thin book is one of smaller orders. A crash pulls
the price along a line, a halt is a regime in which nothing happens and after which one begins with
a jump. Falls are shares of the start price. Delays are put on the venue, by `on_venue`.
"""

from __future__ import annotations

import math

import msgspec

from paceline.engine.market_settings import MarketSettings
from paceline.engine.regimes import Regime, lasting, named, together
from paceline.errors import ConfigError
from paceline.stress.parts import (
    Crash,
    Depth,
    FlashCrash,
    Halt,
    Latency,
    OneSided,
    Part,
    Spread,
    StaleFeed,
    Volatility,
)
from paceline.stress.scenario import Scenario

_Spell = tuple[float, float, Regime]
"""(from, until, what it is like meanwhile), seconds after the open."""


def stress_market(settings: MarketSettings, scenario: Scenario) -> MarketSettings:
    """`settings` as they are under `scenario`. A chain of regimes is drawn once, by its seed.

    Raises `ConfigError` for a part that misses the session, or a market that cannot take it.
    """
    length_s = settings.close_s - settings.open_s
    for part in scenario.parts:
        if part.start_s >= length_s:
            raise ConfigError(
                f"start_s: {part.start_s:g} s is not in the session, which lasts {length_s:g} s; "
                "count from the open"
            )
    spells = [spell for part in scenario.parts for spell in _spells(part, settings)]
    if not spells:
        return settings
    plain = settings.in_sequence(scenario.seed)
    base = lasting(plain.moods, plain.sequence or ((0.0, plain.moods[0].name),), length_s)
    edges = {0.0, *(at for at, _, _ in base), *(at for spell in spells for at in spell[:2])}
    moods: list[Regime] = []
    sequence: list[tuple[float, str]] = []
    owed = 0  # gaps of halts that end within another
    for at_s in sorted(edge for edge in edges if edge < length_s):
        own = next(name for begin, name, until in base if begin <= at_s < until)
        mood = named(plain.moods, own, "regime").held()
        if all(begin != at_s for begin, _, _ in base):
            mood = msgspec.structs.replace(mood, gap_ticks=0)  # it has had its jump
        active = [mood for begin, until, mood in spells if begin <= at_s < until]
        gaps = sum(mood.gap_ticks for begin, _, mood in spells if begin == at_s)
        name = f"{own} {at_s:g}"
        both = together(name, [mood, *(msgspec.structs.replace(m, gap_ticks=0) for m in active)])
        owed += both.gap_ticks + gaps
        if both.halted:
            if moods and moods[-1].halted:
                continue
            both = msgspec.structs.replace(both, gap_ticks=0)
        else:
            both, owed = msgspec.structs.replace(both, gap_ticks=owed), 0
        moods.append(both)
        sequence.append((at_s, name))
    return msgspec.structs.replace(settings, regimes=tuple(moods), sequence=tuple(sequence))


def _spells(part: Part, settings: MarketSettings) -> list[_Spell]:
    begin, until = part.start_s, part.until_s
    start = settings.start_ticks()
    match part:
        case Volatility():
            mood = Regime(name="volatility", speed=part.times**2)
        case Crash():
            mood = _falling(part.fall * start, until - begin)
        case FlashCrash():
            back = _falling(-part.fall * part.recovers * start, part.recovery_s)
            down = _falling(part.fall * start, until - begin)
            return [(begin, until, down), (until, until + part.recovery_s, back)]
        case Spread():
            mood = Regime(name="spread", spread=part.times)
        case Depth():
            mood = Regime(name="depth", size=part.share)
        case OneSided():
            more, less = _sides(part, settings)
            sells = part.side == "sell"
            mood = Regime(
                name="one-sided", sells=more if sells else less, buys=less if sells else more
            )
        case Halt():
            gap = Regime(name="gap", gap_ticks=round(part.gap * start))
            return [(begin, until, Regime(name="halt", halted=True)), (until, math.inf, gap)]
        case Latency() | StaleFeed():
            return []
        case _:
            raise AssertionError(part)
    return [(begin, until, mood)]


def _falling(ticks: float, length_s: float) -> Regime:
    return Regime(name="drift", drift_ticks_per_s=-ticks / length_s)


def _sides(part: OneSided, settings: MarketSettings) -> tuple[float, float]:
    """Multiples of the market orders of the side in a hurry and of the other, with as many in
    all."""
    mine, other = settings.market_sell_per_s, settings.market_buy_per_s
    if part.side == "buy":
        mine, other = other, mine
    total = mine + other
    share = max(part.share, mine / total if total else 0.0)
    if mine == 0.0:
        raise ConfigError(f"one_sided.side: nobody is there to {part.side} at market; raise its "
                          "rate")  # fmt: skip
    return share * total / mine, (1 - share) * total / other if other else 1.0
