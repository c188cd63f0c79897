"""Validation: the same orders each time, however many of them are worked at once."""

from __future__ import annotations

import numpy as np
import pytest

from env.market_days import DAYS, random_day
from env.untaught import Pool
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import EpisodeSettings, on_both_sides
from paceline.learn.teachers import Teacher
from paceline.learn.validation import that_begin, validate

ORDERS = 10


@pytest.fixture(scope="module")
def pool() -> Pool:
    settings = EpisodeSettings(horizon_s=(60.0,), qty_volume=(0.05, 0.5))
    return Pool([random_day(1, DAYS[0])], settings, seed=3)


@pytest.mark.parametrize("at_once", [1, 4, 7])
def test_in_parts_as_all_at_once(pool: Pool, at_once: int) -> None:
    episodes = on_both_sides(pool.draw(ORDERS // 2))
    scores = []
    for n in (ORDERS, at_once):
        env = BatchExecutionEnv(pool, n)
        teacher, dice = Teacher("twap/touch", env.grid), np.random.default_rng(1)
        assert np.array_equal(that_begin(env, episodes), episodes)
        scores.append(
            validate(env, episodes, lambda seen, mask: teacher.act(seen, mask, dice).action, 0.3)  # noqa: B023
        )
    whole, parts = scores
    assert parts.score == whole.score
    assert np.ptp(whole.shortfall_bps) > 0
    for name in ("earned", "shortfall_bps", "left"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name))
