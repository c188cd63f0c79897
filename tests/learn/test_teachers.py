"""Teachers: they keep to their path, say with which probability they chose, and choose what is
legal."""

from __future__ import annotations

import numpy as np
import pytest

from env.market_days import DAYS, random_day
from env.untaught import Pool
from paceline.decision.actions import ActionGrid
from paceline.decision.schema import N_FEATURES, NAMES
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.episodes import EpisodeSettings
from paceline.errors import ConfigError, InputError
from paceline.learn.logbook import RUNNING, TERMINATED, transitions, worked
from paceline.learn.teachers import Teacher

GRID = ActionGrid(
    sizes=(0.02, 0.1, 0.5), prices=("touch", "mid", "take"), waits_s=(5.0,), hold_s=5.0
)


def seen_of(**values: float) -> np.ndarray:
    row = np.zeros((1, N_FEATURES), np.float32)
    for name, value in ({"inventory": 1.0, "seconds_left": np.log2(301.0)} | values).items():
        row[0, NAMES.index(name)] = value
    return row


def chosen(text: str, mask: np.ndarray | None = None, **values: float) -> str:
    legal = np.ones((1, len(GRID)), bool) if mask is None else mask
    return GRID.describe(int(Teacher(text, GRID).choose(seen_of(**values), legal)[0]))


def test_it_rests_what_is_due_by_the_next_decision() -> None:
    # 5 of 300 seconds: 1.7 % is due, and 2 % is the size that covers it.
    assert chosen("twap") == "post at the touch, 2 % of what is left, wait 5 s"
    assert chosen("twap/mid", behind_twap=0.03) == "post at the mid, 10 % of what is left, wait 5 s"


def test_it_takes_once_it_is_behind_its_patience() -> None:
    late = {"behind_ac": 0.06}
    assert chosen("ac/touch/0.05", **late).startswith("take at the other touch, 10 %")
    assert chosen("ac/touch/0.07", **late).startswith("post at the touch, 10 %")


def test_it_may_rest_everything_at_once() -> None:
    assert chosen("all/mid/0.1", behind_ac=-0.1).startswith("post at the mid, 50 %")
    assert chosen("all/mid/0.1", behind_ac=0.08).startswith("post at the mid, 50 %")
    assert chosen("all/mid/0.1", behind_ac=0.12).startswith("take at the other touch, 50 %")
    assert chosen("all/mid/0.01", behind_ac=0.02).startswith("take at the other touch, 10 %")


def test_it_waits_while_it_is_ahead() -> None:
    assert chosen("ac", behind_ac=-0.1) == "hold for 5 s"


def test_what_is_masked_is_tried_smaller_and_then_waited_with() -> None:
    legal = np.zeros((1, len(GRID)), bool)
    legal[0, 0] = True
    assert chosen("ac", legal, behind_ac=0.04) == "hold for 5 s"
    legal[0, GRID.index(0, 0, 0)] = True
    assert chosen("ac", legal, behind_ac=0.04).startswith("post at the touch, 2 %")


def test_vwap_keeps_its_share_of_usual_volume() -> None:
    teacher = Teacher("vwap", GRID)
    legal = np.ones((1, len(GRID)), bool)
    size = float(np.log2(0.1))
    teacher.choose(seen_of(size_horizon=size), legal)  # begins: a tenth of what usually trades
    half = {"decisions": 1.0, "inventory": 0.5}
    # Of usual volume 60 % is to come: half the order is 10 % ahead.
    ahead = seen_of(size_horizon=float(np.log2(0.5 / 0.6) + size), **half)
    assert teacher.choose(ahead, legal)[0] == 0
    behind = seen_of(size_horizon=float(np.log2(0.5 / 0.4) + size), **half)
    assert GRID.describe(int(teacher.choose(behind, legal)[0])).startswith("take")


def test_probabilities_are_those_of_what_is_done() -> None:
    n, dice = 40_000, np.random.default_rng(5)
    legal = np.zeros((n, len(GRID)), bool)
    legal[:, [0, 1, 4]] = True
    told = Teacher("twap", GRID, explore=0.3).act(np.repeat(seen_of(), n, axis=0), legal, dice)
    for action in (0, 1, 4):
        share = (told.action == action).mean()
        said = told.propensity[told.action == action]
        assert np.allclose(said, said[0])
        assert abs(share - said[0]) < 4 * np.sqrt(share / n)
    assert set(told.action) == {0, 1, 4}
    random = Teacher("random", GRID).act(np.repeat(seen_of(), n, axis=0), legal, dice)
    assert np.allclose(random.propensity, 1 / 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pov", "write random, hold, the folder of a trained policy, or PATH"),
        ("ac/inside", "rests at inside, which the grid has not; it has touch, mid, take"),
        ("ac/touch/1.2.3", "has no patience"),
    ],
)
def test_who_is_no_teacher_is_told_why(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Teacher(text, GRID)


@pytest.fixture(scope="module")
def log():
    days = [random_day(seed, day) for seed, day in enumerate(DAYS[:2])]
    orders = EpisodeSettings(horizon_s=(120.0,), participation=None)
    env = BatchExecutionEnv(Pool(days, orders, seed=3), 8, grid=GRID)
    teachers = [Teacher("ac/touch", GRID, explore=0.2), Teacher("random", GRID)]
    return worked(env, teachers, seed=9)


def test_a_log_holds_whole_episodes_whose_terms_sum_to_their_shortfall(log) -> None:
    decisions, outcome = log
    for episode in range(8):
        rows = np.flatnonzero(decisions.episode == episode)
        assert np.all(np.diff(rows) == 1)
        assert np.all(np.diff(decisions.ts[rows]) > 0)
        assert np.all(outcome.over[rows[:-1]] == RUNNING)
        assert outcome.over[rows[-1]] == TERMINATED
        assert len(set(outcome.policy[rows])) == 1
        steps = outcome.terms["is_step"][rows].sum()
        assert steps == pytest.approx(outcome.terms["is_total"][rows[-1]], abs=1e-3)
    assert np.all(decisions.mask[np.arange(len(decisions.ts)), decisions.action])
    assert np.all((outcome.propensity > 0) & (outcome.propensity <= 1))


def test_rows_to_learn_from_follow_each_other(log) -> None:
    decisions, outcome = log
    rows = transitions(decisions, outcome, {"is_step": 2.0, "left": 1.0}, gamma=0.9)
    wanted = 2.0 * outcome.terms["is_step"] + outcome.terms["left"]
    np.testing.assert_allclose(rows.reward, wanted, rtol=1e-6)
    for k in np.flatnonzero(~rows.done):
        np.testing.assert_array_equal(rows.next_features[k], decisions.features[k + 1])
        np.testing.assert_array_equal(rows.next_mask[k], decisions.mask[k + 1])
    with pytest.raises(InputError, match=r"reward\.profit: was not logged"):
        transitions(decisions, outcome, {"profit": 1.0}, gamma=0.9)


def test_a_log_in_a_set_comes_back_whole(log, tmp_path) -> None:
    from paceline.decision.store import FeatureSet

    kept = FeatureSet.create(tmp_path / "log", len(GRID), {})
    kept.add("TINY", DAYS[0], *log)
    kept.add("TINY", DAYS[1], log[0])
    found = FeatureSet.open(tmp_path / "log").outcome("TINY", DAYS[0])
    for name, one, other in zip(found._fields, found, log[1], strict=True):
        if name == "terms":
            assert {k: v.tolist() for k, v in one.items()} == {
                k: v.tolist() for k, v in other.items()
            }
        else:
            np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="not what came of it"):
        kept.outcome("TINY", DAYS[1])
