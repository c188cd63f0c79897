"""The memory of signs: by hand, of a law that is known, and of none."""

from __future__ import annotations

import numpy as np
import pytest

from paceline.calibrate.signs import fit_metaorders, sign_memory
from paceline.engine.flow_settings import Metaorders


def test_by_hand():
    """Bids taken are row 0: signs + + - -, mean 0, variance 1."""
    rows = np.array([0, 0, 1, 1])
    np.testing.assert_allclose(sign_memory([rows], 3), [1 / 3, -1.0, -1.0])
    np.testing.assert_allclose(sign_memory([rows, rows], 3), [1 / 3, -1.0, -1.0])


def test_one_sided_days_have_no_memory():
    assert sign_memory([np.zeros(9, np.int64)], 4).tolist() == [0.0] * 4
    assert sign_memory([], 2).tolist() == [0.0] * 2


def signs_of(share: float, at_work: int, tail: float, n: int, seed: int) -> np.ndarray:
    """Sides taken by `n` market orders, made as the simulator does."""
    dice = np.random.default_rng(seed)
    left, row = np.zeros(at_work, np.int64), np.zeros(at_work, np.int64)
    rows = dice.integers(0, 2, n)
    piece = dice.random(n) < share
    which = dice.integers(0, at_work, n)
    lengths = np.minimum((1 - dice.random(n)) ** (-1 / tail), 10_000).astype(np.int64)
    fresh = dice.integers(0, 2, n)
    for i in np.flatnonzero(piece):
        k = which[i]
        if left[k] == 0:
            left[k], row[k] = lengths[i], fresh[i]
        left[k] -= 1
        rows[i] = row[k]
    return rows


@pytest.mark.parametrize(("share", "at_work", "tail"), [(0.8, 5, 1.5), (0.8, 3, 1.6)])
def test_metaorders_are_found(share, at_work, tail):
    """The tail; and share and number as far as they show, in the memory that they make."""
    days = [signs_of(share, at_work, tail, 40_000, seed) for seed in range(5)]
    found = fit_metaorders(days)
    assert found.tail == pytest.approx(tail, abs=0.12)
    again = [signs_of(found.share, found.at_work, found.tail, 40_000, 9 + i) for i in range(5)]
    # The longest metaorder of a sample makes much of its memory, so samples of one law differ.
    first, second = (sign_memory(some, 100)[9:].mean() for some in (days, again))
    assert 1 / 1.5 < second / first < 1.5


def test_signs_without_memory_have_no_metaorders():
    days = [np.random.default_rng(seed).integers(0, 2, 20_000) for seed in range(3)]
    assert fit_metaorders(days) == Metaorders()


def test_few_market_orders_say_nothing():
    assert fit_metaorders([signs_of(0.9, 2, 1.5, 500, 1)]) == Metaorders()
