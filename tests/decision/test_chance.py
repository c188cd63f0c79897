"""Any legal action, each as likely as another."""

from __future__ import annotations

import numpy as np

from paceline.decision.chance import any_legal, pick_legal


def test_what_stands_at_a_share_of_the_legal_actions() -> None:
    dice = np.random.default_rng(3)
    bits = (dice.random((500, 13)) < 0.6).astype(np.int64) << 5
    bits[:, 0] = 0
    share, found = dice.random(500), np.zeros(500, np.int64)
    share[:2] = 0.0, np.nextafter(1.0, 0.0)
    pick_legal(bits, share, found)
    for row, at, action in zip(bits, share, found, strict=True):
        legal = np.flatnonzero(row == 0)
        assert action == legal[int(at * len(legal))]


def test_each_legal_action_is_as_likely_as_another() -> None:
    legal = np.zeros((30_000, 6), np.bool_)
    legal[:, [0, 3, 4]] = True
    found = np.bincount(any_legal(legal, np.random.default_rng(4)), minlength=6) / len(legal)
    np.testing.assert_allclose(found, [1 / 3, 0, 0, 1 / 3, 1 / 3, 0], atol=0.01)
    assert np.all(any_legal(np.zeros((3, 6), np.bool_), np.random.default_rng(4)) == 0)
