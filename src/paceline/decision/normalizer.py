"""Normalising: every feature to a like scale, by what earlier days were like.

    normalizer = Normalizer("2024-03-28", half_life_days=20)
    normalizer.partial_fit(rows, "2024-03-27")      # [n, N_FEATURES], day by day
    locked = normalizer.locked()                    # for training, backtest and serving alike
    normalize(locked, rows, out)

The centre is a mean, the scale a mean absolute deviation, both decayed exponentially: a day counts
half as much once `half_life_days` have passed. Neither is moved far by few values, as features are
bounded by their ranges, and mostly logarithms; of a deviation that is not squared, a fifth of a
percent of outliers makes the better measure of scale (Tukey, 1960, "A survey of sampling from
contaminated distributions"). Quantiles would be more robust still, but many features stand at one
value most of the time (a spread of one step, nothing that works), and of those the interquartile
range is 0.

Rows whose regime is known are normalised by the days' rows of that regime, where there were enough.
A value that is missing is 0 afterwards and moves nothing. Flags and the weights of regimes pass
unchanged.
"""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.decision.schema import (
    FEATURES,
    N_FEATURES,
    N_VALUES,
    NAMES,
    check_schema,
    flags,
    ranges,
    schema_hash,
)
from paceline.decision.state import REGIMES
from paceline.errors import ConfigError, InputError
from paceline.files.sealing import Kind, content_as, read_text, seal, unseal
from paceline.files.writing import write_file
from paceline.jit import inlined, kernel

NORMALIZER = Kind("normaliser", 2, "fit and save one")

EVERY = REGIMES
"""The bucket of rows of all regimes together."""

CLIP = 8.0
"""Furthest from 0 that a normalised value lies."""

_FINEST = 1e-3
"""Least scale of a feature that moves, as a share of its range."""

_NORMAL = math.sqrt(math.pi / 2)
"""Standard deviations to a mean absolute deviation, of a normal distribution."""

_REGIME = NAMES.index("regime_0")
_FLAGS = flags()
_PASSES = np.array([one.name.startswith("regime_") for one in FEATURES])


class Locked(NamedTuple):
    """Centres and scales that do not change any more, a row for each regime and one for all."""

    centre: NDArray[np.float64]  # [REGIMES + 1, N_VALUES]
    scale: NDArray[np.float64]  # [REGIMES + 1, N_VALUES]


class Statistics(NamedTuple):
    """What was counted: `[REGIMES + 1, N_VALUES]` each."""

    weight: NDArray[np.float64]  # rows, older ones by their decayed weight
    centre: NDArray[np.float64]
    away: NDArray[np.float64]  # sum of weights times distances from the centre


class _Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A normaliser as a file keeps it."""

    schema: str
    last_training_day: str
    half_life_days: float
    least_rows: float
    days: list[str]
    weight: list[list[float]]
    centre: list[list[float]]
    away: list[list[float]]


class Normalizer:
    """Learns centres and scales, day by day, up to the last day of training and no further."""

    def __init__(
        self, last_training_day: str, *, half_life_days: float = 20.0, least_rows: float = 1000.0
    ) -> None:
        """`last_training_day` is YYYY-MM-DD. Below `least_rows` of a feature in a regime, rows of
        that regime are normalised by those of all.

        Raises `ConfigError` for a date that is none, or numbers that are not positive."""
        _date(last_training_day, "last_training_day")
        for name, given in (("half_life_days", half_life_days), ("least_rows", least_rows)):
            if not 0.0 < given < math.inf:
                raise ConfigError(f"{name}: {given!r} is not positive; give a number above 0")
        self.last_training_day = last_training_day
        self.half_life_days, self.least_rows = float(half_life_days), float(least_rows)
        self.days: list[str] = []
        """Days that were fitted on, in order."""
        self.statistics = Statistics(*(np.zeros((REGIMES + 1, N_VALUES)) for _ in range(3)))

    def partial_fit(self, rows: NDArray[np.float32], day: str) -> Normalizer:
        """Learn from more `rows` `[n, N_FEATURES]` of `day`; days are given in order.

        Raises `InputError` for rows of another shape or that are not finite, for a day after the
        last training day, and for one before a day that was given already."""
        rows = _checked(rows)
        if not np.isfinite(rows).all():
            raise InputError("rows: hold NaN or infinity; give what `features` wrote")
        at = _date(day, "day")
        if day > self.last_training_day:
            raise InputError(
                f"day: {day} is after the last training day {self.last_training_day}; "
                "fit on days of training only"
            )
        last = self.days[-1] if self.days else day
        if day < last:
            raise InputError(f"day: {day} is before {last}, which was fitted; give days in order")
        if day != last or not self.days:
            self.days.append(day)
        faded = 0.5 ** ((at - _date(last, "day")).days / self.half_life_days)
        self.statistics.weight[:] *= faded
        self.statistics.away[:] *= faded
        _learn(self.statistics, rows)
        return self

    def locked(self) -> Locked:
        """What was learnt, to normalise with. Raises `InputError` if that is nothing."""
        weight, centre, away = self.statistics
        if not self.days:
            raise InputError("normalizer: it was fitted on nothing; call partial_fit first")
        own = weight >= self.least_rows
        own[EVERY] = True
        spread = np.diff(ranges(), axis=1)[:, 0]
        scale = np.maximum(_NORMAL * away / np.where(weight > 0, weight, 1.0), _FINEST * spread)
        scale = np.where(away > 0.0, scale, 1.0)  # it never moved: no unit to measure it in
        centre, scale = (np.where(own, table, table[EVERY]) for table in (centre, scale))
        centre[:, _PASSES], scale[:, _PASSES] = 0.0, 1.0
        return Locked(np.ascontiguousarray(centre), np.ascontiguousarray(scale))

    def save(self, path: str | Path) -> Path:
        """Write what was learnt, and the hash of the schema, as JSON."""
        kept = _Saved(
            schema=schema_hash(),
            last_training_day=self.last_training_day,
            half_life_days=self.half_life_days,
            least_rows=self.least_rows,
            days=self.days,
            **{name: table.tolist() for name, table in self.statistics._asdict().items()},
        )
        return write_file(path, seal(NORMALIZER, kept))

    @classmethod
    def load(cls, path: str | Path) -> Normalizer:
        """A normaliser that was saved, to the last bit.

        Raises `InputError` if it is no normaliser, cannot be read, or is of another schema."""
        return cls.read(read_text(path, NORMALIZER), path)

    @classmethod
    def read(cls, text: bytes, path: str | Path) -> Normalizer:
        """A normaliser from the content of the file at `path`. Raises as `load` does."""
        kept = content_as(unseal(text, NORMALIZER, path), NORMALIZER, _Saved, path)
        check_schema(kept.schema, str(path))
        made = cls(
            kept.last_training_day, half_life_days=kept.half_life_days, least_rows=kept.least_rows
        )
        made.days = kept.days
        for table, numbers in zip(
            made.statistics, (kept.weight, kept.centre, kept.away), strict=True
        ):
            if [len(row) for row in numbers] != [N_VALUES] * (REGIMES + 1):
                raise InputError(f"{path}: its tables have another shape; fit and save it again")
            table[:] = numbers
            if not np.isfinite(table).all():
                raise InputError(f"{path}: its tables hold infinity; fit and save it again")
        if (made.statistics.weight < 0).any() or (made.statistics.away < 0).any():
            raise InputError(f"{path}: its weights are below 0; fit and save it again")
        return made


def normalized(locked: Locked, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """`rows` `[n, N_FEATURES]` normalised. Raises `InputError` for another shape."""
    rows = _checked(rows)
    out = np.empty_like(rows)
    normalize(locked, rows, out)
    return out


@kernel
def normalize(locked: Locked, rows: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write `rows` `[n, N_FEATURES]`, normalised, into `out`, which may be `rows`."""
    for i in range(len(rows)):
        bucket = _bucket(rows[i])
        for k in range(N_VALUES):
            value = (float(rows[i, k]) - locked.centre[bucket, k]) / locked.scale[bucket, k]
            missing = _FLAGS[k] >= 0 and rows[i, _FLAGS[k]] > 0.0
            out[i, k] = 0.0 if missing else min(max(value, -CLIP), CLIP)
        for k in range(N_VALUES, N_FEATURES):
            out[i, k] = rows[i, k]


@kernel
def _learn(known: Statistics, rows: NDArray[np.float32]) -> None:
    """Row by row, so that parts of a day say what the day says."""
    for i in range(len(rows)):
        bucket = _bucket(rows[i])
        for k in range(N_VALUES):
            if _FLAGS[k] >= 0 and rows[i, _FLAGS[k]] > 0.0:
                continue
            _count(known, EVERY, k, float(rows[i, k]))
            if bucket != EVERY:
                _count(known, bucket, k, float(rows[i, k]))


@inlined
def _count(known: Statistics, bucket: int, k: int, value: float) -> None:
    away = value - known.centre[bucket, k]
    if known.weight[bucket, k] > 0.0:
        known.away[bucket, k] += abs(away)
    known.weight[bucket, k] += 1.0
    known.centre[bucket, k] += away / known.weight[bucket, k]


@inlined
def _bucket(row: NDArray[np.float32]) -> int:
    """The regime that a row is in: the heaviest one; EVERY where regimes are not known."""
    if row[_FLAGS[_REGIME]] > 0.0:
        return EVERY
    found = 0
    for k in range(1, REGIMES):
        if row[_REGIME + k] > row[_REGIME + found]:
            found = k
    return found


def _checked(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = np.ascontiguousarray(rows, np.float32)
    if rows.ndim != 2 or rows.shape[1] != N_FEATURES:
        raise InputError(f"rows: are {list(rows.shape)}; give [n, {N_FEATURES}]")
    return rows


def _date(text: str, name: str) -> date:
    try:
        found = date.fromisoformat(text)
    except (TypeError, ValueError):
        found = date.min
    if found.isoformat() != text:  # 20240328 is a date, too, but days are compared as text
        raise ConfigError(f"{name}: {text!r} is not a date; write YYYY-MM-DD")
    return found
