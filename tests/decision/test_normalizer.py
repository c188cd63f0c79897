"""Normalising against a slow twin; what is missing, late, or of another schema."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from decision.rows import FLAGS, REGIME, random_rows
from paceline.decision.normalizer import (
    CLIP,
    EVERY,
    NORMALIZER,
    Normalizer,
    normalize,
    normalized,
)
from paceline.decision.schema import FEATURES, N_FEATURES, N_VALUES, NAMES
from paceline.decision.state import REGIMES
from paceline.errors import ConfigError, InputError
from paceline.files.sealing import seal

LAST = "2024-03-28"
DAYS = ("2024-03-04", "2024-03-05", "2024-03-11")
REGIMES_AT = slice(REGIME, REGIME + REGIMES)


def fitted(parts: int = 1, missing: float = 0.2) -> Normalizer:
    made = Normalizer(LAST, half_life_days=5, least_rows=20)
    for k, day in enumerate(DAYS):
        for part in np.array_split(random_rows(150, k, missing), parts):
            made.partial_fit(part, day)
    return made


def bucket(row: NDArray[np.float32]) -> int:
    return EVERY if row[FLAGS[REGIME]] else int(np.argmax(row[REGIMES_AT]))


def twin() -> dict[tuple[int, int], tuple[float, float, float]]:
    """Weight, centre and mean distance of (bucket, feature), from lists of weighted numbers."""
    rows = [(day, row) for k, day in enumerate(DAYS) for row in random_rows(150, k)]
    last = date.fromisoformat(DAYS[-1])
    found = {}
    for b in range(REGIMES + 1):
        for k in range(N_VALUES):
            past: list[tuple[float, float]] = []
            weights = away = 0.0
            for day, row in rows:
                if b not in (EVERY, bucket(row)) or (FLAGS[k] >= 0 and row[FLAGS[k]]):
                    continue
                # Days that are over count less; relative to today all that matters is their ratio.
                weight = 0.5 ** ((last - date.fromisoformat(day)).days / 5)
                value = float(row[k])
                if past:
                    mean = math.fsum(w * v for w, v in past) / math.fsum(w for w, _ in past)
                    away += weight * abs(value - mean)
                past.append((weight, value))
                weights += weight
            if past:
                mean = math.fsum(w * v for w, v in past) / weights
                found[b, k] = (weights, mean, away / weights)
    return found


def test_statistics_are_decayed_means() -> None:
    known = fitted().statistics
    for (b, k), (weight, mean, away) in twin().items():
        assert known.weight[b, k] == pytest.approx(weight, rel=1e-9)
        assert known.centre[b, k] == pytest.approx(mean, rel=1e-9, abs=1e-12)
        assert known.away[b, k] / known.weight[b, k] == pytest.approx(away, rel=1e-9, abs=1e-12)


def test_applied_as_it_is_told() -> None:
    made, rows = fitted(), random_rows(200, 9)
    out, known, spread = normalized(made.locked(), rows), made.statistics, {}
    for k, one in enumerate(FEATURES):
        for b in range(REGIMES + 1):
            at = b if known.weight[b, k] >= 20 else EVERY
            scale = known.away[at, k] / known.weight[at, k] * math.sqrt(math.pi / 2)
            spread[b, k] = (known.centre[at, k], max(scale, 1e-3 * (one.high - one.low)))
    for row, got in zip(rows, out, strict=True):
        for k, one in enumerate(FEATURES):
            if one.name.startswith("regime_"):
                assert got[k] == row[k]
            elif FLAGS[k] >= 0 and row[FLAGS[k]]:
                assert got[k] == 0.0
            else:
                centre, scale = spread[bucket(row), k]
                expected = min(max((row[k] - centre) / scale, -CLIP), CLIP)
                assert got[k] == pytest.approx(expected, rel=1e-6, abs=1e-6)
    np.testing.assert_array_equal(out[:, N_VALUES:], rows[:, N_VALUES:])


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 200))
def test_one_row_is_a_row_of_thousands_bit_for_bit(seed: int, n: int) -> None:
    locked, rows = LOCKED, random_rows(n, seed)
    together = normalized(locked, rows)
    for i in range(0, n, 7):
        np.testing.assert_array_equal(normalized(locked, rows[i : i + 1])[0], together[i])
    in_place = rows.copy()
    normalize(locked, in_place, in_place)
    np.testing.assert_array_equal(in_place, together)
    assert np.all(np.abs(together) <= CLIP)


LOCKED = fitted().locked()


@pytest.mark.parametrize("parts", [2, 7, 150])
def test_a_day_may_come_in_parts(parts: int) -> None:
    for one, other in zip(fitted().statistics, fitted(parts).statistics, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_missing_value_moves_nothing() -> None:
    """Whatever stands where a flag is set, and whatever share of rows has it."""
    rows = random_rows(300, 4)
    other = rows.copy()
    for k in np.flatnonzero(FLAGS >= 0):
        if not FEATURES[k].name.startswith("regime_"):
            other[rows[:, FLAGS[k]] > 0, k] = 7.0
    one, two = (Normalizer(LAST).partial_fit(r, DAYS[0]) for r in (rows, other))
    for a, b in zip(one.statistics, two.statistics, strict=True):
        np.testing.assert_array_equal(a, b)
    out = normalized(two.locked(), other)
    for k in np.flatnonzero(FLAGS >= 0):
        if not FEATURES[k].name.startswith("regime_"):
            assert np.all(out[rows[:, FLAGS[k]] > 0, k] == 0.0)


def test_locked_does_not_move_any_more() -> None:
    made = fitted()
    locked = made.locked()
    before = [table.copy() for table in locked]
    made.partial_fit(random_rows(500, 77), "2024-03-20")
    for one, other in zip(before, locked, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_regime_with_too_few_rows_borrows_from_all() -> None:
    rows = random_rows(60, 1, missing=0.0)
    rows[:, REGIMES_AT] = 0.0
    rows[:, REGIME] = 1.0
    rows[:3, REGIME : REGIME + 2] = (0.0, 1.0)
    locked = Normalizer(LAST, least_rows=10).partial_fit(rows, DAYS[0]).locked()
    assert np.any(locked.centre[0] != locked.centre[EVERY])
    np.testing.assert_array_equal(locked.centre[1], locked.centre[EVERY])
    np.testing.assert_array_equal(locked.scale[2], locked.scale[EVERY])


def test_what_never_moves_keeps_its_unit_and_outliers_are_cut() -> None:
    rows = random_rows(100, 1, missing=0.0)
    spread, age = NAMES.index("spread"), NAMES.index("working_age")
    rows[:, spread] = 3.0
    rows[:, FLAGS[age]], rows[:, age] = 1.0, 0.0
    locked = Normalizer(LAST).partial_fit(rows, DAYS[0]).locked()
    assert (locked.centre[EVERY, spread], locked.scale[EVERY, spread]) == (3.0, 1.0)
    assert (locked.centre[EVERY, age], locked.scale[EVERY, age]) == (0.0, 1.0)
    rows[0, spread] = 400.0
    assert normalized(locked, rows)[0, spread] == CLIP


def test_a_day_counts_half_after_its_half_life() -> None:
    zeros, ones = np.zeros((2, 100, N_FEATURES), np.float32)
    ones[:, :N_VALUES] = 1.0
    made = Normalizer(LAST, half_life_days=3)
    made.partial_fit(zeros, "2024-03-04").partial_fit(ones, "2024-03-07")
    assert made.statistics.centre[EVERY, 0] == pytest.approx(2 / 3)


def test_only_days_of_training_in_order() -> None:
    made, rows = fitted(), random_rows(3, 0)
    with pytest.raises(InputError, match="day: 2024-03-29 is after the last training day 2024-03-"):
        made.partial_fit(rows, "2024-03-29")
    with pytest.raises(InputError, match="day: 2024-03-08 is before 2024-03-11"):
        made.partial_fit(rows, "2024-03-08")
    for day in ("20240312", "2024-02-30", "soon", None):
        with pytest.raises(ConfigError, match="is not a date"):
            made.partial_fit(rows, day)  # type: ignore[arg-type]
    assert made.days == list(DAYS)


def test_what_cannot_be_is_refused() -> None:
    rows = random_rows(3, 0)
    with pytest.raises(InputError, match=rf"rows: are \[3, 5\]; give \[n, {N_FEATURES}\]"):
        normalized(LOCKED, rows[:, :5])
    rows[1, 2] = np.nan
    with pytest.raises(InputError, match="rows: hold NaN"):
        Normalizer(LAST).partial_fit(rows, DAYS[0])
    with pytest.raises(InputError, match="fitted on nothing"):
        Normalizer(LAST).locked()
    for wrong in ({"half_life_days": 0.0}, {"least_rows": math.nan}):
        with pytest.raises(ConfigError, match="is not positive"):
            Normalizer(LAST, **wrong)


def test_saved_and_loaded_to_the_last_bit(tmp_path: Path) -> None:
    made = fitted()
    again = Normalizer.load(made.save(tmp_path / "normalizer.json"))
    for one, other in zip(
        (*made.locked(), *made.statistics), (*again.locked(), *again.statistics), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    more = random_rows(50, 8)  # and it goes on as if nothing had been
    for one, other in zip(
        made.partial_fit(more, LAST).statistics, again.partial_fit(more, LAST).statistics,
        strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="after the last training day"):
        again.partial_fit(more, "2024-04-02")


def test_another_schema_or_file_is_refused_by_name(tmp_path: Path) -> None:
    path = fitted().save(tmp_path / "n.json")
    kept = json.loads(path.read_bytes())["content"]
    below = [[-1.0] * N_VALUES] * (REGIMES + 1)
    for change, says in (
        ({"schema": "0" * 64}, r"n\.json: was made for features of schema 000000000000"),
        ({"weight": [[1.0]]}, r"n\.json: its tables have another shape"),
        ({"weight": below}, r"n\.json: its weights are below 0"),
        ({"more": 1}, r"n\.json: is damaged .*more"),
    ):
        path.write_bytes(seal(NORMALIZER, kept | change))
        with pytest.raises(InputError, match=says):
            Normalizer.load(path)
    path.write_text(json.dumps(kept))
    with pytest.raises(InputError, match="an earlier paceline wrote it"):
        Normalizer.load(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read \(No such file"):
        Normalizer.load(tmp_path / "none.json")
