"""Checkpoints: what they say, what they refuse, and that they hold no code."""

from __future__ import annotations

import json
import pickletools
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from paceline.decision.actions import ActionGrid
from paceline.decision.normalizer import Normalizer, normalized
from paceline.decision.schema import N_FEATURES, schema_hash
from paceline.errors import CheckpointError, InputError
from paceline.files.members import members_of
from paceline.files.sealing import MANIFEST, seal
from paceline.learn.bcq import BCQ
from paceline.learn.checkpoint import CHECKPOINT, Origin, read_checkpoint, read_manifest
from paceline.learn.cql import ConservativeQuantileDQN
from paceline.learn.learner import Learner
from paceline.learn.policy import grid_of, load_policy
from paceline.learn.quantile_dqn import QuantileDQN
from paceline.learn.replay_buffer import ReplayBuffer, Transitions
from paceline.learn.settings import Risk
from paceline.learn.training import Training
from tests.files.killing import killed_at_each_step
from tests.learn.runs import ALL, run_of, small

GRID = ActionGrid(sizes=(0.01,), prices=("touch", "take"), waits_s=(0.0, 5.0))
DICE = np.random.default_rng(7)
RAW = DICE.uniform(0, 4, (64, N_FEATURES)).astype(np.float32)
LEGAL = DICE.random((64, len(GRID))) < 0.6
LEGAL[:, 0] = True


def fitted() -> Normalizer:
    return Normalizer("2024-03-28", least_rows=4.0).partial_fit(RAW, "2024-03-27")


def trained(kind: type[Learner], folder: Path, **changes: Any) -> Training:
    """A policy on paceline's own features and a grid, after few updates."""
    normalizer = fitted()
    rows = normalized(normalizer.locked(), RAW)
    dice = np.random.default_rng(3)
    buffer = ReplayBuffer(64, N_FEATURES, len(GRID), priority=0.5)
    action = np.argmax(LEGAL * dice.random(LEGAL.shape), axis=1)
    buffer.add(
        Transitions(
            features=rows, mask=LEGAL, action=action, reward=dice.normal(size=64).astype("f4"),
            next_features=rows[::-1], next_mask=LEGAL[::-1], done=dice.random(64) < 0.3,
            discount=np.full(64, 0.9, np.float32), propensity=np.full(64, np.nan, np.float32),
        )
    )  # fmt: skip
    learner = small(kind, N_FEATURES, len(GRID), run_of(8), **changes)
    origin = Origin(GRID, normalizer, {"YHOO 2024-03-27": "abc"})
    made = Training(learner, buffer, folder, origin=origin)
    made.go()
    return made


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Training, Path]:
    folder = tmp_path_factory.mktemp("run")
    made = trained(QuantileDQN, folder, risk=Risk(cvar_weight=0.7))
    return made, folder / "step-000000008"


@pytest.mark.parametrize("kind", ALL)
def test_numpy_and_onnx_choose_as_the_learner_does(kind: type[Learner], tmp_path: Path) -> None:
    made = trained(kind, tmp_path)
    rows = normalized(fitted().locked(), RAW)
    action, values = made.learner.choose(rows, LEGAL)
    folder = tmp_path / "step-000000008"
    for runtime in ("numpy", "onnx"):
        policy = load_policy(folder, grid=GRID, runtime=runtime)
        one_by_one = [policy(raw, legal) for raw, legal in zip(RAW, LEGAL, strict=True)]
        found = np.array([one[1] for one in one_by_one])
        np.testing.assert_allclose(found, values, atol=2e-5)
        assert [one[0] for one in one_by_one] == action.tolist()
    together, numbers = policy.many(RAW, LEGAL)
    np.testing.assert_array_equal(together, action)
    np.testing.assert_allclose(numbers, values, atol=2e-5)
    assert LEGAL[np.arange(64), together].all()
    if kind is BCQ:  # what the log makes unlikely is left out
        assert (np.where(LEGAL, values, -np.inf).argmax(axis=1) != action).any()


def test_the_manifest_says_what_it_was_made_from(saved: tuple[Training, Path]) -> None:
    manifest = read_manifest(saved[1])
    assert manifest.schema == schema_hash()
    assert manifest.learner == "quantile_dqn"
    assert manifest.settings["risk"] == {"cvar_share": 0.25, "cvar_weight": 0.7}
    assert manifest.run["seed"] == 1
    assert manifest.data == {
        "YHOO 2024-03-27": "abc", "replay": saved[0].buffer.digest(),
    }  # fmt: skip
    assert manifest.mode["mode"] == "deterministic"
    assert manifest.updates == 8
    assert set(manifest.metrics) >= {"loss", "gradient"}
    assert manifest.commit is None or len(manifest.commit.rstrip("+")) == 40
    found = read_checkpoint(saved[1])
    assert grid_of(found) == GRID
    assert found.normalizer is not None
    assert set(manifest.files) == {
        "normalizer.json", "policy.onnx", "training.safetensors", "weights.safetensors",
    }  # fmt: skip


def test_no_file_holds_code(saved: tuple[Training, Path]) -> None:
    for path in saved[1].iterdir():
        assert not zipfile.is_zipfile(path)
        with pytest.raises(Exception):  # noqa: B017, PT011  (whatever it finds first)
            list(pickletools.genops(path.read_bytes()))


def test_a_policy_is_the_old_or_the_new_one_at_every_step(tmp_path: Path) -> None:
    made, other = trained(QuantileDQN, tmp_path / "a"), trained(BCQ, tmp_path / "b")
    folder = made.export(tmp_path / "policy")
    names = {load_policy(folder).name, load_policy(other.export(tmp_path / "other")).name}
    for _ in killed_at_each_step(lambda: other.export(folder)):
        assert load_policy(folder).name in names
        other.export(folder)  # the same again
        assert read_manifest(folder).learner == "bcq"
        assert {one.name for one in tmp_path.iterdir()} == {"a", "b", "other", "policy"}
        made.export(folder)


def changed(folder: Path, to: Path, **fields: Any) -> Path:
    """A copy whose manifest says something else, with digests that fit."""
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return resealed(to, **fields)


def resealed(folder: Path, **fields: Any) -> Path:
    kept = json.loads((folder / MANIFEST).read_text())["content"]
    (folder / MANIFEST).write_bytes(seal(CHECKPOINT, kept | fields, members_of(folder)))
    return folder


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"schema": "0" * 64}, "schema is 000000000000, and features are of "),
        ({"colour": "red"}, "is damaged .*colour"),
        ({"normalized": False}, "normalizer.json: is no file of a checkpoint"),
        ({"n_features": 7}, "its networks do not fit together .values has a layer"),
        ({"n_actions": 0}, "has no features, no actions"),
        ({"n_actions": 6}, "manifest.json: n_actions is 6, and its grid has 5"),
        ({"grid": {"sizes": [0.1], "prices": ["touch"], "waits_s": [0, 5]}}, "its grid has 3"),
        ({"grid": {"sizes": [-1.0]}}, "manifest.json: its grid is none .sizes"),
        ({"grid": {"more": 1}}, "manifest.json: its grid is none .more"),
        ({"grid": None}, "says no grid, so that its actions mean nothing; copy it again"),
        ({"serving": {"network": "gone"}}, "networks.gone: is not in the checkpoint"),
        ({"serving": {"network": "online", "heads": [1.0] * 3}}, "quantiles, and 3 are weighed"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_by_name(
    fields: dict[str, Any], says: str, saved: tuple[Training, Path], tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=says) as error:
        load_policy(changed(saved[1], tmp_path / "copy", **fields))
    assert "\n" not in str(error.value)


def test_an_older_checkpoint_is_refused_with_the_remedy(
    saved: tuple[Training, Path], tmp_path: Path
) -> None:
    copy = changed(saved[1], tmp_path / "copy")
    content = json.loads((copy / MANIFEST).read_text())["content"]
    (copy / MANIFEST).write_text(json.dumps({"format": 1, **content, "files": {}}))
    with pytest.raises(CheckpointError, match=r"an earlier paceline wrote it.*train again"):
        load_policy(copy)
    (copy / MANIFEST).write_bytes(seal(CHECKPOINT._replace(version=9), content))
    with pytest.raises(CheckpointError, match="is of version 9, this paceline reads 2"):
        load_policy(copy)
    (copy / MANIFEST).write_bytes(seal(CHECKPOINT, content))
    with pytest.raises(CheckpointError, match=r"does not name weights\.safetensors"):
        load_policy(copy)


def test_weights_that_are_no_numbers_are_refused(
    saved: tuple[Training, Path], tmp_path: Path
) -> None:
    copy = changed(saved[1], tmp_path / "copy")
    weights = dict(load_file(copy / "weights.safetensors"))
    name = next(iter(weights))
    weights[name] = np.full_like(weights[name], np.nan)
    save_file(weights, copy / "weights.safetensors")
    with pytest.raises(CheckpointError, match=f"{name} holds NaN or infinity"):
        load_policy(resealed(copy))


@pytest.mark.parametrize("runtime", ["numpy", "onnx"])
def test_weights_that_may_overflow_are_refused(
    saved: tuple[Training, Path], tmp_path: Path, runtime: Any
) -> None:
    whole = load_file(saved[1] / "weights.safetensors")
    for name, tensor in whole.items():
        if not name.startswith("online."):
            continue
        copy = changed(saved[1], tmp_path / name)
        save_file({**whole, name: np.full_like(tensor, 3e38)}, copy / "weights.safetensors")
        says = r"its networks do not fit together .*too large.*; copy it again, or train again"
        with pytest.raises(CheckpointError, match=says) as error:
            load_policy(resealed(copy), runtime=runtime)
        assert "\n" not in str(error.value)


def test_a_device_is_no_member(saved: tuple[Training, Path], tmp_path: Path) -> None:
    copy = changed(saved[1], tmp_path / "copy")
    (copy / "weights.safetensors").unlink()
    (copy / "weights.safetensors").symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match=r"weights\.safetensors: "):
        load_policy(copy)


def test_another_grid_is_refused_by_the_name_of_what_differs(saved: tuple[Training, Path]) -> None:
    other = msgspec.structs.replace(GRID, waits_s=(0.0, 2.0))
    says = r"grid\.waits_s is \[0\.0, 5\.0\] in the checkpoint and \[0\.0, 2\.0\] here"
    with pytest.raises(CheckpointError, match=says):
        load_policy(saved[1], grid=other)


@pytest.mark.parametrize(
    "name", ["weights.safetensors", "policy.onnx", "normalizer.json", "training.safetensors"]
)
def test_a_flipped_bit_is_found(name: str, saved: tuple[Training, Path], tmp_path: Path) -> None:
    copy = changed(saved[1], tmp_path / "copy")
    damaged = bytearray((copy / name).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (copy / name).write_bytes(damaged)
    with pytest.raises(CheckpointError, match=f"{name}: is damaged or was edited"):
        load_policy(copy)


def test_an_onnx_model_that_is_another_or_none_is_refused(
    saved: tuple[Training, Path], tmp_path: Path
) -> None:
    other = trained(QuantileDQN, tmp_path / "other", lr=0.01).folder / "step-000000008"
    whole = (saved[1] / "policy.onnx").read_bytes()
    for content, says in (
        ((other / "policy.onnx").read_bytes(), "does not give what the weights give"),
        (whole[: len(whole) // 2], "cannot be run"),
        (b"", "cannot be run"),
    ):
        copy = changed(saved[1], tmp_path / f"copy-{len(content)}")
        (copy / "policy.onnx").write_bytes(content)
        resealed(copy)
        with pytest.raises(CheckpointError, match=f"its ONNX model {says}.*train again") as caught:
            load_policy(copy, runtime="onnx")
        assert "\n" not in str(caught.value)


def test_what_is_no_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no checkpoint; give the folder of one"):
        load_policy(tmp_path)


def test_a_policy_without_its_training_serves_and_does_not_go_on(
    saved: tuple[Training, Path], tmp_path: Path
) -> None:
    copy = changed(saved[1], tmp_path / "copy")
    (copy / "training.safetensors").unlink()
    resealed(copy)
    assert load_policy(copy).name == load_policy(saved[1]).name
    with pytest.raises(CheckpointError, match="holds a policy and nothing to go on from"):
        read_checkpoint(copy).training()


def test_a_learner_starts_where_another_with_its_networks_left_off(tmp_path: Path) -> None:
    made = trained(ConservativeQuantileDQN, tmp_path)
    found = read_checkpoint(tmp_path / "step-000000008")
    tuned = small(QuantileDQN, N_FEATURES, len(GRID), run_of(8))
    tuned.start_from(found)
    rows = normalized(fitted().locked(), RAW)
    for one, other in zip(made.learner.choose(rows, LEGAL), tuned.choose(rows, LEGAL), strict=True):
        np.testing.assert_array_equal(one, other)
    says = r"networks\.behavior\.advantage\.bias: is None in the checkpoint and \(1, 5\) here"
    with pytest.raises(CheckpointError, match=says):
        small(BCQ, N_FEATURES, len(GRID), run_of(8)).start_from(found)


def test_serving_needs_no_pytorch(saved: tuple[Training, Path]) -> None:
    program = f"""
import sys
import numpy as np
from paceline.learn.policy import load_policy
policy = load_policy({str(saved[1])!r})
legal = np.ones({len(GRID)}, np.bool_)
assert legal[policy(np.zeros(policy.n_features, np.float32), legal)[0]]
heavy = {{"torch", "onnx", "onnxruntime", "gymnasium"}} & {{*sys.modules}}
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_risk_can_be_chosen_where_there_are_quantiles(
    saved: tuple[Training, Path], tmp_path: Path
) -> None:
    plain, bold = load_policy(saved[1]), load_policy(saved[1], risk=Risk())
    assert plain.name != bold.name
    assert not np.allclose(plain.many(RAW, LEGAL)[1], bold.many(RAW, LEGAL)[1])
    with pytest.raises(CheckpointError, match="its risk cannot be chosen"):
        load_policy(saved[1], risk=Risk(), runtime="onnx")


def test_what_cannot_be_decided_on_is_refused(saved: tuple[Training, Path]) -> None:
    policy = load_policy(saved[1])
    broken = RAW[0].copy()
    broken[0] = np.nan
    with pytest.raises(InputError, match="features: hold NaN or infinity"):
        policy(broken, LEGAL[0])
    with pytest.raises(InputError, match="legal: no action is; hold always is one"):
        policy(RAW[0], np.zeros(len(GRID), np.bool_))
