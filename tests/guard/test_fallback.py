"""Who works an order when its policy should not, and when the policy comes back."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.states import NOW, state
from paceline.errors import InputError
from paceline.guard.fallback import (
    Alarm,
    Choice,
    Health,
    Standing,
    Trust,
    Worker,
    behind_schedule,
    choose,
    choose_on,
    trusted_again,
)
from paceline.guard.snapshot import MISSING
from paceline.units import NS_PER_S

TRUST = Trust(max_decision_ms=2.0, max_violations=3, max_behind=0.1, quiet_s=60, quiet_readings=3)
WELL = Health(True, True, True, True, 0.5, 0, 0.0, True)
LATE = {"decision_ms": 9.0}
S = NS_PER_S


@pytest.mark.parametrize(
    ("changed", "worker", "alarm"),
    [
        ({}, Worker.POLICY, None),
        ({"calm": False}, Worker.POLICY, None),
        ({"market_data": False}, Worker.PASSIVE, Alarm.NO_MARKET_DATA),
        ({"venue_up": False}, Worker.PASSIVE, Alarm.VENUE_DOWN),
        ({"model_ready": False}, Worker.ALMGREN_CHRISS, Alarm.NOT_READY),
        ({"model_ready": False, "impact_known": False}, Worker.TWAP, Alarm.NOT_READY),
        ({"model_ready": False, "calm": False}, Worker.PASSIVE, Alarm.NOT_READY),
        ({"decision_ms": 2.0}, Worker.POLICY, None),
        ({"decision_ms": 2.1}, Worker.ALMGREN_CHRISS, Alarm.SLOW),
        ({"decision_ms": float("nan")}, Worker.ALMGREN_CHRISS, Alarm.SLOW),
        ({"decision_ms": None}, Worker.ALMGREN_CHRISS, Alarm.SLOW),
        ({"violations": 3}, Worker.POLICY, None),
        ({"violations": 4}, Worker.ALMGREN_CHRISS, Alarm.VIOLATIONS),
        ({"violations": None, "impact_known": False}, Worker.TWAP, Alarm.VIOLATIONS),
        ({"behind": 0.1}, Worker.POLICY, None),
        ({"behind": -1.0}, Worker.POLICY, None),
        ({"behind": 0.101}, Worker.ALMGREN_CHRISS, Alarm.BEHIND),
        ({"behind": 0.101, "calm": False}, Worker.PASSIVE, Alarm.BEHIND),
        ({"behind": float("nan")}, Worker.ALMGREN_CHRISS, Alarm.BEHIND),
        ({"behind": None, "impact_known": False}, Worker.TWAP, Alarm.BEHIND),
    ],
)
def test_a_rule_names_who_works_on(
    changed: dict[str, object], worker: Worker, alarm: Alarm | None
) -> None:
    choice = choose(WELL._replace(**changed), TRUST)  # type: ignore[arg-type]
    assert (choice.worker, choice.alarm) == (worker, alarm)
    assert choice.reason


@pytest.mark.parametrize("left_out", ["max_decision_ms", "max_violations", "max_behind"])
def test_without_limits_a_policy_is_not_trusted(left_out: str) -> None:
    limits = {"max_decision_ms": 2.0, "max_violations": 3, "max_behind": 0.1}
    assert choose(WELL, Trust(**limits)).worker is Worker.POLICY  # type: ignore[arg-type]
    del limits[left_out]
    assert choose(WELL, Trust(**limits)).worker is Worker.ALMGREN_CHRISS  # type: ignore[arg-type]
    assert choose(WELL, Trust()).worker is Worker.ALMGREN_CHRISS


def test_the_reason_says_value_and_limit() -> None:
    choice = choose(WELL._replace(violations=9, impact_known=False), TRUST)
    why = "9 violations, limit 3, and impact is not known"
    assert choice == Choice(Worker.TWAP, why, Alarm.VIOLATIONS)
    choice = choose(WELL._replace(behind=0.25), TRUST)
    assert choice.reason == "0.25 of the order behind schedule, limit 0.1"


def test_worse_health_never_gives_the_policy_back() -> None:
    for bad in product([True, False], repeat=5):
        data, venue, calm, ready, impact = bad
        worker = choose(Health(data, venue, calm, ready, 1.0, 0, 0.0, impact), TRUST).worker
        assert (worker is Worker.POLICY) == (data and venue and ready)
        assert worker is Worker.PASSIVE or (data and venue)


@pytest.mark.parametrize(
    ("changed", "behind"),
    [
        ({"inventory_lots": 2400, "target_lots": 2400}, 0.0),
        ({"inventory_lots": 2500, "target_lots": 2000}, 0.2),
        # What works has not traded.
        ({"inventory_lots": 2500, "target_lots": 2000, "working_lots": 500}, 0.2),
        ({"inventory_lots": 1900, "target_lots": 2400}, -0.2),
        ({"target_lots": MISSING}, None),
        ({"inventory_lots": MISSING}, None),
        ({"parent_lots": MISSING}, None),
        ({"parent_lots": 0}, None),
    ],
)
def test_behind_is_what_is_left_beyond_the_target(
    changed: dict[str, int], behind: float | None
) -> None:
    assert behind_schedule(state(**changed)[0]) == behind


# --- the latch -----------------------------------------------------------------------------------


def run(
    readings: list[tuple[float, dict[str, object]]], trust: Trust = TRUST
) -> tuple[list[Worker], Standing]:
    """Who works after each of `readings`, at a time in seconds."""
    standing, workers = Standing(), []
    for at_s, changed in readings:
        choice, standing = choose_on(
            standing, WELL._replace(**changed), trust, NOW + round(at_s * S)  # type: ignore[arg-type]
        )  # fmt: skip
        workers.append(choice.worker)
    return workers, standing


AC, POLICY, PASSIVE = Worker.ALMGREN_CHRISS, Worker.POLICY, Worker.PASSIVE


def test_a_policy_comes_back_after_the_quiet_time_and_not_before() -> None:
    workers, standing = run([(0, {}), (1, LATE), (2, {}), (30, {}), (61.9, {}), (62, {})])
    assert workers == [POLICY, AC, AC, AC, AC, POLICY]
    assert standing == Standing()


def test_the_quiet_time_starts_anew_with_every_bad_reading() -> None:
    workers, _ = run([(0, LATE), (1, {}), (50, {}), (60, LATE), (61, {}), (90, {}), (120, {}),
                      (121, {})])  # fmt: skip
    assert workers == [AC] * 7 + [POLICY]


def test_time_without_readings_is_no_quiet_time() -> None:
    workers, _ = run([(0, LATE), (1, {}), (1000, {}), (1000.1, {})])
    assert workers == [AC, AC, AC, POLICY]  # the third well reading


@pytest.mark.parametrize("gone", [{"market_data": False}, {"venue_up": False}])
def test_a_market_that_is_away_neither_takes_trust_nor_gives_it(gone: dict[str, object]) -> None:
    workers, _ = run([(0, {}), (1, gone), (2, {})])
    assert workers == [POLICY, PASSIVE, POLICY]
    workers, standing = run([(0, LATE), (1, {}), (2, {}), (59, gone), (62, {}), (63, {}), (64, {})])
    assert workers == [AC, AC, AC, PASSIVE, AC, AC, AC]
    assert standing.well_since_ts == NOW + 62 * S


def test_a_clock_that_goes_back_proves_nothing() -> None:
    workers, standing = run([(0, LATE), (10, {}), (20, {}), (5, {}), (70, {})])
    assert workers == [AC] * 5
    assert (standing.well_since_ts, standing.well) == (NOW + 5 * S, 2)


def test_without_a_quiet_time_only_a_person_gives_it_back() -> None:
    forever = Trust(max_decision_ms=2.0, max_violations=3, max_behind=0.1)
    readings = [(float(k), LATE if k == 0 else {}) for k in range(2000)]
    workers, standing = run(readings, forever)
    assert set(workers) == {AC}
    with pytest.raises(InputError, match="who"):
        trusted_again(standing, " ")
    standing = trusted_again(standing, "ann")
    with pytest.raises(InputError, match="trusted"):
        trusted_again(standing, "ann")
    choice, standing = choose_on(standing, WELL, forever, NOW)
    assert choice.worker is POLICY
    # A word is no promise: what is bad is taken away at once.
    choice, standing = choose_on(standing, WELL._replace(**LATE), forever, NOW)  # type: ignore[arg-type]
    assert (choice.worker, bool(standing.lost)) == (AC, True)


def test_the_latch_says_what_it_waits_for() -> None:
    _, standing = run([(0, {"behind": 0.3}), (1, {})])
    choice, _ = choose_on(standing, WELL._replace(calm=False), TRUST, NOW + 31 * S)
    assert choice == Choice(
        PASSIVE,
        "0.3 of the order behind schedule, limit 0.1; well again for 30 s and 2 readings, of 60 s, "
        "and the market is not calm",
        Alarm.LATCHED,
    )


TROUBLES: list[dict[str, object]] = [
    {}, {}, {}, {"calm": False}, {"market_data": False}, {"venue_up": False}, LATE,
    {"violations": 4}, {"behind": 0.2}, {"behind": None}, {"model_ready": False},
]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(TROUBLES)), max_size=40))
def test_after_a_bad_reading_the_policy_works_only_after_a_quiet_row(
    steps: list[tuple[int, dict[str, object]]],
) -> None:
    """Against the whole past, read backwards."""
    at, readings = 0, []
    for gap, changed in steps:
        at += gap
        readings.append((float(at), changed))
    workers, _ = run(readings)
    for k, worker in enumerate(workers):
        now = choose(WELL._replace(**readings[k][1]), TRUST)  # type: ignore[arg-type]
        if now.worker is not POLICY:
            assert worker is now.worker
            continue
        row = 0  # readings up to this one that were well
        bad = None
        for j in range(k, -1, -1):
            past = choose(WELL._replace(**readings[j][1]), TRUST)  # type: ignore[arg-type]
            if past.alarm is None and bad is None:
                row += 1
            elif past.alarm in (Alarm.NO_MARKET_DATA, Alarm.VENUE_DOWN):
                bad = bad or "market"
            elif past.alarm is not None:
                bad = "policy"
            if bad == "policy" or (bad == "market" and workers[j] is POLICY):
                break
        quiet = row >= 3 and readings[k][0] - readings[k - row + 1][0] >= 60
        assert (worker is POLICY) == (quiet or bad != "policy")
