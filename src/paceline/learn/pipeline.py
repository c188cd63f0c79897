"""The pipeline: logs, cloning, conservative learning, learning by working; the best of it kept.

    outcome = train(recipe, "out/run")         # the same call goes on where it was cut off

What a run leaves in its folder:

    recipe.yaml           what it was told, whole
    log/                  what teachers decided, a feature set
    clone/ offline/ simulated/ online/   checkpoints and lines of each stage (`training`)
    validation.jsonl      how each validation went
    policy/               the best checkpoint by validation: what is compared, and served
    tensorboard/          the same numbers, for TensorBoard
    summary.json          what came out
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.decision.normalizer import Locked, Normalizer, normalized
from paceline.decision.rows import Decisions, Outcome
from paceline.decision.schema import N_FEATURES
from paceline.decision.store import FeatureSet
from paceline.env.batch_env import BatchExecutionEnv
from paceline.env.days import AnyPool
from paceline.env.episodes import Stage as OrdersStage
from paceline.env.episodes import on_both_sides
from paceline.files.alone import alone_in
from paceline.files.sealing import seal
from paceline.files.writing import write_file
from paceline.learn.checkpoint import Origin, read_manifest
from paceline.learn.collecting import Collector
from paceline.learn.ingredients import (
    AT_ONCE,
    Ingredients,
    begin_with,
    check_same,
    log_parts,
    reward_on,
)
from paceline.learn.learner import Learner
from paceline.learn.lines import add_line, read_lines, write_lines
from paceline.learn.live import Live
from paceline.learn.logbook import logged_days, transitions, worked
from paceline.learn.recipe import STAGES, WORKING, Lesson, Online, Recipe, Stage
from paceline.learn.replay_buffer import AnyReplay, Transitions, new_replay, rare_by
from paceline.learn.settings import Collecting, Replay, Run
from paceline.learn.trained_teacher import teachers_of
from paceline.learn.training import Training, updates_in
from paceline.learn.validation import TEACHERS, read_teachers, that_begin, validate

Say = Callable[[str, float, float], None]
"""What is being done, how far it is, of how much."""

_MOST_ORDERS, _MOST_FILLS = 2048, 4096


class Trained(NamedTuple):
    """What came out of a run."""

    folder: Path
    best: dict[str, float]
    """How the best policy did in validation."""
    teachers: dict[str, dict[str, float]]
    """How those it learnt from did."""
    notes: tuple[str, ...] = ()
    """What earlier days could not teach the days of training and validation."""


class Pipeline:
    """One run of a recipe, with one seed."""

    def __init__(self, recipe: Recipe, folder: str | Path, say: Say = lambda *_: None) -> None:
        """Raises `ConfigError` for a recipe that cannot be cooked."""
        self.recipe, self.folder, self.say = recipe, Path(folder), say
        self.say("opening days", 0, 1)
        self.made = Ingredients.of(recipe)
        self.grid, self.limits, self.source = self.made.grid, self.made.limits, self.made.source
        self.normalizer = self.made.normalizer or Normalizer(self.source.last_training_day)
        self.locked: Locked | None = None
        self._logged: list[tuple[Decisions, Outcome]] = []
        self._best: dict[str, Any] | None = None
        self._worse = 0
        self._board: Any = None
        self._lesson: Lesson | None = None

    def run(self) -> Trained:
        """All stages of the recipe.

        Raises as `Training.go` does, and `BusyError` if another process trains in the folder; what
        was finished is kept, and the same run goes on from it."""
        with alone_in(self.folder):
            return self._run()

    def _run(self) -> Trained:
        self._begin()
        self._log()
        pool, recipe = self.source.validation, self.recipe
        episodes = on_both_sides(pool.draw(-(-recipe.validating.orders // 2)))
        self._env = self._new_env(pool, min(len(episodes), AT_ONCE))
        self._episodes = that_begin(self._env, episodes)
        teachers = self._judge_teachers()
        weights: dict[str, NDArray[Any]] = dict(self.made.beginning)
        if recipe.clone is not None:
            weights = self._offline("clone", recipe.clone, weights)
        if recipe.offline is not None:
            weights = self._offline("offline", recipe.offline, weights)
        if recipe.simulated is not None and self.source.markets is not None:
            weights = self._work("simulated", recipe.simulated, self.source.markets, weights)
        if recipe.online is not None:
            self._work("online", recipe.online, self.source.train, weights)
        best = self._summary(teachers)
        pools = (self.source.train, self.source.validation)
        notes = tuple(note for one in pools for lesson in one.lessons for note in lesson.notes)
        return Trained(self.folder, best, teachers, notes)

    # --- logs -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        """The folder, which is this recipe's and no other's."""
        import yaml

        told = json.loads(msgspec.json.encode(self.recipe))
        path = self.folder / "recipe.yaml"
        if path.exists():
            check_same(path, told)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_file(path, yaml.safe_dump(told, sort_keys=False))

    def _log(self) -> None:
        """What teachers decide on training days, from the log or made now; fits the normaliser."""
        teaching, seed = self.recipe.teaching, self.recipe.seed
        teachers = teachers_of(teaching.teachers, self.grid, teaching.explore)
        settings = {
            "made_by": "train", "teaching": msgspec.to_builtins(teaching), "seed": seed,
            "grid": msgspec.to_builtins(self.grid), "orders": msgspec.to_builtins(self.made.orders),
            "data": self.source.told,
        }  # fmt: skip
        kept = FeatureSet.create(self.folder / "log", len(self.grid), settings)
        parts = log_parts(self.recipe)
        env: BatchExecutionEnv | None = None
        for part in range(parts):
            name = f"part-{part:03d}"
            if not kept.holds("all", name):
                env = env or self._new_env(self.source.train, min(AT_ONCE, teaching.orders))
                kept.add("all", name, *worked(env, teachers, seed=seed + part))
            self.say("logging teachers", part + 1, parts)
            self._logged.append((kept.read("all", name), kept.outcome("all", name)))
        for folder in teaching.logs:
            self._logged += logged_days(folder, self.grid, self.source.last_training_day)
        if self.made.normalizer is None:
            for decisions, _ in self._logged:
                self.normalizer.partial_fit(decisions.features, self.source.last_training_day)
        self.locked = self.normalizer.locked()

    def _rows(self) -> list[Transitions]:
        weights = msgspec.structs.asdict(reward_on(self.source.train, self.recipe.reward))
        return [
            transitions(
                decisions, outcome, {k: w for k, w in weights.items() if w},
                gamma=self.recipe.gamma, steps=self.recipe.steps, locked=self.locked,
            )
            for decisions, outcome in self._logged
        ]  # fmt: skip

    # --- stages ---------------------------------------------------------------------------------

    def _run_settings(self, updates: int, **more: Any) -> Run:
        recipe = self.recipe
        every = min(recipe.validating.every, updates)
        return Run(
            updates=updates, seed=recipe.seed, mode=recipe.mode, device=recipe.device,
            threads=recipe.threads, log_every=max(every // 10, 1), checkpoint_every=every,
            keep=1, **more,
        )  # fmt: skip

    def _learner(self, name: str, run: Run, weights: dict[str, NDArray[Any]]) -> Learner:
        """Who learns in a stage, beginning with what he can take over of `weights`."""
        kind, settings = self.made.learners[name], self.made.settings[name]
        learner = kind(settings, N_FEATURES, len(self.grid), run)
        begin_with(learner, weights)
        return learner

    def _offline(
        self, name: str, stage: Stage, weights: dict[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        """Learn from the logs; returns the weights it ended with."""
        rows = self._rows()
        n = sum(len(part.action) for part in rows)
        run = self._run_settings(stage.updates, replay=Replay(capacity=n, priority=0.0))
        buffer = new_replay(run.replay, N_FEATURES, len(self.grid))
        for part in rows:
            buffer.add(part)
        return self._train(name, self._learner(name, run, weights), buffer, None)

    def _work(
        self, name: str, online: Online, pool: AnyPool, weights: dict[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        """Learn by working orders of `pool`; returns the weights it ended with."""
        recipe = self.recipe
        collecting = Collecting(
            gamma=recipe.gamma, steps=recipe.steps, commit=online.commit,
            exploring=online.exploring, first=online.first,
            updates=1.0 / online.per_update,
        )  # fmt: skip
        run = self._run_settings(online.updates, collecting=collecting, replay=online.replay)
        learner = self._learner(name, run, weights)
        env = self._new_env(pool, online.envs)
        needed = online.keep_logs or online.replay.rare_capacity
        rows = self._rows() if needed else []
        is_rare = rare_by(online.replay, [part.features for part in rows])
        buffer = new_replay(online.replay, N_FEATURES, len(self.grid), is_rare)
        for part in rows if online.keep_logs else ():
            buffer.add(part)
        self._lesson = None
        enter = partial(self._enter, online, pool)
        # Episodes begin as the training is made, or goes on: the lesson is there before them.
        enter(updates_in(self.folder / name))
        collector = Collector(env, collecting, locked=self.locked, table=self.grid.table())
        return self._train(name, learner, buffer, collector, enter)

    def _train(
        self,
        name: str,
        learner: Learner,
        buffer: AnyReplay,
        collector: Collector | None,
        enter: Callable[[int], None] = lambda at: None,
    ) -> dict[str, NDArray[Any]]:
        origin = Origin(
            grid=self.grid, normalizer=self.normalizer, data=self.source.told, limits=self.limits,
            destination=self.recipe.policy.destination,
        )  # fmt: skip
        training = Training(learner, buffer, self.folder / name, origin=origin, collector=collector)
        self._live = Live(name)
        self._replay_validations(name, training.resume())
        if learner.updates < learner.run.updates and self._worse < self.recipe.validating.patience:
            every = min(self.recipe.validating.every, learner.run.updates)
            training.go(lambda t: self._watch(name, t, every, enter), learner.run.log_every)
        return learner.state()

    def _watch(
        self, name: str, training: Training, every: int, enter: Callable[[int], None]
    ) -> bool:
        """Tell how it goes; validate when it is due; whether to stop."""
        at, of = training.learner.updates, training.run.updates
        best = None if self._best is None else self._best["mean_bps"]
        self.say(self._live.line(training.metrics, best), at, of)
        self._plot(name, training.metrics, at)
        enter(at)
        if at % every and at != of:
            return False
        return self._judge(name, training)

    def _enter(self, online: Online, pool: AnyPool, updates: int) -> None:
        """The lesson of the curriculum that is due; a stage that goes on enters none anew."""
        due = [one for one in online.curriculum if one.begins * online.updates <= updates]
        if due and due[-1] is not self._lesson:
            self._lesson = due[-1]
            orders = msgspec.structs.replace(self.made.orders, qty_volume=self._lesson.qty_volume)
            pool.enter(
                OrdersStage(name="lesson", episodes=orders, liquid_share=self._lesson.liquid_share)
            )

    # --- validation -----------------------------------------------------------------------------

    def _judge(self, name: str, training: Training) -> bool:
        """Validate, keep the best, and say whether it has not become better for too long."""
        learner, locked = training.learner, self.locked

        def choose(seen: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
            rows = seen if locked is None else normalized(locked, seen)
            return learner.choose(rows, mask)[0]

        score = validate(self._env, self._episodes, choose, self.recipe.validating.tail_weight)
        told = {"stage": name, "updates": learner.updates, **score.told()}
        add_line(self.folder / "validation.jsonl", told)
        self._plot("validation", score.told(), learner.updates)
        again = self._best is not None and all(
            self._best[name] == told[name] for name in ("stage", "updates")
        )
        if self._best is None or again or score.score > self._best["score"]:
            self._best, self._worse = told, 0
            training.export(self.folder / "policy", told)
        else:
            self._worse += 1
        return name in WORKING and self._worse >= self.recipe.validating.patience

    def _replay_validations(self, name: str, updates: int) -> None:
        """What validations said of a stage that goes on from so many updates."""
        path = self.folder / "validation.jsonl"
        lines = read_lines(path)
        kept = [one for one in lines if one["stage"] != name or one["updates"] <= updates]
        write_lines(path, kept)
        self._best, self._worse = None, 0
        for line in kept:
            if STAGES.index(line["stage"]) > STAGES.index(name):
                continue
            if self._best is None or line["score"] > self._best["score"]:
                self._best, self._worse = line, 0
            else:
                self._worse += line["stage"] == name
        if (self.folder / "policy").exists():
            # A run that was killed may have kept a policy whose validation comes again.
            ahead = read_manifest(self.folder / "policy").validation
            if ahead and (self._best is None or ahead["score"] > self._best["score"]):
                self._best = ahead

    def _judge_teachers(self) -> dict[str, dict[str, float]]:
        """How teachers do in validation, without exploration: what is to be beaten."""
        path = self.folder / "teachers.json"
        told = read_teachers(path)
        if not path.exists():
            write_file(path, seal(TEACHERS, told))
        names, seed = self.recipe.teaching.teachers, self.recipe.seed
        for k, name in enumerate(names):
            if name in told:
                continue
            self.say("teachers on validation", k, len(names))
            (teacher,), dice = teachers_of([name], self.grid), np.random.default_rng([seed, k])
            told[name] = validate(
                self._env,
                self._episodes,
                lambda seen, mask: teacher.act(seen, mask, dice).action,  # noqa: B023
            ).told()
            write_file(path, seal(TEACHERS, told))
        return told

    def _summary(self, teachers: dict[str, dict[str, float]]) -> dict[str, float]:
        """Write what came out; returns how the best policy did."""
        assert self._best is not None  # each stage judges at its end
        told = {"name": self.recipe.name, "seed": self.recipe.seed, "best": self._best,
                "teachers": teachers}  # fmt: skip
        write_file(self.folder / "summary.json", json.dumps(told, indent=1) + "\n")
        return {k: v for k, v in self._best.items() if isinstance(v, float)}

    # --- the rest -------------------------------------------------------------------------------

    def _new_env(self, pool: AnyPool, n: int) -> BatchExecutionEnv:
        return BatchExecutionEnv(
            pool, n, grid=self.grid, venue=self.recipe.impact.venue(),
            reward=reward_on(pool, self.recipe.reward), limits=self.limits.desk(),
            max_orders=_MOST_ORDERS, max_fills=_MOST_FILLS, threads=self.recipe.threads,
            copy=False,
        )  # fmt: skip

    def _plot(self, name: str, numbers: dict[str, float], at: int) -> None:
        """The same numbers, for TensorBoard."""
        if self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.folder / "tensorboard"))
        for key, value in numbers.items():
            self._board.add_scalar(f"{name}/{key}", value, at)


def train(recipe: Recipe, folder: str | Path, say: Say = lambda *_: None) -> list[Trained]:
    """Cook `recipe`: a run for each of its seeds, in folders of their own if there are several."""
    found = []
    with alone_in(folder):  # refused now, and not when days have been opened
        for seed in range(recipe.seed, recipe.seed + recipe.seeds):
            one = msgspec.structs.replace(recipe, seed=seed, seeds=1)
            path = Path(folder) / f"seed-{seed}" if recipe.seeds > 1 else Path(folder)
            found.append(Pipeline(one, path, say).run())
    return found
