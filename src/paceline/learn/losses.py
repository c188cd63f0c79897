"""Losses and targets: pure functions of tensors, each with its paper.

    n rows of a batch, a actions, k quantiles.   values [n, a], mask [n, a] (True: legal)

Illegal actions get `NEVER`, which is low and finite: -inf times 0 is NaN, and the gradient of a
log-sum-exp over nothing but -inf is, too.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

NEVER = -1e9
"""Value of an action that is not legal."""


def masked(values: Tensor, mask: Tensor) -> Tensor:
    """`values` `[n, a]` with NEVER where `mask` `[n, a]` is not set."""
    return values.masked_fill(~mask, NEVER)


def best_action(values: Tensor, mask: Tensor) -> Tensor:
    """`[n]` legal actions of the highest values; the first of equals."""
    return masked(values, mask).argmax(dim=1)


def td_target(reward: Tensor, discount: Tensor, next_value: Tensor) -> Tensor:
    """`[n]` or `[n, k]` r + discount * next value; `discount` `[n]` is 0 where it is over.

    Sutton and Barto, 2018, equation 6.1, for `next_value` of the action that double Q-learning
    takes (van Hasselt, Guez and Silver, 2016, equation 4): chosen by one network, valued by
    another.
    """
    if next_value.dim() == 2:
        reward, discount = reward[:, None], discount[:, None]
    return reward + discount * next_value


def huber(error: Tensor, turn: float = 1.0) -> Tensor:
    """Of each error: its square by 2 up to `turn`, a line beyond. Huber, 1964."""
    size = error.abs()
    square = size.clamp(max=turn)
    return square * (size - 0.5 * square)


def quantile_huber(quantiles: Tensor, targets: Tensor, turn: float = 1.0) -> Tensor:
    """`[n]` losses of `quantiles` `[n, k]` against samples `targets` `[n, m]`.

    Dabney et al., 2018, "Distributional reinforcement learning with quantile regression", equation
    10 and algorithm 1: quantile i stands for (2i + 1) / 2k; a sum over i, a mean over targets.
    By `turn`, so that it weighs the same for any, as in their later paper (IQN, equation 3).
    """
    k = quantiles.shape[1]
    levels = (torch.arange(k, device=quantiles.device) + 0.5) / k
    error = targets[:, None, :] - quantiles[:, :, None]  # [n, k, m]
    pull = (levels[:, None] - (error.detach() < 0).to(error.dtype)).abs()
    return (pull * huber(error, turn) / turn).mean(dim=2).sum(dim=1)


def conservative(values: Tensor, mask: Tensor, logged: Tensor, temperature: float = 1.0) -> Tensor:
    """`[n]` how far all legal actions together stand above the logged one.

    Kumar et al., 2020, "Conservative Q-learning", equation 4 (CQL(H)), with a temperature:
    T log sum exp(values / T) over what is legal, less the value of what was `logged` `[n]`.
    """
    every = temperature * torch.logsumexp(masked(values, mask) / temperature, dim=1)
    return every - logged


def cloning(logits: Tensor, mask: Tensor, action: Tensor) -> Tensor:
    """`[n]` -log probability of the logged `action` `[n]` among legal ones.

    Pomerleau, 1991; the softmax is over what was legal then.
    """
    return functional.cross_entropy(masked(logits, mask), action, reduction="none")


def expectile(error: Tensor, level: float) -> Tensor:
    """`[n]` squares of `error` `[n]`, those above 0 weighed `level`, others 1 - `level`.

    Kostrikov, Nair and Levine, 2022, "Offline RL with implicit Q-learning", equation 5 (Newey and
    Powell, 1987).
    """
    weight = (level - (error < 0).to(error.dtype)).abs()
    return weight * error.square()


def advantage_weight(advantage: Tensor, inverse_temperature: float, most: float) -> Tensor:
    """`[n]` exp(inverse temperature * advantage), `most` at most.

    Kostrikov et al., 2022, equation 7; clipped as in the authors' code.
    """
    return (inverse_temperature * advantage).exp().clamp(max=most)


def likely(logits: Tensor, mask: Tensor, threshold: float) -> Tensor:
    """`[n, a]` legal actions as likely as `threshold` times the likeliest of them.

    Fujimoto et al., 2019, "Benchmarking batch deep RL", discrete BCQ.
    """
    held = masked(logits, mask)
    ratio = (held - held.max(dim=1, keepdim=True).values).exp()
    return mask & (ratio >= threshold)
