"""The realism scorecard: a simulated market held against recorded days of one symbol.

    card = score(settings, tapes, seed=1)
    card.passed, card.median_l1, card.median_wasserstein

Three questions. Does a simulated day look like a recorded one (16 distributions, in units of what
recorded days differ among themselves)? Does it behave as markets do (11 facts)? Does it answer to
events, and to our own orders, as markets do? The same settings, tapes and seed give the same card.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np

from paceline import __version__
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.errors import InputError
from paceline.market.grids import on_one_grid
from paceline.market.tape import Tape
from paceline.realism import periods
from paceline.realism.comparison import Comparison, compare
from paceline.realism.doubt import day_errors, with_errors
from paceline.realism.facts import Fact, facts_of
from paceline.realism.metaorders import FEWEST_MARKETS, Impact, measure_impact
from paceline.realism.responses import KINDS, Responses, responses
from paceline.realism.series import mids, one_sided, returns, settled_part
from paceline.realism.statistics import UNITS, statistics_of
from paceline.realism.threads import on_all

FEWEST_SIMULATED = 3
"""Simulated days, however few were recorded."""

Progress = Callable[[str, int, int], None]
"""Told (what, done, total)."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A fact of one market."""

    value: float
    std_error: float
    """Over days, where there are enough of them; else that of the formula."""
    n: int
    ok: bool
    """Whether the value is in the range. One that is not known is not."""


class FactScore(msgspec.Struct, frozen=True, kw_only=True):
    """A fact of both markets."""

    name: str
    says: str
    low: float
    high: float
    """Infinite where the range has no upper end."""
    source: str
    recorded: Measured
    simulated: Measured


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How the mid answers to one kind of event, in ticks, at `Scorecard.lags`."""

    kind: str
    recorded: list[float]
    recorded_error: list[float]
    simulated: list[float]
    simulated_error: list[float]
    recorded_n: int
    """Events."""
    simulated_n: int


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of market that counts as one."""

    name: str
    events: int
    one_sided: float
    """Share of its time during which a side of the book shows nothing."""
    moved: float
    """How far the mid ended from where it began, once settled, as a logarithm."""
    tape_id: str


class Scorecard(msgspec.Struct, frozen=True, kw_only=True):
    """What `score` found. NaN where something is not known (null in JSON)."""

    version: str
    symbol: str
    market: str
    """What the simulated market is called."""
    settings: dict[str, Any]
    """Its settings."""
    seed: int
    unit: str
    """What is held against what: `day`, or `half day` where only one day was recorded."""
    recorded: list[Period]
    simulated: list[Period]
    statistics: list[Comparison]
    facts: list[FactScore]
    lags: list[int]
    """Events at the touch after which the mid is looked at."""
    answers: list[Answer]
    passed: int
    """Facts that the simulated market passes."""
    recorded_passed: int
    median_l1: float
    """Median over statistics of distance by yardstick."""
    median_wasserstein: float
    impact: Impact | None
    """What our own large orders do; None where none were worked."""


def score(
    settings: MarketSettings,
    tapes: Sequence[Tape],
    *,
    days: int | None = None,
    seed: int = 1,
    market: str = "",
    markets: int = 200,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Scorecard:
    """Simulate `days` (as many as recorded, and `FEWEST_SIMULATED` at least) and hold them against
    `tapes`.

    `market`: a name for the settings. `markets`: in how many of them our own large orders are
    worked; 0 leaves that out. Raises `InputError` for tapes that cannot be scored together
    (see `periods.check`), for `days` or `jobs` below 1, and for a seed that is none.
    """
    periods.check(tapes)
    wanted = max(len(tapes), FEWEST_SIMULATED) if days is None else days
    if wanted < 1:
        raise InputError(f"days: {wanted} is too few; simulate 1 or more")
    if 0 != markets < FEWEST_MARKETS:
        raise InputError(
            f"markets: {markets} are too few for a mean; give {FEWEST_MARKETS} or more, or 0"
        )
    tell = progress or (lambda what, done, total: None)
    dates = simulated_dates([tape.session.day for tape in tapes], wanted)
    simulated = on_all(
        lambda day: simulate_day(settings, day, seed), dates, jobs,
        lambda done: tell("days simulated", done, wanted),
    )  # fmt: skip
    for tape in simulated:
        if np.isfinite(mids(tape, 60.0)).sum() < 2:
            raise InputError(
                f"market: {market or settings.symbol} shows no two sides on {tape.session.day}; "
                "nothing of it can be held against the record"
            )
    impact = None
    if markets:
        impact = measure_impact(
            settings, dates[0], markets=markets, seed=seed, progress=progress, jobs=jobs
        )
    return compare_days(
        tapes,
        simulated,
        impact=impact,
        settings=msgspec.to_builtins(settings),
        market=market or settings.symbol,
        seed=seed,
        progress=progress,
    )


def simulated_dates(recorded: Sequence[str], n: int) -> list[str]:
    """`n` dates to simulate: those recorded, then the weekdays that follow. Each is a stream of
    random numbers of its own."""
    dates = sorted(recorded)[:n]
    last = date.fromisoformat(dates[-1])
    while len(dates) < n:
        last += timedelta(days=1)
        if last.weekday() < 5:
            dates.append(last.isoformat())
    return dates


def compare_days(
    recorded: Sequence[Tape],
    simulated: Sequence[Tape],
    *,
    settings: dict[str, Any] | None = None,
    market: str = "",
    seed: int = 1,
    impact: Impact | None = None,
    progress: Progress | None = None,
) -> Scorecard:
    """The scorecard of days that are there already, by the symbol of the first recorded one."""
    periods.check(recorded)
    recorded = on_one_grid(recorded)
    tell = progress or (lambda what, done, total: None)
    alone = len(recorded) == 1
    ours, theirs = (
        [half for tape in tapes for half in periods.halves_of(tape)] if alone else list(tapes)
        for tapes in (recorded, simulated)
    )
    statistics = _statistics(ours, theirs, seed, tell)
    tell("facts", 0, 2)
    facts = _facts(recorded, simulated)
    tell("responses", 1, 2)
    answered = responses(recorded), responses(simulated)
    return Scorecard(
        version=__version__,
        symbol=recorded[0].instrument.symbol,
        market=market,
        settings=settings or {},
        seed=seed,
        unit="half day" if alone else "day",
        recorded=[_period(tape) for tape in ours],
        simulated=[_period(tape) for tape in theirs],
        statistics=statistics,
        facts=facts,
        lags=answered[0].lags.tolist(),
        answers=_answers(*answered),
        passed=sum(fact.simulated.ok for fact in facts),
        recorded_passed=sum(fact.recorded.ok for fact in facts),
        median_l1=_median([one.l1.ratio for one in statistics]),
        median_wasserstein=_median([one.wasserstein.ratio for one in statistics]),
        impact=impact,
    )


def _period(tape: Tape) -> Period:
    part = settled_part(tape)
    return Period(
        name=periods.named(tape),
        events=part.stop - part.first,
        one_sided=one_sided(tape),
        moved=float(np.nansum(returns(tape, 60.0))),
        tape_id=tape.manifest.tape_id,
    )


def _statistics(
    ours: Sequence[Tape], theirs: Sequence[Tape], seed: int, tell: Progress
) -> list[Comparison]:
    total = len(ours) + len(theirs)
    seen = []
    for k, tape in enumerate([*ours, *theirs]):
        tell("days measured", k, total)
        seen.append(statistics_of(tape))
    found = []
    for k, (name, unit) in enumerate(UNITS.items()):
        tell("statistics compared", k, len(UNITS))
        of = [one[name] for one in seen]
        found.append(compare(name, unit, of[: len(ours)], of[len(ours) :], seed))
    return found


def _facts(recorded: Sequence[Tape], simulated: Sequence[Tape]) -> list[FactScore]:
    ours, theirs = (
        with_errors(facts_of(tapes), day_errors(tapes)) for tapes in (recorded, simulated)
    )
    return [
        FactScore(
            name=real.name,
            says=real.says,
            low=real.low,
            high=real.high,
            source=real.source,
            recorded=_measured(real),
            simulated=_measured(made),
        )
        for real, made in zip(ours, theirs, strict=True)
    ]


def _measured(fact: Fact) -> Measured:
    return Measured(
        value=float(fact.value), std_error=float(fact.std_error), n=int(fact.n), ok=bool(fact.ok)
    )


def _answers(recorded: Responses, simulated: Responses) -> list[Answer]:
    return [
        Answer(
            kind=kind,
            recorded=recorded.value[k].tolist(),
            recorded_error=recorded.std_error[k].tolist(),
            simulated=simulated.value[k].tolist(),
            simulated_error=simulated.std_error[k].tolist(),
            recorded_n=int(recorded.n[k].max(initial=0)),
            simulated_n=int(simulated.n[k].max(initial=0)),
        )
        for k, kind in enumerate(KINDS)
    ]


def _median(ratios: Sequence[float]) -> float:
    """Median of the ratios that are known; an infinite one is the largest."""
    known = [ratio for ratio in ratios if not np.isnan(ratio)]
    return float(np.median(known)) if known else float("nan")


def to_json(card: Scorecard) -> str:
    """`card` as JSON. What is not known is null, and so is an upper end that is not there."""
    return msgspec.json.format(msgspec.json.encode(card), indent=2).decode() + "\n"


def from_json(text: str | bytes) -> Scorecard:
    """The card that `to_json` wrote. Raises `InputError` for anything else."""
    try:
        return msgspec.convert(_known(msgspec.json.decode(text)), Scorecard)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InputError(f"scorecard: is none ({error}); give a scorecard.json") from None


_OPTIONAL = ("shape", "impact")
"""Where null says that there is none."""


def _known(value: Any, key: str = "") -> Any:
    """`value` with a number in the place of each null."""
    if isinstance(value, dict):
        return {
            name: one
            if name == "settings" or (one is None and name in _OPTIONAL)
            else _known(one, name)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_known(one) for one in value]
    if value is None:
        return float("inf") if key == "high" else float("nan")
    return value
