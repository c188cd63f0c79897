"""`paceline train` on small days: all stages, the same from the same seed, and on from where it was
cut off."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml

from env.market_days import DAYS, random_day
from paceline.cli import main
from paceline.config import from_dict, load_yaml
from paceline.decision.normalizer import Normalizer
from paceline.decision.schema import NAMES
from paceline.engine.venue import Footprint
from paceline.errors import CheckpointError, ConfigError
from paceline.learn.checkpoint import read_checkpoint
from paceline.learn.ingredients import _check_beginning
from paceline.learn.pipeline import Pipeline, train
from paceline.learn.recipe import ActionSet, Recipe
from paceline.learn.source import recorded
from paceline.learn.teachers import Teacher
from paceline.learn.training import Training
from paceline.market.days import tapes_at

RECIPES = sorted((Path(__file__).parents[2] / "benchmarks" / "recipes").glob("*.yaml"))


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    for seed, day in enumerate(DAYS[:3]):
        random_day(seed, day).save(folder / f"TINY-{day}.tape")
    return folder


@pytest.fixture
def recipe(days: Path) -> Recipe:
    return from_dict(recipe_of(days), Recipe)


def recipe_of(days: Path) -> dict[str, Any]:
    return {
        "name": "small",
        "policy": {
            "action_set": {
                "size_bp_of_remaining": [1000, 5000], "aggression_ticks": ["touch", "take"],
                "wait_seconds": [5], "hold_seconds": 5,
            },
            "settings": {"network": {"hidden": [16], "quantiles": 4}, "sync_every": 10},
        },
        "risk": {"participation_cap": None, "child_max": 50},
        "data": {
            "tapes": [str(days)], "train": f"{DAYS[0]}..{DAYS[1]}", "validation": DAYS[2],
        },
        "orders": {"horizon_s": [120]},
        "reward": {"plan": 1.0, "left": 20.0},
        "steps": 3,
        "teaching": {"teachers": ["ac/touch", "random"], "orders": 8},
        "clone": {"updates": 10},
        "offline": {"updates": 20},
        "online": {
            "updates": 40, "envs": 4, "per_update": 4, "first": 8,
            "replay": {"capacity": 2000, "batch": 16}, "curriculum": [
                {"qty_volume": [0.01, 0.02], "liquid_share": 0.5},
                {"begins": 0.5, "qty_volume": [0.02, 0.1]},
            ],
        },
        "validating": {"orders": 8, "every": 10, "patience": 100},
    }  # fmt: skip


def hashes(folder: Path) -> dict[str, str]:
    """Of the files of the policy that a run kept."""
    return read_checkpoint(folder / "policy").manifest.files


def test_a_run_leaves_what_it_says_and_the_same_seed_the_same(
    recipe: Recipe, tmp_path: Path
) -> None:
    told: list[str] = []
    (found,) = train(recipe, tmp_path / "a", lambda what, at, of: told.append(what))
    for name in ("recipe.yaml", "log", "clone", "offline", "online", "teachers.json", "policy"):
        assert (tmp_path / "a" / name).exists()
    assert from_dict(yaml.safe_load((tmp_path / "a" / "recipe.yaml").read_text()), Recipe) == recipe
    lines = (tmp_path / "a" / "validation.jsonl").read_text().splitlines()
    stages = [json.loads(line)["stage"] for line in lines]
    assert stages == ["clone"] + 2 * ["offline"] + 4 * ["online"]
    scores = [json.loads(line)["score"] for line in lines]
    assert found.best["score"] == max(scores)
    assert found.best["violations"] == 0
    assert set(found.teachers) == {"ac/touch", "random"}
    assert any(what.startswith("online: loss") for what in told)
    train(recipe, tmp_path / "b")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def test_a_run_that_is_cut_off_goes_on_to_the_same_policy(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(recipe, tmp_path / "whole")
    real: Callable[..., bool] = Pipeline._judge
    calls = 0

    def cut_off(pipeline: Pipeline, name: str, training: Training) -> bool:
        nonlocal calls
        calls += 1
        if calls in (2, 7):  # the second time after the second lesson has begun
            raise KeyboardInterrupt
        return real(pipeline, name, training)

    monkeypatch.setattr(Pipeline, "_judge", cut_off)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "cut")
    train(recipe, tmp_path / "cut")
    assert hashes(tmp_path / "cut") == hashes(tmp_path / "whole")
    whole, cut = ((tmp_path / name / "validation.jsonl").read_text() for name in ("whole", "cut"))
    assert cut == whole


def test_another_recipe_does_not_write_over_a_run(recipe: Recipe, tmp_path: Path) -> None:
    Pipeline(recipe, tmp_path / "run")._begin()
    other = msgspec.structs.replace(recipe, gamma=0.5)
    with pytest.raises(ConfigError, match=r"run of another recipe: gamma is 1\.0 there, and 0\.5"):
        Pipeline(other, tmp_path / "run")._begin()


def test_no_day_both_trains_and_validates(recipe: Recipe, days: Path) -> None:
    tapes = tapes_at([days])
    with pytest.raises(ConfigError, match=r"is not after the last day of training"):
        recorded(tapes, f"{DAYS[0]}..{DAYS[1]}", f"{DAYS[1]}..{DAYS[2]}", recipe.orders, 1)
    with pytest.raises(ConfigError, match=r"data\.train: .* one day of each symbol"):
        recorded(tapes, DAYS[0], DAYS[1], recipe.orders, 1)
    source = recorded(tapes, f"{DAYS[0]}..{DAYS[1]}", DAYS[2], recipe.orders, 1)
    trained = {tape.session.day for tape in source.train.tapes}
    assert not trained & {tape.session.day for tape in source.validation.tapes}
    assert (trained, source.last_training_day) == ({DAYS[1]}, DAYS[1])


def test_ctrl_c_while_orders_are_worked_comes_to_the_same_policy(
    recipe: Recipe, tmp_path: Path
) -> None:
    train(recipe, tmp_path / "whole")

    def press(what: str, at: float, of: float) -> None:
        if what.startswith("online: ") and at == 25:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"step-000000020, the last regular checkpoint, 5"):
        train(recipe, tmp_path / "cut", press)
    train(recipe, tmp_path / "cut")
    assert hashes(tmp_path / "cut") == hashes(tmp_path / "whole")
    lines = [(tmp_path / name / "online" / "log.jsonl").read_text() for name in ("cut", "whole")]
    assert lines[0] == lines[1]
    eager = msgspec.structs.replace(recipe, mode="eager")
    with pytest.raises(KeyboardInterrupt, match=r"step-000000025 is a checkpoint to go on from"):
        train(eager, tmp_path / "eager", press)


def test_rows_of_rare_regimes_are_kept_apart(days: Path, tmp_path: Path) -> None:
    told = recipe_of(days)
    told["online"]["replay"] |= {"rare_capacity": 100, "rare_above": 0.8}
    recipe = from_dict(told, Recipe)
    line = Pipeline(recipe, tmp_path)
    line.run()
    kept = read_checkpoint(tmp_path / "online" / "step-000000040").training()
    at = NAMES.index("volatility_300s")
    usual, rare = (kept[f"replay.{name}.features"][:, at] for name in ("usual", "rare"))
    logged = np.concatenate([part.features[:, at] for part in line._rows()])
    edge = np.quantile(logged, 0.8)
    assert len(rare)
    assert usual.max() <= edge < rare.min()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"policy": {"settings": {"bogus": 3}}},
            "policy.settings.bogus: is no setting of beh",
        ),
        ({"offline": {"settings": {"huberr": 1}}}, "offline.settings.huberr: is no setting of cql"),
        ({"policy": {"settings": {"lr": -1}}}, "policy.settings: .*lr"),
        ({"device": "tpu"}, "device: 'tpu' is none"),
        ({"device": "cuda:77"}, "device: 'cuda:77' is not here; PyTorch sees"),
        ({"online": {"replay": {"rare_feature": "mood"}}}, "online.replay.rare_feature: 'mood' is"),
        ({"policy": {"checkpoint": "out/none"}}, "out/none"),
        ({"clone": None, "offline": None, "online": None}, "clone, offline, .* has no stage"),
    ],
)
def test_what_can_be_known_is_said_before_anything_is_done(
    days: Path, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    told = recipe_of(days)
    if "checkpoint" in change.get("policy", {}):
        told["clone"] = None
    recipe = from_dict({**told, **change}, Recipe)
    with pytest.raises((ConfigError, CheckpointError), match=said):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_begins_with_a_checkpoint_that_fits(days: Path, tmp_path: Path) -> None:
    told = recipe_of(days)
    first = {**told, "offline": None, "online": None}
    train(from_dict(first, Recipe), tmp_path / "first")
    told["clone"] = None
    told["policy"]["checkpoint"] = str(tmp_path / "first")
    recipe = from_dict(told, Recipe)
    line = Pipeline(recipe, tmp_path / "second")
    kept = read_checkpoint(tmp_path / "first" / "policy")
    assert kept.normalizer is not None
    assert line.normalizer is line.made.normalizer
    learner = line._learner("offline", line._run_settings(1), dict(line.made.beginning))
    trunk = next(name for name in kept.weights if "trunk" in name)
    own = learner.networks.state_dict()[trunk.replace("policy", "online")]
    np.testing.assert_array_equal(own, kept.weights[trunk])
    assert line.source.told["policy.checkpoint"] == kept.manifest.files["weights.safetensors"]
    made, late = line.made, kept._replace(normalizer=Normalizer(DAYS[2]))
    with pytest.raises(ConfigError, match=f"learnt from {DAYS[2]}, and validation begins on"):
        _check_beginning(late, recipe, made.learners, made.settings, made.source)
    told["policy"]["settings"]["network"]["hidden"] = [8]
    with pytest.raises(ConfigError, match=r"policy\.checkpoint: .* other layers than cql_quantile"):
        Pipeline(from_dict(told, Recipe), tmp_path / "third")


def test_own_impact_is_that_of_the_recipe(days: Path, tmp_path: Path) -> None:
    told = {"transient_ticks_per_lot": 0.5, "transient_half_life_s": 2.0}
    recipe = from_dict({**recipe_of(days), "impact": told}, Recipe)
    line = Pipeline(recipe, tmp_path)
    (venue,) = line._new_env(line.source.train, 2).venues
    assert venue.footprint == Footprint(
        transient_ticks_per_lot=0.5, transient_half_life_s=2.0, permanent_ticks_per_lot=0.0
    )


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_of_benchmarks_can_be_read(path: Path) -> None:
    recipe = load_yaml(path, Recipe)
    assert recipe.name == path.stem
    for name in recipe.teaching.teachers:
        Teacher(name, recipe.policy.action_set.grid())


def test_actions_as_a_desk_says_them() -> None:
    grid = ActionSet(
        size_bp_of_remaining=(25, 200), aggression_ticks=(-2, 0, 1, "mid"), wait_seconds=(0, 5)
    ).grid()
    assert grid.sizes == (0.0025, 0.02)
    assert grid.prices == ("behind_2", "touch", "take", "inside", "take_1", "mid")
    with pytest.raises(ConfigError, match=r"aggression_ticks: 7 has no price"):
        ActionSet(aggression_ticks=(7,)).grid()


def test_the_command_names_what_is_wrong(
    days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**recipe_of(days), "learner": "dqn"}))
    assert main(["train", str(path)]) == 2
    assert "learner" in capsys.readouterr().err
    assert main(["train"]) == 2
    assert "recipe: none is given" in capsys.readouterr().err
    assert main(["train", "--settings"]) == 0
    assert "policy.action_set.wait_seconds (s):" in capsys.readouterr().out
