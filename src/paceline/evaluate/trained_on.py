"""What a trained policy has seen, by the `data` of its manifest: recorded days, simulated markets
and the seeds of their orders.

    seen = trained_on(manifest.data)
    seen.check("out/run", pool, range(3, 6))        # refuses days and seeds that it knows
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from paceline.env.days import AnyPool
from paceline.env.simulated_pool import SimulatedPool
from paceline.errors import CheckpointError, ConfigError
from paceline.learn.source import SEEDS
from paceline.market.days import day_in

_MARKET = re.compile(r"market \d+: (.+)")
_SEEDS = re.compile(r"(\d+)\.\.(\d+)")


class TrainedOn(NamedTuple):
    """The entries of `data`, told apart; what is of no market (the replay) is left out."""

    days: dict[str, list[str]]
    """Symbol -> its recorded days, of training and of validation, in order."""
    markets: list[str]
    """Simulated markets: symbol and regime of each."""
    seeds: tuple[range, ...]
    """Of the orders in simulated markets; empty where that is not known."""

    @property
    def n_days(self) -> int:
        """Recorded days, each of a name."""
        return sum(map(len, self.days.values()))

    def check(self, name: str, pool: AnyPool, seeds: range) -> None:
        """Raises `ConfigError` unless all days of `pool` are after those that the policy `name` has
        seen; of simulated markets, unless none of `seeds` is one that it has seen."""
        if isinstance(pool, SimulatedPool):
            for known in self.seeds:
                again = [seed for seed in seeds if seed in known]
                if again:
                    raise ConfigError(
                        f"policies: {name} was trained or validated on markets of seeds {known[0]} "
                        f"to {known[-1]}, and seed {again[0]} is compared; give a --seed above "
                        f"{known[-1]}"
                    )
            return
        seen = [day for days in self.days.values() for day in days]
        first = min(tape.session.day for tape in pool.tapes)
        if seen and first <= max(seen):
            raise ConfigError(
                f"policies: {name} was trained or validated on days up to {max(seen)}, and "
                f"{first} is compared; compare on days after {max(seen)}"
            )


def trained_on(data: Mapping[str, str]) -> TrainedOn:
    """The entries of a manifest's `data`. Raises `CheckpointError` for seeds that are none."""
    days: dict[str, list[str]] = {}
    for name in sorted(data):
        if (day := day_in(name)) is not None:
            days.setdefault(name.removesuffix(f"-{day}"), []).append(day)
    markets = [found[1] for name in data if (found := _MARKET.fullmatch(name))]
    return TrainedOn(days, markets, tuple(_range(data[name]) for name in SEEDS if name in data))


def _range(text: str) -> range:
    ends = _SEEDS.fullmatch(text)
    if ends is None:
        raise CheckpointError(f"data.{SEEDS[0]}: {text!r} is no FROM..TO; train again")
    return range(int(ends[1]), int(ends[2]) + 1)
