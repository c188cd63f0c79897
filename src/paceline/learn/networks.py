"""Networks: a trunk of layers, and a head in which only what is asked for is computed.

    network = DuelingNetwork(181, 97, quantiles=32)
    seen = network.embed(features)                 # [n, width]
    quantiles, layers = network.read(seen, action, heads)     # [n, 32] of the chosen actions only
    layers.values(other)                           # [n, 97]  weighted means over quantiles

The head is linear, and so is a mean: the mean over quantiles is taken on the weights, before they
meet a row, and so is the mean over actions that dueling subtracts. With 97 actions and 32 quantiles
the values of all actions cost a layer of 97 outputs, not 3,104.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from paceline.learn.head import read_head


def trunk(n_features: int, hidden: Sequence[int]) -> nn.Sequential:
    """Linear layers with rectifiers; empty for no layers."""
    widths = [n_features, *hidden]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers)


class Head(nn.Module):
    """A linear layer whose output is `[n, actions, quantiles]`.

    Quantiles come first in what it keeps, so that a mean over them is one matrix product."""

    def __init__(self, width: int, actions: int, quantiles: int) -> None:
        super().__init__()
        plain = nn.Linear(width, actions * quantiles)
        self.weight = nn.Parameter(plain.weight.detach().reshape(quantiles, actions, width))
        self.bias = nn.Parameter(plain.bias.detach().reshape(quantiles, actions))


class Layers(NamedTuple):
    """Heads whose quantiles have been weighed: plain linear layers."""

    weight: Tensor  # [h, n_actions, width]
    bias: Tensor  # [h, n_actions]

    def values(self, seen: Tensor, h: int = 0) -> Tensor:
        """`[n, n_actions]` of `seen` `[n, width]`."""
        return nn.functional.linear(seen, self.weight[h], self.bias[h])


class DuelingNetwork(nn.Module):
    """Quantiles of the return of each action; one quantile is the plain value.

    Wang et al., 2016, "Dueling network architectures", equation 9: value + advantage - its mean
    over actions. That mean is over all of them, legal or not, so that no mask moves the values.
    """

    def __init__(
        self,
        n_features: int,
        n_actions: int,
        hidden: Sequence[int] = (256, 256),
        quantiles: int = 1,
        dueling: bool = True,
    ) -> None:
        super().__init__()
        width = hidden[-1] if hidden else n_features
        self.trunk = trunk(n_features, hidden)
        self.advantage = Head(width, n_actions, quantiles)
        self.value = Head(width, 1, quantiles) if dueling else None

    def embed(self, features: Tensor) -> Tensor:
        """`[n, width]` of `features` `[n, n_features]`."""
        out: Tensor = self.trunk(features)
        return out

    def read(self, seen: Tensor, action: Tensor, heads: Tensor) -> tuple[Tensor, Layers]:
        """`[n, quantiles]` of `action` `[n]`, of no other action, and a layer for each row of
        `heads` `[h, quantiles]`, by which quantiles weigh."""
        every = self.advantage
        out, weight, level = read_head(every.weight, every.bias, heads, seen, action)
        bias = heads @ every.bias
        if self.value is not None:
            value, at = self.value.weight[:, 0], self.value.bias[:, 0]
            out = out + nn.functional.linear(seen, value - level, at - every.bias.mean(1))
            # The mean over actions after that over quantiles, which leaves little to add up.
            weight = weight + (heads @ value)[:, None] - weight.mean(1, keepdim=True)
            bias = bias + (heads @ at)[:, None] - bias.mean(1, keepdim=True)
        return out, Layers(weight, bias)

    def of(self, seen: Tensor, action: Tensor) -> Tensor:
        """`[n, quantiles]` of `action` `[n]`."""
        return self.read(seen, action, seen.new_empty(0, len(self.advantage.weight)))[0]

    def values(self, seen: Tensor, weights: Tensor) -> Tensor:
        """`[n, n_actions]` means over quantiles, which weigh `weights` `[quantiles]`."""
        nothing = seen[:0], torch.empty(0, dtype=torch.int64, device=seen.device)
        return self.read(*nothing, weights[None])[1].values(seen)

    def forward(self, features: Tensor) -> Tensor:
        """`[n, n_actions, quantiles]`, all of them: to look at, and to test the rest against."""
        seen = self.embed(features)
        out = torch.einsum("nw,kaw->nak", seen, self.advantage.weight) + self.advantage.bias.T
        if self.value is not None:
            value = torch.einsum("nw,kaw->nak", seen, self.value.weight) + self.value.bias.T
            out = value + out - out.mean(dim=1, keepdim=True)
        return out
