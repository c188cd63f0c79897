"""Regimes: found where they are, told from the past, to the last bit the same everywhere."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from decision.conftest import N, state_of
from decision.rows import FLAGS, random_rows
from paceline.decision.features import features
from paceline.decision.regimes import (
    REGIMES_FILE,
    LiquidityRegimes,
    Regimes,
    inputs_of,
    tell_regimes,
)
from paceline.decision.schema import N_FEATURES, NAMES
from paceline.decision.state import REGIMES
from paceline.errors import ConfigError, InputError
from paceline.files.sealing import seal

LAST = "2024-03-28"
MARKETS = {  # volatility, volume, spread, depth
    "calm, tight and deep": (1.0, 1.0, 1.5, 6.0),
    "volatile, wide and thin": (12.0, 1.2, 9.0, 2.0),
}
SIZES = [k for k, name in enumerate(NAMES) if name.endswith("_size")][:10]
COLUMNS = [NAMES.index(name) for name in ("volatility_300s", "volume_300s", "spread")]
INPUTS = [*COLUMNS, *SIZES]


def market_rows(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows of two markets, and which one each is of."""
    dice = np.random.default_rng(seed)
    rows, which = random_rows(n, seed), dice.integers(2, size=n)
    centres = np.array(list(MARKETS.values()))[which]
    for at, k in enumerate(COLUMNS):
        rows[:, k] = np.maximum(centres[:, at] + 0.3 * dice.normal(size=n), 0)
    for k in SIZES:
        rows[:, k] = centres[:, 3] + 0.3 * dice.normal(size=n)
    rows[:, FLAGS[INPUTS]] = 0.0
    return rows, which


@pytest.fixture(scope="module")
def model() -> LiquidityRegimes:
    rows, _ = market_rows(600, 1)
    return LiquidityRegimes(LAST, 2).fit(rows, ["2024-03-04"] * 600)


def test_markets_are_told_apart_and_named_by_what_they_are(model: LiquidityRegimes) -> None:
    assert model.names == tuple(MARKETS)
    rows, which = market_rows(200, 2)
    found = np.array([model.weights(row) for row in rows])
    np.testing.assert_array_equal(found.argmax(axis=1), which)
    assert np.all(found[:, 2:] == 0.0)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)


def test_weights_are_posterior_probabilities() -> None:
    """By Bayes, from the densities, on rows between the markets."""
    rows, _ = market_rows(600, 1)
    model = LiquidityRegimes(LAST, 3).fit(rows, ["2024-03-04"] * 600)
    centre, precision, offset = model.fitted()
    for row in random_rows(100, 5, missing=0.0):
        values = inputs_of(row[None])[0]
        with np.errstate(under="ignore"):
            logs = offset - 0.5 * (precision * (values - centre) ** 2).sum(axis=1)
            expected = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
        np.testing.assert_allclose(model.weights(row)[:3], expected, rtol=1e-9, atol=1e-300)


def test_they_are_what_the_library_says() -> None:
    """Our few lines against scikit-learn's own posterior."""
    from sklearn.mixture import GaussianMixture

    rows, _ = market_rows(400, 3)
    values = inputs_of(rows)
    mean, spread = values.mean(axis=0), values.std(axis=0)
    theirs = GaussianMixture(
        2, covariance_type="diag", random_state=0, n_init=3, max_iter=300, reg_covar=1e-3
    ).fit((values - mean) / spread)
    order = np.argsort(theirs.means_[:, 0])
    model = LiquidityRegimes(LAST, 2).fit(rows, ["2024-03-04"] * 400)
    between = rows[:50].copy()
    between[:, INPUTS] = (rows[:50][:, INPUTS] + rows[50:100][:, INPUTS]) / 2
    expected = theirs.predict_proba((inputs_of(between) - mean) / spread)[:, order]
    ours = np.array([model.weights(row) for row in between])[:, :2]
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-12)


def test_nothing_but_the_inputs_matters(model: LiquidityRegimes) -> None:
    one, other = random_rows(20, 6, missing=0.0), random_rows(20, 7)
    other[:, INPUTS], other[:, FLAGS[INPUTS]] = one[:, INPUTS], one[:, FLAGS[INPUTS]]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(model.weights(a), model.weights(b))


@pytest.mark.parametrize("gone", COLUMNS)
def test_a_missing_input_is_no_regime(model: LiquidityRegimes, gone: int) -> None:
    row = market_rows(1, 1)[0][0]
    row[gone], row[FLAGS[gone]] = 0.0, 1.0
    assert np.isnan(model.weights(row)).all()


def test_depth_is_of_the_levels_that_are_there(model: LiquidityRegimes) -> None:
    row = market_rows(1, 1)[0][0]
    row[SIZES], row[SIZES[3:]] = 2.5, 0.0
    row[FLAGS[SIZES[3:]]] = 1.0
    assert inputs_of(row[None])[0, 3] == 2.5
    row[FLAGS[SIZES]] = 1.0
    assert math.isnan(inputs_of(row[None])[0, 3])


def test_a_state_is_told_and_its_features_with_it(
    model: LiquidityRegimes, walked: Callable[..., Any]
) -> None:
    env = walked(10)
    for i in range(N):
        state, row = state_of(env, i), np.zeros(N_FEATURES, np.float32)
        features(state, row)
        if i % 5 == 0:
            row[FLAGS[COLUMNS[0]]] = 1.0
        weights = model.weights(row)
        tell_regimes(model.fitted(), state, row)
        np.testing.assert_array_equal(state.context[0]["regimes"], weights)
        again = np.zeros(N_FEATURES, np.float32)
        features(state, again)
        if i % 5 == 0:
            again[FLAGS[COLUMNS[0]]] = 1.0
        np.testing.assert_array_equal(row, again)


def test_the_same_rows_give_the_same_regimes(model: LiquidityRegimes) -> None:
    again = LiquidityRegimes(LAST, 2).fit(market_rows(600, 1)[0], ["2024-03-04"] * 600)
    for one, other in zip(model.fitted(), again.fitted(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_names_differ_even_where_markets_are_alike() -> None:
    rows, _ = market_rows(600, 1)
    model = LiquidityRegimes(LAST, REGIMES).fit(rows, ["2024-03-04"] * 600)
    assert len(set(model.names)) == REGIMES
    assert np.all(np.diff(model.fitted().centre[:, 0]) >= 0)


def test_saved_and_loaded_to_the_last_bit(model: LiquidityRegimes, tmp_path: Path) -> None:
    again: Regimes = LiquidityRegimes.load(model.save(tmp_path / "regimes.json"))
    for row in random_rows(30, 8):
        np.testing.assert_array_equal(again.weights(row), model.weights(row))
    assert isinstance(again, LiquidityRegimes)
    assert again.names == model.names
    kept = json.loads((tmp_path / "regimes.json").read_bytes())["content"]
    for change, says in (
        ({"schema": "0" * 64}, r"bad\.json: was made for features of schema 0000"),
        ({"centre": [[1.0]]}, r"bad\.json: its tables have another shape"),
        ({"seed": "one"}, r"bad\.json: is damaged .*seed"),
    ):
        (tmp_path / "bad.json").write_bytes(seal(REGIMES_FILE, kept | change))
        with pytest.raises(InputError, match=says):
            LiquidityRegimes.load(tmp_path / "bad.json")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read \(No such file"):
        LiquidityRegimes.load(tmp_path / "none.json")


def test_what_cannot_be_fitted_is_refused() -> None:
    rows, _ = market_rows(100, 1)
    late = ["2024-03-04"] * 99 + ["2024-03-29"]
    with pytest.raises(InputError, match="days: 2024-03-29 is after the last training day"):
        LiquidityRegimes(LAST, 2).fit(rows, late)
    with pytest.raises(InputError, match="days: are 3 for 100 rows"):
        LiquidityRegimes(LAST, 2).fit(rows, late[:3])
    with pytest.raises(InputError, match="too few, or too much alike"):
        LiquidityRegimes(LAST, 2).fit(np.repeat(rows[:1], 100, axis=0), late[:1] * 100)
    with pytest.raises(InputError, match="fitted on nothing"):
        LiquidityRegimes(LAST, 2).weights(rows[0])
    with pytest.raises(ConfigError, match="n: 7 regimes do not fit; give 1 to 6"):
        LiquidityRegimes(LAST, REGIMES + 1)


def test_weights_need_no_heavy_library() -> None:
    program = "import sys, paceline.decision.regimes; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
