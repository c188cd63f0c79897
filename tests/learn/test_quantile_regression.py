"""The loss in one pass against the loss as the paper writes it."""

from __future__ import annotations

import pytest
import torch

from paceline.learn.losses import quantile_huber
from paceline.learn.quantile_regression import quantile_regression


@pytest.mark.parametrize("turn", [0.5, 1.0, 4.0])
@pytest.mark.parametrize(("n", "k", "m"), [(6, 8, 5), (3, 1, 7), (0, 4, 4)])
def test_numbers_and_slopes_are_those_of_the_paper(turn: float, n: int, k: int, m: int) -> None:
    torch.manual_seed(5)
    targets, weigh = 2.0 * torch.randn(n, m, dtype=torch.float64), torch.rand(n).double()
    found = []
    for loss in (quantile_regression, quantile_huber):
        torch.manual_seed(6)
        quantiles = torch.randn(n, k, dtype=torch.float64, requires_grad=True)
        each = loss(quantiles, targets, turn)
        (weigh * each).sum().backward()
        found.append((each, quantiles.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_slopes_hold_against_small_steps() -> None:
    quantiles = torch.tensor([[0.1, 2.0], [-3.0, 0.4]], dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[-1.0, 4.0, 0.3], [2.5, 0.0, -2.2]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda q: quantile_regression(q, targets, 1.0), [quantiles])
    torch.library.opcheck(torch.ops.paceline.quantile_regression, (quantiles, targets, 1.0))
