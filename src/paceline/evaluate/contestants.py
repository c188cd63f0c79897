"""Who is compared: schedules with their tactics, and whoever chooses actions in batch.

    contestant("ac/mid/15", 30)         # a schedule, as `parse_policy` reads it
    contestant("random", 30)            # any legal action
    contestant("out/run", 30)           # a trained policy: a run of `train`, or a checkpoint

A `Chooser` sees what the environment shows, a row for each order, and says what to do. It has a
name and the grid that its actions are numbers of. `random`, `hold` and `oracle` are built in: the
first two any policy should beat, the last nobody may, for it looks ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from paceline.decision.actions import ActionGrid
from paceline.decision.chance import any_legal
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.policies import SCHEDULES, Policy, Urgency, parse_policy
from paceline.errors import ConfigError
from paceline.evaluate.trained_on import TrainedOn, trained_on
from paceline.units import NS_PER_S

COLLAR_BPS = 100.0
_LOOK_S = 5.0
"""The oracle looks at every so many seconds of the future."""


class Chooser(Protocol):
    """Something that chooses actions, for many orders at once.

    One that was trained may have a `family` besides, the same for all seeds of its training, an
    `identity`, which tells its weights from any others, and `seen`, the days and markets that it
    was trained and validated on (`evaluate.trained_on`).
    """

    name: str
    grid: ActionGrid

    def act(self, seen: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """An action for each row of what is `seen` `[n, N_FEATURES]`; `mask` `[n, n_actions]` says
        which are legal. One that is not is not carried out, and counts as a violation."""


class Schedule(NamedTuple):
    """A schedule with its tactic, for each name and fill model its own if need be."""

    name: str
    usual: tuple[Policy, Urgency]
    special: Mapping[tuple[str, str], tuple[Policy, Urgency]] = {}
    """(fill model, symbol) -> how it is worked there."""

    def on(self, model: str, symbol: str) -> tuple[Policy, Urgency]:
        """How it works orders of `symbol` under `model`."""
        return self.special.get((model, symbol), self.usual)


Contestant = Schedule | Chooser


class RandomChooser:
    """Any legal action, each as likely as another."""

    def __init__(self, seed: int = 0) -> None:
        self.name, self.grid = "random", ActionGrid()
        self._dice = np.random.default_rng(seed)

    def act(self, seen: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """See `Chooser`."""
        return any_legal(mask, self._dice)


class HoldChooser:
    """Waits, and lets the sweep at the end of the horizon do all of the work."""

    name = "hold"

    def __init__(self) -> None:
        self.grid = ActionGrid(waits_s=(10.0,), hold_s=10.0)

    def act(self, seen: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """See `Chooser`."""
        return np.zeros(len(seen), np.int64)


class TrainedChooser:
    """A checkpoint of `learn`, or the best one of a run."""

    def __init__(self, folder: str) -> None:
        """Raises `CheckpointError` for a folder that holds none, or one of no grid."""
        from paceline.learn.checkpoint import read_checkpoint
        from paceline.learn.policy import grid_of, load_policy
        from paceline.learn.trained_teacher import best_in

        path = best_in(folder)
        found = read_checkpoint(path)
        grid = grid_of(found)
        if grid is None:
            raise ConfigError(f"policies: {folder!r} chooses from no grid; give one that does")
        self.name, self.grid = folder, grid
        self._policy = load_policy(path, grid=grid)
        self.identity, self.limits = self._policy.name, self._policy.limits
        self.seen = trained_on(found.manifest.data)
        run = Path(folder)
        self.family = str(run.parent) if run.name.startswith("seed-") else None

    def act(self, seen: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """See `Chooser`."""
        return self._policy.many(seen, mask)[0]


class Oracle:
    """Takes everything when the price of the whole horizon is best, for it looks ahead. No policy:
    what it saves is the most that timing could, and that it is seen to win shows that skill would
    be. On recorded days only."""

    def __init__(self) -> None:
        self.name = "oracle"
        self.grid = ActionGrid(sizes=(1.0,), prices=("take_2",), waits_s=(_LOOK_S,), hold_s=_LOOK_S)
        self._env: BatchExecutionEnv | None = None
        self._best = np.zeros(0, np.int64)

    def begin(self, env: BatchExecutionEnv) -> None:
        """Look at all that will happen to the orders that `env` has begun."""
        self._env, self._best = env, np.zeros(env.num_envs, np.int64)
        for i, episode in enumerate(env.episodes):
            tape = env.pool.tapes[episode["tape"]]
            at = np.arange(episode["start_ts"], episode["end_ts"], round(_LOOK_S * NS_PER_S))
            mid = tape.mid_ticks()[np.searchsorted(tape.events.ts, at, side="right") - 1]
            self._best[i] = at[np.nanargmin(episode["side"] * mid)]

    def act(self, seen: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """See `Chooser`. From the best moment on, for what was out of reach then."""
        assert self._env is not None
        due = self._env.lives.progress["ts"] >= self._best
        return np.where(due & mask[:, 1], 1, 0)


def identity(who: Contestant) -> str:
    """What tells `who` from everybody else: two of one identity do the same."""
    if isinstance(who, Schedule):
        return repr((who.usual, sorted(who.special.items())))
    return f"{getattr(who, 'identity', who.name)} {who.grid!r}"


def family(who: Contestant) -> str | None:
    """What a trained policy shares with those of other seeds of its training, if it says so."""
    return getattr(who, "family", None)


def seen_by(who: Contestant) -> TrainedOn | None:
    """What `who` was trained and validated on, if it says so."""
    return getattr(who, "seen", None)


def looks_ahead(who: Contestant) -> bool:
    """Whether `who` knows what no policy can."""
    return isinstance(who, Oracle)


BUILT_IN: dict[str, Callable[[], Chooser]] = {
    "random": RandomChooser, "hold": HoldChooser, "oracle": Oracle,
}  # fmt: skip


def contestant(text: str, n_slices: int, urgency: Urgency | None = None) -> Contestant:
    """Who `text` names; a schedule that names no number of slices has `n_slices`.

    Raises `ConfigError` for nobody, `CheckpointError` for a folder that holds no policy.
    """
    if text in BUILT_IN:
        return BUILT_IN[text]()
    if Path(text).is_dir() or ("/" in text and text.split("/")[0] not in SCHEDULES):
        return TrainedChooser(text)
    policy = parse_policy(text, n_slices, COLLAR_BPS)
    return Schedule(text, (policy, urgency or Urgency(None, None)))
