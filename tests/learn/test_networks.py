"""The head computes what is asked for only: the same numbers as all of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paceline.learn.folding import fold
from paceline.learn.networks import DuelingNetwork
from paceline.learn.settings import Risk


def made(dueling: bool, quantiles: int, hidden: tuple[int, ...] = (16, 12)) -> DuelingNetwork:
    torch.manual_seed(3)
    network = DuelingNetwork(7, 5, hidden, quantiles, dueling)
    return network.double()


FEATURES = torch.from_numpy(np.random.default_rng(1).standard_normal((9, 7)))
ACTION = torch.tensor([0, 4, 1, 1, 3, 0, 2, 4, 4])


@pytest.mark.parametrize("dueling", [True, False])
@pytest.mark.parametrize("quantiles", [1, 6])
@pytest.mark.parametrize("hidden", [(16, 12), ()])
def test_parts_of_the_head_are_parts_of_all_of_it(
    dueling: bool, quantiles: int, hidden: tuple[int, ...]
) -> None:
    network = made(dueling, quantiles, hidden)
    every = network(FEATURES)
    assert every.shape == (9, 5, quantiles)
    seen = network.embed(FEATURES)
    torch.testing.assert_close(network.of(seen, ACTION), every[torch.arange(9), ACTION])
    weights = torch.linspace(0.0, 1.0, quantiles, dtype=torch.float64) + 0.1
    torch.testing.assert_close(network.values(seen, weights), every @ weights)


def test_slopes_are_the_same_too() -> None:
    network = made(True, 6)
    weights = torch.full((6,), 1 / 6, dtype=torch.float64)

    def slopes(whole: bool) -> list[torch.Tensor]:
        network.zero_grad()
        if whole:
            every = network(FEATURES)
            some, means = every[torch.arange(9), ACTION], every @ weights
        else:
            seen = network.embed(FEATURES)
            some, means = network.of(seen, ACTION), network.values(seen, weights)
        (some.square().sum() + means.exp().sum()).backward()
        return [parameter.grad.clone() for parameter in network.parameters()]

    for one, other in zip(slopes(True), slopes(False), strict=True):
        torch.testing.assert_close(one, other)


def test_a_dueling_mean_over_actions_is_the_value() -> None:
    network = made(True, 6)
    seen = network.embed(FEATURES)
    value = torch.einsum("nw,kw->nk", seen, network.value.weight[:, 0]) + network.value.bias[:, 0]
    torch.testing.assert_close(network(FEATURES).mean(dim=1), value)


@pytest.mark.parametrize("dueling", [True, False])
def test_folded_it_says_the_same(dueling: bool) -> None:
    network = made(dueling, 6).float()
    heads = Risk(cvar_weight=0.6, cvar_share=0.34).head_weights(6)
    tensors = {f"online.{k}": v.numpy() for k, v in network.state_dict().items()}
    folded = fold(tensors, "online", heads.tolist())
    rows = FEATURES.float()
    with torch.no_grad():
        wanted = (network(rows) @ torch.from_numpy(heads)).numpy()
    np.testing.assert_allclose(folded.many(rows.numpy()), wanted, atol=1e-6)
    np.testing.assert_allclose([folded.one(row) for row in rows.numpy()], wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("share", "weight", "wanted"),
    [
        (0.25, 0.0, [0.25, 0.25, 0.25, 0.25]),
        (0.25, 1.0, [1.0, 0.0, 0.0, 0.0]),
        (0.5, 1.0, [0.5, 0.5, 0.0, 0.0]),
        (0.5, 0.5, [0.375, 0.375, 0.125, 0.125]),
        (0.01, 1.0, [1.0, 0.0, 0.0, 0.0]),
        (1.0, 1.0, [0.25, 0.25, 0.25, 0.25]),
    ],
)
def test_how_risk_weighs_quantiles(share: float, weight: float, wanted: list[float]) -> None:
    found = Risk(cvar_share=share, cvar_weight=weight).head_weights(4)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
