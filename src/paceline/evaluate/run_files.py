"""What a run of `paceline train` left in its folder, read for its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.config import from_dict, read_yaml
from paceline.decision.store import FeatureSet
from paceline.errors import InputError
from paceline.files.writing import recover
from paceline.learn.checkpoint import Manifest, read_manifest
from paceline.learn.lines import read_lines
from paceline.learn.recipe import STAGES, Recipe
from paceline.learn.validation import read_teachers


class RunFiles(NamedTuple):
    """A run, as far as it is."""

    folder: Path
    recipe: Recipe
    told: dict[str, Any]
    """The recipe as it was written down, nested."""
    best: dict[str, Any]
    """The validation that the policy was kept at."""
    teachers: dict[str, dict[str, float]]
    """Empty where it learnt from a desk's log alone."""
    validations: list[dict[str, Any]]
    logs: dict[str, list[dict[str, float]]]
    """Lines of each stage that there was, in order."""
    manifest: Manifest
    decisions: int
    """Logged to learn from, by its own teachers."""

    @property
    def name(self) -> str:
        """What the run is called among others."""
        return f"seed {self.recipe.seed}"

    def begins(self, stage: str) -> int:
        """Updates of all stages before `stage`."""
        before = STAGES[: STAGES.index(stage)]
        return sum(int(self.logs[one][-1]["updates"]) for one in before if one in self.logs)

    def validated(self, what: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Updates of all stages, and what validation said then: `[n]` each."""
        at = [self.begins(one["stage"]) + one["updates"] for one in self.validations]
        return np.array(at), np.array([one[what] for one in self.validations])

    def logged(self, stage: str, what: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Updates of a stage and what its log says, `[n]` each, where it says it."""
        lines = [line for line in self.logs.get(stage, []) if what in line]
        return np.array([line["updates"] for line in lines]), np.array([one[what] for one in lines])


def read_run(folder: str | Path) -> RunFiles:
    """The run in `folder`. Raises `InputError` if there is none, or nothing came of it yet."""
    folder = Path(folder)
    path = folder / "recipe.yaml"
    recover(folder / "policy")
    if not path.is_file() or not (folder / "policy").is_dir():
        raise InputError(f"{folder}: holds no run with a policy; give the folder of one")
    told: Any = read_yaml(path)
    manifest = read_manifest(folder / "policy")
    validations = _lines(folder / "validation.jsonl", lambda one: (one["stage"], one["updates"]))
    logs = {
        stage: _lines(folder / stage / "log.jsonl", lambda one: one["updates"]) for stage in STAGES
    }
    return RunFiles(
        folder=folder,
        recipe=from_dict(told, Recipe),
        told=told,
        # A run that was killed may have kept a policy whose validation comes again.
        best=manifest.validation or max(validations, key=lambda one: float(one["score"])),
        teachers=read_teachers(folder / "teachers.json"),
        validations=validations,
        logs={stage: lines for stage, lines in logs.items() if lines},
        manifest=manifest,
        decisions=FeatureSet.open(folder / "log").manifest.rows,
    )


def teachers_over(runs: Sequence[RunFiles]) -> dict[str, dict[str, float]]:
    """How teachers did, in the mean over runs: each validates on orders of its own."""
    return {
        name: {
            what: float(np.mean([run.teachers[name][what] for run in runs]))
            for what in told
            if all(what in run.teachers[name] for run in runs)
        }
        for name, told in runs[0].teachers.items()
    }


def _lines(path: Path, key: Callable[[dict[str, Any]], Any]) -> list[dict[str, Any]]:
    """Lines of a file, the last of each key: a run that went on wrote some again."""
    return list({key(one): one for one in read_lines(path)}.values())
