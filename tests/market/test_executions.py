"""What is one market order."""

from __future__ import annotations

import numpy as np
import pytest

from paceline.market.events import ADD, EXECUTE, HIDDEN, TRADE, Events
from paceline.market.executions import executions


def events_of(*rows: tuple[int, int, int]) -> Events:
    """Rows as (ts, kind, side); nothing else is looked at."""
    ts, kind, side = (np.array(column) for column in zip(*rows, strict=True))
    nothing = np.zeros(len(ts), np.int32)
    known = {"ts": ts, "kind": kind.astype(np.uint8), "side": side.astype(np.int8)}
    return Events(**{name: known.get(name, nothing) for name in Events._fields})


@pytest.mark.parametrize(
    ("rows", "at", "begins"),
    [
        ([(1, EXECUTE, 1), (1, HIDDEN, 1), (2, EXECUTE, 1)], [0, 1, 2], [1, 0, 1]),
        ([(1, EXECUTE, 1), (1, EXECUTE, -1), (1, EXECUTE, 1)], [0, 1, 2], [1, 1, 1]),
        ([(1, EXECUTE, -1), (1, ADD, 1), (1, EXECUTE, -1)], [0, 2], [1, 0]),
        ([(1, TRADE, -1), (1, TRADE, 0), (1, TRADE, -1)], [0, 2], [1, 0]),
        ([(1, ADD, 1)], [], []),
    ],
)
def test_executions_of_one_instant_and_side_are_one_order(
    rows: list[tuple[int, int, int]], at: list[int], begins: list[int]
) -> None:
    found, first = executions(events_of(*rows))
    assert found.tolist() == at
    assert first.tolist() == [bool(one) for one in begins]


def test_a_part_begins_anew() -> None:
    """Rows before it are not looked at."""
    events = events_of((1, EXECUTE, 1), (1, EXECUTE, 1), (1, EXECUTE, 1), (2, EXECUTE, 1))
    at, begins = executions(events, 1, 3)
    assert at.tolist() == [1, 2]
    assert begins.tolist() == [True, False]
