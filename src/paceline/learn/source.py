"""Where parent orders to learn from come from: recorded days, or simulated markets.

Days are told apart by date: those of validation come after those of training, and no day is both.
The first training day of a symbol only teaches what is usual, for none teaches it.
Simulated markets have no days; their training and validation are other seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from paceline.env.days import AnyPool
from paceline.env.episodes import EpisodeSettings, Pool
from paceline.env.history import taught_days
from paceline.env.simulated_pool import SimulatedPool
from paceline.errors import ConfigError
from paceline.market.days import within
from paceline.market.tape import Tape

_VALIDATION = 1 << 20
"""Seeds of validation lie so far behind those of training."""
SEEDS = ("seeds", "seeds of validation")
"""In `Source.told`: of the simulated markets that teachers were logged on, and of those that
policies were judged on, FIRST..LAST. Learning by working draws markets by other numbers."""


class Source(NamedTuple):
    """Orders to train on, orders to validate on, and what they are made of."""

    train: AnyPool
    validation: AnyPool
    last_training_day: str
    told: dict[str, str]
    """Name of a day or market -> its hash or settings."""
    markets: SimulatedPool | None = None
    """Simulated markets to train on before `train`."""


def recorded(
    tapes: Sequence[Tape], train: str, validation: str, orders: EpisodeSettings, seed: int
) -> Source:
    """Orders on `tapes`: of days in `train` and in `validation`, each FROM..TO.

    Raises `ConfigError` for days that are none, or not in this order.
    """
    whole = [tape for tape in tapes if not tape.manifest.quality.short_session]
    first, then = within(whole, train, "data.train"), within(whole, validation, "data.validation")
    last, begins = max(t.session.day for t in first), min(t.session.day for t in then)
    if last >= begins:
        raise ConfigError(
            f"data.validation: {begins} is not after the last day of training, {last}; give later "
            "days"
        )
    worked = taught_days(first, first)
    if not worked:
        raise ConfigError(
            f"data.train: {train} has one day of each symbol, and the first only teaches; give more"
        )
    return Source(
        Pool(worked, orders, seed=seed, taught_by=first),
        Pool(then, orders, seed=seed + _VALIDATION, taught_by=first),
        last,
        {tape.name: tape.identity for tape in (*first, *then)},
    )


def simulated(
    markets: Sequence[str], regimes: Sequence[str], orders: EpisodeSettings, seed: int
) -> Source:
    """Orders in simulated `markets`, each order in one of its own."""
    train = in_markets(markets, regimes, orders, seed)
    validation = in_markets(markets, regimes, orders, seed + _VALIDATION)
    day = max(tape.session.day for tape in train.tapes)
    return Source(train, validation, day, told_of(train))


def in_markets(
    markets: Sequence[str], regimes: Sequence[str], orders: EpisodeSettings, seed: int
) -> SimulatedPool:
    """A pool of simulated `markets` in `regimes`, all as likely."""
    return SimulatedPool(list(markets), orders, seed=seed, regimes=dict.fromkeys(regimes, 1.0))


def seeds_told(seed: int, logs: int) -> dict[str, str]:
    """Of a run with this seed, whose log has so many parts."""
    first = seed + _VALIDATION
    return dict(zip(SEEDS, (f"{seed}..{seed + logs - 1}", f"{first}..{first}"), strict=True))


def told_of(pool: SimulatedPool) -> dict[str, str]:
    """Each market of a pool, by number, symbol and regime -> its hash."""
    markets = zip(pool.tapes, pool.moods, strict=True)
    return {
        " ".join([f"market {k}:", tape.instrument.symbol, mood]).strip(): tape.identity
        for k, (tape, mood) in enumerate(markets)
    }
