"""Episodes that are given by hand are refused by the field that is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from env.untaught import Pool
from paceline.engine.shipped import load_market
from paceline.engine.simulator import simulate_day
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import EpisodeSettings
from paceline.env.execution_env import ExecutionEnv
from paceline.errors import InputError
from paceline.market.tape import Tape
from paceline.units import NS_PER_S


@pytest.fixture(scope="module")
def tapes() -> list[Tape]:
    market = load_market("yhoo-2003")
    return [simulate_day(market, f"2024-01-{day:02d}", 4) for day in (8, 9)]


@pytest.fixture(scope="module")
def env(tapes: list[Tape]) -> BatchExecutionEnv:
    return BatchExecutionEnv(Pool(tapes, EpisodeSettings(horizon_s=(300.0,)), seed=3), 3)


OPEN, CLOSE = "open", "close"


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("tape", 2, "give 0 to 1"),
        ("tape", -1, "give 0 to 1"),
        ("venue", 1, "give 0 to 0"),
        ("venue", -1, "give 0 to 0"),
        ("side", 0, "give 1 to buy or -1 to sell"),
        ("side", 2, "give 1 to buy or -1 to sell"),
        ("lots", 0, r"give 1 to \d+ lots"),
        ("lots", -5, r"give 1 to \d+ lots"),
        ("lots", 2**31, r"give 1 to \d+ lots"),
        ("start_ts", (OPEN, -1), "give ns since the epoch, in its session"),
        ("start_ts", (CLOSE, 0), "give ns since the epoch, in its session"),
        ("start_ts", 0, "give ns since the epoch, in its session"),
        ("end_ts", (CLOSE, 1), "give ns after start_ts, to the close"),
        ("end_ts", (OPEN, 0), "give ns after start_ts, to the close"),
        ("child_max", 0, "give 1 lot or more"),
        ("share_ppm", -1, "give 0 .none. to 1000000"),
        ("share_ppm", 1_000_001, "give 0 .none. to 1000000"),
        ("window_ns", 0, "give the length of the window"),
        ("steepness", np.nan, "give 0 to 100"),
        ("steepness", -1.0, "give 0 to 100"),
        ("steepness", 1e3, "give 0 to 100"),
        ("band_ppm", -1, "give parts in a million of arrival"),
        ("band_high", 10_001, "give ticks on its grid"),
        ("band_low", 10_001, "give ticks on its grid"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(
    env: BatchExecutionEnv, field: str, value: Any, remedy: str
) -> None:
    given = env.pool.draw(3)
    if field.startswith("band_"):
        given["band_ppm"] = 0
    session = env.pool.tapes[given["tape"][1]].session
    if isinstance(value, tuple):
        value = {OPEN: session.open_ns, CLOSE: session.close_ns}[value[0]] + value[1]
    given[field][1] = value
    with pytest.raises(InputError, match=rf"episodes\.{field}: number 1 has {value}; {remedy}"):
        env.reset(options={"episodes": given})


def test_what_is_no_record_of_an_episode_is_refused(env: BatchExecutionEnv) -> None:
    for wrong in (env.pool.draw(2), np.zeros(3), [1, 2, 3], None):
        if wrong is not None:
            with pytest.raises(InputError, match=r"episodes: are .*; give \[3\] of EPISODE_RECORD"):
                env.reset(options={"episodes": wrong})
    with pytest.raises(InputError, match=r"episodes: are .* give \[1\] of EPISODE_RECORD"):
        ExecutionEnv(env.pool).reset(options={"episode": 7})


def test_a_band_that_no_limit_can_tell_is_refused(env: BatchExecutionEnv) -> None:
    """Bands are told from the arrival price: one that ends before it would be kept to it only."""
    given = env.pool.draw(3)
    given["side"] = 1
    env.reset(options={"episodes": given})
    bound = env.episodes["band_high"].copy()
    arrival = env.lives.order["arrival_twice_mid"][:, 0] // 2
    step = env.pool.tapes[0].instrument.order_step
    given["band_ppm"], given["band_low"], given["band_high"] = 0, 0, bound
    env.reset(options={"episodes": given})
    np.testing.assert_array_equal(env.episodes["band_high"], bound)
    given["band_high"][2] = (arrival[2] // step - 1) * step
    with pytest.raises(
        InputError,
        match=rf"episodes\.band_high: number 2 has {given['band_high'][2]}, .* no better",
    ):
        env.reset(options={"episodes": given})
    given["side"][2], given["band_low"][2] = -1, (arrival[2] // step + 2) * step
    with pytest.raises(InputError, match=r"episodes\.band_low: number 2 has"):
        env.reset(options={"episodes": given})


def test_what_was_worked_may_be_given_again(env: BatchExecutionEnv) -> None:
    env.reset(seed=8)
    again, first = env.episodes.copy(), env.lives.context["band_ticks"].copy()
    env.reset(options={"episodes": again})
    np.testing.assert_array_equal(env.episodes, again)
    np.testing.assert_array_equal(env.lives.context["band_ticks"], first)
    assert np.all(again["end_ts"] - again["start_ts"] == 300 * NS_PER_S)
