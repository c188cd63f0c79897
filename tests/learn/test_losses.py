"""Losses, on tables worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from paceline.learn.losses import (
    NEVER,
    advantage_weight,
    best_action,
    cloning,
    conservative,
    expectile,
    huber,
    likely,
    masked,
    quantile_huber,
    td_target,
)


def same(found: Tensor, wanted: object) -> None:
    torch.testing.assert_close(found, torch.tensor(wanted), rtol=1e-5, atol=1e-5)


def test_what_is_not_legal_is_low_and_finite() -> None:
    found = masked(torch.tensor([[1.0, 2.0]]), torch.tensor([[True, False]]))
    same(found, [[1.0, NEVER]])
    assert (found * 0.0).isfinite().all()


def test_the_best_action_is_a_legal_one_and_the_first_of_equals() -> None:
    values = torch.tensor([[1.0, 5.0, 3.0], [2.0, 2.0, 9.0], [-7.0, -8.0, 0.0]])
    legal = torch.tensor([[True, False, True], [True, True, False], [True, True, False]])
    same(best_action(values, legal), [2, 0, 0])


def test_td_target() -> None:
    reward, discount = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 0.0])
    same(td_target(reward, discount, torch.tensor([4.0, 100.0])), [3.0, -2.0])
    quantiles = torch.tensor([[4.0, 6.0], [1.0, 2.0]])
    same(td_target(reward, discount, quantiles), [[3.0, 4.0], [-2.0, -2.0]])


@pytest.mark.parametrize(
    ("error", "turn", "wanted"),
    [(0.0, 1.0, 0.0), (0.5, 1.0, 0.125), (-1.0, 1.0, 0.5), (3.0, 1.0, 2.5), (-3.0, 2.0, 4.0)],
)
def test_huber(error: float, turn: float, wanted: float) -> None:
    same(huber(torch.tensor([error]), turn), [wanted])


def test_quantile_huber() -> None:
    # Quantiles 1/4 and 3/4 at 0 and 2; targets -1 and 4. Errors -1, 4 of the first (Huber 0.5, 3.5)
    # and -3, 2 of the second (2.5, 1.5). Below: weight 1 - level, above: level.
    first = (0.75 * 0.5 + 0.25 * 3.5) / 2
    second = (0.25 * 2.5 + 0.75 * 1.5) / 2
    found = quantile_huber(torch.tensor([[0.0, 2.0]]), torch.tensor([[-1.0, 4.0]]))
    same(found, [first + second])
    # With the turn at 4 the errors are squares, by 4.
    squares = (0.75 * 1 + 0.25 * 16 + 0.25 * 9 + 0.75 * 4) / 2 / 2 / 4
    same(quantile_huber(torch.tensor([[0.0, 2.0]]), torch.tensor([[-1.0, 4.0]]), 4.0), [squares])


def test_quantile_huber_is_least_at_the_quantiles() -> None:
    sample = torch.arange(1.0, 101.0)[None] * 100.0  # far apart: Huber is a line almost everywhere
    quantiles = torch.full((1, 4), 5000.0, requires_grad=True)
    descent = torch.optim.Adam([quantiles], lr=50.0)
    for _ in range(600):
        descent.zero_grad()
        quantile_huber(quantiles, sample).sum().backward()
        descent.step()
    wanted = torch.tensor([[1300.0, 3800.0, 6300.0, 8800.0]])
    torch.testing.assert_close(quantiles.detach(), wanted, rtol=0.0, atol=120.0)


def test_conservative() -> None:
    values = torch.tensor([[1.0, 2.0, 30.0], [0.0, 0.0, 0.0]])
    legal = torch.tensor([[True, True, False], [True, True, True]])
    logged = torch.tensor([1.0, 0.0])
    wanted = [math.log(math.e + math.e**2) - 1.0, math.log(3.0)]
    same(conservative(values, legal, logged), wanted)
    cool = [0.5 * math.log(math.e**2 + math.e**4) - 1.0, 0.5 * math.log(3.0)]
    same(conservative(values, legal, logged, 0.5), cool)


def test_conservative_pulls_at_legal_actions_only() -> None:
    values = torch.tensor([[1.0, 2.0, 30.0]], requires_grad=True)
    legal = torch.tensor([[True, True, False]])
    conservative(values, legal, values[:, 0]).sum().backward()
    share = 1 / (1 + math.e)
    same(values.grad, [[share - 1.0, 1.0 - share, 0.0]])


def test_cloning() -> None:
    logits = torch.tensor([[0.0, math.log(3.0), 50.0]])
    legal = torch.tensor([[True, True, False]])
    same(cloning(logits, legal, torch.tensor([0])), [math.log(4.0)])
    same(cloning(logits, legal, torch.tensor([1])), [math.log(4.0 / 3.0)])


def test_expectile() -> None:
    same(expectile(torch.tensor([2.0, -2.0, 0.0]), 0.7), [2.8, 1.2, 0.0])
    same(expectile(torch.tensor([2.0, -2.0]), 0.5), [2.0, 2.0])


def test_advantage_weight() -> None:
    found = advantage_weight(torch.tensor([0.0, 1.0, 100.0, -1000.0]), 2.0, 50.0)
    same(found, [1.0, math.e**2, 50.0, 0.0])


def test_likely() -> None:
    logits = torch.tensor([[0.0, math.log(0.4), math.log(0.2), 90.0]])
    legal = torch.tensor([[True, True, True, False]])
    same(likely(logits, legal, 0.3), [[True, True, False, False]])
    same(likely(logits, legal, 0.0), [[True, True, True, False]])
    same(likely(logits, legal, 1.0), [[True, False, False, False]])
