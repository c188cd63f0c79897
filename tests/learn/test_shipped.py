"""Recipes by name: each can be read with data given, and says what it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from paceline.cli import main
from paceline.errors import ConfigError
from paceline.learn.shipped import load_recipe, recipe_text, shipped_recipes
from paceline.learn.teachers import Teacher

DAYS = {"tapes": ["tapes/"], "train": "2003-01-13..2003-02-14", "validation": "2003-02-18"}


@pytest.mark.parametrize("name", shipped_recipes(), ids="of {}".format)
def test_each_is_a_recipe_whose_teachers_its_grid_can_do(name: str) -> None:
    recipe = load_recipe(name, DAYS, seed=3)
    assert (recipe.name, recipe.seed) == (name, 3)
    grid = recipe.policy.action_set.grid()
    for teacher in recipe.teaching.teachers:
        Teacher(teacher, grid)
    assert recipe_text(name).startswith("# ")


def test_data_that_is_given_goes_over_that_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ndata: {markets: [yhoo-2003], regimes: [thin]}\n")
    recipe = load_recipe(path, {"markets": ["ibm-2003"]})
    assert recipe.data.markets == ("ibm-2003",)
    assert recipe.data.regimes == ("thin",)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("{}", "has no tapes and no markets"),
        ("{tapes: [t], train: a, validation: b, regimes: [thin]}", "regimes: are of simulated"),
        ("{markets: [yhoo-2003]}\nsimulated: {updates: 5}", "comes before recorded days"),
        (
            "{markets: [yhoo-2003]}\nclone: {updates: 5}\npolicy: {checkpoint: out/old}",
            "forgets policy.checkpoint",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, data: str, says: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"data: {data}\n")
    with pytest.raises(ConfigError, match=says):
        load_recipe(path)


def test_an_unknown_name_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "recoded"]) == 2
    assert "one of demo, recorded" in capsys.readouterr().err


def test_a_recipe_is_shown_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "recorded", "--show"]) == 0
    assert capsys.readouterr().out == recipe_text("recorded")
