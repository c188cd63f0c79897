"""Checkpoints: a folder of weights, an ONNX model and a manifest that says what they are for.

    weights.safetensors     all networks of the learner
    policy.onnx             features to the numbers that actions are chosen by
    normalizer.json         how features are normalised, if they are
    training.safetensors    the optimiser's memory and the replay, to go on from; may be left out
    manifest.json           the rest, sealed (`paceline.files`)

No file holds code: nothing is pickled. A folder appears under its name once it is whole. A reader
says what it is to be for, and a mismatch is refused by its name.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.config import from_dict
from paceline.decision.actions import ActionGrid
from paceline.decision.normalizer import Normalizer
from paceline.decision.schema import schema_hash
from paceline.errors import CheckpointError, InputError
from paceline.files.members import SealedFolder, members_of, read_folder
from paceline.files.sealing import MANIFEST, Kind, seal
from paceline.files.writing import new_folder
from paceline.learn.folding import Activation, Folded, to_onnx
from paceline.learn.limits import PolicyLimits

CHECKPOINT = Kind("checkpoint", 2, "copy it again, or train again", CheckpointError)

_WEIGHTS, _ONNX = "weights.safetensors", "policy.onnx"
_NORMALIZER, TRAINING_FILE = "normalizer.json", "training.safetensors"

Tensors = dict[str, NDArray[Any]]


class Serving(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a policy chooses by its networks."""

    network: str
    """Which one gives a number for each action; the highest legal one is chosen."""
    heads: tuple[float, ...] = (1.0,)
    """How its quantiles weigh."""
    numbers: Literal["returns", "logits", "means"] = "returns"
    """What those numbers are; means are of actions that are no choices but numbers themselves."""
    behavior: str | None = None
    """The network that says how likely actions were in the log; None: all legal ones may be."""
    threshold: float = 0.0
    """Least probability of what may be chosen, by the likeliest's."""
    activation: Activation = "relu"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a checkpoint is, what it was made from, and what it may be used for."""

    learner: str
    settings: dict[str, Any]
    run: dict[str, Any]
    updates: int
    n_features: int
    n_actions: int
    schema: str
    """Hash of the features' schema."""
    grid: dict[str, Any] | None
    """The actions; None for those of no grid."""
    data: dict[str, str]
    """Name of a data set -> its hash."""
    commit: str | None
    """Of the code; None where it is not in a repository."""
    mode: dict[str, str]
    """What the last bits depend on."""
    metrics: dict[str, float]
    serving: Serving
    limits: PolicyLimits | None = None
    """Under which it learnt; None: not known."""
    validation: dict[str, Any] | None = None
    """What the validation said that it was kept for; None: it was kept for none."""
    destination: str | None = None
    """Address where it is to go, as the recipe says; nothing was sent there by paceline."""
    training: str | None = None
    """JSON of counters and generators, to go on from."""
    normalized: bool = False
    """Whether its networks take features that `normalizer.json` has normalised."""
    files: dict[str, str] = {}
    """Name of a file -> its SHA-256, as the seal has them; not written here as well."""


class Origin(NamedTuple):
    """What a learner's rows were made with and from."""

    grid: ActionGrid | None = None
    normalizer: Normalizer | None = None
    data: Mapping[str, str] = {}
    """Name of a data set -> its hash."""
    schema: str | None = None
    """Hash of the features' schema; None: paceline's own."""
    limits: PolicyLimits | None = None
    """Of the orders that they were made on."""
    destination: str | None = None
    """Where the policy is to go, for the manifest."""


class Checkpoint(NamedTuple):
    """A checkpoint, read and checked."""

    folder: Path
    manifest: Manifest
    weights: Tensors
    normalizer: Normalizer | None

    def training(self) -> Tensors:
        """What to go on from. Raises `CheckpointError` if it was left out."""
        if TRAINING_FILE not in self.manifest.files or self.manifest.training is None:
            raise CheckpointError(
                f"{self.folder}: holds a policy and nothing to go on from; give one of a run"
            )
        return read_folder(self.folder, CHECKPOINT, lambda here: _load(here, TRAINING_FILE))


def write_checkpoint(
    folder: str | Path,
    manifest: Manifest,
    weights: Tensors,
    served: Mapping[str, Folded],
    normalizer: Normalizer | None = None,
    training: Tensors | None = None,
) -> Path:
    """Write a checkpoint to `folder`, whole or not at all; one that was there before is replaced.

    Raises `CheckpointError` if that fails (a full disk); what was there before is still there."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    folder = Path(folder)
    content = msgspec.structs.replace(manifest, files={}, normalized=normalizer is not None)
    try:
        with new_folder(folder) as draft:
            save_file(_plain(weights), draft / _WEIGHTS)
            (draft / _ONNX).write_bytes(to_onnx(served))
            if normalizer is not None:
                normalizer.save(draft / _NORMALIZER)
            if training is not None:
                save_file(_plain(training), draft / TRAINING_FILE)
            (draft / MANIFEST).write_bytes(seal(CHECKPOINT, content, members_of(draft)))
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise CheckpointError(
            f"{folder}: cannot be written ({reason}); earlier checkpoints are whole, make room and "
            "go on from the last"
        ) from None
    return folder


def read_checkpoint(
    folder: str | Path, *, grid: ActionGrid | None = None, schema: str | None = None
) -> Checkpoint:
    """Read what `write_checkpoint` wrote, to be used with `grid` (None: any) and a schema (None:
    paceline's own).

    Raises `CheckpointError` if there is none, a file is damaged, or it was made for others."""
    folder = Path(folder)
    return read_folder(folder, CHECKPOINT, lambda here: _read(here, grid, schema or schema_hash()))


def _read(here: SealedFolder, grid: ActionGrid | None, schema: str) -> Checkpoint:
    manifest, folder = _manifest_of(here), here.path
    if manifest.schema != schema:
        raise CheckpointError(
            f"{folder}: schema is {manifest.schema[:12]}, and features are of {schema[:12]}; use "
            "the paceline that made it, or train again"
        )
    if grid is not None:
        _check_same(folder, "grid", manifest.grid or {}, msgspec.to_builtins(grid))
    if manifest.grid is not None:
        _check_grid(here, manifest)
    for name in here.members:
        here.check(name)
    normalizer = None
    if manifest.normalized:
        normalizer = Normalizer.read(here.content(_NORMALIZER), folder / _NORMALIZER)
    weights = _load(here, _WEIGHTS)
    for name, tensor in weights.items():
        if np.issubdtype(tensor.dtype, np.floating) and not np.isfinite(tensor).all():
            raise here.wrong(_WEIGHTS, f"{name} holds NaN or infinity")
    return Checkpoint(folder, manifest, weights, normalizer)


def _check_grid(here: SealedFolder, manifest: Manifest) -> None:
    """Raises `CheckpointError` where the actions are no grid, or not as many as networks give."""
    try:
        n = len(from_dict(manifest.grid, ActionGrid))
    except InputError as error:
        raise here.wrong(MANIFEST, f"its grid is none ({error})") from None
    if n != manifest.n_actions:
        raise here.wrong(MANIFEST, f"n_actions is {manifest.n_actions}, and its grid has {n}")


def read_manifest(folder: str | Path) -> Manifest:
    """The manifest of a checkpoint. Raises `CheckpointError` if there is none."""
    return read_folder(folder, CHECKPOINT, _manifest_of)


def onnx_of(folder: str | Path) -> bytes:
    """The ONNX model of a checkpoint, as it was written. Raises `CheckpointError`."""
    return read_folder(folder, CHECKPOINT, lambda here: here.content(_ONNX))


def _manifest_of(here: SealedFolder) -> Manifest:
    """The manifest, once it is sure that it names the files that a checkpoint has."""
    manifest = here.content_as(Manifest)
    normalizer = (_NORMALIZER,) if manifest.normalized else ()
    here.need(_WEIGHTS, _ONNX, *normalizer)
    here.only(_WEIGHTS, _ONNX, *normalizer, TRAINING_FILE)
    if manifest.n_features < 1 or manifest.n_actions < 1 or manifest.updates < 0:
        raise here.wrong(MANIFEST, "has no features, no actions or less than no updates")
    files = {name: member.sha256 for name, member in here.members.items()}
    return msgspec.structs.replace(manifest, files=files)


def check_goes_on(found: Checkpoint, run: Manifest) -> None:
    """Raises `CheckpointError` unless `run` can go on from `found`: the same learner, settings,
    data, actions and mode. The number of updates and of checkpoints may differ."""
    kept = found.manifest
    may_differ = {"updates", "checkpoint_every", "keep", "log_every", "tensorboard"}
    for name in ("learner", "n_features", "n_actions"):
        one, other = getattr(kept, name), getattr(run, name)
        _check_same(found.folder, "", {name: one}, {name: other})
    _check_same(found.folder, "settings", kept.settings, run.settings)
    known, wanted = (
        {key: value for key, value in one.run.items() if key not in may_differ}
        for one in (kept, run)
    )
    _check_same(found.folder, "run", known, wanted)
    _check_same(found.folder, "grid", kept.grid or {}, run.grid or {})
    _check_same(found.folder, "data", kept.data, run.data)
    if kept.limits is not None:  # older ones do not say
        limits = {} if run.limits is None else msgspec.to_builtins(run.limits)
        _check_same(found.folder, "limits", msgspec.to_builtins(kept.limits), limits)
    _check_same(found.folder, "mode", kept.mode, run.mode)


def _check_same(folder: Path, at: str, kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    # As JSON has them: tuples are lists.
    kept, wanted = (json.loads(msgspec.json.encode(one)) for one in (kept, wanted))
    for name in sorted({*kept, *wanted}):
        one, other = kept.get(name), wanted.get(name)
        where = f"{at}.{name}" if at else name
        if isinstance(one, dict) and isinstance(other, dict):
            _check_same(folder, where, one, other)
        elif one != other:
            raise CheckpointError(
                f"{folder}: {where} is {one} in the checkpoint and {other} here; give what it was "
                "made with"
            )


@cache
def commit_of_code() -> str | None:
    """The commit that this code is of, `+` behind it if files differ; None outside a repository."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", __file__)  # not a repository that it is installed in
        changed = git("status", "--porcelain", "--", str(here.parent))
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _plain(tensors: Tensors) -> Tensors:
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


def _load(here: SealedFolder, name: str) -> Tensors:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(bytes(here.mapped(name))))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise here.wrong(name, f"cannot be read ({error})") from None
