"""Random numbers: the published sequence, independent streams, exact laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from paceline.engine.dice import alias_table, below, bits, new_dice, pick, uniform, wrapping
from paceline.errors import InputError
from paceline.jit import kernel


@kernel
def _bits(dice: NDArray[np.void], out: NDArray[np.uint64]) -> None:
    for i in range(len(out)):
        out[i] = bits(dice)


@kernel
def _others(
    dice: NDArray[np.void], law: NDArray[np.void], out: NDArray[np.float64], n: int
) -> None:
    for i in range(len(out)):
        out[i, 0] = uniform(dice)
        out[i, 1] = below(dice, n)
        out[i, 2] = pick(dice, law)


def test_the_published_sequence() -> None:
    dice = new_dice(0)
    dice["state"] = 1234567
    out = np.zeros(5, np.uint64)
    with wrapping():
        _bits(dice, out)
    assert out.tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_streams_differ_and_are_uncorrelated() -> None:
    paths = [(0,), (1,), (1, 0), (1, 1), (1, 0, 0), (2, 1), (1, 2)]
    columns = []
    for path in paths:
        out = np.zeros(4_000, np.uint64)
        dice = new_dice(*path)
        assert int(dice["gamma"][0]) % 2 == 1
        with wrapping():
            _bits(dice, out)
        columns.append(out / 2.0**64)
    correlation = np.corrcoef(columns) - np.eye(len(paths))
    assert np.abs(correlation).max() < 4 / np.sqrt(4_000)


@pytest.mark.parametrize("seed", [-1, 2**64, True, 1.0, "1", None])
def test_what_is_no_seed(seed: object) -> None:
    with pytest.raises(InputError, match=r"^seed: "):
        new_dice(seed)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^stream: "):
        new_dice(1, seed)  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40).filter(lambda w: sum(w) > 1e-3))
def test_alias_tables_hold_the_law_exactly(weights: list[float]) -> None:
    table = alias_table(np.arange(len(weights)), np.array(weights))
    mass = np.zeros(len(weights))
    np.add.at(mass, table["own"], table["limit"] / 2.0**32)
    np.add.at(mass, table["other"], 1 - table["limit"] / 2.0**32)
    np.testing.assert_allclose(mass / len(weights), np.array(weights) / sum(weights), atol=1e-8)


def test_draws_follow_their_laws() -> None:
    n, weights = 40_000, np.array([0.5, 0.0, 0.3, 0.2])
    out = np.zeros((n, 3))
    with wrapping():
        _others(new_dice(3), alias_table(np.array([10, 20, 30, 40]), weights), out, 7)
    assert out[:, 0].min() > 0
    assert out[:, 0].max() <= 1
    assert abs(out[:, 0].mean() - 0.5) < 4 * np.sqrt(1 / 12 / n)
    assert set(out[:, 1]) == set(range(7))
    assert np.abs(np.bincount(out[:, 1].astype(int)) / n - 1 / 7).max() < 4 * np.sqrt(6 / 49 / n)
    shares = [(out[:, 2] == value).mean() for value in (10, 20, 30, 40)]
    assert np.abs(shares - weights).max() < 4 * 0.5 / np.sqrt(n)
    assert shares[1] == 0
