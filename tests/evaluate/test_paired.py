"""Paired differences: exact where one can count, and never two answers to one question."""

from __future__ import annotations

import numpy as np
import pytest

from paceline.cost.clustered import FEWEST, Clusters
from paceline.evaluate.paired import basis, paired_difference


def days(n: int, of: int) -> Clusters:
    """`n` orders, in turn on `of` days."""
    return Clusters(np.arange(n) % of)


def test_a_literal_example() -> None:
    cost = np.array([3.0, 5.0, 1.0, 8.0, 2.0, 1.0])
    baseline = np.array([1.0, 6.0, 1.0, 4.0, 3.0, 1.0])
    found = paired_difference(cost, baseline, Clusters(np.array(["a", "a", "b", "b", "c", "c"])))
    # Means of days: 0.5, 2 and -0.5; s = 1.2583, / sqrt 3 = 0.7265; t of 2 at 97.5 % = 4.3027.
    assert found.mean_bps == pytest.approx(2 / 3)
    assert found.low_bps == pytest.approx(2 / 3 - 3.1258, abs=1e-4)
    assert found.high_bps == pytest.approx(2 / 3 + 3.1258, abs=1e-4)
    assert found.p == pytest.approx(0.4557, abs=1e-4)
    assert (found.n, found.groups, found.names, found.df) == (6, 3, 0, 2.0)
    assert not found.is_clear


def test_a_constant_difference_is_known_exactly() -> None:
    rng = np.random.default_rng(1)
    cost = rng.integers(-50, 50, 40).astype(float)
    found = paired_difference(cost + 0.5, cost, days(40, 8))
    assert (found.mean_bps, found.low_bps, found.high_bps, found.p) == (0.5, 0.5, 0.5, 0.0)
    assert found.is_clear


def test_a_cost_that_is_missing_is_left_out() -> None:
    cost = np.array([1.0, np.nan, 3.0, 5.0])
    baseline = np.array([0.0, 0.0, np.nan, 1.0])
    found = paired_difference(cost, baseline, days(4, 4))
    assert (found.n, found.groups, found.mean_bps) == (2, 2, 2.5)


@pytest.mark.parametrize("n", range(FEWEST))
def test_too_few_days_have_no_interval_and_say_why(n: int) -> None:
    rng = np.random.default_rng(n)
    cost = rng.normal(size=100 * n)
    found = paired_difference(cost, np.zeros(100 * n), days(100 * n, max(n, 1)))
    assert np.isnan([found.low_bps, found.high_bps, found.p]).all()
    assert not found.is_clear
    have = ("0 days", "1 day", "2 days")[n]
    assert found.missing == f"{have}: an interval takes 3 days or more"
    assert found.missing in basis(found)


def test_turning_it_around_turns_the_sign() -> None:
    rng = np.random.default_rng(4)
    cost, baseline = rng.normal(size=(2, 200))
    one = paired_difference(cost, baseline, days(200, 20))
    other = paired_difference(baseline, cost, days(200, 20))
    assert other.mean_bps == -one.mean_bps
    assert other.p == pytest.approx(one.p)
    assert other.low_bps == pytest.approx(-one.high_bps, abs=1e-12)
    assert other.high_bps == pytest.approx(-one.low_bps, abs=1e-12)


def test_what_an_interval_rests_on_is_said() -> None:
    rng = np.random.default_rng(6)
    cost, base = rng.normal(size=(2, 240))
    day, name = np.arange(240) % 12, np.arange(240) // 12
    few = basis(paired_difference(cost, base, Clusters(day, name % 2)))
    assert "Student's t with 11 degrees of freedom over 12 days" in few
    assert "other days of these names" in few
    many = basis(paired_difference(cost, base, Clusters(day, name)))
    assert "over 12 days and 20 names, clustered by both" in many
    assert "other days and other names" in many
    own = basis(paired_difference(cost, base, Clusters(np.arange(240) // 2, unit="market")))
    assert "over 120 markets" in own
    assert "no days" in own


def test_orders_of_several_names_on_one_day_share_it() -> None:
    """Two names whose days move together: as if independent the interval is too narrow."""
    rng = np.random.default_rng(7)
    held, repeats = np.zeros(2), 400
    day, name = np.repeat(np.arange(10), 20), np.tile(np.repeat([0, 1], 10), 10)
    for _ in range(repeats):
        difference = 0.9 * rng.normal(size=10)[day] + 0.4 * rng.normal(size=(10, 2))[day, name]
        difference += 0.5 * rng.normal(size=200)
        for k, clusters in enumerate((Clusters(day, name), Clusters(2 * day + name))):
            found = paired_difference(difference, np.zeros(200), clusters)
            held[k] += found.low_bps <= 0.0 <= found.high_bps
    assert 0.93 <= held[0] / repeats <= 0.975
    assert held[1] / repeats < 0.87
