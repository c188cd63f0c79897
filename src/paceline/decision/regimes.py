"""Regimes: what sort of market it is now, by volatility, volume, spread and depth.

    model = LiquidityRegimes("2024-03-28", 4).fit(rows, days)  # rows of features, days of training
    model.names                        # ("calm and deep", ..., "volatile and thin")
    model.weights(row)                 # [REGIMES], their sum is 1; NaN if an input is missing

A mixture of normal distributions with diagonal covariances is fitted once, and then it is a table
of numbers: weights are its posterior probabilities (Bishop, 2006, "Pattern Recognition and Machine
Learning", 9.2.2), worked out in one kernel for training and live. Its inputs are features of the
last five minutes and of the book as it is, so it knows the past only.

`Regimes` is what any other model has to offer, such as an embedding of a graph of correlations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.decision.schema import FEATURES, N_FEATURES, NAMES, check_schema, flags, schema_hash
from paceline.decision.state import DEPTH, REGIMES, State
from paceline.errors import ConfigError, InputError
from paceline.files.sealing import Kind, read_sealed, seal
from paceline.files.writing import write_file
from paceline.jit import kernel

INPUTS = ("volatility", "volume", "spread", "depth")
"""What a regime is told by. Depth is the mean log size of all levels that are shown."""

_WORDS = {
    "volatility": ("calm", "volatile"), "volume": ("quiet", "busy"),
    "spread": ("tight", "wide"), "depth": ("thin", "deep"),
}  # fmt: skip
REGIMES_FILE = Kind("regimes", 2, "fit and save them")

_CLEARLY = 0.5
"""Standard deviations from the mean of all rows from which a centre gets a word."""

_FLAGS = flags()
_VOLATILITY, _VOLUME, _SPREAD = (
    NAMES.index(name) for name in ("volatility_300s", "volume_300s", "spread")
)
_SIZES = np.array([k for k, one in enumerate(FEATURES) if one.name.endswith("_size")][: 2 * DEPTH])
_FIRST = NAMES.index("regime_0")


class Regimes(Protocol):
    """Something that tells what sort of market it is."""

    def fit(self, rows: NDArray[np.float32], days: Sequence[str]) -> Regimes:
        """Learn from `rows` `[n, N_FEATURES]` of `days` `[n]`, all of training."""

    def weights(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """`[REGIMES]` how much of each regime there is in `row` `[N_FEATURES]`; NaN: not known."""


class Mixture(NamedTuple):
    """A fitted mixture. `n` regimes, at most REGIMES."""

    centre: NDArray[np.float64]  # [n, inputs]
    precision: NDArray[np.float64]  # [n, inputs] 1 / variance
    offset: NDArray[np.float64]  # [n] log of share and of the density at the centre


class _Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fitted mixture as a file keeps it."""

    schema: str
    last_training_day: str
    seed: int
    names: list[str]
    centre: list[list[float]]
    precision: list[list[float]]
    offset: list[float]


class LiquidityRegimes:
    """Regimes of liquidity and volatility, in order of volatility."""

    def __init__(self, last_training_day: str, n: int = 4, *, seed: int = 0) -> None:
        """`n` regimes. Raises `ConfigError` if that is not 1 to REGIMES."""
        if not 1 <= n <= REGIMES:
            raise ConfigError(f"n: {n} regimes do not fit; give 1 to {REGIMES}")
        self.last_training_day, self.n, self.seed = last_training_day, n, seed
        self.names: tuple[str, ...] = ()
        """What each regime is like, from its centre."""
        self.mixture: Mixture | None = None

    def fit(self, rows: NDArray[np.float32], days: Sequence[str]) -> LiquidityRegimes:
        """Fit to those of `rows` `[n, N_FEATURES]` in which no input is missing.

        Raises `InputError` if one of `days` `[n]` is after the last day of training, or the rows
        are too few or too much alike."""
        from sklearn.mixture import GaussianMixture

        late = max(days, default="")
        if late > self.last_training_day:
            raise InputError(
                f"days: {late} is after the last training day {self.last_training_day}; "
                "fit on days of training only"
            )
        if len(days) != len(rows):
            raise InputError(f"days: are {len(days)} for {len(rows)} rows; give one for each")
        found = inputs_of(rows)
        found = found[~np.isnan(found).any(axis=1)]
        if len(np.unique(found, axis=0)) < 10 * self.n:
            raise InputError(
                f"rows: {len(found)} with all inputs are too few, or too much alike, for {self.n} "
                "regimes; give more days"
            )
        mean, spread = found.mean(axis=0), found.std(axis=0)
        spread[spread == 0.0] = 1.0
        fitted = GaussianMixture(
            self.n, covariance_type="diag", random_state=self.seed, n_init=3, max_iter=300,
            reg_covar=1e-3,
        ).fit((found - mean) / spread)  # fmt: skip
        order = np.argsort(fitted.means_[:, 0], kind="stable")
        centre, variance = fitted.means_[order], fitted.covariances_[order]
        self.names = _named(centre)
        self.mixture = Mixture(
            centre=centre * spread + mean,
            precision=1.0 / (variance * spread**2),
            offset=np.log(fitted.weights_[order]) - 0.5 * np.log(variance).sum(axis=1),
        )
        return self

    def weights(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """`[REGIMES]` posterior weights of `row` `[N_FEATURES]`, 0 for regimes that are not; NaN if
        an input is missing. Raises `InputError` before it was fitted."""
        out = np.empty(REGIMES)
        weigh(self.fitted(), row, out)
        return out

    def fitted(self) -> Mixture:
        """The mixture, for kernels. Raises `InputError` before it was fitted."""
        if self.mixture is None:
            raise InputError("regimes: they were fitted on nothing; call fit first")
        return self.mixture

    def save(self, path: str | Path) -> Path:
        """Write the mixture, and the hash of the schema, as JSON."""
        mixture = self.fitted()
        kept = _Saved(
            schema=schema_hash(),
            last_training_day=self.last_training_day,
            seed=self.seed,
            names=list(self.names),
            **{name: table.tolist() for name, table in mixture._asdict().items()},
        )
        return write_file(path, seal(REGIMES_FILE, kept))

    @classmethod
    def load(cls, path: str | Path) -> LiquidityRegimes:
        """Regimes that were saved, to the last bit.

        Raises `InputError` if they are none, cannot be read, or are of another schema."""
        kept = read_sealed(path, REGIMES_FILE, _Saved)
        check_schema(kept.schema, str(path))
        n = len(kept.names)
        made = cls(kept.last_training_day, n, seed=kept.seed)
        made.names = tuple(kept.names)
        shapes = [[len(row) for row in table] for table in (kept.centre, kept.precision)]
        if shapes != [[len(INPUTS)] * n] * 2 or len(kept.offset) != n:
            raise InputError(f"{path}: its tables have another shape; fit and save them again")
        made.mixture = Mixture(*map(np.array, (kept.centre, kept.precision, kept.offset)))
        if not all(np.isfinite(table).all() for table in made.mixture):
            raise InputError(f"{path}: its tables hold infinity; fit and save them again")
        return made


def inputs_of(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """`[n, inputs]` what regimes are told by, from rows of features; NaN where missing.

    Raises `InputError` for rows of another shape."""
    rows = np.ascontiguousarray(rows, np.float32)
    if rows.ndim != 2 or rows.shape[1] != N_FEATURES:
        raise InputError(f"rows: are {list(rows.shape)}; give [n, {N_FEATURES}]")
    out = np.empty((len(rows), len(INPUTS)))
    for row, found in zip(rows, out, strict=True):
        _look(row, found)
    return out


@kernel
def _look(row: NDArray[np.float32], out: NDArray[np.float64]) -> None:
    for at, k in enumerate((_VOLATILITY, _VOLUME, _SPREAD)):
        out[at] = row[k] if row[_FLAGS[k]] == 0.0 else np.nan
    total, levels = 0.0, 0
    for k in _SIZES:
        if row[_FLAGS[k]] == 0.0:
            total += float(row[k])
            levels += 1
    out[3] = total / levels if levels > 0 else np.nan


@kernel
def weigh(mixture: Mixture, row: NDArray[np.float32], weights: NDArray[np.float64]) -> None:
    """Write the weights `[REGIMES]` of the regimes in `row` `[N_FEATURES]`."""
    n = len(mixture.offset)
    # Room to work in: kernels take no memory, and inputs are fewer than regimes.
    seen = weights[: mixture.centre.shape[1]]
    _look(row, seen)
    volatility, volume, spread, depth = seen[0], seen[1], seen[2], seen[3]
    if math.isnan(volatility + volume + spread + depth):
        weights[:] = np.nan
        return
    highest = -np.inf
    for k in range(n):
        centre, precision = mixture.centre[k], mixture.precision[k]
        far = (
            precision[0] * (volatility - centre[0]) ** 2
            + precision[1] * (volume - centre[1]) ** 2
            + precision[2] * (spread - centre[2]) ** 2
            + precision[3] * (depth - centre[3]) ** 2
        )
        weights[k] = mixture.offset[k] - 0.5 * far
        highest = max(highest, weights[k])
    weights[n:] = -np.inf
    total = 0.0
    for k in range(REGIMES):
        weights[k] = math.exp(weights[k] - highest)
        total += weights[k]
    for k in range(REGIMES):
        weights[k] /= total


@kernel
def tell_regimes(mixture: Mixture, state: State, row: NDArray[np.float32]) -> None:
    """Tell a state its regimes, and `row`, the features that were just made of it, too."""
    told = state.context[0]["regimes"]
    weigh(mixture, row, told)
    for k in range(REGIMES):
        known = not math.isnan(told[k])
        row[_FIRST + k] = told[k] if known else 0.0
        row[_FLAGS[_FIRST + k]] = 0.0 if known else 1.0


def _named(centres: NDArray[np.float64]) -> tuple[str, ...]:
    """Words for `centres` `[n, inputs]` in standard deviations; no two regimes are called alike."""
    names: list[str] = []
    for centre in centres:
        words = [
            _WORDS[what][int(at > 0)]
            for what, at in zip(INPUTS, centre, strict=True)
            if abs(at) >= _CLEARLY
        ]
        *first, last = words or ["usual"]
        name = f"{', '.join(first)} and {last}" if first else last
        alike = sum(other.partition(" (")[0] == name for other in names)
        names.append(f"{name} ({alike + 1})" if alike else name)
    return tuple(names)
