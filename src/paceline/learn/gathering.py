"""Rows of a weight, each times its own vector: the head of the chosen actions, on a CPU.

    of_rows(weight, seen, action)[i, k] = sum over w of weight[k, action[i], w] * seen[i, w]

PyTorch can write this as gather, multiply, sum; it then moves `[n, k, w]` numbers through memory
several times (8 MB for 256 rows of 32 quantiles), and adds up the slopes of rows one number at a
time. Here nothing of that shape is made. On a GPU PyTorch's own way is the quick one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paceline.jit import kernel, summing


@summing
def forward(
    weight: NDArray[np.floating[Any]],
    seen: NDArray[np.floating[Any]],
    action: NDArray[np.int64],
    order: NDArray[np.int64],
    out: NDArray[np.floating[Any]],
) -> None:
    """Write `out` `[n, k]` of `weight` `[k, a, w]`, `seen` `[n, w]`, `action` `[n]`, in the `order`
    of actions: what an action weighs is then in the cache for all its rows."""
    for i in order:
        row = seen[i]
        for k in range(len(weight)):
            other = weight[k, action[i]]
            total = other[0] * row[0]
            for w in range(1, len(row)):
                total += other[w] * row[w]
            out[i, k] = total


@kernel
def backward(
    slope: NDArray[np.floating[Any]],
    weight: NDArray[np.floating[Any]],
    seen: NDArray[np.floating[Any]],
    action: NDArray[np.int64],
    order: NDArray[np.int64],
    of_weight: NDArray[np.floating[Any]],
    of_seen: NDArray[np.floating[Any]],
) -> None:
    """Add the slopes of `weight` and `seen` to what is in `of_weight` and `of_seen`, given those
    of what came out, `slope` `[n, k]`."""
    for i in order:
        row, of_row = seen[i], of_seen[i]
        for k in range(len(weight)):
            by, other, of_other = slope[i, k], weight[k, action[i]], of_weight[k, action[i]]
            for w in range(len(row)):
                of_other[w] += by * row[w]
            for w in range(len(row)):
                of_row[w] += by * other[w]


@torch.library.custom_op("paceline::of_rows", mutates_args=(), device_types="cpu")
def of_rows(weight: Tensor, seen: Tensor, action: Tensor) -> Tensor:
    """`[n, k]`; see above. `weight` `[k, a, w]`, `seen` `[n, w]`, `action` `[n]` int64."""
    out = seen.new_empty(len(action), len(weight))
    *given, actions = _arrays(weight, seen, action)
    forward(*given, actions, np.argsort(actions, kind="stable"), out.numpy())
    return out


@torch.library.custom_op("paceline::of_rows_backward", mutates_args=(), device_types="cpu")
def of_rows_backward(
    slope: Tensor, weight: Tensor, seen: Tensor, action: Tensor
) -> tuple[Tensor, Tensor]:
    """Slopes of `weight` and `seen`, given those of what came out."""
    of_weight, of_seen = torch.zeros_like(weight), torch.zeros_like(seen)
    *given, actions = _arrays(slope, weight, seen, action)
    order = np.argsort(actions, kind="stable")
    backward(*given, actions, order, of_weight.numpy(), of_seen.numpy())
    return of_weight, of_seen


def _arrays(*tensors: Tensor) -> list[NDArray[Any]]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


@of_rows.register_fake
def _(weight: Tensor, seen: Tensor, action: Tensor) -> Tensor:
    return seen.new_empty(action.shape[0], weight.shape[0])


@of_rows_backward.register_fake
def _(slope: Tensor, weight: Tensor, seen: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(weight), torch.empty_like(seen)


def _keep(
    ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor, ...], output: Tensor
) -> None:
    ctx.save_for_backward(*inputs)


def _slopes(ctx: torch.autograd.function.FunctionCtx, slope: Tensor) -> tuple[Tensor, Tensor, None]:
    kept: tuple[Tensor, Tensor, Tensor] = ctx.saved_tensors  # type: ignore[attr-defined]
    return (*of_rows_backward(slope, *kept), None)


of_rows.register_autograd(_slopes, setup_context=_keep)
