"""The pass over the head against PyTorch's plain way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paceline.learn.head import read_head


def tensors(h: int, n: int) -> list[torch.Tensor]:
    dice = np.random.default_rng(11)
    shapes = [(3, 5, 7), (3, 5), (h, 3), (n, 7)]
    made = [torch.from_numpy(dice.standard_normal(shape)) for shape in shapes]
    return [*made, torch.from_numpy(dice.integers(0, 5, n))]


def plainly(
    weight: torch.Tensor,
    bias: torch.Tensor,
    heads: torch.Tensor,
    seen: torch.Tensor,
    action: torch.Tensor,
) -> tuple[torch.Tensor, ...]:
    every = torch.einsum("kaw,nw->nak", weight, seen) + bias.T
    out = every[torch.arange(len(seen)), action]
    return out, torch.einsum("hk,kaw->haw", heads, weight), weight.mean(1)


@pytest.mark.parametrize(("h", "n"), [(0, 4), (1, 9), (2, 9), (2, 0)])
def test_numbers_and_slopes_are_those_of_the_plain_way(h: int, n: int) -> None:
    weight, bias, heads, seen, action = tensors(h, n)
    results = []
    for way in (read_head, plainly):
        leaves = [one.clone().requires_grad_() for one in (weight, bias, seen)]
        found = way(leaves[0], leaves[1], heads, leaves[2], action)
        total = sum(((k + 1) * part.sin()).sum() for k, part in enumerate(found))
        total.backward()
        results.append([*found, *(leaf.grad for leaf in leaves)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_slopes_hold_against_small_steps() -> None:
    weight, bias, heads, seen, action = tensors(2, 4)
    leaves = weight.requires_grad_(), bias.requires_grad_(), heads, seen.requires_grad_(), action
    assert torch.autograd.gradcheck(read_head, leaves)
    torch.library.opcheck(torch.ops.paceline.read_head, leaves)
