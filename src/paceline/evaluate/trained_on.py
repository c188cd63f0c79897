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
from paceline.env.simulated_pool import DAY, SimulatedPool
from paceline.errors import CheckpointError, ConfigError

_TAPE = re.compile(r"(.+)-(\d{4}-\d\d-\d\d)")
_SEEDS = re.compile(r"(\d+)\.\.(\d+)")


class TrainedOn(NamedTuple):
    """The entries of `data`, told apart; what is of no market (the replay) is left out."""

    days: dict[str, list[str]]
    """Symbol -> its recorded days, of training and of validation, in order."""
    markets: list[str]
    """Names of simulated markets."""
    seeds: range
    """Of the orders in simulated markets; empty where that is not known."""
    hashes: dict[str, str]
    """Name of each day and market -> its hash."""

    @property
    def n_days(self) -> int:
        """Recorded days, each of a name."""
        return sum(map(len, self.days.values()))

    def check(self, name: str, pool: AnyPool, seeds: range) -> None:
        """Raises `ConfigError` unless all days of `pool` are after those that the policy `name` has
        seen; of simulated markets, unless none of `seeds` is one that it has seen."""
        if isinstance(pool, SimulatedPool):
            known = [seed for seed in seeds if seed in self.seeds]
            if known:
                raise ConfigError(
                    f"policies: {name} was trained on markets of seeds {self.seeds[0]} to "
                    f"{self.seeds[-1]}, and seed {known[0]} is compared; compare with a --seed "
                    f"above {self.seeds[-1]}"
                )
            return
        # Such a tape of the day of simulated markets is known by its hash.
        again = [t.session.day for t in pool.tapes if self.hashes.get(t.name) == t.manifest.tape_id]
        seen = [*(day for days in self.days.values() for day in days), *again]
        first = min(tape.session.day for tape in pool.tapes)
        if seen and first <= max(seen):
            raise ConfigError(
                f"policies: {name} was trained or validated on days up to {max(seen)}, and "
                f"{first} is compared; compare on days after {max(seen)}"
            )


def trained_on(data: Mapping[str, str]) -> TrainedOn:
    """The entries of a manifest's `data`. Raises `CheckpointError` for seeds that are none.

    A simulated market is called by its symbol and the one day that all of them have. A recorded day
    of that date is taken for one, and told by its hash only."""
    days: dict[str, list[str]] = {}
    markets, hashes = list[str](), dict[str, str]()
    for name in sorted(data):
        found = _TAPE.fullmatch(name)
        if found is None:
            continue
        hashes[name] = data[name]
        if found[2] == DAY:
            markets.append(found[1])
        else:
            days.setdefault(found[1], []).append(found[2])
    seeds = range(0)
    if (text := data.get("seeds")) is not None:
        ends = _SEEDS.fullmatch(text)
        if ends is None:
            raise CheckpointError(f"data.seeds: {text!r} is no FROM..TO; train again")
        seeds = range(int(ends[1]), int(ends[2]) + 1)
    return TrainedOn(days, markets, seeds, hashes)
