"""Means of values that are alike within a day: what books say, what scipy says, and slow twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from paceline.cost.clustered import (
    FEWEST,
    FEWEST_NAMES,
    Clusters,
    clustered,
    critical,
    p_value,
)
from paceline.errors import InputError


def test_students_sleep() -> None:
    """Student (1908), table of hours of sleep gained by ten patients under two drugs: 1.58 hours
    between them, and t = 4.06. A patient stands for a day here, with one value."""
    dextro = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    laevo = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    found = clustered(laevo - dextro, Clusters(np.arange(10)))
    assert found.mean[0] == pytest.approx(1.58)
    assert found.mean[0] / found.std_error == pytest.approx(4.0621, abs=1e-4)
    assert found.df == 9
    assert found.p == pytest.approx(0.00283, abs=1e-5)
    assert found.interval() == pytest.approx((0.7001, 2.4599), abs=1e-4)


def test_a_literal_table_of_unequal_days() -> None:
    """Days of 1, 2 and 3 orders; leaving one out, the mean is 32 / 5, 30 / 4 and 10 / 3."""
    found = clustered([4, 1, 5, 7, 8, 11], Clusters(np.array([0, 1, 1, 2, 2, 2])))
    assert found.mean[0] == 6.0
    variance = 2 / 3 * (0.4**2 + 1.5**2 + (10 / 3 - 6) ** 2)
    assert found.covariance[0, 0] == pytest.approx(variance)
    assert (found.n, found.groups, found.names, found.df) == (6, 3, 0, 2)
    # t of 2 degrees of freedom at 97.5 %, from any table: 4.303.
    assert found.interval()[1] == pytest.approx(6 + 4.30265 * variance**0.5, abs=1e-4)


@given(st.integers(0, 10_000), st.integers(FEWEST, 30), st.integers(1, 40))
def test_days_of_as_many_values_are_students_t_over_their_means(
    seed: int, days: int, each: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(days, each)) + rng.normal(size=(days, 1))
    found = clustered(values.ravel(), Clusters(np.repeat(np.arange(days), each)))
    theirs = stats.ttest_1samp(values.mean(axis=1), 0.0)
    assert found.p == pytest.approx(theirs.pvalue)
    assert found.interval() == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert found.interval(0.8) == pytest.approx(tuple(theirs.confidence_interval(0.8)))


@given(st.integers(0, 10_000), st.integers(FEWEST, 12))
def test_the_covariance_is_that_of_a_slow_jackknife(seed: int, days: int) -> None:
    rng = np.random.default_rng(seed)
    day = np.concatenate([np.arange(days), rng.integers(0, days, 40)])
    values = rng.normal(size=(len(day), 2))
    without = np.array([values[day != g].mean(axis=0) for g in range(days)])
    about = without - values.mean(axis=0)
    found = clustered(values, Clusters(day))
    assert found.covariance == pytest.approx((days - 1) / days * about.T @ about)


@given(st.integers(0, 10_000), st.integers(FEWEST, 12), st.integers(1, 12))
def test_an_interval_leaves_0_out_exactly_where_p_is_below_5_percent(
    seed: int, days: int, names: int
) -> None:
    rng = np.random.default_rng(seed)
    day = np.concatenate([np.arange(days), rng.integers(0, days, 60)])
    values = rng.normal(0.4, 1.0, len(day)) + rng.normal(0.0, 0.4, days)[day]
    found = clustered(values, Clusters(day, rng.integers(0, names, len(day))))
    low, high = found.interval()
    assert (low > 0.0 or high < 0.0) == (found.p < 0.05)


def test_orders_of_a_day_are_no_independent_draws() -> None:
    """Ten days, a hundred orders each of four names, and all that differs is the day."""
    rng = np.random.default_rng(5)
    day, name = np.repeat(np.arange(10), 100), np.arange(1000) % 4
    values = rng.normal(size=10)[day]
    found, alone = clustered(values, Clusters(day, name)), clustered(values[::100], _own(10))
    assert found.std_error == pytest.approx(alone.std_error)
    assert found.std_error > 9 * clustered(values, _own(1000)).std_error


def test_two_ways_by_hand() -> None:
    """Three days of ten names, one value each: an analysis of variance of two ways. The mean's
    variance is (MS of days + MS of names - MS of the rest) / 30."""
    rng = np.random.default_rng(2)
    table = rng.normal(size=(3, 10)) + 2.0 * rng.normal(size=10) + rng.normal(size=(3, 1))
    of_day, of_name = table.mean(axis=1), table.mean(axis=0)
    rest = table - of_day[:, None] - of_name + table.mean()
    ms = 10 * of_day.var(ddof=1), 3 * of_name.var(ddof=1), np.sum(rest**2) / (2 * 9)
    assert ms[1] > ms[2]
    found = clustered(
        table.ravel(), Clusters(np.repeat(np.arange(3), 10), np.tile(np.arange(10), 3))
    )
    assert found.names == 10
    assert found.covariance[0, 0] == pytest.approx((ms[0] + ms[1] - ms[2]) / 30)
    # Satterthwaite (1946): V^2 / (V1^2 / 2 + V2^2 / 9).
    one, two = ms[0] / 30, (ms[1] - ms[2]) / 30
    assert found.df == pytest.approx((one + two) ** 2 / (one**2 / 2 + two**2 / 9))


def test_names_count_from_ten_on_and_where_they_meet_on_days() -> None:
    rng = np.random.default_rng(3)
    day = np.repeat(np.arange(6), 20)
    for names, counted in ((FEWEST_NAMES - 1, 0), (FEWEST_NAMES, FEWEST_NAMES)):
        name = np.arange(120) % names
        values = 3.0 * rng.normal(size=names)[name] + rng.normal(size=120)
        found, without = clustered(values, Clusters(day, name)), clustered(values, Clusters(day))
        assert found.names == counted
        assert (found.std_error > 1.5 * without.std_error) == bool(counted)
    # A name of each day's own is no second way: the day knows it already.
    nested = clustered(values, Clusters(day, day * 2 + np.arange(120) % 2))
    assert nested.std_error == pytest.approx(without.std_error)
    assert nested.df == 5


@given(st.integers(0, 10_000), st.integers(3, 8), st.integers(1, 14))
def test_a_column_beside_it_changes_nothing(seed: int, days: int, names: int) -> None:
    """Bit for bit: a difference has one interval wherever it is asked for."""
    rng = np.random.default_rng(seed)
    day, name = rng.integers(0, days, 90), rng.integers(0, names, 90)
    values, other = rng.normal(size=90) + rng.normal(size=names)[name], 1e3 * rng.normal(size=90)
    alone = clustered(values, Clusters(day, name))
    beside = clustered(np.column_stack([values, other]), Clusters(day, name))
    assert (alone.mean[0], alone.std_error, alone.df) == (
        beside.mean[0], beside.std_error, beside.df,
    )  # fmt: skip


def test_names_never_make_it_surer() -> None:
    rng = np.random.default_rng(4)
    day, name = np.repeat(np.arange(5), 12), np.tile(np.arange(12), 5)
    for _ in range(50):
        values = np.column_stack([rng.normal(size=(5, 1))[day, 0], rng.normal(size=60)])
        both, alone = clustered(values, Clusters(day, name)), clustered(values, Clusters(day))
        assert both.covariance[0, 0] >= alone.covariance[0, 0] - 1e-15
        assert np.linalg.eigvalsh(both.covariance)[0] > -1e-12


@pytest.mark.parametrize("days", range(FEWEST))
def test_with_too_few_days_nothing_is_sure(days: int) -> None:
    values = np.arange(20.0) if days else np.zeros(0)
    found = clustered(values, Clusters(np.arange(len(values)) % max(days, 1)))
    assert np.isnan(found.std_error)
    assert np.isnan(found.p)
    assert np.all(np.isnan(found.interval()))
    assert found.mean[0] == 9.5 if days else np.isnan(found.mean[0])


def test_values_that_all_are_the_same() -> None:
    zero, two = (clustered(np.full(9, x), _own(9)) for x in (0.0, 2.0))
    assert (zero.p, zero.interval()) == (1.0, (0.0, 0.0))
    assert (two.p, two.interval()) == (0.0, (2.0, 2.0))


def test_names_of_days_do_not_matter() -> None:
    values, number = np.arange(30.0) ** 2, np.arange(30) % 6
    words = np.array([f"2024-01-{k + 2:02d}" for k in number])
    one, other = clustered(values, Clusters(number)), clustered(values, Clusters(words))
    assert one.std_error == other.std_error


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(InputError, match="values: missing or infinite"):
        clustered([1.0, np.nan, 2.0], _own(3))
    with pytest.raises(InputError, match="clusters: of 3 values, not 4"):
        clustered(np.ones(4), _own(3))


def test_critical_values_are_those_of_the_tables() -> None:
    for df, value in ((2, 4.303), (5, 2.571), (9, 2.262), (29, 2.045), (1e9, 1.960)):
        assert critical(df) == pytest.approx(value, abs=5e-4)
        assert p_value(critical(df), 1.0, df) == pytest.approx(0.05)
    assert np.isnan(critical(float("nan")))


def _own(n: int) -> Clusters:
    """Each value a day of its own."""
    return Clusters(np.arange(n))
