"""What a person writes becomes integers, rounded to the strict side, and never by accident none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.states import ACME, LIMITS
from paceline.config import describe, load_yaml
from paceline.errors import ConfigError
from paceline.guard.limits import LIMITS_RECORD, UNLIMITED, UNSET, Limits, limits_record, tightened
from paceline.guard.participation import PPM, allowed_lots
from paceline.orders.order import Constraints


def test_what_is_left_out_is_not_set() -> None:
    row = limits_record(Limits(), ACME)[0]
    numbers = set(LIMITS_RECORD.names or ()) - {"band_reference", "order_step"}
    assert {int(row[name]) for name in numbers} == {UNSET}


def test_every_limit_has_a_sentence() -> None:
    assert {row.path for row in describe(Limits)} == {*LIMITS, "band_reference"}


@pytest.mark.parametrize(
    ("limit", "value", "field", "steps"),
    [
        ("participation", 0.1, "participation_ppm", 100_000),
        ("participation", 0.12345678, "participation_ppm", 123_456),
        ("child_max", 20_099, "child_max_lots", 200),
        ("child_max", 99, "child_max_lots", 0),
        ("max_order_value", 2084.5, "max_order_value", 2084),
        ("band_bps", 1.005, "band_ppm", 100),
        ("window_s", 300, "window_ns", 300 * 10**9),
        ("window_s", 1e-10, "window_ns", 1),
        ("min_resting_s", 1e-10, "min_resting_ns", 1),
        ("execution_window_s", 1e-10, "execution_window_ns", 1),
        ("execution_window_s", "unlimited", "execution_window_ns", UNLIMITED),
        ("max_executions", 8, "max_executions", 8),
        ("max_data_age_s", 1.9999999999, "max_data_age_ns", 1_999_999_999),
        ("max_volatility_bps", 30, "max_volatility_ppm", 3000),
        ("max_order_value", 1e300, "max_order_value", UNLIMITED - 1),
        ("max_messages", 2**63 - 1, "max_messages", UNLIMITED - 1),
        ("band_reference", "mid", "band_reference", 3),
        ("child_max", "unlimited", "child_max_lots", UNLIMITED),
    ],
)
def test_a_limit_on_the_grids(limit: str, value: Any, field: str, steps: int) -> None:
    assert limits_record(Limits(**{limit: value}), ACME)[0][field] == steps


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("participation", 0), ("participation", 1.1), ("participation", "none"),
        ("participation", float("nan")), ("child_max", -1), ("child_max", True),
        ("band_bps", float("inf")), ("max_messages", 1.5), ("window_s", "unlimited"),
        ("duplicate_s", "unlimited"), ("band_reference", "vwap"), ("no_such", 1),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_refused(limit: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(f"{limit}: {value}\n")
    with pytest.raises(ConfigError, match=limit):
        load_yaml(path, Limits)


def test_yaml_is_read(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("\n".join(f"{name}: {value}" for name, value in LIMITS.items()))
    assert load_yaml(path, Limits) == Limits(**LIMITS)


def test_of_desk_and_parent_the_stricter_holds() -> None:
    parent = Constraints(participation=0.05, price_band_bps=200, child_max=5000, max_cancels=7,
                         min_resting_ms=900)  # fmt: skip
    both = tightened(Limits(**LIMITS), parent)
    assert (both.participation, both.band_bps, both.child_max) == (0.05, 100, 5000)
    assert (both.max_cancels, both.max_messages, both.min_resting_s) == (7, 1000, 0.9)
    assert both.max_order_value == LIMITS["max_order_value"]
    free = tightened(Limits(participation="unlimited"), parent)
    assert free.participation == 0.05
    assert (free.max_order_value, free.max_messages) == (None, None)
    assert tightened(Limits(max_messages="unlimited"), parent).max_messages == "unlimited"
    with pytest.raises(ConfigError, match="band_reference"):
        tightened(Limits(band_reference="mid"), parent)


@given(st.integers(0, PPM), st.integers(0, 2**42))
def test_allowed_lots_are_the_most_that_keep_the_share(ppm: int, others: int) -> None:
    own = int(allowed_lots(ppm, others))
    if ppm == PPM:
        assert own == UNLIMITED
        return
    assert own * PPM <= ppm * (own + others)
    assert (own + 1) * PPM > ppm * (own + 1 + others)
