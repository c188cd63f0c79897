"""Updates of quantile DQN with CQL, side by side with tianshou and d3rlpy.

A batch of 256 rows of 181 features, drawn from a replay of 20,000; 97 actions of 32 quantiles; two
layers of 256; one core. Drawing is part of an update, and so are gradient, Adam and target network.
All draw uniformly, and have the same network: no dueling. Ours is compiled (`mode: compiled`) and
masks; the peers are as they come, and mask nothing. Dueling, drawing by priority and the other
modes of ours stand beside.

Time is the processor's, so that neighbours on a shared machine weigh on nobody. Peers and ours take
turns, and the value is the smaller of the two ratios of medians.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.figure import announce, digits, median
from benchmarks.peers.learner_updates import cpu_seconds
from benchmarks.peers.run import FOLDER, peer_python
from paceline.learn.cql import ConservativeQuantileDQN
from paceline.learn.replay_buffer import ReplayBuffer, Transitions
from paceline.learn.settings import ConservativeQuantileDQNSettings, Network, Run
from paceline.learn.training import mode_of

BAR = 4.0
TURNS: dict[str, tuple[Any, bool, float]] = {
    "compiled": ("compiled", False, 0.0), "dueling": ("compiled", True, 0.0),
    "dueling_by_priority": ("compiled", True, 0.6), "dueling_eager": ("eager", True, 0.0),
    "dueling_deterministic": ("deterministic", True, 0.0),
}  # fmt: skip
"""Turns of ours: the mode, whether the network duels, and the power of priorities."""

FEATURES, ACTIONS, ROWS, BATCH = 181, 97, 20_000, 256


def rows(seed: int = 1) -> Transitions:
    """Rows by chance, of which two thirds of the actions are legal."""
    dice = np.random.default_rng(seed)
    mask = dice.random((ROWS, ACTIONS)) < 2 / 3
    mask[:, 0] = True
    action = np.argmax(mask * dice.random((ROWS, ACTIONS)), axis=1)
    return Transitions(
        features=dice.standard_normal((ROWS, FEATURES), np.float32), mask=mask, action=action,
        reward=dice.standard_normal(ROWS, np.float32),
        next_features=dice.standard_normal((ROWS, FEATURES), np.float32),
        next_mask=np.roll(mask, 1, axis=0), done=dice.random(ROWS) < 0.02,
        discount=np.full(ROWS, 0.995, np.float32), propensity=np.full(ROWS, np.nan, np.float32),
    )  # fmt: skip


def ours(given: Transitions, mode: Any, dueling: bool, priority: float) -> Callable[[], object]:
    """One update of ours, its drawing included."""
    buffer = ReplayBuffer(ROWS, FEATURES, ACTIONS, priority=priority)
    buffer.add(given)
    settings = ConservativeQuantileDQNSettings(network=Network(dueling=dueling))
    learner = ConservativeQuantileDQN(settings, FEATURES, ACTIONS, Run(mode=mode))
    dice = np.random.default_rng(1)

    def update() -> None:
        drawn = buffer.sample(BATCH, dice)
        buffer.learnt(drawn.where, learner.update(drawn.batch).error)

    return update


def compiled_agrees(given: Transitions) -> bool:
    """Whether compiled updates come to the weights of eager ones, but for the last bits."""
    found = []
    for mode in ("eager", "compiled"):
        run = Run(mode=mode)
        with mode_of(run):
            buffer = ReplayBuffer(ROWS, FEATURES, ACTIONS)
            buffer.add(given)
            settings = ConservativeQuantileDQNSettings()
            learner = ConservativeQuantileDQN(settings, FEATURES, ACTIONS, run)
            dice = np.random.default_rng(1)
            losses = [learner.update(buffer.sample(BATCH, dice).batch).loss for _ in range(20)]
            found.append(losses)
    return bool(np.allclose(*found, rtol=1e-3))


def run_peer(peer: str, path: Path, seconds: float) -> dict[str, Any]:
    """What a peer says of its updates."""
    command = [peer_python("learners"), FOLDER / "learner_updates.py", path, "--peer", peer]
    command += ["--seconds", str(seconds), "--batch", str(BATCH)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"peers: {peer} failed\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that all have their turn")
    parser.add_argument("--seconds", type=float, default=5.0, help="of the processor, in a turn")
    args = parser.parse_args()
    given = rows()
    turns = {who: ours(given, *how) for who, how in TURNS.items()}
    agree = compiled_agrees(given)
    speeds: dict[str, list[float]] = {}
    versions = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "rows.npz"
        kept = given._asdict() | {"n_actions": ACTIONS}
        np.savez(path, **{k: v for k, v in kept.items() if "mask" not in k})
        for _ in range(args.rounds):
            for who in ("tianshou", "d3rlpy"):
                said = run_peer(who, path, args.seconds)
                speeds.setdefault(who, []).append(said["updates"] / said["cpu_seconds"])
                versions.append(said["peer"])
            for who, update in turns.items():
                with mode_of(Run(mode=TURNS[who][0])):
                    seconds, updates = cpu_seconds(update, args.seconds)
                speeds.setdefault(who, []).append(updates / seconds)
    found = {who: median(each) for who, each in speeds.items()}
    ratios = {peer: found["compiled"] / found[peer] for peer in ("tianshou", "d3rlpy")}
    return announce(
        "learner", min(ratios.values()), "times the faster peer's updates/s", BAR,
        ratios={who: digits(ratio, 3) for who, ratio in ratios.items()},
        updates_per_cpu_s={who: digits(speed, 3) for who, speed in found.items()},
        by_round={who: [digits(speed, 3) for speed in each] for who, each in speeds.items()},
        peers=sorted(set(versions)), torch=torch.__version__, rounds=args.rounds,
        provided=agree,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
