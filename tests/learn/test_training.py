"""Runs: the same from a seed, resumed to the same weights, and stopped without a loss."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from paceline.errors import CheckpointError, InputError, LearningError
from paceline.learn.behavior_cloning import BehaviorCloning
from paceline.learn.checkpoint import Origin, read_manifest
from paceline.learn.collecting import Collector
from paceline.learn.cql import ConservativeQuantileDQN
from paceline.learn.double_dqn import DoubleDQN
from paceline.learn.iql import IQL
from paceline.learn.learner import Learner
from paceline.learn.lines import read_lines
from paceline.learn.quantile_dqn import QuantileDQN
from paceline.learn.replay_buffer import MixedReplay, ReplayBuffer
from paceline.learn.settings import Collecting, Network, Replay, Run
from paceline.learn.training import Training, checkpoints, mode_of
from tests.learn.runs import ALL, filled, run_of, small
from tests.learn.worlds import ACTIONS, STATES, Chain, every_step

CHAIN = Origin(schema="chain")


def offline(kind: type[Learner], folder: Path, run: Run, **changes: Any) -> Training:
    learner = small(kind, STATES, ACTIONS, run, **changes)
    return Training(learner, filled(every_step()), folder, origin=CHAIN)


def online(kind: type[Learner], folder: Path, run: Run) -> Training:
    collecting = Collecting(gamma=0.9, first=40, updates=0.5)
    run = msgspec.structs.replace(run, collecting=collecting)
    parts = [ReplayBuffer(256, STATES, ACTIONS, priority=0.6) for _ in range(2)]
    buffer = MixedReplay(*parts, 0.25, lambda rows: rows.features[:, 3] > 0)
    learner = small(kind, STATES, ACTIONS, run)
    return Training(
        learner, buffer, folder, origin=CHAIN, collector=Collector(Chain(4), collecting)
    )


def assert_same(one: Training, other: Training) -> None:
    kept = one.learner.state(), other.learner.state()
    assert kept[0].keys() == kept[1].keys()
    for name in kept[0]:
        np.testing.assert_array_equal(kept[0][name], kept[1][name], name)


def interrupting(learner: Learner, at: int) -> None:
    """Press Ctrl-C in the middle of update `at`."""
    update = learner.update

    def pressed(*args: Any) -> Any:
        if learner.updates == at - 1:
            signal.raise_signal(signal.SIGINT)
        return update(*args)

    learner.update = pressed  # type: ignore[method-assign]


@pytest.mark.parametrize("kind", ALL)
def test_ctrl_c_leaves_a_checkpoint_that_comes_to_the_same_weights(
    kind: type[Learner], tmp_path: Path
) -> None:
    run = run_of(60)
    whole = offline(kind, tmp_path / "whole", run)
    whole.go()
    cut = offline(kind, tmp_path / "cut", run)
    interrupting(cut.learner, 25)
    with pytest.raises(KeyboardInterrupt, match="step-000000025 is a checkpoint"):
        cut.go()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert cut.learner.updates == 25
    again = offline(kind, tmp_path / "cut", run)
    assert again.resume() == 25
    again.go()
    assert_same(whole, again)
    np.testing.assert_array_equal(whole.buffer.tree, again.buffer.tree)


@pytest.mark.parametrize("kind", [DoubleDQN, QuantileDQN])
def test_in_an_environment_a_resumed_run_comes_to_the_same_weights(
    kind: type[Learner], tmp_path: Path
) -> None:
    run = run_of(90, checkpoint_every=30)
    whole = online(kind, tmp_path / "run", run)
    whole.go()
    again = online(kind, tmp_path / "other", run)
    assert again.resume(tmp_path / "run" / "step-000000030") == 30
    again.go()
    assert_same(whole, again)
    assert whole.buffer.digest() == again.buffer.digest()
    assert whole.collector.decisions == again.collector.decisions


def test_a_seed_says_all(tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(len(found))  # whatever else was drawn
        made = online(QuantileDQN, tmp_path / name, run_of(40, seed=seed))
        made.go()
        found.append(made)
    assert_same(found[0], found[1])
    with pytest.raises(AssertionError):
        assert_same(found[0], found[2])


def test_compiled_learns_what_eager_learns_and_is_compiled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The graph is taken as ever, and run without a C++ compiler, which takes a minute. The
    # benchmark of learners holds the numbers of that against eager ones.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    found = []
    for mode in ("eager", "compiled"):
        made = offline(QuantileDQN, tmp_path / mode, run_of(30, mode=mode))
        made.go()
        found.append(made.learner.state())
    for name, wanted in found[0].items():
        np.testing.assert_allclose(found[1][name], wanted, atol=2e-3, err_msg=name)
    other = made.buffer.sample(9, np.random.default_rng(1)).batch
    with mode_of(made.run), pytest.raises(torch._dynamo.exc.RecompileError):
        made.learner.update(other)


def test_compiled_learners_of_other_settings_do_not_share_what_was_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    batch = filled(every_step()).sample(32, np.random.default_rng(1)).batch
    for changes in ({}, {"alpha": 7.0}, {"huber": 3.0}, {"network": Network(dueling=False)}):
        losses = []
        for mode in ("eager", "compiled"):
            run = run_of(1, mode=mode)
            learner = small(ConservativeQuantileDQN, STATES, ACTIONS, run, **changes)
            with mode_of(run):
                losses.append(learner.update(batch).loss)
        assert losses[0] == pytest.approx(losses[1], rel=1e-5), changes


@pytest.mark.parametrize(
    ("reward", "changes", "says"),
    [
        (1e30, {}, "loss is .*largest value"),
        (1.0, {"max_value": 1e-9}, r"largest value .* \(limit 1e-09\)"),
    ],
)
def test_a_run_that_goes_astray_stops_with_its_batch(
    reward: float, changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    rows = every_step()
    rows = rows._replace(reward=np.where(rows.action == 1, reward, rows.reward).astype(np.float32))
    learner = small(IQL, STATES, ACTIONS, run_of(60, **changes))
    made = Training(learner, filled(rows), tmp_path, origin=CHAIN)
    before = learner.state()
    with pytest.raises(LearningError, match=says) as error:
        made.go()
    assert "\n" not in str(error.value)
    (kept,) = tmp_path.glob("astray-*.safetensors")
    assert str(kept) in str(error.value)
    assert kept.stem == f"astray-{learner.updates + 1}"
    batch = load_file(kept)
    assert batch["batch.features"].shape == (32, STATES)
    assert (batch["where"] < len(rows.action)).all()
    # What it said was not stepped on.
    for name, value in learner.state().items():
        assert np.isfinite(value).all()
        if learner.updates == 0 and name.startswith("networks."):
            np.testing.assert_array_equal(value, before[name])


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """No file can grow beyond `most` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)


@pytest.mark.parametrize("most", [0, 1000, 12_000])
def test_a_full_disk_loses_no_finished_work(most: int, tmp_path: Path) -> None:
    run = run_of(60, checkpoint_every=20)
    made = offline(QuantileDQN, tmp_path, run)
    interrupting(made.learner, 20)
    with pytest.raises(KeyboardInterrupt):
        made.go()
    again = offline(QuantileDQN, tmp_path, run)
    again.resume()
    with full_disk(most), pytest.raises(CheckpointError, match="cannot be written") as error:
        again.go()
    assert "\n" not in str(error.value)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000000020"]
    assert not list(tmp_path.glob(".*"))
    whole = offline(QuantileDQN, tmp_path / "whole", run)
    whole.go()
    if most > 0:  # with no room for its log it stopped before an update too many
        again.save()
    last = offline(QuantileDQN, tmp_path, run)
    last.resume()
    last.go()
    assert_same(last, whole)


def test_old_checkpoints_go_and_the_log_stays(tmp_path: Path) -> None:
    made = offline(DoubleDQN, tmp_path, run_of(60, checkpoint_every=10, keep=2, log_every=20))
    metrics = made.go()
    assert [path.name for path in checkpoints(tmp_path)] == [f"step-{k:09d}" for k in (40, 50, 60)]
    lines = read_lines(tmp_path / "log.jsonl")
    assert [line["updates"] for line in lines] == [20, 40, 60]
    assert {"loss", "gradient", "largest", "error", "td"} <= set(lines[0])
    assert lines[-1] == {"updates": 60, **metrics}
    assert read_manifest(checkpoints(tmp_path)[-1]).metrics == metrics


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ({"lr": 0.5}, r"settings\.lr is 0\.01 in the checkpoint and 0\.5 here"),
        ({"seed": 2}, r"run\.seed is 1 in the checkpoint and 2 here"),
        ({"kind": QuantileDQN}, "learner is double_dqn in the checkpoint and quantile_dqn here"),
        ({"mode": "eager"}, r"run\.mode is deterministic in the checkpoint and eager here"),
        ({"batch": 16}, r"run\.replay\.batch is 32 in the checkpoint and 16 here"),
        ({"rows": 3}, r"data\.replay is \w+ in the checkpoint and \w+ here"),
        ({"schema": "other"}, "schema is chain, and features are of other"),
    ],
)
def test_a_run_goes_on_as_it_was_or_not_at_all(
    what: dict[str, Any], says: str, tmp_path: Path
) -> None:
    offline(DoubleDQN, tmp_path, run_of(10)).go()
    run = run_of(20, **{name: what[name] for name in what.keys() & {"seed", "mode"}})
    if "batch" in what:
        run = msgspec.structs.replace(run, replay=Replay(capacity=512, batch=what["batch"]))
    learner = small(
        what.get("kind", DoubleDQN), STATES, ACTIONS, run,
        **{name: what[name] for name in what.keys() & {"lr"}},
    )  # fmt: skip
    rows = every_step()
    rows = type(rows)(*(column[what.get("rows", 0) :] for column in rows))
    made = Training(
        learner, filled(rows), tmp_path, origin=Origin(schema=what.get("schema", "chain"))
    )
    with pytest.raises(CheckpointError, match=says) as error:
        made.resume()
    assert "\n" not in str(error.value)


def test_a_longer_run_goes_on_from_a_shorter_one(tmp_path: Path) -> None:
    offline(DoubleDQN, tmp_path, run_of(10)).go()
    longer = offline(DoubleDQN, tmp_path, run_of(20))
    assert longer.resume() == 10
    longer.go()
    assert longer.learner.updates == 20


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorBoard's own
def test_tensorboard_gets_the_log_if_it_is_asked_to(tmp_path: Path) -> None:
    offline(DoubleDQN, tmp_path / "without", run_of(10)).go()
    assert not list(tmp_path.glob("without/tensorboard/*"))
    offline(DoubleDQN, tmp_path / "with", run_of(10, log_every=5, tensorboard=True)).go()
    events = b"".join(path.read_bytes() for path in tmp_path.glob("with/tensorboard/*"))
    assert events.count(b"gradient") == 2


def test_nothing_to_resume_is_a_beginning(tmp_path: Path) -> None:
    assert offline(DoubleDQN, tmp_path / "new", run_of(10)).resume() == 0


def test_what_nothing_can_be_learnt_from_is_said_first(tmp_path: Path) -> None:
    run = run_of(10)
    learner = small(DoubleDQN, STATES, ACTIONS, run)
    with pytest.raises(InputError, match="replay: is empty, and nothing collects"):
        Training(learner, ReplayBuffer(8, STATES, ACTIONS), tmp_path)
    with pytest.raises(InputError, match="replay: rows have 5 features and 7 actions, and the lea"):
        Training(learner, ReplayBuffer(8, STATES, 7), tmp_path)
    rows = every_step()
    rows = rows._replace(reward=np.full(len(rows.action), np.nan, np.float32))
    with pytest.raises(InputError, match="replay: rewards are not known, and double_dqn learns fr"):
        Training(learner, filled(rows), tmp_path)
    clone = small(BehaviorCloning, STATES, ACTIONS, run)
    Training(clone, filled(rows), tmp_path, origin=CHAIN).go()


def test_pytorch_is_left_as_it_was(tmp_path: Path) -> None:
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with mode_of(Run(threads=threads + 1)):
        assert torch.get_num_threads() == threads + 1
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == threads
    assert torch.are_deterministic_algorithms_enabled() == strict
