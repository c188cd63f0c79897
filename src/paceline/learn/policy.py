"""A trained policy, to choose with: features and mask in, an action and its values out.

    policy = load_policy("out/run/step-100000", grid=grid)
    decide = Decider(grid, policy, policy=policy.name)
    actions, values = policy.many(features, masks)           # thousands at once

It takes raw features and normalises them itself. PyTorch is not needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from paceline.config import from_dict
from paceline.decision.actions import ActionGrid
from paceline.decision.normalizer import CLIP, Locked, normalize
from paceline.decision.schema import N_FEATURES, N_VALUES, ranges
from paceline.errors import CheckpointError, InputError
from paceline.learn.checkpoint import (
    CHECKPOINT,
    TRAINING_FILE,
    Checkpoint,
    Serving,
    Tensors,
    onnx_of,
    read_checkpoint,
)
from paceline.learn.folding import Folded, fold
from paceline.learn.limits import PolicyLimits
from paceline.learn.settings import Risk

_MOST = 1e30
"""Largest weight, and largest number that a layer may give: no training comes near it, and float32
holds the sums of such numbers. Actions are told apart by numbers, and infinity is none."""
_FAR = 1e6
"""Largest number that networks are given in a world whose ranges are not known."""


class Policy:
    """Chooses the legal action of the highest value; `decision.decide.Choose` for one order."""

    def __init__(
        self,
        serving: Serving,
        networks: Mapping[str, Folded],
        locked: Locked | None = None,
        *,
        name: str = "",
        session: Any = None,
        limits: PolicyLimits | None = None,
    ) -> None:
        """`name` is the hash that decisions note; with a `session` of ONNX Runtime the numbers come
        from there. `limits` are those it learnt under, None where they are not known."""
        self.serving, self.networks, self.name = serving, dict(networks), name
        self.limits = limits
        self._locked, self._session = locked, session
        first = next(iter(self.networks.values()))
        self.n_features = first.weights[0].shape[1]
        self._row = np.zeros((1, self.n_features), np.float32)
        self._least = np.log(serving.threshold) if serving.threshold > 0 else -np.inf

    def __call__(
        self, features: NDArray[np.float32], legal: NDArray[np.bool_]
    ) -> tuple[int, NDArray[np.float32]]:
        """An action for `features` `[n_features]` among the `legal` `[n_actions]`, and all values.

        Raises `InputError` for features that are no numbers, and where nothing is legal."""
        if not np.isfinite(features).all():
            raise InputError("features: hold NaN or infinity; give what `features` writes")
        if not legal.any():
            raise InputError("legal: no action is; hold always is one")
        row = self._row
        row[0] = features
        if self._locked is not None:
            normalize(self._locked, row, row)
        if self._session is not None:
            found = dict(
                zip(self.networks, self._session.run(None, {"features": row}), strict=True)
            )
            numbers = {name: out[0] for name, out in found.items()}
        else:
            numbers = {name: folded.one(row[0]) for name, folded in self.networks.items()}
        values = numbers["values"]
        if "behavior" in numbers:
            likely = np.where(legal, numbers["behavior"], -np.inf)
            legal = legal & (likely - likely.max() >= self._least)
        return int(np.where(legal, values, -np.inf).argmax()), values

    def many(
        self, features: NDArray[np.float32], legal: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Actions `[n]` for `features` `[n, n_features]` among `legal` `[n, n_actions]`, and all
        values `[n, n_actions]`."""
        rows = np.array(features, np.float32)
        if self._locked is not None:
            normalize(self._locked, rows, rows)
        values = self.networks["values"].many(rows)
        if "behavior" in self.networks:
            likely = np.where(legal, self.networks["behavior"].many(rows), -np.inf)
            legal = legal & (likely - likely.max(axis=1, keepdims=True) >= self._least)
        return np.where(legal, values, -np.inf).argmax(axis=1), values


def served(serving: Serving, weights: Tensors) -> dict[str, Folded]:
    """The networks that a policy chooses by, folded."""
    networks = {"values": fold(weights, serving.network, serving.heads)}
    if serving.behavior is not None:
        networks["behavior"] = fold(weights, serving.behavior, (1.0,))
    return {name: one._replace(activation=serving.activation) for name, one in networks.items()}


def load_policy(
    folder: str | Path,
    *,
    grid: ActionGrid | None = None,
    schema: str | None = None,
    risk: Risk | None = None,
    runtime: Literal["numpy", "onnx"] = "numpy",
) -> Policy:
    """The policy of a checkpoint, for `grid` (None: any) and a schema of features (None:
    paceline's own). `risk` lets a quantile policy choose by another risk than it was trained for.

    Raises `CheckpointError` for a checkpoint that does not fit."""
    found = read_checkpoint(folder, grid=grid, schema=schema)
    serving = found.manifest.serving
    if serving.numbers == "means":
        raise CheckpointError(f"{folder}: its actions are numbers; use load_continuous")
    if schema is None and found.manifest.grid is None:
        raise CheckpointError(
            f"{folder}: says no grid, so that its actions mean nothing; {CHECKPOINT.remedy}"
        )
    if risk is not None:
        if runtime == "onnx" or len(serving.heads) == 1:
            raise CheckpointError(
                f"{folder}: its risk cannot be chosen; give a quantile policy, and NumPy"
            )
        heads = tuple(risk.head_weights(len(serving.heads)).tolist())
        serving = msgspec.structs.replace(serving, heads=heads)
    try:
        # Folding takes means away, and might hide what is too large.
        for name, tensor in found.weights.items():
            if np.abs(tensor).max(initial=0) > _MOST:
                raise ValueError(f"{name} holds weights that are too large")
        with np.errstate(over="ignore", invalid="ignore"):  # heads may be anything, see below
            networks = served(serving, found.weights)
        _check_shapes(networks, found.manifest.n_features, found.manifest.n_actions)
        _check_finite(networks, _largest(found, schema))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise CheckpointError(
            f"{folder}: its networks do not fit together ({error}); {CHECKPOINT.remedy}"
        ) from None
    session = _session(folder, networks) if runtime == "onnx" else None
    locked = None if found.normalizer is None else found.normalizer.locked()
    return Policy(
        serving, networks, locked, name=policy_name(found, serving), session=session,
        limits=found.manifest.limits,
    )  # fmt: skip


def policy_name(found: Checkpoint, serving: Serving) -> str:
    """Hash of all that a choice depends on: weights, normaliser, actions, risk."""
    kept = {name: sha for name, sha in found.manifest.files.items() if name != TRAINING_FILE}
    text = msgspec.json.encode([kept, found.manifest.grid, serving])
    return hashlib.sha256(text).hexdigest()


def _check_shapes(networks: Mapping[str, Folded], n_features: int, n_actions: int) -> None:
    """Raises `ValueError` unless each layer takes what the one before gives."""
    for name, one in networks.items():
        width = n_features
        for weight, bias in zip(one.weights, one.biases, strict=True):
            if weight.ndim != 2 or weight.shape[1] != width or bias.shape != weight.shape[:1]:
                raise ValueError(f"{name} has a layer {weight.shape} for {width} numbers")
            width = len(weight)
        if width != n_actions:
            raise ValueError(f"{name} gives {width} numbers for {n_actions} actions")


def _largest(found: Checkpoint, schema: str | None) -> NDArray[np.float64]:
    """`[n_features]` the largest that each number may be which the networks are given."""
    n = found.manifest.n_features
    if schema is not None:  # of a world of somebody else's, whose ranges are not known
        return np.full(n, _FAR)
    if n != N_FEATURES:
        raise ValueError(f"they take {n} numbers, and there are {N_FEATURES} features")
    largest = np.ones(n)  # flags are 0 or 1
    largest[:N_VALUES] = np.abs(ranges()).max(axis=1) if found.normalizer is None else CLIP
    return largest


def _check_finite(networks: Mapping[str, Folded], largest: NDArray[np.float64]) -> None:
    """Raises `ValueError` where a layer might give numbers beyond `_MOST`, whatever the features
    are."""
    for name, one in networks.items():
        bound = largest
        for k, (weight, bias) in enumerate(zip(one.weights, one.biases, strict=True)):
            with np.errstate(over="ignore", invalid="ignore"):
                bound = np.abs(weight).astype(np.float64) @ bound + np.abs(bias)
            if not (bound <= _MOST).all():
                raise ValueError(f"{name} may overflow in layer {k}: its weights are too large")
            if one.activation == "tanh":
                bound = np.ones(len(bound))


def _session(folder: str | Path, networks: Mapping[str, Folded]) -> Any:
    """The ONNX model of a checkpoint, which must be its networks."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised, and need not be printed too
    width = next(iter(networks.values())).weights[0].shape[1]
    row = np.linspace(-1.0, 1.0, width, dtype=np.float32)
    try:
        session = onnxruntime.InferenceSession(
            onnx_of(folder), options, providers=["CPUExecutionProvider"]
        )
        given = session.run(None, {"features": row[None]})
        truths = [one.one(row) for one in networks.values()]
        fit = [np.shape(out) for out in given] == [(1, len(truth)) for truth in truths] and all(
            np.allclose(out[0], truth, rtol=1e-3, atol=1e-3 * (1.0 + np.abs(truth).max()))
            for out, truth in zip(given, truths, strict=True)
        )
        trouble = "" if fit else "does not give what the weights give"
    except InputError:
        raise
    except Exception as error:  # the runtime's own, which have no class in common
        trouble = f"cannot be run ({' '.join(str(error).split())[:120]})"
    if trouble:
        raise CheckpointError(f"{folder}: its ONNX model {trouble}; {CHECKPOINT.remedy}")
    return session


def grid_of(found: Checkpoint) -> ActionGrid | None:
    """The actions that a checkpoint was trained on; None for those of no grid."""
    kept = found.manifest.grid
    return None if kept is None else from_dict(kept, ActionGrid)
