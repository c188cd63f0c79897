"""The head of a network, in one pass over its weights.

A head `weight` `[k, a, w]` has k quantiles of a actions behind a trunk of width w. An update needs
three things of it, of which none is the whole:

    out[i, k]       = bias[k, action[i]] + sum over w of weight[k, action[i], w] * seen[i, w]
    folded[h, a, w] = sum over k of heads[h, k] * weight[k, a, w]
    level[k, w]     = mean over a of weight[k, a, w]

which are the chosen actions, means over quantiles, and what dueling subtracts.

On a CPU its 3 MB (97 actions, 32 quantiles, width 256) have to come from memory, so that what
counts is how often: here once, and once more for their slopes. On a GPU PyTorch's own way is quick.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paceline.jit import kernel, summing

Floats = NDArray[np.floating[Any]]


def read_head(
    weight: Tensor, bias: Tensor, heads: Tensor, seen: Tensor, action: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """`out` `[n, k]`, `folded` `[h, a, w]` and `level` `[k, w]` as above, of `weight` `[k, a, w]`,
    `bias` `[k, a]`, `heads` `[h, k]`, `seen` `[n, w]` and `action` `[n]`."""
    if not weight.is_cuda:
        found: tuple[Tensor, Tensor, Tensor] = _read(weight, bias, heads, seen, action)
        return found
    out = ((weight.index_select(1, action) * seen).sum(-1) + bias.index_select(1, action)).T
    folded = (heads @ weight.flatten(1)).view(-1, *weight.shape[1:])
    return out, folded, weight.mean(1)


@summing
def forward(
    weight: Floats,
    bias: Floats,
    heads: Floats,
    seen: Floats,
    action: NDArray[np.int64],
    order: NDArray[np.int64],
    out: Floats,
    folded: Floats,
    level: Floats,
) -> None:
    """Write `out`; add to `folded` and `level`, the latter a sum. Rows are read in the `order` of
    their actions, so that what an action weighs is in the cache for all of them."""
    for k in range(len(weight)):
        of_level = level[k]
        for a in range(weight.shape[1]):
            other = weight[k, a]
            for w in range(len(other)):
                of_level[w] += other[w]
            for h in range(len(heads)):
                share, into = heads[h, k], folded[h, a]
                for w in range(len(other)):
                    into[w] += share * other[w]
        for i in order:
            row, other = seen[i], weight[k, action[i]]
            total = other[0] * row[0]
            for w in range(1, len(row)):
                total += other[w] * row[w]
            out[i, k] = bias[k, action[i]] + total


@kernel
def backward(
    of_out: Floats,
    of_folded: Floats,
    of_level: Floats,
    weight: Floats,
    heads: Floats,
    seen: Floats,
    action: NDArray[np.int64],
    order: NDArray[np.int64],
    of_weight: Floats,
    of_bias: Floats,
    of_seen: Floats,
) -> None:
    """Write the slopes of `weight`, and add those of `bias` and `seen`, given the slopes of what
    came out; `of_level` are those of the sum."""
    for k in range(len(weight)):
        for a in range(weight.shape[1]):
            into, of_every = of_weight[k, a], of_level[k]
            for w in range(len(into)):
                into[w] = of_every[w]
            for h in range(len(heads)):
                share, other = heads[h, k], of_folded[h, a]
                for w in range(len(into)):
                    into[w] += share * other[w]
        for i in order:
            by, row, of_row = of_out[i, k], seen[i], of_seen[i]
            other, into = weight[k, action[i]], of_weight[k, action[i]]
            of_bias[k, action[i]] += by
            for w in range(len(row)):
                into[w] += by * row[w]
            for w in range(len(row)):
                of_row[w] += by * other[w]


@torch.library.custom_op("paceline::read_head", mutates_args=(), device_types="cpu")
def _read(
    weight: Tensor, bias: Tensor, heads: Tensor, seen: Tensor, action: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    (k, a, w), h = weight.shape, len(heads)
    out, folded, level = seen.new_empty(len(seen), k), seen.new_zeros(h, a, w), seen.new_zeros(k, w)
    read, at, shares, rows, actions = _arrays(weight, bias, heads, seen, action)
    order = np.argsort(actions, kind="stable")
    forward(read, at, shares, rows, actions, order, out.numpy(), folded.numpy(), level.numpy())
    return out, folded, level.div_(a)


@torch.library.custom_op("paceline::read_head_slopes", mutates_args=(), device_types="cpu")
def _slopes(
    of_out: Tensor, of_folded: Tensor, of_level: Tensor, weight: Tensor, heads: Tensor,
    seen: Tensor, action: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    of_weight, of_seen = torch.empty_like(weight), torch.zeros_like(seen)
    of_bias = weight.new_zeros(weight.shape[:2])
    of_level = of_level / weight.shape[1]
    out, folded, level = _arrays(of_out, of_folded, of_level)
    read, shares, rows, actions = _arrays(weight, heads, seen, action)
    order = np.argsort(actions, kind="stable")
    backward(
        out, folded, level, read, shares, rows, actions, order, of_weight.numpy(), of_bias.numpy(),
        of_seen.numpy(),
    )  # fmt: skip
    return of_weight, of_bias, of_seen


def _arrays(*tensors: Tensor) -> list[NDArray[Any]]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


@_read.register_fake
def _(
    weight: Tensor, bias: Tensor, heads: Tensor, seen: Tensor, action: Tensor
) -> tuple[Tensor, ...]:
    k, a, w = weight.shape
    return (
        seen.new_empty(seen.shape[0], k), seen.new_empty(heads.shape[0], a, w),
        seen.new_empty(k, w),
    )  # fmt: skip


@_slopes.register_fake
def _(
    of_out: Tensor, of_folded: Tensor, of_level: Tensor, weight: Tensor, heads: Tensor,
    seen: Tensor, action: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    return torch.empty_like(weight), weight.new_empty(weight.shape[:2]), torch.empty_like(seen)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    weight, _, heads, seen, action = inputs
    ctx.save_for_backward(weight, heads, seen, action)


def _slope(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
    of_weight, of_bias, of_seen = _slopes(*slopes, *ctx.saved_tensors)
    return of_weight, of_bias, None, of_seen, None


_read.register_autograd(_slope, setup_context=_keep)
