"""SAC and PPO on a task whose best action is known."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import gymnasium as gym
import msgspec
import numpy as np
import pytest

from paceline.errors import CheckpointError, ConfigError, LearningError
from paceline.learn.checkpoint import Origin, read_manifest
from paceline.learn.continuous import load_continuous, train_continuous
from paceline.learn.policy import load_policy
from paceline.learn.settings import PPOSettings, SACSettings
from paceline.learn.training import checkpoints

pytest.importorskip("stable_baselines3")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

AIM = Origin(schema="aim")
SAC = SACSettings(
    hidden=(32,), lr=5e-3, gamma=0.5, batch=64, steps=700, first=100, checkpoint_every=350,
    sync_share=0.05,
)  # fmt: skip
PPO = PPOSettings(
    hidden=(32,), lr=1e-2, gamma=0.5, batch=64, steps=6144, rollout=512, checkpoint_every=3072,
    max_kl=0.1,
)  # fmt: skip


class Aim(gym.Env[Any, Any]):
    """The best number is 1 + half of what is seen; the box is not centred."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space = gym.spaces.Box(-1.0, 3.0, (1,), np.float32)

    def __init__(self, broken: bool = False, press_at: int = -1) -> None:
        self.broken, self.press_at, self.steps = broken, press_at, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.seen = self.np_random.uniform(-1, 1, 1).astype(np.float32)
        self.left = 4
        return self.seen, {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        if self.steps == self.press_at:
            signal.raise_signal(signal.SIGINT)
        reward = -float((action[0] - best(self.seen)[0]) ** 2)
        self.seen = self.np_random.uniform(-1, 1, 1).astype(np.float32)
        self.left -= 1
        return self.seen, float("nan") if self.broken else reward, self.left == 0, False, {}


def best(seen: Any) -> Any:
    return 1.0 + 0.5 * seen


@pytest.mark.parametrize("settings", [SAC, PPO], ids=["sac", "ppo"])
def test_it_learns_numbers_and_serves_them(settings: Any, tmp_path: Path) -> None:
    folder = train_continuous(Aim(), settings, tmp_path, origin=AIM)
    assert len(checkpoints(tmp_path)) == 2
    policy = load_continuous(folder, schema="aim")
    for seen in (-0.8, 0.0, 0.8):
        found = policy(np.array([seen], np.float32))
        assert found.shape == (1,)
        assert found[0] == pytest.approx(best(seen), abs=0.3)
    assert read_manifest(folder).updates == settings.steps
    with pytest.raises(CheckpointError, match="schema is aim, and features are of"):
        load_continuous(folder)


@pytest.mark.parametrize("settings", [SAC, PPO], ids=["sac", "ppo"])
def test_a_served_policy_is_stable_baselines_own(settings: Any, tmp_path: Path) -> None:
    from paceline.learn.checkpoint import read_checkpoint
    from paceline.learn.continuous import _model, _restore

    settings = msgspec.structs.replace(settings, steps=512, checkpoint_every=512)
    folder = train_continuous(Aim(), settings, tmp_path, origin=AIM)
    model, policy = _model(Aim(), settings), load_continuous(folder, schema="aim")
    _restore(model, read_checkpoint(folder, schema="aim"))
    for seen in np.linspace(-1, 1, 5, dtype=np.float32):
        wanted, _ = model.predict(np.array([seen]), deterministic=True)
        np.testing.assert_allclose(policy(np.array([seen])), wanted, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        msgspec.structs.replace(SAC, steps=300),
        msgspec.structs.replace(PPO, steps=2048),
    ],
    ids=["sac", "ppo"],
)  # fmt: skip
def test_ctrl_c_leaves_a_checkpoint_to_go_on_from(settings: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match="is a checkpoint to go on from"):
        train_continuous(Aim(press_at=200), settings, tmp_path, origin=AIM)
    (cut,) = checkpoints(tmp_path)
    assert cut.name == "step-000000200"
    last = train_continuous(Aim(), settings, tmp_path, origin=AIM, resume=True)
    assert read_manifest(last).updates >= settings.steps
    other = msgspec.structs.replace(settings, lr=0.5)
    with pytest.raises(
        CheckpointError, match=r"settings\.lr is .* in the checkpoint and 0\.5 here"
    ):
        train_continuous(Aim(), other, tmp_path, origin=AIM, resume=True)


def test_a_run_that_goes_astray_says_so(tmp_path: Path) -> None:
    with pytest.raises((LearningError, ValueError)) as error:
        train_continuous(Aim(broken=True), SAC, tmp_path, origin=AIM)
    assert isinstance(error.value, LearningError)
    assert "\n" not in str(error.value)


def test_what_does_not_fit_is_said_first(tmp_path: Path) -> None:
    env = gym.make("CartPole-v1")
    with pytest.raises(ConfigError, match="env: has actions Discrete"):
        train_continuous(env, SAC, tmp_path)
    folder = train_continuous(Aim(), msgspec.structs.replace(PPO, steps=512), tmp_path, origin=AIM)
    with pytest.raises(CheckpointError, match="its actions are numbers; use load_continuous"):
        load_policy(folder, schema="aim")
