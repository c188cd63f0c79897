"""Tests and intervals of a comparison: what books say, what scipy says, and how often they hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from paceline.cost.tail import cvar
from paceline.errors import InputError
from paceline.evaluate import paired
from paceline.evaluate.bootstrap import (
    Bounds,
    bootstrap,
    paired_tests,
    seeds_summary,
    weighted_cvar,
)
from paceline.evaluate.paired import PairedDifference


def test_students_sleep() -> None:
    """Student (1908), table of hours of sleep gained by ten patients under two drugs: 1.58 hours
    between them, standard deviation 1.23, and t = 4.06 (odds of 666 to 1, he says: one-sided)."""
    dextro = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    laevo = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    found = paired_tests(laevo, dextro, np.arange(10))
    assert found.t == pytest.approx(4.0621, abs=1e-4)
    assert found.t_p == pytest.approx(0.00283, abs=1e-5)
    # One patient slept as long under both and is left out; the other nine all slept longer.
    assert found.wilcoxon == 0.0
    assert found.wilcoxon_p < 0.01
    assert (found.n, found.clusters) == (10, 10)
    assert found.cluster_t == pytest.approx(found.t)


def test_wilcoxons_ranks_by_hand() -> None:
    difference = np.array([8.0, -2.0, 5.0, -1.0, 3.0, 0.0])
    found = paired_tests(difference, np.zeros(6), np.arange(6))
    # Ranks of 1, 2, 3, 5, 8 are 1 to 5; those of -1 and -2 are 1 + 2.
    assert found.wilcoxon == 3.0
    # Of 32 ways to give signs, 5 have a smaller sum of 3 or less: {}, {1}, {2}, {3}, {1, 2}.
    assert found.wilcoxon_p == pytest.approx(2 * 5 / 32)


@given(st.integers(0, 10_000), st.integers(60, 200))
def test_they_are_those_of_scipy(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    cost, base = rng.normal(size=(2, n))
    found = paired_tests(cost, base, np.arange(n))
    t = stats.ttest_rel(cost, base)
    assert (found.t, found.t_p) == pytest.approx((t.statistic, t.pvalue))
    ranks = stats.wilcoxon(cost, base, method="approx")
    assert (found.wilcoxon, found.wilcoxon_p) == pytest.approx((ranks.statistic, ranks.pvalue))


def test_orders_of_a_day_are_no_independent_draws() -> None:
    """Ten days, a hundred orders each, and all that differs is the day."""
    rng = np.random.default_rng(5)
    day = np.repeat(np.arange(10), 100)
    cost = rng.normal(size=10)[day]
    found = paired_tests(cost, np.zeros(1000), day)
    alone = paired_tests(cost[::100], np.zeros(10), day[::100])
    assert found.cluster_t == pytest.approx(alone.t)
    assert abs(found.t) > 9 * abs(found.cluster_t)


def test_what_is_missing_is_left_out_on_both_sides() -> None:
    cost = np.array([1.0, np.nan, 3.0, 4.0, 9.0])
    base = np.array([0.0, 1.0, np.nan, 1.0, 2.0])
    there = np.array([0, 3, 4])
    found = paired_tests(cost, base, np.arange(5))
    assert found == paired_tests(cost[there], base[there], there)
    assert found.n == 3
    sure = bootstrap(cost, base, np.arange(5))
    assert sure.mean.n == 3
    assert sure.saving.value == pytest.approx(1 - 14 / 3)


@pytest.mark.parametrize("n", [0, 1])
def test_of_no_order_or_one_nothing_is_sure(n: int) -> None:
    tests = paired_tests(np.ones(n), np.zeros(n), np.zeros(n))
    assert np.isnan(tests.t)
    assert np.isnan(tests.cluster_p)
    sure = bootstrap(np.ones(n), np.full(n, 2.0), np.zeros(n))
    assert np.isnan(sure.mean.low_bps)
    assert np.isnan(sure.cvar95.low)
    assert not sure.saving.is_clear
    assert sure.saving.value == 0.5 or n == 0


def test_where_all_cost_the_same_there_is_no_t() -> None:
    tests = paired_tests(np.full(9, 2.0), np.full(9, 2.0), np.arange(9))
    assert np.isnan(tests.t)
    assert np.isnan(tests.wilcoxon)


def test_a_baseline_that_earns_can_save_no_share() -> None:
    sure = bootstrap(np.zeros(40), np.full(40, -1.0), np.arange(40))
    assert np.isnan(sure.saving.value)
    assert sure.mean.mean_bps == 1.0


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_a_weighted_tail_is_the_tail_of_the_repeated_sample(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.sort(rng.normal(size=n))[::-1]
    weight = rng.integers(0, 4, (5, n)).astype(float)
    weight[:, 0] += 1
    for row, found in zip(weight, weighted_cvar(values, weight), strict=True):
        assert found == pytest.approx(cvar(np.repeat(values, row.astype(int)), 20))


def test_the_tail_difference_is_that_of_each_ones_own_worst() -> None:
    cost = np.arange(100.0)
    sure = bootstrap(cost, cost[::-1] * 2.0, np.arange(100) % 10)
    assert sure.cvar95.value == pytest.approx(97.0 - 2 * 97.0)
    assert sure.cvar95.low < sure.cvar95.value < sure.cvar95.high


def test_intervals_hold_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty days of a name, each with a shock of its own that is a tenth of the variance, and of
    different sizes. The truth is known, and 95 % intervals must hold it in 90 % of repeats; that of
    the tail, of which a sample sees little, nearly so."""
    monkeypatch.setattr(paired, "RESAMPLES", 400)
    rng = np.random.default_rng(1)
    repeats, held, clusters = 200, np.zeros(3), 20
    # CVaR95 of a normal of standard deviation s about m is m + s tail.
    tail = stats.norm.pdf(stats.norm.ppf(0.95)) / 0.05
    truth = np.array([-2.0, (8.0 + tail) - (10.0 + tail * (1.2**2 + 0.3**2) ** 0.5), 0.2])
    for _ in range(repeats):
        member = np.repeat(np.arange(clusters), rng.integers(30, 70, clusters))
        own = rng.normal(size=len(member))
        shock = 0.1**0.5 * rng.normal(size=clusters)[member] + 0.9**0.5 * own
        base = 10.0 + 1.2 * shock + 0.3 * rng.normal(size=len(member))
        sure = bootstrap(8.0 + shock, base, member)
        bounds = [Bounds(*sure.mean[:3]), sure.cvar95, sure.saving]
        held += [one.low <= true <= one.high for one, true in zip(bounds, truth, strict=True)]
    share = held / repeats
    assert share[0] >= 0.90
    assert share[1] >= 0.85
    assert share[2] >= 0.90
    assert np.all(share < 0.99), "an interval that always holds says nothing"


def pair(mean: float, low: float, high: float) -> PairedDifference:
    return PairedDifference(mean, low, high, 100, 20, True)


def test_seeds_are_counted_by_their_own_intervals() -> None:
    found = seeds_summary([pair(-1, -2, -0.5), pair(-0.2, -1, 0.4), pair(0.8, 0.1, 2)])
    assert (found.n, found.cheaper, found.dearer) == (3, 1, 1)
    assert found.mean_bps == pytest.approx(-0.4 / 3)
    assert (found.least_bps, found.most_bps) == (-1, 0.8)
    with pytest.raises(InputError, match="differences: none"):
        seeds_summary([])
