"""Who may be compared, and in how few words it is said who may not."""

from __future__ import annotations

import numpy as np
import pytest

from paceline.env.policies import Urgency, parse_policy
from paceline.errors import InputError
from paceline.evaluate.contestants import (
    COLLAR_BPS,
    RandomChooser,
    Schedule,
    contestant,
    identity,
    looks_ahead,
)


def test_a_schedule_is_read_with_its_tactic() -> None:
    who = contestant("ac/mid/15", 30, Urgency(60.0, None))
    assert isinstance(who, Schedule)
    policy, urgency = who.on("pessimistic", "YHOO")
    assert (who.name, policy.n_slices, urgency.half_life_s) == ("ac/mid/15", 15, 60.0)
    usual = contestant("twap", 12)
    assert isinstance(usual, Schedule)
    assert usual.on("optimistic", "IBM")[0].n_slices == 12


def test_a_schedule_may_work_a_name_in_its_own_way() -> None:
    usual = parse_policy("ac/touch/30", 30, COLLAR_BPS), Urgency(None, None)
    other = parse_policy("ac/mid/10", 30, COLLAR_BPS), Urgency(90.0, None)
    who = Schedule("ac tuned", usual, {("pessimistic", "IBM"): other})
    assert who.on("pessimistic", "IBM") == other
    assert who.on("calibrated", "IBM") == usual
    assert who.on("pessimistic", "YHOO") == usual


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run/ppo/3", "run/ppo/3: holds no checkpoint"),
        ("run/", "run: holds no checkpoint"),
        ("nobody", "policy: 'nobody'; write SCHEDULE"),
        ("ac/mid/0", "policy: 'ac/mid/0' has 0 slices"),
    ],
)
def test_nobody_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        contestant(text, 30)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_random_is_legal_and_reaches_everything() -> None:
    who = RandomChooser(seed=3)
    mask = np.random.default_rng(1).random((4000, len(who.grid))) < 0.1
    mask[:, 0] = True
    actions = who.act(np.zeros((4000, 1), np.float32), mask)
    assert np.all(mask[np.arange(4000), actions])
    assert len(np.unique(actions)) == len(who.grid)


def test_identities_tell_contestants_apart() -> None:
    texts = ("ac", "ac/mid", "ac/mid/15", "twap", "random", "hold", "oracle")
    assert len({identity(contestant(text, 30)) for text in texts}) == len(texts)
    assert identity(contestant("ac", 30)) == identity(contestant("ac", 30))
    assert identity(contestant("ac", 30)) != identity(contestant("ac", 20))
    assert identity(contestant("ac", 30)) != identity(contestant("ac", 30, Urgency(9.0, None)))
    assert [text for text in texts if looks_ahead(contestant(text, 30))] == ["oracle"]
