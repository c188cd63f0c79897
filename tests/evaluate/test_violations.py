"""Broken limits are counted, each kind of them, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from paceline.engine.account import FILL_RECORD, ORDER_RECORD
from paceline.env.working import PARENT_RECORD, RESULT_RECORD, Log
from paceline.evaluate.violations import broken_limits


def two_parents() -> tuple[np.ndarray, Log]:
    """A buy of 10 lots at up to 105 and a sale of 20 at 95 or more, in children of at most 8; each
    has two child orders and two fills, right at its limits."""
    parents = np.zeros(2, PARENT_RECORD)
    parents["side"], parents["lots"], parents["child_max"] = [1, -1], [10, 20], 8
    parents["band_low"], parents["band_high"] = 95, 105
    orders = np.zeros(4, ORDER_RECORD)
    orders["lots"] = [8, 2, 8, 8]
    fills = np.zeros(4, FILL_RECORD)
    fills["order"], fills["lots"], fills["ticks"] = range(4), [8, 2, 8, 8], [105, 90, 95, 110]
    whose = np.array([0, 0, 1, 1])
    return parents, Log(np.zeros(2, RESULT_RECORD), whose, orders, whose, fills, np.array([4, 4]))


def test_at_the_limits_none_is_broken() -> None:
    assert broken_limits(*two_parents()).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("table", "row", "field", "value", "counted"),
    [
        ("fills", 0, "ticks", 106, [1, 0]),  # a buy above its band
        ("fills", 2, "ticks", 94, [0, 1]),  # a sale below its band
        ("fills", 1, "lots", 3, [1, 0]),  # 11 of 10
        ("orders", 3, "lots", 9, [0, 1]),  # a child too large
    ],
)
def test_every_kind_counts(table: str, row: int, field: str, value: int, counted: list) -> None:
    parents, log = two_parents()
    getattr(log, table)[field][row] = value
    assert broken_limits(parents, log).tolist() == counted
