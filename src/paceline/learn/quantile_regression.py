"""The quantile Huber loss in one pass, on a CPU.

`losses.quantile_huber` is what it is, and reads like the paper. It holds `[n, k, m]` numbers (a MB
and more) several times over, forth and back; here loss and slope of a pair are added up at once,
and nothing of that shape is made. On a GPU PyTorch's own way is quick.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paceline.jit import summing
from paceline.learn.losses import quantile_huber

Floats = NDArray[np.floating[Any]]


def quantile_regression(quantiles: Tensor, targets: Tensor, turn: float = 1.0) -> Tensor:
    """`[n]` losses of `quantiles` `[n, k]` against samples `targets` `[n, m]`, which are constants:
    `losses.quantile_huber`."""
    if quantiles.is_cuda:
        return quantile_huber(quantiles, targets, turn)
    loss: Tensor = _regress(quantiles, targets, turn)[0]
    return loss


@summing
def regress(quantiles: Floats, targets: Floats, turn: float, loss: Floats, slope: Floats) -> None:
    """Add the `loss` `[n]` and its `slope` `[n, k]`."""
    n, k = quantiles.shape
    m = targets.shape[1]
    # Of the type of the numbers: a double among them makes all of them doubles.
    zero, half, one = (
        quantiles.dtype.type(0.0), quantiles.dtype.type(0.5), quantiles.dtype.type(1.0)
    )  # fmt: skip
    edge = quantiles.dtype.type(turn)
    share = quantiles.dtype.type(1.0 / (m * turn))
    for i in range(n):
        target = targets[i]
        for j in range(k):
            at, level = quantiles[i, j], quantiles.dtype.type((j + 0.5) / k)
            total, pulls = zero, zero
            for t in range(m):
                error = target[t] - at
                size = abs(error)
                square = min(size, edge)
                pull = (one - level) if error < 0 else level
                total += pull * square * (size - half * square)
                pulls += pull * (-square if error < 0 else square)
            loss[i] += total * share
            slope[i, j] = -pulls * share


@torch.library.custom_op("paceline::quantile_regression", mutates_args=(), device_types="cpu")
def _regress(quantiles: Tensor, targets: Tensor, turn: float) -> tuple[Tensor, Tensor]:
    loss, slope = quantiles.new_zeros(len(quantiles)), torch.empty_like(quantiles)
    own, other = (one.detach().contiguous().numpy() for one in (quantiles, targets))
    regress(own, other, turn, loss.numpy(), slope.numpy())
    return loss, slope


@_regress.register_fake
def _(quantiles: Tensor, targets: Tensor, turn: float) -> tuple[Tensor, Tensor]:
    return quantiles.new_empty(quantiles.shape[0]), torch.empty_like(quantiles)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(output[1])


def _slope(ctx: Any, of_loss: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
    (slope,) = ctx.saved_tensors
    return of_loss[:, None] * slope, None, None


_regress.register_autograd(_slope, setup_context=_keep)
