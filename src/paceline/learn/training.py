"""Training: the loop that all learners share.

    training = Training(learner, buffer, "out/run", origin=Origin(grid, normalizer))
    training.go()                                  # or .resume() first, after it was cut off

Collect (in an environment), draw, update, look whether all is well, log, write checkpoints. A run
that is cut off goes on from its last checkpoint and comes to the same weights. For that episodes
begin anew at every checkpoint, in the run that goes on as in the one that is resumed: an
environment's inner state is its own, and is not saved.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from paceline.decision.schema import schema_hash
from paceline.errors import CheckpointError, InputError, LearningError
from paceline.files.writing import discard, new_file
from paceline.learn.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    Manifest,
    Origin,
    Tensors,
    check_goes_on,
    commit_of_code,
    read_checkpoint,
    write_checkpoint,
)
from paceline.learn.collecting import Collector
from paceline.learn.learner import Learner, Step
from paceline.learn.lines import add_line, keep_lines
from paceline.learn.policy import served
from paceline.learn.replay_buffer import AnyReplay, Drawn
from paceline.learn.settings import Run

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""As malloc.h numbers them."""


class Training:
    """One run of one learner, in a folder of its own."""

    def __init__(
        self,
        learner: Learner,
        buffer: AnyReplay,
        folder: str | Path,
        *,
        origin: Origin | None = None,
        collector: Collector | None = None,
    ) -> None:
        """Without a `collector`, what `buffer` holds is all there is. `folder` gets
        `step-<updates>` for each checkpoint, and `log.jsonl`.

        Raises `InputError` for a buffer of another shape, or one that is empty and stays so."""
        shapes = (learner.n_features, learner.n_actions), (buffer.n_features, buffer.n_actions)
        if shapes[0] != shapes[1]:
            raise InputError(
                f"replay: rows have {shapes[1][0]} features and {shapes[1][1]} actions, and the "
                f"learner {shapes[0][0]} and {shapes[0][1]}; make both for the same"
            )
        if collector is None and not len(buffer):
            raise InputError("replay: is empty, and nothing collects; add rows before learning")
        if learner.needs_rewards and not buffer.rewarded:
            raise InputError(
                f"replay: rewards are not known, and {learner.name} learns from them; clone, or "
                "give rows with rewards"
            )
        self.learner, self.buffer, self.collector = learner, buffer, collector
        self.run: Run = learner.run
        self.folder, self.origin = Path(folder), origin or Origin()
        self.metrics: dict[str, float] = {}
        self._dice = np.random.Generator(np.random.PCG64(self.run.seed))
        self._owed = 0.0
        self._data = dict(self.origin.data)
        if len(buffer):
            self._data["replay"] = buffer.digest()
        if collector is not None:
            collector.begin(self._seed())

    def go(
        self, watch: Callable[[Training], bool] = lambda training: False, every: int = 0
    ) -> dict[str, float]:
        """Train to the last update; returns the metrics of the last lines of the log.

        `watch` is called every so many updates (0: with each line of the log) and may look, but
        not touch; where it says so the run stops, with a checkpoint.

        Raises `LearningError` if it goes astray (the batch is saved), `CheckpointError` if a
        checkpoint cannot be written, and `KeyboardInterrupt` on Ctrl-C, after a checkpoint; a
        deterministic run that collects has regular ones only."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with mode_of(self.run), asked_to_stop() as asked:
            while self.learner.updates < self.run.updates:
                self._update()
                at = self.learner.updates
                last, stops = at == self.run.updates, False
                if at % self.run.log_every == 0 or last:
                    self._log()
                if at % (every or self.run.log_every) == 0 or last:
                    stops = watch(self)
                regular = at % self.run.checkpoint_every == 0 or last or stops
                if regular or (asked.is_set() and not self._only_regular()):
                    self.save()
                if stops:
                    break
                if asked.is_set() and not last:
                    raise KeyboardInterrupt(self._goes_on_from())
        return self.metrics

    def _only_regular(self) -> bool:
        """Whether one checkpoint more changes what comes of the run: episodes begin anew there."""
        return self.collector is not None and self.run.mode == "deterministic"

    def _goes_on_from(self) -> str:
        there = checkpoints(self.folder)
        if there and there[-1] == self._at():
            return f"{there[-1]} is a checkpoint to go on from"
        where = f"{there[-1]}, the last regular checkpoint" if there else "its beginning"
        return (
            f"{self.folder} goes on from {where}, {self.learner.updates - updates_in(self.folder)} "
            "updates ago, to come to the same weights as if it had not been stopped"
        )

    def save(self, folder: str | Path | None = None) -> Path:
        """Write a checkpoint, to `folder` or the run's own, and begin episodes anew."""
        state = self.learner.state()
        training = {k: v for k, v in state.items() if not k.startswith("networks.")}
        rows = self.buffer.state(rows=self.collector is not None)
        training |= {f"replay.{name}": column for name, column in rows.items()}
        counters = {
            "dice": self._dice.bit_generator.state,
            "owed": self._owed,
            "decisions": 0 if self.collector is None else self.collector.decisions,
        }
        manifest = msgspec.structs.replace(self.manifest(), training=json.dumps(counters))
        path = self._write(self._at() if folder is None else folder, manifest, state, training)
        self._forget()
        if self.collector is not None:
            self.collector.begin(self._seed())
        return path

    def export(self, folder: str | Path, validation: dict[str, Any] | None = None) -> Path:
        """Write the policy as it is now to `folder`, without what a run goes on from; `validation`
        is what it was kept for."""
        manifest = msgspec.structs.replace(self.manifest(), validation=validation)
        return self._write(folder, manifest, self.learner.state())

    def _write(
        self,
        folder: str | Path,
        manifest: Manifest,
        state: Tensors,
        training: Tensors | None = None,
    ) -> Path:
        """Write the networks of `state`, folded to serve too, with what a run goes on from."""
        weights = {k[9:]: v for k, v in state.items() if k.startswith("networks.")}
        folded = served(manifest.serving, weights)
        return write_checkpoint(folder, manifest, weights, folded, self.origin.normalizer, training)

    def resume(self, folder: str | Path | None = None) -> int:
        """Go on from a checkpoint, the run's last if none is given; returns its updates, 0 if there
        is none. Raises `CheckpointError` if it is of another learner, setting, data or mode."""
        if folder is None:
            if not (there := checkpoints(self.folder)):
                return 0
            folder = there[-1]
        found = read_checkpoint(folder, grid=self.origin.grid, schema=self._schema())
        check_goes_on(found, self.manifest())
        training = found.training()
        try:
            self._become(found, training)
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            if isinstance(error, InputError):
                raise
            raise CheckpointError(
                f"{folder}: its parts do not fit together ({' '.join(str(error).split())}); "
                f"{CHECKPOINT.remedy}"
            ) from None
        keep_lines(self.folder / "log.jsonl", self.learner.updates)
        if self.collector is not None:
            self.collector.begin(self._seed())
        return self.learner.updates

    def _become(self, found: Checkpoint, training: Tensors) -> None:
        weights: Tensors = {f"networks.{name}": tensor for name, tensor in found.weights.items()}
        counters = json.loads(found.manifest.training or "{}")
        self.learner.restore(weights | training, found.manifest.updates)
        self.buffer.restore(
            {name[7:]: column for name, column in training.items() if name.startswith("replay.")}
        )
        self._dice.bit_generator.state = counters["dice"]
        self._owed = counters["owed"]
        if self.collector is not None:
            self.collector.decisions = counters["decisions"]

    def manifest(self) -> Manifest:
        """What a checkpoint would say of the run now."""
        grid = self.origin.grid
        return Manifest(
            learner=self.learner.name, settings=msgspec.to_builtins(self.learner.settings),
            run=msgspec.to_builtins(self.run), updates=self.learner.updates,
            n_features=self.learner.n_features, n_actions=self.learner.n_actions,
            schema=self._schema(), grid=None if grid is None else msgspec.to_builtins(grid),
            data=self._data, commit=commit_of_code(), mode=mode_in_words(self.run),
            metrics=self.metrics, serving=self.learner.serving(),
            limits=self.origin.limits, destination=self.origin.destination,
        )  # fmt: skip

    def _update(self) -> None:
        run, learner = self.run, self.learner
        if self.collector is not None:
            settings = run.collecting
            while self.buffer.added < settings.first or self._owed < 1.0:
                n = self.collector.collect(learner, self.buffer, self._dice)
                self._owed += n * settings.updates if self.buffer.added >= settings.first else 0.0
            self._owed -= 1.0
        start = run.replay.correction
        correction = start + (1.0 - start) * learner.updates / run.updates
        drawn = self.buffer.sample(run.replay.batch, self._dice, correction)
        step = learner.update(drawn.batch, run.max_value)
        if not step.fine(run.max_value):
            raise LearningError(self._astray(drawn, step))
        self.buffer.learnt(drawn.where, step.error)
        self._last = step

    def _astray(self, drawn: Drawn, step: Step) -> str:
        """Keep the batch on which the run went astray, and say what happened."""
        from safetensors import SafetensorError
        from safetensors.numpy import save_file

        at = self.learner.updates + 1
        path = self.folder / f"astray-{at}.safetensors"
        state = {k: v for k, v in self.learner.state().items() if k.startswith("networks.")}
        batch = {f"batch.{k}": np.ascontiguousarray(v) for k, v in drawn.batch._asdict().items()}
        try:
            with new_file(path) as draft:
                save_file(state | batch | {"where": drawn.where}, draft)
            kept = f"its batch and the weights before it are in {path}"
        except (OSError, SafetensorError) as error:
            kept = f"its batch could not be kept ({str(error).splitlines()[0]})"
        return (
            f"update {at}: loss is {step.loss:g}, gradient {step.gradient:g}, largest value "
            f"{step.largest:g} (limit {self.run.max_value:g}); {kept}; lower lr, or look at the "
            "rewards"
        )

    def _log(self) -> None:
        step = self._last
        self.metrics = {
            "loss": step.loss, "gradient": step.gradient, "largest": step.largest,
            "error": float(np.abs(step.error).mean()),
        } | {name: float(part.detach()) for name, part in step.parts.items()}  # fmt: skip
        if self.collector is not None:
            self.metrics["decisions"] = float(self.collector.decisions)
            if self.collector.returns:
                self.metrics["return"] = float(np.mean(self.collector.returns))
                self.collector.returns.clear()
        if self.run.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            made: Any = SummaryWriter
            with made(str(self.folder / "tensorboard")) as writer:
                for name, number in self.metrics.items():
                    writer.add_scalar(name, number, self.learner.updates)
        try:
            add_line(self.folder / "log.jsonl", {"updates": self.learner.updates, **self.metrics})
        except OSError as error:
            raise CheckpointError(
                f"{self.folder}: the log cannot be written ({error.strerror}); make room and go on "
                "from the last checkpoint"
            ) from None

    def _forget(self) -> None:
        """Remove all but the last checkpoints of the run."""
        for old in checkpoints(self.folder)[: -self.run.keep - 1]:
            discard(old)

    def _at(self) -> Path:
        return self.folder / f"step-{self.learner.updates:09d}"

    def _seed(self) -> int:
        """Of the episodes from here to the next checkpoint."""
        path = np.random.SeedSequence([self.run.seed, self.learner.updates])
        return int(path.generate_state(1)[0] >> 1)

    def _schema(self) -> str:
        return self.origin.schema or schema_hash()


def checkpoints(folder: str | Path) -> list[Path]:
    """Checkpoints of a run, the first one first."""
    found = Path(folder).glob("step-*")
    return sorted(path for path in found if (path / "manifest.json").is_file() and not path.suffix)


def updates_in(folder: str | Path) -> int:
    """Updates of the last checkpoint of a run; 0 if there is none."""
    there = checkpoints(folder)
    return int(there[-1].name.removeprefix("step-")) if there else 0


def mode_in_words(run: Run) -> dict[str, str]:
    """What the last bits of a run's weights depend on."""
    return {
        "mode": run.mode, "device": run.device, "threads": str(run.threads),
        "torch": str(torch.__version__), "numpy": np.__version__, "numba": version("numba"),
    }  # fmt: skip


@contextmanager
def mode_of(run: Run) -> Iterator[None]:
    """PyTorch as `run` wants it, and as it was afterwards."""
    _keep_memory()
    threads = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    memory: Any = torch.utils.deterministic
    fills = memory.fill_uninitialized_memory
    if run.mode == "deterministic":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(run.threads)
    torch.use_deterministic_algorithms(run.mode == "deterministic" or strict)
    # It would write all memory once more; nothing here reads what it did not write.
    memory.fill_uninitialized_memory = False
    try:
        if run.mode == "compiled":
            config: Any = torch._dynamo.config
            with config.patch(error_on_recompile=True):
                yield
        else:
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
        memory.fill_uninitialized_memory = fills


@cache
def _keep_memory() -> None:
    """Let the allocator keep what it is given back.

    An update takes and frees the same few MB. glibc hands them to the system each time, which
    clears them page by page when they are taken again: a tenth of an update on a CPU and more."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # another allocator
    mallopt(_TRIM_THRESHOLD, 1 << 30)
    mallopt(_MMAP_THRESHOLD, 1 << 25)  # the most that glibc takes


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """Ctrl-C asks; a second one does not wait. Only the main thread can be asked."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(*_: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
