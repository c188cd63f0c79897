"""A trained policy is not compared on what it has seen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from paceline.env.simulated_pool import SimulatedPool
from paceline.errors import CheckpointError, ConfigError
from paceline.evaluate.compare import check_unseen
from paceline.evaluate.compare_settings import CompareSettings
from paceline.evaluate.contestants import contestant
from paceline.evaluate.trained_on import trained_on

RECORDED = {"YHOO-2003-02-14": "a", "IBM-2003-02-14": "b", "YHOO-2003-02-28": "c"}
MARKETS = {"market 0: YHOO thin": "d", "market 1: YHOO news": "d", "replay": "e"}


def pool_of(*days: str) -> Any:
    """Stands for a pool of recorded days."""
    return SimpleNamespace(
        tapes=[SimpleNamespace(session=SimpleNamespace(day=day)) for day in days]
    )


def check(data: dict[str, str], pool: Any, seeds: range = range(1)) -> None:
    trained_on(data).check("out/run", pool, seeds)


def test_entries_are_told_apart() -> None:
    seen = trained_on({**RECORDED, **MARKETS, "seeds": "1..3"})
    assert seen.days == {"IBM": ["2003-02-14"], "YHOO": ["2003-02-14", "2003-02-28"]}
    assert seen.n_days == 3
    assert seen.markets == ["YHOO thin", "YHOO news"]
    assert seen.seeds == (range(1, 4),)
    assert trained_on({}).n_days == 0
    with pytest.raises(CheckpointError, match=r"data\.seeds: 'all' is no FROM\.\.TO"):
        trained_on({"seeds": "all"})


@pytest.mark.parametrize("day", ["2003-02-14", "2003-02-20", "2003-02-28"])
def test_days_that_are_not_later_are_refused(day: str) -> None:
    with pytest.raises(ConfigError) as error:
        check({**RECORDED, **MARKETS}, pool_of("2003-03-03", day))
    assert str(error.value) == (
        "policies: out/run was trained or validated on days up to 2003-02-28, and "
        f"{day} is compared; compare on days after 2003-02-28"
    )


def test_later_days_and_policies_of_simulated_markets_pass() -> None:
    check({**RECORDED, **MARKETS}, pool_of("2003-03-03"))
    check({**MARKETS, "seeds": "1..3"}, pool_of("2003-02-14"), range(1, 2))


class Answers(SimulatedPool):
    """Stands for a pool of simulated markets."""

    def __init__(self) -> None:
        self.tapes = []


def test_seeds_of_markets_that_it_has_seen_are_refused() -> None:
    data = {**MARKETS, "seeds": "2..4", "seeds of validation": "90..90"}
    with pytest.raises(ConfigError, match="seeds 90 to 90, and seed 90 is compared"):
        check(data, Answers(), range(80, 99))
    for free in (range(2), range(5, 7)):
        check(data, Answers(), free)
    check(MARKETS, Answers(), range(9))  # older ones do not say
    with pytest.raises(ConfigError) as error:
        check(data, Answers(), range(4, 6))
    assert str(error.value) == (
        "policies: out/run was trained or validated on markets of seeds 2 to 4, and seed 4 is "
        "compared; give a --seed above 4"
    )


def test_all_seeds_of_a_comparison_count() -> None:
    who: Any = SimpleNamespace(name="out/run", seen=trained_on({"seeds": "3..3"}))
    ac = contestant("ac", 30)
    check_unseen([ac, who], Answers(), CompareSettings(seed=1, seeds=2))
    with pytest.raises(ConfigError, match="seed 3 is compared"):
        check_unseen([ac, who], Answers(), CompareSettings(seed=1, seeds=3))
