"""Policies: how they are written, and what they know when they plan."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paceline.cost.impact import Impact
from paceline.env.history import History
from paceline.env.parents import draw_parents
from paceline.env.policies import (
    SCHEDULES,
    Urgency,
    ac_targets,
    aversion_for,
    make_plan,
    parse_policy,
)
from paceline.env.working import PARENT_RECORD
from paceline.errors import ConfigError, InputError
from paceline.schedule.almgren_chriss import kappa
from paceline.schedule.tactic import Placement
from paceline.schedule.twap import target as twap
from paceline.units import NS_PER_S
from tests.env.market_days import DAYS, random_day, session_of

CALM = Urgency(None, None)


@pytest.mark.parametrize(
    ("text", "schedule", "placement", "repeg_s", "slices"),
    [
        ("ac", "ac", Placement.TOUCH, None, 30),
        ("ac/cross", "ac", Placement.CROSS, None, 30),
        ("vwap/mid/15", "vwap", Placement.MID, None, 15),
        ("twap/touch+5s", "twap", Placement.TOUCH, 5.0, 30),
        ("pov/inside+0.25s/7", "pov", Placement.INSIDE, 0.25, 7),
    ],
)
def test_what_a_policy_says(text, schedule, placement, repeg_s, slices):
    policy = parse_policy(text, 30, 50.0)
    assert (policy.name, policy.schedule, policy.n_slices) == (text, schedule, slices)
    assert policy.tactic.placement is placement
    assert (policy.tactic.repeg_s, policy.tactic.collar_bps) == (repeg_s, 50.0)


WRONG = [
    "", "/", "AC", "twop", "ac/", "ac/nowhere", "ac/15", "twap/touch/", "twap/touch+s", "twap+5s",
    "twap/touch+.s", "twap/touch+1.2.3s", "twap/touch+5", "twap/touch+-5s", "twap/touch/-3",
    "twap/touch/3/4", " ac", "ac\n", "ac/touch/" + "9" * 5000, "twap/touch+" + "9" * 400 + "s",
    "twap/touch+0s", "twap/touch+0.0000001s", "twap/cross+5s", "twap/touch/0", "twap/touch/10001",
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_no_policy_is_one_line(text):
    with pytest.raises(ConfigError, match=r"policy|tactic") as error:
        parse_policy(text, 30, 50.0)
    assert "\n" not in str(error.value)


@given(st.text(alphabet="actwpovtouchmid/+.0123456789s", max_size=14))
def test_no_text_is_a_fault_of_ours(text):
    try:
        policy = parse_policy(text, 30, 50.0)
    except ConfigError:
        return
    assert policy.schedule in SCHEDULES
    assert 1 <= policy.n_slices <= 10_000


@given(st.floats(1.0, 1e5), st.floats(1.0, 3600.0), st.integers(1, 500))
def test_a_half_life_becomes_that_kappa(half_life_s, horizon_s, n_slices):
    """1 / kappa of the trajectory is the half-life that was asked for."""
    slice_s = np.array([horizon_s / n_slices])
    aversion = aversion_for(half_life_s, slice_s)
    impact = Impact(sigma=1.0, gamma=0.0, eta=1.0)
    if slice_s[0] / half_life_s < 600:
        assert kappa(slice_s, impact, aversion) == pytest.approx(1 / half_life_s, rel=1e-9)


def orders(lots, length_s, start_s=100.0, day=DAYS[-1]):
    parents = np.zeros(len(lots), PARENT_RECORD)
    parents["lots"], parents["side"] = lots, 1
    parents["start_ts"] = session_of(day).open_ns + round(start_s * NS_PER_S)
    parents["end_ts"] = parents["start_ts"] + round(length_s * NS_PER_S)
    return parents


@pytest.fixture(scope="module")
def days():
    return [random_day(seed, day) for seed, day in zip((11, 12, 13, 14), DAYS, strict=True)]


def test_the_usual_half_life_is_half_the_horizon(days):
    parents = orders([1000], 600.0)
    usual = ac_targets(parents, 10, History(days).before(days[-1]), CALM)
    asked = ac_targets(parents, 10, History(days).before(days[-1]), Urgency(300.0, None))
    assert np.array_equal(usual, asked)
    # sinh(kappa (T - t)) / sinh(kappa T) with kappa T = 2
    exact = 1000 * np.sinh(2 * np.arange(10, -1, -1) / 10) / np.sinh(2)
    assert np.array_equal(usual[0], np.rint(exact))


def test_urgency_runs_from_twap_to_everything_at_once(days):
    parents = orders([999], 600.0)
    lesson = History(days).before(days[-1])
    patient = ac_targets(parents, 10, lesson, Urgency(1e9, None))
    assert np.abs(patient - twap([999], 10)).max() <= 1  # 499.5 rounds either way
    hasty = ac_targets(parents, 10, lesson, Urgency(1e-6, None))
    assert hasty[0].tolist() == [999] + [0] * 10


def test_a_risk_aversion_needs_a_fit(days):
    lesson = History(days).before(days[-1])._replace(impact=None)
    with pytest.raises(ConfigError, match="risk_aversion: needs an impact fit"):
        ac_targets(orders([10], 60.0), 3, lesson, Urgency(None, 1e-6))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("lots", [1, 2, 7, 999])
def test_every_schedule_starts_whole_and_ends_at_nothing(days, schedule, lots):
    lesson = History(days).before(days[-1])
    parents = orders([lots, lots + 1], 613.7)
    policy = parse_policy(f"{schedule}/mid+2s/9", 30, 50.0)
    plan = make_plan(policy, days[-1], lesson, parents, CALM, 0.1, True)
    assert plan.targets.shape == plan.bounds.shape == (2, 10)
    assert np.array_equal(plan.targets[:, 0], [lots, lots + 1])
    assert not plan.targets[:, -1].any()
    assert np.all(np.diff(plan.targets) <= 0)
    assert np.array_equal(plan.bounds[:, 0], parents["start_ts"])
    assert np.array_equal(plan.bounds[:, -1], parents["end_ts"])
    assert (plan.pov_ppm > 0) == (schedule == "pov")
    assert (plan.repeg_ns, plan.placement, plan.finish) == (2 * NS_PER_S, Placement.MID, 1)


def test_vwap_follows_earlier_days_only(days):
    """Another last day, or another day after it, leaves the plan as it was."""
    policy = parse_policy("vwap", 20, 50.0)
    parents = orders([5000], 900.0, day=DAYS[2])

    def plan(tapes, today):
        return make_plan(policy, today, History(tapes).before(today), parents, CALM, 0.1, True)

    usual = plan(days[:3], days[2])
    later = [*days[:3], random_day(99, DAYS[3])]
    other_today = random_day(77, DAYS[2])
    assert np.array_equal(usual.targets, plan(later, days[2]).targets)
    assert np.array_equal(usual.targets, plan([*days[:2], other_today], other_today).targets)
    other_past = [random_day(55, DAYS[0]), *days[1:3]]
    assert not np.array_equal(usual.targets, plan(other_past, days[2]).targets)
    assert not np.array_equal(usual.targets, twap([5000], 20)), "the days do have a curve"


def test_vwap_without_earlier_days_is_twap(days):
    lesson = History(days[-1:]).before(days[-1])
    plan = make_plan(parse_policy("vwap", 9, 50.0), days[-1], lesson, orders([50], 600.0), CALM,
                     0.1, True)  # fmt: skip
    assert np.array_equal(plan.targets, twap([50], 9))
    assert "VWAP is TWAP" in lesson.notes[0]


def test_a_rate_too_fine_is_refused(days):
    lesson = History(days).before(days[-1])
    parents = draw_parents(
        days[-1], lesson, 2, 60.0, qty=10, qty_adv=None, qty_volume=None, seed=1
    )  # fmt: skip
    with pytest.raises(InputError, match="rate"):
        make_plan(parse_policy("pov", 9, 50.0), days[-1], lesson, parents, CALM, 0.12345678, True)
