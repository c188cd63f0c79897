"""A hundred thousand random actions on several instruments, with restarts: no rule is broken."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.guard_actions import known, run

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
WORLDS, ACTIONS = (1, 1_000) if INTERPRETED else (20, 5_000)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("worlds")
    people = known(folder)
    return [run(seed, ACTIONS, Path(folder), people) for seed in range(WORLDS)]


def test_nothing_that_left_breaks_a_rule(worlds: list[dict[str, Any]]) -> None:
    assert [world["breaches"] for world in worlds] == [{}] * WORLDS
    assert sum(world["actions"] for world in worlds) == WORLDS * ACTIONS


@pytest.mark.skipif(INTERPRETED, reason="too few actions to meet every rule")
def test_every_rule_that_is_audited_was_tried(worlds: list[dict[str, Any]]) -> None:
    refused: Counter[str] = Counter()
    for world in worlds:
        refused.update(world["refused"])
        assert world["let_pass"] > ACTIONS // 20
    assert sum(world["restarts"] for world in worlds) > 2 * WORLDS
    assert sum(world["parents"] for world in worlds) > 7 * WORLDS
    audited = {
        "malformed", "wrong_side", "killed", "reducing_only", "uncovered", "clock_back",
        "price_band", "child_max", "order_quantity", "order_value", "inventory", "participation",
        "symbol_participation", "position", "working_lots", "working_orders", "message_rate",
        "max_messages", "cancel_rate", "max_cancels", "min_resting", "duplicate", "self_match",
        "repeated",
    }  # fmt: skip
    assert {rule for rule in audited if refused[rule] < 3} == set()
