"""Folding: a trained network as few plain layers, for NumPy and for ONNX.

    folded = fold(tensors, "online", heads)        # heads [k]: how quantiles weigh
    folded(features)                               # [n, n_actions]

A weighted mean over quantiles of a linear head is a linear head, and so is dueling's difference. So
whatever a policy chooses by (mean, CVaR, a mix) is one layer of n_actions numbers behind the trunk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paceline.errors import CheckpointError

Activation = Literal["relu", "tanh"]


class Folded(NamedTuple):
    """Linear layers with an activation between them."""

    weights: tuple[NDArray[np.float32], ...]  # [out, in] each
    biases: tuple[NDArray[np.float32], ...]  # [out] each
    activation: Activation = "relu"

    def one(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[out]` of one row `[in]`."""
        out = features
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            out = weight @ out
            out += bias
            if self.activation == "relu":
                np.maximum(out, 0.0, out=out)
            else:
                np.tanh(out, out=out)
        last: NDArray[np.float32] = self.weights[-1] @ out
        last += self.biases[-1]
        return last

    def many(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[n, out]` of `features` `[n, in]`."""
        out = features
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            out = out @ weight.T + bias
            out = np.maximum(out, 0.0) if self.activation == "relu" else np.tanh(out)
        return np.asarray(out @ self.weights[-1].T + self.biases[-1])


def fold(
    tensors: Mapping[str, NDArray[np.float32]], network: str, heads: Sequence[float]
) -> Folded:
    """The network of that name in a checkpoint's `tensors`, its quantiles weighed by `heads` `[k]`.

    Raises `CheckpointError` if it is not there, or has another number of quantiles.
    """
    own = {
        name[len(network) + 1 :]: np.asarray(tensor)
        for name, tensor in tensors.items()
        if name.startswith(f"{network}.")
    }
    if "advantage.weight" not in own:
        raise CheckpointError(f"networks.{network}: is not in the checkpoint; train it again")
    weight, bias = own["advantage.weight"], own["advantage.bias"]  # [k, a, w], [k, a]
    if len(weight) != len(heads):
        raise CheckpointError(
            f"networks.{network}: has {len(weight)} quantiles, and {len(heads)} are weighed; "
            "train it again"
        )
    share = np.asarray(heads, np.float64)
    # In double precision, as sums over many heads come out of it.
    last = np.einsum("k,kaw->aw", share, weight.astype(np.float64))
    level = share @ bias.astype(np.float64)
    if "value.weight" in own:
        last += share @ own["value.weight"][:, 0] - last.mean(0)
        level += share @ own["value.bias"][:, 0] - level.mean()
    trunk = sorted({int(name.split(".")[1]) for name in own if name.startswith("trunk.")})
    return Folded(
        (*(own[f"trunk.{i}.weight"] for i in trunk), last.astype(np.float32)),
        (*(own[f"trunk.{i}.bias"] for i in trunk), level.astype(np.float32)),
    )


def to_onnx(networks: Mapping[str, Folded]) -> bytes:
    """An ONNX model: `features` `[n, in]` to one output `[n, out]` for each of `networks`, by name.

    Written out node by node: it is a few matrix products, and no exporter's version shows in it.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    tensors: list[Any] = []
    outputs: list[Any] = []
    width = 0
    for name, folded in networks.items():
        at = "features"
        width = folded.weights[0].shape[1]
        last = len(folded.weights) - 1
        for i, (weight, bias) in enumerate(zip(folded.weights, folded.biases, strict=True)):
            keys = [f"{name}.{i}.weight", f"{name}.{i}.bias"]
            for key, array in zip(keys, (weight, bias), strict=True):
                tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), key))
            to = name if i == last else f"{name}.{i}"
            nodes.append(helper.make_node("Gemm", [at, *keys], [to], transB=1))
            at = to
            if i < last:
                kind = "Relu" if folded.activation == "relu" else "Tanh"
                nodes.append(helper.make_node(kind, [at], [f"{at}.out"]))
                at = f"{at}.out"
        shape = ["n", folded.weights[-1].shape[0]]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    seen = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", width])
    graph = helper.make_graph(nodes, "policy", [seen], outputs, tensors)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="paceline"
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
