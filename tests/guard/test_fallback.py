"""Who works an order when its policy should not."""

from __future__ import annotations

from itertools import product

import pytest

from paceline.guard.fallback import Choice, Health, Trust, Worker, choose

TRUST = Trust(max_decision_ms=2.0, max_violations=3)
WELL = Health(True, True, True, True, 0.5, 0, True)


@pytest.mark.parametrize(
    ("changed", "worker"),
    [
        ({}, Worker.POLICY),
        ({"calm": False}, Worker.POLICY),
        ({"market_data": False}, Worker.PASSIVE),
        ({"venue_up": False}, Worker.PASSIVE),
        ({"model_ready": False}, Worker.ALMGREN_CHRISS),
        ({"model_ready": False, "impact_known": False}, Worker.TWAP),
        ({"model_ready": False, "calm": False}, Worker.PASSIVE),
        ({"decision_ms": 2.0}, Worker.POLICY),
        ({"decision_ms": 2.1}, Worker.ALMGREN_CHRISS),
        ({"decision_ms": float("nan")}, Worker.ALMGREN_CHRISS),
        ({"decision_ms": None}, Worker.ALMGREN_CHRISS),
        ({"violations": 3}, Worker.POLICY),
        ({"violations": 4}, Worker.ALMGREN_CHRISS),
        ({"violations": None, "impact_known": False}, Worker.TWAP),
    ],
)
def test_a_rule_names_who_works_on(changed: dict[str, object], worker: Worker) -> None:
    choice = choose(WELL._replace(**changed), TRUST)
    assert choice.worker is worker
    assert choice.reason


def test_without_limits_a_policy_is_not_trusted() -> None:
    assert choose(WELL, Trust()).worker is Worker.ALMGREN_CHRISS
    assert choose(WELL, Trust(max_decision_ms=1.0)).worker is Worker.ALMGREN_CHRISS
    assert choose(WELL, Trust(max_violations=1)).worker is Worker.ALMGREN_CHRISS


def test_the_reason_says_value_and_limit() -> None:
    choice = choose(WELL._replace(violations=9, impact_known=False), TRUST)
    assert choice == Choice(Worker.TWAP, "9 violations, limit 3, and impact is not known")


def test_worse_health_never_gives_the_policy_back() -> None:
    for bad in product([True, False], repeat=5):
        data, venue, calm, ready, impact = bad
        worker = choose(Health(data, venue, calm, ready, 1.0, 0, impact), TRUST).worker
        assert (worker is Worker.POLICY) == (data and venue and ready)
        assert worker is Worker.PASSIVE or (data and venue)
