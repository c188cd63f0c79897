"""Recipes in the words of others: the configuration as the mission gives it trains as written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from env.market_days import DAYS, random_day
from paceline.cli import main
from paceline.errors import ConfigError
from paceline.evaluate.run_files import read_run
from paceline.learn.checkpoint import read_manifest
from paceline.learn.ingredients import Ingredients
from paceline.learn.shipped import load_recipe, read_recipe
from paceline.learn.spellings import in_our_words

SKETCH = """\
policy:
  type: "dueling_ddqn"
  checkpoint: "s3://exec/policies/ddqn_v3.pt"
  action_set:
    size_bp_of_remaining: [25, 50, 100, 200]
    aggression_ticks: [-2, -1, 0, +1, +2]
    wait_seconds: [0, 2, 5, 10]
risk:
  participation_cap: 0.10
  price_band_ticks: 5
  child_max: 15000
  fallback: "almgren_chiss"
"""
"""To the letter, the slip in the last word included."""
TINY = """\
orders: {horizon_s: [120]}
teaching: {orders: 8}
online: {updates: 20, envs: 4, per_update: 4, first: 8, replay: {capacity: 2000, batch: 16}}
validating: {orders: 8, every: 10}
"""
"""A minute's training in a second."""
NOTES = [
    "policy.type: dueling_ddqn is double_dqn here, with a dueling network (its default).",
    "policy.checkpoint: s3://exec/policies/ddqn_v3.pt is an address, taken for where the policy is "
    "to go. Nothing is read from it or sent to it: the policy is written to the folder of the run, "
    "and its manifest keeps the address as its destination.",
    "risk.fallback: almgren_chiss is read as almgren_chriss (Almgren-Chriss, ac).",
]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    for seed, day in enumerate(DAYS[:3]):
        random_day(seed, day).save(folder / f"TINY-{day}.tape")
    return folder


def data_of(days: Path) -> str:
    train = f"train: {DAYS[0]}..{DAYS[1]}, validation: {DAYS[2]}"
    return f"data: {{tapes: [{days}], {train}}}\n"


def test_the_sketch_is_a_recipe_once_it_has_data(days: Path, tmp_path: Path) -> None:
    path = tmp_path / "sketch.yaml"
    path.write_text(SKETCH + data_of(days))
    recipe, notes = read_recipe(path)
    assert notes == NOTES
    assert (recipe.policy.type, recipe.policy.checkpoint) == ("double_dqn", None)
    assert recipe.policy.destination == "s3://exec/policies/ddqn_v3.pt"
    made = Ingredients.of(recipe)  # with everything else as it is by itself
    assert made.grid.sizes == (0.0025, 0.005, 0.01, 0.02)
    assert made.grid.prices == (
        "behind_2", "behind_1", "touch", "take", "inside", "take_1", "take_2",
    )  # fmt: skip
    assert made.grid.waits_s == (0.0, 2.0, 5.0, 10.0)
    assert made.settings["online"].network.dueling
    assert (made.limits.participation, made.limits.price_band_ticks) == (0.1, 5)
    assert (made.limits.child_max, made.limits.fallback) == (15_000, "almgren_chriss")
    # The usual teachers, but for those that rest at prices which are no action here.
    assert recipe.teaching.teachers == (
        "ac/inside/0.05",
        "twap/inside/0.1",
        "ac/touch/0.05",
        "random",
    )


def test_the_sketch_trains(days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sketch.yaml"
    path.write_text(SKETCH + data_of(days) + TINY)
    assert main(["train", str(path), "-o", str(tmp_path / "run")]) == 0
    err = capsys.readouterr().err
    assert all(note in err for note in NOTES)
    manifest = read_manifest(tmp_path / "run" / "policy")
    assert manifest.learner == "double_dqn"
    assert manifest.updates in (10, 20)
    assert manifest.destination == "s3://exec/policies/ddqn_v3.pt"
    assert manifest.limits is not None
    assert (manifest.limits.price_band_ticks, manifest.limits.fallback) == (5, "almgren_chriss")
    assert manifest.settings["network"]["dueling"] is True
    assert read_run(tmp_path / "run").recipe.policy.destination == manifest.destination
    page = (tmp_path / "run" / "report.html").read_text()
    assert "s3://exec/policies/ddqn_v3.pt (nothing was sent there)" in page
    assert '"s3://exec/policies/ddqn_v3.pt"' in (tmp_path / "run/policy/manifest.json").read_text()
    # The same command goes on, and has nothing left to do.
    assert main(["train", str(path), "-o", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize("fallback", ["almgren_chriss", "almgren-chriss", "ac"])
def test_the_right_word_has_no_note(fallback: str) -> None:
    told, notes = in_our_words({"risk": {"fallback": fallback}})
    assert (told["risk"]["fallback"], notes) == ("ac", [])


def test_a_folder_to_begin_with_is_no_address() -> None:
    told, notes = in_our_words({"policy": {"checkpoint": "out/run"}})
    assert (told["policy"], notes) == ({"checkpoint": "out/run"}, [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "policy: {type: dueling_ddqn, settings: {network: {dueling: false}}}",
            "contradicts policy",
        ),
        ("policy: {checkpoint: 's3://a/b', destination: 's3://c/d'}", "are two addresses"),
        ("policy: {type: ddpg}", "policy.type: 'ddpg' does not fit; give one of"),
        ("risk: {fallback: vwap}", "risk.fallback: 'vwap' does not fit; give one of ac, twap"),
        ("policy: 5", "policy: 5 is not a group"),
        ("data: 5", "data: 5 is not a group"),
        ("teaching: 5", "teaching: 5 is not a group"),
        ("policy: {action_set: 5}", "policy.action_set: 5 is not a group"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "r.yaml"
    data = "" if text.startswith("data") else "data: {markets: [yhoo-2003]}\n"
    path.write_text(f"{text}\n{data}")
    with pytest.raises(ConfigError) as error:
        load_recipe(path)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "data",
    [
        {"tape": "tapes/", "train": "2003-01-13", "validation": "2003-01-14"},
        {"tapes": ["tapes/"], "train": "2003-01-13", "validation": "2003-01-14"},
    ],
)
def test_a_key_may_be_spelt_as_its_flag(tmp_path: Path, data: dict[str, Any]) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(json.dumps({"data": data, "orders": {"horizon": ["30m", 600]}}))
    recipe = load_recipe(path)
    assert recipe.data.tapes == ("tapes/",)
    assert recipe.orders.horizon_s == (1800.0, 600.0)
    assert load_recipe(path, {"tapes": ["other/"]}).data.tapes == ("other/",)
