"""Paired differences: exact where one can count, honest where one has to draw."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from paceline.evaluate import paired
from paceline.evaluate.paired import FEWEST_CLUSTERS, paired_difference


def test_a_literal_example() -> None:
    cost = np.array([3.0, 5.0, 1.0, 8.0])
    baseline = np.array([1.0, 6.0, 1.0, 4.0])
    found = paired_difference(cost, baseline, np.zeros(4))
    assert found.mean_bps == 1.25  # (2 - 1 + 0 + 4) / 4
    assert (found.n, found.clusters, found.by_cluster) == (4, 1, False)
    assert found.low_bps < 1.25 < found.high_bps


def test_bounds_are_those_of_every_possible_resample() -> None:
    """Five clusters can be drawn in 5**5 ways: the quantiles of all of them are the truth."""
    difference = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 3.0])
    cluster = np.array([0, 1, 2, 3, 4, 4])
    total, size = np.array([1.0, 2.0, 4.0, 8.0, 19.0]), np.array([1, 1, 1, 1, 2])
    every = np.array(list(product(range(5), repeat=5)))
    means = total[every].sum(axis=1) / size[every].sum(axis=1)
    found = paired_difference(difference, np.zeros(6), cluster)
    assert found.by_cluster
    assert found.clusters == 5
    low, high = np.quantile(means, [0.025, 0.975])
    near = np.quantile(means, [0.015, 0.035, 0.965, 0.985])
    assert near[0] <= found.low_bps <= near[1], (low, found)
    assert near[2] <= found.high_bps <= near[3], (high, found)


def test_a_constant_difference_is_known_exactly() -> None:
    rng = np.random.default_rng(1)
    cost = rng.integers(-50, 50, 40).astype(float)
    found = paired_difference(cost + 0.5, cost, np.arange(40) % 8)
    assert (found.mean_bps, found.low_bps, found.high_bps) == (0.5, 0.5, 0.5)


def test_few_clusters_fall_back_to_orders_and_say_so() -> None:
    rng = np.random.default_rng(2)
    cost, baseline = rng.normal(size=(2, 60))
    for clusters in (1, 2, FEWEST_CLUSTERS - 1):
        found = paired_difference(cost, baseline, np.arange(60) % clusters)
        assert not found.by_cluster
        assert found.clusters == clusters
        alone = paired_difference(cost, baseline, np.arange(60))
        assert found[:4] == alone[:4]
    assert paired_difference(cost, baseline, np.arange(60) % FEWEST_CLUSTERS).by_cluster


def test_names_of_clusters_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    cost, baseline = rng.normal(size=(2, 30))
    number = np.arange(30) % 6
    name = np.array([f"YHOO-{k}" for k in number])
    assert paired_difference(cost, baseline, number) == paired_difference(cost, baseline, name)


def test_a_cost_that_is_missing_is_left_out() -> None:
    cost = np.array([1.0, np.nan, 3.0, 5.0])
    baseline = np.array([0.0, 0.0, np.nan, 1.0])
    found = paired_difference(cost, baseline, np.arange(4))
    assert (found.n, found.mean_bps) == (2, 2.5)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_orders_have_no_interval(n: int) -> None:
    found = paired_difference(np.full(n, 2.0), np.zeros(n), np.arange(n))
    assert np.isnan(found.low_bps)
    assert np.isnan(found.high_bps)
    assert found.n == n
    assert found.mean_bps == 2.0 if n else np.isnan(found.mean_bps)


def test_turning_it_around_turns_the_sign() -> None:
    rng = np.random.default_rng(4)
    cost, baseline = rng.normal(size=(2, 200))
    one = paired_difference(cost, baseline, np.arange(200) % 20)
    other = paired_difference(baseline, cost, np.arange(200) % 20)
    assert other.mean_bps == -one.mean_bps
    assert other.low_bps == pytest.approx(-one.high_bps, abs=1e-12)
    assert other.high_bps == pytest.approx(-one.low_bps, abs=1e-12)


def test_memory_does_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    cost, baseline = rng.normal(size=(2, 100))
    whole = paired_difference(cost, baseline, np.arange(100))
    monkeypatch.setattr(paired, "_DRAWS", 1_000)
    assert paired_difference(cost, baseline, np.arange(100)) == whole


def coverage(n_days: int, by_day: bool, monkeypatch: pytest.MonkeyPatch) -> float:
    """How often the interval holds the true mean when orders of one day share a shock."""
    monkeypatch.setattr(paired, "RESAMPLES", 400)
    rng = np.random.default_rng(6)
    day = np.repeat(np.arange(n_days), 10)
    cluster = day if by_day else np.arange(len(day))
    inside = 0
    for _ in range(400):
        shock = rng.normal(scale=2.0, size=n_days)[day]
        difference = 1.0 + shock + rng.normal(size=len(day))
        found = paired_difference(difference, np.zeros(len(day)), cluster)
        inside += found.low_bps <= 1.0 <= found.high_bps
    return inside / 400


def test_interval_of_days_covers_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    # A percentile bootstrap of 40 clusters covers a little less than the 95 % it claims.
    assert 0.90 <= coverage(40, True, monkeypatch) <= 0.98


def test_single_orders_would_cover_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why days are drawn: with orders as if independent the interval misses most of the time."""
    assert coverage(40, False, monkeypatch) < 0.75
