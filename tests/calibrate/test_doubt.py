"""The laws with their errors: of days that are known, of one day, and of what never happened."""

from __future__ import annotations

import json

import numpy as np
import pytest

from paceline.calibrate.days import Day, days_of
from paceline.calibrate.doubt import branching_ratio, direct_numbers
from paceline.calibrate.excitation import ExcitationFit
from paceline.calibrate.fit import Fit, fit
from paceline.calibrate.rates import BUCKETS, Tables
from paceline.calibrate.report import number_table, numbers
from paceline.calibrate.resilience import AFTER_S, recovery
from paceline.engine.flow_settings import Histogram, Placement, Sizes
from paceline.engine.market_settings import MarketSettings
from paceline.engine.simulator import simulate_day
from paceline.market import events as ev

from .tapes import tape_of

TRUTH = MarketSettings(
    symbol="TRUE",
    close_s=45_000.0,
    limit_bid_per_s=1.0,
    limit_ask_per_s=1.0,
    market_buy_per_s=0.3,
    market_sell_per_s=0.3,
    cancel_per_s=0.04,
    placement=Placement(anchor="own", histogram=Histogram(edges=(0, 1, 2), weights=(60, 40))),
    limit_size=Sizes(histogram=Histogram(edges=(1, 2, 3), weights=(50, 50))),
    patience=(1.0, 0.5),
)


@pytest.fixture(scope="module")
def found() -> Fit:
    return fit([simulate_day(TRUTH, f"2024-01-0{k}", seed=3) for k in (2, 3, 4)], excited=())


@pytest.fixture(scope="module")
def days(found: Fit) -> list[Day]:
    return days_of(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit orders per second", 2.0),
        ("market orders per second", 0.6),
        ("share of limit orders at the touch", 0.6),
        ("distance of those behind it, geometric mean, ticks", 1.0),
        ("mean size of limit orders, lots", 150.0),
        ("cancels per second of an order at the touch", 0.04),
        ("cancels per second of an order behind it", 0.02),
        ("exponent with which the autocorrelation of signs falls", 1.0),
    ],
)
def test_what_is_known_lies_within_its_error(days, name, value):
    number = direct_numbers(days)[name]
    assert abs(number.value - value) < 5 * number.std_error + 0.02 * value
    assert number.std_error < 0.3 * value


def test_all_numbers_have_errors_over_days(days):
    for name, number in direct_numbers(days).items():
        assert np.isnan(number.value) or number.std_error >= 0.0, name


def test_of_one_day_errors_are_not_known(found, days):
    counted = direct_numbers(days[:1])
    assert all(np.isnan(number.std_error) for number in counted.values())
    rows = number_table(counted).rows
    assert {row[3].text for row in rows} == {"not known"}
    said = json.loads(json.dumps(numbers(found, counted)))["direct"]["cancels per second"]
    assert said["value"] > 0.0
    assert said["std_error"] is None


def test_recovery_by_hand():
    """A spread of 2, 3 once the ask is gone, and 2 again after 3 s; of 4 lots, then 8, then 6."""
    second = 10**9
    rows = [
        (1, ev.ADD, 1, 100, 4, 0),
        (1, ev.ADD, -1, 102, 4, 1),
        (1, ev.ADD, -1, 103, 8, 2),
        (1000 * second, ev.EXECUTE, -1, 102, 4, 1),
        (1003 * second, ev.ADD, -1, 102, 6, 3),
        (1400 * second, ev.ADD, 1, 90, 1, 4),
    ]
    columns = zip(*rows, strict=True)
    kinds = (np.int64, np.uint8, np.int8, np.int64, np.int64, np.int32)
    parts = (np.array(column, kind) for column, kind in zip(columns, kinds, strict=True))
    tape = tape_of(ev.Rows(*parts), close_ns=2000 * second)
    spread, lots = recovery(tape)
    back = np.array(AFTER_S) >= 3.0
    np.testing.assert_allclose(spread, np.where(back, 1.0, 1.5))
    np.testing.assert_allclose(lots, np.where(back, 1.5, 2.0))


def test_errors_of_norms_are_passed_on_to_the_branching_ratio(found):
    """Two kinds that bring about themselves alone: the ratio is the larger of the norms."""
    norms, errors = np.zeros((1, 2, 3, 3)), np.full((1, 2, 3, 3), np.nan)
    norms[0, 0, 0, 0], norms[0, 0, 1, 1] = 0.2, 0.5
    errors[0, 0, 0, 0], errors[0, 0, 1, 1] = 0.1, 0.03
    tables = Tables(*(np.ones((3, n)) for n in BUCKETS))
    excited = ExcitationFit(norms, errors, np.ones(3), tables, np.ones((3, 3)), (1.0,))
    ratio = branching_ratio(found._replace(excitation=excited))
    assert ratio.std_error == pytest.approx(0.03)
    assert np.isnan(branching_ratio(found).std_error)
