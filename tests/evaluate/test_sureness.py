"""Intervals of a comparison: literal tables, slow twins, and no two that contradict each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from paceline.cost.clustered import Clusters, clustered
from paceline.cost.tail import cvar
from paceline.errors import InputError
from paceline.evaluate.paired import PairedDifference, paired_difference
from paceline.evaluate.sureness import Bounds, seeds_summary, sureness


def orders(rng: np.random.Generator, days: int, names: int = 2) -> tuple[np.ndarray, Clusters]:
    """Orders on unequal days, at least three each, with a shock of the day in their cost."""
    day = np.concatenate([np.repeat(np.arange(days), 3), rng.integers(0, days, 8 * days)])
    shock = 0.7 * rng.normal(size=days)[day] + rng.standard_t(4, size=len(day))
    return shock, Clusters(day, rng.integers(0, names, len(day)))


def test_a_literal_table() -> None:
    """Four days of one order: differences -1, -3, -2, -2, baseline 10, 12, 8, 10."""
    base = np.array([10.0, 12.0, 8.0, 10.0])
    sure = sureness(base - [1.0, 3.0, 2.0, 2.0], base, Clusters(np.arange(4)))
    assert sure.mean.mean_bps == -2.0
    # s = 0.8165, / 2 = 0.40825, times 3.18245.
    assert sure.mean.low_bps == pytest.approx(-2 - 1.29923, abs=1e-5)
    assert sure.saving.value == pytest.approx(0.2)
    # Fieller: (100 - t^2 V_bb) s^2 - 2 (20 + t^2 V_db) s + 4 - t^2 V_dd = 0 with
    # V_dd = 1 / 6, V_bb = 2 / 3, V_db = -1 / 6 and t^2 = 10.12797.
    a, b, c = 100 - 10.12797 * 2 / 3, 20 - 10.12797 / 6, 4 - 10.12797 / 6
    root = (b * b - a * c) ** 0.5
    assert sure.saving.low == pytest.approx((b - root) / a, abs=1e-6)
    assert sure.saving.high == pytest.approx((b + root) / a, abs=1e-6)
    assert sure.saving.low > 0.0
    # CVaR95 of so few is the largest: 9 less 12, and without the second day 9 less 10.
    assert sure.cvar95.value == pytest.approx(-3.0)
    assert sure.cvar95.high == pytest.approx(-3 + 3.18245 * (0.75 * 2.0**2) ** 0.5, abs=1e-4)


@given(st.integers(0, 10_000), st.integers(3, 20), st.integers(1, 14))
def test_the_saving_never_contradicts_the_difference(seed: int, days: int, names: int) -> None:
    rng = np.random.default_rng(seed)
    shock, clusters = orders(rng, days, names)
    base = 6.0 + 2.0 * shock + rng.normal(size=len(shock))
    sure = sureness(base + rng.normal(0.0, 0.6) + 0.8 * shock, base, clusters)
    if not np.isnan(sure.saving.low):
        assert sure.saving.low <= sure.saving.value <= sure.saving.high
        assert sure.saving.is_clear == sure.mean.is_clear == (sure.mean.p < 0.05)


@given(st.integers(0, 10_000), st.integers(3, 12))
def test_a_share_is_in_the_interval_if_it_may_be_the_true_one(seed: int, days: int) -> None:
    """Cost less (1 - s) times the baseline has the mean 0 for the true share s."""
    rng = np.random.default_rng(seed)
    shock, clusters = orders(rng, days)
    base = 6.0 + 2.0 * shock
    cost = 5.0 + rng.normal(size=len(shock)) + shock
    saving = sureness(cost, base, clusters).saving
    if not np.isnan(saving.low):
        for share in np.linspace(-0.5, 1.0, 31):
            p = clustered(cost - (1.0 - share) * base, clusters).p
            assert (saving.low <= share <= saving.high) == (p >= 0.05)


def test_where_the_baseline_may_cost_nothing_no_share_is_known() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(0.1, 5.0, 60)
    sure = sureness(base - 0.5, base, Clusters(np.arange(60) % 6))
    assert sure.mean.is_clear
    assert np.isnan(sure.saving.low)
    assert np.isnan(sure.saving.high)


def test_a_baseline_that_earns_can_save_no_share() -> None:
    sure = sureness(np.zeros(40), np.full(40, -1.0), Clusters(np.arange(40)))
    assert np.isnan(sure.saving.value)
    assert sure.mean.mean_bps == 1.0


@given(st.integers(0, 10_000), st.integers(3, 12))
def test_the_tail_leaves_out_one_day_at_a_time(seed: int, days: int) -> None:
    rng = np.random.default_rng(seed)
    cost, clusters = orders(rng, days)
    base = cost[::-1] * 2.0
    day = clusters.group
    value = cvar(cost, 20) - cvar(base, 20)
    without = [cvar(cost[day != g], 20) - cvar(base[day != g], 20) for g in range(days)]
    variance = (days - 1) / days * sum((one - value) ** 2 for one in without)
    found = sureness(cost, base, clusters).cvar95
    assert found.value == pytest.approx(value)
    reach = stats.t.ppf(0.975, days - 1) * variance**0.5
    assert (found.low, found.high) == pytest.approx((value - reach, value + reach))


def test_names_that_are_a_sample_widen_the_tail() -> None:
    rng = np.random.default_rng(3)
    day, name = np.repeat(np.arange(8), 120), np.tile(np.arange(12), 80)
    base = rng.normal(size=960) + 3.0 * rng.normal(size=12)[name]
    cost = rng.normal(size=960) + 3.0 * rng.normal(size=12)[name]
    both = sureness(cost, base, Clusters(day, name)).cvar95
    alone = sureness(cost, base, Clusters(day)).cvar95
    assert both.value == alone.value
    assert both.high - both.low > 1.5 * (alone.high - alone.low)


def test_the_tail_difference_is_that_of_each_ones_own_worst() -> None:
    cost = np.arange(100.0)
    sure = sureness(cost, cost[::-1] * 2.0, Clusters(np.arange(100) % 10))
    assert sure.cvar95.value == pytest.approx(97.0 - 2 * 97.0)
    assert sure.cvar95.low < sure.cvar95.value < sure.cvar95.high


def test_what_is_missing_is_left_out_on_both_sides() -> None:
    cost = np.array([1.0, np.nan, 3.0, 4.0, 9.0, 8.0])
    base = np.array([6.0, 1.0, np.nan, 7.0, 8.0, 7.0])
    there, day = np.array([0, 3, 4, 5]), Clusters(np.arange(6))
    sure = sureness(cost, base, day)
    assert sure == sureness(cost[there], base[there], day.of(there))
    assert sure.mean == paired_difference(cost, base, day)
    assert sure.mean.n == 4
    assert sure.saving.value == pytest.approx(1 - 22 / 28)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_of_no_day_or_few_nothing_is_sure(n: int) -> None:
    sure = sureness(np.ones(n), np.full(n, 2.0), Clusters(np.arange(n)))
    assert np.isnan([sure.mean.low_bps, sure.mean.p, sure.cvar95.low, sure.saving.low]).all()
    assert not sure.saving.is_clear
    assert sure.saving.value == 0.5 or n == 0


def test_intervals_hold_as_often_as_they_say() -> None:
    """Twelve days of a name, each with a shock of its own that is a tenth of the variance, and of
    different sizes. The truth is known; `benchmarks.coverage` measures it in full. The interval of
    the tail, of which few days see little, holds a little less often."""
    rng = np.random.default_rng(1)
    repeats, held, days = 400, np.zeros(3), 12
    # CVaR95 of a normal of standard deviation s about m is m + s tail.
    tail = stats.norm.pdf(stats.norm.ppf(0.95)) / 0.05
    truth = np.array([-2.0, (8.0 + tail) - (10.0 + tail * (1.2**2 + 0.3**2) ** 0.5), 0.2])
    for _ in range(repeats):
        day = np.repeat(np.arange(days), rng.integers(30, 70, days))
        own = rng.normal(size=len(day))
        shock = 0.1**0.5 * rng.normal(size=days)[day] + 0.9**0.5 * own
        base = 10.0 + 1.2 * shock + 0.3 * rng.normal(size=len(day))
        sure = sureness(8.0 + shock, base, Clusters(day))
        bounds = [Bounds(*sure.mean[:3]), sure.cvar95, sure.saving]
        held += [one.low <= true <= one.high for one, true in zip(bounds, truth, strict=True)]
    assert np.all(held / repeats >= [0.925, 0.89, 0.925]), held
    assert np.all(held / repeats <= 0.98), "an interval that always holds says nothing"


def pair(mean: float, low: float, high: float) -> PairedDifference:
    return PairedDifference(mean, low, high, 0.5, 100, 20, 0, 19.0, "day")


def test_seeds_are_counted_by_their_own_intervals() -> None:
    found = seeds_summary([pair(-1, -2, -0.5), pair(-0.2, -1, 0.4), pair(0.8, 0.1, 2)])
    assert (found.n, found.cheaper, found.dearer) == (3, 1, 1)
    assert found.mean_bps == pytest.approx(-0.4 / 3)
    assert (found.least_bps, found.most_bps) == (-1, 0.8)
    with pytest.raises(InputError, match="differences: none"):
        seeds_summary([])


def test_a_comparison_holds_where_names_move_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A corner of `benchmarks.coverage`: from costs to interval, with twelve names of each day
    correlated by 0.8. Single orders as if independent reject a true null half of the time."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    from benchmarks.coverage import Cell, measured, tail_of

    found = measured(Cell(12, 8, 0.8), 400, tail_of(0.0, 400_000), 5)
    assert 0.92 <= found.mean <= 0.98
    assert 0.90 <= found.saving <= 1.0
    assert 0.90 <= found.tail <= 1.0
    assert found.over_orders > 0.4
