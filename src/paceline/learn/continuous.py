"""Continuous actions: SAC and PPO, by Stable-Baselines3, in any environment with a Box.

    folder = train_continuous(env, SACSettings(), "out/run", origin=Origin(normalizer=normalizer))
    policy = load_continuous(folder)
    numbers = policy(features)                     # [n_numbers] within the box

Haarnoja et al., 2018, "Soft actor-critic algorithms and applications" (with its temperature tuned);
Schulman et al., 2017, "Proximal policy optimization algorithms", whose updates end once the
divergence from the old policy is above `max_kl` (half as much again, as Stable-Baselines3 has it).

Checkpoints are those of all learners, without pickle. A resumed run goes on with its networks,
optimisers and replay, yet not to the last bit: generators and episodes begin anew.
"""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path
from typing import Any

import gymnasium as gym
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from paceline.decision.normalizer import Locked, normalized
from paceline.decision.schema import schema_hash
from paceline.errors import CheckpointError, ConfigError, LearningError
from paceline.learn.checkpoint import (
    Checkpoint,
    Manifest,
    Origin,
    Serving,
    Tensors,
    check_goes_on,
    commit_of_code,
    read_checkpoint,
    write_checkpoint,
)
from paceline.learn.folding import Activation, Folded
from paceline.learn.settings import PPOSettings, Run, SACSettings
from paceline.learn.training import asked_to_stop, checkpoints, mode_of

_REPLAY = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


class ContinuousPolicy:
    """Numbers within a box, the mean of what was learnt."""

    def __init__(
        self, folded: Folded, low: NDArray[np.float32], high: NDArray[np.float32], squashes: bool,
        locked: Locked | None,
    ) -> None:  # fmt: skip
        """`low` and `high` `[n_numbers]` are the box's; `squashes` says that what comes out goes
        through a tanh into it, and is not cut off at it."""
        self.folded, self.low, self.high = folded, low, high
        self._squashes, self._locked = squashes, locked

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[n_numbers]` for `features` `[n_features]`."""
        row = np.array(features, np.float32)
        if self._locked is not None:
            row = normalized(self._locked, row[None])[0]
        out = self.folded.one(row)
        if self._squashes:
            out = self.low + 0.5 * (np.tanh(out) + 1.0) * (self.high - self.low)
        return np.clip(out, self.low, self.high).astype(np.float32)


def train_continuous(
    env: gym.Env[Any, Any],
    settings: SACSettings | PPOSettings,
    folder: str | Path,
    *,
    origin: Origin | None = None,
    resume: bool = False,
) -> Path:
    """Train in `env` and return the folder of the last checkpoint; with `resume`, go on from the
    last one in `folder`.

    Raises `ConfigError` for an environment without a Box of actions, `LearningError` if it goes
    astray, `CheckpointError` if a checkpoint cannot be written or gone on from, and
    `KeyboardInterrupt` on Ctrl-C, after a checkpoint."""
    if not isinstance(env.action_space, gym.spaces.Box):
        raise ConfigError(f"env: has actions {env.action_space}; give one with a Box of numbers")
    origin, folder = origin or Origin(), Path(folder)
    if origin.normalizer is not None:
        locked = origin.normalizer.locked()
        space = env.observation_space
        env = gym.wrappers.TransformObservation(
            env, lambda seen: normalized(locked, np.asarray(seen)[None])[0], space
        )
    model = _model(env, settings)
    manifest = _manifest(model, settings, origin)
    if resume and (there := checkpoints(folder)):
        found = read_checkpoint(there[-1], schema=manifest.schema)
        check_goes_on(found, manifest)
        _restore(model, found)
    # One thread: these networks are too small to share out.
    with mode_of(Run(mode="eager")), asked_to_stop() as asked:
        watch = _watch(model, manifest, origin, folder, settings.checkpoint_every, asked)
        left = settings.steps - model.num_timesteps
        if left > 0:
            model.learn(left, callback=watch, reset_num_timesteps=False)
        if asked.is_set():
            at = _save(model, manifest, origin, folder)
            raise KeyboardInterrupt(f"{at} is a checkpoint to go on from")
    return _save(model, manifest, origin, folder)


def load_continuous(folder: str | Path, *, schema: str | None = None) -> ContinuousPolicy:
    """The policy of a checkpoint, for a schema of features (None: paceline's own).

    Raises `CheckpointError` for a checkpoint that does not fit."""
    found = read_checkpoint(folder, schema=schema)
    if found.manifest.serving.numbers != "means":
        raise CheckpointError(f"{folder}: its actions are choices; use load_policy")
    folded = _folded(found.weights, found.manifest.serving.activation)
    low, high = (found.weights[f"box.{name}"] for name in ("low", "high"))
    locked = None if found.normalizer is None else found.normalizer.locked()
    return ContinuousPolicy(folded, low, high, found.manifest.learner == "sac", locked)


def _model(env: gym.Env[Any, Any], settings: SACSettings | PPOSettings) -> Any:
    from stable_baselines3 import PPO, SAC

    given: dict[str, Any] = {
        "learning_rate": settings.lr, "gamma": settings.gamma, "batch_size": settings.batch,
        "seed": settings.seed, "device": settings.device,
        "policy_kwargs": {"net_arch": list(settings.hidden)},
    }  # fmt: skip
    if isinstance(settings, SACSettings):
        return SAC(
            "MlpPolicy", env, buffer_size=settings.capacity, learning_starts=settings.first,
            tau=settings.sync_share, **given,
        )  # fmt: skip
    return PPO(
        "MlpPolicy", env, n_steps=settings.rollout, n_epochs=settings.epochs,
        clip_range=settings.clip, target_kl=settings.max_kl, **given,
    )  # fmt: skip


def _watch(
    model: Any, manifest: Manifest, origin: Origin, folder: Path, every: int, asked: threading.Event
) -> Any:
    from stable_baselines3.common.callbacks import BaseCallback

    class Watch(BaseCallback):
        """Writes checkpoints, and stops a run that is asked to or that went astray."""

        def _on_step(self) -> bool:
            if self.num_timesteps % every == 0:
                _save(model, manifest, origin, folder)
            return not asked.is_set()

        def _on_rollout_start(self) -> None:
            _check(model, folder)

    return Watch()


def _check(model: Any, folder: Path) -> None:
    """Raises `LearningError` if a weight is no number."""
    for name, tensor in model.policy.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            raise LearningError(
                f"decision {model.num_timesteps}: {name} is no number any more; the last "
                f"checkpoint in {folder} is fine, lower lr or look at the rewards"
            )


def _manifest(model: Any, settings: SACSettings | PPOSettings, origin: Origin) -> Manifest:
    is_sac = isinstance(settings, SACSettings)
    kept = msgspec.to_builtins(settings)
    may_differ = {name: kept.pop(name) for name in ("steps", "checkpoint_every")}
    return Manifest(
        learner="sac" if is_sac else "ppo", settings=kept, run={"updates": may_differ["steps"]},
        updates=0, n_features=math.prod(model.observation_space.shape),
        n_actions=math.prod(model.action_space.shape), schema=origin.schema or schema_hash(),
        grid=None, data=dict(origin.data), commit=commit_of_code(),
        mode={"mode": "eager", "device": settings.device, "torch": str(torch.__version__)},
        metrics={}, limits=origin.limits,
        serving=Serving(network="policy", numbers="means", activation="relu" if is_sac else "tanh"),
    )  # fmt: skip


def _save(model: Any, manifest: Manifest, origin: Origin, folder: Path) -> Path:
    _check(model, folder)
    state = {f"model.{name}": value for name, value in model.policy.state_dict().items()}
    weights: Tensors = {name: value.detach().cpu().numpy() for name, value in state.items()}
    actor = model.policy.actor if manifest.learner == "sac" else model.policy
    hidden, last = (
        (actor.latent_pi, actor.mu)
        if manifest.learner == "sac"
        else (actor.mlp_extractor.policy_net, actor.action_net)
    )
    layers = [layer for layer in hidden if isinstance(layer, torch.nn.Linear)] + [last]
    for i, layer in enumerate(layers):
        weights[f"policy.{i}.weight"] = layer.weight.detach().cpu().numpy()
        weights[f"policy.{i}.bias"] = layer.bias.detach().cpu().numpy()
    weights |= {"box.low": model.action_space.low, "box.high": model.action_space.high}
    training: Tensors = {}
    for name, optimizer in _optimizers(model).items():
        for i, memory in optimizer.state_dict()["state"].items():
            for key, value in memory.items():
                training[f"{name}.{i}.{key}"] = value.detach().cpu().numpy()
    if manifest.learner == "sac":
        training["log_ent_coef"] = model.log_ent_coef.detach().cpu().numpy()
        replay = model.replay_buffer
        for name in _REPLAY:
            training[f"replay.{name}"] = getattr(replay, name)[: replay.size()]
        training["replay.at"] = np.array([replay.pos, int(replay.full)])
    counters = {"steps": model.num_timesteps}
    manifest = msgspec.structs.replace(
        manifest, updates=model.num_timesteps, training=json.dumps(counters)
    )
    served = {"values": _folded(weights, manifest.serving.activation)}
    path = folder / f"step-{model.num_timesteps:09d}"
    return write_checkpoint(path, manifest, weights, served, origin.normalizer, training)


def _restore(model: Any, found: Checkpoint) -> None:
    model.policy.load_state_dict(
        {k[6:]: torch.from_numpy(v) for k, v in found.weights.items() if k.startswith("model.")}
    )
    kept = found.training()
    for name, optimizer in _optimizers(model).items():
        memory: dict[int, dict[str, Any]] = {}
        for key, value in kept.items():
            if key.startswith(f"{name}."):
                _, i, what = key.rsplit(".", 2)
                memory.setdefault(int(i), {})[what] = torch.from_numpy(np.array(value))
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": memory, "param_groups": groups})
    if found.manifest.learner == "sac":
        with torch.no_grad():
            model.log_ent_coef.copy_(torch.from_numpy(np.array(kept["log_ent_coef"])))
        replay = model.replay_buffer
        for name in _REPLAY:
            rows = kept[f"replay.{name}"]
            getattr(replay, name)[: len(rows)] = rows
        replay.pos, replay.full = int(kept["replay.at"][0]), bool(kept["replay.at"][1])
    model.num_timesteps = found.manifest.updates
    model._num_timesteps_at_start = model.num_timesteps


def _optimizers(model: Any) -> dict[str, Any]:
    if hasattr(model, "actor"):
        return {
            "optimizer.actor": model.actor.optimizer, "optimizer.critic": model.critic.optimizer,
            "optimizer.entropy": model.ent_coef_optimizer,
        }  # fmt: skip
    return {"optimizer.policy": model.policy.optimizer}


def _folded(weights: Tensors, activation: Activation) -> Folded:
    count = sum(name.startswith("policy.") and name.endswith(".weight") for name in weights)
    return Folded(
        tuple(np.asarray(weights[f"policy.{i}.weight"]) for i in range(count)),
        tuple(np.asarray(weights[f"policy.{i}.bias"]) for i in range(count)),
        activation,
    )
